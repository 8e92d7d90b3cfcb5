//! The admin's side: the queue, the conversations, and what an admin does with them.
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
//! What another desk's agent did with the customer, as the customer's side tells it, is
//! `Phase::Elsewhere` here.
//!
//! Every arrow is an entry of the user's side, which is the arbiter: `/accept`, `/handback` and
//! `/close` record an entry of ours that asks for it, and take effect when the answer comes. While
//! a hello's backlog comes in, its controls are history; the admin is told where it ended.
//!
//! Pure: inputs are methods, time is an argument, what to do comes out of `outputs` and, once that
//! is recorded, of `settle`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};

use crate::core::clock::Now;
use crate::core::delivery::{Arrival, Delivery, IDLE_NOTED, Idle};
use crate::core::outcome::{self, Audience, Due, Fact, Outcome, Passage, Side};
use crate::core::record::{Origin, Record};
use crate::core::report::{Elsewhere, Link, Reason, Report, Returned, Told};
use crate::core::text::Line;
use crate::wire::{
    Address, Asked, Author, Body, Code, Conn, ConversationId, DeskId, EndReason, Entry, Hello,
    Message, Number, Said, State, VERSION, Welcome, WireError,
};
use links::Links;
use room::{Place, Room};

mod admin;
mod away;
mod links;
pub mod names;
mod queue;
mod restart;
pub mod room;
#[cfg(test)]
mod tests;

/// Entries of ours that a customer may hold and we do not, at most: more than a restored backup
/// explains is made up.
pub const HELD_MAX: Number = 1 << 20;

/// The desk shows the admin a conversation's new state before the messages that belong to it. At
/// most this many messages of a conversation wait for that: the customer's side keeps no more lines
/// for a desk that is away. The desk shows any further message at once.
pub const UNTOLD_MAX: Number = 1_000;
/// These messages take at most this many bytes, because the desk shows those of one conversation in
/// one turn.
pub const UNTOLD_BYTES_MAX: u32 = 64 * 1024;

/// A customer's entries behind their `closed`, at most. For a customer who returns the journal
/// reads back a limited number of the latest controls, and `closed` must be among them.
pub const BEHIND_CLOSED_MAX: Number = 100;

/// Who waits is told of moving up this often at most.
pub const PLACES_TOLD: Duration = Duration::from_secs(1);

/// A queued customer whose connection has been down for this long does not count in the positions
/// of the others.
pub const COUNTED_WITHOUT_LINK: Duration = Duration::from_secs(60);

/// A desk has no acts that only it has.
pub type Errand = std::convert::Infallible;

type Act = outcome::Act<Errand>;

/// What an admin may set.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the admin wants to be called.
    pub name: Option<String>,
    /// What every accepted customer is told first.
    pub greeting: Option<String>,
    /// Accept whoever comes.
    pub auto_accept: bool,
    /// Customers there is room for.
    pub customers: usize,
    /// Of these, from one address.
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

/// All that one desk knows of who is here or is waited for. Who left is in the journal, until they
/// are back.
pub struct Desk {
    id: DeskId,
    options: Options,
    conversations: HashMap<ConversationId, Conversation>,
    /// The same conversations by their number at this desk. The first one has number 1.
    ordinals: BTreeMap<u32, ConversationId>,
    /// Conversations that this desk's agent has, by their number.
    talking: BTreeMap<u32, ConversationId>,
    /// The highest number that this desk has given to a conversation.
    begun: u32,
    /// Whose line went down since the last look at who may leave.
    parted: Vec<ConversationId>,
    /// Who waits, longest first.
    queue: VecDeque<ConversationId>,
    /// Queued customers whose connection is down, each with the moment from which they do not
    /// count in the positions of the others.
    unlinked: BTreeSet<(Instant, ConversationId)>,
    /// Queued customers who do not count in the positions of the others until they are connected.
    uncounted: HashSet<ConversationId>,
    /// The first place in the queue whose customer may not know the new position yet.
    moved: Option<usize>,
    /// The desk sends customers their new positions no earlier than this.
    tell_places: Instant,
    /// Conversations whose link came or went while the admin does not know it yet.
    flapped: Vec<ConversationId>,
    /// When to show the admin the changes of links that change too often; `None` if there are
    /// none.
    tell_links_again: Option<Instant>,
    /// Who gets the next line.
    focus: Option<ConversationId>,
    /// Connections without a hello, and where they come from.
    strangers: HashMap<Conn, Address>,
    links: HashMap<Conn, ConversationId>,
    room: Room,
    /// How often somebody was asked to come back later.
    turned_away: u32,
    /// Whose acks or entries are due.
    touched: Vec<ConversationId>,
    /// When to look for customers who are away too long.
    look_again: Instant,
    out: Outcome<Errand>,
}

