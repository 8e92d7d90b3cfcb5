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
//! journal has committed. The same function makes it, whether the line is new or read again. So a
//! stream that comes back gets the events that it missed, and no event twice.
//!
//! Pure: inputs are methods, time is an argument, and the bytes for connections come out of
//! [`Gateway::take_output`]. HTTP is `core/http`'s affair.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::customer::{Belongings, CustomerId, TokenHash};
use crate::core::record::Line;
use crate::wire::{Address, Asked, Conn, ConversationId, IdMap};

pub use addresses::{AddressKeys, Addresses};
pub use call::{Act, Call, Keep, Post, Problem};
pub use event::{Event, EventId};
pub use presence::GONE_AFTER;
pub use present::Present;
pub use shop_page::{GivenPage, metadata};
pub use stream::{Output, Reader};
pub use streams::{ANSWERED_WITHIN, HELD_FOR, PING_EVERY, STREAMS_MAX};

use newcomers::Newcomers;
use passes::Passes;
use presence::{Absences, Presence};
use stream::{Bye, Stream};

mod addresses;
mod call;
mod event;
mod newcomers;
mod passes;
mod presence;
mod present;
mod shop_page;
mod stream;
mod streams;
#[cfg(test)]
mod tests;

/// A customer may send at once as many requests that do something as the rate allows in this many
/// seconds.
pub const BURST_SECONDS: u32 = 10;
/// A stream that must begin anew gets this many of the latest events.
pub const LATEST: u64 = 100;
/// A stream that missed more events than this begins anew.
pub const BEHIND_MAX: u64 = 500;

/// The most customers in memory, unless an option sets another number.
pub const CUSTOMERS: usize = 8_000;
/// The most new customers that one address may bring at once, unless an option sets another number.
pub const CUSTOMERS_PER_ADDRESS: u32 = 64;
/// Requests a second from one customer, unless an option sets another number.
pub const RATE: u32 = 5;

/// How much of a gateway customers may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most customers in memory: those who have a stream, wait, or have an entry on its way.
    /// Beyond that, a new customer is asked to come back later; a known customer is always let in.
    pub customers: usize,
    /// The most new customers that one address may bring at once. A third as many may follow each
    /// minute.
    pub per_address: u32,
    /// How many requests a second from one customer may do something, on average.
    pub rate: u32,
    /// Whether a customer must accept the notice before anything else.
    pub asks_to_agree: bool,
}

/// The customers whose sessions are in memory or who have a stream.
pub struct Gateway {
    limits: Limits,
    /// The epoch of the journal: events of different journals have different epochs.
    epoch: u32,
    customers: IdMap<CustomerId, Customer>,
    having: IdMap<ConversationId, CustomerId>,
    named: IdMap<TokenHash, CustomerId>,
    streams: IdMap<Conn, Stream>,
    /// When each stream has something to do next.
    deadlines: BTreeSet<(Instant, Conn)>,
    /// Streams with output.
    written: Vec<Conn>,
    /// How many streams were opened so far, which is also the id of the latest one.
    opened: u64,
    newcomers: Newcomers,
    passes: Passes,
    absences: Absences,
}

/// One customer in memory.
struct Customer {
    /// The conversations, the oldest first, each with the number of its entries. The last one is
    /// the present one.
    conversations: Vec<(ConversationId, u64)>,
    /// The epoch in the ids of the customer's events.
    epoch: u32,
    has_agreed: bool,
    tokens: Vec<TokenHash>,
    streams: Vec<Conn>,
    presence: Presence,
    /// The tag of the latest [`Present`] that the streams have; 0 if they have none.
    told: u64,
    /// The rate limit of the customer's requests: each request moves this moment on by a part of a
    /// second.
    paid: Option<Instant>,
}

