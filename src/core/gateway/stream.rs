//! One stream: how its page reads it, which bytes wait for it, and its events without a number.

use std::time::Instant;

use serde::Serialize;

use super::event::Event;
use super::present::{NowEvent, Present};
use crate::core::clock::Now;
use crate::core::customer::{CustomerId, TokenHash};
use crate::core::report::rfc3339;
use crate::wire::{Conn, Millis};

/// How a page reads a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// As server-sent events, for as long as the connection lasts.
    Events,
    /// As one JSON answer, which comes when there is an event.
    Held,
}

/// One stream.
pub(super) struct Stream {
    pub(super) customer: CustomerId,
    /// The token with which the stream was opened.
    pub(super) token: TokenHash,
    pub(super) reader: Reader,
    /// The id by which the page answers pings.
    pub(super) id: String,
    /// The bytes that wait to be written.
    pub(super) out: Vec<u8>,
    pub(super) has_ended: bool,
    pub(super) deadline: Instant,
    /// When the page last answered a ping.
    pub(super) answered: Option<Instant>,
}

/// Bytes for a connection.
#[derive(Debug, PartialEq)]
pub struct Output {
    /// The stream's connection.
    pub conn: Conn,
    /// The customer whose stream it is.
    pub customer: CustomerId,
    /// The bytes to write: events, or the whole body of the answer to a held request.
    pub bytes: Vec<u8>,
    /// Whether the stream ends after these bytes.
    pub ends: bool,
}

#[derive(Serialize)]
#[serde(tag = "event", rename = "reset")]
pub(super) struct Reset {
    pub(super) first: u64,
}

#[derive(Serialize)]
#[serde(tag = "event", rename = "ping")]
pub(super) struct Ping<'a> {
    pub(super) stream: &'a str,
    #[serde(serialize_with = "rfc3339")]
    pub(super) at: Millis,
}

#[derive(Serialize)]
#[serde(tag = "event", rename = "full")]
pub(super) struct Full {
    pub(super) streams: usize,
}

#[derive(Serialize)]
#[serde(tag = "event", rename = "bye")]
pub(super) struct Bye {
    pub(super) retry: u32,
}

impl Stream {
    /// Adds an event.
    pub(super) fn write(&mut self, event: &Event) {
        match self.reader {
            Reader::Events => event.write_to_stream(&mut self.out),
            Reader::Held => event.write_to_list(&mut self.out),
        }
    }

    /// Adds the event `now`. `last` is the number of the customer's latest event.
    pub(super) fn tell(&mut self, present: &Present, (last, must_agree): (u64, bool), now: Now) {
        let tag = format!("{:016x}", present.tag());
        let event = NowEvent { stream: &self.id, tag, last, must_agree, at: now.wall, present };
        let event = Event::unnumbered("now", &event);
        self.write(&event);
    }
}
