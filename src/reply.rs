//! What a bot said: the REST channel's answer, read, cut to the wire's limits, and its trigger found.
//!
//! This room is pure. It leaves asking to `bot` and what follows from an answer to `session`. A bot
//! is untrusted input: anything it can say becomes a checked value here, or a `NotAReply`.
//! The shapes are those of Rasa's REST channel.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::wire::{
    Author, BUTTONS_MAX, Button, CUSTOM_MAX, ENTRY_MAX, IMAGE_MAX, NAME_MAX, PAYLOAD_MAX, Said, TEXT_MAX, TITLE_MAX,
};

/// Messages of one reply, at most.
pub const ITEMS_MAX: usize = 64;
/// Levels of lists and objects in a custom payload, at most: deeper, a peer's JSON reader may refuse the entry around it.
pub const DEPTH_MAX: usize = 64;
/// The text that starts a handoff unless another one is given.
pub const TRIGGER: &str = "Human Handoff";
/// How a reader sees that something was left out.
const CUT: &str = "… [cut]";
/// Bytes of an encoded `Said`, at most: its entry and frame stand around it.
const SAID_MAX: usize = ENTRY_MAX - 256;

/// One item of a bot's answer, as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// The text; a number or a truth value as text.
    pub text: Option<String>,
    /// Choices; one that has neither title nor payload is none.
    pub buttons: Vec<Button>,
    /// The URL of an image.
    pub image: Option<String>,
    /// A payload of the bot's own making.
    pub custom: Option<Value>,
}

/// What a bot said, cut to the wire's limits, and whether it asked for a human.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The messages, in order; the trigger is none of them.
    pub said: Vec<Said>,
    /// The handoff, if the bot asked for one.
    pub handoff: Option<Handoff>,
}

/// The bot asked for a human.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handoff {
    /// Why, where the bot said so.
    pub reason: Option<String>,
}

/// The texts that start a handoff.
#[derive(Clone, Debug)]
pub struct Triggers(Vec<String>);

/// Why a body is not a bot's answer.
#[derive(Debug, PartialEq, Eq)]
pub enum NotAReply {
    /// It is not UTF-8.
    NotUtf8,
    /// It is not JSON.
    NotJson(String),
    /// It is JSON, but not an array.
    NotAnArray(&'static str),
    /// The array holds something that is not an object.
    NotAnItem {
        /// Its place, from 1.
        place: usize,
        /// What it is.
        what: &'static str,
    },
}

impl fmt::Display for NotAReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAReply::NotUtf8 => write!(f, "bytes that are not UTF-8"),
            NotAReply::NotJson(why) => write!(f, "text that is not JSON ({why})"),
            NotAReply::NotAnArray(what) => write!(f, "{what} where an array of messages is due"),
            NotAReply::NotAnItem { place, what } => write!(f, "{what} as message {place}"),
        }
    }
}

impl std::error::Error for NotAReply {}

/// Reads the body of a bot's answer.
///
/// # Errors
/// When it is not a JSON array of objects. What is odd inside an object is taken as well as it goes.
pub fn parse(body: &[u8]) -> Result<Vec<Item>, NotAReply> {
    let text = std::str::from_utf8(body).map_err(|_| NotAReply::NotUtf8)?;
    let items = match serde_json::from_str(text).map_err(|error| NotAReply::NotJson(error.to_string()))? {
        Value::Array(items) => items,
        other => return Err(NotAReply::NotAnArray(kind(&other))),
    };
    let item = |(index, value)| match value {
        Value::Object(fields) => Ok(Item::from(fields)),
        other => Err(NotAReply::NotAnItem { place: index + 1, what: kind(&other) }),
    };
    items.into_iter().enumerate().map(item).collect()
}

/// What a customer typed, as the bot may get it: a leading slash would trigger any intent
/// (`/restart` even ends a pause), so it arrives as a division slash.
pub fn for_bot(typed: &str) -> String {
    // Python's str.strip() also takes the four separators; Rasa strips before it looks for the slash.
    let typed = typed.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\x1c'..='\x1f'));
    match typed.strip_prefix('/') {
        Some(rest) => format!("\u{2215}{rest}"),
        None => typed.to_owned(),
    }
}

/// The button a customer chose: by its title (case ignored), or by its place from 1.
/// The title goes first, so that of the buttons 5, 4, 3, 2, 1 a typed `5` is what it says.
pub fn choice<'a>(buttons: &'a [Button], typed: &str) -> Option<&'a Button> {
    let typed = typed.trim();
    let titled = buttons.iter().find(|button| same(&button.title, typed));
    titled.filter(|_| !typed.is_empty()).or_else(|| {
        // `parse` would take a sign, too.
        let place = typed.bytes().all(|b| b.is_ascii_digit()).then(|| typed.parse::<usize>().ok())??;
        buttons.get(place.checked_sub(1)?)
    })
}

impl Default for Triggers {
    fn default() -> Triggers {
        Triggers(vec![TRIGGER.to_lowercase()])
    }
}

