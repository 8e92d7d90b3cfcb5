//! A gateway's customer who has left its pages: what agents see of them, and that everything else
//! goes over their connection as before.

use super::team::{options, takes};
use super::{
    after, desk, dials, greets, hello, id, joins, now, positions, reports, says, settle, small,
    story,
};
use crate::core::desk::{
    Assign, COUNTED_WITHOUT_LINK, Desk, Options, POSITION_PERIOD, SeatId, UNDO_WITHIN,
};
use crate::core::idle::LIFETIME;
use crate::core::outcome::{Due, Side};
use crate::core::record::Ending;
use crate::core::report::{AgentRefusal, Link, Report};
use crate::edge::journal::Journal;
use crate::wire::{Asked, Body, Conn, DeskId, EndReason, Hello, Message, Number, Request};

/// The side of customer `n` says whether the customer is there, and the desk shows it.
fn is_here(desk: &mut Desk, n: u8, is_here: bool) {
    desk.received(Conn(n.into()), Message::Presence { is_here }, now());
    desk.tick(now());
}

/// The links that were shown since the last call, each with the reason if it was lost.
fn links(desk: &mut Desk) -> Vec<(Link, Option<String>)> {
    let link = |report: &Report| match report {
        Report::Link { link, why, .. } => Some((*link, why.clone())),
        _ => None,
    };
    reports(&desk.outcome().acts).filter_map(link).collect()
}

fn gone() -> (Link, Option<String>) {
    (Link::Lost, Some("the customer has left the page".to_owned()))
}

fn listed(desk: &Desk, at: usize) -> String {
    desk.list(SeatId::TERMINAL, now())[at].to_string()
}

fn ours(number: Number) -> Asked {
    Asked { desk: DeskId::new([1; 16]), number }
}

/// A desk whose agent has customer 1 and has read that they are connected.
fn talking() -> Desk {
    let mut desk = desk();
    takes(&mut desk, SeatId::TERMINAL, 1);
    desk.tick(now());
    desk.outcome();
    desk
}

#[test]
fn a_customer_who_left_the_page_is_shown_as_not_connected_until_they_are_back() {
    let mut desk = talking();
    desk.received(Conn(1), Message::Typing {}, now());
    is_here(&mut desk, 1, false);
    assert_eq!(links(&mut desk), [gone()]);
    assert!(listed(&desk, 0).contains("not connected"), "{}", listed(&desk, 0));
    let prompt = desk.prompt(SeatId::TERMINAL, now()).to_string();
    assert!(prompt.starts_with("offline, #1 Customer 0101"), "{prompt}");
    is_here(&mut desk, 1, false);
    assert_eq!(links(&mut desk), [], "told once");
    is_here(&mut desk, 1, true);
    assert_eq!(links(&mut desk), [(Link::Connected, None)]);
    assert!(!listed(&desk, 0).contains("not connected"));
    let prompt = desk.prompt(SeatId::TERMINAL, now()).to_string();
    assert!(prompt.starts_with("#1 Customer 0101"), "{prompt}");
}

#[test]
fn what_is_said_to_a_customer_who_left_the_page_is_sent_at_once_and_ends_take_effect() {
    let mut desk = talking();
    is_here(&mut desk, 1, false);
    desk.say(SeatId::TERMINAL, "are you there?", now()).expect("they have the focus");
    let mut due = Vec::new();
    while let Some(next) = desk.due() {
        if let Due::Entry { conversation, conn, number } = next {
            due.push((conn, number));
            desk.sent(conversation, 100);
        }
    }
    assert_eq!(due, [(Conn(1), 1), (Conn(1), 2)], "the accept and the line");
    desk.outcome();
    desk.end_soon(SeatId::TERMINAL, None, Ending::Close, None, now()).expect("they have the focus");
    desk.tick(after(UNDO_WITHIN));
    let acts = desk.outcome().acts;
    let news = reports(&acts).filter(|report| matches!(report, Report::News { .. }));
    assert_eq!(news.count(), 0, "nothing has to wait until they are back: {acts:?}");
    let closed = Body::Closed { of: Some(ours(3)), reason: EndReason::AdminClosed };
    says(&mut desk, 1, 3, closed);
    assert!(!desk.is_talking(SeatId::TERMINAL));
}

