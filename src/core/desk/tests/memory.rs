//! Which customers a desk keeps in memory, and how they come back.

use super::{after, desk, dials, greets, hello, id, joins, now, says, sent, settle, story};
use crate::core::desk::SeatId;
use crate::core::idle::{IDLE_NOTED, LIFETIME};
use crate::core::outcome::Side;
use crate::core::report::AgentRefusal;
use crate::edge::journal::Journal;
use crate::wire::{Asked, Body, Conn, DeskId, EndReason, Entry, Hello, Message, Request, Secret};

#[test]
fn a_customer_away_for_a_day_is_given_up_and_queued_again_when_they_are_back() {
    let mut desk = desk();
    joins(&mut desk, 1);
    desk.disconnected(Conn(1), "cut");
    desk.tick(after(LIFETIME - IDLE_NOTED));
    assert_eq!(desk.waiting(), ["#1 Customer 0101"]);
    desk.tick(after(LIFETIME));
    assert_eq!(desk.waiting(), [] as [&str; 0]);
    dials(&mut desk, 1, 2, 1, after(LIFETIME));
    assert_eq!(desk.waiting(), ["#1 Customer 0101"]);
}

#[test]
fn strangers_who_begin_and_end_conversations_all_day_leave_nothing_in_memory() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    desk.options.auto_accept = true;
    for n in 1..=200 {
        joins(&mut desk, n);
        says(&mut desk, n, 2, Body::Closed { of: None, reason: EndReason::UserEnded });
        desk.disconnected(Conn(n.into()), "gone");
        // A hello with another secret makes the desk know the conversation only until it has
        // refused the hello.
        settle(&mut desk, &mut journal);
        assert!(!desk.knows(id(n)));
        desk.recall(&story(&journal, n), now());
        let mut hello = hello(n);
        hello.secret = Secret::new([n + 1; 32]);
        greets(&mut desk, hello, 1000 + u64::from(n), n, now());
        settle(&mut desk, &mut journal);
    }
    assert!(desk.conversations.is_empty() && desk.connections.is_empty());
    assert!(desk.queue.is_empty() && desk.send_list.is_empty() && desk.leave_candidates.is_empty());
}

#[test]
fn a_customer_who_is_back_has_the_same_number_and_goes_on_where_they_were() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    (1..=2).for_each(|n| joins(&mut desk, n));
    says(&mut desk, 1, 2, Body::Withdrawn {});
    desk.disconnected(Conn(1), "gone");
    settle(&mut desk, &mut journal);
    assert!(!desk.knows(id(1)) && desk.knows(id(2)));
    assert_eq!(
        desk.accept(SeatId::TERMINAL, Some(1), now()).unwrap_err(),
        AgentRefusal::HasEnded(1)
    );
    assert_eq!(journal.conversation(1).unwrap(), Some(id(1)));
    joins(&mut desk, 3);
    desk.recall(&story(&journal, 1), now());
    dials(&mut desk, 1, 4, 1, now());
    let outcome = desk.outcome();
    let mut messages = sent(&outcome.acts);
    assert!(messages.any(|(_, m)| matches!(m, Message::Welcome(welcome) if welcome.received == 2)));
    desk.received(
        Conn(4),
        Message::Entry(Entry { number: 3, at: 0, body: Body::Requested(Request::default()) }),
        now(),
    );
    assert_eq!(desk.waiting(), ["#2 Customer 0202", "#3 Customer 0303", "#1 Customer 0101"]);
}

#[test]
fn a_customer_who_leaves_within_a_backlog_does_not_end_the_desk() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    // The desk was set back: only the customer has its entry 1, an accept.
    let received = [(DeskId::new([1; 16]), 1)].into();
    let announced = Hello { newest: 99, received, ..hello(1) };
    greets(&mut desk, announced, 1, 1, now());
    says(&mut desk, 1, 1, Body::Requested(Request::default()));
    let ours = |number| Asked { desk: DeskId::new([1; 16]), number };
    let other = Asked { desk: DeskId::new([2; 16]), number: 1 };
    says(&mut desk, 1, 2, Body::Accepted { of: ours(1) });
    let _ = desk.switch_to_next(SeatId::TERMINAL);
    says(&mut desk, 1, 3, Body::Accepted { of: other });
    desk.disconnected(Conn(1), "gone");
    settle(&mut desk, &mut journal);
    assert!(!desk.knows(id(1)));
    assert!(matches!(
        desk.say(SeatId::TERMINAL, "who is there?", now()),
        Err(AgentRefusal::NoFocus(_))
    ));
    assert_eq!(
        (desk.prompt(SeatId::TERMINAL, now()).to_string(), desk.focus(SeatId::TERMINAL)),
        ("nobody".to_owned(), None)
    );
}

#[test]
fn a_customer_with_an_undelivered_line_stays_in_memory_until_they_have_it() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    joins(&mut desk, 1);
    desk.accept(SeatId::TERMINAL, None, now()).unwrap();
    let of = Asked { desk: DeskId::new([1; 16]), number: 1 };
    says(&mut desk, 1, 2, Body::Accepted { of });
    desk.say(SeatId::TERMINAL, "wait!", now()).unwrap();
    says(&mut desk, 1, 3, Body::Closed { of: None, reason: EndReason::UserEnded });
    desk.disconnected(Conn(1), "gone");
    settle(&mut desk, &mut journal);
    assert_eq!(desk.undelivered(), [(id(1), 1..=2)], "the desk's end would report it");
    let back = Hello { received: [(DeskId::new([1; 16]), 2)].into(), ..hello(1) };
    greets(&mut desk, back, 2, 1, now());
    desk.disconnected(Conn(2), "gone");
    settle(&mut desk, &mut journal);
    assert!(!desk.knows(id(1)));
}

#[test]
fn a_stranger_who_says_nothing_leaves_nothing() {
    let mut desk = desk();
    dials(&mut desk, 1, 1, 1, now());
    desk.disconnected(Conn(1), "gone");
    assert!(
        desk.conversations.is_empty() && desk.connections.is_empty() && desk.capacity.is_empty()
    );
}
