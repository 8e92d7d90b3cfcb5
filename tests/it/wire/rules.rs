//! The rules of docs/PROTOCOL.md that no example there shows. Each is checked against a real desk,
//! a real customer's side or both: both ends accept and refuse the same frames.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use handoff::edge::tls::{Identity, Security};
use handoff::wire::{ENTRY_MAX, FEATURE_MAX, FEATURES_MAX, FRAME_MAX_BEFORE_HELLO, NESTING_MAX};
use serde_json::{Value, json};

use crate::support::raw::{Raw, entry, frame, framed, hello, said};
use crate::support::run::Handoff;

/// The id of the desk that a test plays.
const DESK: &str = "dddddddddddddddddddddddddddddddd";

/// A customer who asks for a person at a desk that the test plays.
struct Customer {
    user: Handoff,
    listener: TcpListener,
    /// The number of the latest entry that the customer's side has sent.
    newest: u64,
}

impl Customer {
    #[track_caller]
    fn new() -> (Customer, Raw) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address").to_string();
        let mut user = Handoff::user(&address, "http://127.0.0.1:9", &[]);
        user.say("/human");
        let mut desk = Raw::accept(&listener);
        desk.until("hello");
        (Customer { user, listener, newest: 0 }, desk)
    }

    /// A customer whom the desk has welcomed and whose request it has acknowledged.
    #[track_caller]
    fn waiting() -> (Customer, Raw) {
        let (mut customer, mut desk) = Customer::new();
        desk.say(&welcome());
        customer.newest = desk.until("entry")["number"].as_u64().expect("a number");
        desk.say(&json!({"ack": {"number": customer.newest}}));
        (customer, desk)
    }

    /// A waiting customer whom the desk's entry 1 has accepted.
    #[track_caller]
    fn talking() -> (Customer, Raw) {
        let (mut customer, mut desk) = Customer::waiting();
        desk.say(&entry(1, &json!({"accept": {"request": customer.newest}})));
        customer.user.until_state("active");
        (customer, desk)
    }
}

fn welcome() -> Value {
    json!({"welcome": {"desk": DESK, "received": 0, "state": "bot"}})
}

