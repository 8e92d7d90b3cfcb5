//! The memory of the demo bot. For each conversation it holds what Rasa's tracker reports: whether
//! the bot is paused, its last action and the latest events. All of it is bounded; the oldest is
//! forgotten first.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::talk::{self, Move};

/// The most conversations.
const CONVERSATIONS_MAX: usize = 10_000;
/// The most events of a conversation.
const EVENTS_MAX: usize = 400;
/// The most bytes of an event's text.
const TEXT_MAX: usize = 8 * 1024;
/// The most bytes of a name or an id.
const NAME_MAX: usize = 256;
/// The most bytes of all texts together.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// The events that Rasa knows. Here only `pause`, `resume`, `restart`, `action`, `user` and `bot`
/// have an effect.
const KINDS: [&str; 12] = [
    "action",
    "bot",
    "followup",
    "pause",
    "restart",
    "resume",
    "rewind",
    "session_started",
    "slot",
    "undo",
    "user",
    "active_loop",
];

/// All conversations.
#[derive(Debug, Default)]
pub(super) struct Memory {
    conversations: HashMap<String, Conversation>,
    /// The ids of the conversations, the oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Conversation {
    is_paused: bool,
    /// The last action of the latest turn. After `action_handoff` Rasa goes on with that action.
    latest_action: Option<String>,
    latest_text: Option<String>,
    events: VecDeque<Event>,
    requests: u64,
}

#[derive(Debug)]
struct Event {
    kind: &'static str,
    text: Option<String>,
    name: Option<String>,
    /// Whether the event came through the API: it is what a customer and an agent said without the
    /// bot.
    is_from_api: bool,
    at: f64,
}

/// The answer to a message, and the time before it.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) items: Vec<Value>,
    pub(super) after: Duration,
}

impl Memory {
    /// Takes a message from the REST channel.
    pub(super) fn hear(&mut self, sender: &str, text: &str) -> Heard {
        let sender = cut(sender, NAME_MAX);
        let conversation = self.of(sender);
        conversation.requests += 1;
        conversation.latest_text = Some(cut(text, TEXT_MAX).to_owned());
        let handing_off = conversation.latest_action.as_deref() == Some(talk::HANDOFF_ACTION);
        let restart = text.trim() == "/restart";
        conversation.is_paused &= !restart;
        let mut said = match (conversation.is_paused, handing_off, restart) {
            (true, _, _) | (false, false, true) => Move::default(),
            // After a `resume` without an `action_listen`, the handoff action is still the last
            // one, and Rasa runs it again.
            (false, true, _) => talk::hand_off_again(sender),
            (false, false, false) => talk::reply(sender, text, &conversation.human_lines()),
        };
        conversation.is_paused |= said.pauses;
        if let Some(action) = said.action {
            conversation.latest_action = Some(action.to_owned());
        }
        self.record(sender, event("user", Some(text), None, false));
        for item in &mut said.items {
            item["recipient_id"] = sender.into();
            let text = item.get("text").and_then(Value::as_str);
            self.record(sender, event("bot", text, None, false));
        }
        Heard { items: said.items, after: said.after }
    }

    /// Takes an event or a list of events from the API: all of them, or none and an HTTP status.
    pub(super) fn tell(&mut self, id: &str, events: Value) -> Result<(), (u16, &'static str)> {
        let events = match events {
            Value::Array(events) if events.is_empty() => {
                return Err((500, "An unexpected error occurred"));
            }
            Value::Array(events) => events,
            one => vec![one],
        };
        let mut told = Vec::new();
        for given in &events {
            let kind = given
                .get("event")
                .and_then(Value::as_str)
                .and_then(|kind| KINDS.iter().find(|k| **k == kind));
            let Some(kind) = kind else {
                return Err((400, "Failed to validate the events format"));
            };
            if *kind == "user" && !given.get("parse_data").is_some_and(Value::is_object) {
                return Err((
                    500,
                    "An unexpected error occurred. Error: 'NoneType' object has no attribute 'get'",
                ));
            }
            let text = |key: &str| given.get(key).and_then(Value::as_str);
            let agent = given.pointer("/metadata/agent").and_then(Value::as_str);
            told.push(event(kind, text("text"), text("name").or(agent), true));
        }
        let id = cut(id, NAME_MAX);
        for event in told {
            self.of(id).apply(&event);
            self.record(id, event);
        }
        Ok(())
    }

