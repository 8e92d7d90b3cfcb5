//! Customers whom agents have blocked for a time: the desk turns them away by itself.
//!
//! A block applies to one of three things:
//! - one conversation and the later ones of the same customer, as the customer's side proves
//!   (`former`, docs/PROTOCOL.md, "hello");
//! - an identity that a trusted gateway has checked;
//! - a customer's address, but never the address of a gateway.
//!
//! To turn a customer away, the desk closes the conversation. If the customer's side lets only an
//! agent end it (`undo`), the desk first accepts the conversation in no agent's name. No agent is
//! called, and agents see one line about it.

use std::time::Duration;

use crate::core::clock::Now;
use crate::core::command::Criterion;
use crate::core::record::{Blocked, BlockedBy, Ending, Record};
use crate::core::report::{AgentRefusal, DeskNews, Listed, local};
use crate::wire::{ConversationId, Millis};

use super::controls::Ask;
use super::conversation::Conversation;
use super::{Desk, SeatId};

/// The blocks in force. An expired block stays here until the next block is added.
#[derive(Default)]
pub(super) struct Blocks(Vec<Blocked>);

impl Blocks {
    /// The block in force that applies to this conversation.
    fn find(&self, id: ConversationId, known: &Conversation, now: Millis) -> Option<&Blocked> {
        let identity = known.page.as_ref().and_then(|page| page.identity.as_ref()?.user.as_deref());
        let is_known_again = |block: &Blocked| match &block.by {
            BlockedBy::Conversation { latest } => {
                let former = known.former.as_ref().map(|former| former.latest);
                known.ordinal == *latest || former == Some(*latest)
            }
            BlockedBy::Identity(user) => identity == Some(user),
            BlockedBy::Address(address) => known.address == Some(*address),
        };
        let mut in_force = self.0.iter().filter(|block| block.until > now);
        in_force.find(|block| block.conversation == id || is_known_again(block))
    }

    /// Adds a block, and removes the blocks that it replaces and those that have expired. Returns
    /// the conversations of the removed blocks.
    fn add(&mut self, block: Blocked, now: Millis) -> Vec<ConversationId> {
        let goes = |other: &mut Blocked| {
            other.conversation == block.conversation || other.by == block.by || other.until <= now
        };
        let gone = self.0.extract_if(.., goes).map(|other| other.conversation).collect();
        self.0.push(block);
        gone
    }
}

impl Desk {
    /// `/block [#N] [identity|address|conversation] [TIME]`: turns the customer away for this time,
    /// and closes their conversation, if it has not ended. Without a criterion the block applies to
    /// the checked identity, or to the conversation if there is no identity. The caller loads a
    /// conversation that has ended into memory first.
    ///
    /// # Errors
    /// When there is no such conversation, another agent has it, or the desk does not know the
    /// identity or the address to block.
    pub fn block(
        &mut self,
        seat: SeatId,
        on: Option<u32>,
        criterion: Option<Criterion>,
        time: Duration,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let id = match self.target_to_change(seat, on) {
            // An agent may also block a customer whose conversation has ended.
            Err(AgentRefusal::HasEnded(ordinal)) => {
                self.conversations.at(ordinal).ok_or(AgentRefusal::HasEnded(ordinal))?
            }
            target => target?,
        };
        let known = &self.conversations[id];
        let user = known.page.as_ref().and_then(|page| page.identity.as_ref()?.user.clone());
        let who = self.who(id);
        let unknown = |what| AgentRefusal::CannotBlockBy { who, what };
        let by_conversation = BlockedBy::Conversation { latest: known.ordinal };
        let by = match criterion {
            Some(Criterion::Identity) => {
                BlockedBy::Identity(user.ok_or_else(|| unknown("verified identity"))?)
            }
            Some(Criterion::Address) => {
                BlockedBy::Address(known.address.ok_or_else(|| unknown("address"))?)
            }
            Some(Criterion::Conversation) => by_conversation,
            None => user.map_or(by_conversation, BlockedBy::Identity),
        };
        let until = now.wall.saturating_add(time.as_millis() as Millis);
        let (ordinal, called) = (known.ordinal, known.called(id));
        let block = Blocked { conversation: id, ordinal, called, by, until };
        let listed = self.listed_block(&block).to_string();
        self.keep_note(seat, id, &listed);
        self.add_block(block, now);
        if let Some(agent) = self.team.agent_at(seat).filter(|_| !self.is_own(seat, id)) {
            self.tell_agent_news(agent, DeskNews::Blocked(listed));
        }
        if self.is_live(id) {
            self.end(seat, Some(ordinal), Ending::Close, None, now)?;
        }
        // The same customer may wait in other conversations, too.
        let is_blocked = |known: &Conversation, id| {
            known.is_up_for_accept() && self.blocks.find(id, known, now.wall).is_some()
        };
        let live = self.conversations.in_order();
        let others: Vec<_> =
            live.filter(|(id, known)| is_blocked(known, *id)).map(|(_, it)| it.ordinal).collect();
        others.into_iter().try_for_each(|it| self.end(seat, Some(it), Ending::Close, None, now))
    }

