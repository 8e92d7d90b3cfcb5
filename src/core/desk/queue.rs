//! The queue: the customers who wait, longest first, and the position that the desk sends to each.
//!
//! Rules: docs/PROTOCOL.md, "ack, seen, position, ping". A customer whose connection has been down
//! for [`COUNTED_WITHOUT_LINK`] stays in the queue, and does not count in the others' positions. A
//! position counts only the customers who wait for the same agents: each customer is in a group
//! (`groups`).

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::outcome::Act;
use crate::wire::{ConversationId, IdMap, IdSet, Message};

use super::Desk;
use super::groups::GroupId;

/// The desk sends changed positions this often at most (docs/PROTOCOL.md, "ack, seen, position,
/// ping").
pub const POSITION_PERIOD: Duration = Duration::from_secs(1);

/// A queued customer whose connection has been down for this long does not count in the positions
/// of the others.
pub const COUNTED_WITHOUT_LINK: Duration = Duration::from_secs(60);

/// A customer who waits.
struct Waiting {
    id: ConversationId,
    group: GroupId,
    /// The position that the desk sent to the customer last; 0 if it sent none.
    told: u32,
}

/// The customers who wait, and which of them count in the positions.
pub(super) struct Queue {
    /// The customers, longest first.
    customers: VecDeque<Waiting>,
    /// How many wait in each group, by its index.
    in_group: Vec<usize>,
    /// For each queued customer whose connection is down and who still counts in the positions of
    /// the others: the moment at which that ends. The soonest comes first.
    upcoming_ends: BTreeSet<(Instant, ConversationId)>,
    /// That moment by conversation, also when it is over, until the customer is connected again.
    count_ends: IdMap<ConversationId, Instant>,
    /// Queued customers who do not count in the positions of the others until they are connected.
    uncounted_customers: IdSet<ConversationId>,
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
            in_group: Vec::new(),
            upcoming_ends: BTreeSet::new(),
            count_ends: IdMap::default(),
            uncounted_customers: IdSet::default(),
            first_moved_index: None,
            next_sending: now.clock,
        }
    }

    /// A customer begins to wait, after all others.
    fn push(&mut self, id: ConversationId, group: GroupId) {
        self.customers.push_back(Waiting { id, group, told: 0 });
        *self.count_in(group) += 1;
    }

    /// A customer who had an agent waits again, before all others.
    fn push_front(&mut self, id: ConversationId, group: GroupId) {
        self.customers.push_front(Waiting { id, group, told: 0 });
        *self.count_in(group) += 1;
        self.note_moved(0);
    }

    /// Sets the group of each customer, in the order of the queue.
    pub(super) fn set_groups(&mut self, groups: Vec<GroupId>) {
        self.in_group.clear();
        for (at, group) in groups.into_iter().enumerate() {
            self.customers[at].group = group;
            *self.count_in(group) += 1;
        }
        self.note_moved(0);
    }

    /// Moves this customer to another group.
    pub(super) fn set_group(&mut self, id: ConversationId, group: GroupId) {
        let Some(at) = self.index_of(id) else { return };
        let former = std::mem::replace(&mut self.customers[at].group, group);
        *self.count_in(former) -= 1;
        *self.count_in(group) += 1;
        self.note_moved(at);
    }

    /// Takes a conversation out of the queue, if it is there. The customers after it move up.
    pub(super) fn remove(&mut self, id: ConversationId) {
        let Some(at) = self.index_of(id) else { return };
        if let Some(Waiting { group, .. }) = self.customers.remove(at) {
            *self.count_in(group) -= 1;
        }
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
        self.customers.iter().map(|waiting| waiting.id)
    }

    /// The customers, longest first, each with their group.
    pub(super) fn in_groups(&self) -> impl Iterator<Item = (ConversationId, GroupId)> {
        self.customers.iter().map(|waiting| (waiting.id, waiting.group))
    }

    /// The group of a customer who waits.
    pub(super) fn group(&self, id: ConversationId) -> Option<GroupId> {
        self.index_of(id).map(|at| self.customers[at].group)
    }

    /// How many customers wait in this group.
    pub(super) fn waiting_in(&self, group: GroupId) -> usize {
        self.in_group.get(group.index()).copied().unwrap_or(0)
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

    /// The position of a queued customer: 1, plus the number of customers before them in their
    /// group who count.
    pub(super) fn position(&self, id: ConversationId) -> Option<u32> {
        let at = self.index_of(id)?;
        let group = self.customers[at].group;
        let before = self.customers.range(..at).filter(|before| before.group == group);
        let before = match self.uncounted_customers.len() {
            0 => before.count(),
            _ => before.filter(|before| self.counts(before.id)).count(),
        };
        Some(before as u32 + 1)
    }

    /// The groups and positions of all customers, counted once: to look each one up would be
    /// quadratic.
    pub(super) fn positions(&self) -> impl Iterator<Item = (ConversationId, GroupId, u32)> {
        let mut before = vec![0; self.in_group.len()];
        self.customers.iter().map(move |Waiting { id, group, .. }| {
            let before = &mut before[group.index()];
            let position = *before + 1;
            *before += u32::from(self.counts(*id));
            (*id, *group, position)
        })
    }

    /// The positions that changed and are to be sent now. This returns some at most once a second,
    /// so that a customer who comes and goes all the time causes few messages to the others.
    fn take_moved(&mut self, now: Now) -> Vec<(ConversationId, u32)> {
        if now.clock < self.next_sending {
            return Vec::new();
        }
        let Some(first) = self.first_moved_index.take() else { return Vec::new() };
        self.next_sending = now.clock + POSITION_PERIOD;
        let positions: Vec<_> = self.positions().map(|(.., position)| position).collect();
        let mut moved = Vec::new();
        for (waiting, position) in self.customers.iter_mut().zip(positions).skip(first) {
            // The positions of customers in other groups may not have changed.
            if std::mem::replace(&mut waiting.told, position) != position {
                moved.push((waiting.id, position));
            }
        }
        moved
    }

    /// The position of a queued customer. The caller sends it to them now.
    fn tell_position(&mut self, id: ConversationId) -> Option<u32> {
        let position = self.position(id)?;
        let at = self.index_of(id)?;
        self.customers[at].told = position;
        Some(position)
    }

    /// When the queue has something to do next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let positions = self.first_moved_index.map(|_| self.next_sending);
        let next_end = self.upcoming_ends.first().map(|(until, _)| *until);
        positions.into_iter().chain(next_end).min()
    }

    /// All customers are to get their positions again.
    pub(super) fn send_all_again(&mut self) {
        self.customers.iter_mut().for_each(|waiting| waiting.told = 0);
        self.note_moved(0);
    }

    /// A queued customer has not been connected `since` then. [`COUNTED_WITHOUT_LINK`] later the
    /// positions of the others no longer count them.
    fn begin_absence(&mut self, id: ConversationId, since: Instant) {
        if let Entry::Vacant(free) = self.count_ends.entry(id) {
            let until = *free.insert(since + COUNTED_WITHOUT_LINK);
            self.upcoming_ends.insert((until, id));
        }
    }

    /// From now on, customers whose connection has been down for too long do not count.
    pub(super) fn stop_counting(&mut self, now: Now) {
        let mut has_news = false;
        while let Some((until, id)) = self.upcoming_ends.first().copied()
            && until <= now.clock
        {
            self.upcoming_ends.pop_first();
            self.uncounted_customers.insert(id);
            has_news = true;
        }
        if !has_news {
            return;
        }
        let first = self.iter().position(|id| !self.counts(id));
        if let Some(first) = first {
            self.note_moved(first + 1);
        }
    }

    /// A customer is connected again. If they are queued, they count again at their old place.
    fn count_again(&mut self, id: ConversationId) {
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
        self.customers.iter().position(|waiting| waiting.id == id)
    }

    fn count_in(&mut self, group: GroupId) -> &mut usize {
        let groups = self.in_group.len().max(group.index() + 1);
        self.in_group.resize(groups, 0);
        &mut self.in_group[group.index()]
    }
}

