//! The customer's side of one conversation. It decides the conversation's state
//! (docs/PROTOCOL.md, "States, and who decides").
//!
//! ```text
//!            trigger, /human                    accept
//!   ┌─────┐ ────────────────▶ ┌────────┐ ───────────────▶ ┌────────┐
//!   │ bot │                   │ queued │                  │ active │
//!   └─────┘ ◀──────────────── └────────┘ ◀─────────────── └────────┘
//!      ▲      /bot (withdrawn)            another desk      │   │
//!      │                                                    │   │
//!      └───────────────────── hand_back ────────────────────┘   │
//!   any ── /end, close ──▶ closed ◀──────── /end, close ────────┘
//! ```
//!
//! A line goes to whoever owns the conversation when the line is recorded: in `bot` the bot is
//! asked, in `queued` and `active` the desk gets the line. After the trigger the bot gets nothing:
//! a reply that is under way is discarded, and the lines behind it are never asked.
//!
//! Pure: inputs are methods, time is an argument. What to do comes out of `outcome` and, once that
//! is committed, of `due`. `sessions` holds many sessions, and `reply` reads the texts of the bot.
//! The parts: `states` changes the state, `bot` asks the bot in turn, `link` has the connection to
//! the desk, `desks` and `own` have the numbers of both sides' entries.
//!
//! ```
//! use std::time::Instant;
//!
//! use handoff::core::clock::Now;
//! use handoff::core::outcome::Act;
//! use handoff::core::reply::{Handoff, Reply};
//! use handoff::core::session::{Errand, Fresh, Session};
//! use handoff::wire::{
//!     Body, Conn, ConversationId, DeskId, Entry, Message, Secret, State, Welcome,
//! };
//!
//! let now = Now { clock: Instant::now(), wall: 0 };
//! let (id, desk, conn) = (ConversationId::new([7; 16]), DeskId::new([1; 16]), Conn(1));
//! let fresh = Fresh { id, secret: Secret::new([9; 32]), seed: 1 };
//! let mut session = Session::new(fresh, None, "desk.example:5000".to_owned(), now);
//!
//! // The customer's line is asked of the bot, which answers with the trigger.
//! session.say("a human, please", now).unwrap();
//! let asked = session.outcome().acts.into_iter().find_map(|act| match act {
//!     Act::Errand(Errand::Ask { ticket, .. }) => Some(ticket),
//!     _ => None,
//! });
//! let reply = Reply { handoff: Some(Handoff::default()), ..Reply::default() };
//! session.answered(asked.unwrap(), Ok(reply), now);
//! assert_eq!(session.state(), State::Queued);
//!
//! // Now a connection to the desk is wanted. Both sides introduce themselves.
//! assert!(session.is_dial_wanted());
//! session.dial();
//! session.dialled(conn);
//! session.connected(conn);
//! let welcome = Welcome { desk, received: 0, state: State::Bot, features: Vec::new() };
//! assert!(session.received(conn, Message::Welcome(welcome), now));
//!
//! // The agent accepts, and later hands the customer back.
//! let mut from_desk = |number, body| {
//!     assert!(session.received(conn, Message::Entry(Entry { number, at: 0, body }), now));
//!     session.state()
//! };
//! let request = 2;
//! assert_eq!(from_desk(1, Body::Accept { request, name: None }), State::Active);
//! assert_eq!(from_desk(2, Body::HandBack { request }), State::Bot);
//!
//! // What the session wants done: first the records are committed, then the acts are done.
//! let outcome = session.outcome();
//! assert!(!outcome.records.is_empty());
//! let is_return = |act: &Act<Errand>| matches!(act, Act::Errand(Errand::Return { .. }));
//! assert!(outcome.acts.iter().any(is_return));
//! ```

use std::ops::RangeInclusive;
use std::time::Instant;

use crate::core::clock::Now;
use crate::core::delivery::{Idle, Mark};
use crate::core::outcome::{self, Audience, Due, Fact, Outcome, Passage};
use crate::core::record::{Origin, Record};
use crate::core::report::{CustomerNews, CustomerRefusal, News, Reason, Report, Returned};
use crate::wire::{
    Author, Body, ConversationId, DeskId, EndReason, Entry, Message, Number, Said, Secret, State,
};

