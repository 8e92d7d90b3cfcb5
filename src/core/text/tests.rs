//! Safe text with every code point, with texts that people write, and with texts that are made to
//! deceive.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn safe(text: &str) -> String {
    Safe(text).to_string()
}

fn line(text: &str) -> String {
    Line(text).to_string()
}

fn name(text: &str) -> Option<String> {
    Name::new(text).map(|name| name.to_string())
}

/// The token for a hidden character, by a second implementation.
fn token(letter: char) -> String {
    format!("\\u{{{:x}}}", letter as u32)
}

/// `Default_Ignorable_Code_Point`, as DerivedCoreProperties.txt lists it, and all others that are
/// drawn as nothing.
fn is_unseen(letter: char) -> bool {
    matches!(letter as u32,
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff
        | 0xffa0 | 0xfff0..=0xfff8 | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff
        | 0x2800 | 0xfffc | 0x1d159 | 0x2028..=0x2029 | 0xfff9..=0xfffb | 0x13430..=0x13440)
}

/// Noncharacters and the private use areas.
fn is_nobodys(letter: char) -> bool {
    let code = letter as u32;
    code & 0xfffe == 0xfffe || matches!(code, 0xfdd0..=0xfdef | 0xe000..=0xf8ff | 0xf0000..)
}

#[test]
fn every_code_point_is_kept_or_shown_as_its_token() {
    let (mut lived, mut hidden) = (0, 0);
    for letter in '\0'..=char::MAX {
        let alone = safe(&letter.to_string());
        match alone.chars().next() {
            Some('\n') | Some(' ') if matches!(letter, '\n' | '\t' | ' ') => continue,
            Some(first) if first == letter && alone.chars().count() == 1 => lived += 1,
            _ => {
                hidden += 1;
                assert_eq!(alone, token(letter));
                // Letters and numbers, by the standard library, and ASCII are never hidden. The
                // exceptions are fillers, and characters that need a letter before them.
                let needs_letter = safe(&format!("a{letter}")).ends_with(letter);
                let lives = letter.is_alphanumeric() || letter.is_ascii_graphic();
                assert!(
                    !lives || needs_letter || is_unseen(letter) || is_without_room(letter),
                    "{letter:?} is hidden"
                );
                continue;
            }
        }
        assert!(
            !letter.is_control() && !is_unseen(letter) && !is_nobodys(letter),
            "{letter:?} lives"
        );
        assert_ne!(letter.width().unwrap_or(0), 0, "{letter:?} takes no room");
        // A kept character does not join the program's own text before it: a colon, a blank or a
        // prefix.
        for before in [':', ' ', '│'] {
            let letters = format!("{before}{letter}");
            assert_eq!(
                letters.graphemes(true).next(),
                Some(before.to_string().as_str()),
                "{letter:?} joins"
            );
        }
    }
    assert_eq!(
        lived + hidden,
        0x11_0000 - 0x800 - 3,
        "all but surrogates; newline, tab and space were passed over"
    );
    assert!(lived > 150_000, "{lived} live, {hidden} are hidden");
}

/// Letters that take no columns in terminals that follow `unicode-width`, and so would be
/// invisible.
fn is_without_room(letter: char) -> bool {
    letter.width() == Some(0) || matches!(letter, '\u{13441}' | '\u{13442}')
}

#[test]
fn no_code_point_after_a_letter_is_invisible() {
    for letter in '\0'..=char::MAX {
        for (before, after) in [("a", "b"), ("Robin", ""), ("", "Robin")] {
            let shown = safe(&format!("{before}{letter}{after}"));
            let kept = shown.contains(letter);
            assert!(!kept || letter == '\n' || !letter.is_control(), "{letter:?}");
            assert!(
                !kept || !is_unseen(letter) && !is_nobodys(letter),
                "{letter:?} hides in {before}…{after}"
            );
        }
    }
}

#[test]
fn texts_that_people_write_stay_as_they_are() {
    for text in [
        "two\nlines, don't \"quote\" it – 1½ €, 20 °C, x² ≤ y…",
        "日本語の長い文章、そして한국어、中文",
        "ﾊﾟｿｺﾝ ｶﾞ",
        "שָׁלוֹם עוֹלָם, مَرْحَبًا",
        "हिन्दी, বাংলা র‍্যাব, தமிழ், മലയാളം അവന്‍, ක්‍රම",
        "می‌خواهم",
        "ภาษาไทย น้ำ, ລາວ, မြန်မာ, ខ្មែរ, བོད་ཡིག, አማርኛ",
        "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ᠌",
        "e\u{301}\u{323} and \u{e9}",
        "\u{1112}\u{1161}\u{11ab}",
        "葛\u{e0100}城",
        "👩‍👩‍👧 🏳️‍🌈 👍🏽 🕵🏻‍♂️ 🙂‍↔️ ❤️‍🔥 1️⃣ #️⃣ ☀︎ 🇩🇪 ©️ 🏴‍☠️",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "M\u{a0}\u{202f}!  山田\u{3000}太郎",
        "        fn deep() {",
    ] {
        assert_eq!(safe(text), text);
    }
    assert_eq!(safe("a\tb"), "a    b");
}

