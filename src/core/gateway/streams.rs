//! All streams: how they open, which events they get, and when they end.

use std::time::{Duration, Instant};

use super::presence::Presence;
use super::stream::{Bye, Full, Output, Ping, Reader, Reset, Stream};
use super::{Event, EventId, Gateway, Present, Replay};
use crate::core::clock::Now;
use crate::core::customer::{CustomerId, TokenHash};
use crate::core::record::Line;
use crate::wire::{Asked, Conn, ConversationId};

/// The most streams of one customer, including held requests. More would use up the connections
/// that a browser has for a host.
pub const STREAMS_MAX: usize = 4;
/// The time between two pings of a stream.
pub const PING_EVERY: Duration = Duration::from_secs(15);
/// Pings that are due within this time are sent together: so one wake serves many streams.
const TOGETHER: Duration = Duration::from_millis(250);
/// A stream ends when its page has answered a ping before, and then none for this long.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(45);
/// How long a request is held at most.
pub const HELD_FOR: Duration = Duration::from_secs(25);

impl Gateway {
    /// Opens a stream of a customer in memory. `events` are the ones that its [`Replay`] asks for.
    /// A held request waits if it missed nothing and its `tag` is the present one.
    pub fn open(
        &mut self,
        conn: Conn,
        (id, token): (CustomerId, TokenHash),
        reader: Reader,
        (replay, events): (&Replay, &[Event]),
        (present, tag): (&Present, u64),
        now: Now,
    ) {
        let must_agree = self.must_agree(id);
        let Some(customer) = self.customers.get_mut(&id) else { return };
        self.opened += 1;
        let wait = if reader == Reader::Held { HELD_FOR } else { PING_EVERY };
        let mut stream = Stream {
            customer: id,
            token,
            reader,
            id: format!("{:x}", self.opened),
            out: Vec::new(),
            has_ended: false,
            deadline: now.clock + wait,
            answered: None,
        };
        self.written.push(conn);
        if customer.streams.len() >= STREAMS_MAX {
            stream.write(&Event::unnumbered("full", &Full { streams: STREAMS_MAX }));
            stream.has_ended = true;
            self.streams.insert(conn, stream);
            return;
        }
        customer.streams.push(conn);
        let is_news = present.tag() != tag || replay.is_reset || !events.is_empty();
        if is_news || reader == Reader::Events {
            customer.told = present.tag();
            stream.tell(present, (customer.count(), must_agree), now);
            if replay.is_reset {
                stream.write(&Event::unnumbered("reset", &Reset { first: replay.first }));
            }
            events.iter().for_each(|event| stream.write(event));
        }
        self.deadlines.insert((stream.deadline, conn));
        self.streams.insert(conn, stream);
        self.set_presence(id, Presence::Watching);
    }

    /// A connection is gone. Returns the customer whose stream it carried.
    pub fn closed(&mut self, conn: Conn, now: Now) -> Option<CustomerId> {
        let stream = self.streams.remove(&conn)?;
        self.deadlines.remove(&(stream.deadline, conn));
        if let Some(customer) = self.customers.get_mut(&stream.customer) {
            customer.streams.retain(|other| *other != conn);
        }
        self.note_stream_end(stream.customer, now);
        Some(stream.customer)
    }

    /// The journal has committed an entry: the customer's streams get its event.
    pub fn committed(
        &mut self,
        conversation: ConversationId,
        line: &Line,
        post: Option<&str>,
        admin: impl FnOnce(Asked) -> Option<String>,
    ) {
        let Some(id) = self.customer(conversation) else { return };
        let Some(customer) = self.customers.get_mut(&id) else { return };
        let Some(at) = customer.conversations.iter().position(|(of, _)| *of == conversation) else {
            return;
        };
        customer.conversations[at].1 += 1;
        if customer.streams.is_empty() {
            return;
        }
        let number = customer.conversations[..=at].iter().map(|(_, entries)| entries).sum();
        let id = EventId { epoch: customer.epoch, number };
        let Some(event) = Event::of_entry(id, conversation, line, post, admin) else { return };
        for conn in &customer.streams {
            if let Some(stream) = self.streams.get_mut(conn) {
                stream.write(&event);
                self.written.push(*conn);
            }
        }
    }

