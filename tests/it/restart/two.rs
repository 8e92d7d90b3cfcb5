//! The same conversation from two programs, and a conversation with a wrong secret.

use crate::support::run::Handoff;
use crate::support::setup::{Setup, conversation, same_story};

/// A customer who talks, and a second program that continues with a copy of the first's journal.
fn two(setup: &Setup) -> (Handoff, Handoff, Handoff) {
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut older = setup.user(&[]);
    older.say("a human");
    older.until_state("active");
    admin.until_state("active");
    admin.say("hello");
    older.until_text("hello");
    older.kill();
    admin.until(|event| event["link"] == "lost");
    setup.clone_user("copy");
    let mut older = setup.user(&[]);
    older.until(|event| event["link"] == "connected");
    let newer = setup.user(&["--profile", "copy"]);
    (admin, older, newer)
}

#[test]
fn the_newer_of_two_programs_replaces_the_older_which_does_not_dial_again() {
    let setup = Setup::new();
    let (mut admin, mut older, mut newer) = two(&setup);
    let told_older = older.until_told("error", "this conversation goes on in another program");
    assert!(told_older["text"].to_string().contains(&setup.desk), "{told_older}");
    newer.until_state("active");
    newer.say("from the newer");
    admin.until_text("from the newer");
    // A script cannot decide what to do, so it ends.
    assert_eq!(older.exit_code(), 1);
    admin.say("still with you");
    newer.until_text("still with you");
    admin.until_text("still with you");
    newer.say("good");
    admin.until_text("good");
    let id = conversation(&newer);
    same_story(&mut admin, &mut newer, &id);
    let links = older.events_of("link");
    assert_eq!(links.last().unwrap()["link"], "lost", "the older program dialled again: {links:?}");
}

#[test]
fn a_person_at_the_older_of_two_programs_cannot_change_the_conversation_any_more() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut newer = setup.user(&[]);
    newer.say("a human");
    newer.until_state("active");
    admin.until_state("active");
    newer.kill();
    admin.until(|event| event["link"] == "lost");
    setup.clone_user("copy");
    let arguments: Vec<&str> = setup
        .user_arguments(&["--profile", "copy"])
        .into_iter()
        .filter(|word| *word != "--json")
        .collect();
    let mut older = crate::support::terminal::Terminal::start(&arguments);
    older.prompts("agent> ");
    admin.until(|event| event["link"] == "connected");
    let mut newer = setup.user(&[]);
    older.sees("this conversation goes on in another program; /new starts another");
    for line in ["/bot", "/human", "/end", "a line"] {
        older.press(&format!("{line}\r"));
    }
    let seen = older.sees("(not sent; the Up key");
    older.last_row("not connected> ");
    assert_eq!(
        seen.matches("in another program; /new starts another").count(),
        5,
        "each command must be refused, with the words of the notice: {seen}"
    );
    newer.until_state("active");
    newer.say("still here");
    admin.until_text("still here");
    let id = conversation(&newer);
    let states: Vec<_> =
        admin.events_of("state").into_iter().map(|event| event["state"].clone()).collect();
    assert_eq!(states, ["queued", "active"], "something changed at the desk");
    same_story(&mut admin, &mut newer, &id);
    older.press("/new\r");
    older.prompts("bot> ");
    older.press("hi\r");
    older.sees("heard hi");
    older.press("/quit\r");
    assert_eq!(older.program.exit_code(), 0);
    newer.say("and still");
    admin.until_text("and still");
}

#[test]
fn a_customer_with_a_wrong_secret_is_refused_and_the_right_one_stays_connected() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut right = setup.user(&[]);
    right.say("a human");
    right.until_state("active");
    admin.until_state("active");
    right.kill();
    setup.clone_user("copy");
    let mut right = setup.user(&[]);
    right.until(|event| event["link"] == "connected");
    let journal = setup.profile("user").with_file_name("copy").join("journal.sqlite");
    let journal = rusqlite::Connection::open(journal).expect("it was copied");
    journal
        .execute("UPDATE conversation SET secret = randomblob(32)", [])
        .expect("the schema of the journal");
    drop(journal);
    let mut wrong = setup.user(&["--profile", "copy"]);
    wrong.until_told("error", "this conversation belongs to somebody else");
    wrong.close_stdin();
    wrong.exit_code();
    right.say("I am the right one");
    admin.until_text("I am the right one");
    admin.say("indeed");
    right.until_text("indeed");
    assert!(right.events_of("error").is_empty());
    assert!(wrong.messages().iter().all(|(_, text)| text != "indeed"));
}
