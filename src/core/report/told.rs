//! A message, as it is shown to a person or a program.

use serde::{Deserialize, Deserializer, Serialize, de};

use super::rfc3339;
use crate::wire::{Author, Button, ConversationId, Custom, Millis, Number, Said};

/// A message, with all that is shown of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The conversation.
    pub conversation: ConversationId,
    /// The conversation's number at this desk.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<u32>,
    /// Whether the next line from here goes to another conversation, so that a person must see
    /// whose message this is. For people only.
    #[serde(skip)]
    pub elsewhere: bool,
    /// Whether it was said on this side; for people only.
    #[serde(skip)]
    pub own: bool,
    /// Who said it.
    pub author: Author,
    /// The author's name, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At a desk with several agents: the name, among agents, of the one who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The text. For an image it is the URL; for a custom payload alone it is empty.
    pub text: String,
    /// The entry's number among the entries of its origin.
    pub number: Number,
    /// When the origin journaled it; in JSON as RFC 3339.
    #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
    pub at: Millis,
    /// The choices that the bot offers, each with its number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// The URL of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// A payload with a format of the bot's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom>,
    /// Whether it was said before this process began, or before this desk had the conversation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub history: bool,
}

impl Told {
    /// A message with what its entry says. The caller adds what only the caller knows.
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

/// Reads a moment from JSON.
fn from_rfc3339<'de, D: Deserializer<'de>>(from: D) -> Result<Millis, D::Error> {
    let text = String::deserialize(from)?;
    let at: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
    Ok(u64::try_from(at.as_millisecond()).unwrap_or(0))
}
