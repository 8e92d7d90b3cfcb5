//! How much a customer's connection may send: a number of frames a second, and a burst at once.
//!
//! All connections that send much at a time share a second budget ([`BULK`]), which also counts
//! free backlogs.
//!
//! Nothing is dropped: a connection over its rate is not read for a while. Everything that was read
//! counts, so a connection may go into debt by the size of one read. The backlog that a hello
//! announces is free, within bounds. Pure: time is an argument. Rules: `docs/PROTOCOL.md`, "How
//! much a desk takes".

use std::time::{Duration, Instant};

use crate::wire::{Message, Number};

/// Entries a second from one customer, unless an option of the desk sets another number.
pub const RATE: u32 = 20;
/// A burst is as many frames as the rate allows in this time.
pub const BURST: Duration = Duration::from_secs(10);
/// The most entries of a connection's backlog that are free.
pub const BACKLOG_ENTRIES: usize = 10_000;
/// The backlog is free only within this many first bytes of a connection.
pub const BACKLOG_BYTES: usize = 16 << 20;

/// Shared budget for bulk senders, in bytes a second at the usual rate, so that interactive
/// customers never wait behind them. A higher rate raises it in proportion.
pub const BULK: usize = 8 << 20;
/// The cost of a frame besides its bytes, in bytes.
const FRAME_WORTH: usize = 256;
/// A read of at most this many bytes counts as a line or two, and not as bulk.
const LITTLE: usize = 4 << 10;
/// How far bulk senders may be ahead of their budget.
const BULK_AHEAD: Duration = Duration::from_millis(5);

/// What one connection has sent.
pub(super) struct Rate {
    /// The time that one frame costs.
    each: Duration,
    /// When everything that came is paid for.
    paid: Instant,
    /// The hello's `newest`.
    newest: Number,
    /// How many entries were free so far.
    free: usize,
    /// How many bytes came so far.
    bytes: usize,
    /// How many of the frames that are not paid for yet are free entries.
    exempt: usize,
}

impl Rate {
    /// A connection that has sent nothing yet.
    pub(super) fn new(a_second: u32, now: Instant) -> Rate {
        Rate {
            each: Duration::from_secs(1) / a_second,
            paid: now,
            newest: 0,
            free: 0,
            bytes: 0,
            exempt: 0,
        }
    }

    /// Counts the bytes of a read.
    pub(super) fn read(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Notes a message that was among these bytes: some entries are free.
    pub(super) fn note(&mut self, message: &Message) {
        match message {
            Message::Hello(hello) => self.newest = hello.newest,
            Message::Entry(entry) if entry.number <= self.newest => {
                let is_free = self.free < BACKLOG_ENTRIES && self.bytes <= BACKLOG_BYTES;
                self.free += usize::from(is_free);
                self.exempt += usize::from(is_free);
            }
            _ => {}
        }
    }

    /// Pays for the frames of a read, this many in all. Returns how long the connection has to
    /// rest.
    pub(super) fn pay(&mut self, frames: usize, now: Instant) -> Duration {
        let frames = frames - std::mem::take(&mut self.exempt);
        let cost = self.each.saturating_mul(u32::try_from(frames).unwrap_or(u32::MAX));
        self.paid = self.paid.max(now) + cost;
        (self.paid - now).saturating_sub(BURST)
    }
}

/// Shared budget for bulk senders, so that interactive customers never wait behind them.
pub(super) struct Bulk {
    /// Bytes a second.
    pace: f64,
    /// When everything that came is paid for.
    clear: Instant,
}

impl Bulk {
    /// The budget of a desk with this rate for each connection.
    pub(super) fn new(rate: u32, now: Instant) -> Bulk {
        Bulk { pace: BULK as f64 * f64::from(rate.max(RATE)) / f64::from(RATE), clear: now }
    }

