//! Reports: what a program shows to the person or script in front of it. Both modes share them.
//!
//! `session` and `desk` make reports. `term` shows them as lines for a person, or with `--json` as
//! one object a line, `{"event":NAME, …}`. The names of events and fields are a stable interface,
//! which `docs/JSON.md` describes.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use super::department::Need;
use super::record::Ending;
use crate::wire::{ConversationId, Custom, EndReason, Millis, Number, Page, State};

pub use desk_link::{DeskTrouble, LEAVING, LinkFault, why_refused};
pub use found::{Found, verified};
pub use goodbye::Goodbye;
pub use listed::{Colleague, EXCERPT_LETTERS, Fitting, Listed, excerpt, listed};
pub use news::{CustomerNews, DeskNews, Logged, Lost, News, held_by_customer};
pub use overview::{Alert, Customers, Focus, LeftBehind, Prompt};
pub use refusal::{AgentRefusal, Choice, CustomerRefusal};
pub use side_list::in_brief;
pub use spoken::{Addressee, Spoken};
pub use told::Told;

mod desk_link;
mod found;
mod goodbye;
mod listed;
mod news;
mod overview;
mod refusal;
mod side_list;
mod spoken;
mod told;

/// One report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Report {
    /// The program is up; the first report of every process.
    Ready {
        /// `user`, `admin` or `bot`.
        mode: &'static str,
        /// The address at which a listener listens, with the real port.
        #[serde(skip_serializing_if = "Option::is_none")]
        listen: Option<SocketAddr>,
        /// The fingerprint of a listener's key, if it speaks TLS.
        #[serde(skip_serializing_if = "Option::is_none")]
        fingerprint: Option<String>,
        /// The URL at which customers reach a gateway.
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// The state of a conversation.
    State {
        /// The conversation.
        conversation: ConversationId,
        /// At a desk: the conversation's number, by which commands name it.
        #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
        ordinal: Option<u32>,
        /// At a desk: the customer's name.
        #[serde(skip_serializing_if = "Option::is_none")]
        customer: Option<String>,
        /// At a desk: the conversation that the customer had before.
        #[serde(skip_serializing_if = "Option::is_none")]
        former: Option<Earlier>,
        /// The state, as both sides know it.
        state: State,
        /// The position in the queue, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        position: Option<u32>,
        /// False: all agents are away or gone. True: one is here again.
        #[serde(skip_serializing_if = "Option::is_none")]
        attended: Option<bool>,
        /// The agent's name, as customers see it, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        admin: Option<String>,
        /// At a desk with several agents: the agent's own name.
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
        /// True: the agent has asked the customer to be patient. False: the agent goes on now.
        #[serde(skip_serializing_if = "Option::is_none")]
        on_hold: Option<bool>,
        /// Whether another agent than the one at this seat has the conversation; for people only.
        #[serde(skip)]
        is_elsewhere: bool,
        /// Whether the customer waits again without having asked for it; for people only.
        #[serde(skip)]
        waits_again: bool,
        /// At a desk: the department and the language of a customer who waits or talks.
        #[serde(flatten)]
        need: Need,
        /// Why the conversation has this state, if there can be several reasons.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// A message.
    Message(Told),
    /// The link to the other side.
    Link {
        /// The conversation.
        conversation: ConversationId,
        /// The conversation's number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// The customer's name at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// The state of the link.
        link: Link,
        /// The desk's address as the user gave it; at the desk the customer's address.
        desk: String,
        /// Why the connection was lost.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Whether it was lost for ever: nobody dials again. For people only.
        #[serde(skip)]
        parted: bool,
        /// Whether there was no connection that could be lost, so that `why` is the whole sentence.
        /// For people only.
        #[serde(skip)]
        unreached: bool,
    },
    /// The page on which a gateway's customer is.
    Page {
        /// The conversation.
        conversation: ConversationId,
        /// The conversation's number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// The customer's name at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// What is known about the page.
        #[serde(flatten)]
        page: Page,
    },
    /// Our entries up to `number` are durable at the other side.
    Delivered {
        /// The conversation.
        conversation: ConversationId,
        /// The highest such number.
        number: Number,
    },
    /// Our entries up to `number` were shown at the other side.
    Seen {
        /// The conversation.
        conversation: ConversationId,
        /// The highest such number.
        number: Number,
    },
    /// A person at the other side types. This report counts for 6 s.
    Typing {
        /// The conversation.
        conversation: ConversationId,
    },
    /// The number of a customer's lines without an answer has changed.
    Unanswered {
        /// The conversation.
        conversation: ConversationId,
        /// The number of lines.
        lines: u32,
        /// When the first of them came (RFC 3339).
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
    /// One agent gives, or offers, a conversation to another.
    Transfer {
        /// The conversation.
        conversation: ConversationId,
        /// The conversation's number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// The customer's name at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// The agent who has the conversation.
        from: String,
        /// The agent who may get the conversation.
        agent: String,
        /// The outcome of the transfer.
        outcome: TransferOutcome,
        /// The note of the agent who has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// Whether the agent at this seat is the one who may get it; for people only.
        #[serde(skip)]
        is_to_me: bool,
    },
    /// A conversation ends soon, or goes on after all.
    Ending {
        /// The conversation.
        conversation: ConversationId,
        /// The conversation's number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// The customer's name at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// How the conversation ends, or was about to end.
        ending: Ending,
        /// The outcome.
        outcome: EndingOutcome,
    },
    /// The tags of a conversation.
    Tags {
        /// The conversation.
        conversation: ConversationId,
        /// The conversation's number at this desk; for people only.
        #[serde(skip)]
        ordinal: Option<u32>,
        /// The customer's name at this desk; for people only.
        #[serde(skip)]
        customer: Option<String>,
        /// The tags, in the order in which they came.
        tags: Vec<String>,
    },
    /// A private note. A person sees it among the lines.
    Note {
        /// The conversation.
        conversation: ConversationId,
        /// The note. At a desk with several agents its author's name stands before it.
        text: String,
    },
    /// Information from a program.
    Notice {
        /// One line for a person.
        text: String,
    },
    /// A result of a search.
    #[serde(rename = "notice")]
    Found {
        /// One line for a person.
        text: String,
        /// The same as data.
        #[serde(flatten)]
        found: Box<Found>,
    },
    /// Information from a core.
    #[serde(rename = "notice")]
    News {
        /// What happened; in JSON one line for a person.
        text: News,
    },
    /// A customer wants to talk. This is information from a core that a person must not miss.
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
    /// A fault of a program.
    Error {
        /// One line for a person: what failed, where, what to do.
        text: String,
    },
    /// An event that a desk made for an agent's terminal elsewhere.
    #[serde(untagged)]
    Event(Custom),
}

impl Report {
    /// Whether only programs get this report. A person reads in the prompt or in the list what it
    /// says.
    pub fn is_for_programs(&self) -> bool {
        use Report::{Delivered, Seen, Typing, Unanswered};
        matches!(self, Delivered { .. } | Seen { .. } | Typing { .. } | Unanswered { .. })
    }

    /// The report for the log of a desk at which nobody sits: it calls nobody "you".
    pub fn for_log(self) -> Report {
        let log = |text| match text {
            News::Desk(news) => News::Log(Logged(news)),
            text => text,
        };
        match self {
            Report::News { text } => Report::News { text: log(text) },
            Report::Call { text } => Report::Call { text: log(text) },
            Report::Fault { text } => Report::Fault { text: log(text) },
            report => report,
        }
    }
}

/// The conversation that a customer had before, as a desk knows it. JSON has only its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The number of that conversation.
    pub ordinal: u32,
    /// How long ago it ended, when the customer asked for an agent again.
    pub ago: Option<Duration>,
    /// The last note in that conversation.
    pub note: Option<String>,
}

impl Serialize for Earlier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.ordinal)
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
    /// The agent has no terminal, but the grace is not over yet.
    Missed,
    /// The agent had no terminal when the grace was over. Their customers are in the queue again.
    Gone,
    /// The agent was revoked. Their customers are in the queue again.
    Revoked,
}

