//! The journal: every entry of every conversation, in the order it was committed.
//!
//! The loop of a mode is its one writer: it commits a batch of records, all or nothing, before it
//! acts on any of them. On disk it is one SQLite file a profile (`disk`), safe against a power cut
//! once `commit` returns; `--ephemeral` keeps it in memory (`memory`) for as long as the process
//! lives.

use std::fmt;
use std::path::Path;

use crate::core::record::{Batch, Committed, Line, Offset, Story};
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
    waiting: Batch,
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

    /// Commits a batch, all of it or nothing, and gives back its entries and notes as they are in
    /// the journal. Once it returns, a power cut does not undo it; but records that may wait
    /// (`Record::may_wait`) wait for the next batch.
    ///
    /// # Errors
    /// The batch is given back, to be tried again when the disk was full.
    pub fn commit(&mut self, batch: Batch) -> Result<Vec<Committed>, (Fault, Batch)> {
        let disk = match &mut self.store {
            Store::Memory(memory) => return Ok(memory.commit(batch)),
            Store::Disk(disk) => disk,
        };
        if batch.iter().all(|(_, record)| record.may_wait()) {
            self.waiting.extend(batch);
            return Ok(Vec::new());
        }
        match disk.commit(self.waiting.iter().chain(&batch)) {
            Ok(offsets) => {
                self.waiting.clear();
                Ok(Committed::of(batch, offsets))
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

    /// What was journaled in a conversation behind an offset, oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lines(&self, id: ConversationId, after: Offset) -> Result<Vec<Line>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.lines(id, after)),
            Store::Disk(disk) => disk.lines(id, after),
        }
    }

    /// What was journaled in a conversation from our own entry with this number on, oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lines_from(&self, id: ConversationId, own: Number) -> Result<Vec<Line>, Fault> {
        let found = match &self.store {
            Store::Memory(memory) => memory.offset_of(id, own),
            Store::Disk(disk) => disk.offset_of(id, own)?,
        };
        let Some(Offset(offset)) = found else { return Ok(Vec::new()) };
        self.lines(id, Offset(offset - 1))
    }

    /// The conversation with this number in the journal, from 1.
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
            Store::Memory(memory) => Ok(memory.stories()),
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
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::core::record::{Record, Returning, What};
    use crate::wire::{Asked, Author, Body, Said};

    const ONE: ConversationId = ConversationId::new([1; 16]);
    const OTHER: ConversationId = ConversationId::new([2; 16]);

    /// A folder for one test, removed with all that is in it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Folder {
            let name = format!("handoff-journal-{test}-{}", std::process::id());
            let folder = Folder(std::env::temp_dir().join(name));
            std::fs::create_dir_all(&folder.0).unwrap();
            folder
        }

        fn open(&self) -> Journal {
            Journal::open(&self.0.join("journal.sqlite")).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn entry(number: Number, body: Body) -> Entry {
        Entry { number, at: 7, body }
    }

    fn said(author: Author, text: &str) -> Body {
        Body::Message(Said::text(author, text))
    }

    fn begun(name: &str) -> Record {
        Record::Begun { secret: [3; 32], name: Some(name.to_owned()) }
    }

    /// What a desk may record in a conversation, of every kind.
    fn of_a_desk() -> Vec<Record> {
        let greeting = Said { greeting: true, ..Said::text(Author::Admin, "welcome") };
        vec![
            begun("Ann"),
            Record::Idle(Duration::from_secs(60)),
            Record::Held(2),
            Record::Note("lines 1..2 are held by the customer only".to_owned()),
            Record::Theirs(None, entry(1, said(Author::User, "hello"))),
            Record::Theirs(None, entry(2, Body::Requested { reason: None })),
            Record::Own(entry(3, Body::Accept { request: 2, name: None })),
            Record::Own(entry(4, said(Author::Admin, "typed"))),
            Record::Own(entry(5, Body::Message(greeting))),
            Record::Moved { from: 3, by: 4 },
            Record::Held(6),
            Record::Note("private".to_owned()),
            Record::Focus,
            Record::Delivered(8),
            begun("Anna"),
            Record::Idle(Duration::from_secs(600)),
        ]
    }

    /// What a customer's side may record, of every kind.
    fn of_a_customer() -> Vec<Record> {
        let [former, silent, present] = [5, 6, 7].map(|n| DeskId::new([n; 16]));
        let of = Asked { desk: present, number: 1 };
        vec![
            begun("Bob"),
            Record::Own(entry(1, said(Author::User, "a human"))),
            Record::Asking(Some(1)),
            Record::Own(entry(2, Body::Requested { reason: None })),
            Record::Asking(None),
            Record::Met(present, 2),
            Record::Met(former, 2),
            Record::Acked(former, 1),
            Record::Theirs(Some(silent), entry(1, Body::Unknown(serde_json::json!({"later": 1})))),
            Record::Idle(Duration::from_secs(600)),
            Record::Met(present, 2),
            Record::Theirs(Some(present), entry(1, Body::Accept { request: 2, name: None })),
            Record::Own(entry(3, Body::Accepted { of })),
            Record::Theirs(Some(present), entry(2, said(Author::Admin, "hi"))),
            Record::Acked(present, 3),
            Record::Own(entry(4, Body::HandedBack { of })),
            Record::Returning(Returning::UnderWay),
            Record::Returning(Returning::Due(3)),
            Record::Acked(former, 2),
        ]
    }

    /// The story of these records when their first entry has the offset after `before`.
    fn folded(id: ConversationId, ordinal: u32, records: &[Record], mut before: u64) -> Story {
        let mut story = Story::new(id, ordinal);
        for record in records {
            let is_line = matches!(record, Record::Own(_) | Record::Theirs(..) | Record::Note(_));
            before += u64::from(is_line);
            story.apply(Offset(before), record);
        }
        story
    }

    #[test]
    fn both_stores_tell_the_story_that_the_records_come_to() {
        let folder = Folder::new("story");
        for mut journal in [Journal::in_memory(), folder.open()] {
            let (mut count, mut told) = (0, Vec::new());
            for (ordinal, records) in [(1, of_a_customer()), (2, of_a_desk())] {
                let id = ConversationId::new([ordinal as u8; 16]);
                let whole = folded(id, ordinal, &records, count);
                // A batch each, and the story is right behind each of them.
                for end in 1..=records.len() {
                    let wanted = folded(id, ordinal, &records[..end], count);
                    journal.commit(vec![(id, records[end - 1].clone())]).unwrap();
                    if !records[end - 1].may_wait() {
                        let found = journal.story(id).unwrap().unwrap();
                        assert_eq!(format!("{found:?}"), format!("{wanted:?}"), "{end}");
                    }
                }
                count += journal.lines(id, Offset::START).unwrap().len() as u64;
                told.push(whole);
            }
            journal.commit(vec![(OTHER, Record::Idle(Duration::from_secs(600)))]).unwrap();
            let found = journal.stories().unwrap();
            assert_eq!(format!("{found:?}"), format!("{:?}", (told, Some(OTHER))));
            assert_eq!(journal.conversation(2).unwrap(), Some(OTHER));
            let names = [(1, ONE, Some("Bob".to_owned())), (2, OTHER, Some("Anna".to_owned()))];
            assert_eq!(journal.names().unwrap(), names);
            assert_eq!(
                (journal.conversation(0).unwrap(), journal.conversation(3).unwrap()),
                (None, None)
            );
            assert!(journal.story(ConversationId::new([9; 16])).unwrap().is_none());
        }
    }

    #[test]
    fn a_story_of_a_desks_conversation_has_what_a_restart_needs() {
        let story = folded(OTHER, 2, &of_a_desk(), 0);
        assert_eq!((story.own, story.typed, story.delivered, story.held), (9, 8, 8, 6));
        assert_eq!(story.theirs, [(None, 2)]);
        assert_eq!((story.name.as_deref(), story.idle), (Some("Anna"), Duration::from_secs(600)));
        let controls = story.controls.iter().filter_map(Line::entry).map(|entry| entry.number);
        assert_eq!(controls.collect::<Vec<_>>(), [2, 7]);
    }

    #[test]
    fn a_story_of_a_customers_conversation_has_what_a_restart_needs() {
        let [former, silent, present] = [5, 6, 7].map(|n| DeskId::new([n; 16]));
        let story = folded(ONE, 1, &of_a_customer(), 0);
        assert_eq!(story.desks, [(silent, 0, 0), (former, 2, 2), (present, 2, 3)]);
        assert_eq!(story.theirs, [(Some(silent), 1), (Some(present), 2)]);
        assert_eq!((story.asking, story.returning), (None, Returning::Due(3)));
        assert_eq!(story.idle, Duration::ZERO);
    }

    #[test]
    fn a_commit_gives_back_its_lines_as_they_are_read_later() {
        let folder = Folder::new("committed");
        for mut journal in [Journal::in_memory(), folder.open()] {
            let first = journal.commit(vec![(ONE, begun("Ann"))]).unwrap();
            assert_eq!(first, []);
            assert_eq!(journal.commit(vec![(ONE, Record::Delivered(0))]).unwrap(), []);
            let records = of_a_desk().into_iter();
            let batch = records.flat_map(|record| [(ONE, record.clone()), (OTHER, record)]);
            let committed = journal.commit(batch.collect()).unwrap();
            let offsets = committed.iter().map(|committed| committed.line.offset);
            assert!(offsets.is_sorted_by(|one, next| one < next));
            for id in [ONE, OTHER] {
                let of_it = committed.iter().filter(|committed| committed.conversation == id);
                let lines = journal.lines(id, Offset::START).unwrap();
                assert_eq!(of_it.map(|of| of.line.clone()).collect::<Vec<_>>(), lines);
                let Some(Line { offset, what: What::Note(_), .. }) = lines.first() else {
                    panic!("{lines:?}")
                };
                assert_eq!(journal.lines(id, *offset).unwrap(), lines[1..]);
                assert_eq!(Some(&journal.own(id, 7).unwrap()), lines[3].entry());
                assert_eq!(journal.theirs(id, None, 1).unwrap().as_ref(), lines[1].entry());
                assert_eq!(journal.theirs(id, None, 3).unwrap(), None);
            }
        }
    }

    #[test]
    fn who_asked_and_gave_up_ten_thousand_times_comes_back_as_quickly_as_others() {
        let folder = Folder::new("many");
        let mut journal = folder.open();
        let body = |number| {
            if number % 2 == 1 { Body::Requested { reason: None } } else { Body::Withdrawn {} }
        };
        let theirs = |number| (ONE, Record::Theirs(None, entry(number, body(number))));
        let begun = std::iter::once((ONE, begun("Ann")));
        journal.commit(begun.chain((1..=20_001).map(theirs)).collect()).unwrap();
        let story = journal.story(ONE).unwrap().unwrap();
        assert_eq!(story.theirs, [(None, 20_001)]);
        let controls = story.controls.iter().filter_map(Line::entry).map(|entry| entry.number);
        assert_eq!(
            controls.collect::<Vec<_>>(),
            (20_001 - 255..=20_001).collect::<Vec<_>>(),
            "the latest, in order"
        );
    }
}
