//! The traffic on the connection: the messages that a desk may send, and the entries and acks for
//! the desk.
//!
//! Rules: docs/PROTOCOL.md, "Messages" and "Delivery".

use std::num::NonZeroU32;
use std::time::Duration;

use super::position::Shown;
use super::{Act, Session};
use crate::core::clock::Now;
use crate::core::delivery::{Arrival, Delivery};
use crate::core::outcome::Due;
use crate::core::record::Record;
use crate::core::report::{self, CustomerNews, LinkFault, Report};
use crate::wire::{Author, Body, Code, Conn, DeskId, Entry, Message, Number, State, Welcome};

impl Session {
    /// A message came. Returns false when it breaks the rules of the wire: the desk may not send
    /// it, or not at this time (docs/PROTOCOL.md, "Messages").
    pub fn received(&mut self, conn: Conn, message: Message, now: Now) -> bool {
        if self.link.opening() == Some(conn) {
            match message {
                Message::Welcome(welcome) => self.welcomed(conn, &welcome, now),
                Message::Busy { retry } => self.busy(conn, retry, now),
                Message::Bye { code, text } => self.dismissed(conn, code, text, now),
                Message::Ping {} => {}
                _ => return false,
            }
        } else if self.link.up() == Some(conn) {
            match message {
                Message::Entry(entry) => return self.take(conn, entry, now),
                Message::Ack { number } => return self.acked(number),
                Message::Seen { number } => return self.seen(number),
                Message::Position { position, unattended } => {
                    return self.positioned(position, unattended, now);
                }
                Message::Typing {} => self.agent_types(now),
                Message::Agent { name, is_there, on_hold } => {
                    self.agent_changed(is_there.then_some((name, on_hold)));
                }
                Message::Bye { code, text } => self.dismissed(conn, code, text, now),
                Message::Ping {} => {}
                Message::Hello(_)
                | Message::Welcome(_)
                | Message::Busy { .. }
                | Message::Page(_)
                | Message::Presence { .. } => return false,
            }
        }
        true
    }

    /// The next ack or entry that is due, when everything is committed.
    pub fn due(&mut self) -> Option<Due> {
        let (conversation, owed) = (self.id(), self.owed());
        let (conn, _, delivery) = self.connected_desk()?;
        if let Some(number) = delivery.take_ack() {
            return Some(Due::Ack { conn, number });
        }
        let number = delivery.due(owed)?;
        Some(Due::Entry { conversation, conn, number })
    }

    /// The due entry was sent; its frame has `bytes` bytes.
    pub fn sent(&mut self, bytes: usize) {
        if let Some((.., delivery)) = self.connected_desk() {
            delivery.sent(bytes);
        }
    }

    /// The customer has seen the lines of the present desk up to this number.
    pub fn customer_saw(&mut self, number: Number) {
        if let Some((desk, delivery)) = self.desks.present() {
            let number = number.min(delivery.received());
            self.shown(desk, number);
        }
    }

    /// The screen shows the desk's lines up to this number. This side sends `seen` now, or after
    /// the desk's next welcome (docs/PROTOCOL.md, "ack, seen, position, ping").
    pub fn shown(&mut self, desk: DeskId, number: Number) {
        let is_news = self.desks.get_mut(desk).is_some_and(|delivery| delivery.show(number));
        if let Some((conn, present, _)) = self.connected_desk()
            && is_news
            && present == desk
        {
            self.output.act(Act::Send(conn, Message::Seen { number }));
        }
    }

    /// The desk says which agent has the conversation now and whether the customer is on hold, or
    /// (`None`) that no agent has it for the moment (docs/PROTOCOL.md, "agent").
    fn agent_changed(&mut self, there: Option<(Option<String>, bool)>) {
        let (former, was_on_hold) = (self.agent().map(str::to_owned), self.is_on_hold());
        let is_there = there.is_some();
        if !self.ownership.change_agent(there) {
            return;
        }
        self.typing.stop();
        if is_there {
            let is_same = former.as_deref() == self.agent();
            let on_hold = (self.is_on_hold() || was_on_hold && is_same).then(|| self.is_on_hold());
            let agent = self.ownership.agent();
            self.output.tell_state(State::Active, (agent, on_hold), (None, None), None);
        } else {
            self.output.tell_news(CustomerNews::AgentLeftStillActive);
        }
    }

    /// The connection, the desk and its numbers, while the desk is connected.
    pub(super) fn connected_desk(&mut self) -> Option<(Conn, DeskId, &mut Delivery)> {
        let conn = self.link.up()?;
        self.desks.present_mut().map(|(desk, delivery)| (conn, desk, delivery))
    }

    /// The desk accepted the hello: both sides go on from each other's marks (docs/PROTOCOL.md,
    /// "welcome" and "Delivery", Resume).
    fn welcomed(&mut self, conn: Conn, welcome: &Welcome, now: Now) {
        let delivery = self.desks.meet(welcome.desk);
        let resumed = delivery.resume(welcome.received, self.output.last());
        let shown = delivery.shown();
        // The desk claims more of our entries than there are.
        let Ok(is_news) = resumed else { return self.fork(conn) };
        self.link.welcome(conn);
        self.output.act(Act::Admit(conn));
        self.tell_page(conn);
        self.tell_presence(conn);
        // The connection before this one may have lost our latest `seen`.
        if let Some(number) = shown {
            self.output.act(Act::Send(conn, Message::Seen { number }));
        }
        self.tell_link(report::Link::Connected, None);
        // That connection may have lost the desk's latest `ack`, too. The welcome's mark is shown
        // like an `ack`, but not journaled: other than an `ack`, a welcome does not promise that no
        // entry of the desk is under way. After a restart this side must still wait for an `ack`.
        if is_news {
            let number = welcome.received;
            self.output.tell(Report::Delivered { conversation: self.id(), number });
        }
        if self.ownership.desk().is_some_and(|former| former != welcome.desk) {
            // The agent is not at this desk (docs/PROTOCOL.md, "States, and who decides").
            self.output.tell_news(CustomerNews::DeskLostConversation);
            self.request_again(None, now);
        } else if self.ownership.needs_desk() {
            self.offer();
        }
    }