impl Desk {
    /// A customer begins to wait, after all others. Returns their group.
    pub(super) fn enqueue(&mut self, id: ConversationId, now: Now) -> GroupId {
        let group = self.group(id);
        self.queue.push(id, group);
        self.count_absence(id, now);
        group
    }

    /// Puts a customer who had an agent into the queue, before all others. If the customer is in
    /// the queue already, they keep their place. Returns their group.
    pub(super) fn enqueue_first(&mut self, id: ConversationId, now: Now) -> GroupId {
        let group = self.group(id);
        if self.queue.has(id) {
            self.queue.set_group(id, group);
        } else {
            self.queue.push_front(id, group);
            self.count_absence(id, now);
        }
        group
    }

    /// Notes since when this customer has not been connected, if they are not.
    pub(super) fn note_absence(&mut self, id: ConversationId, now: Now) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if !conversation.is_connected() {
            conversation.absent_since.get_or_insert(now.clock);
            if self.queue.has(id) {
                self.count_absence(id, now);
            }
        }
    }

    /// This customer is connected again.
    pub(super) fn end_absence(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.absent_since = None;
        }
        self.queue.count_again(id);
    }

    /// If this queued customer is not connected, notes until when the positions count them.
    fn count_absence(&mut self, id: ConversationId, now: Now) {
        if let Some(since) = self.conversations[id].absent_since {
            self.queue.begin_absence(id, since);
            self.queue.stop_counting(now);
        }
    }

    /// Sends a queued customer their position.
    pub(super) fn send_position(&mut self, id: ConversationId) {
        if let Some(position) = self.queue.tell_position(id) {
            self.send_position_at(id, position);
        }
    }

    /// Sends the positions that changed, if it is time.
    pub(super) fn send_moved_positions(&mut self, now: Now) {
        for (id, position) in self.queue.take_moved(now) {
            self.send_position_at(id, position);
        }
    }

    fn send_position_at(&mut self, id: ConversationId, position: u32) {
        // A customer who was given back to the queue has the state `active`.
        let conversation = &self.conversations[id];
        if let Some(conn) = conversation.connection.filter(|_| !conversation.is_unowned()) {
            let unattended = self.is_unattended;
            self.act(Act::Send(conn, Message::Position { position, unattended }));
        }
    }
}
