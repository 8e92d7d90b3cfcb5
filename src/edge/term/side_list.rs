//! The list of conversations as a column at the left of the conversation, in a wide window.
//!
//! A row that scrolls off a terminal goes into its scrollback with everything that is on it. A
//! column that is written once would leave a copy of itself there, and could not be kept up to
//! date. So this module holds the latest rows of the conversation back, and draws the whole window
//! again with these rows beside the column. When a row leaves the window, it is written once more
//! without the column, and goes into the scrollback alone. (Only a window that is made smaller may
//! push a copy of the column into the scrollback.)
//!
//! In a window without the column no row is held back. There the module only remembers the latest
//! rows, so that it can draw them again when the window becomes wide.

use std::collections::VecDeque;
use std::iter::repeat_n;

use super::field::{Drawn as Shape, Field};
use super::layout::{Shown, clip};
use super::render::{Look, Row};

/// The least width and height, in characters, of a window with the column.
const COLUMNS_MIN: usize = 160;
const ROWS_MIN: usize = 12;
/// The width of the conversation beside the list. It is the same in each wide window, so that the
/// rows that are held back need not be wrapped again.
const TEXT: usize = 109;
/// The greatest width of the list.
const LIST_MAX: usize = 70;
/// The width of the gap between the list and the conversation.
const GAP: usize = 3;

/// The column, and the rows of the conversation beside it.
#[derive(Default)]
pub(super) struct SideList {
    lines: Vec<Shown>,
    held: VecDeque<Row>,
    /// How the window was drawn last; `None` if the list is not on the screen.
    drawn: Option<Drawn>,
}

struct Drawn {
    rows: Vec<String>,
    shape: Shape,
    columns: usize,
}

/// Whether a window of this size has room for the list.
pub(super) fn has_room(columns: usize, rows: usize) -> bool {
    columns >= COLUMNS_MIN && rows >= ROWS_MIN
}

/// The width of the conversation's rows in a window with the list.
pub(super) fn text_columns() -> usize {
    TEXT
}

fn list_columns(columns: usize) -> usize {
    (columns - TEXT - GAP).min(LIST_MAX)
}

/// The width of the prompt and the line in a window with the list.
pub(super) fn field_columns(columns: usize) -> usize {
    columns - list_columns(columns) - GAP
}

impl SideList {
    pub(super) fn set_lines(&mut self, lines: &[String]) {
        self.lines = lines.iter().map(|line| Shown::line(line)).collect();
    }

    pub(super) fn is_drawn(&self) -> bool {
        self.drawn.is_some()
    }

    /// Remembers rows that were written in a window without the list. The window has this many
    /// columns, and room for `most` rows above the prompt: older rows are forgotten.
    pub(super) fn remember(&mut self, above: &[Row], (columns, most): (usize, usize)) {
        self.held.extend(above.iter().cloned());
        let mut left = most;
        let mut has_room = |row: &&Row| {
            // A row takes several rows if the window has become narrower since it was written.
            let rows = 1 + row.columns().saturating_sub(1) / columns;
            let fits = rows <= left;
            left = left.saturating_sub(rows);
            fits
        };
        let kept = self.held.iter().rev().take_while(&mut has_room).count();
        self.held.drain(..self.held.len() - kept);
    }

    /// Forgets the remembered rows, because they are no longer on the screen where they were.
    pub(super) fn forget(&mut self) {
        self.held.clear();
        self.drawn = None;
    }

    /// How many rows above the prompt are drawn again when the window becomes wide.
    pub(super) fn remembered(&self) -> usize {
        if self.is_drawn() { 0 } else { self.held.len() }
    }

    /// Makes the next frame draw the whole window from its first row.
    pub(super) fn restart(&mut self) {
        self.drawn = None;
    }

