//! How many customers an agent may have, and how the desk itself gives customers to agents:
//! `--auto-accept`, `--assign longest-idle` and `--answer-within`.

use crate::core::clock::Now;
use crate::core::report::{AgentRefusal, Presence};
use crate::wire::ConversationId;

use super::controls::Ask;
use super::conversation::Conversation;
use super::groups::GroupId;
use super::{AgentId, Assign, Desk};

impl Desk {
    /// Whether the desk gives customers to its agents by itself.
    pub fn assigns(&self) -> bool {
        self.options.assign == Assign::LongestIdle
    }

    /// With `--auto-accept` the desk accepts a customer by itself, for its own terminal.
    pub(super) fn accept_by_itself(&mut self, id: ConversationId, now: Now) {
        let is_wanted = self.options.auto_accept && self.options.has_terminal;
        if !is_wanted
            || self.conversations[id].planned.is_some()
            || !self.conversations[id].is_connected()
            || self.check_room(AgentId::TERMINAL).is_err()
        {
            return;
        }
        self.own(id, Some(AgentId::TERMINAL));
        self.ask(id, Ask::Accept { by: None }, now);
    }

    /// Whether the agent may have one customer more.
    pub(super) fn check_room(&self, agent: AgentId) -> Result<(), AgentRefusal> {
        if self.options.max_active == usize::MAX {
            return Ok(());
        }
        let is_accepted = |known: &&Conversation| known.is_queued() && known.owner() == Some(agent);
        let accepting = self.conversations.asked().filter(is_accepted);
        let has = self.conversations.count_of(agent) + accepting.count();
        if has < self.options.max_active {
            return Ok(());
        }
        Err(AgentRefusal::Full { agent: self.agent_name(agent), most: self.options.max_active })
    }

    /// With `--assign longest-idle`, gives waiting customers to agents who are free.
    pub(super) fn assign(&mut self, now: Now) {
        if !self.assigns() {
            return;
        }
        while let Some((id, agent)) = self.next_to_assign() {
            self.team.note_given(agent, now);
            if self.conversations[id].is_unowned() {
                self.change_owner(id, Some(agent), None, now);
                self.note_arrival(agent, now);
                self.expect_answer(id, now);
            } else {
                self.own(id, Some(agent));
                self.ask(id, Ask::Accept { by: None }, now);
            }
        }
    }

    /// The customer who has waited longest of those for whom an agent is free, and that agent.
    fn next_to_assign(&self) -> Option<(ConversationId, AgentId)> {
        // If no agent is free for one customer of a group, none is for the others.
        let mut is_full: Vec<_> =
            self.groups.iter().map(|group| self.queue.waiting_in(group) == 0).collect();
        for (id, group) in self.queue.in_groups() {
            if is_full[group.index()] || !self.conversations[id].is_ready() {
                continue;
            }
            if let Some(agent) = self.agent_for(id, group) {
                return Some((id, agent));
            }
            is_full[group.index()] = true;
            if is_full.iter().all(|is_full| *is_full) {
                break;
            }
        }
        None
    }

    /// The agent to whom the desk assigns a customer of this group: the agent who had them before,
    /// or else the agent who has had no new customer for the longest time.
    fn agent_for(&self, id: ConversationId, group: GroupId) -> Option<AgentId> {
        let may = |agent: &AgentId| {
            self.groups.is_for(group, *agent)
                && self.team.member(*agent).is_here()
                && self.check_room(*agent).is_ok()
        };
        self.agent_before(id).filter(may).or_else(|| {
            let free = self.team.members().filter(|(agent, _)| may(agent));
            free.min_by_key(|(_, member)| member.given_at).map(|(agent, _)| agent)
        })
    }

    /// Sets the time by which the agent to whom the desk gave this conversation must answer.
    pub(super) fn expect_answer(&mut self, id: ConversationId, now: Now) {
        let Some(within) = self.options.answer_within else { return };
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.answer_by = Some(now.clock + within);
            self.unanswered.push(id);
        }
    }

    /// Takes conversations from agents who have not answered in time. They are away from now on.
    pub(super) fn take_unanswered(&mut self, now: Now) {
        let answer_by = |id: &ConversationId| {
            let conversation = self.conversations.get(*id).filter(|known| known.is_active());
            conversation.and_then(|known| known.answer_by)
        };
        let late: Vec<_> = self
            .unanswered
            .iter()
            .copied()
            .filter(|id| answer_by(id).is_some_and(|by| now.clock >= by))
            .collect();
        let waits = |id: &ConversationId| answer_by(id).is_some_and(|by| now.clock < by);
        let still: Vec<_> = self.unanswered.iter().copied().filter(waits).collect();
        self.unanswered = still;
        for id in late {
            let Some(agent) = self.conversations[id].owner() else { continue };
            self.mark_away(agent, Some("did not answer"));
            self.tell_presence(agent, Presence::Away, Some("did not answer"));
            self.release(id, now);
            self.review_presence(now);
        }
    }
}
