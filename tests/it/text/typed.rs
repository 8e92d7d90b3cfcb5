//! Typed lines arrive complete, unchanged and safe to show, or are refused with a reason.

use crate::support::fake_bot::{FakeBot, text};
use crate::support::run::Handoff;

/// Texts that would break if bytes or letters were counted carelessly.
const TEXTS: [&str; 8] = [
    "👩‍👩‍👧 🏳️‍🌈 👍🏽",
    "日本語の長い文章、そして한국어",
    "שלום עולם, مرحبا",
    "don't \"quote\" \\ back\\slash",
    "{\"json\": [1, null]} <b>html</b> %s $HOME `x`",
    "e\u{301} and \u{e9}",
    "a\u{202e}b\u{200b}c\u{1b}[31mred\u{7}",
    "tab\tinside",
];

#[test]
fn text_of_any_script_arrives_unchanged() {
    let bot = FakeBot::saying(|said| text(if said == "human" { "Human Handoff" } else { said }));
    let mut admin = Handoff::admin(&["--auto-accept", "--name", "日本 👍"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &["--name", "נועה"]);
    for line in TEXTS {
        user.say(line);
        user.until(|event| event["author"] == "bot");
    }
    user.say("human");
    user.until_state("active");
    admin.until_state("active");
    for line in TEXTS {
        user.say(line);
        admin.until_text(line);
        admin.say(line);
        admin.until(|event| event["author"] == "admin" && event["text"] == line);
        user.until(|event| event["author"] == "admin" && event["text"] == line);
    }
    assert_eq!(bot.texts()[..8], TEXTS);
    let mut expected: Vec<(&str, &str)> =
        TEXTS.iter().flat_map(|line| [("user", *line), ("bot", *line)]).collect();
    expected.push(("user", "human"));
    expected.extend(TEXTS.iter().flat_map(|line| [("user", *line), ("admin", *line)]));
    let expected: Vec<_> =
        expected.into_iter().map(|(who, line)| (who.to_owned(), line.to_owned())).collect();
    assert_eq!(user.messages(), expected);
    assert_eq!(admin.messages(), expected);
    assert!(user.events_of("message").iter().any(|event| event["name"] == "日本 👍"));
    assert!(admin.events_of("message").iter().any(|event| event["name"] == "נועה"));
}

#[test]
fn characters_that_act_on_a_screen_are_shown_escaped() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut admin = Handoff::plain_admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &["--name", "Ann\u{1b}[2J"]);
    user.say("human");
    user.until_state("active");
    user.say("a\u{202e}b\u{1b}]0;title\u{7}");
    let shown = admin.until_out(|line| line.contains("title"));
    assert_eq!(shown, "#1 user Ann\\u{1b}[2J: a\\u{202e}b\\u{1b}]0;title\\u{7}");
    let raw = admin.stdout().into_iter().chain(admin.stderr()).any(|line| line.contains('\u{1b}'));
    assert!(!raw, "an escape sequence of a stranger reached the output");
}

#[test]
fn a_line_of_8_kib_is_taken_and_one_byte_more_is_an_error_that_names_the_limit() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    let whole = "é".repeat(4096);
    let over = format!("{whole}!");
    user.script(&format!("human\n{whole}\n{over}\nafter it\n"));
    admin.until_text(&whole);
    admin.until_text("after it");
    assert!(user.until_event("error")["text"].to_string().contains("8192 bytes"));
    admin.say(&format!("{over}\nmine after it"));
    user.until_text("mine after it");
    admin.say("/close");
    admin.close_stdin();
    assert_eq!(
        (user.exit_code(), admin.exit_code()),
        (1, 1),
        "a script with a refused line has failed"
    );
    assert_eq!((user.events_of("error").len(), admin.events_of("error").len()), (1, 1));
    assert!(admin.events_of("error")[0]["text"].to_string().contains("8192 bytes"));
    assert_eq!(admin.messages().len(), 4);
}

#[test]
fn the_longest_line_of_characters_that_json_escapes_fits_a_frame_in_both_directions() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut admin =
        Handoff::admin(&["--auto-accept", "--name", &format!("x{}", "\u{2}".repeat(6))]);
    let mut user =
        Handoff::user(&admin.address(), bot.url(), &["--name", &format!("x{}", "\u{3}".repeat(6))]);
    user.say("human");
    user.until_state("active");
    let worst = format!("x{}x", "\u{1}".repeat(8190));
    user.say(&worst);
    admin.until_text(&worst);
    admin.say(&worst);
    user.until(|event| event["author"] == "admin" && event["text"] == worst);
    assert!(!user.events_of("link").iter().any(|event| event["link"] == "lost"));
}

#[test]
fn input_that_is_not_utf_8_is_an_error_and_the_next_line_is_read() {
    let bot = FakeBot::saying(|_| text("bot here"));
    let mut user = Handoff::user(&crate::support::home::nobody_at(), bot.url(), &[]);
    user.type_bytes(b"one\n\xff\xfe broken \xc3\nan \xc3\xa9\r\n\n   \nlast without an end");
    user.close_stdin();
    assert_eq!(user.exit_code(), 1);
    let errors = user.events_of("error");
    assert!(errors.len() == 1 && errors[0]["text"].to_string().contains("UTF-8"), "{errors:?}");
    assert_eq!(bot.texts(), ["one", "an é", "last without an end"]);
}

#[test]
fn a_text_from_a_peer_is_never_a_command() {
    let bot = FakeBot::saying(|said| text(if said == "human" { "Human Handoff" } else { "/quit" }));
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.say("hi");
    user.until_text("/quit");
    user.say("human");
    admin.until_state("active");
    user.say("//close");
    admin.until_text("/close");
    admin.say("//end");
    user.until_text("/end");
    user.say("still here");
    admin.until_text("still here");
}
