//! A report to lines: plain ones for a pipe, drawn ones for a terminal. Pure.
//!
//! Every line but a message's first has a prefix no message can start with, and the role
//! stands before the name: nothing a peer writes can pose as another speaker.

use std::iter::{once, repeat};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::layout::{Shown, width, wrap};
use super::words::{Tone, words};
use crate::core::report::{Report, Told};
use crate::core::text::Name;
use crate::wire::{Author, Button, ConversationId, Millis};

/// Before every line of a message but its first, in plain.
const PLAIN_MORE: &str = "  | ";
/// The same in a terminal.
const MORE: &str = "  │ ";
/// Before a button, where no line of a message begins.
const CHOICE: &str = "  ";
/// Columns a message's first row has at least; with less it starts on the next one.
const FIRST_MIN: usize = 12;

const DIM: &str = "2";
const RED: &str = "31";
const ELSEWHERE: &str = "1;30;43";

/// Where a plain line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// The conversation.
    Out,
    /// The program.
    Err,
}

/// Where a plain report goes.
pub(super) fn stream(report: &Report) -> Stream {
    if matches!(report, Report::Message(_)) { Stream::Out } else { Stream::Err }
}

/// A report as plain lines of so many columns, each without its line end; `None` if it shows
/// nothing.
pub(super) fn plain(report: &Report, me: Author, columns: usize) -> Option<Vec<Shown>> {
    if let Report::Message(told) = report {
        return Some(plain_message(told, columns));
    }
    let (_, text) = words(report, me)?;
    Some(plain_note("handoff: ", &text, columns))
}

/// The program's own lines, for stderr.
pub(super) fn plain_note(mark: &'static str, text: &Shown, columns: usize) -> Vec<Shown> {
    let rows = wrap(text, room(columns, width(mark)), room(columns, PLAIN_MORE.len()));
    prefixed(mark, PLAIN_MORE, &rows)
}

fn plain_message(told: &Told, columns: usize) -> Vec<Shown> {
    let number = told.ordinal.map(|ordinal| format!("#{ordinal} ")).unwrap_or_default();
    let head = Shown::line(&format!("{number}{}", speaker(told)));
    let used = width(head.as_str()) + 1;
    let rest = room(columns, PLAIN_MORE.len());
    let mut lines = Vec::new();
    if columns.saturating_sub(used) < FIRST_MIN {
        // A long name in a narrow window: the speaker has rows of its own.
        lines.extend(prefixed("", PLAIN_MORE, &wrap(&head, columns.max(1), rest)));
        lines.extend(prefixed(PLAIN_MORE, PLAIN_MORE, &wrap(&text_of(told), rest, rest)));
    } else {
        let rows = wrap(&text_of(told), columns - used, rest);
        let first = rows.first().filter(|row| !row.is_empty()).map(|row| Shown::own(" ").and(row));
        lines.push(head.and(&first.unwrap_or_default()));
        lines.extend(prefixed(PLAIN_MORE, PLAIN_MORE, &rows[1..]));
    }
    let choices = choices(told, columns, rest);
    lines.extend(choices.iter().flat_map(|rows| prefixed(CHOICE, PLAIN_MORE, rows)));
    lines
}

/// Rows with something before the first and something before the others.
fn prefixed(first: &'static str, rest: &'static str, rows: &[Shown]) -> Vec<Shown> {
    let prefixes = once(first).chain(repeat(rest));
    prefixes.zip(rows).map(|(prefix, row)| Shown::own(prefix).and(row)).collect()
}

/// The role, the name where there is one, and a colon.
fn speaker(told: &Told) -> String {
    let role = role(told.author);
    match told.name.as_deref().and_then(Name::new) {
        Some(name) => format!("{role} {name}:"),
        None => format!("{role}:"),
    }
}

fn role(author: Author) -> &'static str {
    match author {
        Author::User => "user",
        Author::Bot => "bot",
        Author::Admin => "admin",
    }
}

