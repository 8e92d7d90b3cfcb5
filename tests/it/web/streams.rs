//! Streams: their first events, how they go on after a break, and held requests in place of
//! streams.

use std::time::Instant;

use serde_json::json;

use crate::support::run::WITHIN;
use crate::support::setup::Setup;
use crate::support::web::{Customer, gateway, send_alone};

#[test]
fn a_stream_that_comes_back_gets_the_events_that_it_missed_and_none_twice() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let mut stream = customer.stream(None);
    customer.say("1", "one");
    stream.until_text("heard one");
    let last = stream.last.clone();
    drop(stream);
    customer.say("2", "two");
    let mut again = customer.stream(last.as_deref());
    assert_eq!(again.until(|event| event["event"] != "now")["text"], "two");
    again.until_text("heard two");
}

#[test]
fn an_unknown_id_begins_the_stream_anew() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let mut stream = customer.stream(None);
    customer.say("1", "one");
    stream.until_text("heard one");
    let epoch = stream.last.as_deref().and_then(|id| id.split_once('-')).expect("an id").0;
    for after in ["garbage", "-1", "00000000-1", &format!("{epoch}-99"), &format!("{epoch}-x")] {
        let held = [("accept", "application/json")];
        let answer = customer.get(&format!("/api/stream?after={after}"), &held);
        let events = answer.body["events"].as_array().expect("a list");
        let names: Vec<_> = events.iter().map(|event| &event["event"]).collect();
        assert_eq!(names, ["now", "reset", "message", "message"], "{after}");
        assert_eq!((&events[1]["first"], &events[2]["text"]), (&json!(1), &json!("one")));
    }
}

#[test]
fn a_long_conversation_begins_with_the_latest_hundred_and_the_rest_is_read_in_pages() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let mut stream = customer.stream(None);
    for n in 0..45 {
        customer.say(&n.to_string(), &format!("line {n}"));
        stream.until_text(&format!("heard line {n}"));
    }
    let mut customer = customer;
    let begun = customer.post("new", "new", json!({}));
    customer.conversation = begun.body["conversation"].as_str().expect("an id").to_owned();
    // 90 entries and the end of the former conversation, and 20 of this one.
    for n in 0..10 {
        let text = format!("more {n}");
        while customer.post("say", &format!("m{n}"), json!({ "text": text })).status == 429 {
            std::thread::yield_now();
        }
        stream.until_text(&format!("heard more {n}"));
    }
    let mut anew = customer.stream(None);
    assert_eq!(anew.until(|event| event["event"] == "reset")["first"], 12);
    anew.until_text("heard more 9");
    assert_eq!(anew.numbered.len(), 100);
    let page = customer.get("/api/entries?before=12", &[]);
    assert_eq!((page.status, &page.body["more"]), (200, &json!(false)));
    let events = page.body["events"].as_array().expect("a list");
    assert_eq!((events.len(), &events[0]["text"]), (11, &json!("line 0")));
    assert_eq!(events[10]["text"], "line 5");
}

#[test]
fn a_fifth_stream_is_refused_with_the_reason() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let mut streams: Vec<_> = (0..4).map(|_| customer.stream(None)).collect();
    for stream in &mut streams {
        stream.until(|event| event["event"] == "now");
    }
    let mut fifth = customer.stream(None);
    assert_eq!(fifth.until(|event| event["event"] == "full")["streams"], 4);
    fifth.until_end();
    customer.say("1", "hello");
    for stream in &mut streams {
        stream.until_text("heard hello");
    }
}

#[test]
fn a_held_request_waits_for_news_and_misses_none() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let json = [("accept", "application/json")];
    let first = customer.get("/api/stream", &json);
    assert_eq!(first.body["events"][1]["event"], "reset");
    let tag = first.body["events"][0]["tag"].as_str().expect("a tag").to_owned();
    let waiting = {
        let (customer, tag) = (customer.clone(), tag.clone());
        std::thread::spawn(move || {
            customer.get(&format!("/api/stream?after=garbage&now={tag}"), &json)
        })
    };
    // An unknown id begins anew, so this request is answered at once.
    assert_eq!(waiting.join().expect("it is answered").body["events"][1]["event"], "reset");
    let mut stream = customer.stream(None);
    stream.until(|event| event["event"] == "now");
    customer.say("1", "hello");
    stream.until_text("heard hello");
    let last = stream.last.clone().expect("an id");
    stream.until(|event| event["event"] == "now" && event["bot"] == "idle");
    let now = customer.get(&format!("/api/stream?after={last}"), &json);
    let tag = now.body["events"][0]["tag"].as_str().expect("a tag").to_owned();
    let waiting = {
        let customer = customer.clone();
        std::thread::spawn(move || {
            customer.get(&format!("/api/stream?after={last}&now={tag}"), &json)
        })
    };
    customer.say("2", "again");
    let events = waiting.join().expect("it is answered").body["events"].clone();
    assert!(events.as_array().is_some_and(|all| !all.is_empty()), "{events}");
}

#[test]
fn a_gateway_that_ends_says_goodbye_to_every_stream() {
    let setup = Setup::new();
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let mut stream = customer.stream(None);
    stream.until(|event| event["event"] == "now");
    process.signal(rustix::process::Signal::TERM);
    stream.until(|event| event["event"] == "bye");
    stream.until_end();
    assert_eq!(process.exit_code(), 143);
}

#[test]
fn a_customer_leaves_memory_after_their_held_request_was_answered() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &["--customers", "1"]);
    let first = Customer::begin(&address);
    first.say("1", "one");
    let held = [("accept", "application/json")];
    let is_answered = |customer: &Customer| {
        let answer = customer.get("/api/stream", &held);
        let events = answer.body["events"].as_array().expect("a list").clone();
        events.iter().any(|event| event["text"] == "heard one")
    };
    while !is_answered(&first) {}
    let deadline = Instant::now() + WITHIN;
    while send_alone("POST", &format!("http://{address}/api/begin"), &[], "{}").status == 429 {
        assert!(Instant::now() < deadline, "the first customer is in memory for ever");
    }
    assert!(is_answered(&first), "a known customer is let in");
}