    /// `/unblock N`: ends the block on the customer of this conversation.
    ///
    /// # Errors
    /// When this customer is not blocked.
    pub fn unblock(&mut self, seat: SeatId, ordinal: u32) -> Result<(), AgentRefusal> {
        let at = self.blocks.0.iter().position(|block| block.ordinal == ordinal);
        let at = at.ok_or(AgentRefusal::NotBlocked(ordinal))?;
        let block = self.blocks.0.remove(at);
        self.journal(ConversationId::NONE, Record::Unblocked(block.conversation));
        // The latest note would say for ever that the customer is blocked.
        self.journal(block.conversation, Record::Note(self.signed(seat, "unblocked")));
        self.tell_news(DeskNews::Unblocked(format!("#{ordinal} {}", block.called)));
        Ok(())
    }

    /// `/list blocked`: the customers whom the desk turns away.
    pub fn blocked(&self, now: Now) -> Vec<Listed> {
        let in_force = self.blocks.0.iter().filter(|block| block.until > now.wall);
        let listed: Vec<_> = in_force.map(|block| self.listed_block(block)).collect();
        if listed.is_empty() { vec![Listed::NobodyBlocked] } else { listed }
    }

    fn listed_block(&self, block: &Blocked) -> Listed {
        let until = local(block.until, &self.options.zone).to_string();
        Listed::Blocked { block: block.clone(), until }
    }

    /// Turns a customer away who asks for an agent, if a block applies. Returns whether one does.
    /// If agents see the customer already (`is_shown`), they must also see the conversation end.
    pub(super) fn turn_away(&mut self, id: ConversationId, is_shown: bool, now: Now) -> bool {
        let Some(block) = self.blocks.find(id, &self.conversations[id], now.wall).cloned() else {
            self.show_again(id);
            return false;
        };
        self.queue.remove(id);
        self.void_offer(id);
        let Some(conversation) = self.conversations.get_mut(id) else { return false };
        let is_new = block.conversation != id;
        let latest = conversation.ordinal;
        let is_hidden = std::mem::replace(&mut conversation.is_turned_away, !is_shown);
        if !is_hidden && is_new {
            self.tell_news(DeskNews::TurnedAway { who: self.who(id), blocked: block.ordinal });
            self.journal(id, Record::TurnedAway);
        }
        // The customer's next conversation names this one as its `former`, so the block must know
        // this one as its latest.
        if matches!(block.by, BlockedBy::Conversation { latest: known } if known < latest) {
            self.add_block(Blocked { by: BlockedBy::Conversation { latest }, ..block }, now);
        }
        if self.conversations[id].controls.pending().is_none() {
            let may_end = self.conversations[id].may_end_queued;
            self.own(id, None);
            self.ask(id, if may_end { Ask::Close } else { Ask::Accept { by: None } }, now);
        }
        true
    }

    /// Closes a conversation that was accepted to turn its blocked customer away. Returns whether
    /// this is such a conversation.
    pub(super) fn close_turned_away(&mut self, id: ConversationId, now: Now) -> bool {
        let known = &self.conversations[id];
        let is_blocked = self.blocks.find(id, known, now.wall).is_some() && known.is_unowned();
        if is_blocked && known.controls.pending().is_none() {
            self.ask(id, Ask::Close, now);
        }
        is_blocked
    }

    /// Takes over the journal's blocks after a restart, and journals the end of the expired ones.
    pub(super) fn restore_blocks(&mut self, blocks: &[Blocked], now: Now) {
        let (in_force, over): (Vec<_>, Vec<_>) =
            blocks.iter().cloned().partition(|block| block.until > now.wall);
        self.blocks = Blocks(in_force);
        for block in over {
            self.journal(ConversationId::NONE, Record::Unblocked(block.conversation));
        }
    }

    /// After a restart: hides a blocked customer who was waiting. The desk turns the customer away
    /// as soon as they are back. Returns whether it hid the customer.
    pub(super) fn hide_blocked(&mut self, id: ConversationId, now: Now) -> bool {
        let Some(conversation) = self.conversations.get_mut(id) else { return false };
        let is_blocked = self.blocks.find(id, conversation, now.wall).is_some();
        let waits = conversation.is_queued() || conversation.is_unowned();
        conversation.is_turned_away = is_blocked && waits;
        conversation.is_turned_away
    }

    /// Whether the desk hides this conversation from agents.
    pub(super) fn is_turned_away(&self, id: ConversationId) -> bool {
        self.conversations.get(id).is_some_and(|known| known.is_turned_away)
    }

    /// Shows the conversation again, because it has ended or its block has.
    pub(super) fn show_again(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.is_turned_away = false;
        }
    }

    fn add_block(&mut self, block: Blocked, now: Now) {
        for gone in self.blocks.add(block.clone(), now.wall) {
            self.journal(ConversationId::NONE, Record::Unblocked(gone));
        }
        self.journal(ConversationId::NONE, Record::Blocked(Box::new(block)));
    }
}
