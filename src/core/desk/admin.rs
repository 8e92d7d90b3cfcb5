//! The agent's commands: take a customer, talk, go to another conversation, hand back, close, look.

use std::ops::RangeInclusive;

use crate::core::clock::Now;
use crate::core::delivery::Mark;
use crate::core::outcome::Act;
use crate::core::record::{Origin, Record};
use crate::core::report::{AgentRefusal, Choice, DeskNews};
use crate::core::text::Line;
use crate::wire::{Author, Body, Code, ConversationId, Entry, Message, Number, Said};

use super::Desk;
use super::controls::{Ask, Phase};
use super::conversation::Conversation;

impl Desk {
    /// `/accept [N]`: takes the customer with this ordinal, or the connected one who waits longest.
    ///
    /// # Errors
    /// When there is no such customer.
    pub fn accept(
        &mut self,
        ordinal: Option<u32>,
        now: Now,
    ) -> Result<ConversationId, AgentRefusal> {
        let id = match ordinal {
            Some(ordinal) => self.find(ordinal)?,
            None => self.next_in_queue().ok_or(match self.queue.is_empty() {
                true => AgentRefusal::NobodyWaits,
                false => AgentRefusal::NobodyWaitingIsConnected,
            })?,
        };
        let conversation = &self.conversations[id];
        let who = self.who(id);
        match (conversation.controls.phase(), conversation.controls.pending()) {
            (Phase::Queued, None) => {
                self.ask(id, Ask::Accept { by_agent: true }, now);
                if self.conversations[id].connection.is_none() {
                    self.tell_news(DeskNews::AcceptedAway(who));
                }
                Ok(id)
            }
            (Phase::Queued, Some(_)) => Err(AgentRefusal::BeingAccepted(who)),
            (Phase::Active, _) => Err(AgentRefusal::AlreadyYours(who)),
            _ => Err(AgentRefusal::NotWaiting(who)),
        }
    }

    /// `/switch N`: the next line goes to this active conversation.
    ///
    /// # Errors
    /// When it is not active.
    pub fn switch(&mut self, ordinal: u32) -> Result<(), AgentRefusal> {
        let id = self.find(ordinal)?;
        if !self.conversations[id].is_active() {
            return Err(AgentRefusal::NotYours(self.who(id)));
        }
        self.go_to(id);
        Ok(())
    }

    /// `/next`: the next line goes to the next active conversation, round and round.
    ///
    /// # Errors
    /// When there is no other.
    pub fn switch_to_next(&mut self) -> Result<(), AgentRefusal> {
        let focus = self.seat.focus();
        let after = focus.map_or(0, |id| self.conversations[id].ordinal);
        match self.conversations.active_after(after) {
            Some(id) if focus != Some(id) => {
                self.go_to(id);
                Ok(())
            }
            _ => Err(AgentRefusal::NoOther),
        }
    }

    /// The agent typed a line: it goes to the conversation in focus.
    ///
    /// # Errors
    /// When no conversation in focus can take the line. The caller keeps
    /// the line.
    pub fn say(&mut self, text: &str, now: Now) -> Result<(), AgentRefusal> {
        let id = self.conversation_in_focus()?;
        self.record_said(id, text, false, now);
        Ok(())
    }

    /// `/handback [NOTE]`: gives the conversation in focus back to the bot.
    ///
    /// # Errors
    /// When there is none.
    pub fn hand_back(&mut self, note: Option<&str>, now: Now) -> Result<(), AgentRefusal> {
        self.end(Ask::HandBack, note, now)
    }

    /// `/close [NOTE]`: closes the conversation in focus.
    ///
    /// # Errors
    /// When there is none.
    pub fn close(&mut self, note: Option<&str>, now: Now) -> Result<(), AgentRefusal> {
        self.end(Ask::Close, note, now)
    }

    /// `/list`: a line for each customer who talks or waits.
    pub fn list(&self) -> Vec<String> {
        let away = |id: ConversationId| {
            if self.conversations[id].connection.is_none() { ", not connected" } else { "" }
        };
        let talking = self.conversations.active().map(|id| {
            let here = if self.seat.focus() == Some(id) { ", gets your lines" } else { "" };
            format!("{} is talking to you{here}{}", self.who(id), away(id))
        });
        let waiting = self.queue.positions().map(|(id, position)| {
            let why = self.conversations[id].reason().map(|why| format!(": {}", Line(why)));
            let (who, why) = (self.who(id), why.unwrap_or_default());
            match self.queue.counts(id) {
                true => {
                    let away = away(id);
                    format!("{who} is waiting, number {position} in the queue{away}{why}")
                }
                false => format!(
                    "{who} is waiting, not connected, and counts in the queue again once they \
                     are{why}"
                ),
            }
        });
        let lines: Vec<String> = talking.chain(waiting).collect();
        if lines.is_empty() {
            vec!["nobody is talking, nobody is waiting".to_owned()]
        } else {
            lines
        }
    }

