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
//! a reply that is under way is discarded, and the lines after it never go to the bot.
//!
//! Pure: inputs are methods, time is an argument. `outcome` returns what to do and, after that is
//! committed, `due` what to send. `sessions` holds many sessions, and `reply` reads the texts of
//! the bot.
//!
//! A session has parts with state of their own: `ownership` (who has the customer), `bot` (the
//! requests to the bot), `link` (the connection to the desk), `desks` (the numbers of each desk),
//! `position` (in the queue), `outbox` (lines to a person) and `output` (what is to be done). The
//! session joins them: this file has what the customer types, `control` the changes of state,
//! `connection` and `messages` what comes from the desk, and `view` what the program asks.
//!
//! ```
//! use std::time::Instant;
//!
//! use handoff::core::clock::Now;
//! use handoff::core::outcome::Act;
//! use handoff::core::reply::{Handoff, Reply};
//! use handoff::core::session::{Errand, Fresh, Session};
//! use handoff::wire::{
//!     Author, Body, Conn, ConversationId, DeskId, Entry, Message, Said, Secret, State, Welcome,
//! };
//!
//! let now = Now { clock: Instant::now(), wall: 0 };
//! let (id, desk, conn) = (ConversationId::new([7; 16]), DeskId::new([1; 16]), Conn(1));
//! let fresh = Fresh { id, secret: Secret::new([9; 32]), seed: 1 };
//! let mut session = Session::new(fresh, None, "desk.example:5000".to_owned(), now);
//!
//! // The customer's line goes to the bot, which answers with the trigger.
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
//! session.connected(conn, None, None);
//! let welcome = Welcome { desk, received: 0, state: State::Bot, features: Vec::new() };
//! assert!(session.received(conn, Message::Welcome(welcome), now));
//!
//! // The agent accepts, says something, and hands the customer back.
//! let mut from_desk = |number, body| {
//!     assert!(session.received(conn, Message::Entry(Entry { number, at: 0, body }), now));
//!     session.state()
//! };
//! let request = 2;
//! assert_eq!(from_desk(1, Body::Accept { request, name: None }), State::Active);
//! let hello = Said::text(Author::Admin, "Hello, what can I do for you?");
//! assert_eq!(from_desk(2, Body::Message(hello)), State::Active);
//! assert_eq!(from_desk(3, Body::HandBack { request }), State::Bot);
//!
//! // What the session wants done: first the records are committed, then the acts are done.
//! let outcome = session.outcome();
//! assert!(!outcome.records.is_empty());
//! let is_return = |act: &Act<Errand>| matches!(act, Act::Errand(Errand::Return { .. }));
//! assert!(outcome.acts.iter().any(is_return));
//! ```

use std::num::NonZeroU32;
use std::time::Instant;

use crate::core::clock::Now;
use crate::core::department::Need;
use crate::core::outcome::{self, Outcome};
use crate::core::record::Record;
use crate::core::reply::{Handoff, Reply};
use crate::core::report::{CustomerNews, CustomerRefusal, Reason, Report, Returned};
use crate::core::typing::Typing;
use crate::wire::{Author, Body, EndReason, Message, Number, Page, Said, Secret, State};

mod bot;
mod connection;
mod control;
mod desks;
mod errand;
mod link;
mod menu;
mod messages;
mod outbox;
mod output;
mod ownership;
mod position;
mod restart;
mod start_over;
mod view;
mod visit;

#[cfg(test)]
mod tests;

pub use bot::{BotWork, said_without_bot};
pub use connection::WELCOME_WITHIN;
pub use errand::{Errand, Fresh, Resumed};
pub use outbox::{OUTBOX_BYTES_MAX, OUTBOX_MAX};
pub use visit::Visit;

use bot::{Choice, Turns};
use desks::Desks;
use link::Link;
use outbox::Outbox;
use output::Output;
use ownership::Ownership;
use position::Position;

type Act = outcome::Act<Errand>;

/// One conversation at the customer's side.
pub struct Session {
    secret: Secret,
    /// The customer's name.
    name: Option<Box<str>>,
    /// The desk's address, for reports.
    address: Box<str>,
    ownership: Ownership,
    /// The department and the language in our latest request, if it named any. If a desk lets the
    /// customer wait again, the next request repeats them.
    need: Option<Box<Need>>,
    bot: Turns,
    link: Link,
    desks: Desks,
    position: Position,
    outbox: Outbox,
    /// How many lines the agent typed since the customer's last line, without the lines that a
    /// script's `/wait` has taken.
    unheard: u32,
    /// The conversation goes on in another program: nothing more is recorded here.
    is_replaced: bool,
    /// This process began the conversation because a desk contradicted the former one.
    is_second: bool,
    /// The visit of a gateway's customer.
    visit: Option<Box<Visit>>,
    /// Whether the customer is there.
    is_here: bool,
    is_known_here: bool,
    /// Whether the agent types, and when the desk was last told that the customer does.
    typing: Typing,
    output: Output,
}

