//! The connection to the desk: this side dials while one of the two owes the other something, says
//! hello, goes on where both sides were, and hangs up when all is delivered.
//!
//! Rules: docs/PROTOCOL.md, "hello", "welcome" and "Delivery".

use std::time::{Duration, Instant};

use super::{Act, Errand, Marks, Phase, Session};
use crate::core::clock::Now;
use crate::core::delivery::{Arrival, Idle};
use crate::core::dialling::Verdict;
use crate::core::outcome::Fact;
use crate::core::record::Record;
use crate::core::report::{self, CustomerNews, Report};
use crate::wire::{
    Author, Body, Code, Conn, DeskId, Entry, Hello, Message, Number, VERSION, Welcome,
};

/// How long the desk may take to answer the hello. The loop arms it on the connection.
pub const WELCOME_WITHIN: Duration = Duration::from_secs(5);

/// The connection.
pub(super) struct Link {
    stage: Stage,
    /// What the last connection showed of the desk's address, for all sessions that dial it.
    verdict: Option<Verdict>,
    /// The link as it was shown last. Failing attempts in a row are shown once.
    last_told: Option<report::Link>,
    /// The desk's last answer was that it is full.
    is_desk_full: bool,
    /// The `newest` of the hello on this connection.
    newest: Number,
    /// The desk acknowledged our entries up to this number on this connection.
    acked: Number,
    /// The customer is shown another position no earlier than this.
    pub(super) next_position: Instant,
}

enum Stage {
    /// No connection is wanted, or none may be had.
    Down,
    /// The desk is full: a connection is wanted at this time.
    Waiting(Instant),
    /// A connection is wanted. [`dialling`](crate::core::dialling) says when this session dials.
    Wanted,
    /// A dial is under way, or the hello has no answer yet.
    Opening(Option<Conn>),
    /// Welcome was said by the last of `desks`.
    Up { conn: Conn },
    /// All is delivered and the connection is closing.
    Closing(Conn),
}

impl Link {
    pub(super) fn new(now: Now) -> Link {
        Link {
            stage: Stage::Down,
            verdict: None,
            last_told: None,
            is_desk_full: false,
            newest: 0,
            acked: 0,
            next_position: now.clock,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting(at) => Some(at),
            _ => None,
        }
    }
}

impl Session {
    /// The dial that was asked for is under way as `conn`.
    pub fn dialled(&mut self, conn: Conn) {
        self.link.stage = Stage::Opening(Some(conn));
        self.rest_if_delivered();
    }

    /// The connection stands: this side says hello.
    pub fn connected(&mut self, conn: Conn) {
        if !matches!(self.link.stage, Stage::Opening(Some(dialled)) if dialled == conn) {
            return;
        }
        let hello = Hello {
            version: VERSION,
            conversation: self.id,
            secret: self.secret,
            name: self.name.clone(),
            received: self.desks.received(),
            newest: self.owed(),
            features: Vec::new(),
        };
        (self.link.newest, self.link.acked) = (hello.newest, 0);
        self.act(Act::Send(conn, Message::Hello(hello)));
    }

    /// A message came. Answers false when it breaks the rules of the wire.
    pub fn received(&mut self, conn: Conn, message: Message, now: Now) -> bool {
        match (&self.link.stage, message) {
            (Stage::Opening(Some(dialled)), message) if *dialled == conn => match message {
                Message::Welcome(welcome) => self.welcomed(conn, &welcome, now),
                Message::Busy { retry } => self.busy(conn, retry, now),
                Message::Bye { code, text } => self.dismissed(conn, code, &text, now),
                Message::Ping {} => {}
                _ => return false,
            },
            (Stage::Up { conn: up }, message) if *up == conn => {
                return self.listen(conn, message, now);
            }
            _ => {}
        }
        true
    }

    /// The connection is gone, or never came to be.
    pub fn disconnected(&mut self, conn: Conn, why: &str, now: Now) {
        match self.link.stage {
            Stage::Opening(Some(ours)) if ours == conn => self.retry(why, now),
            Stage::Up { conn: up } if up == conn => self.retry(why, now),
            Stage::Closing(ours) if ours == conn => {
                self.link.stage = Stage::Down;
                self.seek_desk();
            }
            _ => {}
        }
    }

