//! A bot that could not be reached at a handback gets all lines of the talk later, once, and
//! nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::fake_bot::{Asked, FakeBot, http, ok, text};
use crate::support::run::Handoff;
use crate::support::setup::Setup;

/// A bot that hands over at 'human'. Its API answers as `api` says.
fn bot(api: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> FakeBot {
    FakeBot::start(move |asked| match asked.is_message() {
        true if asked.text().contains("human") => ok(&text("Human Handoff")),
        true => ok(&text(&format!("heard {}", asked.text()))),
        false => api(asked),
    })
}

/// A bot that answers the first `times` requests to its API with `answer`, and accepts later ones.
fn bot_that_fails(times: usize, answer: Vec<u8>) -> FakeBot {
    let asked = AtomicUsize::new(0);
    bot(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        before if before < times => answer.clone(),
        _ => taken(),
    })
}

fn taken() -> Vec<u8> {
    ok(&json!({"paused": false}))
}

/// Hands over to an agent, sends a line of each side, and hands back to the bot.
#[track_caller]
fn there_and_back(user: &mut Handoff, admin: &mut Handoff, trigger: &str, lines: [&str; 2]) {
    user.say(trigger);
    user.until_state("active");
    admin.until_state("active");
    user.say(lines[0]);
    admin.until_text(lines[0]);
    admin.say(lines[1]);
    user.until_text(lines[1]);
    admin.say("/handback");
    user.until(|event| event["reason"] == "handed_back");
    admin.until_state("bot");
}

/// What the bot got since the first request to its API: `+` before a line of a person, `?` before a
/// question, and `resume` for each handback.
fn heard(bot: &FakeBot) -> Vec<String> {
    let asked = bot.asked();
    let from = asked.iter().position(|asked| !asked.is_message()).unwrap_or(asked.len());
    let told = |asked: &Asked| -> Vec<String> {
        if asked.is_message() {
            return vec![format!("?{}", asked.text())];
        }
        let events = asked.body.as_array().expect("a list of events").iter();
        let told = events.filter_map(|event| match event["event"].as_str() {
            Some("user" | "bot") => {
                Some(format!("+{}", event["text"].as_str().unwrap_or_default()))
            }
            Some("resume") => Some("resume".to_owned()),
            _ => None,
        });
        told.collect()
    };
    asked[from..].iter().flat_map(told).collect()
}

fn causes(user: &Handoff) -> Vec<String> {
    let notices = user.events_of("notice").into_iter();
    let notices = notices.map(|notice| notice["text"].as_str().unwrap_or_default().to_owned());
    notices.filter(|text| text.contains("what was said without it")).collect()
}

#[test]
fn the_bot_gets_a_refused_talk_later_and_the_cause_is_reported_once() {
    for status in
        ["401 Unauthorized", "403 Forbidden", "409 Conflict", "302 Found", "429 Too Many Requests"]
    {
        let bot = bot_that_fails(3, http(status, "", b"no"));
        let mut admin = Handoff::admin(&["--auto-accept"]);
        let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
        there_and_back(&mut user, &mut admin, "human", ["my order is late", "it is on its way"]);
        for line in ["one", "two", "three", "four"] {
            user.say(line);
            user.until_text(&format!("heard {line}"));
        }
        let stretch = ["+my order is late", "+it is on its way", "resume"];
        let expected = [
            &stretch[..],
            &stretch,
            &["?one"],
            &stretch,
            &["?two"],
            &stretch,
            &["?three", "?four"],
        ];
        assert_eq!(heard(&bot), expected.concat(), "{status}: refused three times, then accepted");
        let causes = causes(&user);
        assert!(
            causes.len() == 1 && causes[0].contains("does not know yet"),
            "{status}: {causes:?}"
        );
    }
}

#[test]
fn a_line_that_waits_for_the_bot_is_not_sent_to_it_as_past() {
    // In the first case the bot has refused the talk, so it is sent again. In the second case the
    // connection breaks without an answer: the bot may have the talk, so it is not sent again.
    for (answer, again) in [(http("401 Unauthorized", "", b"no"), true), (Vec::new(), false)] {
        let bot = bot_that_fails(1, answer);
        let mut admin = Handoff::admin(&["--auto-accept"]);
        let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
        there_and_back(&mut user, &mut admin, "human", ["my order is late", "it is on its way"]);
        user.say("hello");
        user.until_text("heard hello");
        let stretch = ["+my order is late", "+it is on its way", "resume"];
        let told: &[&str] = if again { &stretch } else { &stretch[2..] };
        assert_eq!(heard(&bot), [&stretch, told, &["?hello"]].concat());
    }
}

