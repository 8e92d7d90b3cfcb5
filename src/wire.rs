//! The wire: messages and entries, their limits, and `encode`; `decode` has the `Decoder`.
//!
//! A frame is a big-endian `u32` length and that many bytes: one JSON object with one key, the
//! message's type. This room turns bytes into checked values and back. It leaves numbering to
//! `delivery`, meaning to `session` and `desk`, and moving bytes to `net`.
//! The rules are written out, for a client in any language, in `docs/PROTOCOL.md`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use custom::Custom;
pub use decode::{Decoder, WireError};
pub use ids::{Address, Conn, ConversationId, DeskId, Secret};

pub(crate) mod custom;
mod decode;
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
/// Levels of objects and arrays in a frame's body, at most; the body itself is the first.
pub const NESTING_MAX: usize = 127;
/// Bytes of a frame's body that has an entry in it, at most. It is less than `FRAME_MAX`, so that
/// a later version has room for more fields beside an entry that is journaled already.
pub const ENTRY_MAX: usize = 60 * 1024;
/// Bytes of a name (of a customer or an agent) or of a reason, at most.
pub const NAME_MAX: usize = 128;
/// Desks a hello may name, at most; the latest ones are kept.
pub const DESKS_MAX: usize = 16;
/// Features a hello or a welcome may name, at most.
pub const FEATURES_MAX: usize = 16;
/// Bytes of a feature's name, at most.
pub const FEATURE_MAX: usize = 32;

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
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub received: BTreeMap<DeskId, Number>,
    /// The user's highest number that is for this desk. Controls up to it are history until it is
    /// reached.
    pub newest: Number,
    /// What the sender understands beyond version 1. This release has no feature of its own.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
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
    /// As in a hello.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
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

impl Entry {
    /// The message in it, if it is one.
    pub fn said(&self) -> Option<&Said> {
        match &self.body {
            Body::Message(said) => Some(said),
            _ => None,
        }
    }
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
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// The URL of an image the bot shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Box<str>>,
    /// A payload of the bot's own making.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom>,
    /// A desk's automatic greeting: nobody typed it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "std::ops::Not::not")]
    pub greeting: bool,
}

impl Said {
    /// A plain text.
    pub fn text(author: Author, text: &str) -> Said {
        Said {
            author,
            name: None,
            text: text.into(),
            buttons: Vec::new(),
            image: None,
            custom: None,
            greeting: false,
        }
    }

    /// The buttons, each with its number.
    pub fn choices(&self) -> Vec<Button> {
        let places = (1..).map(NonZeroU32::new);
        let numbered = |(button, place): (&Button, _)| Button {
            choice: button.choice.or(place),
            ..button.clone()
        };
        self.buttons.iter().zip(places).map(numbered).collect()
    }

    /// Bytes that it takes in memory, about: no part is left out, so that a peer can hide nothing.
    pub fn size(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let button = |button: &Button| {
            size_of::<Button>() + button.title.len() + button.payload.len() + text(&button.url)
        };
        let custom = self.custom.as_ref().map_or(0, |custom| custom.as_str().len());
        let buttons: usize = self.buttons.iter().map(button).sum();
        size_of::<Said>()
            + self.text.len()
            + text(&self.name)
            + text(&self.image)
            + custom
            + buttons
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
    #[serde(default, deserialize_with = "or_default")]
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

/// An optional field: `null` counts as left out.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Appends `message` to `out` as one frame.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *out, message)
        .expect("our own messages have string keys and fit in memory");
    let length = out.len() - start - 4;
    debug_assert!(length <= FRAME_MAX, "limits keep every message of ours within a frame");
    out[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
}
