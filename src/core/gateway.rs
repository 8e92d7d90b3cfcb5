//! Customers in their browsers: which conversation each of them has, which streams watch it, and
//! what each stream is told.
//!
//! ```text
//! journal ─lines─▶ Event (numbered) ─┐
//!                                    ├─▶ the customer's streams ─bytes─▶ connections
//! session ─────▶ Present (`now`) ────┘
//! ```
//!
//! The events are those of docs/WEB.md, "The stream". A numbered event is made from a line that the
//! journal has committed, by the same function whether the line is new or read again, so a stream
//! that comes back is told what it missed and nothing twice.
//!
//! Pure: inputs are methods, time is an argument, and the bytes for connections come out of
//! [`Gateway::take_output`]. HTTP is `core/http`'s affair.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::customer::{Belongings, CustomerId, TokenHash};
use crate::core::record::Line;
use crate::wire::{Address, Asked, Conn, ConversationId};

pub use addresses::{AddressKeys, Addresses};
pub use call::{Act, Call, Keep, Post, Problem};
pub use event::{Event, EventId};
pub use page::{GivenPage, metadata};
pub use presence::GONE_AFTER;
pub use present::Present;
pub use stream::{Output, Reader};

use newcomers::Newcomers;
use passes::Passes;
use presence::{Absences, Presence};
use stream::{Bye, Full, Ping, Reset, Stream};

mod addresses;
mod call;
mod event;
mod newcomers;
mod page;
mod passes;
mod presence;
mod present;
mod stream;
#[cfg(test)]
mod tests;

/// The most streams of one customer, held requests counted: more would use up the connections that
/// a browser has for a host.
pub const STREAMS_MAX: usize = 4;
/// A ping follows this long after the one before.
pub const PING_EVERY: Duration = Duration::from_secs(15);
/// What is due within this time is done together: one wake serves many streams.
const TOGETHER: Duration = Duration::from_millis(250);
/// A stream whose pings were answered once, and then not for this long, is ended.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(45);
/// A held request is answered after this long at the latest.
pub const HELD_FOR: Duration = Duration::from_secs(25);
/// Requests that do something may come at once, as many as in this many seconds on average.
pub const BURST_SECONDS: u32 = 10;
/// A stream that must begin anew gets this many of the latest events.
pub const LATEST: u64 = 100;
/// A stream that missed more events than this begins anew.
pub const BEHIND_MAX: u64 = 500;

/// Customers at the same time, unless whoever runs the gateway says otherwise.
pub const CUSTOMERS: usize = 8_000;
/// New customers from one address at once, unless whoever runs the gateway says otherwise.
pub const CUSTOMERS_PER_ADDRESS: u32 = 64;
/// Requests a second of one customer, unless whoever runs the gateway says otherwise.
pub const RATE: u32 = 5;

/// How much of a gateway customers may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most customers in memory: whoever has a stream, waits, or has something on its way. A
    /// new one more is asked to come back later; who is a customer already is always let in.
    pub customers: usize,
    /// The most new customers that one address may bring at once. A third as many may follow each
    /// minute.
    pub per_address: u32,
    /// Requests a second of one customer that do something, on average.
    pub rate: u32,
    /// Whether a customer must accept the notice before anything else.
    pub asks_to_agree: bool,
}

/// The customers whose sessions are in memory or who have a stream.
pub struct Gateway {
    limits: Limits,
    /// Tells this journal's events from any other's.
    epoch: u32,
    customers: HashMap<CustomerId, Customer>,
    having: HashMap<ConversationId, CustomerId>,
    named: HashMap<TokenHash, CustomerId>,
    streams: HashMap<Conn, Stream>,
    /// When each stream has something to do next.
    deadlines: BTreeSet<(Instant, Conn)>,
    /// Streams with output.
    written: Vec<Conn>,
    /// How many streams there have been: their ids.
    opened: u64,
    newcomers: Newcomers,
    passes: Passes,
    absences: Absences,
}

