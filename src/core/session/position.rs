//! The customer's position in the queue: the one that the desk has sent, and the one that the
//! customer knows.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::core::clock::Now;

/// The least time between two positions that are shown (docs/PROTOCOL.md, "ack, seen, position,
/// ping").
const SHOWN_EVERY: Duration = Duration::from_secs(1);

/// What a customer who waits knows of the queue.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    /// The position, if it is known.
    position: Option<NonZeroU32>,
    /// Whether all agents are away or gone.
    is_unattended: bool,
}

/// The position of a customer who waits, and whether an agent is there.
pub(super) struct Position {
    /// What the desk sent last.
    latest: Place,
    /// What the customer knows.
    shown: Place,
    /// The earliest time at which something else is shown.
    next: Instant,
}

/// What the customer is shown besides the position.
pub(super) struct Shown {
    /// Whether an agent is there, if that is news.
    pub(super) attended: Option<bool>,
}

impl Position {
    pub(super) fn new(now: Now) -> Position {
        Position { latest: Place::default(), shown: Place::default(), next: now.clock }
    }

    /// Forgets everything, because the customer begins to wait.
    pub(super) fn begin(&mut self) {
        (self.latest, self.shown) = (Place::default(), Place::default());
    }

    /// Forgets the position, because the desk is out of reach.
    pub(super) fn forget(&mut self) {
        (self.latest.position, self.shown.position) = (None, None);
        self.latest.is_unattended = self.shown.is_unattended;
    }

    /// Notes what the desk has sent: the position, and whether all agents are away or gone, if the
    /// desk knows it.
    pub(super) fn set(&mut self, position: NonZeroU32, is_unattended: Option<bool>) {
        let is_unattended = is_unattended.unwrap_or(self.latest.is_unattended);
        self.latest = Place { position: Some(position), is_unattended };
    }

    /// When to show the customer what they do not know yet, if there is anything.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.latest != self.shown).then_some(self.next)
    }

    /// What to show with the position, if it is to be shown now. It counts as shown then.
    pub(super) fn show_if_due(&mut self, now: Now) -> Option<Shown> {
        self.deadline().filter(|at| *at <= now.clock)?;
        let is_news = self.latest.is_unattended != self.shown.is_unattended;
        self.shown = self.latest;
        self.next = now.clock + SHOWN_EVERY;
        Some(Shown { attended: is_news.then_some(!self.shown.is_unattended) })
    }

    /// The position that the customer knows.
    pub(super) fn shown(&self) -> Option<u32> {
        self.shown.position.map(NonZeroU32::get)
    }

    /// Whether the customer knows that all agents are away or gone.
    pub(super) fn is_unattended(&self) -> bool {
        self.shown.is_unattended
    }
}