/// The outcome of the transfer of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferOutcome {
    /// The other agent is asked.
    Offered,
    /// The other agent has the conversation.
    Accepted,
    /// The other agent declined.
    Declined,
    /// The other agent did not answer in time.
    Late,
    /// The offer is over, because the conversation has changed or the desk ended.
    Void,
    /// A lead took the conversation.
    TakenOver,
}

/// The outcome of an agent's wish to end a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingOutcome {
    /// The conversation ends soon, if nobody undoes that.
    Begun,
    /// It goes on: the agent undid the end.
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

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Dialling, or waiting to dial again.
    Connecting,
    /// The desk has accepted the hello.
    Connected,
    /// The connection is lost.
    Lost,
}

/// Why a conversation has its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", untagged)]
pub enum Reason {
    /// An agent was asked for: why, in the bot's words.
    Requested(String),
    /// It ended.
    Ended(EndReason),
    /// It came back to the bot.
    Returned(Returned),
    /// Another desk's agent has or had it.
    Elsewhere(Elsewhere),
}

/// What happened to a conversation at another desk.
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
    /// The agent handed it back.
    HandedBack,
    /// The customer stopped waiting.
    Withdrawn,
}

/// Writes a moment for JSON.
pub(crate) fn rfc3339<S: Serializer>(at: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&moment(*at))
}

/// A moment as people read it: date and time in this zone, to the minute.
pub fn local(at: Millis, zone: &TimeZone) -> impl fmt::Display {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX));
    at.unwrap_or(jiff::Timestamp::MAX).to_zoned(zone.clone()).strftime("%F %H:%M").to_string()
}

/// A moment, written in the format of RFC 3339.
pub fn moment(at: Millis) -> impl fmt::Display {
    jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX))
        .unwrap_or(jiff::Timestamp::MAX)
}
