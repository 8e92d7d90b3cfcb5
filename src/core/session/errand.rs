//! What a session has others do, and what it gets from outside: errands, what became of a return to
//! the bot, and what a new conversation is made of.

use crate::wire::{ConversationId, Number, Secret};

/// An act that only the customer's side has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Dial the desk; answer with `dialled`. Only [`Session::dial`](super::Session::dial) makes
    /// this errand.
    Dial(ConversationId),
    /// Ask the bot; answer with `answered`.
    Ask {
        /// Whose question it is.
        conversation: ConversationId,
        /// The number that the answer names.
        ticket: u64,
        /// What the bot gets.
        text: String,
    },
    /// Tell the bot that it owns the conversation again, and what people said to each other
    /// ([`said_without_bot`](super::said_without_bot)) from our own entry `since` on; answer with
    /// `returned`.
    Return {
        /// The conversation that came back.
        conversation: ConversationId,
        /// The number that the answer names.
        ticket: u64,
        /// The `requested` that began the first stretch the bot was not told of, or a later entry.
        since: Number,
    },
    /// The desk has other entries than this side under the same numbers, so this conversation
    /// cannot go on. Call `start_over`: a new conversation may take its place.
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

/// What became of a return to the bot (docs/RASA.md, "Handing back").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The bot answers again.
    Yes,
    /// The bot answers again, but could not be told what people said without it.
    WithoutLines,
    /// The bot was told, and is still paused.
    StillPaused,
    /// The bot has no API to tell it: why.
    NoApi(String),
    /// The bot could not be reached, or it refused. It was told nothing.
    Unreached(String),
    /// The request failed. The bot may have got some of it.
    Failed(String),
}

/// What a new conversation is made of. All three are random.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// The conversation's id.
    pub id: ConversationId,
    /// Its secret.
    pub secret: Secret,
    /// The first of the numbers that its requests to the bot have.
    pub seed: u64,
}
