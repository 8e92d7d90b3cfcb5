//! The conversations that a desk has in memory: by id, by ordinal, and which of them the desk's
//! agents have.
//!
//! Each change updates who has which conversation and which controls have no answer. So a turn of a
//! desk with many conversations looks only at the conversations that it touches.

use std::collections::{BTreeMap, HashMap};
use std::ops::Index;

use crate::wire::{ConversationId, IdMap, IdSet};

use super::conversation::Conversation;
use super::team::AgentId;

/// The conversations in memory. A conversation that has left is in the journal.
#[derive(Default)]
pub(super) struct Roster {
    by_id: IdMap<ConversationId, Conversation>,
    /// Conversation ids by ordinal, starting at 1. A conversation without an entry has none.
    by_ordinal: BTreeMap<u32, ConversationId>,
    /// Conversations that this desk's agents have, by ordinal.
    active: BTreeMap<u32, ConversationId>,
    /// The same conversations, for each agent.
    by_agent: HashMap<AgentId, BTreeMap<u32, ConversationId>>,
    /// The agent under whom `by_agent` has an ordinal.
    agents: HashMap<u32, AgentId>,
    /// Conversations in which a control of this desk has no answer yet.
    asked: IdSet<ConversationId>,
    /// The highest ordinal that this desk has given.
    highest_ordinal: u32,
}

impl Index<ConversationId> for Roster {
    type Output = Conversation;

    /// A conversation that must be in memory: the queue and the focus name no other.
    fn index(&self, id: ConversationId) -> &Conversation {
        &self.by_id[&id]
    }
}

impl Roster {
    pub(super) fn get(&self, id: ConversationId) -> Option<&Conversation> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConversationId) -> Option<&mut Conversation> {
        self.by_id.get_mut(&id)
    }

    /// The conversation with this id, which `begin` makes if there is none.
    pub(super) fn get_or_begin(
        &mut self,
        id: ConversationId,
        begin: impl FnOnce() -> Conversation,
    ) -> &mut Conversation {
        self.by_id.entry(id).or_insert_with(begin)
    }

    /// Adds a conversation that has an ordinal.
    pub(super) fn insert(&mut self, id: ConversationId, conversation: Conversation) {
        self.highest_ordinal = self.highest_ordinal.max(conversation.ordinal);
        self.by_ordinal.insert(conversation.ordinal, id);
        self.by_id.insert(id, conversation);
        self.note_change(id);
    }

    /// Removes a conversation that leaves memory.
    pub(super) fn remove(&mut self, id: ConversationId) {
        if let Some(conversation) = self.by_id.remove(&id) {
            self.by_ordinal.remove(&conversation.ordinal);
            self.active.remove(&conversation.ordinal);
            self.file(conversation.ordinal, id, None);
            self.asked.remove(&id);
        }
    }

    /// Skips the ordinals that the desk gave before its restart: those up to this one.
    pub(super) fn skip_ordinals(&mut self, highest: u32) {
        self.highest_ordinal = highest;
    }

    /// Gives a conversation its ordinal, with its first entry. True when it had none before.
    pub(super) fn give_ordinal(&mut self, id: ConversationId) -> bool {
        let Some(conversation) = self.by_id.get_mut(&id).filter(|known| known.ordinal == 0) else {
            return false;
        };
        self.highest_ordinal += 1;
        conversation.ordinal = self.highest_ordinal;
        self.by_ordinal.insert(self.highest_ordinal, id);
        true
    }

    /// Whether this desk ever gave this ordinal.
    pub(super) fn was_given(&self, ordinal: u32) -> bool {
        (1..=self.highest_ordinal).contains(&ordinal)
    }

    /// Gives this conversation to another agent, or to nobody. Returns whether that is a change.
    pub(super) fn set_owner(&mut self, id: ConversationId, owner: Option<AgentId>) -> bool {
        let Some(conversation) = self.by_id.get_mut(&id) else { return false };
        let is_news = conversation.set_owner(owner) != owner;
        self.note_change(id);
        is_news
    }

    /// Notes who has this conversation, after its controls changed or its customer was given up.
    pub(super) fn note_change(&mut self, id: ConversationId) {
        let Some(conversation) = self.by_id.get(&id) else { return };
        let (ordinal, agent) = (conversation.ordinal, conversation.agent());
        if conversation.is_active() {
            self.active.insert(ordinal, id);
        } else {
            self.active.remove(&ordinal);
        }
        if conversation.is_asked() {
            self.asked.insert(id);
        } else {
            self.asked.remove(&id);
        }
        self.file(ordinal, id, agent);
    }

    /// Files the conversation under this agent, or under nobody.
    fn file(&mut self, ordinal: u32, id: ConversationId, agent: Option<AgentId>) {
        let former = match agent {
            Some(agent) => self.agents.insert(ordinal, agent),
            None => self.agents.remove(&ordinal),
        };
        if former == agent {
            return;
        }
        if let Some(theirs) = former.and_then(|former| self.by_agent.get_mut(&former)) {
            theirs.remove(&ordinal);
        }
        if let Some(agent) = agent {
            self.by_agent.entry(agent).or_default().insert(ordinal, id);
        }
    }

    /// The conversation with this ordinal.
    pub(super) fn at(&self, ordinal: u32) -> Option<ConversationId> {
        self.by_ordinal.get(&ordinal).copied()
    }

    /// All conversations, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ConversationId, &Conversation)> {
        self.by_id.iter().map(|(id, conversation)| (*id, conversation))
    }

    /// Conversations that have an entry, by ordinal.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (ConversationId, &Conversation)> {
        self.by_ordinal.values().map(|id| (*id, &self.by_id[id]))
    }

    /// Conversations that agents have, by ordinal.
    pub(super) fn active(&self) -> impl ExactSizeIterator<Item = ConversationId> {
        self.active.values().copied()
    }

    /// Conversations that this agent has, by ordinal.
    pub(super) fn of(&self, agent: AgentId) -> impl Iterator<Item = ConversationId> {
        self.by_agent.get(&agent).into_iter().flat_map(|theirs| theirs.values().copied())
    }

    /// How many conversations this agent has.
    pub(super) fn count_of(&self, agent: AgentId) -> usize {
        self.by_agent.get(&agent).map_or(0, BTreeMap::len)
    }

    /// Conversations in which a control of this desk has no answer yet, in no order.
    pub(super) fn asked(&self) -> impl Iterator<Item = &Conversation> {
        self.asked.iter().map(|id| &self.by_id[id])
    }

    /// Whether no conversation is in memory.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let is_filed = self.by_agent.values().any(|theirs| !theirs.is_empty());
        let has_some = is_filed || !self.agents.is_empty() || !self.asked.is_empty();
        self.by_id.is_empty() && self.by_ordinal.is_empty() && self.active.is_empty() && !has_some
    }
}
