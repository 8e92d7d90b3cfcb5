//! The numbers of this side's own entries in one conversation, and the lines to a person that the
//! desk may not have yet.

use std::collections::VecDeque;

use crate::wire::Number;

use super::{OUTBOX_BYTES_MAX, OUTBOX_MAX};

/// The numbers of this side's own entries. 0 stands for none.
#[derive(Default)]
pub(super) struct OwnEntries {
    /// The highest number.
    last: Number,
    /// The `requested` in force, or the last one.
    request: Number,
    /// While no desk owns the conversation: the desk is owed our entries up to here. What follows
    /// was said to the bot, and stays here.
    owed: Number,
    /// The latest line to a person.
    last_to_person: Number,
    /// Lines to a person that may not be delivered yet: their numbers and bytes.
    outbox: VecDeque<(Number, usize)>,
}

impl OwnEntries {
    /// After a restart the journal has entries up to `last`.
    pub(super) fn restore(last: Number) -> OwnEntries {
        OwnEntries { last, ..OwnEntries::default() }
    }

    /// The highest number.
    pub(super) fn last(&self) -> Number {
        self.last
    }

    /// A number for the next entry.
    pub(super) fn next(&mut self) -> Number {
        self.last += 1;
        self.last
    }

    /// The `requested` in force, or the last one.
    pub(super) fn request(&self) -> Number {
        self.request
    }

    /// The entry with this number asks for a person.
    pub(super) fn set_request(&mut self, number: Number) {
        self.request = number;
    }

    /// While no desk owns the conversation: the desk is owed our entries up to this number.
    pub(super) fn owed(&self) -> Number {
        self.owed
    }

    /// The desk is owed our entries up to this number, and none of those that follow.
    pub(super) fn owe_up_to(&mut self, number: Number) {
        self.owed = number;
    }

    /// The latest line to a person.
    pub(super) fn last_to_person(&self) -> Number {
        self.last_to_person
    }

    /// The entry with this number is a line to a person, of so many bytes.
    pub(super) fn note_line_to_person(&mut self, number: Number, bytes: usize) {
        self.last_to_person = number;
        self.outbox.push_back((number, bytes));
    }

    /// Whether as much waits for the desk as may. The desk acknowledged entries up to `acked`.
    pub(super) fn is_outbox_full(&mut self, acked: Number) -> bool {
        while self.outbox.pop_front_if(|(number, _)| *number <= acked).is_some() {}
        self.outbox.len() >= OUTBOX_MAX
            || self.outbox.iter().map(|(_, bytes)| bytes).sum::<usize>() >= OUTBOX_BYTES_MAX
    }
}
