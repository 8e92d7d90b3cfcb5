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
//! Every arrow is an entry of the user's side, which is the arbiter: `/accept`, `/handback` and
//! `/close` record an entry of ours that asks for it, and take effect when the answer comes. While a
//! hello's backlog comes in, its controls are history; the admin is told where it ended.
//!
//! Pure: inputs are methods, time is an argument, what to do comes out of `outputs` and, once that is
//! recorded, of `settle`.

use std::collections::{HashMap, VecDeque};

use ring::digest::{SHA256, digest};

use crate::clock::Now;
use crate::delivery::{Arrival, Receiving, Sending};
use crate::report::{Link, Reason, Report, Returned, Told};
use crate::wire::{
    Author, Body, Code, Conn, ConversationId, DeskId, EndReason, Entry, Hello, Message, Number, Said, State, VERSION,
    Welcome, WireError,
};

mod admin;
#[cfg(test)]
mod tests;

/// What the loop has to do, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Journal an entry of our own.
    Record(ConversationId, Entry),
    /// Journal an entry of the user's.
    RecordTheirs(ConversationId, Entry),
    /// Journal an admin's private note.
    Note(ConversationId, String),
    /// Tell the admin.
    Tell(Report),
    /// Send a message that has no number.
    Send(Conn, Message),
    /// The hello was accepted: frames may be longer, and it came in time.
    Welcomed(Conn),
    /// Close a connection once everything is sent.
    Close(Conn),
}

/// What an admin may set.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the admin wants to be called.
    pub name: Option<String>,
    /// What every accepted customer is told first.
    pub greeting: Option<String>,
    /// Accept whoever comes.
    pub auto_accept: bool,
}

/// All that one desk knows.
pub struct Desk {
    id: DeskId,
    options: Options,
    conversations: HashMap<ConversationId, Conversation>,
    /// Conversations by their number at this desk, from 1.
    ordinals: Vec<ConversationId>,
    /// Who waits, longest first.
    queue: VecDeque<ConversationId>,
    /// Who gets the next line.
    focus: Option<ConversationId>,
    links: HashMap<Conn, ConversationId>,
    /// Whose acks or entries are due.
    touched: Vec<ConversationId>,
    out: Vec<Output>,
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
    /// Of this, the admin was told.
    told: (Phase, Number),
    /// The user's highest number at its hello: until it is reached, controls are history.
    newest: Number,
    /// Entries of other desks, which only the customer has.
    elsewhere: Number,
    receiving: Receiving,
    ack_due: bool,
    /// Our highest number.
    last: Number,
    sending: Sending,
    link: Option<Conn>,
    /// What we asked of the user's side and is not answered.
    open: Option<Open>,
    /// What the latest answer answered.
    answered: Option<Open>,
    /// Lines the customer typed since our last one, that no `/wait` waited for.
    unheard: u32,
    touched: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Bot(Returned),
    Queued,
    Active,
    Closed(EndReason),
}

/// A control of ours without its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    number: Number,
    asked: Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Accept { by_admin: bool },
    HandBack,
    Close,
}

impl Desk {
    /// A desk without conversations. `id` is made with its journal.
    pub fn new(id: DeskId, options: Options) -> Desk {
        Desk {
            id,
            options,
            conversations: HashMap::new(),
            ordinals: Vec::new(),
            queue: VecDeque::new(),
            focus: None,
            links: HashMap::new(),
            touched: Vec::new(),
            out: Vec::new(),
        }
    }

