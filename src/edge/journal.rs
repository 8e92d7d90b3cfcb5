//! The journal: every entry of every conversation, in the order it was committed.
//!
//! The loop of a mode is its one writer: it commits a batch of records, all or nothing, before it
//! acts on any of them. On disk it is one SQLite file a profile (`disk`), safe against a power cut
//! once `commit` returns; `--ephemeral` keeps it in memory (`memory`) for as long as the process
//! lives.

use std::fmt;
use std::path::Path;

use crate::core::record::{Line, Record, Story};
use crate::wire::{ConversationId, DeskId, Entry, Number};

mod disk;
mod memory;
mod place;

pub use place::{Place, Profile};

/// What to do about a journal that cannot be read.
const RESTORE: &str = "restore it from a backup, or begin another with --profile NAME";

/// Why something was not journaled, or cannot be read.
#[derive(Debug)]
pub enum Fault {
    /// The disk is full: it may be tried again.
    Full,
    /// Nothing may be trusted any more: the program ends.
    Broken(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Full => write!(f, "the disk is full"),
            Fault::Broken(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Fault {}

/// All records of all conversations of one profile.
pub struct Journal {
    store: Store,
    /// Records that may wait for the next batch.
    waiting: Vec<(ConversationId, Record)>,
}

enum Store {
    Memory(memory::Memory),
    Disk(disk::Disk),
}

impl Journal {
    /// A journal that lives as long as the process.
    pub fn in_memory() -> Journal {
        Journal { store: Store::Memory(memory::Memory::default()), waiting: Vec::new() }
    }

    /// Opens or makes the journal in a file.
    ///
    /// # Errors
    /// One line: what is wrong with the file and what to do.
    pub fn open(file: &Path) -> Result<Journal, String> {
        Ok(Journal { store: Store::Disk(disk::Disk::open(file)?), waiting: Vec::new() })
    }

    /// Whether it ends with the process.
    pub fn is_ephemeral(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Commits a batch, all of it or nothing. Once it returns, a power cut does not undo it.
    ///
    /// # Errors
    /// The batch is given back, to be tried again when the disk was full.
    pub fn commit(
        &mut self,
        batch: Vec<(ConversationId, Record)>,
    ) -> Result<(), (Fault, Vec<(ConversationId, Record)>)> {
        let Store::Disk(disk) = &mut self.store else {
            let Store::Memory(memory) = &mut self.store else {
                unreachable!("there are two stores")
            };
            memory.commit(batch);
            return Ok(());
        };
        if batch.iter().all(|(_, record)| record.may_wait()) {
            self.waiting.extend(batch);
            return Ok(());
        }
        match disk.commit(self.waiting.iter().chain(&batch)) {
            Ok(()) => {
                self.waiting.clear();
                Ok(())
            }
            Err(fault) => {
                if matches!(fault, Fault::Broken(_)) {
                    self.waiting.clear();
                }
                Err((fault, batch))
            }
        }
    }

    /// The desk's id in this journal, made at its first use.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn desk_id(&mut self, fresh: DeskId) -> Result<DeskId, Fault> {
        match &mut self.store {
            Store::Memory(_) => Ok(fresh),
            Store::Disk(disk) => disk.desk_id(fresh),
        }
    }

    /// One of our own entries. Only numbers that were committed are asked for.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn own(&self, id: ConversationId, number: Number) -> Result<Entry, Fault> {
        let found = match &self.store {
            Store::Memory(memory) => memory.own(id, number),
            Store::Disk(disk) => disk.own(id, number)?,
        };
        found.ok_or_else(|| {
            Fault::Broken(format!(
                "the journal has lost entry {number} of a conversation; {RESTORE}"
            ))
        })
    }

    /// One entry of a peer's (a desk's, or with `None` the user's), if it was committed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn theirs(
        &self,
        id: ConversationId,
        desk: Option<DeskId>,
        number: Number,
    ) -> Result<Option<Entry>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.theirs(id, desk, number)),
            Store::Disk(disk) => disk.theirs(id, desk, number),
        }
    }

    /// What was journaled in a conversation behind a place in the commit order, oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lines(&self, id: ConversationId, after: u64) -> Result<Vec<Line>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.lines(id, after)),
            Store::Disk(disk) => disk.lines(id, after),
        }
    }

    /// The conversation with this place in the journal, from 1.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn conversation(&self, ordinal: u32) -> Result<Option<ConversationId>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.conversation(ordinal)),
            Store::Disk(disk) => disk.conversation(ordinal),
        }
    }

    /// All conversations, oldest first: number, id, and what the customer wants to be called.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn names(&self) -> Result<Vec<(u32, ConversationId, Option<String>)>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.names()),
            Store::Disk(disk) => disk.names(),
        }
    }

    /// One conversation as a restart would find it, if it was begun.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn story(&self, id: ConversationId) -> Result<Option<Story>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.story(id)),
            Store::Disk(disk) => disk.story(id),
        }
    }

    /// All conversations as a restart finds them, oldest first, and the one in focus.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn stories(&self) -> Result<(Vec<Story>, Option<ConversationId>), Fault> {
        match &self.store {
            Store::Memory(_) => Ok((Vec::new(), None)),
            Store::Disk(disk) => disk.stories(),
        }
    }
}

