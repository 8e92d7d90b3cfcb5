//! A desk that was killed or ended, and is started again.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::run::Handoff;
use crate::support::setup::{Setup, conversation, said, same_story, told, told_again};

/// A customer of this name at this position in the queue.
fn queued(setup: &Setup, name: &str, position: u32) -> Handoff {
    let mut user = setup.user(&["--profile", name, "--name", name]);
    user.say(&format!("a human, {name} asks"));
    user.until(|event| event["position"] == position);
    user
}

/// The events of this conversation with this name.
fn of<'a>(events: &'a [Value], id: &Value, kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["conversation"] == *id && event["event"] == kind).collect()
}

#[test]
fn a_killed_desk_restores_its_queue_conversations_and_focus_and_customers_reconnect() {
    let setup = Setup::new();
    let mut admin = setup.admin(&[]);
    let mut ann = queued(&setup, "Ann", 1);
    let mut bob = queued(&setup, "Bob", 2);
    let mut cy = queued(&setup, "Cy", 3);
    let mut dan = queued(&setup, "Dan", 4);
    for (accept, user) in [("/accept 3", &mut cy), ("/accept 1", &mut ann)] {
        admin.say(accept);
        user.until_state("active");
    }
    admin.until(|event| event["state"] == "active");
    admin.until(|event| event["state"] == "active");
    admin.say("for Ann");
    ann.until_text("for Ann");
    admin.until_text("for Ann");
    admin.say("/switch 3");
    admin.say("/list");
    admin.until_told("notice", "#3 Cy (gets your lines)");
    admin.kill();
    let users = [&mut ann, &mut bob, &mut cy, &mut dan];
    for user in users {
        user.until(|event| event["link"] == "lost");
    }
    let mut admin = setup.admin(&[]);
    for user in [&mut ann, &mut bob, &mut cy, &mut dan] {
        user.until(|event| event["link"] == "connected");
    }
    admin.say("to whom it was to go");
    cy.until_text("to whom it was to go");
    bob.until(|event| event["position"] == 1);
    dan.until(|event| event["position"] == 2);
    let ids = [&ann, &bob, &cy, &dan].map(conversation);
    let states: Vec<(Value, Value)> = ids
        .iter()
        .map(|id| {
            let events = admin.events();
            let states = of(&events, id, "state");
            assert_eq!(states.len(), 1, "each conversation's state is reported once: {states:?}");
            (states[0]["state"].clone(), states[0]["position"].clone())
        })
        .collect();
    let expected = [
        ("active".into(), Value::Null),
        ("queued".into(), 1.into()),
        ("active".into(), Value::Null),
    ];
    assert_eq!(states[..3], expected);
    assert_eq!(states[3], ("queued".into(), 2.into()));
    assert_eq!(
        told_again(&admin, &ids[0]),
        said(&[("user", "a human, Ann asks"), ("admin", "for Ann")])
    );
    assert_eq!(told_again(&admin, &ids[1]), said(&[("user", "a human, Bob asks")]));
    admin.say("/accept");
    bob.until_state("active");
    for (user, id) in [&mut ann, &mut bob, &mut cy].into_iter().zip(&ids) {
        same_story(&mut admin, user, id);
    }
    assert!(
        of(&ann.events(), &ids[0], "state")
            .iter()
            .filter(|state| state["state"] == "active")
            .count()
            == 1
    );
}

#[test]
fn lines_typed_while_the_desk_is_down_arrive_once_and_in_order() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    admin.say("hello");
    user.until_text("hello");
    admin.until_text("hello");
    let id = conversation(&user);
    for life in 0..3 {
        admin.kill();
        user.until(|event| event["link"] == "lost");
        for line in 0..50 {
            user.say(&format!("line {life}.{line}"));
        }
        user.until_text(&format!("line {life}.49"));
        admin = setup.admin(&["--auto-accept"]);
        admin.until_text(&format!("line {life}.49"));
    }
    same_story(&mut admin, &mut user, &id);
    assert_eq!(told(&user, &id).len(), 152);
}

