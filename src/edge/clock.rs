//! The two clocks of the system.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::core::clock::Now;

/// Reads both clocks.
pub fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { clock: Instant::now(), wall: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }
}