/// One conversation, as this desk knows it.
struct Conversation {
    /// Its number at this desk; 0 until it has an entry.
    ordinal: u32,
    /// SHA-256 of its secret.
    secret: [u8; 32],
    name: Option<Box<str>>,
    phase: Phase,
    /// The user's `requested` in force, or the last one.
    request: Number,
    /// The reason that this `requested` gave.
    reason: Option<Box<str>>,
    /// The user's `closed`; 0 before it.
    closed: Number,
    /// Of this, the admin was told.
    told: (Phase, Number),
    /// The first message that the admin hears of only after the state it belongs to; 0 for none.
    first_untold: Number,
    /// Bytes of the messages from there on; the most there may be, once a bound was reached: from
    /// then on messages are told at once, until the state is.
    untold_bytes: u32,
    /// The user's highest number at its hello: until it is reached, controls are history.
    newest: Number,
    /// Entries of other desks, which only the customer has.
    elsewhere: Number,
    delivery: Delivery,
    /// Our highest number.
    last: Number,
    /// Our entries up to here may be held by the customer only: our journal was restored.
    held: Number,
    /// The number of our latest line.
    spoken: Number,
    /// The same, as far back as the journal goes.
    typed: Number,
    link: Option<Conn>,
    /// Queued without a connection, the customer counts in the positions of the others until then.
    counts_until: Option<Instant>,
    links: Links,
    /// Its place in the room, while it has one.
    place: Option<Place>,
    /// What we asked of the user's side and is not answered.
    open: Option<Open>,
    /// What the latest answer answered.
    answered: Option<Open>,
    /// Lines the customer typed since our last one, that no `/wait` waited for.
    unheard: u32,
    touched: bool,
    idle: Idle,
    /// Given up after so long without a sign of the customer; comes back with them.
    asleep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Bot(Returned),
    Queued,
    Active,
    Elsewhere(Elsewhere),
    Closed(EndReason),
}

impl Phase {
    /// Whether the customer waits at this desk or talks with its admin.
    fn is_with_desk(self) -> bool {
        matches!(self, Phase::Queued | Phase::Active)
    }
}

/// A control of ours without its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    number: Number,
    asked: Ask,
}