    /// Pays for one read of a connection. Returns how long the connection has to rest.
    pub(super) fn queue(&mut self, bytes: usize, frames: usize, now: Instant) -> Duration {
        let much = bytes + frames * FRAME_WORTH;
        if much <= LITTLE {
            return Duration::ZERO;
        }
        self.clear = self.clear.max(now) + Duration::from_secs_f64(much as f64 / self.pace);
        (self.clear - now).saturating_sub(BULK_AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Body, ConversationId, Entry, Hello, Secret, VERSION};

    fn entry(number: Number) -> Message {
        Message::Entry(Entry { number, at: 0, body: Body::Withdrawn {} })
    }

    fn hello(newest: Number) -> Message {
        let (conversation, secret) = (ConversationId::new([1; 16]), Secret::new([1; 32]));
        Message::Hello(Box::new(Hello {
            version: VERSION,
            conversation,
            secret,
            name: None,
            received: Default::default(),
            newest,
            features: Vec::new(),
            gateway: None,
            former: None,
            is_here: None,
        }))
    }

    #[test]
    fn a_connection_rests_for_all_that_it_sends_beyond_a_burst() {
        let start = Instant::now();
        let mut rate = Rate::new(20, start);
        assert_eq!(rate.pay(200, start), Duration::ZERO);
        assert_eq!(rate.pay(1, start), Duration::from_millis(50));
        // The debt is as large as one read, however large that is.
        assert_eq!(rate.pay(1_000, start), Duration::from_millis(50_050));
        let rested = start + Duration::from_millis(50_050);
        assert_eq!(rate.pay(1, rested), Duration::from_millis(50));
    }

    #[test]
    fn the_rate_holds_over_a_long_time_and_a_pause_earns_at_most_one_burst() {
        let start = Instant::now();
        let (mut rate, mut now, mut count) = (Rate::new(20, start), start, 0);
        while now < start + Duration::from_secs(100) {
            count += 7;
            now += rate.pay(7, now) + Duration::from_millis(1);
        }
        assert!((2_000..=2_000 + 200 + 7).contains(&count), "{count} in 100 s");
        now += Duration::from_secs(3_600);
        assert_eq!(rate.pay(200, now), Duration::ZERO);
        assert!(rate.pay(1, now) > Duration::ZERO);
    }

    #[test]
    fn the_backlog_of_a_hello_is_free_and_later_entries_are_not() {
        let start = Instant::now();
        let mut rate = Rate::new(20, start);
        rate.note(&hello(5_000));
        (1..=5_000).for_each(|number| rate.note(&entry(number)));
        assert_eq!(rate.pay(5_001, start), Duration::ZERO);
        (5_001..=5_300).for_each(|number| rate.note(&entry(number)));
        assert_eq!(rate.pay(300, start), Duration::from_millis(101 * 50));
    }

    #[test]
    fn bulk_senders_wait_for_each_other_and_a_single_line_waits_for_nobody() {
        let start = Instant::now();
        let mut bulk = Bulk::new(RATE, start);
        let rests: Vec<Duration> = (0..512).map(|_| bulk.queue(15 << 10, 4, start)).collect();
        assert_eq!(rests[0], Duration::ZERO);
        assert_eq!(rests[511], Duration::from_secs(1) - BULK_AHEAD, "512 of 16 KiB are 8 MiB");
        assert_eq!(bulk.queue(1 << 10, 1, start), Duration::ZERO);
        // Small frames cost their bytes and `FRAME_WORTH` each: 4,096 of these cost 3 MiB.
        let later = start + Duration::from_secs(10);
        let rest = bulk.queue(4_096 << 9, 4_096, later);
        assert_eq!(rest, Duration::from_millis(375) - BULK_AHEAD);
    }

    #[test]
    fn an_endless_backlog_is_free_only_up_to_its_bounds() {
        let start = Instant::now();
        let mut rate = Rate::new(20, start);
        rate.note(&hello(Number::MAX));
        (1..=20_000).for_each(|number| rate.note(&entry(number)));
        assert_eq!(rate.pay(20_000, start), Duration::from_millis(9_800 * 50));
        let mut rate = Rate::new(20, start);
        rate.note(&hello(Number::MAX));
        rate.read(BACKLOG_BYTES + 1);
        (1..=300).for_each(|number| rate.note(&entry(number)));
        assert_eq!(rate.pay(300, start), Duration::from_millis(100 * 50));
    }
}
