//! Reports as plain lines and as rows of a terminal.

use super::*;

use crate::wire::{Custom, Said};

fn told(author: Author, text: &str) -> Told {
    Told {
        conversation: ConversationId::new([7; 16]),
        ordinal: None,
        elsewhere: false,
        own: false,
        author,
        name: None,
        agent: None,
        text: text.into(),
        number: 1,
        at: 50_580_000,
        buttons: Vec::new(),
        image: None,
        custom: None,
        history: false,
    }
}

/// Buttons with their numbers, as `Told` has them.
fn offered(titles: &[&str]) -> Vec<Button> {
    let button =
        |title: &&str| Button { title: (*title).into(), payload: "/x".into(), ..Button::default() };
    Said { buttons: titles.iter().map(button).collect(), ..Said::text(Author::Bot, "") }.choices()
}

fn look(colour: bool) -> Look {
    Look { reader: Reader::Operator, colour, zone: TimeZone::UTC, history: None }
}

fn drawn(look: &mut Look, told: Told, columns: usize) -> Vec<String> {
    rows(look, &Report::Message(told), columns)
}

fn rows(look: &mut Look, report: &Report, columns: usize) -> Vec<String> {
    look.draw(report, columns).unwrap_or_default().into_iter().map(|row| row.0).collect()
}

/// A message as a pipe gets it.
fn plain_message(told: &Told) -> String {
    lines(&super::plain_message(told, Reader::Operator, Place::Pipe))
}

fn lines(lines: &[Shown]) -> String {
    lines.iter().map(Shown::as_str).collect::<Vec<_>>().join("\n")
}

#[test]
fn plain_names_the_role_first() {
    assert_eq!(plain_message(&told(Author::User, "hi")), "user: hi");
    let mut admin = told(Author::Admin, "Hello\nuser: no\n");
    admin.name = Some("Ann\nbot".into());
    admin.ordinal = Some(2);
    assert_eq!(plain_message(&admin), "#2 admin Ann\\u{a}bot: Hello\n  | user: no\n  | ");
}