impl Open {
    fn is_answered_by(self, body: &Body) -> bool {
        matches!(
            (self.asked, body),
            (Ask::Accept { .. }, Body::Accepted { .. })
                | (Ask::HandBack, Body::HandedBack { .. })
                | (Ask::Close, Body::Closed { .. })
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Accept { by_admin: bool },
    HandBack,
    Close,
}

impl Desk {
    /// A desk without conversations. `id` is made with its journal.
    pub fn new(id: DeskId, options: Options, now: Now) -> Desk {
        Desk {
            id,
            options,
            conversations: HashMap::new(),
            ordinals: BTreeMap::new(),
            talking: BTreeMap::new(),
            begun: 0,
            parted: Vec::new(),
            queue: VecDeque::new(),
            unlinked: BTreeSet::new(),
            uncounted: HashSet::new(),
            moved: None,
            tell_places: now.clock,
            flapped: Vec::new(),
            tell_links_again: None,
            focus: None,
            strangers: HashMap::new(),
            links: HashMap::new(),
            room: Room::default(),
            turned_away: 0,
            touched: Vec::new(),
            look_again: now.clock + IDLE_NOTED,
            out: Outcome::default(),
        }
    }

    /// A message came on a connection; the first must be a hello.
    pub fn received(&mut self, conn: Conn, message: Message, now: Now) {
        let known = self.links.get(&conn).copied();
        match (known, message) {
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

    /// What came on a connection is not of this protocol: say so readably, and close it.
    pub fn refuse(&mut self, conn: Conn, error: &WireError) {
        self.dismiss(conn, Code::Protocol, &error.to_string());
    }

    /// A connection is gone.
    pub fn disconnected(&mut self, conn: Conn, why: &str) {
        self.strangers.remove(&conn);
        let Some(id) = self.links.remove(&conn) else { return };
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.link = None;
        self.parted.push(id);
        let is_nobody = conversation.ordinal == 0;
        self.flap(id, Some(why));
        self.review(id);
        if is_nobody {
            self.conversations.remove(&id);
        }
    }

    /// A user's side introduces itself.
    fn hello(&mut self, conn: Conn, hello: Hello, now: Now) {
        let Some(address) = self.strangers.remove(&conn) else { return };
        let secret: [u8; 32] = digest(&SHA256, hello.secret.bytes())
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 bytes");
        let mark = hello.received.get(&self.id).copied().unwrap_or(0);
        if let Err((code, why)) = self.judge(&hello, secret, mark) {
            return self.dismiss(conn, code, &why);
        }
        let id = hello.conversation;
        if !self.has_room(conn, id, address) {
            return;
        }
        let conversation =
            self.conversations.entry(id).or_insert_with(|| Conversation::new(secret, now));
        match conversation.delivery.resume(mark, conversation.last) {
            // The connection before this one lost the customer's latest `ack`.
            Ok(true) => self.tell_delivered(id, mark),
            Ok(false) => {}
            // Our journal is older than what we said: it was restored from a backup.
            Err(_) => self.raise(id, mark),
        }
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.delivery.offer_all();
        conversation.delivery.owe_ack();
        conversation.newest = hello.newest;
        let elsewhere =
            hello.received.iter().filter(|(desk, _)| **desk != self.id).map(|(_, number)| *number);
        conversation.elsewhere = elsewhere.fold(0, Number::saturating_add);
        let is_renamed = conversation.name.as_deref() != hello.name.as_deref();
        let renamed = (conversation.ordinal > 0 && is_renamed).then(|| hello.name.clone());
        conversation.name = hello.name.map(Into::into);
        let received = conversation.delivery.received();
        let woke = std::mem::take(&mut conversation.asleep);
        let (state, shown) = (conversation.state(), conversation.delivery.shown());
        let former = conversation.link.replace(conn);
        if let Some(name) = renamed {
            self.journal(id, Record::Begun { secret, name });
        }
        self.links.insert(conn, id);
        if let Some(former) = former {
            self.links.remove(&former);
            self.dismiss(former, Code::Replaced, "this conversation goes on in another program");
        }
        self.seat(id, address);
        let welcome = Welcome { desk: self.id, received, state, features: Vec::new() };
        self.act(Act::Send(conn, Message::Welcome(welcome)));
        self.act(Act::Admit(conn));
        // The connection before this one may have lost our latest `seen`.
        if let Some(number) = shown {
            self.act(Act::Send(conn, Message::Seen { number }));
        }
        self.touch(id);
        if woke {
            self.is_busy(id, now);
            self.wake(id, now);
        }
        self.flap(id, None);
        self.count_again(id);
        self.send_position(id);
        // Who waited already when the desk was started.
        let waits = |conversation: &Conversation| {
            conversation.told.0 == Phase::Queued && conversation.open.is_none()
        };
        if self.options.auto_accept && waits(&self.conversations[&id]) {
            self.ask(id, Ask::Accept { by_admin: false }, now);
        }
    }

    /// Whether a hello is one that this desk can answer, whoever else is here.
    fn judge(&self, hello: &Hello, secret: [u8; 32], mark: Number) -> Result<(), (Code, String)> {
        if hello.version != VERSION {
            let why = format!(
                "this desk speaks version {VERSION} of the protocol and you speak {}; use the \
                 same release of handoff",
                hello.version
            );
            return Err((Code::Version, why));
        }
        let known = self.conversations.get(&hello.conversation);
        if known.is_some_and(|conversation| conversation.secret != secret) {
            return Err((Code::Secret, "this conversation belongs to somebody else".to_owned()));
        }
        let (made, held) =
            known.map_or((0, 0), |conversation| (conversation.last, conversation.held));
        if mark > made + HELD_MAX || mark < held {
            return Err((
                Code::Fork,
                "you have other entries of this desk than it made".to_owned(),
            ));
        }
        Ok(())
    }

    /// The customer has more of our entries than we ever sent: go on above them, and remember that
    /// they are gone here. What was said since the restart had their numbers, and moves above
    /// them, too.
    fn raise(&mut self, id: ConversationId, mark: Number) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let from = conversation.delivery.highest_offered(conversation.last) + 1;
        let by = mark + 1 - from;
        let moves = conversation.last >= from;
        conversation.last += by;
        conversation.held = mark;
        let last = conversation.last;
        conversation.delivery.set_back(mark);
        let open = conversation.open.as_mut().map(|open| &mut open.number);
        let named = [Some(&mut conversation.spoken), Some(&mut conversation.typed), open];
        named
            .into_iter()
            .flatten()
            .filter(|number| **number >= from)
            .for_each(|number| *number += by);
        // A conversation without an entry is not journaled: a stranger leaves nothing.
        if conversation.ordinal > 0 {
            if moves {
                self.journal(id, Record::Moved { from, by });
                self.out.renumber(id, from, by);
            }
            self.remember_held(id, from);
            if moves {
                self.notice(format!(
                    "{}: what you said since the restart follows as {}..{last}",
                    self.who(id),
                    mark + 1
                ));
            }
        }
    }

    /// Journals and tells which of our entries are gone here.
    fn remember_held(&mut self, id: ConversationId, first: Number) {
        let held = self.conversations[&id].held;
        let note = format!("lines {first}..{held} are held by the customer only");
        self.journal(id, Record::Held(held));
        self.journal(id, Record::Note(note.clone()));
        self.notice(format!("{}: {note}", self.who(id)));
    }

    /// An entry of the user's: exactly once, in order.
    fn take(&mut self, conn: Conn, id: ConversationId, entry: Entry, now: Now) {
        let fits = match &entry.body {
            Body::Message(said) => said.author != Author::Admin,
            Body::Accept { .. } | Body::HandBack { .. } | Body::Close { .. } => false,
            _ => true,
        };
        if !fits || !self.is_answer(id, &entry) {
            return self.dismiss(conn, Code::Protocol, "this entry is not a customer's to make");
        }
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
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
                if conversation.ordinal == 0 {
                    self.begun += 1;
                    conversation.ordinal = self.begun;
                    self.ordinals.insert(self.begun, id);
                    let (secret, name) =
                        (conversation.secret, conversation.name.as_deref().map(str::to_owned));
                    let held = conversation.held;
                    self.journal(id, Record::Begun { secret, name });
                    if held > 0 {
                        self.remember_held(id, 1);
                    }
                }
                self.learn(id, &entry);
                self.journal(id, Record::Theirs(None, entry));
                self.is_busy(id, now);
                self.announce(id, now);
            }
        }
        self.touch(id);
    }

    /// Whether an answer answers what we asked; an entry that is new and answers nothing we asked
    /// is made up.
    fn is_answer(&self, id: ConversationId, entry: &Entry) -> bool {
        let Some(conversation) = self.conversations.get(&id) else { return false };
        let Some(of) = entry.body.answers().filter(|_| !matches!(entry.body, Body::Refused { .. }))
        else {
            return true;
        };
        // What only the customer holds lies between what this journal has and the mark.
        let lost = (1..=conversation.held).contains(&of.number);
        let asked = conversation
            .open
            .is_some_and(|open| open.number == of.number && open.is_answered_by(&entry.body));
        of.desk != self.id || entry.number <= conversation.delivery.received() || lost || asked
    }

    /// What the entry means for the conversation; the admin is told of its state by `announce`.
    fn learn(&mut self, id: ConversationId, entry: &Entry) {
        let desk = self.id;
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if let Body::Message(said) = &entry.body {
            let live = conversation.phase.is_with_desk();
            conversation.unheard += u32::from(live && said.author == Author::User);
            let waits = conversation.told != (conversation.phase, conversation.request);
            if live && waits && conversation.untold_bytes < UNTOLD_BYTES_MAX {
                return self.tell_later(id, entry.number, said);
            }
            let numbers = entry.number..=entry.number;
            return self.tell_said(id, Origin::Peer(None), numbers, !live);
        }
        conversation.answered = None;
        let request = conversation.request;
        conversation.learn_control(desk, entry);
        self.note_talking(id);
        let Some(conversation) = self.conversations.get(&id) else { return };
        if !conversation.phase.is_with_desk() || conversation.request != request {
            self.tell_untold(id, entry.number - 1, true);
        }
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if let (Some(_), Body::Refused { why, .. }) = (conversation.answered, &entry.body) {
            let who = self.who(id);
            self.notice(format!("{who}: the customer's side refused: {}", Line(why)));
        }
    }

    /// Notes whether the agent has this conversation.
    fn note_talking(&mut self, id: ConversationId) {
        let Some(conversation) = self.conversations.get(&id) else { return };
        if conversation.is_active() {
            self.talking.insert(conversation.ordinal, id);
        } else {
            self.talking.remove(&conversation.ordinal);
        }
    }

    /// Tells the admin where a conversation is now, once its backlog is in.
    fn announce(&mut self, id: ConversationId, now: Now) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let is = (conversation.phase, conversation.request);
        if conversation.delivery.received() < conversation.newest || conversation.told == is {
            return;
        }
        conversation.told = is;
        self.leave_queue(id);
        match is.0 {
            Phase::Queued => self.announce_queued(id, now),
            Phase::Active => self.announce_active(id, now),
            Phase::Bot(how) => self.announce_end(id, Some(Reason::Returned(how))),
            Phase::Elsewhere(what) => self.announce_end(id, Some(Reason::Elsewhere(what))),
            Phase::Closed(why) => self.announce_end(id, Some(Reason::Ended(why))),
        }
    }

