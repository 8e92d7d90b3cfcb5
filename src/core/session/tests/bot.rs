//! The requests to the bot: when they leave, how they end, and which of them a restart sends again.

use super::{
    Outcome, asking, journaled, journals, kept, notices, now, own, question, returning, seeded,
    session,
};
use crate::core::record::{Record, Returning};
use crate::core::reply::{Handoff, Reply};
use crate::core::session::{Resumed, Session};
use crate::wire::{Author, Body, Button, ConversationId, Number, Request, Said};

#[test]
fn the_customer_reads_once_after_ten_seconds_that_the_bot_is_slow() {
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
    // No request is under way for which the next return would have to wait.
    session.withdraw(now(2)).unwrap();
    assert!(for_bot(&session.outcome()));
}

#[test]
fn a_return_waits_until_an_older_request_has_ended() {
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
fn an_answer_to_a_former_conversation_is_not_shown_in_this_one() {
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
fn a_line_that_the_bot_did_not_answer_can_be_sent_again() {
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
fn a_bot_that_was_away_at_the_handback_gets_the_return_before_the_next_question() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    let request = session.ownership.request();
    session.withdraw(now(1)).unwrap();
    let returned = |outcome: &Outcome| returning(outcome).expect("a return");
    let (ticket, _) = returned(&session.outcome());
    session.returned(ticket, Resumed::Unreached("refused".to_owned()), now(2));
    session.outcome();
    session.say("are you back?", now(3)).unwrap();
    let outputs = session.outcome();
    let (ticket, since) = returned(&outputs);
    assert!(since == request && asking(&outputs).is_none(), "{outputs:?}");
    // The bot is away again. It still gets the question, and gets the return before the next
    // question.
    session.returned(ticket, Resumed::Unreached("refused".to_owned()), now(4));
    assert!(asking(&session.outcome()).is_some());
}

#[test]
fn lines_that_the_bot_refused_are_told_again_at_the_next_handback() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    let first = session.ownership.request();
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
    // Now the bot knows everything.
    session.ask_for_human(now(6)).unwrap();
    let second = session.ownership.request();
    session.withdraw(now(7)).unwrap();
    assert_eq!(returning(&session.outcome()).unwrap().1, second);
}

#[test]
fn lines_whose_return_never_left_are_told_at_the_next_handback() {
    let mut session = session();
    session.say("where is my order", now(0)).unwrap();
    let asked = asking(&session.outcome()).unwrap();
    // The bot hangs: this side sends it nothing until it has answered.
    session.ask_for_human(now(1)).unwrap();
    let first = session.ownership.request();
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
fn the_customer_reads_each_cause_of_failed_returns_once_until_one_succeeds() {
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
fn lines_of_a_return_that_was_refused_during_the_next_talk_are_told_after_it() {
    let mut session = session();
    session.ask_for_human(now(0)).unwrap();
    let first = session.ownership.request();
    session.withdraw(now(1)).unwrap();
    let (ticket, _) = returning(&session.outcome()).unwrap();
    // The bot's API hangs: the end of the return is not known yet.
    session.ask_for_human(now(2)).unwrap();
    session.withdraw(now(3)).unwrap();
    assert_eq!(returning(&session.outcome()), None, "one request at a time");
    session.returned(ticket, Resumed::Unreached("refused".to_owned()), now(4));
    assert_eq!(
        returning(&session.outcome()).unwrap().1,
        first,
        "the bot knows nothing of the first stretch"
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
    assert!(journals(&session.outcome(), &due), "a restart tells the bot, too");
    session.withdraw(now(4)).unwrap();
    assert_eq!(returning(&session.outcome()).unwrap().1, 1);
}

#[test]
fn a_line_that_the_bot_answered_is_not_asked_again_after_two_restarts() {
    let controls = [(1, Body::Requested(Request::default())), (2, Body::Withdrawn {})];
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
