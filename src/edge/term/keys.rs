//! Turns a terminal's bytes into keys. Pure.
//!
//! It knows the keys of readline and the sequences of today's terminals. Any other sequence is
//! dropped whole, so that no part of it becomes text.

use std::mem;

/// The most bytes of a pasted block; the editor has a limit of its own.
const PASTE_MAX: usize = 64 * 1024;
/// The most bytes of an escape sequence. A longer one counts as complete, and is dropped.
const ESCAPE_MAX: usize = 32;
const PASTE_END: &[u8] = b"\x1b[201~";

/// A key, as the editor knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Typed characters.
    Text(String),
    /// A pasted block, its line ends as `\n`.
    Paste(String),
    /// A pasted block too large to take.
    PasteTooLong,
    Enter,
    /// A newline within the message: Alt-Enter.
    Newline,
    Tab,
    Backspace,
    Delete,
    /// Ctrl-D: the end of the input on an empty line, otherwise `Delete`.
    DeleteOrEnd,
    Left,
    Right,
    WordLeft,
    WordRight,
    Up,
    Down,
    Home,
    End,
    KillToEnd,
    /// Ctrl-U: empties the input.
    KillAll,
    KillWord,
    Yank,
    /// Ctrl-R: searches the lines that were typed before.
    Search,
    /// Ctrl-G or Escape: gives up a search.
    Cancel,
    /// Ctrl-L: clears the screen.
    Redraw,
    /// Alt-0 to Alt-9: moves the focus to the customer whose number ends in this digit.
    Go(u8),
    /// Alt-a: moves the focus to the customer who has waited longest for an answer.
    GoOn,
    Interrupt,
    /// Ctrl-Z.
    Suspend,
    /// Not a key: the window has a new size.
    Resized,
    /// Not a key: the process was stopped and continues (SIGCONT).
    Continued,
}

/// Keeps an unfinished key or paste between reads.
#[derive(Default)]
pub(super) struct Decoder {
    unfinished: Vec<u8>,
    paste: Option<Paste>,
}

#[derive(Default)]
struct Paste {
    bytes: Vec<u8>,
    /// The paste is too long: only its last bytes are kept, to find its end.
    is_too_long: bool,
}

impl Decoder {
    /// Whether an escape sequence has begun; a lone Escape looks like that too.
    pub(super) fn is_mid_escape(&self) -> bool {
        self.paste.is_none() && self.unfinished.first() == Some(&0x1b)
    }

    /// An escape sequence was not continued. If it is a lone Escape, it is a key.
    pub(super) fn give_up_escape(&mut self) -> Option<Key> {
        let is_alone = mem::take(&mut self.unfinished) == [0x1b];
        is_alone.then_some(Key::Cancel)
    }

    /// Takes bytes and passes their keys to `key`.
    pub(super) fn push(&mut self, bytes: &[u8], mut key: impl FnMut(Key)) {
        let mut text = String::new();
        for &byte in bytes {
            let Some(found) = self.step(byte) else { continue };
            if let Key::Text(more) = found {
                text.push_str(&more);
            } else {
                if !text.is_empty() {
                    key(Key::Text(mem::take(&mut text)));
                }
                key(found);
            }
        }
        if !text.is_empty() {
            key(Key::Text(text));
        }
    }

    fn step(&mut self, byte: u8) -> Option<Key> {
        if let Some(paste) = &mut self.paste {
            if !paste.push(byte) {
                return None;
            }
            return self.paste.take().map(Paste::finish);
        }
        self.unfinished.push(byte);
        let key = match self.unfinished.as_slice() {
            [0x1b, rest @ ..] => {
                if !is_whole(rest) {
                    return None;
                }
                if rest == b"[200~" {
                    self.paste = Some(Paste::default());
                }
                escape(rest)
            }
            [control] if *control < 0x20 || *control == 0x7f => control_key(*control),
            letter => match std::str::from_utf8(letter) {
                Ok(letter) => Some(Key::Text(letter.to_owned())),
                // The rest of this letter comes with the next byte.
                Err(error) if error.error_len().is_none() => return None,
                Err(_) => None,
            },
        };
        self.unfinished.clear();
        key
    }
}

impl Paste {
    /// Adds a byte. Returns whether it was the last one of the paste.
    fn push(&mut self, byte: u8) -> bool {
        self.bytes.push(byte);
        if self.bytes.len() > PASTE_MAX + PASTE_END.len() {
            self.is_too_long = true;
            self.bytes.drain(..PASTE_MAX);
        }
        self.bytes.ends_with(PASTE_END)
    }

    fn finish(self) -> Key {
        let bytes = &self.bytes[..self.bytes.len() - PASTE_END.len()];
        if self.is_too_long {
            return Key::PasteTooLong;
        }
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
        // A block that was copied with its last line end must not end in an empty line.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Key::Paste(
            text.chars()
                .filter(|&letter| matches!(letter, '\n' | '\t') || !letter.is_control())
                .collect(),
        )
    }
}

