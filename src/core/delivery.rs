//! The numbers of entries, with which two journals make sure that no entry is lost or doubled.
//!
//! Each side numbers its own entries from 1 without gaps. The sender keeps entries that are not
//! acknowledged and sends them again on the next connection. The receiver takes exactly the next
//! number, drops a number that it has, and refuses to skip one. [`Delivery`] does this for one
//! conversation with one peer: a session has one for each desk, a desk one for each customer. The
//! entries themselves are in the journal. Rules: `docs/PROTOCOL.md`, "Delivery".

use std::collections::VecDeque;
use std::fmt;

use crate::wire::Number;

/// The most entries in flight: sent and not acknowledged.
pub const WINDOW_ENTRIES: usize = 256;
/// The most encoded bytes in flight. (A single entry may be larger.)
pub const WINDOW_BYTES: usize = 1024 * 1024;

/// The numbers of one conversation with one peer, in both directions. The default is for a peer
/// that has received nothing and sent nothing.
///
/// ```
/// use handoff::core::delivery::{Arrival, Delivery, Fork};
///
/// // This side has made three entries, and the peer has one of them.
/// let (last, mut delivery) = (3, Delivery::restore(1, 0, 3));
/// assert_eq!(delivery.resume(1, last), Ok(false));
/// assert_eq!(delivery.due(last), Some(2));
/// assert_eq!(delivery.sent(100), 2);
/// assert_eq!(delivery.ack(2), Ok(true));
///
/// // The peer's entries arrive: once each, in order. One ack answers all of them.
/// assert_eq!(delivery.receive(1), Arrival::New);
/// assert_eq!(delivery.receive(1), Arrival::Again);
/// assert_eq!(delivery.receive(3), Arrival::Gap);
/// assert_eq!(delivery.take_ack(), Some(1));
/// assert_eq!(delivery.take_ack(), None);
///
/// // The connection breaks after entry 3 is sent. On the next one the peer says what it has.
/// assert_eq!(delivery.sent(100), 3);
/// assert_eq!(delivery.resume(2, last), Ok(false));
/// assert_eq!(delivery.due(last), Some(3));
/// assert_eq!(delivery.resume(4, last), Err(Fork));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    sending: Sending,
    receiving: Receiving,
    /// Whether the peer awaits an ack of its entries.
    is_ack_due: bool,
    /// Our highest number that may ever have been sent to the peer.
    highest_offered: Number,
    /// The peer's highest ack that is in our journal.
    journaled_ack: Number,
    /// Our highest number that was shown to a person at the peer.
    seen_by_peer: Number,
    /// The peer's highest number that was shown to a person here.
    shown_here: Number,
}

impl Delivery {
    /// The numbers after a restart, from the journal: the peer acknowledged our entries up to
    /// `acked`, and we have the peer's up to `received`. Our entries up to `offered` may have been
    /// sent.
    pub fn restore(acked: Number, received: Number, offered: Number) -> Delivery {
        Delivery {
            sending: Sending::restore(acked),
            receiving: Receiving { last: received },
            highest_offered: offered,
            journaled_ack: acked,
            ..Delivery::default()
        }
    }

    /// Begins a new connection. The peer says that it has our entries up to `received`; we have
    /// made entries up to `last`. This counts even if the peer has acknowledged more before
    /// (docs/PROTOCOL.md, "Delivery", Resume). True when the peer has more than before.
    ///
    /// # Errors
    /// `Fork` when the peer has more entries than we can have sent.
    pub fn resume(&mut self, received: Number, last: Number) -> Result<bool, Fork> {
        let acked = self.sending.acked;
        self.sending.resume(received, self.highest_offered(last))?;
        Ok(received > acked)
    }

    /// Our journal is an old copy: the peer has entries of ours up to `received` that the journal
    /// does not have. Our next entries get higher numbers (docs/PROTOCOL.md, "hello", 3).
    pub fn set_back(&mut self, received: Number) {
        self.sending = Sending::restore(received);
    }

    /// Our highest number that may ever have been sent to the peer, of those up to `last`.
    pub fn highest_offered(&self, last: Number) -> Number {
        self.highest_offered.min(last)
    }

    /// Any entry that we make may be sent from now on.
    pub fn offer_all(&mut self) {
        self.highest_offered = Number::MAX;
    }

    /// The next of our numbers up to `last` that may be sent now.
    pub fn due(&self, last: Number) -> Option<Number> {
        self.sending.due(last)
    }

    /// The due entry was handed to the connection; its frame has `bytes` bytes. Returns its number.
    pub fn sent(&mut self, bytes: usize) -> Number {
        let number = self.sending.sent(bytes);
        self.highest_offered = self.highest_offered.max(number);
        number
    }

    /// Whether everything up to `number` was handed to the present connection.
    pub fn is_sent(&self, number: Number) -> bool {
        self.sending.sent >= number
    }

    /// The peer acknowledges everything up to `number`. True when that is more than before.
    ///
    /// # Errors
    /// `Fork` when that number was never sent on this connection.
    pub fn ack(&mut self, number: Number) -> Result<bool, Fork> {
        self.sending.ack(number)
    }

    /// Whether an `ack` of this number must be journaled, because it is higher than all acks in the
    /// journal. After that it counts as journaled.
    pub fn note_ack(&mut self, number: Number) -> bool {
        let is_news = number > self.journaled_ack;
        self.journaled_ack = self.journaled_ack.max(number);
        is_news
    }

    /// Our highest number that was shown to a person at the peer, as far as the peer said.
    pub fn seen_by_peer(&self) -> Number {
        self.seen_by_peer
    }

    /// Our highest number that is durable at the peer.
    pub fn acked(&self) -> Number {
        self.sending.acked
    }