#[test]
fn characters_that_act_on_a_terminal_are_shown_as_tokens() {
    assert_eq!(safe("a\u{1b}]52;c;x\u{7}b\r\u{9b}"), "a\\u{1b}]52;c;x\\u{7}b\\u{d}\\u{9b}");
    assert_eq!(safe("\u{202e}evil\u{2066}"), "\\u{202e}evil\\u{2066}");
    assert_eq!(line("a\nbot: b\tc"), "a\\u{a}bot: b    c");
}

#[test]
fn joiners_and_selectors_are_kept_only_where_they_have_a_meaning() {
    for (text, shown) in [
        ("Ann\u{200d}", "Ann\\u{200d}"),
        ("An\u{200c}n", "An\\u{200c}n"),
        ("\u{200d}👩", "\\u{200d}👩"),
        ("👩\u{200d}\u{200d}👩", "👩\\u{200d}\\u{200d}👩"),
        ("👩\u{200d}a", "👩\\u{200d}a"),
        ("علی\u{200c}", "علی\\u{200c}"),
        ("ع\u{200c}\u{200c}ل", "ع\\u{200c}\\u{200c}ل"),
        // Selectors, tags.
        ("a\u{fe0f}", "a\\u{fe0f}"),
        ("1\u{fe0f}", "1\\u{fe0f}"),
        ("☀\u{fe0f}\u{fe0f}", "☀\u{fe0f}\\u{fe0f}"),
        ("a\u{e0100}", "a\\u{e0100}"),
        ("🏴\u{e0061}\u{e007f}", "🏴\\u{e0061}\\u{e007f}"),
        (
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}",
            "🏴\\u{e0067}\\u{e0062}\\u{e0065}\\u{e006e}\\u{e0067}",
        ),
    ] {
        assert_eq!(safe(text), shown);
    }
}

#[test]
fn a_letter_has_at_most_eight_marks() {
    let marks = |count| "\u{301}".repeat(count);
    assert_eq!(safe(&format!("a{}", marks(8))), format!("a{}", marks(8)));
    assert_eq!(safe(&format!("a{}b", marks(9))), format!("a{}\\u{{301}}b", marks(8)));
    assert_eq!(safe(&format!("a{}", marks(1000))), format!("a{}\\u{{301+991}}", marks(8)));
    for before in ["", "\n", " ", "\u{1b}"] {
        assert_eq!(safe(&format!("{before}{}", marks(2))), format!("{}\\u{{301+1}}", safe(before)));
    }
    assert_eq!(
        safe(&format!("\u{1100}{}", "\u{1161}".repeat(20))),
        format!("\u{1100}{}\\u{{1161+11}}", "\u{1161}".repeat(8))
    );
}

#[test]
fn a_run_of_blanks_is_one_token() {
    let blanks = " ".repeat(BLANKS_MAX);
    assert_eq!(safe(&format!("a{blanks}b")), format!("a{blanks}b"));
    assert_eq!(safe(&format!("a {blanks}b")), "a\\u{20+32}b");
    assert_eq!(safe(&format!("a{}b", "\t".repeat(9))), "a\\u{9+8}b");
    assert_eq!(safe(&"\u{3000}".repeat(17)), "\\u{3000+16}");
    assert_eq!(safe(&format!("{blanks}\n{blanks}")), format!("{blanks}\n{blanks}"));
}

#[test]
fn a_name_is_one_short_visible_line() {
    for (given, shown) in [
        ("Ann", Some("Ann")),
        ("Robin (admin)", Some("Robin (admin)")),
        ("山田\u{3000}太郎", Some("山田\u{3000}太郎")),
        ("नरेन्द्र मोदी", Some("नरेन्द्र मोदी")),
        ("Ann\nbot: hi", Some("Ann\\u{a}bot: hi")),
        ("Ann ", Some("Ann\\u{20}")),
        ("  Ann", Some("\\u{20} Ann")),
        ("A  B", Some("A\\u{20} B")),
        ("A\u{a0}B", Some("A\\u{a0}B")),
        ("A\tB", Some("A\\u{9}B")),
        ("", None),
        (" \u{3000}\u{a0}", None),
        ("\u{3164}\u{115f}\u{2800}", None),
        ("\u{1b}\u{202e}\u{200b}", None),
        ("\u{301}\u{301}", None),
    ] {
        assert_eq!(name(given).as_deref(), shown, "{given:?}");
    }
}

