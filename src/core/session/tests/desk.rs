//! The desk: when this side dials it and gives it up, and what its controls and positions do.

use std::time::Duration;

use super::{
    CONN, DESK, from_desk, gives_up, journaled, journals, kept, notices, now, own, queued, reports,
    session, settle,
};
use crate::core::department::{Department, Language, Need};
use crate::core::outcome::Act;
use crate::core::record::{Record, Returning, Story};
use crate::core::reply::Handoff;
use crate::core::report::{CustomerRefusal, Report};
use crate::core::session::{OUTBOX_BYTES_MAX, OUTBOX_MAX, Session, Visit};
use crate::wire::{
    Asked, Author, Body, Code, Conn, EndReason, Message, Page, Request, Said, State, Welcome,
};

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
    // The customer gives up waiting and asks again, which makes this side dial.
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
fn a_handback_or_close_that_comes_too_late_is_refused_with_the_reason() {
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
fn a_desk_can_end_the_conversation_of_a_customer_who_waits_and_no_agent_joins() {
    for (closes, state) in [(true, State::Closed), (false, State::Bot)] {
        let body = |request| match closes {
            true => Body::Close { request },
            false => Body::HandBack { request },
        };
        let (mut session, request) = queued();
        session.outcome();
        let outputs = from_desk(&mut session, 1, body(request + 1));
        assert!(matches!(own(&outputs)[..], [Body::Refused { .. }]), "{outputs:?}");
        let outputs = from_desk(&mut session, 2, body(request));
        let is_answer = |body: &Body| body.answers().is_some_and(|of| of.number == 2);
        assert!(own(&outputs).iter().all(|body| is_answer(body)), "{outputs:?}");
        assert_eq!(session.state(), state);
        let is_active =
            |report: &&Report| matches!(report, Report::State { state: State::Active, .. });
        assert_eq!(reports(&outputs).find(is_active), None);
    }
}

#[test]
fn a_desk_that_is_out_of_reach_for_a_day_of_running_time_is_given_up() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    session.say("is anybody there?", now(1)).unwrap();
    session.dialled(CONN);
    session.disconnected(CONN, "refused", now(1));
    session.outcome();
    session.tick(now(1 + 600));
    let idle = Duration::from_secs(600);
    assert!(journals(&session.outcome(), &Record::Idle(idle)));
    // The program was killed and started again much later: the idle time goes on where it was.
    let idle = Duration::from_secs(86_000);
    let story = Story {
        idle,
        ..kept(2, &[(1, Body::Requested(Request::default()))], Returning::Done, None)
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
    // The connection of a dial that was under way is not used.
    session.dialled(Conn(2));
    assert_eq!(session.outcome().acts, [Act::Close(Conn(2))]);
}

#[test]
fn a_full_desk_is_not_dialled_again_before_the_time_it_gave() {
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
fn lines_that_wait_for_the_desk_are_bounded_until_some_are_delivered() {
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
fn a_changed_position_is_shown_at_most_once_a_second_and_the_last_one_always() {
    let (mut session, _) = queued();
    let told = |session: &mut Session| {
        let position = |report: &Report| match report {
            Report::State { position, .. } => *position,
            _ => None,
        };
        reports(&session.outcome()).filter_map(position).collect::<Vec<_>>()
    };
    let says = |session: &mut Session, position, at| {
        assert!(session.received(CONN, Message::Position { position, unattended: None }, now(at)))
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
    assert_eq!(session.deadline(), None, "the customer knows the position");
    says(&mut session, 1, 9);
    assert_eq!(told(&mut session), [1]);
    assert!(!session.received(CONN, Message::Position { position: 0, unattended: None }, now(9)));
}

#[test]
fn a_customer_who_waits_hears_once_that_nobody_is_there_also_if_the_connection_was_lost() {
    let (mut session, _) = queued();
    let told = |session: &mut Session| {
        let told = |report: &Report| match report {
            Report::State { position, attended, .. } => Some((*position, *attended)),
            _ => None,
        };
        reports(&session.outcome()).filter_map(told).collect::<Vec<_>>()
    };
    let says = |session: &mut Session, conn, position, unattended, at| {
        assert!(session.received(conn, Message::Position { position, unattended }, now(at)))
    };
    says(&mut session, CONN, 3, Some(false), 1);
    assert_eq!(told(&mut session), [(Some(3), None)]);
    says(&mut session, CONN, 3, Some(true), 3);
    assert_eq!(told(&mut session), [(Some(3), Some(false))]);
    assert!(session.is_unattended());
    says(&mut session, CONN, 3, Some(true), 5);
    assert_eq!(told(&mut session), []);
    session.disconnected(CONN, "closed", now(6));
    session.tick(now(7));
    session.dialled(Conn(2));
    session.connected(Conn(2), None, None);
    let welcome = Welcome { desk: DESK, received: 1, state: State::Queued, features: Vec::new() };
    assert!(session.received(Conn(2), Message::Welcome(welcome), now(8)));
    // A desk that was just started does not know yet whether an agent is here.
    says(&mut session, Conn(2), 2, None, 8);
    assert_eq!(told(&mut session), [(Some(2), None)]);
    assert!(session.is_unattended());
    says(&mut session, Conn(2), 2, Some(true), 9);
    assert_eq!(told(&mut session), []);
    says(&mut session, Conn(2), 2, Some(false), 10);
    assert_eq!(told(&mut session), [(Some(2), Some(true))]);
}

#[test]
fn a_desk_that_refuses_a_customer_who_is_back_with_the_bot_does_not_disturb_them() {
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

#[test]
fn a_repeated_request_names_the_same_department_and_language_also_after_a_restart() {
    let (department, language) = (Department::new("returns"), Language::new("de"));
    let need = Need { department, language };
    let handoff = Handoff { reason: Some("lost parcel".to_owned()), need };
    let (mut session, _) = queued();
    session.withdraw(now(1)).unwrap();
    session.request_human(handoff, now(2));
    let asked = own(&session.outcome()).into_iter().last().cloned();
    let asked = asked.expect("an entry");
    let Body::Requested(request) = &asked else { panic!("{asked:?}") };
    let reason = Some("lost parcel".to_owned());
    let named = Request { reason: None, ..request.clone() };
    assert_eq!(request, &Request { reason, ..named.clone() });
    assert_eq!(
        (named.department.as_deref(), named.language.as_deref()),
        (Some("returns"), Some("de"))
    );
    let number = session.ownership.request();
    let again = |session: &mut Session| {
        from_desk(session, 1, Body::Accept { request: number, name: None });
        let outcome = from_desk(session, 2, Body::Requeue { request: number });
        own(&outcome).into_iter().last().cloned()
    };
    let of = Some(Asked { desk: DESK, number: 2 });
    let waits_again = Some(Body::Requested(Request { of, ..named }));
    assert_eq!(again(&mut session), waits_again);
    let story = kept(number, &[(number, asked.clone())], Returning::Done, None);
    let entry = journaled(|_| Body::Message(Said::text(Author::User, "hi")));
    let mut session = Session::restore(&story, "desk:1".to_owned(), 1, entry, now(3)).unwrap();
    session.dialled(CONN);
    session.connected(CONN, None, None);
    let welcome = Welcome { desk: DESK, received: 0, state: State::Bot, features: Vec::new() };
    assert!(session.received(CONN, Message::Welcome(welcome), now(3)));
    assert_eq!(again(&mut session), waits_again);
}

#[test]
fn the_language_is_that_of_the_page_unless_the_bot_names_another() {
    let language = |bots: Option<Language>| {
        let mut session = session();
        let page = Page { language: Some("fr-CH".into()), ..Page::default() };
        session.set_visit(Visit { page, address_key: None });
        let need = Need { department: None, language: bots };
        session.request_human(Handoff { reason: None, need }, now(1));
        match own(&session.outcome())[..] {
            [Body::Requested(request)] => request.language.clone(),
            _ => None,
        }
    };
    assert_eq!(language(None).as_deref(), Some("fr-CH"));
    assert_eq!(language(Language::new("de")).as_deref(), Some("de"));
}
