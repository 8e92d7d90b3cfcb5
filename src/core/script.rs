//! The pace of input. The loop takes a person's lines at once. It takes a script's lines one at a
//! time: the next line when the one before is done.

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::report::excerpt;

/// The most inputs that a loop takes before it commits.
pub const BATCH_MAX: usize = 1_000;
/// The most events of the socket thread that wait for the loop. Beyond this, sockets are not read.
pub const QUEUE_MAX: usize = 4_096;

/// How long a program that is ending waits until its lines are delivered.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// For how long a script that failed reads the rest of its input, to say what is not sent.
const REST_WITHIN: Duration = Duration::from_secs(1);
/// The most letters that are shown of the first line that is not sent.
const FIRST_LETTERS: usize = 60;

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
    /// The script has failed: these lines of it are not sent.
    rest: Option<Rest>,
}

/// The lines behind the one at which a script ended because it failed. They are read, counted and
/// not sent. An input that does not end is read for a second only.
pub struct Rest {
    count: u64,
    first: Option<String>,
    has_ended: bool,
    until: Instant,
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
        Pace {
            is_person,
            current: None,
            has_ended: false,
            linger_until: None,
            wait_until: None,
            rest: None,
        }
    }

    /// Whether a person types.
    pub fn is_person(&self) -> bool {
        self.is_person
    }

    /// Whether the next line may be taken.
    pub fn takes_lines(&self) -> bool {
        self.current.is_none() && !self.has_ended
    }

    /// The script has failed and ends: the lines that still come are not sent.
    pub fn give_up(&mut self, now: Now) {
        self.rest = (!self.has_ended).then(|| Rest::new(now));
    }

    /// Counts a line as not sent, if the script has failed. Returns whether it has.
    pub fn skips(&mut self, line: &str) -> bool {
        self.rest.as_mut().map(|rest| rest.add(line)).is_some()
    }

    /// Whether the rest of a script that failed is being read.
    pub fn reads_rest(&self, now: Now) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.is_read(now))
    }

    /// The sentence about the lines that a script which failed did not send; `None` if there are
    /// none.
    pub fn not_sent(&self) -> Option<String> {
        self.rest.as_ref().and_then(Rest::sentence)
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
        self.rest.iter_mut().for_each(Rest::ended);
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

    /// The next time limit: of a `/wait`, for leaving after the end of the input, or for reading
    /// the rest of a script that failed.
    pub fn deadline(&self, now: Now) -> Option<Instant> {
        let linger = if self.is_over() { self.linger_until } else { None };
        let rest = self.rest.as_ref().and_then(|rest| rest.deadline(now));
        [self.wait_until, linger, rest].into_iter().flatten().min()
    }
}

impl Rest {
    /// The rest of a script that fails now.
    pub fn new(now: Now) -> Rest {
        Rest { count: 0, first: None, has_ended: false, until: now.clock + REST_WITHIN }
    }

    /// This line is not sent.
    pub fn add(&mut self, line: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| excerpt(line.trim(), FIRST_LETTERS));
    }

    /// The input has ended.
    pub fn ended(&mut self) {
        self.has_ended = true;
    }

    /// Whether more lines are read.
    pub fn is_read(&self, now: Now) -> bool {
        !self.has_ended && now.clock < self.until
    }

    /// The time until which more lines are read; `None` if no more are.
    pub fn deadline(&self, now: Now) -> Option<Instant> {
        self.is_read(now).then_some(self.until)
    }

    /// What is not sent; `None` if that is nothing.
    pub fn sentence(&self) -> Option<String> {
        let (count, first) = (self.count, self.first.as_deref().unwrap_or_default());
        Some(match (count, self.has_ended) {
            (0, true) => return None,
            (0, false) => "the script has ended; a line that still comes is not sent".to_owned(),
            (1, true) => format!("1 line was not sent: '{first}'"),
            (_, true) => format!("{count} lines were not sent, from '{first}' on"),
            (_, false) => format!(
                "the script has ended; nothing is sent from '{first}' on ({count} lines so far)"
            ),
        })
    }
}
