//! The journal of `--ephemeral`, of the model and of the fuzz targets: it is in memory only.
//!
//! Each conversation is kept as the encoded bytes of its records (`log`), because they take much
//! less memory than the records themselves. A conversation's story is read from these bytes when it
//! is needed.

use self::agents::Agents;
use self::customers::Customers;
use self::log::Log;
use crate::core::customer::{Belongings, CustomerId};
use crate::core::record::{Batch, Committed, Line, Offset, Record, Restart, Story};
use crate::wire::{ConversationId, DeskId, Entry, Former, IdMap, Number, Secret};

mod agents;
mod customers;
mod log;

#[derive(Default)]
pub(super) struct Memory {
    /// Boxed, so that the empty slots of the table are small.
    conversations: IdMap<ConversationId, Box<Kept>>,
    /// All conversations, in the order in which they began.
    order: Vec<ConversationId>,
    focus: Option<ConversationId>,
    /// How many entries and notes there are.
    count: u64,
    pub(super) customers: Customers,
    pub(super) agents: Box<Agents>,
}

#[derive(Default)]
struct Kept {
    ordinal: u32,
    log: Log,
    /// Indices in the log: those of all entries and notes (`lines`), and of our own entries
    /// (`own`).
    lines: Vec<usize>,
    own: Vec<usize>,
}

impl Memory {
    pub(super) fn commit(&mut self, batch: Batch) -> Vec<Committed> {
        let before = self.count;
        for (id, record) in &batch {
            self.add(*id, record);
        }
        Committed::of(batch, (before + 1..=self.count).map(Offset))
    }

    fn add(&mut self, id: ConversationId, record: &Record) {
        if record.is_of_no_conversation() {
            return self.agents.add(record);
        }
        let order = &mut self.order;
        let kept = self.conversations.entry(id).or_insert_with(|| {
            order.push(id);
            Box::new(Kept { ordinal: order.len() as u32, ..Kept::default() })
        });
        match record {
            Record::Customer(customer) => self.customers.have(*customer, id),
            Record::Token(hash) => self.customers.name(*hash, id),
            Record::Withdrawn(hash) => self.customers.withdraw(*hash),
            Record::Identified(identity) => self.customers.identify(identity.clone(), id),
            Record::Agreed(at) => self.customers.agree(*at, id),
            Record::About(about) => self.customers.describe(about.clone(), id),
            Record::Joined { former, customer } => self.customers.join(*former, *customer, id),
            Record::Posted(post, posted) => self.customers.post(id, post.clone(), *posted),
            Record::Resting => {}
            Record::Forgotten => {
                self.conversations.remove(&id);
                self.customers.forget(id);
            }
            Record::Moved { from, by } => kept.move_from(*from, *by),
            Record::Focus => self.focus = Some(id),
            _ if record.is_line() => {
                self.count += 1;
                kept.add(Offset(self.count), record);
            }
            _ => kept.add(Offset::START, record),
        }
    }

    pub(super) fn own(&self, id: ConversationId, number: Number) -> Option<Entry> {
        let kept = self.conversations.get(&id)?;
        kept.entry(kept.own_at(number)?)
    }

    pub(super) fn theirs(
        &self,
        id: ConversationId,
        desk: Option<DeskId>,
        number: Number,
    ) -> Option<Entry> {
        let kept = self.conversations.get(&id)?;
        let is_it = |at: &&usize| kept.log.read(**at).number_of(Some(desk)) == Some(number);
        kept.entry(*kept.lines.iter().rev().find(is_it)?)
    }

    pub(super) fn lines(&self, id: ConversationId, after: Offset) -> Vec<Line> {
        let Some(kept) = self.conversations.get(&id) else { return Vec::new() };
        let from = kept.lines.partition_point(|at| kept.log.read(*at).offset() <= after);
        kept.lines[from..].iter().filter_map(|at| kept.line(*at)).collect()
    }

    pub(super) fn offset_of(&self, id: ConversationId, own: Number) -> Option<Offset> {
        let kept = self.conversations.get(&id)?;
        Some(kept.log.read(kept.own_at(own)?).offset())
    }

