//! Customers whom an agent has blocked, on virtual time.

use std::time::Duration;

use super::team::{takes, team};
use super::{dials, greets, hello, id, joins, now, reports, says, sent, settle};
use crate::core::clock::Now;
use crate::core::command::Criterion;
use crate::core::desk::{Desk, Former, Options};
use crate::core::outcome::Side;
use crate::core::record::Record;
use crate::core::report::{AgentRefusal, Report};
use crate::edge::journal::Journal;
use crate::wire::{
    AddressKey, Asked, Author, Body, Conn, DeskId, EndReason, Entry, Gateway, Hello, Identity,
    Message, Number, Page, Request, Said, Token,
};

const DAY: Duration = Duration::from_secs(86_400);

fn ours(number: Number) -> Asked {
    Asked { desk: DeskId::new([1; 16]), number }
}

/// As many milliseconds after the start, on both clocks.
fn later(time: Duration) -> Now {
    Now { wall: time.as_millis() as u64, ..super::after(time) }
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
        desk.has_returned(id(n), Former { ordinal: former, ..Former::default() });
        says(&mut desk, n, 1, Body::Requested(Request::default()));
        let acts = desk.outcome().acts;
        let told: Vec<_> = reports(&acts).collect();
        assert!(matches!(told[..], [Report::News { .. }]), "one line, no call, no state: {told:?}");
        is_turned_away(&mut desk, n);
    }
    joins(&mut desk, 4);
    assert_eq!(desk.waiting(), ["#4 Customer 0404"], "others wait as before");
}

#[test]
fn a_block_of_who_waits_ends_with_its_time_or_by_unblock_and_outlasts_the_desk() {
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
    assert_eq!(desk.unblock(1), Ok(()));
    assert_eq!(desk.unblock(1), Err(AgentRefusal::NotBlocked(1)));
    from_there(&mut desk, 4, later(Duration::from_secs(1)));
    assert_eq!(desk.waiting().len(), 2);
}

#[test]
fn only_a_trusted_gateway_says_who_a_customer_is_and_no_gateway_is_blocked() {
    let token = || Token("a token of 32 bytes, or perhaps more".into());
    let options = Options {
        trusted_gateways: vec![token()],
        ..super::team::options(&["robin", "al", "kim"])
    };
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let robin = desk.sign_in("robin").expect("an agent");
    let comes = |desk: &mut Desk, n: u8, token: Option<Token>, key: Option<AddressKey>| {
        let gateway = token.map(|token| Gateway { token, address_key: key });
        greets(desk, Hello { gateway, ..hello(n) }, n.into(), 9, now());
        let identity = Identity { user: Some("ann".into()), ..Identity::default() };
        let page = Page { identity: Some(Box::new(identity)), ..Page::default() };
        desk.received(Conn(n.into()), Message::Page(page), now());
        says(desk, n, 1, Body::Requested(Request::default()));
    };
    let none = |n: u8| Err(AgentRefusal::CannotBlockBy(format!("#{n} Customer 0{n}0{n}")));
    comes(&mut desk, 1, None, None);
    let shown = desk.outcome().acts;
    let identity = reports(&shown).find_map(|report| match report {
        Report::Page { page, .. } => Some(page.identity.is_some()),
        _ => None,
    });
    assert_eq!(identity, Some(false), "anybody can say so");
    for criterion in [Criterion::Identity, Criterion::Address] {
        assert_eq!(desk.block(robin, Some(1), Some(criterion), DAY, now()), none(1));
    }
    comes(&mut desk, 2, Some(Token("another token".into())), None);
    assert_eq!(desk.block(robin, Some(2), Some(Criterion::Address), DAY, now()), none(2));
    comes(&mut desk, 3, Some(token()), None);
    assert_eq!(desk.block(robin, Some(3), Some(Criterion::Address), DAY, now()), none(3));
    assert_eq!(desk.block(robin, Some(3), None, DAY, now()), Ok(()), "by the identity");
    desk.outcome();
    comes(&mut desk, 4, Some(token()), None);
    let accepts = |desk: &mut Desk| {
        let records = desk.outcome().records;
        records.iter().any(|(_, record)| {
            matches!(record, Record::Own(entry)
                if matches!(entry.body, Body::Accept { .. }))
        })
    };
    assert!(accepts(&mut desk), "ann is turned away");
    comes(&mut desk, 5, None, None);
    assert!(!accepts(&mut desk), "who only says that they are ann is not");
}

#[test]
fn who_writes_while_they_are_turned_away_is_turned_away_all_the_same() {
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
