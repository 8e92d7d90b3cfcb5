//! The events that a browser gets (docs/WEB.md, "The stream").
//!
//! Each entry of a customer's conversations has a number in the customer's events, in the order in
//! which the journal has the entries. An entry that makes no event has a number, too, which is then
//! skipped.

use serde::Serialize;

use crate::core::record::Line;
use crate::core::report::{Reason, Report, Returned, Told, rfc3339};
use crate::wire::{Asked, Body, ConversationId, Entry, Millis, State};

/// The id of a numbered event: the journal's epoch, and the number among the customer's events,
/// from 1. Written as `0badcafe-17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    /// The epoch of the journal.
    pub epoch: u32,
    /// The event's number among the customer's.
    pub number: u64,
}

impl EventId {
    /// Reads the written form.
    pub fn parse(written: &str) -> Option<EventId> {
        let (epoch, number) = written.split_once('-')?;
        let is_plain = epoch.len() == 8 && number.bytes().all(|digit| digit.is_ascii_digit());
        let epoch = u32::from_str_radix(epoch, 16).ok()?;
        is_plain.then_some(EventId { epoch, number: number.parse().ok()? })
    }
}

/// One event, ready to be written.
#[derive(Clone, Debug)]
pub struct Event {
    /// The event's name.
    name: &'static str,
    /// The event's id, if it has one.
    id: Option<EventId>,
    /// The data: one JSON object.
    data: String,
}

impl Event {
    /// An event without a number. `data` must have string keys; its type adds the field `event`.
    pub fn unnumbered(name: &'static str, data: &impl Serialize) -> Event {
        Event { name, id: None, data: json(data) }
    }

    /// The event of an entry, if the entry makes one. `post` is the id of the request that made the
    /// entry. `admin` finds the name of the agent behind an `accept`.
    pub fn of_entry(
        id: EventId,
        conversation: ConversationId,
        line: &Line,
        post: Option<&str>,
        admin: impl FnOnce(Asked) -> Option<String>,
    ) -> Option<Event> {
        let entry = line.entry()?;
        let (name, data) = match (&entry.body, line.own) {
            (Body::Message(said), _) => {
                let told = Told::new(conversation, entry.number, entry.at, said);
                ("message", json(&Message { report: Report::Message(told), post }))
            }
            (_, true) => ("state", json(&state(conversation, entry, admin)?)),
            // A desk's control takes effect only with our own answer, which makes the event.
            (_, false) => return None,
        };
        Some(Event { name, id: Some(id), data })
    }

    /// Adds the event in the form of a stream (the standard's `text/event-stream`).
    pub fn write_to_stream(&self, out: &mut Vec<u8>) {
        if let Some(EventId { epoch, number }) = self.id {
            out.extend_from_slice(format!("id: {epoch:08x}-{number}\n").as_bytes());
        }
        for part in ["event: ", self.name, "\ndata: ", &self.data, "\n\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// Adds the event as an item of a JSON list.
    pub fn write_to_list(&self, out: &mut Vec<u8>) {
        if !out.is_empty() {
            out.push(b',');
        }
        match self.id {
            Some(EventId { epoch, number }) => {
                out.extend_from_slice(format!("{{\"id\":\"{epoch:08x}-{number}\",").as_bytes());
                out.extend_from_slice(&self.data.as_bytes()[1..]);
            }
            None => out.extend_from_slice(self.data.as_bytes()),
        }
    }
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    post: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename = "state")]
struct Change {
    conversation: ConversationId,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(serialize_with = "rfc3339")]
    at: Millis,
}

/// The state after one of our own controls.
fn state(
    conversation: ConversationId,
    entry: &Entry,
    admin: impl FnOnce(Asked) -> Option<String>,
) -> Option<Change> {
    let (state, reason, asked) = match &entry.body {
        Body::Requested(request) => {
            (State::Queued, request.reason.clone().map(Reason::Requested), None)
        }
        Body::Withdrawn {} => (State::Bot, Some(Reason::Returned(Returned::Withdrawn)), None),
        Body::HandedBack { .. } => (State::Bot, Some(Reason::Returned(Returned::HandedBack)), None),
        Body::Accepted { of } => (State::Active, None, Some(*of)),
        Body::Closed { reason, .. } => (State::Closed, Some(Reason::Ended(*reason)), None),
        _ => return None,
    };
    Some(Change { conversation, state, admin: asked.and_then(admin), reason, at: entry.at })
}

fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("an event has string keys")
}