/// What was said: the text, the URL of an image, a custom payload's JSON, each where there is one.
fn text_of(told: &Told) -> Shown {
    let text = Some(Shown::text(&told.text)).filter(|text| !text.is_empty());
    let image = told.image.as_deref().filter(|image| *image != told.text).map(Shown::line);
    let custom = told.custom.as_ref().map(|custom| Shown::line(custom.as_str()));
    let parts = [text, image, custom].into_iter().flatten();
    parts.reduce(|above, below| above.and(&Shown::own("\n")).and(&below)).unwrap_or_default()
}

/// Each button's rows, to stand behind `CHOICE` and the prefix.
fn choices(told: &Told, columns: usize, rest: usize) -> Vec<Vec<Shown>> {
    told.buttons
        .iter()
        .map(|button| wrap(&choice(button), room(columns, CHOICE.len()), rest))
        .collect()
}

/// A button's number and title, and the page it opens.
fn choice(button: &Button) -> Shown {
    let number = button.choice.map(|number| format!("{number}) ")).unwrap_or_default();
    let url = button.url.as_deref().filter(|url| *url != button.title);
    let url = url.map(|url| format!(": {url}")).unwrap_or_default();
    Shown::line(&format!("{number}{}{url}", button.title))
}

/// A row of a terminal: shown text in our colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row(String);

impl Row {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn and(mut self, more: &Row) -> Row {
        self.0.push_str(&more.0);
        self
    }

    /// The bell rings when it is written.
    fn ringing(mut self) -> Row {
        self.0.push('\x07');
        self
    }
}

/// How to draw, and what the rows above are: history has a line above it and one below.
pub(super) struct Look {
    pub(super) me: Author,
    colour: bool,
    zone: TimeZone,
    /// The conversation whose history was drawn last.
    history: Option<ConversationId>,
}

impl Look {
    pub(super) fn new(me: Author, colour: bool) -> Look {
        Look { me, colour, zone: TimeZone::system(), history: None }
    }

    /// A report as rows of a terminal of so many columns, each without its line end; `None` if it
    /// shows nothing.
    pub(super) fn draw(&mut self, report: &Report, columns: usize) -> Option<Vec<Row>> {
        if let Report::Message(told) = report {
            let mut rows: Vec<Row> = self.divider(told).into_iter().collect();
            rows.extend(self.message(told, columns));
            return Some(rows);
        }
        let (tone, text) = words(report, self.me)?;
        let mut rows = Vec::new();
        if self.history.take().is_some() {
            rows.push(self.paint(DIM, &Shown::own("── now ──")));
        }
        let (mark, style) = match tone {
            Tone::News => ("-- ", DIM),
            Tone::Call => ("** ", "1"),
            Tone::Fault => ("!! ", RED),
        };
        rows.extend(self.note(mark, style, &text, columns));
        if tone == Tone::Call {
            let last = rows.pop().unwrap_or_default();
            rows.push(last.ringing());
        }
        Some(rows)
    }

    /// Something the program says, as rows under a mark.
    pub(super) fn note(
        &self,
        mark: &'static str,
        style: &str,
        text: &Shown,
        columns: usize,
    ) -> Vec<Row> {
        let rows = wrap(text, room(columns, width(mark)), room(columns, width(MORE)));
        prefixed(mark, MORE, &rows).iter().map(|row| self.paint(style, row)).collect()
    }

    /// A fault of the editor's own.
    pub(super) fn fault(&self, text: &str, columns: usize) -> Vec<Row> {
        self.note("!! ", RED, &Shown::line(text), columns)
    }

    /// The program's own words that need no attention: a log line, a command typed.
    pub(super) fn aside(&self, mark: &'static str, text: &Shown, columns: usize) -> Vec<Row> {
        self.note(mark, DIM, text, columns)
    }

    /// In colour, where there is colour.
    fn paint(&self, style: &str, text: &Shown) -> Row {
        Row(if self.colour && !text.is_empty() && !style.is_empty() {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_string()
        })
    }

    /// The prompt, or what stands below it.
    pub(super) fn paint_prompt(&self, prompt: &Shown) -> Row {
        self.paint("1", prompt)
    }

