//! The menus in a bot's reply, and its unusual parts.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, http, ok, text};
use crate::support::home::nobody_at;
use crate::support::run::{Handoff, WITHIN};
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

/// A payload that most JSON readers change: large integers, key order, spelling of numbers.
const PAYLOAD: &str = r#"{"order":18446744073709551617,"id":-9223372036854775809,"a":[1.0,1,1e2,0.10],"again":1,"again":2,"é":"\u00e9"}"#;

/// A bot that offers two menus for 'ask', hands over for 'human', and repeats any other text.
fn two_menus(said: &str) -> Value {
    let button = |title: &str, payload: &str| json!({"title": title, "payload": payload});
    match said {
        "ask" => json!([
            {"text": "Is the address right?",
             "buttons": [button("Yes", "/right"), button("No", "/wrong")]},
            {"text": "By the way:"},
            {"text": "A newsletter?",
             "buttons": [button("Yes", "/news"), button("Never, Straße", "/never")]},
        ]),
        "human" => text("Human Handoff"),
        _ => text(&format!("heard {said}")),
    }
}

/// A bot that answers 'ask' with this body, byte for byte, and hands over for 'human'.
fn answering(body: Vec<u8>) -> FakeBot {
    FakeBot::start(move |asked| match asked.text() {
        "ask" => http("200 OK", "Content-Type: application/json\r\n", &body),
        "human" => ok(&text("Human Handoff")),
        _ => http("404 Not Found", "", b"no API here"),
    })
}

/// The texts of the customer's own lines.
fn own(user: &Handoff) -> Vec<String> {
    user.messages()
        .into_iter()
        .filter(|(author, _)| author == "user")
        .map(|(_, text)| text)
        .collect()
}

#[test]
fn buttons_are_numbered_across_the_messages_of_a_reply() {
    let bot = FakeBot::saying(two_menus);
    let mut user = Handoff::user(&nobody_at(), bot.url(), &[]);
    user.script("ask\n2\nask\n4\nask\nno\nask\nNEVER, STRASSE\n");
    assert_eq!(user.exit_code(), 0);
    let asked: Vec<String> = bot.texts().into_iter().filter(|text| text != "ask").collect();
    assert_eq!(asked, ["/wrong", "/never", "/wrong", "/never"]);
    assert_eq!(
        own(&user),
        ["ask", "No", "ask", "Never, Straße", "ask", "No", "ask", "Never, Straße"]
    );
    let buttons = |text| {
        user.messages()
            .iter()
            .position(|(_, said)| said == text)
            .map(|at| user.events_of("message")[at]["buttons"].clone())
    };
    let button = |title: &str, payload: &str, choice: u64| -> Value {
        json!({"title": title, "payload": payload, "choice": choice})
    };
    assert_eq!(
        buttons("Is the address right?"),
        Some(json!([button("Yes", "/right", 1), button("No", "/wrong", 2)]))
    );
    assert_eq!(
        buttons("A newsletter?"),
        Some(json!([button("Yes", "/news", 3), button("Never, Straße", "/never", 4)]))
    );
}

#[test]
fn a_number_chooses_between_equal_titles_and_both_ends_show_the_choice() {
    let bot = FakeBot::saying(two_menus);
    let mut admin = Handoff::plain_admin(&["--auto-accept"]);
    let mut user = Handoff::plain_user(&admin.address(), bot.url(), &[]);
    for (typed, heard) in [
        ("ask", "bot: A newsletter?"),
        ("3", "bot: heard /news"),
        ("ask", "bot: A newsletter?"),
        ("yes", "bot: heard /right"),
    ] {
        user.say(typed);
        user.until_out(|line| line == heard);
    }
    user.say("human");
    admin.until_out(|line| line == "#1 bot: heard /right");
    let menu = [
        "  1) Yes",
        "  2) No",
        "bot: By the way:",
        "bot: A newsletter?",
        "  3) Yes",
        "  4) Never, Straße",
    ];
    let story = [
        &["user: ask", "bot: Is the address right?"],
        &menu[..],
        &["user: 3) Yes", "bot: heard /news"],
        &["user: ask", "bot: Is the address right?"],
        &menu[..],
        &["user: 1) Yes", "bot: heard /right"],
    ]
    .concat();
    assert_eq!(user.stdout()[..story.len()], story);
    let told = admin
        .stdout()
        .iter()
        .map(|line| line.trim_start_matches("#1 ").to_owned())
        .collect::<Vec<_>>();
    assert_eq!(told[..story.len()], story, "the desk shows other numbers");
}

