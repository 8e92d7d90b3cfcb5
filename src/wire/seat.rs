//! The frames between a desk and an agent's terminal on another machine: [`SeatMessage`].
//!
//! They are frames as on the wire (docs/PROTOCOL.md, "Frames"), in a protocol of their own within
//! TLS ([`AGENTS`]). The desk does what is typed and makes the sentences; the terminal shows them.
//! Rules: docs/PROTOCOL.md, "Agents' terminals".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decode::{Frame, OneKey, ignored, nesting};
use super::{
    Code, ConversationId, Custom, DeskId, NAME_MAX, NESTING_MAX, SeatKey, Secret, TEXT_MAX,
    WireError,
};

/// The name of the protocol within TLS (ALPN, RFC 7301).
pub const AGENTS: &str = "handoff-agent/1";

/// The most conversations that a terminal names when it signs in.
pub const SHOWN_MAX: usize = 64;

/// The most watched conversations that a terminal names when it signs in.
pub const WATCHED_MAX: usize = 8;

/// For how many of a seat's latest lines the desk remembers whether they were sent.
pub const UNSENT_MAX: u64 = 200;

/// The content of a frame. Each variant says which side sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatMessage {
    /// The first frame, from the terminal.
    SignIn(SignIn),
    /// The desk's answer: the agent is signed in.
    SignedIn {
        /// The desk's id. Lines that were typed for a desk with another id, which lost its journal,
        /// are not sent.
        desk: DeskId,
        /// The agent's own name.
        agent: String,
        /// The desk has done the typed lines up to this number.
        taken: u64,
        /// The numbers of those lines, among the latest, that were not sent.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unsent: Vec<u64>,
    },
    /// The last frame of either side: why it closes the connection.
    Bye {
        /// The reason, for the program.
        code: Code,
        /// The reason, for a person.
        text: String,
    },
    /// A line that was typed, from the terminal. It is sent again until it is taken.
    Line {
        /// Its number at this seat, from 1 without gaps.
        number: u64,
        /// The conversation that had the focus at Enter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        /// The line: a command, or a text for the customer.
        text: String,
    },
    /// The input has ended, from the terminal of a script.
    End {},
    /// A person types a line for the customer in focus, from the terminal.
    Typing {
        /// The beginning of the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        draft: Option<String>,
    },
    /// How many lines of the list of conversations the window shows, from the terminal. Until the
    /// first such frame it shows none.
    ListRows {
        /// The number of lines.
        rows: u16,
    },
    /// Enter in an empty line, from the terminal.
    Enter {},
    /// The Tab key after a command that is not finished, from the terminal.
    Complete {
        /// The command so far.
        line: String,
    },
    /// Facts up to this number are on the screen, from the terminal.
    Shown {
        /// The number of the latest of them.
        number: u64,
    },
    /// The desk has done the lines up to this number, and has journaled that.
    Taken {
        /// The number of the latest of them.
        number: u64,
    },
    /// Why the desk does not send a line, which comes back as the draft.
    Refused {
        /// The reason, for a person.
        why: String,
        /// The line.
        line: String,
    },
    /// Something to show, from the desk. The facts of a connection are numbered from 1.
    Fact(SeatFact),
    /// The facts so far tell this conversation up to this offset of the desk's journal.
    Upto {
        /// The conversation.
        conversation: ConversationId,
        /// The offset.
        offset: u64,
    },
    /// The content of the prompt and the title, from the desk.
    View(View),
    /// The first lines of the list of conversations, from the desk.
    List {
        /// The lines.
        lines: Vec<String>,
    },
    /// What Tab adds to a command, from the desk. It is added if the line has not changed since.
    Completed {
        /// The command, as it was when Tab was pressed.
        line: String,
        /// The part to add.
        rest: String,
    },
    /// A text to put into the line that is being typed, from the desk.
    Insert {
        /// The text.
        text: String,
    },
    /// The desk calls the agent.
    Ring {
        /// Why.
        text: String,
    },
    /// The script has nothing more to do, from the desk.
    Over {
        /// Whether something failed.
        failed: bool,
    },
    /// A sign of life, and nothing else.
    Ping {},
}

/// How a terminal signs in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignIn {
    /// The key of this seat. The numbers of its lines go on from one connection to the next.
    pub seat: SeatKey,
    /// The secret, which proves who the agent is.
    pub secret: Secret,
    /// The code that `handoff agent add` printed. The first time it makes the secret known.
    pub code: Secret,
    /// Whether a person types; otherwise a script does.
    pub is_person: bool,
    /// Whether the terminal has a line editor with a prompt.
    pub has_prompt: bool,
    /// Whether the terminal wants facts as the events of docs/JSON.md.
    pub is_json: bool,
    /// For each conversation: the offset in the desk's journal up to which this terminal has shown
    /// it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shown: BTreeMap<ConversationId, u64>,
    /// The conversation that had the focus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<ConversationId>,
    /// The watched conversations of the latest view.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<ConversationId>,
}

