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
//! "States, and who decides"). `/accept`, `/handback` and `/close` record a control of the desk
//! that asks for the change, and the change takes effect when the answer comes. While the backlog
//! of a hello arrives, its controls are history: the desk shows the agent the state at its end.
//! [`Elsewhere`](crate::core::report::Elsewhere) stands for what another desk's agent did with the
//! customer.
//!
//! Pure: inputs are methods, time is an argument. `outcome` returns what to do, and `due` what to
//! send once that is committed. Each part keeps its own state: `roster` the conversations, `queue`
//! the customers who wait, `capacity` the slots, `team` the agents and their seats, `groups` which
//! agents may serve a waiting customer, `connections` the conversation of each connection.
//! `ownership`, `transfer`, `assign` and `undo` decide which agent has a conversation. Within one
//! conversation, `controls` keeps its state, `backlog` what the agent knows of it, and `delivery`
//! the numbers.

use std::time::Instant;

use crate::core::clock::Now;
use crate::core::delivery::Arrival;
use crate::core::idle::IDLE_NOTED;
use crate::core::outcome::{self, Due, Outcome, Side};
use crate::core::record::{Contact, Record};
use crate::core::report::{Alert, Goodbye, Report};
use crate::wire::{Address, Conn, ConversationId, DeskId, Entry, Message, Number, WireError};

use alerts::Alerts;
use block::Blocks;
use capacity::Capacity;
use connections::Connections;
use groups::Groups;
use links::ChangedLinks;
use queue::Queue;
use returning::CalledAlone;
use roster::Roster;
use team::Team;
use transfer::VoidOffer;

mod agents;
mod alerts;
mod announce;
mod assign;
mod backlog;
mod block;
pub mod capacity;
mod commands;
mod connections;
mod controls;
mod conversation;
mod groups;
pub mod hello;
mod links;
pub mod names;
mod options;
mod own_numbers;
mod ownership;
mod queue;
mod restart;
mod returning;
mod roster;
mod seat;
mod tags_and_hold;
pub mod team;
#[cfg(test)]
mod tests;
mod tick;
mod transfer;
mod unattended;
mod undo;
mod views;

pub use controls::end_by;
pub use conversation::Former;
pub use groups::UNATTENDED_FOR;
pub use options::{AGENT_GRACE, Assign, NOTIFY_EVERY, Options};
pub use queue::{COUNTED_WITHOUT_LINK, POSITION_PERIOD};
pub use returning::CALLED_ALONE_FOR;
pub use team::{AgentId, SeatId};
pub use transfer::OFFERED_FOR;
pub use undo::UNDO_WITHIN;

/// A mark may exceed the entries of this desk by this much at most (docs/PROTOCOL.md, "hello", 3).
/// If the journal is an old copy, the mark may be higher by that much; a still higher mark is
/// false.
pub const LOST_MAX: Number = 1 << 20;

/// The desk shows the agent a conversation's new state before the messages that belong to it. At
/// most this many messages of a conversation wait for that: the customer's side keeps no more lines
/// for a desk that is away. The desk shows any further message at once.
pub const WITHHELD_MAX: Number = 1_000;
/// These messages take at most this many bytes, because the desk shows those of one conversation in
/// one turn.
pub const WITHHELD_BYTES_MAX: u32 = 64 * 1024;

/// A customer's side may make this many entries after its `closed` (docs/PROTOCOL.md, "States, and
/// who decides"). For a customer who returns the journal reads back a limited number of the latest
/// controls, and `closed` must be among them.
pub const AFTER_CLOSED_MAX: Number = 100;

/// A call for agents: only a desk does this.
#[derive(Debug, PartialEq)]
pub enum Errand {
    /// Calls this agent at their seats.
    Ring(AgentId, Alert),
    /// Runs the notify command and calls the notify URL, for people who do not look at a terminal.
    /// The alert counts the waiting customers and the unread lines of all agents.
    Notify(Alert),
}

type Act = outcome::Act<Errand>;

