//! When a customer comes back, the desk at first calls only the agent who had them before.
//!
//! Any other agent may still accept the customer. If the customer still waits after
//! [`CALLED_ALONE_FOR`], or when that agent leaves, the desk calls the other agents. With `--assign
//! longest-idle` the desk calls nobody: it gives the customer to that agent, if the agent is free
//! (`assign`).

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::report::{DeskNews, News, Report};
use crate::wire::{ConversationId, Number};

use super::conversation::Conversation;
use super::groups::GroupId;
use super::{AgentId, Assign, Desk};

/// How long the desk calls only the agent who had the customer before.
pub const CALLED_ALONE_FOR: Duration = Duration::from_secs(30);

/// A waiting customer for whom only one agent is called.
pub(super) struct CalledAlone {
    id: ConversationId,
    /// The customer's request for an agent. A later request means a new wait.
    request: Number,
    agent: AgentId,
    until: Instant,
}

impl Desk {
    /// The agent who had this customer last, in this conversation or in the one before it.
    pub(super) fn agent_before(&self, id: ConversationId) -> Option<AgentId> {
        let conversation = &self.conversations[id];
        if conversation.had_agent() {
            return conversation.owner();
        }
        self.team.owner(conversation.former.as_ref()?.agent.as_ref()?)
    }

    /// A customer of this group begins to wait. Calls the agent who had the customer before, or all
    /// agents of the group if that agent is not free.
    pub(super) fn call_for(&mut self, id: ConversationId, group: GroupId, now: Now) {
        let is_free = |agent: &AgentId| {
            let is_here = self.team.member(*agent).is_here() && self.check_room(*agent).is_ok();
            is_here && self.groups.is_for(group, *agent)
        };
        let before = self.agent_before(id).filter(|_| self.options.assign == Assign::Pull);
        let Some(agent) = before.filter(is_free) else {
            self.note_waiting(group, now);
            return self.tell_call(id, 0);
        };
        let conversation = &self.conversations[id];
        let (request, called) = (conversation.controls.request(), conversation.called(id));
        let until = now.clock + CALLED_ALONE_FOR;
        self.called_alone.push(CalledAlone { id, request, agent, until });
        self.note_arrival(agent, now);
        self.tell_agent(agent, Report::Call { text: News::Desk(DeskNews::Called(called)) });
    }

    /// Calls the other agents for each customer whom the former agent did not accept in time.
    pub(super) fn review_called_alone(&mut self, now: Now) {
        let called = std::mem::take(&mut self.called_alone);
        let (due, still): (Vec<_>, Vec<_>) = called.into_iter().partition(|called| {
            now.clock >= called.until || !self.team.member(called.agent).is_here()
        });
        self.called_alone = still;
        for CalledAlone { id, request, .. } in due {
            let still_waits = |known: &Conversation| {
                known.controls.request() == request && known.is_up_for_accept()
            };
            let group = self
                .queue
                .group(id)
                .filter(|_| self.conversations.get(id).is_some_and(still_waits));
            if let Some(group) = group {
                self.note_waiting(group, now);
                self.tell_call(id, 0);
            }
        }
    }

    /// When [`review_called_alone`](Desk::review_called_alone) has something to do next.
    pub(super) fn called_alone_deadline(&self) -> Option<Instant> {
        self.called_alone.iter().map(|called| called.until).min()
    }
}
