//! Presence: what the desk learns of a gateway's customer who leaves the pages and comes back.

use super::{CONN, DESK, Outcome, from_desk, now, own, queued, session};
use crate::core::outcome::Act;
use crate::core::session::Session;
use crate::wire::{Author, Body, Conn, EndReason, Entry, Message, Said, State, Welcome};

/// The presences that are sent to the desk.
fn told(outcome: &Outcome) -> Vec<bool> {
    let presence = |act: &_| match act {
        Act::Send(_, Message::Presence { is_here }) => Some(*is_here),
        _ => None,
    };
    outcome.acts.iter().filter_map(presence).collect()
}

/// The `is_here` of the hello on this connection.
fn hello(session: &mut Session, conn: Conn) -> Option<bool> {
    session.dialled(conn);
    session.connected(conn, None, None);
    let hello = session.outcome().acts.into_iter().find_map(|act| match act {
        Act::Send(_, Message::Hello(hello)) => Some(hello),
        _ => None,
    });
    hello.expect("the session says hello").is_here
}

fn welcomed(session: &mut Session, conn: Conn) -> Vec<bool> {
    let welcome = Welcome { desk: DESK, received: 0, state: State::Bot, features: Vec::new() };
    assert!(session.received(conn, Message::Welcome(welcome), now(0)));
    told(&session.outcome())
}

#[test]
fn a_connected_desk_learns_once_that_the_customer_has_gone_and_once_that_they_are_back() {
    let (mut session, _) = queued();
    for (is_here, news) in [(true, None), (false, Some(false)), (false, None), (true, Some(true))] {
        session.set_here(is_here, now(0));
        assert_eq!(told(&session.outcome()), Vec::from_iter(news));
    }
}

#[test]
fn every_hello_has_the_customers_presence_and_a_change_follows_the_welcome() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    session.set_here(false, now(0));
    for n in 1..=2 {
        let conn = Conn(n);
        assert_eq!(hello(&mut session, conn), Some(false));
        assert_eq!(welcomed(&mut session, conn), [false; 0], "the hello has said it");
        session.disconnected(conn, "cut", now(0));
    }
    assert_eq!(hello(&mut session, Conn(3)), Some(false));
    session.set_here(true, now(0));
    assert_eq!(told(&session.outcome()), [false; 0], "before the welcome there is only the hello");
    assert_eq!(welcomed(&mut session, Conn(3)), [true]);
    session.disconnected(Conn(3), "cut", now(0));
    assert_eq!(hello(&mut session, Conn(4)), None);
    assert_eq!(welcomed(&mut session, Conn(4)), [false; 0]);
}

#[test]
fn a_desk_may_not_send_a_presence() {
    let (mut session, _) = queued();
    assert!(!session.received(CONN, Message::Presence { is_here: false }, now(0)));
}

#[test]
fn a_customer_who_has_gone_for_a_day_ends_the_conversation_unless_somebody_writes_meanwhile() {
    const DAY: u64 = 86_400;
    let (mut session, request) = queued();
    session.set_here(false, now(10));
    session.tick(now(1_000));
    session.set_here(true, now(2_000));
    session.tick(now(2_000 + DAY));
    session.set_here(false, now(3_000 + DAY));
    session.tick(now(3_500 + DAY));
    assert_eq!(session.state(), State::Queued, "the customer was there meanwhile");
    from_desk(&mut session, 1, Body::Accept { request, name: None });
    let line = Body::Message(Said::text(Author::Admin, "are you still there?"));
    let entry = Entry { number: 2, at: 0, body: line };
    assert!(session.received(CONN, Message::Entry(entry), now(4_000 + DAY)));
    let end = now(4_000 + 2 * DAY);
    session.tick(now(4_000 + 2 * DAY - 1));
    assert_eq!(session.state(), State::Active);
    session.outcome();
    session.tick(end);
    let outputs = session.outcome();
    let closed = Body::Closed { of: None, reason: EndReason::Inactivity };
    assert_eq!(own(&outputs), [&closed]);
    assert_eq!(session.state(), State::Closed);
}
