//! The prompt and the line that is being typed, as rows. Pure.

use super::layout::{Edited, Shown, clip_before, edited, width};
use super::render::{Look, Row};
use crate::core::delivery::Mark;

/// The separator before the counts of a prompt.
const COUNTS: &str = " · ";
/// The fewest columns for the name in a prompt, and for the line after the prompt.
const NAME_MIN: usize = 4;
const LINE_MIN: usize = 10;

/// The rows, and the cursor's place in them.
pub(super) struct Field {
    pub(super) rows: Vec<Row>,
    /// The columns of each row.
    pub(super) widths: Vec<usize>,
    /// The cursor's row.
    pub(super) row: usize,
    /// That row up to the cursor, and its columns.
    pub(super) before: Row,
    pub(super) column: usize,
}

/// Lays out a text after a prompt, in at most `height` rows. Of a longer text it shows the rows
/// around the cursor, from row `top` on; `top` moves only when the cursor leaves them. The prompt
/// stands before the first row that is shown.
pub(super) fn field(
    prompt: &Shown,
    (text, cursor): (&str, usize),
    top: &mut usize,
    (columns, height): (usize, usize),
    look: &Look,
) -> Field {
    let prompt = prompt.clone().and(&Shown::own("> "));
    let indent = width(prompt.as_str());
    // The last column stays free, for the cursor.
    let room = columns.saturating_sub(indent + 1).max(1);
    let Edited { rows, row, before } = edited(text, cursor, room);
    *top =
        (*top).min(rows.len().saturating_sub(height)).clamp((row + 1).saturating_sub(height), row);
    let shown = &rows[*top..rows.len().min(*top + height)];
    let row = row - *top;
    let has_more = *top + shown.len() < rows.len();
    let prefix = |at: usize| match at {
        0 => look.paint_prompt(&prompt),
        at => {
            let mark = if has_more && at + 1 == shown.len() { "↓ " } else { "│ " };
            look.paint_prompt(&Shown::blanks(indent.saturating_sub(2)).and(&Shown::own(mark)))
        }
    };
    let before = shown[row].until(before);
    let column = indent + width(before.as_str());
    Field {
        widths: shown.iter().map(|text| indent + width(text.as_str())).collect(),
        before: prefix(row).and(&look.unpainted(&before)),
        rows: shown
            .iter()
            .enumerate()
            .map(|(at, text)| prefix(at).and(&look.unpainted(text)))
            .collect(),
        row,
        column,
    }
}

/// The prompt, fitted into half of a row: the short prompt if the whole one does not fit, with its
/// name cut if needed. The counts and the mark at the end (✓ or ✓✓, for the last line sent) are
/// never cut. In a narrow row, the prompt takes more than half for them and the beginning of the
/// name.
pub(super) fn fitted_prompt(prompt: &Shown, short: &Shown, columns: usize) -> Shown {
    let half = columns / 2;
    if width(prompt.as_str()) <= half {
        return prompt.clone();
    }
    let text = short.as_str();
    let marks = [Mark::Seen, Mark::Delivered].map(|mark| mark.to_string());
    let mark = marks.iter().find(|mark| text.ends_with(*mark)).map_or(0, String::len);
    let counts = text.rfind(COUNTS).map_or(0, |at| text.len() - at);
    let with_name = |tail: usize| width(&text[text.len() - tail..]) + NAME_MIN;
    let most = columns.saturating_sub(LINE_MIN).max(half);
    let tail = if with_name(counts) <= most { counts.max(mark) } else { mark };
    clip_before(short, tail, half.max(with_name(tail).min(most)))
}

/// The widths of the rows that a frame drew, and where it left the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Drawn {
    /// The columns of each row.
    pub(super) widths: Vec<usize>,
    /// The row and column of the cursor.
    pub(super) row: usize,
    pub(super) column: usize,
}

impl Drawn {
    /// The number of screen rows from the first row to the cursor. A window that has become
    /// narrower has wrapped them.
    pub(super) fn rows_above(&self, columns: usize) -> usize {
        let wrapped = |columns_used: usize| columns_used.saturating_sub(1) / columns;
        let above: usize = self.widths[..self.row].iter().map(|&used| 1 + wrapped(used)).sum();
        above + wrapped(self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::Drawn;

    #[test]
    fn a_narrower_window_leaves_nothing_behind() {
        let drawn = Drawn { widths: vec![79, 79, 20], row: 2, column: 15 };
        assert_eq!([80, 79, 40, 10].map(|columns| drawn.rows_above(columns)), [2, 2, 4, 17]);
    }
}
