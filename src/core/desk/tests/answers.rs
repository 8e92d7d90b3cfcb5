//! What a customer's side may answer, and what the agent may say.

use super::{bye, desk, greets, hello, joins, now, reports, says};
use crate::core::desk::{SeatId, WITHHELD_BYTES_MAX};
use crate::core::outcome::{Act, Fact, Passage, Side};
use crate::core::report::{AgentRefusal, Choice, Report};
use crate::wire::{Asked, Author, Body, Button, Code, DeskId, EndReason, Hello, Request, Said};

#[test]
fn an_answer_to_no_control_of_the_desk_ends_the_connection() {
    let of = Asked { desk: DeskId::new([1; 16]), number: 1 };
    for body in [
        Body::Accepted { of },
        Body::HandedBack { of },
        Body::Closed { of: Some(of), reason: EndReason::AdminClosed },
    ] {
        let mut desk = desk();
        joins(&mut desk, 1);
        desk.outcome();
        says(&mut desk, 1, 2, body);
        assert_eq!(bye(&mut desk, 1), Some(Code::Protocol));
        assert!(!desk.is_talking(SeatId::TERMINAL));
    }
    // An answer of another kind than the pending control ends the connection, too.
    let mut desk = desk();
    joins(&mut desk, 1);
    desk.accept(SeatId::TERMINAL, None, now()).unwrap();
    desk.outcome();
    says(&mut desk, 1, 2, Body::HandedBack { of });
    assert_eq!(bye(&mut desk, 1), Some(Code::Protocol));
}

#[test]
fn a_line_without_a_focus_is_refused_with_what_to_do() {
    let mut desk = desk();
    assert_eq!(
        desk.say(SeatId::TERMINAL, "hello?", now()),
        Err(AgentRefusal::NoFocus(Choice::Nobody))
    );
    joins(&mut desk, 1);
    assert_eq!(
        desk.say(SeatId::TERMINAL, "hello?", now()),
        Err(AgentRefusal::NoFocus(Choice::Accept))
    );
}

#[test]
fn an_answer_to_a_lost_control_leaves_a_later_control_pending() {
    let mut desk = desk();
    let ours = |number| Asked { desk: DeskId::new([1; 16]), number };
    greets(
        &mut desk,
        Hello { received: [(ours(0).desk, 4)].into(), newest: 2, ..hello(1) },
        1,
        1,
        now(),
    );
    says(&mut desk, 1, 1, Body::Requested(Request::default()));
    says(&mut desk, 1, 2, Body::Message(Said::text(Author::User, "hello?")));
    desk.accept(SeatId::TERMINAL, None, now()).unwrap();
    says(&mut desk, 1, 3, Body::Accepted { of: ours(3) });
    assert!(desk.is_talking(SeatId::TERMINAL) && desk.is_asking(SeatId::TERMINAL));
    desk.outcome();
    says(
        &mut desk,
        1,
        4,
        Body::Refused { of: ours(5), why: "another agent has the customer".to_owned() },
    );
    let is_told = |report: &Report| match report {
        Report::News { text } => text.to_string().contains("another agent"),
        _ => false,
    };
    assert!(reports(&desk.outcome().acts).any(is_told));
    assert!(desk.is_talking(SeatId::TERMINAL) && !desk.is_asking(SeatId::TERMINAL));
}

#[test]
fn an_answer_that_names_no_entry_of_the_desk_ends_the_connection() {
    let mut desk = desk();
    for (n, body) in (1..).zip([
        Body::Accepted { of: Asked { desk: DeskId::new([1; 16]), number: 0 } },
        Body::HandedBack { of: Asked { desk: DeskId::new([1; 16]), number: 0 } },
        Body::Closed {
            of: Some(Asked { desk: DeskId::new([1; 16]), number: 0 }),
            reason: EndReason::AdminClosed,
        },
    ]) {
        joins(&mut desk, n);
        desk.outcome();
        says(&mut desk, n, 2, body);
        assert_eq!(bye(&mut desk, n), Some(Code::Protocol));
    }
}

#[test]
fn messages_that_wait_for_the_state_of_a_backlog_have_a_bound_in_bytes() {
    let url = Some("u".repeat(2048).into_boxed_str());
    let link = Button { url, ..Button::default() };
    let messages = [
        Said::text(Author::User, &"x".repeat(8 << 10)),
        Said { buttons: vec![link; 29], ..Said::text(Author::User, "") },
        Said { buttons: vec![Button::default(); 32], ..Said::text(Author::User, "") },
        Said { name: Some("n".repeat(128).into()), ..Said::text(Author::User, "") },
    ];
    for message in messages {
        let mut desk = desk();
        greets(&mut desk, Hello { newest: 1_900, ..hello(1) }, 1, 1, now());
        says(&mut desk, 1, 1, Body::Requested(Request::default()));
        let (mut flushes, mut told) = (0, 0);
        for number in 2..=1_900 {
            says(&mut desk, 1, number, Body::Message(message.clone()));
            for act in desk.outcome().acts {
                if let Act::Tell(Fact::Said(Passage { numbers, .. })) = act
                    && numbers.start() < numbers.end()
                {
                    flushes += 1;
                    told = (numbers.end() - numbers.start() + 1) as usize;
                }
            }
        }
        // The size on the wire. The test is about another size.
        let encoded = serde_json::to_string(&message).expect("a message is JSON").len();
        let most = WITHHELD_BYTES_MAX as usize + encoded;
        assert!(told * encoded <= most, "{told} messages of {encoded} bytes in one turn");
        assert_eq!(flushes, 1, "the desk shows the messages after the bound one by one");
    }
}
