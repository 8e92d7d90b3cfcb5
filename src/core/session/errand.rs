//! What a session asks its program to do, and gets from it: errands, the end of a return to the
//! bot, and the random values of a new conversation.

use crate::wire::{ConversationId, Number, Secret};

/// An act that only the customer's side has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Dial the desk, and call `dialled`. Only [`Session::dial`](super::Session::dial) makes this
    /// errand.
    Dial(ConversationId),
    /// Send the bot a question, and call `answered` with its answer.
    Ask {
        /// The conversation that the question is for.
        conversation: ConversationId,
        /// The number that the answer names.
        ticket: u64,
        /// The text that the bot gets.
        text: String,
    },
    /// Tell the bot that it owns the conversation again, and what people said to each other
    /// ([`said_without_bot`](super::said_without_bot)) from our own entry `since` on; call
    /// `returned` when it ends.
    Return {
        /// The conversation that came back.
        conversation: ConversationId,
        /// The number that the answer names.
        ticket: u64,
        /// The `requested` that began the first stretch that the bot does not know, or a later
        /// entry.
        since: Number,
    },
    /// The desk has other entries than this side under the same numbers, so this conversation
    /// cannot go on. Call `start_over`: a new conversation may replace it.
    StartOver(ConversationId),
}

impl Errand {
    /// The conversation that the errand is for.
    pub fn conversation(&self) -> ConversationId {
        match self {
            Errand::Dial(id) | Errand::StartOver(id) => *id,
            Errand::Ask { conversation, .. } | Errand::Return { conversation, .. } => *conversation,
        }
    }
}

/// How a return to the bot ended (docs/RASA.md, "Handing back").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The bot answers again.
    Yes,
    /// The bot answers again, but did not get what people said without it.
    WithoutLines,
    /// The bot knows that it has the conversation again, but it is still paused.
    StillPaused,
    /// The bot cannot learn it, because it has no API; the text says more.
    NoApi(String),
    /// The bot could not be reached, or it refused. It got nothing.
    Unreached(String),
    /// The request failed. The bot may have received some of it.
    Failed(String),
}

/// The random values of a new conversation.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// The conversation's id.
    pub id: ConversationId,
    /// Its secret.
    pub secret: Secret,
    /// The first of the tickets for requests to the bot.
    pub seed: u64,
}
