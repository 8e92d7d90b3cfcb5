//! Customers whom an agent has blocked, on virtual time.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::team::{takes, team};
use super::{dials, greets, hello, id, joins, now, reports, says, sent, settle};
use crate::core::clock::Now;
use crate::core::command::Criterion;
use crate::core::desk::{Desk, Former, Options, SeatId};
use crate::core::outcome::Side;
use crate::core::record::Record;
use crate::core::report::{AgentRefusal, Report};
use crate::edge::journal::Journal;
use crate::wire::{
    Asked, Author, Body, Conn, DeskId, END_QUEUED, EndReason, Entry, Gateway, Hello, Identity,
    Message, Number, PAGE, Page, Request, Said, State, Token,
};

const DAY: Duration = Duration::from_secs(86_400);

fn ours(number: Number) -> Asked {
    Asked { desk: DeskId::new([1; 16]), number }
}

/// The moment this many milliseconds after the start, on both clocks.
fn later(time: Duration) -> Now {
    Now { wall: time.as_millis() as u64, ..super::after(time) }
}

fn token() -> Token {
    Token("a token of 32 bytes, or perhaps more".into())
}

/// A desk that trusts a gateway, and the seats of its three agents.
fn team_of_a_gateway() -> (Desk, [SeatId; 3]) {
    let names = ["robin", "al", "kim"];
    let options = Options { trusted_gateways: vec![token()], ..super::team::options(&names) };
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let seats = names.map(|name| desk.sign_in(name).expect("an agent"));
    (desk, seats)
}

/// The bodies of the controls that the desk has made since the last call.
fn controls(desk: &mut Desk) -> Vec<Body> {
    let records = desk.outcome().records.into_iter().filter_map(|(_, record)| match record {
        Record::Own(entry) => Some(entry.body),
        _ => None,
    });
    records.collect()
}

#[test]
fn a_side_that_lets_the_desk_end_a_wait_is_asked_to_close_and_nothing_else() {
    let (mut desk, [robin, ..]) = team();
    let features = vec![END_QUEUED.to_owned()];
    greets(&mut desk, Hello { features: features.clone(), ..hello(1) }, 1, 1, now());
    says(&mut desk, 1, 1, Body::Requested(Request::default()));
    desk.outcome();
    assert_eq!(desk.block(robin, Some(1), None, DAY, now()), Ok(()));
    assert_eq!(controls(&mut desk), [Body::Close { request: 1 }]);
    let of = Some(ours(1));
    says(&mut desk, 1, 2, Body::Closed { of, reason: EndReason::AdminClosed });
    assert!(reports(&desk.outcome().acts).any(is_closed), "agents have seen the customer wait");
    greets(&mut desk, Hello { features, ..hello(2) }, 2, 2, now());
    desk.has_returned(id(2), Former::at(1));
    says(&mut desk, 2, 1, Body::Requested(Request::default()));
    assert_eq!(controls(&mut desk), [Body::Close { request: 1 }]);
    says(&mut desk, 2, 2, Body::Closed { of, reason: EndReason::AdminClosed });
    assert_eq!(reports(&desk.outcome().acts).count(), 0, "nobody is told of it");
}

#[test]
fn agents_read_in_their_own_time_zone_until_when_a_customer_is_blocked() {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    let options = Options { zone, ..super::team::options(&["robin"]) };
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let robin = desk.sign_in("robin").expect("an agent");
    takes(&mut desk, robin, 1);
    assert_eq!(desk.block(robin, None, None, DAY, now()), Ok(()));
    let listed = desk.blocked(now())[0].to_string();
    let until = "#1 Customer 0101  blocked until 1970-01-02 02:00: ";
    assert!(listed.starts_with(until), "{listed}");
}

/// Customer `n` of the gateway connects.
fn greets_from_gateway(desk: &mut Desk, n: u8) {
    let gateway = Some(Gateway { token: token(), address_key: None });
    let features = vec![PAGE.to_owned()];
    greets(desk, Hello { gateway, features, ..hello(n) }, n.into(), 9, now());
}

fn is_closed(report: &Report) -> bool {
    matches!(report, Report::State { state: State::Closed, .. })
}