mod bot;
mod desks;
mod errand;
mod link;
mod menu;
mod own;
mod position;
mod restart;
mod start_over;
mod states;

#[cfg(test)]
mod tests;

pub use bot::said_without_bot;
pub use errand::{Errand, Fresh, Resumed};
pub use link::WELCOME_WITHIN;

use desks::{Desks, Marks};
use own::OwnEntries;

/// Entries that may wait for a desk before further lines are refused.
pub const OUTBOX_MAX: usize = 1_000;
/// Bytes of text that may wait for a desk before further lines are refused.
pub const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;

type Act = outcome::Act<Errand>;

/// One conversation at the customer's side.
pub struct Session {
    id: ConversationId,
    secret: Secret,
    name: Option<String>,
    /// The desk's address, for reports.
    address: String,
    phase: Phase,
    own: OwnEntries,
    desks: Desks,
    /// No desk owns the conversation, and one may have had the request that is over. This side
    /// dials it until it has acknowledged our part and sent its own.
    is_parting: bool,
    link: link::Link,
    bot: bot::Turns,
    idle: Idle,
    /// Lines that the agent typed since the customer's last line, without those that a `/wait` of
    /// a script has taken.
    unheard: u32,
    /// The conversation goes on in another program: nothing more is recorded here.
    is_replaced: bool,
    /// It was begun in this process because a desk contradicted the former one.
    is_second: bool,
    out: Outcome<Errand>,
}

/// Who owns the conversation (docs/PROTOCOL.md, "States, and who decides").
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Bot,
    Queued { position: position::Position },
    Active { desk: DeskId, admin: Option<String> },
    Closed,
}

impl Session {
    /// A new conversation, owned by the bot. `address` is the desk's, for reports.
    pub fn new(fresh: Fresh, name: Option<String>, address: String, now: Now) -> Session {
        let Fresh { id, secret, seed } = fresh;
        let mut session = Session {
            id,
            secret,
            name,
            address,
            phase: Phase::Bot,
            own: OwnEntries::default(),
            desks: Desks::default(),
            is_parting: false,
            link: link::Link::new(now),
            bot: bot::Turns::new(seed),
            idle: Idle::new(now),
            unheard: 0,
            is_replaced: false,
            is_second: false,
            out: Outcome::default(),
        };
        let name = session.name.clone();
        session.journal(Record::Begun { secret: *secret.bytes(), name });
        session.tell_state(None);
        session
    }

    /// What to do since the last call.
    pub fn outcome(&mut self) -> Outcome<Errand> {
        let mut out = std::mem::take(&mut self.out);
        out.acts.extend(self.bot.take_errand().map(Act::Errand));
        out
    }

    /// The customer typed a line. It goes to whoever owns the conversation now.
    ///
    /// # Errors
    /// When the line cannot be taken. The caller keeps it.
    pub fn say(&mut self, typed: &str, now: Now) -> Result<(), CustomerRefusal> {
        match self.phase {
            _ if self.is_replaced => Err(CustomerRefusal::Replaced),
            Phase::Closed => Err(CustomerRefusal::Closed),
            Phase::Bot => {
                self.say_to_bot(typed, now);
                Ok(())
            }
            Phase::Queued { .. } | Phase::Active { .. } => {
                if self.own.is_outbox_full(self.desks.acked()) {
                    return Err(CustomerRefusal::TooManyWait);
                }
                self.say_as_user(typed, now);
                Ok(())
            }
        }
    }

    /// `/human`: the customer asks for a person, whatever the bot is doing.
    ///
    /// # Errors
    /// When the customer waits for a person or has one already.
    pub fn ask_for_human(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        match self.phase {
            _ if self.is_replaced => Err(CustomerRefusal::Replaced),
            Phase::Bot => {
                self.request_human(None, now);
                Ok(())
            }
            // The customer has looked into why this side does not dial any more.
            Phase::Queued { .. } | Phase::Active { .. } if self.is_parted() => {
                self.seek_desk();
                Ok(())
            }
            Phase::Queued { .. } => Err(CustomerRefusal::AlreadyQueued),
            Phase::Active { .. } => Err(CustomerRefusal::AlreadyActive),
            Phase::Closed => Err(CustomerRefusal::Closed),
        }
    }

