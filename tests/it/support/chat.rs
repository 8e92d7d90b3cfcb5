//! A customer in a chat whose lines are timed, and the memory that a process uses meanwhile.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::raw::{Raw, entry, said};
use crate::support::run::Handoff;

/// A customer in a chat, and the time from each of its lines to the ack.
pub struct Chat {
    raw: Raw,
    last: u64,
    pub trips: Vec<Duration>,
}

impl Chat {
    #[track_caller]
    pub fn start(desk: &str) -> Chat {
        Chat::start_as(desk, "cc")
    }

    /// A chat in the conversation with this id (two hexadecimal digits, repeated).
    #[track_caller]
    pub fn start_as(desk: &str, id: &str) -> Chat {
        let mut raw = Raw::welcomed(desk, id, 1);
        raw.say(&entry(1, &json!({"requested": {}})));
        while raw.until("ack")["number"] != 1 {}
        Chat { raw, last: 1, trips: Vec::new() }
    }

    #[track_caller]
    pub fn trip(&mut self) {
        self.last += 1;
        let since = Instant::now();
        self.raw.say(&entry(self.last, &said("user", "still there?")));
        while self.raw.until("ack")["number"] != self.last {}
        self.trips.push(since.elapsed());
    }

    /// The 99th percentile of all times so far.
    pub fn p99(&mut self) -> Duration {
        p99(&mut self.trips)
    }
}

/// Only one test at a time measures how fast a desk is.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The 99th percentile of these times.
pub fn p99(trips: &mut [Duration]) -> Duration {
    trips.sort_unstable();
    trips[trips.len() * 99 / 100]
}

/// Resident memory in bytes, threads and descriptors of a process.
pub fn weight(process: &Handoff) -> (u64, u64, usize) {
    let folder = format!("/proc/{}", process.pid().as_raw_pid());
    let status = fs::read_to_string(format!("{folder}/status")).expect("it runs");
    let field = |name: &str| {
        let line =
            status.lines().find_map(|line| line.strip_prefix(name)).expect("the system tells it");
        line.split_whitespace()
            .next()
            .and_then(|number| number.parse::<u64>().ok())
            .expect("a number")
    };
    let descriptors = fs::read_dir(format!("{folder}/fd")).expect("it is ours").count();
    (field("VmRSS:") * 1024, field("Threads:"), descriptors)
}
