//! The customer's position in the queue, as the desk says it and as the customer is told: when it
//! changes, and once a second at most, whatever the desk does.

use std::time::{Duration, Instant};

use super::{Phase, Session};
use crate::core::clock::Now;

/// The customer is told of another position this often at most.
const POSITION_TOLD: Duration = Duration::from_secs(1);

/// The position of a queued customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// As the desk said last.
    now: Option<u32>,
    /// As the customer knows it.
    told: Option<u32>,
}

impl Position {
    pub(super) fn told(&self) -> Option<u32> {
        self.told
    }
}

impl Session {
    /// The desk says the position. Answers false when there is no such position.
    pub(super) fn positioned(&mut self, said: u32, now: Now) -> bool {
        if said == 0 {
            return false;
        }
        if let Phase::Queued { position } = &mut self.phase {
            position.now = Some(said);
        }
        self.tell_position(now);
        true
    }

    /// Tells the position if it is news, and time.
    pub(super) fn tell_position(&mut self, now: Now) {
        if self.position_deadline().is_some_and(|at| at <= now.clock)
            && let Phase::Queued { position } = &mut self.phase
        {
            position.told = position.now;
            self.link.next_position = now.clock + POSITION_TOLD;
            self.tell_state(None);
        }
    }

    /// When the customer is to be told of a position that they do not know.
    pub(super) fn position_deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Queued { position } if position.now != position.told => {
                Some(self.link.next_position)
            }
            _ => None,
        }
    }
}
