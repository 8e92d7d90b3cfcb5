//! The visit of a gateway's customer: the page on which they are, and their address.

use crate::wire::{AddressKey, Page};

/// The visit of a gateway's customer: the page on which they are, and their address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visit {
    /// The page, as the customer's browser describes it, for the bot and the agent.
    pub page: Page,
    /// The key of the customer's address, for the desk's limits.
    pub address_key: Option<AddressKey>,
}
