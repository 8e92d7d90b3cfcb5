//! How many new customers one address may bring.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::wire::Address;

/// As many new customers as one address may bring at once may come in this time on average.
const BURST_WITHIN: Duration = Duration::from_secs(180);
/// Addresses that are remembered, at most. If there are more, those that have paid are forgotten.
const ADDRESSES: usize = 10_000;

/// When each address has paid for the customers that it brought.
pub(super) struct Newcomers {
    at_once: u32,
    paid: HashMap<Address, Instant>,
}

impl Newcomers {
    /// An address may bring so many new customers at once.
    pub(super) fn new(at_once: u32) -> Newcomers {
        Newcomers { at_once, paid: HashMap::new() }
    }

    /// A new customer comes from this address. Answers whether that is within the limit.
    pub(super) fn admit(&mut self, address: Address, now: Now) -> bool {
        if self.paid.len() >= ADDRESSES {
            self.paid.retain(|_, paid| *paid > now.clock);
        }
        let each = BURST_WITHIN / self.at_once;
        let paid = self.paid.get(&address).map_or(now.clock, |paid| (*paid).max(now.clock));
        let is_within = paid + each <= now.clock + each * self.at_once;
        if is_within {
            self.paid.insert(address, paid + each);
        }
        is_within
    }
}
