//! News: what a core tells a person besides states, messages and links. Typed facts, and the
//! sentence of each.

use std::fmt;

use serde::{Serialize, Serializer};

use super::LinkFault;
use crate::core::department::Department;
use crate::core::text::Line;
use crate::wire::Number;

/// News of the customer's side for the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerNews {
    /// A button that is a link was chosen: the URL.
    LinkChosen(String),
    /// The bot could not be asked: why.
    BotFailed(String),
    /// The bot has not answered for a while.
    BotSlow,
    /// The bot answered nothing.
    BotSilent {
        /// Whether it may be paused since the handoff.
        may_be_paused: bool,
    },
    /// The program ended while it asked the bot these lines. Nobody knows whether the bot got them.
    BotMayNotHave(Vec<Box<str>>),
    /// The bot knows that it owns the conversation again, but not what people said.
    BotNotTold,
    /// The bot knows that it owns the conversation again, but does not answer yet.
    BotStillPaused,
    /// The bot cannot learn anything, because it has no API; the text says more.
    BotHasNoApi(String),
    /// The bot does not know yet what people said: a sentence says why.
    BotUntold(String),
    /// The bot may not know yet what people said: a sentence says why.
    BotMaybeUntold(String),
    /// The agent is not there any more. The customer is in the queue again, as the state says.
    AgentLeft,
    /// The same at a desk that sends no `requeue`: the state stays `active`, so this sentence also
    /// names the queue.
    AgentLeftStillActive,
    /// A desk has no record of the conversation that its agent had.
    DeskLostConversation,
    /// The desk is out of reach, and this side goes on trying.
    SeekingDesk,
    /// The desk sent an entry of a later version.
    UnknownEntry,
    /// A desk contradicted the former conversation. This one replaces it.
    StartedOver,
    /// This side gives up reaching the desk.
    Parted {
        /// The desk's address.
        address: String,
        /// Why.
        why: LinkFault,
    },
}

impl fmt::Display for CustomerNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CustomerNews::LinkChosen(url) => {
                write!(f, "this button opens a page, and the bot is not told: {}", Line(url))
            }
            CustomerNews::BotFailed(fault) => {
                write!(f, "{fault}; /again sends your line again, /human asks for a person")
            }
            CustomerNews::BotSlow => {
                f.write_str("the bot is slow to answer; /human asks for a person")
            }
            CustomerNews::BotSilent { may_be_paused: true } => f.write_str(
                "the bot gave no answer: it is probably still paused since the handoff; /human \
                 asks for a person",
            ),
            CustomerNews::BotSilent { may_be_paused: false } => {
                f.write_str("the bot gave no answer; /human asks for a person")
            }
            CustomerNews::BotMayNotHave(lines) => {
                let lines = lines.join(" / ");
                write!(f, "the bot may not have got this: {lines}; /again sends it again")
            }
            CustomerNews::BotNotTold => {
                f.write_str("the bot could not be told what was said without it")
            }
            CustomerNews::BotStillPaused => f.write_str(
                "the bot is still paused on its own side and may not answer; /human asks for a \
                 person",
            ),
            CustomerNews::BotHasNoApi(why) => write!(
                f,
                "{why}; it does not know what was said without it, and a bot that paused itself \
                 stays silent"
            ),
            CustomerNews::BotUntold(fault) => {
                write!(f, "the bot does not know yet what was said without it: {fault}")
            }
            CustomerNews::BotMaybeUntold(fault) => {
                write!(f, "the bot may not know yet what was said without it: {fault}")
            }
            CustomerNews::AgentLeft => f.write_str("nobody is with you for the moment"),
            CustomerNews::AgentLeftStillActive => {
                f.write_str("nobody is with you for the moment; you are the next in the queue")
            }
            CustomerNews::DeskLostConversation => f.write_str(
                "the desk lost what it knew of you; you are in its queue again, with all that was \
                 said",
            ),
            CustomerNews::SeekingDesk => {
                f.write_str("this side keeps trying to reach the desk; /bot goes back to the bot")
            }
            CustomerNews::UnknownEntry => f.write_str(
                "the desk sent something that this version cannot show; upgrade handoff",
            ),
            CustomerNews::StartedOver => f.write_str(
                "a new conversation goes on with all that was said and that the desk did not \
                 confirm",
            ),
            CustomerNews::Parted { address, why } => {
                write!(f, "not connected to {address}: {}", Line(&why.to_string()))
            }
        }
    }
}

