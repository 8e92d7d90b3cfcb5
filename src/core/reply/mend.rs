//! Turns the output of Python's `json` module into JSON. RFC 8259 has no `NaN` and no `Infinity`
//! (section 6), warns of half surrogates (8.2) and allows a reader to ignore a byte order mark
//! (8.1).

use std::borrow::Cow;
use std::collections::BTreeSet;

/// A repaired text.
pub(super) struct Mended<'a> {
    /// The text. It is JSON, unless something else is wrong with it.
    pub(super) text: Cow<'a, str>,
    /// The indexes of those elements of the outermost array in which a number became `null`, from
    /// 0.
    pub(super) nulled: BTreeSet<usize>,
}

/// Repairs a text: half a surrogate becomes U+FFFD, and a number that no double holds becomes
/// `null`.
pub(super) fn mend(text: &str) -> Mended<'_> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut mended, mut nulled) = (String::new(), BTreeSet::new());
    let (mut in_string, mut depth, mut element) = (false, 0_usize, 0);
    let (mut at, mut copied) = (0, 0);
    while let Some(letter) = text.as_bytes().get(at) {
        let rest = &text[at..];
        let mut length = 1;
        let mut replacement = None;
        match letter {
            b'"' => in_string = !in_string,
            b'\\' if in_string => (length, replacement) = escape(rest),
            _ if in_string => length = rest.find(['"', '\\']).unwrap_or(rest.len()),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => element += 1,
            b'-' | b'0'..=b'9' | b'N' | b'I' => {
                (length, replacement) = number(rest);
                if replacement.is_some() {
                    nulled.insert(element);
                }
            }
            _ => length = rest.chars().next().map_or(1, char::len_utf8),
        }
        if let Some(replacement) = replacement {
            mended.push_str(&text[copied..at]);
            mended.push_str(replacement);
            copied = at + length;
        }
        at += length;
    }
    let text = match mended.is_empty() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(mended + &text[copied..]),
    };
    Mended { text, nulled }
}

/// The length of the escape at the beginning of this text, and its replacement if it is half a
/// surrogate.
fn escape(text: &str) -> (usize, Option<&'static str>) {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    match (unit(0), unit(6)) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
        (Some(0xd800..=0xdfff), _) => (6, Some("\\ufffd")),
        // The letter after a backslash never ends the string.
        _ => (1 + text[1..].chars().next().map_or(0, char::len_utf8), None),
    }
}

/// The length of the number at the beginning of this text, and its replacement if no double holds
/// it.
fn number(text: &str) -> (usize, Option<&'static str>) {
    if let Some(word) =
        ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| text.starts_with(word))
    {
        return (word.len(), Some("null"));
    }
    let is_part = |b: &u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let length = text.bytes().take_while(|b| is_part(b)).count();
    let is_too_large = text[..length].parse::<f64>().is_ok_and(f64::is_infinite);
    (length.max(1), is_too_large.then_some("null"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::mend;

    #[test]
    fn the_output_of_python_becomes_json() {
        for (written, read) in [
            ("\u{feff}[1]", "[1]"),
            (r#"["\ud83d"]"#, r#"["\ufffd"]"#),
            (r#"["\udc00\ud83d\ude00\uD83D"]"#, r#"["\ufffd\ud83d\ude00\ufffd"]"#),
            (r#"["\\ud83d", "é\"NaN", "\u12"]"#, r#"["\\ud83d", "é\"NaN", "\u12"]"#),
            ("[NaN,-Infinity,Infinity, 1e999,-1e999]", "[null,null,null, null,null]"),
            (r#"[-5,1.50,1e308,1e-999,"é",é]"#, r#"[-5,1.50,1e308,1e-999,"é",é]"#),
        ] {
            assert_eq!(mend(written).text, read, "{written}");
        }
    }

    #[test]
    fn elements_in_which_a_number_became_null_are_marked() {
        let nulled =
            mend(r#"[{"a":[1,NaN]}, {"text":"NaN, Infinity"}, {"a":{"b":[-Infinity],"c":NaN}}]"#)
                .nulled;
        assert_eq!(nulled, BTreeSet::from([0, 2]));
    }
}
