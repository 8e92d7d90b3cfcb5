//! The properties that must hold for any input: one function for each fuzz target, which panics
//! when a property fails.
//!
//! `scripts/fuzz` searches for inputs that break them. `tests/it/main.rs` includes this file, and
//! `tests/it/proofs/corpus.rs` replays the inputs in `fuzz/corpus`. The program has no part of this
//! crate.

mod choices;
mod command;
mod desk;
pub mod disk;
mod frames;
mod gateway;
mod http;
mod reply;
mod session;
mod text;

pub use command::command;
pub use frames::frames;
pub use gateway::gateway;
pub use http::http;
pub use reply::reply;
pub use text::text;

/// One of the two ends against a malicious peer; the first byte chooses the end.
pub fn ends(data: &[u8]) {
    match data.split_first() {
        Some((which, data)) if which % 2 == 0 => desk::desk(data),
        Some((_, data)) => session::session(data),
        None => {}
    }
}
