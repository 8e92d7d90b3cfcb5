//! The [`Decoder`] turns bytes into messages. It accepts what a later version may send, and refuses
//! what the wire does not allow.
//!
//! Rules: `docs/PROTOCOL.md`, sections "Frames", "Types", "Later versions" and "Limits".

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::{
    Body, DESKS_MAX, ENTRY_MAX, Entry, FEATURE_MAX, FEATURES_MAX, FRAME_MAX,
    FRAME_MAX_BEFORE_HELLO, Message, Millis, NAME_MAX, NESTING_MAX, Number, Request, TEXT_MAX,
    TOKEN_MAX,
};

/// Why bytes are not a message. Every variant ends the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum WireError {
    /// A frame of length 0.
    Empty,
    /// A frame longer than the limit. Most often the peer speaks another protocol.
    TooLong {
        /// The length that the frame claims.
        length: usize,
        /// The limit at this time.
        limit: usize,
    },
    /// The peer speaks HTTP.
    Http,
    /// The body is not the JSON of a message.
    Json(String),
    /// A message of an unknown type that must not be ignored.
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
            WireError::Http => {
                write!(f, "HTTP, and not the handoff protocol; is it the right port?")
            }
            WireError::Json(why) => write!(f, "a frame that is not a message: {why}"),
            WireError::Unknown(kind) => {
                write!(f, "a message '{kind}' that this version does not know; upgrade handoff")
            }
            WireError::OverLimit(what) => write!(f, "{what} over its limit"),
        }
    }
}

impl std::error::Error for WireError {}

/// Turns bytes into messages. The bytes may come in pieces of any size.
///
/// It holds no more than the bytes of the last push and one unfinished frame. It checks a frame's
/// length before it takes memory for the frame.
///
/// ```text
///   before the hello: ──accept──▶ after the hello:
///   4,096 bytes a frame           65,536 bytes a frame
///            └── WireError ──▶ over ◀── WireError ──┘
/// ```
///
/// ```
/// use handoff::wire::{Decoder, FRAME_MAX, Message, WireError, encode};
///
/// let mut frames = Vec::new();
/// encode(&Message::Ping {}, &mut frames);
/// encode(&Message::Ack { number: 7 }, &mut frames);
///
/// // Bytes may be cut anywhere: the second frame is not whole yet.
/// let (first, rest) = frames.split_at(frames.len() - 1);
/// let mut decoder = Decoder::default();
/// decoder.push(first.to_vec());
/// assert_eq!(decoder.message(), Ok(Some(Message::Ping {})));
/// assert_eq!(decoder.message(), Ok(None));
/// assert!(decoder.is_partial());
/// decoder.push(rest.to_vec());
/// assert_eq!(decoder.message(), Ok(Some(Message::Ack { number: 7 })));
/// assert!(!decoder.is_partial());
///
/// // An unknown message is ignored, but it counts as a frame.
/// decoder.push(b"\0\0\0\x0e{\"weather\":{}}".to_vec());
/// assert_eq!((decoder.message(), decoder.frames()), (Ok(None), 1));
///
/// // Frames may be long once the hello is accepted, and never longer than FRAME_MAX.
/// decoder.accept();
/// decoder.push(vec![0, 1, 0, 1]);
/// let refused = WireError::TooLong { length: FRAME_MAX + 1, limit: FRAME_MAX };
/// assert_eq!(decoder.message(), Err(refused));
/// ```
pub type Decoder = Frames<Message>;

/// What a frame's body may be.
pub trait Frame: Sized {
    /// Reads a body. `None` for a message of a later version that may be ignored.
    ///
    /// # Errors
    /// When it is no message.
    fn decode(body: &[u8]) -> Result<Option<Self>, WireError>;
}

/// Turns bytes into the messages of one protocol, as [`Decoder`] does for the wire.
#[derive(Debug)]
pub struct Frames<M> {
    /// The bytes that have not become messages yet, from `at` on.
    buffer: Vec<u8>,
    /// The offset of the next frame in `buffer`.
    at: usize,
    /// The most bytes of a frame's body.
    limit: usize,
    /// The number of whole frames since the last push, including ignored ones.
    frames: usize,
    message: PhantomData<fn() -> M>,
}

