//! What depends on time, or on messages that cross on the wire.

use std::convert::Infallible;
use std::time::Duration;

use super::*;
use crate::core::record::{Offset, Returning, Story};
use crate::core::reply::{Handoff, Reply};
use crate::wire::{Button, Code, Conn, Welcome};

const DESK: DeskId = DeskId::new([1; 16]);
const CONN: Conn = Conn(1);

type Outcome = super::Outcome<Errand>;

fn now(seconds: u64) -> Now {
    // One start for all of a test's moments.
    thread_local!(static START: Instant = Instant::now());
    Now { clock: START.with(|start| *start) + Duration::from_secs(seconds), wall: seconds * 1000 }
}

fn session() -> Session {
    seeded(1)
}

fn seeded(seed: u64) -> Session {
    let (id, secret) = (ConversationId::new([7; 16]), Secret::new([9; 32]));
    Session::new(Fresh { id, secret, seed }, None, "desk:1".to_owned(), now(0))
}

/// A session whose `requested` has this number, connected to a desk that has everything.
fn queued() -> (Session, Number) {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    let request = session.request;
    session.dialled(CONN);
    session.connected(CONN);
    let welcome = Welcome { desk: DESK, received: 0, state: State::Bot, features: Vec::new() };
    assert!(session.received(CONN, Message::Welcome(welcome), now(0)));
    settle(&mut session);
    assert!(session.received(CONN, Message::Ack { number: request }, now(0)));
    session.outcome();
    (session, request)
}

/// Sends what is due.
fn settle(session: &mut Session) {
    while let Some(due) = session.due() {
        if let Due::Entry { .. } = due {
            session.sent(100);
        }
    }
}

/// A journal in which our entries say this.
fn journaled(body: impl Fn(Number) -> Body) -> impl Fn(Number) -> Result<Entry, Infallible> {
    move |number| Ok(Entry { number, at: 0, body: body(number) })
}

fn from_desk(session: &mut Session, number: Number, body: Body) -> Outcome {
    assert!(session.received(CONN, Message::Entry(Entry { number, at: 0, body }), now(1)));
    session.outcome()
}

fn own(outcome: &Outcome) -> Vec<&Body> {
    let body = |(_, record): &'_ (ConversationId, Record)| matches!(record, Record::Own(_));
    let own = outcome.records.iter().filter(|record| body(record));
    own.map(|(_, record)| match record {
        Record::Own(entry) => &entry.body,
        _ => unreachable!("filtered"),
    })
    .collect()
}

fn journals(outcome: &Outcome, record: &Record) -> bool {
    outcome.records.iter().any(|(_, journaled)| journaled == record)
}

fn reports(outcome: &Outcome) -> impl Iterator<Item = &Report> {
    outcome.acts.iter().filter_map(|act| match act {
        Act::Tell(Fact::Report(_, report)) => Some(report),
        _ => None,
    })
}

fn notices(outcome: &Outcome) -> String {
    let text = |report: &Report| match report {
        Report::News { text } | Report::Fault { text } => Some(text.to_string()),
        _ => None,
    };
    reports(outcome).filter_map(text).collect::<Vec<_>>().join("\n")
}

fn gives_up(outcome: &Outcome) -> Option<RangeInclusive<Number>> {
    outcome.acts.iter().find_map(|act| match act {
        Act::Tell(Fact::Undelivered(_, numbers)) => Some(numbers.clone()),
        _ => None,
    })
}

fn errands(outcome: &Outcome) -> impl Iterator<Item = &Errand> {
    outcome.acts.iter().filter_map(|act| match act {
        Act::Errand(errand) => Some(errand),
        _ => None,
    })
}

/// The ticket of the question that is to be asked, and what the bot gets.
fn question(outcome: &Outcome) -> Option<(u64, String)> {
    errands(outcome).find_map(|errand| match errand {
        Errand::Ask { ticket, text, .. } => Some((*ticket, text.clone())),
        _ => None,
    })
}

fn asking(outcome: &Outcome) -> Option<u64> {
    question(outcome).map(|(ticket, _)| ticket)
}

