//! Tests of the desk alone, and their helpers. Tests that need both sides are in `tests/it`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::desk::{Act, Desk, Options};
use crate::core::outcome::{Due, Fact, Side};
use crate::core::record::Story;
use crate::core::report::Report;
use crate::edge::journal::Journal;
use crate::wire::{
    Body, Code, Conn, ConversationId, DeskId, Entry, Hello, Message, Number, Request, Secret,
    VERSION,
};

mod agents;
mod answers;
mod block;
mod capacity;
mod departments;
mod memory;
mod presence;
mod queue;
mod returning;
mod table;
mod tags_and_hold;
mod team;
mod typing;
mod undo;
mod waiting;

fn now() -> Now {
    after(Duration::ZERO)
}

fn after(time: Duration) -> Now {
    // All moments of a test count from the same start.
    thread_local!(static START: Instant = Instant::now());
    Now { clock: START.with(|start| *start) + time, wall: 0 }
}

fn id(n: u8) -> ConversationId {
    ConversationId::new([n; 16])
}

fn desk() -> Desk {
    Desk::new(DeskId::new([1; 16]), Options::default(), now())
}

fn hello(n: u8) -> Hello {
    Hello {
        version: VERSION,
        conversation: id(n),
        secret: Secret::new([n; 32]),
        name: None,
        received: Default::default(),
        newest: 1,
        features: Vec::new(),
        gateway: None,
        former: None,
        is_here: None,
    }
}

/// Customer `n` connects from address number `address`, and says hello.
fn dials(desk: &mut Desk, n: u8, conn: u64, address: u8, now: Now) {
    greets(desk, hello(n), conn, address, now);
}

fn greets(desk: &mut Desk, hello: Hello, conn: u64, address: u8, now: Now) {
    desk.opened(Conn(conn), IpAddr::from(Ipv4Addr::new(192, 0, 2, address)).into());
    desk.received(Conn(conn), Message::Hello(Box::new(hello)), now);
}

/// A customer connects as connection `n` and asks for a person.
fn joins(desk: &mut Desk, n: u8) {
    dials(desk, n, n.into(), n, now());
    says(desk, n, 1, Body::Requested(Request::default()));
}

/// A desk with slots for `customers`, and for `customers_per_address` from one address.
fn small(customers: usize, customers_per_address: usize) -> Desk {
    let options = Options { customers, customers_per_address, ..Options::default() };
    Desk::new(DeskId::new([1; 16]), options, now())
}

/// After how many seconds the customer of this connection is asked to come back, if the desk sent a
/// `busy` since the last call. Checks that the desk then closes the connection.
fn busy(desk: &mut Desk, conn: u64) -> Option<u32> {
    let acts = desk.outcome().acts;
    let retry = sent(&acts).find_map(|(to, message)| match message {
        Message::Busy { retry } if to.0 == conn => Some(*retry),
        _ => None,
    })?;
    let conn = Conn(conn);
    assert!(acts.contains(&Act::Close(conn)) && !acts.contains(&Act::Admit(conn)));
    Some(retry)
}

fn says(desk: &mut Desk, n: u8, number: Number, body: Body) {
    desk.received(Conn(n.into()), Message::Entry(Entry { number, at: 0, body }), now());
}

/// The positions that the desk sent since the last call, each with its connection.
fn positions(desk: &mut Desk) -> Vec<(u64, u32)> {
    let position = |(conn, message): (Conn, &Message)| match message {
        Message::Position { position, .. } => Some((conn.0, *position)),
        _ => None,
    };
    sent(&desk.outcome().acts).filter_map(position).collect()
}

/// The messages that these acts send, each with its connection.
fn sent(acts: &[Act]) -> impl Iterator<Item = (Conn, &Message)> {
    acts.iter().filter_map(|act| match act {
        Act::Send(conn, message) => Some((*conn, message)),
        _ => None,
    })
}

/// The reports that these acts show.
fn reports(acts: &[Act]) -> impl Iterator<Item = &Report> {
    acts.iter().filter_map(|act| match act {
        Act::Tell(Fact::Report(_, report)) => Some(report),
        _ => None,
    })
}

/// The code of the `bye` that the desk sent on a connection since the last call.
fn bye(desk: &mut Desk, n: u8) -> Option<Code> {
    sent(&desk.outcome().acts).find_map(|(conn, message)| match message {
        Message::Bye { code, .. } if conn.0 == u64::from(n) => Some(*code),
        _ => None,
    })
}

/// Conversation `n` as the journal has it.
fn story(journal: &Journal, n: u8) -> Story {
    journal.story(id(n)).unwrap().expect("the conversation is in the journal")
}

/// Commits the records, sends the entries that are due, and lets customers leave memory.
fn settle(desk: &mut Desk, journal: &mut Journal) {
    journal.commit(desk.outcome().records).unwrap();
    while let Some(due) = desk.due() {
        if let Due::Entry { conversation, .. } = due {
            desk.sent(conversation, 100);
        }
    }
    desk.rest();
}