    /// A conversation as Rasa's API reports it. An unknown one is reported as new and is not added.
    pub(super) fn tracker(&self, id: &str, with_events: bool) -> Value {
        let new = Conversation::default();
        let id = cut(id, NAME_MAX);
        let conversation = self.conversations.get(id).unwrap_or(&new);
        let action = conversation.latest_action.as_deref().unwrap_or("action_listen");
        let events =
            with_events.then(|| conversation.events.iter().map(Event::json).collect::<Vec<_>>());
        json!({
            "sender_id": id,
            "slots": {},
            "latest_message": { "intent": {}, "entities": [], "text": conversation.latest_text },
            "paused": conversation.is_paused,
            "events": events,
            "latest_action": { "action_name": action },
            "latest_action_name": action,
            "requests": conversation.requests,
        })
    }

    fn of(&mut self, id: &str) -> &mut Conversation {
        if !self.conversations.contains_key(id) {
            self.order.push_back(id.to_owned());
            while self.order.len() > CONVERSATIONS_MAX {
                self.forget_oldest();
            }
        }
        self.conversations.entry(id.to_owned()).or_default()
    }

    /// Adds an event, and forgets old ones to stay within the limits.
    fn record(&mut self, id: &str, event: Event) {
        self.bytes += event.bytes();
        let conversation = self.of(id);
        conversation.events.push_back(event);
        if conversation.events.len() > EVENTS_MAX {
            let gone = conversation.events.pop_front().map_or(0, |event| event.bytes());
            self.bytes -= gone;
        }
        while self.bytes > BYTES_MAX && self.order.len() > 1 {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.order.pop_front().and_then(|id| self.conversations.remove(&id));
        self.bytes -=
            oldest.map_or(0, |conversation| conversation.events.iter().map(Event::bytes).sum());
    }
}

impl Conversation {
    fn apply(&mut self, event: &Event) {
        match event.kind {
            "pause" => self.is_paused = true,
            "resume" | "restart" => self.is_paused = false,
            "action" => self.latest_action = event.name.clone(),
            "user" => self.latest_text = event.text.clone(),
            _ => {}
        }
    }

    /// The latest lines that came through the API, the oldest first: the agent's name, or `None`
    /// for the customer, and the text.
    fn human_lines(&self) -> Vec<(Option<&str>, &str)> {
        let told = self.events.iter().rev().filter(|event| event.is_from_api).filter_map(|event| {
            let text = event.text.as_deref()?;
            match event.kind {
                "user" => Some((None, text)),
                "bot" => Some((Some(event.name.as_deref().unwrap_or("the agent")), text)),
                _ => None,
            }
        });
        let mut lines: Vec<_> = told.take(3).collect();
        lines.reverse();
        lines
    }
}

impl Event {
    fn bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        length(&self.text) + length(&self.name)
    }

    /// The event as Rasa's API has it.
    fn json(&self) -> Value {
        let mut event = json!({ "event": self.kind, "timestamp": self.at });
        for (key, value) in [("text", &self.text), ("name", &self.name)] {
            if let Some(value) = value {
                event[key] = value.as_str().into();
            }
        }
        event
    }
}

fn event(kind: &'static str, text: Option<&str>, name: Option<&str>, is_from_api: bool) -> Event {
    let at = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
    let (text, name) = (text.map(|text| cut(text, TEXT_MAX)), name.map(|name| cut(name, NAME_MAX)));
    Event { kind, text: text.map(str::to_owned), name: name.map(str::to_owned), is_from_api, at }
}

/// At most `limit` bytes of `text`, cut at a character.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_and_their_events_are_bounded() {
        let mut memory = Memory::default();
        for n in 0..CONVERSATIONS_MAX + 5 {
            memory.hear(&format!("s{n}"), "hi");
        }
        assert_eq!(
            (memory.conversations.len(), memory.order.len()),
            (CONVERSATIONS_MAX, CONVERSATIONS_MAX)
        );
        assert_eq!(memory.tracker("s4", false)["requests"], 0);
        assert_eq!(memory.tracker("s5", false)["requests"], 1);
        for _ in 0..EVENTS_MAX {
            memory.hear("s9", "hi");
        }
        assert_eq!(memory.tracker("s9", true)["events"].as_array().map(Vec::len), Some(EVENTS_MAX));
    }

    #[test]
    fn all_texts_together_are_bounded() {
        let mut memory = Memory::default();
        let text = "x".repeat(2 * TEXT_MAX);
        let senders = BYTES_MAX / TEXT_MAX / EVENTS_MAX + 3;
        for n in 0..senders {
            memory
                .tell(
                    &n.to_string(),
                    vec![json!({"event": "bot", "text": text}); EVENTS_MAX].into(),
                )
                .unwrap();
        }
        assert!(memory.bytes <= BYTES_MAX && memory.order.len() < senders);
        let kept = memory
            .conversations
            .values()
            .flat_map(|conversation| &conversation.events)
            .map(Event::bytes);
        assert_eq!(memory.bytes, kept.sum::<usize>());
    }
}
