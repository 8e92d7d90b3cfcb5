//! What a desk shows its agent when asked: the customers who talk and wait, the prompt, and the
//! customers whom a name fits. Typed facts, and the words of each. A customer is named as the agent
//! knows them.

use std::fmt;

use crate::core::text::Line;

/// One line of `/list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Nobody talks and nobody waits.
    Nobody,
    /// This customer talks to the agent.
    Talking {
        /// The customer.
        who: String,
        /// Whether the customer gets the agent's next line.
        has_focus: bool,
        /// Whether the customer is connected.
        is_connected: bool,
    },
    /// This customer waits.
    Waiting {
        /// The customer.
        who: String,
        /// The customer's position; `None` if they do not count until they are connected again.
        position: Option<u32>,
        /// Whether the customer is connected.
        is_connected: bool,
        /// Why the customer waits, if the bot gave a reason.
        reason: Option<String>,
    },
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let away = |is_connected: &bool| if *is_connected { "" } else { ", not connected" };
        match self {
            Listed::Nobody => f.write_str("nobody is talking, nobody is waiting"),
            Listed::Talking { who, has_focus, is_connected } => {
                let focus = if *has_focus { ", gets your lines" } else { "" };
                write!(f, "{who} is talking to you{focus}{}", away(is_connected))
            }
            Listed::Waiting { who, position, is_connected, reason } => {
                match position {
                    Some(position) => {
                        let away = away(is_connected);
                        write!(f, "{who} is waiting, number {position} in the queue{away}")
                    }
                    None => write!(
                        f,
                        "{who} is waiting, not connected, and counts in the queue again once they \
                         are"
                    ),
                }?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {}", Line(reason)))
            }
        }
    }
}

/// Who gets the agent's next line, as a prompt shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// This customer.
    Customer {
        /// The customer.
        who: String,
        /// Whether the customer is connected.
        is_connected: bool,
        /// Whether the customer types.
        is_typing: bool,
    },
    /// Nobody.
    Nobody(Customers),
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Prompt::Customer { who, is_connected: false, .. } => write!(f, "offline, {who}"),
            Prompt::Customer { who, is_typing: true, .. } => write!(f, "typing, {who}"),
            Prompt::Customer { who, .. } => f.write_str(who),
            Prompt::Nobody(Customers { talking, waiting }) => {
                f.write_str("nobody")?;
                if *talking > 0 {
                    write!(f, ", {talking} open")?;
                }
                if *waiting > 0 {
                    write!(f, ", {waiting} waiting")?;
                }
                Ok(())
            }
        }
    }
}

/// How many customers talk to the agent, and how many wait. They lose the desk when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Customers {
    /// How many talk to the agent.
    pub talking: usize,
    /// How many wait.
    pub waiting: usize,
}

impl Customers {
    /// Whether nobody talks and nobody waits.
    pub fn is_empty(&self) -> bool {
        self.talking == 0 && self.waiting == 0
    }
}

impl fmt::Display for Customers {
    /// Those who are there. Nothing if there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let customers = |count: usize, verb: &str| match count {
            0 => None,
            1 => Some(format!("1 customer is {verb}")),
            count => Some(format!("{count} customers are {verb}")),
        };
        let parts = [customers(self.talking, "talking to you"), customers(self.waiting, "waiting")];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// The customers whom a name fits, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitting {
    /// The ordinals and names of the customers that are listed.
    pub listed: Vec<(u32, String)>,
    /// How many came before these and are not listed.
    pub earlier: usize,
}

impl Fitting {
    /// The lines for a person.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let listed = self.listed.iter().map(|(ordinal, name)| format!("#{ordinal} {name}"));
        let earlier = (self.earlier > 0).then(|| format!("and {} before them", self.earlier));
        listed.chain(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::{Customers, Fitting, Listed, Prompt};

    #[test]
    fn the_prompt_names_the_customer_in_focus_or_counts_those_who_are_there() {
        let who = || "#2 Ann".to_owned();
        let nobody = |talking, waiting| Prompt::Nobody(Customers { talking, waiting }).to_string();
        let customer = |is_connected, is_typing| {
            Prompt::Customer { who: who(), is_connected, is_typing }.to_string()
        };
        assert_eq!(
            [customer(true, false), customer(true, true), customer(false, false)],
            ["#2 Ann", "typing, #2 Ann", "offline, #2 Ann"]
        );
        assert_eq!(
            [nobody(0, 0), nobody(0, 3), nobody(1, 0), nobody(1, 3)],
            ["nobody", "nobody, 3 waiting", "nobody, 1 open", "nobody, 1 open, 3 waiting"]
        );
    }

    #[test]
    fn customers_are_counted_in_the_singular_and_in_the_plural() {
        let text = |talking, waiting| Customers { talking, waiting }.to_string();
        assert_eq!(text(1, 0), "1 customer is talking to you");
        assert_eq!(text(2, 1), "2 customers are talking to you, 1 customer is waiting");
    }

    #[test]
    fn a_list_says_of_each_customer_how_they_are() {
        let who = || "#2 Ann".to_owned();
        let waiting = |position, is_connected, reason: Option<&str>| {
            let reason = reason.map(str::to_owned);
            Listed::Waiting { who: who(), position, is_connected, reason }.to_string()
        };
        assert_eq!(
            waiting(Some(3), false, Some("lost parcel")),
            "#2 Ann is waiting, number 3 in the queue, not connected: lost parcel"
        );
        assert_eq!(
            waiting(None, false, Some("lost parcel")),
            "#2 Ann is waiting, not connected, and counts in the queue again once they are: lost \
             parcel"
        );
        assert_eq!(
            Listed::Talking { who: who(), has_focus: true, is_connected: false }.to_string(),
            "#2 Ann is talking to you, gets your lines, not connected"
        );
    }

    #[test]
    fn customers_that_are_not_listed_are_counted() {
        let fitting = Fitting { listed: vec![(8, "Bo".to_owned())], earlier: 7 };
        assert_eq!(fitting.lines().collect::<Vec<_>>(), ["#8 Bo", "and 7 before them"]);
    }
}
