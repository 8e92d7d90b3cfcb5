//! A journal that becomes unreadable while it is in use: the program prints one line and ends, and
//! acts on nothing that it read.

use serde_json::Value;

use crate::support::run::Handoff;
use crate::support::setup::Setup;

/// Overwrites part of a journal with foreign bytes.
const DAMAGE: &str = "UPDATE entry SET body = '{' WHERE body LIKE '%one%'";

/// A desk and a customer who talk.
fn talking(setup: &Setup) -> (Handoff, Handoff) {
    let (mut admin, mut user) = setup.talking();
    user.say("one");
    admin.until_text("one");
    user.until_event("seen");
    (admin, user)
}

/// Checks that the program ends, and that its last line names the place and what to do.
#[track_caller]
fn ends(end: &mut Handoff, mode: &str) {
    assert_eq!(end.exit_code(), 1);
    let said = end.stderr();
    let [line] = &said[..] else { panic!("one line is expected: {said:?}") };
    for part in [
        "handoff: cannot read the journal",
        &format!("{mode}/default/journal.sqlite"),
        "restore it from a backup",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_customers_side_ends_when_it_cannot_read_an_unsent_line() {
    let setup = Setup::new();
    let (mut admin, mut user) = talking(&setup);
    admin.kill();
    user.until(|event| event["link"] == "lost");
    ["one more", "two"].iter().for_each(|line| user.say(line));
    user.until_text("two");
    setup.journal("user").execute(DAMAGE, []).expect("the file is ours");
    let mut admin = setup.admin(&[]);
    ends(&mut user, "user");
    admin.until(|event| event["link"] == "connected");
    admin.until(|event| event["link"] == "lost");
    let texts: Vec<Value> =
        admin.events_of("message").into_iter().map(|event| event["text"].clone()).collect();
    assert!(!texts.contains(&"two".into()), "{texts:?}");
    // The program does not start with such a journal either.
    let mut user = setup.user(&[]);
    ends(&mut user, "user");
}

#[test]
fn a_desk_ends_when_it_cannot_read_a_history() {
    let setup = Setup::new();
    let (mut admin, mut user) = talking(&setup);
    setup.journal("admin").execute(DAMAGE, []).expect("the file is ours");
    admin.say("/history");
    ends(&mut admin, "admin");
    assert!(user.is_running());
    user.until(|event| event["link"] == "lost");
}

#[test]
fn a_desk_that_cannot_read_a_repeated_entry_reports_no_fork() {
    let setup = Setup::new();
    let (mut admin, mut user) = talking(&setup);
    user.kill();
    setup.journal("admin").execute(DAMAGE, []).expect("the file is ours");
    // A customer's side sends the damaged entry again.
    let id =
        setup.journal("user").query_row("SELECT lower(hex(id)) FROM conversation", [], |row| {
            row.get::<_, String>(0)
        });
    let secret = "SELECT lower(hex(secret)) FROM conversation";
    let secret = setup.journal("user").query_row(secret, [], |row| row.get::<_, String>(0));
    let mut raw = crate::support::raw::Raw::connect(&setup.desk);
    let (id, secret) = (id.unwrap(), secret.unwrap());
    let hello =
        serde_json::json!({"version": 1, "conversation": id, "secret": secret, "newest": 3});
    raw.say(&serde_json::json!({ "hello": hello }));
    raw.until("welcome");
    raw.say(&crate::support::raw::entry(4, &crate::support::raw::said("user", "one")));
    raw.hung_up();
    assert!(
        !raw.read.iter().any(|message| message.get("bye").is_some_and(|bye| bye["code"] == "fork")),
        "{:?}",
        raw.read
    );
    ends(&mut admin, "admin");
}
