//! The customer's lines to a person: the number of the latest, and how many may wait for the desk.

use std::collections::VecDeque;

use crate::wire::Number;

/// The most entries that may wait for a desk. Further lines are refused.
pub const OUTBOX_MAX: usize = 1_000;
/// The most bytes of text that may wait for a desk. Further lines are refused.
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
    /// Notes our entry with this number as a line of this many bytes to a person.
    pub(super) fn push(&mut self, number: Number, bytes: usize) {
        self.latest = number;
        self.waiting.push_back((number, bytes));
    }

    /// Whether no more lines may wait. The desk has acknowledged our entries up to `acked`.
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
