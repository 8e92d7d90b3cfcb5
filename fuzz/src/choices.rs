//! A fuzzer's bytes as choices, and as long texts.

use handoff::wire::{IMAGE_MAX, NAME_MAX, PAYLOAD_MAX, TEXT_MAX, TITLE_MAX};

/// Bytes that are read as choices, one after the other. After the last byte every choice is 0.
pub struct Choices<'a>(pub &'a [u8]);

impl Choices<'_> {
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    pub fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// One of these values.
    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }
}

/// The input with some bytes replaced by long runs, so that a few bytes reach the limits. The bytes
/// 1 to 5 become as many letters as are one too many for a name, a title, a payload, an image and a
/// text. Byte 6 becomes escaped characters, which are the longest in JSON; 7 and 8 become brackets.
/// The output ends after about `enough` bytes.
pub fn stretched(data: &[u8], enough: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in data {
        match byte {
            _ if out.len() >= enough => break,
            1 => out.extend([b'a'; NAME_MAX + 1]),
            2 => out.extend([b'a'; TITLE_MAX + 1]),
            3 => out.extend([b'a'; PAYLOAD_MAX + 1]),
            4 => out.extend([b'a'; IMAGE_MAX + 1]),
            5 => out.extend([b'a'; TEXT_MAX + 1]),
            6 => out.extend(br"\u0001".repeat(TEXT_MAX / 6 + 1)),
            7 => out.extend([b'['; 60]),
            8 => out.extend([b']'; 60]),
            _ => out.push(*byte),
        }
    }
    out
}