impl Triggers {
    /// The given texts, or the default one when none is given. Blank ones do not count.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Triggers {
        let texts: Vec<String> = texts.into_iter().map(|text| text.as_ref().trim().to_lowercase()).collect();
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        if texts.is_empty() { Triggers::default() } else { Triggers(texts) }
    }

    /// Tells the messages of an answer from its trigger. Several triggers are one handoff.
    pub fn read(&self, items: Vec<Item>) -> Reply {
        let mut reply = Reply::default();
        let mut left_out = false;
        for mut item in items {
            let asked = item.custom.as_ref().is_some_and(|custom| custom.get("handoff") == Some(&Value::Bool(true)));
            let trigger = item.text.as_deref().is_some_and(|text| self.matches(text));
            if asked || trigger {
                let handoff = reply.handoff.get_or_insert_default();
                let control = if asked { item.custom.take() } else { None };
                handoff.reason = handoff.reason.take().or_else(|| reason(&control?));
            }
            if trigger || item == Item::default() {
                continue;
            }
            if reply.said.len() < ITEMS_MAX {
                reply.said.push(said(item));
            } else {
                left_out = true;
            }
        }
        if let (true, Some(last)) = (left_out, reply.said.last_mut()) {
            *last = Said::text(Author::Bot, CUT);
        }
        reply
    }

    fn matches(&self, text: &str) -> bool {
        self.0.contains(&text.trim().to_lowercase())
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.to_lowercase()
}

fn reason(control: &Value) -> Option<String> {
    let reason = control.get("reason")?.as_str()?.trim();
    (!reason.is_empty()).then(|| cut(reason, NAME_MAX))
}

impl From<Map<String, Value>> for Item {
    fn from(mut fields: Map<String, Value>) -> Item {
        let buttons = match fields.remove("buttons") {
            Some(Value::Array(buttons)) => buttons.into_iter().filter_map(button).collect(),
            _ => Vec::new(),
        };
        // A field of Rasa's older channels; better shown than lost.
        let attachment = fields.remove("attachment").filter(is_something);
        let attachment = attachment.map(|attachment| json!({ "attachment": attachment }));
        Item {
            text: fields.remove("text").and_then(text),
            buttons,
            image: fields.remove("image").and_then(text),
            custom: fields.remove("custom").filter(is_something).or(attachment),
        }
    }
}

/// A field as text; null and the empty text are absent.
fn text(value: Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

fn button(value: Value) -> Option<Button> {
    let Value::Object(mut fields) = value else { return None };
    let (title, payload) = (fields.remove("title").and_then(text), fields.remove("payload").and_then(text));
    Some(match (title, payload) {
        (Some(title), Some(payload)) => Button { title, payload },
        (Some(one), None) | (None, Some(one)) => Button { title: one.clone(), payload: one },
        (None, None) => return None,
    })
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// One item within the wire's limits; what was left out is visible in its text.
fn said(item: Item) -> Said {
    let mut said = Said::text(Author::Bot, &cut(item.text.as_deref().unwrap_or_default(), TEXT_MAX));
    said.image = item.image.map(|image| cut(&image, IMAGE_MAX).into());
    let offered = item.buttons.len();
    // A cut payload would be another one: such a button is of no use.
    let usable = item.buttons.into_iter().filter(|button| button.payload.len() <= PAYLOAD_MAX).take(BUTTONS_MAX);
    said.buttons = usable.map(|b| Button { title: cut(&b.title, TITLE_MAX), ..b }).collect();
    if said.buttons.len() < offered {
        mark(&mut said, CUT);
    }
    match item.custom.map(|custom| (custom.to_string().len(), custom)) {
        Some((bytes, custom)) if bytes > CUSTOM_MAX || depth(&custom) > DEPTH_MAX => mark(&mut said, &without(bytes)),
        Some((_, custom)) => said.custom = Some(custom.into()),
        None => {}
    }
    give_way(&mut said);
    said
}

/// How many levels of lists and objects a value has.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Buttons, custom and text give way, in this order, until the entry fits: limits count bytes as
/// they are, and JSON writes a control character in six.
fn give_way(said: &mut Said) {
    let mut lost_buttons = false;
    while encoded(said) > SAID_MAX && said.buttons.pop().is_some() {
        lost_buttons = true;
    }
    if lost_buttons {
        mark(said, CUT);
    }
    if encoded(said) > SAID_MAX
        && let Some(custom) = said.custom.take()
    {
        mark(said, &without(custom.to_string().len()));
    }
    let mut keep = said.text.len();
    while encoded(said) > SAID_MAX {
        keep = keep * 3 / 4;
        said.text = cut(&said.text, keep.max(CUT.len())).into();
    }
}

fn encoded(said: &Said) -> usize {
    serde_json::to_vec(said).expect("our own types have string keys and fit in memory").len()
}

fn without(bytes: usize) -> String {
    format!("[a custom payload of {bytes} bytes] {CUT}")
}

/// Says at the end of the text that something is left out, once.
fn mark(said: &mut Said, note: &str) {
    if note == CUT && said.text.ends_with(CUT) {
        return;
    }
    let text = cut(&said.text, TEXT_MAX - note.len() - 1);
    said.text = if text.is_empty() { note.into() } else { format!("{text}\n{note}").into() };
}

/// At most `limit` bytes of `text`, visibly cut at a character where it is longer.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(CUT.len()));
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests;
