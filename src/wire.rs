//! The wire: frames, messages and entries, their limits, the `Decoder` and `encode`.
//!
//! A frame is a big-endian `u32` length and that many bytes: one JSON object with one key, the
//! message's type. This room turns bytes into checked values and back. It leaves numbering to
//! `delivery`, meaning to `session` and `desk`, and moving bytes to `net`.
//! The rules are written out, for a client in any language, in `docs/PROTOCOL.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use custom::Custom;
pub use ids::{Address, Conn, ConversationId, DeskId, Secret};

pub(crate) mod custom;
mod ids;

/// The protocol's major version. A peer of another one is refused.
pub const VERSION: u16 = 1;
/// Bytes of a frame's body, at most.
pub const FRAME_MAX: usize = 65_536;
/// Bytes of a frame's body, at most, before the hello is accepted.
pub const FRAME_MAX_BEFORE_HELLO: usize = 4_096;
/// Bytes of a message's text, at most, in UTF-8.
pub const TEXT_MAX: usize = 8 * 1024;
/// Bytes of a custom payload's JSON text, at most, without blanks between its tokens.
pub const CUSTOM_MAX: usize = 8 * 1024;
/// Bytes of an image's URL, at most.
pub const IMAGE_MAX: usize = 2 * 1024;
/// Buttons of a message, at most.
pub const BUTTONS_MAX: usize = 32;
/// Bytes of a button's title, at most.
pub const TITLE_MAX: usize = 256;
/// Bytes of a button's payload, at most.
pub const PAYLOAD_MAX: usize = 1024;
/// Bytes of a button's URL, at most.
pub const URL_MAX: usize = 2 * 1024;
/// Bytes of an encoded entry, at most: what is journaled always fits a frame.
pub const ENTRY_MAX: usize = 60 * 1024;
/// Bytes of a name (of a customer or an agent) or of a reason, at most.
pub const NAME_MAX: usize = 128;
/// Desks a hello may name, at most; the latest ones are kept.
pub const DESKS_MAX: usize = 16;

/// An entry's place in its origin's numbering, from 1 without gaps; 0 is "none yet".
pub type Number = u64;

/// Milliseconds since the Unix epoch, for display only: order is the number's.
pub type Millis = u64;

/// One frame's content. User and desk speak the same type; who may send what is said at each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The user's first frame.
    Hello(Hello),
    /// The desk's answer to a hello it accepts.
    Welcome(Welcome),
    /// The desk's answer when it is full: come back after `retry` seconds.
    Busy {
        /// Seconds to wait before the next attempt.
        retry: u32,
    },
    /// Either side's last frame: why it closes the connection.
    Bye {
        /// The reason, for the program.
        code: Code,
        /// The reason, for a person.
        text: String,
    },
    /// A numbered entry of the sender's own.
    Entry(Entry),
    /// All of the receiver's entries up to `number` are durable at the sender.
    Ack {
        /// The highest number that is durable.
        number: Number,
    },
    /// All of the receiver's entries up to `number` were shown to a person at the sender.
    Seen {
        /// The highest number that was shown.
        number: Number,
    },
    /// The desk tells a queued user its place, from 1.
    Position {
        /// Customers before this one, plus one.
        position: u32,
    },
    /// Nothing but a sign of life.
    Ping {},
}

/// How a user opens a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The sender's major version.
    pub version: u16,
    /// Which conversation this is.
    pub conversation: ConversationId,
    /// What proves that it is the same customer.
    pub secret: Secret,
    /// What the customer wants to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For each desk that had this conversation: its entries received, up to this number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub received: BTreeMap<DeskId, Number>,
    /// The user's highest number that is for this desk. Controls up to it are history until it is reached.
    pub newest: Number,
}

/// How a desk accepts a hello. Its marks are the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Which desk this is: made with its journal.
    pub desk: DeskId,
    /// The user's entries this desk has, up to this number.
    pub received: Number,
    /// Where the desk believes the conversation is.
    pub state: State,
}

/// Who answers now: the bot, nobody, or one admin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The bot owns the conversation.
    Bot,
    /// The customer waits for an admin; nobody owns it.
    Queued,
    /// One admin owns it.
    Active,
    /// It has ended.
    Closed,
}

