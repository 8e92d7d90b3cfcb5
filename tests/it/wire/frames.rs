//! A desk refuses bad frames with a reason, and other customers do not notice.

use std::fs;

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::{Raw, entry, frame, framed, hello, said};
use crate::support::run::Handoff;

/// A desk and a customer who talk.
struct Chat {
    admin: Handoff,
    user: Handoff,
    desk: String,
    _bot: FakeBot,
    said: u32,
}

impl Chat {
    #[track_caller]
    fn start() -> Chat {
        let bot = FakeBot::saying(|_| text("Human Handoff"));
        let mut admin = Handoff::admin(&[]);
        let desk = admin.address();
        let mut user = Handoff::user(&desk, bot.url(), &[]);
        user.say("human");
        admin.say("/accept");
        user.until_state("active");
        Chat { admin, user, desk, _bot: bot, said: 0 }
    }

    /// Checks that both ends still get each other's lines over the same connection.
    #[track_caller]
    fn goes_on(&mut self) {
        self.said += 1;
        let line = format!("still here {}", self.said);
        self.user.say(&line);
        self.admin.until_text(&line);
        self.admin.say(&line);
        self.user.until(|event| event["text"] == line && event["author"] == "admin");
        assert!(
            !self.user.events_of("link").iter().any(|event| event["link"] == "lost"),
            "its connection was lost"
        );
    }

    /// The resident memory of the desk, in bytes.
    fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.admin.pid().as_raw_pid());
        let status = fs::read_to_string(path).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number")
            * 1024
    }
}

