//! How a conversation goes from one agent to another: offers, and leads who take it over. Also how
//! leads watch one.
//!
//! ```text
//!   one agent, or the queue ──transfer──▶ offered ──accept──▶ the other agent
//!       ▲                                    │
//!       └──────── declined, late, void ──────┘
//! ```
//!
//! An offer ends after [`OFFERED_FOR`], when the conversation changes its state or owner, or when
//! the desk restarts. The journal has the offer, so that the restarted desk can tell both agents
//! that it is void. It says who of them has not read that yet, until both have.

use std::time::{Duration, Instant};

use crate::core::agent::QUEUE;
use crate::core::clock::Now;
use crate::core::department::Department;
use crate::core::record::{Offered, Record, Untold};
use crate::core::report::{AgentRefusal, EndingOutcome, Report, TransferOutcome};
use crate::core::text::is_same;
use crate::wire::ConversationId;

use super::{AgentId, Desk, SeatId};

/// An offer that nobody accepts ends after this time.
pub const OFFERED_FOR: Duration = Duration::from_secs(30);

/// A conversation that one agent has offered to another one.
pub(super) struct Offer {
    /// The agent who offers the conversation.
    pub(super) from: AgentId,
    /// The agent who may accept it.
    pub(super) to: AgentId,
    /// When the offer ends.
    pub(super) until: Instant,
}

/// An offer that became void when the desk stopped, for one of the two agents, who has not read
/// that yet.
pub(super) struct VoidOffer {
    agent: AgentId,
    conversation: ConversationId,
    /// Whether this agent is the one who was to get the conversation.
    is_to_me: bool,
    report: Report,
    /// The report was sent to a screen of the agent's.
    is_told: bool,
}

