//! Several agents: which agent has which customer while offers and customers come and go, on
//! virtual time.

use std::time::Duration;

use super::{after, greets, hello, id, joins, now, reports, says, sent, settle, story};
use crate::core::agent::{Agent, Agents};
use crate::core::desk::{Act, Assign, Desk, Errand, Former, OFFERED_FOR, Options, SeatId};
use crate::core::outcome::{Fact, Side};
use crate::core::record::{Ending, Owner, Record, Restart, Untold};
use crate::core::report::{AgentRefusal, Report, Told, TransferOutcome};
use crate::edge::journal::Journal;
use crate::wire::{
    AGENT, Asked, Author, Body, Conn, DeskId, EndReason, Entry, Hello, Message, Number, REQUEUE,
    Request, Said, SecretHash,
};

pub(super) fn options(names: &[&str]) -> Options {
    let mut agents = Agents::default();
    for (name, lead) in names.iter().zip([false, false, true, false]) {
        let (name, shown_as) = ((*name).to_owned(), (*name).to_owned());
        let codes = vec![SecretHash::new([0; 32])];
        agents.add(Agent { name, shown_as, lead, departments: vec![], codes }).expect("a name");
    }
    Options { agents, ..Options::default() }
}

/// A desk with the agents robin and al, and kim, a lead, each at a seat.
pub(super) fn team() -> (Desk, [SeatId; 3]) {
    let mut desk = Desk::new(DeskId::new([1; 16]), options(&["robin", "al", "kim"]), now());
    let seats = ["robin", "al", "kim"].map(|name| desk.sign_in(name).expect("an agent"));
    (desk, seats)
}

pub(super) fn ours(number: Number) -> Asked {
    Asked { desk: DeskId::new([1; 16]), number }
}

/// The agent at this seat gets customer `n`.
pub(super) fn takes(desk: &mut Desk, seat: SeatId, n: u8) {
    joins(desk, n);
    desk.accept(seat, Some(n.into()), now()).expect("the customer waits");
    says(desk, n, 2, Body::Accepted { of: ours(1) });
    assert!(desk.is_own(seat, id(n)));
}

pub(super) fn outcomes(desk: &mut Desk) -> Vec<TransferOutcome> {
    let outcome = |report: &Report| match report {
        Report::Transfer { outcome, is_to_me: true, .. } => Some(*outcome),
        _ => None,
    };
    reports(&desk.outcome().acts).filter_map(outcome).collect()
}

#[test]
fn of_two_accepts_one_wins_and_the_other_agent_reads_who_has_the_customer() {
    let (mut desk, [robin, al, _]) = team();
    joins(&mut desk, 1);
    assert_eq!(desk.accept(robin, None, now()), Ok(id(1)));
    let taken = AgentRefusal::Taken { who: "#1 Customer 0101".to_owned(), agent: "robin".into() };
    assert_eq!(desk.accept(al, Some(1), now()), Err(taken.clone()));
    assert_eq!(desk.accept(al, None, now()), Err(AgentRefusal::NobodyWaitingIsConnected));
    says(&mut desk, 1, 2, Body::Accepted { of: ours(1) });
    assert_eq!(desk.accept(al, Some(1), now()), Err(taken.clone()));
    assert_eq!(desk.switch(al, 1), Err(taken));
    assert!(desk.is_talking(robin) && !desk.is_talking(al));
    assert!(matches!(desk.say(al, "hi", now()), Err(AgentRefusal::NoFocus(_))));
}

#[test]
fn lines_of_a_customer_who_waits_again_within_a_backlog_are_unread_at_nobody() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    takes(&mut desk, robin, 2);
    greets(&mut desk, Hello { newest: Number::MAX, ..hello(1) }, 101, 1, now());
    let entry = |number, body| Message::Entry(Entry { number, at: 0, body });
    let line = Body::Message(Said::text(Author::User, "hello?"));
    desk.received(Conn(101), entry(3, line), now());
    assert_eq!(desk.prompt(robin, now()).unread, 1);
    desk.received(Conn(101), entry(4, Body::Requested(Request::default())), now());
    assert_eq!(desk.prompt(robin, now()).unread, 0);
}