/// The ticket and the start of the return that is to be sent.
fn returning(outcome: &Outcome) -> Option<(u64, Number)> {
    errands(outcome).find_map(|errand| match errand {
        Errand::Return { ticket, since, .. } => Some((*ticket, *since)),
        _ => None,
    })
}

#[test]
fn a_slow_bot_is_told_of_once_after_ten_seconds() {
    let mut session = session();
    session.say("hello", now(0)).unwrap();
    session.outcome();
    session.tick(now(9));
    assert_eq!(notices(&session.outcome()), "");
    assert_eq!(session.deadline(), Some(now(10).clock));
    session.tick(now(10));
    assert!(notices(&session.outcome()).contains("/human asks for a person"));
    session.tick(now(20));
    assert_eq!(notices(&session.outcome()), "");
}

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
    let request = session.request;
    let outputs =
        from_desk(&mut session, 2, Body::Accept { request, name: Some("Robin".to_owned()) });
    assert!(
        matches!(own(&outputs)[..], [Body::Accepted { of: Asked { desk: DESK, number: 2 } }]),
        "{outputs:?}"
    );
    assert_eq!(session.admin(), Some("Robin"));
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
fn a_line_and_a_request_in_one_batch_leave_nothing_for_the_bot() {
    let for_bot = |outcome: &Outcome| asking(outcome).is_some() || returning(outcome).is_some();
    let mut session = session();
    session.say("where is my order", now(0)).unwrap();
    session.ask_for_human(now(0)).unwrap();
    let outputs = session.outcome();
    assert!(!for_bot(&outputs), "{outputs:?}");
    session.withdraw(now(1)).unwrap();
    session.ask_for_human(now(1)).unwrap();
    let outputs = session.outcome();
    assert!(!for_bot(&outputs), "{outputs:?}");
    // Nothing is under way that the next return would have to wait for.
    session.withdraw(now(2)).unwrap();
    assert!(for_bot(&session.outcome()));
}

#[test]
fn the_bot_is_not_told_of_its_turn_while_an_older_request_is_under_way() {
    let mut session = session();
    session.say("where is my order", now(0)).unwrap();
    let asked = session.outcome();
    let Some(ticket) = asking(&asked) else { panic!("{asked:?}") };
    session.ask_for_human(now(1)).unwrap();
    session.withdraw(now(2)).unwrap();
    assert!(returning(&session.outcome()).is_none());
    let late = Reply {
        said: vec![Said::text(Author::Bot, "too late")],
        handoff: Some(Handoff::default()),
    };
    session.answered(ticket, Ok(late), now(3));
    let outputs = session.outcome();
    assert!(returning(&outputs).is_some() && own(&outputs).is_empty(), "{outputs:?}");
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
    let story =
        Story { idle, ..kept(2, &[(1, Body::Requested { reason: None })], Returning::Done, None) };
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
    session.connected(CONN);
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
fn an_answer_to_a_former_conversation_is_not_taken_for_one_in_this() {
    let asked = |seed| {
        let mut session = seeded(seed);
        session.say("where is my order", now(0)).unwrap();
        let ticket = asking(&session.outcome());
        (session, ticket.unwrap())
    };
    let ((_, former), (mut session, _)) = (asked(1), asked(2));
    let late = Reply { said: vec![Said::text(Author::Bot, "to the former")], handoff: None };
    session.answered(former, Ok(late), now(1));
    assert!(own(&session.outcome()).is_empty() && session.is_bot_busy());
}

#[test]
fn a_line_the_bot_did_not_answer_can_be_sent_again() {
    let mut session = session();
    session.say("hello", now(0)).unwrap();
    let ask = |outcome: Outcome| question(&outcome).expect("a question");
    let (ticket, _) = ask(session.outcome());
    session.answered(ticket, Err("cannot reach the bot".to_owned()), now(1));
    assert!(notices(&session.outcome()).contains("/again"));
    session.ask_again(now(2)).unwrap();
    assert_eq!(ask(session.outcome()).1, "hello");
    assert!(session.ask_again(now(2)).is_err());
}

#[test]
fn a_bot_that_was_away_at_the_handback_is_told_before_it_is_asked() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    let request = session.request;
    session.withdraw(now(1)).unwrap();
    let returned = |outcome: &Outcome| returning(outcome).expect("a return");
    let (ticket, _) = returned(&session.outcome());
    session.returned(ticket, Resumed::Unreached("refused".to_owned()), now(2));
    session.outcome();
    session.say("are you back?", now(3)).unwrap();
    let outputs = session.outcome();
    let (ticket, since) = returned(&outputs);
    assert!(since == request && asking(&outputs).is_none(), "{outputs:?}");
    // Away again: it is asked all the same, and told before the next question.
    session.returned(ticket, Resumed::Unreached("refused".to_owned()), now(4));
    assert!(asking(&session.outcome()).is_some());
}

