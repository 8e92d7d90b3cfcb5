//! Bytes into messages: the `Decoder`, what it takes of later versions, and what it refuses.
//!
//! Rules: `docs/PROTOCOL.md`, "Frames", "Later versions" and "Limits".

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::{
    Body, DESKS_MAX, ENTRY_MAX, Entry, FEATURE_MAX, FEATURES_MAX, FRAME_MAX,
    FRAME_MAX_BEFORE_HELLO, Message, Millis, NAME_MAX, NESTING_MAX, Number, TEXT_MAX,
};

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

    /// How many frames were whole since the last push, those of later versions that were ignored
    /// too.
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
    if nesting(body) > NESTING_MAX {
        return Err(WireError::OverLimit("a frame whose nesting is"));
    }
    let message = match serde_json::from_slice(body) {
        // The name is this program's own, for a body that it does not know.
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

/// How many objects and arrays are open at once in a JSON text, at most.
///
/// The JSON reader has a bound of its own only where it keeps what it reads: what it ignores, and
/// a payload that is kept as text, may be nested without end.
fn nesting(json: &[u8]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
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
                open += 1;
                most = most.max(open);
            }
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// What a later version may send: an unknown message, or an entry with an unknown body.
/// `None` where the frame is simply wrong.
fn decode_later(body: &[u8]) -> Option<Result<Option<Message>, WireError>> {
    const KNOWN: [&str; 9] =
        ["hello", "welcome", "busy", "bye", "entry", "ack", "seen", "position", "ping"];
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
    let OneKey(kind, content) = serde_json::from_slice::<OneKey<Value>>(body).ok()?;
    if !KNOWN.contains(&kind.as_str()) {
        let must = content.get("must") == Some(&Value::Bool(true));
        return Some(if must {
            Err(WireError::Unknown(kind.chars().take(64).collect()))
        } else {
            Ok(None)
        });
    }
    if kind != "entry" {
        return None;
    }
    let OneKey(_, LaterEntry { number, at, body: OneKey(kind, content) }) =
        serde_json::from_slice(body).ok()?;
    if KNOWN_BODIES.contains(&kind.as_str()) {
        return None;
    }
    let body = Body::Unknown(Value::Object([(kind, content)].into_iter().collect()));
    Some(Ok(Some(Message::Entry(Entry { number, at, body }))))
}

/// An entry whose body this version does not know.
#[derive(serde::Deserialize)]
struct LaterEntry {
    number: Number,
    at: Millis,
    body: OneKey<Value>,
}

/// An object with exactly one key, which stands in it once.
struct OneKey<T>(String, T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneKey<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<OneKey<T>, D::Error> {
        struct Keys<T>(std::marker::PhantomData<T>);

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

        from.deserialize_map(Keys(std::marker::PhantomData))
    }
}

/// Refuses what types alone cannot: parts over their limits. `length` is that of the frame's body.
fn check(message: Message, length: usize) -> Result<Message, WireError> {
    let short = |name: &Option<String>| name.as_ref().is_none_or(|name| name.len() <= NAME_MAX);
    let few = |features: &[String]| {
        features.len() <= FEATURES_MAX
            && features.iter().all(|feature| feature.len() <= FEATURE_MAX)
    };
    let fits = match &message {
        Message::Hello(hello) => {
            short(&hello.name) && hello.received.len() <= DESKS_MAX && few(&hello.features)
        }
        Message::Welcome(welcome) => few(&welcome.features),
        Message::Bye { text, .. } => text.len() <= TEXT_MAX,
        Message::Entry(entry) if entry.number == 0 || length > ENTRY_MAX => false,
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
