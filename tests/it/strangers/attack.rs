//! A desk as it ships (TLS, a journal, default flags) under attack: running chats stay as
//! fast, new customers get in, and memory does not grow.
//!
//! Strangers come from 127.0.0.10 to 127.0.0.59. Attackers that are customers come
//! from the addresses after these, one for each attack, because an attack takes all slots of its
//! address and does not give them back.

use std::collections::VecDeque;
use std::io::Write;
use std::net::Shutdown;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use handoff::edge::tls::{KnownDesks, Trust};
use serde_json::json;

use crate::support::attack::{Attack, Outcome, Target, attack_all, chat, go};
use crate::support::chat::{Chat, one_at_a_time, p99};
use crate::support::machine::number;
use crate::support::raw::{Raw, entry, frame, hello, said};
use crate::support::run::{Handoff, WITHIN};

const ATTACKS: [(&str, Attack); 13] = [
    ("handshakes of one address", |desk, enough| handshakes(desk, enough, 1)),
    ("handshakes of 50 addresses", |desk, enough| handshakes(desk, enough, 50)),
    ("silent after the handshake", silent),
    ("hellos of TLS that are never answered", client_hellos),
    ("garbage", garbage),
    ("frames that are cut", cut_frames),
    ("ever new conversations", new_conversations),
    ("acks, seen and pings", marks),
    ("records of one byte", tiny_records),
    ("key updates", key_updates),
    ("backlogs without end", backlogs),
    ("in and out of the queue", queue),
    ("back again with a long past", long_past),
];

/// A connection that the kernel forgets when it is closed, and that blocks its owner for 100 ms at
/// most.
fn stranger(host: usize, desk: &str) -> Raw {
    let raw = Raw::connect_from(10 + host as u8, desk);
    let _ = rustix::net::sockopt::set_socket_linger(raw.socket(), Some(Duration::ZERO));
    let _ = raw.socket().set_write_timeout(Some(Duration::from_millis(100)));
    let _ = raw.socket().set_read_timeout(Some(Duration::from_millis(100)));
    raw
}

fn handshakes(desk: &str, enough: &AtomicBool, hosts: usize) -> usize {
    go(enough, |n| stranger(n % hosts, desk).send(&[]))
}

fn silent(desk: &str, enough: &AtomicBool) -> usize {
    let mut all = VecDeque::new();
    go(enough, |n| {
        let mut raw = stranger(n % 50, desk);
        raw.send(&[]);
        all.push_back(raw);
        if all.len() > 600 {
            all.pop_front();
        }
    })
}

fn client_hello() -> Vec<u8> {
    let anybody = Trust::FirstContact(KnownDesks::new(None)).security().expect("TLS can be set up");
    let mut tls = anybody.connection("desk:1").expect("a host").expect("TLS");
    let mut bytes = Vec::new();
    tls.write_tls(&mut bytes).expect("memory takes it");
    bytes
}

fn client_hellos(desk: &str, enough: &AtomicBool) -> usize {
    let (hello, mut all) = (client_hello(), VecDeque::new());
    go(enough, |n| {
        let raw = stranger(n % 50, desk);
        let _ = raw.socket().write_all(&hello);
        all.push_back(raw);
        if all.len() > 600 {
            all.pop_front();
        }
    })
}

fn garbage(desk: &str, enough: &AtomicBool) -> usize {
    go(enough, |n| {
        let bytes: Vec<u8> = (0..n % 65).map(|at| (n * 31 + at * 17) as u8).collect();
        let mut raw = stranger(n % 50, desk);
        if n % 2 == 0 {
            let _ = raw.socket().write_all(&bytes);
        } else {
            raw.send(&bytes);
        }
        let _ = raw.socket().shutdown(Shutdown::Write);
    })
}

fn cut_frames(desk: &str, enough: &AtomicBool) -> usize {
    let frames =
        [frame(&hello("e0", 1)), frame(&json!({"ping": {}})), frame(&entry(1, &said("user", "x")))];
    go(enough, |n| {
        let bytes = &frames[n % 3];
        let mut raw = stranger(n % 50, desk);
        raw.send(&bytes[..n / 3 % bytes.len()]);
        raw.end();
    })
}

fn id(n: usize) -> String {
    format!("{n:032x}")
}