    /// How many customers talk or wait, in words; `None` if there are none. They would lose the desk
    /// if it ended now.
    pub fn open(&self) -> Option<String> {
        let customers = |count: usize, verb: &str| match count {
            0 => None,
            1 => Some(format!("1 customer is {verb}")),
            count => Some(format!("{count} customers are {verb}")),
        };
        let parts = [
            customers(self.conversations.active().len(), "talking to you"),
            customers(self.queue.len(), "waiting"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The conversation that gets the agent's next line.
    pub fn focus(&self) -> Option<ConversationId> {
        self.seat.focus()
    }

    /// The customer who gets the agent's next line, as the prompt shows them.
    pub fn prompt(&self) -> String {
        match self.seat.focus() {
            Some(id) if self.conversations[id].connection.is_none() => {
                format!("offline, {}", self.who(id))
            }
            Some(id) => self.who(id),
            None => match (self.conversations.active().len(), self.queue.len()) {
                (0, 0) => "nobody".to_owned(),
                (0, waiting) => format!("nobody, {waiting} waiting"),
                (open, 0) => format!("nobody, {open} open"),
                (open, waiting) => format!("nobody, {open} open, {waiting} waiting"),
            },
        }
    }

    /// How far the agent's latest line in the conversation in focus has come, as far as the desk
    /// knows from the customer's side.
    pub fn mark(&self) -> Mark {
        let Some(conversation) = self.seat.focus().and_then(|id| self.conversations.get(id)) else {
            return Mark::None;
        };
        conversation.delivery.mark(conversation.own.spoken())
    }

    /// The agent's screen shows the customer's entries up to this number. The desk sends `seen` to
    /// the customer's side now, or after its next hello.
    pub fn shown(&mut self, id: ConversationId, number: Number) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if !conversation.delivery.show(number) {
            return;
        }
        if let Some(conn) = conversation.connection {
            self.act(Act::Send(conn, Message::Seen { number }));
        }
    }

    /// Whether the agent's `/accept` of this customer has no answer yet.
    pub fn is_accepting(&self, id: ConversationId) -> bool {
        let pending = self.conversations.get(id).and_then(|known| known.controls.pending());
        pending.is_some_and(|pending| pending.asked == Ask::Accept { by_agent: true })
    }

    /// Whether the customer of this conversation waits or talks here.
    pub fn is_live(&self, id: ConversationId) -> bool {
        self.conversations.get(id).is_some_and(Conversation::is_live)
    }

    /// Whether the agent knows that they have this customer.
    pub fn is_heard(&self, id: ConversationId) -> bool {
        self.conversations.get(id).is_some_and(|known| known.backlog.announced() == Phase::Active)
    }

    /// Takes one line that the customer in focus typed since the agent's last line, for a script's
    /// `/wait`. False if there is none.
    pub fn hear(&mut self) -> bool {
        let Some(conversation) = self.seat.focus().and_then(|id| self.conversations.get_mut(id))
        else {
            return false;
        };
        let heard = conversation.unheard > 0;
        conversation.unheard = conversation.unheard.saturating_sub(1);
        heard
    }

    /// Whether a control of this desk is pending.
    pub fn is_asking(&self) -> bool {
        self.conversations
            .iter()
            .any(|(_, known)| known.controls.pending().is_some() && !known.is_asleep)
    }

    /// Whether the agent has a customer.
    pub fn is_talking(&self) -> bool {
        self.conversations.active().len() > 0
    }

    /// The customers in the queue, longest first, as the agent knows them.
    pub fn waiting(&self) -> Vec<String> {
        self.queue.iter().map(|id| self.who(id)).collect()
    }

    /// This desk's entries that a customer's side has not acknowledged: their conversations and
    /// numbers.
    pub fn undelivered(&self) -> Vec<(ConversationId, RangeInclusive<Number>)> {
        let first = |known: &Conversation| known.delivery.acked() + 1;
        let awake = self.conversations.iter().filter(|(_, known)| !known.is_asleep);
        let undelivered = awake.map(|(id, known)| (id, first(known)..=known.own.last()));
        undelivered.filter(|(_, numbers)| !numbers.is_empty()).collect()
    }

    /// The program ends: the desk says goodbye to every customer's side.
    pub fn leave(&mut self) {
        for conn in self.connections.customers() {
            let text = "the desk is closing".to_owned();
            self.act(Act::Send(conn, Message::Bye { code: Code::Leaving, text }));
            self.act(Act::Close(conn));
        }
    }

    /// A customer as the agent knows them: ordinal and name.
    pub fn who(&self, id: ConversationId) -> String {
        let conversation = &self.conversations[id];
        format!("#{} {}", conversation.ordinal, conversation.called(id))
    }

    /// Asks the customer's side for a change of owner. It changes nothing until the answer comes
    /// (docs/PROTOCOL.md, "States, and who decides").
    pub(super) fn ask(&mut self, id: ConversationId, asked: Ask, now: Now) {
        let Some(conversation) = self.conversations.get(id) else { return };
        let request = conversation.controls.request();
        let body = match asked {
            Ask::Accept { .. } => Body::Accept { request, name: self.options.name.clone() },
            Ask::HandBack => Body::HandBack { request },
            Ask::Close => Body::Close { request },
        };
        let number = self.record(id, body, now);
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.controls.ask(number, asked);
        }
    }

    /// Journals a message of the agent's or a greeting, and shows it.
    pub(super) fn record_said(&mut self, id: ConversationId, text: &str, greeting: bool, now: Now) {
        let name = self.options.name.as_deref().map(Into::into);
        let said = Said { name, greeting, ..Said::text(Author::Admin, text) };
        let number = self.record(id, Body::Message(said), now);
        if !greeting && let Some(conversation) = self.conversations.get_mut(id) {
            conversation.unheard = 0;
            conversation.own.say(number);
        }
        self.tell_said(id, Origin::Own, number..=number, false);
    }

    /// Numbers and journals an entry of this desk.
    fn record(&mut self, id: ConversationId, body: Body, now: Now) -> Number {
        let Some(conversation) = self.conversations.get_mut(id) else { return 0 };
        let number = conversation.own.next();
        self.journal(id, Record::Own(Entry { number, at: now.wall, body }));
        self.is_busy(id, now);
        self.touch(id);
        number
    }

    fn end(&mut self, asked: Ask, note: Option<&str>, now: Now) -> Result<(), AgentRefusal> {
        let id = self.conversation_in_focus()?;
        if let Some(note) = note {
            self.journal(id, Record::Note(note.to_owned()));
        }
        self.ask(id, asked, now);
        if self.conversations[id].connection.is_none() {
            self.tell_news(DeskNews::EndsLater(self.who(id)));
        }
        Ok(())
    }

    /// Moves the focus, and journals that.
    fn go_to(&mut self, id: ConversationId) {
        self.seat.go_to(id);
        self.journal(id, Record::Focus);
    }

    /// The conversation in focus, if it can take a line: a desk sends no message while a
    /// `hand_back` or a `close` is pending (docs/PROTOCOL.md, "States, and who decides").
    fn conversation_in_focus(&self) -> Result<ConversationId, AgentRefusal> {
        let Some(id) = self.seat.focus() else {
            let choice = match (self.conversations.active().next(), self.queue.iter().next()) {
                (Some(_), _) => Choice::Next,
                (None, Some(_)) => Choice::Accept,
                (None, None) => Choice::Nobody,
            };
            return Err(AgentRefusal::NoFocus(choice));
        };
        match self.conversations[id].controls.pending() {
            None => Ok(id),
            Some(_) => Err(AgentRefusal::OnTheWayOut(self.who(id))),
        }
    }

    fn next_in_queue(&self) -> Option<ConversationId> {
        // A customer who withdrew in a backlog that is not over is in the queue until it is.
        let is_ready = |id: &ConversationId| {
            let conversation = &self.conversations[*id];
            conversation.connection.is_some() && conversation.controls.is_waiting()
        };
        self.queue.iter().find(is_ready)
    }

    fn find(&self, ordinal: u32) -> Result<ConversationId, AgentRefusal> {
        match self.conversations.at(ordinal) {
            Some(id) => Ok(id),
            None if self.conversations.was_given(ordinal) => Err(AgentRefusal::HasEnded(ordinal)),
            None => Err(AgentRefusal::NoSuch(ordinal)),
        }
    }
}
