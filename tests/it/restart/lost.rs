//! A journal that is lost, or replaced by an older copy.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::run::Handoff;
use crate::support::setup::{Setup, conversation, said, told};

/// A desk and a customer who talk.
fn talking(setup: &Setup) -> (Handoff, Handoff) {
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    user.say("hi");
    user.until_text("heard hi");
    user.say("a human");
    user.until_state("active");
    admin.until_state("active");
    (admin, user)
}

/// Each side sends a line and waits for the other's.
#[track_caller]
fn exchange(admin: &mut Handoff, user: &mut Handoff, what: &str) {
    let (mine, theirs) = (format!("user {what}"), format!("admin {what}"));
    user.say(&mine);
    admin.until_text(&mine);
    admin.say(&theirs);
    user.until_text(&theirs);
    admin.until_text(&theirs);
}

/// Ends a program in order.
#[track_caller]
fn leave(end: &mut Handoff) {
    end.signal(Signal::TERM);
    end.exit_code();
}

#[test]
fn a_desk_that_lost_its_journal_has_the_whole_conversation_again_once() {
    let setup = Setup::new();
    let (mut admin, mut user) = talking(&setup);
    exchange(&mut admin, &mut user, "one");
    let id = conversation(&user);
    admin.kill();
    setup.forget("admin");
    user.until(|event| event["link"] == "lost");
    user.say("user two");
    let mut admin = setup.admin(&[]);
    user.until_told(
        "notice",
        "the desk lost what it knew of you; you are in its queue again, with all that was said",
    );
    user.until(|event| event["position"] == 1);
    admin.until_told("notice", "2 entries of another desk are held by");
    admin.say("/accept");
    user.until_state("active");
    exchange(&mut admin, &mut user, "three");
    let expected = [
        ("user", "hi"),
        ("bot", "heard hi"),
        ("user", "a human"),
        ("user", "user one"),
        ("user", "user two"),
        ("user", "user three"),
        ("admin", "admin three"),
    ];
    assert_eq!(told(&admin, &id), said(&expected));
    assert_eq!(told(&user, &id).len(), 8, "the customer's side printed a message twice");
    // After a restart of both, everything is still there.
    leave(&mut admin);
    leave(&mut user);
    let (mut admin, mut user) = (setup.admin(&[]), setup.user(&[]));
    exchange(&mut admin, &mut user, "four");
    assert_eq!((told(&admin, &id).len(), told(&user, &id).len()), (9, 10));
}

#[test]
fn a_desk_with_an_older_journal_names_the_lines_that_only_the_customer_has() {
    let setup = Setup::new();
    let (mut admin, mut user) = talking(&setup);
    exchange(&mut admin, &mut user, "one");
    let id = conversation(&user);
    leave(&mut admin);
    setup.back_up("admin");
    let mut admin = setup.admin(&[]);
    exchange(&mut admin, &mut user, "two");
    let last = admin.messages().len();
    assert_eq!(last, 7);
    admin.kill();
    setup.set_back("admin");
    let mut admin = setup.admin(&[]);
    // The accept is the desk's entry 1, and 'admin one' is entry 2.
    admin.until_told("notice", "lines 3..3 are held by the customer only");
    exchange(&mut admin, &mut user, "three");
    let number = admin.events_of("message").last().unwrap()["number"].clone();
    assert_eq!(number, 4, "the desk must go on with the number after the customer's");
    let texts: Vec<String> = told(&admin, &id).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts[3..], ["user one", "admin one", "user two", "user three", "admin three"]);
    admin.kill();
    let mut admin = setup.admin(&[]);
    exchange(&mut admin, &mut user, "four");
    admin.say("/history");
    admin.until_told("note", "lines 3..3 are held by the customer only");
    let all = told(&user, &id);
    assert_eq!(all.len(), 3 + 8, "the customer must have each message once: {all:?}");
}

