//! Finds customers by what the agent calls them: an ordinal, a name, or the beginning of a name.

use crate::core::agent::QUEUE;
use crate::core::command::Who;
use crate::core::report::{AgentRefusal, Fitting};
use crate::core::text::{Name, begins, is_same};
use crate::wire::ConversationId;

use super::conversation::Conversation;
use super::{Desk, SeatId};

/// When several customers fit, at most this many are listed.
const LISTED_MAX: usize = 20;

/// Why a number or name leads to no conversation.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// No customer has this name.
    Nobody,
    /// Several customers have this name.
    Several(Fitting),
}

impl Desk {
    /// The ordinal of the customer that `/accept` may take. Waiting customers are preferred.
    ///
    /// # Errors
    /// When no name fits, or several do.
    pub fn find_waiting(&self, who: &Who) -> Result<u32, Missing> {
        self.find_named(who, |known| known.is_queued() || known.is_unowned())
    }

    /// The ordinal of the customer that `/switch` may go to. The agent's own customers are
    /// preferred.
    ///
    /// # Errors
    /// When no name fits, or several do.
    pub fn find_own(&self, seat: SeatId, who: &Who) -> Result<u32, Missing> {
        let agent = self.team.agent_at(seat);
        self.find_named(who, |known| agent.is_some_and(|agent| known.is_owned_by(agent)))
    }

    /// The ordinal of the agent's customer whose number ends in this digit. If there are several,
    /// it is the next one after the customer in focus, in turn.
    ///
    /// # Errors
    /// When the agent has no such customer.
    pub fn find_own_by_digit(&self, seat: SeatId, digit: u32) -> Result<u32, AgentRefusal> {
        let ordinal = |id: ConversationId| self.conversations[id].ordinal;
        let after = self.focus(seat).map_or(0, ordinal);
        let own = self.own_conversations(seat).map(ordinal);
        let fitting: Vec<_> = own.filter(|ordinal| ordinal % 10 == digit).collect();
        let next = fitting.iter().find(|ordinal| **ordinal > after).or(fitting.first());
        next.copied().ok_or(AgentRefusal::NoneEndsIn(digit))
    }

    /// The ordinal of the named customer. Customers who have an agent are preferred.
    ///
    /// # Errors
    /// When no name fits, or several do.
    pub fn find_active(&self, who: &Who) -> Result<u32, Missing> {
        self.find_named(who, Conversation::is_active)
    }

    /// The names of the customers who wait or talk.
    pub fn customers_named(&self) -> Vec<String> {
        let live = self.conversations.in_order().filter(|(_, known)| known.is_live());
        live.map(|(id, known)| known.called(id)).collect()
    }

    /// The names to which a customer can be transferred.
    pub fn transfer_targets(&self) -> Vec<String> {
        let names = self.team.members().map(|(_, member)| member.name.to_string());
        let departments = self.groups.departments().map(ToString::to_string);
        names.chain([QUEUE.to_owned()]).chain(departments).collect()
    }

    /// A number that this desk has given is an ordinal. Otherwise this looks for the name, first
    /// among the customers that the command is meant for.
    fn find_named(
        &self,
        who: &Who,
        is_meant: impl Fn(&Conversation) -> bool,
    ) -> Result<u32, Missing> {
        let number = who.number();
        if let Some(number) = number.filter(|number| self.conversations.was_given(*number)) {
            return Ok(number);
        }
        let called =
            |(id, known): (ConversationId, &Conversation)| (known.ordinal, known.called(id));
        let meant = self.conversations.in_order().filter(|(_, known)| is_meant(known));
        let found = match find(who, meant.map(called)) {
            Err(Missing::Nobody) => find(who, self.conversations.in_order().map(called)),
            found => found,
        };
        match (found, number) {
            // The command itself refuses an ordinal that no customer has.
            (Err(Missing::Nobody), Some(number)) => Ok(number),
            (found, _) => found,
        }
    }
}

/// The ordinal of the one customer with this name, or else of the one whose name begins like this.
/// A number fits whole names only: it is more likely an ordinal that no customer has yet.
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
        [] => Err(Missing::Nobody),
        several => {
            // If there are too many, the latest ones are listed.
            let earlier = several.len().saturating_sub(LISTED_MAX);
            Err(Missing::Several(Fitting { listed: several[earlier..].to_vec(), earlier }))
        }
    }
}

/// A customer's name at a desk. It is cleaned here, because sentences contain it.
pub fn called(name: Option<&str>, id: ConversationId) -> String {
    name.and_then(Name::new)
        .map_or_else(|| format!("Customer {}", id.short()), |name| name.to_string())
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
            Err(Missing::Several(Fitting {
                listed: vec![(1, "Anna".to_owned()), (2, "Ann".to_owned())],
                earlier: 0
            }))
        );
        assert_eq!(found("Cleo", &names), Err(Missing::Nobody));
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
        assert!(matches!(found("4", &["421 Main Street", "42"]), Err(Missing::Nobody)));
        assert!(matches!(found("#4", &["#4"]), Err(Missing::Nobody)));
        assert_eq!(found("#f", &["#four"]), Ok(1));
    }

    #[test]
    fn not_more_than_a_screen_is_listed() {
        let names = vec!["Bo"; 100];
        let Err(Missing::Several(fitting)) = found("bo", &names) else { panic!("all of them fit") };
        let ordinals: Vec<u32> = fitting.listed.iter().map(|(ordinal, _)| *ordinal).collect();
        assert_eq!((ordinals, fitting.earlier), ((81..=100).collect(), 80));
    }
}
