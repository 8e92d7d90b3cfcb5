//! From the bot to a person: every way a handoff begins, and the events at each end.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, ok, text};
use crate::support::home::nobody_at;
use crate::support::lines::Flag;
use crate::support::run::{BOT_GREETING, Handoff, WITHIN};
use crate::support::terminal::typed_user;

fn pair(author: &str, text: &str) -> (String, String) {
    (author.to_owned(), text.to_owned())
}

#[test]
fn the_two_scripts_of_the_readme_say_the_whole_conversation_at_both_ends() {
    let mut bot = Handoff::bot();
    let mut admin = Handoff::plain_admin(&[]);
    admin.script("/accept\nHello, what is it?\n/wait\nOn its way.\n/close\n");
    let mut user = Handoff::plain_user(&admin.address(), &bot.url(), &[]);
    user.script("hi\nI want to talk to a human\n/wait\nmy order is late\n");
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    let said = [
        "user: hi",
        &format!("bot: {BOT_GREETING}"),
        "user: I want to talk to a human",
        "admin: Hello, what is it?",
        "user: my order is late",
        "admin: On its way.",
    ];
    assert_eq!(user.stdout(), said);
    assert_eq!(admin.stdout(), said.map(|line| format!("#1 {line}")));
}

#[test]
fn every_event_has_the_documented_fields_and_no_others() {
    let mut bot = Handoff::bot();
    let mut admin = Handoff::admin(&["--name", "Robin", "--greeting", "Welcome."]);
    admin.script("/accept\n/wait\nOn its way.\n/handback a note\n/accept\n/close\n");
    let mut user = Handoff::user(&admin.address(), &bot.url(), &["--name", "Ann"]);
    user.script(
        "buttons\n2\na picture\na card\na human, please\nit is late\n/wait\n/wait\na human again\n",
    );
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    for event in user.events().iter().chain(&admin.events()) {
        check_fields(event);
    }
    let told = |end: &Handoff, part: Value| {
        let fits = |event: &&Value| {
            part.as_object().expect("a pattern").iter().all(|(k, v)| event.get(k) == Some(v))
        };
        assert!(end.events().iter().any(|event| fits(&event)), "no event has {part}");
    };
    assert_eq!(user.events()[0], json!({"event": "ready", "mode": "user"}));
    assert_eq!(admin.events()[0]["event"], "ready");
    for end in [&user, &admin] {
        told(
            end,
            json!({"event": "message", "author": "user", "name": "Ann", "text": "it is late"}),
        );
        told(
            end,
            json!({"event": "message", "author": "admin", "name": "Robin", "text": "Welcome."}),
        );
        told(end, json!({"event": "message", "author": "user", "text": "No"}));
        told(end, json!({"event": "message", "image": "https://example.invalid/cat.png"}));
        told(end, json!({"event": "message", "text": "https://example.invalid/cat.png"}));
        told(
            end,
            json!({"event": "message", "text": "",
                "custom": {"kind": "card", "title": "A card", "nested": {"n": 1}}}),
        );
        let buttons = json!([
            {"title": "Yes", "payload": "/affirm", "choice": 1},
            {"title": "No", "payload": "/deny", "choice": 2}]);
        told(
            end,
            json!({"event": "message", "author": "bot", "text": "Pick one", "buttons": buttons}),
        );
        told(end, json!({"event": "state", "state": "queued", "position": 1}));
        told(end, json!({"event": "state", "state": "active", "admin": "Robin"}));
        told(end, json!({"event": "state", "state": "bot", "reason": "handed_back"}));
        told(end, json!({"event": "state", "state": "closed", "reason": "admin_closed"}));
        assert!(!end.events_of("delivered").is_empty(), "no line was reported as delivered");
    }
    told(&user, json!({"event": "link", "link": "connecting", "desk": admin.address()}));
    told(&user, json!({"event": "link", "link": "connected", "desk": admin.address()}));
    told(&admin, json!({"event": "notice", "text": "Hey! Ann wants to talk to you"}));
    told(&admin, json!({"event": "message", "text": "Pick one", "history": true}));
    assert!(
        user.events().iter().all(|event| event.get("history").is_none()),
        "a live message was marked as history"
    );
    assert!(
        admin
            .events()
            .iter()
            .all(|event| !event.to_string().contains("a note") || event["event"] == "note")
    );
    assert!(
        !user.events().iter().any(|event| event.to_string().contains("a note")),
        "the customer got a note of the desk"
    );
}

/// Checks an event against the table in `docs/JSON.md`.
fn check_fields(event: &Value) {
    let (required, optional): (&[&str], &[&str]) =
        match event["event"].as_str().expect("every event has a name") {
            "ready" => (&["mode"], &["listen", "fingerprint"]),
            "state" => (
                &["conversation", "state"],
                &["n", "customer", "former", "position", "admin", "reason"],
            ),
            "note" => (&["conversation", "text"], &[]),
            "message" => (
                &["conversation", "author", "text", "number", "at"],
                &["n", "name", "buttons", "image", "custom", "history"],
            ),
            "link" => (&["conversation", "link", "desk"], &["why"]),
            "delivered" | "seen" => (&["conversation", "number"], &[]),
            "typing" => (&["conversation"], &[]),
            "unanswered" => (&["conversation", "lines"], &["since"]),
            "notice" | "error" => (&["text"], &[]),
            name => panic!("no event is called {name}: {event}"),
        };
    let fields = event.as_object().expect("an event is an object");
    assert!(required.iter().all(|name| fields.contains_key(*name)), "a field is missing: {event}");
    assert!(
        fields.keys().all(|name| name == "event"
            || required.contains(&&**name)
            || optional.contains(&&**name))
    );
    assert!(
        fields.values().all(|value| !value.is_null()),
        "a field is left out, never null: {event}"
    );
    if let Some(at) = fields.get("at").and_then(Value::as_str) {
        assert!(
            at.len() >= 20 && at.ends_with('Z') && at.as_bytes()[10] == b'T',
            "not RFC 3339: {at}"
        );
    }
}

