//! Which messages each side accepts in which state: docs/PROTOCOL.md, "States, and who decides".

use std::net::TcpListener;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::{Raw, entry, hello, said};
use crate::support::run::Handoff;
use crate::support::setup::Setup;

/// A customer of bare frames who asked for a person and ended the conversation: entries 1 to 3.
fn ended(raw: &mut Raw) {
    raw.say(&entry(1, &said("user", "hello")));
    raw.say(&entry(2, &json!({"requested": {}})));
    raw.say(&entry(3, &json!({"closed": {"reason": "user_ended"}})));
}

/// Bodies of messages and of controls that change the state: none may follow the end.
fn bodies_that_must_not_follow_the_end() -> [Value; 5] {
    [
        said("user", "one more thing"),
        said("bot", "one more thing"),
        json!({"requested": {}}),
        json!({"withdrawn": {}}),
        json!({"closed": {"reason": "user_ended"}}),
    ]
}

fn refused() -> Value {
    json!({"refused": {"of": {"desk": "d".repeat(32), "number": 1}, "why": "it is over"}})
}

/// Waits until the desk has acknowledged the entry.
#[track_caller]
fn acked(raw: &mut Raw, number: u64) {
    while raw.until("ack")["number"] != number {}
}

#[test]
fn a_message_after_the_end_ends_the_connection_and_is_not_shown() {
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    for (n, body) in bodies_that_must_not_follow_the_end().iter().enumerate() {
        let id = format!("a{n}");
        // The entry follows the end on the same connection.
        let mut raw = Raw::welcomed(&address, &id, 2);
        ended(&mut raw);
        acked(&mut raw, 3);
        admin.until_state("closed");
        raw.say(&entry(4, body));
        assert_eq!(raw.bye().0, "protocol", "{body}");
        // The desk still knows the end from its journal, and has journaled nothing after it.
        let mut raw = Raw::connect(&address);
        raw.say(&hello(&id, 4));
        let welcome = raw.until("welcome");
        assert_eq!(
            (&welcome["received"], &welcome["state"]),
            (&json!(3), &json!("closed")),
            "{body}"
        );
        raw.say(&entry(4, body));
        assert_eq!(raw.bye().0, "protocol", "{body}");
        // The end and the entry come in one backlog of a conversation that the desk does not know.
        let mut raw = Raw::welcomed(&address, &format!("b{n}"), 4);
        ended(&mut raw);
        raw.say(&entry(4, body));
        assert_eq!(raw.bye().0, "protocol", "{body}");
    }
    admin.say("/list");
    admin.until_told("notice", "nobody is talking, nobody is waiting");
    assert!(admin.messages().iter().all(|(_, text)| text == "hello"), "{:?}", admin.messages());
}

#[test]
fn a_refusal_or_an_unknown_entry_may_follow_the_end_and_changes_nothing() {
    let setup = Setup::new();
    let mut admin = setup.admin(&[]);
    let mut raw = Raw::welcomed(&setup.desk, "aa", 2);
    ended(&mut raw);
    raw.say(&entry(4, &refused()));
    raw.say(&entry(5, &json!({"rating": {"stars": 5}})));
    acked(&mut raw, 5);
    admin.until_state("closed");
    admin.kill();
    // A restarted desk knows the end from its journal.
    let mut admin = setup.admin(&[]);
    let mut raw = Raw::connect(&setup.desk);
    raw.say(&hello("aa", 8));
    assert_eq!(raw.until("welcome")["state"], "closed");
    raw.say(&entry(6, &refused()));
    raw.say(&entry(7, &json!({"rating": {"stars": 4}})));
    acked(&mut raw, 7);
    raw.say(&entry(8, &json!({"requested": {}})));
    assert_eq!(raw.bye().0, "protocol");
    admin.say("/list");
    admin.until_told("notice", "nobody is talking, nobody is waiting");
}

