//! What the journal gives back: at a restart who is waited for, later who had left memory and is
//! back.
//!
//! A stranger may begin and end conversations all day. Who is gone, and owed nothing that was
//! typed, leaves memory (`forget`) and is read again from the journal at the next hello (`recall`,
//! before it is `received`).

use std::collections::HashMap;

use super::{Ask, Conversation, Desk, Open, Options, Phase};
use crate::core::clock::Now;
use crate::core::delivery::{Delivery, Idle, LIFETIME};
use crate::core::record::{Line, Offset, Restart};
use crate::core::record::{Story, What};
use crate::wire::{Body, ConversationId, DeskId, Entry};

impl Desk {
    /// A desk as a restart finds it in the journal: its queue in the old order, its conversations
    /// and its focus.
    pub fn restore(id: DeskId, options: Options, restart: &Restart, now: Now) -> Desk {
        let mut desk = Desk::new(id, options, now);
        let mut waiting = Vec::new();
        desk.begun = restart.begun;
        for story in &restart.stories {
            desk.recall(story, now);
            let conversation = &desk.conversations[&story.id];
            if conversation.phase == Phase::Queued && !conversation.asleep {
                let request = |line: &&Line| {
                    !line.own
                        && line
                            .entry()
                            .is_some_and(|entry| matches!(entry.body, Body::Requested { .. }))
                };
                waiting.push((
                    story.controls.iter().rfind(request).map_or(Offset::START, |line| line.offset),
                    story.id,
                ));
            }
            desk.review(story.id);
        }
        desk.forget();
        waiting.sort_unstable();
        desk.queue = waiting.into_iter().map(|(_, id)| id).collect();
        for id in desk.queue.clone() {
            desk.watch(id, now);
        }
        desk.focus = restart
            .focus
            .filter(|id| desk.conversations.get(id).is_some_and(Conversation::is_active));
        desk
    }

    /// Whether this conversation is in memory. Of one that is not, the journal may have a story.
    pub fn knows(&self, id: ConversationId) -> bool {
        self.conversations.contains_key(&id)
    }

    /// A conversation as the journal has it.
    pub fn recall(&mut self, story: &Story, now: Now) {
        let mut conversation = Conversation::new(story.secret, now);
        conversation.ordinal = story.ordinal;
        conversation.idle = Idle { before: story.idle, since: now.clock, noted: story.idle };
        conversation.asleep = story.idle >= LIFETIME;
        conversation.name = story.name.as_deref().map(Into::into);
        conversation.last = story.own;
        conversation.typed = story.typed;
        conversation.held = story.held;
        conversation.delivery = Delivery::restore(
            story.delivered.max(story.held),
            story.theirs.first().map_or(0, |(_, last)| *last),
            story.own,
        );
        for line in &story.controls {
            if let What::Entry(_, entry) = &line.what {
                conversation.recall(self.id, line.own, entry);
            }
        }
        conversation.told = (conversation.phase, conversation.request);
        self.begun = self.begun.max(story.ordinal);
        self.ordinals.insert(story.ordinal, story.id);
        self.conversations.insert(story.id, conversation);
        self.note_talking(story.id);
        // Who says hello with another's id is turned away, and nothing of it stays.
        self.parted.push(story.id);
    }

    /// Everything is recorded and told: who has left for now leaves memory, too.
    pub(super) fn forget(&mut self) {
        for id in std::mem::take(&mut self.parted) {
            if self.conversations.get(&id).is_some_and(Conversation::has_left)
                && let Some(conversation) = self.conversations.remove(&id)
            {
                self.ordinals.remove(&conversation.ordinal);
                self.talking.remove(&conversation.ordinal);
                // Who came and went within a backlog that never ended was never announced to have
                // left.
                self.lose_focus(id);
            }
        }
    }

    /// Tells where every live conversation is, after a restart.
    pub fn tell_states(&mut self) {
        let places: HashMap<_, _> = self.positions().collect();
        let ids: Vec<_> = self.ordinals.values().copied().collect();
        for id in ids {
            if self.conversations[&id].is_live() {
                self.tell_state_at(id, places.get(&id).copied(), None);
            }
        }
    }
}

impl Conversation {
    /// Not connected, not waited for, and has every line that an admin typed.
    fn has_left(&self) -> bool {
        let is_over = !self.is_live() && self.delivery.acked() >= self.typed;
        self.link.is_none() && (self.asleep || is_over)
    }

    /// What an entry made of the state, when it was recorded.
    fn recall(&mut self, desk: DeskId, own: bool, entry: &Entry) {
        let asked = match &entry.body {
            Body::Accept { .. } => Some(Ask::Accept { by_admin: true }),
            Body::HandBack { .. } => Some(Ask::HandBack),
            Body::Close { .. } => Some(Ask::Close),
            _ => None,
        };
        match asked {
            Some(asked) if own => self.open = Some(Open { number: entry.number, asked }),
            _ if own => {}
            _ => self.learn_control(desk, entry),
        }
    }
}
