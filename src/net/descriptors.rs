//! How many connections the system's limit of open files leaves room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not for connections: the journal, the terminal, the poller, listeners, signals, and what is
/// opened for a moment.
const KEPT: usize = 32;

/// Room for `connections`, or for as many as the system allows. Raises the soft limit, up to the hard one, if it must.
pub(super) fn room_for(connections: usize) -> usize {
    let wanted = connections.saturating_add(KEPT) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut allowed = current.unwrap_or(u64::MAX);
    if allowed < wanted {
        let raised = wanted.min(maximum.unwrap_or(u64::MAX));
        // Where the system refuses, what it allowed before still holds.
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok() {
            allowed = raised;
        }
    }
    let room = usize::try_from(allowed).unwrap_or(usize::MAX).saturating_sub(KEPT).max(1);
    room.min(connections)
}
