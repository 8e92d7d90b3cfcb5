//! Tags, and customers on hold.

use super::team::{takes, team};
use super::{after, greets, id, joins, now, reports, says, sent, settle, story};
use crate::core::desk::{Desk, Options, SeatId, UNDO_WITHIN};
use crate::core::outcome::Side;
use crate::core::record::{Ending, Record, Restart};
use crate::core::report::{AgentRefusal, Report};
use crate::edge::journal::Journal;
use crate::wire::{AGENT, Asked, Author, Body, DeskId, Entry, Hello, Message, Request, Said};

fn tags(desk: &mut Desk) -> Option<Vec<String>> {
    let tags = |report: &Report| match report {
        Report::Tags { tags, .. } => Some(tags.clone()),
        _ => None,
    };
    reports(&desk.outcome().acts).filter_map(tags).last()
}

/// The news about holds since the last call: for agents, and for the customer's side.
fn holds(desk: &mut Desk) -> (Vec<bool>, Vec<bool>) {
    let acts = desk.outcome().acts;
    let told = |report: &Report| match report {
        Report::State { on_hold, .. } => *on_hold,
        _ => None,
    };
    let to_customer = |(_, message): (_, &Message)| match message {
        Message::Agent { on_hold, .. } => Some(*on_hold),
        _ => None,
    };
    (reports(&acts).filter_map(told).collect(), sent(&acts).filter_map(to_customer).collect())
}

/// The agent at this seat gets customer 1, whose side understands `agent` messages.
fn talks(desk: &mut Desk, seat: SeatId) {
    greets(desk, Hello { features: vec![AGENT.to_owned()], ..super::hello(1) }, 1, 1, now());
    says(desk, 1, 1, Body::Requested(Request::default()));
    desk.accept(seat, Some(1), now()).expect("the customer waits");
    let of = Asked { desk: DeskId::new([1; 16]), number: 1 };
    says(desk, 1, 2, Body::Accepted { of });
}

#[test]
fn a_tag_is_kept_once_listed_and_taken_away_by_any_agent() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    joins(&mut desk, 2);
    desk.outcome();
    for tag in ["refund", "VIP", "Refund"] {
        desk.tag(al, Some(1), tag).expect("a customer of another agent may be tagged");
    }
    assert_eq!(tags(&mut desk), Some(vec!["refund".into(), "VIP".into()]));
    desk.tag(robin, Some(2), "new").expect("a waiting customer may be tagged");
    let rows: Vec<_> = desk.list(robin, now()).iter().map(ToString::to_string).collect();
    assert!(rows[0].ends_with("[new]") && rows[1].ends_with("[refund, VIP]"), "{rows:?}");
    assert_eq!(desk.untag(robin, None, "vip"), Ok(()));
    assert_eq!(tags(&mut desk), Some(vec!["refund".into()]));
    let none = AgentRefusal::NoSuchTag { who: "#1 Customer 0101".into(), tag: "vip".into() };
    assert_eq!(desk.untag(robin, None, "vip"), Err(none));
    let more: Vec<_> = (0..20).map(|n| desk.tag(robin, None, &format!("t{n}"))).collect();
    assert_eq!(more.iter().filter(|it| it.is_ok()).count(), 15, "16 are the most");
}

#[test]
fn a_customer_on_hold_reads_that_with_the_text_and_is_still_owed_an_answer() {
    let (mut desk, [robin, al, _]) = team();
    talks(&mut desk, robin);
    says(&mut desk, 1, 3, Body::Message(Said::text(Author::User, "where is it?")));
    desk.outcome();
    desk.hold(robin, None, Some("one moment, please"), now()).expect("robin has the customer");
    let acts = desk.outcome();
    let said = acts.records.iter().find_map(|(_, record)| match record {
        Record::Said(_, Entry { body: Body::Message(said), .. }) => Some(said),
        _ => None,
    });
    assert!(said.is_some_and(|said| said.greeting && &*said.text == "one moment, please"));
    let row = desk.list(robin, now())[0].to_string();
    assert!(row.contains("(gets your lines, on hold)"), "{row}");
    assert!(row.contains("1 new"), "{row}");
    let taken = AgentRefusal::Taken { who: "#1 Customer 0101".into(), agent: "robin".into() };
    assert_eq!(desk.hold(al, Some(1), None, now()), Err(taken));
    joins(&mut desk, 2);
    let waits = AgentRefusal::NotYours("#2 Customer 0202".into());
    assert_eq!(desk.hold(al, Some(2), None, now()), Err(waits));
}

