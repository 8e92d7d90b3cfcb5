//! What a gateway tells a desk about itself and its customers.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ATTRIBUTES_MAX, AddressKey, NAME_MAX, PAGE_TEXT_MAX, URL_MAX, USER_MAX};

/// A program that holds many customers' sides. A desk that knows its token trusts it: the desk's
/// limits for one address then count the customers' addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// What proves that the desk may trust the gateway. Never shown or logged.
    pub token: Token,
    /// The key of the customer's address; `None` if the gateway does not know the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_key: Option<AddressKey>,
}

/// The page on which a gateway's customer is, as their browser describes it. Each part may be
/// missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The page's URL, without query and fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Box<str>>,
    /// The page's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Box<str>>,
    /// The customer's language (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Box<str>>,
    /// The browser, as it names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<Box<str>>,
    /// The customer's address, or the network that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Box<str>>,
    /// Who the customer is; `None` if the gateway checks no identities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Box<Identity>>,
    /// When the customer accepted the notice (RFC 3339), if the gateway has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Box<str>>,
    /// The name that the customer gave when the gateway asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// The email address that the customer gave when the gateway asked. Nobody has checked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Box<str>>,
}

/// Who a customer is, as the shop's own backend says and the gateway has checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The shop's own id for the customer; `None` if the shop has not said who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Box<str>>,
    /// What else the shop says about the customer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<Box<str>, Box<str>>,
}

impl Identity {
    /// Whether every part keeps its limit.
    pub fn fits(&self) -> bool {
        let fits = |text: &str, most: usize| (1..=most).contains(&text.trim().len());
        self.user.as_ref().is_none_or(|user| fits(user, USER_MAX) && user.len() <= USER_MAX)
            && self.attributes.len() <= ATTRIBUTES_MAX
            && self
                .attributes
                .iter()
                .all(|(name, value)| fits(name, USER_MAX) && value.len() <= PAGE_TEXT_MAX)
    }
}

impl Page {
    /// Whether every part keeps its limit.
    pub(super) fn fits(&self) -> bool {
        let short = |text: &Option<Box<str>>, most| text.as_ref().is_none_or(|it| it.len() <= most);
        let texts = [&self.title, &self.language, &self.browser, &self.address, &self.agreed];
        let mut texts = texts.into_iter().chain([&self.email]);
        short(&self.url, URL_MAX)
            && short(&self.name, NAME_MAX)
            && texts.all(|text| short(text, PAGE_TEXT_MAX))
            && self.identity.as_ref().is_none_or(|identity| identity.fits())
    }
}

/// A gateway's token, which is never shown or logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token(pub Box<str>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}