    /// An entry of the desk arrived. This side takes it once and in order (docs/PROTOCOL.md,
    /// "Delivery", Receiving).
    fn take(&mut self, conn: Conn, entry: Entry, now: Now) -> bool {
        let Some((desk, delivery)) = self.desks.present() else { return false };
        let is_news = entry.number > delivery.received();
        let is_early = is_news && matches!(entry.body, Body::Message(_)) && !self.may_speak(desk);
        if is_early || !may_come_from_desk(&entry.body) {
            return false;
        }
        match self.desks.present_mut().map(|(_, delivery)| delivery.receive(entry.number)) {
            None | Some(Arrival::Gap) => return false,
            Some(Arrival::Again) => {
                let (conversation, desk) = (self.id(), Some(desk));
                self.output.act(Act::Verify { conn, conversation, desk, entry });
            }
            Some(Arrival::New) => {
                self.output.receive(desk, entry.clone(), now);
                self.obey(desk, entry, now);
            }
        }
        true
    }

    /// Whether the present desk may send a message: its agent has the customer, or had the customer
    /// and typed the message before the desk knew of the end (docs/PROTOCOL.md, "States, and who
    /// decides"). A desk sends its entries before it acknowledges ours. So a message that comes
    /// after the ack of the end was made later.
    fn may_speak(&self, desk: DeskId) -> bool {
        let end = self.desks.stretch_end();
        self.ownership.is_active_at(desk, self.ownership.request())
            || end > 0 && self.link.may_not_know(end)
    }

    /// The desk has our entries up to this number.
    fn acked(&mut self, number: Number) -> bool {
        let Some((_, desk, delivery)) = self.connected_desk() else { return false };
        let Ok(is_news) = delivery.ack(number) else { return false };
        // The welcome may have said so before, without being journaled (see `welcomed`).
        if delivery.note_ack(number) {
            self.output.journal(Record::Acked(desk, number));
        }
        if is_news {
            self.output.tell(Report::Delivered { conversation: self.id(), number });
        }
        self.link.note_ack(number);
        if self.undelivered().is_empty() {
            self.ownership.end_parting();
            self.rest_if_delivered();
        }
        true
    }

    /// The agent has seen our entries up to this number.
    fn seen(&mut self, number: Number) -> bool {
        let Some((.., delivery)) = self.connected_desk() else { return false };
        let Ok(is_news) = delivery.seen(number) else { return false };
        if is_news {
            self.output.tell(Report::Seen { conversation: self.id(), number });
        }
        true
    }

    /// The desk says the customer's position. In another state it has no meaning (docs/PROTOCOL.md,
    /// "ack, seen, position, ping").
    fn positioned(&mut self, position: u32, is_unattended: Option<bool>, now: Now) -> bool {
        let Some(position) = NonZeroU32::new(position) else { return false };
        if self.state() == State::Queued {
            self.position.set(position, is_unattended);
            self.tell_position(now);
        }
        true
    }

    /// The agent types. In another state than `active` this has no meaning (docs/PROTOCOL.md,
    /// "typing").
    fn agent_types(&mut self, now: Now) {
        if self.state() == State::Active {
            self.typing.note_sign(now);
            self.output.tell(Report::Typing { conversation: self.id() });
        }
    }

    /// Shows the position, and whether an agent is there, once it is time and if the customer does
    /// not know it yet.
    pub(super) fn tell_position(&mut self, now: Now) {
        if self.state() == State::Queued
            && let Some(Shown { attended }) = self.position.show_if_due(now)
        {
            let position = (self.position.shown(), attended);
            self.output.tell_state(State::Queued, (None, None), position, None);
        }
    }

    /// The desk is full, and says when to dial again (docs/PROTOCOL.md, "busy").
    fn busy(&mut self, conn: Conn, seconds: u32, now: Now) {
        self.output.act(Act::Close(conn));
        self.link.wait(now.clock + Duration::from_secs(seconds.clamp(1, 600).into()));
        self.tell_loss(&LinkFault::DeskFull { address: self.address.to_string() });
    }

    /// The desk says goodbye (docs/PROTOCOL.md, "bye"). Some reasons make another attempt useless.
    fn dismissed(&mut self, conn: Conn, code: Code, text: String, now: Now) {
        let why = match code {
            Code::Replaced => LinkFault::Replaced(text),
            _ => LinkFault::DeskSaid(text),
        };
        match code {
            Code::Replaced => {
                self.is_replaced = true;
                self.part(conn, &why);
            }
            Code::Fork => self.fork(conn),
            Code::Version | Code::Secret | Code::Tls => self.part(conn, &why),
            Code::Leaving | Code::Gap | Code::Protocol | Code::Other => {
                self.output.act(Act::Close(conn));
                self.retry(&why, now);
            }
        }
    }
}

/// Whether a desk may make an entry with this body (docs/PROTOCOL.md, "Bodies").
fn may_come_from_desk(body: &Body) -> bool {
    match body {
        Body::Message(said) => said.author == Author::Admin,
        Body::Accept { .. }
        | Body::HandBack { .. }
        | Body::Close { .. }
        | Body::Requeue { .. }
        | Body::Unknown(_) => true,
        _ => false,
    }
}