/// The gateway says that customer `n` is the shop's customer `ann`.
fn is_ann(desk: &mut Desk, n: u8) {
    let identity = Identity { user: Some("ann".into()), ..Identity::default() };
    let page = Page { identity: Some(Box::new(identity)), ..Page::default() };
    desk.received(Conn(n.into()), Message::Page(Box::new(page)), now());
}

/// Customer `n` of the gateway connects, is the shop's customer `ann`, and asks for a person.
fn asks_as_ann(desk: &mut Desk, n: u8) {
    greets_from_gateway(desk, n);
    is_ann(desk, n);
    says(desk, n, 1, Body::Requested(Request::default()));
}

/// Whether the desk has asked the side of customer `n` to accept, since the last call.
fn accepts(desk: &mut Desk, n: u8) -> bool {
    let records = desk.outcome().records;
    let is_accept = |body: &Body| matches!(body, Body::Accept { .. });
    records.iter().any(|(of, record)| {
        *of == id(n) && matches!(record, Record::Own(entry) if is_accept(&entry.body))
    })
}

/// The side of customer `n` answers the desk's `accept` and `close`.
fn answers(desk: &mut Desk, n: u8) {
    says(desk, n, 2, Body::Accepted { of: ours(1) });
    says(desk, n, 3, Body::Closed { of: Some(ours(2)), reason: EndReason::AdminClosed });
}

/// The customer's side answers as the desk asks, until the conversation is closed.
fn is_turned_away(desk: &mut Desk, n: u8) {
    assert!(desk.waiting().is_empty(), "{:?}", desk.waiting());
    says(desk, n, 2, Body::Accepted { of: ours(1) });
    let acts = desk.outcome();
    let asked = acts.records.iter().any(|(_, record)| {
        matches!(record, Record::Own(entry)
            if entry.body == Body::Close { request: 1 })
    });
    assert!(asked, "the conversation is closed at once");
    says(desk, n, 3, Body::Closed { of: Some(ours(2)), reason: EndReason::AdminClosed });
    let told = reports(&desk.outcome().acts).count();
    assert_eq!(told, 0, "nobody is told of it");
}

#[test]
fn a_blocked_customer_is_closed_and_their_next_conversations_are_turned_away() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    assert_eq!(desk.block(robin, None, None, DAY, now()), Ok(()));
    says(&mut desk, 1, 3, Body::Closed { of: Some(ours(2)), reason: EndReason::AdminClosed });
    desk.outcome();
    for (n, former) in [(2, 1), (3, 2)] {
        dials(&mut desk, n, n.into(), n, now());
        desk.has_returned(id(n), Former { latest: former, ..Former::at(1) });
        says(&mut desk, n, 1, Body::Requested(Request::default()));
        let acts = desk.outcome().acts;
        let told: Vec<_> = reports(&acts).collect();
        assert!(
            matches!(told[..], [Report::News { .. }]),
            "agents read one line, and get no call and no state: {told:?}"
        );
        is_turned_away(&mut desk, n);
    }
    joins(&mut desk, 4);
    assert_eq!(desk.waiting(), ["#4 Customer 0404"], "others wait as before");
    assert_eq!(desk.blocked(now()).len(), 1, "one customer is blocked");
    assert_eq!(desk.unblock(robin, 1), Ok(()));
    dials(&mut desk, 5, 5, 5, now());
    desk.has_returned(id(5), Former { latest: 3, ..Former::at(1) });
    says(&mut desk, 5, 1, Body::Requested(Request::default()));
    assert_eq!(desk.waiting().len(), 2, "they are let in again");
}