#[test]
fn a_customer_whom_another_agent_accepts_within_a_backlog_leaves_the_former_agents_screen() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    assert_eq!(desk.focus(robin), Some(id(1)));
    greets(&mut desk, Hello { newest: 4, ..hello(1) }, 101, 1, now());
    let entry = |number, body| Message::Entry(Entry { number, at: 0, body });
    desk.received(Conn(101), entry(3, Body::Requested(Request::default())), now());
    assert_eq!(desk.accept(al, Some(1), now()), Ok(id(1)));
    assert_eq!(desk.focus(robin), None);
    desk.received(Conn(101), entry(4, Body::Accepted { of: ours(2) }), now());
    assert_eq!((desk.focus(robin), desk.focus(al)), (None, Some(id(1))));
}

#[test]
fn an_offered_customer_stays_with_the_giver_until_accepted_and_the_offer_ends_by_itself() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    desk.outcome();
    assert_eq!(desk.transfer(robin, None, "al", Some("please"), now()), Ok(()));
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Offered]);
    assert_eq!(desk.say(robin, "still here", now()), Ok(()));
    desk.tick(after(OFFERED_FOR));
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Late]);
    assert!(matches!(desk.accept(al, Some(1), now()), Err(AgentRefusal::Taken { .. })));
    assert!(desk.is_own(robin, id(1)));
    // An offer that is accepted in time gives the customer to the other agent, and the first
    // agent's lines go nowhere.
    desk.transfer(robin, None, "AL", None, now()).expect("al is here");
    assert_eq!(desk.accept(al, Some(1), now()), Ok(id(1)));
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Offered, TransferOutcome::Accepted]);
    assert!(desk.is_own(al, id(1)) && desk.focus(al) == Some(id(1)) && desk.focus(robin).is_none());
    desk.tick(after(OFFERED_FOR * 2));
    assert_eq!(outcomes(&mut desk), [], "the offer's time ended with the offer");
}

#[test]
fn each_line_says_who_wrote_it_also_when_another_agent_has_the_customer_in_the_same_turn() {
    let (mut desk, [robin, al, _]) = team();
    let mut journal = Journal::in_memory();
    takes(&mut desk, robin, 1);
    desk.say(robin, "one moment", now()).expect("robin has the customer");
    desk.transfer(robin, None, "al", None, now()).expect("al is here");
    desk.accept(al, Some(1), now()).expect("the customer is offered to al");
    desk.say(al, "here I am", now()).expect("al has the customer");
    let committed = journal.commit(desk.outcome().records).expect("it is in memory");
    let said = committed.iter().filter(|committed| committed.line.said().is_some());
    let by: Vec<_> = said.map(|committed| committed.line.agent.as_deref()).collect();
    assert_eq!(by, [Some("robin"), Some("al")]);
    let told = |desk: &Desk| {
        let told = Told::new(id(1), 2, 0, &Said::text(Author::Admin, "one moment"));
        desk.for_agent(al, id(1), Told { agent: Some("robin".to_owned()), ..told }).agent
    };
    assert_eq!(told(&desk).as_deref(), Some("robin"));
    desk.set_agents(&options(&[]).agents, now());
    assert_eq!(told(&desk), None, "a desk of one agent has no names for them");
}