/// All that one desk knows of the customers who are connected, wait or talk. Other customers are in
/// its journal, until they say hello again.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
/// use std::time::Instant;
///
/// use handoff::core::clock::Now;
/// use handoff::core::desk::{Desk, Options, SeatId};
/// use handoff::core::outcome::Side;
/// use handoff::core::record::Ending;
/// use handoff::wire::{
///     Asked, Body, Conn, ConversationId, DeskId, Entry, Hello, Message, Request, Secret, VERSION,
/// };
///
/// let now = Now { clock: Instant::now(), wall: 0 };
/// let (id, conn) = (ConversationId::new([7; 16]), Conn(1));
/// let mut desk = Desk::new(DeskId::new([1; 16]), Options::default(), now);
///
/// // A customer's side connects and says hello. The bot has the customer.
/// desk.opened(conn, IpAddr::from(Ipv4Addr::LOCALHOST).into());
/// let hello = Hello {
///     version: VERSION,
///     conversation: id,
///     secret: Secret::new([3; 32]),
///     name: Some("Ann".to_owned()),
///     received: Default::default(),
///     newest: 0,
///     features: Vec::new(),
///     gateway: None,
///     former: None,
///     is_here: None,
/// };
/// desk.received(conn, Message::Hello(Box::new(hello)), now);
///
/// // The customer's side makes its entries, and answers those of the desk with `of`.
/// let make = |desk: &mut Desk, number, body| {
///     desk.received(conn, Message::Entry(Entry { number, at: 0, body }), now);
/// };
/// let of = |number| Asked { desk: DeskId::new([1; 16]), number };
///
/// make(&mut desk, 1, Body::Requested(Request::default()));
/// assert_eq!(desk.waiting(), ["#1 Ann"]);
///
/// // The desk asks with an entry of its own, and has the customer when the answer comes.
/// assert_eq!(desk.accept(SeatId::TERMINAL, None, now), Ok(id));
/// assert!(!desk.is_talking(SeatId::TERMINAL));
/// make(&mut desk, 2, Body::Accepted { of: of(1) });
/// assert!(desk.is_talking(SeatId::TERMINAL));
///
/// assert_eq!(desk.say(SeatId::TERMINAL, "Hello, this is Robin.", now), Ok(()));
/// assert_eq!(desk.end(SeatId::TERMINAL, None, Ending::HandBack, None, now), Ok(()));
/// make(&mut desk, 3, Body::HandedBack { of: of(3) });
/// assert!(!desk.is_talking(SeatId::TERMINAL));
///
/// // Nothing was sent yet: the turn commits these records first, and then does the acts.
/// let outcome = desk.outcome();
/// assert!(!outcome.records.is_empty() && !outcome.acts.is_empty());
/// ```
pub struct Desk {
    id: DeskId,
    options: Options,
    conversations: Roster,
    queue: Queue,
    capacity: Capacity,
    connections: Connections,
    changed_links: ChangedLinks,
    team: Team,
    groups: Groups,
    /// All agents were told that no agent is here.
    is_nobody_here: bool,
    /// What the customers who wait hear of it: whether all agents are away or gone. `None`: the
    /// desk was just started, and its agents may be back at once.
    is_unattended: Option<bool>,
    /// When the desk calls the notify command and URL.
    alerts: Alerts,
    /// Customers who are back, and for whom the desk still calls only their former agent.
    called_alone: Vec<CalledAlone>,
    /// The customers whom the desk turns away.
    blocks: Blocks,
    /// Conversations that are offered to another agent.
    offered: Vec<ConversationId>,
    /// Offers that the end of the desk made void, for agents who have not read that yet.
    void_offers: Vec<VoidOffer>,
    /// Conversations that end soon, if nobody undoes that.
    ending: Vec<ConversationId>,
    /// Assigned conversations whose agent has not answered yet.
    unanswered: Vec<ConversationId>,
    /// Conversations in which somebody types.
    typed_in: Vec<ConversationId>,
    /// Conversations with entries or acks that may be due.
    send_list: Vec<ConversationId>,
    /// Conversations whose number of unanswered lines the desk tells at the end of this outcome.
    count_list: Vec<ConversationId>,
    /// Conversations that may leave memory at the end of this turn.
    leave_candidates: Vec<ConversationId>,
    /// When to look next for customers who have been away for too long.
    next_idle_look: Instant,
    /// What this turn has to do so far.
    out: Outcome<Errand>,
}

