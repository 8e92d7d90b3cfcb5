//! What a program tells the person or script in front of it: the one vocabulary of both modes.
//!
//! `session` and `desk` make reports, `term` shows them: as lines for a person, or with `--json`
//! as one object a line, `{"event":NAME, …}`. Fields and names are a stable interface; they are
//! written out in `docs/JSON.md`.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::department::Need;
use super::record::Ending;
use crate::wire::{
    Author, Button, ConversationId, Custom, EndReason, Millis, Number, Page, Said, State,
};

pub use brief::in_brief;
pub use desk_link::{DeskTrouble, LEAVING, LinkFault, why_refused};
pub use found::Found;
pub use goodbye::Goodbye;
pub use listed::{Colleague, EXCERPT_LETTERS, Fitting, Listed, excerpt, listed};
pub use news::{CustomerNews, DeskNews, Lost, News, held_by_customer};
pub use overview::{Alert, Customers, Focus, LeftBehind, Prompt};
pub use refusal::{AgentRefusal, Choice, CustomerRefusal};

mod brief;
mod desk_link;
mod found;
mod goodbye;
mod listed;
mod news;
mod overview;
mod refusal;

/// One thing told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Report {
    /// The program is up; the first report of every process.
    Ready {
        /// `user`, `admin` or `bot`.
        mode: &'static str,
        /// The real address of a listener, port 0 resolved.
        #[serde(skip_serializing_if = "Option::is_none")]
        listen: Option<SocketAddr>,
        /// The key of a listener that speaks TLS, as people compare it.
        #[serde(skip_serializing_if = "Option::is_none")]
        fingerprint: Option<String>,
        /// How customers reach a gateway.
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// Where a conversation is now.
    State {
        /// Which one.
        conversation: ConversationId,
        /// At a desk: its number there, by which commands name it.
        #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
        ordinal: Option<u32>,
        /// At a desk: what the customer is called there.
        #[serde(skip_serializing_if = "Option::is_none")]
        customer: Option<String>,
        /// At a desk: the conversation that the customer had before.
        #[serde(skip_serializing_if = "Option::is_none")]
        former: Option<Earlier>,
        /// The state, as both sides know it.
        state: State,
        /// The place in the queue, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        position: Option<u32>,
        /// False: all agents are away or gone. True: one is here again.
        #[serde(skip_serializing_if = "Option::is_none")]
        attended: Option<bool>,
        /// The name of the agent, as customers see it, where one was given.
        #[serde(skip_serializing_if = "Option::is_none")]
        admin: Option<String>,
        /// At a desk with several agents: the agent's own name.
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
        /// True: the agent has asked the customer to be patient. False: and goes on now.
        #[serde(skip_serializing_if = "Option::is_none")]
        on_hold: Option<bool>,
        /// Whether another agent than the one at this seat has the conversation; for people only.
        #[serde(skip)]
        is_elsewhere: bool,
        /// At a desk: the department and the language of a customer who waits or talks.
        #[serde(flatten)]
        need: Need,
        /// Why it got here, where there is more than one way.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// Something was said.
    Message(Told),
    /// How the connection to the other side is.
    Link {
        /// Of which conversation.
        conversation: ConversationId,
        /// Its number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// What the customer is called at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// How it is now.
        link: Link,
        /// The desk's address as the user gave it; at the desk the customer's address.
        desk: String,
        /// Why it was lost.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Whether it was lost for good: nobody dials again. For people only.
        #[serde(skip)]
        parted: bool,
        /// Whether `why` says all, because there was no connection. For people only.
        #[serde(skip)]
        unreached: bool,
    },
    /// From where a customer uses a gateway.
    Page {
        /// Of which conversation.
        conversation: ConversationId,
        /// Its number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// What the customer is called at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// What is known.
        #[serde(flatten)]
        page: Page,
    },
    /// Own entries up to `number` are durable at the other side.
    Delivered {
        /// Of which conversation.
        conversation: ConversationId,
        /// The highest such number.
        number: Number,
    },
    /// Own entries up to `number` were shown at the other side.
    Seen {
        /// Of which conversation.
        conversation: ConversationId,
        /// The highest such number.
        number: Number,
    },
    /// A person at the other side types: a sign, which counts for 6 s.
    Typing {
        /// In which conversation.
        conversation: ConversationId,
    },
    /// How many lines of a customer have no answer, whenever that changes.
    Unanswered {
        /// In which conversation.
        conversation: ConversationId,
        /// How many lines there are.
        lines: u32,
        /// When the first of them came; RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
    },
    /// An agent of the desk comes, goes or is away.
    Agent {
        /// The agent's own name.
        agent: String,
        /// Whether the agent is there.
        presence: Presence,
        /// Why the agent is away.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A conversation goes, or may go, from one agent to another.
    Transfer {
        /// Which one.
        conversation: ConversationId,
        /// Its number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// What the customer is called at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// The agent who has it.
        from: String,
        /// The agent who may get it.
        agent: String,
        /// What became of it.
        outcome: TransferOutcome,
        /// What the first of the two wrote.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// Whether the agent at this seat is the one who may get it; for people only.
        #[serde(skip)]
        is_to_me: bool,
    },
    /// A conversation ends soon, or goes on after all.
    Ending {
        /// Which one.
        conversation: ConversationId,
        /// Its number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// What the customer is called at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// How it ends, or was about to end.
        ending: Ending,
        /// What became of that.
        outcome: EndingOutcome,
    },
    /// How agents have marked a conversation.
    Tags {
        /// Which one.
        conversation: ConversationId,
        /// Its number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// What the customer is called at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// The tags, in the order in which they came.
        tags: Vec<String>,
    },
    /// A private note. A person is shown it among the lines.
    Note {
        /// In which conversation.
        conversation: ConversationId,
        /// The note, at a desk with several agents behind the name of its author.
        text: String,
    },
    /// Information of a program.
    Notice {
        /// One line for a person.
        text: String,
    },
    /// Something that a search found.
    #[serde(rename = "notice")]
    Found {
        /// One line for a person.
        text: String,
        /// The same as data.
        #[serde(flatten)]
        found: Box<Found>,
    },
    /// Information of a core.
    #[serde(rename = "notice")]
    News {
        /// What happened; in JSON one line for a person.
        text: News,
    },
    /// A customer wants to talk: information of a core that a person must not miss.
    #[serde(rename = "notice")]
    Call {
        /// What happened; in JSON one line for a person.
        text: News,
    },
    /// A fault that a core reports.
    #[serde(rename = "error")]
    Fault {
        /// What happened; in JSON one line for a person.
        text: News,
    },
    /// A fault: something did not work, nothing was lost silently.
    Error {
        /// One line for a person: what failed, where, what to do.
        text: String,
    },
    /// An event that a desk made for an agent's terminal elsewhere.
    #[serde(untagged)]
    Event(Custom),
}

/// The conversation that a customer had before, as a desk knows it. In JSON its number alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Its number.
    pub ordinal: u32,
    /// How long ago it ended, when the customer asked for an agent again.
    pub ago: Option<Duration>,
    /// The last note in it.
    pub note: Option<String>,
}

impl Serialize for Earlier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.ordinal)
    }
}