#[test]
fn text_payload_and_both_at_once_are_one_handoff_each() {
    let mut bot = Handoff::bot();
    let url = bot.url();
    for line in ["I want a human", "payload handoff", "action handoff"] {
        let mut admin = Handoff::admin(&[]);
        admin.script("/accept\nyes?\n/close\n");
        let mut user = Handoff::user(&admin.address(), &url, &[]);
        user.script(&format!("{line}\n"));
        assert_eq!((user.exit_code(), admin.exit_code()), (0, 0), "{line}");
        let said = [pair("user", line), pair("admin", "yes?")];
        assert_eq!(user.messages(), said, "the trigger was shown as a message");
        assert_eq!(admin.messages(), said, "the trigger was shown as a message");
        let asked = user
            .events_of("state")
            .into_iter()
            .filter(|e| e["state"] == "queued" && e.get("position").is_none());
        assert_eq!(asked.count(), 1, "{line} must cause one handoff");
        let calls = admin
            .events_of("notice")
            .into_iter()
            .filter(|e| e["text"].to_string().contains("Hey!"));
        assert_eq!(calls.count(), 1, "{line} must cause one handoff");
    }
}

#[test]
fn another_trigger_text_can_be_given_and_replaces_the_default() {
    let bot =
        FakeBot::saying(|said| text(if said == "one" { "human handoff" } else { " Take OVER " }));
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(
        &admin.address(),
        bot.url(),
        &["--trigger", "take over", "--trigger", "other"],
    );
    user.say("one");
    user.until_text("human handoff");
    user.say("two");
    user.until_state("active");
    assert_eq!(user.messages().last(), Some(&pair("user", "two")));
}

#[test]
fn a_reply_with_a_trigger_is_shown_without_the_trigger() {
    let bot = FakeBot::saying(|_| {
        json!([{"text": "One moment."}, {"text": "Human Handoff"},
            {"custom": {"handoff": true}}, {"text": "I call one."}])
    });
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.say("help");
    user.until_state("active");
    admin.until_state("active");
    let said = [pair("user", "help"), pair("bot", "One moment."), pair("bot", "I call one.")];
    assert_eq!((user.messages(), admin.messages()), (said.to_vec(), said.to_vec()));
}

#[test]
fn a_customer_can_ask_for_a_person_when_the_bot_is_dead() {
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), &format!("http://{}", nobody_at()), &[]);
    user.say("/human");
    user.until_state("active");
    admin.until_state("active");
    admin.say("here I am");
    user.until_text("here I am");
    assert_eq!(user.events_of("error"), [] as [Value; 0]);
}

#[test]
fn lines_typed_after_the_trigger_go_to_the_agent_and_never_to_the_bot() {
    let gate = Arc::<Flag>::default();
    let open = gate.clone();
    let bot = FakeBot::start(move |asked| {
        assert!(open.wait(WITHIN), "the test opens the gate");
        ok(&if asked.is_message() { text("Human Handoff") } else { json!({"paused": false}) })
    });
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let (mut user, mut keyboard) = typed_user(&admin.address(), bot.url(), &[]);
    for line in ["a human!", "my order is 17", "it is late"] {
        keyboard.type_line(line);
        user.until_out(|shown| shown == format!("user: {line}"));
    }
    gate.set();
    admin.until_text("it is late");
    admin.until_state("active");
    keyboard.type_line("and wet");
    admin.until_text("and wet");
    assert_eq!(bot.asked().len(), 1, "after the trigger the bot gets nothing");
    admin.say("/handback");
    user.until_err(|line| line.contains("handed you back"));
    keyboard.type_line("human again");
    admin.until_state("queued");
    admin.until_state("active");
    assert_eq!(bot.texts(), ["a human!", "human again"], "the bot got a line that was not for it");
    let said = ["a human!", "my order is 17", "it is late", "and wet", "human again"]
        .map(|line| pair("user", line));
    assert_eq!(admin.messages(), said);
}

#[test]
fn a_reply_that_comes_after_the_customer_asked_for_a_person_is_discarded() {
    let gate = Arc::<Flag>::default();
    let open = gate.clone();
    let bot = FakeBot::start(move |asked| {
        assert!(
            !asked.is_message() || asked.text() != "slow" || open.wait(WITHIN),
            "the test opens the gate"
        );
        ok(&match asked.is_message() {
            true => text(&format!("late answer to {}", asked.text())),
            false => json!({"paused": false}),
        })
    });
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let (mut user, mut keyboard) = typed_user(&admin.address(), bot.url(), &[]);
    keyboard.type_line("slow");
    user.until_out(|line| line == "user: slow");
    keyboard.type_line("/human");
    admin.until_state("active");
    gate.set();
    // The late answer is on its way now. If it were shown, it would come before the next answer.
    admin.say("/handback");
    user.until_err(|line| line.contains("handed you back"));
    keyboard.type_line("quick");
    user.until_out(|line| line == "bot: late answer to quick");
    assert_eq!(user.stdout(), ["user: slow", "user: quick", "bot: late answer to quick"]);
    assert_eq!(admin.messages(), [pair("user", "slow")]);
}