impl Session {
    /// A new conversation, owned by the bot. `address` is the desk's, for reports.
    pub fn new(fresh: Fresh, name: Option<String>, address: String, now: Now) -> Session {
        let output = Output::new(fresh.id, now);
        let mut session = Session::with(output, fresh, name.clone(), address, now);
        session.output.journal(Record::Begun { secret: *fresh.secret.bytes(), name });
        session.tell_state(None);
        session
    }

    /// A conversation of the bot, with this output.
    fn with(
        output: Output,
        Fresh { secret, seed, .. }: Fresh,
        name: Option<String>,
        address: String,
        now: Now,
    ) -> Session {
        Session {
            secret,
            name: name.map(Into::into),
            address: address.into(),
            ownership: Ownership::new(),
            need: None,
            bot: Turns::new(seed),
            link: Link::new(),
            desks: Desks::default(),
            position: Position::new(now),
            outbox: Outbox::default(),
            unheard: 0,
            is_replaced: false,
            is_second: false,
            visit: None,
            is_here: true,
            is_known_here: true,
            typing: Typing::default(),
            output,
        }
    }

    /// The outcome of all inputs since the last call.
    pub fn outcome(&mut self) -> Outcome<Errand> {
        let mut outcome = self.output.take();
        outcome.acts.extend(self.bot.take_errand().map(Act::Errand));
        outcome
    }

    /// The customer typed a line. It goes to whoever owns the conversation now (docs/PROTOCOL.md,
    /// "States, and who decides").
    ///
    /// # Errors
    /// When the line cannot be taken. The caller keeps the line.
    pub fn say(&mut self, typed: &str, now: Now) -> Result<(), CustomerRefusal> {
        match self.state() {
            _ if self.is_replaced => return Err(CustomerRefusal::Replaced),
            State::Closed => return Err(CustomerRefusal::Closed),
            State::Bot => self.ask_bot(self.bot.read(typed), now),
            State::Queued | State::Active => {
                if self.outbox.is_full(self.desks.acked()) {
                    return Err(CustomerRefusal::TooManyWait);
                }
                let number = self.record_line(typed, now);
                self.outbox.push(number, typed.len());
                self.typing.note_line();
            }
        }
        Ok(())
    }

    /// Notes the visit of a gateway's customer. This side tells the desk now, or when the desk is
    /// connected (docs/PROTOCOL.md, "page").
    pub fn set_visit(&mut self, visit: Visit) {
        let is_news = self.visit.as_ref().is_none_or(|former| former.page != visit.page);
        self.visit = Some(Box::new(visit));
        if let Some(conn) = self.link.up()
            && is_news
        {
            self.tell_page(conn);
        }
    }

    /// Changes the page facts of a gateway's customer, and sends the new ones to the desk.
    pub fn update_page(&mut self, change: impl FnOnce(&mut Page)) {
        let mut visit = self.visit.as_deref().cloned().unwrap_or_default();
        change(&mut visit.page);
        self.set_visit(visit);
    }

    /// The customer's name, if they have given one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The customer gives their name. A desk that is connected learns it with the page.
    pub fn rename(&mut self, name: &str) {
        self.name = Some(name.into());
        let name = Some(name.to_owned());
        self.output.journal(Record::Begun { secret: *self.secret.bytes(), name });
    }

    /// The visit of a gateway's customer, if it is known.
    pub fn visit(&self) -> Option<&Visit> {
        self.visit.as_deref()
    }

    /// The customer of a gateway has left its pages, or is back. This side tells the desk now, or
    /// when the desk is connected (docs/PROTOCOL.md, "presence").
    pub fn set_here(&mut self, is_here: bool, now: Now) {
        let was_idle = self.may_be_given_up();
        self.is_here = is_here;
        if self.may_be_given_up() && !was_idle {
            self.output.begin_idle(now);
        }
        if let Some(conn) = self.link.up() {
            self.tell_presence(conn);
        }
    }

    /// The customer types. This side tells the agent who has the customer, if one does
    /// (docs/PROTOCOL.md, "typing").
    pub fn customer_types(&mut self, now: Now) {
        if let Some(conn) = self.link.up()
            && self.state() == State::Active
            && self.typing.is_sign_due(now)
        {
            self.output.act(Act::Send(conn, Message::Typing {}));
        }
    }

    /// The customer opened the chat. If nothing was said yet, this asks the bot for its greeting
    /// with this payload. The payload becomes no entry.
    pub fn greet(&mut self, payload: String, now: Now) {
        if self.state() == State::Bot && self.output.last() == 0 {
            self.bot.ask(1, payload, &mut self.output, now);
        }
    }

    /// The customer chose the button with number `choice` of the bot's message `message`.
    ///
    /// # Errors
    /// When the button cannot be chosen any more, because a person has the customer or something
    /// was said since.
    pub fn choose(
        &mut self,
        message: Number,
        choice: NonZeroU32,
        now: Now,
    ) -> Result<(), CustomerRefusal> {
        let is_live = self.state() == State::Bot && !self.is_replaced;
        let chosen = self.bot.choose(message, choice, self.output.last()).filter(|_| is_live);
        self.ask_bot(chosen.ok_or(CustomerRefusal::MenuIsPast)?, now);
        Ok(())
    }

