//! What the entries of the customer's side mean.

use handoff::wire::{Body, Entry, State};

/// The state of a conversation after these entries of the customer's side.
pub fn state_after(entries: &[Entry]) -> State {
    let state = |entry: &Entry| match entry.body {
        Body::Requested { .. } => Some(State::Queued),
        Body::Accepted { .. } => Some(State::Active),
        Body::Withdrawn {} | Body::HandedBack { .. } => Some(State::Bot),
        Body::Closed { .. } => Some(State::Closed),
        _ => None,
    };
    entries.iter().rev().find_map(state).unwrap_or(State::Bot)
}

/// Whether an entry asks for a person.
pub fn is_request(entry: &Entry) -> bool {
    matches!(entry.body, Body::Requested { .. })
}
