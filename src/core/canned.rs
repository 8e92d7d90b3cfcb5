//! Canned replies: texts that an agent picks by name, and may change before they send them.
//!
//! ```text
//! [greet]
//! Hello {customer}, this is {agent}.
//!
//! [refund]
//! Your refund for order {order} is on its way.
//! ```
//!
//! `{customer}` and `{agent}` become names. Any other word in braces is for the agent to fill in.

use std::fmt;

use crate::core::text::{begins, is_same};
use crate::wire::TEXT_MAX;

/// The replies of one file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replies(Vec<Reply>);

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The name: one word.
    pub name: String,
    /// The text, as in the file.
    pub text: String,
}

/// Why a file cannot be used: the line, from 1, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    line: usize,
    why: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// A reply with names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The text for the agent's line.
    pub text: String,
    /// The words that the agent has to fill in, with their braces, each once.
    pub open: Vec<String>,
}

impl Replies {
    /// Reads a file.
    ///
    /// # Errors
    /// At the first line that is wrong.
    pub fn parse(file: &str) -> Result<Replies, Wrong> {
        let mut replies: Vec<(usize, Reply)> = Vec::new();
        for (line, text) in (1..).zip(file.lines()) {
            let wrong = |why: String| Wrong { line, why };
            if let Some(name) =
                text.strip_prefix('[').and_then(|rest| rest.trim_end().strip_suffix(']'))
            {
                let fits = |letter: char| letter.is_alphanumeric() || "-_".contains(letter);
                if name.is_empty() || !name.chars().all(fits) {
                    return Err(wrong(format!(
                        "'{name}' is no name: a name is one word of letters, digits, - and _"
                    )));
                }
                let is_it = |(_, reply): &&(usize, Reply)| is_same(&reply.name, name);
                if let Some((first, _)) = replies.iter().find(is_it) {
                    return Err(wrong(format!("[{name}] is in line {first} already")));
                }
                replies.push((line, Reply { name: name.to_owned(), text: String::new() }));
            } else if let Some((_, reply)) = replies.last_mut() {
                reply.text.push_str(text);
                reply.text.push('\n');
            } else if !text.trim().is_empty() {
                return Err(wrong(
                    "a reply begins with its name in brackets, such as [greet]".to_owned(),
                ));
            }
        }
        for (line, reply) in &mut replies {
            reply.text = reply.text.trim().to_owned();
            let (line, name) = (*line, &reply.name);
            match reply.text.len() {
                0 => return Err(Wrong { line, why: format!("[{name}] has no text") }),
                1..=TEXT_MAX => {}
                _ => {
                    return Err(Wrong {
                        line,
                        why: format!("[{name}] has more than {TEXT_MAX} bytes"),
                    });
                }
            }
        }
        Ok(Replies(replies.into_iter().map(|(_, reply)| reply).collect()))
    }

    /// All replies, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Reply> {
        self.0.iter()
    }

    /// The reply with this name, or the only one whose name begins like this.
    pub fn find(&self, name: &str) -> Option<&Reply> {
        let whole = self.0.iter().find(|reply| is_same(&reply.name, name));
        whole.or_else(|| {
            let mut fitting = self.0.iter().filter(|reply| begins(&reply.name, name));
            fitting.next().filter(|_| fitting.next().is_none())
        })
    }
}

impl Reply {
    /// Puts the names in. A brace within a name is only a letter.
    pub fn fill(&self, customer: Option<&str>, agent: Option<&str>) -> Filled {
        let mut filled = Filled { text: String::new(), open: Vec::new() };
        let mut rest = self.text.as_str();
        while let Some((before, word, behind)) = next_placeholder(rest) {
            filled.text.push_str(before);
            let value = match word {
                "customer" => customer,
                "agent" => agent,
                _ => None,
            };
            match value {
                Some(value) => filled.text.push_str(value),
                None => {
                    let open = format!("{{{word}}}");
                    filled.text.push_str(&open);
                    if !filled.open.contains(&open) {
                        filled.open.push(open);
                    }
                }
            }
            rest = behind;
        }
        filled.text.push_str(rest);
        filled
    }
}

/// The next `{word}`: the text before it, the word, and the text after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let begin = from + text[from..].find('{')?;
        let word = &text[begin + 1..];
        let length = word.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        match length {
            Some(length) if length > 0 && word[length..].starts_with('}') => {
                return Some((&text[..begin], &word[..length], &word[length + 1..]));
            }
            _ => from = begin + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Replies;

    const FILE: &str = "\n[greet]\nHello {customer}, this is {agent}.\n\n\
                        [Refund]\nOrder {order}:\n  refund of {order} {}{ x}.\n[grin]\n:)\n";

    #[test]
    fn a_reply_is_found_by_its_name_or_the_beginning_of_it() {
        let replies = Replies::parse(FILE).unwrap();
        let find = |name: &str| replies.find(name).map(|reply| reply.name.as_str());
        assert_eq!(
            ["greet", "REFUND", "re", "gr", "gri", "x"].map(find),
            [Some("greet"), Some("Refund"), Some("Refund"), None, Some("grin"), None]
        );
    }

    #[test]
    fn names_are_put_in_once_and_a_word_without_a_value_stays_for_the_agent() {
        let replies = Replies::parse(FILE).unwrap();
        let fill = |name: &str, customer, agent| {
            let filled = replies.find(name).unwrap().fill(customer, agent);
            (filled.text, filled.open)
        };
        let whole = fill("greet", Some("{agent} $1"), Some("Robin"));
        assert_eq!(whole, ("Hello {agent} $1, this is Robin.".to_owned(), vec![]));
        let open = fill("greet", None, None);
        assert_eq!(open.1, ["{customer}", "{agent}"]);
        let own = fill("refund", Some("Ann"), None);
        let text = "Order {order}:\n  refund of {order} {}{ x}.";
        assert_eq!(own, (text.to_owned(), vec!["{order}".to_owned()]));
    }

    #[test]
    fn a_wrong_file_is_refused_with_the_line_and_the_reason() {
        let wrong = |file: &str| Replies::parse(file).unwrap_err().to_string();
        assert_eq!(
            wrong("\nhello\n"),
            "line 2: a reply begins with its name in brackets, such as [greet]"
        );
        assert!(wrong("[two words]\nx").starts_with("line 1: 'two words' is no name"));
        assert_eq!(wrong("[a]\nx\n[A]\ny"), "line 3: [A] is in line 1 already");
        assert_eq!(wrong("[a]\nx\n[b]\n \n"), "line 3: [b] has no text");
        assert_eq!(
            wrong(&format!("[a]\n{}", "x".repeat(8193))),
            "line 1: [a] has more than 8192 bytes"
        );
    }
}