#[test]
fn a_talk_that_the_bot_refused_to_hear_is_told_at_the_next_handback_too() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    let first = session.request;
    session.withdraw(now(1)).unwrap();
    let (ticket, _) = returning(&session.outcome()).unwrap();
    session.returned(ticket, Resumed::Unreached("refused".to_owned()), now(2));
    let outputs = session.outcome();
    assert!(journals(&outputs, &Record::Returning(Returning::Due(first))), "{outputs:?}");
    session.ask_for_human(now(3)).unwrap();
    let forgets = |(_, record): &(ConversationId, Record)| matches!(record, Record::Returning(_));
    assert!(!session.outcome().records.iter().any(forgets), "it stays in the journal");
    session.withdraw(now(4)).unwrap();
    let (ticket, since) = returning(&session.outcome()).unwrap();
    assert_eq!(since, first);
    session.returned(ticket, Resumed::Yes, now(5));
    let outputs = session.outcome();
    assert!(journals(&outputs, &Record::Returning(Returning::Done)), "{outputs:?}");
    // It knows all of it now.
    session.ask_for_human(now(6)).unwrap();
    let second = session.request;
    session.withdraw(now(7)).unwrap();
    assert_eq!(returning(&session.outcome()).unwrap().1, second);
}

#[test]
fn a_talk_whose_return_never_left_is_told_at_the_next_handback_too() {
    let mut session = session();
    session.say("where is my order", now(0)).unwrap();
    let asked = asking(&session.outcome()).unwrap();
    // The bot hangs: nothing is sent to it before it has answered.
    session.ask_for_human(now(1)).unwrap();
    let first = session.request;
    session.withdraw(now(2)).unwrap();
    assert_eq!(returning(&session.outcome()), None);
    session.ask_for_human(now(3)).unwrap();
    let outputs = session.outcome();
    assert!(journals(&outputs, &Record::Returning(Returning::Due(first))), "{outputs:?}");
    session.withdraw(now(4)).unwrap();
    session.answered(asked, Err("slow".to_owned()), now(5));
    assert_eq!(returning(&session.outcome()).unwrap().1, first);
}

