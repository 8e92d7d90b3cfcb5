//! A report to lines: plain ones for a pipe, drawn ones for a terminal. Pure.
//!
//! Every line but a message's first has a prefix no message can start with, and the role
//! stands before the name: nothing a peer writes can pose as another speaker.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use super::layout::{shown, shown_on_one_line, width, wrap};
use super::words::{Tone, words};
use crate::report::{Report, Told};
use crate::wire::{Author, ConversationId, Millis};

/// Before every line of a message but its first, in plain.
const PLAIN_MORE: &str = "  | ";
/// The same in a terminal.
const MORE: &str = "  │ ";
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

/// A report as plain lines, without the last line end.
pub(super) fn plain(report: &Report, me: Author) -> Option<(Stream, String)> {
    if let Report::Message(told) = report {
        return Some((Stream::Out, plain_message(told)));
    }
    let (_, text) = words(report, me)?;
    Some((Stream::Err, plain_note(&text)))
}

/// A shown text as the program's own, for stderr.
pub(super) fn plain_note(text: &str) -> String {
    format!("handoff: {}", text.replace('\n', &format!("\n{PLAIN_MORE}")))
}

fn plain_message(told: &Told) -> String {
    let number = told.ordinal.map(|ordinal| format!("#{ordinal} ")).unwrap_or_default();
    let mut lines = text_of(told);
    let gap = if lines[0].is_empty() { "" } else { " " };
    lines[0] = format!("{number}{}:{gap}{}", speaker(told), lines[0]);
    let mut text = lines.join(&format!("\n{PLAIN_MORE}"));
    for choice in choices(told) {
        text.push_str("\n  ");
        text.push_str(&choice);
    }
    text
}

/// The role, and the name where there is one.
fn speaker(told: &Told) -> String {
    let name = told.name.as_deref().map(|name| format!(" {}", shown_on_one_line(name))).unwrap_or_default();
    format!("{}{name}", role(told.author))
}

fn role(author: Author) -> &'static str {
    match author {
        Author::User => "user",
        Author::Bot => "bot",
        Author::Admin => "admin",
    }
}

/// What was said, as lines; at least one. An image is its URL, a custom payload alone its JSON.
fn text_of(told: &Told) -> Vec<String> {
    let mut lines: Vec<String> = shown(&told.text).split('\n').map(str::to_owned).collect();
    let image = told.image.as_deref().filter(|image| *image != told.text).map(shown_on_one_line);
    let custom = told.custom.as_ref().filter(|_| told.text.is_empty() && image.is_none()).map(Value::to_string);
    for more in [image, custom.map(|custom| shown(&custom))].into_iter().flatten() {
        if told.text.is_empty() {
            lines[0] = more;
        } else {
            lines.push(more);
        }
    }
    lines
}