/// Whether the sequence after an Escape is complete.
fn is_whole(rest: &[u8]) -> bool {
    match rest {
        [] | [b'[' | b'O'] => false,
        [b'[', .., last] => (0x40..=0x7e).contains(last) || rest.len() >= ESCAPE_MAX,
        _ => true,
    }
}

/// The key of a complete sequence, given without its Escape.
fn escape(rest: &[u8]) -> Option<Key> {
    let key = match rest {
        b"\r" | b"\n" | b"[13;3u" | b"[13;2u" | b"[27;3;13~" | b"[27;2;13~" => Key::Newline,
        b"\x7f" | b"\x08" => Key::KillWord,
        b"b" => Key::WordLeft,
        b"f" => Key::WordRight,
        b"a" => Key::GoOn,
        [digit @ b'0'..=b'9'] => Key::Go(digit - b'0'),
        b"[3~" => Key::Delete,
        b"[1~" | b"[7~" => Key::Home,
        b"[4~" | b"[8~" => Key::End,
        [b'[' | b'O', modifiers @ .., key] => match (key, modifiers) {
            (b'C', b"1;5" | b"1;3") => Key::WordRight,
            (b'D', b"1;5" | b"1;3") => Key::WordLeft,
            (b'A', _) => Key::Up,
            (b'B', _) => Key::Down,
            (b'C', _) => Key::Right,
            (b'D', _) => Key::Left,
            (b'H', _) => Key::Home,
            (b'F', _) => Key::End,
            _ => return None,
        },
        _ => return None,
    };
    Some(key)
}

fn control_key(control: u8) -> Option<Key> {
    let key = match control {
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x7f | 0x08 => Key::Backspace,
        _ => match control + b'@' {
            b'A' => Key::Home,
            b'B' => Key::Left,
            b'C' => Key::Interrupt,
            b'D' => Key::DeleteOrEnd,
            b'E' => Key::End,
            b'F' => Key::Right,
            b'G' => Key::Cancel,
            b'K' => Key::KillToEnd,
            b'L' => Key::Redraw,
            b'N' => Key::Down,
            b'P' => Key::Up,
            b'R' => Key::Search,
            b'U' => Key::KillAll,
            b'W' => Key::KillWord,
            b'Y' => Key::Yank,
            b'Z' => Key::Suspend,
            _ => return None,
        },
    };
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pieces: &[&[u8]]) -> Vec<Key> {
        let (mut decoder, mut keys) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.push(piece, |key| keys.push(key));
        }
        keys
    }

    fn text(text: &str) -> Key {
        Key::Text(text.into())
    }

    #[test]
    fn keys_are_the_same_wherever_the_reads_fall() {
        let all = "a👩‍👩‍👧\x1b[1;5D\x1bOH\x1b[3~é\r\x1b\rb\x03".as_bytes();
        let whole = keys(&[all]);
        assert_eq!(
            whole,
            [
                text("a👩‍👩‍👧"),
                Key::WordLeft,
                Key::Home,
                Key::Delete,
                text("é"),
                Key::Enter,
                Key::Newline,
                text("b"),
                Key::Interrupt
            ]
        );
        let single: Vec<&[u8]> = all.chunks(1).collect();
        let glue = |keys: Vec<Key>| {
            keys.into_iter()
                .map(|key| format!("{key:?}"))
                .collect::<String>()
                .replace("\")Text(\"", "")
        };
        assert_eq!(glue(keys(&single)), glue(whole));
    }

    #[test]
    fn a_paste_is_one_key_without_controls() {
        let paste = b"\x1b[200~one\r\ntwo\rth\x1b[31mree\n\x1b[201~x";
        assert_eq!(keys(&[paste]), [Key::Paste("one\ntwo\nth[31mree".into()), text("x")]);
    }

    #[test]
    fn a_huge_paste_is_dropped_whole() {
        let huge = vec![b'a'; 3 * PASTE_MAX];
        assert_eq!(
            keys(&[b"\x1b[200~", &huge, b"\x1b[201~", b"x"]),
            [Key::PasteTooLong, text("x")]
        );
    }

    #[test]
    fn an_unknown_sequence_leaves_no_text() {
        assert_eq!(keys(&[b"\x1b[99;99z\x1b[?1;2c\x1bz\x00\xffok"]), [text("ok")]);
        let mut decoder = Decoder::default();
        decoder.push(b"\x1b", |_| panic!("not a key yet"));
        assert!(decoder.is_mid_escape());
        assert_eq!(decoder.give_up_escape(), Some(Key::Cancel));
        decoder.push(b"\x1b[", |_| panic!("not a key yet"));
        assert_eq!(decoder.give_up_escape(), None);
        decoder.push(b"x", |key| assert_eq!(key, text("x")));
    }
}
