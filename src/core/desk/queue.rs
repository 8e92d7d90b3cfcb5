//! The queue: the customers who wait, longest first, and the position that the desk sends to each.
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

/// The desk sends changed positions this often at most (docs/PROTOCOL.md, "ack, seen, position,
/// ping").
pub const POSITION_PERIOD: Duration = Duration::from_secs(1);

/// A queued customer whose connection has been down for this long does not count in the positions
/// of the others.
pub const COUNTED_WITHOUT_LINK: Duration = Duration::from_secs(60);

/// The customers who wait, and which of them count in the positions.
pub(super) struct Queue {
    /// The customers, longest first.
    customers: VecDeque<ConversationId>,
    /// For each queued customer whose connection is down and who still counts in the positions of
    /// the others: the moment at which that ends. The soonest comes first.
    upcoming_ends: BTreeSet<(Instant, ConversationId)>,
    /// That moment by conversation, also when it is over, until the customer is connected again.
    count_ends: HashMap<ConversationId, Instant>,
    /// Queued customers who do not count in the positions of the others until they are connected.
    uncounted_customers: HashSet<ConversationId>,
    /// From this index of `customers` on, the customers may not know their new positions yet.
    first_moved_index: Option<usize>,
    /// The desk sends changed positions no earlier than this.
    next_sending: Instant,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(now: Now) -> Queue {
        Queue {
            customers: VecDeque::new(),
            upcoming_ends: BTreeSet::new(),
            count_ends: HashMap::new(),
            uncounted_customers: HashSet::new(),
            first_moved_index: None,
            next_sending: now.clock,
        }
    }

    /// A customer begins to wait behind all others.
    pub(super) fn push(&mut self, id: ConversationId) {
        self.customers.push_back(id);
    }

    /// A customer who had an agent waits again, before all others.
    pub(super) fn push_front(&mut self, id: ConversationId) {
        self.customers.push_front(id);
        self.note_moved(0);
    }

    /// Takes a conversation out of the queue, if it is there. Those behind it have moved up.
    pub(super) fn remove(&mut self, id: ConversationId) {
        let Some(at) = self.index_of(id) else { return };
        self.customers.remove(at);
        self.uncounted_customers.remove(&id);
        if let Some(until) = self.count_ends.remove(&id) {
            self.upcoming_ends.remove(&(until, id));
        }
        self.note_moved(at);
    }

    /// Whether this customer is in the queue.
    pub(super) fn has(&self, id: ConversationId) -> bool {
        self.index_of(id).is_some()
    }

    /// The customers, longest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = ConversationId> {
        self.customers.iter().copied()
    }

    /// How many customers wait.
    pub(super) fn len(&self) -> usize {
        self.customers.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.customers.is_empty()
    }

    /// Whether this queued customer counts in the positions of the others.
    pub(super) fn counts(&self, id: ConversationId) -> bool {
        !self.uncounted_customers.contains(&id)
    }

    /// The position of a queued customer: 1, and one more for each who counts before them.
    pub(super) fn position(&self, id: ConversationId) -> Option<u32> {
        let at = self.index_of(id)?;
        let uncounted = match self.uncounted_customers.len() {
            0 => 0,
            _ => self.customers.range(..at).filter(|before| !self.counts(**before)).count(),
        };
        Some((at - uncounted) as u32 + 1)
    }

    /// The positions of all customers, counted once: to look each one up would be quadratic.
    pub(super) fn positions(&self) -> impl Iterator<Item = (ConversationId, u32)> {
        let mut before = 0;
        self.customers.iter().map(move |id| {
            let position = before + 1;
            before += u32::from(self.counts(*id));
            (*id, position)
        })
    }

    /// The positions that changed and are to be sent now. There are some once a second at most, so
    /// that a customer who comes and goes all the time causes few messages to the others.
    fn take_moved(&mut self, now: Now) -> Vec<(ConversationId, u32)> {
        if now.clock < self.next_sending {
            return Vec::new();
        }
        let Some(first) = self.first_moved_index.take() else { return Vec::new() };
        self.next_sending = now.clock + POSITION_PERIOD;
        self.positions().skip(first).collect()
    }

    /// When the queue has something to do next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let positions = self.first_moved_index.map(|_| self.next_sending);
        let next_end = self.upcoming_ends.first().map(|(until, _)| *until);
        positions.into_iter().chain(next_end).min()
    }

    /// A queued customer is not connected: they count for [`COUNTED_WITHOUT_LINK`] longer.
    fn begin_absence(&mut self, id: ConversationId, now: Now) {
        if let Entry::Vacant(free) = self.count_ends.entry(id) {
            let until = *free.insert(now.clock + COUNTED_WITHOUT_LINK);
            self.upcoming_ends.insert((until, id));
        }
    }

    /// Customers whose connection has been down for too long count no more.
    pub(super) fn stop_counting(&mut self, now: Now) {
        let mut has_news = false;
        while let Some((until, id)) = self.upcoming_ends.first().copied()
            && until <= now.clock
        {
            self.upcoming_ends.pop_first();
            self.uncounted_customers.insert(id);
            has_news = true;
        }
        if has_news && let Some(first) = self.customers.iter().position(|id| !self.counts(*id)) {
            self.note_moved(first + 1);
        }
    }

    /// A customer is connected again. If they are queued, they count again at their old place.
    pub(super) fn count_again(&mut self, id: ConversationId) {
        let Some(until) = self.count_ends.remove(&id) else { return };
        self.upcoming_ends.remove(&(until, id));
        if self.uncounted_customers.remove(&id)
            && let Some(at) = self.index_of(id)
        {
            self.note_moved(at + 1);
        }
    }

    /// From this index of `customers` on, the customers do not know their positions.
    fn note_moved(&mut self, at: usize) {
        self.first_moved_index = Some(self.first_moved_index.map_or(at, |first| first.min(at)));
    }

    fn index_of(&self, id: ConversationId) -> Option<usize> {
        self.customers.iter().position(|queued| *queued == id)
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
        if (is_queued || conversation.is_unowned())
            && !conversation.is_asleep()
            && !conversation.is_connected()
        {
            self.queue.begin_absence(id, now);
        }
    }

    fn send_position_at(&mut self, id: ConversationId, position: u32) {
        // A customer who was given back to the queue has the state `active`.
        let conversation = &self.conversations[id];
        if let Some(conn) = conversation.connection.filter(|_| !conversation.is_unowned()) {
            self.act(Act::Send(conn, Message::Position { position }));
        }
    }
}