    /// `/bot`: the customer stops waiting for a person.
    ///
    /// # Errors
    /// When the customer does not wait.
    pub fn withdraw(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        match self.phase {
            _ if self.is_replaced => Err(CustomerRefusal::Replaced),
            Phase::Queued { .. } => {
                self.record(Body::Withdrawn {}, now);
                self.return_to_bot(Returned::Withdrawn);
                Ok(())
            }
            Phase::Bot => Err(CustomerRefusal::AlreadyWithBot),
            Phase::Active { .. } => Err(CustomerRefusal::WithAgent),
            Phase::Closed => Err(CustomerRefusal::Closed),
        }
    }

    /// `/end`, `/new`: the customer ends the conversation.
    ///
    /// # Errors
    /// When it has ended.
    pub fn end(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        match self.phase {
            _ if self.is_replaced => Err(CustomerRefusal::Replaced),
            Phase::Closed => Err(CustomerRefusal::Closed),
            _ => {
                self.close(None, EndReason::UserEnded, now);
                Ok(())
            }
        }
    }

    /// Time has passed: whatever is due by `now` happens.
    pub fn tick(&mut self, now: Now) {
        self.tick_bot(now);
        if self.needs_desk() && self.linked().is_none() {
            self.tick_idle(now);
        }
        self.tick_link(now);
        self.tell_position(now);
    }

    /// When `tick` has something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        let idle = (self.needs_desk() && !self.is_up()).then(|| self.idle.deadline());
        [self.bot.deadline(), self.link.deadline(), self.position_deadline(), idle]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next ack or entry that is due, once everything is committed.
    pub fn due(&mut self) -> Option<Due> {
        let (conversation, owed) = (self.id, self.owed());
        let (conn, (_, marks)) = self.linked()?;
        if let Some(number) = marks.delivery.take_ack() {
            return Some(Due::Ack { conn, number });
        }
        let number = marks.delivery.due(owed)?;
        Some(Due::Entry { conversation, conn, number })
    }

    /// The entry that was due was handed to the connection; its frame has `bytes` bytes.
    pub fn sent(&mut self, bytes: usize) {
        if let Some((_, marks)) = self.linked_desk() {
            marks.delivery.sent(bytes);
        }
    }

