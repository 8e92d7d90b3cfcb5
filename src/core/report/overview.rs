//! What a desk shows its agent unasked: the prompt, and calls when an agent is needed. Typed facts,
//! and the words of each. A customer is named as the agent knows them.

use std::fmt;
use std::time::Duration;

use super::listed::{Elapsed, listed};
use super::spoken::{Addressee, Spoken};
use crate::core::delivery::Mark;
use crate::core::department::{Department, Language};
use crate::core::record::Ending;

/// The time in a prompt grows in steps of this length, because each new text draws the prompt
/// again.
pub(super) const PROMPT_STEP: Duration = Duration::from_secs(10);

/// The content of a prompt: the customer who gets the agent's next line, and how many others there
/// are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The customer who gets the next line.
    pub focus: Option<Focus>,
    /// How many customers there are.
    pub customers: Customers,
    /// The longest time that one of the waiting customers has waited.
    pub waited: Duration,
    /// How many lines are unread: the agent has not gone to their customers since.
    pub unread: u32,
}

/// The customer who gets the agent's next line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    /// The customer.
    pub who: String,
    /// Whether the customer is connected.
    pub is_connected: bool,
    /// Whether the customer types.
    pub is_typing: bool,
    /// Whether the agent has asked the customer to be patient.
    pub is_on_hold: bool,
    /// How the conversation is about to end, if it is.
    pub ending: Option<Ending>,
}

impl Prompt {
    /// The prompt for a narrow window: `#3 Cleo · 1w 2u`.
    pub fn short(&self) -> String {
        let counts = [(self.customers.waiting as u64, 'w'), (self.unread.into(), 'u')];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts.map(|(count, of)| format!("{count}{of}")).collect();
        let gap = if counts.is_empty() { "" } else { " · " };
        format!("{}{gap}{}", self.head(), counts.join(" "))
    }

    /// The same for a person without a prompt.
    pub fn spoken(&self, mark: Mark) -> Spoken {
        let to = self.focus.as_ref().map(|focus| Addressee {
            who: focus.who.clone(),
            signs: match focus {
                Focus { ending: Some(Ending::Close), .. } => ", whose conversation is being closed",
                Focus { ending: Some(Ending::HandBack), .. } => ", who is being handed back",
                Focus { is_connected: false, .. } => ", who is not connected",
                Focus { is_on_hold: true, .. } => ", who is on hold",
                Focus { .. } => "",
            },
        });
        let types = self.focus.as_ref().filter(|focus| focus.is_typing);
        let Customers { talking, waiting } = self.customers;
        let typing = types.map(|focus| focus.who.clone());
        Spoken { to, typing, mark, talking, waiting, unread: self.unread }
    }

    fn head(&self) -> String {
        match &self.focus {
            Some(Focus { who, ending: Some(Ending::Close), .. }) => format!("closing, {who}"),
            Some(Focus { who, ending: Some(Ending::HandBack), .. }) => {
                format!("handing back, {who}")
            }
            Some(Focus { who, is_connected: false, .. }) => format!("offline, {who}"),
            Some(Focus { who, is_on_hold: true, .. }) => format!("on hold, {who}"),
            Some(Focus { who, is_typing: true, .. }) => format!("typing, {who}"),
            Some(Focus { who, .. }) => who.clone(),
            None => "nobody".to_owned(),
        }
    }

    /// The time that a prompt shows for a customer who has waited for `waited`.
    pub fn shown_wait(waited: Duration) -> Duration {
        let step = PROMPT_STEP.as_secs();
        Duration::from_secs(waited.as_secs() / step * step)
    }

    /// The next time that the prompt shows.
    pub fn next_step(waited: Duration) -> Duration {
        Prompt::shown_wait(waited) + PROMPT_STEP
    }
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head())?;
        let Customers { talking, waiting } = self.customers;
        if self.focus.is_none() && talking > 0 {
            write!(f, " · {talking} open")?;
        }
        if waiting > 0 {
            write!(f, " · {waiting} waiting")?;
            let waited = Prompt::shown_wait(self.waited);
            if !waited.is_zero() {
                write!(f, " ({})", Elapsed(waited))?;
            }
        }
        if self.unread > 0 {
            write!(f, " · {} unread", self.unread)?;
        }
        Ok(())
    }
}

