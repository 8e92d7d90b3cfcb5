//! From the agent back to the bot, and to an agent again.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, http, ok, text};
use crate::support::run::{BOT_GREETING, Handoff};

/// The numbers of messages by the customer's side, in the order in which they were printed.
fn numbers(end: &Handoff) -> Vec<u64> {
    let told = end.events_of("message").into_iter().filter(|event| event["author"] != "admin");
    told.map(|event| event["number"].as_u64().expect("a number")).collect()
}

#[test]
fn the_bot_remembers_what_was_said_without_it_and_a_second_handoff_goes_on_counting() {
    let mut bot = Handoff::bot();
    let mut admin = Handoff::admin(&["--name", "Robin"]);
    let mut user = Handoff::user(&admin.address(), &bot.url(), &[]);
    user.say("a human!");
    admin.say("/accept");
    user.until_state("active");
    user.say("my order is 17");
    admin.until_text("my order is 17");
    admin.say("it's on its way");
    user.until_text("it's on its way");
    admin.say("/handback");
    assert_eq!(user.until_state("bot")["reason"], "handed_back");
    admin.until_state("bot");
    user.say("what do you remember?");
    user.until(|event| {
        event["text"]
            == "The last I remember: you said \"my order is 17\"; Robin said \"it's on its way\"."
    });
    user.say("a human again");
    admin.say("/accept");
    user.until_state("active");
    admin.say("Robin again");
    user.until_text("Robin again");
    admin.say("/close");
    user.until_state("closed");
    user.close_stdin();
    admin.close_stdin();
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    assert_eq!(
        user.messages(),
        admin.messages(),
        "the second transcript holds messages that were for the bot"
    );
    assert_eq!(numbers(&user), numbers(&admin));
    assert!(numbers(&user).is_sorted_by(|a, b| a < b), "the numbers begin again");
    let from_admin =
        admin.events_of("message").into_iter().filter(|event| event["author"] == "admin");
    let from_admin: Vec<u64> =
        from_admin.map(|event| event["number"].as_u64().expect("a number")).collect();
    assert!(from_admin.len() == 2 && from_admin[0] < from_admin[1]);
}

#[test]
fn a_bot_that_paused_itself_answers_again_after_the_handback() {
    let mut bot = Handoff::bot();
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), &bot.url(), &[]);
    user.say("action handoff");
    user.until_state("active");
    admin.until_state("active");
    admin.say("/handback");
    user.until_state("bot");
    user.say("hi");
    user.until_text(BOT_GREETING);
    assert_eq!(user.events_of("error"), [] as [Value; 0]);
    let states = user.events_of("state").into_iter().filter(|event| event["state"] == "queued");
    assert_eq!(
        states.filter(|event| event.get("position").is_none()).count(),
        1,
        "the bot handed over a second time"
    );
}

#[test]
fn a_bot_without_an_api_causes_one_notice_and_handback_works() {
    let bot =
        FakeBot::saying(|said| text(if said == "human" { "Human Handoff" } else { "bot here" }));
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    for round in ["one", "two"] {
        user.say("human");
        admin.until_state("active");
        admin.say("/handback");
        user.until(|event| event["reason"] == "handed_back");
        user.say(round);
        user.until_text("bot here");
    }
    let told = user
        .events_of("notice")
        .into_iter()
        .filter(|event| event["text"].to_string().contains("has no API"));
    assert_eq!(told.count(), 1, "said once");
    assert_eq!(user.events_of("error"), [] as [Value; 0], "a bot without an API is not an error");
    assert_eq!(bot.texts(), ["human", "one", "human", "two"]);
}

#[test]
fn a_bot_that_stays_paused_causes_a_notice() {
    let bot = FakeBot::start(|asked| match asked.text() {
        _ if !asked.is_message() => ok(&json!({"paused": true})),
        "human" => ok(&text("Human Handoff")),
        _ => ok(&json!([])),
    });
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.say("human");
    admin.until_state("active");
    admin.say("/handback");
    user.until_told("notice", "still paused");
    user.say("hello?");
    let told = user.until_told("notice", "gave no answer");
    assert!(
        told["text"].to_string().contains("paused") && told["text"].to_string().contains("/human"),
        "{told}"
    );
}

#[test]
fn a_bot_that_refuses_the_lines_is_resumed_anyway() {
    let first = AtomicBool::new(true);
    let bot = FakeBot::start(move |asked| match asked.is_message() {
        true => ok(&text("Human Handoff")),
        false if first.swap(false, Ordering::SeqCst) => http("500 Oops", "", b"no"),
        false => ok(&json!({"paused": false})),
    });
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.say("human");
    user.until_state("active");
    user.say("a line");
    admin.until_text("a line");
    admin.say("/handback");
    user.until_state("bot");
    user.until_told("notice", "could not be told what was said");
    let events: Vec<Value> =
        bot.asked().into_iter().filter(|a| !a.is_message()).map(|a| a.body).collect();
    let names: Vec<&Value> =
        events[1].as_array().expect("a list").iter().map(|event| &event["event"]).collect();
    assert_eq!(
        names,
        ["resume", "action", "followup", "action"],
        "the events without the refused lines"
    );
}

#[test]
fn the_bot_gets_no_question_before_the_handback_has_reached_it() {
    let bot = FakeBot::start(|asked| match asked.text() {
        _ if !asked.is_message() => ok(&json!({"paused": false})),
        "human" => ok(&text("Human Handoff")),
        _ => ok(&text("yes")),
    });
    let mut admin = Handoff::admin(&[]);
    admin.script("/accept\nhello\n/handback\n");
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.script("human\n/wait\n/wait\nare you there?\n");
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    let paths: Vec<bool> = bot.asked().iter().map(|asked| asked.is_message()).collect();
    assert_eq!(
        paths,
        [true, false, true],
        "the trigger, the handback, and only then the next line"
    );
}