    fn ask_bot(&mut self, choice: Choice, now: Now) {
        match choice {
            Choice::Link(url) => self.output.tell_news(CustomerNews::LinkChosen(url)),
            Choice::Question { text, question } => {
                let number = self.record_line(&text, now);
                self.bot.ask(number, question, &mut self.output, now);
            }
        }
    }

    /// `/human`: the customer asks for a person, whatever the bot is doing.
    ///
    /// # Errors
    /// When the customer waits for a person or has one already.
    pub fn ask_for_human(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        match self.state() {
            _ if self.is_replaced => return Err(CustomerRefusal::Replaced),
            State::Bot => self.request_human(Handoff::default(), now),
            // This side has given up dialling. The customer's command makes it try again.
            State::Queued | State::Active if self.is_parted() => self.seek_desk(),
            State::Queued => return Err(CustomerRefusal::AlreadyQueued),
            State::Active => return Err(CustomerRefusal::AlreadyActive),
            State::Closed => return Err(CustomerRefusal::Closed),
        }
        Ok(())
    }

    /// `/bot`: the customer stops waiting for a person.
    ///
    /// # Errors
    /// When the customer does not wait.
    pub fn withdraw(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        match self.state() {
            _ if self.is_replaced => Err(CustomerRefusal::Replaced),
            State::Queued => {
                self.output.record(Body::Withdrawn {}, now);
                self.return_to_bot(Returned::Withdrawn);
                Ok(())
            }
            State::Bot => Err(CustomerRefusal::AlreadyWithBot),
            State::Active => Err(CustomerRefusal::WithAgent),
            State::Closed => Err(CustomerRefusal::Closed),
        }
    }

    /// `/end`, `/new`: the customer ends the conversation.
    ///
    /// # Errors
    /// When the conversation has ended already.
    pub fn end(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        match self.state() {
            _ if self.is_replaced => Err(CustomerRefusal::Replaced),
            State::Closed => Err(CustomerRefusal::Closed),
            State::Bot | State::Queued | State::Active => {
                self.close(None, EndReason::UserEnded, now);
                Ok(())
            }
        }
    }

    /// `/again`: sends the bot again the line that it may not have received.
    ///
    /// # Errors
    /// When there is no such line.
    pub fn ask_again(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        self.bot.ask_again(&mut self.output, now)
    }

    /// The bot answered the question with this ticket, or did not: why.
    pub fn answered(&mut self, ticket: u64, answer: Result<Reply, String>, now: Now) {
        if let Some(handoff) = self.bot.answered(ticket, answer, &mut self.output, now) {
            self.request_human(handoff, now);
        }
    }

    /// The return with this ticket ended: the bot has learned that it owns the conversation again,
    /// or could not be reached.
    pub fn returned(&mut self, ticket: u64, outcome: Resumed, now: Now) {
        self.bot.returned(ticket, outcome, &mut self.output, now);
    }

    /// Does what is due by `now`.
    pub fn tick(&mut self, now: Now) {
        self.bot.tick(&mut self.output, now);
        if self.may_be_given_up() {
            self.tick_idle(now);
        }
        self.link.tick(now);
        self.typing.tick(now);
        self.tell_position(now);
    }

    /// When `tick` has something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        let position = if self.state() == State::Queued { self.position.deadline() } else { None };
        let idle = self.may_be_given_up().then(|| self.output.idle_deadline());
        [self.bot.deadline(), self.link.deadline(), self.typing.deadline(), position, idle]
            .into_iter()
            .flatten()
            .min()
    }

    /// Records and shows a line of the customer.
    fn record_line(&mut self, text: &str, now: Now) -> Number {
        self.unheard = 0;
        let said = Said { name: self.name.clone(), ..Said::text(Author::User, text) };
        self.output.say(said, now)
    }

    /// Whether this side needs the desk, and is not connected to it.
    fn waits_for_desk(&self) -> bool {
        self.ownership.needs_desk() && self.link.up().is_none()
    }

    /// Whether the conversation ends if nothing is recorded in it for a day: the two sides cannot
    /// talk, because the desk is out of reach or the customer is not there.
    fn may_be_given_up(&self) -> bool {
        self.waits_for_desk() || !self.is_here && self.ownership.is_with_desk()
    }

    /// Shows the conversation's state to the customer.
    fn tell_state(&mut self, reason: Option<Reason>) {
        let state = self.ownership.state();
        let position = (self.shown_position(), None);
        let on_hold = self.ownership.is_on_hold().then_some(true);
        let agent = (self.ownership.agent(), on_hold);
        let mut report = self.output.state(state, agent, position, reason);
        if let Report::State { waits_again, .. } = &mut report {
            *waits_again = self.ownership.waits_again();
        }
        self.output.tell(report);
    }
}
