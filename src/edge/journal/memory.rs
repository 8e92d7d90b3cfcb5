//! The journal of `--ephemeral`: in memory, gone with the process.

use std::collections::HashMap;
use std::time::Duration;

use crate::core::record::{Line, Record, Returning, Story, What};
use crate::wire::{Body, ConversationId, DeskId, Entry, Number};

#[derive(Default)]
pub(super) struct Memory {
    conversations: HashMap<ConversationId, Kept>,
    /// In the order they were begun.
    order: Vec<ConversationId>,
}

#[derive(Default)]
struct Kept {
    ordinal: u32,
    secret: [u8; 32],
    name: Option<String>,
    held: Number,
    delivered: Number,
    /// Since the last record below.
    idle: Duration,
    /// Entries and notes.
    records: Vec<Record>,
    /// Our own entries' numbers, and where they stand in `records`. Numbers a customer alone holds
    /// are left out.
    own: Vec<(Number, u32)>,
}

impl Memory {
    pub(super) fn commit(&mut self, batch: Vec<(ConversationId, Record)>) {
        for (id, record) in batch {
            let kept = self.conversations.entry(id).or_default();
            if kept.ordinal == 0 {
                self.order.push(id);
                kept.ordinal = self.order.len() as u32;
            }
            match record {
                Record::Begun { secret, name } => (kept.secret, kept.name) = (secret, name),
                Record::Held(number) => kept.held = number,
                Record::Delivered(number) => kept.delivered = number,
                Record::Idle(idle) => kept.idle = idle,
                Record::Own(_) | Record::Theirs(..) | Record::Note(_) => kept.push(record),
                // Only a restart asks for these, or brings them about, and there is none.
                Record::Asking(_)
                | Record::Returning(_)
                | Record::Met(..)
                | Record::Acked(..)
                | Record::Moved { .. }
                | Record::Focus => {}
            }
        }
    }

    pub(super) fn own(&self, id: ConversationId, number: Number) -> Option<Entry> {
        let kept = self.conversations.get(&id)?;
        let at = kept.own.binary_search_by_key(&number, |(own, _)| *own).ok()?;
        match kept.records.get(kept.own[at].1 as usize)? {
            Record::Own(entry) => Some(entry.clone()),
            _ => None,
        }
    }

    pub(super) fn theirs(
        &self,
        id: ConversationId,
        desk: Option<DeskId>,
        number: Number,
    ) -> Option<Entry> {
        self.conversations.get(&id)?.records.iter().rev().find_map(|record| match record {
            Record::Theirs(of, entry) if *of == desk && entry.number == number => {
                Some(entry.clone())
            }
            _ => None,
        })
    }

    pub(super) fn lines(&self, id: ConversationId, after: u64) -> Vec<Line> {
        self.conversations
            .get(&id)
            .map_or_else(Vec::new, |kept| kept.lines().skip(after as usize).collect())
    }

    pub(super) fn conversation(&self, ordinal: u32) -> Option<ConversationId> {
        self.order.get((ordinal as usize).checked_sub(1)?).copied()
    }

    pub(super) fn names(&self) -> Vec<(u32, ConversationId, Option<String>)> {
        let kept = |id: &ConversationId| {
            let kept = &self.conversations[id];
            (kept.ordinal, *id, kept.name.clone())
        };
        self.order.iter().map(kept).collect()
    }

    /// Of a desk's: a user's side without a restart asks for none.
    pub(super) fn story(&self, id: ConversationId) -> Option<Story> {
        let kept = self.conversations.get(&id)?;
        let own = kept.own.last().map_or(0, |(number, _)| *number);
        let theirs = kept.records.iter().rev().find_map(|record| match record {
            Record::Theirs(desk, entry) => Some((*desk, entry.number)),
            _ => None,
        });
        let is_typed =
            |line: &Line| line.own && line.said().is_some_and(|(_, said)| !said.greeting);
        let typed =
            kept.lines().filter(is_typed).last().and_then(|line| Some(line.entry()?.number));
        let is_control =
            |line: &Line| line.entry().is_some_and(|entry| !matches!(entry.body, Body::Message(_)));
        Some(Story {
            id,
            ordinal: kept.ordinal,
            secret: kept.secret,
            name: kept.name.clone(),
            own: own.max(kept.held),
            typed: typed.unwrap_or(0),
            held: kept.held,
            delivered: kept.delivered,
            theirs: theirs.into_iter().collect(),
            idle: kept.idle,
            asking: None,
            returning: Returning::Done,
            desks: Vec::new(),
            controls: kept.lines().filter(is_control).collect(),
        })
    }
}

impl Kept {
    fn push(&mut self, record: Record) {
        self.idle = Duration::ZERO;
        if let Record::Own(entry) = &record {
            self.own.push((entry.number, self.records.len() as u32));
        }
        self.records.push(record);
    }

    fn lines(&self) -> impl Iterator<Item = Line> {
        self.records.iter().enumerate().filter_map(|(at, record)| {
            let (own, what) = match record {
                Record::Own(entry) => (true, What::Entry(None, entry.clone())),
                Record::Theirs(desk, entry) => (false, What::Entry(*desk, entry.clone())),
                Record::Note(note) => (true, What::Note(note.clone())),
                _ => return None,
            };
            Some(Line { place: at as u64 + 1, own, what })
        })
    }
}
