//! How many new customers one address may bring.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::wire::Address;

/// An address that has brought as many new customers as it may at once may bring as many again
/// after this time.
const BURST_WITHIN: Duration = Duration::from_secs(180);
/// The most addresses in memory. If there are more, the addresses that have their full number again
/// are forgotten.
const ADDRESSES: usize = 10_000;

/// When each address may again bring as many new customers as it may at once.
pub(super) struct Newcomers {
    at_once: u32,
    paid: HashMap<Address, Instant>,
}

impl Newcomers {
    /// Limits each address to `at_once` new customers at once.
    pub(super) fn new(at_once: u32) -> Newcomers {
        Newcomers { at_once, paid: HashMap::new() }
    }

    /// Counts a new customer from this address. Returns whether that is within the limit.
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
