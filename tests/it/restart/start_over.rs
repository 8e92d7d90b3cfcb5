//! A desk that reports a fork: the customer's side begins a new conversation, with all messages
//! that no desk has.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::{Raw, entry, said};
use crate::support::run::Handoff;
use crate::support::setup::Setup;

/// A bot that offers a choice, and hands over at the word 'human'.
fn bot() -> FakeBot {
    FakeBot::saying(|said| match said {
        "human" => text("Human Handoff"),
        _ => {
            json!([{"text": "Which one?",
                "buttons": [{"title": "The red one", "payload": "/red"}]}])
        }
    })
}

fn welcome(desk: &mut Raw, received: u64) {
    desk.say(&json!({"welcome": {"desk": "d".repeat(32), "received": received, "state": "bot"}}));
}

/// Receives entries up to this number.
#[track_caller]
fn takes(desk: &mut Raw, number: u64) -> Vec<Value> {
    (1..=number).map(|_| desk.until("entry")).collect()
}

fn bodies(entries: &[Value]) -> Vec<Value> {
    entries.iter().map(|entry| entry["body"].clone()).collect()
}

/// A customer with a name who chose a button, asked for an agent and typed a line: six entries.
#[track_caller]
fn asks(user: &mut Handoff) {
    user.say("a shirt");
    user.until_text("Which one?");
    user.say("1");
    user.until(|event| event["author"] == "bot" && event["number"] == 4);
    user.say("human");
    user.until_state("queued");
    user.say("my order is late");
    user.until_text("my order is late");
}

fn by(author: &str, name: Option<&str>, text: &str) -> Value {
    let mut body = said(author, text);
    if let Some(name) = name {
        body["message"]["name"] = json!(name);
    }
    body
}

/// The entries of that customer that a desk must get.
fn expected() -> Vec<Value> {
    let mut question = by("bot", None, "Which one?");
    question["message"]["buttons"] = json!([{"title": "The red one", "payload": "/red"}]);
    vec![
        by("user", Some("Ann"), "a shirt"),
        question.clone(),
        by("user", Some("Ann"), "The red one"),
        question,
        by("user", Some("Ann"), "human"),
        json!({"requested": {}}),
        by("user", Some("Ann"), "my order is late"),
    ]
}

#[test]
fn a_new_conversation_has_the_old_transcript_unchanged_before_the_request() {
    let setup = Setup::with(bot());
    let listener = TcpListener::bind(&setup.desk).expect("the address is free");
    let mut user = setup.user(&["--name", "Ann"]);
    asks(&mut user);
    let first = user.events_of("message");
    let mut desk = Raw::accept(&listener);
    let former = desk.until("hello")["conversation"].clone();
    desk.say(&json!({"bye": {"code": "fork", "text": "no"}}));
    user.until_told("notice", "a new conversation goes on");
    let mut desk = Raw::accept(&listener);
    let hello = desk.until("hello");
    assert_ne!(hello["conversation"], former);
    assert_eq!(hello["newest"], 7);
    // A crash now changes nothing, because the new conversation and its messages are journaled.
    user.kill();
    let mut user = setup.user(&["--name", "Ann"]);
    let mut desk = Raw::accept(&listener);
    assert_eq!(desk.until("hello")["conversation"], hello["conversation"]);
    welcome(&mut desk, 0);
    let entries = takes(&mut desk, 7);
    assert_eq!(bodies(&entries), expected());
    let times = |at: &Value| at["at"].as_str().map(str::to_owned);
    let again = user.events_of("message");
    assert_eq!(again.len(), first.len());
    for (before, after) in first.iter().zip(&again) {
        assert_eq!(
            (&before["text"], times(before)),
            (&after["text"], times(after)),
            "a message has another time"
        );
    }
    desk.say(&json!({"ack": {"number": 7}}));
    desk.say(&entry(1, &json!({"accept": {"request": 6}})));
    user.until_state("active");
}

#[test]
fn a_new_conversation_leaves_out_messages_that_the_desk_acknowledged() {
    let setup = Setup::with(bot());
    let listener = TcpListener::bind(&setup.desk).expect("the address is free");
    let mut user = setup.user(&["--name", "Ann"]);
    user.say("a shirt");
    user.until_text("Which one?");
    user.say("human");
    user.until_state("queued");
    let mut desk = Raw::accept(&listener);
    desk.until("hello");
    welcome(&mut desk, 0);
    takes(&mut desk, 4);
    desk.say(&json!({"ack": {"number": 1}}));
    user.until_event("delivered");
    user.say("my order is late");
    user.until_text("my order is late");
    desk.say(&json!({"bye": {"code": "fork", "text": "no"}}));
    let mut desk = Raw::accept(&listener);
    desk.until("hello");
    welcome(&mut desk, 0);
    let expected = expected();
    let left = [1, 4, 5, 6].map(|at| expected[at].clone());
    assert_eq!(bodies(&takes(&mut desk, 4)), left);
    // The new conversation has each message once.
    let told = user.events_of("message");
    let new = told.iter().filter(|event| event["conversation"] != told[0]["conversation"]);
    let texts: Vec<_> = new.map(|event| event["text"].as_str().unwrap_or_default()).collect();
    assert_eq!(texts, ["Which one?", "human", "my order is late"]);
}