impl Drop for Journal {
    /// What may wait waits no longer than the process: what was acknowledged is not offered again
    /// at the next start.
    fn drop(&mut self) {
        if let Store::Disk(disk) = &mut self.store
            && !self.waiting.is_empty()
            && let Err(fault) = disk.commit(self.waiting.iter())
        {
            log::error!("what the other side acknowledged last is not journaled: {fault}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::{Author, Body, Said};

    #[test]
    fn both_stores_tell_the_same_story_of_a_desks_conversation() {
        let folder = std::env::temp_dir().join(format!("handoff-journal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut journals =
            [Journal::in_memory(), Journal::open(&folder.join("journal.sqlite")).unwrap()];
        let (one, other) = (ConversationId::new([1; 16]), ConversationId::new([2; 16]));
        let entry = |number, body| Entry { number, at: 7, body };
        let greeting = Said { greeting: true, ..Said::text(Author::Admin, "welcome") };
        let batch = [
            Record::Begun { secret: [3; 32], name: Some("Ann".to_owned()) },
            Record::Theirs(None, entry(1, Body::Message(Said::text(Author::User, "hello")))),
            Record::Held(2),
            Record::Theirs(None, entry(2, Body::Requested { reason: None })),
            Record::Own(entry(3, Body::Accept { request: 2, name: None })),
            Record::Own(entry(4, Body::Message(Said::text(Author::Admin, "typed")))),
            Record::Own(entry(5, Body::Message(greeting))),
            Record::Note("private".to_owned()),
            Record::Delivered(4),
            Record::Begun { secret: [3; 32], name: Some("Anna".to_owned()) },
            Record::Idle(Duration::from_secs(600)),
        ];
        let stories = journals.each_mut().map(|journal| {
            let begun = Record::Begun { secret: [4; 32], name: None };
            journal.commit(vec![(other, begun)]).unwrap();
            journal.commit(batch.iter().map(|record| (one, record.clone())).collect()).unwrap();
            assert_eq!(journal.conversation(2).unwrap(), Some(one));
            let names = [(1, other, None), (2, one, Some("Anna".to_owned()))];
            assert_eq!(journal.names().unwrap(), names);
            assert_eq!(
                (journal.conversation(0).unwrap(), journal.conversation(3).unwrap()),
                (None, None)
            );
            assert!(journal.story(ConversationId::new([9; 16])).unwrap().is_none());
            let mut story = journal.story(one).unwrap().unwrap();
            // Places are the store's own.
            story.controls.iter_mut().for_each(|line| line.place = 0);
            story
        });
        let [memory, disk] = stories.map(|story| format!("{story:?}"));
        assert_eq!(memory, disk);
        let story = journals[0].story(one).unwrap().unwrap();
        assert_eq!(
            (story.ordinal, story.own, story.typed, story.delivered, story.held),
            (2, 5, 4, 4, 2)
        );
        assert_eq!((story.name.as_deref(), story.idle), (Some("Anna"), Duration::from_secs(600)));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn who_asked_and_gave_up_ten_thousand_times_comes_back_as_quickly_as_others() {
        let folder =
            std::env::temp_dir().join(format!("handoff-journal-many-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (mut journal, id) =
            (Journal::open(&folder.join("journal.sqlite")).unwrap(), ConversationId::new([1; 16]));
        let body = |number| {
            if number % 2 == 1 { Body::Requested { reason: None } } else { Body::Withdrawn {} }
        };
        let theirs =
            |number| (id, Record::Theirs(None, Entry { number, at: 7, body: body(number) }));
        let begun = Record::Begun { secret: [3; 32], name: None };
        journal
            .commit(std::iter::once((id, begun)).chain((1..=20_001).map(theirs)).collect())
            .unwrap();
        let story = journal.story(id).unwrap().unwrap();
        assert_eq!(story.theirs, [(None, 20_001)]);
        let controls = story.controls.iter().filter_map(Line::entry).map(|entry| entry.number);
        assert_eq!(
            controls.collect::<Vec<_>>(),
            (20_001 - 255..=20_001).collect::<Vec<_>>(),
            "the latest, in order"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
