//! The board: the prompt and the line that is being typed, below the conversation.
//!
//! A frame is the bytes that put new rows above the line and draw the line again, in one write. The
//! board never queries the terminal for its state, and never relies on the width of a character: no
//! row wraps (autowrap is off while a frame is drawn), and to place the cursor the board writes the
//! text before it.

use std::collections::HashMap;

use crossbeam_channel::Sender;
use rustix::stdio::stdout;
use rustix::termios::tcgetwinsize;

use super::Typed;
use super::editor::{EDITOR_MAX, Editor};
use super::keys::Key;
use super::layout::{Edited, Shown, clip_before, edited, width};
use super::render::{Look, Row};
use crate::core::delivery::Mark;
use crate::wire::{Author, ConversationId};

/// The counts of a prompt begin like this.
const COUNTS: &str = " · ";

/// Columns and rows of a terminal that does not report its size.
const SIZE: (usize, usize) = (80, 24);

/// The prompt and the line, and how the last frame drew them.
pub(super) struct Board {
    editor: Editor,
    prompt: Shown,
    /// The prompt where there is no room for all of it.
    short_prompt: Shown,
    /// The conversation that the line is for.
    focus: Option<ConversationId>,
    /// The lines that are begun for other conversations.
    drafts: HashMap<ConversationId, String>,
    limit: usize,
    typed: Sender<Typed>,
    columns: usize,
    rows: usize,
    /// The line's first row that is shown, if the line has more rows than fit.
    top: usize,
    /// The last frame; `None` if none of our rows is on the screen.
    last_frame: Option<Drawn>,
    /// Whether the next frame clears the screen first.
    clears: bool,
}

/// The widths of the rows that a frame drew, and where it left the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
struct Drawn {
    /// The columns of each row.
    widths: Vec<usize>,
    /// The row and column of the cursor.
    row: usize,
    column: usize,
}

