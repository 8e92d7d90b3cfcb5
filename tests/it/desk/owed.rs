//! Customers who wait for an answer: the list, `/next`, and a restart.

use crate::support::run::Handoff;
use crate::support::setup::{Setup, conversation};

/// A customer of this name whom the desk has accepted.
fn accepted(setup: &Setup, admin: &mut Handoff, name: &str) -> Handoff {
    let mut user = queued(setup, name);
    admin.say(&format!("/accept {name}"));
    user.until_state("active");
    admin.until(|event| event["state"] == "active");
    user
}

fn queued(setup: &Setup, name: &str) -> Handoff {
    let mut user = setup.user(&["--profile", name, "--name", name]);
    user.say(&format!("a human, {name} asks"));
    user.until(|event| event["position"] == 1);
    user
}

fn says(admin: &mut Handoff, user: &mut Handoff, line: &str) {
    user.say(line);
    admin.until_text(line);
}

/// The rows of `/list`, without the times.
fn list(admin: &mut Handoff) -> Vec<String> {
    let before = admin.events_of("notice").len();
    admin.say("/list");
    admin.say("/no-such-command");
    admin.until_told("error", "no-such-command");
    let notices = admin.events_of("notice").split_off(before);
    let text = |notice: &serde_json::Value| notice["text"].as_str().unwrap_or_default().to_owned();
    let no_times = |text: String| {
        text.split(' ').filter(|word| !word.starts_with("0:")).collect::<Vec<_>>().join(" ")
    };
    notices.iter().map(text).map(no_times).collect()
}

#[test]
fn the_customer_who_has_waited_longest_for_an_answer_is_first_in_the_list_and_for_next() {
    let setup = Setup::new();
    let mut admin = setup.admin(&[]);
    let mut ann = accepted(&setup, &mut admin, "Ann");
    let mut bob = accepted(&setup, &mut admin, "Bob");
    let mut cy = accepted(&setup, &mut admin, "Cy");
    let mut dan = queued(&setup, "Dan");
    says(&mut admin, &mut bob, "first");
    says(&mut admin, &mut dan, "hello?");
    says(&mut admin, &mut ann, "2nd");
    says(&mut admin, &mut bob, "3rd");
    let owed = admin.until(|event| event["event"] == "unanswered");
    assert_eq!(owed["lines"], 2);
    let owed = [
        "#2 Bob  2 new, oldest  \"3rd\"",
        "#1 Ann  1 new, oldest  \"2nd\"",
        "#4 Dan  waits number 1 in the queue  \"hello?\"",
        "#3 Cy (gets your lines)  talks to you, has heard nothing yet",
    ];
    assert_eq!(list(&mut admin), owed);
    admin.say("/next");
    admin.say("for Bob");
    bob.until_text("for Bob");
    let owed = admin.until(|event| event["event"] == "unanswered" && event["lines"] == 0);
    assert_eq!((&owed["conversation"], owed.get("since")), (&conversation(&bob), None));
    admin.say("/next");
    admin.say("for Ann");
    ann.until_text("for Ann");
    // When no customer waits for an answer, `/next` goes round all of them.
    for (name, user) in [("Bob", &mut bob), ("Cy", &mut cy)] {
        admin.say("/next");
        admin.say(&format!("again, {name}"));
        user.until_text(&format!("again, {name}"));
    }
    assert!(!list(&mut admin).iter().any(|row| row.contains("new")));
}

#[test]
fn a_restart_forgets_no_customer_who_waits_for_an_answer() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--greeting", "Welcome!"]);
    let mut ann = accepted(&setup, &mut admin, "Ann");
    let mut bob = accepted(&setup, &mut admin, "Bob");
    admin.say("for Bob");
    bob.until_text("for Bob");
    says(&mut admin, &mut ann, "one");
    says(&mut admin, &mut bob, "two");
    says(&mut admin, &mut ann, "three");
    let before = list(&mut admin);
    assert_eq!(before[0], "#1 Ann  2 new, oldest  \"three\"");
    assert_eq!(before[1], "#2 Bob (gets your lines)  1 new, oldest  \"two\"");
    admin.kill();
    let mut admin = setup.admin(&[]);
    let owed = admin.until(|event| event["event"] == "unanswered");
    assert_eq!((&owed["lines"], &owed["conversation"]), (&2.into(), &conversation(&ann)));
    for user in [&mut ann, &mut bob] {
        user.until(|event| event["link"] == "connected");
    }
    admin.until(|event| event["link"] == "connected");
    admin.until(|event| event["link"] == "connected");
    assert_eq!(list(&mut admin), before);
}