#[test]
fn a_second_handback_sends_the_bot_both_talks_with_agents_and_nothing_else() {
    let bot = bot_that_fails(2, http("401 Unauthorized", "", b"no"));
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    there_and_back(&mut user, &mut admin, "human", ["my order is late", "it is on its way"]);
    user.say("hello");
    user.until_text("heard hello");
    there_and_back(&mut user, &mut admin, "/human", ["it came", "well then"]);
    user.say("bye");
    user.until_text("heard bye");
    let first = ["+my order is late", "+it is on its way"];
    let both = [&first[..], &["+it came", "+well then", "resume"]].concat();
    let expected =
        [&first[..], &["resume"], &first, &["resume", "?hello"], &both, &["?bye"]].concat();
    assert_eq!(heard(&bot), expected);
}

#[test]
fn a_restart_with_the_right_token_sends_the_bot_the_refused_talk_once() {
    let refusing = bot(|asked| match asked.query.contains("token=right") {
        true => taken(),
        false => http("401 Unauthorized", "", b"no"),
    });
    let setup = Setup::with(refusing);
    let mut admin = setup.admin(&["--auto-accept"]);
    let with_token = |token: &str| {
        Handoff::start_with(&setup.user_arguments(&[]), |command| {
            _ = command.env("HANDOFF_BOT_TOKEN", token)
        })
    };
    let mut user = with_token("wrong");
    there_and_back(&mut user, &mut admin, "human", ["my order is late", "it is on its way"]);
    user.say("hello");
    user.until_text("heard hello");
    user.kill();
    // An agent takes over again before the bot got the talk.
    let mut user = with_token("wrong");
    user.until_state("bot");
    user.until_told("notice", "does not know yet");
    user.say("/human");
    user.until_state("active");
    user.kill();
    let before = setup.bot.asked().len();
    let mut user = with_token("right");
    user.until_state("active");
    admin.until(|event| event["link"] == "connected");
    admin.say("well then");
    user.until_text("well then");
    admin.say("/handback");
    user.until(|event| event["reason"] == "handed_back");
    user.say("bye");
    user.until_text("heard bye");
    let told = heard_from(&setup.bot, before);
    assert_eq!(told, ["my order is late", "it is on its way", "well then", "bye"]);
    assert_eq!(setup.bot.texts(), ["human", "hello", "bye"]);
    assert_eq!(causes(&user), [] as [String; 0]);
    user.kill();
    let before = setup.bot.asked().len();
    let mut user = with_token("right");
    user.until_state("bot");
    user.say("again");
    user.until_text("heard again");
    assert_eq!(heard_from(&setup.bot, before), ["again"], "the bot got an old line again");
}

/// The texts of all requests from number `first` on.
fn heard_from(bot: &FakeBot, first: usize) -> Vec<String> {
    let texts = |asked: &Asked| -> Vec<String> {
        match asked.body.as_array() {
            Some(events) => events
                .iter()
                .filter_map(|event| event["text"].as_str().map(str::to_owned))
                .collect(),
            None => vec![asked.text().to_owned()],
        }
    };
    bot.asked()[first..].iter().flat_map(texts).collect()
}

#[test]
fn a_restart_sends_the_bot_the_missed_talk_before_the_customer_types() {
    let right = Arc::new(AtomicUsize::new(0));
    let is_right = right.clone();
    let bot = bot(move |_| match is_right.load(Ordering::SeqCst) {
        0 => http("409 Conflict", "", b"no model"),
        _ => taken(),
    });
    let setup = Setup::with(bot);
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    there_and_back(&mut user, &mut admin, "human", ["my order is late", "it is on its way"]);
    let cause = user.until_told("notice", "does not know yet");
    assert!(
        cause["text"].as_str().is_some_and(|text| text.contains("no trained model loaded")),
        "{cause}"
    );
    user.kill();
    right.store(1, Ordering::SeqCst);
    let before = setup.bot.asked().len();
    let mut user = setup.user(&[]);
    user.until_state("bot");
    user.script("/wait\n");
    assert_eq!(user.exit_code(), 0);
    assert_eq!(heard_from(&setup.bot, before), ["my order is late", "it is on its way"]);
    assert_eq!(user.events_of("error"), [] as [Value; 0]);
}