impl Board {
    pub(super) fn new(limit: usize, typed: Sender<Typed>) -> Board {
        let mut board = Board {
            editor: Editor::default(),
            prompt: Shown::default(),
            short_prompt: Shown::default(),
            focus: None,
            drafts: HashMap::new(),
            limit,
            typed,
            columns: SIZE.0,
            rows: SIZE.1,
            top: 0,
            last_frame: None,
            clears: false,
        };
        board.measure();
        board
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn prompt(&mut self, prompt: &str, short: &str) {
        self.prompt = Shown::line(prompt);
        self.short_prompt = Shown::line(short);
    }

    /// The line is for this conversation from now on. A draft stays with the conversation that it
    /// was begun for; a command is for none.
    pub(super) fn focus(&mut self, conversation: Option<ConversationId>) {
        let former = std::mem::replace(&mut self.focus, conversation);
        if former == conversation || is_command(self.editor.text()) {
            return;
        }
        let draft = conversation.and_then(|id| self.drafts.remove(&id)).unwrap_or_default();
        let left = self.editor.exchange(draft);
        if let Some(former) = former.filter(|_| !left.trim().is_empty()) {
            self.drafts.insert(former, left);
        }
    }

    /// Empties the line. Returns whether it had any text; the Up key brings that text back.
    pub(super) fn drop_line(&mut self) -> bool {
        !self.editor.is_empty() && !self.editor.take().is_empty()
    }

    /// Another program had the terminal: reads its size again, and forgets the drawn rows.
    pub(super) fn resume(&mut self) {
        self.measure();
        self.last_frame = None;
    }

    /// Handles a key. Returns the rows to put above the line.
    pub(super) fn press(&mut self, key: &Key, look: &Look) -> Vec<Row> {
        match key {
            Key::Enter => return self.enter(look),
            Key::Go(number) if look.me == Author::Admin => {
                return self.command(format!("/switch {number}"), look);
            }
            Key::GoOn if look.me == Author::Admin => return self.command("/next".to_owned(), look),
            Key::Tab if self.editor.is_empty() && look.me == Author::Admin => {
                return self.command("/next".to_owned(), look);
            }
            Key::Tab if is_command(self.editor.text()) => {
                self.tell(Typed::Complete(self.editor.text().to_owned()));
            }
            Key::Tab if !self.editor.insert("\t") => return self.too_long(look),
            Key::DeleteOrEnd if self.editor.is_empty() => self.tell(Typed::End),
            Key::Text(text) | Key::Paste(text) if !self.editor.insert(text) => {
                return self.too_long(look);
            }
            Key::PasteTooLong => return self.too_long(look),
            Key::Newline if !self.editor.insert("\n") => return self.too_long(look),
            Key::Redraw => self.clears = true,
            Key::Resized => self.measure(),
            key => self.editor.press(key),
        }
        Vec::new()
    }

    fn enter(&mut self, look: &Look) -> Vec<Row> {
        let (line, limit) = (self.editor.take(), self.limit);
        if line.len() > limit {
            // The line leaves the input: in a small window a long line would hide this fault.
            let bytes = line.len();
            let fault = format!(
                "this line has {bytes} bytes, at most {limit} can be sent; the Up key brings it \
                 back"
            );
            return look.fault(&fault, self.columns);
        }
        let mut above = Vec::new();
        if is_command(&line) {
            // A message is shown once it is journaled; a command is shown here, or not at all.
            above = look.aside("> ", &Shown::text(&line), self.columns);
        }
        match self.focus {
            _ if line.trim().is_empty() => self.tell(Typed::Enter),
            Some(id) if !is_command(&line) => self.tell(Typed::LineTo(id, line)),
            _ => self.tell(Typed::Line(line)),
        }
        // The focus may have moved while a command was typed.
        if let Some(draft) = self.focus.and_then(|id| self.drafts.remove(&id)) {
            self.editor.set(draft);
        }
        above
    }

    /// Adds what Tab adds, if the line is still the one for which it was asked.
    pub(super) fn complete(&mut self, line: &str, rest: &str) {
        if self.editor.text() == line {
            self.editor.press(&Key::End);
            self.editor.insert(rest);
        }
    }

    /// Does what a typed command would do, and leaves the line as it is.
    fn command(&self, command: String, look: &Look) -> Vec<Row> {
        let above = look.aside("> ", &Shown::text(&command), self.columns);
        self.tell(Typed::Line(command));
        above
    }

    /// Whether the line is a message, as far as it is typed.
    pub(super) fn has_message(&self) -> bool {
        let line = self.editor.text();
        !line.trim().is_empty() && !is_command(line)
    }

    fn too_long(&self, look: &Look) -> Vec<Row> {
        let limit = self.limit;
        let fault = format!(
            "that does not fit: a line takes {EDITOR_MAX} bytes, and at most {limit} can be sent \
             at once"
        );
        look.fault(&fault, self.columns)
    }

    fn tell(&self, typed: Typed) {
        // Fails only when the loop has ended.
        let _ = self.typed.send(typed);
    }

    fn measure(&mut self) {
        let size = tcgetwinsize(stdout())
            .ok()
            .map(|size| (usize::from(size.ws_col), usize::from(size.ws_row)));
        (self.columns, self.rows) =
            size.filter(|&(columns, rows)| columns > 0 && rows > 0).unwrap_or(SIZE);
    }

    /// The bytes that put rows above the line and draw the line again.
    pub(super) fn frame(&mut self, above: &[Row], look: &Look) -> Vec<u8> {
        let mut out = self.erase();
        out.push_str("\x1b[?7l");
        if std::mem::take(&mut self.clears) {
            out.push_str("\x1b[2J\x1b[H");
        }
        for row in above {
            out.push_str(row.as_str());
            out.push_str("\r\n");
        }
        self.draw(&mut out, look, above.len());
        out.push_str("\x1b[?7h");
        out.into_bytes()
    }

    /// The bytes that remove the line, and leave the cursor where the line began.
    pub(super) fn erase(&mut self) -> String {
        let up = self.last_frame.take().map_or(0, |drawn| drawn.rows_above(self.columns));
        if up > 0 { format!("\x1b[{up}A\r\x1b[J") } else { "\r\x1b[J".into() }
    }

    /// The prompt in half of a row: the short one if the whole one does not fit, and of that the
    /// name is cut. The counts, and the mark at the end (✓ or ✓✓, for the last line sent), stay.
    fn fitted_prompt(&self) -> Shown {
        let room = self.columns / 2;
        if width(self.prompt.as_str()) <= room {
            return self.prompt.clone();
        }
        let short = self.short_prompt.as_str();
        let marks = [Mark::Seen, Mark::Delivered].map(|mark| mark.to_string());
        let mark = marks.iter().find(|mark| short.ends_with(*mark)).map_or(0, String::len);
        let counts = short.rfind(COUNTS).map_or(0, |at| short.len() - at);
        let tail =
            if width(&short[short.len() - counts..]) < room { counts.max(mark) } else { mark };
        clip_before(&self.short_prompt, tail, room)
    }

    fn draw(&mut self, out: &mut String, look: &Look, above: usize) {
        let prompt = self.fitted_prompt().and(&Shown::own("> "));
        let indent = width(prompt.as_str());
        // The last column stays free, for the cursor.
        let room = self.columns.saturating_sub(indent + 1).max(1);
        let Edited { rows, row, before } = edited(self.editor.text(), self.editor.cursor(), room);
        // The line takes half of the window at most, and leaves room for the new rows above it. The
        // prompt stands before the first row that is shown.
        let left = self.rows.checked_sub(above).unwrap_or(self.rows);
        let height = (self.rows / 2).min(left).max(1);
        self.top = self
            .top
            .min(rows.len().saturating_sub(height))
            .clamp((row + 1).saturating_sub(height), row);
        let shown = &rows[self.top..rows.len().min(self.top + height)];
        let row = row - self.top;
        let more = self.top + shown.len() < rows.len();
        let prefix = |at: usize| match at {
            0 => look.paint_prompt(&prompt),
            at => {
                let mark = if more && at + 1 == shown.len() { "↓ " } else { "│ " };
                look.paint_prompt(&Shown::blanks(indent.saturating_sub(2)).and(&Shown::own(mark)))
            }
        };

        for (at, text) in shown.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\r\n" };
            out.push_str(&format!("{gap}{}{text}", prefix(at).as_str()));
        }
        let up = shown.len() - 1 - row;
        if up > 0 {
            out.push_str(&format!("\x1b[{up}A"));
        }
        let before = &shown[row].as_str()[..before];
        out.push_str(&format!("\r{}{before}", prefix(row).as_str()));
        let widths = shown.iter().map(|text| indent + width(text.as_str())).collect();
        self.last_frame = Some(Drawn { widths, row, column: indent + width(before) });
    }
}

