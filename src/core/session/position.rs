//! The customer's position in the queue: what the desk says, and what the customer is shown.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::core::clock::Now;

/// The customer is shown another position once in this time at most (docs/PROTOCOL.md, "ack, seen,
/// position, ping").
const SHOWN_EVERY: Duration = Duration::from_secs(1);

/// The position of a customer who waits.
pub(super) struct Position {
    /// The position that the desk said last.
    latest: Option<NonZeroU32>,
    /// The position that the customer knows.
    shown: Option<NonZeroU32>,
    /// The customer is shown another position no earlier than this.
    next: Instant,
}

impl Position {
    pub(super) fn new(now: Now) -> Position {
        Position { latest: None, shown: None, next: now.clock }
    }

    /// The customer begins to wait, or the desk is out of reach: nobody knows the position.
    pub(super) fn forget(&mut self) {
        (self.latest, self.shown) = (None, None);
    }

    /// The desk says the position.
    pub(super) fn set(&mut self, position: NonZeroU32) {
        self.latest = Some(position);
    }

    /// When the customer is to be shown a position that they do not know, if there is one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.latest != self.shown).then_some(self.next)
    }

    /// Whether the customer is to be shown the position now. After that they know it.
    pub(super) fn show_if_due(&mut self, now: Now) -> bool {
        let is_due = self.deadline().is_some_and(|at| at <= now.clock);
        if is_due {
            self.shown = self.latest;
            self.next = now.clock + SHOWN_EVERY;
        }
        is_due
    }

    /// The position that the customer knows.
    pub(super) fn shown(&self) -> Option<u32> {
        self.shown.map(NonZeroU32::get)
    }
}
