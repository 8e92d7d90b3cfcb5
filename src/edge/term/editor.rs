//! The line editor: the text that is being typed, its cursor, the last cut text and the history of
//! earlier lines. Pure.
//!
//! The editor moves and deletes by grapheme, so that an emoji of seven characters is one step. A
//! message may have several lines; `layout` lays them out.

use std::collections::VecDeque;
use std::mem;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::keys::Key;
use search::Search;

mod search;

/// The most bytes that the editor holds. A pasted block may be over the limit of a message: a
/// person can shorten it here.
pub(super) const EDITOR_MAX: usize = 64 * 1024;
/// The most lines in the history.
const HISTORY_MAX: usize = 500;

/// A text with a cursor that always stands between two graphemes.
#[derive(Default)]
pub(super) struct Editor {
    text: String,
    /// The cursor's offset in bytes.
    cursor: usize,
    /// The text that was cut last.
    cut_text: String,
    /// Lines that were sent, refused or cleared, the oldest first.
    history: VecDeque<String>,
    /// The history line that is shown, and the draft that it replaced; `None` while a draft is
    /// shown.
    browsing: Option<(usize, String)>,
    /// The search that is under way.
    search: Option<Search>,
}

impl Editor {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Inserts `text` before the cursor; `false` if there is no room for it.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        if self.text.len() + text.len() > EDITOR_MAX {
            return false;
        }
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
        self.settle();
        true
    }

    /// Takes the whole text out. The history keeps it, for the Up key.
    pub(super) fn take(&mut self) -> String {
        let text = mem::take(&mut self.text);
        self.cursor = 0;
        self.stop_browsing();
        self.remember(text.clone());
        text
    }

    /// Puts another text in place of this one, and returns this one.
    pub(super) fn exchange(&mut self, text: String) -> String {
        self.stop_browsing();
        self.cursor = text.len();
        mem::replace(&mut self.text, text)
    }

    /// Leaves the history. The draft that was typed before becomes a line of the history.
    fn stop_browsing(&mut self) {
        if let Some((_, draft)) = self.browsing.take() {
            self.remember(draft);
        }
    }

    /// Keeps a text in the history, for the Up key.
    pub(super) fn remember(&mut self, text: String) {
        if self.history.back() != Some(&text) && !text.trim().is_empty() {
            self.history.push_back(text);
        }
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// Replaces the text. The cursor stands at its end.
    pub(super) fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
    }

    /// Handles an editing key; other keys do nothing.
    pub(super) fn press(&mut self, key: &Key) {
        match key {
            Key::Backspace => self.cut(self.left(), self.cursor, false),
            Key::Delete | Key::DeleteOrEnd => self.cut(self.cursor, self.right(), false),
            Key::KillToEnd => {
                // At the end of a line there is only the newline to cut.
                let end = self.line_end();
                self.cut(self.cursor, if end == self.cursor { self.right() } else { end }, true);
            }
            Key::KillAll => {
                self.cut(0, self.text.len(), true);
                self.stop_browsing();
            }
            Key::KillWord => self.cut(self.word_left(), self.cursor, true),
            Key::Yank => {
                let cut_text = mem::take(&mut self.cut_text);
                self.insert(&cut_text);
                self.cut_text = cut_text;
            }
            Key::Left => self.cursor = self.left(),
            Key::Right => self.cursor = self.right(),
            Key::WordLeft => self.cursor = self.word_left(),
            Key::WordRight => self.cursor = self.word_right(),
            Key::Home => self.cursor = self.line_start(),
            Key::End => self.cursor = self.line_end(),
            Key::Up => self.up(),
            Key::Down => self.down(),
            _ => {}
        }
        self.settle();
    }

    fn cut(&mut self, from: usize, to: usize, keep: bool) {
        let cut: String = self.text.drain(from..to).collect();
        if keep && !cut.is_empty() {
            self.cut_text = cut;
        }
        self.cursor = from;
    }

    /// An edit may join the letters around the cursor into one grapheme. Then the cursor moves to
    /// the end of it.
    fn settle(&mut self) {
        let mut grapheme = GraphemeCursor::new(self.cursor, self.text.len(), true);
        if !grapheme.is_boundary(&self.text, 0).unwrap_or(true) {
            self.cursor = self.right();
        }
    }

    fn left(&self) -> usize {
        let mut grapheme = GraphemeCursor::new(self.cursor, self.text.len(), true);
        grapheme.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn right(&self) -> usize {
        let mut grapheme = GraphemeCursor::new(self.cursor, self.text.len(), true);
        grapheme.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    fn word_left(&self) -> usize {
        let before = self.text[..self.cursor].trim_end();
        before
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8))
    }

    fn word_right(&self) -> usize {
        let behind = &self.text[self.cursor..];
        let word = behind.len() - behind.trim_start().len();
        behind[word..]
            .find(char::is_whitespace)
            .map_or(self.text.len(), |end| self.cursor + word + end)
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    /// Moves to the line above; from the first line, to the previous line of the history.
    fn up(&mut self) {
        let start = self.line_start();
        if start > 0 {
            let column = self.text[start..self.cursor].graphemes(true).count();
            self.cursor = start - 1;
            self.move_to_column(column);
            return;
        }
        let older = self.browsing.as_ref().map_or(self.history.len(), |(at, _)| *at).checked_sub(1);
        if let Some(line) = older.and_then(|older| self.history.get(older)).cloned() {
            let draft =
                self.browsing.take().map_or_else(|| mem::take(&mut self.text), |(_, draft)| draft);
            self.browsing = older.map(|older| (older, draft));
            self.set(line);
        }
    }

    /// Moves to the line below; from the last line, to the next line of the history, and at its end
    /// to the draft.
    fn down(&mut self) {
        let end = self.line_end();
        if end < self.text.len() {
            let column = self.text[self.line_start()..self.cursor].graphemes(true).count();
            self.cursor = end + 1;
            self.move_to_column(column);
        } else if let Some((at, draft)) = self.browsing.take() {
            if let Some(line) = self.history.get(at + 1).cloned() {
                self.browsing = Some((at + 1, draft));
                self.set(line);
            } else {
                self.set(draft);
            }
        }
    }

    /// Moves to a grapheme of the cursor's line, or to the line's end.
    fn move_to_column(&mut self, column: usize) {
        let (start, end) = (self.line_start(), self.line_end());
        self.cursor =
            start + self.text[start..end].graphemes(true).take(column).map(str::len).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Types `text`, presses `keys`, and gives the text with `|` for the cursor.
    fn after(text: &str, keys: &[Key]) -> String {
        let mut editor = Editor::default();
        assert!(editor.insert(text));
        keys.iter().for_each(|key| editor.press(key));
        format!("{}|{}", &editor.text[..editor.cursor], &editor.text[editor.cursor..])
    }

    #[test]
    fn a_grapheme_is_one_step() {
        let family = "👩‍👩‍👧";
        assert_eq!(after(&format!("a{family}"), &[Key::Left]), format!("a|{family}"));
        assert_eq!(after(&format!("a{family}"), &[Key::Backspace]), "a|");
        assert_eq!(after("ae\u{301}", &[Key::Home, Key::Right, Key::Delete]), "a|");
        assert_eq!(after("שלום", &[Key::Left, Key::Left]), "של|ום");
    }

    #[test]
    fn words_and_lines_are_cut_and_yanked() {
        assert_eq!(after("one two ", &[Key::KillWord]), "one |");
        assert_eq!(
            after("one two", &[Key::WordLeft, Key::KillToEnd, Key::Home, Key::Yank]),
            "two|one "
        );
        assert_eq!(after("one two", &[Key::Home, Key::WordRight, Key::KillToEnd]), "one|");
        assert_eq!(after("a\nb", &[Key::Up, Key::KillToEnd]), "a|b");
        assert_eq!(after("a\u{3000}b", &[Key::WordLeft]), "a\u{3000}|b");
    }

    #[test]
    fn ctrl_u_empties_the_whole_input_and_ctrl_y_brings_it_back() {
        assert_eq!(after("one\ntwo\nthree", &[Key::Up, Key::KillAll]), "|");
        assert_eq!(after("one\ntwo", &[Key::Home, Key::KillAll, Key::Yank]), "one\ntwo|");
        assert_eq!(after("", &[Key::KillAll, Key::Yank]), "|");
    }

    #[test]
    fn up_and_down_move_in_a_block_first() {
        assert_eq!(after("long line\nb\nthird", &[Key::Up, Key::Up]), "l|ong line\nb\nthird");
        assert_eq!(after("a\nbc", &[Key::Up, Key::Home, Key::Down, Key::End]), "a\nbc|");
    }

    #[test]
    fn history_gives_the_draft_back() {
        let mut editor = Editor::default();
        for line in ["one", "two", "two"] {
            editor.insert(line);
            editor.take();
        }
        editor.insert("draft");
        let mut seen = Vec::new();
        for key in [Key::Up, Key::Up, Key::Up, Key::Down, Key::Down, Key::Down] {
            editor.press(&key);
            seen.push(editor.text().to_owned());
        }
        assert_eq!(seen, ["two", "one", "one", "two", "draft", "draft"]);
    }

    #[test]
    fn a_draft_is_not_lost_when_an_older_line_is_sent_or_cleared() {
        for leave in [Key::KillAll, Key::Enter] {
            let mut editor = Editor::default();
            editor.insert("refused");
            editor.take();
            editor.insert("draft");
            editor.press(&Key::Up);
            assert_eq!(editor.text(), "refused");
            // The board handles Enter: it takes the text.
            if leave == Key::Enter {
                drop(editor.take())
            } else {
                editor.press(&leave)
            }
            assert_eq!(editor.text(), "");
            let mut seen = Vec::new();
            for _ in 0..3 {
                editor.press(&Key::Up);
                seen.push(editor.text().to_owned());
            }
            assert!(seen[0] == if leave == Key::Enter { "refused" } else { "draft" }, "{seen:?}");
            assert!(
                seen.contains(&"draft".to_owned()) && seen.contains(&"refused".to_owned()),
                "{seen:?}"
            );
        }
    }

    #[test]
    fn a_text_without_room_is_not_inserted() {
        let mut editor = Editor::default();
        assert!(editor.insert(&"a".repeat(EDITOR_MAX)));
        assert!(!editor.insert("b"));
    }

    proptest! {
        #[test]
        fn the_cursor_stays_between_graphemes(
            steps in prop::collection::vec(
                (0..20usize, "[a \u{301}\u{200d}👩🇩🇪\u{600}\n]{0,3}"),
                0..60,
            ),
        ) {
            let keys = [
                Key::Backspace, Key::Delete, Key::Left, Key::Right, Key::WordLeft, Key::WordRight,
                Key::Home, Key::End, Key::KillToEnd, Key::KillAll, Key::KillWord, Key::Yank,
                Key::Up, Key::Down,
            ];
            let mut editor = Editor::default();
            for (step, text) in steps {
                match keys.get(step) {
                    Some(key) => editor.press(key),
                    None if step == 19 => drop(editor.take()),
                    None => drop(editor.insert(&text)),
                }
                let mut starts = editor.text.grapheme_indices(true);
                let boundary = starts.any(|(at, _)| at == editor.cursor);
                prop_assert!(boundary || editor.cursor == editor.text.len());
            }
        }
    }
}
