//! Turns a report into lines: plain lines for a pipe, or rows for a terminal. Pure.
//!
//! Every line of a message except the first has a prefix with which no message can begin, and the
//! role stands before the name. So nothing that a peer writes can pose as another speaker.

use std::iter::{once, repeat};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::layout::{Shown, width, wrap};
use super::words::{Reader, Tone, read_by};
use crate::core::report::{Link, Report, Told};
use crate::core::text::{Name, is_same};
use crate::wire::{Author, Button, ConversationId, Millis, State};

/// The prefix of every line of a message except the first, in plain lines for a pipe.
const PIPE_MORE: &str = "  | ";
/// The same prefix in plain lines at a terminal. It is a word, because screen readers speak these
/// lines, and some of them leave out signs such as `|`.
const SPOKEN_MORE: &str = "  more: ";
/// The same prefix in a terminal.
const MORE: &str = "  │ ";
/// The prefix of a button. No line of a message begins with it.
const CHOICE: &str = "  ";
/// The fewest columns for a message's text after its speaker. With fewer, the text starts on the
/// next row.
const FIRST_MIN: usize = 12;

const DIM: &str = "2";
const RED: &str = "31";
const ELSEWHERE: &str = "1;30;43";

/// The stream to which a plain line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// stdout, for the conversation.
    Out,
    /// stderr, for the program's own words.
    Err,
}

/// The stream for a plain report.
pub(super) fn stream(report: &Report) -> Stream {
    if matches!(report, Report::Message(_)) { Stream::Out } else { Stream::Err }
}

/// Where plain lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A pipe or a file.
    Pipe,
    /// A terminal. A person reads the lines, or hears them from a screen reader.
    Terminal {
        /// The most columns of a line.
        columns: usize,
    },
}

impl Place {
    fn columns(self) -> usize {
        match self {
            Place::Pipe => usize::MAX,
            Place::Terminal { columns } => columns,
        }
    }

    /// The prefix of every line of a text except the first.
    fn more(self) -> &'static str {
        match self {
            Place::Pipe => PIPE_MORE,
            Place::Terminal { .. } => SPOKEN_MORE,
        }
    }
}

/// A report as plain lines, each without its line end. `None` if the report is not for people.
pub(super) fn plain(report: &Report, reader: Reader, place: Place) -> Option<Vec<Shown>> {
    if let Report::Message(told) = report {
        // What a pipe gets may be read by a program, which knows the word of the former releases.
        let reader = if place == Place::Pipe { Reader::Operator } else { reader };
        return Some(plain_message(told, reader, place));
    }
    let (_, text) = read_by(report, reader)?;
    Some(plain_note("handoff: ", &text, place))
}

/// A text of the program's own as plain lines. `mark` stands before the first.
pub(super) fn plain_note(mark: &'static str, text: &Shown, place: Place) -> Vec<Shown> {
    let (columns, more) = (place.columns(), place.more());
    let rows = wrap(text, room(columns, width(mark)), room(columns, more.len()));
    prefixed(mark, more, &rows)
}

fn plain_message(told: &Told, reader: Reader, place: Place) -> Vec<Shown> {
    let (columns, more) = (place.columns(), place.more());
    let number = told.ordinal.map(|ordinal| format!("#{ordinal} ")).unwrap_or_default();
    let head = Shown::line(&format!("{number}{}", speaker(told, reader)));
    let used = width(head.as_str()) + 1;
    let rest = room(columns, more.len());
    let mut lines = Vec::new();
    if columns.saturating_sub(used) < FIRST_MIN {
        // In a narrow window, a long name stands in rows above the text.
        lines.extend(prefixed("", more, &wrap(&head, columns.max(1), rest)));
        lines.extend(prefixed(more, more, &wrap(&text_of(told), rest, rest)));
    } else {
        let rows = wrap(&text_of(told), columns - used, rest);
        let first = rows.first().filter(|row| !row.is_empty()).map(|row| Shown::own(" ").and(row));
        lines.push(head.and(&first.unwrap_or_default()));
        lines.extend(prefixed(more, more, &rows[1..]));
    }
    let choices = choices(told, columns, rest);
    lines.extend(choices.iter().flat_map(|rows| prefixed(CHOICE, more, rows)));
    lines
}

/// Rows with prefixes: `first` before the first row, `rest` before the others.
fn prefixed(first: &'static str, rest: &'static str, rows: &[Shown]) -> Vec<Shown> {
    let prefixes = once(first).chain(repeat(rest));
    prefixes.zip(rows).map(|(prefix, row)| Shown::own(prefix).and(row)).collect()
}

/// The role, the name if there is one, the agent's own name if it differs, and a colon.
fn speaker(told: &Told, reader: Reader) -> String {
    let role = role(told.author, reader);
    let name = told.name.as_deref().and_then(Name::new);
    let shown = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let is_other =
        |agent: &&str| !name.as_ref().is_some_and(|name| is_same(&name.to_string(), agent));
    let agent = told.agent.as_deref().filter(is_other).and_then(Name::new);
    let agent = agent.map(|agent| format!(" ({agent})")).unwrap_or_default();
    format!("{role}{shown}{agent}:")
}

fn role(author: Author, reader: Reader) -> &'static str {
    match (author, reader) {
        (Author::User, _) => "user",
        (Author::Bot, _) => "bot",
        (Author::Admin, Reader::Customer { .. }) => "agent",
        (Author::Admin, Reader::Agent | Reader::Operator) => "admin",
    }
}

