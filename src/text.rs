//! Safe text: the only way a peer's text reaches a screen, a title or a log.
//!
//! Raw text is stored and sent; what could move a cursor, hide or reorder other text is made
//! visible here, at the edge that shows it, as `\u{…}`.

use std::fmt;

/// A text that can be shown: controls (but newline) and invisible or reordering characters are escaped.
#[derive(Clone, Copy, Debug)]
pub struct Safe<'a>(pub &'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        for (at, letter) in self.0.char_indices().filter(|(_, letter)| is_hidden(*letter)) {
            f.write_str(&self.0[shown..at])?;
            write!(f, "\\u{{{:x}}}", u32::from(letter))?;
            shown = at + letter.len_utf8();
        }
        f.write_str(&self.0[shown..])
    }
}

/// Whether a reader would not see this character for what it is.
fn is_hidden(letter: char) -> bool {
    match letter {
        '\n' => false,
        // C0, DEL and C1 controls; soft hyphen; Arabic letter mark.
        _ if letter.is_control() => true,
        '\u{ad}' | '\u{61c}' => true,
        // Zero-width space, bidi marks, line and paragraph separators, bidi embeddings, invisible operators, isolates.
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        // Byte order mark, interlinear annotations, tags.
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_act_on_a_terminal_is_shown_instead() {
        assert_eq!(Safe("a\u{1b}]52;c;x\u{7}b\r\u{9b}").to_string(), "a\\u{1b}]52;c;x\\u{7}b\\u{d}\\u{9b}");
        assert_eq!(Safe("\u{202e}evil").to_string(), "\\u{202e}evil");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["two\nlines", "日本語", "שלום", "👩‍👩‍👧 🏳️‍🌈", "don't"] {
            assert_eq!(Safe(text).to_string(), text);
        }
    }
}