    /// What to do since the last call, in order. Record all of it before any of the rest is done.
    pub fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// A message came on a connection; the first must be a hello.
    pub fn received(&mut self, conn: Conn, message: Message, now: Now) {
        let known = self.links.get(&conn).copied();
        match (known, message) {
            (None, Message::Hello(hello)) => self.hello(conn, hello),
            (Some(id), Message::Entry(entry)) => self.take(conn, id, entry, now),
            (Some(id), Message::Ack { number }) => self.acked(conn, id, number),
            (Some(id), Message::Seen { number }) => self.tell(Report::Seen { conversation: id, number }),
            (_, Message::Ping {}) => {}
            (_, Message::Bye { code, text }) => {
                log::info!("connection {}: the customer's side says goodbye: {code:?} {text:?}", conn.0);
                self.out.push(Output::Close(conn));
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
        let Some(id) = self.links.remove(&conn) else { return };
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.link = None;
        if conversation.receiving.last() == 0 {
            self.conversations.remove(&id);
        } else if matches!(conversation.phase, Phase::Queued | Phase::Active) {
            self.tell_link(id, Link::Lost, Some(why.to_owned()));
        }
    }

    /// Everything is recorded: acks and due entries leave. `entry` reads our own entries from the journal.
    pub fn settle(
        &mut self,
        entry: impl Fn(ConversationId, Number) -> Entry,
        mut send: impl FnMut(Conn, &Message) -> usize,
    ) {
        for id in std::mem::take(&mut self.touched) {
            let Some(conversation) = self.conversations.get_mut(&id) else { continue };
            conversation.touched = false;
            let Some(conn) = conversation.link else { continue };
            while let Some(number) = conversation.sending.due(conversation.last) {
                let bytes = send(conn, &Message::Entry(entry(id, number)));
                conversation.sending.sent(bytes);
            }
            // The customer's side may hang up at our ack: what we said before comes first.
            if conversation.ack_due && conversation.sending.is_sent(conversation.last) {
                conversation.ack_due = false;
                send(conn, &Message::Ack { number: conversation.receiving.last() });
            }
        }
    }

    /// A user's side introduces itself.
    fn hello(&mut self, conn: Conn, hello: Hello) {
        if hello.version != VERSION {
            let why = format!(
                "this desk speaks version {VERSION} of the protocol and you speak {}; use the same release of handoff",
                hello.version
            );
            return self.dismiss(conn, Code::Version, &why);
        }
        let secret: [u8; 32] = digest(&SHA256, hello.secret.bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes");
        let id = hello.conversation;
        let conversation = self.conversations.entry(id).or_insert_with(|| Conversation::new(secret));
        if conversation.secret != secret {
            return self.dismiss(conn, Code::Secret, "this conversation belongs to somebody else");
        }
        let mark = hello.received.get(&self.id).copied().unwrap_or(0);
        if conversation.sending.resume(mark, conversation.last).is_err() {
            return self.dismiss(conn, Code::Fork, "you have entries of this desk that it never made");
        }
        conversation.newest = hello.newest;
        conversation.ack_due = true;
        let elsewhere = hello.received.iter().filter(|(desk, _)| **desk != self.id).map(|(_, number)| *number);
        conversation.elsewhere = elsewhere.fold(0, Number::saturating_add);
        conversation.name = hello.name.map(Into::into);
        let received = conversation.receiving.last();
        let state = conversation.state();
        let former = conversation.link.replace(conn);
        self.links.insert(conn, id);
        if let Some(former) = former {
            self.links.remove(&former);
            self.dismiss(former, Code::Replaced, "this conversation goes on in another program");
        }
        self.out.push(Output::Send(conn, Message::Welcome(Welcome { desk: self.id, received, state })));
        self.out.push(Output::Welcomed(conn));
        self.touch(id);
        if matches!(state, State::Queued | State::Active) {
            self.tell_link(id, Link::Connected, None);
            self.send_position(id);
        }
    }

    /// An entry of the user's: exactly once, in order.
    fn take(&mut self, conn: Conn, id: ConversationId, entry: Entry, now: Now) {
        let fits = match &entry.body {
            Body::Message(said) => said.author != Author::Admin,
            Body::Accept { .. } | Body::HandBack { .. } | Body::Close { .. } => false,
            _ => true,
        };
        if !fits {
            return self.dismiss(conn, Code::Protocol, "this entry is not a customer's to make");
        }
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        match conversation.receiving.take(entry.number) {
            Arrival::Gap => return self.dismiss(conn, Code::Gap, "an entry is missing before this one"),
            Arrival::Again => {}
            Arrival::New => {
                if conversation.ordinal == 0 {
                    self.ordinals.push(id);
                    conversation.ordinal = self.ordinals.len() as u32;
                }
                self.learn(id, &entry);
                self.out.push(Output::RecordTheirs(id, entry));
                self.announce(id, now);
            }
        }
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.ack_due = true;
        }
        self.touch(id);
    }

    /// What the entry means for the conversation's state; the admin is told by `announce`.
    fn learn(&mut self, id: ConversationId, entry: &Entry) {
        let desk = self.id;
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        match &entry.body {
            Body::Message(said) => {
                let live = matches!(conversation.phase, Phase::Queued | Phase::Active);
                conversation.unheard += u32::from(live && said.author == Author::User);
                return self.tell_said(id, entry.number, entry.at, said, !live);
            }
            Body::Requested { .. } => {
                conversation.phase = Phase::Queued;
                conversation.request = entry.number;
            }
            Body::Withdrawn {} => conversation.phase = Phase::Bot(Returned::Withdrawn),
            Body::HandedBack { .. } => conversation.phase = Phase::Bot(Returned::HandedBack),
            Body::Closed { reason, .. } => conversation.phase = Phase::Closed(*reason),
            Body::Accepted { of } if of.desk == desk => conversation.phase = Phase::Active,
            // Another desk had the customer then; who has it now is said by what follows.
            Body::Accepted { .. } => conversation.phase = Phase::Bot(Returned::HandedBack),
            Body::Refused { of, why } if of.desk == desk => {
                if conversation.open.take_if(|open| open.number == of.number).is_some() {
                    let who = self.who(id);
                    self.notice(format!("{who}: {why}"));
                }
                return;
            }
            _ => return,
        }
        // Whatever we asked is answered by this, or void.
        if !matches!(conversation.phase, Phase::Queued) {
            conversation.answered = conversation.open.take();
        }
    }

    /// Tells the admin where a conversation is now, once its backlog is in.
    fn announce(&mut self, id: ConversationId, now: Now) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let is = (conversation.phase, conversation.request);
        if conversation.receiving.last() < conversation.newest || conversation.told == is {
            return;
        }
        conversation.told = is;
        self.leave_queue(id);
        match is.0 {
            Phase::Queued => self.announce_queued(id, now),
            Phase::Active => self.announce_active(id, now),
            Phase::Bot(how) => self.announce_end(id, Some(Reason::Returned(how))),
            Phase::Closed(why) => self.announce_end(id, Some(Reason::Ended(why))),
        }
    }

    fn announce_queued(&mut self, id: ConversationId, now: Now) {
        self.queue.push_back(id);
        self.lose_focus(id);
        self.tell_state(id, None);
        let conversation = &self.conversations[&id];
        let (name, elsewhere) = (conversation.called(id), conversation.elsewhere);
        self.tell(Report::Call { text: format!("Hey! {name} wants to talk to you") });
        if elsewhere > 0 {
            self.notice(format!("{elsewhere} entries of another desk are held by {name} only"));
        }
        self.send_position(id);
        if self.options.auto_accept {
            self.ask(id, Ask::Accept { by_admin: false }, now);
        }
    }

    fn announce_active(&mut self, id: ConversationId, now: Now) {
        let by_admin =
            matches!(self.conversations[&id].answered, Some(Open { asked: Ask::Accept { by_admin: true }, .. }));
        if by_admin || !self.is_focus_live() {
            self.focus = Some(id);
        }
        self.tell_state(id, None);
        if let Some(text) = self.options.greeting.clone() {
            self.record_said(id, &text, true, now);
        }
    }

    fn announce_end(&mut self, id: ConversationId, reason: Option<Reason>) {
        self.tell_state(id, reason);
        self.lose_focus(id);
    }

    fn acked(&mut self, conn: Conn, id: ConversationId, number: Number) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        match conversation.sending.ack(number) {
            Ok(true) => {
                self.tell(Report::Delivered { conversation: id, number });
                self.touch(id);
            }
            Ok(false) => {}
            Err(_) => self.dismiss(conn, Code::Protocol, "this acknowledges what was never sent"),
        }
    }

