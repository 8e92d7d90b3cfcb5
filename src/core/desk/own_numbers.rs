//! The numbers of this desk's own entries in one conversation.
//!
//! Rules: docs/PROTOCOL.md, "Delivery", Numbering, and "hello", 3.

use crate::wire::Number;

/// The numbers of this desk's own entries in one conversation. 0 stands for none.
#[derive(Default)]
pub(super) struct OwnNumbers {
    /// The highest number.
    last: Number,
    /// Only the customer has our entries up to this number: our journal was an old copy.
    highest_lost: Number,
    /// The latest line that an agent typed, as far back as the journal goes.
    latest_line: Number,
    /// The latest line that the agent typed since this process started.
    latest_line_since_start: Number,
}

impl OwnNumbers {
    /// The numbers that the journal has, after a restart.
    pub(super) fn restore(last: Number, highest_lost: Number, latest_line: Number) -> OwnNumbers {
        OwnNumbers { last, highest_lost, latest_line, latest_line_since_start: 0 }
    }

    /// The highest number.
    pub(super) fn last(&self) -> Number {
        self.last
    }

    /// Only the customer has our entries up to this number.
    pub(super) fn highest_lost(&self) -> Number {
        self.highest_lost
    }

    /// The latest line that an agent typed, as far back as the journal goes.
    pub(super) fn latest_line(&self) -> Number {
        self.latest_line
    }

    /// The latest line that the agent typed since this process started.
    pub(super) fn latest_line_since_start(&self) -> Number {
        self.latest_line_since_start
    }

    /// A number for the next entry.
    pub(super) fn next(&mut self) -> Number {
        self.last += 1;
        self.last
    }

    /// The entry with this number is a line that the agent typed.
    pub(super) fn note_line(&mut self, number: Number) {
        self.latest_line = number;
        self.latest_line_since_start = number;
    }

    /// Only the customer has our entries up to `highest_lost`. Our journal has other entries from
    /// number `from` on: their numbers rise above `highest_lost`. Returns by how much they rise.
    pub(super) fn raise(&mut self, from: Number, highest_lost: Number) -> Number {
        let by = highest_lost + 1 - from;
        self.last += by;
        self.highest_lost = highest_lost;
        for number in [&mut self.latest_line, &mut self.latest_line_since_start] {
            if *number >= from {
                *number += by;
            }
        }
        by
    }
}