    pub(super) fn entries(&self, id: ConversationId, skipped: u64, most: usize) -> Vec<Line> {
        let Some(kept) = self.conversations.get(&id) else { return Vec::new() };
        let lines = kept.lines.iter().skip(skipped as usize).take(most);
        lines.filter_map(|at| kept.line(*at)).collect()
    }

    pub(super) fn belongings(&self, customer: CustomerId) -> Belongings {
        let lines = |id| self.conversations.get(&id).map_or(0, |kept| kept.lines.len() as u64);
        let conversations = self.customers.conversations_of(customer).iter();
        Belongings {
            conversations: conversations.map(|id| (*id, lines(*id))).collect(),
            joins: self.customers.joins(customer),
            agreed: self.customers.agreed(customer),
            about: self.customers.about(customer),
        }
    }

    pub(super) fn conversation(&self, ordinal: u32) -> Option<ConversationId> {
        self.order.get((ordinal as usize).checked_sub(1)?).copied()
    }

    pub(super) fn former(&self, id: ConversationId) -> Option<Former> {
        let customer = self.customers.customer_of(id);
        let at = self.order.iter().position(|known| *known == id)?;
        let is_theirs = |other: &&ConversationId| self.customers.customer_of(**other) == customer;
        let former = self.order[..at].iter().rev().find(is_theirs)?;
        let secret = Secret::new(self.story(*former)?.secret);
        Some(Former { conversation: *former, secret })
    }

    pub(super) fn names(&self) -> Vec<(u32, ConversationId, Option<String>)> {
        let stories = self.order.iter().filter_map(|id| self.story(*id));
        stories.map(|story| (story.ordinal, story.id, story.name)).collect()
    }

    pub(super) fn story(&self, id: ConversationId) -> Option<Story> {
        let kept = self.conversations.get(&id)?;
        let mut story = Story::new(id, kept.ordinal);
        let mut reader = kept.log.read(0);
        while let Some((offset, record)) = reader.record() {
            story.apply(offset, &record);
        }
        Some(story)
    }

    pub(super) fn restart(&self) -> Restart {
        let stories = self.order.iter().filter_map(|id| self.story(*id));
        Restart {
            blocks: self.agents.blocks.clone(),
            away: self.agents.away.clone(),
            stories: stories.filter(|story| !story.is_over()).collect(),
            focus: self.focus,
            begun: self.order.len() as u32,
        }
    }
}

impl Kept {
    fn add(&mut self, offset: Offset, record: &Record) {
        let at = self.log.add(offset, record);
        if record.own_entry().is_some() {
            push(&mut self.own, at);
        }
        if record.is_line() {
            push(&mut self.lines, at);
        }
    }

    /// Adds `by` to the numbers of our own entries from number `from` on, by writing the log again.
    fn move_from(&mut self, from: Number, by: Number) {
        let former = std::mem::take(self);
        self.ordinal = former.ordinal;
        let mut reader = former.log.read(0);
        while let Some((offset, mut record)) = reader.record() {
            if let Record::Own(entry) | Record::Said(_, entry) = &mut record
                && entry.number >= from
            {
                entry.number += by;
            }
            self.add(offset, &record);
        }
    }

    fn entry(&self, at: usize) -> Option<Entry> {
        match self.log.read(at).record()? {
            (_, Record::Own(entry) | Record::Said(_, entry) | Record::Theirs(_, entry)) => {
                Some(entry)
            }
            _ => None,
        }
    }

    fn line(&self, at: usize) -> Option<Line> {
        let (offset, record) = self.log.read(at).record()?;
        Line::of(offset, record)
    }

    /// The index in the log of our own entry with this number.
    fn own_at(&self, number: Number) -> Option<usize> {
        let number_at = |at: &usize| self.log.read(*at).number_of(None);
        let found = self.own.binary_search_by_key(&Some(number), number_at).ok()?;
        Some(self.own[found])
    }
}

/// Adds an index. The list grows by an eighth at a time, to save memory.
fn push(places: &mut Vec<usize>, at: usize) {
    if places.len() == places.capacity() {
        places.reserve_exact(1 + places.len() / 8);
    }
    places.push(at);
}
