//! A moment in time, which pure code gets as an argument. `edge/clock` reads the clocks.

use std::time::Instant;

use crate::wire::Millis;

/// One moment.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For deadlines and lifetimes: this clock never jumps.
    pub clock: Instant,
    /// For display only.
    pub wall: Millis,
}
