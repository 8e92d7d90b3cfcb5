//! What both ends print when a connection was lost before its last frames arrived; and the order in
//! which a desk prints the lines that a customer typed before the desk could be reached.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::{Raw, entry, hello, said};
use crate::support::run::Handoff;
use crate::support::setup::Setup;

const DESK: &str = "d1e2f3a4b5c6978800112233445566ff";

/// A customer who has just asked for a person at a desk made of bare frames.
fn asking(listener: &TcpListener) -> (Handoff, FakeBot) {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let address = listener.local_addr().expect("a listener has an address").to_string();
    let mut user = Handoff::user(&address, bot.url(), &[]);
    user.say("/human");
    user.until_state("queued");
    (user, bot)
}

/// The desk's answer to the next hello of its only customer.
fn welcome(listener: &TcpListener, received: u64) -> Raw {
    let mut desk = Raw::accept(listener);
    desk.until("hello");
    desk.say(&json!({"welcome": {"desk": DESK, "received": received, "state": "queued"}}));
    desk
}

/// A customer of bare frames who says hello again, and has `received` entries of the desk.
fn again(desk: &str, id: &Value, received: u64, newest: u64) -> Raw {
    let mut hello = hello("ab", newest);
    hello["hello"]["received"] = json!({id.as_str().expect("an id is a string"): received});
    let mut user = Raw::connect(desk);
    user.say(&hello);
    user
}

/// The messages and states that a desk printed, in their order.
fn printed(admin: &Handoff) -> Vec<String> {
    let events = admin.events();
    let line = |event: &Value| match event["event"].as_str()? {
        "message" if event["history"] == true => Some(format!("history {}", event["text"])),
        "message" => Some(event["text"].to_string()),
        "state" => Some(event["state"].to_string()),
        _ => None,
    };
    events.iter().filter_map(line).map(|line| line.replace('"', "")).collect()
}

#[test]
fn a_customer_whose_ack_was_lost_prints_delivered_at_the_next_welcome() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let (mut user, _bot) = asking(&listener);
    let mut desk = welcome(&listener, 0);
    assert_eq!(desk.until("entry")["number"], 1);
    drop(desk);
    let _desk = welcome(&listener, 1);
    assert_eq!(user.until_event("delivered")["number"], 1);
}

#[test]
fn a_desk_whose_ack_was_lost_prints_delivered_at_the_next_hello() {
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    let mut user = Raw::connect(&address);
    user.say(&hello("ab", 1));
    let id = user.until("welcome")["desk"].clone();
    user.say(&entry(1, &json!({"requested": {}})));
    admin.until_state("queued");
    admin.say("/accept");
    assert_eq!(user.until("entry")["number"], 1);
    drop(user);
    admin.until(|event| event["link"] == "lost");
    let _user = again(&address, &id, 1, 1);
    assert_eq!(admin.until_event("delivered")["number"], 1);
}

#[test]
fn a_customers_side_repeats_its_seen_mark_after_each_welcome() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let (mut user, _bot) = asking(&listener);
    let mut desk = welcome(&listener, 0);
    desk.until("entry");
    desk.say(&entry(1, &json!({"accept": {"request": 1, "name": "Robin"}})));
    desk.say(&entry(2, &said("admin", "Good day.")));
    user.until_text("Good day.");
    assert_eq!(desk.until("seen")["number"], 2);
    drop(desk);
    let mut desk = welcome(&listener, 2);
    assert_eq!(desk.until("seen")["number"], 2);
}

#[test]
fn a_desk_repeats_its_seen_mark_after_each_welcome() {
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    let mut user = Raw::connect(&address);
    user.say(&hello("ab", 2));
    let id = user.until("welcome")["desk"].clone();
    user.say(&entry(1, &said("user", "my order is late")));
    user.say(&entry(2, &json!({"requested": {}})));
    assert_eq!(user.until("seen")["number"], 1);
    drop(user);
    admin.until(|event| event["link"] == "lost");
    let mut user = again(&address, &id, 0, 2);
    user.until("welcome");
    assert_eq!(user.until("seen")["number"], 1);
}

#[test]
fn a_line_typed_before_the_desk_was_reached_is_printed_after_the_state_queued() {
    let setup = Setup::new();
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_state("queued");
    user.say("I have time");
    user.until_text("I have time");
    let mut admin = setup.admin(&[]);
    admin.until_text("I have time");
    assert_eq!(printed(&admin), ["history a human", "queued", "I have time"]);
}

#[test]
fn a_line_of_a_request_that_ended_before_the_desk_was_reached_is_printed_as_history() {
    let mut admin = Handoff::admin(&[]);
    let mut user = Raw::welcomed(&admin.address(), "ab", 7);
    let bodies = [
        said("user", "a human"),
        json!({"requested": {}}),
        said("user", "is anybody there?"),
        json!({"withdrawn": {}}),
        said("user", "dear bot"),
        json!({"requested": {}}),
        said("user", "once more"),
    ];
    for (body, number) in bodies.iter().zip(1..) {
        user.say(&entry(number, body));
    }
    admin.until_text("once more");
    let told =
        ["history a human", "history is anybody there?", "history dear bot", "queued", "once more"];
    assert_eq!(printed(&admin), told);
}

#[test]
fn the_agent_reads_why_the_bot_handed_over() {
    let setup = Setup::with(FakeBot::saying(
        |_| json!([{"custom": {"handoff": true, "reason": "lost\nparcel"}}]),
    ));
    let mut admin = setup.admin(&[]);
    let mut user = setup.user(&[]);
    user.say("hi");
    assert_eq!(admin.until_state("queued")["reason"], "lost\nparcel");
    admin.say("/list");
    admin.until_told("notice", "number 1 in the queue: lost\\u{a}parcel");
    admin.kill();
    let mut admin = setup.admin(&[]);
    assert_eq!(admin.until_state("queued")["reason"], "lost\nparcel", "after a restart as well");
    admin.say("/accept");
    assert_eq!(admin.until_state("active").get("reason"), None);
}

#[test]
fn an_agent_at_a_terminal_reads_why_the_bot_handed_over() {
    let bot = FakeBot::saying(|_| json!([{"custom": {"handoff": true, "reason": "lost parcel"}}]));
    let mut admin = Handoff::plain_admin(&[]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.say("hi");
    admin.until_err(|line| line.contains("is waiting (number 1 in the queue): lost parcel"));
}