#[test]
fn a_restarted_desk_knows_that_a_conversation_has_ended() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--rate", "1000"]);
    let mut raw = Raw::welcomed(&setup.desk, "aa", 2);
    ended(&mut raw);
    for number in 4..=103 {
        raw.say(&entry(number, &json!({"later": {}})));
    }
    acked(&mut raw, 103);
    raw.say(&entry(104, &json!({"later": {}})));
    assert_eq!(raw.bye().0, "protocol", "the desk must bound how many entries follow the end");
    admin.kill();
    let _admin = setup.admin(&[]);
    let mut raw = Raw::connect(&setup.desk);
    raw.say(&hello("aa", 104));
    assert_eq!(raw.until("welcome")["state"], "closed");
}

#[test]
fn the_agent_sees_who_ended_the_conversation() {
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    let of = json!({"desk": "e".repeat(32), "number": 7});
    let other = [
        (json!({"closed": {"reason": "admin_closed"}}), "closed", "user_ended"),
        (json!({"closed": {"of": of, "reason": "admin_closed"}}), "closed", "closed_elsewhere"),
        (json!({"accepted": {"of": of}}), "bot", "taken_elsewhere"),
        (json!({"handed_back": {"of": of}}), "bot", "handed_back_elsewhere"),
        (json!({"withdrawn": {}}), "bot", "withdrawn"),
    ];
    for (n, (body, state, reason)) in other.iter().enumerate() {
        let mut raw = Raw::welcomed(&address, &format!("c{n}"), 1);
        raw.say(&entry(1, &json!({"requested": {}})));
        admin.until_state("queued");
        raw.say(&entry(2, body));
        let told = admin.until(|event| event["event"] == "state");
        assert_eq!((&told["state"], &told["reason"]), (&json!(state), &json!(reason)), "{body}");
    }
}

/// A customer who asked for a person, and the desk of bare frames that has welcomed them.
fn asking() -> (TcpListener, Handoff, FakeBot, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let bot = FakeBot::saying(|said| {
        text(if said == "human" { "Human Handoff" } else { "the bot here" })
    });
    let address = listener.local_addr().expect("a listener has an address").to_string();
    let mut user = Handoff::user(&address, bot.url(), &[]);
    user.say("human");
    let desk = welcoming(&listener);
    (listener, user, bot, desk)
}

fn welcoming(listener: &TcpListener) -> Raw {
    let mut desk = Raw::accept(listener);
    desk.until("hello");
    desk.say(&json!({"welcome": {"desk": "d".repeat(32), "received": 0, "state": "bot"}}));
    while desk.until("entry")["body"].get("requested").is_none() {}
    desk
}

#[test]
fn the_customer_sees_late_lines_of_an_agent_until_the_desk_knows_of_the_new_request() {
    let (_listener, mut user, _bot, mut desk) = asking();
    desk.say(&entry(1, &json!({"accept": {"request": 2}})));
    desk.say(&entry(2, &said("admin", "good day")));
    user.until_text("good day");
    desk.say(&entry(3, &json!({"hand_back": {"request": 2}})));
    user.until_state("bot");
    user.say("/human");
    user.until_state("queued");
    // These lines were on their way when the customer was handed back.
    desk.say(&entry(4, &said("admin", "one thing I forgot")));
    user.until_text("one thing I forgot");
    while desk.until("entry")["number"] != 5 {}
    desk.say(&json!({"ack": {"number": 5}}));
    user.until_event("delivered");
    desk.say(&entry(5, &said("admin", "nobody accepted me this time")));
    desk.hung_up();
    let lost = user.until(|event| event["link"] == "lost");
    assert!(lost["why"].to_string().contains("broke the protocol"), "{lost}");
    let heard: Vec<_> =
        user.messages().into_iter().filter(|(author, _)| author == "admin").collect();
    assert_eq!(heard.len(), 2, "{heard:?}");
}

#[test]
fn the_customer_sees_only_a_few_of_twenty_thousand_positions_and_always_the_last() {
    let (_listener, mut user, _bot, mut desk) = asking();
    let since = Instant::now();
    let positions = (1..=20_001)
        .rev()
        .flat_map(|n| crate::support::raw::frame(&json!({"position": {"position": n}})));
    desk.send(&positions.collect::<Vec<u8>>());
    user.until(|event| event["position"] == 1);
    let told =
        user.events_of("state").iter().filter(|event| event.get("position").is_some()).count();
    let most = since.elapsed().as_secs() as usize + 2;
    assert!((1..=most).contains(&told), "{told} in {:?}", since.elapsed());
}
