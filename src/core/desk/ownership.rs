//! Which agent has a conversation: offers to another agent, taking over, and the way back to the
//! queue.
//!
//! ```text
//!   nobody (queued) ──accept──▶ one agent ──transfer──▶ offered ──accept──▶ the other agent
//!        ▲                          │  ▲                   │
//!        │                          │  └── declined, late ─┘
//!        └──── transfer to the queue, gone, revoked
//! ```
//!
//! All of this is the desk's own affair: on the wire the conversation stays `active`, and the
//! customer's side is told who is there now (docs/PROTOCOL.md, "agent"). An offer lives
//! [`OFFERED_FOR`] and dies with the state that it was made in; a restart of the desk ends it.

use std::time::{Duration, Instant};

use crate::core::agent::{Agents, QUEUE};
use crate::core::clock::Now;
use crate::core::outcome::Act;
use crate::core::record::Record;
use crate::core::report::{AgentRefusal, Colleague, Listed, Presence, Report, TransferOutcome};
use crate::core::text::is_same;
use crate::wire::{ConversationId, Message, SeatKey, SecretHash};

use super::controls::Ask;
use super::{AgentId, Desk, SeatId};

/// An offer that nobody took for this time is over.
pub const OFFERED_FOR: Duration = Duration::from_secs(30);

/// A conversation that its agent has offered to another one.
pub(super) struct Offer {
    /// Whom it is offered to.
    pub(super) to: AgentId,
    /// When the offer is over.
    until: Instant,
}

impl Desk {
    /// The agent with this name has one seat more.
    pub fn sign_in(&mut self, name: &str) -> Option<SeatId> {
        let agent = self.team.find(name)?;
        let seat = self.team.sit_down(agent);
        // Whom the agent has is in front of them again.
        let first = self.own_conversations(seat).next();
        if let Some(first) = first {
            self.team.go_to(seat, first);
        }
        Some(seat)
    }

    /// A seat is gone.
    pub fn sign_out(&mut self, seat: SeatId, now: Now) {
        self.team.stand_up(seat, now);
    }

    /// An agent's terminal has shown its code. From now on it signs in with this secret.
    pub fn enroll(&mut self, agent: &str, code: SecretHash, secret: SecretHash) {
        let record = Record::Enrolled { agent: agent.into(), code, secret };
        self.journal(ConversationId::NONE, record);
    }

    /// A seat is back: its focus is where it was, if the agent still has that conversation.
    pub fn return_to(&mut self, seat: SeatId, id: ConversationId) {
        if self.is_own(seat, id) {
            self.team.go_to(seat, id);
        }
    }

    /// Tells everybody that an agent has a seat who had none.
    pub fn tell_arrival(&mut self, seat: SeatId) {
        let Some(agent) = self.team.agent_at(seat) else { return };
        if self.team.seats_of(agent).len() == 1 {
            self.tell_presence(agent, Presence::Here, None);
        }
    }

    /// What was typed at a seat up to this number is done: the journal gets this with what it did.
    pub fn note_taken(&mut self, seat: SeatKey, number: u64) {
        self.journal(ConversationId::NONE, Record::Taken(seat, number));
    }

    /// These are the agents from now on. Who is not among them is revoked: their customers go back
    /// to the queue. Returns the seats that end with this.
    pub fn set_agents(&mut self, agents: &Agents, now: Now) -> Vec<SeatId> {
        let mut ended = Vec::new();
        for (agent, seats) in self.team.update(agents, self.options.notify_every, now) {
            self.tell_presence(agent, Presence::Revoked, None);
            seats.iter().for_each(|seat| self.team.stand_up(*seat, now));
            self.release_all(agent, now);
            ended.extend(seats);
        }
        ended
    }

    /// `/away [TEXT]`, `/here`: whether the agent can be given customers.
    pub fn set_away(&mut self, seat: SeatId, away: Option<&str>) {
        let Some(agent) = self.team.agent_at(seat) else { return };
        self.team.set_away(agent, away.map(Into::into));
        let presence = if away.is_some() { Presence::Away } else { Presence::Here };
        self.tell_presence(agent, presence, away.filter(|why| !why.is_empty()));
    }

