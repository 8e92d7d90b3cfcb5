//! The user's side of one conversation, and the arbiter of its state.
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
//! A line belongs to the owner at the moment it is recorded: in `bot` it is asked of the bot, in
//! `queued` and `active` it is delivered to the desk. After the trigger the bot gets nothing: its
//! reply in flight is discarded and what waited behind it is never asked.
//!
//! Pure: inputs are methods, time is an argument. What to do comes out of `outcome` and, once that
//! is committed, of `due`. `sessions` holds many of these; `reply` reads the texts of the bot, and
//! `delivery` numbers the entries.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Instant;

use crate::core::clock::Now;
use crate::core::delivery::{Delivery, Idle, Mark, Waited};
use crate::core::outcome::{self, Audience, Due, Fact, Outcome, Passage};
use crate::core::record::{Origin, Record};
use crate::core::report::{CustomerNews, CustomerRefusal, News, Reason, Report, Returned};
use crate::wire::{
    Asked, Author, Body, ConversationId, DeskId, EndReason, Entry, Message, Number, Said, Secret,
    State,
};

mod bot;
mod link;
mod position;
mod restart;
mod start_over;

pub use bot::said_without_bot;
pub use link::WELCOME_WITHIN;
#[cfg(test)]
mod tests;

/// Entries that may wait for a desk before further lines are refused.
pub const OUTBOX_MAX: usize = 1_000;
/// Bytes of text that may wait for a desk before further lines are refused.
pub const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What only a customer's side does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Dial the desk; answer with `dialled`. A session only makes it when it is told to `dial`.
    Dial(ConversationId),
    /// Ask the bot; answer with `answered`.
    Ask {
        /// Whose question it is.
        conversation: ConversationId,
        /// To name in the answer.
        ticket: u64,
        /// What the bot gets.
        text: String,
    },
    /// Tell the bot that it owns the conversation again, and what people said to each other
    /// ([`said_without_bot`]) from our own entry `since` on; answer with `returned`.
    Return {
        /// Which conversation came back.
        conversation: ConversationId,
        /// To name in the answer.
        ticket: u64,
        /// The `requested` that began the first stretch the bot was not told of, or a later entry.
        since: Number,
    },
    /// The desk knows another story: this conversation cannot go on. Call `start_over`: a new one
    /// may take its place.
    StartOver(ConversationId),
}

impl Errand {
    /// Whose errand it is.
    pub fn conversation(&self) -> ConversationId {
        match self {
            Errand::Dial(id) | Errand::StartOver(id) => *id,
            Errand::Ask { conversation, .. } | Errand::Return { conversation, .. } => *conversation,
        }
    }
}

type Act = outcome::Act<Errand>;

/// What the bot's return brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The bot answers again.
    Yes,
    /// The bot answers again, but could not be told what was said without it.
    WithoutLines,
    /// It was told, and is paused all the same.
    StillPaused,
    /// It has no API to be told by.
    NoApi(String),
    /// It could not be reached, or refused: it was told nothing.
    Unreached(String),
    /// It could not be told; it may have got some of it.
    Failed(String),
}

/// What a new conversation is made of. All three are random.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Its id.
    pub id: ConversationId,
    /// Its secret.
    pub secret: Secret,
    /// For the tickets of questions.
    pub seed: u64,
}

/// One conversation at the customer's side.
pub struct Session {
    id: ConversationId,
    secret: Secret,
    name: Option<String>,
    /// The desk's address, for reports.
    address: String,
    phase: Phase,
    /// Our highest number.
    last: Number,
    /// The `requested` in force, or the last one.
    request: Number,
    /// Our entries up to here are for the desk; above it, said to the bot, they stay here.
    owed: Number,
    /// A desk may have had the request that is over: it is dialled until it acked our part and
    /// sent its own.
    parting: bool,
    /// The marks for each desk that had this conversation, the present one last.
    desks: Vec<(DeskId, Marks)>,
    link: link::Link,
    bot: bot::Turns,
    idle: Idle,
    /// Lines the admin typed since our last one, that no `/wait` waited for.
    unheard: u32,
    /// Lines to a person that may not be delivered yet: numbers and bytes.
    outbox: VecDeque<(Number, usize)>,
    /// The number of our latest line to a person.
    spoken: Number,
    /// The conversation goes on in another program: nothing more is recorded here.
    replaced: bool,
    /// It was begun in this process because a desk contradicted the former one.
    is_second: bool,
    out: Outcome<Errand>,
}

