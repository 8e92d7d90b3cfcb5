//! The lists that an agent can ask a desk for: the customers who talk and wait, the agents, the
//! blocked customers, and the customers whom a name fits. Typed facts, and the words of each. A
//! customer is named as the agent knows them.

use std::fmt;
use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation;

use super::Presence;
use crate::core::department::{Department, Need};
use crate::core::record::{Blocked, BlockedBy};
use crate::core::text::Line;

/// The most letters of a customer's line in a list.
pub const EXCERPT_LETTERS: usize = 60;

/// One line of `/list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Nobody talks and nobody waits.
    Nobody,
    /// This customer talks to an agent.
    Talking {
        /// The customer.
        who: String,
        /// The agent who has the customer, if that is not the one who looks.
        agent: Option<String>,
        /// Whether that agent offers the customer to the one who looks.
        is_offered: bool,
        /// Whether the customer gets the agent's next line.
        has_focus: bool,
        /// Whether the customer is connected.
        is_connected: bool,
        /// Whether the customer types.
        is_typing: bool,
        /// What the customer's agent is typing. Only leads see it.
        draft: Option<String>,
        /// Whether the agent has asked the customer to be patient.
        is_on_hold: bool,
        /// The other agents who have the conversation open.
        readers: Vec<String>,
        /// The customer's department and language.
        need: Need,
        /// How many lines of the customer have no answer, and since when; `None` if all have one.
        unanswered: Option<(u32, Duration)>,
        /// Whether an agent has said anything since the customer asked for one.
        is_answered: bool,
        /// The customer's latest line.
        last: Option<String>,
        /// The conversation's tags.
        tags: Vec<String>,
    },
    /// This customer waits.
    Waiting {
        /// The customer.
        who: String,
        /// The agent who is accepting the customer, if somebody is and there are several agents.
        agent: Option<String>,
        /// Whether another agent offers the customer to the one who looks.
        is_offered: bool,
        /// The customer's position; `None` if they do not count until they are connected again.
        position: Option<u32>,
        /// Whether the customer is connected.
        is_connected: bool,
        /// How long the customer has waited.
        waited: Duration,
        /// The customer's department and language.
        need: Need,
        /// Whether no agent of the department is here, so that the customer waits for everybody.
        is_unattended: bool,
        /// Why the customer waits, if the bot gave a reason.
        reason: Option<String>,
        /// What the customer typed last while they waited.
        last: Option<String>,
        /// The conversation's tags.
        tags: Vec<String>,
    },
    /// An agent of the desk.
    Agent(Colleague),
    /// The desk turns nobody away.
    NobodyBlocked,
    /// The desk turns this customer away.
    Blocked {
        /// The block.
        block: Blocked,
        /// When it ends, as people read it.
        until: String,
    },
}

/// An agent, as the others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colleague {
    /// The agent's own name.
    pub name: String,
    /// The name that customers see.
    pub shown_as: Option<String>,
    /// Whether the agent is a lead.
    pub is_lead: bool,
    /// The departments that the agent serves; none: all.
    pub departments: Vec<Department>,
    /// How many customers the agent has.
    pub customers: usize,
    /// Whether the agent is there.
    pub presence: Presence,
    /// What the agent said when they went away.
    pub why: Option<String>,
}

impl fmt::Display for Colleague {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(shown) = self.shown_as.as_deref().filter(|shown| *shown != self.name) {
            write!(f, " (customers see {})", Line(shown))?;
        }
        f.write_str(if self.is_lead { ", lead" } else { "" })?;
        if !self.departments.is_empty() {
            write!(f, ", for {}", listed(&self.departments))?;
        }
        let customers = if self.customers == 1 { "customer" } else { "customers" };
        f.write_str(match self.presence {
            Presence::Here => "  here",
            Presence::Away => "  away",
            Presence::Missed => "  not connected",
            Presence::Gone | Presence::Revoked => "  gone",
        })?;
        if let Some(why) = &self.why {
            write!(f, ": {}", Line(why))?;
        }
        write!(f, ", {} {customers}", self.customers)
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signs = |need: &Need, signs: &[(bool, &str)]| {
            let there = signs.iter().filter(|(is, _)| *is).map(|(_, sign)| *sign);
            let there: Vec<_> = need.signs().chain(there).collect();
            if there.is_empty() { String::new() } else { format!(" ({})", there.join(", ")) }
        };
        let mut drafts = None;
        let (last, tags) = match self {
            Listed::Nobody => return f.write_str("nobody is talking, nobody is waiting"),
            Listed::Agent(colleague) => return colleague.fmt(f),
            Listed::NobodyBlocked => return f.write_str("nobody is blocked"),
            Listed::Blocked { block, until } => {
                let by = match block.by {
                    BlockedBy::Conversation { .. } => "this conversation and those that follow it",
                    BlockedBy::Identity(_) => "the verified identity",
                    BlockedBy::Address(_) => "the address",
                };
                let (ordinal, called) = (block.ordinal, Line(&block.called));
                return write!(f, "#{ordinal} {called}  blocked until {until}: {by}");
            }
            Listed::Talking {
                who,
                agent,
                is_offered,
                has_focus,
                is_connected,
                is_typing,
                draft,
                is_on_hold,
                readers,
                need,
                unanswered,
                is_answered,
                last,
                tags,
            } => {
                drafts = agent.as_deref().zip(draft.as_deref());
                let read = format!("open at {}", readers.join(" and "));
                let signs = signs(
                    need,
                    &[
                        (*is_offered, "offered to you"),
                        (!readers.is_empty(), &*read),
                        (*has_focus, "gets your lines"),
                        (*is_on_hold, "on hold"),
                        (*is_typing, "is typing"),
                        (!is_connected, "not connected"),
                    ],
                );
                let of = agent.as_ref().map(|agent| format!("  {agent}:")).unwrap_or_default();
                let has = if *is_answered { "has every answer" } else { "has heard nothing yet" };
                match (unanswered, agent) {
                    (Some((lines, since)), _) => {
                        write!(f, "{who}{signs}{of}  {lines} new, oldest {}", Elapsed(*since))
                    }
                    (None, None) => write!(f, "{who}{signs}  talks to you, {has}"),
                    (None, Some(_)) => write!(f, "{who}{signs}{of}  {has}"),
                }?;
                (last, tags)
            }
            Listed::Waiting {
                who,
                agent,
                is_offered,
                position,
                is_connected,
                waited,
                need,
                is_unattended,
                reason,
                last,
                tags,
            } => {
                let taken = format!("{} accepts", agent.as_deref().unwrap_or_default());
                let signs = signs(
                    need,
                    &[
                        (agent.is_some(), &*taken),
                        (*is_offered, "offered to you"),
                        (!is_connected, "not connected"),
                    ],
                );
                write!(f, "{who}{signs}  waits {}", Elapsed(*waited))?;
                match position {
                    Some(position) => write!(f, ", number {position} in the queue"),
                    None => f.write_str(", counts in the queue again once they are connected"),
                }?;
                if let Some(department) = need.department.as_ref().filter(|_| *is_unattended) {
                    write!(f, " (nobody of {department} is here)")?;
                }
                if let Some(reason) = reason {
                    write!(f, ": {}", Line(reason))?;
                }
                (last, tags)
            }
        };
        if let Some(last) = last {
            write!(f, "  \"{}\"", Line(&excerpt(last, EXCERPT_LETTERS)))?;
        }
        if let Some((agent, draft)) = drafts {
            write!(f, "  {agent} types \"{}\"", Line(draft))?;
        }
        if tags.is_empty() { Ok(()) } else { write!(f, "  [{}]", Line(&tags.join(", "))) }
    }
}

