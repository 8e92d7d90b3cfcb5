//! Times when no agent can take a customer: the customers in the queue hear of it once, and once
//! more when an agent is here again (docs/PROTOCOL.md, "ack, seen, position, ping").
//!
//! ```text
//!               all agents are away or gone
//!   unknown ─────────────────────────────────▶ unattended
//!      │                                         │    ▲
//!      │ an agent is here    an agent is here    │    │ all are away or gone
//!      └───────────────▶ attended ◀──────────────┘    │
//!                           └─────────────────────────┘
//! ```
//!
//! An agent whose terminal lost its connection may be back at once, and so may every agent when the
//! desk has just been started. So customers hear of it only when each agent is away or gone, and a
//! desk that was started while nobody is here says neither: customers who heard from the desk
//! before that all agents were away must not hear that somebody is here again.
//! What an agent has said to `/away` is for other agents, and customers never get it.

use super::Desk;

impl Desk {
    /// If all agents are away or gone now, or an agent is here again, the customers who wait get
    /// their positions again, which say so.
    pub(super) fn review_unattended(&mut self) {
        let is_unattended = match self.team.is_anybody_here() {
            true => Some(false),
            false if self.team.is_anybody_expected() => self.is_unattended,
            false => Some(true),
        };
        if is_unattended != self.is_unattended {
            self.is_unattended = is_unattended;
            self.queue.send_all_again();
        }
    }
}
