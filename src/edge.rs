//! The edges: each room has one family of system calls.
//!
//! A room of this floor imports the pure rooms. It imports no other edge except the clocks.

pub mod agents;
pub mod clock;
pub mod failpoint;
pub mod journal;
pub mod notifier;
pub mod secret;
pub mod signals;
pub mod term;
pub mod tls;