#[test]
fn an_offer_ends_when_the_conversation_ends_or_is_taken_over() {
    let (mut desk, [robin, al, kim]) = team();
    takes(&mut desk, robin, 1);
    desk.transfer(robin, None, "al", None, now()).expect("al is here");
    says(&mut desk, 1, 3, Body::Closed { of: None, reason: EndReason::UserEnded });
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Offered, TransferOutcome::Void]);
    assert_eq!(desk.decline(al, 1), Err(AgentRefusal::HasEnded(1)));
    takes(&mut desk, robin, 2);
    desk.transfer(robin, None, "al", None, now()).expect("al is here");
    desk.end(robin, None, Ending::Close, None, now()).expect("robin has the customer");
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Offered, TransferOutcome::Void]);
    let leaves = AgentRefusal::OnTheWayOut("#2 Customer 0202".to_owned());
    assert_eq!(desk.transfer(robin, None, "al", None, now()), Err(leaves.clone()));
    assert_eq!(desk.take_over(kim, 2, "mine", now()), Err(leaves));
    takes(&mut desk, robin, 3);
    desk.transfer(robin, None, "al", None, now()).expect("al is here");
    desk.take_over(kim, 3, "mine", now()).expect("kim is a lead");
    let told = outcomes(&mut desk);
    assert_eq!(told, [TransferOutcome::Offered, TransferOutcome::Void, TransferOutcome::TakenOver]);
}

#[test]
fn no_customer_is_offered_to_an_agent_who_is_away_or_full_or_unknown() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    desk.set_away(al, Some("lunch"), now());
    let here = vec!["desk".to_owned(), "robin".to_owned(), "kim".to_owned()];
    let away = AgentRefusal::NotHere { agent: "al".to_owned(), here };
    assert_eq!(desk.transfer(robin, None, "al", None, now()), Err(away));
    desk.set_away(al, None, now());
    desk.options.max_active = 1;
    takes(&mut desk, al, 2);
    let full = AgentRefusal::Full { agent: "al".to_owned(), most: 1 };
    assert_eq!(desk.transfer(robin, None, "al", None, now()), Err(full.clone()));
    joins(&mut desk, 3);
    assert_eq!(desk.accept(al, Some(3), now()), Err(full));
    let unknown = unknown_agent("bo");
    assert_eq!(desk.transfer(robin, None, "bo", None, now()), Err(unknown));
}

#[test]
fn the_beginning_of_an_agents_name_is_enough_if_it_fits_only_one() {
    let options = options(&["robin", "al", "kim", "kira"]);
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let [robin, _, kira] =
        ["robin", "kim", "kira"].map(|name| desk.sign_in(name).expect("an agent"));
    takes(&mut desk, robin, 1);
    let unknown = Err(unknown_agent("ki"));
    assert_eq!(desk.transfer(robin, None, "ki", None, now()), unknown);
    assert_eq!(desk.transfer(robin, None, "KIR", None, now()), Ok(()));
    assert_eq!(desk.accept(kira, None, now()), Ok(id(1)));
}

#[test]
fn a_desk_that_assigns_gives_each_customer_to_the_agent_idle_longest_who_answers() {
    let second = Duration::from_secs(1);
    let options = Options {
        assign: Assign::LongestIdle,
        answer_within: Some(second * 60),
        max_active: 1,
        has_terminal: false,
        ..options(&["robin", "al"])
    };
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let [robin, al] = ["robin", "al"].map(|name| desk.sign_in(name).expect("an agent"));
    (1..=3).for_each(|n| joins(&mut desk, n));
    desk.tick(now());
    for n in [1, 2] {
        says(&mut desk, n, 2, Body::Accepted { of: ours(1) });
    }
    assert!(desk.is_own(robin, id(1)) && desk.is_own(al, id(2)));
    assert_eq!(desk.waiting(), ["#3 Customer 0303"], "both have as many as they may");
    desk.say(al, "hello", now()).expect("al has the customer");
    // Robin does not answer: the customer is the first in the queue, and robin gets no other.
    desk.tick(after(second * 60));
    assert_eq!(desk.waiting(), ["#1 Customer 0101", "#3 Customer 0303"]);
    let away = desk.colleagues()[1].to_string();
    assert!(away.contains("away: did not answer"), "{away}");
    says(&mut desk, 2, 3, Body::Closed { of: None, reason: EndReason::UserEnded });
    desk.tick(after(second * 61));
    assert!(desk.is_own(al, id(1)));
    desk.set_away(robin, None, now());
    desk.tick(after(second * 62));
    says(&mut desk, 3, 2, Body::Accepted { of: ours(1) });
    assert!(desk.is_own(robin, id(3)));
}

