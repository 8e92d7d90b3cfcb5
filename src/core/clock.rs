//! The two clocks, read at the edge and handed to the pure rooms as an argument.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::wire::Millis;

/// One moment.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For deadlines and lifetimes: never jumps.
    pub clock: Instant,
    /// For display only.
    pub wall: Millis,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { clock: Instant::now(), wall: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }
    }
}