#[test]
fn a_block_closes_the_waiting_conversations_of_the_customer_and_is_listed_once() {
    let mut journal = Journal::in_memory();
    let (mut desk, [robin, al, _]) = team_of_a_gateway();
    for n in [1, 2, 3] {
        asks_as_ann(&mut desk, n);
    }
    desk.accept(al, Some(3), now()).expect("she waits");
    says(&mut desk, 3, 2, Body::Accepted { of: ours(1) });
    joins(&mut desk, 4);
    settle(&mut desk, &mut journal);
    assert_eq!(desk.block(robin, Some(1), None, DAY, now()), Ok(()));
    [1, 2].into_iter().for_each(|n| answers(&mut desk, n));
    assert_eq!(desk.waiting(), ["#4 Customer 0404"]);
    let acts = desk.outcome();
    let closed = reports(&acts.acts).filter(|it| is_closed(it)).count();
    assert_eq!(closed, 2, "agents who saw her in the queue see that she is gone");
    assert!(desk.is_talking(al), "the agent who talks to her keeps that conversation");
    let hour = Duration::from_secs(3_600);
    assert_eq!(desk.block(al, Some(3), None, hour, now()), Ok(()));
    settle(&mut desk, &mut journal);
    let ordinals = |journal: &Journal| {
        let blocks = journal.restart().expect("it is in memory").blocks;
        blocks.iter().map(|block| block.ordinal).collect::<Vec<_>>()
    };
    assert_eq!(ordinals(&journal), [3]);
    assert_eq!(desk.block(robin, Some(4), None, hour, later(hour)), Ok(()));
    settle(&mut desk, &mut journal);
    assert_eq!(ordinals(&journal), [4], "the first one is over");
}

#[test]
fn a_customer_who_waits_is_turned_away_as_soon_as_the_gateway_says_who_they_are() {
    let (mut desk, [robin, ..]) = team_of_a_gateway();
    asks_as_ann(&mut desk, 1);
    desk.block(robin, Some(1), None, DAY, now()).expect("she waits");
    answers(&mut desk, 1);
    greets_from_gateway(&mut desk, 2);
    says(&mut desk, 2, 1, Body::Requested(Request::default()));
    assert_eq!(desk.waiting(), ["#2 Customer 0202"]);
    desk.outcome();
    is_ann(&mut desk, 2);
    answers(&mut desk, 2);
    assert!(desk.waiting().is_empty());
    let acts = desk.outcome().acts;
    let is_told = reports(&acts).any(is_closed);
    assert!(is_told, "agents who saw her in the queue see that she is gone");
}

#[test]
fn a_block_of_an_address_does_not_reach_the_customers_of_a_gateway_there() {
    let (mut desk, [robin, ..]) = team();
    let features = vec![PAGE.to_owned()];
    let comes = |desk: &mut Desk, conn| {
        greets(desk, Hello { features: features.clone(), ..hello(1) }, conn, 9, now());
    };
    comes(&mut desk, 1);
    says(&mut desk, 1, 1, Body::Requested(Request::default()));
    dials(&mut desk, 2, 2, 9, now());
    says(&mut desk, 2, 1, Body::Requested(Request::default()));
    desk.block(robin, Some(2), Some(Criterion::Address), DAY, now()).expect("they wait");
    answers(&mut desk, 2);
    // The gateway's connection is lost, and another one begins.
    comes(&mut desk, 3);
    assert!(!accepts(&mut desk, 1), "the customer waits as before");
    assert_eq!(desk.waiting(), ["#1 Customer 0101"]);
}

