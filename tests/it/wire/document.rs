//! `docs/PROTOCOL.md` against the code: its session is played to a real desk and to the pure
//! customer's side, its examples go through the real decoder, and its limits are compared.

use std::net::TcpListener;
use std::time::Duration;

use handoff::core::backoff::Backoff;
use handoff::core::delivery::{WINDOW_BYTES, WINDOW_ENTRIES};
use handoff::core::desk::{self, capacity};
use handoff::core::session::WELCOME_WITHIN;
use handoff::net;
use handoff::turn::peers::{FRAME_WITHIN, Peers, rate};
use handoff::wire::{self, Body, Decoder, Message, WireError};
use serde_json::{Value, json};

use crate::support::raw::{self, Raw, framed};
use crate::support::run::Handoff;
use crate::support::session::{Step, desk_of, parse, play_to_desk, step};

mod user_side;

const DOCUMENT: &str = include_str!("../../../docs/PROTOCOL.md");

/// The lines of every fenced block of this kind.
fn blocks<'a>(document: &'a str, kind: &str) -> Vec<&'a str> {
    let mut lines = Vec::new();
    let mut inside = None;
    for line in document.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(opened), None) => inside = Some(opened),
            (None, Some(now)) if now == kind => lines.push(line),
            _ => {}
        }
    }
    assert!(!lines.is_empty(), "the document has no '{kind}' block");
    lines
}

/// The single examples of this kind: the JSON without the speaker.
fn examples(kind: &str) -> Vec<&str> {
    let said = |line: &'static str| line.strip_prefix("user> ").or(line.strip_prefix("desk> "));
    blocks(DOCUMENT, kind)
        .into_iter()
        .map(|line| said(line).unwrap_or_else(|| panic!("who says '{line}'?")))
        .collect()
}

fn session() -> Vec<Step<'static>> {
    blocks(DOCUMENT, "session").into_iter().map(step).collect()
}

fn decoded(body: &str) -> Result<Option<Message>, WireError> {
    let mut decoder = Decoder::default();
    decoder.accept();
    decoder.push(framed(body.as_bytes()));
    decoder.message()
}

#[test]
fn a_real_desk_sends_the_documented_frames() {
    let same = |said: &Value, expected: &Value| assert_eq!(said, expected, "the desk's frame");
    let session = session();
    play_to_desk(&session, &desk_of(&session), same);
}

#[test]
fn every_documented_message_decodes_and_encodes_to_the_same_json() {
    let frames = session().into_iter().filter_map(|step| match step {
        Step::User(body) | Step::Desk(body) => Some(body),
        _ => None,
    });
    for body in examples("frames").into_iter().chain(frames) {
        match decoded(body) {
            Ok(Some(message)) => {
                assert_eq!(serde_json::to_string(&message).expect("a message"), body)
            }
            other => panic!("{body} gave {other:?}"),
        }
    }
}

#[test]
fn every_message_and_body_is_documented() {
    let examples = examples("frames");
    let kinds = [
        "hello", "welcome", "busy", "bye", "entry", "ack", "seen", "position", "page", "agent",
        "typing", "presence", "ping",
    ];
    for kind in kinds {
        assert!(
            examples.iter().any(|json| parse(json).get(kind).is_some()),
            "no example of {kind}"
        );
    }
    for kind in [
        "message",
        "requested",
        "withdrawn",
        "accept",
        "hand_back",
        "requeue",
        "close",
        "accepted",
        "handed_back",
        "closed",
        "refused",
    ] {
        let has = |json: &&str| {
            parse(json).pointer("/entry/body").is_some_and(|body| body.get(kind).is_some())
        };
        assert!(examples.iter().any(has), "no example of {kind}");
    }
}

#[test]
fn messages_of_a_later_version_are_ignored_refused_or_kept_as_documented() {
    for body in examples("ignored") {
        assert_eq!(decoded(body), Ok(None), "{body}");
    }
    for body in examples("refused") {
        assert!(decoded(body).is_err(), "{body} is taken");
    }
    for pair in examples("same").chunks(2) {
        let [one, other] = pair else { panic!("nothing to compare {pair:?} with") };
        let taken = decoded(one);
        assert!(matches!(taken, Ok(Some(_))), "{one} gave {taken:?}");
        assert_eq!(taken, decoded(other), "{one}");
    }
    for body in examples("unknown") {
        let kept = parse(body)["entry"]["body"].clone();
        match decoded(body) {
            Ok(Some(Message::Entry(entry))) => assert_eq!(entry.body, Body::Unknown(kept)),
            other => panic!("{body} gave {other:?}"),
        }
    }
    for body in examples("frames").into_iter().filter(|body| body.ends_with("}}")) {
        let more = format!("{},\"later\":[1]}}}}", &body[..body.len() - 2]).replace("{,", "{");
        assert_eq!(decoded(&more), decoded(body), "{more}");
    }
}