#[test]
fn a_hold_ends_with_the_next_line_with_resume_and_with_another_agent() {
    let (mut desk, [robin, al, _]) = team();
    talks(&mut desk, robin);
    desk.outcome();
    let hold = |desk: &mut Desk| {
        desk.hold(robin, None, None, now()).expect("robin has the customer");
        assert_eq!(holds(desk), (vec![true], vec![true]));
    };
    hold(&mut desk);
    desk.say(robin, "I have it", now()).expect("robin has the customer");
    assert_eq!(holds(&mut desk), (vec![false], vec![false]));
    hold(&mut desk);
    assert_eq!(desk.go_on(robin, None, Some("back again"), now()), Ok(()));
    assert_eq!(holds(&mut desk), (vec![false], vec![false]));
    let not = AgentRefusal::NotOnHold("#1 Customer 0101".into());
    assert_eq!(desk.go_on(robin, None, None, now()), Err(not.clone()));
    hold(&mut desk);
    desk.transfer(robin, None, "al", None, now()).expect("al is here");
    desk.accept(al, Some(1), now()).expect("it is offered");
    assert_eq!(holds(&mut desk), (vec![], vec![false]), "al is with them");
    assert_eq!(desk.go_on(al, None, None, now()), Err(not));
}

#[test]
fn tags_and_a_hold_outlast_the_desk() {
    let mut journal = Journal::in_memory();
    let (mut desk, [robin, ..]) = team();
    talks(&mut desk, robin);
    desk.tag(robin, None, "refund").expect("robin has the customer");
    desk.hold(robin, None, None, now()).expect("robin has the customer");
    settle(&mut desk, &mut journal);
    let restart = Restart { stories: vec![story(&journal, 1)], begun: 1, ..Restart::default() };
    assert_eq!(restart.stories[0].tags, ["refund".into()]);
    let options = Options { has_terminal: true, ..super::team::options(&["robin"]) };
    let mut desk = Desk::restore(DeskId::new([1; 16]), options, &restart, now());
    let robin = desk.sign_in("robin").expect("an agent");
    let row = desk.list(robin, now())[0].to_string();
    assert!(row.contains("on hold") && row.ends_with("[refund]"), "{row}");
    assert!(desk.is_own(robin, id(1)));
    desk.outcome();
    greets(&mut desk, Hello { features: vec![AGENT.into()], ..super::hello(1) }, 9, 1, now());
    assert_eq!(holds(&mut desk).1, [true], "the customer's side hears it again");
}

#[test]
fn a_hold_does_not_outlast_the_agent_who_asked_for_it() {
    let mut journal = Journal::in_memory();
    let (mut desk, [robin, ..]) = team();
    talks(&mut desk, robin);
    desk.hold(robin, None, None, now()).expect("robin has the customer");
    settle(&mut desk, &mut journal);
    let restart = Restart { stories: vec![story(&journal, 1)], begun: 1, ..Restart::default() };
    let mut desk =
        Desk::restore(DeskId::new([1; 16]), super::team::options(&["al"]), &restart, now());
    desk.tell_states();
    assert!(holds(&mut desk).0.is_empty(), "robin is no agent any more");
    greets(&mut desk, Hello { features: vec![AGENT.into()], ..super::hello(1) }, 9, 1, now());
    assert_eq!(holds(&mut desk).1, [false]);
}

#[test]
fn a_customer_who_waits_again_is_not_on_hold() {
    let (mut desk, [robin, ..]) = team();
    talks(&mut desk, robin);
    desk.hold(robin, None, None, now()).expect("robin has the customer");
    says(&mut desk, 1, 3, Body::Requested(Request::default()));
    desk.outcome();
    desk.tell_states();
    assert!(holds(&mut desk).0.is_empty());
}

#[test]
fn hold_and_resume_cancel_a_planned_end() {
    let (mut desk, [robin, ..]) = team();
    talks(&mut desk, robin);
    let closes_and = |desk: &mut Desk, act: &dyn Fn(&mut Desk)| {
        desk.end_soon(robin, None, Ending::Close, None, now()).expect("robin has the customer");
        act(desk);
        desk.tick(after(UNDO_WITHIN));
        desk.outcome().records.into_iter().any(|(_, record)| {
            matches!(record, Record::Own(Entry { body: Body::Close { .. }, .. }))
        })
    };
    let hold = |desk: &mut Desk| desk.hold(robin, None, None, now()).expect("robin has them");
    assert!(!closes_and(&mut desk, &hold), "a hold cancels the end");
    let resume = |desk: &mut Desk| desk.go_on(robin, None, None, now()).expect("on hold");
    assert!(!closes_and(&mut desk, &resume));
}