#[test]
fn a_customer_with_an_older_journal_gets_a_new_conversation_with_all_unread_lines() {
    let setup = Setup::new();
    let (mut admin, mut user) = talking(&setup);
    exchange(&mut admin, &mut user, "one");
    let id = conversation(&user);
    leave(&mut user);
    setup.back_up("user");
    let mut user = setup.user(&[]);
    exchange(&mut admin, &mut user, "two");
    user.say("user lost");
    admin.until_text("user lost");
    user.kill();
    admin.kill();
    setup.set_back("user");
    let mut user = setup.user(&[]);
    user.until_state("active");
    user.say("nobody has this");
    user.until_text("nobody has this");
    let mut admin = setup.admin(&["--auto-accept"]);
    user.until_told("notice", "a new conversation goes on with all that was said");
    let new = user.until_state("active")["conversation"].clone();
    assert_ne!(new, id);
    admin.until(|event| event["conversation"] == new && event["text"] == "nobody has this");
    admin.until(|event| event["conversation"] == new && event["state"] == "active");
    let error = user.events_of("error");
    assert_eq!(error.len(), 1, "{error:?}");
    assert!(error[0]["text"].to_string().contains("remember different things"), "{error:?}");
    admin.say("/switch 2");
    exchange(&mut admin, &mut user, "three");
    let expected = [("user", "nobody has this"), ("user", "user three"), ("admin", "admin three")];
    assert_eq!(told(&admin, &new), said(&expected));
    assert_eq!(setup.bot.texts(), ["hi", "a human"]);
}

#[test]
fn a_fork_is_found_when_a_customer_with_an_older_journal_has_more_entries_than_the_desk() {
    let setup = Setup::new();
    let (mut admin, mut user) = talking(&setup);
    leave(&mut user);
    setup.back_up("user");
    let mut user = setup.user(&[]);
    exchange(&mut admin, &mut user, "one");
    user.kill();
    admin.kill();
    setup.set_back("user");
    let mut user = setup.user(&[]);
    user.until_state("active");
    let lines: Vec<String> = (0..5).map(|line| format!("nobody has {line}")).collect();
    lines.iter().for_each(|line| user.say(line));
    user.until_text(&lines[4]);
    let mut admin = setup.admin(&["--auto-accept"]);
    admin.until_text(&lines[4]);
    let came: Vec<Value> =
        admin.events_of("message").iter().map(|event| event["text"].clone()).collect();
    let came: Vec<&str> =
        came.iter().filter_map(Value::as_str).filter(|text| text.starts_with("nobody")).collect();
    assert_eq!(came, lines, "a line was not delivered");
}

#[test]
fn a_fork_of_a_journal_from_before_the_handoff_is_found_at_the_next_handoff() {
    let setup = Setup::new();
    let mut user = setup.user(&[]);
    user.say("hi");
    user.until_text("heard hi");
    leave(&mut user);
    setup.back_up("user");
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_state("active");
    let id = conversation(&user);
    exchange(&mut admin, &mut user, "one");
    user.kill();
    setup.set_back("user");
    let mut user = setup.user(&[]);
    user.say("another human");
    user.until_told("notice", "a new conversation goes on");
    let new = user.until_state("active")["conversation"].clone();
    assert_ne!(new, id);
    admin.until(|event| event["conversation"] == new && event["state"] == "active");
}

#[test]
fn a_desk_with_an_older_journal_loses_no_line_that_its_agent_types_before_the_reconnect() {
    let setup = Setup::new();
    let (mut admin, mut user) = talking(&setup);
    leave(&mut admin);
    setup.back_up("admin");
    let mut admin = setup.admin(&[]);
    for line in ["one", "two", "three"] {
        exchange(&mut admin, &mut user, line);
    }
    user.signal(Signal::STOP);
    admin.kill();
    setup.set_back("admin");
    let mut admin = setup.admin(&[]);
    for line in 0..5 {
        admin.say(&format!("nobody has {line}"));
    }
    admin.until_text("nobody has 4");
    user.signal(Signal::CONT);
    user.until_text("nobody has 4");
    let heard = |end: &Handoff| -> Vec<String> {
        let lines = end.messages().into_iter().map(|(_, text)| text);
        lines.filter(|text| text.starts_with("nobody")).collect()
    };
    let lines: Vec<String> = (0..5).map(|line| format!("nobody has {line}")).collect();
    assert_eq!(heard(&user), lines);
    // The accept is the desk's entry 1. Entries 2 to 4, 'admin one' to 'admin three', are lost.
    admin.until_told("notice", "lines 2..4 are held by the customer only");
    admin.until_told("notice", "the agents' lines since the restart follow as 5..9");
    exchange(&mut admin, &mut user, "four");
    // After another restart each line is there once, too.
    admin.kill();
    let mut admin = setup.admin(&[]);
    exchange(&mut admin, &mut user, "five");
    assert_eq!(heard(&admin), lines);
}