/// Bytes that no honest program sends before a hello, each with its name and a part of the desk's
/// refusal.
fn garbage() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let deep = format!("{{\"later\":{deep}}}");
    vec![
        ("length 0", vec![0, 0, 0, 0], "a frame of length 0"),
        (
            "length 0xFFFFFFFF",
            vec![0xff; 4],
            "a frame of 4294967295 bytes where at most 4096 are allowed",
        ),
        ("length 4097", vec![0, 0, 0x10, 1], "a frame of 4097 bytes"),
        ("not UTF-8", framed(b"{\"hello\":\"\xff\xfe\"}"), "not a message"),
        ("not JSON", framed(b"hello desk, this is me"), "not a message"),
        ("half of JSON", framed(b"{\"ping\":{"), "not a message"),
        ("an array", framed(b"[1,2,3]"), "not a message"),
        ("nesting", framed(deep.as_bytes()), "a frame whose nesting is over its limit"),
        (
            "a lone surrogate",
            framed(br#"{"bye":{"code":"leaving","text":"\ud800"}}"#),
            "not a message",
        ),
        (
            "HTTP",
            b"GET / HTTP/1.1\r\nHost: desk\r\n\r\n".to_vec(),
            "HTTP, and not the handoff protocol",
        ),
        ("two keys", framed(br#"{"ping":{},"ack":{"number":1}}"#), "not a message"),
        ("a wrong type", framed(br#"{"hello":{"version":"one"}}"#), "not a message"),
        ("a huge number", framed(br#"{"ack":{"number":1e400}}"#), "not a message"),
    ]
}

#[test]
fn garbage_gets_a_readable_refusal_and_a_live_chat_goes_on() {
    let mut chat = Chat::start();
    for (name, bytes, part) in garbage() {
        let mut raw = Raw::connect(&chat.desk);
        raw.send(&bytes);
        let (code, why) = raw.bye();
        assert_eq!(code, "protocol", "{name}: {why}");
        assert!(why.contains(part), "{name}: {why}");
        chat.goes_on();
    }
}

#[test]
fn an_incomplete_frame_ends_only_its_own_connection() {
    let mut chat = Chat::start();
    let whole = frame(&hello("c1", 0));
    for length in [1, 3, 4, 5, whole.len() - 1] {
        let mut raw = Raw::connect(&chat.desk);
        raw.send(&whole[..length]);
        raw.end();
        raw.hung_up();
        assert!(!raw.read.iter().any(|message| message.get("welcome").is_some()));
    }
    chat.goes_on();
    assert_eq!(chat.admin.events_of("state").len(), 2, "a stranger is in the queue");
}

#[test]
fn the_desk_reads_a_hello_that_comes_byte_by_byte() {
    let chat = Chat::start();
    let mut raw = Raw::connect(&chat.desk);
    for byte in frame(&hello("c2", 0)) {
        raw.send(&[byte]);
    }
    assert_eq!(raw.until("welcome")["received"], 0);
}

#[test]
fn a_broken_rule_ends_the_connection_with_a_code_and_a_sentence() {
    let mut chat = Chat::start();
    let bye = |chat: &Chat, messages: &[Value]| {
        let mut raw = Raw::connect(&chat.desk);
        for message in messages {
            raw.say(message);
            // The next frames are sent after the welcome, when longer frames are allowed.
            if messages.len() > 1 && message.get("hello").is_some() && raw.read.is_empty() {
                raw.until("welcome");
            }
        }
        raw.bye()
    };
    let mut other = hello("d1", 0);
    other["hello"]["version"] = json!(2);
    let (code, why) = bye(&chat, &[other]);
    assert!(
        code == "version" && why.contains("version 1") && why.contains("you speak 2"),
        "{code}: {why}"
    );

    let _held = Raw::welcomed(&chat.desk, "d2", 0);
    let mut forged = hello("d2", 0);
    forged["hello"]["secret"] = json!("00".repeat(32));
    let (code, why) = bye(&chat, &[forged]);
    assert!(code == "secret" && why.contains("somebody else"), "{code}: {why}");

    let message = said("user", "hi");
    let cases = [
        ("an entry before the hello", "protocol", vec![entry(1, &message)]),
        ("an ack before the hello", "protocol", vec![json!({"ack": {"number": 0}})]),
        ("a gap", "gap", vec![hello("d3", 0), entry(2, &message)]),
        (
            "an ack of what was never sent",
            "protocol",
            vec![hello("d4", 0), json!({"ack": {"number": 1}})],
        ),
        (
            "an admin's words",
            "protocol",
            vec![hello("d5", 0), entry(1, &said("admin", "I am the desk"))],
        ),
        (
            "an admin's control",
            "protocol",
            vec![hello("d6", 0), entry(1, &json!({"close": {"request": 1}}))],
        ),
        ("a second hello", "protocol", vec![hello("d7", 0), hello("d7", 0)]),
        (
            "a welcome",
            "protocol",
            vec![
                hello("d8", 0),
                json!({"welcome": {"desk": "0".repeat(32), "received": 0, "state": "bot"}}),
            ],
        ),
        (
            "what must be understood",
            "protocol",
            vec![hello("d9", 0), json!({"later": {"must": true}})],
        ),
        (
            "a text over the limit",
            "protocol",
            vec![hello("da", 0), entry(1, &said("user", &"x".repeat(8193)))],
        ),
        ("an unknown author", "protocol", vec![hello("db", 0), entry(1, &said("root", "hi"))]),
    ];
    for (name, expected, messages) in cases {
        let (code, why) = bye(&chat, &messages);
        assert_eq!(code, expected, "{name}: {why}");
        assert!(why.len() > 10 && !why.contains('\n'), "{name}: {why}");
        chat.goes_on();
    }
    let desk = Raw::welcomed(&chat.desk, "dc", 0).read[0]["welcome"]["desk"]
        .as_str()
        .expect("an id")
        .to_owned();
    let mut ahead = hello("dd", 0);
    ahead["hello"]["received"] = json!({desk.clone(): 5});
    let mut raw = Raw::connect(&chat.desk);
    raw.say(&ahead);
    raw.until("welcome");
    raw.say(&entry(1, &message));
    chat.admin.until_told("notice", "lines 1..5 are held by the customer only");
    // The desk has lost its entries 1 to 5, so it cannot send the missing ones to a customer who
    // has only some of them. The highest mark is too high even for an old copy of a journal.
    for mark in [0, 4, u64::MAX] {
        ahead["hello"]["received"] = json!({desk.clone(): mark});
        let (code, why) = bye(&chat, std::slice::from_ref(&ahead));
        assert_eq!(code, "fork", "{mark}: {why}");
    }
    chat.goes_on();
}

#[test]
fn an_entry_numbered_0_is_refused_whatever_its_body() {
    let chat = Chat::start();
    for body in [said("user", "hi"), json!({"sticker": {"name": "cat"}})] {
        let mut raw = Raw::welcomed(&chat.desk, "e0", 0);
        raw.say(&entry(0, &body));
        let (code, why) = raw.bye();
        assert!(code == "protocol" && why.contains("over its limit"), "{code}: {why}");
    }
}

#[test]
fn the_desk_accepts_messages_of_a_later_version() {
    let mut chat = Chat::start();
    let mut raw = Raw::connect(&chat.desk);
    let mut later = hello("e1", 3);
    later["hello"]["colour"] = json!("blue");
    raw.say(&later);
    raw.until("welcome");
    raw.say(&json!({"later": {"deep": [1, {"a": null}]}}));
    raw.say(&json!({"later": {"must": false}}));
    raw.say(&entry(1, &json!({"sticker": {"name": "cat"}})));
    let mut with_more = entry(2, &said("user", "with more"));
    with_more["entry"]["mood"] = json!("good");
    with_more["entry"]["body"]["message"]["lang"] = json!("en");
    raw.say(&with_more);
    raw.say(&entry(3, &json!({"requested": {"reason": "why not", "urgent": true}})));
    while raw.until("ack")["number"] != 3 {}
    chat.admin.until_text("with more");
    chat.goes_on();
}

#[test]
fn endless_garbage_uses_no_memory() {
    let mut chat = Chat::start();
    let round = |chat: &Chat| {
        for (_, bytes, _) in garbage() {
            let mut raw = Raw::connect(&chat.desk);
            raw.send(&bytes);
            raw.bye();
        }
        for length in [0xffff_ff00_u32, 4096, 60_000] {
            let mut raw = Raw::connect(&chat.desk);
            raw.send(&length.to_be_bytes());
            raw.send(&[b'x'; 4000]);
            raw.end();
            raw.hung_up();
        }
    };
    (0..3).for_each(|_| round(&chat));
    let before = chat.memory();
    (0..40).for_each(|_| round(&chat));
    let after = chat.memory();
    assert!(after.saturating_sub(before) < 1 << 20, "the desk grew from {before} to {after} bytes");
    chat.goes_on();
}

#[test]
fn a_new_connection_of_a_conversation_replaces_the_old_one_with_a_goodbye() {
    let mut chat = Chat::start();
    let mut older = Raw::welcomed(&chat.desk, "f1", 1);
    older.say(&entry(1, &said("user", "from the older")));
    while older.until("ack")["number"] != 1 {}
    let mut newer = Raw::connect(&chat.desk);
    newer.say(&hello("f1", 2));
    assert_eq!(newer.until("welcome")["received"], 1);
    let (code, why) = older.bye();
    assert!(code == "replaced" && why.contains("another program"), "{code}: {why}");
    newer.say(&entry(2, &said("user", "from the newer")));
    while newer.until("ack")["number"] != 2 {}
    chat.admin.until_text("from the newer");
    chat.goes_on();
}

#[test]
fn a_repeated_entry_is_acknowledged_again_and_shown_once() {
    let mut chat = Chat::start();
    let mut raw = Raw::welcomed(&chat.desk, "f2", 2);
    for number in [1, 1, 2, 1] {
        raw.say(&entry(number, &said("user", &format!("entry {number}"))));
    }
    raw.say(&entry(3, &json!({"requested": {}})));
    while raw.until("ack")["number"] != 3 {}
    chat.admin.until_told("notice", "Hey! Customer f2f2 wants to talk to you");
    let told = chat.admin.messages().into_iter().filter(|(_, text)| text.starts_with("entry"));
    assert_eq!(told.map(|(_, text)| text).collect::<Vec<_>>(), ["entry 1", "entry 2"]);
}

#[test]
fn the_desk_closes_a_connection_without_a_hello() {
    let mut chat = Chat::start();
    let mut silent = Raw::connect(&chat.desk);
    let mut slow = Raw::connect(&chat.desk);
    slow.send(&[0, 0]);
    silent.hung_up();
    slow.hung_up();
    chat.goes_on();
}

#[test]
fn a_customer_cannot_accept_themselves() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut admin = Handoff::admin(&[]);
    let mut raw = Raw::welcomed(&admin.address(), "ee", 2);
    let desk = raw.read[0]["welcome"]["desk"].clone();
    raw.say(&entry(1, &json!({"requested": {}})));
    raw.say(&entry(2, &json!({"accepted": {"of": {"desk": desk, "number": 1}}})));
    assert_eq!(raw.bye().0, "protocol");
    assert!(
        !admin.events_of("state").iter().any(|event| event["state"] == "active"),
        "the customer accepted itself"
    );
    // The next line goes to the customer whom the agent accepts, not to the stranger.
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.say("human");
    admin.say("/accept 2");
    user.until_state("active");
    admin.say("for the one I took");
    user.until_text("for the one I took");
}

#[test]
fn a_seen_mark_of_an_unsent_entry_breaks_the_protocol_and_is_not_shown() {
    let mut chat = Chat::start();
    let mut raw = Raw::welcomed(&chat.desk, "ef", 1);
    raw.say(&entry(1, &json!({"requested": {}})));
    raw.say(&json!({"seen": {"number": 99}}));
    assert_eq!(raw.bye().0, "protocol");
    chat.goes_on();
    let seen = chat
        .admin
        .events_of("seen")
        .into_iter()
        .filter(|event| event["conversation"] == "ef".repeat(16));
    assert_eq!(seen.collect::<Vec<_>>(), [] as [Value; 0]);
}
