//! The words between a customer's side and a desk: why the two are not connected, and the sentences
//! that a customer's side writes to a desk for the agent to read.

use std::fmt;

use crate::wire::State;

/// The goodbye to a desk when the program ends.
pub const LEAVING: &str = "the customer's program is ending";

/// Why a customer's side is not connected to the desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// The desk has no room for the customer.
    DeskFull {
        /// The desk's address.
        address: String,
    },
    /// The desk said goodbye, with this text.
    DeskSaid(String),
    /// The desk said, with this text, that the conversation has a newer connection.
    Replaced(String),
    /// The peer is not the trusted desk: a sentence says why.
    Distrusted(String),
    /// The two journals have different entries under the same number.
    Contradiction,
    /// There was no connection, because the dial failed: a sentence says why.
    Unreached(String),
    /// Another fault, as a sentence.
    Other(String),
}

impl LinkFault {
    /// Whether the fault's sentence is complete in itself, because there was no connection that
    /// could be lost.
    pub fn is_whole(&self) -> bool {
        matches!(self, LinkFault::DeskFull { .. } | LinkFault::Unreached(_))
    }
}

impl From<&str> for LinkFault {
    fn from(why: &str) -> LinkFault {
        LinkFault::Other(why.to_owned())
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkFault::DeskFull { address } => {
                write!(f, "cannot join the queue at {address}: the desk is full")
            }
            // This program's own words always come before a desk's, so that a desk's words cannot
            // pose as this program's.
            LinkFault::DeskSaid(text) | LinkFault::Replaced(text) => {
                write!(f, "the desk says: {text}")
            }
            LinkFault::Contradiction => f.write_str(
                "the desk and this side remember different things under the same numbers",
            ),
            LinkFault::Unreached(why) | LinkFault::Distrusted(why) | LinkFault::Other(why) => {
                f.write_str(why)
            }
        }
    }
}

/// Why the customer's next line does not reach the desk now, for the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeskTrouble {
    /// The desk has no room for the customer.
    Full,
    /// The desk cannot be reached.
    Offline,
}

impl fmt::Display for DeskTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeskTrouble::Full => "busy",
            DeskTrouble::Offline => "offline",
        })
    }
}

/// The sentence for an agent whose control does not fit, because the conversation has this state.
pub fn why_refused(state: State) -> &'static str {
    match state {
        State::Bot => "the customer went back to the bot",
        State::Queued => "the customer is waiting again",
        State::Active => "another agent has the customer",
        State::Closed => "the customer closed the conversation",
    }
}