/// Why an agent is called: how many customers need one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alert {
    /// How many customers wait.
    pub waiting: usize,
    /// How long the first of them has waited.
    pub waited: Duration,
    /// How many lines are unread.
    pub unread: u32,
    /// Whether an agent was called for the same customers and lines before.
    pub is_repeat: bool,
    /// Whether no agent is here who can be given customers.
    pub is_nobody_here: bool,
    /// The departments of the waiting customers, in the queue's order. If there are many, only the
    /// first ones.
    pub departments: Vec<Department>,
    /// The languages of the waiting customers, in the same way.
    pub languages: Vec<Language>,
    /// A department without an agent here, so that its customers are for all agents.
    pub unattended: Option<Department>,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Alert { waiting, waited, unread, is_nobody_here, departments, unattended, .. } = self;
        let of = match departments[..] {
            [] => String::new(),
            _ => format!(" for {}", listed(departments)),
        };
        let waiting = match waiting {
            0 => None,
            1 => Some(format!("1 customer is waiting ({}){of}", Elapsed(*waited))),
            count => {
                let waited = Elapsed(*waited);
                Some(format!("{count} customers are waiting (the first {waited}){of}"))
            }
        };
        let unread = match unread {
            0 => None,
            1 => Some("1 line is unread".to_owned()),
            count => Some(format!("{count} lines are unread")),
        };
        let nobody = is_nobody_here.then(|| "no agent is here".to_owned());
        let unattended = unattended.as_ref().filter(|_| !is_nobody_here);
        let nobody = nobody.or(unattended.map(|it| format!("nobody of {it} is here")));
        let parts: Vec<_> = [nobody, waiting, unread].into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "you have a customer" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// How many customers talk to the agent, and how many wait.
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
    /// Writes how many there are, or nothing if there are none.
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

/// The customers of an agent who leaves their last terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// How many customers there are.
    pub customers: usize,
    /// The time after which they wait again, if the agent does not come back.
    pub grace: Duration,
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grace = self.grace.as_secs();
        match self.customers {
            1 => write!(f, "you have 1 customer, who waits again after {grace} s without you"),
            many => {
                write!(f, "you have {many} customers, who wait again after {grace} s without you")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Alert, Customers, Focus, Prompt, Spoken};
    use crate::core::delivery::Mark;
    use crate::core::department::Department;

    fn ann() -> String {
        "#2 Ann".to_owned()
    }

    #[test]
    fn the_prompt_names_the_customer_in_focus_and_counts_the_others() {
        let prompt = |is_connected, is_typing, (talking, waiting), waited, unread| {
            let focus = Some(Focus {
                who: ann(),
                is_connected,
                is_typing,
                is_on_hold: false,
                ending: None,
            });
            let customers = Customers { talking, waiting };
            Prompt { focus, customers, waited: Duration::from_secs(waited), unread }
        };
        let with = |is_connected, is_typing, customers, waited, unread| {
            prompt(is_connected, is_typing, customers, waited, unread).to_string()
        };
        assert_eq!(
            [
                with(true, false, (1, 0), 0, 0),
                with(true, true, (2, 1), 9, 0),
                with(false, false, (2, 1), 49, 2),
            ],
            [
                "#2 Ann",
                "typing, #2 Ann · 1 waiting",
                "offline, #2 Ann · 1 waiting (0:40) · 2 unread"
            ]
        );
        assert_eq!(prompt(true, true, (2, 1), 49, 2).short(), "typing, #2 Ann · 1w 2u");
        let spoken = prompt(false, true, (2, 1), 49, 2).spoken(Mark::Seen);
        assert_eq!(
            spoken.since(&Spoken::NOTHING, false),
            "your lines go to #2 Ann, who is not connected; #2 Ann is typing; \
             your last line was seen; 1 waiting; 2 unread"
        );
        assert_eq!(prompt(true, false, (2, 0), 0, 0).short(), "#2 Ann");
        let nobody = |customers, waited| {
            Prompt { focus: None, ..prompt(true, false, customers, waited, 0) }.to_string()
        };
        assert_eq!(
            [nobody((0, 0), 0), nobody((0, 3), 3725), nobody((1, 0), 0), nobody((1, 3), 600)],
            [
                "nobody",
                "nobody · 3 waiting (1:02:00)",
                "nobody · 1 open",
                "nobody · 1 open · 3 waiting (10:00)"
            ]
        );
    }

    #[test]
    fn customers_are_counted_in_the_singular_and_in_the_plural() {
        let text = |talking, waiting| Customers { talking, waiting }.to_string();
        assert_eq!(text(1, 0), "1 customer is talking to you");
        assert_eq!(text(2, 1), "2 customers are talking to you, 1 customer is waiting");
    }

    #[test]
    fn an_alert_counts_the_customers_who_need_an_agent() {
        let text = |waiting, unread| {
            let waited = Duration::from_secs(70);
            Alert { waiting, waited, unread, ..Alert::default() }
        };
        assert_eq!(text(1, 0).to_string(), "1 customer is waiting (1:10)");
        let all = "2 customers are waiting (the first 1:10), 3 lines are unread";
        assert_eq!(text(2, 3).to_string(), all);
        assert_eq!(text(0, 1).to_string(), "1 line is unread");
        assert_eq!(text(0, 0).to_string(), "you have a customer");
        let department = |name| Department::new(name).expect("a name");
        let departments = vec![department("returns"), department("billing")];
        let unattended = Some(department("returns"));
        let alert = Alert { departments, unattended, ..text(2, 0) };
        let all = "nobody of returns is here, \
                   2 customers are waiting (the first 1:10) for returns, billing";
        assert_eq!(alert.to_string(), all);
    }
}
