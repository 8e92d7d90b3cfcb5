//! The customer's position in the queue: the one that the desk has sent, and the one that the
//! customer knows.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::core::clock::Now;

/// The least time between two positions that are shown (docs/PROTOCOL.md, "ack, seen, position,
/// ping").
const SHOWN_EVERY: Duration = Duration::from_secs(1);

/// The position of a customer who waits.
pub(super) struct Position {
    /// The position that the desk sent last.
    latest: Option<NonZeroU32>,
    /// The position that the customer knows.
    shown: Option<NonZeroU32>,
    /// The earliest time at which another position is shown.
    next: Instant,
}

impl Position {
    pub(super) fn new(now: Now) -> Position {
        Position { latest: None, shown: None, next: now.clock }
    }

    /// Forgets the position, because the customer begins to wait or the desk is out of reach.
    pub(super) fn forget(&mut self) {
        (self.latest, self.shown) = (None, None);
    }

    /// Notes the position that the desk has sent.
    pub(super) fn set(&mut self, position: NonZeroU32) {
        self.latest = Some(position);
    }

    /// When to show the customer a position that they do not know yet, if there is one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.latest != self.shown).then_some(self.next)
    }

    /// Returns whether to show the position now. If so, it counts as shown.
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
