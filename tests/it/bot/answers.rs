//! What a bot may send, how the customer answers it, and every way in which a bot can fail.

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, http, ok, text};
use crate::support::home::nobody_at;
use crate::support::run::Handoff;

#[test]
fn buttons_are_chosen_by_number_or_title_and_the_payload_reaches_the_bot() {
    let bot = FakeBot::saying(|said| match said {
        "ask" => json!([{"text": "Which?", "buttons": [
            {"title": "Yes, please", "payload": "/affirm{\"a\":1}"},
            {"title": "No", "payload": "/deny"}]}]),
        _ => text("noted"),
    });
    let mut user = Handoff::user(&nobody_at(), bot.url(), &[]);
    user.script("ask\n1\nask\nno\nask\n7\n1\n");
    assert_eq!(user.exit_code(), 0);
    assert_eq!(bot.texts(), ["ask", "/affirm{\"a\":1}", "ask", "/deny", "ask", "7", "1"]);
    let own =
        user.messages().into_iter().filter(|(author, _)| author == "user").map(|(_, text)| text);
    let own: Vec<String> = own.collect();
    assert_eq!(
        own,
        ["ask", "Yes, please", "ask", "No", "ask", "7", "1"],
        "the customer reads titles, and old buttons cannot be chosen"
    );
}

#[test]
fn buttons_are_numbered_for_a_person() {
    let mut bot = Handoff::bot();
    let mut user = Handoff::plain_user(&nobody_at(), &bot.url(), &[]);
    user.script("buttons\nYES\npicture\n");
    assert_eq!(user.exit_code(), 0);
    let said = [
        "user: buttons",
        "bot: Pick one",
        "  1) Yes",
        "  2) No",
        "user: Yes",
        "bot: You said yes.",
        "user: picture",
        "bot: Here is a picture",
        "bot: https://example.invalid/cat.png",
    ];
    assert_eq!(user.stdout(), said);
}

#[test]
fn buttons_from_before_the_handoff_cannot_be_chosen() {
    let bot = FakeBot::saying(|_| {
        json!([{"text": "Human Handoff"},
            {"text": "Which?", "buttons": [{"title": "Yes", "payload": "/affirm"}]}])
    });
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.script("human\n1\n");
    admin.until_text("1");
    assert_eq!(bot.texts(), ["human"]);
}

#[test]
fn the_customer_sees_every_item_of_a_reply() {
    let bot = FakeBot::saying(|said| match said {
        "it's me" => {
            json!([{"text": "that's 'fine'"}, {"image": "https://example.invalid/a'b.png"},
                {"custom": {"a": [1]}}])
        }
        _ => json!([]),
    });
    let mut user = Handoff::user(&nobody_at(), bot.url(), &[]);
    user.script("it's me\nnothing?\n");
    assert_eq!(user.exit_code(), 0);
    let told = user.events_of("message");
    assert_eq!(told[1]["text"], "that's 'fine'");
    assert_eq!(
        (&told[2]["image"], &told[2]["text"]),
        (&json!("https://example.invalid/a'b.png"), &told[2]["image"])
    );
    assert_eq!((&told[3]["custom"], &told[3]["text"]), (&json!({"a": [1]}), &json!("")));
    assert_eq!(told.len(), 5, "an empty answer was shown as a message");
    assert_eq!(user.events_of("notice").len(), 1, "an empty answer causes one notice");
    assert_eq!(bot.texts(), ["it's me", "nothing?"]);
}

#[test]
fn nothing_a_bot_names_is_ever_fetched() {
    let trap = FakeBot::saying(|_| json!([]));
    let there = trap.url().to_owned();
    let bot = FakeBot::saying(move |_| {
        let link = |path: &str| format!("{there}/{path}");
        json!([
            {"text": link("text"), "image": link("image.png")},
            {"custom": {"url": link("custom"),
                "attachment": {"type": "image", "payload": {"src": link("src")}}}},
            {"attachment": {"type": "video", "payload": {"src": link("video")}}},
            {"text": "Where?", "buttons": [
                {"title": link("title"), "payload": link("payload"), "url": link("url")}]},
            {"text": "Human Handoff"},
        ])
    });
    let mut admin = Handoff::plain_admin(&["--auto-accept"]);
    let mut user = Handoff::plain_user(&admin.address(), bot.url(), &[]);
    user.say("hello");
    admin.until_out(|line| line.contains("image.png"));
    user.until_out(|line| line.contains("image.png"));
    user.say("bye");
    admin.until_out(|line| line.ends_with("bye"));
    assert_eq!(trap.asked().len(), 0);
}