#[test]
fn a_menu_stays_valid_until_the_next_reply_of_the_bot() {
    let (go, going) = channel::<()>();
    let going = Mutex::new(going);
    let bot = FakeBot::saying(move |said| {
        if said == "/wrong" {
            let _ = going.lock().expect("nobody panics with it").recv_timeout(WITHIN);
        }
        two_menus(said)
    });
    let mut user =
        Terminal::start(&["user", "--admin", &nobody_at(), "--bot", bot.url(), "--ephemeral"]);
    user.prompts("bot> ");
    for (typed, shown) in [("ask", "4) Never, Straße"), ("2", "user: No"), ("3", "user: 3) Yes")] {
        user.press(&format!("{typed}\r"));
        user.sees(shown);
    }
    go.send(()).expect("the bot waits");
    user.sees("bot: heard /news");
    user.press("1\r");
    user.sees("bot: heard 1");
    assert_eq!(bot.texts(), ["ask", "/wrong", "/news", "1"]);
}

#[test]
fn a_menu_stays_valid_when_the_bot_fails_to_answer() {
    let bot = FakeBot::start(|asked| match asked.text() {
        "/wrong" => http("500 Internal Server Error", "", b"Traceback"),
        said => ok(&two_menus(said)),
    });
    let mut user = Handoff::user(&nobody_at(), bot.url(), &[]);
    user.script("ask\n2\n4\n");
    assert_eq!(user.exit_code(), 1);
    assert_eq!(bot.texts(), ["ask", "/wrong", "/never"]);
}

#[test]
fn a_restart_keeps_the_numbers_of_two_menus_and_again_sends_what_was_chosen() {
    let (came, coming) = channel();
    let (go, going) = channel::<()>();
    let (came, going) = (Mutex::new(came), Mutex::new(going));
    let bot = FakeBot::saying(move |said| {
        if said == "/news" {
            let _ = came.lock().expect("nobody panics with it").send(());
            let _ = going.lock().expect("nobody panics with it").recv();
        }
        two_menus(said)
    });
    let setup = Setup::with(bot);
    let mut user = setup.user(&[]);
    user.say("ask");
    user.until_text("A newsletter?");
    user.kill();

    let mut user = setup.user(&[]);
    let told = user.until_text("A newsletter?");
    assert_eq!((&told["history"], &told["buttons"][1]["choice"]), (&json!(true), &json!(4)));
    user.until_state("bot");
    user.say("3");
    coming.recv_timeout(WITHIN).expect("the bot was asked");
    user.kill();
    drop(go);

    let mut user = setup.user(&[]);
    user.until_told("notice", "the bot may not have got this: 3) Yes; /again sends it again");
    user.say("/again");
    user.until_text("heard /news");
    assert_eq!(setup.bot.texts(), ["ask", "/news", "/news"]);
}

#[test]
fn a_link_button_shows_its_url_and_choosing_it_sends_the_bot_nothing() {
    let form = "https://example.invalid/form?a=1&b=2";
    let bot = FakeBot::saying(move |said| match said {
        "ask" => json!([{"text": "Ready?", "buttons": [
            {"title": "Open the form", "type": "web_url", "url": form},
            {"title": "Not yet", "payload": "/later"}]}]),
        "human" => text("Human Handoff"),
        _ => text(&format!("heard {said}")),
    });
    let mut admin = Handoff::plain_admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.say("ask");
    let buttons = user.until_text("Ready?")["buttons"].clone();
    let link = json!({"title": "Open the form", "payload": "", "url": form, "choice": 1});
    assert_eq!(buttons, json!([link, {"title": "Not yet", "payload": "/later", "choice": 2}]));
    for typed in ["1", "open the FORM"] {
        user.say(typed);
        user.until_told(
            "notice",
            &format!("this button opens a page, and the bot is not told: {form}"),
        );
    }
    user.say("2");
    user.until_text("heard /later");
    assert_eq!(
        (bot.texts(), own(&user)),
        (vec!["ask".into(), "/later".into()], vec!["ask".into(), "Not yet".into()])
    );
    user.say("human");
    admin.until_out(|line| line == format!("  1) Open the form: {form}"));

    let mut plain = Handoff::plain_user(&nobody_at(), bot.url(), &[]);
    plain.script("ask\n1\n");
    assert_eq!(plain.exit_code(), 0);
    assert_eq!(
        plain.stdout()[2..],
        [format!("  1) Open the form: {form}"), "  2) Not yet".to_owned()]
    );
    let said =
        plain.stderr().into_iter().filter(|line| line.contains("this button opens a page")).count();
    assert_eq!((said, bot.texts().len()), (1, 4));
}

