//! The desk: the queue, the conversations, and what the agent does with them.
//!
//! ```text
//!              requested                accepted
//!   ┌─────┐ ─────────────▶ ┌────────┐ ───────────▶ ┌────────┐
//!   │ bot │                │ queued │              │ active │
//!   └─────┘ ◀───────────── └────────┘              └────────┘
//!      ▲       withdrawn                               │
//!      └──────────────── handed_back ──────────────────┘
//!   any ── closed ──▶ closed
//! ```
//!
//! Every arrow is an entry of the customer's side, which decides the state (docs/PROTOCOL.md,
//! "States, and who decides"). `/accept`, `/handback` and `/close` record a control of the desk that
//! asks for the change, and the change takes effect when the answer comes. While the backlog of a
//! hello arrives, its controls are history: the desk shows the agent the state at its end. What
//! another desk's agent did with the customer is [`Elsewhere`](crate::core::report::Elsewhere).
//!
//! Pure: inputs are methods, time is an argument. What to do comes out of `outcome` and, once that
//! is committed, of `due`. The parts keep state of their own: `roster` the conversations, `queue` who
//! waits, `room` the slots, `seat` the focus, `connections` whose a connection is; of one conversation `controls` has
//! the state, `backlog` what the agent knows of it, and `delivery` the numbers.
//!
//! ```
//! use std::net::{IpAddr, Ipv4Addr};
//! use std::time::Instant;
//!
//! use handoff::core::clock::Now;
//! use handoff::core::desk::{Desk, Options};
//! use handoff::core::outcome::Side;
//! use handoff::wire::{
//!     Asked, Body, Conn, ConversationId, DeskId, Entry, Hello, Message, Secret, VERSION,
//! };
//!
//! let now = Now { clock: Instant::now(), wall: 0 };
//! let (id, conn) = (ConversationId::new([7; 16]), Conn(1));
//! let mut desk = Desk::new(DeskId::new([1; 16]), Options::default(), now);
//!
//! // A customer's side connects and says hello. The bot has the customer.
//! desk.opened(conn, IpAddr::from(Ipv4Addr::LOCALHOST).into());
//! let hello = Hello {
//!     version: VERSION,
//!     conversation: id,
//!     secret: Secret::new([3; 32]),
//!     name: Some("Ann".to_owned()),
//!     received: Default::default(),
//!     newest: 0,
//!     features: Vec::new(),
//! };
//! desk.received(conn, Message::Hello(hello), now);
//!
//! let says = |desk: &mut Desk, number, body| {
//!     desk.received(conn, Message::Entry(Entry { number, at: 0, body }), now);
//! };
//! let of = |number| Asked { desk: DeskId::new([1; 16]), number };
//!
//! // requested: the customer is queued.
//! says(&mut desk, 1, Body::Requested { reason: None });
//! assert_eq!(desk.waiting(), ["#1 Ann"]);
//!
//! // accepted: it takes effect with the answer, not with the command.
//! assert_eq!(desk.accept(None, now), Ok(id));
//! assert!(desk.is_accepting(id) && !desk.is_talking());
//! says(&mut desk, 2, Body::Accepted { of: of(1) });
//! assert!(desk.is_talking() && desk.waiting().is_empty());
//! assert_eq!(desk.say("Hello, this is Robin.", now), Ok(()));
//!
//! // handed_back: the bot has the customer again.
//! assert_eq!(desk.hand_back(None, now), Ok(()));
//! says(&mut desk, 3, Body::HandedBack { of: of(3) });
//! assert!(!desk.is_talking() && !desk.is_live(id));
//!
//! // requested and withdrawn: the customer stops waiting.
//! says(&mut desk, 4, Body::Requested { reason: None });
//! says(&mut desk, 5, Body::Withdrawn {});
//! assert!(desk.waiting().is_empty());
//!
//! // Nothing of this was sent yet: first the records are committed, then the acts are done.
//! assert!(!desk.outcome().records.is_empty());
//! ```

use std::time::Instant;

use crate::core::clock::Now;
use crate::core::delivery::{Arrival, IDLE_NOTED, Idle};
use crate::core::outcome::{self, Due, Outcome, Side};
use crate::core::record::Record;
use crate::core::report::{Report, Told};
use crate::wire::{
    Address, Author, Code, Conn, ConversationId, DeskId, Entry, Message, Number, WireError,
};

use connections::Connections;
use links::Flapped;
use queue::Queue;
use room::Room;
use roster::Roster;
use seat::Seat;

mod admin;
mod announce;
mod away;
mod backlog;
mod connections;
mod controls;
mod conversation;
mod hello;
mod links;
pub mod names;
mod own;
mod queue;
mod restart;
pub mod room;
mod roster;
mod seat;
#[cfg(test)]
mod tests;

