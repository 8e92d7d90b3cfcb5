//! The disk of a process that may die at a commit.

use handoff::core::record::{Batch, Committed, Record, Story};
use handoff::edge::journal::{Fault, Journal};
use handoff::wire::{ConversationId, Entry};

use super::choices::Choices;

/// A disk with one journal.
pub struct Disk {
    pub journal: Journal,
    /// All committed records, in order.
    pub records: Batch,
    /// When the process dies.
    pub dies: Option<Death>,
}

/// When a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Before its next commit.
    BeforeCommit,
    /// Right after its next commit, before it does anything else.
    AfterCommit,
}

/// Why a turn ended early.
#[derive(Debug)]
pub struct Died;

impl Death {
    pub fn of(choices: &mut Choices) -> Death {
        if choices.below(2) == 0 { Death::AfterCommit } else { Death::BeforeCommit }
    }
}

impl From<Fault> for Died {
    fn from(fault: Fault) -> Died {
        panic!("a journal in memory has no faults: {fault}");
    }
}

impl Disk {
    pub fn new() -> Disk {
        Disk { journal: Journal::in_memory(), records: Vec::new(), dies: None }
    }

    pub fn commit(&mut self, batch: Batch) -> Result<Vec<Committed>, Died> {
        // An outcome without records commits nothing: there is no moment to die at.
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let death = self.dies.take();
        if death == Some(Death::BeforeCommit) {
            return Err(Died);
        }
        self.records.extend(batch.iter().cloned());
        let committed = self.journal.commit(batch).map_err(|(fault, _)| fault)?;
        if death.is_some() { Err(Died) } else { Ok(committed) }
    }

    /// The disk as it was when it held only this many records.
    pub fn set_back(&mut self, kept: usize) {
        self.records.truncate(kept);
        let mut journal = Journal::in_memory();
        for record in &self.records {
            journal.commit(vec![record.clone()]).map_err(|(fault, _)| fault).expect("in memory");
        }
        self.journal = journal;
    }

    /// The conversation as a restart reads it.
    pub fn story(&self, id: ConversationId) -> Option<Story> {
        self.journal.story(id).expect("in memory")
    }

    /// The conversation that began last.
    pub fn latest(&self) -> Option<ConversationId> {
        let begun =
            self.records.iter().rev().find(|(_, record)| matches!(record, Record::Begun { .. }));
        begun.map(|(id, _)| *id)
    }

    /// The own entries of a conversation, each with its present number: a record `Moved` changes
    /// numbers.
    pub fn own(&self, id: ConversationId) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for (_, record) in self.records.iter().filter(|(of, _)| *of == id) {
            match record {
                Record::Own(entry) | Record::Said(_, entry) => entries.push(entry.clone()),
                Record::Moved { from, by } => {
                    let moved = entries.iter_mut().filter(|entry| entry.number >= *from);
                    moved.for_each(|entry| entry.number += by);
                }
                _ => {}
            }
        }
        entries
    }

    /// The peer's entries of a conversation.
    pub fn theirs(&self, id: ConversationId) -> Vec<Entry> {
        let of_it = self.records.iter().filter(|(of, _)| *of == id);
        let entry = |(_, record): &(ConversationId, Record)| match record {
            Record::Theirs(_, entry) => Some(entry.clone()),
            _ => None,
        };
        of_it.filter_map(entry).collect()
    }
}
