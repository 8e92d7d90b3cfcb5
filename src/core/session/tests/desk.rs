//! The desk: when it is dialled and given up, and what its controls and positions do.

use std::time::Duration;

use super::{
    CONN, DESK, from_desk, gives_up, journaled, journals, kept, notices, now, own, queued, reports,
    session, settle,
};
use crate::core::outcome::Act;
use crate::core::record::{Record, Returning, Story};
use crate::core::report::{CustomerRefusal, Report};
use crate::core::session::{OUTBOX_BYTES_MAX, OUTBOX_MAX, Session};
use crate::wire::{Asked, Author, Body, Code, Conn, EndReason, Message, Said, State};

#[test]
fn a_desk_that_is_not_trusted_is_never_dialled_again_by_itself() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    session.dialled(CONN);
    session.outcome();
    session.distrust(CONN, "its key is another one");
    let outputs = session.outcome();
    assert!(
        notices(&outputs).contains("not connected to desk:1: its key is another one")
            && session.is_parted()
    );
    session.disconnected(CONN, "closed", now(0));
    session.tick(now(3600));
    assert!(!session.is_dial_wanted());
    // A person who has looked into it asks again.
    session.withdraw(now(3601)).unwrap();
    session.ask_for_human(now(3602)).unwrap();
    assert!(session.is_dial_wanted());
}

#[test]
fn an_accept_that_names_an_older_request_is_refused() {
    let (mut session, request) = queued();
    session.withdraw(now(1)).unwrap();
    session.ask_for_human(now(2)).unwrap();
    session.outcome();
    let outputs = from_desk(&mut session, 1, Body::Accept { request, name: None });
    assert!(matches!(own(&outputs)[..], [Body::Refused { .. }]), "{outputs:?}");
    assert_eq!(session.state(), State::Queued);
    let request = session.ownership.request();
    let outputs =
        from_desk(&mut session, 2, Body::Accept { request, name: Some("Robin".to_owned()) });
    assert!(
        matches!(own(&outputs)[..], [Body::Accepted { of: Asked { desk: DESK, number: 2 } }]),
        "{outputs:?}"
    );
    assert_eq!(session.agent(), Some("Robin"));
}

#[test]
fn a_handback_and_a_close_of_a_conversation_that_moved_on_are_refused_and_say_why() {
    let (mut session, request) = queued();
    session.end(now(1)).unwrap();
    session.outcome();
    for (number, body) in [(1, Body::HandBack { request }), (2, Body::Close { request })] {
        let outputs = from_desk(&mut session, number, body);
        match own(&outputs)[..] {
            [Body::Refused { why, .. }] => assert_eq!(why, "the customer closed the conversation"),
            _ => panic!("{outputs:?}"),
        }
    }
}

#[test]
fn a_desk_that_cannot_be_had_for_a_day_is_given_up_and_time_switched_off_does_not_count() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    session.say("is anybody there?", now(1)).unwrap();
    session.dialled(CONN);
    session.disconnected(CONN, "refused", now(1));
    session.outcome();
    session.tick(now(1 + 600));
    let idle = Duration::from_secs(600);
    assert!(journals(&session.outcome(), &Record::Idle(idle)));
    // Killed, and started again much later: the day goes on where it was.
    let idle = Duration::from_secs(86_000);
    let story = Story {
        idle,
        ..kept(2, &[(1, Body::Requested { reason: None, of: None })], Returning::Done, None)
    };
    let entry = journaled(|_| Body::Message(Said::text(Author::User, "is anybody there?")));
    let mut session =
        Session::restore(&story, "desk:1".to_owned(), 1, entry, now(500_000)).unwrap();
    session.dialled(CONN);
    session.disconnected(CONN, "refused", now(500_001));
    session.outcome();
    session.tick(now(500_399));
    assert_eq!(session.state(), State::Queued);
    session.tick(now(500_400));
    let outputs = session.outcome();
    assert!(
        matches!(own(&outputs)[..], [Body::Closed { of: None, reason: EndReason::Inactivity }]),
        "{outputs:?}"
    );
    assert_eq!(gives_up(&outputs), Some(1..=2), "{outputs:?}");
    // A dial that was under way is not used any more.
    session.dialled(Conn(2));
    assert_eq!(session.outcome().acts, [Act::Close(Conn(2))]);
}

#[test]
fn a_full_desk_is_dialled_again_not_before_it_said() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    session.dialled(CONN);
    session.connected(CONN, None, None);
    assert!(session.received(CONN, Message::Busy { retry: 30 }, now(0)));
    session.outcome();
    session.tick(now(29));
    assert!(!session.is_dial_wanted());
    session.tick(now(31));
    assert!(session.is_dial_wanted());
}

#[test]
fn what_waits_for_the_desk_has_a_bound_in_lines_and_in_bytes_and_goes_on_when_it_is_delivered() {
    let full = |session: &mut Session| {
        session.say("one too many", now(1)) == Err(CustomerRefusal::TooManyWait)
    };
    let (mut short, request) = queued();
    let (mut long, _) = queued();
    for _ in 0..OUTBOX_MAX {
        short.say("hi", now(1)).unwrap();
    }
    for _ in 0..OUTBOX_BYTES_MAX / 8192 {
        long.say(&"x".repeat(8192), now(1)).unwrap();
    }
    assert!(full(&mut short) && full(&mut long));
    short.outcome();
    settle(&mut short);
    assert!(short.received(CONN, Message::Ack { number: request + 1 }, now(2)));
    assert_eq!(short.say("there is room again", now(2)), Ok(()));
}

#[test]
fn a_position_is_told_when_it_changes_once_a_second_and_the_last_one_always() {
    let (mut session, _) = queued();
    let told = |session: &mut Session| {
        let position = |report: &Report| match report {
            Report::State { position, .. } => *position,
            _ => None,
        };
        reports(&session.outcome()).filter_map(position).collect::<Vec<_>>()
    };
    let says = |session: &mut Session, position, at| {
        assert!(session.received(CONN, Message::Position { position }, now(at)))
    };
    says(&mut session, 3, 1);
    assert_eq!(told(&mut session), [3], "the first one at once");
    (4..=20_000).for_each(|position| says(&mut session, position, 1));
    assert_eq!(told(&mut session), [] as [u32; 0]);
    assert_eq!(session.deadline(), Some(now(2).clock));
    session.tick(now(2));
    assert_eq!(told(&mut session), [20_000]);
    says(&mut session, 7, 2);
    says(&mut session, 20_000, 2);
    assert_eq!(session.deadline(), None, "it is as the customer knows it");
    says(&mut session, 1, 9);
    assert_eq!(told(&mut session), [1]);
    assert!(!session.received(CONN, Message::Position { position: 0 }, now(9)));
}

#[test]
fn a_desk_that_refuses_a_customer_who_is_back_with_the_bot_keeps_them_from_nothing() {
    let (mut session, request) = queued();
    from_desk(&mut session, 1, Body::Accept { request, name: None });
    from_desk(&mut session, 2, Body::HandBack { request });
    assert!(session.received(
        CONN,
        Message::Bye { code: Code::Secret, text: "no".to_owned() },
        now(2)
    ));
    let outputs = session.outcome();
    assert!(gives_up(&outputs).is_some(), "{outputs:?}");
    assert!(!session.is_parted(), "a program in a script goes on with the bot");
    session.disconnected(CONN, "closed", now(2));
    session.tick(now(3600));
    assert!(!session.is_dial_wanted());
}
