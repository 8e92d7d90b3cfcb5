//! `kill -9` of the gateway while customers and their agent talk: every line is there once and in
//! order, at the desk, in both journals and in the streams that the customers read through all
//! deaths. A request that comes again is answered as it was before the deaths.
//!
//! With the feature `failpoints` every second gateway dies by itself at a named point, if no kill
//! comes before. `FAULTS_SEED=n` replays.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, unbounded};
use handoff::core::chance::Chance;
use serde_json::json;

use crate::support::kept;
use crate::support::machine::{failpoint, number};
use crate::support::setup::Setup;
use crate::support::web::{Answer, Customer, gateway, gateway_armed};

/// How many lines each customer says around each kill, and how many while the gateway is down.
const LINES_BEFORE: usize = 2;
const LINES_AFTER: usize = 1;

/// Limits that no test reaches.
const LIMITS: [&str; 4] = ["--rate", "100000", "--per-address", "1000"];

/// How many requests of all customers had an answer, and how many did not.
#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    unanswered: AtomicUsize,
}

/// Customer `at` says this line as a page does: with the same id until there is an answer.
fn say(customer: &Customer, at: usize, line: usize, counts: &Counts) -> Answer {
    let text = json!({ "text": format!("{at} says {line}") });
    loop {
        if let Some(answer) = customer.try_post("say", &format!("line-{line}"), text.clone()) {
            assert_eq!(answer.status, 202, "{answer:?}");
            counts.answered.fetch_add(1, Ordering::SeqCst);
            return answer;
        }
        counts.unanswered.fetch_add(1, Ordering::SeqCst);
        thread::yield_now();
    }
}

/// A customer who says a line for each item of the channel. Returns the answers.
fn talker(
    at: usize,
    customer: Customer,
    counts: Arc<Counts>,
) -> (Sender<()>, JoinHandle<Vec<Answer>>) {
    let (next, lines) = unbounded::<()>();
    let talker = thread::spawn(move || {
        lines.iter().enumerate().map(|(line, ())| say(&customer, at, line, &counts)).collect()
    });
    (next, talker)
}

/// Reads a customer's stream through all deaths of the gateway, as a page does: each time after the
/// latest event. Returns author and text of each message, up to this last one.
fn follower(customer: Customer, last_text: String) -> JoinHandle<Vec<(String, String)>> {
    thread::spawn(move || {
        let (mut messages, mut last) = (Vec::new(), None);
        loop {
            let Some(mut stream) = customer.try_stream(last.as_deref()) else {
                thread::yield_now();
                continue;
            };
            let mut is_over = false;
            while !is_over && let Some(event) = stream.next() {
                assert!(
                    event["event"] != "reset" || last.is_none(),
                    "a stream that comes back goes on where it was"
                );
                is_over = event["text"] == *last_text;
            }
            messages.append(&mut stream.messages());
            if is_over {
                return messages;
            }
            last = stream.last.or(last);
        }
    })
}