    fn message(&self, told: &Told, columns: usize) -> Vec<Row> {
        let time = Shown::line(&format!("{} ", self.local(told.at).strftime("%H:%M")));
        let number = Shown::line(&match told.ordinal {
            Some(ordinal) if told.elsewhere => format!("[#{ordinal}]"),
            Some(ordinal) => format!("#{ordinal}"),
            None => String::new(),
        });
        let gap = Shown::own(if number.is_empty() { "" } else { " " });
        let speaker = Shown::line(&speaker(told));
        let head = time.clone().and(&number).and(&gap).and(&speaker);
        let used = width(head.as_str()) + 1;
        let text = text_of(told);
        let rest = room(columns, width(MORE));
        let speaker_style = if told.history { DIM } else { style(told.author) };
        let body_style = if told.history { DIM } else { "" };
        let more = |prefix: &'static str, rows: &[Shown]| -> Vec<Row> {
            let prefixes =
                once(prefix).chain(repeat(MORE)).map(|prefix| self.paint(DIM, &Shown::own(prefix)));
            prefixes
                .zip(rows)
                .map(|(prefix, row)| prefix.and(&self.paint(body_style, row)))
                .collect()
        };

        let mut rows: Vec<Row>;
        if used + FIRST_MIN <= columns {
            let texts = wrap(&text, columns - used, rest);
            let first = texts.first().filter(|first| !first.is_empty());
            let first = first
                .map(|first| self.paint("", &Shown::own(" ")).and(&self.paint(body_style, first)));
            let head = self
                .paint(DIM, &time)
                .and(&self.paint(if told.elsewhere { ELSEWHERE } else { DIM }, &number))
                .and(&self.paint("", &gap))
                .and(&self.paint(speaker_style, &speaker));
            rows = vec![head.and(&first.unwrap_or_default())];
            rows.extend(more(MORE, &texts[1..]));
        } else {
            // A long name in a narrow window: the speaker has rows of its own.
            let heads = prefixed("", MORE, &wrap(&head, columns.max(1), rest));
            rows = heads.iter().map(|row| self.paint(speaker_style, row)).collect();
            rows.extend(more(MORE, &wrap(&text, rest, rest)));
        }
        rows.extend(choices(told, columns, rest).iter().flat_map(|choice| more(CHOICE, choice)));
        rows
    }

    /// The line above or below a stretch of history, where one begins or ends.
    fn divider(&mut self, told: &Told) -> Option<Row> {
        let history = told.history.then_some(told.conversation);
        if history == self.history {
            return None;
        }
        self.history = history;
        let line = match (told.history, told.ordinal) {
            (true, Some(ordinal)) => {
                format!("── earlier, #{ordinal}, {} ──", self.local(told.at).date())
            }
            (true, None) => format!("── earlier, {} ──", self.local(told.at).date()),
            (false, _) => "── now ──".into(),
        };
        Some(self.paint(DIM, &Shown::line(&line)))
    }

    fn local(&self, at: Millis) -> Zoned {
        let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        at.unwrap_or(Timestamp::MAX).to_zoned(self.zone.clone())
    }
}

/// Columns left behind a prefix of so many.
fn room(columns: usize, prefix: usize) -> usize {
    columns.saturating_sub(prefix).max(1)
}

fn style(author: Author) -> &'static str {
    match author {
        Author::User => "1;36",
        Author::Bot => "1;32",
        Author::Admin => "1;35",
    }
}

