//! What a desk does as time passes: it gives up a customer who has been away for a day, and takes
//! the customer back when they return. It also does everything else that is due at a time.

use std::time::Instant;

use crate::core::clock::Now;
use crate::core::idle::{IDLE_NOTED, LIFETIME, Waited};
use crate::core::outcome::{Act, Fact};
use crate::core::record::Record;
use crate::core::report::{EndingOutcome, Reason};
use crate::wire::{ConversationId, EndReason};

use super::Desk;

impl Desk {
    /// Does everything that is due by `now`.
    pub(super) fn pass_time(&mut self, now: Now) {
        if now.clock >= self.next_idle_look {
            self.look_for_idle(now);
        }
        self.typed_in.retain(|id| {
            let conversation = self.conversations.get_mut(*id);
            conversation.is_some_and(|known| known.typing.tick(now))
        });
        self.tell_links(now);
        self.review_endings(now);
        self.review_ownership(now);
        self.review_groups(now);
        self.review_called_alone(now);
        self.assign(now);
        self.call_agents(now);
        self.review_unattended();
        self.queue.stop_counting(now);
        self.send_moved_positions(now);
    }

    fn look_for_idle(&mut self, now: Now) {
        self.next_idle_look = now.clock + IDLE_NOTED;
        let in_order = self.conversations.in_order();
        let away = in_order.filter(|(_, known)| known.is_live() && !known.has_connection());
        let away: Vec<_> = away.map(|(id, _)| id).collect();
        for id in away {
            let Some(conversation) = self.conversations.get_mut(id) else { continue };
            match conversation.tick_idle(now) {
                Waited::TooLong => self.give_up(id, now),
                Waited::Note(idle) => self.journal(id, Record::Idle(idle)),
                Waited::On => {}
            }
        }
    }

    /// When `tick` has something to do next. Calls of agents are not included (see `next_call`).
    pub fn deadline(&self) -> Instant {
        let typed_in = self.typed_in.iter().filter_map(|id| self.conversations.get(*id));
        let typing = typed_in.filter_map(|conversation| conversation.typing.deadline()).min();
        let (ownership, ending) = (self.ownership_deadline(), self.ending_deadline());
        let (groups, alone) = (self.groups_deadline(), self.called_alone_deadline());
        let (queue, links) = (self.queue.deadline(), self.changed_links.deadline());
        [queue, links, typing, ownership, ending, groups, alone]
            .into_iter()
            .flatten()
            .fold(self.next_idle_look, Instant::min)
    }

    /// Gives up a customer who has been away for too long: removes them from the queue and from the
    /// agent's screen until they come back.
    fn give_up(&mut self, id: ConversationId, now: Now) {
        self.queue.remove(id);
        self.team.lose(id);
        self.void_offer(id);
        self.keep(id, EndingOutcome::CustomerLeft, now);
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        conversation.fall_asleep();
        let undelivered = conversation.delivery.acked() + 1..=conversation.own.last();
        self.leave_candidates.push(id);
        self.conversations.note_change(id);
        self.review_slot(id);
        self.journal(id, Record::Idle(LIFETIME));
        self.act(Act::Tell(Fact::Undelivered(id, undelivered)));
        self.tell_state(id, Some(Reason::Ended(EndReason::Inactivity)));
    }

    /// Takes back a customer who was given up and is connected again.
    pub(super) fn wake(&mut self, id: ConversationId, now: Now) {
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.backlog.forget_announced();
            conversation.controls.clear_answered();
        }
        self.conversations.note_change(id);
        self.announce(id, now);
    }
}