#[test]
fn each_cause_of_a_failed_return_is_told_once_until_the_bot_is_told() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    session.withdraw(now(1)).unwrap();
    let mut told = Vec::new();
    let causes = ["refused", "refused", "hung up", "refused", "", "refused"];
    for (second, cause) in (2..).zip(causes) {
        let Some((ticket, _)) = returning(&session.outcome()) else {
            panic!("no return before '{cause}'")
        };
        let outcome = match cause {
            "" => Resumed::Yes,
            "hung up" => Resumed::Failed(cause.to_owned()),
            _ => Resumed::Unreached(cause.to_owned()),
        };
        session.returned(ticket, outcome, now(second));
        let outputs = session.outcome();
        told.push(!notices(&outputs).is_empty());
        if let Some(asked) = asking(&outputs) {
            session.answered(asked, Ok(Reply::default()), now(second));
        }
        if cause.is_empty() {
            session.ask_for_human(now(second)).unwrap();
            session.withdraw(now(second)).unwrap();
        } else {
            session.say("hello", now(second)).unwrap();
        }
    }
    assert_eq!(told, [true, false, true, false, false, true]);
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
fn a_return_that_is_refused_after_the_customer_asked_for_a_person_again_is_told_with_the_next_one()
{
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    let first = session.request;
    session.withdraw(now(1)).unwrap();
    let (ticket, _) = returning(&session.outcome()).unwrap();
    // The bot's API hangs: the outcome is not known yet.
    session.ask_for_human(now(2)).unwrap();
    session.withdraw(now(3)).unwrap();
    assert_eq!(returning(&session.outcome()), None, "one request at a time");
    session.returned(ticket, Resumed::Unreached("refused".to_owned()), now(4));
    assert_eq!(
        returning(&session.outcome()).unwrap().1,
        first,
        "nothing of the first stretch was told"
    );

    let (mut session, asked_again) = (self::session(), |session: &mut Session| {
        session.ask_for_human(now(0)).unwrap();
        session.withdraw(now(1)).unwrap();
        let ticket = returning(&session.outcome()).unwrap().0;
        session.ask_for_human(now(2)).unwrap();
        session.outcome();
        ticket
    });
    let ticket = asked_again(&mut session);
    session.returned(ticket, Resumed::Unreached("refused".to_owned()), now(3));
    let due = Record::Returning(Returning::Due(1));
    assert!(journals(&session.outcome(), &due), "a restart tells it, too");
    session.withdraw(now(4)).unwrap();
    assert_eq!(returning(&session.outcome()).unwrap().1, 1);
}

/// What the journal of a customer's side has of these entries of its own.
fn kept(
    own: Number,
    controls: &[(Number, Body)],
    returning: Returning,
    asking: Option<Number>,
) -> Story {
    let mut story = Story::new(ConversationId::new([7; 16]), 1);
    for (number, body) in controls {
        let entry = Entry { number: *number, at: 0, body: body.clone() };
        story.apply(Offset(*number), &Record::Own(entry));
    }
    Story { secret: [9; 32], own, asking, returning, ..story }
}

#[test]
fn a_line_that_the_bot_answered_is_not_asked_again_after_two_restarts() {
    let controls = [(1, Body::Requested { reason: None }), (2, Body::Withdrawn {})];
    let body = |number: Number| match number {
        3 => Body::Message(Said::text(Author::User, "pay my bill")),
        4 => Body::Message(Said::text(Author::Bot, "paid")),
        number => controls[number as usize - 1].1.clone(),
    };
    let restart = |returning, asking| {
        let story = kept(4, &controls, returning, asking);
        Session::restore(&story, "desk:1".to_owned(), 1, journaled(body), now(0)).unwrap()
    };
    let outputs = restart(Returning::Due(1), None).outcome();
    let (mut asking_now, mut returning_now) = (None, Returning::Due(1));
    for (_, record) in &outputs.records {
        match record {
            Record::Asking(number) => asking_now = *number,
            Record::Returning(returning) => returning_now = *returning,
            _ => {}
        }
    }
    // The program dies before the bot's API has answered.
    let mut second = restart(returning_now, asking_now);
    let (ticket, _) = returning(&second.outcome()).unwrap();
    second.returned(ticket, Resumed::Yes, now(1));
    let outputs = second.outcome();
    assert_eq!(asking(&outputs), None, "{outputs:?}");
}

#[test]
fn a_menu_ends_with_a_reply_without_buttons() {
    let mut session = session();
    session.say("one", now(0)).unwrap();
    session.say("two", now(0)).unwrap();
    let button =
        Button { title: "Yes".to_owned(), payload: "/yes".to_owned(), ..Button::default() };
    let menu = Said { buttons: vec![button], ..Said::text(Author::Bot, "Sure?") };
    for (second, said) in [(1, menu), (2, Said::text(Author::Bot, "ok"))] {
        let ticket = asking(&session.outcome()).unwrap();
        session.answered(ticket, Ok(Reply { said: vec![said], handoff: None }), now(second));
    }
    session.outcome();
    session.say("1", now(3)).unwrap();
    let asked = question(&session.outcome());
    assert_eq!(asked.map(|(_, text)| text).as_deref(), Some("1"));
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
