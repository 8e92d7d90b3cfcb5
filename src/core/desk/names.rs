//! Customers by what the admin calls them: a number, a name, or the beginning of a name.

use unicode_segmentation::UnicodeSegmentation;

use super::{Conversation, Desk, Phase};
use crate::core::command::Who;
use crate::core::text::is_same;
use crate::core::text::{Line, Name};
use crate::wire::ConversationId;

/// Customers that are listed when several fit, at most.
const LISTED_MAX: usize = 20;

/// Why a number or name leads to no conversation.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nobody is called so: one sentence for the admin.
    Nobody(String),
    /// Several are: a line for each of them.
    Several(Vec<String>),
}

impl Desk {
    /// The number of a customer that `/accept` may take; of those who wait, if any of them fits.
    ///
    /// # Errors
    /// When no name fits, or several do.
    pub fn find_waiting(&self, who: &Who) -> Result<u32, Missing> {
        self.find_named(who, |conversation| {
            conversation.phase == Phase::Queued && !conversation.asleep
        })
    }

    /// The number of a customer that `/switch` may go to; of those who talk to us, if one fits.
    ///
    /// # Errors
    /// When no name fits, or several do.
    pub fn find_active(&self, who: &Who) -> Result<u32, Missing> {
        self.find_named(who, Conversation::is_active)
    }

    /// A number that was ever given is that number. Otherwise the customers that the command is
    /// meant for come before all others.
    fn find_named(
        &self,
        who: &Who,
        is_meant: impl Fn(&Conversation) -> bool,
    ) -> Result<u32, Missing> {
        let number = who.number();
        if let Some(number) = number.filter(|number| (1..=self.begun).contains(number)) {
            return Ok(number);
        }
        let here =
            || self.ordinals.iter().map(|(ordinal, id)| (*ordinal, &self.conversations[id], *id));
        let named = |(ordinal, conversation, id): (u32, &Conversation, ConversationId)| {
            (ordinal, conversation.called(id))
        };
        let found = match find(
            who,
            here().filter(|(_, conversation, _)| is_meant(conversation)).map(named),
        ) {
            Err(Missing::Nobody(_)) => find(who, here().map(named)),
            found => found,
        };
        match (found, number) {
            // As a number it has an answer of its own.
            (Err(Missing::Nobody(_)), Some(number)) => Ok(number),
            (found, _) => found,
        }
    }
}

/// The number of the one customer with this name; else of the one whose name begins so. What is
/// written as a number fits a whole name only: it rather is a number that no customer has yet.
///
/// # Errors
/// When no name fits, or several do.
pub fn find(who: &Who, customers: impl Iterator<Item = (u32, String)>) -> Result<u32, Missing> {
    let (mut whole, mut begun) = (Vec::new(), Vec::new());
    for (ordinal, name) in customers {
        if is_same(&name, &who.0) && who.may_be_name() {
            whole.push((ordinal, name));
        } else if who.number().is_none() && begins(&name, &who.0) {
            begun.push((ordinal, name));
        }
    }
    let fitting = if whole.is_empty() { begun } else { whole };
    match fitting.as_slice() {
        [(ordinal, _)] => Ok(*ordinal),
        [] => Err(Missing::Nobody(format!(
            "nobody here is called '{}'; /list shows who is here",
            Line(&who.0)
        ))),
        several => {
            let more = several.len().saturating_sub(LISTED_MAX);
            // The latest, where there are too many.
            let listed = several[more..].iter().map(|(ordinal, name)| format!("#{ordinal} {name}"));
            let rest = (more > 0).then(|| format!("and {more} before them"));
            Err(Missing::Several(listed.chain(rest).collect()))
        }
    }
}

/// What a customer is called at a desk. It stands in sentences, so it is made safe here already.
pub fn called(name: Option<&str>, id: ConversationId) -> String {
    name.and_then(Name::new)
        .map_or_else(|| format!("Customer {}", id.short()), |name| name.to_string())
}

/// Whether a name begins so, in whole letters.
fn begins(name: &str, typed: &str) -> bool {
    name.grapheme_indices(true).any(|(at, letter)| is_same(&name[..at + letter.len()], typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(typed: &str, names: &[&str]) -> Result<u32, Missing> {
        find(&Who(typed.to_owned()), (1..).zip(names.iter().map(|name| (*name).to_owned())))
    }

    #[test]
    fn a_whole_name_comes_before_the_beginning_of_another() {
        let names = ["Anna", "Ann", "Mary Ann", "Customer 07f3"];
        assert_eq!(found("ann", &names), Ok(2));
        assert_eq!(found("anna", &names), Ok(1));
        assert_eq!(found("MARY ANN", &names), Ok(3));
        assert_eq!(found("mary a", &names), Ok(3));
        assert_eq!(found("customer 07", &names), Ok(4));
        assert_eq!(
            found("an", &names),
            Err(Missing::Several(vec!["#1 Anna".to_owned(), "#2 Ann".to_owned()]))
        );
        assert!(
            matches!(found("Cleo", &names), Err(Missing::Nobody(why)) if why.contains("'Cleo'"))
        );
    }

    #[test]
    fn letter_case_and_the_form_of_an_accent_do_not_count() {
        let names = ["Straße", "Rene\u{301}e", "Σίσυφος"];
        assert_eq!((found("STRASSE", &names), found("strass", &names)), (Ok(1), Ok(1)));
        assert_eq!((found("ren\u{e9}e", &names), found("REN\u{c9}", &names)), (Ok(2), Ok(2)));
        assert_eq!(found("ΣΊΣΥΦΟΣ", &names), Ok(3));
        assert!(found("rene", &names).is_err(), "an accented letter is another letter");
    }

    #[test]
    fn a_number_is_no_beginning_of_a_name() {
        assert_eq!(found("42", &["421 Main Street", "42"]), Ok(2));
        assert!(matches!(found("4", &["421 Main Street", "42"]), Err(Missing::Nobody(_))));
        assert!(matches!(found("#4", &["#4"]), Err(Missing::Nobody(_))));
        assert_eq!(found("#f", &["#four"]), Ok(1));
    }

    #[test]
    fn not_more_than_a_screen_is_listed() {
        let names = vec!["Bo"; 100];
        let Err(Missing::Several(lines)) = found("bo", &names) else { panic!("all of them fit") };
        assert_eq!(
            (lines.len(), &*lines[0], &*lines[19], &*lines[20]),
            (21, "#81 Bo", "#100 Bo", "and 80 before them")
        );
    }
}