impl<M> Default for Frames<M> {
    fn default() -> Frames<M> {
        let (buffer, limit) = (Vec::new(), FRAME_MAX_BEFORE_HELLO);
        Frames { buffer, at: 0, limit, frames: 0, message: PhantomData }
    }
}

impl<M: Frame> Frames<M> {
    /// Takes bytes that were read. Before the next push, call [`message`](Decoder::message) until
    /// it returns `None`.
    pub fn push(&mut self, bytes: Vec<u8>) {
        self.frames = 0;
        if self.buffer.is_empty() {
            self.buffer = bytes;
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// The hello is accepted: from here on frames may have [`FRAME_MAX`] bytes.
    pub fn accept(&mut self) {
        self.limit = FRAME_MAX;
    }

    /// The number of whole frames since the last push, including ignored messages of later
    /// versions.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Whether a frame has begun and is not whole yet.
    pub fn is_partial(&self) -> bool {
        self.at < self.buffer.len()
    }

    /// The next message; `None` if more bytes are needed.
    ///
    /// # Errors
    /// When the bytes break the rules of the wire. Then the connection must end.
    pub fn message(&mut self) -> Result<Option<M>, WireError> {
        loop {
            let Some(end) = self.frame_end()? else {
                self.compact();
                return Ok(None);
            };
            let body = &self.buffer[self.at + 4..end];
            let message = M::decode(body)?;
            self.at = end;
            self.frames += 1;
            if message.is_some() {
                return Ok(message);
            }
        }
    }

    /// The end of the frame at `at`, if the frame is whole. Rules: docs/PROTOCOL.md, "Frames".
    fn frame_end(&self) -> Result<Option<usize>, WireError> {
        let waiting = &self.buffer[self.at..];
        let Some(head) = waiting.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        // "Frames": a length of 0 or over the limit ends the connection.
        if length == 0 {
            return Err(WireError::Empty);
        }
        if length > self.limit {
            let http = [
                b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"DELE", b"PATC", b"TRAC",
                b"PRI ", b"HTTP",
            ];
            if http.contains(&head) {
                return Err(WireError::Http);
            }
            return Err(WireError::TooLong { length, limit: self.limit });
        }
        Ok((waiting.len() >= 4 + length).then_some(self.at + 4 + length))
    }

    /// Frees the bytes of finished frames: a connection between frames holds no buffer.
    fn compact(&mut self) {
        if self.at == self.buffer.len() {
            self.buffer = Vec::new();
        } else if self.at > 0 {
            self.buffer.drain(..self.at);
        }
        self.at = 0;
    }
}

impl Frame for Message {
    fn decode(body: &[u8]) -> Result<Option<Message>, WireError> {
        decode(body)
    }
}

/// A frame's body as a message; `None` for a message of a later version that may be ignored.
fn decode(body: &[u8]) -> Result<Option<Message>, WireError> {
    // "Frames": a body with more than 127 levels ends the connection.
    if nesting(body) > NESTING_MAX {
        return Err(WireError::OverLimit("a frame whose nesting is"));
    }
    let message = match serde_json::from_slice(body) {
        // "Later versions": `unknown` is never a body's name. This program uses it for a body that
        // it does not know.
        Ok(Message::Entry(Entry { body: Body::Unknown(_), .. })) => {
            return Err(WireError::Json("a body named 'unknown'".to_owned()));
        }
        Ok(message) => message,
        Err(error) => match decode_later(body) {
            Some(Ok(Some(later))) => later,
            Some(ignored_or_refused) => return ignored_or_refused,
            None => return Err(WireError::Json(error.to_string().chars().take(200).collect())),
        },
    };
    check(message, body.len()).map(Some)
}

/// The number of levels of objects and arrays in a JSON text.
///
/// serde_json limits the levels only of values that it builds. It does not limit those of ignored
/// fields, or of a payload that is kept as text.
pub(super) fn nesting(json: &[u8]) -> usize {
    let (mut level, mut most) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(inside) = bytes.next() {
                    match inside {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
            }
            b'{' | b'[' => {
                level += 1;
                most = most.max(level);
            }
            b'}' | b']' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// Reads what a later version may send: an unknown message, or an entry with an unknown body.
/// `None` if the frame is neither. Rules: docs/PROTOCOL.md, "Later versions".
fn decode_later(body: &[u8]) -> Option<Result<Option<Message>, WireError>> {
    const KNOWN: [&str; 13] = [
        "hello", "welcome", "busy", "bye", "entry", "ack", "seen", "position", "page", "agent",
        "typing", "presence", "ping",
    ];
    const KNOWN_BODIES: [&str; 12] = [
        "message",
        "requested",
        "withdrawn",
        "accept",
        "hand_back",
        "close",
        "requeue",
        "accepted",
        "refused",
        "handed_back",
        "closed",
        "unknown",
    ];
    let OneKey(kind, content) = serde_json::from_slice::<OneKey<Value>>(body).ok()?;
    if !KNOWN.contains(&kind.as_str()) {
        return Some(ignored(&kind, &content));
    }
    if kind != "entry" {
        return None;
    }
    let OneKey(_, LaterEntry { number, at, body: OneKey(kind, content) }) =
        serde_json::from_slice(body).ok()?;
    // An entry with an unknown body is an entry; a known body with wrong fields is an error.
    if KNOWN_BODIES.contains(&kind.as_str()) {
        return None;
    }
    let body = Body::Unknown(Value::Object([(kind, content)].into_iter().collect()));
    Some(Ok(Some(Message::Entry(Entry { number, at, body }))))
}

/// What a message of an unknown kind becomes: it is ignored (`None`), unless its value has
/// `"must":true` (docs/PROTOCOL.md, "Later versions").
pub(super) fn ignored<M>(kind: &str, content: &Value) -> Result<Option<M>, WireError> {
    match content.get("must") {
        Some(Value::Bool(true)) => Err(WireError::Unknown(kind.chars().take(64).collect())),
        _ => Ok(None),
    }
}

/// An entry with an unknown body.
#[derive(serde::Deserialize)]
struct LaterEntry {
    number: Number,
    at: Millis,
    body: OneKey<Value>,
}

/// An object with exactly one key. A second key is an error, also if it is the same key again
/// (docs/PROTOCOL.md, "Frames").
pub(super) struct OneKey<T>(pub(super) String, pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneKey<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<OneKey<T>, D::Error> {
        struct Keys<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Keys<T> {
            type Value = OneKey<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OneKey<T>, A::Error> {
                let (key, value) =
                    map.next_entry()?.ok_or_else(|| A::Error::custom("an object without a key"))?;
                match map.next_key::<String>()? {
                    None => Ok(OneKey(key, value)),
                    Some(_) => Err(A::Error::custom("an object with more than one key")),
                }
            }
        }

        from.deserialize_map(Keys(PhantomData))
    }
}

/// Refuses a message with a part over its limit (docs/PROTOCOL.md, "Limits"). `length` is the
/// length of the frame's body.
fn check(message: Message, length: usize) -> Result<Message, WireError> {
    let short = |name: &Option<String>| name.as_ref().is_none_or(|name| name.len() <= NAME_MAX);
    let few = |features: &[String]| {
        features.len() <= FEATURES_MAX
            && features.iter().all(|feature| feature.len() <= FEATURE_MAX)
    };
    let fits = match &message {
        Message::Hello(hello) => {
            short(&hello.name)
                && hello.received.len() <= DESKS_MAX
                && few(&hello.features)
                && hello.gateway.as_ref().is_none_or(|it| it.token.0.len() <= TOKEN_MAX)
        }
        Message::Welcome(welcome) => few(&welcome.features),
        Message::Page(page) => page.fits(),
        Message::Agent { name, .. } => short(name),
        Message::Bye { text, .. } => text.len() <= TEXT_MAX,
        // "Types": an entry's number is at least 1.
        Message::Entry(entry) if entry.number == 0 || length > ENTRY_MAX => false,
        Message::Entry(entry) => match &entry.body {
            Body::Message(said) => said.fits(),
            Body::Requested(Request { reason, department, language, .. }) => {
                let texts = [department, language].into_iter().flatten();
                short(reason) && texts.into_iter().all(|text| text.len() <= NAME_MAX)
            }
            Body::Accept { name, .. } => short(name),
            Body::Refused { why, .. } => why.len() <= TEXT_MAX,
            _ => true,
        },
        _ => true,
    };
    if fits { Ok(message) } else { Err(WireError::OverLimit("a part of a message")) }
}
