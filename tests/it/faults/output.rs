//! A peer, or the reader of our own stdout, that does not read.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::raw::{Raw, entry, said};
use crate::support::run::{Handoff, WITHIN};
use crate::support::setup::Setup;

/// The stdout of the customer's side goes to `cat`, which the test stops.
#[test]
fn a_stopped_reader_delays_only_the_seen_marks() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut reader =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat");
    let into = reader.stdin.take().expect("a pipe");
    let mut user = Handoff::start_with(&setup.user_arguments(&[]), |command| {
        command.stdout(into);
    });
    let (sender, shown) = channel();
    let out = BufReader::new(reader.stdout.take().expect("a pipe"));
    thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    user.say("a human");
    admin.until_state("active");
    kill_process(Pid::from_child(&reader), Signal::STOP).expect("it is ours");
    // The lines are more than two pipes hold.
    let lines: Vec<String> = (0..400).map(|line| format!("{line} {}", "x".repeat(1_000))).collect();
    lines.iter().for_each(|line| admin.say(line));
    let last = admin.until_text(&lines[399])["number"].as_u64();
    admin.until(|event| event["event"] == "delivered" && event["number"].as_u64() >= last);
    user.say("I am still here");
    admin.until_text("I am still here");
    let seen = admin.events_of("seen").iter().filter_map(|mark| mark["number"].as_u64()).max();
    assert!(seen < last, "{seen:?} of {last:?}");
    kill_process(Pid::from_child(&reader), Signal::CONT).expect("it is ours");
    admin.until(|event| event["event"] == "seen" && event["number"].as_u64() >= last);
    let mut heard = Vec::new();
    while heard.last() != lines.last() {
        let event: Value = serde_json::from_str(&shown.recv_timeout(WITHIN).expect("a line"))
            .expect("an event a line");
        if event["author"] == "admin" {
            heard.push(event["text"].as_str().unwrap_or_default().to_owned());
        }
    }
    assert_eq!(heard, lines);
    assert!(
        admin.events_of("link").iter().all(|event| event["link"] != "lost"),
        "the connection was lost"
    );
    user.kill();
    let _ = reader.wait();
}

/// A test of `net` proves that such a connection ends after 10 s; here the kernel's loopback
/// buffers a whole window.
#[test]
fn a_customer_that_stops_reading_delays_no_other_customer() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut other = setup.user(&[]);
    let mut deaf = Raw::welcomed(&setup.desk, "d0", 2);
    deaf.say(&entry(1, &said("user", "I shall not listen")));
    deaf.say(&entry(2, &json!({"requested": {}})));
    let accept = deaf.until("entry");
    let desk = deaf.read[0].pointer("/welcome/desk").expect("a welcome names the desk").clone();
    let of = json!({"desk": desk, "number": accept["number"]});
    deaf.say(&entry(3, &json!({"accepted": {"of": of}})));
    admin.until_state("active");
    // From here on this customer reads nothing.
    other.say("a human");
    other.until_state("active");
    let lines: Vec<String> =
        (0..250).map(|line| format!("for the deaf {line} {}", "x".repeat(8_000))).collect();
    lines.iter().for_each(|line| admin.say(line));
    let mut trips: Vec<Duration> = Vec::new();
    for trip in 0..100 {
        let asked = Instant::now();
        let line = format!("prompt {trip}");
        other.say(&line);
        admin.until_text(&line);
        trips.push(asked.elapsed());
    }
    drop(deaf);
    trips.sort();
    let p99 = trips[98];
    assert!(p99 < Duration::from_millis(500), "{p99:?} of {} trips", trips.len());
}