    /// Who owns the conversation.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Bot => State::Bot,
            Phase::Queued { .. } => State::Queued,
            Phase::Active { .. } => State::Active,
            Phase::Closed => State::Closed,
        }
    }

    /// The conversation's id.
    pub fn id(&self) -> ConversationId {
        self.id
    }

    /// The name of the agent who owns the conversation, if one does and gave a name.
    pub fn admin(&self) -> Option<&str> {
        match &self.phase {
            Phase::Active { admin, .. } => admin.as_deref(),
            _ => None,
        }
    }

    /// The numbers of our own entries that a desk is owed and has not acknowledged.
    pub fn undelivered(&self) -> RangeInclusive<Number> {
        let acked = self.desks.acked();
        let due = self.is_parting || self.phase == Phase::Closed || self.is_owned_by_desk();
        acked + 1..=if due { self.owed() } else { 0 }
    }

    /// What the customer said to a person in our own entries with these numbers, oldest first.
    /// `entry` reads an entry of our own.
    ///
    /// # Errors
    /// When an entry cannot be read.
    pub fn said_to_person<E>(
        &self,
        numbers: RangeInclusive<Number>,
        entry: impl Fn(Number) -> Result<Entry, E>,
    ) -> Result<Vec<String>, E> {
        let is_to_person = |number: &Number| *number > self.own.request() && *number <= self.owed();
        let mut texts = Vec::new();
        for number in numbers.filter(is_to_person) {
            match entry(number)?.body {
                Body::Message(said) if said.author == Author::User => {
                    texts.push(said.text.to_string());
                }
                _ => {}
            }
        }
        Ok(texts)
    }

    /// Whether this session owes nothing and awaits nothing, and the journal has all that it knows.
    pub fn is_at_rest(&self) -> bool {
        self.is_settled() && self.is_disconnected() && self.bot.is_at_rest()
    }

    /// Whether the conversation is closed, and nobody is owed anything any more.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Closed && self.is_settled()
    }

    /// Whether nothing is owed to a desk and nothing is asked of the bot: the program may end
    /// without losing anything.
    pub fn is_settled(&self) -> bool {
        self.bot.is_idle() && !self.needs_desk()
    }

    /// Whether the bot owes an answer to a line, or is being told that it owns the conversation
    /// again.
    pub fn is_bot_busy(&self) -> bool {
        !self.bot.is_idle()
    }

    /// Takes one line that the agent typed since the customer's last line, for a script's `/wait`.
    /// False if there is none. A greeting is not typed.
    pub fn hear(&mut self) -> bool {
        let heard = self.unheard > 0;
        self.unheard = self.unheard.saturating_sub(1);
        heard
    }

    /// How far the customer's latest line to a person has come, as far as the desk has said.
    pub fn mark(&self) -> Mark {
        self.desks
            .present()
            .map_or(Mark::None, |(_, marks)| marks.delivery.mark(self.own.last_to_person()))
    }

    /// The screen shows the desk's lines up to this number. The desk is sent `seen` now, or after
    /// its next welcome (docs/PROTOCOL.md, "ack, seen, position, ping").
    pub fn shown(&mut self, desk: DeskId, number: Number) {
        let Some(marks) = self.desks.get_mut(desk) else { return };
        if !marks.delivery.show(number) {
            return;
        }
        if let Some((conn, (present, _))) = self.linked()
            && present == desk
        {
            self.act(Act::Send(conn, Message::Seen { number }));
        }
    }

    /// The desk is owed our entries up to this number.
    fn owed(&self) -> Number {
        if self.is_owned_by_desk() { self.own.last() } else { self.own.owed() }
    }

    fn is_owned_by_desk(&self) -> bool {
        matches!(self.phase, Phase::Queued { .. } | Phase::Active { .. })
    }

    /// Whether any desk may have heard of the request in force.
    fn is_offered(&self) -> bool {
        self.desks.may_know(self.own.request())
    }

    /// Numbers and journals an entry of our own.
    fn record(&mut self, body: Body, now: Now) -> Number {
        let number = self.own.next();
        self.idle = Idle::new(now);
        self.journal(Record::Own(Entry { number, at: now.wall, body }));
        number
    }

    /// Journals a message of the customer or the bot, and shows it.
    fn record_said(&mut self, said: Said, now: Now) -> Number {
        let number = self.record(Body::Message(said), now);
        self.tell_own(number, false);
        number
    }

    fn say_as_user(&mut self, typed: &str, now: Now) {
        self.unheard = 0;
        let name = self.name.as_deref().map(Into::into);
        let number = self.record_said(Said { name, ..Said::text(Author::User, typed) }, now);
        if self.phase != Phase::Bot {
            self.own.note_line_to_person(number, typed.len());
        }
    }

    fn tell(&mut self, report: Report) {
        self.act(Act::Tell(Fact::Report(Audience::Conversation(self.id), report)));
    }

    fn tell_news(&mut self, news: CustomerNews) {
        self.tell(Report::News { text: News::Customer(news) });
    }

    fn tell_fault(&mut self, news: CustomerNews) {
        self.tell(Report::Fault { text: News::Customer(news) });
    }

    /// Shows our own message with this number.
    fn tell_own(&mut self, number: Number, history: bool) {
        self.tell_said(Origin::Own, number, history);
    }

    fn tell_said(&mut self, origin: Origin, number: Number, history: bool) {
        let conversation = self.id;
        let numbers = number..=number;
        self.act(Act::Tell(Fact::Said(Passage { conversation, origin, numbers, history })));
    }

    fn journal(&mut self, record: Record) {
        self.out.records.push((self.id, record));
    }

    fn act(&mut self, act: Act) {
        self.out.acts.push(act);
    }

    fn tell_state(&mut self, reason: Option<Reason>) {
        let position = match &self.phase {
            Phase::Queued { position } => position.told(),
            _ => None,
        };
        self.tell(Report::State {
            conversation: self.id,
            ordinal: None,
            customer: None,
            state: self.state(),
            position,
            admin: self.admin().map(str::to_owned),
            reason,
        });
    }
}
