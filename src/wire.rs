//! The wire: the messages and entries that cross the network, their limits, and [`encode`]. The
//! [`Decoder`] is in `decode`.
//!
//! A frame is a big-endian `u32` length and that many bytes: one JSON object with one key, the
//! message's type. This room turns bytes into checked values and back. It leaves numbering to
//! `core::delivery`, meaning to `core::session` and `core::desk`, and moving bytes to `net`. The
//! rules are in `docs/PROTOCOL.md`, for a client in any language.
//!
//! In names in code, as on the wire, `user` is the customer (and the customer's side), `admin` the
//! agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use custom::Custom;
pub use decode::{Decoder, Frame, Frames, WireError};
pub use gateway::{Gateway, Identity, Page, Token};
pub use ids::{
    Address, AddressKey, Conn, ConversationId, DeskId, IdMap, IdSet, SeatKey, Secret, SecretHash,
};
pub use said::{Author, Button, Said};

pub(crate) mod custom;
mod decode;
mod gateway;
mod ids;
mod said;
pub mod seat;

/// The protocol's major version. A peer of another one is refused.
pub const VERSION: u16 = 1;
/// The most bytes of a frame's body.
pub const FRAME_MAX: usize = 65_536;
/// The most bytes of a frame's body before the hello is accepted.
pub const FRAME_MAX_BEFORE_HELLO: usize = 4_096;
/// The most bytes of a message's text, in UTF-8.
pub const TEXT_MAX: usize = 8 * 1024;
/// The most bytes of a custom payload's JSON text, without blanks between its tokens.
pub const CUSTOM_MAX: usize = 8 * 1024;
/// The most bytes of an image's URL.
pub const IMAGE_MAX: usize = 2 * 1024;
/// The most buttons of a message.
pub const BUTTONS_MAX: usize = 32;
/// The most bytes of a button's title.
pub const TITLE_MAX: usize = 256;
/// The most bytes of a button's payload.
pub const PAYLOAD_MAX: usize = 1024;
/// The most bytes of a button's URL.
pub const URL_MAX: usize = 2 * 1024;
/// The most levels of objects and arrays in a frame's body; the body itself is the first.
pub const NESTING_MAX: usize = 127;
/// The most bytes of a frame's body that holds an entry. It is less than `FRAME_MAX`, so that a
/// later version can put more fields beside an entry that is journaled already.
pub const ENTRY_MAX: usize = 60 * 1024;
/// The most bytes of a name (of a customer or an agent), and of the reason, the department and the
/// language of a `requested`.
pub const NAME_MAX: usize = 128;
/// The most desks that a hello may name. If there are more, it names the latest.
pub const DESKS_MAX: usize = 16;
/// The most bytes of a gateway's token.
pub const TOKEN_MAX: usize = 128;
/// The most bytes of a title, a language, a browser and an address in a `page`.
pub const PAGE_TEXT_MAX: usize = 256;
/// The most bytes of a customer's id at the shop, and of an attribute's name.
pub const USER_MAX: usize = 128;
/// The most attributes of a customer.
pub const ATTRIBUTES_MAX: usize = 16;
/// The feature of a desk that trusts the gateway whose token is in the hello.
pub const GATEWAY: &str = "gateway";
/// The feature of a customer's side that understands [`Message::Agent`].
pub const AGENT: &str = "agent";
/// The feature of a customer's side that understands the body `requeue`.
pub const REQUEUE: &str = "requeue";
/// The feature of a customer's side that also answers a `hand_back` or a `close` while the customer
/// waits.
pub const END_QUEUED: &str = "end_queued";
/// The feature of a gateway's customers: their side sends `page`.
pub const PAGE: &str = "page";
/// The most features that a hello or a welcome may name.
pub const FEATURES_MAX: usize = 16;
/// The most bytes of a feature's name.
pub const FEATURE_MAX: usize = 32;

/// The number of an entry. Each side numbers its own entries of a conversation, from 1 without
/// gaps; 0 means "none yet".
pub type Number = u64;

/// Milliseconds since the Unix epoch, for display only: numbers alone give the order.
pub type Millis = u64;

/// The content of a frame. Both sides use this one type; each variant says which side sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The first frame, from the customer's side.
    Hello(Box<Hello>),
    /// The desk's answer to a hello that it accepts.
    Welcome(Welcome),
    /// The desk's answer when it is full.
    Busy {
        /// Seconds to wait before the next attempt.
        retry: u32,
    },
    /// The last frame of either side: why it closes the connection.
    Bye {
        /// The reason, for the program.
        code: Code,
        /// The reason, for a person.
        text: String,
    },
    /// An entry that the sender has numbered.
    Entry(Entry),
    /// An acknowledgement: the sender's journal has the receiver's entries up to `number`.
    Ack {
        /// The highest number of the receiver's entries that is in the sender's journal.
        number: Number,
    },
    /// A person at the sender was shown the receiver's entries up to `number`.
    Seen {
        /// The highest number that was shown.
        number: Number,
    },
    /// The position of a queued customer, from the desk.
    Position {
        /// The position in the queue, from 1.
        position: u32,
        /// Whether all agents are away or gone. `None`: the desk does not know it yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unattended: Option<bool>,
    },
    /// The page on which a gateway's customer is, from the customer's side. Each `page` replaces
    /// the one before.
    Page(Box<Page>),
    /// Who has an active conversation now, from the desk.
    Agent {
        /// The agent's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// False: nobody, and the customer waits again.
        is_there: bool,
        /// The agent has asked the customer to be patient.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        on_hold: bool,
    },
    /// A person at the sender types.
    Typing {},
    /// Whether a gateway's customer is there, from the customer's side.
    Presence {
        /// False: no page of the gateway has been open at the customer's for a while.
        is_here: bool,
    },
    /// A sign of life, and nothing else.
    Ping {},
}

