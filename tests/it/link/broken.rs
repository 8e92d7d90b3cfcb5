//! The connection between customer and desk: missing at first, lost, restored, cut at any byte.

use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::machine::ticks;
use crate::support::proxy::Proxy;
use crate::support::run::{BOT_GREETING, Handoff};

fn bot() -> FakeBot {
    FakeBot::saying(|said| text(if said.contains("human") { "Human Handoff" } else { "bot here" }))
}

fn admin_at(address: &str, more: &[&str]) -> Handoff {
    Handoff::start(&[&["admin", "--listen", address, "--json"], more].concat())
}

#[test]
fn a_customer_without_a_desk_can_go_back_or_reach_one_that_starts_later() {
    let (bot, address) = (bot(), nobody_at());
    let mut user = Handoff::user(&address, bot.url(), &[]);
    user.say("human");
    let lost = user.until(|event| event["link"] == "lost");
    assert!(lost["why"].to_string().contains("connection refused"), "{lost}");
    user.until_told("notice", "keeps trying to reach the desk; /bot goes back to the bot");
    user.say("/bot");
    assert_eq!(user.until_state("bot")["reason"], "withdrawn");
    user.say("hi");
    user.until_text("bot here");
    user.say("human, then");
    user.until_state("queued");
    user.say("I have time");
    let mut admin = admin_at(&address, &["--auto-accept"]);
    user.until_state("active");
    admin.until_state("active");
    assert_eq!(admin.messages(), user.messages(), "the desk lacks a message");
    assert_eq!(admin.messages().len(), 5);
    let notices = user
        .events_of("notice")
        .into_iter()
        .filter(|e| e["text"].to_string().contains("keeps trying"));
    assert!(notices.count() <= 2, "the notice comes once a handoff, not once an attempt");
}

#[test]
fn a_desk_restarted_without_a_journal_gets_the_whole_conversation_once() {
    let (bot, address) = (bot(), nobody_at());
    // With TLS the restarted desk would have another key, and the customer's side would refuse it.
    let plaintext = ["--plaintext", "loopback"];
    let mut first = admin_at(&address, &plaintext);
    let mut user = Handoff::user(&address, bot.url(), &plaintext);
    user.say("human");
    first.say("/accept");
    user.until_state("active");
    first.say("hello");
    user.until_text("hello");
    user.say("my order is late");
    first.until_text("my order is late");
    first.kill();
    user.until(|event| event["link"] == "lost");
    user.say("are you there?");
    let mut second = admin_at(&address, &plaintext);
    user.until_state("queued");
    user.until(|event| event["position"] == 1);
    second.say("/accept");
    user.until_state("active");
    second.say("somebody else here");
    user.until_text("somebody else here");
    second.say("/close");
    user.until_state("closed");
    user.close_stdin();
    assert_eq!(user.exit_code(), 0, "something was not delivered");
    second.until_state("closed");
    let said: Vec<String> = second.messages().into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["human", "my order is late", "are you there?", "somebody else here"]);
    let own: Vec<Value> =
        user.events_of("message").into_iter().filter(|event| event["author"] == "user").collect();
    assert_eq!(own.len(), 3, "the customer's side printed a line twice");
}

#[test]
fn a_customers_side_whose_desk_vanished_keeps_the_line_and_does_not_spin() {
    let (bot, address) = (bot(), nobody_at());
    let mut admin = admin_at(&address, &["--auto-accept"]);
    let mut user = Handoff::user(&address, bot.url(), &[]);
    user.say("human");
    user.until_state("active");
    user.say("one");
    admin.until_text("one");
    // Nobody will answer, so the wait ends after its own time.
    user.say("/wait 2");
    admin.kill();
    user.until(|event| event["link"] == "lost");
    let before = ticks(&user);
    user.until_told("error", "nobody answered within 2 s");
    assert!(ticks(&user) - before < 40, "over 0.4 s of CPU in 2 s of waiting");
    user.close_stdin();
    assert_eq!(user.exit_code(), 1);
}

#[test]
fn a_desk_whose_customer_vanished_reports_it_and_does_not_spin() {
    let bot = bot();
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.say("human");
    admin.until_state("active");
    admin.say("hello?");
    admin.say("/wait 2");
    user.until_text("hello?");
    user.kill();
    let lost = admin.until(|event| event["link"] == "lost");
    assert!(lost["why"].is_string(), "{lost}");
    let before = ticks(&admin);
    admin.until_told("error", "nobody answered within 2 s");
    assert!(ticks(&admin) - before < 40, "over 0.4 s of CPU in 2 s of waiting");
}

#[test]
fn a_desk_without_input_and_without_customers_waits_and_does_not_spin() {
    let bot = bot();
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    admin.close_stdin();
    let mut user = Handoff::user(&address, bot.url(), &[]);
    user.script("human\n/wait 2\n");
    user.until(|event| event["position"] == 1);
    let before = ticks(&admin);
    user.until_told("error", "nobody answered within 2 s");
    assert!(ticks(&admin) - before < 40, "over 0.4 s of CPU in 2 s of waiting");
    assert!(admin.is_running(), "a desk that had no conversation yet must not end");
}

