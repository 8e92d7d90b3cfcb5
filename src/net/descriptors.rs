//! The number of connections that the process's limit of open files allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything but connections: the journal, the terminal, the poller, listeners,
/// signals, and files that are open for a moment.
const RESERVED: usize = 32;

/// Returns `connections`, or the lower number that the system allows. Raises the soft limit, up to
/// the hard one, if needed.
pub(super) fn room_for(connections: usize) -> usize {
    let wanted = connections.saturating_add(RESERVED) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut allowed = current.unwrap_or(u64::MAX);
    if allowed < wanted {
        let raised = wanted.min(maximum.unwrap_or(u64::MAX));
        // If the system refuses, the old limit still holds.
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok() {
            allowed = raised;
        }
    }
    let room = usize::try_from(allowed).unwrap_or(usize::MAX).saturating_sub(RESERVED).max(1);
    room.min(connections)
}