/// Kills a gateway with this many customers, this many times. Returns how many gateways died at a
/// failpoint.
#[track_caller]
fn kill(customers: usize, kills: usize, seed: u64) -> usize {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept", "--rate", "100000"]);
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &LIMITS);
    let all: Vec<_> = (0..customers).map(|_| Customer::begin(&address)).collect();
    for customer in &all {
        let mut stream = customer.stream(None);
        customer.say("human", "a human");
        stream.until_state("active");
    }
    let lines = kills * (LINES_BEFORE + LINES_AFTER);
    let last_text = |at: usize| match at {
        // The first customer has the focus, and gets the agent's lines.
        0 => "that was all".to_owned(),
        _ => format!("{at} says {}", lines - 1),
    };
    let followers: Vec<_> = all
        .iter()
        .cloned()
        .enumerate()
        .map(|(at, customer)| follower(customer, last_text(at)))
        .collect();
    let counts = Arc::<Counts>::default();
    let talkers: Vec<_> = all
        .iter()
        .cloned()
        .enumerate()
        .map(|(at, customer)| talker(at, customer, Arc::clone(&counts)))
        .collect();
    let have_say = |lines: usize| {
        for next in talkers.iter().flat_map(|(next, _)| std::iter::repeat_n(next, lines)) {
            next.send(()).expect("each line is taken");
        }
    };
    let (mut chance, mut by_themselves, mut is_armed) = (Chance::new(seed), 0, false);
    for kill in 0..kills {
        // The agent's answers are under way, too, at a moment that differs from kill to kill.
        admin.say(&format!("answer {kill}"));
        have_say(LINES_BEFORE);
        let said = customers * (kill * (LINES_BEFORE + LINES_AFTER) + LINES_BEFORE);
        while is_armed && process.is_running() && counts.answered.load(Ordering::SeqCst) < said {
            thread::yield_now();
        }
        for _ in 0..chance.below(400) {
            thread::yield_now();
        }
        by_themselves += usize::from(!process.is_running());
        process.kill();
        let before = counts.unanswered.load(Ordering::SeqCst);
        have_say(LINES_AFTER);
        while counts.unanswered.load(Ordering::SeqCst) == before {
            thread::yield_now();
        }
        is_armed = cfg!(feature = "failpoints") && kill % 2 == 0 && kill + 1 < kills;
        process = if is_armed {
            gateway_armed(&setup, &address, &LIMITS, &failpoint(&mut chance, 1..11))
        } else {
            gateway(&setup, &address, &LIMITS).0
        };
    }
    for (at, (next, talker)) in talkers.into_iter().enumerate() {
        drop(next);
        for (line, answer) in talker.join().expect("each line is taken").iter().enumerate() {
            assert_eq!(say(&all[at], at, line, &counts), *answer, "the same request again");
        }
    }
    admin.say("that was all");
    let answers: Vec<_> = (0..kills).map(|kill| format!("answer {kill}")).collect();
    for (at, follower) in followers.into_iter().enumerate() {
        let told = follower.join().expect("the stream goes on");
        let by = |author: &str| -> Vec<String> {
            let by = told.iter().filter(|(of, _)| of == author);
            by.map(|(_, text)| text.clone()).collect()
        };
        let own = (0..lines).map(|line| format!("{at} says {line}"));
        assert_eq!(
            by("user"),
            std::iter::once("a human".to_owned()).chain(own).collect::<Vec<_>>()
        );
        let theirs = if at == 0 {
            [&answers[..], &["that was all".to_owned()]].concat()
        } else {
            Vec::new()
        };
        assert_eq!(by("admin"), theirs);
    }
    for at in 0..customers {
        let last = format!("{at} says {}", lines - 1);
        if !admin.messages().iter().any(|(_, text)| *text == last) {
            admin.until_text(&last);
        }
    }
    let messages = admin.messages();
    for at in 0..customers {
        let of = format!("{at} says ");
        let at_desk: Vec<_> = messages
            .iter()
            .filter(|(_, text)| text.starts_with(&of))
            .map(|(_, text)| text)
            .collect();
        let wanted: Vec<_> = (0..lines).map(|line| format!("{of}{line}")).collect();
        assert!(at_desk.into_iter().eq(&wanted), "at the desk");
    }
    process.kill();
    admin.kill();
    let read = |mode| kept::read(&kept::journal(Path::new(setup.state()), mode));
    let (web, desk) = (read("web"), read("admin"));
    let checked = kept::check_alone("the gateway's journal", &web)
        .and_then(|()| kept::check_alone("the desk's journal", &desk))
        .and_then(|()| kept::check_together(&web, &desk));
    assert_eq!(checked, Ok(()));
    by_themselves
}

#[test]
fn a_gateway_killed_again_and_again_loses_and_doubles_no_line() {
    kill(6, 8, 1);
}

/// `scripts/faults kill N` kills a gateway, too: in worlds of 50 customers and at most 50 kills.
#[test]
#[ignore = "takes as long as its argument says"]
fn faults_kill_gateway() {
    const CUSTOMERS: usize = 50;
    let kills = number("FAULTS_CYCLES").unwrap_or(200) as usize;
    let seed = number("FAULTS_SEED").unwrap_or(1);
    let (mut left, mut lines, mut by_themselves) = (kills, 0, 0);
    while left > 0 {
        let now = left.min(50);
        by_themselves += kill(CUSTOMERS, now, seed + left as u64);
        left -= now;
        lines += CUSTOMERS * now * (LINES_BEFORE + LINES_AFTER);
    }
    eprintln!(
        "{kills} kills of a gateway with {CUSTOMERS} customers ({by_themselves} at named points), \
         {lines} lines: 0 lost, 0 doubled, every stream whole (seed {seed})"
    );
}
