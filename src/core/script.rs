//! Pacing: a person's lines are taken as they come, a script's one at a time, when each is due.

use std::time::{Duration, Instant};

use crate::core::clock::Now;

/// Inputs a loop drains before it commits, at most.
pub const BATCH_MAX: usize = 1_000;
/// Events of the socket thread that may wait for the loop; beyond it, sockets are not read.
pub const QUEUE_MAX: usize = 4_096;

/// How long a program that ends waits for what it owes.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// Where a script is.
pub struct Pace<C> {
    person: bool,
    /// The line that was taken and is not done yet, and since when.
    pending: Option<(C, Instant)>,
    ended: bool,
    /// After the end of input, stay until then; `None` for as long as it takes.
    linger_until: Option<Instant>,
    wait_until: Option<Instant>,
}

/// What became of a `/wait`.
pub enum Waiting {
    /// What it waited for is there.
    Over,
    /// Its time is over first.
    TooLong(String),
    /// Not yet.
    On,
}

impl<C: Clone> Pace<C> {
    /// A person's pace or a script's.
    pub fn new(person: bool) -> Pace<C> {
        Pace { person, pending: None, ended: false, linger_until: None, wait_until: None }
    }

    /// Whether a person types.
    pub fn is_person(&self) -> bool {
        self.person
    }

    /// Whether the next line may be taken.
    pub fn takes_lines(&self) -> bool {
        self.pending.is_none() && !self.ended
    }

    /// A line was taken.
    pub fn push(&mut self, command: C, now: Now) {
        self.pending = Some((command, now.clock));
    }

    /// The line that is not done yet.
    pub fn pending(&self) -> Option<C> {
        self.pending.as_ref().map(|(command, _)| command.clone())
    }

    /// It is done.
    pub fn done(&mut self) {
        self.pending = None;
        self.wait_until = None;
    }

    /// How a `/wait` of at most `limit` stands, given whether what it waits for `is_here`.
    pub fn waited(&mut self, is_here: bool, limit: Option<Duration>, now: Now) -> Waiting {
        let since = self.pending.as_ref().map_or(now.clock, |(_, since)| *since);
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

    /// There is no more input; stay `linger` seconds at most.
    pub fn ended(&mut self, linger: Option<u32>, now: Now) {
        self.ended = true;
        self.linger_until = linger.map(|seconds| now.clock + Duration::from_secs(seconds.into()));
    }

    /// All input is taken and done.
    pub fn is_over(&self) -> bool {
        self.ended && self.pending.is_none()
    }

    /// Whether the time to stay after the end of input is over.
    pub fn lingered(&self, now: Now) -> bool {
        self.linger_until.is_some_and(|until| until <= now.clock)
    }

    /// When to look again.
    pub fn deadline(&self) -> Option<Instant> {
        let linger = if self.is_over() { self.linger_until } else { None };
        [self.wait_until, linger].into_iter().flatten().min()
    }
}