    /// The peer is not the desk that it must be. It gets nothing, and nothing dials it again by
    /// itself.
    pub fn distrust(&mut self, conn: Conn, why: &str) {
        if matches!(self.link.stage, Stage::Opening(Some(ours)) if ours == conn) {
            self.part(conn, why);
        }
    }

    /// The connection, the desk and its marks, while the desk is connected.
    pub(super) fn linked(&mut self) -> Option<(Conn, (DeskId, &mut Marks))> {
        match self.link.stage {
            Stage::Up { conn } => self.desks.present_mut().map(|desk| (conn, desk)),
            _ => None,
        }
    }

    /// The desk and its marks, while the desk is connected.
    pub(super) fn linked_desk(&mut self) -> Option<(DeskId, &mut Marks)> {
        self.linked().map(|(_, desk)| desk)
    }

    /// The program ends: the desk gets a goodbye. The conversation goes on at the next start.
    pub fn leave(&mut self) {
        if let Stage::Up { conn } | Stage::Opening(Some(conn)) = self.link.stage {
            let text = "the customer's program is ending".to_owned();
            self.act(Act::Send(conn, Message::Bye { code: Code::Leaving, text }));
            self.act(Act::Close(conn));
        }
        self.link.stage = Stage::Down;
        self.link.verdict.get_or_insert(Verdict::Unknown);
    }

