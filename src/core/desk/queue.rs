//! The queue: who waits, longest first, and the position that each of them is sent.
//!
//! Rules: docs/PROTOCOL.md, "ack, seen, position, ping". A customer whose connection has been down
//! for [`COUNTED_WITHOUT_LINK`] stays in the queue, and does not count in the others' positions.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::outcome::Act;
use crate::wire::{ConversationId, Message};

use super::Desk;
use super::controls::Phase;

/// The desk sends customers the positions that changed this often at most.
pub const PLACES_TOLD: Duration = Duration::from_secs(1);

/// A queued customer whose connection has been down for this long does not count in the positions
/// of the others.
pub const COUNTED_WITHOUT_LINK: Duration = Duration::from_secs(60);

/// Who waits, and who of them counts.
pub(super) struct Queue {
    /// The customers, longest first.
    waiting: VecDeque<ConversationId>,
    /// Queued customers whose connection is down, each with the moment from which they do not
    /// count in the positions of the others.
    unlinked: BTreeSet<(Instant, ConversationId)>,
    /// That moment by conversation. It stays here until the customer is connected again.
    counts_until: HashMap<ConversationId, Instant>,
    /// Queued customers who do not count in the positions of the others until they are connected.
    uncounted: HashSet<ConversationId>,
    /// The first index of `waiting` whose customer may not know the new position yet.
    first_moved: Option<usize>,
    /// Changed positions are sent no earlier than this.
    next_positions: Instant,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(now: Now) -> Queue {
        Queue {
            waiting: VecDeque::new(),
            unlinked: BTreeSet::new(),
            counts_until: HashMap::new(),
            uncounted: HashSet::new(),
            first_moved: None,
            next_positions: now.clock,
        }
    }

    /// A customer begins to wait behind all others.
    pub(super) fn push(&mut self, id: ConversationId) {
        self.waiting.push_back(id);
    }

    /// Takes a conversation out of the queue, if it is there. Those behind it have moved up.
    pub(super) fn remove(&mut self, id: ConversationId) {
        let Some(at) = self.index_of(id) else { return };
        self.waiting.remove(at);
        self.uncounted.remove(&id);
        if let Some(until) = self.counts_until.remove(&id) {
            self.unlinked.remove(&(until, id));
        }
        self.has_moved(at);
    }

    /// The customers, longest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = ConversationId> {
        self.waiting.iter().copied()
    }

    /// How many customers wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether this queued customer counts in the positions of the others.
    pub(super) fn counts(&self, id: ConversationId) -> bool {
        !self.uncounted.contains(&id)
    }

    /// The position of a queued customer: 1, and one more for each who counts before them.
    pub(super) fn position(&self, id: ConversationId) -> Option<u32> {
        let at = self.index_of(id)?;
        let uncounted = match self.uncounted.len() {
            0 => 0,
            _ => self.waiting.range(..at).filter(|before| !self.counts(**before)).count(),
        };
        Some((at - uncounted) as u32 + 1)
    }

    /// The positions of all customers, counted once: to look each one up would be quadratic.
    pub(super) fn positions(&self) -> impl Iterator<Item = (ConversationId, u32)> {
        let mut before = 0;
        self.waiting.iter().map(move |id| {
            let position = before + 1;
            before += u32::from(self.counts(*id));
            (*id, position)
        })
    }

    /// The positions to send now, because they changed: once a second at most, so that a customer
    /// who comes and goes all the time causes few messages to the others.
    fn take_moved(&mut self, now: Now) -> Vec<(ConversationId, u32)> {
        if now.clock < self.next_positions {
            return Vec::new();
        }
        let Some(first) = self.first_moved.take() else { return Vec::new() };
        self.next_positions = now.clock + PLACES_TOLD;
        self.positions().skip(first).collect()
    }

    /// When the queue has something to do next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let positions = self.first_moved.map(|_| self.next_positions);
        let uncounted = self.unlinked.first().map(|(until, _)| *until);
        positions.into_iter().chain(uncounted).min()
    }

    /// A queued customer is not connected: they count for a while longer.
    fn disconnected(&mut self, id: ConversationId, now: Now) {
        if let Entry::Vacant(free) = self.counts_until.entry(id) {
            let until = *free.insert(now.clock + COUNTED_WITHOUT_LINK);
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
        if has_news && let Some(first) = self.waiting.iter().position(|id| !self.counts(*id)) {
            self.has_moved(first + 1);
        }
    }

    /// A customer is connected again. If they are queued, they count again at their old place.
    pub(super) fn count_again(&mut self, id: ConversationId) {
        let Some(until) = self.counts_until.remove(&id) else { return };
        self.unlinked.remove(&(until, id));
        if self.uncounted.remove(&id)
            && let Some(at) = self.index_of(id)
        {
            self.has_moved(at + 1);
        }
    }

    /// From this index of `waiting` on, the customers do not know their positions.
    fn has_moved(&mut self, at: usize) {
        self.first_moved = Some(self.first_moved.map_or(at, |first| first.min(at)));
    }

    fn index_of(&self, id: ConversationId) -> Option<usize> {
        self.waiting.iter().position(|queued| *queued == id)
    }
}

impl Desk {
    /// Sends a queued customer their position.
    pub(super) fn send_position(&mut self, id: ConversationId) {
        if let Some(position) = self.queue.position(id) {
            self.send_position_at(id, position);
        }
    }

    /// Sends the positions that changed, if it is time.
    pub(super) fn send_moved_positions(&mut self, now: Now) {
        for (id, position) in self.queue.take_moved(now) {
            self.send_position_at(id, position);
        }
    }

    /// Looks whether a queued customer is without a connection now.
    pub(super) fn watch(&mut self, id: ConversationId, now: Now) {
        let Some(conversation) = self.conversations.get(id) else { return };
        let is_queued = conversation.backlog.announced() == Phase::Queued;
        if is_queued && !conversation.is_asleep && conversation.connection.is_none() {
            self.queue.disconnected(id, now);
        }
    }

    fn send_position_at(&mut self, id: ConversationId, position: u32) {
        if let Some(conn) = self.conversations[id].connection {
            self.act(Act::Send(conn, Message::Position { position }));
        }
    }
}