/// One customer in memory.
struct Customer {
    /// The conversations, oldest first, each with the number of its entries. The last one is the
    /// present one.
    conversations: Vec<(ConversationId, u64)>,
    /// That of the ids of the events.
    epoch: u32,
    has_agreed: bool,
    tokens: Vec<TokenHash>,
    streams: Vec<Conn>,
    presence: Presence,
    /// The tag of the latest [`Present`] that the streams were told; 0 for none.
    told: u64,
    /// When all requests that came are paid for: each costs a part of a second.
    paid: Option<Instant>,
}

/// Entries that a stream is told when it opens.
#[derive(Debug, PartialEq)]
pub struct Replay {
    /// Whether the page must forget what it shows.
    pub is_reset: bool,
    /// The number of the first event.
    pub first: u64,
    /// The conversations to read from, each with the number of its first entries to pass over.
    pub parts: Vec<(ConversationId, u64)>,
}

impl Gateway {
    /// No customer is in memory. `epoch` is the journal's.
    pub fn new(epoch: u32, limits: Limits) -> Gateway {
        Gateway {
            limits,
            epoch,
            customers: HashMap::new(),
            having: HashMap::new(),
            named: HashMap::new(),
            streams: HashMap::new(),
            deadlines: BTreeSet::new(),
            written: Vec::new(),
            opened: 0,
            newcomers: Newcomers::new(limits.per_address),
            passes: Passes::default(),
            absences: Absences::default(),
        }
    }

    /// A new customer comes from this address. Answers whether that is within the limits.
    pub fn admits(&mut self, address: Address, now: Now) -> bool {
        self.customers.len() < self.limits.customers && self.newcomers.admit(address, now)
    }

    /// Takes a customer into memory, with their conversations as the journal has them. They count as
    /// there for a while.
    pub fn insert(&mut self, id: CustomerId, belongings: Belongings, now: Now) {
        let Belongings { conversations, joins, agreed, about: _ } = belongings;
        for (conversation, _) in &conversations {
            self.having.insert(*conversation, id);
        }
        let customer = Customer {
            conversations,
            // Each customer has a great range of epochs, so none has that of another journal but by
            // chance.
            epoch: self.epoch.wrapping_add(joins),
            has_agreed: agreed.is_some(),
            tokens: Vec::new(),
            streams: Vec::new(),
            // Their session may believe that.
            presence: Presence::Gone,
            told: 0,
            paid: None,
        };
        self.customers.insert(id, customer);
        self.note_request(id, now);
    }

    /// A token names a customer in memory.
    pub fn name(&mut self, hash: TokenHash, id: CustomerId) {
        if let Some(customer) = self.customers.get_mut(&id) {
            // Nearly all customers have one token: a vector would make room for four.
            customer.tokens.reserve_exact(1);
            customer.tokens.push(hash);
            self.named.insert(hash, id);
        }
    }

    /// The customer in memory whom a token names.
    pub fn named(&self, hash: TokenHash) -> Option<CustomerId> {
        self.named.get(&hash).copied()
    }

    /// Whether a customer is in memory.
    pub fn knows(&self, id: CustomerId) -> bool {
        self.customers.contains_key(&id)
    }

    /// A customer in memory begins another conversation.
    pub fn begin(&mut self, id: CustomerId, conversation: ConversationId) {
        if let Some(customer) = self.customers.get_mut(&id) {
            customer.conversations.push((conversation, 0));
            self.having.insert(conversation, id);
        }
    }

    /// The present conversation of a customer in memory.
    pub fn present(&self, id: CustomerId) -> Option<ConversationId> {
        self.customers.get(&id)?.conversations.last().map(|(conversation, _)| *conversation)
    }

    /// The conversation that a customer in memory began behind this one.
    pub fn begun_behind(&self, id: CustomerId, former: ConversationId) -> Option<ConversationId> {
        let conversations = &self.customers.get(&id)?.conversations;
        let at = conversations.iter().position(|(conversation, _)| *conversation == former)?;
        conversations.get(at + 1).map(|(conversation, _)| *conversation)
    }

