//! The board: the prompt and the line that is being typed, below the conversation.
//!
//! A frame is the bytes that put new rows above the line and draw the line again, in one write. The
//! board never asks the terminal for its state. It also never relies on the width of a character:
//! autowrap is off while a frame is drawn, so that no row wraps, and the board places the cursor by
//! writing the text before it.

use crossbeam_channel::Sender;
use rustix::stdio::stdout;
use rustix::termios::tcgetwinsize;

use super::Typed;
use super::editor::{EDITOR_MAX, Editor};
use super::field::{Drawn, Field, field, fitted_prompt};
use super::keys::Key;
use super::layout::Shown;
use super::render::{Look, Row};
use super::side_list::{self, SideList};
use crate::core::report::{EXCERPT_LETTERS, excerpt};
use crate::wire::{ConversationId, IdMap};

/// Columns and rows of a terminal that does not report its size.
const SIZE: (usize, usize) = (80, 24);

/// The prompt and the line, and how the last frame drew them.
pub(super) struct Board {
    editor: Editor,
    prompt: Shown,
    /// The prompt for a window without room for all of it.
    short_prompt: Shown,
    /// The conversation that gets the line.
    focus: Option<ConversationId>,
    /// The lines that the person has begun for other conversations.
    drafts: IdMap<ConversationId, String>,
    /// Whether the person has entered a command and typed nothing since. If the focus moves then,
    /// the person has moved it and needs no explanation.
    is_moving: bool,
    limit: usize,
    typed: Sender<Typed>,
    columns: usize,
    rows: usize,
    /// The first row of the line that is shown, if the line has more rows than fit.
    top: usize,
    /// How the last frame drew the line; `None` if the line is not on the screen.
    last_frame: Option<Drawn>,
    /// Whether the next frame clears the screen first.
    clears: bool,
    /// Whether a wide window shows the list of conversations.
    shows_list: bool,
    side_list: SideList,
}

impl Board {
    pub(super) fn new(limit: usize, typed: Sender<Typed>, shows_list: bool) -> Board {
        let mut board = Board {
            editor: Editor::default(),
            prompt: Shown::default(),
            short_prompt: Shown::default(),
            focus: None,
            drafts: IdMap::default(),
            is_moving: false,
            limit,
            typed,
            columns: SIZE.0,
            rows: SIZE.1,
            top: 0,
            last_frame: None,
            clears: false,
            shows_list,
            side_list: SideList::default(),
        };
        board.measure();
        board
    }

    /// How many columns the rows of the conversation have.
    pub(super) fn columns(&self) -> usize {
        if self.has_list() { side_list::text_columns() } else { self.columns }
    }

    /// How many lines of the list the window shows; 0 if it shows no list.
    pub(super) fn list_rows(&self) -> u16 {
        let rows = if self.has_list() { self.rows - 1 } else { 0 };
        u16::try_from(rows).unwrap_or(u16::MAX)
    }

    fn has_list(&self) -> bool {
        self.shows_list && side_list::has_room(self.columns, self.rows)
    }

    pub(super) fn list(&mut self, lines: &[String]) {
        self.side_list.set_lines(lines);
    }

    pub(super) fn prompt(&mut self, prompt: &str, short: &str) {
        self.prompt = Shown::line(prompt);
        self.short_prompt = Shown::line(short);
    }

    /// Moves the focus to this conversation. A draft stays with the conversation for which it was
    /// begun; a command belongs to no conversation, so it stays in the line. Returns the rows to
    /// put above the line: they show the draft that left it, if the person did not move the focus.
    pub(super) fn focus(&mut self, conversation: Option<ConversationId>, look: &Look) -> Vec<Row> {
        let is_moving = std::mem::take(&mut self.is_moving);
        let former = std::mem::replace(&mut self.focus, conversation);
        if former != conversation {
            self.editor.give_up_search();
        }
        if former == conversation || is_command(self.editor.text()) {
            self.is_moving = is_moving && former == conversation;
            return Vec::new();
        }
        let draft = conversation.and_then(|id| self.drafts.remove(&id)).unwrap_or_default();
        let left = self.editor.exchange(draft);
        if left.trim().is_empty() {
            return Vec::new();
        }
        let above = if is_moving && former.is_some() {
            Vec::new()
        } else {
            self.editor.remember(left.clone());
            let why = "your lines go elsewhere now; the Up key brings it back";
            look.fault(&format!("not sent: {left} ({why})"), self.columns())
        };
        if let Some(former) = former {
            self.drafts.insert(former, left);
        }
        above
    }