pub use queue::{COUNTED_WITHOUT_LINK, PLACES_TOLD};

/// A mark may exceed the entries of this desk by this much at most. A restored backup explains no
/// more: a higher mark is made up.
pub const HELD_MAX: Number = 1 << 20;

/// The desk shows the agent a conversation's new state before the messages that belong to it. At
/// most this many messages of a conversation wait for that: the customer's side keeps no more lines
/// for a desk that is away. The desk shows any further message at once.
pub const UNTOLD_MAX: Number = 1_000;
/// These messages take at most this many bytes, because the desk shows those of one conversation in
/// one turn.
pub const UNTOLD_BYTES_MAX: u32 = 64 * 1024;

/// A customer's entries behind their `closed`, at most. For a customer who returns the journal
/// reads back a limited number of the latest controls, and `closed` must be among them.
pub const BEHIND_CLOSED_MAX: Number = 100;

/// A desk has no acts that only it has.
pub type Errand = std::convert::Infallible;

type Act = outcome::Act<Errand>;

/// What an agent may set.
#[derive(Clone, Debug)]
pub struct Options {
    /// The agent's name, as customers see it.
    pub name: Option<String>,
    /// The first message to every accepted customer.
    pub greeting: Option<String>,
    /// Whether the desk accepts every customer by itself.
    pub auto_accept: bool,
    /// Slots for customers.
    pub customers: usize,
    /// Slots for customers from one address.
    pub customers_per_address: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            name: None,
            greeting: None,
            auto_accept: false,
            customers: room::CUSTOMERS,
            customers_per_address: room::CUSTOMERS_PER_ADDRESS,
        }
    }
}

/// All that one desk knows of the customers who are connected, wait or talk. What it knows of others
/// is in the journal, until they say hello again.
pub struct Desk {
    id: DeskId,
    options: Options,
    conversations: Roster,
    queue: Queue,
    room: Room,
    connections: Connections,
    flapped: Flapped,
    seat: Seat,
    /// Conversations with acks or entries that may be due.
    touched: Vec<ConversationId>,
    /// Conversations that may leave memory at the end of this turn.
    leaving: Vec<ConversationId>,
    /// When to look for customers who have been away for too long.
    next_idle_look: Instant,
    out: Outcome<Errand>,
}

impl Desk {
    /// A desk without conversations. `id` is made with its journal.
    pub fn new(id: DeskId, options: Options, now: Now) -> Desk {
        Desk {
            id,
            options,
            conversations: Roster::default(),
            queue: Queue::new(now),
            room: Room::default(),
            connections: Connections::default(),
            flapped: Flapped::default(),
            seat: Seat::default(),
            touched: Vec::new(),
            leaving: Vec::new(),
            next_idle_look: now.clock + IDLE_NOTED,
            out: Outcome::default(),
        }
    }

    /// A stranger connected from this address. Their first message must be a hello.
    pub fn opened(&mut self, conn: Conn, address: Address) {
        self.connections.open(conn, address);
    }

    /// A message arrived on a connection.
    pub fn received(&mut self, conn: Conn, message: Message, now: Now) {
        match (self.connections.conversation(conn), message) {
            (None, Message::Hello(hello)) => self.hello(conn, hello, now),
            (Some(id), Message::Entry(entry)) => self.take(conn, id, entry, now),
            (Some(id), Message::Ack { number }) => self.acked(conn, id, number),
            (Some(id), Message::Seen { number }) => self.seen(conn, id, number),
            (_, Message::Ping {}) => {}
            (_, Message::Bye { code, text }) => {
                log::info!("{conn}: the customer's side says goodbye: {code:?}");
                self.act(Act::Close(conn));
                self.disconnected(conn, &text);
            }
            (_, _) => self.dismiss(conn, Code::Protocol, "this message has no place here"),
        }
    }

    /// What arrived on a connection is not of this protocol: the desk says so and closes it.
    pub fn refuse(&mut self, conn: Conn, error: &WireError) {
        self.dismiss(conn, Code::Protocol, &error.to_string());
    }

    /// A connection is gone.
    pub fn disconnected(&mut self, conn: Conn, why: &str) {
        let Some(id) = self.connections.close(conn) else { return };
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        conversation.connection = None;
        self.leaving.push(id);
        let has_no_entry = conversation.ordinal == 0;
        self.flap(id, Some(why));
        self.review(id);
        // docs/PROTOCOL.md, "hello": the desk forgets a conversation without an entry.
        if has_no_entry {
            self.conversations.remove(id);
        }
    }

    /// A message as the agent sees it: which customer's it is, and whether they have the focus.
    pub fn place(&self, id: ConversationId, told: Told) -> Told {
        let known = self.conversations.get(id);
        Told {
            ordinal: known.map(|conversation| conversation.ordinal).or(told.ordinal),
            elsewhere: self.seat.focus() != Some(id),
            own: told.author == Author::Admin,
            ..told
        }
    }

