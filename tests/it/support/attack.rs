//! Attacks on a program while honest customers talk: their lines stay fast, and the program does
//! not grow.
//!
//! The attackers are one thread of low priority, because real attackers would use the processors of
//! other machines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::chat::{p99, weight};
use crate::support::run::{Handoff, WITHIN};

/// Repeats an attack on this address until it is over. Returns how often it ran.
pub type Attack = fn(address: &str, enough: &AtomicBool) -> usize;

/// A program under attack, and honest customers.
pub trait Target {
    /// The time between two lines of all honest customers together.
    const EVERY: Duration;

    fn process(&self) -> &Handoff;

    fn address(&self) -> &str;

    /// One of the honest customers says a line. Returns the time until the line has arrived.
    fn trip(&mut self) -> Duration;

    /// A new customer comes, and gets in.
    fn newcomer(&mut self);
}

/// What all attacks together did.
pub struct Outcome {
    /// The 99th percentile of the lines without an attack.
    pub alone: Duration,
    /// The highest 99th percentile of the lines under an attack, and which attack that was.
    pub worst: (Duration, &'static str),
    /// The longest time until a new customer was in.
    pub newest: Duration,
    /// How many MiB the program grew.
    pub grown: u64,
    /// How many threads the program had before and has now.
    pub threads: (u64, u64),
}

/// Repeats an act until `enough` is set. Returns how often it ran.
pub fn go(enough: &AtomicBool, mut each: impl FnMut(usize)) -> usize {
    let mut rounds = 0;
    while !enough.load(Ordering::Relaxed) {
        each(rounds);
        rounds += 1;
    }
    rounds
}

/// Honest customers say lines one after the other. Returns the sorted times.
pub fn chat<T: Target>(target: &mut T, during: Duration) -> Vec<Duration> {
    let (since, mut trips) = (Instant::now(), Vec::new());
    for at in 0.. {
        if since.elapsed() > during {
            break;
        }
        // The steady pace is part of the test: these are customers who type, and no flood. So this
        // waits for a time and for no event.
        thread::sleep((T::EVERY * at).saturating_sub(since.elapsed()));
        trips.push(target.trip());
    }
    trips.sort_unstable();
    trips
}

/// Runs every attack for the time `during`. Each line may take as long as `allowed`, in 99 of 100
/// cases, and the program may keep no descriptor and grow by 64 MiB at most.
#[track_caller]
pub fn attack_all<T: Target>(
    target: &mut T,
    attacks: &[(&'static str, Attack)],
    during: Duration,
    allowed: Duration,
) -> Outcome {
    let alone = p99(&mut chat(target, Duration::from_secs(1)));
    // A machine with other work is slow without an attack, too.
    let allowed = allowed.max(3 * alone);
    let before = weight(target.process());
    let (mut worst, mut newest) = ((Duration::ZERO, ""), Duration::ZERO);
    for (name, attack) in attacks {
        let enough = Arc::new(AtomicBool::new(false));
        let (address, stop, attack) = (target.address().to_owned(), enough.clone(), *attack);
        let attacker = thread::spawn(move || {
            let _ = rustix::process::nice(10);
            attack(&address, &stop)
        });
        let mut trips = chat(target, during);
        let since = Instant::now();
        target.newcomer();
        let new = since.elapsed();
        enough.store(true, Ordering::Relaxed);
        let rounds = attacker.join().expect("an attacker does not panic");
        let (last, p99) = (trips[trips.len() - 1], p99(&mut trips));
        eprintln!(
            "{name}, {rounds} times: {} lines, p99 {p99:?}, slowest {last:?}; \
             a new customer {new:?}",
            trips.len()
        );
        assert!(
            p99 < allowed,
            "{name}: the p99 of {} lines is {p99:?}, and {allowed:?} are allowed",
            trips.len()
        );
        (worst, newest) = (worst.max((p99, name)), newest.max(new));
    }
    let since = Instant::now();
    while weight(target.process()).2 > before.2 + 8 {
        assert!(
            since.elapsed() < WITHIN,
            "the program keeps descriptors of closed connections: {:?}",
            weight(target.process())
        );
        chat(target, Duration::from_millis(100));
    }
    let after = weight(target.process());
    let grown = after.0.saturating_sub(before.0) >> 20;
    assert!(grown < 64, "{grown} MiB more");
    Outcome { alone, worst, newest, grown, threads: (before.1, after.1) }
}
