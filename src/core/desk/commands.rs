//! The agent's commands: accept a customer, talk, go to another conversation. How one ends is in
//! `undo`, and what the agent can look at in `views`.

use std::ops::RangeInclusive;

use crate::core::clock::Now;
use crate::core::outcome::Act;
use crate::core::record::{Origin, Record};
use crate::core::report::{AgentRefusal, Choice, DeskNews, EndingOutcome, Goodbye, Report};
use crate::wire::{Author, Body, ConversationId, Entry, Message, Number, Said};

use super::controls::{Ask, Phase};
use super::conversation::Conversation;
use super::{Desk, SeatId};

impl Desk {
    /// `/accept [N]`: takes the customer with this ordinal, or the connected one who waits longest.
    /// A customer who is offered to the agent is taken from the agent who has them.
    ///
    /// # Errors
    /// When there is no such customer, or another agent has them.
    pub fn accept(
        &mut self,
        seat: SeatId,
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
        let agent = self.team.agent_at(seat).ok_or(AgentRefusal::NobodyWaits)?;
        let conversation = &self.conversations[id];
        let who = self.who(id);
        let is_offered = self.is_offered(seat, id);
        match (conversation.controls.phase(), conversation.controls.pending()) {
            (Phase::Active, _) if conversation.is_owned_by(agent) => {
                Err(AgentRefusal::AlreadyYours(who))
            }
            (Phase::Queued, Some(_)) if conversation.owner == Some(agent) => {
                Err(AgentRefusal::BeingAccepted(who))
            }
            (Phase::Active, None) if is_offered || conversation.owner.is_none() => {
                self.check_room(agent)?;
                self.change_owner(id, Some(agent), Some(seat), now);
                Ok(id)
            }
            (Phase::Queued, None) => {
                self.check_room(agent)?;
                self.own(id, Some(agent));
                self.ask(id, Ask::Accept { by: Some(seat) }, now);
                if !self.conversations[id].is_connected() {
                    self.tell_news(DeskNews::AcceptedAway(who));
                }
                Ok(id)
            }
            // docs/PROTOCOL.md, "States, and who decides": at most one pending control.
            (Phase::Queued, Some(_)) | (Phase::Active, _) => match conversation.owner {
                Some(owner) => Err(AgentRefusal::Taken { who, agent: self.agent_name(owner) }),
                None => Err(AgentRefusal::OnTheWayOut(who)),
            },
            _ => Err(AgentRefusal::NotWaiting(who)),
        }
    }

    /// `/switch N`: the next line goes to this active conversation.
    ///
    /// # Errors
    /// When it is not active.
    pub fn switch(&mut self, seat: SeatId, ordinal: u32) -> Result<(), AgentRefusal> {
        let id = self.find(ordinal)?;
        if !self.is_own(seat, id) {
            return Err(match self.owner_name(id) {
                Some(agent) => AgentRefusal::Taken { who: self.who(id), agent },
                None => AgentRefusal::NotYours(self.who(id)),
            });
        }
        self.go_to(seat, id);
        Ok(())
    }

    /// `/next`: moves the focus to the customer whose lines have waited longest for an answer. If no
    /// other customer waits for one, it moves to the next customer, round and round.
    ///
    /// # Errors
    /// When there is no other.
    pub fn switch_to_next(&mut self, seat: SeatId) -> Result<(), AgentRefusal> {
        let focus = self.focus(seat);
        let owed = self.owed_an_answer(seat).into_iter().find(|id| focus != Some(*id));
        let after = focus.map_or(0, |id| self.conversations[id].ordinal);
        let own: Vec<_> = self.own_conversations(seat).collect();
        let is_after = |id: &&ConversationId| self.conversations[**id].ordinal > after;
        let next = own.iter().find(is_after).or_else(|| own.first()).copied();
        match owed.or(next) {
            Some(id) if focus != Some(id) => {
                self.go_to(seat, id);
                Ok(())
            }
            _ => Err(AgentRefusal::NoOther),
        }
    }

    /// The agent typed a line: it goes to the conversation in focus.
    ///
    /// # Errors
    /// When no conversation in focus can take the line. The caller keeps the line.
    pub fn say(&mut self, seat: SeatId, text: &str, now: Now) -> Result<(), AgentRefusal> {
        let id = self.conversation_in_focus(seat)?;
        self.keep(id, EndingOutcome::AgentWrote);
        self.record_said(id, text, false, now);
        Ok(())
    }

    /// `/note TEXT`: keeps a private note in the conversation in focus. It never leaves the desk.
    ///
    /// # Errors
    /// When no conversation has the focus.
    pub fn note(&mut self, seat: SeatId, text: &str) -> Result<(), AgentRefusal> {
        let id = self.focus(seat).ok_or_else(|| self.no_focus(seat))?;
        self.keep_note(seat, id, text);
        Ok(())
    }