#[test]
fn a_conversation_in_pieces_of_one_or_three_bytes_arrives_unchanged() {
    let mut bot = Handoff::bot();
    let url = bot.url();
    for slice in [1, 3] {
        let mut admin = Handoff::plain_admin(&[]);
        let proxy = Proxy::start(&admin.address(), slice, |_| usize::MAX);
        admin.script("/accept\nHello, 日本語? 👩‍👩‍👧\n/wait\nשלום.\n/close\n");
        let mut user = Handoff::plain_user(&proxy.address, &url, &[]);
        user.script("hi\nI want to talk to a human\n/wait\nnaïve café — don't 🏳️‍🌈\n");
        assert_eq!((user.exit_code(), admin.exit_code()), (0, 0), "in pieces of {slice}");
        let said = [
            "user: hi",
            &format!("bot: {}", BOT_GREETING),
            "user: I want to talk to a human",
            "admin: Hello, 日本語? 👩‍👩‍👧",
            "user: naïve café — don't 🏳️‍🌈",
            "admin: שלום.",
        ];
        assert_eq!(user.stdout(), said);
        assert_eq!(admin.stdout(), said.map(|line| format!("#1 {line}")));
    }
}

#[test]
fn a_line_that_breaks_again_and_again_in_the_middle_of_a_frame_loses_and_doubles_nothing() {
    let bot = bot();
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let proxy = Proxy::start(&admin.address(), 7, |n| {
        // The first connection is the probe of the customer's side.
        [usize::MAX, 230, 340, 460, 900, 1700].get(n).copied().unwrap_or(usize::MAX)
    });
    let mut user = Handoff::user(&proxy.address, bot.url(), &[]);
    user.until_told("notice", "first contact");
    user.say("human");
    for round in 0..10 {
        user.say(&format!("user {round}"));
    }
    admin.until_state("active");
    for round in 0..10 {
        admin.say(&format!("admin {round}"));
    }
    user.until_text("admin 9");
    admin.say("/close");
    user.until_state("closed");
    user.close_stdin();
    admin.close_stdin();
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    assert!(proxy.dialled.load(Ordering::SeqCst) > 4, "the connection never broke");
    let of = |end: &Handoff, author: &str| -> Vec<String> {
        end.messages().into_iter().filter(|(who, _)| who == author).map(|(_, text)| text).collect()
    };
    let lines = |who: &str| (0..10).map(|round| format!("{who} {round}")).collect::<Vec<_>>();
    for end in [&user, &admin] {
        assert_eq!(of(end, "user")[1..], lines("user"));
        assert_eq!(of(end, "admin"), lines("admin"));
    }
}

#[test]
fn a_break_at_any_byte_of_the_line_loses_and_doubles_nothing() {
    let bot = bot();
    let admin = &mut Handoff::admin(&["--auto-accept"]);
    let desk = admin.address();
    let users: Vec<(Handoff, Proxy)> = (0..48)
        .map(|n| {
            let proxy =
                Proxy::start(
                    &desk,
                    usize::MAX,
                    move |dialled| if dialled == 1 { n * 41 } else { usize::MAX },
                );
            (Handoff::user(&proxy.address, bot.url(), &[]), proxy)
        })
        .map(|(mut user, proxy)| {
            // The first connection is the probe of the customer's side.
            user.until_told("notice", "first contact");
            user.type_bytes(b"human\none\ntwo\n");
            (user, proxy)
        })
        .collect();
    let mut broken = 0;
    for (n, (mut user, proxy)) in users.into_iter().enumerate() {
        user.until_state("active");
        user.script("/end\n");
        assert_eq!(user.exit_code(), 0, "cut after {} bytes", n * 41);
        broken += usize::from(proxy.dialled.load(Ordering::SeqCst) > 2);
        let id = user.events_of("state")[0]["conversation"].clone();
        admin.until(|event| event["conversation"] == id && event["state"] == "closed");
        let came =
            admin.events_of("message").into_iter().filter(|event| event["conversation"] == id);
        let came: Vec<Value> = came.map(|event| event["text"].clone()).collect();
        assert_eq!(came, ["human", "one", "two"], "cut after {} bytes", n * 41);
    }
    assert!(broken > 24, "the connection broke {broken} times only");
}

#[test]
fn a_lost_link_says_which_step_of_the_connection_failed() {
    let bot = bot();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let silent_at = silent.local_addr().expect("a listener has an address").to_string();
    let mut users = [
        Handoff::user("no-such-host.invalid:5000", bot.url(), &[]),
        Handoff::user(&silent_at, bot.url(), &["--plaintext", "loopback"]),
        Handoff::user(&silent_at, bot.url(), &[]),
    ];
    for user in &mut users {
        user.say("human");
    }
    let parts =
        ["no-such-host.invalid", "sent no welcome in time", "sent no TLS handshake in time"];
    for (user, part) in users.iter_mut().zip(parts) {
        let lost = user.until(|event| event["link"] == "lost");
        assert!(lost["why"].to_string().contains(part), "{lost}");
        user.until_told("notice", "keeps trying");
    }
}
