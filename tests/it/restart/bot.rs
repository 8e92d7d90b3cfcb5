//! Requests to the bot that were under way when the customer's side was killed.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::json;

use crate::support::fake_bot::{FakeBot, http, ok, text};
use crate::support::run::WITHIN;
use crate::support::setup::Setup;

/// A bot that signals each request, and answers a text with the word 'slow' only when the test
/// allows it.
fn slow_bot(api: bool) -> (FakeBot, Receiver<String>, Sender<()>) {
    let (came, coming) = channel();
    let (go, going) = channel();
    let (came, going) = (Mutex::new(came), Mutex::new(going));
    let bot = FakeBot::start(move |asked| {
        let what = if asked.is_message() { asked.text().to_owned() } else { asked.path.clone() };
        let _ = came.lock().expect("nobody panics with it").send(what.clone());
        if what.contains("slow") || (api && !asked.is_message()) {
            // When the test has ended, its end of the channel is gone, and the bot answers at once.
            let _ = going.lock().expect("nobody panics with it").recv();
        }
        match asked.is_message() {
            true if what.contains("human") => ok(&text("Human Handoff")),
            true => ok(&text(&format!("heard {what}"))),
            false if api => ok(&json!({})),
            false => http("404 Not Found", "", b"no API here"),
        }
    });
    (bot, coming, go)
}

#[test]
fn a_request_under_way_at_the_kill_is_not_repeated_and_again_sends_it_once() {
    let (bot, came, go) = slow_bot(false);
    let setup = Setup::with(bot);
    let mut user = setup.user(&[]);
    user.say("slow one");
    assert_eq!(came.recv_timeout(WITHIN).unwrap(), "slow one");
    user.kill();
    drop(go);
    let mut user = setup.user(&[]);
    let notice =
        user.until_told("notice", "the bot may not have got this: slow one; /again sends it again");
    assert!(notice["text"].is_string());
    user.until_state("bot");
    // A restart does not send the line again either, and /again still can.
    user.kill();
    let mut user = setup.user(&[]);
    user.until_told("notice", "the bot may not have got this: slow one");
    user.until_state("bot");
    assert_eq!(setup.bot.texts(), ["slow one"]);
    user.say("/again");
    user.until_text("heard slow one");
    user.say("/again");
    user.until_told("error", "there is nothing to send again");
    assert_eq!(setup.bot.texts(), ["slow one", "slow one"]);
    user.kill();
    let mut user = setup.user(&[]);
    user.until_state("bot");
    assert!(
        user.events_of("notice")
            .iter()
            .all(|notice| !notice["text"].to_string().contains("may not have got"))
    );
}

#[test]
fn lines_that_waited_for_the_bot_at_a_kill_are_sent_to_it_in_order() {
    let (bot, came, go) = slow_bot(false);
    let setup = Setup::with(bot);
    let arguments: Vec<&str> =
        setup.user_arguments(&[]).into_iter().filter(|word| *word != "--json").collect();
    let mut user = crate::support::terminal::Terminal::start(&arguments);
    user.prompts("bot> ");
    for line in ["slow one", "two", "three"] {
        user.press(&format!("{line}\r"));
        user.sees(&format!("user: {line}"));
    }
    assert_eq!(came.recv_timeout(WITHIN).unwrap(), "slow one");
    user.program.kill();
    drop(go);
    let mut user = setup.user(&[]);
    user.until_told(
        "notice",
        "the bot may not have got this: slow one / two / three; /again sends it again",
    );
    user.say("/again");
    for text in ["heard slow one", "heard two", "heard three"] {
        user.until_text(text);
    }
    assert_eq!(setup.bot.texts(), ["slow one", "slow one", "two", "three"]);
}

/// A bot that offers a choice for 'ask'. It signals any other request and answers it only when the
/// test allows it.
fn offering() -> (FakeBot, Receiver<String>, Sender<()>) {
    let (came, coming) = channel();
    let (go, going) = channel();
    let (came, going) = (Mutex::new(came), Mutex::new(going));
    let bot = FakeBot::saying(move |said| {
        if said == "ask" {
            let button = |title: &str, payload: &str| json!({"title": title, "payload": payload});
            let buttons = [button("Yes", "/affirm"), button("No", "/deny")];
            return json!([{"text": "Which?", "buttons": buttons}, {"text": "Take your time."}]);
        }
        let _ = came.lock().expect("nobody panics with it").send(said.to_owned());
        let _ = going.lock().expect("nobody panics with it").recv();
        text("noted")
    });
    (bot, coming, go)
}

#[test]
fn a_button_chosen_before_the_kill_is_sent_again_as_its_payload_and_not_as_its_title() {
    let (bot, came, go) = offering();
    let setup = Setup::with(bot);
    let mut user = setup.user(&[]);
    user.say("ask");
    user.until_text("Take your time.");
    user.say("2");
    assert_eq!(came.recv_timeout(WITHIN).unwrap(), "/deny");
    user.kill();
    drop(go);
    let mut user = setup.user(&[]);
    user.until_told("notice", "the bot may not have got this: No; /again sends it again");
    user.say("/again");
    user.until_text("noted");
    assert_eq!(setup.bot.texts(), ["ask", "/deny", "/deny"]);
}

#[test]
fn buttons_shown_before_a_restart_can_still_be_chosen() {
    let (bot, _, go) = offering();
    drop(go);
    let setup = Setup::with(bot);
    let mut user = setup.user(&[]);
    user.say("ask");
    user.until_text("Take your time.");
    user.kill();
    let mut user = setup.user(&[]);
    user.until_state("bot");
    user.say("2");
    user.until_text("noted");
    assert_eq!(setup.bot.texts(), ["ask", "/deny"]);
    assert!(user.messages().contains(&("user".to_owned(), "No".to_owned())));
}

#[test]
fn another_line_instead_of_again_drops_the_old_one() {
    let (bot, came, go) = slow_bot(false);
    let setup = Setup::with(bot);
    let mut user = setup.user(&[]);
    user.say("slow one");
    came.recv_timeout(WITHIN).unwrap();
    user.kill();
    drop(go);
    let mut user = setup.user(&[]);
    user.until_told("notice", "may not have got");
    user.say("something else");
    user.until_text("heard something else");
    user.say("/again");
    user.until_told("error", "there is nothing to send again");
    assert_eq!(setup.bot.texts(), ["slow one", "something else"]);
}

#[test]
fn a_handback_to_the_bot_that_a_kill_interrupted_is_repeated() {
    let (bot, came, go) = slow_bot(true);
    let setup = Setup::with(bot);
    let (mut admin, mut user) = setup.talking();
    admin.say("/handback");
    assert_eq!(came.recv_timeout(WITHIN).unwrap(), "a human");
    let tracker = came.recv_timeout(WITHIN).unwrap();
    assert!(tracker.contains("/tracker"), "{tracker}");
    user.kill();
    let tolds =
        |setup: &Setup| setup.bot.asked().iter().filter(|asked| !asked.is_message()).count();
    let before = tolds(&setup);
    drop(go);
    let mut user = setup.user(&[]);
    assert_eq!(user.until_state("bot").get("admin"), None);
    user.say("back again");
    user.until_text("heard back again");
    assert!(tolds(&setup) > before, "the handback was not repeated");
    let asked = setup.bot.asked();
    assert!(asked.last().unwrap().is_message(), "the line came before the repeated handback");
    assert_eq!(setup.bot.texts(), ["a human", "back again"]);
}
