//! A customer's side at an address where no desk answers, or where a desk breaks the rules.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::{Raw, entry, framed, said};
use crate::support::run::Handoff;

/// A customer who asked for a person at this address.
fn asking(listener: &TcpListener) -> (Handoff, FakeBot) {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let desk = listener.local_addr().expect("a listener has an address").to_string();
    let mut user = Handoff::user(&desk, bot.url(), &["--linger", "0"]);
    user.say("human");
    (user, bot)
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("loopback has a free port")
}

fn welcome(received: u64) -> Value {
    json!({"welcome": {"desk": "d".repeat(32), "received": received, "state": "bot"}})
}

#[test]
fn garbage_instead_of_a_welcome_causes_a_lost_link_with_a_reason_and_more_dials() {
    let listener = listen();
    let (mut user, _bot) = asking(&listener);
    let garbage = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "HTTP, and not the handoff protocol"),
        (vec![0; 4], "a frame of length 0"),
        (framed(b"hello, customer"), "not a message"),
    ];
    for (n, (bytes, part)) in garbage.into_iter().enumerate() {
        let mut desk = Raw::accept(&listener);
        assert_eq!(desk.until("hello")["version"], 1);
        desk.send(&bytes);
        desk.hung_up();
        // Failed attempts in a row cause one report.
        if n == 0 {
            let lost = user.until(|event| event["link"] == "lost");
            assert!(lost["why"].to_string().contains(part), "{lost}");
            user.until_told("notice", "keeps trying");
        }
    }
    user.say("still here");
    user.until_text("still here");
    let mut desk = Raw::accept(&listener);
    desk.until("hello");
    desk.say(&welcome(0));
    assert_eq!(desk.until("entry")["number"], 1);
    user.until(|event| event["link"] == "connected");
}

#[test]
fn a_desk_that_breaks_the_rules_is_disconnected_and_its_entry_is_not_shown() {
    let message = said("admin", "let me in");
    let cases = [
        ("an entry before the welcome", None, entry(1, &message)),
        ("a gap", Some(0), entry(2, &message)),
        ("a message by the customer", Some(0), entry(1, &said("user", "I never said that"))),
        ("an ack of what was never sent", Some(0), json!({"ack": {"number": 99}})),
        ("a hello", Some(0), crate::support::raw::hello("aa", 0)),
        ("the customer's own control", Some(0), entry(1, &json!({"requested": {}}))),
        ("a message before any accept", Some(0), entry(1, &message)),
        ("the customer's presence", Some(0), json!({"presence": {"is_here": false}})),
        ("the position 0", Some(0), json!({"position": {"position": 0}})),
    ];
    for (name, received, wrong) in cases {
        let listener = listen();
        let (mut user, _bot) = asking(&listener);
        let mut desk = Raw::accept(&listener);
        desk.until("hello");
        if let Some(received) = received {
            desk.say(&welcome(received));
            desk.until("entry");
        }
        desk.say(&wrong);
        desk.hung_up();
        let lost = user.until(|event| event["link"] == "lost");
        assert!(lost["why"].to_string().contains("broke the protocol"), "{name}: {lost}");
        assert_eq!(user.messages().len(), 1, "{name}");
    }
}

#[test]
fn a_goodbye_that_forbids_another_dial_ends_a_script_with_the_reason() {
    let bye = |code: &str| json!({"bye": {"code": code, "text": format!("because of the {code}")}});
    for (answer, part) in [
        (bye("version"), "because of the version"),
        (bye("secret"), "because of the secret"),
        (bye("replaced"), "because of the replaced"),
    ] {
        let listener = listen();
        let (mut user, _bot) = asking(&listener);
        let mut desk = Raw::accept(&listener);
        desk.until("hello");
        desk.say(&answer);
        desk.hung_up();
        user.until_told("error", part);
        assert_eq!(user.exit_code(), 1, "{part}");
    }
}

#[test]
fn a_desk_that_reports_a_fork_gets_a_new_conversation_with_all_unread_lines() {
    let listener = listen();
    let (mut user, _bot) = asking(&listener);
    user.say("my order is late");
    user.until_text("my order is late");
    let mut desk = Raw::accept(&listener);
    let first = desk.until("hello")["conversation"].clone();
    desk.say(&welcome(99));
    assert_eq!(desk.bye().0, "fork");
    user.until_told("notice", "a new conversation goes on");
    let mut desk = Raw::accept(&listener);
    let hello = desk.until("hello");
    assert_ne!(hello["conversation"], first);
    desk.say(&welcome(0));
    assert_eq!(desk.until("entry")["body"]["message"]["text"], "human");
    assert!(desk.until("entry")["body"].get("requested").is_some());
    assert_eq!(desk.until("entry")["body"]["message"]["text"], "my order is late");
}

#[test]
fn a_customers_side_gives_up_a_desk_that_always_reports_a_fork() {
    for answer in [welcome(u64::MAX), json!({"bye": {"code": "fork", "text": "no"}})] {
        let listener = listen();
        let (mut user, _bot) = asking(&listener);
        user.say("my order is late");
        user.until_text("my order is late");
        for _ in 0..2 {
            let mut desk = Raw::accept(&listener);
            desk.until("hello");
            desk.say(&answer);
            desk.hung_up();
        }
        user.until_told("error", "remember different things");
        user.until_told("error", "remember different things");
        // After the second fork the customer's side does not dial by itself, so a script ends.
        user.until_told("error", "not delivered yet, kept for the next start: my order is late");
        assert_eq!(user.exit_code(), 1);
        assert_eq!(
            user.events_of("notice")
                .iter()
                .filter(|event| event["text"].to_string().contains("a new conv"))
                .count(),
            1
        );
    }
}

#[test]
fn a_customers_side_reports_a_full_desk_and_dials_again() {
    let listener = listen();
    let (mut user, _bot) = asking(&listener);
    let mut desk = Raw::accept(&listener);
    desk.until("hello");
    desk.say(&json!({"busy": {"retry": 1}}));
    desk.hung_up();
    let lost = user.until(|event| event["link"] == "lost");
    assert!(lost["why"].to_string().contains("the desk is full"), "{lost}");
    let mut desk = Raw::accept(&listener);
    desk.until("hello");
}