    /// Says why, and closes the connection.
    fn dismiss(&mut self, conn: Conn, code: Code, why: &str) {
        self.out.push(Output::Send(conn, Message::Bye { code, text: why.to_owned() }));
        self.out.push(Output::Close(conn));
        self.disconnected(conn, why);
    }

    /// Takes a conversation out of the queue, and tells those behind it that they moved up.
    fn leave_queue(&mut self, id: ConversationId) {
        let Some(at) = self.queue.iter().position(|queued| *queued == id) else { return };
        self.queue.remove(at);
        // Their places are counted here: to look each one up would be quadratic.
        for (place, behind) in self.queue.iter().enumerate().skip(at) {
            if let Some(conn) = self.conversations[behind].link {
                self.out.push(Output::Send(conn, Message::Position { position: place as u32 + 1 }));
            }
        }
    }

    fn send_position(&mut self, id: ConversationId) {
        let Some(at) = self.queue.iter().position(|queued| *queued == id) else { return };
        if let Some(conn) = self.conversations[&id].link {
            self.out.push(Output::Send(conn, Message::Position { position: at as u32 + 1 }));
        }
    }

    /// Its acks and entries leave at the next `settle`.
    fn touch(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(&id)
            && !std::mem::replace(&mut conversation.touched, true)
        {
            self.touched.push(id);
        }
    }

