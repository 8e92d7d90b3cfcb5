//! The present state of a conversation, as its customer's browsers see it.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use crate::core::report::{Link, rfc3339};
use crate::core::session::{BotWork, Session};
use crate::wire::{ConversationId, Millis, Number, State};

/// The facts that have no number. Each new set of them replaces the former one.
#[derive(Debug, Hash, Serialize)]
pub struct Present<'a> {
    conversation: ConversationId,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    /// Whether the customer waits while all agents are away or gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unattended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<Link>,
    delivered: Number,
    seen: Number,
    bot: BotWork,
    /// Whether the agent has left, and the customer waits for another one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    left: bool,
    /// Whether the agent has asked the customer to be patient.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    on_hold: bool,
    /// Whether the agent types.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    typing: bool,
}

impl Present<'_> {
    /// The present state that a session knows.
    pub fn of(session: &Session) -> Present<'_> {
        let (delivered, seen) = session.delivered_and_seen();
        Present {
            conversation: session.id(),
            state: session.state(),
            admin: session.agent(),
            position: session.shown_position(),
            unattended: session.is_unattended(),
            link: session.shown_link(),
            delivered,
            seen,
            bot: session.bot_work(),
            left: session.has_agent_left(),
            on_hold: session.is_on_hold(),
            typing: session.is_agent_typing(),
        }
    }

    /// A number that changes when any of these facts does. It is never 0.
    pub fn tag(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish().max(1)
    }
}

/// The event `now` of one stream.
#[derive(Serialize)]
#[serde(tag = "event", rename = "now")]
pub(super) struct NowEvent<'a> {
    pub(super) stream: &'a str,
    pub(super) tag: String,
    /// The number of the customer's latest event.
    pub(super) last: u64,
    /// Whether the customer must accept the notice first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) must_agree: bool,
    #[serde(serialize_with = "rfc3339")]
    pub(super) at: Millis,
    #[serde(flatten)]
    pub(super) present: &'a Present<'a>,
}
