//! At its start the customer's side checks its desk: it opens one connection and closes it again.

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::Raw;
use crate::support::run::{Handoff, WITHIN};
use crate::support::setup::Setup;

fn bot() -> FakeBot {
    FakeBot::saying(|said| text(if said.contains("human") { "Human Handoff" } else { "bot here" }))
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("a listener has an address").to_string();
    (listener, address)
}

/// The text of the only notice so far. It comes after the first state, and there is no `link` and
/// no `error`.
#[track_caller]
fn only_notice(user: &mut Handoff) -> String {
    let notice = user.until_event("notice");
    let names: Vec<Value> = user.events().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(names, ["ready", "state", "notice"]);
    notice["text"].as_str().expect("a notice has a text").to_owned()
}

#[test]
fn a_wrong_fingerprint_causes_a_notice_at_the_start_and_changes_no_exit_code() {
    let bot = bot();
    let mut admin = Handoff::admin(&[]);
    let wrong = format!("SHA256:{}", "A".repeat(43));
    let mut user = Handoff::user(&admin.address(), bot.url(), &["--fingerprint", &wrong]);
    let told = only_notice(&mut user);
    for part in ["would fail: its key is SHA256:", &format!("--fingerprint asks for {wrong}")] {
        assert!(told.contains(part), "{told} lacks {part}");
    }
    user.script("hi\n");
    assert_eq!(user.exit_code(), 0);
    assert!(user.events_of("link").is_empty() && user.events_of("error").is_empty());
}

#[test]
fn a_first_contact_pins_the_key_at_the_start_and_the_handoff_repeats_no_notice() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    let told = only_notice(&mut user);
    let fingerprint = admin.events()[0]["fingerprint"].as_str().expect("ready has it").to_owned();
    assert!(told.contains("first contact") && told.contains(&fingerprint), "{told}");
    let known = std::fs::read_to_string(std::path::Path::new(setup.state()).join("known_desks"));
    assert!(known.expect("the key is pinned").contains(&fingerprint));
    // The desk reports no probe, and a probe does not count as its first stranger.
    admin.say("/list");
    admin.until_told("notice", "nobody is talking, nobody is waiting");
    assert_eq!(admin.events().len(), 2, "{:?}", admin.events());
    assert!(admin.stderr().is_empty());
    user.say("a human");
    user.until_state("active");
    assert_eq!(user.events_of("notice").len(), 1, "{:?}", user.events_of("notice"));
}

#[test]
fn a_known_desk_with_another_key_causes_a_notice_at_the_start() {
    let setup = Setup::new();
    let mut admin = setup.admin(&[]);
    let mut user = setup.user(&[]);
    user.until_told("notice", "first contact");
    user.script("");
    assert_eq!(user.exit_code(), 0);
    admin.kill();
    let impostor = TcpListener::bind(&setup.desk).expect("the desk is gone");
    let mut user = setup.user(&["--new"]);
    let mut heard = Raw::accept_next(&impostor);
    heard.hung_up();
    assert!(heard.read.is_empty(), "the impostor got something: {:?}", heard.read);
    let told = user.until_told("notice", "would fail")["text"].to_string();
    assert!(told.contains("it was SHA256:") && told.contains("remove line 1"), "{told}");
}

#[test]
fn a_desk_that_is_down_is_not_mentioned_at_the_start() {
    let setup = Setup::new();
    let mut user = setup.user(&[]);
    user.say("hi");
    user.until_text("heard hi");
    user.script("");
    assert_eq!(user.exit_code(), 0);
    assert!(
        user.events_of("notice").is_empty() && user.events_of("link").is_empty(),
        "{:?}",
        user.events()
    );
}