fn begins(n: usize, newest: u64) -> Vec<u8> {
    let hello =
        json!({"version": 1, "conversation": id(n), "secret": id(n).repeat(2), "newest": newest});
    frame(&json!({"hello": hello}))
}

fn new_conversations(desk: &str, enough: &AtomicBool) -> usize {
    let asks = frame(&entry(1, &json!({"requested": {}})));
    go(enough, |n| stranger(50, desk).send(&[begins(n, 1), asks.clone()].concat()))
}

/// Customers whom the desk admitted.
fn customers(desk: &str, host: usize, count: usize, newest: u64) -> Vec<Raw> {
    let one = |n| {
        let mut raw = stranger(host, desk);
        raw.send(&begins(host << 32 | n, newest));
        raw.until("welcome");
        let _ = raw.socket().set_write_timeout(Some(Duration::from_millis(100)));
        raw
    };
    (0..count).map(one).collect()
}

fn marks(desk: &str, enough: &AtomicBool) -> usize {
    let mut all = customers(desk, 51, 100, 0);
    let flood =
        [json!({"ack": {"number": 0}}), json!({"seen": {"number": 0}}), json!({"ping": {}})];
    let flood = flood.iter().flat_map(frame).collect::<Vec<u8>>().repeat(100);
    go(enough, |n| all[n % 100].send(&flood))
}

fn tiny_records(desk: &str, enough: &AtomicBool) -> usize {
    let mut all = customers(desk, 52, 20, 0);
    let long = frame(&entry(1, &said("user", &"x".repeat(8000))));
    go(enough, |n| {
        for byte in &long[n / 20 % 80 * 100..][..100] {
            all[n % 20].send(&[*byte]);
        }
    })
}

fn key_updates(desk: &str, enough: &AtomicBool) -> usize {
    let mut all = customers(desk, 53, 20, 0);
    let long = frame(&entry(1, &said("user", &"x".repeat(8000))));
    go(enough, |n| {
        all[n % 20].send(&long[n / 20 % long.len()..][..1]);
        for _ in 0..30 {
            all[n % 20].update_keys();
        }
    })
}

fn backlogs(desk: &str, enough: &AtomicBool) -> usize {
    let mut all = customers(desk, 54, 100, u64::MAX);
    let words = "x".repeat(8000);
    let entries = |from: u64| {
        let entries =
            (from..from + 20).flat_map(|number| frame(&entry(number, &said("bot", &words))));
        entries.collect::<Vec<u8>>()
    };
    let mut round = (0, entries(1));
    go(enough, |n| {
        if n / 100 != round.0 {
            round = (n / 100, entries(n as u64 / 100 * 20 + 1));
        }
        all[n % 100].send(&round.1);
    })
}

fn queue(desk: &str, enough: &AtomicBool) -> usize {
    let mut all = customers(desk, 55, 250, 0);
    let churn = |from: u64| {
        let bodies = [json!({"requested": {}}), json!({"withdrawn": {}})];
        (from..from + 20)
            .flat_map(|number| frame(&entry(number, &bodies[number as usize % 2])))
            .collect::<Vec<u8>>()
    };
    for raw in &mut all {
        raw.say(&entry(1, &json!({"requested": {}})));
    }
    let mut round = (0, churn(2));
    go(enough, |n| {
        if n / 250 != round.0 {
            round = (n / 250, churn(n as u64 / 250 * 20 + 2));
        }
        all[n % 250].send(&round.1);
    })
}

fn long_past(desk: &str, enough: &AtomicBool) -> usize {
    let bodies = [json!({"requested": {}}), json!({"withdrawn": {}})];
    let past =
        (1..=2_000u64).flat_map(|number| frame(&entry(number, &bodies[number as usize % 2])));
    let past = past.collect::<Vec<u8>>();
    let first = 56 << 32;
    let mut raw = stranger(56, desk);
    raw.send(&begins(first, 2_000));
    raw.send(&past);
    while raw.until("ack")["number"] != 2_000 {}
    drop(raw);
    go(enough, |n| {
        let mut raw = stranger(n % 50, desk);
        raw.send(&begins(first, 2_000));
        let _ = raw.next();
    })
}

/// A desk, and the customers whose lines are timed. There are enough of them that none exceeds the
/// rate of one customer.
struct Desk {
    admin: Handoff,
    address: String,
    chats: Vec<Chat>,
    said: usize,
}