/// A message as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// Its number at this desk; for people only.
    #[serde(skip)]
    pub ordinal: Option<u32>,
    /// Whether this end's next line goes elsewhere, so that a person must see whose it is; for
    /// people only.
    #[serde(skip)]
    pub elsewhere: bool,
    /// Whether it was said at this end; for people only.
    #[serde(skip)]
    pub own: bool,
    /// By whom.
    pub author: Author,
    /// The author's name, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At a desk with several agents: the own name of the agent who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The text; an image's URL for an image, empty for a custom payload alone.
    pub text: String,
    /// Its number among its origin's entries.
    pub number: Number,
    /// When it was journaled by its origin; RFC 3339 in JSON.
    #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
    pub at: Millis,
    /// Choices the bot offers, each with its number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// The URL of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// A payload of the bot's own making.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom>,
    /// Said before this process, or before this desk had the conversation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub history: bool,
}

impl Told {
    /// An entry's message as it is told, of no particular place: the caller adds what only it
    /// knows.
    pub fn new(conversation: ConversationId, number: Number, at: Millis, said: &Said) -> Told {
        let image = said.image.as_deref().map(str::to_owned);
        let text = if said.text.is_empty() {
            image.clone().unwrap_or_default()
        } else {
            said.text.to_string()
        };
        Told {
            conversation,
            ordinal: None,
            elsewhere: false,
            own: false,
            author: said.author,
            name: said.name.as_deref().map(str::to_owned),
            agent: None,
            text,
            number,
            at,
            buttons: said.choices(),
            image,
            custom: said.custom.clone(),
            history: false,
        }
    }
}

