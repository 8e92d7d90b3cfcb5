//! From where a customer uses a gateway.

use crate::wire::{AddressKey, Page};

/// From where a customer uses a gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visit {
    /// The page, as the customer's browser describes it, for the bot and the agent.
    pub page: Page,
    /// The key of the customer's address, for the desk's limits.
    pub address_key: Option<AddressKey>,
}