/// Who owns the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Bot,
    Queued { position: position::Position },
    Active { desk: DeskId, admin: Option<String> },
    Closed,
}

/// What this side knows of one desk.
#[derive(Clone, Debug, Default)]
struct Marks {
    /// The latest `requested` this desk may have.
    request: Number,
    /// Our entry that ended the last stretch in which this desk's agent had the customer; 0 before
    /// the first end.
    ended: Number,
    delivery: Delivery,
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
            last: 0,
            request: 0,
            owed: 0,
            parting: false,
            desks: Vec::new(),
            link: link::Link::new(now),
            bot: bot::Turns::new(seed),
            idle: Idle::new(now),
            unheard: 0,
            outbox: VecDeque::new(),
            spoken: 0,
            replaced: false,
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

    /// A line was typed. It belongs to whoever owns the conversation now.
    ///
    /// # Errors
    /// When it cannot be taken; it is the caller's to keep then.
    pub fn say(&mut self, typed: &str, now: Now) -> Result<(), CustomerRefusal> {
        match self.phase {
            _ if self.replaced => Err(CustomerRefusal::Replaced),
            Phase::Closed => Err(CustomerRefusal::Closed),
            Phase::Bot => {
                self.say_to_bot(typed, now);
                Ok(())
            }
            Phase::Queued { .. } | Phase::Active { .. } => {
                if self.is_outbox_full() {
                    return Err(CustomerRefusal::TooManyWait);
                }
                self.say_as_user(typed, now);
                Ok(())
            }
        }
    }

    /// `/human`: the user asks for a person, whatever the bot is doing.
    ///
    /// # Errors
    /// When that is no news.
    pub fn ask_for_human(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        match self.phase {
            _ if self.replaced => Err(CustomerRefusal::Replaced),
            Phase::Bot => {
                self.request_human(None, now);
                Ok(())
            }
            // A person who has looked into why nobody dials any more.
            Phase::Queued { .. } | Phase::Active { .. } if self.is_parted() => {
                self.seek_desk();
                Ok(())
            }
            Phase::Queued { .. } => Err(CustomerRefusal::AlreadyQueued),
            Phase::Active { .. } => Err(CustomerRefusal::AlreadyActive),
            Phase::Closed => Err(CustomerRefusal::Closed),
        }
    }

