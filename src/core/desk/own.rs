//! The numbers of this desk's own entries in one conversation.

use crate::wire::Number;

/// The numbers of this desk's own entries in one conversation. 0 stands for none.
#[derive(Default)]
pub(super) struct OwnNumbers {
    /// The highest number.
    last: Number,
    /// Only the customer has our entries up to this number: our journal was an old copy.
    highest_lost: Number,
    /// The latest line that the agent typed since this process runs.
    spoken: Number,
    /// The latest line that the agent typed, as far back as the journal goes.
    typed: Number,
}

impl OwnNumbers {
    /// After a restart, as the journal has them.
    pub(super) fn restore(last: Number, highest_lost: Number, typed: Number) -> OwnNumbers {
        OwnNumbers { last, highest_lost, spoken: 0, typed }
    }

    /// The highest number.
    pub(super) fn last(&self) -> Number {
        self.last
    }

    /// Our entries up to this number, only the customer has.
    pub(super) fn highest_lost(&self) -> Number {
        self.highest_lost
    }

    /// The latest line that the agent typed since this process runs.
    pub(super) fn spoken(&self) -> Number {
        self.spoken
    }

    /// The latest line that the agent typed, as far back as the journal goes.
    pub(super) fn typed(&self) -> Number {
        self.typed
    }

    /// A number for the next entry.
    pub(super) fn next(&mut self) -> Number {
        self.last += 1;
        self.last
    }

    /// The agent typed the line with this number.
    pub(super) fn say(&mut self, number: Number) {
        (self.spoken, self.typed) = (number, number);
    }

    /// Only the customer has our entries up to `highest_lost`: our own from number `from` on move
    /// above them. Answers how far (docs/PROTOCOL.md, "hello", 3).
    pub(super) fn raise(&mut self, from: Number, highest_lost: Number) -> Number {
        let by = highest_lost + 1 - from;
        self.last += by;
        self.highest_lost = highest_lost;
        for number in [&mut self.spoken, &mut self.typed] {
            if *number >= from {
                *number += by;
            }
        }
        by
    }
}