#[test]
fn the_customers_side_learns_which_agent_is_there_if_it_understands_that() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    desk.transfer(robin, None, "queue", None, now()).expect("robin has the customer");
    let agent = |desk: &mut Desk| {
        let acts = desk.outcome().acts;
        let agents = sent(&acts).filter_map(|(_, message)| match message {
            Message::Agent { name, is_there, .. } => Some((name.clone(), *is_there)),
            _ => None,
        });
        agents.collect::<Vec<_>>()
    };
    assert_eq!(agent(&mut desk), [], "this customer's side is of 0.1.0");
    let hello = Hello { features: vec![AGENT.to_owned()], newest: 2, ..super::hello(1) };
    super::greets(&mut desk, hello, 9, 1, now());
    assert_eq!(agent(&mut desk), [(None, false)]);
    desk.accept(al, Some(1), now()).expect("the customer waits");
    assert_eq!(agent(&mut desk), [(Some("al".to_owned()), true)]);
}

#[test]
fn a_customer_who_lost_their_agent_is_queued_at_both_ends_and_still_owed_an_answer() {
    let (mut desk, [robin, al, _]) = team();
    let mut journal = Journal::in_memory();
    takes(&mut desk, robin, 1);
    let features = vec![AGENT.to_owned(), REQUEUE.to_owned()];
    super::greets(&mut desk, Hello { features, newest: 2, ..super::hello(1) }, 9, 1, now());
    let entry = |desk: &mut Desk, number, body| {
        desk.received(Conn(9), Message::Entry(Entry { number, at: 0, body }), now());
    };
    entry(&mut desk, 3, Body::Message(Said::text(Author::User, "hello?")));
    joins(&mut desk, 2);
    joins(&mut desk, 3);
    settle(&mut desk, &mut journal);
    desk.transfer(robin, None, "queue", None, now()).expect("robin has the customer");
    let asked = desk.outcome().records.into_iter().find_map(|(_, record)| match record {
        Record::Own(Entry { number, body: Body::Requeue { request: 1 }, .. }) => Some(number),
        _ => None,
    });
    assert_eq!(asked, Some(2));
    let leaves = AgentRefusal::OnTheWayOut("#1 Customer 0101".to_owned());
    assert_eq!(desk.accept(al, Some(1), now()), Err(leaves));
    entry(&mut desk, 4, Body::Requested(Request { of: Some(ours(2)), ..Request::default() }));
    assert_eq!(desk.waiting()[0], "#1 Customer 0101");
    assert_eq!(super::positions(&mut desk), [(9, 1)]);
    assert_eq!(desk.accept(al, None, now()), Ok(id(1)));
    entry(&mut desk, 5, Body::Accepted { of: ours(3) });
    let row = desk.list(al, now())[0].to_string();
    assert!(desk.is_own(al, id(1)) && row.contains("1 new"), "{row}");
}

#[test]
fn a_program_reads_again_how_many_lines_have_no_answer_when_a_customer_waits_again() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    let features = vec![AGENT.to_owned(), REQUEUE.to_owned()];
    super::greets(&mut desk, Hello { features, newest: 2, ..super::hello(1) }, 9, 1, now());
    let entry = |desk: &mut Desk, number, body| {
        desk.received(Conn(9), Message::Entry(Entry { number, at: 0, body }), now());
    };
    entry(&mut desk, 3, Body::Message(Said::text(Author::User, "hello?")));
    desk.transfer(robin, None, "queue", None, now()).expect("robin has the customer");
    desk.outcome();
    entry(&mut desk, 4, Body::Requested(Request { of: Some(ours(2)), ..Request::default() }));
    let told = |report: &Report| match report {
        Report::State { state, .. } => Some(format!("{state:?}")),
        Report::Unanswered { lines, .. } => Some(lines.to_string()),
        _ => None,
    };
    let told: Vec<String> = reports(&desk.outcome().acts).filter_map(told).collect();
    assert_eq!(told, ["Queued", "1"]);
}