    /// A message within a backlog belongs to a state that the admin was not told of yet: the
    /// state comes first (docs/JSON.md, "Order"), so the message waits for it.
    fn tell_later(&mut self, id: ConversationId, number: Number, said: &Said) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if conversation.first_untold == 0 {
            conversation.first_untold = number;
        }
        let bytes = conversation.untold_bytes.saturating_add(said.size() as u32);
        conversation.untold_bytes = bytes;
        if number - conversation.first_untold >= UNTOLD_MAX || bytes >= UNTOLD_BYTES_MAX {
            self.tell_untold(id, number, false);
            if let Some(conversation) = self.conversations.get_mut(&id) {
                conversation.untold_bytes = UNTOLD_BYTES_MAX;
            }
        }
    }

    /// Tells the messages that waited, up to number `last`.
    fn tell_untold(&mut self, id: ConversationId, last: Number, history: bool) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let first = std::mem::take(&mut conversation.first_untold);
        conversation.untold_bytes = 0;
        if first > 0 {
            self.tell_said(id, Origin::Peer(None), first..=last, history);
        }
    }

    /// Something was recorded in a conversation.
    fn is_busy(&mut self, id: ConversationId, now: Now) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.idle = Idle::new(now);
        }
    }

    fn announce_queued(&mut self, id: ConversationId, now: Now) {
        self.queue.push_back(id);
        self.lose_focus(id);
        self.tell_state_in(id);
        let conversation = &self.conversations[&id];
        let (name, elsewhere) = (conversation.called(id), conversation.elsewhere);
        self.tell_all(Report::Call { text: format!("Hey! {name} wants to talk to you") });
        if elsewhere > 0 {
            self.notice(format!("{elsewhere} entries of another desk are held by {name} only"));
        }
        self.send_position(id);
        if self.options.auto_accept && self.conversations[&id].open.is_none() {
            self.ask(id, Ask::Accept { by_admin: false }, now);
        }
    }

    fn announce_active(&mut self, id: ConversationId, now: Now) {
        let answered = self.conversations[&id].answered.map(|open| open.asked);
        // What only the customer says we asked (our journal is older) moves no line of the admin's.
        let accepted = matches!(answered, Some(Ask::Accept { .. }));
        if answered == Some(Ask::Accept { by_admin: true }) || accepted && !self.is_focus_live() {
            self.look_at(id);
        }
        self.tell_state_in(id);
        if let (true, Some(text)) = (accepted, self.options.greeting.clone()) {
            self.record_said(id, &text, true, now);
        }
    }

    /// Tells the state of a conversation that somebody waits or talks in, and what waited for it.
    fn tell_state_in(&mut self, id: ConversationId) {
        self.tell_state(id, None);
        let last = self.conversations[&id].delivery.received();
        self.tell_untold(id, last, false);
    }

    fn announce_end(&mut self, id: ConversationId, reason: Option<Reason>) {
        self.tell_state(id, reason);
        self.lose_focus(id);
    }

    fn acked(&mut self, conn: Conn, id: ConversationId, number: Number) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        match conversation.delivery.ack(number) {
            Ok(true) => {
                self.tell_delivered(id, number);
                self.touch(id);
            }
            Ok(false) => {}
            Err(_) => self.dismiss(conn, Code::Protocol, "this acknowledges what was never sent"),
        }
    }

    /// The customer's side acknowledges more than before: our entries up to `number`.
    fn tell_delivered(&mut self, id: ConversationId, number: Number) {
        self.journal(id, Record::Delivered(number));
        self.tell(id, Report::Delivered { conversation: id, number });
    }

    fn seen(&mut self, conn: Conn, id: ConversationId, number: Number) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        match conversation.delivery.seen(number) {
            Ok(true) => self.tell(id, Report::Seen { conversation: id, number }),
            Ok(false) => {}
            Err(_) => self.dismiss(conn, Code::Protocol, "this has seen what was never sent"),
        }
    }

    /// Says why, and closes the connection.
    fn dismiss(&mut self, conn: Conn, code: Code, why: &str) {
        self.act(Act::Send(conn, Message::Bye { code, text: why.to_owned() }));
        self.act(Act::Close(conn));
        self.disconnected(conn, why);
    }

    /// Its acks and entries leave at the next `settle`.
    fn touch(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(&id)
            && !std::mem::replace(&mut conversation.touched, true)
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

    fn tell(&mut self, id: ConversationId, report: Report) {
        self.act(Act::Tell(Fact::Report(Audience::Conversation(id), report)));
    }

    fn tell_all(&mut self, report: Report) {
        self.act(Act::Tell(Fact::Report(Audience::Everyone, report)));
    }

    fn notice(&mut self, text: String) {
        self.tell_all(Report::Notice { text });
    }

    fn tell_said(
        &mut self,
        conversation: ConversationId,
        origin: Origin,
        numbers: RangeInclusive<Number>,
        history: bool,
    ) {
        self.act(Act::Tell(Fact::Said(Passage { conversation, origin, numbers, history })));
    }

    /// A message as this admin is to see it: whose it is, and where.
    pub fn place(&self, id: ConversationId, told: Told) -> Told {
        let ordinal =
            self.conversations.get(&id).map(|conversation| conversation.ordinal).or(told.ordinal);
        Told {
            ordinal,
            elsewhere: self.focus != Some(id),
            own: told.author == Author::Admin,
            ..told
        }
    }

    fn tell_state(&mut self, id: ConversationId, reason: Option<Reason>) {
        self.tell_state_at(id, self.position(id), reason);
    }

    fn tell_state_at(&mut self, id: ConversationId, position: Option<u32>, reason: Option<Reason>) {
        let conversation = &self.conversations[&id];
        let active = conversation.phase == Phase::Active;
        let asked = conversation.why().map(|why| Reason::Requested(why.to_owned()));
        self.tell(
            id,
            Report::State {
                conversation: id,
                ordinal: Some(conversation.ordinal),
                customer: Some(conversation.called(id)),
                state: conversation.state(),
                position,
                admin: if active { self.options.name.clone() } else { None },
                reason: reason.or(asked),
            },
        );
    }

    fn tell_link(&mut self, id: ConversationId, link: Link, why: Option<String>) {
        let conversation = &self.conversations[&id];
        self.tell(
            id,
            Report::Link {
                conversation: id,
                ordinal: Some(conversation.ordinal),
                customer: Some(conversation.called(id)),
                link,
                desk: self.id.to_string(),
                why,
                parted: false,
            },
        );
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

    /// The two journals tell different stories under the same numbers, and there is no way to join
    /// them.
    fn contradicted(&mut self, conn: Conn) {
        self.dismiss(conn, Code::Fork, "this desk knows another entry under this number");
    }

    fn due(&mut self) -> Option<Due> {
        while let Some(id) = self.touched.last().copied() {
            if let Some(due) = self.conversations.get_mut(&id).and_then(|known| known.due(id)) {
                return Some(due);
            }
            self.touched.pop();
            if let Some(conversation) = self.conversations.get_mut(&id) {
                conversation.touched = false;
            }
        }
        None
    }

    fn sent(&mut self, conversation: ConversationId, bytes: usize) {
        if let Some(conversation) = self.conversations.get_mut(&conversation) {
            conversation.delivery.sent(bytes);
        }
    }

    fn rest(&mut self) {
        self.forget();
    }
}

impl Conversation {
    fn new(secret: [u8; 32], now: Now) -> Conversation {
        let mut delivery = Delivery::default();
        delivery.offer_all();
        Conversation {
            ordinal: 0,
            secret,
            name: None,
            phase: Phase::Bot(Returned::HandedBack),
            request: 0,
            reason: None,
            closed: 0,
            told: (Phase::Bot(Returned::HandedBack), 0),
            first_untold: 0,
            untold_bytes: 0,
            newest: 0,
            elsewhere: 0,
            delivery,
            last: 0,
            held: 0,
            spoken: 0,
            typed: 0,
            link: None,
            counts_until: None,
            links: Links::new(now),
            place: None,
            open: None,
            answered: None,
            unheard: 0,
            touched: false,
            idle: Idle::new(now),
            asleep: false,
        }
    }

    /// The next entry or ack that is due on its connection, once everything is committed.
    fn due(&mut self, conversation: ConversationId) -> Option<Due> {
        let conn = self.link?;
        if let Some(number) = self.delivery.due(self.last) {
            return Some(Due::Entry { conversation, conn, number });
        }
        // The customer's side may hang up at our ack: what we said before comes first.
        if !self.delivery.is_sent(self.last) {
            return None;
        }
        self.delivery.take_ack().map(|number| Due::Ack { conn, number })
    }

    /// What an entry of the user's means for the state, and whether it answers or voids what we
    /// asked.
    fn learn_control(&mut self, desk: DeskId, entry: &Entry) {
        match &entry.body {
            // A journal of 0.1.0 may have more behind `closed` than a `refused`.
            body if self.closed > 0 && !matches!(body, Body::Refused { .. }) => return,
            Body::Requested { reason } => {
                self.unheard = 0;
                self.phase = Phase::Queued;
                self.request = entry.number;
                self.reason = reason.as_deref().map(Into::into);
                return;
            }
            Body::Withdrawn {} => self.phase = Phase::Bot(Returned::Withdrawn),
            Body::HandedBack { of } if of.desk == desk => {
                self.phase = Phase::Bot(Returned::HandedBack)
            }
            Body::HandedBack { .. } => {
                self.phase = Phase::Elsewhere(Elsewhere::HandedBackElsewhere)
            }
            Body::Closed { of, reason } => {
                self.closed = entry.number;
                self.phase = match of {
                    Some(of) if of.desk == desk => Phase::Closed(EndReason::AdminClosed),
                    Some(_) => Phase::Elsewhere(Elsewhere::ClosedElsewhere),
                    // Without a desk's `close` it was not an agent who closed, whatever the reason
                    // says.
                    None if *reason == EndReason::AdminClosed => {
                        Phase::Closed(EndReason::UserEnded)
                    }
                    None => Phase::Closed(*reason),
                };
            }
            Body::Accepted { of } if of.desk == desk => self.phase = Phase::Active,
            // Another desk had the customer then; who has it now is said by what follows.
            Body::Accepted { .. } => self.phase = Phase::Elsewhere(Elsewhere::TakenElsewhere),
            Body::Refused { of, .. }
                if of.desk == desk && self.open.is_some_and(|open| open.number == of.number) => {}
            _ => return,
        }
        // An answer to what we asked before our journal was set back leaves open what we asked
        // since.
        let is_older =
            |of: &Asked| of.desk == desk && self.open.is_some_and(|open| open.number > of.number);
        self.answered =
            if entry.body.answers().is_some_and(is_older) { None } else { self.open.take() };
    }

    /// Whether an entry may come, if it would be the next one: behind `closed` only a body that
    /// changes no state may (docs/PROTOCOL.md, "States, and who decides").
    fn may_follow(&self, entry: &Entry) -> bool {
        let is_next = entry.number == self.delivery.received() + 1;
        let changes_nothing = matches!(entry.body, Body::Refused { .. } | Body::Unknown(_));
        self.closed == 0
            || !is_next
            || changes_nothing && entry.number <= self.closed + BEHIND_CLOSED_MAX
    }

    /// Somebody waits or talks here; or did when the admin was told last, and a backlog that ends
    /// it is not over.
    fn is_live(&self) -> bool {
        (self.phase.is_with_desk() || self.told.0.is_with_desk()) && !self.asleep
    }

    fn is_active(&self) -> bool {
        self.phase == Phase::Active && !self.asleep
    }

    /// Why the customer waits, where the bot said so.
    fn why(&self) -> Option<&str> {
        self.reason.as_deref().filter(|_| self.phase == Phase::Queued && !self.asleep)
    }

    fn state(&self) -> State {
        match self.phase {
            _ if self.asleep => State::Closed,
            Phase::Bot(_) => State::Bot,
            Phase::Queued => State::Queued,
            Phase::Active => State::Active,
            Phase::Elsewhere(Elsewhere::ClosedElsewhere) | Phase::Closed(_) => State::Closed,
            Phase::Elsewhere(_) => State::Bot,
        }
    }

    /// What the customer is called at this desk.
    fn called(&self, id: ConversationId) -> String {
        names::called(self.name.as_deref(), id)
    }
}
