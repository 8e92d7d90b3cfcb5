//! The limits of a desk: connections without a hello, frames a second, and slots for customers.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::chat::{Chat, one_at_a_time, weight};
use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::{Raw, entry, frame, hello, said};
use crate::support::run::{Handoff, WITHIN};
use crate::support::setup::Setup;

fn bot() -> FakeBot {
    FakeBot::saying(|said| text(if said.contains("human") { "Human Handoff" } else { "bot here" }))
}

#[test]
fn one_address_gets_few_connections_without_a_hello_and_other_addresses_get_in() {
    let bot = bot();
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let desk = admin.address();
    let mut user = Handoff::user(&desk, bot.url(), &[]);
    user.say("human");
    user.until_state("active");
    let mut silent: Vec<Raw> = (0..64).map(|_| Raw::connect(&desk)).collect();
    let since = Instant::now();
    let mut late = Raw::connect(&desk);
    silent[0].hung_up();
    assert!(
        since.elapsed() < Duration::from_secs(4),
        "the desk closes it at once, and not after the time for a hello: {:?}",
        since.elapsed()
    );
    let mut elsewhere = Raw::connect_from(2, &desk);
    elsewhere.say(&hello("e2", 0));
    elsewhere.until("welcome");
    late.say(&hello("e4", 0));
    late.until("welcome");
    user.say("still here");
    admin.until_text("still here");
    assert!(
        admin.events_of("error").is_empty()
            && user.events_of("link").iter().all(|event| event["link"] != "lost")
    );
}

#[test]
fn the_desk_closes_the_oldest_silent_connection_to_admit_a_customer() {
    let mut admin = Handoff::admin(&[]);
    let desk = admin.address();
    let mut chat = Chat::start(&desk);
    let mut silent: Vec<Raw> =
        (0..512).map(|n| Raw::connect_from(10 + (n / 64) as u8, &desk)).collect();
    let since = Instant::now();
    let mut speaks = Raw::connect_from(2, &desk);
    speaks.say(&hello("e3", 0));
    speaks.until("welcome");
    silent[0].hung_up();
    assert!(since.elapsed() < Duration::from_secs(4), "at once: {:?}", since.elapsed());
    chat.trip();
}

#[test]
fn the_desk_delays_a_flood_of_entries_loses_none_and_serves_others_quickly() {
    const ENTRIES: u64 = 1_000;
    let mut admin = Handoff::admin(&["--rate", "80"]);
    let desk = admin.address();
    let mut chat = Chat::start(&desk);
    let mut flood = Raw::welcomed(&desk, "ff", 0);
    let since = Instant::now();
    let entries = (1..=ENTRIES)
        .flat_map(|number| frame(&entry(number, &said("user", &format!("flood {number}")))));
    flood.send(&entries.collect::<Vec<u8>>());
    flood.end();
    while since.elapsed() < Duration::from_secs(1) {
        chat.trip();
    }
    while flood.until("ack")["number"] != ENTRIES {}
    let took = since.elapsed();
    assert!(took > Duration::from_secs(1), "more than a burst was taken at once: {took:?}");
    admin.until_text(&format!("flood {ENTRIES}"));
    let came: Vec<String> = admin.messages().into_iter().map(|(_, text)| text).collect();
    let came: Vec<&String> = came.iter().filter(|text| text.starts_with("flood")).collect();
    assert_eq!(
        came,
        (1..=ENTRIES)
            .map(|number| format!("flood {number}"))
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>()
    );
    let p99 = chat.p99();
    assert!(p99 < Duration::from_millis(250), "{p99:?} of {} trips", chat.trips.len());
}

#[test]
fn a_flood_of_pings_slows_down_only_its_sender() {
    let mut admin = Handoff::admin(&["--rate", "20"]);
    let desk = admin.address();
    let mut chat = Chat::start(&desk);
    let mut flood = Raw::welcomed(&desk, "fe", 0);
    let pings = frame(&json!({"ping": {}})).repeat(8_000);
    flood.send(&pings);
    // The desk reads this only after minutes of pings, and does not close the connection.
    flood.say(&entry(1, &said("user", "listen!")));
    let before = weight(&admin).0;
    for _ in 0..100 {
        chat.trip();
    }
    assert_eq!(admin.messages().iter().filter(|(_, text)| text == "listen!").count(), 0);
    assert!(weight(&admin).0 < before + (4 << 20));
    let p99 = chat.p99();
    assert!(p99 < Duration::from_millis(250), "{p99:?}");
}

#[test]
fn the_desk_takes_an_announced_backlog_without_a_delay() {
    const ENTRIES: u64 = 3_000;
    let mut admin = Handoff::admin(&["--rate", "1"]);
    let mut raw = Raw::welcomed(&admin.address(), "bb", ENTRIES);
    let since = Instant::now();
    let entries = (1..ENTRIES)
        .flat_map(|number| frame(&entry(number, &said("bot", &format!("once {number}")))));
    raw.send(&entries.collect::<Vec<u8>>());
    raw.say(&entry(ENTRIES, &json!({"requested": {}})));
    while raw.until("ack")["number"] != ENTRIES {}
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    admin.until_state("queued");
}

