//! A session that was recorded on the wire of 0.1.0. Its customer's side is played to the present
//! desk, and its desk to the present customer's side.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use crate::support::raw::Raw;
use crate::support::release::{fixtures, menu_bot};
use crate::support::run::Handoff;
use crate::support::session::{Step, desk_of, parse, play_to_desk, step};

fn recorded() -> String {
    fs::read_to_string(fixtures().join("session")).expect("the recording is a file of the project")
}

/// The number in a message of this type.
fn number(body: &str, kind: &str) -> Option<u64> {
    parse(body).get(kind)?["number"].as_u64()
}

/// The steps that a desk must repeat, without `seen`, which may come at any time, and without all
/// but the last of several acknowledgements in a row.
fn steps(session: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step> = Vec::new();
    for next in session.lines().map(step) {
        match next {
            Step::Desk(body) if number(body, "seen").is_some() => continue,
            Step::Desk(body) if number(body, "ack").is_some() => {
                let since = steps
                    .iter()
                    .rposition(|step| !matches!(step, Step::Desk(_)))
                    .map_or(0, |at| at + 1);
                let is_ack =
                    |step: &Step| matches!(step, Step::Desk(body) if number(body, "ack").is_some());
                let earlier = steps[since..].iter().rposition(is_ack);
                // An acknowledgement right after a welcome is kept: it answers the hello.
                let is_welcome =
                    |step: &Step| matches!(step, Step::Desk(body) if body.contains("\"welcome\""));
                let answers = |at: usize| at > 0 && is_welcome(&steps[since + at - 1]);
                if let Some(at) = earlier.filter(|at| !answers(*at)) {
                    steps.remove(since + at);
                }
            }
            _ => {}
        }
        steps.push(next);
    }
    steps
}

/// Whether `said` has every field that `recorded` has, with the same value: a later release may add
/// fields.
fn includes(said: &Value, recorded: &Value) -> bool {
    match (said, recorded) {
        (Value::Object(said), Value::Object(recorded)) => recorded
            .iter()
            .all(|(name, value)| said.get(name).is_some_and(|said| includes(said, value))),
        (said, recorded) => said == recorded,
    }
}

#[test]
fn this_desk_answers_a_0_1_0_customer_as_a_0_1_0_desk_did() {
    let session = recorded();
    let steps = steps(&session);
    play_to_desk(&steps, &desk_of(&steps), |said, expected| {
        assert!(includes(said, expected), "0.1.0 said {expected}, and this desk {said}");
    });
}

/// A customer's frame without the values that differ in each session: its time, conversation and
/// secret.
fn masked_customer(message: &Value) -> Value {
    let mut message = message.clone();
    for field in ["/entry/at", "/hello/conversation", "/hello/secret"] {
        if let Some(value) = message.pointer_mut(field) {
            *value = Value::Null;
        }
    }
    message
}

#[test]
fn this_customer_says_to_a_0_1_0_desk_what_a_0_1_0_customer_did() {
    let session = recorded();
    let bot = menu_bot();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("a listener has an address").to_string();
    let mut user = Handoff::user(&address, bot.url(), &["--name", "Ann"]);
    let mut raw: Option<Raw> = None;
    // Acknowledgements and seen marks may be divided differently.
    let is_mark =
        |message: &Value| ["ack", "seen", "ping"].iter().any(|kind| message.get(kind).is_some());
    for step in session.lines().map(step) {
        match step {
            Step::Customer(line) => {
                user.say(line);
                user.until_text(line);
            }
            Step::Connected => raw = Some(Raw::accept(&listener)),
            Step::Cut => {
                raw = None;
                user.until(|event| event["link"] == "lost");
            }
            Step::Desk(body) => raw.as_mut().expect("connected").say(&parse(body)),
            Step::User(body) if is_mark(&parse(body)) => {}
            Step::User(body) => {
                let raw = raw.as_mut().expect("connected");
                let said = std::iter::from_fn(|| raw.next()).find(|message| !is_mark(message));
                let said =
                    said.unwrap_or_else(|| panic!("this customer's side hung up before {body}"));
                let (said, expected) = (masked_customer(&said), masked_customer(&parse(body)));
                assert!(
                    includes(&said, &expected),
                    "0.1.0 said {expected}, and this customer's side {said}"
                );
            }
            Step::Admin(_) | Step::Bot(_) | Step::Closed => {}
        }
    }
    user.until_state("closed");
    user.close_stdin();
    assert_eq!(user.exit_code(), 0, "something was not delivered");
    assert_eq!(bot.texts(), ["hi", "menu", "a human", "thanks", "a human, please"]);
}
