//! Typing: when the customer sees that the agent types, and when the agent learns that the customer
//! does.

use super::{CONN, Outcome, from_desk, now, queued};
use crate::core::outcome::Act;
use crate::core::session::Session;
use crate::wire::{Author, Body, Message, Number, Said};

/// A session whose customer talks to an agent; and the number of its `requested`.
fn active() -> (Session, Number) {
    let (mut session, request) = queued();
    from_desk(&mut session, 1, Body::Accept { request, name: None });
    (session, request)
}

fn agent_types(session: &mut Session, seconds: u64) {
    assert!(session.received(CONN, Message::Typing {}, now(seconds)));
}

fn is_told(outcome: &Outcome) -> bool {
    outcome.acts.contains(&Act::Send(CONN, Message::Typing {}))
}

#[test]
fn an_agent_counts_as_typing_until_the_line_comes_or_for_six_seconds_after_a_sign() {
    let (mut session, _) = active();
    agent_types(&mut session, 1);
    assert!(session.is_agent_typing());
    from_desk(&mut session, 2, Body::Message(Said::text(Author::Admin, "One moment.")));
    assert!(!session.is_agent_typing());
    agent_types(&mut session, 2);
    session.tick(now(7));
    assert!(session.is_agent_typing() && session.deadline() == Some(now(8).clock));
    session.tick(now(8));
    assert!(!session.is_agent_typing());
}

#[test]
fn an_agent_stops_typing_when_the_connection_is_lost_or_the_customer_is_handed_back() {
    let (mut session, _) = active();
    agent_types(&mut session, 1);
    session.disconnected(CONN, "cut", now(2));
    assert!(!session.is_agent_typing());

    let (mut session, request) = active();
    agent_types(&mut session, 1);
    from_desk(&mut session, 2, Body::HandBack { request });
    assert!(!session.is_agent_typing());
}

#[test]
fn an_agent_learns_at_most_once_in_three_seconds_that_their_customer_types() {
    let (mut session, request) = queued();
    session.customer_types(now(1));
    assert!(!is_told(&session.outcome()), "nobody has the customer");
    from_desk(&mut session, 1, Body::Accept { request, name: None });
    for (seconds, told) in [(1, true), (2, false), (4, true)] {
        session.customer_types(now(seconds));
        assert_eq!(is_told(&session.outcome()), told, "after {seconds} s");
    }
}