impl Desk {
    /// `/transfer [#N] NAME NOTE`: offers a conversation to another agent, or gives its customer
    /// back to the queue, perhaps for another department. The beginning of an agent's name is
    /// enough if it fits only one agent and is no department.
    ///
    /// # Errors
    /// When there is no such conversation, agent or department, or the agent is not here or has as
    /// many customers as `--max-active` allows.
    pub fn transfer(
        &mut self,
        seat: SeatId,
        on: Option<u32>,
        to: &str,
        note: Option<&str>,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let id = self.target_to_change(seat, on)?;
        let from = self.team.agent_at(seat).ok_or(AgentRefusal::NothingOpen)?;
        if is_same(to, QUEUE) {
            return self.give_back(seat, id, None, note, now);
        }
        let named = self.team.find(to);
        let text = format!("{to} {}", note.unwrap_or_default());
        if let Some((department, note)) = self.groups.find_department(&text)
            && (named.is_none() || !is_same(department.as_str(), to))
        {
            return self.give_back(seat, id, Some(department), note, now);
        }
        let to = named.or_else(|| self.team.find_named(to)).ok_or_else(|| {
            let departments = self.groups.departments().map(ToString::to_string).collect();
            AgentRefusal::NoSuchAgent { name: to.to_owned(), departments }
        })?;
        if from == to {
            return Err(AgentRefusal::ToYourself);
        }
        if !self.team.member(to).is_here() {
            let agent = self.agent_name(to);
            return Err(AgentRefusal::NotHere { agent, here: self.names_of_those_here() });
        }
        self.check_room(to)?;
        note.iter().for_each(|note| self.keep_note(seat, id, note));
        self.keep(id, EndingOutcome::Reassigned, now);
        self.void_offer(id);
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.offer = Some(Box::new(Offer { from, to, until: now.clock + OFFERED_FOR }));
        }
        self.offered.push(id);
        let name = |agent| self.team.member(agent).name.clone();
        let offered = Offered { from: name(from), to: name(to), void: None };
        self.journal(id, Record::Offered(Some(Box::new(offered))));
        self.tell_transfer(id, (from, to), TransferOutcome::Offered, note);
        // Only the receiver is called: no other agent can accept the offer.
        self.team.member_mut(to).alerts.note_arrival(now);
        Ok(())
    }

    /// Gives the agent's customer back to the queue, perhaps for the agents of another department. If
    /// the customer is in the queue already, they only wait for other agents from now on.
    fn give_back(
        &mut self,
        seat: SeatId,
        id: ConversationId,
        department: Option<Department>,
        note: Option<&str>,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let waits = self.queue.has(id) && self.conversations[id].is_up_for_accept();
        if !self.is_own(seat, id) && (!waits || department.is_none()) {
            return Err(AgentRefusal::NotYours(self.who(id)));
        }
        note.iter().for_each(|note| self.keep_note(seat, id, note));
        if let (Some(department), Some(known)) = (department, self.conversations.get_mut(id)) {
            known.controls.send_to(department.clone());
            self.journal(id, Record::Department(Some(department)));
        }
        if waits {
            let group = self.group(id);
            self.queue.set_group(id, group);
            self.tell_state(id, None);
            self.call_for(id, group, now);
        } else {
            self.release(id, now);
        }
        Ok(())
    }

    /// `/decline N`: the agent refuses the conversation that they were offered.
    ///
    /// # Errors
    /// When this conversation is not offered to the agent.
    pub fn decline(&mut self, seat: SeatId, ordinal: u32) -> Result<(), AgentRefusal> {
        let id = self.find_live(ordinal)?;
        if !self.is_offered(seat, id) {
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
        let id = self.find_live(ordinal)?;
        let lead = self.lead_at(seat)?;
        let conversation = &self.conversations[id];
        let Some(owner) = conversation.owner().filter(|_| conversation.is_active()) else {
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
        self.tell_transfer(id, (owner, lead), TransferOutcome::TakenOver, Some(reason));
        self.change_owner(id, Some(lead), Some(seat), now);
        Ok(())
    }

    /// `/watch N`: a lead begins to watch a conversation, or stops if they watch it already.
    ///
    /// # Errors
    /// When the agent is no lead, or the conversation's customer neither waits nor talks.
    pub fn toggle_watch(
        &mut self,
        seat: SeatId,
        ordinal: u32,
    ) -> Result<ConversationId, AgentRefusal> {
        let id = self.find_live(ordinal)?;
        self.lead_at(seat)?;
        let Some(at) = self.team.seat_mut(seat) else { return Ok(id) };
        let before = at.watched.len();
        at.watched.retain(|watched| *watched != id);
        if at.watched.len() == before {
            at.watched.push(id);
        }
        Ok(id)
    }

    /// A terminal is back at which this conversation was watched. Returns whether it is again:
    /// its agent is still a lead, and another agent's customer waits or talks there.
    pub fn watch_again(&mut self, seat: SeatId, id: ConversationId) -> bool {
        let may = self.lead_at(seat).is_ok() && self.is_live(id) && !self.is_own(seat, id);
        let Some(at) = self.team.seat_mut(seat).filter(|_| may) else { return false };
        if !at.watched.contains(&id) {
            at.watched.push(id);
        }
        true
    }

    /// The conversations that are watched at this seat.
    pub fn watched_at(&self, seat: SeatId) -> &[ConversationId] {
        self.team.seat(seat).map_or(&[], |seat| &seat.watched)
    }

    /// Whether this conversation is offered to the agent at this seat.
    pub(super) fn is_offered(&self, seat: SeatId, id: ConversationId) -> bool {
        let offer = self.conversations[id].offer.as_ref();
        offer.is_some_and(|offer| self.team.agent_at(seat) == Some(offer.to))
    }

    /// Whether a lead watches this conversation at this seat.
    pub fn is_watched_at(&self, seat: SeatId, id: ConversationId) -> bool {
        self.team.seat(seat).is_some_and(|seat| seat.watched.contains(&id))
    }

    /// The first of the conversations that others offer to this agent.
    pub(super) fn first_offer(&self, agent: AgentId) -> Option<ConversationId> {
        let is_to = |id: &ConversationId| {
            let offer = self.conversations.get(*id).and_then(|known| known.offer.as_ref());
            offer.is_some_and(|offer| offer.to == agent)
        };
        self.offered.iter().copied().find(is_to)
    }

    /// Ends the offer of a conversation, if there is one, because the conversation has changed.
    pub(super) fn void_offer(&mut self, id: ConversationId) {
        self.end_offer(id, TransferOutcome::Void);
    }

    /// Ends the offer of a conversation, if there is one, and tells both agents the outcome.
    pub(super) fn end_offer(&mut self, id: ConversationId, outcome: TransferOutcome) {
        self.offered.retain(|offered| *offered != id);
        let offer = self.conversations.get_mut(id).and_then(|known| known.offer.take());
        if let Some(offer) = offer {
            self.journal(id, Record::Offered(None));
            self.tell_transfer(id, (offer.from, offer.to), outcome, None);
        }
    }

    /// Ends an offer that was open when the desk stopped, and keeps a note about that. The desk
    /// tells each of the two agents as soon as that agent signs in. If it was started again before
    /// that, it tells those who have not read it.
    pub(super) fn void_after_restart(&mut self, id: ConversationId, offered: Option<&Offered>) {
        let Some(Offered { from, to, void }) = offered else { return };
        if void.is_none() {
            let rest = match self.owner_name(id) {
                Some(owner) => format!("{owner} has the customer still"),
                None => "the customer still waits".to_owned(),
            };
            let note = format!("not transferred to {to}: the desk ended before that; {rest}");
            self.journal(id, Record::Note(note));
        }
        let is_hidden = self.is_turned_away(id);
        let untold = void.unwrap_or(Untold::Both);
        let both = [(from, false, Untold::Receiver), (to, true, Untold::Giver)];
        for (name, is_to_me, other) in both {
            let agent = self.team.find(name).filter(|_| !is_hidden && untold != other);
            if let Some(agent) = agent {
                let names = (from.to_string(), to.to_string());
                let report = self.transfer_report(id, names, TransferOutcome::Void, None, is_to_me);
                let conversation = id;
                let void = VoidOffer { agent, conversation, is_to_me, report, is_told: false };
                self.void_offers.push(void);
            }
        }
        self.note_untold(id, (from, to));
    }

    /// Journals who has not read yet that the offer between these two agents became void when the
    /// desk stopped. A later offer of the conversation is kept in its place.
    fn note_untold(&mut self, id: ConversationId, (from, to): (&str, &str)) {
        if self.conversations.get(id).is_some_and(|known| known.offer.is_some()) {
            return;
        }
        let mut of_it = self.void_offers.iter().filter(|void| void.conversation == id);
        let void = match (of_it.next(), of_it.next()) {
            (None, _) => None,
            (Some(void), None) if void.is_to_me => Some(Untold::Receiver),
            (Some(_), None) => Some(Untold::Giver),
            (Some(_), Some(_)) => Some(Untold::Both),
        };
        let offered = |void| Offered { from: from.into(), to: to.into(), void: Some(void) };
        self.journal(id, Record::Offered(void.map(|void| Box::new(offered(void)))));
    }

    /// Tells the agent at this seat which of their offers became void when the desk stopped.
    pub(super) fn tell_void_offers(&mut self, seat: SeatId) {
        let Some(agent) = self.team.agent_at(seat) else { return };
        let theirs = self.void_offers.iter_mut().filter(|void| void.agent == agent);
        let reports: Vec<_> = theirs
            .map(|void| {
                void.is_told = true;
                void.report.clone()
            })
            .collect();
        reports.into_iter().for_each(|report| self.tell_agent(agent, report));
    }

    /// The screen at this seat has shown what was told there: the void offers among it are not told
    /// again.
    pub(super) fn void_offers_shown(&mut self, seat: SeatId) {
        let Some(agent) = self.team.agent_at(seat) else { return };
        let is_shown = |void: &mut VoidOffer| void.agent == agent && void.is_told;
        let shown: Vec<_> = self.void_offers.extract_if(.., is_shown).collect();
        for VoidOffer { conversation, report, .. } in shown {
            if let Report::Transfer { from, agent, .. } = report {
                self.note_untold(conversation, (&from, &agent));
            }
        }
    }

    /// Tells both agents of a transfer, the giver and the receiver, its outcome.
    pub(super) fn tell_transfer(
        &mut self,
        id: ConversationId,
        (from, to): (AgentId, AgentId),
        outcome: TransferOutcome,
        note: Option<&str>,
    ) {
        let names = || (self.agent_name(from), self.agent_name(to));
        let report = |is_to_me| self.transfer_report(id, names(), outcome, note, is_to_me);
        let (to_giver, to_other) = (report(false), report(true));
        self.tell_agent(from, to_giver);
        self.tell_agent(to, to_other);
    }

    /// The report of a transfer's outcome for the receiver (`is_to_me`), or else for the giver.
    fn transfer_report(
        &self,
        id: ConversationId,
        (from, agent): (String, String),
        outcome: TransferOutcome,
        note: Option<&str>,
        is_to_me: bool,
    ) -> Report {
        let conversation = &self.conversations[id];
        Report::Transfer {
            conversation: id,
            ordinal: Some(conversation.ordinal),
            customer: Some(conversation.called(id)),
            from,
            agent,
            outcome,
            note: note.map(str::to_owned),
            is_to_me,
        }
    }

    pub(super) fn lead_at(&self, seat: SeatId) -> Result<AgentId, AgentRefusal> {
        let agent = self.team.agent_at(seat);
        let lead = agent.filter(|agent| self.team.member(*agent).is_lead);
        lead.ok_or_else(|| {
            let leads = self.team.members().filter(|(_, member)| member.is_lead);
            AgentRefusal::NeedsLead(leads.map(|(_, member)| member.name.to_string()).collect())
        })
    }
}
