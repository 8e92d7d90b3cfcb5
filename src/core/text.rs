//! Safe text: a peer's text reaches a screen, a log or a file name only through this room.
//!
//! Journals and frames hold raw text. This room makes visible, when a text is shown, every
//! character that a reader could not see or that could move a cursor or hide or reorder other text.
//! It shows such a character as `\u{…}`, and a run of them as `\u{…+N}`: the first one, and the
//! number of those that follow. Everything that people write stays as it is. `letters` knows what a
//! single character is.
//!
//! A shown text does not change when it is shown again. `term` breaks it into rows and puts
//! prefixes before them.

use std::fmt;

use caseless::canonical_caseless_match_str;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use letters::{flag, is_blank, is_joiner, is_mark, is_selector, is_visible, may_join, may_select};

mod letters;
#[cfg(test)]
mod tests;

/// The most combining marks on one letter. Further ones are shown as one token.
pub const MARKS_MAX: usize = 8;
/// The most columns of blanks in a run. With more, the text after them could look like a row of its
/// own.
pub const BLANKS_MAX: usize = 32;
/// The most letters of a name that are shown.
pub const NAME_LETTERS_MAX: usize = 32;
/// The blanks that stand for a tab.
const TAB: &str = "    ";

/// Whether two texts are the same to a reader: letter case, and the form of an accented letter,
/// make no difference (full case folding of normal forms: Unicode, definition D145).
pub fn is_same(one: &str, other: &str) -> bool {
    canonical_caseless_match_str(one, other)
}

/// Whether a name begins like this, in whole letters.
pub fn begins(name: &str, typed: &str) -> bool {
    name.grapheme_indices(true).any(|(at, letter)| is_same(&name[..at + letter.len()], typed))
}

/// A text of several lines. The caller puts a prefix before each line that follows a newline.
#[derive(Clone, Copy, Debug)]
pub struct Safe<'a>(pub &'a str);

/// A text on one line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(pub &'a str);

/// The name of a customer or an agent: one line without blanks at its ends, cut to
/// [`NAME_LETTERS_MAX`].
#[derive(Clone, Copy, Debug)]
pub struct Name<'a>(&'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Parts::new(self.0, Kind::Text).try_for_each(|part| part.fmt(f))
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Parts::new(self.0, Kind::Line).try_for_each(|part| part.fmt(f))
    }
}

impl<'a> Name<'a> {
    /// A name; `None` if a reader would see nothing of it.
    pub fn new(name: &'a str) -> Option<Name<'a>> {
        let seen = |part| matches!(part, Part::Kept(letter) if letter.chars().any(is_visible));
        Parts::new(name, Kind::Name).any(seen).then_some(Name(name))
    }

    /// Whether the name is shown without a cut.
    pub fn fits(&self) -> bool {
        self.whole().graphemes(true).count() <= NAME_LETTERS_MAX
    }

    fn whole(&self) -> String {
        Parts::new(self.0, Kind::Name).map(|part| part.to_string()).collect()
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.whole();
        if self.fits() {
            return f.write_str(&whole);
        }
        whole
            .graphemes(true)
            .take(NAME_LETTERS_MAX - 1)
            .chain(["…"])
            .try_for_each(|letter| f.write_str(letter))
    }
}

/// Whether a row may begin with this character: it is visible and no part of the letter before it.
pub fn stands_alone(letter: char) -> bool {
    is_visible(letter) && !is_mark(letter)
}

/// How a text is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Line,
    Name,
}

/// A part of a text, as it is shown.
enum Part<'a> {
    Kept(&'a str),
    /// A hidden character, and the number of characters after it that share its token.
    Hidden(char, usize),
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Part::Kept(text) => f.write_str(text),
            Part::Hidden(first, 0) => write!(f, "\\u{{{:x}}}", u32::from(first)),
            Part::Hidden(first, more) => write!(f, "\\u{{{:x}+{more}}}", u32::from(first)),
        }
    }
}

/// Reads a text once, part by part. The fields hold what the next part depends on.
struct Parts<'a> {
    rest: &'a str,
    kind: Kind,
    /// The letter to which a mark would belong, and the last character of that letter with its
    /// marks. `None` if there is no letter before.
    letter: Option<(char, char)>,
    /// The number of marks on that letter.
    mark_count: usize,
    /// In a run of blanks that is kept: the columns of the blanks that are still to be read.
    blank_columns: usize,
    /// In a name, a blank may stand here.
    may_have_blank: bool,
}

