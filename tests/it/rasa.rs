//! Whole handoffs with a real Rasa: what it answers, what it gets, and what it never gets.
//!
//! The tests read Rasa's own memory of a conversation, its tracker. The conversation's id is the
//! same there. `scripts/test` starts three servers: one with the API, one without, and one that
//! keeps its trackers in SQL and whose API wants a token or a JWT.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::rasa::{GREETING, Rasa, Stage, text, variable};
use crate::support::run::Handoff;
use crate::support::terminal::typed_user;

mod after;

/// Two handoffs and a handback, with one of the bot's ways to hand over.
#[track_caller]
fn there_and_back(trigger: &str, pauses: bool) {
    let mut stage = Stage::new(Rasa::with_api());
    stage.ask("hello", GREETING);
    stage.ask("send two messages", "First message");
    stage.user.until_text("Second message");
    stage.ask("show me a picture", "Here is a picture.");
    let picture = stage.user.until_text("https://example.invalid/cat.png");
    assert_eq!(picture["image"], picture["text"]);
    stage.user.say("show me a card");
    let card = stage.user.until(|event| event["author"] == "bot");
    assert_eq!((text(&card).as_str(), &card["custom"]["kind"]), ("", &Value::from("card")));
    let question = stage.ask("buttons please", "Do you like buttons?");
    assert_eq!(question["buttons"][1]["title"], "No");
    stage.user.say("2");
    stage.user.until(|event| event["author"] == "user" && event["text"] == "No");
    stage.user.until_text("You said no.");
    stage.ask("what can you do?", "I can't do much, but I'm able to call a human.");
    assert_eq!(stage.heard()[4..], ["buttons please", "/deny", "what can you do?"]);

    stage.hand_off(trigger);
    stage.assert_same();
    let told = stage.admin.events_of("message");
    assert!(told.len() == 17 && told.iter().all(|message| message["history"] == true), "{told:#?}");
    assert_eq!(stage.rasa.is_paused(&stage.conversation), pauses);
    let heard = stage.heard();
    stage.talk(
        "Hello, it's Robin. What is it?",
        "I can't find the O'Neill form — 見つかりません 🙈",
    );
    stage.talk("Here it is.", "Thanks!");
    assert_eq!(stage.heard(), heard, "the bot got something while Robin was the owner");

    let before = stage.rasa.events(&stage.conversation).len();
    stage.hand_back();
    assert!(
        !stage.rasa.is_paused(&stage.conversation),
        "the state 'bot' was shown before Rasa was resumed"
    );
    let told = stage.rasa.events(&stage.conversation).split_off(before);
    let told: Vec<_> = told
        .iter()
        .map(|event| (event["event"].as_str().unwrap_or_default(), text(event)))
        .collect();
    let human = [
        ("bot", "Hello, it's Robin. What is it?"),
        ("user", "I can't find the O'Neill form — 見つかりません 🙈"),
        ("bot", "Here it is."),
        ("user", "Thanks!"),
        ("resume", ""),
        ("action", ""),
        ("followup", ""),
        ("action", ""),
    ];
    assert_eq!(told, human.map(|(event, text)| (event, text.to_owned())));
    stage.ask("hello", GREETING);
    stage.ask("who are you", "I am an example bot.");

    stage.hand_off(trigger);
    stage.assert_same();
    let heard = stage.heard();
    stage.talk("Robin again. Yes?", "One more thing.");
    stage.close();
    stage.assert_same();
    assert_eq!(stage.heard(), heard, "the bot got something while Robin was the owner");
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn a_text_hands_over_and_back_and_over_again() {
    there_and_back("I want to talk to a human", false);
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn a_payload_hands_over_and_back_and_over_again() {
    there_and_back("payload handoff", false);
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn an_action_that_pauses_the_bot_hands_over_and_back_and_over_again() {
    there_and_back("action handoff", true);
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn slash_human_hands_over_although_the_bot_did_not() {
    let mut stage = Stage::new(Rasa::with_api());
    stage.ask("hello", GREETING);
    stage.hand_off("/human");
    stage.talk("What is it?", "You tell me.");
    assert_eq!(stage.heard(), ["hello"]);
    stage.hand_back();
    assert_eq!(stage.heard(), ["hello", "You tell me."]);
    stage.ask("bye", "Goodbye!");
    stage.hand_off("/human");
    stage.close();
    stage.assert_same();
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn a_handback_works_with_a_bot_that_had_no_line_before() {
    let mut stage = Stage::new(Rasa::with_api());
    stage.hand_off("/human");
    stage.talk("What is it?", "Can I have the bot?");
    stage.hand_back();
    stage.ask("hello", GREETING);
    stage.hand_off("action handoff");
    stage.hand_back();
    stage.ask("hello", GREETING);
    assert_eq!(stage.heard(), ["Can I have the bot?", "hello", "action handoff", "hello"]);
    stage.hand_off("/human");
    stage.close();
    stage.assert_same();
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn a_bot_answer_that_comes_after_the_handoff_is_not_shown() {
    let rasa = Rasa::with_api();
    let mut admin = Handoff::admin(&[]);
    let (mut user, mut keyboard) = typed_user(&admin.address(), &rasa.url, &[]);
    keyboard.type_line("be slow");
    user.until_out(|line| line == "user: be slow");
    keyboard.type_line("/human");
    let conversation =
        admin.until_state("queued")["conversation"].as_str().expect("it has an id").to_owned();
    admin.say("/accept");
    admin.say("What is it?");
    user.until_out(|line| line == "admin: What is it?");
    rasa.until_said(&conversation, "Sorry for the wait.");
    admin.say("/handback");
    admin.until_state("bot");
    keyboard.type_line("hello");
    user.until_out(|line| line == format!("bot: {GREETING}"));
    let said: Vec<String> =
        rasa.events(&conversation).iter().map(text).filter(|text| !text.is_empty()).collect();
    assert_eq!(said, ["be slow", "Sorry for the wait.", "What is it?", "hello", GREETING]);
    keyboard.type_line("/human");
    admin.until_state("queued");
    for lines in [user.stdout(), admin.stdout()] {
        assert!(!lines.iter().any(|line| line.contains("Sorry for the wait.")), "{lines:#?}");
    }
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn giving_up_the_queue_resumes_a_paused_bot() {
    let mut stage = Stage::new(Rasa::with_api());
    stage.user.say("action handoff");
    stage.user.until_state("queued");
    stage.admin.until_state("queued");
    stage.user.say("Is anybody there?");
    stage.admin.until_text("Is anybody there?");
    assert!(stage.rasa.is_paused(&stage.conversation));
    stage.user.say("/bot");
    assert_eq!(stage.user.until_state("bot")["reason"], "withdrawn");
    assert!(!stage.rasa.is_paused(&stage.conversation));
    stage.ask("hello", GREETING);
    assert_eq!(stage.heard(), ["action handoff", "Is anybody there?", "hello"]);
    stage.hand_off("action handoff");
    stage.close();
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn a_handback_without_the_api_causes_one_notice_and_works() {
    let mut stage = Stage::new(Rasa::without_api());
    for trigger in ["I want to talk to a human", "payload handoff", "I want to talk to a human"] {
        stage.ask("hello", GREETING);
        stage.hand_off(trigger);
        stage.talk("What is it?", "Nothing.");
        stage.hand_back();
    }
    stage.ask("bye", "Goodbye!");
    let notices: Vec<String> = stage.user.events_of("notice").iter().map(text).collect();
    let about: Vec<_> = notices.iter().filter(|notice| notice.contains("--enable-api")).collect();
    assert_eq!(about.len(), 1, "{notices:#?}");
    stage.hand_off("/human");
    stage.close();
    stage.assert_same();
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn a_bot_that_stays_paused_without_the_api_causes_a_notice() {
    let mut stage = Stage::new(Rasa::without_api());
    stage.hand_off("action handoff");
    stage.hand_back();
    stage.user.until_told("notice", "--enable-api");
    stage.user.say("hello");
    stage.user.until_told("notice", "probably still paused");
    stage.hand_off("/human");
    stage.close();
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn the_api_takes_its_token_from_the_environment() {
    let mut stage = Stage::new(Rasa::with_token());
    stage.hand_off("action handoff");
    stage.talk("What is it?", "Nothing.");
    stage.hand_back();
    stage.ask("hello", GREETING);
    assert_eq!(stage.heard(), ["action handoff", "Nothing.", "hello"]);
    let of_bot = |notice: &Value| !text(notice).contains("first contact with the desk");
    assert_eq!(
        stage.user.events_of("notice").into_iter().filter(of_bot).collect::<Vec<_>>(),
        [] as [Value; 0]
    );
    stage.hand_off("/human");
    stage.close();
}

/// A JWT as Rasa wants it, signed with HS256 (RFC 7515, A.1).
fn jwt(secret: &str) -> String {
    let payload = r#"{"user":{"username":"handoff","role":"admin"}}"#;
    let parts =
        [r#"{"alg":"HS256","typ":"JWT"}"#, payload].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let signed = parts.join(".");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, signed.as_bytes())))
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn the_api_takes_a_jwt() {
    let token = jwt(&variable("HANDOFF_RASA_JWT_SECRET"));
    let mut stage = Stage::with_customers_token(Rasa::with_token(), Some(&token));
    stage.hand_off("action handoff");
    stage.talk("What is it?", "Nothing.");
    stage.hand_back();
    stage.ask("hello", GREETING);
    assert_eq!(stage.heard(), ["action handoff", "Nothing.", "hello"]);

    let mut stage = Stage::with_customers_token(Rasa::with_token(), Some(&jwt("another secret")));
    stage.hand_off("action handoff");
    stage.hand_back();
    stage.user.until_told("notice", "refused the token");
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn a_wrong_or_missing_token_causes_a_notice() {
    for (given, told) in [(Some("another one"), "refused the token"), (None, "wants a token")] {
        let mut stage = Stage::with_customers_token(Rasa::with_token(), given);
        stage.hand_off("action handoff");
        stage.hand_back();
        let notice = stage.user.until_told("notice", told);
        assert!(!text(&notice).contains("another one"), "{notice}");
        for _ in 0..2 {
            stage.user.say("hello");
            stage.user.until_told("notice", "probably still paused");
        }
        assert!(stage.rasa.is_paused(&stage.conversation));
        let notices: Vec<String> = stage.user.events_of("notice").iter().map(text).collect();
        let causes = notices.iter().filter(|notice| notice.contains(told));
        assert_eq!(causes.count(), 1, "the cause is reported once: {notices:#?}");
        stage.hand_off("/human");
        stage.close();
    }
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn rasa_does_not_take_a_typed_slash_as_a_command() {
    let mut stage = Stage::new(Rasa::with_api());
    stage.ask("hello", GREETING);
    for typed in ["//restart", "  //restart", "//affirm"] {
        stage.ask(typed, "Sorry, I did not understand that.");
    }
    // Robin gets the line as it was typed. In the bot's memory it is a text and no command.
    stage.hand_off("action handoff");
    stage.user.say("//restart");
    stage.admin.until_text("/restart");
    stage.hand_back();
    let heard = stage.heard();
    assert_eq!(heard[1..4], ["\u{2215}restart", "\u{2215}restart", "\u{2215}affirm"]);
    assert_eq!(heard[5..], ["/restart"]);
    let restarted =
        stage.rasa.events(&stage.conversation).iter().any(|event| event["event"] == "restart");
    assert!(!restarted);
    stage.ask("hello", GREETING);
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn the_scripts_of_the_readme_say_the_whole_conversation_at_both_ends() {
    let rasa = Rasa::with_api();
    let mut admin = Handoff::plain_admin(&[]);
    admin.script("/accept\nHello, what is it?\n/wait\nOn its way.\n/close\n");
    let mut user = Handoff::plain_user(&admin.address(), &rasa.url, &[]);
    user.script("hi\nI want to talk to a human\n/wait\nmy order is late\n");
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    let said = [
        "user: hi",
        "bot: Hello! How can I help you?",
        "user: I want to talk to a human",
        "admin: Hello, what is it?",
        "user: my order is late",
        "admin: On its way.",
    ];
    assert_eq!(user.stdout(), said);
    assert_eq!(admin.stdout(), said.map(|line| format!("#1 {line}")));
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn two_customers_are_two_conversations_to_rasa() {
    let mut one = Stage::new(Rasa::with_api());
    let mut other = Stage::new(Rasa::with_api());
    assert_ne!(one.conversation, other.conversation);
    one.user.say("action handoff");
    other.user.say("buttons please");
    one.user.until_state("queued");
    other.user.until_text("Do you like buttons?");
    assert!(one.rasa.is_paused(&one.conversation) && !other.rasa.is_paused(&other.conversation));
    one.user.say("1");
    other.user.say("1");
    one.admin.until_text("1");
    other.user.until_text("You said yes.");
    assert_eq!(one.heard(), ["action handoff"]);
    assert_eq!(other.heard(), ["buttons please", "/affirm"]);
}