#[test]
fn the_limits_in_the_document_are_those_in_the_code() {
    let millis = |within: Duration| u64::try_from(within.as_millis()).expect("a short time");
    let keepalive = Peers::dialect("").keepalive;
    let limits = [
        ("version", u64::from(wire::VERSION)),
        ("frame body", wire::FRAME_MAX as u64),
        ("frame body before the welcome", wire::FRAME_MAX_BEFORE_HELLO as u64),
        ("frame body with an entry in it", wire::ENTRY_MAX as u64),
        ("levels of objects and arrays in a frame body", wire::NESTING_MAX as u64),
        ("text of a message, a bye, a why", wire::TEXT_MAX as u64),
        ("custom, as JSON without blanks", wire::CUSTOM_MAX as u64),
        ("image", wire::IMAGE_MAX as u64),
        ("buttons of a message", wire::BUTTONS_MAX as u64),
        ("title of a button", wire::TITLE_MAX as u64),
        ("payload of a button", wire::PAYLOAD_MAX as u64),
        ("url of a button or a page", wire::URL_MAX as u64),
        ("name, reason, department and language of requested", wire::NAME_MAX as u64),
        ("token of a gateway", wire::TOKEN_MAX as u64),
        ("title, language, browser, address of a page", wire::PAGE_TEXT_MAX as u64),
        ("user of an identity, name of an attribute", wire::USER_MAX as u64),
        ("value of an attribute", wire::PAGE_TEXT_MAX as u64),
        ("attributes of an identity", wire::ATTRIBUTES_MAX as u64),
        ("desks in a hello", wire::DESKS_MAX as u64),
        ("features in a hello or a welcome", wire::FEATURES_MAX as u64),
        ("name of a feature", wire::FEATURE_MAX as u64),
        ("entries after `closed`", desk::AFTER_CLOSED_MAX),
        ("entries in flight", WINDOW_ENTRIES as u64),
        ("bytes in flight", WINDOW_BYTES as u64),
        ("bytes waiting for a peer", net::OUTBOUND_MAX as u64),
        ("address to answer", millis(net::CONNECT_WITHIN)),
        ("TLS handshake", millis(net::HANDSHAKE_WITHIN)),
        ("hello", millis(net::HELLO_WITHIN)),
        ("welcome", millis(WELCOME_WITHIN)),
        ("rest of a frame", millis(FRAME_WITHIN)),
        ("ping after", millis(keepalive.after)),
        ("dead after", millis(keepalive.dead)),
        ("stalled after", millis(net::STALLED_AFTER)),
        ("waiting for the other side's end", millis(net::LINGER)),
        ("first backoff", millis(Backoff::FIRST)),
        ("longest backoff", millis(Backoff::LAST)),
        ("healthy after", millis(Backoff::HEALTHY)),
        ("counted in the queue without a connection", millis(desk::COUNTED_WITHOUT_LINK)),
        ("connections", net::CONNECTIONS as u64),
        ("strangers", net::STRANGERS as u64),
        ("strangers of an address", net::STRANGERS_PER_ADDRESS as u64),
        ("customers", capacity::CUSTOMERS as u64),
        ("customers of an address", capacity::CUSTOMERS_PER_ADDRESS as u64),
        ("frames a second", rate::RATE.into()),
        ("frames at once", u64::from(rate::RATE) * rate::BURST.as_secs()),
        ("free entries", rate::BACKLOG_ENTRIES as u64),
        ("bytes for entries to be free", rate::BACKLOG_BYTES as u64),
        ("bytes a second of all bulk senders", rate::BULK as u64),
        ("busy, at least", u64::from(capacity::RETRY_FIRST) * 1_000),
        ("busy, at most", u64::from(capacity::RETRY_FIRST + capacity::RETRY_SPREAD - 1) * 1_000),
    ];
    let table =
        DOCUMENT.split_once("| limit | value |\n| --- | --- |\n").expect("the table of limits").1;
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let documented: Vec<(&str, u64)> = rows
        .map(|row| {
            let (limit, value) = row.trim_matches(['|', ' ']).split_once(" | ").expect("two cells");
            (limit, value.parse().expect("a number"))
        })
        .collect();
    assert_eq!(documented, limits);
}

#[test]
fn the_customers_side_takes_a_long_entry_right_after_the_welcome() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let mut user = Handoff::user(&address, "http://127.0.0.1:9", &[]);
    user.say("/human");
    let mut desk = Raw::accept(&listener);
    desk.until("hello");
    let text = "y".repeat(wire::TEXT_MAX);
    let welcome = json!({"welcome": {"desk": "2".repeat(32), "received": 0, "state": "queued"}});
    let entry = json!({"entry": {"number": 1, "at": 0, "body": {"later": {"text": text}}}});
    let both =
        [framed(welcome.to_string().as_bytes()), framed(entry.to_string().as_bytes())].concat();
    desk.send(&both);
    user.until_told("notice", "this version cannot show");
}

#[test]
fn a_hello_with_impossible_marks_does_not_end_the_desk() {
    let mut admin = Handoff::admin(&[]);
    let mut raw = Raw::connect(&admin.address());
    let mut hello = raw::hello("a1", 1);
    hello["hello"]["received"] = json!({ "0".repeat(32): u64::MAX, "1".repeat(32): u64::MAX });
    raw.say(&hello);
    raw.say(&raw::entry(1, &json!({"requested": {}})));
    raw.until("position");
    admin.until_state("queued");
}

#[test]
fn only_an_entry_may_have_an_unknown_body() {
    let hello = r#"{"hello":{"number":1,"at":0,"body":{"later":{}}}}"#;
    assert!(matches!(decoded(hello), Err(WireError::Json(_))), "{:?}", decoded(hello));
}