    /// Keeps a note of the agent at this seat. At a desk with several agents it says whose it is.
    pub(super) fn keep_note(&mut self, seat: SeatId, id: ConversationId, text: &str) {
        let agent = self.team.agent_at(seat).filter(|_| self.team.is_shared());
        let note = match agent {
            Some(agent) => format!("{}: {text}", self.agent_name(agent)),
            None => text.to_owned(),
        };
        self.journal(id, Record::Note(note.clone()));
        self.tell(id, Report::Note { conversation: id, text: note });
        // The screen shows a note together with messages. This passage has no message: it makes the
        // screen show the note now.
        self.tell_said(id, Origin::Own, RangeInclusive::new(1, 0), false);
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

    /// Takes one line that the customer in focus typed since the agent's last line: a script's
    /// `/wait` waits for one. False if there is none.
    pub fn take_new_line(&mut self, seat: SeatId) -> bool {
        self.in_focus(seat).is_some_and(Conversation::take_new_line)
    }

    /// A person is in front of the desk: they have typed something.
    pub fn agent_is_here(&mut self, seat: SeatId, now: Now) {
        self.team.note_act(seat, now);
    }

    /// The agent types a line for the customer in focus. The desk tells that customer's side
    /// (docs/PROTOCOL.md, "typing").
    pub fn agent_types(&mut self, seat: SeatId, now: Now) {
        if let Some(conversation) = self.in_focus(seat)
            && let Some(conn) = conversation.connection
            && conversation.is_active()
            && conversation.typing.is_sign_due(now)
        {
            self.act(Act::Send(conn, Message::Typing {}));
        }
    }

    /// The program ends: the desk says goodbye to every customer's side.
    pub fn leave(&mut self) {
        for conn in self.connections.customers() {
            self.say_goodbye(conn, &Goodbye::Leaving);
        }
    }

    /// Asks the customer's side for a change of owner. It changes nothing until the answer comes
    /// (docs/PROTOCOL.md, "States, and who decides").
    pub(super) fn ask(&mut self, id: ConversationId, ask: Ask, now: Now) {
        let Some(conversation) = self.conversations.get(id) else { return };
        let request = conversation.controls.request();
        let body = match ask {
            Ask::Accept { .. } => Body::Accept { request, name: self.shown_name(id) },
            Ask::HandBack => Body::HandBack { request },
            Ask::Close => Body::Close { request },
            Ask::Requeue => Body::Requeue { request },
        };
        let number = self.record(id, body, now);
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.controls.ask(number, ask);
        }
    }

    /// Journals a message of the agent's or a greeting, and shows it.
    pub(super) fn record_said(&mut self, id: ConversationId, text: &str, greeting: bool, now: Now) {
        let name = self.shown_name(id).map(Into::into);
        let said = Said { name, greeting, ..Said::text(Author::Admin, text) };
        let number = self.record(id, Body::Message(said), now);
        let mut is_answer = false;
        if !greeting && let Some(conversation) = self.conversations.get_mut(id) {
            is_answer = conversation.owed().lines() > 0;
            conversation.note_own_line(number);
        }
        self.tell_said(id, Origin::Own, number..=number, false);
        if is_answer {
            self.tell_unanswered(id);
        }
    }

    /// Numbers and journals an entry of this desk.
    fn record(&mut self, id: ConversationId, body: Body, now: Now) -> Number {
        let Some(conversation) = self.conversations.get_mut(id) else { return 0 };
        let number = conversation.own.next();
        self.journal(id, Record::Own(Entry { number, at: now.wall, body }));
        self.note_activity(id, now);
        self.send_later(id);
        number
    }

    /// Moves the focus, and journals that.
    fn go_to(&mut self, seat: SeatId, id: ConversationId) {
        self.team.go_to(seat, id);
        if seat == SeatId::TERMINAL {
            self.journal(id, Record::Focus);
        }
    }

    /// The conversation in focus.
    pub(super) fn in_focus(&mut self, seat: SeatId) -> Option<&mut Conversation> {
        self.focus(seat).and_then(|id| self.conversations.get_mut(id))
    }

    /// The conversation in focus, if it can take a line: a desk sends no message while a
    /// `hand_back` or a `close` is pending (docs/PROTOCOL.md, "States, and who decides").
    pub(super) fn conversation_in_focus(
        &self,
        seat: SeatId,
    ) -> Result<ConversationId, AgentRefusal> {
        let id = self.focus(seat).ok_or_else(|| self.no_focus(seat))?;
        match self.conversations[id].controls.pending() {
            None => Ok(id),
            Some(_) => Err(AgentRefusal::OnTheWayOut(self.who(id))),
        }
    }

    /// Why nothing can be done without a focus, and what can be done about that.
    fn no_focus(&self, seat: SeatId) -> AgentRefusal {
        AgentRefusal::NoFocus(
            match (self.own_conversations(seat).next(), self.queue.iter().next()) {
                (Some(_), _) => Choice::Next,
                (None, Some(_)) => Choice::Accept,
                (None, None) => Choice::Nobody,
            },
        )
    }

    /// The connected customer who waits longest.
    pub(super) fn next_in_queue(&self) -> Option<ConversationId> {
        // A customer who withdrew within a backlog stays in the queue until the backlog is
        // complete.
        let is_ready = |id: &ConversationId| {
            let conversation = &self.conversations[*id];
            conversation.is_connected() && conversation.is_up_for_accept()
        };
        self.queue.iter().find(is_ready)
    }

    /// The conversation in memory with this ordinal.
    pub(super) fn find(&self, ordinal: u32) -> Result<ConversationId, AgentRefusal> {
        match self.conversations.at(ordinal) {
            Some(id) => Ok(id),
            None if self.conversations.was_given(ordinal) => Err(AgentRefusal::HasEnded(ordinal)),
            None => Err(AgentRefusal::NoSuch(ordinal)),
        }
    }
}
