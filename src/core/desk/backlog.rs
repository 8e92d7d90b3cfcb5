//! What the agent knows of one conversation while a backlog arrives: the state that was announced
//! last, and the messages that wait until the next state is announced.
//!
//! Rules: docs/PROTOCOL.md, "Delivery", newest; docs/JSON.md, "Order".

use std::ops::RangeInclusive;

use crate::wire::{Hello, Number};

use super::controls::{Controls, Phase};
use super::{WITHHELD_BYTES_MAX, WITHHELD_MAX};

/// What the agent knows of one conversation.
pub(super) struct Backlog {
    /// The phase that was announced last, and the number of the latest `requested` then.
    announced_state: (Phase, Number),
    /// The customer's highest number at the hello. Until it has arrived, controls are history.
    newest_at_hello: Number,
    /// How many entries other desks made in this conversation. Only the customer has them.
    entries_elsewhere: Number,
    /// The first message that waits for the announcement of its state; 0 if none waits.
    first_withheld: Number,
    /// The bytes of the messages that wait. Once they reached a bound, this is
    /// [`WITHHELD_BYTES_MAX`], and messages are shown at once until the state is announced.
    withheld_bytes: u32,
}

impl Backlog {
    /// The agent knows nothing of this conversation.
    pub(super) fn new() -> Backlog {
        Backlog {
            announced_state: (Phase::FIRST, 0),
            newest_at_hello: 0,
            entries_elsewhere: 0,
            first_withheld: 0,
            withheld_bytes: 0,
        }
    }

    /// After a restart all that the journal has counts as announced.
    pub(super) fn restore(controls: &Controls) -> Backlog {
        Backlog { announced_state: (controls.phase(), controls.request()), ..Backlog::new() }
    }

    /// The customer's hello: `entries_elsewhere` says how many entries other desks made.
    pub(super) fn begin(&mut self, hello: &Hello, entries_elsewhere: Number) {
        self.newest_at_hello = hello.newest;
        self.entries_elsewhere = entries_elsewhere;
    }

    /// The state is to be announced again, as after the first hello.
    pub(super) fn forget_announced(&mut self) {
        self.announced_state = (Phase::FIRST, 0);
    }

    /// The phase that was announced last.
    pub(super) fn announced(&self) -> Phase {
        self.announced_state.0
    }

    /// How many entries of this conversation other desks made.
    pub(super) fn entries_elsewhere(&self) -> Number {
        self.entries_elsewhere
    }

    /// Called when the customer's entries up to `received` have arrived. If the present state is
    /// to be announced now, counts it as announced, and returns the phase that was announced
    /// before.
    pub(super) fn announce(&mut self, controls: &Controls, received: Number) -> Option<Phase> {
        let present = (controls.phase(), controls.request());
        if received < self.newest_at_hello || self.announced_state == present {
            return None;
        }
        Some(std::mem::replace(&mut self.announced_state, present).0)
    }

    /// Called when the customer's message `number`, of `size` bytes, has arrived. Returns the
    /// messages to show now: a message that belongs to a state that is not announced yet waits for
    /// the announcement.
    pub(super) fn arrive(
        &mut self,
        controls: &Controls,
        number: Number,
        size: usize,
    ) -> Option<RangeInclusive<Number>> {
        let is_announced = self.announced_state == (controls.phase(), controls.request());
        let is_with_desk = controls.phase().is_with_desk();
        if is_announced || !is_with_desk || self.withheld_bytes >= WITHHELD_BYTES_MAX {
            return Some(number..=number);
        }
        if self.first_withheld == 0 {
            self.first_withheld = number;
        }
        self.withheld_bytes = self.withheld_bytes.saturating_add(size as u32);
        let is_full = number - self.first_withheld >= WITHHELD_MAX;
        if !is_full && self.withheld_bytes < WITHHELD_BYTES_MAX {
            return None;
        }
        let first = std::mem::take(&mut self.first_withheld);
        self.withheld_bytes = WITHHELD_BYTES_MAX;
        Some(first..=number)
    }

    /// Returns the waiting messages up to number `last`, which wait no more.
    pub(super) fn release(&mut self, last: Number) -> Option<RangeInclusive<Number>> {
        let first = std::mem::take(&mut self.first_withheld);
        self.withheld_bytes = 0;
        (first > 0).then_some(first..=last)
    }
}