    /// The customer in memory who has a conversation.
    pub fn customer(&self, conversation: ConversationId) -> Option<CustomerId> {
        self.having.get(&conversation).copied()
    }

    /// A request of a customer in memory wants to do something. Answers whether it is within the
    /// rate.
    pub fn pay(&mut self, id: CustomerId, now: Now) -> bool {
        let (rate, burst) = (self.limits.rate, self.limits.rate.saturating_mul(BURST_SECONDS));
        let Some(customer) = self.customers.get_mut(&id) else { return false };
        let paid = customer.paid.map_or(now.clock, |paid| paid.max(now.clock));
        let each = Duration::from_secs(1) / rate;
        let is_within = paid + each <= now.clock + each * burst;
        if is_within {
            customer.paid = Some(paid + each);
        }
        is_within
    }

    /// Whether the customer must still accept the notice.
    pub fn must_agree(&self, id: CustomerId) -> bool {
        self.limits.asks_to_agree && self.customers.get(&id).is_some_and(|it| !it.has_agreed)
    }

    /// Whether the customer has accepted the notice, or any notice before.
    pub fn has_agreed(&self, id: CustomerId) -> bool {
        self.customers.get(&id).is_some_and(|customer| customer.has_agreed)
    }

    /// The customer accepts the notice.
    pub fn agree(&mut self, id: CustomerId) {
        if let Some(customer) = self.customers.get_mut(&id) {
            customer.has_agreed = true;
            // The streams are told anew.
            customer.told = 0;
        }
    }

    /// Whether a stream of the customer is open.
    pub fn is_watched(&self, id: CustomerId) -> bool {
        self.customers.get(&id).is_some_and(|customer| !customer.streams.is_empty())
    }

    /// Takes a customer out of memory, unless a stream is open.
    pub fn forget(&mut self, id: CustomerId) {
        if !self.is_watched(id) {
            self.renew(id);
        }
    }

    /// A customer at this address may be carried over to another page by this code.
    pub fn issue_pass(
        &mut self,
        code: TokenHash,
        customer: CustomerId,
        address: Option<Address>,
        now: Now,
    ) {
        self.passes.issue(code, customer, address, now);
    }

    /// Uses a code up. Answers whom it carries over.
    pub fn redeem_pass(
        &mut self,
        code: TokenHash,
        address: Option<Address>,
        now: Now,
    ) -> Option<CustomerId> {
        self.passes.redeem(code, address, now)
    }

    /// A token names nobody any more: the streams that were opened with it end.
    pub fn withdraw(&mut self, hash: TokenHash) {
        let Some(id) = self.named.remove(&hash) else { return };
        let Some(customer) = self.customers.get_mut(&id) else { return };
        customer.tokens.retain(|token| *token != hash);
        let streams = customer.streams.clone();
        self.end(streams, |stream| stream.token == hash);
    }

    /// Takes a customer out of memory. Open streams end, and come back to what the journal has
    /// then.
    pub fn renew(&mut self, id: CustomerId) {
        let streams = self.customers.get(&id).map(|customer| customer.streams.clone());
        self.end(streams.unwrap_or_default(), |_| true);
        self.forget_presence(id);
        let Some(customer) = self.customers.remove(&id) else { return };
        for (conversation, _) in customer.conversations {
            self.having.remove(&conversation);
        }
        for hash in customer.tokens {
            self.named.remove(&hash);
        }
    }

    /// Ends those of these streams that are meant. Their pages come back at once.
    fn end(&mut self, streams: Vec<Conn>, is_meant: impl Fn(&Stream) -> bool) {
        for conn in streams {
            let Some(stream) = self.streams.get_mut(&conn).filter(|stream| is_meant(stream)) else {
                continue;
            };
            stream.write(&Event::unnumbered("bye", &Bye { retry: 0 }));
            stream.has_ended = true;
            self.written.push(conn);
        }
    }

