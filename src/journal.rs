//! The journal: every entry of every conversation, in the order it was committed.
//!
//! The loop of a mode is its one writer: it commits a batch of records before it acts on any of
//! them. Kept in memory: it lives as long as the process.

use std::collections::HashMap;

use crate::wire::{Body, ConversationId, Entry, Number, Said};

/// One thing journaled in a conversation.
#[derive(Debug)]
pub enum Record {
    /// An entry of our own numbering.
    Own(Entry),
    /// An entry of the peer's.
    Theirs(Entry),
    /// An admin's private note.
    Note(String),
}

/// All records of all conversations.
#[derive(Debug, Default)]
pub struct Journal {
    conversations: HashMap<ConversationId, Story>,
}

#[derive(Debug, Default)]
struct Story {
    records: Vec<Record>,
    /// Where our own entries stand in `records`, by number.
    own: Vec<u32>,
}

impl Journal {
    /// Commits a batch, all of it or nothing.
    pub fn commit(&mut self, batch: Vec<(ConversationId, Record)>) {
        for (id, record) in batch {
            let story = self.conversations.entry(id).or_default();
            if matches!(record, Record::Own(_)) {
                story.own.push(story.records.len() as u32);
            }
            story.records.push(record);
        }
    }

    /// One of our own entries. Only numbers that were committed are asked for.
    pub fn own(&self, id: ConversationId, number: Number) -> Entry {
        let story = &self.conversations[&id];
        match &story.records[story.own[number as usize - 1] as usize] {
            Record::Own(entry) => entry.clone(),
            _ => unreachable!("the index points at our own entries"),
        }
    }

    /// A conversation's records, oldest first.
    pub fn records(&self, id: ConversationId) -> &[Record] {
        self.conversations.get(&id).map_or(&[], |story| &story.records)
    }
}

impl Record {
    /// The message in it, if it is one.
    pub fn said(&self) -> Option<(&Entry, &Said)> {
        match self {
            Record::Own(entry) | Record::Theirs(entry) => match &entry.body {
                Body::Message(said) => Some((entry, said)),
                _ => None,
            },
            Record::Note(_) => None,
        }
    }
}
