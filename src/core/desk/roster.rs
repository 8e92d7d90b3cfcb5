//! The conversations that a desk has in memory: by id, by ordinal, and which of them the desk's
//! agents have.

use std::collections::{BTreeMap, HashMap};
use std::ops::Index;

use crate::wire::ConversationId;

use super::conversation::Conversation;

/// The conversations in memory. A conversation that has left is in the journal.
#[derive(Default)]
pub(super) struct Roster {
    by_id: HashMap<ConversationId, Conversation>,
    /// Conversation ids by ordinal, starting at 1. A conversation without an entry has none.
    by_ordinal: BTreeMap<u32, ConversationId>,
    /// Conversations that this desk's agents have, by ordinal.
    active: BTreeMap<u32, ConversationId>,
    /// The highest ordinal that this desk has given.
    highest_ordinal: u32,
}

impl Index<ConversationId> for Roster {
    type Output = Conversation;

    /// A conversation that the caller knows to be in memory: the queue and the focus name no other.
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
        self.note_active(id);
    }

    /// The conversation has left memory.
    pub(super) fn remove(&mut self, id: ConversationId) {
        if let Some(conversation) = self.by_id.remove(&id) {
            self.by_ordinal.remove(&conversation.ordinal);
            self.active.remove(&conversation.ordinal);
        }
    }

    /// The desk gave the ordinals up to this one before its restart.
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

    /// Notes whether an agent has this conversation, after its controls changed.
    pub(super) fn note_active(&mut self, id: ConversationId) {
        let Some(conversation) = self.by_id.get(&id) else { return };
        if conversation.is_active() {
            self.active.insert(conversation.ordinal, id);
        } else {
            self.active.remove(&conversation.ordinal);
        }
    }

    /// The conversation with this ordinal.
    pub(super) fn at(&self, ordinal: u32) -> Option<ConversationId> {
        self.by_ordinal.get(&ordinal).copied()
    }

    /// All conversations, without an order.
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

    /// Whether no conversation is in memory.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.by_ordinal.is_empty() && self.active.is_empty()
    }
}