#[test]
fn plain_shows_what_a_bot_can_say() {
    let mut bot = told(Author::Bot, "Sure?");
    bot.buttons = offered(&["Yes", "No\n  3) Hack"]);
    assert_eq!(plain_message(&bot), "bot: Sure?\n  1) Yes\n  2) No\\u{a}  3) Hack");
    bot.text = String::new();
    bot.buttons.truncate(1);
    assert_eq!(plain_message(&bot), "bot:\n  1) Yes");
    let mut image = told(Author::Bot, "http://a/b.png");
    image.image = Some("http://a/b.png".into());
    assert_eq!(plain_message(&image), "bot: http://a/b.png");
    image.text = "look".into();
    assert_eq!(plain_message(&image), "bot: look\n  | http://a/b.png");
    let mut custom = told(Author::Bot, "");
    custom.custom = Custom::new(r#"{"a":"\u001b\u202ex","n":1.0}"#).ok();
    assert_eq!(plain_message(&custom), r#"bot: {"a":"\u001b\u202ex","n":1.0}"#);
    custom.text = "look".into();
    assert_eq!(plain_message(&custom), "bot: look\n  | {\"a\":\"\\u001b\\u202ex\",\"n\":1.0}");
}

#[test]
fn reports_that_are_not_messages_go_to_stderr() {
    let notice = Report::Notice { text: "one\ntwo".into() };
    let plain = |report, reader| plain(report, reader, Place::Pipe).map(|told| lines(&told));
    assert_eq!(plain(&notice, Reader::Operator).as_deref(), Some("handoff: one\n  | two"));
    let listen = Some("127.0.0.1:5000".parse().expect("an address"));
    let ready = Report::Ready { mode: "admin", listen, fingerprint: None, url: None };
    assert_eq!(
        plain(&ready, Reader::Agent).as_deref(),
        Some("handoff: listening on 127.0.0.1:5000")
    );
    assert_eq!(
        (stream(&ready), stream(&Report::Message(told(Author::Bot, "x")))),
        (Stream::Err, Stream::Out)
    );
    let seen = Report::Seen { conversation: ConversationId::new([7; 16]), number: 1 };
    assert_eq!(plain(&seen, Reader::Operator), None);
}

#[test]
fn continuation_rows_are_marked() {
    let mut look = look(false);
    let rows = drawn(&mut look, told(Author::Bot, "one two three four\n14:03 user: posing"), 24);
    assert_eq!(rows, ["14:03 bot: one two three", "  │ four", "  │ 14:03 user: posing"]);
    let mut long = told(Author::User, "hi");
    long.name = Some("a name that fills the row".into());
    assert_eq!(
        drawn(&mut look, long, 24),
        ["14:03 user a name that ", "  │ fills the row:", "  │ hi"]
    );
}

#[test]
fn no_row_is_wider_than_the_window() {
    let mut look = look(false);
    for columns in [8, 24, 80] {
        let mut wide = told(Author::User, &"日本語 👩‍👩‍👧 e\u{301} שלום wort ".repeat(40));
        wide.name = Some("名前".into());
        wide.ordinal = Some(12);
        for row in drawn(&mut look, wide, columns) {
            assert!(width(row.trim_end()) <= columns.max(10), "{row:?} in {columns}");
        }
    }
}

#[test]
fn a_text_cannot_look_like_a_button() {
    let mut bot = told(Author::Bot, "Sure?\n1) Yes\n  1) Yes");
    bot.buttons = offered(&["Yes, and a title too long for it"]);
    let rows = drawn(&mut look(false), bot.clone(), 24);
    assert_eq!(
        rows[1..],
        ["  │ 1) Yes", "  │   1) Yes", "  1) Yes, and a title ", "  │ too long for it"]
    );
    assert_eq!(
        plain_message(&bot),
        "bot: Sure?\n  | 1) Yes\n  |   1) Yes\n  1) Yes, and a title too long for it"
    );
}

#[test]
fn the_url_of_a_button_follows_its_title() {
    let mut bot = told(Author::Bot, "Ready?");
    bot.buttons = offered(&["Open the form", "https://example.invalid/a"]);
    bot.buttons[0].url = Some("https://example.invalid/form?of=a\u{1b}[2J".into());
    bot.buttons[1].url = Some("https://example.invalid/a".into());
    let shown = "bot: Ready?\n  1) Open the form: https://example.invalid/form?of=a\\u{1b}[2J\n  \
                 2) https://example.invalid/a";
    assert_eq!(plain_message(&bot), shown);
    let rows = drawn(&mut look(false), bot, 40);
    assert_eq!(rows[1..3], ["  1) Open the form: ", "  │ https://example.invalid/form?of=a\\u{"]);
}

#[test]
fn an_invisible_name_is_left_out_and_a_long_one_is_cut() {
    let named =
        |name: &str| plain_message(&Told { name: Some(name.into()), ..told(Author::User, "hi") });
    assert_eq!(named(" \u{3164}\u{2800}"), "user: hi");
    assert_eq!(named(&"é".repeat(40)), format!("user {}…: hi", "é".repeat(31)));
    assert_eq!(named("Robin (admin)"), "user Robin (admin): hi");
}

#[test]
fn a_plain_line_is_wrapped_where_its_terminal_is_known() {
    let lines = |text: &str, columns| {
        let place = Place::Terminal { columns };
        lines(&super::plain_message(&told(Author::Bot, text), Reader::Operator, place))
    };
    assert_eq!(lines("one two three four five", 20), "bot: one two three \n  more: four five");
    assert_eq!(lines("one two", 13), "bot:\n  more: one \n  more: two");
}

#[test]
fn eight_kib_of_any_text_are_drawn_quickly_and_in_a_bounded_number_of_rows() {
    for unit in [
        "\u{1b}",
        "\u{301}",
        "a\u{301}",
        "👩\u{200d}",
        " ",
        "x ",
        "\n",
        "\u{1100}",
        "क\u{94d}",
        "日",
        "🇩",
        "\u{d4e}",
    ] {
        let text = unit.repeat(8 * 1024 / unit.len());
        let begun = std::time::Instant::now();
        let rows = drawn(&mut look(true), told(Author::User, &text), 80);
        // Linear work takes milliseconds without optimisation; quadratic work would take minutes.
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(5),
            "{unit:?} took {:?}",
            begun.elapsed()
        );
        assert!(rows.len() <= text.len() + 2, "{unit:?} has {} rows", rows.len());
    }
}

#[test]
fn an_agents_own_name_follows_the_name_that_customers_see() {
    let by = |name: Option<&str>, agent: &str| {
        let (name, agent) = (name.map(str::to_owned), Some(agent.to_owned()));
        plain_message(&Told { name, agent, ..told(Author::Admin, "hi") })
    };
    assert_eq!(by(Some("Support"), "kim"), "admin Support (kim): hi");
    assert_eq!(by(Some("Kim"), "kim"), "admin Kim: hi");
    assert_eq!(by(None, "desk"), "admin (desk): hi");
}

#[test]
fn a_customer_at_a_terminal_reads_agent_and_a_pipe_gets_admin() {
    let said = Report::Message(Told { name: Some("Robin".into()), ..told(Author::Admin, "hi") });
    let at_terminal = Place::Terminal { columns: 80 };
    let customer = Reader::Customer { was_lost: false };
    let by = |reader, place| plain(&said, reader, place).map(|told| lines(&told));
    assert_eq!(by(customer, at_terminal).as_deref(), Some("agent Robin: hi"));
    assert_eq!(by(Reader::Agent, at_terminal).as_deref(), Some("admin Robin: hi"));
    for reader in [customer, Reader::Operator, Reader::Agent] {
        assert_eq!(by(reader, Place::Pipe).as_deref(), Some("admin Robin: hi"), "{reader:?}");
    }
    let mut look = Look { reader: customer, ..look(false) };
    assert_eq!(rows(&mut look, &said, 80), ["14:03 agent Robin: hi"]);
}

#[test]
fn history_stands_between_two_lines() {
    let mut look = look(false);
    let old = || Told { history: true, ..told(Author::User, "old") };
    assert_eq!(drawn(&mut look, old(), 80), ["── earlier, 1970-01-01 ──", "14:03 user: old"]);
    assert_eq!(drawn(&mut look, old(), 80), ["14:03 user: old"]);
    assert_eq!(drawn(&mut look, told(Author::Bot, "new"), 80), ["── now ──", "14:03 bot: new"]);
    drawn(&mut look, old(), 80);
    let notice = Report::Notice { text: "x".into() };
    assert_eq!(rows(&mut look, &notice, 80), ["── now ──", "-- x"]);
}

#[test]
fn another_conversation_is_marked_without_colour_too() {
    let mut here = told(Author::User, "hi");
    here.ordinal = Some(2);
    let there = Told { elsewhere: true, ..here.clone() };
    assert_eq!(drawn(&mut look(false), here, 80), ["14:03 #2 user: hi"]);
    assert_eq!(drawn(&mut look(false), there.clone(), 80), ["14:03 [#2] user: hi"]);
    assert!(drawn(&mut look(true), there, 80)[0].contains("\x1b[1;30;43m[#2]\x1b[0m"));
}