    /// What a stream that last saw `after` is told first.
    pub fn replay(&self, id: CustomerId, after: Option<EventId>) -> Replay {
        let customer = self.customers.get(&id);
        let conversations = customer.map_or(&[][..], |customer| &customer.conversations);
        let count: u64 = conversations.iter().map(|(_, entries)| entries).sum();
        let known = after.filter(|after| {
            let is_ours =
                customer.is_some_and(|it| it.epoch == after.epoch) && after.number <= count;
            is_ours && count - after.number <= BEHIND_MAX
        });
        let passed = known.map_or(count.saturating_sub(LATEST), |after| after.number);
        Replay { is_reset: known.is_none(), first: passed + 1, parts: parts(conversations, passed) }
    }

    /// The parts of a customer's events from number `first` to the one before `before`, at most
    /// [`LATEST`] of them.
    pub fn page(&self, id: CustomerId, before: u64) -> Replay {
        let conversations =
            self.customers.get(&id).map_or(&[][..], |customer| &customer.conversations);
        let passed = before.saturating_sub(LATEST + 1);
        Replay { is_reset: false, first: passed + 1, parts: parts(conversations, passed) }
    }

    /// The event of an entry of this customer, if it is one. `number` is its number among the
    /// customer's events.
    pub fn event(
        &self,
        (customer, number): (CustomerId, u64),
        conversation: ConversationId,
        line: &Line,
        post: Option<&str>,
        admin: impl FnOnce(Asked) -> Option<String>,
    ) -> Option<Event> {
        let epoch = self.customers.get(&customer)?.epoch;
        Event::of_entry(EventId { epoch, number }, conversation, line, post, admin)
    }

    /// Opens a stream of a customer in memory. `events` are what its [`Replay`] asks for. A held
    /// request whose `tag` is that of `present`, and that missed nothing, waits.
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

    /// A connection is gone. Answers whose stream it carried.
    pub fn closed(&mut self, conn: Conn, now: Now) -> Option<CustomerId> {
        let stream = self.streams.remove(&conn)?;
        self.deadlines.remove(&(stream.deadline, conn));
        if let Some(customer) = self.customers.get_mut(&stream.customer) {
            customer.streams.retain(|other| *other != conn);
        }
        self.note_stream_end(stream.customer, now);
        Some(stream.customer)
    }

    /// The journal has committed an entry: the customer's streams are told.
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

    /// What is so at present may have changed: the customer's streams are told if it has.
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

    /// The page answers the pings of this stream. Answers whether it is one of the customer's.
    pub fn here(&mut self, id: CustomerId, stream: &str, now: Now) -> bool {
        let Some(customer) = self.customers.get(&id) else { return false };
        let is_it = |conn: &&Conn| self.streams.get(conn).is_some_and(|it| it.id == stream);
        let Some(conn) = customer.streams.iter().find(is_it).copied() else { return false };
        if let Some(stream) = self.streams.get_mut(&conn) {
            stream.answered = Some(now.clock);
        }
        true
    }

    /// Time has passed: pings are sent, held requests answered, deserted streams ended, and customers
    /// have gone.
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

    /// The gateway ends: every stream is told to come back after up to `retry` seconds.
    pub fn leave(&mut self, retry: u32) {
        let bye = Event::unnumbered("bye", &Bye { retry });
        for (conn, stream) in &mut self.streams {
            stream.write(&bye);
            stream.has_ended = true;
            self.written.push(*conn);
        }
    }

    /// What is to be written now. A held request that got something ends.
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

impl Customer {
    /// How many numbered events there are.
    fn count(&self) -> u64 {
        self.conversations.iter().map(|(_, entries)| entries).sum()
    }
}

/// Where the entries behind the first `passed` ones of these conversations are.
fn parts(conversations: &[(ConversationId, u64)], mut passed: u64) -> Vec<(ConversationId, u64)> {
    let mut parts = Vec::new();
    for (conversation, entries) in conversations {
        if passed < *entries {
            parts.push((*conversation, passed));
        }
        passed = passed.saturating_sub(*entries);
    }
    parts
}
