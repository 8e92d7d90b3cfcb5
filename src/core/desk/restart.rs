//! What the desk reads from the journal: after a restart the customers whom it waits for, and later
//! each customer who had left memory and says hello again.
//!
//! A stranger may begin and end conversations all day. So a conversation that is over, and whose
//! customer has all lines that an agent typed, leaves memory (`forget`). At the next hello it is
//! read again from the journal (`recall`, before the hello is `received`).

use std::collections::HashMap;

use crate::core::clock::Now;
use crate::core::record::{Line, Offset, Restart, Story};
use crate::wire::{Body, ConversationId, DeskId};

use super::conversation::Conversation;
use super::seat::Seat;
use super::{Desk, Options};

impl Desk {
    /// A desk as a restart finds it in the journal: its queue in the old order, its conversations
    /// and its focus.
    pub fn restore(id: DeskId, options: Options, restart: &Restart, now: Now) -> Desk {
        let mut desk = Desk::new(id, options, now);
        let mut waiting = Vec::new();
        desk.conversations.skip_ordinals(restart.begun);
        for story in &restart.stories {
            desk.recall(story, now);
            if desk.conversations[story.id].is_queued() {
                waiting.push((offset_of_request(story), story.id));
            }
            desk.review_slot(story.id);
        }
        desk.forget();
        waiting.sort_unstable();
        for (_, id) in waiting {
            desk.queue.push(id);
            desk.watch(id, now);
        }
        let is_active =
            |id: &ConversationId| desk.conversations.get(*id).is_some_and(Conversation::is_active);
        let focus = restart.focus.filter(is_active);
        let unanswered =
            desk.conversations.active().map(|id| (id, desk.conversations[id].owed().lines()));
        desk.seat = Seat::restore(focus, unanswered);
        desk.alerts.note(now);
        desk
    }

    /// Whether this conversation is in memory. Of one that is not, the journal may have a story.
    pub fn knows(&self, id: ConversationId) -> bool {
        self.conversations.get(id).is_some()
    }

    /// Takes a conversation into memory as the journal has it.
    pub fn recall(&mut self, story: &Story, now: Now) {
        self.conversations.insert(story.id, Conversation::restore(self.id, story, now));
        // A stranger who says hello with another customer's id is turned away: the conversation
        // leaves memory again.
        self.leave_candidates.push(story.id);
    }

    /// Everything is committed and shown: conversations whose customers have left leave memory.
    pub(super) fn forget(&mut self) {
        for id in std::mem::take(&mut self.leave_candidates) {
            if self.conversations.get(id).is_some_and(Conversation::has_left) {
                self.conversations.remove(id);
                // A customer who came and went within a backlog that never ended was not announced,
                // so the focus may still be theirs.
                self.seat.lose(id);
            }
        }
    }

    /// Shows the state of every live conversation, after a restart.
    pub fn tell_states(&mut self) {
        let positions: HashMap<_, _> = self.queue.positions().collect();
        let in_order = self.conversations.in_order();
        let live: Vec<_> =
            in_order.filter(|(_, known)| known.is_live()).map(|(id, _)| id).collect();
        for id in live {
            self.tell_state_at(id, positions.get(&id).copied(), None);
            if self.conversations[id].owed().lines() > 0 {
                self.tell_unanswered(id);
            }
        }
    }
}

/// Where in the journal the customer's latest request is: the queue has the order of these.
fn offset_of_request(story: &Story) -> Offset {
    let is_request = |line: &&Line| {
        let is_requested = |body: &Body| matches!(body, Body::Requested { .. });
        !line.own && line.entry().is_some_and(|entry| is_requested(&entry.body))
    };
    story.controls.iter().rfind(is_request).map_or(Offset::START, |line| line.offset)
}
