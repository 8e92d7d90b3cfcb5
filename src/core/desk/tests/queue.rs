//! The queue: positions, which customers count in them, and which customer `/accept` takes.

use std::time::Duration;

use super::{
    after, busy, desk, dials, greets, hello, id, joins, now, positions, reports, says, settle,
    small,
};
use crate::core::clock::Now;
use crate::core::desk::{COUNTED_WITHOUT_LINK, Desk, Options, POSITION_PERIOD, SeatId};
use crate::core::idle::{IDLE_NOTED, LIFETIME};
use crate::core::outcome::Side;
use crate::core::report::{AgentRefusal, Link, Report};
use crate::edge::journal::Journal;
use crate::wire::{Asked, Body, Conn, DeskId, Entry, Hello, Message, Number, Request};

#[test]
fn when_a_customer_leaves_the_queue_those_after_them_get_their_new_positions() {
    let mut desk = desk();
    (1..=3).for_each(|n| joins(&mut desk, n));
    assert_eq!(positions(&mut desk), [(1, 1), (2, 2), (3, 3)]);
    says(&mut desk, 1, 2, Body::Withdrawn {});
    desk.tick(now());
    assert_eq!(positions(&mut desk), [(2, 1), (3, 2)]);
}

#[test]
fn a_customer_who_comes_and_goes_causes_one_position_a_second_to_the_others() {
    let mut desk = desk();
    (1..=3).for_each(|n| joins(&mut desk, n));
    positions(&mut desk);
    let (start, mut told) = (now(), Vec::new());
    for number in 1..=500 {
        says(&mut desk, 1, 2 * number, Body::Withdrawn {});
        says(&mut desk, 1, 2 * number + 1, Body::Requested(Request::default()));
        desk.tick(start);
        told.extend(positions(&mut desk).into_iter().filter(|(conn, _)| *conn != 1));
    }
    assert_eq!(told, [(2, 1), (3, 2)]);
    says(&mut desk, 2, 2, Body::Withdrawn {});
    assert_eq!(desk.deadline(), start.clock + POSITION_PERIOD);
    desk.tick(after(POSITION_PERIOD));
    assert_eq!(positions(&mut desk), [(3, 1), (1, 2)], "every customer has their present position");
}

#[test]
fn a_link_that_comes_and_goes_is_shown_seldom_and_in_the_end_as_it_is() {
    let mut desk = desk();
    joins(&mut desk, 1);
    let told = |desk: &mut Desk, now: Now| {
        desk.tick(now);
        let link = |report: &Report| match report {
            Report::Link { link, .. } => Some(*link),
            _ => None,
        };
        reports(&desk.outcome().acts).filter_map(link).collect::<Vec<_>>()
    };
    let start = now();
    assert_eq!(told(&mut desk, start), [Link::Connected]);
    let mut all = Vec::new();
    for conn in 1..=300 {
        desk.disconnected(Conn(conn), "cut");
        all.extend(told(&mut desk, start));
        dials(&mut desk, 1, conn + 1, 1, start);
        all.extend(told(&mut desk, start));
    }
    assert_eq!(all.len(), 9, "{all:?}");
    desk.disconnected(Conn(301), "cut");
    assert_eq!(told(&mut desk, start), [], "the desk said last that the link is lost");
    dials(&mut desk, 1, 400, 1, start);
    assert_eq!(told(&mut desk, start), []);
    let later = after(Duration::from_secs(60));
    assert_eq!(desk.deadline(), later.clock);
    assert_eq!(told(&mut desk, later), [Link::Connected]);
    assert_eq!(desk.changed_links.deadline(), None);
}

#[test]
fn accept_passes_over_a_customer_who_is_not_connected_unless_it_names_them() {
    let mut desk = desk();
    (1..=3).for_each(|n| joins(&mut desk, n));
    desk.disconnected(Conn(1), "cut");
    desk.accept(SeatId::TERMINAL, None, now()).unwrap();
    desk.outcome();
    says(&mut desk, 2, 2, Body::Accepted { of: Asked { desk: DeskId::new([1; 16]), number: 1 } });
    assert_eq!(desk.prompt(SeatId::TERMINAL, now()).to_string(), "#2 Customer 0202 · 2 waiting");
    desk.accept(SeatId::TERMINAL, Some(1), now()).unwrap();
    assert!(matches!(
        desk.accept(SeatId::TERMINAL, Some(1), now()),
        Err(AgentRefusal::BeingAccepted(_))
    ));
    assert_eq!(desk.accept(SeatId::TERMINAL, Some(9), now()), Err(AgentRefusal::NoSuch(9)));
}