/// Why a connection is closed, for the program; a person reads the text beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The program that speaks is ending; dial again later.
    Leaving,
    /// The other side broke the rules of the wire.
    Protocol,
    /// The other side speaks another major version.
    Version,
    /// The conversation's secret is not the one the desk knows.
    Secret,
    /// A newer connection of the same conversation took over; do not dial again.
    Replaced,
    /// The two journals tell different stories under the same numbers.
    Fork,
    /// A number was skipped; dial again to resume.
    Gap,
    /// One side speaks TLS and the other does not; do not dial again.
    Tls,
    /// A code of a later version.
    #[serde(other)]
    Other,
}

/// One numbered item of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in its origin's numbering.
    pub number: Number,
    /// When its origin journaled it.
    pub at: Millis,
    /// What it is.
    pub body: Body,
}

/// What an entry is: a message, or a control record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Something said. From the user's side: by user or bot; from a desk: by its admin.
    Message(Said),
    /// User: a human is asked for; everything said before stands below this number.
    Requested {
        /// Why, where the bot said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// User: the customer gave up waiting and went back to the bot.
    Withdrawn {},
    /// Desk: an admin wants to take the conversation that was requested by entry `request`.
    Accept {
        /// The user's `requested` this acts on.
        request: Number,
        /// What the admin wants to be called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Desk: the admin wants to give the conversation back to the bot.
    HandBack {
        /// The user's `requested` this acts on.
        request: Number,
    },
    /// Desk: the admin wants to close the conversation.
    Close {
        /// The user's `requested` this acts on.
        request: Number,
    },
    /// User's answer to an `accept`: the admin owns the conversation from here.
    Accepted {
        /// The desk's entry it answers.
        of: Asked,
    },
    /// User's answer to a desk's control that no longer fits.
    Refused {
        /// The desk's entry it answers.
        of: Asked,
        /// Why, for a person.
        why: String,
    },
    /// User's answer to a `hand_back`: the bot owns the conversation from here.
    HandedBack {
        /// The desk's entry it answers.
        of: Asked,
    },
    /// User: the conversation has ended; an answer to a `close` when it has `of`.
    Closed {
        /// The desk's entry it answers, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Asked>,
        /// Why it ended.
        reason: EndReason,
    },
    /// A body of a later version: recorded and acknowledged, shown as not understood.
    Unknown(Value),
}

impl Body {
    /// The desk's control entry that this answers, if it does.
    pub fn answers(&self) -> Option<&Asked> {
        match self {
            Body::Accepted { of }
            | Body::Refused { of, .. }
            | Body::HandedBack { of }
            | Body::Closed { of: Some(of), .. } => Some(of),
            _ => None,
        }
    }
}

/// A desk's control entry, as the user's answer names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The desk that asked.
    pub desk: DeskId,
    /// The number of its entry.
    pub number: Number,
}

/// Something said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// By whom.
    pub author: Author,
    /// What the author wants to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// The text; empty for an image or a custom payload alone.
    pub text: Box<str>,
    /// Choices the bot offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// The URL of an image the bot shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Box<str>>,
    /// A payload of the bot's own making.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom>,
    /// A desk's automatic greeting: nobody typed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub greeting: bool,
}

impl Said {
    /// A plain text.
    pub fn text(author: Author, text: &str) -> Said {
        Said { author, name: None, text: text.into(), buttons: Vec::new(), image: None, custom: None, greeting: false }
    }

    /// The buttons, each with its number.
    pub fn choices(&self) -> Vec<Button> {
        let places = (1..).map(NonZeroU32::new);
        let numbered = |(button, place): (&Button, _)| Button { choice: button.choice.or(place), ..button.clone() };
        self.buttons.iter().zip(places).map(numbered).collect()
    }