#[test]
fn a_desk_with_another_protocol_causes_a_notice_at_the_start() {
    let bot = bot();
    let plain = ["--plaintext", "loopback"];
    let cases: [(&[&str], &[&str], &str); 2] = [
        (
            &plain,
            &[],
            "the other side speaks plaintext, and this side TLS; give --plaintext anywhere",
        ),
        (&[], &plain, "the other side speaks TLS, and this side plaintext; drop --plaintext"),
    ];
    for (desk, customer, part) in cases {
        let mut admin = Handoff::admin(desk);
        let mut user = Handoff::user(&admin.address(), bot.url(), customer);
        let told = only_notice(&mut user);
        assert!(told.contains(part), "{told} lacks {part}");
        user.script("hi\n");
        assert_eq!(user.exit_code(), 0);
    }
}

#[test]
fn two_ends_in_plaintext_print_no_notice_at_the_start() {
    let bot = bot();
    let (listener, address) = listen();
    let mut user = Handoff::user(&address, bot.url(), &["--plaintext", "loopback"]);
    let (mut probe, _) = listener.accept().expect("the customer's side probes");
    let mut said = [0; 64];
    let length = probe.read(&mut said).expect("a goodbye");
    let said = String::from_utf8_lossy(&said[..length]).into_owned();
    assert!(said.contains("bye") && !said.contains("hello"), "{said}");
    drop(probe);
    // The same with a real desk.
    let mut admin = Handoff::admin(&["--plaintext", "loopback", "--auto-accept"]);
    let mut other = Handoff::user(&admin.address(), bot.url(), &["--plaintext", "loopback"]);
    for user in [&mut user, &mut other] {
        user.say("hi");
        user.until_text("bot here");
    }
    other.say("a human");
    other.until_state("active");
    for end in [&user, &other, &admin] {
        let told = end.events_of("notice");
        assert!(
            !told.iter().any(|told| told["text"].to_string().contains("plaintext")),
            "{told:?}"
        );
    }
}

#[test]
fn a_script_that_ends_at_once_does_not_wait_for_a_desk_that_never_answers() {
    let bot = bot();
    // The system accepts connections for this listener, and nothing answers.
    let (listener, silent) = listen();
    for options in [&[][..], &["--plaintext", "loopback"]] {
        let mut user = Handoff::user(&silent, bot.url(), options);
        let (mut probe, _) = listener.accept().expect("the customer's side probes");
        // The first byte is there, so the probe has begun. It gets no answer.
        probe.read_exact(&mut [0]).expect("the probe says something");
        let since = Instant::now();
        user.script("hi\n");
        assert_eq!(user.exit_code(), 0);
        assert!(since.elapsed() < Duration::from_millis(900), "{options:?}: {:?}", since.elapsed());
        assert_eq!(user.messages().len(), 2);
        probe.set_read_timeout(Some(WITHIN)).expect("the socket takes options");
        // The connection ends, or is reset.
        let _ = probe.read_to_end(&mut Vec::new());
    }
}

#[test]
fn a_handoff_ends_a_hanging_probe_and_reports_the_fault_once() {
    let bot = bot();
    let (listener, address) = listen();
    let wrong = format!("SHA256:{}", "A".repeat(43));
    let mut user = Handoff::user(&address, bot.url(), &["--fingerprint", &wrong]);
    let (mut probe, _) = listener.accept().expect("the customer's side probes");
    user.say("a human");
    Raw::accept_next(&listener).hung_up();
    user.until_told("error", "--fingerprint asks for");
    probe.set_read_timeout(Some(WITHIN)).expect("the socket takes options");
    let _ = probe.read_to_end(&mut Vec::new());
    user.script("");
    assert_eq!(user.exit_code(), 1);
    assert!(
        !user
            .events_of("notice")
            .iter()
            .any(|told| told["text"].to_string().contains("would fail"))
    );
}

#[test]
fn a_continued_conversation_connects_without_a_probe() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    user.kill();
    admin.kill();
    let listener = TcpListener::bind(&setup.desk).expect("the desk is gone");
    let mut user = setup.user(&[]);
    let mut first = Raw::accept_next(&listener);
    first.hung_up();
    user.until_told("error", "its key is SHA256:");
    assert_eq!(user.exit_code(), 1);
    listener.set_nonblocking(true).expect("the listener takes options");
    assert!(listener.accept().is_err(), "a second connection was opened");
}
