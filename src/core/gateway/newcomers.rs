//! How many new customers one address may bring.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::wire::Address;

/// New customers of one address a minute, on average.
const A_MINUTE: u32 = 20;
/// So many may come at once.
const BURST: u32 = 60;
/// Addresses that are remembered, at most. If there are more, those that have paid are forgotten.
const ADDRESSES: usize = 10_000;

/// When each address has paid for the customers that it brought.
#[derive(Default)]
pub(super) struct Newcomers {
    paid: HashMap<Address, Instant>,
}

impl Newcomers {
    /// A new customer comes from this address. Answers whether that is within the limit.
    pub(super) fn admit(&mut self, address: Address, now: Now) -> bool {
        if self.paid.len() >= ADDRESSES {
            self.paid.retain(|_, paid| *paid > now.clock);
        }
        let each = Duration::from_secs(60) / A_MINUTE;
        let paid = self.paid.get(&address).map_or(now.clock, |paid| (*paid).max(now.clock));
        let is_within = paid + each <= now.clock + each * BURST;
        if is_within {
            self.paid.insert(address, paid + each);
        }
        is_within
    }
}