/// The desk is killed while its command has no answer, because the customer's side is stopped.
#[track_caller]
fn pending_at_the_kill(command: &str) -> (Setup, Handoff, Handoff) {
    let setup = Setup::new();
    let (mut admin, user) = setup.talking();
    user.signal(Signal::STOP);
    admin.say(command);
    // The desk takes the next line only after the command is journaled.
    admin.say("/list");
    admin.until_told("notice", "(gets your lines)");
    admin.kill();
    let admin = setup.admin(&[]);
    user.signal(Signal::CONT);
    (setup, admin, user)
}

#[test]
fn a_handback_that_was_pending_at_the_kill_takes_effect_after_the_restart() {
    let (_setup, mut admin, mut user) = pending_at_the_kill("/handback all is well");
    assert_eq!(user.until_state("bot")["reason"], "handed_back");
    assert_eq!(admin.until_state("bot")["reason"], "handed_back");
    user.say("hi");
    user.until_text("heard hi");
}

#[test]
fn a_close_that_was_pending_at_the_kill_takes_effect_after_the_restart() {
    let (_setup, mut admin, mut user) = pending_at_the_kill("/close");
    assert_eq!(user.until_state("closed")["reason"], "admin_closed");
    assert_eq!(admin.until_state("closed")["reason"], "admin_closed");
    user.close_stdin();
    assert_eq!(user.exit_code(), 0);
}

#[test]
fn an_accept_that_was_pending_at_the_kill_takes_effect_after_the_restart() {
    let setup = Setup::new();
    let mut admin = setup.admin(&[]);
    let mut user = queued(&setup, "Ann", 1);
    user.signal(Signal::STOP);
    admin.say("/accept");
    admin.until_event("notice");
    // A script's accept prints nothing before its answer, so the test reads the journal until it is
    // there.
    let journal = setup.journal("admin");
    let accepts = || -> i64 {
        let sql = "SELECT count(*) FROM entry WHERE origin = 0";
        journal.query_row(sql, [], |row| row.get(0)).expect("the schema of the journal")
    };
    let end = std::time::Instant::now() + crate::support::run::WITHIN;
    while accepts() == 0 {
        assert!(std::time::Instant::now() < end, "the accept is not journaled");
        std::thread::yield_now();
    }
    admin.kill();
    let mut admin = setup.admin(&[]);
    user.signal(Signal::CONT);
    user.until_state("active");
    admin.until_state("active");
    admin.say("hello");
    user.until_text("hello");
    admin.until_text("hello");
}

#[test]
fn a_desk_restarted_after_a_close_has_no_line_to_deliver() {
    let setup = Setup::new();
    let mut admin = setup.admin(&[]);
    let mut user = setup.user(&[]);
    user.say("a human");
    admin.script("/accept\nhello\n/wait\n/close\n");
    user.until_text("hello");
    user.script("thanks\n");
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    let mut admin = setup.admin(&[]);
    admin.signal(Signal::TERM);
    assert_eq!(admin.exit_code(), 128 + 15);
    assert!(admin.events_of("error").is_empty(), "something was not delivered");
    assert!(admin.messages().is_empty(), "it is over");
}

#[test]
fn a_desk_restarted_after_a_customer_ended_has_no_line_to_deliver() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    admin.say("hello");
    user.until_text("hello");
    admin.until_text("hello");
    user.script("/end\n");
    admin.until_state("closed");
    assert_eq!(user.exit_code(), 0);
    admin.kill();
    let mut admin = setup.admin(&[]);
    admin.signal(Signal::TERM);
    admin.exit_code();
    assert!(admin.events_of("error").is_empty(), "something was not delivered");
}

#[test]
fn a_desk_that_ends_in_order_continues_after_a_restart() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    admin.say("hello");
    user.until_text("hello");
    admin.until_text("hello");
    admin.say("/quit");
    assert_eq!(admin.exit_code(), 0);
    let lost = user.until(|event| event["link"] == "lost");
    assert_eq!(lost["why"], "the desk says: the desk is closing");
    user.say("still there?");
    let mut admin = setup.admin(&[]);
    admin.until_text("still there?");
    admin.say("yes");
    user.until_text("yes");
    admin.until_text("yes");
    let id = conversation(&user);
    same_story(&mut admin, &mut user, &id);
}