/// News of a desk for its agent. A customer is named as the agent knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskNews {
    /// This customer begins to wait: their name.
    Called(String),
    /// This customer waits, and no agent of the department is here.
    Unattended {
        /// The customer's name.
        name: String,
        /// How many others began to wait like that at the same moment.
        others: usize,
        /// The department.
        department: Department,
        /// Whether any agent serves it.
        is_served: bool,
    },
    /// Only this customer has these entries of another desk.
    HeldElsewhere {
        /// The number of entries.
        entries: Number,
        /// The customer's name.
        name: String,
    },
    /// Only the customer has our entries with these numbers, because our journal was an old copy.
    HeldByCustomer {
        /// The customer.
        who: String,
        /// The first of the numbers.
        first: Number,
        /// The last of the numbers.
        last: Number,
    },
    /// The agents' lines since the restart have these numbers now.
    Moved {
        /// The customer.
        who: String,
        /// The first of the numbers.
        first: Number,
        /// The last of the numbers.
        last: Number,
    },
    /// The customer's side refused a control: why, in its words.
    Refused {
        /// The customer.
        who: String,
        /// The reason.
        why: String,
    },
    /// This customer is accepted, but not connected.
    AcceptedAway(String),
    /// A control for this customer, who is not connected, takes effect later.
    EndsLater(String),
    /// A blocked customer began another conversation and was turned away.
    TurnedAway {
        /// The customer.
        who: String,
        /// The number of the conversation in which they were blocked.
        blocked: u32,
    },
    /// A customer whose conversation has ended is blocked. The text is that of `/list blocked`.
    Blocked(String),
    /// This customer is not blocked any more.
    Unblocked(String),
    /// The desk has kept the agent's note about this customer, with whom the agent does not talk.
    Noted(String),
    /// An agent is back and has lost this customer meanwhile.
    LostMeanwhile {
        /// The customer.
        who: String,
        /// What happened to the customer.
        how: Lost,
    },
    /// No agent is here any more who can be given customers.
    NobodyIsHere,
}

/// What happened to a customer while their agent was not connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// This agent has them.
    Taken(String),
    /// They wait again.
    Requeued,
    /// The conversation has ended.
    Ended,
    /// They neither wait nor talk here.
    Gone,
}

impl fmt::Display for DeskNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeskNews::Called(name) => write!(f, "Hey! {name} wants to talk to you"),
            DeskNews::Unattended { name, others, department, is_served } => {
                f.write_str("Hey! ")?;
                write_unattended(f, (name, *others), "you", (department, *is_served))
            }
            DeskNews::HeldElsewhere { entries, name } => {
                write!(f, "{entries} entries of another desk are held by {name} only")
            }
            DeskNews::HeldByCustomer { who, first, last } => {
                write!(f, "{who}: {}", held_by_customer(*first, *last))
            }
            DeskNews::Moved { who, first, last } => {
                write!(f, "{who}: the agents' lines since the restart follow as {first}..{last}")
            }
            DeskNews::Refused { who, why } => {
                write!(f, "{who}: the customer's side refused: {}", Line(why))
            }
            DeskNews::AcceptedAway(who) => {
                write!(f, "{who} is not connected; you have them when they are back")
            }
            DeskNews::EndsLater(who) => {
                write!(f, "{who} is not connected; it takes effect when they are back")
            }
            DeskNews::TurnedAway { who, blocked } => {
                write!(f, "{who} is blocked (#{blocked}), and was turned away")
            }
            DeskNews::Blocked(how) => f.write_str(how),
            DeskNews::Unblocked(who) => write!(f, "{who} is not blocked any more"),
            DeskNews::Noted(who) => write!(f, "noted in {who}"),
            DeskNews::LostMeanwhile { who, how } => {
                write!(f, "{who} is not yours any more: ")?;
                match how {
                    Lost::Taken(agent) => write!(f, "{agent} has them"),
                    Lost::Requeued => f.write_str("they wait again"),
                    Lost::Ended => f.write_str("the conversation has ended"),
                    Lost::Gone => f.write_str("they neither wait nor talk here"),
                }
            }
            DeskNews::NobodyIsHere => {
                f.write_str("no agent is here: customers wait until one is back")
            }
        }
    }
}

/// News of a desk in the words of its log. Nobody sits where the log is written, so it calls nobody
/// "you".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged(pub DeskNews);

impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            DeskNews::Called(name) => write!(f, "{name} wants to talk to an agent"),
            DeskNews::Unattended { name, others, department, is_served } => {
                write_unattended(f, (name, *others), "an agent", (department, *is_served))
            }
            news => news.fmt(f),
        }
    }
}

/// The sentence about customers who want to talk `to` somebody, and whose department has no agent
/// here.
fn write_unattended(
    f: &mut fmt::Formatter<'_>,
    (name, others): (&str, usize),
    to: &str,
    (department, is_served): (&Department, bool),
) -> fmt::Result {
    match others {
        0 => write!(f, "{name} wants"),
        1 => write!(f, "{name} and 1 other want"),
        others => write!(f, "{name} and {others} others want"),
    }?;
    let why = if is_served {
        format!("nobody of {department} is here")
    } else {
        format!("nobody serves {department}")
    };
    write!(f, " to talk to {to}: {why}")
}

/// The journal's note on entries of a desk that only the customer has.
pub fn held_by_customer(first: Number, last: Number) -> String {
    format!("lines {first}..{last} are held by the customer only")
}

/// News of one of the two sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// For the customer.
    Customer(CustomerNews),
    /// For the agent.
    Desk(DeskNews),
    /// For the log of a desk at which nobody sits.
    Log(Logged),
    /// A sentence that a desk made for an agent at another terminal.
    Sentence(String),
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            News::Customer(news) => news.fmt(f),
            News::Desk(news) => news.fmt(f),
            News::Log(news) => news.fmt(f),
            News::Sentence(text) => f.write_str(text),
        }
    }
}

impl Serialize for News {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
