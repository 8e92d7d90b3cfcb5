//! How many customers the desk has slots for, in all and from one address. A customer who finds no
//! slot is asked to come back later (docs/PROTOCOL.md, "How much a desk takes").
//!
//! A customer takes a slot while they are connected, wait or talk. The desk always lets a customer
//! in again who still has a slot.

use std::collections::HashMap;

use crate::core::outcome::Act;
use crate::wire::{Address, Conn, ConversationId, Message};

use super::{Desk, Options};

/// Slots, unless the command line says otherwise.
pub const CUSTOMERS: usize = 3_000;
/// Slots for customers from one address, unless the command line says otherwise.
pub const CUSTOMERS_PER_ADDRESS: usize = 256;
/// A customer who finds no slot is asked to come back after this many seconds at the soonest.
pub const RETRY_FIRST: u32 = 5;
/// The seconds differ from customer to customer by less than this, so that the customers do not all
/// come back at once.
pub const RETRY_SPREAD: u32 = 25;

/// The slots that are taken.
#[derive(Default)]
pub(super) struct Capacity {
    slots_taken: usize,
    slots_taken_from: HashMap<Address, usize>,
    /// How often the desk asked a customer to come back later.
    busy_count: u32,
}

/// A conversation's slot: the address that the customer came from, if it is known.
pub(super) type Slot = Option<Address>;

impl Capacity {
    /// Whether there is one more slot for this address.
    fn is_free(&self, slot: Slot, options: &Options) -> bool {
        let from_there = slot.and_then(|address| self.slots_taken_from.get(&address).copied());
        let from_there = from_there.unwrap_or(0);
        self.slots_taken < options.customers && from_there < options.customers_per_address
    }

    fn take(&mut self, slot: Slot) {
        self.slots_taken += 1;
        if let Some(address) = slot {
            *self.slots_taken_from.entry(address).or_default() += 1;
        }
    }

    fn give_back(&mut self, slot: Slot) {
        self.slots_taken -= 1;
        if let Some(address) = slot
            && let Some(count) = self.slots_taken_from.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.slots_taken_from.remove(&address);
            }
        }
    }

    /// After how many seconds to ask the next customer without a slot to come back.
    fn next_retry(&mut self) -> u32 {
        let retry = RETRY_FIRST + self.busy_count % RETRY_SPREAD;
        self.busy_count = self.busy_count.wrapping_add(1);
        retry
    }

    /// Whether no slot is taken.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.slots_taken == 0 && self.slots_taken_from.is_empty()
    }
}

impl Desk {
    /// Whether this hello finds a slot. If it finds none, the desk says when to come back
    /// (docs/PROTOCOL.md, "busy").
    pub(super) fn find_slot(&mut self, conn: Conn, id: ConversationId, slot: Slot) -> bool {
        let has_slot =
            self.conversations.get(id).is_some_and(|conversation| conversation.slot.is_some());
        if has_slot || self.capacity.is_free(slot, &self.options) {
            return true;
        }
        let retry = self.capacity.next_retry();
        log::info!("{conn}: no slot is free; the customer is asked to come back in {retry} s");
        self.act(Act::Send(conn, Message::Busy { retry }));
        self.act(Act::Close(conn));
        false
    }

    /// The customer is connected now, and has this slot.
    pub(super) fn take_slot(&mut self, id: ConversationId, slot: Slot) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if let Some(former) = conversation.slot.replace(slot) {
            self.capacity.give_back(former);
        }
        self.capacity.take(slot);
    }

    /// Called when the customer is not connected. They keep their slot only while they wait or
    /// talk.
    pub(super) fn review_slot(&mut self, id: ConversationId) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let is_live = conversation.is_live();
        match conversation.slot {
            None if is_live => {
                conversation.slot = Some(None);
                self.capacity.take(None);
            }
            Some(slot) if !is_live => {
                conversation.slot = None;
                self.capacity.give_back(slot);
            }
            _ => {}
        }
    }
}