/// An entry as text, for forms that no JSON value has, such as a key twice.
fn raw_entry(number: u64, at: &str, body: &str) -> String {
    format!(r#"{{"entry":{{"number":{number},"at":{at},"body":{body}}}}}"#)
}

fn lists(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// A message of this author with one more field.
fn message(author: &str, text: &str, more: &str) -> String {
    format!(r#"{{"message":{{"author":"{author}","text":"{text}"{more}}}}}"#)
}

/// An entry whose frame has a body of this many bytes.
fn entry_of(length: usize, number: u64, author: &str) -> String {
    let with = |pad: usize| {
        raw_entry(
            number,
            "0",
            &message(author, "long", &format!(r#","pad":"{}""#, "x".repeat(pad))),
        )
    };
    let entry = with(length - with(0).len());
    assert_eq!(entry.len(), length);
    entry
}

/// Frames that both ends accept: entries by this author, numbered from `first`, and other messages.
fn taken(first: u64, author: &str) -> Vec<String> {
    // Levels 1 to 4 are the frame, the entry, its body and the message.
    let deep_message = message(author, "deep", &format!(r#","later":{}"#, lists(NESTING_MAX - 4)));
    let deep_body = format!(r#"{{"later":{}}}"#, lists(NESTING_MAX - 3));
    let bodies = [
        (
            "0",
            message(
                author,
                "nulls",
                r#","name":null,"buttons":null,"image":null,"custom":null,"greeting":null"#,
            ),
        ),
        ("0", message(author, "not a greeting", r#","greeting":false"#)),
        ("0", message(author, "a greeting", r#","greeting":true"#)),
        ("0", message(author, "", "")),
        ("18446744073709551615", message(author, "in the far future", "")),
        ("0", message(author, "a custom key twice", r#","custom":{"a":1,"a":2}"#)),
        ("0", message(author, "an unknown key twice", r#","later":1,"later":2"#)),
        ("0", deep_message),
        ("0", deep_body),
        ("0", message(author, &format!(r#"\"{}"#, "[".repeat(NESTING_MAX + 1)), "")),
    ];
    let mut frames: Vec<String> = bodies
        .iter()
        .zip(first..)
        .map(|((at, body), number)| raw_entry(number, at, body))
        .collect();
    frames.push(entry_of(ENTRY_MAX, first + bodies.len() as u64, author));
    // The first two frames are an unknown message of the greatest depth, and one with a key twice.
    frames.insert(0, format!(r#"{{"later":{}}}"#, lists(NESTING_MAX - 1)));
    frames.insert(0, r#"{"later":{"must":true,"must":false}}"#.to_owned());
    frames
}

/// The texts of the messages in [`taken`].
fn shown() -> Vec<String> {
    let mut texts = ["nulls", "not a greeting", "a greeting", "", "in the far future"]
        .map(str::to_owned)
        .to_vec();
    texts.extend(["a custom key twice", "an unknown key twice", "deep"].map(str::to_owned));
    // Brackets within a text do not count as nesting.
    texts.extend([format!("\"{}", "[".repeat(NESTING_MAX + 1)), "long".to_owned()]);
    texts
}

/// The texts that an end has printed.
fn told(end: &Handoff) -> Vec<String> {
    end.messages().into_iter().map(|(_, text)| text).collect()
}

/// Frames that both ends refuse: the fault, and an entry of this author with the number `first` or
/// another message.
fn refused(first: u64, author: &str) -> Vec<(&'static str, String)> {
    let hi = message(author, "hi", "");
    let deep_message = message(author, "deep", &format!(r#","later":{}"#, lists(NESTING_MAX - 3)));
    vec![
        ("an entry too long by a byte", entry_of(ENTRY_MAX + 1, first, author)),
        ("an ignored field too deep", raw_entry(first, "0", &deep_message)),
        (
            "an unknown body too deep",
            raw_entry(first, "0", &format!(r#"{{"later":{}}}"#, lists(NESTING_MAX - 2))),
        ),
        ("an unknown message too deep", format!(r#"{{"later":{}}}"#, lists(NESTING_MAX))),
        ("a time before 1970", raw_entry(first, "-1", &hi)),
        (
            "a key of a message twice",
            raw_entry(first, "0", &message(author, "hi", r#","text":"hi""#)),
        ),
        ("an unknown body twice", raw_entry(first, "0", r#"{"later":{},"later":{}}"#)),
        ("a required null", raw_entry(first, "null", &hi)),
    ]
}

#[test]
fn both_ends_take_what_the_document_allows() {
    let mut admin = Handoff::admin(&[]);
    let frames = taken(2, "user");
    let last = 1 + frames.len() as u64 - 2;
    let mut raw = Raw::welcomed(&admin.address(), "a1", last);
    raw.say(&entry(1, &json!({"requested": {}})));
    frames.iter().for_each(|body| raw.send(&framed(body.as_bytes())));
    while raw.until("ack")["number"] != last {}
    admin.until_text("long");
    assert_eq!(told(&admin), shown());

    let (mut customer, mut desk) = Customer::talking();
    let frames = taken(2, "admin");
    frames.iter().for_each(|body| desk.send(&framed(body.as_bytes())));
    while desk.until("ack")["number"] != last {}
    customer.user.until_text("long");
    assert_eq!(told(&customer.user), shown());
    assert!(!customer.user.events_of("link").iter().any(|event| event["link"] == "lost"));
}

#[test]
fn both_ends_refuse_what_the_document_forbids() {
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    for (n, (what, body)) in refused(1, "user").into_iter().enumerate() {
        let mut raw = Raw::welcomed(&address, &format!("{n:02x}"), 1);
        raw.send(&framed(body.as_bytes()));
        let (code, why) = raw.bye();
        assert_eq!(code, "protocol", "{what}: {why}");
    }
    for (what, body) in refused(1, "admin") {
        let (mut customer, mut desk) = Customer::waiting();
        desk.send(&framed(body.as_bytes()));
        let lost = customer.user.until(|event| event["link"] == "lost");
        assert!(
            lost["why"].as_str().is_some_and(|why| why.starts_with("the desk sent a ")),
            "{what}: {lost}"
        );
        desk.hung_up();
        assert!(
            !desk.read.iter().any(|said| said.get("bye").is_some()),
            "{what}: it must close without a goodbye"
        );
    }
}

#[test]
fn both_ends_take_unknown_features_and_refuse_too_many_or_too_long_ones() {
    let name = |n: usize| format!("{n:0FEATURE_MAX$}");
    let most: Vec<String> = (0..FEATURES_MAX).map(name).collect();
    let too_many: Vec<String> = (0..=FEATURES_MAX).map(name).collect();
    let too_long = vec!["f".repeat(FEATURE_MAX + 1)];

    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    let greet = |features: Value| {
        // The longest hello that is allowed.
        let mut hello = hello("f0", u64::MAX);
        let desks = (0..16).map(|n| (format!("{n:032x}"), json!(u64::MAX)));
        hello["hello"]["received"] = Value::Object(desks.collect());
        hello["hello"]["name"] = json!("\u{1}".repeat(128));
        hello["hello"]["features"] = features;
        assert!(hello.to_string().len() <= FRAME_MAX_BEFORE_HELLO);
        let mut raw = Raw::connect(&address);
        raw.say(&hello);
        raw
    };
    greet(json!(most)).until("welcome");
    for wrong in [json!(too_many), json!(too_long), json!("voice"), json!([1])] {
        assert_eq!(greet(wrong.clone()).bye().0, "protocol", "{wrong}");
    }

    for (features, fits) in [(most, true), (too_many, false), (too_long, false)] {
        let (mut customer, mut desk) = Customer::new();
        let mut welcome = welcome();
        welcome["welcome"]["features"] = json!(features);
        desk.say(&welcome);
        if fits {
            desk.until("entry");
        } else {
            customer.user.until(|event| event["link"] == "lost");
            desk.hung_up();
        }
    }
}

#[test]
fn a_repeated_entry_is_compared_by_its_known_values_only() {
    let first = r#"{"entry":{"number":2,"at":7,
        "body":{"message":{"author":"AUTHOR","text":"caf\u00e9"}}}}"#;
    let unknown = r#"{"entry":{"number":3,"at":7,"body":{"later":{"a":1,"b":[2]}}}}"#;
    let same = [
        r#"{ "entry": {"body":{"message":
            {"text":"café","author":"AUTHOR","image":null,"mood":"good"}},"at":7,"number":2} }"#,
        r#"{"entry":{"number":3,"at":7,"body":{"later":{"b":[2],"a":1}},"more":1}}"#,
    ];
    let others = [
        first.replace("\"at\":7", "\"at\":8"),
        first.replace("caf", "Caf"),
        unknown.replace("[2]", "[3]"),
        r#"{"entry":{"number":3,"at":7,"body":{"message":{"author":"AUTHOR","text":"hi"}}}}"#
            .to_owned(),
    ];
    // Sends an entry, repeats it in two other forms, and then sends another entry with its number.
    let play = |raw: &mut Raw, author: &str, other: &str| {
        let mut send = |body: &str| raw.send(&framed(body.replace("AUTHOR", author).as_bytes()));
        [first, unknown].into_iter().chain(same).for_each(&mut send);
        raw.say(&entry(4, &said(author, "so far")));
        while raw.until("ack")["number"] != 4 {}
        raw.send(&framed(other.replace("AUTHOR", author).as_bytes()));
        assert_eq!(raw.bye().0, "fork", "{other}");
    };
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    for (n, other) in others.iter().enumerate() {
        let mut raw = Raw::welcomed(&address, &format!("c{n}"), 1);
        raw.say(&entry(1, &json!({"requested": {}})));
        play(&mut raw, "user", other);
    }
    for other in &others {
        let (customer, mut desk) = Customer::talking();
        play(&mut desk, "admin", other);
        // The customer's side goes on in a new conversation.
        let former = &desk.read[0]["hello"]["conversation"];
        assert_ne!(Raw::accept(&customer.listener).until("hello")["conversation"], *former);
    }
}

#[test]
fn an_answer_must_name_the_pending_control_and_have_its_kind() {
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let address = admin.address();
    let other = "0".repeat(32);
    for (n, kind) in ["accepted", "handed_back", "closed"].into_iter().enumerate() {
        let answer = |desk: &Value, number: u64| {
            let mut body = json!({ kind: {"of": {"desk": desk, "number": number}} });
            if kind == "closed" {
                body[kind]["reason"] = json!("admin_closed");
            }
            body
        };
        // The accept is the desk's entry 1. A `refused` that names no control is accepted and has
        // no effect.
        let ask = |id: &str| {
            let mut raw = Raw::welcomed(&address, id, 1);
            raw.say(&entry(1, &json!({"requested": {}})));
            raw.until("entry");
            let desk = raw.read[0]["welcome"]["desk"].clone();
            let of_nothing =
                json!({"refused": {"of": {"desk": desk, "number": 77}, "why": "no such control"}});
            raw.say(&entry(2, &of_nothing));
            while raw.until("ack")["number"] != 2 {}
            (raw, desk)
        };
        let (mut raw, desk) = ask(&format!("a{n}"));
        raw.say(&entry(3, &answer(&desk, 99)));
        assert_eq!(raw.bye().0, "protocol", "{kind} of a control that was never made");
        let (mut raw, desk) = ask(&format!("b{n}"));
        raw.say(&entry(3, &answer(&desk, 1)));
        if kind == "accepted" {
            while raw.until("ack")["number"] != 3 {}
            raw.say(&entry(4, &answer(&desk, 1)));
        }
        assert_eq!(
            raw.bye().0,
            "protocol",
            "{kind} of an accept that is not its own, or has its answer"
        );
        let (mut raw, _) = ask(&format!("c{n}"));
        raw.say(&entry(3, &answer(&json!(other), 1)));
        while raw.until("ack")["number"] != 3 {}
    }
}

#[test]
fn a_close_notify_or_a_fin_alone_ends_a_connection_at_both_ends() {
    for (n, what) in ["a close_notify", "a FIN"].into_iter().enumerate() {
        let end = |raw: &mut Raw| if n == 0 { raw.notify_end() } else { raw.send_fin() };
        let mut admin = Handoff::admin(&[]);
        let mut raw = Raw::welcomed(&admin.address(), &format!("e{n}"), 1);
        raw.say(&entry(1, &json!({"requested": {}})));
        admin.until_state("queued");
        let since = Instant::now();
        raw.say(&entry(2, &said("user", "my last words")));
        end(&mut raw);
        admin.until_text("my last words");
        admin.until(|event| event["link"] == "lost");
        assert!(since.elapsed() < Duration::from_secs(15), "{what} was noticed only as silence");

        let (mut customer, mut desk) = Customer::talking();
        let since = Instant::now();
        desk.say(&entry(2, &said("admin", "my last words")));
        end(&mut desk);
        customer.user.until(|event| event["link"] == "lost");
        assert!(since.elapsed() < Duration::from_secs(15), "{what} was noticed only as silence");
        Raw::accept(&customer.listener).until("hello");
    }
}

#[test]
fn a_side_that_closes_sends_a_close_notify() {
    let mut admin = Handoff::admin(&[]);
    let mut raw = Raw::connect(&admin.address());
    raw.say(&json!({"ack": {"number": 0}}));
    raw.bye();
    assert!(raw.notified, "the desk did not end its direction of TLS");
    let (mut customer, mut desk) = Customer::waiting();
    customer.user.say("/quit");
    desk.hung_up();
    assert!(desk.notified, "the customer's side did not end its direction of TLS");
}

#[test]
fn a_bye_before_the_welcome_is_read_up_to_4096_bytes() {
    let bye = |length: usize| {
        let with = |text: &str| json!({"bye": {"code": "secret", "text": text}}).to_string();
        let bye = with(&"x".repeat(length - with("").len()));
        assert_eq!(bye.len(), length);
        framed(bye.as_bytes())
    };
    let (mut customer, mut desk) = Customer::new();
    desk.send(&bye(FRAME_MAX_BEFORE_HELLO + 1));
    desk.hung_up();
    // The customer's side has not read the long goodbye, and so it dials again. It reads the next
    // one and gives up.
    let mut desk = Raw::accept(&customer.listener);
    desk.until("hello");
    desk.send(&bye(FRAME_MAX_BEFORE_HELLO));
    customer.user.until_told("error", "the desk says: xxx");
}

#[test]
fn a_desk_that_ignores_the_alpn_name_is_given_up_and_one_that_refuses_it_is_redialled() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("a listener has an address").to_string();
    let desk = |names: Vec<Vec<u8>>| {
        let mut security =
            Identity::fresh().and_then(Identity::security).expect("the system has random bytes");
        let Security::Listener(config) = &mut security else { unreachable!("a desk listens") };
        Arc::make_mut(config).alpn_protocols = names;
        security
    };
    let mut user = Handoff::user(&address, "http://127.0.0.1:9", &[]);
    user.say("/human");
    // These desks refuse the handshake with an alert. The customer's side dials again, as after any
    // failure.
    for _ in 0..2 {
        Raw::accept_as(&listener, &desk(vec![b"h2".to_vec()])).hung_up();
    }
    Raw::accept_as(&listener, &desk(Vec::new())).hung_up();
    user.until_told("error", "it speaks TLS, but not the handoff protocol");
    // In a script nobody can ask for another dial, so the script ends.
    assert_eq!(user.exit_code(), 1);
}

#[test]
fn acks_count_against_the_frames_a_second() {
    let mut admin = Handoff::admin(&[]);
    let mut raw = Raw::welcomed(&admin.address(), "ac", 0);
    let since = Instant::now();
    // The desk takes 200 frames at once, one of them the hello. It takes the other 60 at 20 a
    // second.
    let acks = frame(&json!({"ack": {"number": 0}})).repeat(259);
    raw.send(&acks);
    // The desk may read this line together with the acks. The next entry is sent later, so it shows
    // the delay.
    raw.say(&entry(1, &said("user", "at last")));
    admin.until_text("at last");
    raw.say(&entry(2, &json!({"requested": {}})));
    admin.until_state("queued");
    assert!(
        since.elapsed() > Duration::from_secs(2),
        "the desk read on after {:?}",
        since.elapsed()
    );
}

#[test]
fn a_customers_side_acknowledges_a_batch_of_entries_with_few_frames() {
    let (_customer, mut desk) = Customer::talking();
    let lines: Vec<u8> =
        (2..=701).flat_map(|n| frame(&entry(n, &said("admin", &format!("line {n}"))))).collect();
    desk.send(&lines);
    let number =
        |said: &Value, kind: &str| said.pointer(&format!("/{kind}/number")).and_then(Value::as_u64);
    let (mut acked, mut seen) = (0, 0);
    while acked < 701 || seen < 701 {
        let said = desk.next().expect("the customer's side stays");
        acked = acked.max(number(&said, "ack").unwrap_or(0));
        seen = seen.max(number(&said, "seen").unwrap_or(0));
    }
    let frames = desk.read.iter().filter(|said| said.get("entry").is_none()).count();
    assert!(frames < 200, "{frames} frames for 700 lines");
}

#[test]
fn a_backlog_that_is_acknowledged_in_batches_arrives_without_a_delay() {
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let address = admin.address();
    let mut raw = Raw::welcomed(&address, "ba", 1);
    raw.say(&entry(1, &json!({"requested": {}})));
    let accept = raw.until("entry")["number"].clone();
    let desk = raw.read[0]["welcome"]["desk"].clone();
    raw.say(&entry(2, &json!({"accepted": {"of": {"desk": desk, "number": accept}}})));
    admin.until_state("active");
    raw.end();
    admin.until(|event| event["link"] == "lost");
    admin.script(&(1..=700).map(|n| format!("line {n}\n")).collect::<String>());
    admin.until_text("line 700");

    let since = Instant::now();
    let mut again = hello("ba", 2);
    again["hello"]["received"] = json!({desk.as_str().expect("an id"): 1});
    let mut raw = Raw::connect(&address);
    raw.say(&again);
    for number in 2..=701 {
        assert_eq!(raw.until("entry")["number"], number);
        if number % 50 == 0 || number == 701 {
            raw.say(&json!({"ack": {"number": number}}));
            raw.say(&json!({"seen": {"number": number}}));
        }
    }
    assert!(since.elapsed() < Duration::from_secs(5), "700 lines took {:?}", since.elapsed());
}