/// Whether an agent is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// The agent can be given customers.
    Here,
    /// The agent takes no new customers.
    Away,
    /// The agent has no terminal, for less than the grace.
    Missed,
    /// The agent has had no terminal for the grace: their customers are in the queue again.
    Gone,
    /// The agent is none any more: their customers are in the queue again.
    Revoked,
}

/// What became of the transfer of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferOutcome {
    /// The other agent is asked.
    Offered,
    /// The other agent has it.
    Accepted,
    /// The other agent does not take it.
    Declined,
    /// The other agent did not take it in time.
    Late,
    /// It is over, because the conversation has changed meanwhile or the desk ended.
    Void,
    /// A lead took it.
    TakenOver,
}

/// What became of an agent's wish to end a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingOutcome {
    /// It ends soon, if nobody undoes that.
    Begun,
    /// It goes on: the agent said so.
    Undone,
    /// It goes on: the agent wrote to the customer.
    AgentWrote,
    /// It goes on: the customer wrote.
    CustomerWrote,
    /// It goes on: another agent has it, or is to have it.
    Reassigned,
    /// It goes on: the agent has no seat any more.
    AgentLeft,
    /// The customer has left or ended it.
    CustomerLeft,
}

/// How a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Dialling, or waiting to dial again.
    Connecting,
    /// The other side has said welcome.
    Connected,
    /// Gone.
    Lost,
}

/// Why a conversation got into its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", untagged)]
pub enum Reason {
    /// A person was asked for; why, in the bot's words.
    Requested(String),
    /// It ended.
    Ended(EndReason),
    /// It came back to the bot.
    Returned(Returned),
    /// Another desk's agent has or had it.
    Elsewhere(Elsewhere),
}

/// What became of a conversation at another desk, as this desk's agent is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Elsewhere {
    /// An agent of another desk accepted the customer.
    TakenElsewhere,
    /// An agent of another desk handed the customer back to the bot.
    HandedBackElsewhere,
    /// An agent of another desk closed the conversation.
    ClosedElsewhere,
}

/// How a conversation came back to the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Returned {
    /// The admin handed it back.
    HandedBack,
    /// The user gave up waiting.
    Withdrawn,
}

/// Writes a moment as JSON has it.
pub(crate) fn rfc3339<S: Serializer>(at: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&moment(*at))
}

/// Reads a moment as JSON has it.
fn from_rfc3339<'de, D: Deserializer<'de>>(from: D) -> Result<Millis, D::Error> {
    let text = String::deserialize(from)?;
    let at: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
    Ok(u64::try_from(at.as_millisecond()).unwrap_or(0))
}

/// A moment as people read it: date and time in this zone, to the minute.
pub fn local(at: Millis, zone: &TimeZone) -> impl fmt::Display {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX));
    at.unwrap_or(jiff::Timestamp::MAX).to_zoned(zone.clone()).strftime("%F %H:%M").to_string()
}

/// A moment, which is written as RFC 3339 has it.
pub fn moment(at: Millis) -> impl fmt::Display {
    jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX))
        .unwrap_or(jiff::Timestamp::MAX)
}