#[test]
fn a_customer_who_left_the_page_stops_counting_in_the_queue_after_a_minute() {
    let mut desk = desk();
    (1..=2).for_each(|n| joins(&mut desk, n));
    desk.tick(now());
    positions(&mut desk);
    is_here(&mut desk, 1, false);
    assert_eq!(positions(&mut desk), [], "not at once");
    desk.tick(after(COUNTED_WITHOUT_LINK));
    assert_eq!(positions(&mut desk), [(2, 1)]);
    let later = after(COUNTED_WITHOUT_LINK + POSITION_PERIOD);
    desk.received(Conn(1), Message::Presence { is_here: true }, later);
    desk.tick(later);
    assert_eq!(positions(&mut desk), [(2, 2)], "they have kept their place");
}

#[test]
fn accept_without_a_number_passes_over_a_customer_who_left_the_page_and_a_number_takes_them() {
    let mut desk = desk();
    (1..=2).for_each(|n| joins(&mut desk, n));
    is_here(&mut desk, 1, false);
    assert_eq!(desk.accept(SeatId::TERMINAL, None, now()), Ok(id(2)));
    says(&mut desk, 2, 2, Body::Accepted { of: ours(1) });
    let nobody = Err(AgentRefusal::NobodyWaitingIsConnected);
    assert_eq!(desk.accept(SeatId::TERMINAL, None, now()), nobody);
    desk.outcome();
    assert_eq!(desk.accept(SeatId::TERMINAL, Some(1), now()), Ok(id(1)));
    let acts = desk.outcome().acts;
    let news = reports(&acts).filter(|report| matches!(report, Report::News { .. }));
    assert_eq!(news.count(), 0, "their side answers at once: {acts:?}");
}

#[test]
fn the_desk_gives_its_agents_a_customer_who_left_the_page_once_they_are_back() {
    let accepting = Options { auto_accept: true, ..Options::default() };
    let assigning = Options { assign: Assign::LongestIdle, ..options(&["robin"]) };
    for options in [accepting, assigning] {
        let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
        desk.sign_in("robin");
        greets(&mut desk, Hello { is_here: Some(false), ..hello(1) }, 1, 1, now());
        desk.tick(now());
        says(&mut desk, 1, 1, Body::Requested(Request::default()));
        desk.tick(now());
        assert_eq!(links(&mut desk), [gone()]);
        let is_taken = |desk: &Desk| desk.conversations[id(1)].controls.pending().is_some();
        assert!(!is_taken(&desk));
        is_here(&mut desk, 1, true);
        assert!(is_taken(&desk));
    }
}

#[test]
fn a_hello_says_that_the_customer_is_gone_or_counts_as_the_customers_own() {
    let mut desk = talking();
    is_here(&mut desk, 1, false);
    desk.disconnected(Conn(1), "cut");
    desk.tick(now());
    greets(&mut desk, Hello { is_here: Some(false), newest: 2, ..hello(1) }, 2, 1, now());
    desk.tick(now());
    assert_eq!(links(&mut desk), [gone()], "still not there");
    desk.disconnected(Conn(2), "cut");
    desk.tick(now());
    dials(&mut desk, 1, 3, 1, now());
    desk.tick(now());
    assert_eq!(links(&mut desk), [(Link::Connected, None)]);
}

#[test]
fn a_conversation_whose_customer_left_the_page_stays_in_memory_and_keeps_its_slot() {
    let (mut desk, mut journal) = (small(1, 1), Journal::in_memory());
    joins(&mut desk, 1);
    is_here(&mut desk, 1, false);
    desk.tick(after(LIFETIME));
    assert_eq!(desk.waiting(), ["#1 Customer 0101"], "their side is connected");
    says(&mut desk, 1, 2, Body::Withdrawn {});
    desk.disconnected(Conn(1), "gone");
    settle(&mut desk, &mut journal);
    assert!(!desk.knows(id(1)) && desk.capacity.is_empty());
    desk.recall(&story(&journal, 1), now());
    greets(&mut desk, Hello { is_here: Some(false), newest: 2, ..hello(1) }, 2, 1, now());
    settle(&mut desk, &mut journal);
    assert!(desk.knows(id(1)) && !desk.capacity.is_empty());
}