#[test]
fn a_block_of_a_waiting_customer_ends_by_time_or_unblock_and_outlasts_the_desk() {
    let mut journal = Journal::in_memory();
    let (mut desk, [robin, ..]) = team();
    joins(&mut desk, 1);
    let by_address = Some(Criterion::Address);
    assert_eq!(desk.block(robin, Some(1), by_address, DAY, later(Duration::ZERO)), Ok(()));
    settle(&mut desk, &mut journal);
    let options = Options { has_terminal: true, ..super::team::options(&["robin", "al"]) };
    let restart = journal.restart().expect("it is in memory");
    assert_eq!(restart.blocks.len(), 1);
    let mut desk = Desk::restore(DeskId::new([1; 16]), options, &restart, now());
    let from_there = |desk: &mut Desk, n: u8, at: Now| {
        dials(desk, n, n.into(), 1, at);
        let entry = Entry { number: 1, at: 0, body: Body::Requested(Request::default()) };
        desk.received(Conn(n.into()), Message::Entry(entry), at);
    };
    let over =
        Desk::restore(DeskId::new([1; 16]), Options::default(), &restart, later(DAY)).outcome();
    let mut records = over.records.iter();
    let is_forgotten = records.any(|(_, record)| matches!(record, Record::Unblocked(_)));
    assert!(is_forgotten, "the journal needs it no more");
    from_there(&mut desk, 2, later(Duration::from_secs(1)));
    is_turned_away(&mut desk, 2);
    from_there(&mut desk, 3, later(DAY));
    assert_eq!(desk.waiting().len(), 1, "the time is over");
    let listed = desk.blocked(later(Duration::ZERO))[0].to_string();
    assert!(listed.contains("until 1970-01-02") && listed.contains("the address"), "{listed}");
    assert_eq!(desk.blocked(later(DAY))[0].to_string(), "nobody is blocked");
    desk.outcome();
    assert_eq!(desk.unblock(robin, 1), Ok(()));
    let is_note = |record: &Record| matches!(record, Record::Note(text) if text == "unblocked");
    assert!(desk.outcome().records.iter().any(|(_, record)| is_note(record)), "the last note");
    assert_eq!(desk.unblock(robin, 1), Err(AgentRefusal::NotBlocked(1)));
    from_there(&mut desk, 4, later(Duration::from_secs(1)));
    assert_eq!(desk.waiting().len(), 2);
}

#[test]
fn only_a_trusted_gateway_says_who_a_customer_is_and_no_gateway_is_blocked() {
    let (mut desk, [robin, ..]) = team_of_a_gateway();
    let comes = |desk: &mut Desk, n: u8, token: Option<Token>| {
        let gateway = token.map(|token| Gateway { token, address_key: None });
        let features = vec![PAGE.to_owned()];
        greets(desk, Hello { gateway, features, ..hello(n) }, n.into(), 9, now());
        is_ann(desk, n);
        says(desk, n, 1, Body::Requested(Request::default()));
    };
    let none = |n: u8, what| {
        let who = format!("#{n} Customer 0{n}0{n}");
        Err(AgentRefusal::CannotBlockBy { who, what })
    };
    comes(&mut desk, 1, None);
    let shown = desk.outcome().acts;
    let identity = reports(&shown).find_map(|report| match report {
        Report::Page { page, .. } => Some(page.identity.is_some()),
        _ => None,
    });
    assert_eq!(identity, Some(false), "anybody can claim that");
    for (by, what) in [(Criterion::Identity, "verified identity"), (Criterion::Address, "address")]
    {
        assert_eq!(desk.block(robin, Some(1), Some(by), DAY, now()), none(1, what));
    }
    comes(&mut desk, 2, Some(Token("another token".into())));
    assert_eq!(
        desk.block(robin, Some(2), Some(Criterion::Address), DAY, now()),
        none(2, "address")
    );
    comes(&mut desk, 3, Some(token()));
    assert_eq!(
        desk.block(robin, Some(3), Some(Criterion::Address), DAY, now()),
        none(3, "address")
    );
    assert_eq!(desk.block(robin, Some(3), None, DAY, now()), Ok(()), "by the identity");
    desk.outcome();
    comes(&mut desk, 4, Some(token()));
    assert!(accepts(&mut desk, 4), "ann is turned away");
    comes(&mut desk, 5, None);
    assert!(!accepts(&mut desk, 5), "a customer who only claims to be ann is not turned away");
}

#[test]
fn a_blocked_customer_who_writes_is_still_turned_away() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    let taken = AgentRefusal::Taken { who: "#1 Customer 0101".into(), agent: "robin".into() };
    assert_eq!(desk.block(al, Some(1), None, DAY, now()), Err(taken));
    desk.block(robin, None, Some(Criterion::Address), DAY, now()).expect("robin has them");
    desk.outcome();
    dials(&mut desk, 2, 2, 1, now());
    says(&mut desk, 2, 1, Body::Requested(Request::default()));
    says(&mut desk, 2, 2, Body::Message(Said::text(Author::User, "let me in")));
    says(&mut desk, 2, 3, Body::Accepted { of: ours(1) });
    let acts = desk.outcome();
    let said = reports(&acts.acts).any(|it| matches!(it, Report::Unanswered { .. }));
    assert!(!said && desk.waiting().is_empty() && !desk.is_talking(al));
    assert!(sent(&acts.acts).all(|(_, message)| !matches!(message, Message::Position { .. })));
}