#[test]
fn a_typed_slash_never_reaches_the_bot_as_a_command() {
    let bot = FakeBot::saying(|_| text("ok"));
    let mut user = Handoff::user(&nobody_at(), bot.url(), &[]);
    user.script("//restart\n  //restart  \n///x\n a / b \n\u{1c}/restart\n");
    assert_eq!(user.exit_code(), 0);
    let heard = bot.texts();
    assert_eq!(
        heard,
        ["\u{2215}restart", "\u{2215}restart", "\u{2215}/x", "a / b", "\u{2215}restart"]
    );
    assert_eq!(user.messages()[0].1, "/restart", "the customer reads the line as it was typed");
}

#[test]
fn every_wrong_answer_causes_one_error_and_no_second_request() {
    let bot = FakeBot::start(|asked| {
        let json = "Content-Type: application/json\r\n";
        match asked.text() {
            "500" => http("500 Internal Server Error", "", b"Traceback"),
            "404" => http("404 Not Found", "", b""),
            "html" => http("200 OK", "Content-Type: text/html\r\n", b"<html>hi</html>"),
            "null" => http("200 OK", json, b"null"),
            "object" => http("200 OK", json, b"{\"text\": \"hi\"}"),
            "utf-8" => http("200 OK", json, b"[{\"text\": \"\xff\xfe\"}]"),
            "long" => http("200 OK", json, &vec![b' '; 2 << 20]),
            "moved" => http("302 Found", "Location: /webhooks/rest/webhook\r\n", b""),
            "cut" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{".to_vec(),
            "silent" => Vec::new(),
            "not http" => b"SSH-2.0-OpenSSH\r\n".to_vec(),
            _ => ok(&text("well again")),
        }
    });
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    let wrong = [
        "500", "404", "html", "null", "object", "utf-8", "long", "moved", "cut", "silent",
        "not http",
    ];
    for case in wrong {
        let before = user.events_of("error").len();
        user.say(case);
        user.until_text(case);
        user.until(|event| event["event"] == "error" || event["author"] == "bot");
        user.say("well?");
        user.until_text("well again");
        let errors = user.events_of("error");
        assert_eq!(errors.len() - before, 1, "{case} must cause one error: {errors:?}");
        let error = errors.last().expect("there is one")["text"].to_string();
        assert!(
            error.contains("/human") && error.contains(bot.url()) && !error.contains("\\n"),
            "{case}: {error}"
        );
        assert_eq!(
            bot.texts().iter().filter(|text| *text == case).count(),
            1,
            "{case} must cause one request only"
        );
    }
    user.say("/human");
    admin.until_state("active");
    user.until_state("active");
}

#[test]
fn an_unreachable_bot_causes_one_error_that_offers_a_person() {
    let nobody = nobody_at();
    for (url, part) in [
        (format!("http://{nobody}"), "connection refused; is Rasa running?"),
        (
            "http://no-such-host.invalid:5005".to_owned(),
            "cannot find the bot's host 'no-such-host.invalid'",
        ),
    ] {
        let mut user = Handoff::plain_user(&nobody, &url, &[]);
        user.script("hi\n");
        assert_eq!(user.exit_code(), 1, "a script with a failed line has failed");
        assert_eq!(user.stdout(), ["user: hi"]);
        let errors: Vec<String> =
            user.stderr().into_iter().filter(|line| line.contains("the bot")).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(part) && errors[0].contains("/human"), "{errors:?}");
    }
}

#[test]
fn a_wrong_bot_url_causes_one_line_before_anything_starts() {
    let wrong = [
        "localhost:5005",
        "ftp://localhost",
        "http://",
        "http://user:secret@localhost",
        "not a url",
    ];
    for wrong in
        wrong.into_iter().chain(["", "http://localhost:0", "http://localhost/?token=secret"])
    {
        let mut user = Handoff::start(&["user", "--admin", "127.0.0.1:1", "--bot", wrong]);
        let code = user.exit_code();
        let errors = user.stderr();
        assert_eq!(code, 2, "{wrong}");
        assert!(
            errors.len() == 1
                && errors[0].contains("the bot's URL")
                && errors[0].contains("--help'"),
            "{wrong}: {errors:?}"
        );
        assert!(!errors[0].contains("secret"), "{errors:?}");
        assert_eq!(user.stdout(), [] as [String; 0]);
    }
}

#[test]
fn a_request_for_a_person_does_not_wait_for_a_slow_bot() {
    let mut bot = Handoff::bot();
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let (mut user, mut keyboard) =
        crate::support::terminal::typed_user(&admin.address(), &bot.url(), &[]);
    keyboard.type_line("slow, please");
    user.until_out(|line| line == "user: slow, please");
    keyboard.type_line("/human");
    admin.until_state("active");
    let told: Vec<Value> = admin.events_of("message");
    assert_eq!(told.len(), 1);
}