impl<'a> Parts<'a> {
    fn new(text: &'a str, kind: Kind) -> Parts<'a> {
        Parts {
            rest: text,
            kind,
            letter: None,
            mark_count: 0,
            blank_columns: 0,
            may_have_blank: false,
        }
    }

    /// Keeps the next `bytes` bytes as they are.
    fn keep(&mut self, bytes: usize) -> Part<'a> {
        let (kept, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        Part::Kept(kept)
    }

    /// Keeps a letter, which marks may follow.
    fn keep_letter(&mut self, letter: char, bytes: usize) -> Part<'a> {
        (self.letter, self.mark_count, self.may_have_blank) = (Some((letter, letter)), 0, true);
        self.keep(bytes)
    }

    /// Keeps a mark, a selector or a joiner on the letter before it.
    fn keep_mark(&mut self, base: char, mark: char) -> Part<'a> {
        (self.letter, self.mark_count) = (Some((base, mark)), self.mark_count + 1);
        self.keep(mark.len_utf8())
    }

    /// Hides the next `count` characters behind one token.
    fn hide(&mut self, count: usize) -> Option<Part<'a>> {
        let mut letters = self.rest.chars();
        let first = letters.next()?;
        if count > 1 {
            letters.nth(count - 2);
        }
        self.rest = letters.as_str();
        (self.letter, self.may_have_blank) = (None, true);
        Some(Part::Hidden(first, count - 1))
    }

    /// Keeps a blank; a tab becomes four blanks. Hides a whole run of blanks if it is too long.
    fn blanks(&mut self) -> Option<Part<'a>> {
        self.letter = None;
        let width =
            |letter: char| if letter == '\t' { TAB.len() } else { letter.width().unwrap_or(1) };
        if self.blank_columns == 0 {
            let run =
                || self.rest.chars().take_while(|letter| *letter == '\t' || is_blank(*letter));
            let columns = run().map(width).sum();
            if columns > BLANKS_MAX {
                return self.hide(run().count());
            }
            self.blank_columns = columns;
        }
        let letter = self.rest.chars().next()?;
        self.blank_columns -= width(letter);
        let kept = self.keep(letter.len_utf8());
        Some(if letter == '\t' { Part::Kept(TAB) } else { kept })
    }

    /// Keeps a blank of a name if people type such blanks, and if it stands alone between two
    /// visible characters.
    fn name_blank(&mut self, blank: char, next: Option<char>) -> Option<Part<'a>> {
        let is_between = self.may_have_blank && next.is_some_and(|next| !is_blank(next));
        if !is_between || !matches!(blank, ' ' | '\u{3000}') {
            return self.hide(1);
        }
        (self.letter, self.may_have_blank) = (None, false);
        Some(self.keep(blank.len_utf8()))
    }

    /// Hides a run of marks: there is no letter before them, or it has the most marks already.
    fn hide_marks(&mut self) -> Option<Part<'a>> {
        self.hide(self.rest.chars().take_while(|letter| is_mark(*letter)).count())
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let mut ahead = self.rest.chars();
        let letter = ahead.next()?;
        let next = ahead.next();
        // A joiner counts as a mark, and leaves room for the mark that may follow it.
        let has_room = self.mark_count + 1 < MARKS_MAX;
        match (letter, self.letter) {
            ('\n', _) if self.kind == Kind::Text => {
                self.letter = None;
                Some(self.keep(1))
            }
            ('\t', _) if self.kind != Kind::Name => self.blanks(),
            (blank, _) if is_blank(blank) && self.kind == Kind::Name => {
                self.name_blank(blank, next)
            }
            (blank, _) if is_blank(blank) => self.blanks(),
            ('\u{1f3f4}', _) if let Some(flag) = flag(self.rest) => {
                Some(self.keep_letter(letter, flag.len()))
            }
            (mark, base) if is_mark(mark) => match base {
                Some((base, _)) if self.mark_count < MARKS_MAX => Some(self.keep_mark(base, mark)),
                _ => self.hide_marks(),
            },
            (selector, Some((base, _))) if is_selector(selector) => {
                let is_right = self.mark_count == 0 && may_select(base, selector, next);
                if is_right { Some(self.keep_mark(base, selector)) } else { self.hide(1) }
            }
            (joiner, Some((base, last))) if is_joiner(joiner) => {
                let is_right = has_room && !is_joiner(last) && may_join(joiner, base, last, next);
                if is_right { Some(self.keep_mark(base, joiner)) } else { self.hide(1) }
            }
            (letter, _) if is_visible(letter) => Some(self.keep_letter(letter, letter.len_utf8())),
            _ => self.hide(1),
        }
    }
}
