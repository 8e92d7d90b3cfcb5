//! How many customers there is room for, in all and from one address; who is over it is asked to
//! come back later.
//!
//! Who is connected, waits or talks takes a place, and keeps it: a customer who has one is always
//! let in again.

use std::collections::HashMap;

use super::{Act, Desk, Options};
use crate::wire::{Address, Conn, ConversationId, Message};

/// Places, unless the admin says otherwise.
pub const CUSTOMERS: usize = 3_000;
/// Places for customers from one address, unless the admin says otherwise.
pub const CUSTOMERS_PER_ADDRESS: usize = 256;
/// Who finds no place comes back after this many seconds at the soonest,
pub const RETRY_FIRST: u32 = 5;
/// and within so many more: each is told another time, so that they do not come back together.
pub const RETRY_SPREAD: u32 = 25;

/// The places that are taken.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Room {
    taken: usize,
    each: HashMap<Address, usize>,
}

/// A conversation's place, and where its customer came from, if that is known.
pub(super) type Place = Option<Address>;

impl Room {
    /// Whether there is a place for one more from there.
    fn is_free(&self, address: Address, options: &Options) -> bool {
        let from_there = self.each.get(&address).copied().unwrap_or(0);
        self.taken < options.customers && from_there < options.customers_per_address
    }

    fn take(&mut self, place: Place) {
        self.taken += 1;
        if let Some(address) = place {
            *self.each.entry(address).or_default() += 1;
        }
    }

    fn give_back(&mut self, place: Place) {
        self.taken -= 1;
        if let Some(address) = place
            && let Some(count) = self.each.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.each.remove(&address);
            }
        }
    }
}

impl Desk {
    /// Somebody connected from there, and will say hello.
    pub fn opened(&mut self, conn: Conn, address: Address) {
        self.strangers.insert(conn, address);
    }

    /// Whether this hello finds a place; if not, it is told when to come back.
    pub(super) fn has_room(&mut self, conn: Conn, id: ConversationId, address: Address) -> bool {
        let has_place =
            self.conversations.get(&id).is_some_and(|conversation| conversation.place.is_some());
        if has_place || self.room.is_free(address, &self.options) {
            return true;
        }
        let retry = RETRY_FIRST + self.turned_away % RETRY_SPREAD;
        self.turned_away = self.turned_away.wrapping_add(1);
        log::info!("{conn}: no room, told to come back in {retry} s");
        self.act(Act::Send(conn, Message::Busy { retry }));
        self.act(Act::Close(conn));
        false
    }

    /// The customer is connected from here now.
    pub(super) fn seat(&mut self, id: ConversationId, address: Address) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if let Some(place) = conversation.place.replace(Some(address)) {
            self.room.give_back(place);
        }
        self.room.take(Some(address));
    }

    /// Nobody is connected to this conversation: it has a place as long as it waits or talks.
    pub(super) fn review(&mut self, id: ConversationId) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let needs = conversation.is_live();
        match conversation.place {
            None if needs => {
                conversation.place = Some(None);
                self.room.take(None);
            }
            Some(place) if !needs => {
                conversation.place = None;
                self.room.give_back(place);
            }
            _ => {}
        }
    }
}
