//! What both stores must do in the same way, and what the file must withstand.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use super::*;
use crate::core::department::Department;
use crate::core::idle::LIFETIME;
use crate::core::record::{
    Blocked, BlockedBy, Contact, Ending, Offered, Owner, Record, Returning, Untold, What,
};
use crate::wire::{Asked, Author, Body, EndReason, Request, Said};

mod customers;

const ONE: ConversationId = ConversationId::new([1; 16]);
const OTHER: ConversationId = ConversationId::new([2; 16]);

/// A folder for one test. It is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let name = format!("handoff-journal-{test}-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder.0).unwrap();
        folder
    }

    /// Opens the file as another process would.
    fn connect(&self) -> Connection {
        Connection::open(self.0.join("journal.sqlite")).unwrap()
    }

    fn open(&self) -> Journal {
        Journal::open(&self.0.join("journal.sqlite")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
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

fn offered(void: Option<Untold>) -> Offered {
    Offered { from: "robin".into(), to: "al".into(), void }
}

/// A record of every kind that a desk may write.
fn of_a_desk() -> Vec<Record> {
    let greeting = Said { greeting: true, ..Said::text(Author::Admin, "welcome") };
    vec![
        begun("Ann"),
        Record::Idle(Duration::from_secs(60)),
        Record::Held(2),
        Record::Note("lines 1..2 are held by the customer only".to_owned()),
        Record::Theirs(None, entry(1, said(Author::User, "hello"))),
        Record::Theirs(None, entry(2, Body::Requested(Request::default()))),
        Record::Own(entry(3, Body::Accept { request: 2, name: None })),
        Record::Said("robin".into(), entry(4, said(Author::Admin, "typed"))),
        Record::Said("robin".into(), entry(5, Body::Message(greeting))),
        Record::Moved { from: 3, by: 4 },
        Record::Held(6),
        Record::Note("private".to_owned()),
        Record::Focus,
        Record::Owner(Owner::Agent("robin".into())),
        Record::Former(1),
        Record::Ending(Some(Ending::HandBack)),
        Record::Offered(Some(Box::new(offered(None)))),
        Record::Offered(Some(Box::new(offered(Some(Untold::Both))))),
        Record::Offered(Some(Box::new(offered(Some(Untold::Receiver))))),
        Record::Tags(vec!["refund".into(), "vip".into()]),
        Record::Hold(true),
        Record::TurnedAway,
        Record::Department(Department::new("returns")),
        Record::Department(None),
        Record::Department(Department::new("billing")),
        Record::Contact(Box::new(Contact { email: Some("a@b.example".into()), identity: None })),
        Record::Delivered(8),
        begun("Anna"),
        Record::Idle(Duration::from_secs(600)),
    ]
}

/// An address that is blocked.
fn block() -> Blocked {
    let address = IpAddr::from([203, 0, 113, 7]).into();
    let (ordinal, called) = (2, "Anna".to_owned());
    Blocked { conversation: OTHER, ordinal, called, by: BlockedBy::Address(address), until: 7 }
}

/// A record of every kind that a customer's side may write.
fn of_a_customer() -> Vec<Record> {
    let [former, silent, present] = [5, 6, 7].map(|n| DeskId::new([n; 16]));
    let of = Asked { desk: present, number: 1 };
    vec![
        begun("Bob"),
        Record::Own(entry(1, said(Author::User, "a human"))),
        Record::Asking(Some(1)),
        Record::Own(entry(2, Body::Requested(Request::default()))),
        Record::Asking(None),
        Record::Met(present, 2),
        Record::Met(former, 2),
        Record::Acked(former, 1),
        Record::Theirs(Some(silent), entry(1, Body::Unknown(serde_json::json!({"later": 1})))),
        Record::Idle(Duration::from_secs(600)),
        Record::Note("spoke on the phone".into()),
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

/// The story of these records, if their first entry has the offset after `before`.
fn folded(id: ConversationId, ordinal: u32, records: &[Record], mut before: u64) -> Story {
    let mut story = Story::new(id, ordinal);
    for record in records {
        before += u64::from(record.is_line());
        story.apply(Offset(before), record);
    }
    story
}

/// Gives a story the times of another one. Only the store on the disk knows when entries came.
fn set_times(story: &mut Story, other: &Story) {
    let owed = |story: &Story| (story.owed.lines(), story.owed.last().map(str::to_owned));
    assert_eq!(owed(story), owed(other));
    story.owed = other.owed.clone();
}

#[test]
fn both_stores_return_the_story_of_their_records() {
    let folder = Folder::new("story");
    for mut journal in [Journal::in_memory(), folder.open()] {
        let (mut count, mut told) = (0, Vec::new());
        for (ordinal, records) in [(1, of_a_customer()), (2, of_a_desk())] {
            let id = ConversationId::new([ordinal as u8; 16]);
            let whole = folded(id, ordinal, &records, count);
            // Each record is a batch of its own, and the story must be right after each batch.
            for end in 1..=records.len() {
                let wanted = folded(id, ordinal, &records[..end], count);
                journal.commit(vec![(id, records[end - 1].clone())]).unwrap();
                if !records[end - 1].may_wait() {
                    let mut found = journal.story(id).unwrap().unwrap();
                    set_times(&mut found, &wanted);
                    assert_eq!(format!("{found:?}"), format!("{wanted:?}"), "{end}");
                }
            }
            count += journal.lines(id, Offset::START).unwrap().len() as u64;
            told.push(whole);
        }
        journal.commit(vec![(OTHER, Record::Idle(Duration::from_secs(600)))]).unwrap();
        let by_conversation = BlockedBy::Conversation { latest: 9 };
        let blocks = [ConversationId::NONE, ONE, OTHER].map(|conversation| {
            let by = if conversation == ONE { by_conversation.clone() } else { block().by };
            Blocked { conversation, by, ..block() }
        });
        for block in &blocks {
            let record = Record::Blocked(Box::new(block.clone()));
            journal.commit(vec![(ConversationId::NONE, record)]).unwrap();
        }
        let unblocked = Record::Unblocked(ConversationId::NONE);
        journal.commit(vec![(ConversationId::NONE, unblocked)]).unwrap();
        let blocks = blocks[1..].to_vec();
        for (agent, why) in [("robin", Some("")), ("al", Some("at lunch")), ("robin", None)] {
            let record = Record::Away(agent.into(), why.map(Into::into));
            journal.commit(vec![(ConversationId::NONE, record)]).unwrap();
        }
        let away = BTreeMap::from([("al".into(), "at lunch".into())]);
        let wanted = Restart { stories: told, focus: Some(OTHER), blocks, away, begun: 2 };
        let mut restart = journal.restart().unwrap();
        for (found, wanted) in restart.stories.iter_mut().zip(&wanted.stories) {
            set_times(found, wanted);
        }
        assert_eq!(format!("{restart:?}"), format!("{wanted:?}"));
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

/// Commits these records one by one. Checks after each whether a restart reads the conversation.
fn check_open(id: ConversationId, records: &[(Record, bool)]) {
    let is_open = |journal: &Journal| {
        let Restart { stories, begun, .. } = journal.restart().unwrap();
        assert_eq!(begun, 1);
        stories.iter().any(|story| story.id == id)
    };
    // The result must not depend on what the process has in memory. So one round opens the journal
    // again after each commit, and the other does not.
    for afresh in [true, false] {
        let folder = Folder::new(&format!("open-{id:?}"));
        let (mut memory, mut file) = (Journal::in_memory(), folder.open());
        for (at, (record, wanted)) in records.iter().enumerate() {
            memory.commit(vec![(id, record.clone())]).unwrap();
            file.commit(vec![(id, record.clone())]).unwrap();
            if afresh {
                drop(file);
                file = folder.open();
            }
            assert_eq!(is_open(&memory), *wanted, "{at}: {record:?}");
            let waits = record.may_wait() && !afresh;
            assert!(waits || is_open(&file) == *wanted, "{at}: {record:?}, {afresh}");
        }
    }
}

#[test]
fn a_desks_restart_reads_conversations_that_are_open_or_have_an_undelivered_line() {
    let theirs = |number, body| Record::Theirs(None, entry(number, body));
    let of = Asked { desk: DeskId::new([7; 16]), number: 1 };
    check_open(
        OTHER,
        &[
            (begun("Ann"), true),
            (theirs(1, said(Author::User, "hello")), false),
            (theirs(2, Body::Requested(Request::default())), true),
            (Record::Idle(Duration::from_secs(600)), true),
            (theirs(3, Body::Withdrawn {}), false),
            (theirs(4, Body::Requested(Request::default())), true),
            (Record::Own(entry(1, Body::Accept { request: 4, name: None })), true),
            (theirs(5, Body::Accepted { of }), true),
            (Record::Said("robin".into(), entry(2, said(Author::Admin, "hi"))), true),
            (Record::Idle(LIFETIME), false),
            (Record::Note("gave up".to_owned()), false),
            (theirs(6, said(Author::User, "I am back")), true),
            (theirs(7, Body::Closed { of: None, reason: EndReason::UserEnded }), true),
            (Record::Note("private".to_owned()), true),
            (Record::Held(1), true),
            (Record::Held(2), false),
            (theirs(8, Body::Refused { of, why: "too late".to_owned() }), false),
            (Record::Focus, false),
        ],
    );
}

#[test]
fn a_customers_restart_reads_conversations_that_are_open_or_have_an_undelivered_entry() {
    let desk = DeskId::new([7; 16]);
    let of = Asked { desk, number: 1 };
    let closed = Body::Closed { of: None, reason: EndReason::UserEnded };
    let waiting = [
        (begun("Bob"), true),
        (Record::Own(entry(1, Body::Requested(Request::default()))), true),
        (Record::Met(desk, 1), true),
        (Record::Own(entry(2, Body::Accepted { of })), true),
    ];
    let closed_in_a_talk = [
        (Record::Own(entry(3, closed.clone())), true),
        (Record::Acked(desk, 2), true),
        (Record::Acked(desk, 3), false),
        (Record::Asking(None), false),
        (Record::Own(entry(4, Body::Refused { of, why: "too late".to_owned() })), true),
    ];
    check_open(ONE, &[&waiting[..], &closed_in_a_talk].concat());
    let closed_with_the_bot = [
        (Record::Own(entry(3, Body::HandedBack { of })), true),
        (Record::Acked(desk, 3), true),
        (Record::Own(entry(4, said(Author::User, "hi"))), true),
        (Record::Own(entry(5, closed)), false),
    ];
    check_open(ONE, &[&waiting[..], &closed_with_the_bot].concat());
}

#[test]
fn a_commit_returns_its_lines_as_they_are_read_later() {
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

/// The agents' own names for the messages of a conversation.
fn writers(journal: &Journal) -> Vec<Option<Box<str>>> {
    let lines = journal.lines(ONE, Offset::START).unwrap().into_iter();
    lines.filter(|line| line.said().is_some()).map(|line| line.agent).collect()
}

#[test]
fn each_message_of_a_desk_says_which_agent_wrote_it_also_under_another_number() {
    let folder = Folder::new("writers");
    let written = |agent: &str, number, text: &str| {
        (ONE, Record::Said(agent.into(), entry(number, said(Author::Admin, text))))
    };
    for mut journal in [Journal::in_memory(), folder.open()] {
        let theirs = Record::Theirs(None, entry(1, said(Author::User, "hello")));
        journal.commit(vec![(ONE, begun("Ann")), (ONE, theirs)]).unwrap();
        let committed = journal.commit(vec![written("al", 1, "one"), written("kim", 2, "two")]);
        let by: Vec<_> = committed.unwrap().into_iter().map(|it| it.line.agent).collect();
        assert_eq!(by, [Some("al".into()), Some("kim".into())]);
        journal.commit(vec![(ONE, Record::Moved { from: 2, by: 5 })]).unwrap();
        assert_eq!(writers(&journal), [None, Some("al".into()), Some("kim".into())]);
        assert_eq!(journal.own(ONE, 7).unwrap().body, said(Author::Admin, "two"));
    }
}

#[test]
fn a_file_of_version_7_keeps_its_lines_and_names_the_agents_of_new_ones() {
    let folder = Folder::new("version-7");
    let own = |number| entry(number, said(Author::Admin, "hi"));
    folder.open().commit(vec![(ONE, begun("Ann")), (ONE, Record::Own(own(1)))]).unwrap();
    let former = "ALTER TABLE entry DROP COLUMN agent;
                  ALTER TABLE conversation DROP COLUMN offered_by;
                  ALTER TABLE conversation DROP COLUMN offered_to;
                  ALTER TABLE conversation DROP COLUMN email;
                  ALTER TABLE conversation DROP COLUMN identity;
                  ALTER TABLE conversation DROP COLUMN turned_away;
                  ALTER TABLE conversation DROP COLUMN department; PRAGMA user_version = 7;";
    folder.connect().execute_batch(former).unwrap();
    let mut journal = folder.open();
    journal.commit(vec![(ONE, Record::Said("kim".into(), own(2)))]).unwrap();
    assert_eq!(writers(&journal), [None, Some("kim".into())]);
    assert_eq!(journal.story(ONE).unwrap().unwrap().offered, None);
}

#[test]
fn a_customer_who_asked_and_gave_up_ten_thousand_times_comes_back_as_quickly_as_others() {
    let folder = Folder::new("many");
    let mut journal = folder.open();
    let body = |number| {
        if number % 2 == 1 { Body::Requested(Request::default()) } else { Body::Withdrawn {} }
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

#[test]
fn the_number_of_a_deleted_conversation_is_never_used_again() {
    let folder = Folder::new("deleted");
    let mut journal = folder.open();
    journal.commit(vec![(ONE, begun("Ann")), (OTHER, begun("Bob"))]).unwrap();
    drop(journal);
    folder.connect().execute("DELETE FROM conversation WHERE key = 2", []).unwrap();
    let mut journal = folder.open();
    assert_eq!(journal.restart().unwrap().begun, 2);
    let third = ConversationId::new([3; 16]);
    journal.commit(vec![(third, begun("Cora")), (third, begun("Carla"))]).unwrap();
    let fourth = ConversationId::new([4; 16]);
    journal.commit(vec![(fourth, begun("Dan"))]).unwrap();
    let numbers = journal.names().unwrap().into_iter().map(|(number, ..)| number);
    assert_eq!(numbers.collect::<Vec<_>>(), [1, 3, 4]);
}

#[test]
fn the_log_stays_short_while_others_read_without_a_pause() {
    const MAX: u64 = 64 << 20;
    let folder = Folder::new("log");
    let mut journal = folder.open();
    journal.commit(vec![(ONE, begun("Ann"))]).unwrap();
    let log = folder.0.join("journal.sqlite-wal");
    let is_over = AtomicBool::new(false);
    let (mut longest, mut written) = (0, 0);
    thread::scope(|scope| {
        // Two readers take turns: at each moment one of them reads.
        scope.spawn(|| {
            let readers = [folder.connect(), folder.connect()];
            let read = "BEGIN; SELECT max(key) FROM entry";
            readers[0].execute_batch(read).unwrap();
            for turn in 0.. {
                readers[(turn + 1) % 2].execute_batch(read).unwrap();
                readers[turn % 2].execute_batch("COMMIT").unwrap();
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        // A third reader keeps its connection open, and reads now and then.
        let reader = folder.connect();
        let text = "x".repeat(1 << 20);
        while written < 2 * MAX {
            journal.commit(vec![(ONE, Record::Note(text.clone()))]).unwrap();
            written += text.len() as u64;
            let count = reader.query_row("SELECT count(*) FROM entry", [], |row| row.get(0));
            assert_eq!(count.map(|count: i64| count as u64), Ok(written >> 20));
            longest = longest.max(log.metadata().unwrap().len());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(longest <= MAX, "{} MiB", longest >> 20);
}
