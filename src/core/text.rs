//! Safe text: the only way a peer's text reaches a screen, a title, a notification, a log or a file
//! name.
//!
//! Raw text is stored and sent. What a reader could not see, or what could move a cursor, hide or
//! reorder other text, is made visible here, at the edge that shows it: as `\u{…}`, or, where one
//! token stands for a run, as `\u{…+N}`, the first of them and how many follow. What people write
//! lives; what a single character is, is `letters`'.
//!
//! What is shown stays as it is when it is shown again. Where rows break and what stands before
//! them is `term`'s.

use std::fmt;

use caseless::canonical_caseless_match_str;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use letters::{flag, is_blank, is_joiner, is_mark, is_selector, is_visible, may_join, may_select};

mod letters;
#[cfg(test)]
mod tests;

/// Combining marks on one base, at most; more are shown as one token.
pub const MARKS_MAX: usize = 8;
/// Columns of blanks in a row, at most: more could push the rest to where another row seems to
/// begin.
pub const BLANKS_MAX: usize = 32;
/// Letters of a name, as shown, at most.
pub const NAME_LETTERS_MAX: usize = 32;
/// Blanks a tab is shown as.
const TAB: &str = "    ";

/// Whether two texts are the same to a reader: letter case and the form of an accented letter do
/// not count (full case folding of normal forms: Unicode, definition D145).
pub fn is_same(one: &str, other: &str) -> bool {
    canonical_caseless_match_str(one, other)
}

/// A text of several lines. What follows a newline is for its caller to mark.
#[derive(Clone, Copy, Debug)]
pub struct Safe<'a>(pub &'a str);

/// A text on one line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(pub &'a str);

/// What somebody wants to be called: one line, no blanks at its ends, cut to `NAME_LETTERS_MAX`.
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
    /// A name; `None` for one of which nothing is seen.
    pub fn new(name: &'a str) -> Option<Name<'a>> {
        let seen = |part| matches!(part, Part::Kept(letter) if letter.chars().any(is_visible));
        Parts::new(name, Kind::Name).any(seen).then_some(Name(name))
    }

    /// Whether all of it is shown.
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

/// Whether a row may begin with this character: it is seen, and is not part of the letter before
/// it.
pub fn stands_alone(letter: char) -> bool {
    is_visible(letter) && !is_mark(letter)
}

/// What a text is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Line,
    Name,
}

/// A stretch of a text, as it is shown.
enum Part<'a> {
    Kept(&'a str),
    /// A hidden character, and how many follow it that the same token stands for.
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

/// Reads a text part by part, once, knowing what was kept last.
struct Parts<'a> {
    rest: &'a str,
    kind: Kind,
    /// The letter that marks would go to, and what was kept last of it and its marks. None behind
    /// what is no letter.
    letter: Option<(char, char)>,
    /// Marks on it.
    marks: usize,
    /// Blanks of a tab or a run that are kept, in columns.
    blanks: usize,
    /// A blank of a name may stand here.
    in_name: bool,
}

impl<'a> Parts<'a> {
    fn new(text: &'a str, kind: Kind) -> Parts<'a> {
        Parts { rest: text, kind, letter: None, marks: 0, blanks: 0, in_name: false }
    }

    /// Takes so many bytes as they are.
    fn keep(&mut self, bytes: usize) -> Part<'a> {
        let (kept, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        Part::Kept(kept)
    }

    /// A letter of its own, which may get marks.
    fn keep_letter(&mut self, letter: char, bytes: usize) -> Part<'a> {
        (self.letter, self.marks, self.in_name) = (Some((letter, letter)), 0, true);
        self.keep(bytes)
    }

    /// A mark, a selector or a joiner, on the letter before it.
    fn keep_mark(&mut self, base: char, mark: char) -> Part<'a> {
        (self.letter, self.marks) = (Some((base, mark)), self.marks + 1);
        self.keep(mark.len_utf8())
    }

    /// Shows so many characters as one token.
    fn hide(&mut self, count: usize) -> Option<Part<'a>> {
        let mut letters = self.rest.chars();
        let first = letters.next()?;
        if count > 1 {
            letters.nth(count - 2);
        }
        self.rest = letters.as_str();
        (self.letter, self.in_name) = (None, true);
        Some(Part::Hidden(first, count - 1))
    }

    /// Blanks: few are kept, a tab as four of them; a run that is too long is one token.
    fn blanks(&mut self) -> Option<Part<'a>> {
        self.letter = None;
        let width =
            |letter: char| if letter == '\t' { TAB.len() } else { letter.width().unwrap_or(1) };
        if self.blanks == 0 {
            let run =
                || self.rest.chars().take_while(|letter| *letter == '\t' || is_blank(*letter));
            let columns = run().map(width).sum();
            if columns > BLANKS_MAX {
                return self.hide(run().count());
            }
            self.blanks = columns;
        }
        let letter = self.rest.chars().next()?;
        self.blanks -= width(letter);
        let kept = self.keep(letter.len_utf8());
        Some(if letter == '\t' { Part::Kept(TAB) } else { kept })
    }

    /// A blank of a name stands alone, between two things that are seen, and is one that people
    /// type.
    fn name_blank(&mut self, blank: char, next: Option<char>) -> Option<Part<'a>> {
        let is_between = self.in_name && next.is_some_and(|next| !is_blank(next));
        if !is_between || !matches!(blank, ' ' | '\u{3000}') {
            return self.hide(1);
        }
        (self.letter, self.in_name) = (None, false);
        Some(self.keep(blank.len_utf8()))
    }

    /// Marks that have no letter to go to, or one that is full: the whole run is one token.
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
        // A joiner counts as a mark, and leaves room for the one it may stand before.
        let has_room = self.marks + 1 < MARKS_MAX;
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
                Some((base, _)) if self.marks < MARKS_MAX => Some(self.keep_mark(base, mark)),
                _ => self.hide_marks(),
            },
            (selector, Some((base, _))) if is_selector(selector) => {
                let is_due = self.marks == 0 && may_select(base, selector, next);
                if is_due { Some(self.keep_mark(base, selector)) } else { self.hide(1) }
            }
            (joiner, Some((base, last))) if is_joiner(joiner) => {
                let is_due = has_room && !is_joiner(last) && may_join(joiner, base, last, next);
                if is_due { Some(self.keep_mark(base, joiner)) } else { self.hide(1) }
            }
            (letter, _) if is_visible(letter) => Some(self.keep_letter(letter, letter.len_utf8())),
            _ => self.hide(1),
        }
    }
}