    /// Empties the line, or gives up a search. Returns whether there was a text or a search. The Up
    /// key brings the text back.
    pub(super) fn drop_line(&mut self) -> bool {
        self.editor.give_up_search() || !self.editor.is_empty() && !self.editor.take().is_empty()
    }

    /// Reads the terminal's size again, and forgets the drawn rows, because another program had the
    /// terminal meanwhile.
    pub(super) fn resume(&mut self) {
        self.measure();
        self.last_frame = None;
        self.side_list.forget();
    }

    /// Handles a key. Returns the rows to put above the line.
    pub(super) fn press(&mut self, key: &Key, look: &Look) -> Vec<Row> {
        if self.editor.is_searching() && self.press_in_search(key) {
            return Vec::new();
        }
        self.is_moving &= !matches!(key, Key::Text(_) | Key::Paste(_));
        match key {
            Key::Enter => return self.enter(look),
            Key::Search => self.editor.search(),
            Key::Go(digit) if look.is_agent() => {
                return self.command(format!("/switch *{digit}"), look);
            }
            Key::GoOn if look.is_agent() => return self.command("/next".to_owned(), look),
            Key::Tab if self.editor.is_empty() && look.is_agent() => {
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
            Key::Resized => {
                self.measure();
                self.fit();
            }
            key => self.editor.press(key),
        }
        Vec::new()
    }

    /// Handles a key while a search is under way. Returns false if the key must also have its usual
    /// effect: as in readline, an editing key takes the line that was found and then edits it.
    /// Enter only takes the line, because a sent line cannot be called back.
    fn press_in_search(&mut self, key: &Key) -> bool {
        match key {
            Key::Search => self.editor.search(),
            Key::Text(text) | Key::Paste(text) => self.editor.search_for(text),
            Key::Backspace => self.editor.shorten_search(),
            Key::Enter | Key::Right | Key::Tab | Key::DeleteOrEnd => self.editor.take_found(),
            Key::Cancel => _ = self.editor.give_up_search(),
            Key::Redraw | Key::Resized | Key::Continued | Key::PasteTooLong => return false,
            Key::Go(_) | Key::GoOn => {
                self.editor.give_up_search();
                return false;
            }
            _ => {
                self.editor.take_found();
                return false;
            }
        }
        true
    }

    fn enter(&mut self, look: &Look) -> Vec<Row> {
        let (line, limit) = (self.editor.take(), self.limit);
        if line.len() > limit {
            // The line is taken out of the input: in a small window it would hide this fault.
            let bytes = line.len();
            let fault = format!(
                "this line has {bytes} bytes, at most {limit} can be sent; the Up key brings it \
                 back"
            );
            return look.fault(&fault, self.columns());
        }
        let mut above = Vec::new();
        self.is_moving = is_command(&line);
        if self.is_moving {
            // A message appears when it is journaled, but nothing else would show a command.
            above = look.aside("> ", &Shown::text(&line), self.columns());
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

    /// Adds `rest` to the line for the Tab key, if the line has not changed since the key.
    pub(super) fn complete(&mut self, line: &str, rest: &str) {
        if self.editor.text() == line && !self.editor.is_searching() {
            self.editor.press(&Key::End);
            self.editor.insert(rest);
        }
    }

    /// Puts a text into the line, at the cursor. Returns the rows to put above the line.
    pub(super) fn insert(&mut self, text: String, look: &Look) -> Vec<Row> {
        self.editor.give_up_search();
        self.press(&Key::Paste(text), look)
    }

    /// Runs a command for a key, and leaves the line as it is.
    fn command(&mut self, command: String, look: &Look) -> Vec<Row> {
        let above = look.aside("> ", &Shown::text(&command), self.columns());
        self.tell(Typed::Line(command));
        self.is_moving = true;
        above
    }

    /// Tells the beginning of the line, if the line is a message.
    pub(super) fn tell_draft(&self) {
        if let Some(message) = self.message() {
            self.tell(Typed::Draft(excerpt(message, EXCERPT_LETTERS)));
        }
    }

    /// The text that is in the line, if it is a message.
    fn message(&self) -> Option<&str> {
        let line = self.editor.text();
        let is_message = !line.trim().is_empty() && !is_command(line);
        (is_message && !self.editor.is_searching()).then_some(line)
    }

    fn too_long(&self, look: &Look) -> Vec<Row> {
        let limit = self.limit;
        let fault = format!(
            "that does not fit: a line takes {EDITOR_MAX} bytes, and at most {limit} can be sent \
             at once"
        );
        look.fault(&fault, self.columns())
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

    /// Called when the window has a new size. Forgets the rows that the window has pushed into the
    /// scrollback, so that they are not drawn again beside the list.
    fn fit(&mut self) {
        if let Some(drawn) = &self.last_frame {
            let most = self.rows.saturating_sub(drawn.rows_above(self.columns) + 1);
            self.side_list.remember(&[], (self.columns, most));
        }
    }

    /// The bytes that put rows above the line and draw the line again.
    pub(super) fn frame(&mut self, above: &[Row], look: &Look) -> Vec<u8> {
        let mut out = String::from("\x1b[?7l");
        if self.has_list() {
            self.draw_side_list(&mut out, look, above);
        } else {
            out = self.erase() + &out;
            if std::mem::take(&mut self.clears) {
                out.push_str("\x1b[2J\x1b[H");
                self.side_list.forget();
            }
            for row in above {
                out.push_str(row.as_str());
                out.push_str("\r\n");
            }
            self.draw(&mut out, look, above);
        }
        out.push_str("\x1b[?7h");
        out.into_bytes()
    }

    /// The bytes that remove the line, and leave the cursor where the line began. If the list is
    /// shown, they remove the list too, and the rows of the conversation stay.
    pub(super) fn erase(&mut self) -> String {
        if self.side_list.is_drawn() {
            return self.side_list.erase(self.columns);
        }
        let up = self.last_frame.take().map_or(0, |drawn| drawn.rows_above(self.columns));
        if up > 0 { format!("\x1b[{up}A\r\x1b[J") } else { "\r\x1b[J".into() }
    }

    fn draw(&mut self, out: &mut String, look: &Look, above: &[Row]) {
        // The line takes at most half of the window, and leaves room for the new rows above it.
        let left = self.rows.checked_sub(above.len()).unwrap_or(self.rows);
        let field = self.field((self.columns, (self.rows / 2).min(left).max(1)), look);
        for (at, row) in field.rows.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\r\n" };
            out.push_str(&format!("{gap}{}", row.as_str()));
        }
        let up = field.rows.len() - 1 - field.row;
        if up > 0 {
            out.push_str(&format!("\x1b[{up}A"));
        }
        out.push_str(&format!("\r{}", field.before.as_str()));
        if self.shows_list {
            let most = self.rows.saturating_sub(field.rows.len());
            self.side_list.remember(above, (self.columns, most));
        }
        let Field { widths, row, column, .. } = field;
        self.last_frame = Some(Drawn { widths, row, column });
    }

    /// Draws the whole window, with the list at the left.
    fn draw_side_list(&mut self, out: &mut String, look: &Look, above: &[Row]) {
        let clears = std::mem::take(&mut self.clears);
        if let Some(drawn) = self.last_frame.take() {
            // The window has become wide: the rows that are on the screen are drawn again, too.
            let up = drawn.rows_above(self.columns) + self.side_list.remembered();
            out.push_str(&if up > 0 { format!("\x1b[{up}A\r") } else { "\r".to_owned() });
        } else if clears {
            // Each row is cleared when it is drawn. Some terminals put the window into the
            // scrollback when all of it is cleared at once.
            out.push_str("\x1b[H");
            self.side_list.restart();
        }
        let columns = side_list::field_columns(self.columns);
        let field = self.field((columns, self.rows / 2), look);
        out.push_str(&self.side_list.frame(above, &field, (self.columns, self.rows), look));
    }

    /// Draws the prompt and the line in at most this many columns and rows.
    fn field(&mut self, (columns, height): (usize, usize), look: &Look) -> Field {
        let search = self.editor.search_prompt().map(|search| Shown::line(&search));
        let (prompt, short) =
            search.as_ref().map_or((&self.prompt, &self.short_prompt), |search| (search, search));
        let prompt = fitted_prompt(prompt, short, columns);
        let line = (self.editor.text(), self.editor.cursor());
        field(&prompt, line, &mut self.top, (columns, height), look)
    }
}

fn is_command(line: &str) -> bool {
    line.starts_with('/') && !line.starts_with("//")
}

#[cfg(test)]
mod tests;