#[test]
fn a_customer_who_has_left_is_blocked_from_their_next_conversation_on() {
    let mut journal = Journal::in_memory();
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    says(&mut desk, 1, 3, Body::Closed { of: None, reason: EndReason::UserEnded });
    desk.disconnected(Conn(1), "gone");
    settle(&mut desk, &mut journal);
    assert!(!desk.knows(id(1)), "the conversation has left memory");
    let block = |desk: &mut Desk| desk.block(robin, Some(1), None, DAY, now());
    assert_eq!(block(&mut desk), Err(AgentRefusal::HasEnded(1)));
    desk.recall(&super::story(&journal, 1), now());
    assert_eq!(block(&mut desk), Ok(()));
    let acts = desk.outcome().acts;
    let told = reports(&acts).any(|report| matches!(report, Report::News { .. }));
    assert!(told, "the agent reads how long they are blocked");
    dials(&mut desk, 2, 2, 2, now());
    desk.has_returned(id(2), Former::at(1));
    says(&mut desk, 2, 1, Body::Requested(Request::default()));
    is_turned_away(&mut desk, 2);
}

/// A customer who waits goes back to the bot and asks again while the connection is lost. An agent
/// blocks them when the desk has only heard of the first. The desk's controls since then.
fn blocked_between_two_requests() -> (Desk, Vec<Body>) {
    let (mut desk, [robin, ..]) = team();
    let own = Hello { features: vec![END_QUEUED.to_owned()], ..hello(1) };
    greets(&mut desk, own.clone(), 9, 1, now());
    let requested = Body::Requested(Request::default());
    let entry = Entry { number: 1, at: 0, body: requested.clone() };
    desk.received(Conn(9), Message::Entry(entry), now());
    desk.disconnected(Conn(9), "cut");
    greets(&mut desk, Hello { newest: 3, ..own }, 1, 1, now());
    says(&mut desk, 1, 2, Body::Withdrawn {});
    assert_eq!(desk.block(robin, Some(1), None, DAY, now()), Ok(()));
    says(&mut desk, 1, 3, requested);
    let controls = controls(&mut desk);
    (desk, controls)
}

fn refused() -> Body {
    Body::Refused { of: ours(1), why: "the customer is waiting again".into() }
}

#[test]
fn a_customer_whose_side_refuses_the_end_of_an_older_wait_is_turned_away_again() {
    let (mut desk, made) = blocked_between_two_requests();
    assert_eq!(made, [Body::Close { request: 1 }]);
    says(&mut desk, 1, 4, refused());
    assert_eq!(controls(&mut desk), [Body::Close { request: 3 }]);
    says(&mut desk, 1, 5, Body::Closed { of: Some(ours(2)), reason: EndReason::AdminClosed });
    assert!(reports(&desk.outcome().acts).any(is_closed), "agents have seen the customer wait");
}

#[test]
fn a_customer_whose_side_refuses_the_end_waits_in_the_queue_if_the_block_is_over() {
    let (mut desk, _) = blocked_between_two_requests();
    assert_eq!(desk.unblock(SeatId::TERMINAL, 1), Ok(()));
    says(&mut desk, 1, 4, refused());
    assert_eq!(desk.waiting(), ["#1 Customer 0101"]);
}

#[test]
fn the_first_page_after_a_restart_replaces_the_identity_that_find_knows() {
    let (mut desk, _) = team_of_a_gateway();
    let mut journal = Journal::in_memory();
    asks_as_ann(&mut desk, 1);
    settle(&mut desk, &mut journal);
    let restart = journal.restart().expect("it is in memory");
    let options = Options { trusted_gateways: vec![token()], ..Options::default() };
    let mut desk = Desk::restore(DeskId::new([1; 16]), options, &restart, now());
    greets_from_gateway(&mut desk, 1);
    desk.outcome();
    desk.received(Conn(1), Message::Page(Box::default()), now());
    let nobody = Record::Contact(Box::default());
    assert!(desk.outcome().records.iter().any(|(_, record)| *record == nobody));
}
