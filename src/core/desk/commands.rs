//! The agent's commands: accept a customer, talk, go to another conversation. The commands that end
//! a conversation are in `undo`, and the lists that an agent can read are in `views`.

use std::ops::RangeInclusive;

use crate::core::clock::Now;
use crate::core::outcome::Act;
use crate::core::record::{Origin, Record};
use crate::core::report::{
    AgentRefusal, Choice, DeskNews, EXCERPT_LETTERS, EndingOutcome, Goodbye, Report,
    TransferOutcome, excerpt,
};
use crate::wire::{Author, Body, ConversationId, Entry, Message, Number, Said};

use super::controls::{Ask, Phase};
use super::conversation::Conversation;
use super::{AgentId, Desk, SeatId};

impl Desk {
    /// `/accept [N]`: takes the customer with this ordinal. Without an ordinal, takes the customer
    /// whom another agent offers, or else the first connected customer who waits for this agent. An
    /// offered customer is taken from the agent who has them.
    ///
    /// # Errors
    /// When there is no such customer, another agent has them, or this agent has no room.
    pub fn accept(
        &mut self,
        seat: SeatId,
        ordinal: Option<u32>,
        now: Now,
    ) -> Result<ConversationId, AgentRefusal> {
        let agent = self.team.agent_at(seat).ok_or(AgentRefusal::NobodyWaits)?;
        let id = match ordinal {
            Some(ordinal) => self.find_live(ordinal)?,
            None => {
                let next = self.first_offer(agent).or_else(|| self.next_for(agent));
                next.ok_or_else(|| match self.waiting_for(agent) {
                    0 if self.queue.is_empty() => AgentRefusal::NobodyWaits,
                    0 => AgentRefusal::NobodyWaitsForYou { others: self.queue.len() },
                    _ => AgentRefusal::NobodyWaitingIsConnected,
                })?
            }
        };
        let conversation = &self.conversations[id];
        let who = self.who(id);
        let is_offered = self.is_offered(seat, id);
        match (conversation.controls.phase(), conversation.controls.pending()) {
            (Phase::Active, _) if conversation.is_owned_by(agent) => {
                Err(AgentRefusal::AlreadyYours(who))
            }
            (Phase::Queued, Some(_)) if conversation.owner() == Some(agent) => {
                Err(AgentRefusal::BeingAccepted(who))
            }
            (Phase::Active, None) if is_offered || conversation.owner().is_none() => {
                self.check_room(agent)?;
                self.change_owner(id, Some(agent), Some(seat), now);
                Ok(id)
            }
            (Phase::Queued, None) => {
                self.check_room(agent)?;
                self.keep(id, EndingOutcome::Reassigned, now);
                let outcome =
                    if is_offered { TransferOutcome::Accepted } else { TransferOutcome::Void };
                self.end_offer(id, outcome);
                self.own(id, Some(agent));
                self.ask(id, Ask::Accept { by: Some(seat) }, now);
                if !self.conversations[id].has_connection() {
                    self.tell_agent_news(agent, DeskNews::AcceptedAway(who));
                }
                Ok(id)
            }
            // The desk has at most one pending control (docs/PROTOCOL.md, "States, and who
            // decides").
            (Phase::Queued, Some(_)) | (Phase::Active, _) => match conversation.owner() {
                Some(owner) => Err(AgentRefusal::Taken { who, agent: self.agent_name(owner) }),
                None => Err(AgentRefusal::OnTheWayOut(who)),
            },
            _ => Err(AgentRefusal::NotWaiting(who)),
        }
    }

    /// `/switch N`: moves the focus to this conversation, so that the next line goes there.
    ///
    /// # Errors
    /// When the agent does not have this conversation.
    pub fn switch(&mut self, seat: SeatId, ordinal: u32) -> Result<(), AgentRefusal> {
        let id = self.find_live(ordinal)?;
        if !self.is_own(seat, id) {
            let why = self.target_to_change(seat, Some(ordinal)).err();
            return Err(why.unwrap_or_else(|| AgentRefusal::NotYours(self.who(id))));
        }
        self.go_to(seat, id);
        Ok(())
    }

    /// `/next`: moves the focus to the customer whose lines have waited longest for an answer. If
    /// no other customer waits for one, it moves to the agent's next customer, in turn.
    ///
    /// # Errors
    /// When the agent has no other customer.
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