impl Desk {
    fn new(more: &[&str]) -> Desk {
        let mut admin = Handoff::admin(more);
        let address = admin.address();
        let one = |n| Chat::start_as(&address, &format!("{:02x}", 0x80 + n));
        let chats = (0..50).map(one).collect();
        Desk { admin, address, chats, said: 0 }
    }
}

impl Target for Desk {
    const EVERY: Duration = Duration::from_millis(2);

    fn process(&self) -> &Handoff {
        &self.admin
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn trip(&mut self) -> Duration {
        self.said += 1;
        let chat = &mut self.chats[self.said % 50];
        chat.trip();
        chat.trips.pop().expect("a trip")
    }

    fn newcomer(&mut self) {
        let mut new = Raw::connect_from(2, &self.address);
        new.say(&hello("0f", 0));
        new.until("welcome");
    }
}

/// Runs every attack for the time `during`. Returns a sentence with what was found.
#[track_caller]
fn attack_desk(during: Duration, allowed: Duration) -> String {
    let mut desk = Desk::new(&[]);
    let Outcome { alone, worst, newest, grown, threads } =
        attack_all(&mut desk, &ATTACKS, during, allowed);
    assert_eq!(threads.0, threads.1, "threads");
    format!(
        "{} attacks, p99 of a line {alone:.1?} before and {:.1?} at worst ({}), \
         a new customer in within {newest:.1?}, {grown} MiB more, no thread or descriptor",
        ATTACKS.len(),
        worst.0,
        worst.1
    )
}

#[test]
fn no_attack_stops_a_running_chat_or_keeps_new_customers_out() {
    let _alone = one_at_a_time();
    // The long form of this test measures the speed. This form runs beside other tests and without
    // optimisation, so it allows more time.
    attack_desk(Duration::from_millis(300), Duration::from_secs(2));
}

/// The agent types much to a customer who reads nothing. Returns the time until the desk ends that
/// connection, and the 99th percentile of the other chats.
#[track_caller]
fn a_customer_who_stops_reading() -> (Duration, Duration) {
    let mut target = Desk::new(&["--auto-accept"]);
    let mut deaf = Raw::connect_narrow(60, &target.address);
    deaf.say(&hello("0d", 1));
    let desk = deaf.until("welcome")["desk"].clone();
    deaf.say(&entry(1, &json!({"requested": {}})));
    let accept = deaf.until("entry")["number"].clone();
    deaf.say(&entry(2, &json!({"accepted": {"of": {"desk": desk, "number": accept}}})));
    let id = "0d".repeat(16);
    target.admin.until(|event| event["state"] == "active" && event["conversation"] == *id);
    for _ in 0..700 {
        target.admin.say(&"x".repeat(8_000));
    }
    let (since, mut trips, mut said, mut acked) = (Instant::now(), Vec::new(), 0, 0);
    loop {
        trips.append(&mut chat(&mut target, Duration::from_millis(200)));
        for event in std::iter::from_fn(|| target.admin.next_event())
            .filter(|event| event["conversation"] == *id)
        {
            if event["link"] == "lost" {
                assert!(event["why"].to_string().contains("stopped reading"), "{event}");
                return (since.elapsed(), p99(&mut trips));
            }
            let number = event["number"].as_u64().filter(|_| event["author"] == "admin");
            said = number.unwrap_or(said);
        }
        // The customer acknowledges lines that it never read, a window at a time, so that the desk
        // always has more to send.
        if said > acked {
            acked = said.min(acked + 100);
            deaf.say(&json!({"ack": {"number": acked}}));
        }
        assert!(since.elapsed() < WITHIN, "the desk keeps a customer that does not read");
    }
}

/// The long form, for a build with optimisation: `scripts/faults crowd`.
#[test]
#[ignore = "it takes minutes, and a machine with nothing else to do"]
fn faults_crowd() {
    let _alone = one_at_a_time();
    let seconds = number("FAULTS_CYCLES").unwrap_or(10);
    let line = attack_desk(Duration::from_secs(seconds), Duration::from_millis(50));
    let (took, p99) = a_customer_who_stops_reading();
    assert!(
        took < Duration::from_secs(13) && p99 < Duration::from_millis(50),
        "cut off after {took:?}, p99 {p99:?}"
    );
    eprintln!(
        "{line}; a customer who stops reading is cut off after {took:.1?}, others' p99 {p99:.1?}"
    );
}
