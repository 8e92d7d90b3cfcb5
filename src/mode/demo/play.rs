//! The demo by itself: scripts play the customer and the agent. The demo prints the events of both
//! sides and checks them.

use std::io::{BufReader, Write};

use crossbeam_channel::{Sender, select, unbounded};
use serde_json::Value;

use super::{Part, next_event, stage};
use crate::edge::{signals, term};

const CUSTOMER: &str = "\
hello
I want to talk to a human
/wait
my order 17 is late
/wait
/wait
what do you remember?
one more question for a human, please
/wait
thank you
";

const AGENT: &str = "\
/accept
Hello, this is Robin. What is it?
/wait
It is on its way. Back to the bot!
/handback
/accept
Robin again. Yes?
/wait
You are welcome.
/close
";

/// Plays, prints and checks a whole conversation.
pub(super) fn run() -> Result<u8, String> {
    let signals = signals::listen()?;
    let mut stage = stage(&["--name", "Robin"])?;
    let (mut user, user_events) = Part::start(
        "customer",
        &[
            "user",
            "--ephemeral",
            "--admin",
            &stage.desk,
            "--bot",
            &stage.bot_url,
            "--name",
            "Ann",
            "--json",
        ],
    )?;
    feed(&mut stage.admin, AGENT)?;
    feed(&mut user, CUSTOMER)?;
    let (told, events) = unbounded();
    listen("desk", stage.events, told.clone())?;
    listen("customer", user_events, told)?;
    let mut story = Story::default();
    loop {
        let (side, event) = select! {
            recv(events) -> told => match told {
                Ok(told) => told,
                // Both processes have ended.
                Err(_) => break,
            },
            // Both processes are killed when their values are dropped.
            recv(signals) -> signal => return Ok(signals::exit_code(signal.unwrap_or_default())),
        };
        if let Some(line) = line(&event) {
            term::print(&format!("{side:>8} │ {line}"));
        }
        story.note(side, &event);
    }
    for part in [&mut user, &mut stage.admin] {
        let ended = part.child.wait().map_err(|e| format!("lost the {}: {e}", part.name))?;
        if !ended.success() {
            return Err(format!("the {} failed: {ended}", part.name));
        }
    }
    story.check()?;
    term::print("\nBoth sides have the same conversation, every line once and in order.");
    Ok(0)
}

fn feed(part: &mut Part, script: &str) -> Result<(), String> {
    let mut stdin = part.stdin()?;
    stdin
        .write_all(script.as_bytes())
        .map_err(|e| format!("cannot write to the {}: {e}", part.name))
}

fn listen(
    side: &'static str,
    mut events: BufReader<std::process::ChildStdout>,
    told: Sender<(&'static str, Value)>,
) -> Result<(), String> {
    let forward = move || {
        while let Some(event) = next_event(&mut events) {
            if told.send((side, event)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name(side.to_owned())
        .spawn(forward)
        .map_err(|e| format!("no thread: {e}"))?;
    Ok(())
}

/// An event as a line for a person.
fn line(event: &Value) -> Option<String> {
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    match event["event"].as_str()? {
        "message" => Some(format!("{:<5} {}", text("author"), text("text"))),
        "state" => match event["position"].as_u64() {
            Some(position) => Some(format!("----- number {position} in the queue")),
            None => Some(format!("----- {}", text("state"))),
        },
        "notice" | "error" => Some(format!("----- {}", text("text"))),
        _ => None,
    }
}

/// The messages that each side printed, and the states of the customer's side.
#[derive(Default)]
struct Story {
    customer: Vec<(String, String)>,
    desk: Vec<(String, String)>,
    states: Vec<String>,
}

impl Story {
    fn note(&mut self, side: &str, event: &Value) {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("message") if side == "desk" => self.desk.push((text("author"), text("text"))),
            Some("message") => self.customer.push((text("author"), text("text"))),
            Some("state") if side == "customer" => self.states.push(text("state")),
            _ => {}
        }
    }

    fn check(mut self) -> Result<(), String> {
        if self.customer != self.desk {
            return Err(format!("the two sides differ:\n{:#?}\n{:#?}", self.customer, self.desk));
        }
        self.states.dedup();
        let expected = ["bot", "queued", "active", "bot", "queued", "active", "closed"];
        if self.states != expected {
            return Err(format!(
                "the customer went through {:?} instead of {expected:?}",
                self.states
            ));
        }
        Ok(())
    }
}
