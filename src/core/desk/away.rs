//! What time does at a desk: customers without a sign of life are given up after a day, and back
//! when they come back; who waits is told of moving up.

use std::time::Instant;

use super::{Act, Conversation, Desk, Phase};
use crate::core::clock::Now;
use crate::core::delivery::{IDLE_NOTED, LIFETIME, Waited};
use crate::core::outcome::Fact;
use crate::core::record::Record;
use crate::core::report::{Reason, Returned};
use crate::wire::{ConversationId, EndReason};

impl Desk {
    /// Time has passed: customers without a sign of life for too long are given up, and who moved
    /// up is told.
    pub(super) fn pass_time(&mut self, now: Now) {
        if now.clock >= self.look_again {
            self.look_for_signs(now);
        }
        self.tell_links(now);
        self.stop_counting(now);
        self.tell_places(now);
    }

    fn look_for_signs(&mut self, now: Now) {
        self.look_again = now.clock + IDLE_NOTED;
        let away =
            |conversation: &Conversation| conversation.is_live() && conversation.link.is_none();
        let away: Vec<_> =
            self.ordinals.values().filter(|id| away(&self.conversations[id])).copied().collect();
        for id in away {
            let Some(conversation) = self.conversations.get_mut(&id) else { continue };
            match conversation.idle.tick(now) {
                Waited::TooLong => self.give_up(id),
                Waited::Note(idle) => self.journal(id, Record::Idle(idle)),
                Waited::On => {}
            }
        }
    }

    /// When `tick` has something to do next.
    pub fn deadline(&self) -> Instant {
        let places = self.moved.map(|_| self.tell_places);
        let uncounted = self.unlinked.first().map(|(until, _)| *until);
        [places, uncounted, self.tell_links_again]
            .into_iter()
            .flatten()
            .fold(self.look_again, Instant::min)
    }

    /// No sign of a customer for too long: out of the queue and out of sight, until they come back.
    fn give_up(&mut self, id: ConversationId) {
        self.leave_queue(id);
        self.lose_focus(id);
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.asleep = true;
        self.parted.push(id);
        let owed = conversation.delivery.acked() + 1..=conversation.last;
        self.note_talking(id);
        self.review(id);
        self.journal(id, Record::Idle(LIFETIME));
        self.act(Act::Tell(Fact::Undelivered(id, owed)));
        self.tell_state(id, Some(Reason::Ended(EndReason::Inactivity)));
    }

    /// A customer who was given up is back.
    pub(super) fn wake(&mut self, id: ConversationId, now: Now) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.told = (Phase::Bot(Returned::HandedBack), 0);
            conversation.answered = None;
        }
        self.note_talking(id);
        self.announce(id, now);
    }
}
