//! What a single character is to a reader: visible, a blank, a part of the letter before it, or
//! hidden.
//!
//! General categories and emoji come from `unicode-properties`, widths from `unicode-width`. This
//! room lists the characters that are letters or signs in Unicode and yet are drawn as nothing.

use unicode_properties::{GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};
use unicode_width::UnicodeWidthChar;

/// The flags of England, Scotland and Wales: a black flag and tags.
const FLAGS: [&str; 3] = [
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// The flag of tags with which a text begins, if it does. Tags anywhere else are invisible text.
pub(super) fn flag(text: &str) -> Option<&'static str> {
    FLAGS.into_iter().find(|flag| text.starts_with(flag))
}

/// Whether this is a space of any width.
pub(super) fn is_blank(letter: char) -> bool {
    matches!(
        letter,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Whether this is a letter, number, punctuation or symbol that a reader sees. Unassigned and
/// private characters are not: terminals may draw them as anything.
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

/// Whether this letter or symbol has no ink: Hangul fillers, the braille pattern without dots, the
/// object replacement, a null notehead, Egyptian blanks.
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

/// Whether this character becomes part of the letter before it: a combining mark, the vowel or end
/// of a Hangul syllable, a Thai or Lao AM, a halfwidth voicing mark, a skin tone. A mark without
/// ink does not count: it is hidden.
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

/// Whether this is a variation selector: it changes how the letter before it is drawn, and is
/// itself invisible.
pub(super) fn is_selector(letter: char) -> bool {
    let mongolian = matches!(letter, '\u{180b}'..='\u{180d}' | '\u{180f}');
    mongolian || matches!(letter, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a selector has a meaning right after this letter: emoji or text style, a keycap, a
/// variant of a Han or Mongolian letter. `next` is the character after the selector.
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
    let basic = matches!(letter, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}');
    basic || matches!(letter, '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3fffd}')
}

/// Whether this is the zero width non-joiner (ZWNJ) or joiner (ZWJ).
pub(super) fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner has a meaning between a letter and `next`. `base` is the letter, and `before`
/// the last of its marks, or the letter itself.
///
/// A joiner has a meaning in an emoji, between letters of a script that joins them, and after a
/// virama also at the end of a word (RFC 5892, appendix A; old Malayalam chillus are written so).
pub(super) fn may_join(joiner: char, base: char, before: char, next: Option<char>) -> bool {
    let next = next.unwrap_or('\0');
    let emoji = joiner == '\u{200d}' && is_picture(base) && is_picture(next);
    emoji || is_virama(before) || is_of_joining_script(before) && is_of_joining_script(next)
}

/// Whether this is a whole emoji, which can be joined to others. A skin tone is only a part of an
/// emoji, and so is a letter of a country's flag.
fn is_picture(letter: char) -> bool {
    !letter.is_ascii()
        && letter.is_emoji_char()
        && !is_skin_tone(letter)
        && !('\u{1f1e6}'..='\u{1f1ff}').contains(&letter)
}

/// Whether this is a virama of India or Sri Lanka. From Devanagari to Malayalam the virama has the
/// same place in each block.
fn is_virama(letter: char) -> bool {
    matches!(letter, '\u{900}'..='\u{d7f}') && u32::from(letter) & 0x7f == 0x4d
        || letter == '\u{dca}'
}

/// Whether this is a letter or mark of a script that joins letters: those from Arabic to Sinhala,
/// and from Tibetan to Mongolian, Javanese and similar ones.
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
