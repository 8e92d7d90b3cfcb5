//! Times when no agent can take a customer: the customers in the queue hear of it once, and once
//! more when an agent is here again (docs/PROTOCOL.md, "ack, seen, position, ping").
//!
//! An agent whose terminal lost its connection may be back at once, and so may every agent when the
//! desk has just been started. So customers hear of it only when each agent is away or gone.
//! What an agent has said to `/away` is for other agents, and customers never get it.

use super::Desk;

impl Desk {
    /// If all agents are away or gone now, or an agent is here again, the customers who wait get
    /// their positions again, which say so.
    pub(super) fn review_absence(&mut self) {
        let is_nobody_here = !self.team.is_anybody_here();
        let is_unattended =
            is_nobody_here && (self.is_unattended || !self.team.is_anybody_expected());
        if is_unattended != self.is_unattended {
            self.is_unattended = is_unattended;
            self.queue.send_all_again();
        }
    }
}