#[test]
fn lines_that_come_together_are_counted_once_behind_them() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    desk.outcome();
    says(&mut desk, 1, 3, Body::Message(Said::text(Author::User, "hello?")));
    says(&mut desk, 1, 4, Body::Message(Said::text(Author::User, "anybody there?")));
    let told = |act: &Act| match act {
        Act::Tell(Fact::Said(passage)) => Some(format!("lines {:?}", passage.numbers)),
        Act::Tell(Fact::Report(_, Report::Unanswered { lines, .. })) => Some(lines.to_string()),
        _ => None,
    };
    let told: Vec<String> = desk.outcome().acts.iter().filter_map(told).collect();
    assert_eq!(told, ["lines 3..=4", "2"]);
}

#[test]
fn a_restart_finds_each_customer_at_their_agent_and_revoked_agents_have_none() {
    let (mut desk, [robin, al, _]) = team();
    let mut journal = Journal::in_memory();
    takes(&mut desk, robin, 1);
    takes(&mut desk, al, 2);
    takes(&mut desk, SeatId::TERMINAL, 3);
    settle(&mut desk, &mut journal);
    assert_eq!(story(&journal, 1).owner, Owner::Agent("robin".into()));
    let restart: Restart = journal.restart().expect("it is in memory");
    let mut desk =
        Desk::restore(DeskId::new([1; 16]), options(&["al", "kim"]), &restart, after(OFFERED_FOR));
    assert_eq!(desk.waiting(), ["#1 Customer 0101"], "robin is no agent any more");
    let al = desk.sign_in("al").expect("an agent");
    assert!(desk.is_own(al, id(2)) && desk.is_own(SeatId::TERMINAL, id(3)));
    // The agents' grace begins anew.
    desk.sign_out(al, after(OFFERED_FOR));
    desk.tick(after(OFFERED_FOR));
    assert_eq!(desk.waiting().len(), 1);
}

#[test]
fn an_offer_that_was_open_when_the_desk_stopped_is_void_and_both_agents_read_so_once() {
    let (mut desk, [robin, al, _]) = team();
    let mut journal = Journal::in_memory();
    let offered = |journal: &Journal, n| story(journal, n).offered.map(|offered| offered.to);
    takes(&mut desk, robin, 1);
    joins(&mut desk, 2);
    takes(&mut desk, robin, 3);
    for n in 1..=3 {
        desk.transfer(robin, Some(n), "al", None, now()).expect("al is here");
    }
    settle(&mut desk, &mut journal);
    assert_eq!([1, 2, 3].map(|n| offered(&journal, n)), [(); 3].map(|()| Some("al".into())));
    desk.decline(al, 3).expect("the customer is offered to al");
    settle(&mut desk, &mut journal);
    let restart = journal.restart().expect("it is in memory");
    let options = options(&["robin", "al", "kim"]);
    let mut desk = Desk::restore(DeskId::new([1; 16]), options.clone(), &restart, now());
    let outcome = desk.outcome();
    let note = |(of, record): &(_, Record)| match record {
        Record::Note(note) => Some((*of, note.clone())),
        _ => None,
    };
    let notes: Vec<_> = outcome.records.iter().filter_map(note).collect();
    let ended = "not transferred to al: the desk ended before that; ";
    let expected = [(1, "robin has the customer still"), (2, "the customer still waits")];
    assert_eq!(notes, expected.map(|(n, rest)| (id(n), format!("{ended}{rest}"))));
    journal.commit(outcome.records).expect("it is in memory");
    let untold = |journal: &Journal| {
        [1, 2, 3].map(|n| story(journal, n).offered.and_then(|offered| offered.void))
    };
    assert_eq!(untold(&journal), [Some(Untold::Both), Some(Untold::Both), None]);
    let arrives = |desk: &mut Desk, journal: &mut Journal, name, is_giver, shows| {
        let seat = desk.sign_in(name).expect("an agent");
        desk.tell_arrival(seat);
        let acts = desk.outcome().acts;
        if shows {
            desk.arrival_shown(seat);
        }
        desk.sign_out(seat, now());
        journal.commit(desk.outcome().records).expect("it is in memory");
        let is_void = |report: &&Report| {
            matches!(report, Report::Transfer { outcome: TransferOutcome::Void, is_to_me, .. }
                if *is_to_me != is_giver)
        };
        reports(&acts).filter(is_void).count()
    };
    // What the terminal has not shown is told again.
    assert_eq!(arrives(&mut desk, &mut journal, "robin", true, false), 2);
    assert_eq!(arrives(&mut desk, &mut journal, "robin", true, true), 2);
    assert_eq!(arrives(&mut desk, &mut journal, "robin", true, true), 0);
    assert_eq!(untold(&journal), [Some(Untold::Receiver), Some(Untold::Receiver), None]);
    // The desk dies again before al has come.
    let restart = journal.restart().expect("it is in memory");
    let mut desk = Desk::restore(DeskId::new([1; 16]), options, &restart, now());
    let outcome = desk.outcome();
    assert_eq!(outcome.records.iter().filter_map(note).count(), 0, "the note is kept once");
    journal.commit(outcome.records).expect("it is in memory");
    assert_eq!(arrives(&mut desk, &mut journal, "robin", true, true), 0);
    assert_eq!(arrives(&mut desk, &mut journal, "al", false, true), 2);
    assert_eq!(untold(&journal), [None, None, None]);
}

