//! Tests of the session alone, and their helpers. Tests of both sides are in `tests/it`.

use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::outcome::{self, Act, Due, Fact};
use crate::core::record::{Offset, Record, Returning, Story};
use crate::core::report::Report;
use crate::core::session::{Errand, Fresh, Session};
use crate::wire::{
    Body, Conn, ConversationId, DeskId, Entry, Message, Number, Secret, State, Welcome,
};

mod bot;
mod desk;
mod presence;
mod typing;

const DESK: DeskId = DeskId::new([1; 16]);
const CONN: Conn = Conn(1);

type Outcome = outcome::Outcome<Errand>;

fn now(seconds: u64) -> Now {
    // All moments of a test count from one start.
    thread_local!(static START: Instant = Instant::now());
    Now { clock: START.with(|start| *start) + Duration::from_secs(seconds), wall: seconds * 1000 }
}

fn session() -> Session {
    seeded(1)
}

fn seeded(seed: u64) -> Session {
    let (id, secret) = (ConversationId::new([7; 16]), Secret::new([9; 32]));
    Session::new(Fresh { id, secret, seed }, None, "desk:1".to_owned(), now(0))
}

/// A queued session, connected to a desk that has all its entries; and the number of its
/// `requested`.
fn queued() -> (Session, Number) {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    let request = session.ownership.request();
    session.dialled(CONN);
    session.connected(CONN, None, None);
    let welcome = Welcome { desk: DESK, received: 0, state: State::Bot, features: Vec::new() };
    assert!(session.received(CONN, Message::Welcome(welcome), now(0)));
    settle(&mut session);
    assert!(session.received(CONN, Message::Ack { number: request }, now(0)));
    session.outcome();
    (session, request)
}

/// Sends what is due.
fn settle(session: &mut Session) {
    while let Some(due) = session.due() {
        if let Due::Entry { .. } = due {
            session.sent(100);
        }
    }
}

/// A journal in which our entries have these bodies.
fn journaled(body: impl Fn(Number) -> Body) -> impl Fn(Number) -> Result<Entry, Infallible> {
    move |number| Ok(Entry { number, at: 0, body: body(number) })
}

fn from_desk(session: &mut Session, number: Number, body: Body) -> Outcome {
    assert!(session.received(CONN, Message::Entry(Entry { number, at: 0, body }), now(1)));
    session.outcome()
}

fn own(outcome: &Outcome) -> Vec<&Body> {
    let body = |(_, record): &'_ (ConversationId, Record)| matches!(record, Record::Own(_));
    let own = outcome.records.iter().filter(|record| body(record));
    own.map(|(_, record)| match record {
        Record::Own(entry) => &entry.body,
        _ => unreachable!("filtered"),
    })
    .collect()
}

fn journals(outcome: &Outcome, record: &Record) -> bool {
    outcome.records.iter().any(|(_, journaled)| journaled == record)
}

fn reports(outcome: &Outcome) -> impl Iterator<Item = &Report> {
    outcome.acts.iter().filter_map(|act| match act {
        Act::Tell(Fact::Report(_, report)) => Some(report),
        _ => None,
    })
}

fn notices(outcome: &Outcome) -> String {
    let text = |report: &Report| match report {
        Report::News { text } | Report::Fault { text } => Some(text.to_string()),
        _ => None,
    };
    reports(outcome).filter_map(text).collect::<Vec<_>>().join("\n")
}

fn gives_up(outcome: &Outcome) -> Option<RangeInclusive<Number>> {
    outcome.acts.iter().find_map(|act| match act {
        Act::Tell(Fact::Undelivered(_, numbers)) => Some(numbers.clone()),
        _ => None,
    })
}

fn errands(outcome: &Outcome) -> impl Iterator<Item = &Errand> {
    outcome.acts.iter().filter_map(|act| match act {
        Act::Errand(errand) => Some(errand),
        _ => None,
    })
}

/// The ticket of the question to send, and the text for the bot.
fn question(outcome: &Outcome) -> Option<(u64, String)> {
    errands(outcome).find_map(|errand| match errand {
        Errand::Ask { ticket, text, .. } => Some((*ticket, text.clone())),
        _ => None,
    })
}

fn asking(outcome: &Outcome) -> Option<u64> {
    question(outcome).map(|(ticket, _)| ticket)
}

/// The ticket of the return to send, and its first entry.
fn returning(outcome: &Outcome) -> Option<(u64, Number)> {
    errands(outcome).find_map(|errand| match errand {
        Errand::Return { ticket, since, .. } => Some((*ticket, *since)),
        _ => None,
    })
}

/// The story of a customer's side with these entries of its own.
fn kept(
    own: Number,
    controls: &[(Number, Body)],
    returning: Returning,
    asking: Option<Number>,
) -> Story {
    let mut story = Story::new(ConversationId::new([7; 16]), 1);
    for (number, body) in controls {
        let entry = Entry { number: *number, at: 0, body: body.clone() };
        story.apply(Offset(*number), &Record::Own(entry));
    }
    Story { secret: [9; 32], own, asking, returning, ..story }
}

#[test]
fn a_session_takes_no_more_memory_than_before() {
    // Thousands of sessions may be in memory: nobody should make them larger by accident.
    assert!(size_of::<Session>() <= 728, "{}", size_of::<Session>());
}
