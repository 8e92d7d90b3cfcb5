//! Breaks text into rows of a terminal, by its width there. Pure.
//!
//! Terminals disagree on the width of emoji and joined letters. A row must not run over into the
//! next screen row, where a peer's text could pose as another speaker. So the largest width of any
//! terminal counts, and the editor never relies on a width to place its cursor (see `board`).

use std::fmt;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::core::text::{Line, Safe, stands_alone};

/// Text that is safe to write to a terminal: it went through `core::text`, or it is a literal of
/// the program. Besides this text, only the colours of `render` and the cursor movements of `board`
/// are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown(String);

impl Shown {
    /// A text of several lines. Its writer puts a prefix before each line except the first.
    pub(super) fn text(text: &str) -> Shown {
        Shown(Safe(text).to_string())
    }

    /// A text on one line.
    pub(super) fn line(text: &str) -> Shown {
        Shown(Line(text).to_string())
    }

    /// A literal of the program.
    pub(super) fn own(text: &'static str) -> Shown {
        Shown(text.to_owned())
    }

    /// A gap of `count` columns.
    pub(super) fn blanks(count: usize) -> Shown {
        Shown(" ".repeat(count))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first `bytes` of this text.
    pub(super) fn until(&self, bytes: usize) -> Shown {
        Shown(self.0[..bytes].to_owned())
    }

    /// This text, followed by `more`.
    pub(super) fn and(mut self, more: &Shown) -> Shown {
        self.0.push_str(&more.0);
        self
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The most columns that a text takes in any terminal.
pub(super) fn width(text: &str) -> usize {
    text.graphemes(true).map(cluster_width).sum()
}

fn cluster_width(cluster: &str) -> usize {
    let apart: usize = cluster.chars().filter_map(UnicodeWidthChar::width).sum();
    apart.max(cluster.width())
}

/// The pieces of a text between which a row may break: its graphemes, and the letters of a grapheme
/// that is wider than a row. (A grapheme of joined consonants can be of any length.)
fn pieces(text: &str, columns: usize) -> impl Iterator<Item = &str> {
    text.graphemes(true).flat_map(move |cluster| {
        let is_whole = cluster.len() <= columns || cluster_width(cluster) <= columns;
        let mut rest = Some(cluster);
        std::iter::from_fn(move || {
            let piece = rest.take()?;
            let second =
                piece.char_indices().skip(1).find(|(_, letter)| !is_whole && stands_alone(*letter));
            let (piece, more) =
                second.map_or((piece, None), |(at, _)| (&piece[..at], Some(&piece[at..])));
            rest = more;
            Some(piece)
        })
    })
}

/// The text, cut to at most `columns`, with an ellipsis at the cut.
pub(super) fn clip(text: &Shown, columns: usize) -> Shown {
    if width(&text.0) <= columns {
        return text.clone();
    }
    let mut taken = 0;
    let fits = |piece: &&str| {
        taken += cluster_width(piece);
        taken < columns
    };
    Shown(pieces(&text.0, columns).take_while(fits).chain(["…"]).collect())
}

/// Like [`clip`], but the cut is before the last `tail` bytes, which always stay.
pub(super) fn clip_before(text: &Shown, tail: usize, columns: usize) -> Shown {
    let (head, tail) = text.0.split_at(text.0.len() - tail);
    let room = columns.saturating_sub(width(tail));
    clip(&Shown(head.to_owned()), room).and(&Shown(tail.to_owned()))
}

/// A text as rows: the first row of at most `first` columns, the others of at most `rest`. Rows
/// break at spaces if possible, and within a grapheme only if it is wider than a row.
pub(super) fn wrap(text: &Shown, first: usize, rest: usize) -> Vec<Shown> {
    let mut rows: Vec<Shown> = Vec::new();
    for line in text.0.split('\n') {
        let columns = if rows.is_empty() { first } else { rest };
        // No letter takes more columns than it has bytes, so this line fits.
        if line.len() <= columns {
            rows.push(Shown(line.to_owned()));
            continue;
        }
        let (mut row, mut used) = (String::new(), 0);
        for word in line.split_inclusive(' ') {
            let columns = if rows.is_empty() { first } else { rest };
            if used > 0 && used + width(word.trim_end_matches(' ')) > columns {
                rows.push(Shown(std::mem::take(&mut row)));
                used = 0;
            }
            for piece in pieces(word, first.min(rest)) {
                let columns = if rows.is_empty() { first } else { rest };
                let wide = cluster_width(piece);
                if used + wide > columns && used > 0 {
                    rows.push(Shown(std::mem::take(&mut row)));
                    used = 0;
                    if piece == " " {
                        continue;
                    }
                }
                row.push_str(piece);
                used += wide;
            }
        }
        rows.push(Shown(row));
    }
    rows
}

/// The text being edited, as rows of the same width.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edited {
    /// The rows as they are shown.
    pub(super) rows: Vec<Shown>,
    /// The cursor's row.
    pub(super) row: usize,
    /// The bytes of that row before the cursor.
    pub(super) before: usize,
}

/// Lays out the text that is being edited. Rows break anywhere, not only at spaces: so letters do
/// not jump to another row while a person types.
pub(super) fn edited(text: &str, cursor: usize, columns: usize) -> Edited {
    let (mut rows, mut row, mut used) = (Vec::new(), String::new(), 0);
    let mut at_cursor = None;
    for (at, cluster) in text.grapheme_indices(true) {
        if cluster == "\n" {
            // A newline stays at the end of its row.
            if at == cursor {
                at_cursor = Some((rows.len(), row.len()));
            }
            rows.push(Shown(std::mem::take(&mut row)));
            used = 0;
            continue;
        }
        let seen = Shown::line(cluster);
        for (nth, piece) in pieces(&seen.0, columns).enumerate() {
            let wide = cluster_width(piece);
            if used + wide > columns && used > 0 {
                rows.push(Shown(std::mem::take(&mut row)));
                used = 0;
            }
            if at == cursor && nth == 0 {
                at_cursor = Some((rows.len(), row.len()));
            }
            row.push_str(piece);
            used += wide;
        }
    }
    let (row_at, before) = at_cursor.unwrap_or((rows.len(), row.len()));
    rows.push(Shown(row));
    Edited { rows, row: row_at, before }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
        super::wrap(&Shown::text(text), first, rest).iter().map(Shown::to_string).collect()
    }

    fn clip(text: &str, columns: usize) -> String {
        super::clip(&Shown::text(text), columns).to_string()
    }

    #[test]
    fn rows_break_at_spaces() {
        assert_eq!(wrap("one two three", 7, 5), ["one two", "three"]);
        assert_eq!(wrap("one  two", 4, 4), ["one ", "two"]);
        assert_eq!(wrap("a\n\nb", 9, 9), ["a", "", "b"]);
        assert_eq!(wrap("", 9, 9), [""]);
    }

    #[test]
    fn a_long_word_breaks_between_graphemes() {
        assert_eq!(wrap("abcdefgh", 3, 4), ["abc", "defg", "h"]);
        assert_eq!(wrap("日本語", 5, 5), ["日本", "語"]);
        assert_eq!(wrap("e\u{301}e\u{301}", 1, 1), ["e\u{301}", "e\u{301}"]);
    }

    #[test]
    fn a_letter_without_end_breaks_too() {
        let consonants = "\u{1100}".repeat(20);
        assert_eq!(consonants.graphemes(true).count(), 1);
        assert_eq!(
            wrap(&consonants, 10, 8).iter().map(|row| width(row)).collect::<Vec<_>>(),
            [10, 8, 8, 8, 6]
        );
        assert!(edited(&consonants, 0, 10).rows.iter().all(|row| width(row.as_str()) <= 10));
    }

    #[test]
    fn no_letter_takes_more_columns_than_bytes() {
        assert!(
            ('\0'..=char::MAX)
                .all(|letter| cluster_width(&letter.to_string()) <= letter.len_utf8())
        );
    }

    #[test]
    fn the_widest_reading_counts() {
        assert_eq!(width("👩‍👩‍👧"), 6);
        assert_eq!(width("☀\u{fe0f}"), 2);
        assert_eq!(width("שלום"), 4);
    }

    #[test]
    fn clipping_leaves_room_for_the_ellipsis() {
        assert_eq!(clip("日本語", 6), "日本語");
        assert_eq!(clip("日本語", 5), "日本…");
        assert_eq!(clip("abc", 2), "a…");
    }

    #[test]
    fn the_cursor_is_found_in_its_row() {
        let at = |text: &str, cursor, columns| {
            let edited = edited(text, cursor, columns);
            let rows: Vec<&str> = edited.rows.iter().map(Shown::as_str).collect();
            (rows.join("/"), edited.row, edited.before)
        };
        assert_eq!(at("abcd", 2, 2), ("ab/cd".into(), 1, 0));
        assert_eq!(at("abcd", 4, 2), ("ab/cd".into(), 1, 2));
        assert_eq!(at("a\nb", 1, 9), ("a/b".into(), 0, 1));
        assert_eq!(at("a\n", 2, 9), ("a/".into(), 1, 0));
        assert_eq!(at("a\u{1b}b", 2, 20), ("a\\u{1b}b".into(), 0, 7));
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_allowed(
            text in "[a-c \n日e\u{301}👩\u{200d}\u{1100}\u{1161}क\u{94d}\u{d4e}]{0,60}",
            first in 6..20usize,
            rest in 6..20usize,
        ) {
            let rows = wrap(&text, first, rest);
            for (at, row) in rows.iter().enumerate() {
                let allowed = if at == 0 { first } else { rest };
                prop_assert!(width(row) <= allowed, "{row:?}");
                // A mark at the beginning of a row would join the prefix before the row.
                let may_begin = |letter| letter == ' ' || stands_alone(letter);
                prop_assert!(row.chars().next().is_none_or(may_begin), "{row:?}");
            }
            let same = |text: &str| text.replace([' ', '\n'], "");
            prop_assert_eq!(same(&rows.concat()), same(Shown::text(&text).as_str()));
        }
    }
}