#[test]
fn a_full_desk_sends_busy_and_admits_a_customer_when_another_leaves() {
    let bot = bot();
    let mut admin = Handoff::admin(&["--customers", "1"]);
    let desk = admin.address();
    let mut ann = Handoff::user(&desk, bot.url(), &["--name", "Ann"]);
    ann.say("human");
    ann.until(|event| event["position"] == 1);
    let mut bob = Handoff::user(&desk, bot.url(), &["--name", "Bob"]);
    bob.script("a human\nI can wait\n");
    let lost = bob.until(|event| event["link"] == "lost");
    assert!(lost["why"].to_string().contains("the desk is full"), "{lost}");
    bob.until_told("notice", "/bot goes back to the bot");
    let mut cy = Handoff::user(&desk, bot.url(), &["--name", "Cy"]);
    cy.say("a human");
    cy.until(|event| event["link"] == "lost");
    cy.say("/bot");
    assert_eq!(cy.until_state("bot")["reason"], "withdrawn");
    cy.say("hi");
    cy.until_text("bot here");
    ann.say("/bot");
    ann.until_state("bot");
    bob.until(|event| event["position"] == 1);
    admin.say("/accept");
    bob.until_state("active");
    admin.say("/close");
    assert_eq!(bob.exit_code(), 0, "a script dials until all its lines have arrived");
    admin.until_state("closed");
    let said: Vec<String> = admin.messages().into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["human", "a human", "I can wait"]);
}

#[test]
fn a_waiting_customer_keeps_the_slot_when_a_full_desk_is_killed() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--customers", "1"]);
    let mut raw = Raw::welcomed(&setup.desk, "a1", 1);
    raw.say(&entry(1, &json!({"requested": {}})));
    while raw.until("ack")["number"] != 1 {}
    admin.kill();
    let _admin = setup.admin(&["--customers", "1"]);
    let mut other = Raw::connect(&setup.desk);
    other.say(&hello("a2", 0));
    other.until("busy");
    Raw::welcomed(&setup.desk, "a1", 1);
}

#[test]
fn one_address_gets_no_more_than_its_share_of_slots() {
    let mut admin = Handoff::admin(&["--per-address", "2"]);
    let desk = admin.address();
    let _two = ["a1", "a2"].map(|id| Raw::welcomed(&desk, id, 0));
    let mut third = Raw::connect(&desk);
    third.say(&hello("a3", 0));
    assert!((5..30).contains(&third.until("busy")["retry"].as_u64().expect("a number")));
    third.hung_up();
    let mut elsewhere = Raw::connect_from(2, &desk);
    elsewhere.say(&hello("a3", 0));
    elsewhere.until("welcome");
}

/// A chat goes on while some connections send a byte now and then and others send nothing.
#[track_caller]
fn crowd(slow: usize, silent: usize) {
    let _alone = one_at_a_time();
    // Without a journal, so that the disk does not count.
    let mut admin = Handoff::admin(&["--ephemeral", "--rate", "100000"]);
    let desk = admin.address();
    let mut chat = Chat::start(&desk);
    let alone = Instant::now();
    while alone.elapsed() < Duration::from_secs(1) {
        chat.trip();
    }
    // A machine with other work is slow without a crowd, too.
    let allowed = (3 * chat.p99()).max(Duration::from_millis(50));
    chat.trips.clear();
    let host = |n: usize, each: usize| 10 + (n / each) as u8;
    let mut customers: Vec<Raw> = (0..slow)
        .map(|n| {
            let mut raw = Raw::connect_from(host(n, 250), &desk);
            let id = format!("{n:032x}");
            let secret = id.repeat(2);
            let hello = json!({"version": 1, "conversation": id, "secret": secret, "newest": 0});
            raw.say(&json!({"hello": hello}));
            raw.until("welcome");
            raw
        })
        .collect();
    let word = frame(&entry(1, &said("user", "slowly")));
    let (mut strangers, mut next, started) = (Vec::new(), 0, Instant::now());
    let mut weights = Vec::new();
    let mut seconds = 0;
    while strangers.len() < silent || seconds < 5 {
        for _ in 0..50.min(silent - strangers.len()) {
            strangers.push(Raw::connect_from(host(strangers.len(), 50), &desk));
        }
        // Each slow customer sends a byte a second, spread evenly over the second.
        let due = (started.elapsed().as_secs_f64() * slow as f64) as usize;
        while next < due {
            customers[next % slow].send(&word[next / slow..=next / slow]);
            next += 1;
        }
        chat.trip();
        if started.elapsed().as_secs() > seconds {
            seconds += 1;
            weights.push(weight(&admin));
        }
    }
    let (p99, trips) = (chat.p99(), chat.trips.len());
    eprintln!(
        "{slow} slow, {silent} silent, {trips} trips: p50 {:?}, p99 {p99:?}",
        chat.trips[trips / 2]
    );
    assert!(p99 < allowed, "the p99 of {trips} trips is {p99:?}, and {allowed:?} are allowed");
    let (first, last) = (weights[0], weights[weights.len() - 1]);
    assert_eq!(first.1, last.1, "threads");
    assert!(weights.iter().all(|(.., descriptors)| *descriptors < slow + 512 + 32), "{weights:?}");
    // The desk keeps the chat's messages in memory.
    assert!(last.0 < first.0 + (8 << 20) + 256 * trips as u64, "memory: {weights:?}");
    drop(strangers);
    for customer in &mut customers {
        customer.end();
    }
    drop(customers);
    let since = Instant::now();
    while weight(&admin).2 > 32 {
        assert!(
            since.elapsed() < WITHIN,
            "the desk keeps descriptors of closed connections: {:?}",
            weight(&admin)
        );
        chat.trip();
    }
}

#[test]
fn a_chat_goes_on_while_a_crowd_says_little_or_nothing() {
    crowd(200, 1_000);
}

/// The same test with as many connections as a desk is made for. It takes 13,000 descriptors
/// (`ulimit -n`).
#[test]
#[ignore = "it needs 13,000 descriptors and a machine with nothing else to do"]
fn a_chat_goes_on_while_a_great_crowd_says_little_or_nothing() {
    crowd(2_000, 10_000);
}
