//! The queue: who waits, longest first, and the position that each of them is told.
//!
//! Rules: docs/PROTOCOL.md, "ack, seen, position, ping". A customer whose connection has been down
//! for [`COUNTED_WITHOUT_LINK`] stays in the queue, and does not count in the others' positions.

use super::{Act, COUNTED_WITHOUT_LINK, Desk, PLACES_TOLD, Phase};
use crate::core::clock::Now;
use crate::wire::{ConversationId, Message};

impl Desk {
    /// Takes a conversation out of the queue. Those behind it have moved up.
    pub(super) fn leave_queue(&mut self, id: ConversationId) {
        let Some(at) = self.place_in_queue(id) else { return };
        self.queue.remove(at);
        self.uncounted.remove(&id);
        if let Some(until) = self
            .conversations
            .get_mut(&id)
            .and_then(|conversation| conversation.counts_until.take())
        {
            self.unlinked.remove(&(until, id));
        }
        self.has_moved(at);
    }

    /// The position of a queued customer: 1, and one more for each who counts before them.
    pub(super) fn position(&self, id: ConversationId) -> Option<u32> {
        let at = self.place_in_queue(id)?;
        let uncounted = match self.uncounted.len() {
            0 => 0,
            _ => self.queue.range(..at).filter(|before| self.uncounted.contains(*before)).count(),
        };
        Some((at - uncounted) as u32 + 1)
    }

    /// The positions of all who are queued, counted once: to look each one up would be quadratic.
    pub(super) fn positions(&self) -> impl Iterator<Item = (ConversationId, u32)> {
        let mut before = 0;
        self.queue.iter().map(move |id| {
            let position = before + 1;
            before += u32::from(!self.uncounted.contains(id));
            (*id, position)
        })
    }

    /// Tells a queued customer their position.
    pub(super) fn send_position(&mut self, id: ConversationId) {
        let Some(position) = self.position(id) else { return };
        if let Some(conn) = self.conversations[&id].link {
            self.act(Act::Send(conn, Message::Position { position }));
        }
    }

    /// Tells those whose position changed, if it is time: a customer who comes and goes all the
    /// time does not have all others told each time.
    pub(super) fn tell_places(&mut self, now: Now) {
        if now.clock < self.tell_places {
            return;
        }
        let Some(from) = self.moved.take() else { return };
        self.tell_places = now.clock + PLACES_TOLD;
        let behind: Vec<_> = self.positions().skip(from).collect();
        for (id, position) in behind {
            if let Some(conn) = self.conversations[&id].link {
                self.act(Act::Send(conn, Message::Position { position }));
            }
        }
    }

    /// A customer's connection came or went. A queued customer without a connection counts for a
    /// while longer.
    pub(super) fn watch(&mut self, id: ConversationId, now: Now) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let is_queued = conversation.told.0 == Phase::Queued && !conversation.asleep;
        if is_queued && conversation.link.is_none() && conversation.counts_until.is_none() {
            let until = now.clock + COUNTED_WITHOUT_LINK;
            conversation.counts_until = Some(until);
            self.unlinked.insert((until, id));
        }
    }

    /// Customers whose connection has been down for too long count no more.
    pub(super) fn stop_counting(&mut self, now: Now) {
        let mut has_news = false;
        while let Some((until, id)) = self.unlinked.first().copied()
            && until <= now.clock
        {
            self.unlinked.pop_first();
            self.uncounted.insert(id);
            has_news = true;
        }
        if has_news
            && let Some(first) = self.queue.iter().position(|id| self.uncounted.contains(id))
        {
            self.has_moved(first + 1);
        }
    }

    /// A customer is connected again: in the queue they have their old place.
    pub(super) fn count_again(&mut self, id: ConversationId) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let Some(until) = conversation.counts_until.take() else { return };
        self.unlinked.remove(&(until, id));
        if self.uncounted.remove(&id)
            && let Some(at) = self.place_in_queue(id)
        {
            self.has_moved(at + 1);
        }
    }

    /// From this place on the positions are others than the customers know.
    fn has_moved(&mut self, at: usize) {
        self.moved = Some(self.moved.map_or(at, |from| from.min(at)));
    }

    fn place_in_queue(&self, id: ConversationId) -> Option<usize> {
        self.queue.iter().position(|queued| *queued == id)
    }
}