/// The beginning of a line for a list: at most this many letters, in one row.
pub fn excerpt(line: &str, most: usize) -> String {
    let letters = line.graphemes(true);
    let mut letters = letters.map(|letter| if letter.ends_with('\n') { " " } else { letter });
    let beginning: String = letters.by_ref().take(most).collect();
    if letters.next().is_some() { beginning + "…" } else { beginning }
}

/// Departments or languages, as they are listed: `returns, billing`.
pub fn listed<T: fmt::Display>(all: &[T]) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// A time as people read it on a clock: `0:40`, `12:05`, `1:00:00`.
pub(super) struct Elapsed(pub(super) Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, seconds) = (self.0.as_secs() / 60, self.0.as_secs() % 60);
        match minutes {
            0..60 => write!(f, "{minutes}:{seconds:02}"),
            _ => write!(f, "{}:{:02}:{seconds:02}", minutes / 60, minutes % 60),
        }
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
    use std::time::Duration;

    use super::{Fitting, Listed};
    use crate::core::department::{Department, Language, Need};

    #[test]
    fn a_list_shows_each_customers_state() {
        let waiting = |position, is_connected, reason: Option<&str>, last: Option<&str>| {
            let (reason, last) = (reason.map(str::to_owned), last.map(str::to_owned));
            let waited = Duration::from_secs(40);
            let (who, agent) = ("#2 Ann".to_owned(), None);
            let need = Need::default();
            let is_unattended = false;
            Listed::Waiting {
                who,
                agent,
                is_offered: false,
                position,
                is_connected,
                waited,
                need,
                is_unattended,
                reason,
                last,
                tags: vec!["refund".to_owned()],
            }
            .to_string()
        };
        assert_eq!(
            waiting(Some(3), true, Some("lost parcel"), Some("hello?")),
            "#2 Ann  waits 0:40, number 3 in the queue: lost parcel  \"hello?\"  [refund]"
        );
        assert_eq!(
            waiting(None, false, None, None),
            "#2 Ann (not connected)  waits 0:40, \
             counts in the queue again once they are connected  [refund]"
        );
        let talking = |has_focus, is_connected, lines: Option<u32>, last: &str| {
            let unanswered = lines.map(|lines| (lines, Duration::from_secs(130)));
            let (who, last, is_typing) = ("#2 Ann".to_owned(), Some(last.to_owned()), true);
            let (agent, readers) = (None, Vec::new());
            Listed::Talking {
                who,
                agent,
                is_offered: false,
                has_focus,
                is_connected,
                is_typing,
                draft: None,
                is_on_hold: !has_focus,
                readers,
                need: Need {
                    department: Department::new("returns"),
                    language: Language::new("de"),
                },
                unanswered,
                is_answered: has_focus,
                last,
                tags: Vec::new(),
            }
            .to_string()
        };
        assert_eq!(
            talking(false, true, Some(4), "bo@example.com"),
            "#2 Ann (returns, de, on hold, is typing)  4 new, oldest 2:10  \"bo@example.com\""
        );
        assert_eq!(
            talking(true, false, None, &"x".repeat(70)),
            format!(
                "#2 Ann (returns, de, gets your lines, is typing, not connected)  \
                 talks to you, has every answer  \"{}…\"",
                "x".repeat(60)
            )
        );
    }

    #[test]
    fn customers_that_are_not_listed_are_counted() {
        let fitting = Fitting { listed: vec![(8, "Bo".to_owned())], earlier: 7 };
        assert_eq!(fitting.lines().collect::<Vec<_>>(), ["#8 Bo", "and 7 before them"]);
    }
}
