//! Numbering, cumulative acks, resend, the window and when to dial again: why nothing is lost and
//! nothing doubled.
//!
//! Each origin numbers its entries from 1 without gaps. The sender keeps entries that are not
//! acknowledged and sends them again on the next connection. The receiver takes exactly the next
//! number, drops numbers it has, and refuses to skip one. `session` and `desk` hold these marks for
//! each peer; the entries themselves are in the journal. Rules: `docs/PROTOCOL.md`, "Delivery".

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use crate::core::chance::Chance;
use crate::core::clock::Now;
use crate::wire::Number;

/// Entries in flight, at most.
pub const WINDOW_ENTRIES: usize = 256;
/// Encoded bytes in flight, at most (one entry may exceed it alone).
pub const WINDOW_BYTES: usize = 1024 * 1024;

/// A conversation is given up when nothing was recorded in it for this long. Time in which the
/// program does not run does not count.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How often that time is journaled, so that it goes on where it was after a restart.
pub const IDLE_NOTED: Duration = Duration::from_secs(10 * 60);

/// How far our own entries are with one peer.
#[derive(Clone, Debug, Default)]
pub struct Sending {
    /// Durable at the peer, up to this number.
    acked: Number,
    /// Handed to the present connection, up to this number.
    sent: Number,
    /// Encoded sizes of `acked + 1 ..= sent`.
    flight: VecDeque<u32>,
    /// Their sum.
    bytes: usize,
}

/// The peer claims entries we never made: one of the two journals was restored from a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork;

impl Sending {
    /// After a restart: the peer has acknowledged up to this number, as far as the journal knows.
    pub fn restore(acked: Number) -> Sending {
        Sending { acked, sent: acked, ..Sending::default() }
    }

    /// A new connection: the peer says up to which number it has our entries, and its word is the
    /// truth.
    ///
    /// # Errors
    /// `Fork` when that number is above our `last`.
    pub fn resume(&mut self, received: Number, last: Number) -> Result<(), Fork> {
        if received > last {
            return Err(Fork);
        }
        *self = Sending { acked: received, sent: received, ..Sending::default() };
        Ok(())
    }

    /// The next number that may be sent now, of the numbers up to `owed`.
    pub fn due(&self, owed: Number) -> Option<Number> {
        let room = self.flight.is_empty()
            || (self.flight.len() < WINDOW_ENTRIES && self.bytes < WINDOW_BYTES);
        (self.sent < owed && room).then_some(self.sent + 1)
    }

    /// The due entry was handed to the connection; its frame has `bytes` bytes. Returns its number.
    pub fn sent(&mut self, bytes: usize) -> Number {
        self.sent += 1;
        self.flight.push_back(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.bytes += bytes;
        self.sent
    }

    /// The peer acknowledges everything up to `number`. True when that is more than before.
    ///
    /// # Errors
    /// `Fork` when that number was never sent on this connection.
    pub fn ack(&mut self, number: Number) -> Result<bool, Fork> {
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

    /// Durable at the peer, up to this number.
    pub fn acked(&self) -> Number {
        self.acked
    }

    /// Whether everything up to `number` was handed to the present connection.
    pub fn is_sent(&self, number: Number) -> bool {
        self.sent >= number
    }
}

/// How long nothing was recorded in a conversation. Only time in which the program runs counts.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// The part before the last start of the program.
    pub before: Duration,
    /// When the part since the last start began.
    pub since: Instant,
    /// The part of the idle time that is already in the journal.
    pub noted: Duration,
}

/// What to do about an idle conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Give it up.
    TooLong,
    /// Journal that it has been idle for this long.
    Note(Duration),
    /// Nothing yet.
    On,
}

impl Idle {
    /// Something was recorded just now.
    pub fn new(now: Now) -> Idle {
        Idle { before: Duration::ZERO, since: now.clock, noted: Duration::ZERO }
    }

    /// What to do now.
    pub fn tick(&mut self, now: Now) -> Waited {
        let idle = self.before + now.clock.saturating_duration_since(self.since);
        if idle >= LIFETIME {
            Waited::TooLong
        } else if idle >= self.noted + IDLE_NOTED {
            self.noted = idle;
            Waited::Note(idle)
        } else {
            Waited::On
        }
    }

    /// When to look again.
    pub fn deadline(&self) -> Instant {
        self.since + (self.noted + IDLE_NOTED).min(LIFETIME).saturating_sub(self.before)
    }
}

/// How far a line of ours has come, as far as the peer has said.
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
    /// As a prompt shows it behind a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::None => Ok(()),
            Mark::Delivered => f.write_str(" ✓"),
            Mark::Seen => f.write_str(" ✓✓"),
        }
    }
}

impl Mark {
    /// The mark of the entry `spoken` (0: none), given how far the peer acknowledged and showed.
    pub fn of(spoken: Number, acked: Number, seen: Number) -> Mark {
        match spoken {
            0 => Mark::None,
            _ if spoken <= seen => Mark::Seen,
            _ if spoken <= acked => Mark::Delivered,
            _ => Mark::None,
        }
    }
}