/// The content of a terminal's prompt and title.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The prompt.
    pub prompt: String,
    /// The prompt for a narrow window.
    pub short: String,
    /// The conversation that gets the next line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<ConversationId>,
    /// How many customers need an answer.
    pub count: u32,
    /// The customer who gets the next line, for the prompt while the desk is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// What happens to the agent's customers if this terminal leaves, for a person who is about to
    /// leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<String>,
    /// The conversations of other agents that are watched here, the latest ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<ConversationId>,
}

/// Something that a terminal shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatFact {
    /// An event, as docs/JSON.md has it.
    Event(Custom),
    /// A message, with all that a person is shown of it.
    Message(Custom),
    /// A sentence of the desk.
    Notice(String),
    /// A sentence that a person must not miss.
    Call(String),
    /// A fault.
    Error(String),
    /// A kind of fact that a later version has. Nobody sends it.
    #[serde(skip)]
    Unknown,
}

impl Frame for SeatMessage {
    fn decode(body: &[u8]) -> Result<Option<SeatMessage>, WireError> {
        if nesting(body) > NESTING_MAX {
            return Err(WireError::OverLimit("a frame whose nesting is"));
        }
        let message = match serde_json::from_slice(body) {
            Ok(message) => message,
            Err(error) => match decode_later(body) {
                Some(Ok(Some(later))) => later,
                Some(ignored_or_refused) => return ignored_or_refused,
                None => return Err(WireError::Json(error.to_string().chars().take(200).collect())),
            },
        };
        let fits = match &message {
            SeatMessage::SignIn(sign_in) => {
                sign_in.shown.len() <= SHOWN_MAX && sign_in.watched.len() <= WATCHED_MAX
            }
            SeatMessage::SignedIn { agent, unsent, .. } => {
                agent.len() <= NAME_MAX && unsent.len() as u64 <= UNSENT_MAX
            }
            SeatMessage::Line { number, text, .. } => *number > 0 && text.len() <= TEXT_MAX,
            _ => true,
        };
        if fits { Ok(Some(message)) } else { Err(WireError::OverLimit("a part of a message")) }
    }
}

/// Reads what a later version may send: an unknown message, or a fact of an unknown kind. `None` if
/// the frame is neither. Rules: docs/PROTOCOL.md, "Later versions".
fn decode_later(body: &[u8]) -> Option<Result<Option<SeatMessage>, WireError>> {
    const KNOWN: [&str; 21] = [
        "sign_in",
        "signed_in",
        "bye",
        "line",
        "end",
        "typing",
        "list_rows",
        "enter",
        "complete",
        "shown",
        "taken",
        "refused",
        "fact",
        "upto",
        "view",
        "list",
        "completed",
        "insert",
        "ring",
        "over",
        "ping",
    ];
    const KNOWN_FACTS: [&str; 5] = ["event", "message", "notice", "call", "error"];
    let OneKey(kind, content) = serde_json::from_slice::<OneKey<Value>>(body).ok()?;
    if !KNOWN.contains(&kind.as_str()) {
        return Some(ignored(&kind, &content));
    }
    let OneKey(kind, OneKey(fact, _)) =
        serde_json::from_slice::<OneKey<OneKey<Value>>>(body).ok()?;
    let is_later = kind == "fact" && !KNOWN_FACTS.contains(&fact.as_str());
    is_later.then_some(Ok(Some(SeatMessage::Fact(SeatFact::Unknown))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{FRAME_MAX_BEFORE_HELLO, frame};

    #[test]
    fn what_a_later_version_sends_is_ignored_or_is_an_unknown_fact() {
        let decode = |json: &str| SeatMessage::decode(json.as_bytes());
        assert_eq!(decode(r#"{"weather":{"is_fine":true}}"#), Ok(None));
        assert_eq!(
            decode(r#"{"weather":{"must":true}}"#),
            Err(WireError::Unknown("weather".into()))
        );
        let unknown = SeatMessage::Fact(SeatFact::Unknown);
        assert_eq!(decode(r#"{"fact":{"picture":"cat.png"}}"#), Ok(Some(unknown)));
        for wrong in [r#"{"fact":{"notice":7}}"#, r#"{"taken":{}}"#, r#"{"ping":{},"over":{}}"#] {
            assert!(matches!(decode(wrong), Err(WireError::Json(_))), "{wrong}");
        }
    }

    #[test]
    fn a_terminal_that_has_shown_and_watched_the_most_can_still_sign_in() {
        let id = |n: usize| ConversationId::new([n as u8; 16]);
        let sign_in = SeatMessage::SignIn(SignIn {
            seat: SeatKey::new([7; 16]),
            secret: Secret::new([7; 32]),
            code: Secret::new([7; 32]),
            is_person: false,
            has_prompt: false,
            is_json: false,
            shown: (0..SHOWN_MAX).map(|n| (id(n), 9_999_999_999)).collect(),
            focus: Some(id(1)),
            watched: (0..WATCHED_MAX).map(id).collect(),
        });
        let length = frame(&sign_in).len() - 4;
        assert!(length <= FRAME_MAX_BEFORE_HELLO, "{length}");
    }
}