#[test]
fn accept_without_a_number_takes_the_customer_whom_another_agent_offers() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    joins(&mut desk, 2);
    desk.outcome();
    desk.tick(after(Duration::from_secs(1)));
    desk.outcome();
    desk.transfer(robin, None, "al", None, after(Duration::from_secs(20))).expect("al is here");
    desk.tick(after(Duration::from_secs(25)));
    let calls = desk.outcome().acts;
    let called = |act: &Act| matches!(act, Act::Errand(Errand::Ring(..)));
    assert!(calls.iter().any(called), "it rings at al");
    let is_notified = |act: &Act| matches!(act, Act::Errand(Errand::Notify(_)));
    assert!(!calls.iter().any(is_notified), "it concerns nobody else");
    assert_eq!(desk.accept(al, None, now()), Ok(id(1)));
    assert!(desk.is_own(al, id(1)));
}

#[test]
fn a_customer_who_waits_again_is_not_reported_as_back() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    desk.has_returned(id(1), Former::at(7));
    let features = vec![AGENT.to_owned(), REQUEUE.to_owned()];
    super::greets(&mut desk, Hello { features, newest: 2, ..super::hello(1) }, 9, 1, now());
    desk.transfer(robin, None, "queue", None, now()).expect("robin has them");
    desk.outcome();
    let requested = Body::Requested(Request { of: Some(ours(2)), ..Request::default() });
    desk.received(Conn(9), Message::Entry(Entry { number: 3, at: 0, body: requested }), now());
    let acts = desk.outcome().acts;
    let former = reports(&acts).find_map(|report| match report {
        Report::State { former, .. } => Some(former.is_some()),
        _ => None,
    });
    assert_eq!(former, Some(false));
}

#[test]
fn the_last_digit_of_a_number_leads_to_each_of_the_agents_customers_in_turn() {
    let (mut desk, [robin, al, _]) = team();
    (1..=12).for_each(|n| takes(&mut desk, if n == 2 { al } else { robin }, n));
    assert_eq!(desk.find_own_by_digit(robin, 1), Ok(1));
    desk.switch(robin, 1).expect("robin has the customer");
    assert_eq!(desk.find_own_by_digit(robin, 1), Ok(11));
    desk.switch(robin, 11).expect("robin has the customer");
    assert_eq!(desk.find_own_by_digit(robin, 1), Ok(1));
    assert_eq!(desk.find_own_by_digit(robin, 2), Ok(12), "al has #2");
    assert_eq!(desk.find_own_by_digit(robin, 0), Ok(10));
    assert_eq!(desk.find_own_by_digit(al, 1), Err(AgentRefusal::NoneEndsIn(1)));
}

fn unknown_agent(name: &str) -> AgentRefusal {
    AgentRefusal::NoSuchAgent { name: name.to_owned(), departments: Vec::new() }
}