    /// An entry of the peer's with this number arrived. Unless there is a gap before it, the peer
    /// awaits an ack.
    pub fn receive(&mut self, number: Number) -> Arrival {
        let arrival = self.receiving.take(number);
        self.is_ack_due |= arrival != Arrival::Gap;
        arrival
    }

    /// The peer's highest number that is here.
    pub fn received(&self) -> Number {
        self.receiving.last
    }

    /// The peer awaits an ack, though it sent no entry.
    pub fn owe_ack(&mut self) {
        self.is_ack_due = true;
    }

    /// The number of the ack that is due, if one is due. The caller sends it.
    pub fn take_ack(&mut self) -> Option<Number> {
        std::mem::take(&mut self.is_ack_due).then_some(self.receiving.last)
    }

    /// The peer showed our entries up to `number` to a person. True when that is more than before.
    ///
    /// # Errors
    /// `Fork` when that number was never sent on this connection.
    pub fn seen(&mut self, number: Number) -> Result<bool, Fork> {
        if !self.is_sent(number) {
            return Err(Fork);
        }
        let is_news = number > self.seen_by_peer;
        self.seen_by_peer = self.seen_by_peer.max(number);
        Ok(is_news)
    }

    /// This side showed the peer's entries up to `number` to a person. True when that is more than
    /// before.
    pub fn show(&mut self, number: Number) -> bool {
        let is_news = number > self.shown_here;
        self.shown_here = self.shown_here.max(number);
        is_news
    }

    /// The peer's highest number that was shown to a person here. A connection that breaks may lose
    /// the `seen` of it, so it is sent again after a welcome (docs/PROTOCOL.md, "ack, seen,
    /// position, ping").
    pub fn shown(&self) -> Option<Number> {
        (self.shown_here > 0).then_some(self.shown_here)
    }

    /// How far our line with this number has come. 0 stands for no line.
    pub fn mark(&self, line: Number) -> Mark {
        match line {
            0 => Mark::None,
            _ if line <= self.seen_by_peer => Mark::Seen,
            _ if line <= self.sending.acked => Mark::Delivered,
            _ => Mark::None,
        }
    }
}

/// How far our own entries have come on their way to the peer.
#[derive(Clone, Debug, Default)]
struct Sending {
    /// Our entries up to this number are durable at the peer.
    acked: Number,
    /// Our entries up to this number were handed to the present connection.
    sent: Number,
    /// Encoded sizes of `acked + 1 ..= sent`.
    flight: VecDeque<u32>,
    /// The sum of `flight`.
    bytes: usize,
}

/// The peer has entries of ours that we never made: one of the two journals was restored from an
/// old copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork;

impl Sending {
    /// The numbers after a restart: by the journal, the peer has acknowledged up to this number.
    fn restore(acked: Number) -> Sending {
        Sending { acked, sent: acked, ..Sending::default() }
    }

    /// Begins a new connection: the peer has our entries up to `received`.
    ///
    /// # Errors
    /// `Fork` when that number is above our `last`.
    fn resume(&mut self, received: Number, last: Number) -> Result<(), Fork> {
        if received > last {
            return Err(Fork);
        }
        *self = Sending { acked: received, sent: received, ..Sending::default() };
        Ok(())
    }

    /// The next number that may be sent now, of the numbers up to `last`.
    fn due(&self, last: Number) -> Option<Number> {
        let room = self.flight.is_empty()
            || (self.flight.len() < WINDOW_ENTRIES && self.bytes < WINDOW_BYTES);
        (self.sent < last && room).then_some(self.sent + 1)
    }

    /// The due entry was handed to the connection; its frame has `bytes` bytes. Returns its number.
    fn sent(&mut self, bytes: usize) -> Number {
        self.sent += 1;
        self.flight.push_back(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.bytes += bytes;
        self.sent
    }

    /// The peer acknowledges everything up to `number`. True when that is more than before.
    ///
    /// # Errors
    /// `Fork` when that number was never sent on this connection.
    fn ack(&mut self, number: Number) -> Result<bool, Fork> {
        if number > self.sent {
            return Err(Fork);
        }
        let news = number > self.acked;
        while self.acked < number {
            self.acked += 1;
            self.bytes -= self.flight.pop_front().map_or(0, |bytes| bytes as usize);
        }
        if self.flight.is_empty() {
            self.flight = VecDeque::new();
        }
        Ok(news)
    }
}

/// How far a line of ours has come, as far as this side knows from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing is known, or no line was said.
    None,
    /// It is durable at the peer.
    Delivered,
    /// It was shown to a person at the peer.
    Seen,
}

impl fmt::Display for Mark {
    /// Writes the mark as a prompt shows it after a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::None => Ok(()),
            Mark::Delivered => f.write_str(" ✓"),
            Mark::Seen => f.write_str(" ✓✓"),
        }
    }
}

/// How far a peer's entries have come here.
#[derive(Clone, Copy, Debug, Default)]
struct Receiving {
    /// The highest number that is here.
    last: Number,
}

/// What to do with an entry that arrived (docs/PROTOCOL.md, "Delivery", Receiving).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next entry: record it and acknowledge it.
    New,
    /// It is here already: drop it and acknowledge it again.
    Again,
    /// An entry before it is missing: close the connection and resume.
    Gap,
}

impl Receiving {
    /// An entry with this number arrived.
    fn take(&mut self, number: Number) -> Arrival {
        if number == self.last + 1 {
            self.last = number;
            Arrival::New
        } else if number <= self.last {
            Arrival::Again
        } else {
            Arrival::Gap
        }
    }
}

#[cfg(test)]
mod tests;
