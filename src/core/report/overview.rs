//! What a desk shows its agent when asked: the customers who talk and wait, the prompt, and the
//! customers whom a name fits. Typed facts, and the words of each. A customer is named as the agent
//! knows them.

use std::fmt;
use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation;

use super::{Presence, moment};
use crate::core::delivery::Mark;
use crate::core::department::{Department, Language, Need};
use crate::core::record::{Blocked, BlockedBy, Ending};
use crate::core::text::Line;

/// The letters of a line that a list shows.
const EXCERPT_LETTERS: usize = 60;
/// The prompt says in such steps how long somebody has waited: each step draws it anew.
pub(super) const PROMPT_STEP: Duration = Duration::from_secs(10);

/// One line of `/list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Nobody talks and nobody waits.
    Nobody,
    /// This customer talks to an agent.
    Talking {
        /// The customer.
        who: String,
        /// The agent who has the customer, if that is another one.
        agent: Option<String>,
        /// Whether that agent offers the customer to the one who looks.
        is_offered: bool,
        /// Whether the customer gets the agent's next line.
        has_focus: bool,
        /// Whether the customer is connected.
        is_connected: bool,
        /// Whether the customer types.
        is_typing: bool,
        /// Whether the agent has asked the customer to be patient.
        is_on_hold: bool,
        /// Other agents at whose seats the conversation is open.
        readers: Vec<String>,
        /// The customer's department and language.
        need: Need,
        /// How many lines of the customer have no answer, and since when; `None` if all have one.
        unanswered: Option<(u32, Duration)>,
        /// The customer's latest line.
        last: Option<String>,
        /// How agents have marked the conversation.
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
        /// How agents have marked the conversation.
        tags: Vec<String>,
    },
    /// An agent of the desk.
    Agent(Colleague),
    /// The desk turns nobody away.
    NobodyBlocked,
    /// The desk turns this customer away.
    Blocked(Blocked),
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
        let (last, tags) = match self {
            Listed::Nobody => return f.write_str("nobody is talking, nobody is waiting"),
            Listed::Agent(colleague) => return colleague.fmt(f),
            Listed::NobodyBlocked => return f.write_str("nobody is blocked"),
            Listed::Blocked(block) => {
                let by = match block.by {
                    BlockedBy::Conversation { .. } => "this conversation and those behind it",
                    BlockedBy::Identity(_) => "the verified identity",
                    BlockedBy::Address(_) => "the address",
                };
                let (ordinal, called) = (block.ordinal, Line(&block.called));
                let until = moment(block.until / 1000 * 1000);
                return write!(f, "#{ordinal} {called}  blocked until {until}: {by}");
            }
            Listed::Talking {
                who,
                agent,
                is_offered,
                has_focus,
                is_connected,
                is_typing,
                is_on_hold,
                readers,
                need,
                unanswered,
                last,
                tags,
            } => {
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
                match (unanswered, agent) {
                    (Some((lines, since)), _) => {
                        write!(f, "{who}{signs}{of}  {lines} new, oldest {}", Elapsed(*since))
                    }
                    (None, None) => write!(f, "{who}{signs}  talks to you, has every answer"),
                    (None, Some(_)) => write!(f, "{who}{signs}{of}  has every answer"),
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
        if tags.is_empty() { Ok(()) } else { write!(f, "  [{}]", Line(&tags.join(", "))) }
    }
}

/// The beginning of a line, as it is shown in a list: at most this many letters, in one row.
pub fn excerpt(line: &str, most: usize) -> String {
    let letters = line.graphemes(true);
    let mut letters = letters.map(|letter| if letter.ends_with('\n') { " " } else { letter });
    let beginning: String = letters.by_ref().take(most).collect();
    if letters.next().is_some() { beginning + "…" } else { beginning }
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

/// What a prompt shows: who gets the agent's next line, and who else is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Who gets the next line.
    pub focus: Option<Focus>,
    /// Who is there.
    pub customers: Customers,
    /// How long the first customer in the queue has waited.
    pub waited: Duration,
    /// How many lines of customers without the focus the agent has not gone to.
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

    /// The same for somebody who has no prompt: said in a line of its own whenever it changes, and so
    /// without times.
    pub fn spoken(&self, mark: Mark) -> String {
        let focus = self.focus.as_ref().map(|focus| {
            let signs = match focus {
                Focus { ending: Some(Ending::Close), .. } => ", whose conversation is being closed",
                Focus { ending: Some(Ending::HandBack), .. } => ", who is being handed back",
                Focus { is_connected: false, .. } => ", who is not connected",
                Focus { is_on_hold: true, .. } => ", who is on hold",
                Focus { is_typing: true, .. } => ", who is typing",
                Focus { .. } => "",
            };
            format!("your lines go to {}{signs}", focus.who)
        });
        let mark = match mark {
            Mark::None => None,
            Mark::Delivered => Some("the last one is delivered".to_owned()),
            Mark::Seen => Some("the last one was seen".to_owned()),
        };
        let count = |count: u64, of: &str| (count > 0).then(|| format!("{count} {of}"));
        let waiting = count(self.customers.waiting as u64, "waiting");
        let parts = [focus, mark, waiting, count(self.unread.into(), "unread")];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
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

    /// The time that a prompt shows for somebody who has waited for this time.
    pub fn shown_wait(waited: Duration) -> Duration {
        let step = PROMPT_STEP.as_secs();
        Duration::from_secs(waited.as_secs() / step * step)
    }

    /// The time that it shows next.
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

/// Who needs an agent: what an agent is called for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alert {
    /// How many customers wait.
    pub waiting: usize,
    /// How long the first of them has waited.
    pub waited: Duration,
    /// How many lines the agent has not gone to.
    pub unread: u32,
    /// Whether no agent is here who can be given customers.
    pub is_nobody_here: bool,
    /// The departments of those who wait, in their order; of many only the first ones.
    pub departments: Vec<Department>,
    /// The languages of those who wait, likewise.
    pub languages: Vec<Language>,
    /// A department none of whose agents is here, so that its customers wait for everybody.
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

/// Departments or languages, as they are listed: `returns, billing`.
pub fn listed<T: fmt::Display>(all: &[T]) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
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
    use std::time::Duration;

    use super::{Alert, Customers, Fitting, Focus, Listed, Prompt};
    use crate::core::delivery::Mark;
    use crate::core::department::{Department, Language, Need};

    fn ann() -> String {
        "#2 Ann".to_owned()
    }

    #[test]
    fn the_prompt_names_the_customer_in_focus_and_counts_who_else_is_there() {
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
        assert_eq!(
            prompt(true, true, (2, 1), 49, 2).spoken(Mark::Seen),
            "your lines go to #2 Ann, who is typing; the last one was seen; 1 waiting; 2 unread"
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
    fn a_list_says_of_each_customer_how_they_are() {
        let waiting = |position, is_connected, reason: Option<&str>, last: Option<&str>| {
            let (reason, last) = (reason.map(str::to_owned), last.map(str::to_owned));
            let waited = Duration::from_secs(40);
            let (who, agent) = (ann(), None);
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
            "#2 Ann (not connected)  waits 0:40, counts in the queue again once they are connected  [refund]"
        );
        let talking = |has_focus, is_connected, lines: Option<u32>, last: &str| {
            let unanswered = lines.map(|lines| (lines, Duration::from_secs(130)));
            let (who, last, is_typing) = (ann(), Some(last.to_owned()), true);
            let (agent, readers) = (None, Vec::new());
            Listed::Talking {
                who,
                agent,
                is_offered: false,
                has_focus,
                is_connected,
                is_typing,
                is_on_hold: !has_focus,
                readers,
                need: Need {
                    department: Department::new("returns"),
                    language: Language::new("de"),
                },
                unanswered,
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
                "#2 Ann (returns, de, gets your lines, is typing, not connected)  talks to you, has every \
                 answer  \
                 \"{}…\"",
                "x".repeat(60)
            )
        );
    }

    #[test]
    fn an_alert_says_who_needs_an_agent() {
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
        let all = "nobody of returns is here, 2 customers are waiting (the first 1:10) for returns, \
                   billing";
        assert_eq!(alert.to_string(), all);
    }

    #[test]
    fn customers_that_are_not_listed_are_counted() {
        let fitting = Fitting { listed: vec![(8, "Bo".to_owned())], earlier: 7 };
        assert_eq!(fitting.lines().collect::<Vec<_>>(), ["#8 Bo", "and 7 before them"]);
    }
}
