//! Journals that 0.1.0 wrote, opened by this build.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use handoff::edge::journal::Journal;
use rusqlite::Connection;

use crate::support::kept;
use crate::support::release::{NAMES, fixtures, menu_bot};
use crate::support::run::Handoff;
use crate::support::setup::{Setup, copy};

/// A setup whose folder has a copy of the files that 0.1.0 left.
fn setup() -> Setup {
    let setup = Setup::with(menu_bot());
    let state = Path::new(setup.state());
    copy(&fixtures().join("admin/default"), &state.join("admin/default"));
    for name in NAMES {
        copy(&fixtures().join("user").join(name), &state.join("user").join(name));
    }
    // A journal must be readable only by its owner, and git does not keep such modes.
    for file in crate::support::home::files_in(state) {
        fs::set_permissions(file, Permissions::from_mode(0o600))
            .expect("the file is the test's own");
    }
    setup
}

/// Starts the customer's side on this profile of 0.1.0.
#[track_caller]
fn customer(setup: &Setup, name: &str) -> Handoff {
    setup.user(&["--profile", name])
}

/// Checks that the customer's journal and the desk's hold the same conversation.
#[track_caller]
fn same_story(setup: &Setup, name: &str) {
    let state = Path::new(setup.state());
    let user = kept::read(&state.join("user").join(name).join("journal.sqlite"));
    let desk = kept::read(&kept::journal(state, "admin"));
    let desk = desk.into_iter().filter(|(id, _)| user.contains_key(id)).collect();
    kept::check_together(&user, &desk).unwrap_or_else(|why| panic!("{name}: {why}"));
}

#[test]
fn the_desk_of_a_0_1_0_journal_has_its_queue_its_conversations_and_its_focus() {
    let setup = setup();
    let mut admin = setup.admin(&[]);
    admin.say("/list");
    let active = admin.until_told("notice", "#2 active (");
    let focus = active["text"].as_str().is_some_and(|text| text.contains("gets your lines"));
    admin.until_told("notice", "#1 queued (not connected)  waits");
    admin.until_told("notice", "#5 pending (not connected)  waits");
    let states = admin.events_of("state");
    let states: Vec<&str> = states.iter().filter_map(|event| event["state"].as_str()).collect();
    assert_eq!(
        (states, focus),
        (vec!["queued", "active", "queued"], false),
        "a customer who left is reported again"
    );
    admin.say("/history 4");
    admin.until_text("4711");
}

#[test]
fn a_customer_whom_0_1_0_left_in_the_queue_is_accepted() {
    let setup = setup();
    let mut admin = setup.admin(&[]);
    let mut user = customer(&setup, "queued");
    user.until_text("my order is late");
    user.until(|event| event["position"] == 1);
    admin.say("/accept 1");
    user.until_state("active");
    admin.say("Hello!");
    user.until_text("Hello!");
    user.say("at last");
    admin.until_text("at last");
    same_story(&setup, "queued");
}

#[test]
fn a_customer_continues_a_talk_with_an_agent_of_0_1_0() {
    let setup = setup();
    let mut admin = setup.admin(&[]);
    let mut user = customer(&setup, "active");
    user.until(|event| event["link"] == "connected");
    user.say("are you still there?");
    admin.until_text("are you still there?");
    admin.say("/switch 2");
    admin.say("yes");
    user.until_text("yes");
    admin.say("/handback");
    user.until_state("bot");
    user.say("hi");
    user.until_text("heard hi");
    same_story(&setup, "active");
}

#[test]
fn a_customer_whom_0_1_0_handed_back_asks_for_a_person_again() {
    let setup = setup();
    let mut admin = setup.admin(&[]);
    let mut user = customer(&setup, "back");
    user.until_state("bot");
    user.say("a human");
    admin.until_text("thanks");
    admin.until_state("queued");
    same_story(&setup, "back");
}

#[test]
fn a_conversation_that_0_1_0_closed_stays_closed() {
    let setup = setup();
    let before = kept::read(&setup.profile("user").with_file_name("closed").join("journal.sqlite"));
    let mut user = customer(&setup, "closed");
    let fresh = user.until_state("bot")["conversation"].clone();
    let (former, _) = before.first_key_value().expect("0.1.0 had one");
    assert_ne!(fresh, former.as_str(), "the next line must begin another conversation");
    assert_eq!(user.events_of("message"), [] as [serde_json::Value; 0]);
}