/// The entries that a stream gets when it opens.
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
    /// A gateway without customers in memory. `epoch` is the journal's.
    pub fn new(epoch: u32, limits: Limits) -> Gateway {
        Gateway {
            limits,
            epoch,
            customers: IdMap::default(),
            having: IdMap::default(),
            named: IdMap::default(),
            streams: IdMap::default(),
            deadlines: BTreeSet::new(),
            written: Vec::new(),
            opened: 0,
            newcomers: Newcomers::new(limits.per_address),
            passes: Passes::default(),
            absences: Absences::default(),
        }
    }

    /// Counts a new customer from this address. Returns whether that is within the limits.
    pub fn admits(&mut self, address: Address, now: Now) -> bool {
        self.customers.len() < self.limits.customers && self.newcomers.admit(address, now)
    }

    /// Takes a customer into memory, with their conversations as the journal has them. They count
    /// as there for a while.
    pub fn insert(&mut self, id: CustomerId, belongings: Belongings, now: Now) {
        let Belongings { conversations, joins, agreed, about: _ } = belongings;
        for (conversation, _) in &conversations {
            self.having.insert(*conversation, id);
        }
        let customer = Customer {
            conversations,
            // A customer's epochs grow from the journal's, which is random. So two journals have
            // the same epoch only by chance.
            epoch: self.epoch.wrapping_add(joins),
            has_agreed: agreed.is_some(),
            tokens: Vec::new(),
            streams: Vec::new(),
            // The session may believe that the customer is gone.
            presence: Presence::Gone,
            told: 0,
            paid: None,
        };
        self.customers.insert(id, customer);
        self.note_request(id, now);
    }

    /// Notes that the token with this hash belongs to a customer in memory.
    pub fn name(&mut self, hash: TokenHash, id: CustomerId) {
        if let Some(customer) = self.customers.get_mut(&id) {
            // Nearly all customers have one token: a vector would make room for four.
            customer.tokens.reserve_exact(1);
            customer.tokens.push(hash);
            self.named.insert(hash, id);
        }
    }

    /// The customer in memory to whom the token with this hash belongs.
    pub fn named(&self, hash: TokenHash) -> Option<CustomerId> {
        self.named.get(&hash).copied()
    }

    /// Whether a customer is in memory.
    pub fn knows(&self, id: CustomerId) -> bool {
        self.customers.contains_key(&id)
    }

    /// Begins another conversation of a customer in memory.
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

    /// The conversation that a customer in memory began after this one.
    pub fn begun_after(&self, id: CustomerId, former: ConversationId) -> Option<ConversationId> {
        let conversations = &self.customers.get(&id)?.conversations;
        let at = conversations.iter().position(|(conversation, _)| *conversation == former)?;
        conversations.get(at + 1).map(|(conversation, _)| *conversation)
    }

    /// The customer in memory who has a conversation.
    pub fn customer(&self, conversation: ConversationId) -> Option<CustomerId> {
        self.having.get(&conversation).copied()
    }

    /// Counts a request of a customer in memory that wants to do something. Returns whether it is
    /// within the rate.
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

    /// Notes that the customer accepts the notice.
    pub fn agree(&mut self, id: CustomerId) {
        if let Some(customer) = self.customers.get_mut(&id) {
            customer.has_agreed = true;
            // So the streams get a new `now`.
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

    /// Makes a code valid that carries a customer at this address over to another page.
    pub fn issue_pass(
        &mut self,
        code: TokenHash,
        customer: CustomerId,
        address: Option<Address>,
        now: Now,
    ) {
        self.passes.issue(code, customer, address, now);
    }

    /// Uses up a code. Returns the customer whom it carries over.
    pub fn redeem_pass(
        &mut self,
        code: TokenHash,
        address: Option<Address>,
        now: Now,
    ) -> Option<CustomerId> {
        self.passes.redeem(code, address, now)
    }

    /// Forgets a token that names nobody any more. The streams that were opened with it end.
    pub fn withdraw(&mut self, hash: TokenHash) {
        let Some(id) = self.named.remove(&hash) else { return };
        let Some(customer) = self.customers.get_mut(&id) else { return };
        customer.tokens.retain(|token| *token != hash);
        let streams = customer.streams.clone();
        self.end(streams, |stream| stream.token == hash);
    }

    /// Takes a customer out of memory. Open streams end; when their pages come back, the customer
    /// is read from the journal again.
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

    /// Ends the streams for which `is_meant` holds. Their pages come back at once.
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

    /// The first events of a stream whose page has those up to `after`.
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
}

impl Customer {
    /// How many numbered events there are.
    fn count(&self) -> u64 {
        self.conversations.iter().map(|(_, entries)| entries).sum()
    }
}

/// Finds the entries of these conversations after the first `passed` ones.
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
