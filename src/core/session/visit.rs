//! From where a customer uses a gateway.

use crate::wire::{AddressKey, Page};

/// From where a customer uses a gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visit {
    /// What the customer's browser tells, for the bot and for the agent.
    pub page: Page,
    /// What stands for the customer's address, for the desk's limits.
    pub address_key: Option<AddressKey>,
}