    /// `/transfer NAME NOTE`: offers the conversation in focus to another agent, or gives its
    /// customer back to the queue.
    ///
    /// # Errors
    /// When there is no such conversation or agent, or the agent cannot take anybody.
    pub fn transfer(
        &mut self,
        seat: SeatId,
        to: &str,
        note: Option<&str>,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let id = self.conversation_in_focus(seat)?;
        if is_same(to, QUEUE) {
            note.iter().for_each(|note| self.keep_note(seat, id, note));
            self.release(id, now);
            return Ok(());
        }
        let to = self.team.find(to).ok_or_else(|| AgentRefusal::NoSuchAgent(to.to_owned()))?;
        if self.team.agent_at(seat) == Some(to) {
            return Err(AgentRefusal::AlreadyYours(self.who(id)));
        }
        if !self.team.member(to).is_here() {
            let agent = self.agent_name(to);
            return Err(AgentRefusal::NotHere { agent, here: self.names_of_those_here() });
        }
        self.check_room(to)?;
        note.iter().for_each(|note| self.keep_note(seat, id, note));
        self.void_offer(id);
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.offer = Some(Box::new(Offer { to, until: now.clock + OFFERED_FOR }));
        }
        self.offered.push(id);
        self.tell_transfer(id, to, TransferOutcome::Offered, note);
        self.note_arrival(to, now);
        Ok(())
    }

    /// `/decline N`: the agent does not take what they were offered.
    ///
    /// # Errors
    /// When nothing was offered.
    pub fn decline(&mut self, seat: SeatId, ordinal: u32) -> Result<(), AgentRefusal> {
        let id = self.find(ordinal)?;
        let agent = self.team.agent_at(seat);
        let is_offered = self.conversations[id].offer.as_ref().map(|offer| offer.to) == agent;
        if agent.is_none() || !is_offered {
            return Err(AgentRefusal::NotOffered(self.who(id)));
        }
        self.end_offer(id, TransferOutcome::Declined);
        Ok(())
    }

    /// `/take N REASON`: a lead takes a conversation over.
    ///
    /// # Errors
    /// When the agent is no lead, or nobody has this conversation.
    pub fn take_over(
        &mut self,
        seat: SeatId,
        ordinal: u32,
        reason: &str,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let id = self.find(ordinal)?;
        let lead = self.lead_at(seat)?;
        let conversation = &self.conversations[id];
        let Some(owner) = conversation.owner.filter(|_| conversation.is_active()) else {
            return Err(AgentRefusal::NotYours(self.who(id)));
        };
        if owner == lead {
            return Err(AgentRefusal::AlreadyYours(self.who(id)));
        }
        if conversation.controls.pending().is_some() {
            return Err(AgentRefusal::OnTheWayOut(self.who(id)));
        }
        self.keep_note(seat, id, &format!("took over: {reason}"));
        self.void_offer(id);
        self.tell_transfer(id, lead, TransferOutcome::TakenOver, Some(reason));
        self.change_owner(id, Some(lead), Some(seat), now);
        Ok(())
    }

    /// `/watch N`: a lead reads a conversation along. Again: no more.
    ///
    /// # Errors
    /// When the agent is no lead, or nobody has this conversation.
    pub fn watch_along(
        &mut self,
        seat: SeatId,
        ordinal: u32,
    ) -> Result<ConversationId, AgentRefusal> {
        let id = self.find(ordinal)?;
        self.lead_at(seat)?;
        if !self.conversations[id].is_live() {
            return Err(AgentRefusal::NotYours(self.who(id)));
        }
        let Some(at) = self.team.seat_mut(seat) else { return Ok(id) };
        let before = at.watched.len();
        at.watched.retain(|watched| *watched != id);
        if at.watched.len() == before {
            at.watched.push(id);
        }
        Ok(id)
    }

    /// `/agents`: a line for each agent.
    pub fn colleagues(&self) -> Vec<Listed> {
        let own = |agent| {
            let all = self.conversations.active();
            all.filter(|id| self.conversations[*id].is_owned_by(agent)).count()
        };
        let listed = self.team.members().map(|(agent, member)| {
            Listed::Agent(Colleague {
                name: member.name.to_string(),
                shown_as: member.shown_as.clone(),
                is_lead: member.is_lead,
                customers: own(agent),
                presence: member.presence(),
                why: member.why_away(),
            })
        });
        listed.collect()
    }

    /// Whose seat this is.
    pub fn agent_at(&self, seat: SeatId) -> Option<AgentId> {
        self.team.agent_at(seat)
    }

    /// Whether this conversation is the agent's at this seat, or is watched there, or has no owner:
    /// the seat is shown what is said in it.
    pub fn is_shown_at(&self, seat: SeatId, id: ConversationId) -> bool {
        let Some(conversation) = self.conversations.get(id) else { return true };
        let owner = conversation.owner.filter(|owner| conversation.is_owned_by(*owner));
        owner.is_none() || owner == self.team.agent_at(seat) || self.is_watched_at(seat, id)
    }

    /// Whether this conversation is offered to the agent at this seat.
    pub(super) fn is_offered(&self, seat: SeatId, id: ConversationId) -> bool {
        let offer = self.conversations[id].offer.as_ref();
        offer.is_some_and(|offer| self.team.agent_at(seat) == Some(offer.to))
    }

    /// Whether this conversation is read along at this seat.
    pub fn is_watched_at(&self, seat: SeatId, id: ConversationId) -> bool {
        self.team.seat(seat).is_some_and(|seat| seat.watched.contains(&id))
    }

    /// Whether the agent at this seat has this conversation.
    pub fn is_own(&self, seat: SeatId, id: ConversationId) -> bool {
        let agent = self.team.agent_at(seat);
        agent.is_some_and(|agent| {
            self.conversations.get(id).is_some_and(|known| known.is_owned_by(agent))
        })
    }

    /// The name, among agents, of the agent who has this conversation or is accepting it.
    pub fn owner_name(&self, id: ConversationId) -> Option<String> {
        let conversation = self.conversations.get(id)?;
        let has_owner = conversation.is_active() || conversation.controls.pending().is_some();
        conversation.owner.filter(|_| has_owner).map(|owner| self.agent_name(owner))
    }

    /// The names of other agents who have a seat here.
    pub fn attached(&self) -> Vec<String> {
        let others = self.team.members().skip(1);
        let here = others.filter(|(agent, _)| !self.team.seats_of(*agent).is_empty());
        here.map(|(_, member)| member.name.to_string()).collect()
    }

    /// The name, as customers see it, of the agent at this seat.
    pub fn shown_at(&self, seat: SeatId) -> Option<&str> {
        self.team.member(self.team.agent_at(seat)?).shown_as.as_deref()
    }

    /// The agent's name among agents.
    pub(super) fn agent_name(&self, agent: AgentId) -> String {
        self.team.member(agent).name.to_string()
    }

    /// The name, as customers see it, of the agent who has this conversation.
    pub(super) fn shown_name(&self, id: ConversationId) -> Option<String> {
        let owner = self.conversations.get(id)?.owner?;
        self.team.member(owner).shown_as.clone()
    }

    /// Conversations of the agent at this seat, by ordinal.
    pub(super) fn own_conversations(&self, seat: SeatId) -> impl Iterator<Item = ConversationId> {
        let agent = self.team.agent_at(seat);
        let is_own = move |id: &ConversationId| {
            agent.is_some_and(|agent| self.conversations[*id].is_owned_by(agent))
        };
        self.conversations.active().filter(is_own)
    }

    /// With `--auto-accept` the desk accepts a customer by itself, for its own terminal.
    pub(super) fn accept_by_itself(&mut self, id: ConversationId, now: Now) {
        let is_wanted = self.options.auto_accept && self.options.has_terminal;
        if !is_wanted || self.check_room(AgentId::TERMINAL).is_err() {
            return;
        }
        self.own(id, Some(AgentId::TERMINAL));
        self.ask(id, Ask::Accept { by: None }, now);
    }

    /// Whether the agent may have one customer more.
    pub(super) fn check_room(&self, agent: AgentId) -> Result<(), AgentRefusal> {
        let is_theirs = |id: &ConversationId| {
            let known = &self.conversations[*id];
            known.owner == Some(agent)
        };
        let accepting = self
            .queue
            .iter()
            .filter(|id| is_theirs(id) && self.conversations[*id].controls.pending().is_some());
        let has = self.conversations.active().filter(is_theirs).count() + accepting.count();
        if has < self.options.max_active {
            return Ok(());
        }
        Err(AgentRefusal::Full { agent: self.agent_name(agent), most: self.options.max_active })
    }

    /// Journals who has a conversation, or is accepting it.
    pub(super) fn own(&mut self, id: ConversationId, owner: Option<AgentId>) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if std::mem::replace(&mut conversation.owner, owner) != owner {
            let record = self.team.record(owner);
            self.journal(id, Record::Owner(record));
        }
    }

    /// The agent has this conversation: the focus of their seats may move. `asked` is the seat that
    /// asked for it.
    pub(super) fn give(&mut self, owner: AgentId, id: ConversationId, asked: Option<SeatId>) {
        let conversations = &self.conversations;
        let is_free = |focus: Option<ConversationId>| {
            !focus.and_then(|id| conversations.get(id)).is_some_and(|it| it.is_owned_by(owner))
        };
        let moved = self.team.gain(owner, id, asked, is_free);
        if moved.contains(&SeatId::TERMINAL) {
            self.journal(id, Record::Focus);
        }
    }

    /// Another agent has this active conversation from now on, or (`None`) nobody has.
    pub(super) fn change_owner(
        &mut self,
        id: ConversationId,
        to: Option<AgentId>,
        asked: Option<SeatId>,
        now: Now,
    ) {
        self.end_offer(id, TransferOutcome::Accepted);
        self.own(id, to);
        self.team.lose(id);
        self.queue.remove(id);
        match to {
            Some(agent) => {
                self.give(agent, id, asked);
                self.note_lines(agent, id, self.conversations[id].owed().lines(), now);
            }
            None => {
                self.queue.push_front(id);
                self.note_waiting(now);
            }
        }
        self.tell_state(id, None);
        self.send_agent(id);
    }

    /// The customer's agent gives them up: they wait again, before all others.
    pub(super) fn release(&mut self, id: ConversationId, now: Now) {
        let conversation = &self.conversations[id];
        let is_asked = conversation.controls.pending().is_some();
        if conversation.is_active() && !conversation.is_unowned() && !is_asked {
            self.change_owner(id, None, None, now);
        }
    }

    /// Tells the customer's side who is there now (docs/PROTOCOL.md, "agent").
    pub(super) fn send_agent(&mut self, id: ConversationId) {
        let conversation = &self.conversations[id];
        let Some(conn) = conversation.connection.filter(|_| conversation.is_active()) else {
            return;
        };
        if conversation.knows_agents {
            let name = self.shown_name(id);
            let is_there = conversation.owner.is_some();
            self.act(Act::Send(conn, Message::Agent { name, is_there }));
        }
    }

    /// The offer of a conversation is over, and nobody needs to hear of it.
    pub(super) fn void_offer(&mut self, id: ConversationId) {
        self.end_offer(id, TransferOutcome::Void);
    }

    /// Ends the offer of a conversation, if there is one, and tells both agents how.
    fn end_offer(&mut self, id: ConversationId, outcome: TransferOutcome) {
        self.offered.retain(|offered| *offered != id);
        let offer = self.conversations.get_mut(id).and_then(|known| known.offer.take());
        if let Some(offer) = offer {
            self.tell_transfer(id, offer.to, outcome, None);
        }
    }

    /// Tells the agent who has a conversation, and the one who may get it, what becomes of it.
    fn tell_transfer(
        &mut self,
        id: ConversationId,
        to: AgentId,
        outcome: TransferOutcome,
        note: Option<&str>,
    ) {
        let conversation = &self.conversations[id];
        let Some(owner) = conversation.owner else { return };
        let (ordinal, customer) = (Some(conversation.ordinal), Some(conversation.called(id)));
        let report = |is_to_me| Report::Transfer {
            conversation: id,
            ordinal,
            customer: customer.clone(),
            from: self.agent_name(owner),
            agent: self.agent_name(to),
            outcome,
            note: note.map(str::to_owned),
            is_to_me,
        };
        let (to_owner, to_other) = (report(false), report(true));
        self.tell_agent(owner, to_owner);
        self.tell_agent(to, to_other);
    }

    fn tell_presence(&mut self, agent: AgentId, presence: Presence, why: Option<&str>) {
        let (agent, why) = (self.agent_name(agent), why.map(str::to_owned));
        self.tell_all(Report::Agent { agent, presence, why });
    }

    /// Ends what time has ended: offers, and the conversations of agents who are gone.
    pub(super) fn review_ownership(&mut self, now: Now) {
        let is_over = |id: &&ConversationId| {
            let offer = self.conversations.get(**id).and_then(|known| known.offer.as_ref());
            offer.is_none_or(|offer| now.clock >= offer.until)
        };
        let over: Vec<_> = self.offered.iter().filter(is_over).copied().collect();
        for id in over {
            self.end_offer(id, TransferOutcome::Late);
        }
        for agent in self.team.take_gone(now) {
            if self.team.is_shared() {
                self.tell_presence(agent, Presence::Gone, None);
            }
            self.release_all(agent, now);
        }
    }

    /// When [`review_ownership`](Desk::review_ownership) has something to do next.
    pub(super) fn ownership_deadline(&self) -> Option<Instant> {
        let offers = self.offered.iter().filter_map(|id| self.conversations.get(*id));
        let offers = offers.filter_map(|known| known.offer.as_ref()).map(|offer| offer.until);
        offers.chain(self.team.deadline()).min()
    }

    /// Gives all customers of an agent back to the queue.
    fn release_all(&mut self, agent: AgentId, now: Now) {
        let is_theirs = |id: &ConversationId| self.conversations[*id].is_owned_by(agent);
        let theirs: Vec<_> = self.conversations.active().filter(is_theirs).collect();
        // The one with the lowest number is to be the first in the queue.
        theirs.into_iter().rev().for_each(|id| self.release(id, now));
    }

    fn lead_at(&self, seat: SeatId) -> Result<AgentId, AgentRefusal> {
        let agent = self.team.agent_at(seat);
        let lead = agent.filter(|agent| self.team.member(*agent).is_lead);
        lead.ok_or_else(|| {
            let leads = self.team.members().filter(|(_, member)| member.is_lead);
            AgentRefusal::NeedsLead(leads.map(|(_, member)| member.name.to_string()).collect())
        })
    }

    fn names_of_those_here(&self) -> Vec<String> {
        let here = self.team.members().filter(|(_, member)| member.is_here());
        here.map(|(_, member)| member.name.to_string()).collect()
    }
}