#[test]
fn a_long_name_is_cut_between_letters() {
    let long = |letter: &str| name(&letter.repeat(33)).unwrap_or_default();
    assert_eq!(name(&"é".repeat(32)), Some("é".repeat(32)));
    assert_eq!(long("é"), format!("{}…", "é".repeat(31)));
    assert_eq!(long("👩‍👩‍👧"), format!("{}…", "👩‍👩‍👧".repeat(31)));
    assert_eq!(
        name(&format!("{}\u{1b}\u{1b}\u{1b}\u{1b}", "a".repeat(20))),
        Some(format!("{}\\u{{1b}}\\u{{1b…", "a".repeat(20)))
    );
    assert!(Name::new("Ann").is_some_and(|name| name.fits()));
    assert!(Name::new("Ann\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}").is_some_and(|name| !name.fits()));
}

/// The greatest growth of a text: a control of one byte is shown as six bytes.
const GROWTH: usize = 6;

#[test]
fn eight_kib_of_any_text_stay_bounded_and_quick() {
    const BYTES: usize = 8 * 1024;
    for unit in [
        "\u{1b}",
        "\u{7f}",
        "\u{301}",
        "a\u{301}",
        "\u{200d}",
        "👩\u{200d}",
        "\u{e0041}",
        " ",
        "\t",
        "\n",
        " \n",
        "\u{1100}",
        "क\u{94d}",
        "\u{301}\u{200d}",
        "a \u{301}",
        "\u{fe0f}",
        "🏴",
        "\u{3000}x",
        "\u{d4e}",
        "🇩",
        "\u{1f3fb}",
    ] {
        let text = unit.repeat(BYTES / unit.len());
        let begun = Instant::now();
        let shown = safe(&text);
        // Linear work takes about a millisecond without optimisation; quadratic work would take
        // minutes.
        assert!(begun.elapsed() < Duration::from_secs(2), "{unit:?} took {:?}", begun.elapsed());
        assert!(shown.len() <= GROWTH * text.len(), "{unit:?} grew to {}", shown.len());
    }
}

/// Texts full of odd characters.
fn odd() -> impl Strategy<Value = String> {
    let unit = prop_oneof![
        "[a-c \n\t]{1,3}",
        "[\u{300}-\u{30f}\u{200c}\u{200d}\u{fe0f}\u{1f3fb}\u{20e3}]{1,12}",
        "[👩❤☀🏴🇩1#葛\u{1100}\u{1161}\u{11a8}\u{d4e}]{1,3}",
        "[کیر्कരൻ\u{d4d}\u{9cd}র]{1,3}",
        "[\0-\u{1f}\u{7f}-\u{9f}\u{202e}\u{2066}\u{e0067}\u{e007f}\u{3164}\u{3000}\u{feff}\u{e000}]{1,3}",
        " {1,40}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(unit, 0..40).prop_map(|units| units.concat())
}

proptest! {
    #[test]
    fn a_shown_text_does_not_change_when_it_is_shown_again(text in odd()) {
        for show in [safe, line] {
            let shown = show(&text);
            prop_assert_eq!(show(&shown), shown.clone());
        }
        let shown = name(&text);
        prop_assert_eq!(shown.as_deref().and_then(name), shown.clone());
        prop_assert!(shown.is_none_or(|shown| shown.graphemes(true).count() <= NAME_LETTERS_MAX));
    }

    #[test]
    fn no_shown_text_has_invisible_characters(text in odd()) {
        let name = name(&text).unwrap_or_default();
        for (shown, lines) in [(safe(&text), true), (line(&text), false), (name, false)] {
            let allowed = |letter| matches!(letter,
                '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe02}' | '\u{fe0e}' | '\u{fe0f}'
                | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180f}');
            let flags = shown.replace("\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", "");
            for letter in flags.chars() {
                let is_seen = !letter.is_control() && (allowed(letter) || !is_unseen(letter));
                prop_assert!(letter == '\n' && lines || is_seen, "{letter:?} in {shown:?}");
            }
            // No mark stands first in a row or after a blank.
            let joins = |piece: &str| {
                let first = piece.chars().next();
                first.is_some_and(|first| format!(" {first}").graphemes(true).count() == 1)
            };
            prop_assert!(!shown.split([' ', '\n']).any(joins), "{shown:?}");
        }
    }

    #[test]
    fn a_letter_of_odd_text_has_at_most_eight_marks(text in odd()) {
        let mut marks = 0;
        for letter in safe(&text).chars() {
            // This uses the tables of the segmentation crate, not ours.
            let is_base = letter.is_ascii() || format!("a{letter}").graphemes(true).count() == 2;
            marks = if is_base { 0 } else { marks + 1 };
            prop_assert!(marks <= MARKS_MAX);
        }
    }

    #[test]
    fn letters_keep_their_order_and_growth_has_a_bound(text in odd()) {
        let shown = safe(&text);
        prop_assert!(shown.len() <= GROWTH * text.len());
        // All letters outside of tokens are those of the original text.
        let counts = |letter: &char| {
            letter.is_alphabetic() && !letter.is_ascii() && stands_alone(*letter)
        };
        let letters = |text: &str| text.chars().filter(counts).collect::<String>();
        prop_assert_eq!(letters(&shown), letters(&text));
    }
}
