//! A written session, as docs/PROTOCOL.md and the recording of 0.1.0 have it: its steps, and the
//! customer's side of it against a real desk.

use serde_json::{Value, json};

use crate::support::raw::{Raw, framed};
use crate::support::run::Handoff;

/// A line of a session.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    User(&'a str),
    Desk(&'a str),
    Customer(&'a str),
    Bot(&'a str),
    Admin(&'a str),
    Connected,
    Cut,
    Closed,
}

pub fn step(line: &str) -> Step<'_> {
    if let Some(frame) = line.strip_prefix("user> ") {
        return Step::User(body(frame));
    }
    if let Some(frame) = line.strip_prefix("desk> ") {
        return Step::Desk(body(frame));
    }
    match line.strip_prefix("* ").map(|event| event.split_once(": ").unwrap_or((event, ""))) {
        Some(("customer", said)) => Step::Customer(said),
        Some(("bot", said)) => Step::Bot(said),
        Some(("admin", said)) => Step::Admin(said),
        Some(("connected", "")) => Step::Connected,
        Some(("cut", "")) => Step::Cut,
        Some(("closed", "")) => Step::Closed,
        _ => panic!("a line without a known form: {line}"),
    }
}

/// A frame's body, whose length is written before it.
fn body(frame: &str) -> &str {
    let (length, body) = frame.split_once(' ').expect("a frame is a length and a body");
    assert_eq!(length, format!("{:08x}", body.len()), "the length of {body}");
    body
}

pub fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"))
}

/// A message without the values that differ in each session: its time and the desk's id.
pub fn masked(message: &str, desk: &str) -> Value {
    let mut message = parse(&message.replace(desk, "DESK"));
    if let Some(at) = message.pointer_mut("/entry/at") {
        *at = json!("AT");
    }
    message
}

/// The desk's id in a session.
pub fn desk_of(session: &[Step]) -> String {
    let welcome = session.iter().find_map(|step| match step {
        Step::Desk(body) => parse(body).pointer("/welcome/desk")?.as_str().map(str::to_owned),
        _ => None,
    });
    welcome.expect("the session has a welcome")
}

/// Plays the customer's side of a session to a real desk, and compares the desk's frames.
/// `recorded` is the desk's id in the session.
pub fn play_to_desk(session: &[Step], recorded: &str, compare: impl Fn(&Value, &Value)) {
    let mut admin = Handoff::admin(&["--name", "Alice"]);
    let address = admin.address();
    let mut desk = recorded.to_owned();
    let mut raw: Option<Raw> = None;
    let mut due = Vec::new();
    for step in session {
        if let Step::User(body) = step {
            due.extend(framed(body.replace(recorded, &desk).as_bytes()));
            continue;
        }
        if let (Some(raw), false) = (&mut raw, due.is_empty()) {
            // One write, as a customer's side sends a batch, so that the desk acknowledges the
            // batch at once.
            raw.send(&std::mem::take(&mut due));
        }
        match *step {
            Step::Connected => raw = Some(Raw::connect(&address)),
            Step::Desk(expected) => {
                let raw = raw.as_mut().expect("connected");
                let said = next_of_desk(raw, expected);
                if let Some(id) = said.pointer("/welcome/desk") {
                    id.as_str().expect("a desk's id").clone_into(&mut desk);
                }
                compare(&masked(&said.to_string(), &desk), &masked(expected, recorded));
            }
            Step::Admin(line) => {
                admin.say(line);
                if !line.starts_with('/') {
                    admin.until_text(line);
                }
            }
            Step::Cut => {
                raw = None;
                admin.until(|event| event["event"] == "link" && event["link"] == "lost");
            }
            Step::Closed => {
                let mut raw = raw.take().expect("connected");
                raw.end();
                // Seen marks may come at any time.
                let more =
                    std::iter::from_fn(|| raw.next()).find(|said| said.get("seen").is_none());
                assert_eq!(more, None, "the desk sent another frame");
            }
            Step::Customer(_) | Step::Bot(_) | Step::User(_) => {}
        }
    }
    admin.until_state("closed");
    admin.close_stdin();
    assert_eq!(admin.exit_code(), 0);
}

/// The desk's next frame. Pings, seen marks, and acks below an expected one are passed over.
fn next_of_desk(raw: &mut Raw, expected: &str) -> Value {
    let number = |message: &Value| message.pointer("/ack/number").and_then(Value::as_u64);
    let awaited = number(&parse(expected));
    loop {
        let said = raw.next().unwrap_or_else(|| panic!("the desk hung up before {expected}"));
        let early = number(&said).is_some_and(|said| awaited.is_some_and(|awaited| said < awaited));
        if said.get("ping").is_none() && said.get("seen").is_none() && !early {
            return said;
        }
    }
}