    /// Whether every part keeps its limit.
    fn fits(&self) -> bool {
        self.text.len() <= TEXT_MAX
            && self.name.as_ref().is_none_or(|name| name.len() <= NAME_MAX)
            && self.image.as_ref().is_none_or(|image| image.len() <= IMAGE_MAX)
            && self.buttons.len() <= BUTTONS_MAX
            && self.buttons.iter().all(Button::fits)
            && self.custom.as_ref().is_none_or(|custom| custom.as_str().len() <= CUSTOM_MAX)
    }
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The customer.
    User,
    /// The Rasa bot.
    Bot,
    /// The human agent.
    Admin,
}

/// A choice the bot offers: the title is shown, the payload goes back to the bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What a person reads.
    pub title: String,
    /// What the bot gets when it is chosen.
    #[serde(default)]
    pub payload: String,
    /// A page to open. With an empty payload the button is a link only: choosing it sends the bot
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Box<str>>,
    /// Its number among all buttons of the reply; `None` where that is its place in this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<NonZeroU32>,
}

impl Button {
    /// The URL of a button that is a link only.
    pub fn link(&self) -> Option<&str> {
        self.url.as_deref().filter(|_| self.payload.is_empty())
    }

    /// Whether every part keeps its limit.
    fn fits(&self) -> bool {
        self.title.len() <= TITLE_MAX
            && self.payload.len() <= PAYLOAD_MAX
            && self.url.as_ref().is_none_or(|url| url.len() <= URL_MAX)
    }
}

/// Why a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The customer ended it.
    UserEnded,
    /// The admin closed it.
    AdminClosed,
    /// Nothing was said for too long.
    Inactivity,
    /// A reason of a later version.
    #[serde(other)]
    Error,
}

/// Why bytes are not a message. Every one of them ends the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum WireError {
    /// A frame of length 0.
    Empty,
    /// A frame longer than the limit; most often not our protocol at all.
    TooLong {
        /// What the frame claims.
        length: usize,
        /// What is allowed now.
        limit: usize,
    },
    /// Somebody speaks HTTP.
    Http,
    /// Not a JSON object of ours.
    Json(String),
    /// A message type we do not know and may not ignore.
    Unknown(String),
    /// A part of a message is over its limit.
    OverLimit(&'static str),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::Empty => write!(f, "a frame of length 0"),
            WireError::TooLong { length, limit } => {
                write!(f, "a frame of {length} bytes where at most {limit} are allowed")
            }
            WireError::Http => write!(f, "HTTP, and not the handoff protocol; is it the right port?"),
            WireError::Json(why) => write!(f, "a frame that is not a message: {why}"),
            WireError::Unknown(kind) => {
                write!(f, "a message '{kind}' that this version does not know; upgrade handoff")
            }
            WireError::OverLimit(what) => write!(f, "{what} over its limit"),
        }
    }
}

impl std::error::Error for WireError {}

/// Appends `message` to `out` as one frame.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *out, message).expect("our own messages have string keys and fit in memory");
    let length = out.len() - start - 4;
    debug_assert!(length <= FRAME_MAX, "limits keep every message of ours within a frame");
    out[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
}

/// Turns bytes, in whatever pieces they come, into messages.
///
/// Holds no more than one unfinished frame; its length is checked before memory is taken.
#[derive(Debug)]
pub struct Decoder {
    /// Bytes of an unfinished frame, or frames not yet asked for.
    buffer: Vec<u8>,
    /// Where the next frame starts in `buffer`.
    at: usize,
    limit: usize,
    /// Whole frames of the last push, also those that were ignored.
    frames: usize,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { buffer: Vec::new(), at: 0, limit: FRAME_MAX_BEFORE_HELLO, frames: 0 }
    }
}

