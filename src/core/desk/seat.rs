//! Who sits in front of the desk, a person at a terminal or a script, and which customer gets their
//! next line: the focus.
//!
//! The focus moves to a customer when the agent goes there, when a customer whom the agent asked
//! for becomes theirs, and when any customer becomes theirs while the focus is on nobody whom they
//! have. It goes away with the customer. A desk has one seat.
//!
//! Lines of customers who do not have the focus are unread until the agent goes to them. What a
//! customer is owed is another matter: reading answers nothing.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::wire::ConversationId;

/// An agent who has typed nothing for this time may not be looking at the screen.
const IDLE: Duration = Duration::from_secs(60);

/// Who sits in front of the desk.
#[derive(Default)]
pub(super) struct Seat {
    /// The conversation that gets the next line of this seat.
    focus: Option<ConversationId>,
    /// How many lines are unread, by conversation, of those that have any.
    unread: HashMap<ConversationId, u32>,
    /// When a person typed something last; `None` for a script.
    acted_at: Option<Instant>,
}

impl Seat {
    /// After a restart the focus is where it was. Nobody knows what the agent has read of what has
    /// no answer.
    pub(super) fn restore(
        focus: Option<ConversationId>,
        unanswered: impl Iterator<Item = (ConversationId, u32)>,
    ) -> Seat {
        let unread = unanswered.filter(|(id, lines)| focus != Some(*id) && *lines > 0).collect();
        Seat { focus, unread, acted_at: None }
    }

    /// There are new lines for the agent. They are unread if the customer does not have the focus,
    /// or if the agent has been idle. Returns whether they are.
    pub(super) fn note_unread(&mut self, id: ConversationId, lines: u32, now: Now) -> bool {
        let is_idle = self.acted_at.is_some_and(|acted| now.clock >= acted + IDLE);
        let is_unread = self.focus != Some(id) || is_idle;
        if is_unread {
            *self.unread.entry(id).or_default() += lines;
        }
        is_unread
    }

    /// The agent types: what is in front of them is read.
    pub(super) fn note_act(&mut self, now: Now) {
        self.acted_at = Some(now.clock);
        self.focus.map(|id| self.unread.remove(&id));
    }

    /// How many lines are unread.
    pub(super) fn unread(&self) -> u32 {
        self.unread.values().sum()
    }

    /// The conversation that gets the next line of this seat.
    pub(super) fn focus(&self) -> Option<ConversationId> {
        self.focus
    }

    /// The agent goes to this conversation.
    pub(super) fn go_to(&mut self, id: ConversationId) {
        self.focus = Some(id);
        self.unread.remove(&id);
    }

    /// The customer of this conversation becomes the agent's. `is_asked_for` says whether the agent
    /// asked for them, and `is_free` whether the focus is on no customer whom the agent has. True
    /// when the focus moves to this conversation.
    pub(super) fn gain(&mut self, id: ConversationId, is_asked_for: bool, is_free: bool) -> bool {
        let moves = is_asked_for || is_free;
        if moves {
            self.go_to(id);
        }
        moves
    }

    /// The customer of this conversation is not the agent's any more. If they have the focus, the
    /// next line goes nowhere.
    pub(super) fn lose(&mut self, id: ConversationId) {
        if self.focus == Some(id) {
            self.focus = None;
        }
        self.unread.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{IDLE, Seat};
    use crate::core::clock::Now;
    use crate::wire::ConversationId;

    #[test]
    fn the_focus_stays_with_a_customer_until_the_agent_asks_for_another_or_the_customer_goes() {
        let id = |n| ConversationId::new([n; 16]);
        let mut seat = Seat::default();
        assert!(seat.gain(id(1), false, true));
        assert!(!seat.gain(id(2), false, false), "the desk accepted this customer by itself");
        assert_eq!(seat.focus(), Some(id(1)));
        assert!(seat.gain(id(3), true, false));
        seat.lose(id(1));
        assert_eq!(seat.focus(), Some(id(3)), "another customer's end moves no focus");
        seat.lose(id(3));
        assert_eq!(seat.focus(), None);
    }

    #[test]
    fn lines_are_unread_until_the_agent_goes_there_or_the_customer_goes() {
        let id = |n| ConversationId::new([n; 16]);
        let mut seat = Seat::restore(Some(id(1)), [(id(1), 3), (id(2), 2), (id(3), 0)].into_iter());
        assert_eq!(seat.unread(), 2);
        let now = Now { clock: Instant::now(), wall: 0 };
        assert_eq!([1, 2, 3].map(|n| seat.note_unread(id(n), 1, now)), [false, true, true]);
        assert_eq!(seat.unread(), 4);
        seat.go_to(id(2));
        assert_eq!(seat.unread(), 1);
        seat.lose(id(3));
        assert_eq!(seat.unread(), 0);
        seat.note_act(now);
        assert!(!seat.note_unread(id(2), 1, now), "the agent is at it");
        assert!(seat.note_unread(id(2), 1, Now { clock: now.clock + IDLE, ..now }));
        seat.note_act(now);
        assert_eq!(seat.unread(), 0);
    }
}
