//! Which agent has a conversation, and how it goes back to the queue.
//!
//! ```text
//!   nobody (queued) ──accept──▶ one agent ──transfer──▶ another agent
//!        ▲                          │
//!        └──── transfer to the queue, gone, revoked, no answer
//! ```
//!
//! Ownership is kept at the desk alone: on the wire the conversation stays `active` while it goes
//! from one agent to another. The desk tells the customer's side which agent is there
//! (docs/PROTOCOL.md, "agent"). When no agent has the conversation any more, the desk asks the
//! customer's side to let the customer wait again ("Bodies", `requeue`).

use std::time::Instant;

use crate::core::clock::Now;
use crate::core::outcome::Act;
use crate::core::record::Record;
use crate::core::report::{EndingOutcome, Presence, TransferOutcome};
use crate::wire::{ConversationId, Message};

use super::controls::Ask;
use super::{AgentId, Desk, SeatId};

impl Desk {
    /// Whether this seat shows what is said in this conversation: its agent has the conversation or
    /// watches it, or no agent has it.
    pub fn is_shown_at(&self, seat: SeatId, id: ConversationId) -> bool {
        let Some(conversation) = self.conversations.get(id) else { return true };
        let owner = conversation.agent();
        owner.is_none() || owner == self.team.agent_at(seat) || self.is_watched_at(seat, id)
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
        conversation.owner().filter(|_| has_owner).map(|owner| self.agent_name(owner))
    }

    /// The name, as customers see it, of the agent who has this conversation.
    pub(super) fn shown_name(&self, id: ConversationId) -> Option<String> {
        let owner = self.conversations.get(id)?.owner()?;
        self.team.member(owner).shown_as.clone()
    }

    /// Conversations of the agent at this seat, by ordinal.
    pub(super) fn own_conversations(&self, seat: SeatId) -> impl Iterator<Item = ConversationId> {
        let agent = self.team.agent_at(seat);
        agent.into_iter().flat_map(|agent| self.conversations_of(agent))
    }

    /// Conversations that an agent has, by ordinal.
    pub(super) fn conversations_of(&self, agent: AgentId) -> impl Iterator<Item = ConversationId> {
        self.conversations.of(agent)
    }

    /// Sets and journals the agent who has a conversation, or who is accepting it. The agent who
    /// had it before no longer has the customer in focus, and no unread lines of them.
    pub(super) fn own(&mut self, id: ConversationId, owner: Option<AgentId>) {
        if self.conversations.set_owner(id, owner) {
            let record = self.team.record(owner);
            self.journal(id, Record::Owner(record));
            self.team.lose(id);
        }
    }

    /// Shows a conversation to the agent who has it now: the focus moves to it at the seat that
    /// asked for it (`asked`), and at each seat of the agent whose focus is on none of the agent's
    /// customers.
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

    /// Gives this active conversation to another agent, or (`None`) to nobody.
    pub(super) fn change_owner(
        &mut self,
        id: ConversationId,
        to: Option<AgentId>,
        asked: Option<SeatId>,
        now: Now,
    ) {
        self.keep(id, EndingOutcome::Reassigned, now);
        let offer = self.conversations[id].offer.as_ref();
        let is_receiver = offer.is_some_and(|offer| to == Some(offer.to));
        let outcome = if is_receiver { TransferOutcome::Accepted } else { TransferOutcome::Void };
        self.end_offer(id, outcome);
        self.own(id, to);
        self.forget_hold(id, false);
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.answer_by = None;
            conversation.typing.drop_draft();
        }
        self.queue.remove(id);
        match to {
            Some(agent) => {
                self.give(agent, id, asked);
                self.note_lines(agent, id, self.conversations[id].owed().lines(), now);
            }
            None => {
                let group = self.enqueue_first(id, now);
                self.note_waiting(group, now);
            }
        }
        self.tell_state(id, None);
        self.send_agent(id);
        self.requeue(id, now);
    }

    /// Takes the customer from their agent: the customer waits again, before all others.
    pub(super) fn release(&mut self, id: ConversationId, now: Now) {
        let conversation = &self.conversations[id];
        let is_asked = conversation.controls.pending().is_some();
        if conversation.is_active() && !conversation.is_unowned() && !is_asked {
            self.change_owner(id, None, None, now);
        }
    }

    /// If no agent has this conversation, asks the customer's side to let the customer wait again
    /// (docs/PROTOCOL.md, "Bodies"). A customer whose side does not know `requeue` stays `active`.
    pub(super) fn requeue(&mut self, id: ConversationId, now: Now) {
        let conversation = &self.conversations[id];
        let is_asked = conversation.controls.pending().is_some();
        if conversation.is_unowned() && conversation.knows_requeue && !is_asked {
            self.ask(id, Ask::Requeue, now);
        }
    }

    /// Tells the customer's side which agent is there now (docs/PROTOCOL.md, "agent").
    pub(super) fn send_agent(&mut self, id: ConversationId) {
        let conversation = &self.conversations[id];
        let Some(conn) = conversation.connection.filter(|_| conversation.is_active()) else {
            return;
        };
        let is_there = conversation.owner().is_some();
        // If nobody is there, `requeue` tells that to a side that knows it.
        if conversation.knows_agents && (is_there || !conversation.knows_requeue) {
            let name = self.shown_name(id);
            let on_hold = conversation.is_on_hold;
            self.act(Act::Send(conn, Message::Agent { name, is_there, on_hold }));
        }
    }

    /// Ends the offers whose time is over, takes customers from agents who did not answer in time,
    /// and gives the customers of agents who are gone back to the queue.
    pub(super) fn review_ownership(&mut self, now: Now) {
        let is_over = |id: &&ConversationId| {
            let offer = self.conversations.get(**id).and_then(|known| known.offer.as_ref());
            offer.is_none_or(|offer| now.clock >= offer.until)
        };
        let over: Vec<_> = self.offered.iter().filter(is_over).copied().collect();
        for id in over {
            self.end_offer(id, TransferOutcome::Late);
        }
        self.take_unanswered(now);
        for agent in self.team.take_gone(now) {
            // An agent who was never here and has no customer is not reported as gone.
            let is_news =
                self.team.member(agent).was_here() || self.conversations.count_of(agent) > 0;
            if is_news && self.team.is_shared() {
                self.tell_presence(agent, Presence::Gone, None);
            }
            self.release_all(agent, now);
        }
    }

    /// When [`review_ownership`](Desk::review_ownership) has something to do next.
    pub(super) fn ownership_deadline(&self) -> Option<Instant> {
        let offers = self.offered.iter().filter_map(|id| self.conversations.get(*id));
        let offers = offers.filter_map(|known| known.offer.as_ref()).map(|offer| offer.until);
        let answers =
            self.unanswered.iter().filter_map(|id| self.conversations.get(*id)?.answer_by);
        offers.chain(answers).chain(self.team.deadline()).min()
    }

    /// Gives all customers of an agent back to the queue.
    pub(super) fn release_all(&mut self, agent: AgentId, now: Now) {
        let theirs: Vec<_> = self.conversations_of(agent).collect();
        // Each one goes before all others, so the lowest ordinal must be released last.
        theirs.into_iter().rev().for_each(|id| self.release(id, now));
    }
}