    /// An entry of the customer's arrived. The desk takes it once and in order (docs/PROTOCOL.md,
    /// "Delivery", Receiving).
    fn take(&mut self, conn: Conn, id: ConversationId, entry: Entry, now: Now) {
        let desk = self.id;
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if !conversation::is_of_customer(&entry.body) || !conversation.may_answer(desk, &entry) {
            return self.dismiss(conn, Code::Protocol, "this entry is not a customer's to make");
        }
        if !conversation.may_follow(&entry) {
            return self.dismiss(
                conn,
                Code::Protocol,
                "this conversation has ended: nothing like this follows its end",
            );
        }
        match conversation.delivery.receive(entry.number) {
            Arrival::Gap => {
                return self.dismiss(conn, Code::Gap, "an entry is missing before this one");
            }
            Arrival::Again => self.act(Act::Verify { conn, conversation: id, desk: None, entry }),
            Arrival::New => {
                self.begin(id);
                self.learn(id, &entry);
                self.journal(id, Record::Theirs(None, entry));
                self.is_busy(id, now);
                self.announce(id, now);
            }
        }
        self.touch(id);
    }

    /// Journals that a conversation begins, with its first entry.
    fn begin(&mut self, id: ConversationId) {
        if !self.conversations.give_ordinal(id) {
            return;
        }
        let conversation = &self.conversations[id];
        let secret = conversation.secret;
        let name = conversation.name.as_deref().map(str::to_owned);
        let has_lost = conversation.own.highest_lost() > 0;
        self.journal(id, Record::Begun { secret, name });
        if has_lost {
            self.remember_lost(id, 1);
        }
    }

    /// Something is recorded in a conversation.
    fn is_busy(&mut self, id: ConversationId, now: Now) {
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.idle = Idle::new(now);
        }
    }

    fn acked(&mut self, conn: Conn, id: ConversationId, number: Number) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        match conversation.delivery.ack(number) {
            Ok(true) => {
                self.tell_delivered(id, number);
                self.touch(id);
            }
            Ok(false) => {}
            Err(_) => self.dismiss(conn, Code::Protocol, "this acknowledges what was never sent"),
        }
    }

    /// The customer's side acknowledges more than before: the desk's entries up to `number`.
    fn tell_delivered(&mut self, id: ConversationId, number: Number) {
        self.journal(id, Record::Delivered(number));
        self.tell(id, Report::Delivered { conversation: id, number });
    }

    fn seen(&mut self, conn: Conn, id: ConversationId, number: Number) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        match conversation.delivery.seen(number) {
            Ok(true) => self.tell(id, Report::Seen { conversation: id, number }),
            Ok(false) => {}
            Err(_) => self.dismiss(conn, Code::Protocol, "this has seen what was never sent"),
        }
    }

    /// Says why the desk closes a connection, and closes it.
    fn dismiss(&mut self, conn: Conn, code: Code, why: &str) {
        self.act(Act::Send(conn, Message::Bye { code, text: why.to_owned() }));
        self.act(Act::Close(conn));
        self.disconnected(conn, why);
    }

    /// The conversation's acks and entries that are due leave when this turn settles.
    fn touch(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(id)
            && !std::mem::replace(&mut conversation.is_touched, true)
        {
            self.touched.push(id);
        }
    }

    fn journal(&mut self, id: ConversationId, record: Record) {
        self.out.records.push((id, record));
    }

    fn act(&mut self, act: Act) {
        self.out.acts.push(act);
    }
}

impl Side for Desk {
    type Errand = Errand;

    fn tick(&mut self, now: Now) {
        self.pass_time(now);
    }

    fn outcome(&mut self) -> Outcome<Errand> {
        std::mem::take(&mut self.out)
    }

    fn wants(&self, errand: &Errand) -> bool {
        match *errand {}
    }

    /// The two journals have different entries under the same numbers, and nothing can join them
    /// (docs/PROTOCOL.md, "Delivery", Receiving).
    fn contradicted(&mut self, conn: Conn) {
        self.dismiss(conn, Code::Fork, "this desk knows another entry under this number");
    }

    fn due(&mut self) -> Option<Due> {
        while let Some(id) = self.touched.last().copied() {
            if let Some(due) = self.conversations.get_mut(id).and_then(|known| known.due(id)) {
                return Some(due);
            }
            self.touched.pop();
            if let Some(conversation) = self.conversations.get_mut(id) {
                conversation.is_touched = false;
            }
        }
        None
    }

    fn sent(&mut self, conversation: ConversationId, bytes: usize) {
        if let Some(conversation) = self.conversations.get_mut(conversation) {
            conversation.delivery.sent(bytes);
        }
    }

    fn rest(&mut self) {
        self.forget();
    }
}
