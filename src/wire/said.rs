//! What a message says, who wrote it, and the choices that it offers.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{
    BUTTONS_MAX, CUSTOM_MAX, Custom, IMAGE_MAX, NAME_MAX, PAYLOAD_MAX, TEXT_MAX, TITLE_MAX,
    URL_MAX, or_default,
};

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// Who wrote it.
    pub author: Author,
    /// The author's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// The text. It is empty if the message is only an image or a custom payload.
    pub text: Box<str>,
    /// The choices that the bot offers.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// The URL of an image that the bot shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Box<str>>,
    /// A payload with a format of the bot's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom>,
    /// Whether this is the automatic greeting of a desk, which nobody typed.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "std::ops::Not::not")]
    pub greeting: bool,
}

impl Said {
    /// A message that is only a text.
    pub fn text(author: Author, text: &str) -> Said {
        Said {
            author,
            name: None,
            text: text.into(),
            buttons: Vec::new(),
            image: None,
            custom: None,
            greeting: false,
        }
    }

    /// The buttons, each with its number.
    pub fn choices(&self) -> Vec<Button> {
        let numbers = (1..).map(NonZeroU32::new);
        let numbered = |(button, number): (&Button, _)| Button {
            choice: button.choice.or(number),
            ..button.clone()
        };
        self.buttons.iter().zip(numbers).map(numbered).collect()
    }

    /// About the bytes that the message takes in memory. All of its parts count.
    pub fn size(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let button = |button: &Button| {
            size_of::<Button>() + button.title.len() + button.payload.len() + text(&button.url)
        };
        let custom = self.custom.as_ref().map_or(0, |custom| custom.as_str().len());
        let buttons: usize = self.buttons.iter().map(button).sum();
        size_of::<Said>()
            + self.text.len()
            + text(&self.name)
            + text(&self.image)
            + custom
            + buttons
    }

    /// Whether every part keeps its limit.
    pub(super) fn fits(&self) -> bool {
        self.text.len() <= TEXT_MAX
            && self.name.as_ref().is_none_or(|name| name.len() <= NAME_MAX)
            && self.image.as_ref().is_none_or(|image| image.len() <= IMAGE_MAX)
            && self.buttons.len() <= BUTTONS_MAX
            && self.buttons.iter().all(Button::fits)
            && self.custom.as_ref().is_none_or(|custom| custom.as_str().len() <= CUSTOM_MAX)
    }
}

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The customer.
    User,
    /// The Rasa bot.
    Bot,
    /// The human agent.
    Admin,
}

/// A choice that the bot offers: a person reads the title, and the payload goes back to the bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// The text for a person.
    pub title: String,
    /// The text that the bot gets when the button is chosen.
    #[serde(default, deserialize_with = "or_default")]
    pub payload: String,
    /// The URL of a page. With an empty payload the button is only a link: choosing it sends the
    /// bot nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Box<str>>,
    /// Its number among all buttons of the reply. `None` if that is its number within this
    /// message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<NonZeroU32>,
}

impl Button {
    /// The URL of a button that is only a link.
    pub fn link(&self) -> Option<&str> {
        self.url.as_deref().filter(|_| self.payload.is_empty())
    }

    /// Whether every part keeps its limit.
    fn fits(&self) -> bool {
        self.title.len() <= TITLE_MAX
            && self.payload.len() <= PAYLOAD_MAX
            && self.url.as_ref().is_none_or(|url| url.len() <= URL_MAX)
    }
}
