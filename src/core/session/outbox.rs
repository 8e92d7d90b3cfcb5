//! The customer's lines to a person: which one was the latest, and how much of them may wait for
//! the desk.

use std::collections::VecDeque;

use crate::wire::Number;

/// Entries that may wait for a desk before further lines are refused.
pub const OUTBOX_MAX: usize = 1_000;
/// Bytes of text that may wait for a desk before further lines are refused.
pub const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The customer's lines to a person.
#[derive(Default)]
pub(super) struct Outbox {
    /// The number of the latest line; 0 before the first one.
    latest: Number,
    /// Lines that the desk may not have yet: their numbers and bytes.
    waiting: VecDeque<(Number, usize)>,
}

impl Outbox {
    /// Our entry with this number is a line to a person, of so many bytes.
    pub(super) fn push(&mut self, number: Number, bytes: usize) {
        self.latest = number;
        self.waiting.push_back((number, bytes));
    }

    /// Whether as much waits as may. The desk acknowledged our entries up to `acked`.
    pub(super) fn is_full(&mut self, acked: Number) -> bool {
        while self.waiting.pop_front_if(|(number, _)| *number <= acked).is_some() {}
        self.waiting.len() >= OUTBOX_MAX
            || self.waiting.iter().map(|(_, bytes)| bytes).sum::<usize>() >= OUTBOX_BYTES_MAX
    }

    /// The number of the latest line; 0 before the first one.
    pub(super) fn latest(&self) -> Number {
        self.latest
    }
}
