//! The pace of input. The loop takes a person's lines at once. It takes a script's lines one at a
//! time: the next line when the one before is done.

use std::time::{Duration, Instant};

use crate::core::clock::Now;

/// The most inputs that a loop takes before it commits.
pub const BATCH_MAX: usize = 1_000;
/// The most events of the socket thread that wait for the loop. Beyond this, sockets are not read.
pub const QUEUE_MAX: usize = 4_096;

/// How long a program that is ending waits until its lines are delivered.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// The state of the input: which line the loop works on, and whether the input has ended.
pub struct Pace<C> {
    is_person: bool,
    /// The line that was taken and is not done yet, with the time when it was taken.
    current: Option<(C, Instant)>,
    has_ended: bool,
    /// The time to leave after the end of the input; `None` without `--linger`.
    linger_until: Option<Instant>,
    /// The time limit of a `/wait`, while the loop works on one.
    wait_until: Option<Instant>,
}

/// The result of a `/wait` so far.
pub enum Waiting {
    /// The answer has come.
    Over,
    /// The time is over, and no answer has come; a sentence says so.
    TooLong(String),
    /// The wait goes on.
    On,
}

impl<C: Clone> Pace<C> {
    /// The pace for a person, or for a script.
    pub fn new(is_person: bool) -> Pace<C> {
        Pace { is_person, current: None, has_ended: false, linger_until: None, wait_until: None }
    }

    /// Whether a person types.
    pub fn is_person(&self) -> bool {
        self.is_person
    }

    /// Whether the next line may be taken.
    pub fn takes_lines(&self) -> bool {
        self.current.is_none() && !self.has_ended
    }

    /// A line was taken.
    pub fn push(&mut self, command: C, now: Now) {
        self.current = Some((command, now.clock));
    }

    /// The line that is not done yet.
    pub fn pending(&self) -> Option<C> {
        self.current.as_ref().map(|(command, _)| command.clone())
    }

    /// The line is done.
    pub fn done(&mut self) {
        self.current = None;
        self.wait_until = None;
    }

    /// The result of a `/wait` of at most `limit` at this time. `is_here` says whether the answer
    /// has come.
    pub fn waited(&mut self, is_here: bool, limit: Option<Duration>, now: Now) -> Waiting {
        let since = self.current.as_ref().map_or(now.clock, |(_, since)| *since);
        self.wait_until = limit.map(|limit| since + limit);
        match self.wait_until {
            _ if is_here => Waiting::Over,
            Some(until) if until <= now.clock => Waiting::TooLong(format!(
                "nobody answered within {} s",
                limit.unwrap_or_default().as_secs()
            )),
            _ => Waiting::On,
        }
    }

    /// The input has ended. The program leaves after `linger` seconds, if they are given.
    pub fn ended(&mut self, linger: Option<u32>, now: Now) {
        self.has_ended = true;
        self.linger_until = linger.map(|seconds| now.clock + Duration::from_secs(seconds.into()));
    }

    /// Whether the input has ended and all its lines are done.
    pub fn is_over(&self) -> bool {
        self.has_ended && self.current.is_none()
    }

    /// Whether the time to leave after the end of the input has come.
    pub fn lingered(&self, now: Now) -> bool {
        self.linger_until.is_some_and(|until| until <= now.clock)
    }

    /// The next time limit: of a `/wait`, or for leaving after the end of the input.
    pub fn deadline(&self) -> Option<Instant> {
        let linger = if self.is_over() { self.linger_until } else { None };
        [self.wait_until, linger].into_iter().flatten().min()
    }
}
