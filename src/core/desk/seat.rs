//! One seat: a terminal or a script of an agent. Its focus is the customer who gets its next line.
//! An agent may have several seats.
//!
//! The focus moves to a customer when the agent goes there, when the agent gets a customer whom
//! this seat asked for, and when the agent gets any customer while the focus is on nobody. When the
//! agent loses the customer, the focus is on nobody.

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::wire::ConversationId;

use super::team::AgentId;

/// An agent who has typed nothing for this time may not be looking at the screen.
const IDLE: Duration = Duration::from_secs(60);

/// One seat.
pub(super) struct Seat {
    /// The agent at the seat.
    pub(super) agent: AgentId,
    /// The conversation that gets the next line of this seat.
    focus: Option<ConversationId>,
    /// Conversations of other agents that are watched at this seat.
    pub(super) watched: Vec<ConversationId>,
    /// When a person typed something last; `None` for a script.
    acted_at: Option<Instant>,
}

impl Seat {
    /// A seat of this agent, without a focus.
    pub(super) fn new(agent: AgentId) -> Seat {
        Seat { agent, focus: None, watched: Vec::new(), acted_at: None }
    }

    /// A person types.
    pub(super) fn note_act(&mut self, now: Now) {
        self.acted_at = Some(now.clock);
    }

    /// Whether somebody reads what comes in this conversation.
    pub(super) fn reads(&self, id: ConversationId, now: Now) -> bool {
        let is_idle = self.acted_at.is_some_and(|acted| now.clock >= acted + IDLE);
        self.focus == Some(id) && !is_idle
    }

    /// The conversation that gets the next line of this seat.
    pub(super) fn focus(&self) -> Option<ConversationId> {
        self.focus
    }

    /// The agent goes to this conversation.
    pub(super) fn go_to(&mut self, id: ConversationId) {
        self.focus = Some(id);
    }

    /// The agent does not have this customer any more. If the focus was on them, it is on nobody
    /// now.
    pub(super) fn lose(&mut self, id: ConversationId) {
        if self.focus == Some(id) {
            self.focus = None;
        }
    }
}
