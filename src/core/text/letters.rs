//! What a single character is to a reader: visible, a blank, part of the letter before it, or
//! hidden.
//!
//! General categories and emoji come from `unicode-properties`, widths from `unicode-width`. What
//! Unicode calls a letter or a sign and draws as nothing is listed here.

use unicode_properties::{GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};
use unicode_width::UnicodeWidthChar;

/// The flags of England, Scotland and Wales: a black flag and tags.
const FLAGS: [&str; 3] = [
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// The flag a text begins with, if it is one made of tags. All other tags are a text nobody sees.
pub(super) fn flag(text: &str) -> Option<&'static str> {
    FLAGS.into_iter().find(|flag| text.starts_with(flag))
}

/// A space of any width.
pub(super) fn is_blank(letter: char) -> bool {
    matches!(
        letter,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Whether it stands for itself: a letter, number, punctuation or symbol that a reader sees.
/// Unassigned and private characters do not: nobody knows what a terminal makes of them.
pub(super) fn is_visible(letter: char) -> bool {
    letter.is_ascii_graphic()
        || matches!(
            letter.general_category_group(),
            GeneralCategoryGroup::Letter
                | GeneralCategoryGroup::Number
                | GeneralCategoryGroup::Punctuation
                | GeneralCategoryGroup::Symbol
        ) && !is_drawn_as_nothing(letter)
            && letter.width() != Some(0)
}

/// Letters and symbols without ink: Hangul fillers, the braille pattern without dots, the object
/// replacement, a null notehead, Egyptian blanks.
fn is_drawn_as_nothing(letter: char) -> bool {
    matches!(
        letter,
        '\u{115f}'
            | '\u{1160}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{ffa0}'
            | '\u{fffc}'
            | '\u{13441}'
            | '\u{13442}'
            | '\u{1d159}'
    )
}

/// Whether it becomes part of the letter before it: a combining mark, the vowel or end of a Hangul
/// syllable, a Thai or Lao AM, a halfwidth voicing mark, a skin tone. Marks without ink are hidden,
/// not marks.
pub(super) fn is_mark(letter: char) -> bool {
    match letter {
        '\0'..='\u{2ff}' => false,
        // Combining grapheme joiner, Khmer inherent vowels, Egyptian mirror, Khitan filler;
        // variation selectors.
        '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{13440}' | '\u{16fe4}' => false,
        _ if is_selector(letter) => false,
        '\u{1161}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7c6}' | '\u{d7cb}'..='\u{d7fb}' => true,
        '\u{e33}' | '\u{eb3}' | '\u{ff9e}' | '\u{ff9f}' => true,
        _ => is_skin_tone(letter) || letter.general_category_group() == GeneralCategoryGroup::Mark,
    }
}

fn is_skin_tone(letter: char) -> bool {
    matches!(letter, '\u{1f3fb}'..='\u{1f3ff}')
}

/// A variation selector, which changes the look of the letter before it and is never seen itself.
pub(super) fn is_selector(letter: char) -> bool {
    matches!(letter, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a selector is due right behind this letter: emoji or text style, a keycap, a variant of
/// a Han or Mongolian letter. `next` is what follows it.
pub(super) fn may_select(letter: char, selector: char, next: Option<char>) -> bool {
    match selector {
        '\u{fe0e}' | '\u{fe0f}' if letter.is_ascii() => {
            letter.is_emoji_char() && next == Some('\u{20e3}')
        }
        '\u{fe0e}' | '\u{fe0f}' => letter.is_emoji_char(),
        '\u{180b}'..='\u{180f}' => matches!(letter, '\u{1820}'..='\u{18aa}'),
        '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => is_han(letter),
        _ => false,
    }
}

fn is_han(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3fffd}')
}

/// ZWNJ and ZWJ.
pub(super) fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner changes anything between these: `base` with its marks, the last of which is
/// `before`, and `next`.
///
/// It does in an emoji, between letters of a script that joins them, and behind a virama also at a
/// word's end (RFC 5892, appendix A; old Malayalam chillus are so written).
pub(super) fn may_join(joiner: char, base: char, before: char, next: Option<char>) -> bool {
    let next = next.unwrap_or('\0');
    let emoji = joiner == '\u{200d}' && is_picture(base) && is_picture(next);
    emoji || is_virama(before) || is_of_joining_script(before) && is_of_joining_script(next)
}

/// An emoji that others can be joined to. A skin tone is part of one, and a letter of a country's
/// flag half of one.
fn is_picture(letter: char) -> bool {
    !letter.is_ascii()
        && letter.is_emoji_char()
        && !is_skin_tone(letter)
        && !('\u{1f1e6}'..='\u{1f1ff}').contains(&letter)
}

/// The viramas of India and Sri Lanka. From Devanagari to Malayalam they have the same place in
/// their blocks.
fn is_virama(letter: char) -> bool {
    matches!(letter, '\u{900}'..='\u{d7f}') && u32::from(letter) & 0x7f == 0x4d
        || letter == '\u{dca}'
}

/// Letters and marks of the scripts from Arabic to Sinhala, and from Tibetan to Mongolian, Javanese
/// and the like.
fn is_of_joining_script(letter: char) -> bool {
    let block = matches!(
        letter,
        '\u{600}'..='\u{dff}'
            | '\u{f00}'..='\u{109f}'
            | '\u{1700}'..='\u{1cff}'
            | '\u{a840}'..='\u{a87f}'
            | '\u{a980}'..='\u{abff}'
            | '\u{10d00}'..='\u{10d3f}'
            | '\u{11000}'..='\u{11fff}'
            | '\u{1e900}'..='\u{1e95f}'
    );
    block
        && (is_mark(letter)
            || is_visible(letter)
                && letter.general_category_group() == GeneralCategoryGroup::Letter)
}
