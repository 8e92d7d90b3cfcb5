//! A table of what each command does in each state of a conversation, for an agent who is no lead.
//! Each cell is tried at its own desk.

use std::time::Duration;

use super::team::{takes, team};
use super::{joins, now, says};
use crate::core::desk::{Desk, SeatId};
use crate::core::record::Ending;
use crate::core::report::AgentRefusal;
use crate::wire::{Body, EndReason};

const STATES: [&str; 6] = ["mine", "ending", "queued", "accepting", "another's", "ended"];

/// `ok`, or the refusal.
const TABLE: &str = "
                mine      ending    queued    accepting  another's  ended
    accept      mine      mine      ok        accepting  taken      ended
    switch      ok        ok        not-mine  accepting  taken      ended
    say         ok        leaving   not-mine  accepting  taken      ended
    note        ok        ok        ok        ok         ok         ended
    tag         ok        ok        ok        ok         ok         ended
    untag       ok        ok        ok        ok         ok         ended
    hold        ok        leaving   not-mine  accepting  taken      ended
    resume      ok        leaving   not-mine  accepting  taken      ended
    close       ok        leaving   ok        accepting  taken      ended
    handback    ok        leaving   ok        accepting  taken      ended
    block       ok        leaving   ok        accepting  taken      ok
    transfer    ok        leaving   ok        accepting  taken      ended
    requeue     ok        leaving   not-mine  accepting  taken      ended
    decline     no-offer  no-offer  no-offer  no-offer   no-offer   ended
    take        lead      lead      lead      lead       lead       ended
    watch       lead      lead      lead      lead       lead       ended
";

/// A desk at which conversation 1 is in this state, as the agent robin sees it.
fn in_state(state: &str) -> (Desk, SeatId) {
    let (mut desk, [robin, al, _]) = team();
    match state {
        "mine" | "ending" => takes(&mut desk, robin, 1),
        "another's" => takes(&mut desk, al, 1),
        _ => joins(&mut desk, 1),
    }
    match state {
        "ending" => desk.end(robin, None, Ending::Close, None, now()).expect("it is robin's"),
        "accepting" => drop(desk.accept(robin, Some(1), now())),
        "ended" => {
            says(&mut desk, 1, 2, Body::Closed { of: None, reason: EndReason::UserEnded });
        }
        "mine" => desk.hold(robin, None, None, now()).expect("it is robin's"),
        _ => {}
    }
    (desk, robin)
}

fn tries(desk: &mut Desk, seat: SeatId, command: &str) -> Result<(), AgentRefusal> {
    let (on, now) = (Some(1), now());
    match command {
        "accept" => desk.accept(seat, on, now).map(drop),
        "switch" => desk.switch(seat, 1),
        "say" => desk.say_to(seat, on, "a line", now),
        "note" => desk.note(seat, on, "a note"),
        "tag" => desk.tag(seat, on, "refund"),
        "untag" => desk.tag(seat, on, "refund").and_then(|()| desk.untag(seat, on, "refund")),
        "hold" => desk.hold(seat, on, None, now),
        "resume" => desk.go_on(seat, on, None, now),
        "close" => desk.end(seat, on, Ending::Close, None, now),
        "handback" => desk.end(seat, on, Ending::HandBack, None, now),
        "block" => desk.block(seat, on, None, Duration::from_secs(60), now),
        "transfer" => desk.transfer(seat, on, "al", None, now),
        "requeue" => desk.transfer(seat, on, "queue", None, now),
        "decline" => desk.decline(seat, 1),
        "take" => desk.take_over(seat, 1, "a reason", now),
        "watch" => desk.toggle_watch(seat, 1).map(drop),
        command => panic!("{command} is tried nowhere"),
    }
}

fn cell(outcome: Result<(), AgentRefusal>) -> String {
    let why = match outcome {
        Ok(()) => "ok",
        Err(AgentRefusal::AlreadyYours(_)) => "mine",
        Err(AgentRefusal::BeingAccepted(_)) => "accepting",
        Err(AgentRefusal::Taken { .. }) => "taken",
        Err(AgentRefusal::NotYours(_)) => "not-mine",
        Err(AgentRefusal::OnTheWayOut(_)) => "leaving",
        Err(AgentRefusal::HasEnded(_)) => "ended",
        Err(AgentRefusal::NotOffered(_)) => "no-offer",
        Err(AgentRefusal::NeedsLead(_)) => "lead",
        Err(other) => return other.to_string(),
    };
    why.to_owned()
}

#[test]
fn every_command_does_what_the_table_says_in_every_state() {
    let mut rows = TABLE.trim_matches('\n').lines();
    let states: Vec<_> = rows.next().expect("a head").split_whitespace().collect();
    assert_eq!(states, STATES);
    for row in rows {
        let mut cells = row.split_whitespace();
        let Some(command) = cells.next() else { continue };
        for state in STATES {
            let (mut desk, robin) = in_state(state);
            let found = cell(tries(&mut desk, robin, command));
            assert_eq!(cells.next(), Some(&*found), "/{command} in '{state}'");
        }
    }
}
