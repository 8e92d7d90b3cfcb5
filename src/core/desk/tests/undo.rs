//! A `/close` or `/handback` that can still be undone, on virtual time.

use std::time::Duration;

use super::team::{options, takes, team};
use super::{after, id, now, reports, says, sent, settle, story};
use crate::core::desk::{Desk, SeatId, UNDO_WITHIN};
use crate::core::outcome::Side;
use crate::core::record::{Ending, Record, Restart};
use crate::core::report::{AgentRefusal, EndingOutcome, Report};
use crate::edge::journal::Journal;
use crate::wire::{Author, Body, DeskId, EndReason, Message, Said};

const SOON: Duration = Duration::from_millis(4_999);

/// The news about planned ends since the last call, and the controls that were journaled.
pub(super) fn news(desk: &mut Desk) -> (Vec<EndingOutcome>, Vec<Body>) {
    let outcome = desk.outcome();
    let told = reports(&outcome.acts).filter_map(|report| match report {
        Report::Ending { outcome, .. } => Some(*outcome),
        _ => None,
    });
    let mut told: Vec<_> = told.collect();
    told.dedup();
    let controls = outcome.records.into_iter().filter_map(|(_, record)| match record {
        Record::Own(entry) if entry.said().is_none() => Some(entry.body),
        _ => None,
    });
    (told, controls.collect())
}

#[test]
fn nothing_leaves_the_desk_until_the_time_to_undo_is_over() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    desk.outcome();
    assert_eq!(desk.end_soon(robin, None, Ending::Close, None, now()), Ok(()));
    assert!(desk.deadline() <= after(UNDO_WITHIN).clock);
    desk.tick(after(SOON));
    assert_eq!(news(&mut desk), (vec![EndingOutcome::Begun], vec![]));
    desk.tick(after(UNDO_WITHIN));
    assert_eq!(news(&mut desk), (vec![], vec![Body::Close { request: 1 }]));
    desk.tick(after(UNDO_WITHIN * 2));
    assert_eq!(news(&mut desk), (vec![], vec![]), "it is asked once");
}

#[test]
fn the_same_command_again_or_enter_ends_it_at_once_and_undo_keeps_it() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    takes(&mut desk, robin, 2);
    desk.outcome();
    assert_eq!(desk.undo(robin, now()), Err(AgentRefusal::NothingToUndo));
    desk.end_soon(robin, None, Ending::HandBack, None, now()).expect("robin has customer 2");
    desk.switch(robin, 1).expect("robin has customer 1");
    desk.confirm(robin, now());
    assert_eq!(desk.undo(al, now()), Err(AgentRefusal::NothingToUndo), "it is not al's");
    assert_eq!(desk.undo(robin, now()), Ok(()), "also from another conversation");
    assert_eq!(news(&mut desk), (vec![EndingOutcome::Begun, EndingOutcome::Undone], vec![]));
    desk.end_soon(robin, None, Ending::HandBack, None, now()).expect("robin has customer 1");
    desk.end_soon(robin, None, Ending::Close, None, now()).expect("robin thinks better of it");
    desk.confirm(robin, now());
    let begun = vec![EndingOutcome::Begun];
    assert_eq!(news(&mut desk), (begun.clone(), vec![Body::Close { request: 1 }]));
    desk.switch(robin, 2).expect("robin has customer 2");
    desk.end_soon(robin, None, Ending::HandBack, None, now()).expect("robin has customer 2");
    desk.end_soon(robin, None, Ending::HandBack, None, now()).expect("once more");
    assert_eq!(news(&mut desk), (begun, vec![Body::HandBack { request: 1 }]));
}

#[test]
fn a_line_another_agent_or_leaving_cancels_a_planned_end() {
    type Step = fn(&mut Desk, [SeatId; 3]);
    let cases: [(EndingOutcome, Step); 7] = [
        (EndingOutcome::AgentWrote, |desk, [robin, ..]| {
            desk.say(robin, "one more thing", now()).expect("robin has the customer");
        }),
        (EndingOutcome::CustomerWrote, |desk, _| {
            says(desk, 1, 3, Body::Message(Said::text(Author::User, "wait")));
        }),
        (EndingOutcome::CustomerLeft, |desk, _| {
            says(desk, 1, 3, Body::Closed { of: None, reason: EndReason::UserEnded });
        }),
        (EndingOutcome::Reassigned, |desk, [_, _, kim]| {
            desk.take_over(kim, 1, "mine", now()).expect("kim is a lead");
        }),
        (EndingOutcome::Reassigned, |desk, [robin, ..]| {
            desk.transfer(robin, None, "al", None, now()).expect("al is here");
        }),
        (EndingOutcome::Reassigned, |desk, _| {
            desk.set_agents(&options(&["al"]).agents, now());
        }),
        (EndingOutcome::AgentLeft, |desk, [robin, ..]| desk.sign_out(robin, now())),
    ];
    for (why, step) in cases {
        let (mut desk, seats) = team();
        takes(&mut desk, seats[0], 1);
        desk.outcome();
        desk.end_soon(seats[0], None, Ending::Close, None, now()).expect("robin has the customer");
        step(&mut desk, seats);
        let (told, controls) = news(&mut desk);
        let expected = vec![EndingOutcome::Begun, why];
        assert_eq!(told[..2], expected, "{why:?}");
        let is_close = |body: &Body| matches!(body, Body::Close { .. });
        desk.tick(after(UNDO_WITHIN));
        let later = news(&mut desk).1;
        assert!(!controls.iter().chain(&later).any(is_close), "{why:?}: its time is over");
    }
}

#[test]
fn a_desk_that_died_first_says_that_nothing_was_closed() {
    let (mut desk, [robin, ..]) = team();
    let mut journal = Journal::in_memory();
    takes(&mut desk, robin, 1);
    desk.end_soon(robin, None, Ending::Close, None, now()).expect("robin has the customer");
    settle(&mut desk, &mut journal);
    let stories = vec![story(&journal, 1)];
    assert_eq!(stories[0].ending, Some(Ending::Close));
    let restart = Restart { stories, ..Restart::default() };
    let options = options(&["robin", "al", "kim"]);
    let mut desk = Desk::restore(DeskId::new([1; 16]), options, &restart, now());
    desk.tick(after(UNDO_WITHIN));
    let outcome = desk.outcome();
    let is_note = |record: &Record| match record {
        Record::Note(note) => note.starts_with("not closed"),
        _ => false,
    };
    assert!(outcome.records.iter().any(|(_, record)| is_note(record)), "{:?}", outcome.records);
    assert!(outcome.records.contains(&(id(1), Record::Ending(None))));
    assert!(!sent(&outcome.acts).any(|(_, message)| matches!(message, Message::Entry(_))));
    let robin = desk.sign_in("robin").expect("an agent");
    assert!(desk.is_own(robin, id(1)), "it goes on");
}