/// How the customer's side opens a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The sender's major version.
    pub version: u16,
    /// The conversation of this connection.
    pub conversation: ConversationId,
    /// The secret that proves that this is the same customer.
    pub secret: Secret,
    /// The customer's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For each desk that had this conversation: the customer's side has its entries up to this
    /// number.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub received: BTreeMap<DeskId, Number>,
    /// The highest number of the customer's side that is for this desk. Until the desk has that
    /// entry, it takes controls as history.
    pub newest: Number,
    /// The names of features that the sender understands beyond version 1.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// The gateway that sends this hello, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// The customer's conversation before this one, if this one has not met a desk yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Former>,
    /// Whether a gateway's customer is there, as in [`Message::Presence`]; `None`: they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_here: Option<bool>,
}

/// A conversation that has ended, with the proof that it belonged to the same customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its secret.
    pub secret: Secret,
}

/// How a desk accepts a hello.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The desk's id, which it made with its journal.
    pub desk: DeskId,
    /// The desk has the entries of the customer's side up to this number. The customer's side sends
    /// the entries after this one, whatever the desk had acked before.
    pub received: Number,
    /// The state that the desk knows; for information only.
    pub state: State,
    /// The names of features that the sender understands, as in a hello.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// The state of a conversation: who answers now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The bot answers.
    Bot,
    /// Nobody answers: the customer waits for an agent.
    Queued,
    /// One agent answers.
    Active,
    /// The conversation has ended.
    Closed,
}

/// Why a connection is closed, for the program. The text beside it is for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The sender's program is ending; dial again later.
    Leaving,
    /// The receiver broke the rules of the wire.
    Protocol,
    /// The receiver speaks another major version.
    Version,
    /// The conversation's secret is not the one that the desk knows.
    Secret,
    /// A newer connection of the same conversation has replaced this one; do not dial again.
    Replaced,
    /// The two journals have different entries under the same numbers.
    Fork,
    /// A number was skipped; dial again to resume.
    Gap,
    /// One of the two sides speaks TLS and the other does not; do not dial again.
    Tls,
    /// A code of a later version.
    #[serde(other)]
    Other,
}

/// One numbered item of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number among the entries of the side that made it.
    pub number: Number,
    /// When the side that made it journaled it.
    pub at: Millis,
    /// Its content.
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

/// The content of an entry: a message, or a control (all other variants).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A message. From the customer's side its author is the customer or the bot, from a desk the
    /// agent.
    Message(Said),
    /// Customer's side: an agent is asked for. Entries with lower numbers are the transcript.
    Requested(Request),
    /// Customer's side: the customer stopped waiting and went back to the bot.
    Withdrawn {},
    /// Desk: an agent wants to take the conversation.
    Accept {
        /// The number of the `requested` on which this control acts.
        request: Number,
        /// The agent's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Desk: the agent wants to give the conversation back to the bot.
    HandBack {
        /// The number of the `requested` on which this control acts.
        request: Number,
    },
    /// Desk: the agent wants to close the conversation.
    Close {
        /// The number of the `requested` on which this control acts.
        request: Number,
    },
    /// Desk: its agent has left, and the customer is to wait again. Only for a customer's side that
    /// named the feature [`REQUEUE`].
    Requeue {
        /// The number of the `requested` on which this control acts.
        request: Number,
    },
    /// Customer's side, in answer to an `accept`: the agent owns the conversation from here on.
    Accepted {
        /// The desk's control that this entry answers.
        of: Asked,
    },
    /// Customer's side, in answer to a control that does not fit the state.
    Refused {
        /// The desk's control that this entry answers.
        of: Asked,
        /// Why, for a person.
        why: String,
    },
    /// Customer's side, in answer to a `hand_back`: the bot owns the conversation from here on.
    HandedBack {
        /// The desk's control that this entry answers.
        of: Asked,
    },
    /// Customer's side: the conversation has ended. With `of` this answers a `close`.
    Closed {
        /// The desk's control that this entry answers, if it answers one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Asked>,
        /// Why it ended.
        reason: EndReason,
    },
    /// A body of a later version. It is journaled and acked, and shown as not understood.
    Unknown(Value),
}

impl Body {
    /// The desk's control that this body answers, if it answers one.
    pub fn answers(&self) -> Option<&Asked> {
        match self {
            Body::Requested(Request { of: Some(of), .. })
            | Body::Accepted { of }
            | Body::Refused { of, .. }
            | Body::HandedBack { of }
            | Body::Closed { of: Some(of), .. } => Some(of),
            _ => None,
        }
    }
}

/// The content of a `requested`. Its texts are as the customer's side sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Why, if the bot said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The department whose agents are to answer, if the bot named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<Box<str>>,
    /// The customer's language (BCP 47), if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Box<str>>,
    /// The desk's `requeue` that this entry answers, if it answers one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Asked>,
}

/// A desk's control, as the answer of the customer's side names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The desk that asked.
    pub desk: DeskId,
    /// The number of its entry.
    pub number: Number,
}

/// Why a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The customer ended it.
    UserEnded,
    /// The agent closed it.
    AdminClosed,
    /// Nobody wrote for too long.
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

/// A message as one frame.
pub fn frame<M: Serialize>(message: &M) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    bytes
}

/// Appends `message` to `out` as one frame.
pub fn encode<M: Serialize>(message: &M, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *out, message)
        .expect("our own messages have string keys and fit in memory");
    let length = out.len() - start - 4;
    debug_assert!(length <= FRAME_MAX, "the limits of its parts keep a message within a frame");
    out[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
}
