//! `Custom`: a payload with a format of the bot's own, kept as the JSON text that the bot wrote.
//!
//! Parsing would change a payload: numbers lose digits (2^64 + 1, 0.1000), and objects lose the
//! order of their keys. So the text itself goes through journals, frames and `--json`. Only blanks
//! between its tokens are left out: a newline there would break a line of `--json` in two. The
//! rules are in docs/PROTOCOL.md, section "message".

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use serde_json::value::RawValue;

/// A payload: a JSON text that any JSON reader accepts, without blanks between its tokens.
#[derive(Clone, Debug)]
pub struct Custom(Box<Box<RawValue>>);

impl Custom {
    /// Keeps a JSON text.
    ///
    /// # Errors
    /// When a peer could not read it: it is not JSON, is nested more than 127 levels deep, or has
    /// half a surrogate or a number too large for a double.
    pub fn new(json: &str) -> Result<Custom, serde_json::Error> {
        serde_json::from_str::<Value>(json)?;
        RawValue::from_string(without_blanks(json)).map(|text| Custom(Box::new(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The parsed payload. Numbers that fit neither 64 bits nor a double are rounded.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.as_str()).expect("it was read when it was made")
    }
}

/// Two payloads are equal if they have the same text or the same values: the order of keys and the
/// spelling of strings and floats do not count. So a payload equals the copy that 0.1.0 keeps,
/// which has the values only.
impl PartialEq for Custom {
    fn eq(&self, other: &Custom) -> bool {
        self.as_str() == other.as_str() || self.value() == other.value()
    }
}

impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Custom, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Custom::new(text.get()).map_err(de::Error::custom)
    }
}

/// A JSON text without the blanks between its tokens.
pub(crate) fn without_blanks(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let is_kept = |letter: &char| {
        let is_quote = *letter == '"' && !escaped;
        escaped = *letter == '\\' && in_string && !escaped;
        in_string ^= is_quote;
        in_string || !matches!(letter, ' ' | '\t' | '\n' | '\r')
    };
    json.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(json: &str) -> Custom {
        Custom::new(json).expect("a payload")
    }

    #[test]
    fn a_payload_is_kept_as_it_was_written_except_for_blanks() {
        for json in [
            r#"{"b":18446744073709551617,"a":[1.0,1,1e2,-0,0.1000,1E+2],"b":"\/\u00e9é"}"#,
            r#""a \" b \\""#,
            "7",
        ] {
            assert_eq!(custom(json).as_str(), json);
            let read: Custom =
                serde_json::from_str(&serde_json::to_string(&custom(json)).unwrap()).unwrap();
            assert_eq!(read.as_str(), json);
        }
        assert_eq!(
            custom("{ \"a b\" :\r\n\t[ \"\\\" \\\\\" , 2 ] }").as_str(),
            r#"{"a b":["\" \\",2]}"#
        );
    }

    #[test]
    fn payloads_are_equal_if_their_values_are() {
        assert_eq!(custom(r#"{"a":1e2,"b":"\u00e9"}"#), custom(r#"{"b":"é","a":100.0}"#));
        assert_eq!(
            custom("18446744073709551617"),
            custom("1.8446744073709552e19"),
            "as 0.1.0 keeps it"
        );
        for (one, other) in [("1", "2"), ("1", "1.0"), ("[1,2]", "[2,1]"), ("1", r#""1""#)] {
            assert_ne!(custom(one), custom(other));
        }
    }

    #[test]
    fn a_text_that_a_peer_could_not_read_is_no_payload() {
        let deep = "[".repeat(128) + &"]".repeat(128);
        for json in ["", "{", "NaN", r#""\ud800""#, "1e999", &deep] {
            assert!(Custom::new(json).is_err(), "{json}");
        }
    }
}