    /// Whether the desk has said welcome and is connected.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.link.stage, Stage::Up { .. })
    }

    /// Why the customer cannot be connected to the desk, while they need to be.
    pub fn desk_trouble(&self) -> Option<&'static str> {
        let is_lost = self.needs_desk() && self.link.last_told == Some(report::Link::Lost);
        is_lost.then_some(if self.link.is_desk_full { "desk full" } else { "desk offline" })
    }

    /// Whether there is no connection, not even a closing one.
    pub fn is_disconnected(&self) -> bool {
        matches!(self.link.stage, Stage::Down | Stage::Waiting(_) | Stage::Wanted)
    }

    pub(super) fn tick_link(&mut self, now: Now) {
        if matches!(self.link.stage, Stage::Waiting(at) if at <= now.clock) {
            self.link.stage = Stage::Wanted;
        }
    }

    /// Wants a connection at once, if a desk is needed and none is connected.
    pub(super) fn seek_desk(&mut self) {
        if self.needs_desk() && self.is_disconnected() {
            self.tell_link(report::Link::Connecting, None);
            self.link.stage = Stage::Wanted;
        }
    }

    /// Hangs up when the bot or nobody owns the conversation and both sides have all they are owed.
    /// A desk sends its entries before it acks ours: once it acked all, nothing of its own is on
    /// the way.
    pub(super) fn rest_if_delivered(&mut self) {
        if self.needs_desk() {
            return;
        }
        if let Some((conn, (_, marks))) = self.linked()
            && let Some(number) = marks.delivery.take_ack()
        {
            self.act(Act::Send(conn, Message::Ack { number }));
        }
        match self.link.stage {
            Stage::Up { conn } | Stage::Opening(Some(conn)) => {
                self.act(Act::Close(conn));
                self.link.stage = Stage::Closing(conn);
                self.link.verdict.get_or_insert(Verdict::Unknown);
            }
            Stage::Waiting(_) | Stage::Wanted => self.link.stage = Stage::Down,
            _ => {}
        }
    }

    /// Whether a desk owns the conversation, or one of the two sides still owes the other
    /// something.
    pub(super) fn needs_desk(&self) -> bool {
        self.is_owned_by_desk() || self.is_parting
    }

    /// Whether this side does not try to reach the desk any more, though it needs to.
    pub fn is_parted(&self) -> bool {
        self.needs_desk() && matches!(self.link.stage, Stage::Down)
    }

    /// Whether a connection to the desk is wanted.
    pub fn is_dial_wanted(&self) -> bool {
        matches!(self.link.stage, Stage::Wanted)
    }

    /// Dials the desk, as this session wants.
    pub fn dial(&mut self) {
        self.link.stage = Stage::Opening(None);
        self.act(Act::Errand(Errand::Dial(self.id)));
    }

    /// What the latest connection showed of the desk's address, since the last call.
    pub fn take_verdict(&mut self) -> Option<Verdict> {
        self.link.verdict.take()
    }

    /// The desk accepted the hello: both sides go on from each other's marks (docs/PROTOCOL.md,
    /// "welcome").
    fn welcomed(&mut self, conn: Conn, welcome: &Welcome, now: Now) {
        let former = match &self.phase {
            Phase::Active { desk, .. } => Some(*desk),
            _ => None,
        };
        let last = self.own.last();
        let marks = self.desks.meet(welcome.desk);
        let resumed = marks.delivery.resume(welcome.received, last);
        let shown = marks.delivery.shown();
        // The desk claims more of our entries than there are: one of the two journals is another
        // one.
        let Ok(is_news) = resumed else { return self.fork(conn) };
        self.link.stage = Stage::Up { conn };
        self.link.verdict = Some(Verdict::Answered);
        self.act(Act::Admit(conn));
        // The connection before this one may have lost our latest `seen`.
        if let Some(number) = shown {
            self.act(Act::Send(conn, Message::Seen { number }));
        }
        self.tell_link(report::Link::Connected, None);
        // It may have lost the desk's latest `ack` as well. This mark is not journaled as one: only
        // behind an `ack` is there nothing more of the desk's, so a restart must go on to wait for
        // it.
        if is_news {
            self.tell(Report::Delivered { conversation: self.id, number: welcome.received });
        }
        if former.is_some_and(|former| former != welcome.desk) {
            self.tell_news(CustomerNews::DeskLostConversation);
            self.request_human(None, now);
        } else if self.needs_desk() {
            self.offer();
        }
    }

    /// A message of the connected desk.
    fn listen(&mut self, conn: Conn, message: Message, now: Now) -> bool {
        match message {
            Message::Entry(entry) => return self.take(conn, entry, now),
            Message::Ack { number } => return self.acked(number),
            Message::Seen { number } => {
                let conversation = self.id;
                let Some((_, marks)) = self.linked_desk() else { return false };
                let Ok(is_news) = marks.delivery.seen(number) else { return false };
                if is_news {
                    self.tell(Report::Seen { conversation, number });
                }
            }
            Message::Position { position } => return self.positioned(position, now),
            Message::Bye { code, text } => self.dismissed(conn, code, &text, now),
            Message::Ping {} => {}
            Message::Hello(_) | Message::Welcome(_) | Message::Busy { .. } => return false,
        }
        true
    }

    /// An entry of the desk arrived. This side takes it once and in order (docs/PROTOCOL.md,
    /// "Delivery", Receiving).
    fn take(&mut self, conn: Conn, entry: Entry, now: Now) -> bool {
        let fits = match &entry.body {
            Body::Message(said) => said.author == Author::Admin,
            Body::Accept { .. } | Body::HandBack { .. } | Body::Close { .. } | Body::Unknown(_) => {
                true
            }
            _ => false,
        };
        let is_news =
            self.desks.present().is_some_and(|(_, marks)| entry.number > marks.delivery.received());
        let is_early = is_news && matches!(entry.body, Body::Message(_)) && !self.may_speak();
        let Some((desk, marks)) = self.desks.present_mut().filter(|_| fits && !is_early) else {
            return false;
        };
        let arrival = marks.delivery.receive(entry.number);
        if arrival == Arrival::Gap {
            return false;
        }
        if arrival == Arrival::Again {
            self.act(Act::Verify { conn, conversation: self.id, desk: Some(desk), entry });
        } else {
            self.idle = Idle::new(now);
            self.journal(Record::Theirs(Some(desk), entry.clone()));
            self.obey(desk, entry, now);
        }
        true
    }

    /// Whether the desk may say something: its agent has the customer, or had them and typed it
    /// before the desk knew of the end. A desk sends what it has before it acknowledges ours,
    /// so what follows the ack of the end was made later.
    fn may_speak(&self) -> bool {
        self.desks.present().is_some_and(|(desk, marks)| {
            self.is_with(desk, self.own.request())
                || self.link.acked < marks.stretch_end.max(self.link.newest)
                    && marks.stretch_end > 0
        })
    }

    fn acked(&mut self, number: Number) -> bool {
        let Some((desk, marks)) = self.linked_desk() else { return false };
        let Ok(is_news) = marks.delivery.ack(number) else { return false };
        // The welcome may have acknowledged as much, and is not journaled (see `welcomed`).
        if marks.delivery.note_ack(number) {
            self.journal(Record::Acked(desk, number));
        }
        if is_news {
            self.tell(Report::Delivered { conversation: self.id, number });
        }
        self.link.acked = self.link.acked.max(number);
        if self.undelivered().is_empty() {
            self.is_parting = false;
            self.rest_if_delivered();
        }
        true
    }

    fn busy(&mut self, conn: Conn, seconds: u32, now: Now) {
        self.act(Act::Close(conn));
        let wait = Duration::from_secs(seconds.clamp(1, 600).into());
        self.link.stage = Stage::Waiting(now.clock + wait);
        self.link.verdict = Some(Verdict::Answered);
        self.link.is_desk_full = true;
        self.lose(&format!("cannot join the queue at {}: the desk is full", self.address));
    }

    /// The desk says goodbye (docs/PROTOCOL.md, "bye"). Some reasons make another attempt useless.
    fn dismissed(&mut self, conn: Conn, code: Code, text: &str, now: Now) {
        // A desk's words never stand alone, as if this program had said them.
        let why = format!("the desk says: {text}");
        match code {
            Code::Replaced => {
                self.is_replaced = true;
                self.part(conn, &why);
            }
            Code::Fork => self.fork(conn),
            Code::Version | Code::Secret | Code::Tls => self.part(conn, &why),
            Code::Leaving | Code::Gap | Code::Protocol | Code::Other => {
                self.act(Act::Close(conn));
                self.retry(&why, now);
            }
        }
    }

    /// The two journals tell different stories under the same numbers: one of them was restored
    /// from a backup.
    pub fn fork(&mut self, conn: Conn) {
        let why = "the desk and this side remember different things under the same numbers";
        self.act(Act::Send(conn, Message::Bye { code: Code::Fork, text: why.to_owned() }));
        self.part(conn, why);
        self.act(Act::Errand(Errand::StartOver(self.id)));
    }

    /// Leaves the desk for good: what is not delivered stays undelivered.
    fn part(&mut self, conn: Conn, why: &str) {
        self.act(Act::Close(conn));
        self.link.stage = Stage::Down;
        self.link.verdict = Some(Verdict::Unknown);
        self.tell_link(report::Link::Lost, Some(why.to_owned()));
        let (address, why) = (self.address.clone(), why.to_owned());
        self.tell_fault(CustomerNews::Parted { address, why });
        // No desk owns the conversation: that it is still owed something keeps the customer from
        // nothing.
        if !self.is_owned_by_desk()
            && std::mem::take(&mut self.is_parting)
            && self.phase == Phase::Bot
        {
            let acked = self.desks.acked();
            let owed = acked + 1..=self.owed();
            self.act(Act::Tell(Fact::Undelivered(self.id, owed)));
        }
    }

    /// Tries again later, for as long as a desk is needed.
    fn retry(&mut self, why: &str, now: Now) {
        if self.linked().is_some() {
            self.idle = Idle::new(now);
        }
        self.link.is_desk_full = false;
        self.lose(why);
        self.link.verdict = Some(Verdict::Failed);
        self.link.stage = if self.needs_desk() { Stage::Wanted } else { Stage::Down };
    }

    /// Shows that the desk is not connected, and what a waiting customer can do.
    fn lose(&mut self, why: &str) {
        let is_news = self.link.last_told != Some(report::Link::Lost);
        self.tell_link(report::Link::Lost, Some(why.to_owned()));
        if let Phase::Queued { position } = &mut self.phase {
            *position = Default::default();
            if is_news {
                self.tell_news(CustomerNews::SeekingDesk);
            }
        }
    }

    fn tell_link(&mut self, link: report::Link, why: Option<String>) {
        if self.link.last_told.replace(link) == Some(link) {
            return;
        }
        self.tell(Report::Link {
            conversation: self.id,
            ordinal: None,
            customer: None,
            link,
            desk: self.address.clone(),
            why,
            parted: link == report::Link::Lost
                && matches!(self.link.stage, Stage::Down)
                && self.needs_desk(),
        });
    }
}