    fn tell(&mut self, report: Report) {
        self.out.push(Output::Tell(report));
    }

    fn notice(&mut self, text: String) {
        self.tell(Report::Notice { text });
    }

    fn tell_said(&mut self, id: ConversationId, number: Number, at: u64, said: &Said, history: bool) {
        let told = Told { history, ..self.place(id, Told::new(id, number, at, said)) };
        self.tell(Report::Message(told));
    }

    /// A message as this admin is to see it: whose it is, and where.
    pub fn place(&self, id: ConversationId, told: Told) -> Told {
        let ordinal = self.conversations.get(&id).map(|conversation| conversation.ordinal);
        Told { ordinal, elsewhere: self.focus != Some(id), own: told.author == Author::Admin, ..told }
    }

    fn tell_state(&mut self, id: ConversationId, reason: Option<Reason>) {
        let conversation = &self.conversations[&id];
        let active = conversation.phase == Phase::Active;
        self.tell(Report::State {
            conversation: id,
            ordinal: Some(conversation.ordinal),
            customer: Some(conversation.called(id)),
            state: conversation.state(),
            position: self.queue.iter().position(|queued| *queued == id).map(|at| at as u32 + 1),
            admin: if active { self.options.name.clone() } else { None },
            reason,
        });
    }

    fn tell_link(&mut self, id: ConversationId, link: Link, why: Option<String>) {
        let conversation = &self.conversations[&id];
        self.tell(Report::Link {
            conversation: id,
            ordinal: Some(conversation.ordinal),
            customer: Some(conversation.called(id)),
            link,
            desk: self.id.to_string(),
            why,
        });
    }
}

impl Conversation {
    fn new(secret: [u8; 32]) -> Conversation {
        Conversation {
            ordinal: 0,
            secret,
            name: None,
            phase: Phase::Bot(Returned::HandedBack),
            request: 0,
            told: (Phase::Bot(Returned::HandedBack), 0),
            newest: 0,
            elsewhere: 0,
            receiving: Receiving::default(),
            ack_due: false,
            last: 0,
            sending: Sending::default(),
            link: None,
            open: None,
            answered: None,
            unheard: 0,
            touched: false,
        }
    }

    fn state(&self) -> State {
        match self.phase {
            Phase::Bot(_) => State::Bot,
            Phase::Queued => State::Queued,
            Phase::Active => State::Active,
            Phase::Closed(_) => State::Closed,
        }
    }

    /// What the customer is called at this desk.
    fn called(&self, id: ConversationId) -> String {
        self.name.as_deref().map_or_else(|| format!("Customer {}", id.short()), str::to_owned)
    }
}
