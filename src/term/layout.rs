//! Text to rows of a terminal, by the width it takes there. Pure.
//!
//! Terminals disagree on the width of emoji and joined letters. A row must not grow into the
//! next one, where a peer's text could pose as another speaker: so the widest reading counts,
//! and the editor never trusts a width for where its cursor is (see `board`).

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::text::Safe;

/// A text as it can be shown: safe, tabs as spaces.
pub(super) fn shown(text: &str) -> String {
    Safe(&text.replace('\t', "    ")).to_string()
}

/// The same on one row.
pub(super) fn shown_on_one_line(text: &str) -> String {
    shown(text).replace('\n', "\\u{a}")
}

/// Columns a text takes, in the terminal that gives it most.
pub(super) fn width(text: &str) -> usize {
    text.graphemes(true).map(cluster_width).sum()
}

fn cluster_width(cluster: &str) -> usize {
    let apart: usize = cluster.chars().filter_map(UnicodeWidthChar::width).sum();
    apart.max(cluster.width())
}

/// The start of a text that takes at most `columns`, an ellipsis included where it was cut.
pub(super) fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |cluster: &&str| {
        taken += cluster_width(cluster);
        taken < columns
    };
    text.graphemes(true).take_while(fits).chain(["…"]).collect()
}

/// A shown text as rows: the first of at most `first` columns, the others of `rest`.
/// Breaks at spaces where it can, and within a grapheme never.
pub(super) fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for line in text.split('\n') {
        let (mut row, mut used) = (String::new(), 0);
        for word in line.split_inclusive(' ') {
            let columns = if rows.is_empty() { first } else { rest };
            if used > 0 && used + width(word.trim_end_matches(' ')) > columns {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            for cluster in word.graphemes(true) {
                let columns = if rows.is_empty() { first } else { rest };
                let wide = cluster_width(cluster);
                if used + wide > columns && used > 0 {
                    rows.push(std::mem::take(&mut row));
                    used = 0;
                    if cluster == " " {
                        continue;
                    }
                }
                row.push_str(cluster);
                used += wide;
            }
        }
        rows.push(row);
    }
    rows
}

/// The text being edited, as rows of the same width.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edited {
    /// As shown.
    pub(super) rows: Vec<String>,
    /// The cursor's row.
    pub(super) row: usize,
    /// Bytes of that row before the cursor.
    pub(super) before: usize,
}

/// Lays out a text being edited. Breaks anywhere: what is typed must not jump.
pub(super) fn edited(text: &str, cursor: usize, columns: usize) -> Edited {
    let (mut rows, mut used) = (vec![String::new()], 0);
    let mut at_cursor = None;
    for (at, cluster) in text.grapheme_indices(true) {
        let seen = if cluster == "\n" { String::new() } else { shown(cluster) };
        let wide = width(&seen);
        // A newline stays at the end of its row.
        if used + wide > columns && used > 0 {
            rows.push(String::new());
            used = 0;
        }
        let last = rows.len() - 1;
        if at == cursor {
            at_cursor = Some((last, rows[last].len()));
        }
        rows[last].push_str(&seen);
        used += wide;
        if cluster == "\n" {
            rows.push(String::new());
            used = 0;
        }
    }
    let end = (rows.len() - 1, rows.last().map_or(0, String::len));
    let (row, before) = at_cursor.unwrap_or(end);
    Edited { rows, row, before }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            (edited.rows.join("/"), edited.row, edited.before)
        };
        assert_eq!(at("abcd", 2, 2), ("ab/cd".into(), 1, 0));
        assert_eq!(at("abcd", 4, 2), ("ab/cd".into(), 1, 2));
        assert_eq!(at("a\nb", 1, 9), ("a/b".into(), 0, 1));
        assert_eq!(at("a\n", 2, 9), ("a/".into(), 1, 0));
        assert_eq!(at("a\u{1b}b", 2, 20), ("a\\u{1b}b".into(), 0, 7));
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_allowed(text in "[a-c \n日e\u{301}👩\u{200d}]{0,60}", first in 6..20usize, rest in 6..20usize) {
            let rows = wrap(&shown(&text), first, rest);
            for (at, row) in rows.iter().enumerate() {
                let allowed = if at == 0 { first } else { rest };
                // A cluster alone may be wider; and a space may hang over the end.
                prop_assert!(width(row.trim_end()) <= allowed || row.graphemes(true).count() == 1, "{row:?}");
            }
            let same = |text: &str| text.chars().filter(|letter| !matches!(letter, ' ' | '\n')).collect::<String>();
            prop_assert_eq!(same(&rows.concat()), same(&shown(&text)));
        }
    }
}