#[test]
fn a_menu_that_0_1_0_showed_can_be_chosen_from() {
    let setup = setup();
    let mut user = customer(&setup, "open");
    user.until_text("Which one?");
    user.say("2");
    user.until_text("The blue one");
    user.until_text("heard /pick{\"colour\":\"blue\"}");
    assert_eq!(setup.bot.texts(), ["/pick{\"colour\":\"blue\"}"]);
}

#[test]
fn an_accept_without_an_answer_in_0_1_0_gets_one() {
    let setup = setup();
    let mut admin = setup.admin(&[]);
    let mut user = customer(&setup, "pending");
    user.until_state("active");
    let mut active = admin.until_state("active");
    while active["conversation"] != user.events_of("state")[0]["conversation"] {
        active = admin.until_state("active");
    }
    same_story(&setup, "pending");
}

/// These columns of all rows of a table, as text.
fn rows(file: &Path, columns: &str, table: &str) -> Vec<String> {
    let journal = Connection::open(file).expect("it is a journal");
    let sql = format!("SELECT json_array({columns}) FROM {table} ORDER BY key");
    let mut select = journal.prepare(&sql).expect("it has these columns");
    let rows = select.query_map([], |row| row.get(0)).expect("they can be read");
    rows.collect::<Result<_, _>>().expect("they can be read")
}

#[test]
fn a_journal_of_0_1_0_gets_the_present_schema_and_loses_nothing() {
    let setup = setup();
    let file = setup.profile("admin").join("journal.sqlite");
    let tables = [
        ("key, hex(id), hex(secret), name, held, idle, idle_at, asking, resuming", "conversation"),
        ("key, conversation, hex(desk), request, acked, met", "peer"),
        ("key, conversation, origin, number, at, stored, control, body", "entry"),
    ];
    let all = || tables.map(|(columns, table)| rows(&file, columns, table));
    let before = all();
    // The first time the journal is migrated, the second time it has the present schema already.
    for _ in 0..2 {
        let journal = Journal::open(&file).expect("it can be opened");
        let restart = journal.restart().expect("it can be read");
        let open = restart.stories.iter().map(|story| story.ordinal);
        assert_eq!((open.collect::<Vec<_>>(), restart.begun), (vec![1, 2, 5], 5));
        drop(journal);
        assert_eq!(all(), before);
    }
    let journal = Connection::open(&file).expect("it is a journal");
    let version = journal.query_row("PRAGMA user_version", [], |row| row.get(0));
    assert_eq!(version, Ok(9), "the schema's version, which 0.1.0 refuses");
    let check = journal.query_row("PRAGMA foreign_key_check", [], |_| Ok(()));
    assert_eq!(check, Err(rusqlite::Error::QueryReturnedNoRows));
    let check = journal.query_row("PRAGMA integrity_check", [], |row| row.get(0));
    assert_eq!(check, Ok("ok".to_owned()));
}

#[test]
fn a_desks_journal_of_version_8_is_migrated_and_its_customers_are_found() {
    let setup = Setup::new();
    let mut admin = setup.admin(&[]);
    let mut ann = setup.queued("Ann");
    admin.say("/tag #1 vip");
    admin.until_event("tags");
    admin.kill();
    let former = "ALTER TABLE conversation DROP COLUMN email;
                  ALTER TABLE conversation DROP COLUMN identity;
                  ALTER TABLE conversation DROP COLUMN turned_away;
                  ALTER TABLE conversation DROP COLUMN department; PRAGMA user_version = 8;";
    setup.journal("admin").execute_batch(former).expect("it is SQL");
    let mut admin = setup.admin(&[]);
    let queued = admin.until_state("queued");
    assert_eq!((&queued["customer"], &queued["n"]), (&"Ann".into(), &1.into()));
    admin.say("/find vip");
    admin.until_told("notice", "[vip]");
    admin.until(|event| event["link"] == "connected");
    admin.say("/accept 1");
    ann.until_state("active");
    admin.say("/close");
    ann.until_state("closed");
    admin.say("/list ended");
    admin.until_told("notice", "#1 Ann");
    let version = setup.journal("admin").query_row("PRAGMA user_version", [], |row| row.get(0));
    assert_eq!(version, Ok(9));
}