    /// The bytes that draw a window of this size: the list at the left; the conversation with the
    /// new rows `above`, and the prompt, at the right. The cursor must be where the last frame left
    /// it, or at the first row to draw.
    pub(super) fn frame(
        &mut self,
        above: &[Row],
        field: &Field,
        (columns, height): (usize, usize),
        look: &Look,
    ) -> String {
        self.held.extend(above.iter().cloned());
        let room = height - field.rows.len();
        let over = self.held.len().saturating_sub(room);
        let leaving: Vec<Row> = self.held.drain(..over).collect();
        let mut out = self.to_first_row(columns);
        for row in &leaving {
            out.push_str(&format!("\x1b[2K{}\r\n", row.as_str()));
        }
        let rows = self.rows(field, (columns, height), look);
        let former = self.drawn.take().filter(|drawn| {
            leaving.is_empty() && drawn.columns == columns && drawn.rows.len() == height
        });
        for (at, row) in rows.iter().enumerate() {
            if former.as_ref().is_none_or(|former| former.rows[at] != *row) {
                out.push_str(&format!("\x1b[2K{row}"));
            }
            out.push_str(if at + 1 < height { "\r\n" } else { "\r" });
        }
        let up = field.rows.len() - 1 - field.row;
        if up > 0 {
            out.push_str(&format!("\x1b[{up}A"));
        }
        let left = list_columns(columns) + GAP;
        out.push_str(&format!("\x1b[{}G{}", left + 1, field.before.as_str()));
        let widths = self.right(field, height).map(|right| left + right.columns()).collect();
        let shape = Shape { widths, row: height - 1 - up, column: left + field.column };
        self.drawn = Some(Drawn { rows, shape, columns });
        out
    }

    /// The bytes that remove the list: the rows of the conversation stay, and the cursor is below
    /// them.
    pub(super) fn erase(&mut self, columns: usize) -> String {
        let mut out = self.to_first_row(columns);
        self.drawn = None;
        // Some terminals put the window into the scrollback when all of it is cleared at once.
        out.push_str("\x1b[2K\r\n\x1b[J\x1b[A");
        for row in &self.held {
            out.push_str(&format!("{}\r\n", row.as_str()));
        }
        out
    }

    fn to_first_row(&self, columns: usize) -> String {
        let up = self.drawn.as_ref().map_or(0, |drawn| drawn.shape.rows_above(columns));
        if up > 0 { format!("\x1b[{up}A\r") } else { "\r".to_owned() }
    }

    fn rows(&self, field: &Field, (columns, height): (usize, usize), look: &Look) -> Vec<String> {
        let list = list_columns(columns);
        let title = Shown::own("conversations (/list)");
        let row = |(at, right): (usize, &Row)| {
            let left = match at {
                0 => look.paint_prompt(&title),
                at => self
                    .lines
                    .get(at - 1)
                    .map(|line| look.unpainted(&clip(line, list)))
                    .unwrap_or_default(),
            };
            // The right part is placed by column number, so it stands right even if the terminal
            // shows the left part wider than we think.
            let rule = look.aside_rule();
            let (left, rule, right) = (left.as_str(), rule.as_str(), right.as_str());
            format!("{left}\x1b[{}G{rule} {right}", list + 2)
        };
        self.right(field, height).enumerate().map(row).collect()
    }

    /// The rows at the right: first blank rows, then the conversation, then the prompt.
    fn right<'a>(&'a self, field: &'a Field, height: usize) -> impl Iterator<Item = &'a Row> {
        static BLANK: Row = Row::blank();
        let blanks = height - field.rows.len() - self.held.len();
        repeat_n(&BLANK, blanks).chain(&self.held).chain(&field.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Reader;
    use super::*;

    #[test]
    fn rows_that_a_narrow_window_has_wrapped_are_remembered_as_far_as_they_are_in_it() {
        let look = Look::new(Reader::Agent, true);
        let row = look.paint_prompt(&Shown::line(&"日本".repeat(15)));
        assert_eq!(row.columns(), 60);
        let mut side_list = SideList::default();
        side_list.remember(&vec![row; 9], (100, 20));
        let remembered = [(60, 8), (59, 16), (30, 15), (20, 4), (20, 2)].map(|size| {
            side_list.remember(&[], size);
            side_list.remembered()
        });
        assert_eq!(remembered, [8, 8, 7, 1, 0]);
    }
}