fn choices(told: &Told) -> impl Iterator<Item = String> {
    told.buttons.iter().zip(1..).map(|(button, at)| format!("{at}) {}", shown_on_one_line(&button.title)))
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

    /// A report as rows of a terminal of so many columns, each without its line end; `None` if it shows nothing.
    pub(super) fn draw(&mut self, report: &Report, columns: usize) -> Option<Vec<String>> {
        if let Report::Message(told) = report {
            let mut rows: Vec<String> = self.divider(told).into_iter().collect();
            rows.extend(self.message(told, columns));
            return Some(rows);
        }
        let (tone, text) = words(report, self.me)?;
        let mut rows = Vec::new();
        if self.history.take().is_some() {
            rows.push(self.paint(DIM, "── now ──"));
        }
        let (mark, style) = match tone {
            Tone::News => ("-- ", DIM),
            Tone::Call => ("** ", "1"),
            Tone::Fault => ("!! ", RED),
        };
        let bell = if tone == Tone::Call { "\x07" } else { "" };
        rows.extend(self.note(mark, style, &text, columns));
        if let Some(last) = rows.last_mut() {
            last.push_str(bell);
        }
        Some(rows)
    }

    /// Something the program says, as rows under a mark.
    pub(super) fn note(&self, mark: &str, style: &str, text: &str, columns: usize) -> Vec<String> {
        let rest = room(columns, MORE);
        let rows = wrap(text, room(columns, mark), rest);
        let prefixes = std::iter::once(mark).chain(std::iter::repeat(MORE));
        prefixes.zip(rows).map(|(prefix, row)| self.paint(style, &format!("{prefix}{row}"))).collect()
    }

    /// A fault of the editor's own.
    pub(super) fn fault(&self, text: &str, columns: usize) -> Vec<String> {
        self.note("!! ", RED, text, columns)
    }

    /// The program's own words that need no attention: a log line, a command typed.
    pub(super) fn aside(&self, mark: &str, text: &str, columns: usize) -> Vec<String> {
        self.note(mark, DIM, text, columns)
    }

    /// In colour, where there is colour.
    pub(super) fn paint(&self, style: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The prompt's row, and the mark of the rows below.
    pub(super) fn paint_prompt(&self, prompt: &str) -> String {
        self.paint("1", prompt)
    }

    fn message(&self, told: &Told, columns: usize) -> Vec<String> {
        let time = format!("{} ", self.local(told.at).strftime("%H:%M"));
        let number = match told.ordinal {
            Some(ordinal) if told.elsewhere => format!("[#{ordinal}]"),
            Some(ordinal) => format!("#{ordinal}"),
            None => String::new(),
        };
        let gap = if number.is_empty() { "" } else { " " };
        let speaker = format!("{}:", speaker(told));
        let used = width(&time) + width(&number) + gap.len() + width(&speaker) + 1;
        let lines = text_of(told).join("\n");
        let rest = room(columns, MORE);

        let painted = self.paint(if told.elsewhere { ELSEWHERE } else { DIM }, &number);
        let speaker_style = if told.history { DIM } else { style(told.author) };
        let (mut rows, texts) = if used + FIRST_MIN <= columns {
            let head = format!("{}{painted}{gap}{}", self.paint(DIM, &time), self.paint(speaker_style, &speaker));
            let mut texts = wrap(&lines, columns - used, rest).into_iter();
            let first = texts.next().unwrap_or_default();
            let gap = if first.is_empty() { "" } else { " " };
            (vec![format!("{head}{gap}{}", self.body(told, &first))], texts.collect())
        } else {
            // A long name in a narrow window: the speaker has rows of its own.
            let head = wrap(&format!("{time}{number}{gap}{speaker}"), columns.max(1), rest);
            let prefixes = std::iter::once("").chain(std::iter::repeat(MORE));
            let rows = prefixes.zip(head).map(|(prefix, row)| self.paint(speaker_style, &format!("{prefix}{row}")));
            (rows.collect::<Vec<_>>(), wrap(&lines, rest, rest))
        };
        let choices = choices(told).flat_map(|choice| wrap(&choice, rest, rest));
        rows.extend(
            texts.into_iter().chain(choices).map(|row| format!("{}{}", self.paint(DIM, MORE), self.body(told, &row))),
        );
        rows
    }

    fn body(&self, told: &Told, row: &str) -> String {
        if told.history { self.paint(DIM, row) } else { row.to_owned() }
    }

    /// The line above or below a stretch of history, where one begins or ends.
    fn divider(&mut self, told: &Told) -> Option<String> {
        let history = told.history.then_some(told.conversation);
        if history == self.history {
            return None;
        }
        self.history = history;
        let line = match (told.history, told.ordinal) {
            (true, Some(ordinal)) => format!("── earlier, #{ordinal}, {} ──", self.local(told.at).date()),
            (true, None) => format!("── earlier, {} ──", self.local(told.at).date()),
            (false, _) => "── now ──".into(),
        };
        Some(self.paint(DIM, &line))
    }

    fn local(&self, at: Millis) -> Zoned {
        let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        at.unwrap_or(Timestamp::MAX).to_zoned(self.zone.clone())
    }
}

/// Columns left behind a prefix.
fn room(columns: usize, prefix: &str) -> usize {
    columns.saturating_sub(width(prefix)).max(1)
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
    use crate::wire::Button;

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

    fn look(colour: bool) -> Look {
        Look { me: Author::User, colour, zone: TimeZone::UTC, history: None }
    }

    fn drawn(look: &mut Look, told: Told, columns: usize) -> Vec<String> {
        look.draw(&Report::Message(told), columns).unwrap_or_default()
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
        bot.buttons = ["Yes", "No\n  3) Hack"].map(|title| Button { title: title.into(), payload: "/x".into() }).into();
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
        custom.custom = Some(serde_json::json!({"a": "\u{1b}x"}));
        assert_eq!(plain_message(&custom), r#"bot: {"a":"\u001bx"}"#);
    }

    #[test]
    fn what_is_not_a_message_goes_to_stderr() {
        let notice = Report::Notice { text: "one\ntwo".into() };
        assert_eq!(plain(&notice, Author::User), Some((Stream::Err, "handoff: one\n  | two".into())));
        let listen = Some("127.0.0.1:5000".parse().expect("an address"));
        let ready = Report::Ready { mode: "admin", listen, fingerprint: None };
        assert_eq!(plain(&ready, Author::Admin), Some((Stream::Err, "handoff: listening on 127.0.0.1:5000".into())));
        let seen = Report::Seen { conversation: ConversationId::new([7; 16]), number: 1 };
        assert_eq!(plain(&seen, Author::User), None);
    }

    #[test]
    fn continuation_rows_are_marked() {
        let mut look = look(false);
        let rows = drawn(&mut look, told(Author::Bot, "one two three four\n14:03 user: posing"), 24);
        assert_eq!(rows, ["14:03 bot: one two three", "  │ four", "  │ 14:03 user: posing"]);
        let mut long = told(Author::User, "hi");
        long.name = Some("a name that fills the row".into());
        assert_eq!(drawn(&mut look, long, 24), ["14:03 user a name that ", "  │ fills the row:", "  │ hi"]);
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
    fn history_stands_between_two_lines() {
        let mut look = look(false);
        let old = || Told { history: true, ..told(Author::User, "old") };
        assert_eq!(drawn(&mut look, old(), 80), ["── earlier, 1970-01-01 ──", "14:03 user: old"]);
        assert_eq!(drawn(&mut look, old(), 80), ["14:03 user: old"]);
        assert_eq!(drawn(&mut look, told(Author::Bot, "new"), 80), ["── now ──", "14:03 bot: new"]);
        drawn(&mut look, old(), 80);
        let notice = Report::Notice { text: "x".into() };
        assert_eq!(look.draw(&notice, 80), Some(vec!["── now ──".to_owned(), "-- x".into()]));
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
        assert_eq!(look(false).draw(&call, 80), Some(vec!["** Ann wants to talk\x07".to_owned()]));
    }
}
