//! The department that a customer needs and the language that they speak, as a request names them.
//!
//! Both come from a bot through the customer's side, and reach screens, hooks and commands. So they
//! are checked here, once. A text that is no valid name is dropped.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::{Name, is_same};
use crate::wire::{NAME_MAX, Request};

/// The most bytes of a language (BCP 47 has room for 35 letters).
const LANGUAGE_MAX: usize = 35;

/// What a customer needs of the agent who answers, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The department whose agents are to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<Department>,
    /// The customer's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

impl Need {
    /// The needs that a request names.
    pub fn of(request: &Request) -> Need {
        Need {
            department: request.department.as_deref().and_then(Department::new),
            language: request.language.as_deref().and_then(Language::new),
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.department.is_none() && self.language.is_none()
    }

    /// Department and language, as they are shown after a customer's name.
    pub fn signs(&self) -> impl Iterator<Item = &str> {
        let department = self.department.as_ref().map(Department::as_str);
        department.into_iter().chain(self.language.as_ref().map(Language::as_str))
    }
}

/// The name of a department. Letter case makes no difference between two of them.
///
/// A name is one line of at most 32 letters, which is shown as it is. Of ASCII's punctuation it has
/// only `-`, `_`, `&` and `+`, so that no screen, shell or chat takes it for more than a name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Department(Box<str>);

impl Department {
    /// A department's name; `None` if the text is no such name.
    pub fn new(text: &str) -> Option<Department> {
        let text = text.trim();
        let name = Name::new(text)?;
        let is_plain = |letter: char| !letter.is_ascii_punctuation() || "-_&+".contains(letter);
        let is_shown = name.fits() && name.to_string() == text && text.len() <= NAME_MAX;
        (is_shown && text.chars().all(is_plain)).then(|| Department(text.into()))
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Department {
    fn eq(&self, other: &Department) -> bool {
        is_same(&self.0, &other.0)
    }
}

impl Eq for Department {}

impl fmt::Display for Department {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Department {
    type Error = String;

    fn try_from(text: String) -> Result<Department, String> {
        Department::new(&text).ok_or_else(|| {
            format!(
                "a department has a name of at most 32 letters, digits, blanks, '-', '_', '&' and \
                 '+'; '{}' is none",
                super::text::Line(&text)
            )
        })
    }
}

/// A language as BCP 47 writes it, such as `de-AT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Language(Box<str>);

impl Language {
    /// A language; `None` if the text is no language. This also accepts `de_AT`, which Rasa's
    /// trackers write.
    pub fn new(text: &str) -> Option<Language> {
        let text = text.trim().replace('_', "-");
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_alphanumeric())
        };
        let is_language = text.len() <= LANGUAGE_MAX && text.split('-').all(is_part);
        is_language.then(|| Language(text.into()))
    }

    /// The language.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Department, Language};

    #[test]
    fn a_department_is_a_short_name_without_markup_and_has_no_letter_case() {
        for name in ["returns", " Rückgabe & Umtausch ", "返品", "team_2 - EU+UK"] {
            let department = Department::new(name).map(|it| it.as_str().to_owned());
            assert_eq!(department.as_deref(), Some(name.trim()));
        }
        for name in [
            "",
            "  ",
            "two\nlines",
            "<!channel>",
            "$(touch x)",
            "a, b",
            "shop.example",
            "\u{202e}snruter",
            "\u{200b}",
            &"x".repeat(33),
        ] {
            assert_eq!(Department::new(name), None, "{name:?}");
        }
        assert_eq!(Department::new("STRASSE"), Department::new("straße"));
        assert_ne!(Department::new("returns"), Department::new("return"));
    }

    #[test]
    fn a_language_is_a_tag() {
        let language = |text| Language::new(text).map(|it| it.to_string());
        assert_eq!(language("de"), Some("de".to_owned()));
        assert_eq!(language(" zh_Hans-CN "), Some("zh-Hans-CN".to_owned()));
        for text in ["", "-", "de--AT", "Deutsch!", "d\u{e9}", &"de-".repeat(12)] {
            assert_eq!(language(text), None, "{text:?}");
        }
    }
}
