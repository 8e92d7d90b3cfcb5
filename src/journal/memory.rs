//! The journal of `--ephemeral`: in memory, gone with the process.

use std::collections::HashMap;

use crate::record::{Line, Record, What};
use crate::wire::{ConversationId, DeskId, Entry, Number};

#[derive(Default)]
pub(super) struct Memory {
    conversations: HashMap<ConversationId, Kept>,
}

#[derive(Default)]
struct Kept {
    records: Vec<Record>,
    /// Our own entries' numbers, and where they stand in `records`. Numbers a customer alone holds are left out.
    own: Vec<(Number, u32)>,
}

impl Memory {
    pub(super) fn commit(&mut self, batch: Vec<(ConversationId, Record)>) {
        for (id, record) in batch {
            if !matches!(record, Record::Own(_) | Record::Theirs(..) | Record::Note(_)) {
                continue;
            }
            let kept = self.conversations.entry(id).or_default();
            if let Record::Own(entry) = &record {
                kept.own.push((entry.number, kept.records.len() as u32));
            }
            kept.records.push(record);
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

    pub(super) fn theirs(&self, id: ConversationId, desk: Option<DeskId>, number: Number) -> Option<Entry> {
        self.conversations.get(&id)?.records.iter().rev().find_map(|record| match record {
            Record::Theirs(of, entry) if *of == desk && entry.number == number => Some(entry.clone()),
            _ => None,
        })
    }

    pub(super) fn lines(&self, id: ConversationId, after: u64) -> Vec<Line> {
        let records = self.conversations.get(&id).map_or(&[][..], |kept| &kept.records);
        let line = |(at, record): (usize, &Record)| {
            let (own, what) = match record {
                Record::Own(entry) => (true, What::Entry(None, entry.clone())),
                Record::Theirs(desk, entry) => (false, What::Entry(*desk, entry.clone())),
                Record::Note(note) => (true, What::Note(note.clone())),
                _ => return None,
            };
            Some(Line { place: at as u64 + 1, own, what })
        };
        records.iter().enumerate().skip(after as usize).filter_map(line).collect()
    }
}