impl Decoder {
    /// Takes what was read. Call `message` until it has nothing before pushing more.
    pub fn push(&mut self, bytes: Vec<u8>) {
        self.frames = 0;
        if self.buffer.is_empty() {
            self.buffer = bytes;
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// The hello was accepted: frames may be as long as `FRAME_MAX`.
    pub fn accept(&mut self) {
        self.limit = FRAME_MAX;
    }

    /// How many frames were whole since the last push, those of later versions that were ignored too.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Whether a frame has begun and is not whole yet.
    pub fn is_partial(&self) -> bool {
        self.at < self.buffer.len()
    }

    /// The next whole message; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are not of this protocol. The connection cannot go on then.
    pub fn message(&mut self) -> Result<Option<Message>, WireError> {
        loop {
            let Some(end) = self.frame_end()? else {
                self.compact();
                return Ok(None);
            };
            let body = &self.buffer[self.at + 4..end];
            let message = decode(body)?;
            self.at = end;
            self.frames += 1;
            if message.is_some() {
                return Ok(message);
            }
        }
    }

    /// Where the frame at `at` ends, if it is whole.
    fn frame_end(&self) -> Result<Option<usize>, WireError> {
        let waiting = &self.buffer[self.at..];
        let Some(head) = waiting.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length == 0 {
            return Err(WireError::Empty);
        }
        if length > self.limit {
            let http =
                [b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"DELE", b"PATC", b"TRAC", b"PRI ", b"HTTP"];
            if http.contains(&head) {
                return Err(WireError::Http);
            }
            return Err(WireError::TooLong { length, limit: self.limit });
        }
        Ok((waiting.len() >= 4 + length).then_some(self.at + 4 + length))
    }

    /// Gives memory back between frames: an idle connection holds none.
    fn compact(&mut self) {
        if self.at == self.buffer.len() {
            self.buffer = Vec::new();
        } else if self.at > 0 {
            self.buffer.drain(..self.at);
        }
        self.at = 0;
    }
}

/// One frame's body as a message; `None` for a type of a later version that may be ignored.
fn decode(body: &[u8]) -> Result<Option<Message>, WireError> {
    match serde_json::from_slice(body) {
        Ok(message) => check(message).map(Some),
        Err(error) => {
            decode_later(body).unwrap_or_else(|| Err(WireError::Json(error.to_string().chars().take(200).collect())))
        }
    }
}

/// What a later version may send: an unknown message, or an entry with an unknown body.
/// `None` where the frame is simply wrong.
fn decode_later(body: &[u8]) -> Option<Result<Option<Message>, WireError>> {
    const KNOWN: [&str; 9] = ["hello", "welcome", "busy", "bye", "entry", "ack", "seen", "position", "ping"];
    const KNOWN_BODIES: [&str; 11] = [
        "message",
        "requested",
        "withdrawn",
        "accept",
        "hand_back",
        "close",
        "accepted",
        "refused",
        "handed_back",
        "closed",
        "unknown",
    ];
    let value: Value = serde_json::from_slice(body).ok()?;
    let (kind, content) = only(&value)?;
    if !KNOWN.contains(&kind) {
        let must = content.get("must") == Some(&Value::Bool(true));
        return Some(if must { Err(WireError::Unknown(kind.chars().take(64).collect())) } else { Ok(None) });
    }
    if kind != "entry" {
        return None;
    }
    let (number, at) = (content.get("number")?.as_u64()?, content.get("at")?.as_u64()?);
    let later = content.get("body")?;
    let (kind, _) = only(later)?;
    if KNOWN_BODIES.contains(&kind) {
        return None;
    }
    Some(check(Message::Entry(Entry { number, at, body: Body::Unknown(later.clone()) })).map(Some))
}

/// The one key of an object, and its value.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object()?;
    let (key, content) = object.iter().next()?;
    (object.len() == 1).then_some((key.as_str(), content))
}

/// Refuses what types alone cannot: parts over their limits.
fn check(message: Message) -> Result<Message, WireError> {
    let short = |name: &Option<String>| name.as_ref().is_none_or(|name| name.len() <= NAME_MAX);
    let fits = match &message {
        Message::Hello(hello) => short(&hello.name) && hello.received.len() <= DESKS_MAX,
        Message::Bye { text, .. } => text.len() <= TEXT_MAX,
        Message::Entry(entry) if entry.number == 0 => false,
        Message::Entry(entry) => match &entry.body {
            Body::Message(said) => said.fits(),
            Body::Requested { reason } => short(reason),
            Body::Accept { name, .. } => short(name),
            Body::Refused { why, .. } => why.len() <= TEXT_MAX,
            _ => true,
        },
        _ => true,
    };
    if fits { Ok(message) } else { Err(WireError::OverLimit("a part of a message")) }
}