/// Customer `n` waits, comes back as connection `conn` with a backlog that has no end, and
/// withdraws in it.
fn withdraws_in_a_backlog_without_end(desk: &mut Desk, n: u8, conn: u64) {
    joins(desk, n);
    greets(desk, Hello { newest: Number::MAX, ..hello(n) }, conn, n, now());
    let withdrawn = Entry { number: 2, at: 0, body: Body::Withdrawn {} };
    desk.received(Conn(conn), Message::Entry(withdrawn), now());
}

#[test]
fn accept_passes_over_a_customer_who_withdrew_within_a_backlog() {
    let mut desk = desk();
    withdraws_in_a_backlog_without_end(&mut desk, 1, 101);
    joins(&mut desk, 2);
    assert_eq!(desk.accept(SeatId::TERMINAL, None, now()), Ok(id(2)));
}

#[test]
fn a_customer_who_withdrew_within_a_broken_backlog_keeps_slot_and_position() {
    let mut desk = small(1, 9);
    withdraws_in_a_backlog_without_end(&mut desk, 1, 101);
    desk.disconnected(Conn(101), "cut");
    dials(&mut desk, 2, 2, 2, now());
    assert_eq!((busy(&mut desk, 2).is_some(), desk.waiting().len()), (true, 1));
    desk.tick(after(LIFETIME));
    desk.rest();
    assert!(desk.capacity.is_empty() && desk.queue.is_empty() && desk.conversations.is_empty());
}

#[test]
fn customers_who_hung_up_do_not_count_after_a_minute_and_keep_their_place() {
    let mut desk = Desk::new(
        DeskId::new([1; 16]),
        Options { customers_per_address: 250, ..Options::default() },
        now(),
    );
    let start = now();
    for n in 1..=200 {
        dials(&mut desk, n, n.into(), 77, start);
        says(&mut desk, n, 1, Body::Requested(Request::default()));
    }
    (2..=200).for_each(|n| desk.disconnected(Conn(n), "gone"));
    desk.tick(start);
    joins(&mut desk, 201);
    desk.tick(start);
    assert_eq!(
        positions(&mut desk).last(),
        Some(&(201, 201)),
        "a connection that is down for a moment moves nobody"
    );
    assert_eq!(desk.deadline(), start.clock + COUNTED_WITHOUT_LINK, "the desk wakes up for that");
    let later = after(COUNTED_WITHOUT_LINK);
    desk.tick(later);
    assert_eq!(positions(&mut desk), [(201, 2)]);
    joins(&mut desk, 202);
    assert_eq!(positions(&mut desk), [(202, 3)]);
    let listed: Vec<String> =
        desk.list(SeatId::TERMINAL, now()).iter().map(ToString::to_string).collect();
    assert_eq!(listed.len(), 202);
    assert_eq!(listed[0], "#1 Customer 0101  waits 0:00, number 1 in the queue");
    assert!(listed[1].contains("#2 Customer 0202 (not connected)  waits"), "{}", listed[1]);
    assert_eq!(listed[200], "#201 Customer c9c9  waits 0:00, number 2 in the queue");
    assert_eq!(
        desk.accept(SeatId::TERMINAL, Some(3), later),
        Ok(id(3)),
        "the agent can take them all the same"
    );
    // One of them is back, and the others get their new positions.
    dials(&mut desk, 2, 1002, 77, later);
    desk.tick(after(COUNTED_WITHOUT_LINK + POSITION_PERIOD));
    assert_eq!(positions(&mut desk), [(1002, 2), (201, 3), (202, 4)]);
    says(&mut desk, 1, 2, Body::Withdrawn {});
    desk.tick(after(COUNTED_WITHOUT_LINK + 2 * POSITION_PERIOD));
    assert_eq!(positions(&mut desk), [(1002, 1), (201, 2), (202, 3)]);
}

#[test]
fn after_a_restart_a_customer_who_does_not_come_back_counts_for_a_minute() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    (1..=2).for_each(|n| joins(&mut desk, n));
    settle(&mut desk, &mut journal);
    let restart = journal.restart().unwrap();
    let mut desk = Desk::restore(DeskId::new([1; 16]), Options::default(), &restart, now());
    dials(&mut desk, 2, 12, 2, now());
    desk.tick(now());
    assert_eq!(positions(&mut desk), [(12, 2)]);
    desk.tick(after(COUNTED_WITHOUT_LINK));
    assert_eq!(positions(&mut desk), [(12, 1)]);
    // A customer whose connection comes and goes still counts.
    desk.disconnected(Conn(12), "cut");
    desk.tick(after(COUNTED_WITHOUT_LINK));
    dials(&mut desk, 2, 13, 2, after(COUNTED_WITHOUT_LINK));
    assert_eq!(desk.deadline(), now().clock + IDLE_NOTED);
    assert!(!desk.queue.counts(id(1)) && desk.queue.deadline().is_none());
    dials(&mut desk, 1, 11, 1, after(2 * COUNTED_WITHOUT_LINK));
    assert!(positions(&mut desk).contains(&(11, 1)));
}