#[cfg(test)]
mod tests {
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
        let button = |title: &&str| Button {
            title: (*title).into(),
            payload: "/x".into(),
            ..Button::default()
        };
        Said { buttons: titles.iter().map(button).collect(), ..Said::text(Author::Bot, "") }
            .choices()
    }

    fn look(colour: bool) -> Look {
        Look { me: Author::User, colour, zone: TimeZone::UTC, history: None }
    }

    fn drawn(look: &mut Look, told: Told, columns: usize) -> Vec<String> {
        rows(look, &Report::Message(told), columns)
    }

    fn rows(look: &mut Look, report: &Report, columns: usize) -> Vec<String> {
        look.draw(report, columns).unwrap_or_default().into_iter().map(|row| row.0).collect()
    }

    /// As a pipe gets it.
    fn plain_message(told: &Told) -> String {
        lines(&super::plain_message(told, usize::MAX))
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
    fn what_is_not_a_message_goes_to_stderr() {
        let notice = Report::Notice { text: "one\ntwo".into() };
        let plain = |report, me| plain(report, me, usize::MAX).map(|told| lines(&told));
        assert_eq!(plain(&notice, Author::User).as_deref(), Some("handoff: one\n  | two"));
        let listen = Some("127.0.0.1:5000".parse().expect("an address"));
        let ready = Report::Ready { mode: "admin", listen, fingerprint: None };
        assert_eq!(
            plain(&ready, Author::Admin).as_deref(),
            Some("handoff: listening on 127.0.0.1:5000")
        );
        assert_eq!(
            (stream(&ready), stream(&Report::Message(told(Author::Bot, "x")))),
            (Stream::Err, Stream::Out)
        );
        let seen = Report::Seen { conversation: ConversationId::new([7; 16]), number: 1 };
        assert_eq!(plain(&seen, Author::User), None);
    }

    #[test]
    fn continuation_rows_are_marked() {
        let mut look = look(false);
        let rows =
            drawn(&mut look, told(Author::Bot, "one two three four\n14:03 user: posing"), 24);
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
    fn a_button_is_not_what_a_text_can_look_like() {
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
    fn the_url_of_a_button_stands_behind_its_title() {
        let mut bot = told(Author::Bot, "Ready?");
        bot.buttons = offered(&["Open the form", "https://example.invalid/a"]);
        bot.buttons[0].url = Some("https://example.invalid/form?of=a\u{1b}[2J".into());
        bot.buttons[1].url = Some("https://example.invalid/a".into());
        let shown = "bot: Ready?\n  1) Open the form: https://example.invalid/form?of=a\\u{1b}[2J\n  \
                     2) https://example.invalid/a";
        assert_eq!(plain_message(&bot), shown);
        let rows = drawn(&mut look(false), bot, 40);
        assert_eq!(
            rows[1..3],
            ["  1) Open the form: ", "  │ https://example.invalid/form?of=a\\u{"]
        );
    }

    #[test]
    fn a_name_of_which_nothing_is_seen_is_none_and_a_long_one_is_cut() {
        let named = |name: &str| {
            plain_message(&Told { name: Some(name.into()), ..told(Author::User, "hi") })
        };
        assert_eq!(named(" \u{3164}\u{2800}"), "user: hi");
        assert_eq!(named(&"é".repeat(40)), format!("user {}…: hi", "é".repeat(31)));
        assert_eq!(named("Robin (admin)"), "user Robin (admin): hi");
    }

    #[test]
    fn a_plain_line_is_wrapped_where_its_terminal_is_known() {
        let lines =
            |text: &str, columns| lines(&super::plain_message(&told(Author::Bot, text), columns));
        assert_eq!(lines("one two three four five", 20), "bot: one two three \n  | four five");
        assert_eq!(lines("one two", 8), "bot:\n  | one \n  | two");
    }

    #[test]
    fn eight_kib_of_anything_are_drawn_quickly_and_in_a_bounded_number_of_rows() {
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
            // Linear work takes milliseconds unoptimized; a square of it would take minutes.
            assert!(
                begun.elapsed() < std::time::Duration::from_secs(5),
                "{unit:?} took {:?}",
                begun.elapsed()
            );
            assert!(rows.len() <= text.len() + 2, "{unit:?} has {} rows", rows.len());
        }
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

    #[test]
    fn a_call_rings() {
        let call = Report::Call { text: "Ann wants to talk".into() };
        assert_eq!(rows(&mut look(false), &call, 80), ["** Ann wants to talk\x07"]);
    }
}