impl Desk {
    /// A desk without conversations. `id` is made with its journal.
    pub fn new(id: DeskId, options: Options, now: Now) -> Desk {
        let team = Team::new(&options, now);
        Desk {
            id,
            conversations: Roster::default(),
            queue: Queue::new(now),
            capacity: Capacity::default(),
            connections: Connections::default(),
            changed_links: ChangedLinks::default(),
            groups: Groups::of(&team, options.has_terminal),
            is_unattended: team.is_anybody_here().then_some(false),
            team,
            is_nobody_here: !options.has_terminal,
            alerts: Alerts::new(options.notify_every),
            called_alone: Vec::new(),
            blocks: Blocks::default(),
            offered: Vec::new(),
            void_offers: Vec::new(),
            ending: Vec::new(),
            unanswered: Vec::new(),
            options,
            typed_in: Vec::new(),
            send_list: Vec::new(),
            count_list: Vec::new(),
            leave_candidates: Vec::new(),
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
            (None, Message::Hello(hello)) => self.hello(conn, *hello, now),
            (Some(id), Message::Entry(entry)) => self.take(conn, id, entry, now),
            (Some(id), Message::Ack { number }) => self.acked(conn, id, number),
            (Some(id), Message::Seen { number }) => self.seen(conn, id, number),
            (Some(id), Message::Page(page)) => self.learn_page(id, page, now),
            (Some(id), Message::Typing {}) => self.customer_types(id, now),
            (Some(id), Message::Presence { is_here }) => self.note_presence(id, is_here, now),
            (_, Message::Ping {}) => {}
            // docs/PROTOCOL.md, "bye": a desk that gets one closes, whatever the code.
            (_, Message::Bye { code, text }) => {
                log::info!("{conn}: the customer's side says goodbye: {code:?}");
                self.act(Act::Close(conn));
                self.disconnected(conn, &text);
            }
            // docs/PROTOCOL.md, "Messages": a message at another time, or of a desk.
            (_, _) => self.dismiss(conn, &Goodbye::Misplaced),
        }
    }

    /// What arrived on a connection breaks the rules of docs/PROTOCOL.md, "Frames": the desk says
    /// so and closes the connection.
    pub fn refuse(&mut self, conn: Conn, error: &WireError) {
        self.dismiss(conn, &Goodbye::Malformed(error));
    }

    /// A connection is gone.
    pub fn disconnected(&mut self, conn: Conn, why: &str) {
        let Some(id) = self.connections.close(conn) else { return };
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        conversation.connection = None;
        conversation.has_left_page = false;
        conversation.typing.stop();
        self.leave_candidates.push(id);
        let has_no_entry = conversation.ordinal == 0;
        self.note_link(id, Some(why));
        self.review_slot(id);
        // docs/PROTOCOL.md, "hello": the desk forgets a conversation without an entry.
        if has_no_entry {
            self.conversations.remove(id);
        }
    }

    /// An entry of the customer's arrived. The desk takes it once and in order (docs/PROTOCOL.md,
    /// "Delivery", Receiving).
    fn take(&mut self, conn: Conn, id: ConversationId, entry: Entry, now: Now) {
        let desk = self.id;
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        // docs/PROTOCOL.md, "Bodies": who may make an entry, and what an answer may name.
        if !conversation::is_of_customer(&entry.body) || !conversation.may_answer(desk, &entry) {
            return self.dismiss(conn, &Goodbye::NotTheirEntry);
        }
        // docs/PROTOCOL.md, "States, and who decides": `closed` is the end.
        if !conversation.may_follow(&entry) {
            return self.dismiss(conn, &Goodbye::AfterEnd);
        }
        match conversation.delivery.receive(entry.number) {
            Arrival::Gap => return self.dismiss(conn, &Goodbye::Gap),
            Arrival::Again => self.act(Act::Verify { conn, conversation: id, desk: None, entry }),
            Arrival::New => {
                conversation.note_activity(now);
                if conversation.ordinal == 0 {
                    self.begin(id);
                }
                self.learn(id, &entry, now);
                self.journal(id, Record::Theirs(None, entry));
                self.announce(id, now);
            }
        }
        self.send_later(id);
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
        let former = conversation.former.as_ref().map(|former| former.latest);
        let contact = conversation.page.as_deref().map(Contact::of).unwrap_or_default();
        self.journal(id, Record::Begun { secret, name });
        if contact != Contact::default() {
            self.journal(id, Record::Contact(Box::new(contact)));
        }
        if let Some(former) = former {
            self.journal(id, Record::Former(former));
        }
        if has_lost {
            self.remember_lost(id, 1);
        }
    }

