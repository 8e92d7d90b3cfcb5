//! Typing: whether the prompt shows that the customer in focus types, and when the desk tells the
//! customer's side that the agent types.

use std::time::Duration;

use super::team::{takes, team};
use super::{after, desk, id, joins, now, says, sent};
use crate::core::desk::{Desk, SeatId};
use crate::core::outcome::Side;
use crate::wire::{Asked, Author, Body, Conn, DeskId, Message, Said};

/// A desk whose agent has customer 1, and customer 2 waits.
fn talking() -> Desk {
    let mut desk = desk();
    joins(&mut desk, 1);
    joins(&mut desk, 2);
    desk.accept(SeatId::TERMINAL, Some(1), now()).expect("the customer waits");
    says(&mut desk, 1, 2, Body::Accepted { of: Asked { desk: DeskId::new([1; 16]), number: 1 } });
    assert_eq!(desk.focus(SeatId::TERMINAL), Some(id(1)));
    desk.outcome();
    desk
}

fn customer_types(desk: &mut Desk, n: u64) {
    desk.received(Conn(n), Message::Typing {}, now());
}

fn shows_typing(desk: &Desk) -> bool {
    desk.prompt(SeatId::TERMINAL, now()).to_string().starts_with("typing, ")
}

#[test]
fn the_prompt_shows_that_the_customer_in_focus_types() {
    let mut desk = talking();
    customer_types(&mut desk, 2);
    assert!(!shows_typing(&desk), "this customer waits");
    customer_types(&mut desk, 1);
    assert!(shows_typing(&desk));
    desk.tick(after(Duration::from_secs(5)));
    assert!(shows_typing(&desk));
    let sign_ends = after(Duration::from_secs(6));
    assert_eq!(desk.deadline(), sign_ends.clock);
    desk.tick(sign_ends);
    assert!(!shows_typing(&desk));
}

#[test]
fn a_customer_does_not_type_any_more_when_the_line_comes_or_the_connection_is_lost() {
    let mut desk = talking();
    customer_types(&mut desk, 1);
    says(&mut desk, 1, 3, Body::Message(Said::text(Author::User, "my parcel is lost")));
    assert!(!shows_typing(&desk));
    customer_types(&mut desk, 1);
    desk.disconnected(Conn(1), "cut");
    assert!(!desk.prompt(SeatId::TERMINAL, now()).to_string().contains("typing"));
}

#[test]
fn the_customer_in_focus_is_told_that_the_agent_types() {
    let mut desk = talking();
    desk.agent_types(SeatId::TERMINAL, now());
    desk.agent_types(SeatId::TERMINAL, now());
    let acts = desk.outcome().acts;
    let told: Vec<_> = sent(&acts).collect();
    assert_eq!(told, [(Conn(1), &Message::Typing {})], "once in 3 s");
    desk.say(SeatId::TERMINAL, "One moment.", now()).expect("the customer is in focus");
    desk.outcome();
    desk.agent_types(SeatId::TERMINAL, now());
    assert_eq!(sent(&desk.outcome().acts).count(), 1, "a new line is news");
}

#[test]
fn a_customer_without_the_focus_does_not_type_for_ever() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    takes(&mut desk, robin, 2);
    customer_types(&mut desk, 1);
    let is_shown = |desk: &Desk| desk.list(robin, now())[0].to_string().contains("is typing");
    assert!(is_shown(&desk));
    let sign_ends = after(Duration::from_secs(6));
    assert!(desk.deadline() <= sign_ends.clock);
    desk.tick(sign_ends);
    assert!(!is_shown(&desk));
}

#[test]
fn a_lead_sees_what_another_agent_types_until_it_is_sent_or_given_up() {
    let (mut desk, [robin, al, kim]) = team();
    takes(&mut desk, robin, 1);
    let drafts = |desk: &mut Desk| {
        desk.agent_drafts(robin, "I look\nfor it", now());
        desk.list(kim, now())[0].to_string()
    };
    let shown = |desk: &Desk, seat| desk.list(seat, now())[0].to_string();
    assert!(
        drafts(&mut desk).ends_with("  robin types \"I look for it\""),
        "{}",
        drafts(&mut desk)
    );
    for (seat, why) in [(robin, "it is in front of robin"), (al, "al is no lead")] {
        assert!(!shown(&desk, seat).contains("I look"), "{why}");
    }
    desk.say(robin, "I have it", now()).expect("robin has them");
    assert!(!shown(&desk, kim).contains("types"), "the line is sent");
    drafts(&mut desk);
    desk.tick(after(Duration::from_secs(6)));
    assert!(!shown(&desk, kim).contains("types"), "robin has stopped");
    drafts(&mut desk);
    desk.take_over(kim, 1, "robin is busy", now()).expect("a lead may");
    assert!(!desk.list(kim, now())[0].to_string().contains("types"), "it is another's customer");
    desk.options.private_drafts = true;
    takes(&mut desk, robin, 2);
    assert!(!drafts(&mut desk).contains("types"), "drafts are private");
    let acts = desk.outcome().acts;
    assert!(sent(&acts).all(|(_, message)| !format!("{message:?}").contains("I look")));
}
