//! When the sessions of one process dial their desk. They share what they learn of its address.
//!
//! ```text
//!            a dial is answered
//!   ┌──────┐ ─────────────────▶ ┌────┐
//!   │ down │                    │ up │
//!   └──────┘ ◀───────────────── └────┘
//!      a dial fails, or a connection is lost
//! ```
//!
//! While the desk is `down`, one session at a time dials it, after a wait that grows ([`Backoff`]).
//! While it is `up`, [`TOGETHER`] sessions at a time may be between their dial and the answer. A
//! desk counts as down until it has answered once. Rules: docs/PROTOCOL.md, "Liveness", Backoff.
//!
//! ```
//! # use std::time::{Duration, Instant};
//! # use handoff::core::dialling::{Dialling, Verdict};
//! # use handoff::wire::ConversationId;
//! let [ann, bob] = [1, 2].map(|n| ConversationId::new([n; 16]));
//! let (mut dialling, now) = (Dialling::new(7), Instant::now());
//! dialling.want(ann);
//! dialling.want(bob);
//! assert_eq!(dialling.next(now), Some(ann));
//! assert_eq!(dialling.next(now), None, "the first one tries the address for both");
//! dialling.ended(ann, Verdict::Failed, now);
//! assert_eq!(dialling.next(now), None, "it is down, and is tried again later");
//! let later = dialling.deadline().unwrap();
//! assert_eq!(dialling.next(later), Some(bob));
//! dialling.ended(bob, Verdict::Answered, later);
//! dialling.want(ann);
//! assert_eq!(dialling.next(later), Some(ann), "it is up: nobody waits");
//! ```

use std::collections::VecDeque;
use std::time::Instant;

use crate::core::backoff::Backoff;
use crate::wire::{ConversationId, IdSet};

/// How many sessions may be between their dial and the desk's answer at the same time.
pub const TOGETHER: usize = 32;

/// The way to one desk, shared by all sessions that dial it.
pub struct Dialling {
    backoff: Backoff,
    desk: Desk,
    /// Sessions that want a connection, in the order in which they dial.
    wanting: VecDeque<ConversationId>,
    /// The same sessions, for a quick look-up.
    is_wanting: IdSet<ConversationId>,
    /// Sessions whose dial has no answer yet.
    opening: IdSet<ConversationId>,
}

/// What is known about the desk.
enum Desk {
    Down {
        /// When the next dial is due.
        again: Option<Instant>,
    },
    Up {
        /// When the desk answered for the first time after it was down.
        since: Instant,
    },
}

/// What a session's connection showed about the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The desk answered, whatever the answer says.
    Answered,
    /// The dial failed, or the connection was lost.
    Failed,
    /// The session closed its connection before anything was known.
    Unknown,
}

impl Dialling {
    /// `seed` is random, so that processes cut off together do not come back together.
    pub fn new(seed: u64) -> Dialling {
        Dialling {
            backoff: Backoff::new(seed),
            desk: Desk::Down { again: None },
            wanting: VecDeque::new(),
            is_wanting: IdSet::default(),
            opening: IdSet::default(),
        }
    }

    /// This session wants a connection.
    pub fn want(&mut self, id: ConversationId) {
        if self.is_wanting.insert(id) {
            self.wanting.push_back(id);
        }
    }

    /// The next session that may dial now. Call this until it returns `None`.
    pub fn next(&mut self, now: Instant) -> Option<ConversationId> {
        let may_dial = match self.desk {
            Desk::Up { .. } => self.opening.len() < TOGETHER,
            Desk::Down { again } => {
                self.opening.is_empty() && again.is_none_or(|again| again <= now)
            }
        };
        let id = self.wanting.pop_front_if(|_| may_dial)?;
        self.is_wanting.remove(&id);
        self.opening.insert(id);
        Some(id)
    }

    /// Called when this session's dial, or the connection that it led to, has shown something about
    /// the desk.
    pub fn ended(&mut self, id: ConversationId, verdict: Verdict, now: Instant) {
        self.opening.remove(&id);
        match (verdict, &self.desk) {
            (Verdict::Answered, Desk::Down { .. }) => self.desk = Desk::Up { since: now },
            (Verdict::Failed, desk) => {
                if let Desk::Up { since } = desk
                    && now.saturating_duration_since(*since) >= Backoff::HEALTHY
                {
                    self.backoff.reset();
                }
                // Several connections may fail for one reason. Only the first makes the wait grow.
                if !matches!(desk, Desk::Down { again: Some(again) } if *again > now) {
                    self.desk = Desk::Down { again: Some(now + self.backoff.wait()) };
                }
            }
            _ => {}
        }
    }

    /// When to call `next` again, if a session waits for a time.
    pub fn deadline(&self) -> Option<Instant> {
        match self.desk {
            Desk::Down { again } if !self.wanting.is_empty() && self.opening.is_empty() => again,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Dialling, TOGETHER, Verdict};
    use crate::wire::ConversationId;

    fn id(n: u32) -> ConversationId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        ConversationId::new(bytes)
    }

    #[test]
    fn a_thousand_sessions_dial_a_desk_that_is_down_ten_times_in_the_first_minute() {
        for seed in 0..1_000 {
            let (mut dialling, start) = (Dialling::new(seed), Instant::now());
            (0..1_000).for_each(|n| dialling.want(id(n)));
            let (mut now, mut dials) = (start, 0);
            while now < start + Duration::from_secs(60) {
                while let Some(id) = dialling.next(now) {
                    dials += 1;
                    dialling.ended(id, Verdict::Failed, now);
                    dialling.want(id);
                }
                now = dialling.deadline().expect("somebody waits");
            }
            assert!((4..=10).contains(&dials), "seed {seed}: {dials} dials");
        }
    }

    #[test]
    fn sessions_come_32_at_a_time_when_the_desk_is_back() {
        let (mut dialling, now) = (Dialling::new(1), Instant::now());
        (0..100).for_each(|n| dialling.want(id(n)));
        let first = dialling.next(now).expect("one tries it");
        assert_eq!(dialling.next(now), None);
        dialling.ended(first, Verdict::Answered, now);
        let together = std::iter::from_fn(|| dialling.next(now)).count();
        assert_eq!(together, TOGETHER);
        dialling.ended(id(1), Verdict::Answered, now);
        assert_eq!(std::iter::from_fn(|| dialling.next(now)).count(), 1);
    }

    #[test]
    fn a_session_that_closes_before_an_answer_lets_another_one_try() {
        let (mut dialling, now) = (Dialling::new(1), Instant::now());
        dialling.want(id(1));
        dialling.want(id(2));
        let first = dialling.next(now).expect("one tries it");
        dialling.ended(first, Verdict::Unknown, now);
        assert_eq!(dialling.next(now), Some(id(2)));
    }
}