    /// An entry is journaled in a conversation: its idle time starts anew.
    fn note_activity(&mut self, id: ConversationId, now: Now) {
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.note_activity(now);
        }
    }

    /// The customer's side has this desk's entries up to `number` (docs/PROTOCOL.md, "Delivery",
    /// Sending).
    fn acked(&mut self, conn: Conn, id: ConversationId, number: Number) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        match conversation.delivery.ack(number) {
            Ok(true) => {
                self.tell_delivered(id, number);
                self.send_later(id);
            }
            Ok(false) => {}
            Err(_) => self.dismiss(conn, &Goodbye::AckUnsent),
        }
    }

    /// Journals and shows that the customer's side has more of this desk's entries than before:
    /// those up to `number`.
    fn tell_delivered(&mut self, id: ConversationId, number: Number) {
        self.journal(id, Record::Delivered(number));
        self.tell(id, Report::Delivered { conversation: id, number });
    }

    /// The customer was shown this desk's entries up to `number` (docs/PROTOCOL.md, "ack, seen,
    /// position, ping").
    fn seen(&mut self, conn: Conn, id: ConversationId, number: Number) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        match conversation.delivery.seen(number) {
            Ok(true) => self.tell(id, Report::Seen { conversation: id, number }),
            Ok(false) => {}
            Err(_) => self.dismiss(conn, &Goodbye::SeenUnsent),
        }
    }

    /// The customer types. In another state than `active` this has no meaning (docs/PROTOCOL.md,
    /// "typing").
    fn customer_types(&mut self, id: ConversationId, now: Now) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if conversation.is_active() {
            conversation.typing.note_sign(now);
            self.watch_typing(id);
            self.tell(id, Report::Typing { conversation: id });
        }
    }

    /// Somebody types in this conversation: the desk is to notice when they stop.
    fn watch_typing(&mut self, id: ConversationId) {
        if !self.typed_in.contains(&id) {
            self.typed_in.push(id);
        }
    }

    /// Closes a connection, and tells the customer's side why.
    fn dismiss(&mut self, conn: Conn, why: &Goodbye<'_>) {
        self.say_goodbye(conn, why);
        self.disconnected(conn, &why.to_string());
    }

    /// Sends the last message of a connection (docs/PROTOCOL.md, "bye").
    fn say_goodbye(&mut self, conn: Conn, why: &Goodbye<'_>) {
        self.act(Act::Send(conn, Message::Bye { code: why.code(), text: why.to_string() }));
        self.act(Act::Close(conn));
    }

    /// When this turn settles, the conversation's entries and acks that are due are sent.
    fn send_later(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(id)
            && conversation.join_send_list()
        {
            self.send_list.push(id);
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
        self.tell_counts();
        std::mem::take(&mut self.out)
    }

    fn wants(&self, _: &Errand) -> bool {
        true
    }

    /// The two journals have different entries under the same numbers, and nothing can join them
    /// (docs/PROTOCOL.md, "Delivery", Receiving).
    fn contradicted(&mut self, conn: Conn) {
        self.dismiss(conn, &Goodbye::OtherEntry);
    }

    fn due(&mut self) -> Option<Due> {
        while let Some(id) = self.send_list.last().copied() {
            if let Some(due) = self.conversations.get_mut(id).and_then(|known| known.due(id)) {
                return Some(due);
            }
            self.send_list.pop();
            if let Some(conversation) = self.conversations.get_mut(id) {
                conversation.leave_send_list();
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