    /// `/bot`: the user gives up waiting.
    ///
    /// # Errors
    /// When there is nothing to give up.
    pub fn withdraw(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        match self.phase {
            _ if self.replaced => Err(CustomerRefusal::Replaced),
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

    /// `/end`, `/new`: the user ends the conversation.
    ///
    /// # Errors
    /// When it has ended.
    pub fn end(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        match self.phase {
            _ if self.replaced => Err(CustomerRefusal::Replaced),
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

    /// Which conversation this is.
    pub fn id(&self) -> ConversationId {
        self.id
    }

    /// The admin's name, while one owns the conversation and gave one.
    pub fn admin(&self) -> Option<&str> {
        match &self.phase {
            Phase::Active { admin, .. } => admin.as_deref(),
            _ => None,
        }
    }

    /// Our own numbers that a desk should have and has not acknowledged.
    pub fn undelivered(&self) -> RangeInclusive<Number> {
        let acked = self.desks.last().map_or(0, |(_, marks)| marks.delivery.acked());
        let due = self.parting || self.phase == Phase::Closed || self.is_owned_by_desk();
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
        let is_to_person = |number: &Number| *number > self.request && *number <= self.owed();
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

    /// Whether it owes nothing and awaits nothing, and all that it knows is in the journal.
    pub fn is_at_rest(&self) -> bool {
        self.is_settled() && self.is_disconnected() && self.bot.is_at_rest()
    }

    /// Whether it is closed, and nobody is owed anything any more.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Closed && self.is_settled()
    }

    /// Nothing is owed and nothing is asked: the program may end without losing anything.
    pub fn is_settled(&self) -> bool {
        self.bot.is_idle() && !self.needs_desk()
    }

    /// Whether the bot owes an answer to a line, or has not been told that it owns the conversation
    /// again.
    pub fn is_bot_busy(&self) -> bool {
        !self.bot.is_idle()
    }

    /// Takes one line that the admin typed (a greeting is not typed) since our last one, for a
    /// script's `/wait`.
    pub fn hear(&mut self) -> bool {
        let heard = self.unheard > 0;
        self.unheard = self.unheard.saturating_sub(1);
        heard
    }

    /// What became of our latest line to a person, as far as the desk has told.
    pub fn mark(&self) -> Mark {
        self.desks.last().map_or(Mark::None, |(_, marks)| marks.delivery.mark(self.spoken))
    }

    /// The desk's lines up to this number are on the screen. The desk hears of it now, or after
    /// its next welcome.
    pub fn shown(&mut self, desk: DeskId, number: Number) {
        let Some((_, marks)) = self.desks.iter_mut().find(|(of, _)| *of == desk) else { return };
        if !marks.delivery.show(number) {
            return;
        }
        if let Some((conn, (present, _))) = self.linked()
            && present == desk
        {
            self.act(Act::Send(conn, Message::Seen { number }));
        }
    }

    /// Whether as much waits for the desk as may.
    fn is_outbox_full(&mut self) -> bool {
        let acked = self.desks.last().map_or(0, |(_, marks)| marks.delivery.acked());
        while self.outbox.pop_front_if(|(number, _)| *number <= acked).is_some() {}
        self.outbox.len() >= OUTBOX_MAX
            || self.outbox.iter().map(|(_, bytes)| bytes).sum::<usize>() >= OUTBOX_BYTES_MAX
    }

    /// Our highest number that is the desk's to have.
    fn owed(&self) -> Number {
        if self.is_owned_by_desk() { self.last } else { self.owed }
    }

    /// The present desk may have the request in force from now on: that is journaled before it
    /// leaves.
    fn offer(&mut self) {
        let request = self.request;
        if let Some((desk, marks)) = self.linked_desk() {
            marks.request = request;
            self.journal(Record::Met(desk, request));
        }
    }

    fn is_owned_by_desk(&self) -> bool {
        matches!(self.phase, Phase::Queued { .. } | Phase::Active { .. })
    }

    /// Whether any desk may have heard of the request in force.
    fn is_offered(&self) -> bool {
        self.request > 0 && self.desks.iter().any(|(_, marks)| marks.request == self.request)
    }

    /// The bot asked for it, or the user did: a human takes over as soon as one can.
    fn request_human(&mut self, reason: Option<String>, now: Now) {
        self.discard_bot();
        self.unheard = 0;
        self.request = self.record(Body::Requested { reason }, now);
        self.end_stretch(self.request);
        self.phase = Phase::Queued { position: Default::default() };
        self.tell_state(None);
        self.offer();
        self.seek_desk();
    }

    /// An entry of the present desk's was new: it is recorded, and now it takes effect.
    fn obey(&mut self, desk: DeskId, entry: Entry, now: Now) {
        let of = Asked { desk, number: entry.number };
        match entry.body {
            Body::Message(said) => {
                self.unheard += u32::from(!said.greeting);
                self.tell_said(Origin::Peer(Some(desk)), entry.number, false);
            }
            Body::Accept { request, name } => match self.phase {
                Phase::Queued { .. } if request == self.request => {
                    self.record(Body::Accepted { of }, now);
                    self.phase = Phase::Active { desk, admin: name };
                    self.tell_state(None);
                }
                _ => self.refuse(of, now),
            },
            Body::HandBack { request } if self.is_with(desk, request) => {
                self.record(Body::HandedBack { of }, now);
                self.return_to_bot(Returned::HandedBack);
            }
            Body::Close { request } if self.is_with(desk, request) => {
                self.close(Some(of), EndReason::AdminClosed, now)
            }
            Body::HandBack { .. } | Body::Close { .. } => self.refuse(of, now),
            _ => self.tell_news(CustomerNews::UnknownEntry),
        }
    }

    /// Whether this desk's admin owns the conversation by this request.
    fn is_with(&self, desk: DeskId, request: Number) -> bool {
        matches!(self.phase, Phase::Active { desk: owner, .. } if owner == desk)
            && request == self.request
    }

    /// A desk's control came too late: say why.
    fn refuse(&mut self, of: Asked, now: Now) {
        let why = match self.phase {
            Phase::Bot => "the customer went back to the bot",
            Phase::Queued { .. } => "the customer is waiting again",
            Phase::Active { .. } => "another agent has the customer",
            Phase::Closed => "the customer closed the conversation",
        };
        self.record(Body::Refused { of, why: why.to_owned() }, now);
        if !self.is_owned_by_desk() {
            self.owed = self.last;
            self.parting = true;
        }
    }

    fn close(&mut self, of: Option<Asked>, reason: EndReason, now: Now) {
        self.discard_bot();
        let was_bot = self.phase == Phase::Bot;
        let number = self.record(Body::Closed { of, reason }, now);
        self.end_stretch(number);
        // What was said to the bot since the last handback stays here, and so does its end.
        if !was_bot {
            self.owed = number;
            self.parting |= self.is_offered();
        }
        self.phase = Phase::Closed;
        self.tell_state(Some(Reason::Ended(reason)));
        self.rest_if_delivered();
    }

    /// The bot owns the conversation from the entry just recorded on.
    fn return_to_bot(&mut self, how: Returned) {
        self.owed = self.last;
        self.parting |= self.is_offered();
        self.end_stretch(self.last);
        self.phase = Phase::Bot;
        self.resume_bot(Some(how), self.request);
        self.rest_if_delivered();
    }

    /// Our entry with this number ended whatever stretch a desk's agent had the customer in.
    fn end_stretch(&mut self, number: Number) {
        if let Phase::Active { desk: owner, .. } = self.phase
            && let Some((_, marks)) = self.desks.iter_mut().find(|(desk, _)| *desk == owner)
        {
            marks.ended = number;
        }
    }

    /// A desk that cannot be had for so long is not waited for any more.
    fn tick_idle(&mut self, now: Now) {
        match self.idle.tick(now) {
            Waited::TooLong => {
                let owed = self.undelivered();
                if self.phase != Phase::Closed {
                    self.close(None, EndReason::Inactivity, now);
                }
                self.parting = false;
                self.rest_if_delivered();
                self.act(Act::Tell(Fact::Undelivered(self.id, owed)));
            }
            Waited::Note(idle) => self.journal(Record::Idle(idle)),
            Waited::On => {}
        }
    }

    /// Numbers and journals an entry of our own.
    fn record(&mut self, body: Body, now: Now) -> Number {
        self.last += 1;
        self.idle = Idle::new(now);
        self.journal(Record::Own(Entry { number: self.last, at: now.wall, body }));
        self.last
    }

    /// Journals something said at this side, and tells it.
    fn record_said(&mut self, said: Said, now: Now) {
        let number = self.record(Body::Message(said), now);
        self.tell_own(number, false);
    }

    fn say_as_user(&mut self, typed: &str, now: Now) {
        self.unheard = 0;
        if self.phase != Phase::Bot {
            self.spoken = self.last + 1;
            self.outbox.push_back((self.spoken, typed.len()));
        }
        let name = self.name.as_deref().map(Into::into);
        self.record_said(Said { name, ..Said::text(Author::User, typed) }, now);
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

    /// Tells that our own entry with this number was said.
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