#[test]
fn a_payload_is_the_same_text_at_both_ends_in_both_journals_and_after_a_restart() {
    let spaced = PAYLOAD.replace(',', " ,\n ");
    let setup = Setup::with(answering(
        format!(r#"[{{"text":"Your order","custom":{spaced}}}]"#).into_bytes(),
    ));
    let field = format!(r#""custom":{PAYLOAD}"#);
    let has_payload =
        |end: &Handoff| end.stdout().iter().filter(|line| line.contains(&field)).count();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    user.say("ask");
    user.until_text("Your order");
    user.say("human");
    user.until_state("active");
    admin.until_state("active");
    assert_eq!((has_payload(&user), has_payload(&admin)), (1, 1));
    user.say("/history");
    user.until_text("Your order");
    assert_eq!(has_payload(&user), 2, "read from the journal");
    admin.kill();
    user.kill();
    for mode in ["user", "admin"] {
        let sql = "SELECT body FROM entry WHERE body LIKE '%Your order%'";
        let body: String =
            setup.journal(mode).query_row(sql, [], |row| row.get(0)).expect("it is journaled");
        assert!(body.contains(&field), "{body}");
    }

    let mut admin = setup.admin(&[]);
    let mut user = setup.user(&[]);
    user.until_text("Your order");
    admin.until_text("Your order");
    assert_eq!((has_payload(&user), has_payload(&admin)), (1, 1));
    user.until_event("seen");
}

#[test]
fn a_reply_with_half_a_surrogate_nan_and_a_byte_order_mark_is_read() {
    let body = "\u{feff}[{\"text\":\"half \\ud83d\"},\
        {\"text\":\"score\",\"custom\":{\"of\":NaN,\"to\":[Infinity,-Infinity]}}]";
    let bot = answering(body.as_bytes().to_vec());
    let mut user = Handoff::user(&nobody_at(), bot.url(), &[]);
    user.script("ask\n");
    assert_eq!(user.exit_code(), 0);
    let told = user.events_of("message");
    assert_eq!(told[1]["text"], "half \u{fffd}");
    assert_eq!(told[2]["text"], "score\n[changed: a number that JSON cannot hold became null]");
    assert_eq!(told[2]["custom"], json!({"of": null, "to": [null, null]}));
    assert!(user.events_of("error").is_empty());
}

#[test]
fn quick_replies_can_be_chosen_and_nothing_of_an_item_is_dropped() {
    let bot = FakeBot::saying(|said| match said {
        "ask" => json!([
            {"text": "Which?",
             "quick_replies": [{"content_type": "text", "title": "Red", "payload": "/red"}]},
            {"custom": {"kind": "card"},
             "attachment": {"type": "file", "payload": {"src": "a.pdf"}}},
            {"text": "Look", "elements": [{"title": "One"}]},
        ]),
        _ => text(&format!("heard {said}")),
    });
    let mut user = Handoff::plain_user(&nobody_at(), bot.url(), &[]);
    user.script("ask\nred\n");
    assert_eq!(user.exit_code(), 0);
    let said = [
        "user: ask",
        "bot: Which?",
        "  1) Red",
        r#"bot: {"kind":"card"}"#,
        r#"bot: {"attachment":{"payload":{"src":"a.pdf"},"type":"file"}}"#,
        "bot: Look",
        r#"  | {"elements":[{"title":"One"}]}"#,
        "user: Red",
        "bot: heard /red",
    ];
    assert_eq!(user.stdout(), said);
}
