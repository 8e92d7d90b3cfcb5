//! How long nothing was recorded in a conversation, and when that ends it.

use std::time::{Duration, Instant};

use crate::core::clock::Now;

/// A conversation is given up when nothing was recorded in it for this long. Time in which the
/// program does not run does not count.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How often the idle time is journaled, so that it continues after a restart.
pub const IDLE_NOTED: Duration = Duration::from_secs(10 * 60);

/// How long nothing was recorded in a conversation. Only time in which the program runs counts.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// The part before the last start of the program.
    pub before: Duration,
    /// When the part since the last start began.
    pub since: Instant,
    /// The part of the idle time that is already in the journal.
    pub noted: Duration,
}

/// What to do about an idle conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Give it up.
    TooLong,
    /// Journal that it has been idle for this long.
    Note(Duration),
    /// Nothing yet.
    On,
}

impl Idle {
    /// Something was recorded just now.
    pub fn new(now: Now) -> Idle {
        Idle { before: Duration::ZERO, since: now.clock, noted: Duration::ZERO }
    }

    /// Returns what to do now.
    pub fn tick(&mut self, now: Now) -> Waited {
        let idle = self.before + now.clock.saturating_duration_since(self.since);
        if idle >= LIFETIME {
            Waited::TooLong
        } else if idle >= self.noted + IDLE_NOTED {
            self.noted = idle;
            Waited::Note(idle)
        } else {
            Waited::On
        }
    }

    /// When `tick` has something to do next.
    pub fn deadline(&self) -> Instant {
        self.since + (self.noted + IDLE_NOTED).min(LIFETIME).saturating_sub(self.before)
    }
}