/// How far a peer's entries have come here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Receiving {
    last: Number,
}

/// What to do with an entry that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next one: record it and acknowledge it.
    New,
    /// A known one: drop it and acknowledge it again.
    Again,
    /// An entry before it is missing: close the connection and resume.
    Gap,
}

impl Receiving {
    /// After a restart: the journal has the peer's entries up to this number.
    pub fn restore(last: Number) -> Receiving {
        Receiving { last }
    }

    /// An entry with this number came.
    pub fn take(&mut self, number: Number) -> Arrival {
        if number == self.last + 1 {
            self.last = number;
            Arrival::New
        } else if number <= self.last {
            Arrival::Again
        } else {
            Arrival::Gap
        }
    }

    /// The highest number that is here.
    pub fn last(&self) -> Number {
        self.last
    }
}

/// How long to wait before a desk is dialled again. The first wait is a random part of [`FIRST`];
/// each later one is a random time between six tenths of a bound and the bound, which grows fourfold
/// up to [`LAST`]. So a desk that is down is dialled ten times in the first minute at most.
///
/// [`FIRST`]: Backoff::FIRST
/// [`LAST`]: Backoff::LAST
#[derive(Clone, Debug)]
pub struct Backoff {
    bound: Duration,
    chance: Chance,
}

impl Backoff {
    /// The first bound.
    pub const FIRST: Duration = Duration::from_millis(250);
    /// The bound grows to this.
    pub const LAST: Duration = Duration::from_secs(15);
    /// A connection that lasted this long was healthy: after it the bound starts anew.
    pub const HEALTHY: Duration = Duration::from_secs(10);

    /// `seed` is random, so that customers cut off together do not come back together.
    pub fn new(seed: u64) -> Backoff {
        Backoff { bound: Self::FIRST, chance: Chance::new(seed) }
    }

    /// How long to wait before the next attempt.
    pub fn wait(&mut self) -> Duration {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let least =
            if self.bound == Self::FIRST { Duration::ZERO } else { self.bound.mul_f64(0.6) };
        let wait = least + Duration::from_nanos(self.chance.below(nanos(self.bound - least)));
        self.bound = (self.bound * 4).min(Self::LAST);
        wait
    }

    /// The last connection was healthy.
    pub fn reset(&mut self) {
        self.bound = Self::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_taken_once_and_in_order() {
        let mut receiving = Receiving::default();
        assert_eq!(receiving.take(2), Arrival::Gap);
        assert_eq!(receiving.take(1), Arrival::New);
        assert_eq!(receiving.take(1), Arrival::Again);
        assert_eq!(receiving.take(2), Arrival::New);
        assert_eq!(receiving.take(0), Arrival::Again);
        assert_eq!(receiving.last(), 2);
    }

    #[test]
    fn what_is_not_acked_is_sent_again_on_the_next_connection() {
        let mut sending = Sending::default();
        for number in 1..=3 {
            assert_eq!(sending.due(3), Some(number));
            sending.sent(100);
        }
        assert_eq!(sending.due(3), None);
        assert_eq!(sending.ack(1), Ok(true));
        assert_eq!(sending.ack(1), Ok(false));
        assert_eq!(sending.resume(1, 3), Ok(()));
        assert_eq!(sending.due(3), Some(2));
    }

    #[test]
    fn a_peer_that_forgot_gets_everything_again_and_one_that_invents_is_refused() {
        let mut sending = Sending::default();
        sending.resume(5, 5).unwrap();
        assert_eq!(sending.resume(2, 5), Ok(()));
        assert_eq!(sending.due(5), Some(3));
        assert_eq!(sending.resume(6, 5), Err(Fork));
        assert_eq!(sending.ack(4), Err(Fork));
    }

    #[test]
    fn the_window_bounds_entries_and_bytes_but_never_blocks_one_large_entry() {
        let mut sending = Sending::default();
        for _ in 0..WINDOW_ENTRIES {
            sending.sent(10);
        }
        assert_eq!(sending.due(1000), None);
        sending.ack(1).unwrap();
        assert_eq!(sending.due(1000), Some(257));

        let mut sending = Sending::default();
        sending.sent(2 * WINDOW_BYTES);
        assert_eq!(sending.due(1000), None);
        sending.ack(1).unwrap();
        assert_eq!(sending.due(1000), Some(2));
    }

    #[test]
    fn customers_cut_off_together_come_back_spread_and_ever_slower() {
        let mut waits: Vec<_> = (0..1000).map(|seed| Backoff::new(seed).wait()).collect();
        waits.sort();
        assert!(waits[500] > Duration::from_millis(90) && waits[500] < Duration::from_millis(160));
        let mut backoff = Backoff::new(7);
        let longest = (0..200).map(|_| backoff.wait()).max().unwrap();
        assert!(longest > Duration::from_secs(13) && longest <= Backoff::LAST);
        backoff.reset();
        assert!(backoff.wait() <= Backoff::FIRST);
    }
}