    /// Sends a line that the agent typed to the conversation in focus.
    ///
    /// # Errors
    /// When no conversation in focus can take the line. The caller keeps the line.
    pub fn say(&mut self, seat: SeatId, text: &str, now: Now) -> Result<(), AgentRefusal> {
        self.say_to(seat, None, text, now)
    }

    /// `/say [#N] TEXT`: sends the text to this customer. The focus does not move.
    ///
    /// # Errors
    /// When there is no such conversation, or the agent does not have it.
    pub fn say_to(
        &mut self,
        seat: SeatId,
        on: Option<u32>,
        text: &str,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let id = self.target_to_talk(seat, on)?;
        self.keep(id, EndingOutcome::AgentWrote, now);
        self.set_hold(id, false);
        self.record_said(id, text, false, now);
        Ok(())
    }

    /// `/note [#N] TEXT`: keeps a private note in a conversation, whoever has it. It never leaves
    /// the desk.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn note(&mut self, seat: SeatId, on: Option<u32>, text: &str) -> Result<(), AgentRefusal> {
        let id = self.target(seat, on)?;
        self.keep_note(seat, id, text);
        // If the conversation is not on the agent's screen, the note will be shown there only at an
        // accept. So the agent reads a confirmation now.
        if let Some(agent) = self.team.agent_at(seat)
            && !self.is_own(seat, id)
            && !self.is_watched_at(seat, id)
        {
            self.tell_agent_news(agent, DeskNews::Noted(self.who(id)));
        }
        Ok(())
    }

    /// Keeps a note in a conversation that has ended, even if it is no longer in memory.
    pub fn note_in_ended(&mut self, seat: SeatId, id: ConversationId, text: &str) {
        let note = self.signed(seat, text);
        self.journal(id, Record::Note(note));
    }

    /// A note's text, with the agent's name before it if the desk has several agents.
    pub(super) fn signed(&self, seat: SeatId, text: &str) -> String {
        let agent = self.team.agent_at(seat).filter(|_| self.team.is_shared());
        match agent {
            Some(agent) => format!("{}: {text}", self.agent_name(agent)),
            None => text.to_owned(),
        }
    }

    /// Keeps a note of the agent at this seat.
    pub(super) fn keep_note(&mut self, seat: SeatId, id: ConversationId, text: &str) {
        let note = self.signed(seat, text);
        self.journal(id, Record::Note(note.clone()));
        self.tell(id, Report::Note { conversation: id, text: note });
        // The screen shows notes when messages come. An empty range of messages makes it show the
        // note now.
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

    /// For a script's `/wait`: takes one line that the customer in focus typed since the agent's
    /// last line. False if there is none.
    pub fn take_new_line(&mut self, seat: SeatId) -> bool {
        self.in_focus(seat).is_some_and(Conversation::take_new_line)
    }

    /// Notes that a person is at this seat, because they have typed something.
    pub fn agent_is_here(&mut self, seat: SeatId, now: Now) {
        self.team.note_act(seat, now);
    }

    /// Notes what the agent has typed of a line for the customer in focus. Leads can see it, unless
    /// the desk has `--private-drafts`.
    pub fn agent_drafts(&mut self, seat: SeatId, draft: &str, now: Now) {
        if self.options.private_drafts {
            return;
        }
        if let Some(id) = self.focus(seat)
            && let Some(conversation) = self.conversations.get_mut(id)
            && conversation.is_active()
        {
            conversation.typing.note_draft(excerpt(draft, EXCERPT_LETTERS), now);
            self.watch_typing(id);
        }
    }

    /// Tells the side of the customer in focus that the agent is typing (docs/PROTOCOL.md,
    /// "typing").
    pub fn agent_types(&mut self, seat: SeatId, now: Now) {
        if let Some(conversation) = self.in_focus(seat)
            && let Some(conn) = conversation.connection
            && conversation.is_active()
            && conversation.typing.is_sign_due(now)
        {
            self.act(Act::Send(conn, Message::Typing {}));
        }
    }

    /// Says goodbye to every customer's side, because the program ends.
    pub fn leave(&mut self) {
        for conn in self.connections.customers() {
            self.say_goodbye(conn, &Goodbye::Leaving);
        }
    }

    /// Asks the customer's side for a change of owner. The owner changes only with the answer
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
        let number = self.record(id, body, None, now);
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.controls.ask(number, ask);
        }
        self.conversations.note_change(id);
    }

    /// Journals and shows a message or a greeting from the agent.
    pub(super) fn record_said(&mut self, id: ConversationId, text: &str, greeting: bool, now: Now) {
        let name = self.shown_name(id).map(Into::into);
        let said = Said { name, greeting, ..Said::text(Author::Admin, text) };
        let agent = self.conversations.get(id).and_then(Conversation::owner);
        let number = self.record(id, Body::Message(said), agent, now);
        let mut is_answer = false;
        if !greeting && let Some(conversation) = self.conversations.get_mut(id) {
            is_answer = conversation.owed().lines() > 0;
            conversation.note_own_line(number);
        }
        self.tell_said(id, Origin::Own, number..=number, false);
        if is_answer {
            self.count_later(id);
        }
    }

    /// Numbers and journals an entry of this desk, with the agent who wrote it, if there is one.
    fn record(&mut self, id: ConversationId, body: Body, by: Option<AgentId>, now: Now) -> Number {
        let Some(conversation) = self.conversations.get_mut(id) else { return 0 };
        let number = conversation.own.next();
        let entry = Entry { number, at: now.wall, body };
        let record = match by {
            Some(agent) => Record::Said(self.team.member(agent).name.clone(), entry),
            None => Record::Own(entry),
        };
        self.journal(id, record);
        self.note_activity(id, now);
        self.send_later(id);
        number
    }

    /// Moves a seat's focus. The journal keeps only the focus of the desk's own terminal.
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

    /// The conversation that a command is for: the one with the given ordinal, whose customer must
    /// wait or talk, or without an ordinal the one in focus.
    pub(super) fn target(
        &self,
        seat: SeatId,
        on: Option<u32>,
    ) -> Result<ConversationId, AgentRefusal> {
        let Some(ordinal) = on else {
            return self.focus(seat).ok_or_else(|| self.no_focus(seat));
        };
        self.find_live(ordinal)
    }

    /// The [`target`](Desk::target) of a command that changes the conversation. No other agent may
    /// have the conversation, and no control may be pending: a desk sends no message while a
    /// `hand_back` or a `close` is pending (docs/PROTOCOL.md, "States, and who decides").
    pub(super) fn target_to_change(
        &self,
        seat: SeatId,
        on: Option<u32>,
    ) -> Result<ConversationId, AgentRefusal> {
        let id = self.target(seat, on)?;
        let conversation = &self.conversations[id];
        let is_pending = conversation.controls.pending().is_some();
        let owner = conversation.owner().filter(|_| conversation.is_active() || is_pending);
        match owner.filter(|owner| self.team.agent_at(seat) != Some(*owner)) {
            Some(other) => {
                Err(AgentRefusal::Taken { who: self.who(id), agent: self.agent_name(other) })
            }
            None if is_pending => Err(match conversation.is_queued() {
                true => AgentRefusal::BeingAccepted(self.who(id)),
                false => AgentRefusal::OnTheWayOut(self.who(id)),
            }),
            None => Ok(id),
        }
    }

    /// The [`target`](Desk::target) of a command that speaks to the customer. The agent must have
    /// the customer.
    pub(super) fn target_to_talk(
        &self,
        seat: SeatId,
        on: Option<u32>,
    ) -> Result<ConversationId, AgentRefusal> {
        let id = self.target_to_change(seat, on)?;
        if self.is_own(seat, id) { Ok(id) } else { Err(AgentRefusal::NotYours(self.who(id))) }
    }

    /// The refusal for a seat without a focus. It says what the agent can do about that.
    fn no_focus(&self, seat: SeatId) -> AgentRefusal {
        AgentRefusal::NoFocus(match (self.own_conversations(seat).next(), self.first_at(seat)) {
            (Some(_), _) => Choice::Next,
            (None, Some(_)) => Choice::Accept,
            (None, None) => Choice::Nobody,
        })
    }

    /// The conversation with this ordinal, whose customer waits or talks.
    pub(super) fn find_live(&self, ordinal: u32) -> Result<ConversationId, AgentRefusal> {
        let id = self.find(ordinal)?;
        if self.conversations[id].is_live() { Ok(id) } else { Err(AgentRefusal::HasEnded(ordinal)) }
    }

    /// The conversation in memory with this ordinal.
    fn find(&self, ordinal: u32) -> Result<ConversationId, AgentRefusal> {
        match self.conversations.at(ordinal) {
            Some(id) => Ok(id),
            None if self.conversations.was_given(ordinal) => Err(AgentRefusal::HasEnded(ordinal)),
            None => Err(AgentRefusal::NoSuch(ordinal)),
        }
    }
}