    /// The present state may have changed. If it has, the customer's streams get it.
    pub fn changed(&mut self, present: &Present, conversation: ConversationId, now: Now) {
        let Some(id) = self.customer(conversation) else { return };
        let must_agree = self.must_agree(id);
        let Some(customer) = self.customers.get_mut(&id) else { return };
        let is_latest = customer.conversations.last().is_some_and(|(of, _)| *of == conversation);
        if !is_latest || std::mem::replace(&mut customer.told, present.tag()) == present.tag() {
            return;
        }
        let last = customer.count();
        for conn in &customer.streams {
            if let Some(stream) = self.streams.get_mut(conn) {
                stream.tell(present, (last, must_agree), now);
                self.written.push(*conn);
            }
        }
    }

    /// The page has answered a ping of this stream. Returns whether the stream is one of the
    /// customer's.
    pub fn here(&mut self, id: CustomerId, stream: &str, now: Now) -> bool {
        let Some(customer) = self.customers.get(&id) else { return false };
        let is_it = |conn: &&Conn| self.streams.get(conn).is_some_and(|it| it.id == stream);
        let Some(conn) = customer.streams.iter().find(is_it).copied() else { return false };
        if let Some(stream) = self.streams.get_mut(&conn) {
            stream.answered = Some(now.clock);
        }
        true
    }

    /// Does what is due: sends pings, answers held requests, ends deserted streams, and marks
    /// customers as gone.
    pub fn tick(&mut self, now: Now) {
        if self.deadline().is_none_or(|at| at > now.clock) {
            return;
        }
        self.tick_presences(now);
        while let Some((at, conn)) = self.deadlines.first().copied()
            && at <= now.clock + TOGETHER
        {
            self.deadlines.pop_first();
            let Some(stream) = self.streams.get_mut(&conn) else { continue };
            self.written.push(conn);
            let is_deserted =
                stream.answered.is_some_and(|last| now.clock >= last + ANSWERED_WITHIN);
            if stream.reader == Reader::Held || is_deserted {
                stream.has_ended = true;
                continue;
            }
            let ping = Ping { stream: &stream.id, at: now.wall };
            let ping = Event::unnumbered("ping", &ping);
            stream.write(&ping);
            stream.deadline = now.clock + PING_EVERY;
            self.deadlines.insert((stream.deadline, conn));
        }
    }

    /// When `tick` has something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        let streams = self.deadlines.first().map(|(at, _)| *at);
        streams.into_iter().chain(self.presence_deadline()).min()
    }

    /// The gateway is ending: tells every stream to come back after up to `retry` seconds.
    pub fn leave(&mut self, retry: u32) {
        let bye = Event::unnumbered("bye", &Bye { retry });
        for (conn, stream) in &mut self.streams {
            stream.write(&bye);
            stream.has_ended = true;
            self.written.push(*conn);
        }
    }

    /// The bytes to write now. A held request that has events ends with them.
    pub fn take_output(&mut self, now: Now) -> Vec<Output> {
        let mut outputs = Vec::new();
        for conn in std::mem::take(&mut self.written) {
            let Some(stream) = self.streams.get_mut(&conn) else { continue };
            if stream.out.is_empty() && !stream.has_ended {
                continue;
            }
            let mut bytes = std::mem::take(&mut stream.out);
            let mut ends = stream.has_ended;
            if stream.reader == Reader::Held {
                ends = true;
                bytes = [b"{\"events\":[", &*bytes, b"]}"].concat();
            }
            outputs.push(Output { conn, customer: stream.customer, bytes, ends });
            if ends {
                self.closed(conn, now);
            }
        }
        outputs
    }
}
