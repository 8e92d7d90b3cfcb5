//! What the desk reads from the journal: after a restart all unfinished conversations, and later
//! the conversation of each customer who had left memory and says hello again.
//!
//! A stranger may begin and end conversations all day. So a conversation that is over, and whose
//! customer has all lines that an agent typed, leaves memory (`forget`). At the next hello it is
//! read again from the journal (`recall`, before the hello is `received`).

use crate::core::clock::Now;
use crate::core::record::{Line, Offset, Restart, Story};
use crate::core::report::Report;
use crate::wire::{Body, ConversationId, DeskId, IdMap};

use super::conversation::Conversation;
use super::{AgentId, Desk, Options, SeatId};

impl Desk {
    /// A desk as a restart finds it in the journal: its queue in the old order, its conversations
    /// and its focus.
    pub fn restore(id: DeskId, options: Options, restart: &Restart, now: Now) -> Desk {
        let mut desk = Desk::new(id, options, now);
        let mut waiting = Vec::new();
        desk.conversations.skip_ordinals(restart.begun);
        desk.restore_away(&restart.away);
        desk.restore_blocks(&restart.blocks, now);
        for story in &restart.stories {
            desk.recall(story, now);
            let is_blocked = desk.hide_blocked(story.id, now);
            let conversation = &desk.conversations[story.id];
            // A customer who was given back to the queue stands before all others.
            let place = if conversation.is_unowned() {
                Some(Offset::START)
            } else {
                conversation.is_queued().then(|| offset_of_request(story))
            };
            waiting.extend(place.filter(|_| !is_blocked).map(|place| (place, story.id)));
            desk.review_slot(story.id);
            desk.keep_after_restart(story.id, story.ending);
            desk.void_after_restart(story.id, story.offered.as_deref());
        }
        desk.forget();
        waiting.sort_unstable();
        for (_, id) in waiting {
            desk.enqueue(id, now);
        }
        let is_own = |id: &ConversationId| {
            desk.conversations.get(*id).is_some_and(|it| it.is_owned_by(AgentId::TERMINAL))
        };
        if let Some(focus) = restart.focus.filter(is_own) {
            desk.team.go_to(SeatId::TERMINAL, focus);
        }
        // Nobody knows which of the unanswered lines an agent has read.
        let unread: Vec<_> = desk.conversations.active().collect();
        for id in unread {
            let conversation = &desk.conversations[id];
            if let Some(owner) = conversation.owner() {
                desk.team.note_unread(owner, id, conversation.owed().lines(), now);
                let who = desk.who(id);
                desk.team.member_mut(owner).had.push((id, who));
            }
        }
        desk.note_all_waiting(now);
        desk
    }

    /// Whether this conversation is in memory. If it is not, the journal may still have it.
    pub fn knows(&self, id: ConversationId) -> bool {
        self.conversations.get(id).is_some()
    }

    /// Takes a conversation into memory as the journal has it.
    pub fn recall(&mut self, story: &Story, now: Now) {
        let mut conversation = Conversation::restore(self.id, story, now);
        conversation.set_owner(self.team.owner(&story.owner));
        self.conversations.insert(story.id, conversation);
        // The agent who had put the customer on hold may have been revoked.
        if self.conversations[story.id].agent().is_none() {
            self.forget_hold(story.id, false);
        }
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
                self.team.lose(id);
                self.team.stop_watching(id);
            }
        }
    }

    /// Shows the state of every live conversation, after a restart.
    pub fn tell_states(&mut self) {
        for (id, report) in self.states() {
            self.tell(id, report);
        }
        self.tell_void_offers(SeatId::TERMINAL);
    }

    /// The state of every live conversation, its customer's page, and how many of the customer's
    /// lines have no answer.
    pub fn states(&self) -> Vec<(ConversationId, Report)> {
        let positions: IdMap<_, _> =
            self.queue.positions().map(|(id, _, position)| (id, position)).collect();
        let live = self.conversations.in_order().filter(|(_, known)| known.is_live());
        let live = live.filter(|(_, known)| !known.is_turned_away);
        let mut reports = Vec::new();
        for (id, conversation) in live {
            reports.push((id, self.state_at(id, positions.get(&id).copied(), None)));
            reports.extend(self.page(id).map(|page| (id, page)));
            // A program whose connection was lost may know of lines that were answered meanwhile.
            if conversation.owed().lines() > 0 || conversation.is_active() {
                reports.push((id, self.unanswered(id)));
            }
        }
        reports
    }
}

/// Where in the journal the customer's latest request is. The queue is sorted by this.
fn offset_of_request(story: &Story) -> Offset {
    let is_request = |line: &&Line| {
        let is_requested = |body: &Body| matches!(body, Body::Requested { .. });
        !line.own && line.entry().is_some_and(|entry| is_requested(&entry.body))
    };
    let request = story.controls.iter().rfind(is_request);
    // A customer who had an agent stands before all others.
    let is_again = |line: &&Line| line.entry().is_some_and(|entry| entry.body.answers().is_some());
    request.filter(|line| !is_again(line)).map_or(Offset::START, |line| line.offset)
}