fn is_command(line: &str) -> bool {
    line.starts_with('/') && !line.starts_with("//")
}

impl Drawn {
    /// The number of screen rows from the first row to the cursor. A window that has become
    /// narrower has wrapped them.
    fn rows_above(&self, columns: usize) -> usize {
        let wrapped = |columns_used: usize| columns_used.saturating_sub(1) / columns;
        let above: usize = self.widths[..self.row].iter().map(|&used| 1 + wrapped(used)).sum();
        above + wrapped(self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::{Receiver, unbounded};
    use std::num::NonZero;

    /// A board on an emulated terminal.
    struct Desk {
        board: Board,
        look: Look,
        screen: vt100::Parser,
        typed: Receiver<Typed>,
    }

    fn desk(columns: usize, rows: usize) -> Desk {
        let (sender, typed) = unbounded();
        let mut board = Board::new(20, sender);
        (board.columns, board.rows) = (columns, rows);
        board.prompt("Ann (2)", "Ann (2)");
        let look = Look::new(Author::Admin, true);
        let size = |size: usize| u16::try_from(size).ok().and_then(NonZero::new).expect("a size");
        let screen = vt100::Parser::new(size(rows), size(columns), 100);
        Desk { board, look, screen, typed }
    }

    impl Desk {
        fn press(&mut self, key: Key) {
            let above = self.board.press(&key, &self.look);
            let frame = self.board.frame(&above, &self.look);
            self.screen.process(&frame);
        }

        fn text(&mut self, text: &str) {
            self.press(Key::Text(text.into()));
        }

        fn above(&mut self, rows: &[&str]) {
            let rows = rows
                .iter()
                .flat_map(|row| self.look.aside("", &Shown::line(row), 80))
                .collect::<Vec<_>>();
            let frame = self.board.frame(&rows, &self.look);
            self.screen.process(&frame);
        }

        fn seen(&self) -> String {
            self.screen.screen().contents()
        }

        fn cursor(&self) -> (u16, u16) {
            self.screen.screen().cursor_position()
        }
    }

    #[test]
    fn a_message_does_not_tear_the_line() {
        let mut desk = desk(30, 10);
        desk.text("a line that is too long for its row");
        desk.press(Key::Home);
        desk.press(Key::Right);
        desk.above(&["bot: one", "bot: two"]);
        assert_eq!(
            desk.seen(),
            "bot: one\nbot: two\nAnn (2)> a line that is too l\n       │ ong for its row"
        );
        assert_eq!(desk.cursor(), (2, 10));
        desk.board.prompt("Bea (3)", "Bea (3)");
        desk.above(&[]);
        assert!(desk.seen().contains("\nBea (3)> a line"), "{}", desk.seen());
    }

    #[test]
    fn a_line_is_a_message_unless_it_is_blank_or_a_command() {
        for (text, is_message) in [(" ", false), ("/li", false), ("//x", true), ("hi", true)] {
            let mut desk = desk(30, 10);
            desk.text(text);
            assert_eq!(desk.board.has_message(), is_message, "{text:?}");
        }
    }

    #[test]
    fn enter_takes_the_line_off_the_screen() {
        let mut desk = desk(30, 10);
        desk.text("hi");
        desk.press(Key::Enter);
        assert_eq!(desk.seen(), "Ann (2)> ");
        desk.text("/list");
        desk.press(Key::Enter);
        assert_eq!(desk.seen(), "> /list\nAnn (2)> ");
        desk.press(Key::Enter);
        desk.press(Key::DeleteOrEnd);
        let typed: Vec<Typed> = desk.typed.try_iter().collect();
        let line = |text: &str| Typed::Line(text.into());
        assert_eq!(typed, [line("hi"), line("/list"), Typed::Enter, Typed::End]);
    }

    #[test]
    fn a_draft_stays_with_the_conversation_that_it_was_begun_for() {
        let id = |n| ConversationId::new([n; 16]);
        let mut desk = desk(30, 10);
        desk.board.focus(Some(id(1)));
        desk.text("to one");
        desk.board.focus(Some(id(2)));
        desk.above(&[]);
        assert_eq!(desk.seen(), "Ann (2)> ");
        desk.text("to two");
        desk.press(Key::Enter);
        desk.text("/clo");
        desk.board.focus(Some(id(1)));
        desk.above(&[]);
        assert_eq!(desk.seen(), "Ann (2)> /clo", "a command goes on");
        desk.press(Key::Enter);
        desk.press(Key::Enter);
        let typed: Vec<Typed> = desk.typed.try_iter().collect();
        let to = |n, text: &str| Typed::LineTo(id(n), text.to_owned());
        assert_eq!(typed, [to(2, "to two"), Typed::Line("/clo".to_owned()), to(1, "to one")]);
    }

    #[test]
    fn keys_go_to_another_conversation_and_leave_the_line() {
        let mut desk = desk(30, 10);
        desk.press(Key::Tab);
        desk.text("half");
        desk.press(Key::Go(3));
        desk.press(Key::GoOn);
        assert_eq!(desk.seen(), "> /next\n> /switch 3\n> /next\nAnn (2)> half");
        let typed: Vec<Typed> = desk.typed.try_iter().collect();
        let line = |text: &str| Typed::Line(text.to_owned());
        assert_eq!(typed, [line("/next"), line("/switch 3"), line("/next")]);
    }

    #[test]
    fn a_line_over_the_limit_leaves_the_input_and_comes_back_with_the_up_key() {
        let mut desk = desk(60, 10);
        desk.text("123456789 123456789 1");
        desk.press(Key::Enter);
        assert!(desk.seen().contains("at most 20"), "{}", desk.seen());
        assert!(desk.seen().ends_with("\nAnn (2)> "), "{}", desk.seen());
        assert!(desk.typed.is_empty());
        desk.press(Key::Up);
        assert!(desk.seen().ends_with("> 123456789 123456789 1"), "{}", desk.seen());
    }

    #[test]
    fn a_refusal_is_to_be_seen_at_any_size_of_the_window() {
        for (columns, rows) in [(80, 24), (40, 10), (20, 8)] {
            let mut desk = desk(columns, rows);
            desk.press(Key::Paste("0123456789".repeat(1024)));
            desk.press(Key::PasteTooLong);
            let seen = desk.seen().replace('\n', "").replace("  │ ", "");
            assert!(seen.contains("that does not fit"), "{columns}x{rows}: {}", desk.seen());
            desk.press(Key::Enter);
            let seen = desk.seen().replace('\n', "").replace("  │ ", "");
            assert!(
                seen.contains("this line has 10240 bytes"),
                "{columns}x{rows}: {}",
                desk.seen()
            );
        }
    }

    #[test]
    fn a_long_prompt_keeps_its_counts_its_mark_and_half_of_the_row() {
        let mut desk = desk(40, 10);
        for (prompt, short, shown) in [
            ("agent Robin ✓✓", "agent Robin ✓✓", "agent Robin ✓✓> "),
            (
                "desk offline, agent Robin ✓",
                "desk offline, agent Robin ✓",
                "desk offline, age… ✓> ",
            ),
            ("#6 Maximilian Featherstone", "#6 Maximilian Featherstone", "#6 Maximilian Feath…> "),
            ("#6 Ann · 1 waiting · 2 unread ✓", "#6 Ann · 1w 2u ✓", "#6 Ann · 1w 2u ✓> "),
            ("#6 Maximilian · 1 waiting ✓✓", "#6 Maximilian · 1w ✓✓", "#6 Maximili… · 1w ✓✓> "),
        ] {
            desk.board.prompt(prompt, short);
            desk.above(&[]);
            assert_eq!(desk.seen(), shown);
        }
    }

    #[test]
    fn a_dropped_line_comes_back_with_the_up_key() {
        let mut desk = desk(40, 10);
        assert!(!desk.board.drop_line());
        desk.text("half a line");
        assert!(desk.board.drop_line());
        desk.above(&[]);
        assert_eq!(desk.seen(), "Ann (2)> ");
        desk.press(Key::Up);
        assert_eq!(desk.seen(), "Ann (2)> half a line");
    }

    #[test]
    fn a_long_block_shows_the_part_with_the_cursor() {
        let mut desk = desk(40, 10);
        let block: Vec<String> = (1..=50).map(|line| format!("line {line}")).collect();
        desk.press(Key::Paste(block.join("\n")));
        assert_eq!(desk.seen().lines().count(), 5);
        assert!(desk.seen().starts_with("Ann (2)> line 46\n"), "{}", desk.seen());
        for _ in 0..49 {
            desk.press(Key::Up);
        }
        assert!(desk.seen().starts_with("Ann (2)> line 1\n"), "{}", desk.seen());
        assert!(desk.seen().ends_with("     ↓ line 5"), "{}", desk.seen());
        desk.above(&["bot: hi"]);
        assert!(desk.seen().starts_with("bot: hi\nAnn (2)> line 1\n"), "{}", desk.seen());
    }

    #[test]
    fn a_narrower_window_leaves_nothing_behind() {
        let drawn = Drawn { widths: vec![79, 79, 20], row: 2, column: 15 };
        assert_eq!([80, 79, 40, 10].map(|columns| drawn.rows_above(columns)), [2, 2, 4, 17]);
    }

    #[test]
    fn a_tiny_window_and_a_wide_prompt_do_no_harm() {
        let mut desk = desk(4, 2);
        desk.board.prompt("日本語\u{1b}[31m", "");
        desk.text("日本👩‍👩‍👧");
        for key in [Key::Home, Key::Right, Key::End, Key::Enter] {
            desk.press(key);
        }
    }
}