/// The content of a message: the text, the URL of the image and the JSON of the custom payload, if
/// there are any.
fn text_of(told: &Told) -> Shown {
    let text = Some(Shown::text(&told.text)).filter(|text| !text.is_empty());
    let image = told.image.as_deref().filter(|image| *image != told.text).map(Shown::line);
    let custom = told.custom.as_ref().map(|custom| Shown::line(custom.as_str()));
    let parts = [text, image, custom].into_iter().flatten();
    parts.reduce(|above, below| above.and(&Shown::own("\n")).and(&below)).unwrap_or_default()
}

/// The rows of each button, without prefixes.
fn choices(told: &Told, columns: usize, rest: usize) -> Vec<Vec<Shown>> {
    told.buttons
        .iter()
        .map(|button| wrap(&choice(button), room(columns, CHOICE.len()), rest))
        .collect()
}

/// A button's number and title, and the URL of the page that it opens.
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
    pub(super) const fn blank() -> Row {
        Row(String::new())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The most columns that it takes in any terminal.
    pub(super) fn columns(&self) -> usize {
        // After each Escape there is a colour, up to its 'm'.
        let mut parts = self.0.split('\x1b');
        let first = parts.next().map_or(0, width);
        first
            + parts
                .filter_map(|part| part.split_once('m'))
                .map(|(_, text)| width(text))
                .sum::<usize>()
    }

    pub(super) fn and(mut self, more: &Row) -> Row {
        self.0.push_str(&more.0);
        self
    }
}

/// Whether a human has answered a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// An agent joined, or said something.
    Given,
    /// The customer waits for an answer.
    Due,
}

/// How to draw reports. History is drawn between two divider lines, so this value knows whether the
/// last rows were history.
pub(super) struct Look {
    pub(super) reader: Reader,
    colour: bool,
    zone: TimeZone,
    /// The conversation whose history the last rows belong to; `None` if they are not history.
    history: Option<ConversationId>,
}

impl Look {
    pub(super) fn new(reader: Reader, colour: bool) -> Look {
        Look { reader, colour, zone: TimeZone::system(), history: None }
    }

    /// Whether an agent reads the reports.
    pub(super) fn is_agent(&self) -> bool {
        self.reader == Reader::Agent
    }

    /// Remembers the state of the connection to the desk, for the next report about it.
    pub(super) fn note_link(&mut self, report: &Report) {
        if let (Report::Link { link, .. }, Reader::Customer { was_lost }) =
            (report, &mut self.reader)
        {
            match link {
                Link::Lost => *was_lost = true,
                Link::Connected => *was_lost = false,
                Link::Connecting => {}
            }
        }
    }

    /// What a report says to a customer about a human's answer, if it says anything.
    pub(super) fn answer(&self, report: &Report) -> Option<Answer> {
        match report {
            _ if self.is_agent() => None,
            Report::Message(told) if told.history => None,
            Report::Message(told) if told.author == Author::Admin => Some(Answer::Given),
            Report::Message(told) if told.author == Author::User => Some(Answer::Due),
            Report::State { state: State::Active, .. } => Some(Answer::Given),
            Report::State { state: State::Queued, .. } => Some(Answer::Due),
            _ => None,
        }
    }

    /// A report as rows of at most `columns`, each without its line end. `None` if the report is
    /// not for people.
    pub(super) fn draw(&mut self, report: &Report, columns: usize) -> Option<Vec<Row>> {
        if let Report::Message(told) = report {
            let mut rows: Vec<Row> = self.divider(told).into_iter().collect();
            rows.extend(self.message(told, columns));
            return Some(rows);
        }
        let (tone, text) = read_by(report, self.reader)?;
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
        Some(rows)
    }

    /// A text of the program's own as rows. `mark` stands before the first.
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

    /// A fault that the editor reports.
    pub(super) fn fault(&self, text: &str, columns: usize) -> Vec<Row> {
        self.note("!! ", RED, &Shown::line(text), columns)
    }

    /// A text that needs no attention: a log line, or a command that was typed.
    pub(super) fn aside(&self, mark: &'static str, text: &Shown, columns: usize) -> Vec<Row> {
        self.note(mark, DIM, text, columns)
    }

    /// A row in colour, if colours are used.
    fn paint(&self, style: &str, text: &Shown) -> Row {
        Row(if self.colour && !text.is_empty() && !style.is_empty() {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_string()
        })
    }

    /// A text as it is.
    pub(super) fn unpainted(&self, text: &Shown) -> Row {
        self.paint("", text)
    }

    /// The line between two columns.
    pub(super) fn aside_rule(&self) -> Row {
        self.paint(DIM, &Shown::own("│"))
    }

    /// The prompt, or the prefix of a row below it.
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
        let speaker = Shown::line(&speaker(told, self.reader));
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
            // In a narrow window, a long name stands in rows above the text.
            let heads = prefixed("", MORE, &wrap(&head, columns.max(1), rest));
            rows = heads.iter().map(|row| self.paint(speaker_style, row)).collect();
            rows.extend(more(MORE, &wrap(&text, rest, rest)));
        }
        rows.extend(choices(told, columns, rest).iter().flat_map(|choice| more(CHOICE, choice)));
        rows
    }

    /// The divider line before `told`, if history begins or ends here.
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

/// The columns that are left after a prefix of `prefix` columns.
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
mod tests;
