//! Release 0.1.0 and this build: each talks to the other, and this build goes on with the journals
//! and the recorded sessions that 0.1.0 left (`tests/fixtures/0.1.0`).
//!
//! Tests that need a 0.1.0 binary are ignored: `scripts/compat` builds one and runs them.

mod journals;
mod make;
mod sessions;
mod together;

use std::path::PathBuf;

/// The 0.1.0 binary that `scripts/compat` built.
fn old() -> PathBuf {
    let old = std::env::var_os("HANDOFF_OLD")
        .expect("scripts/compat names a 0.1.0 binary in HANDOFF_OLD");
    PathBuf::from(old)
}

/// What 0.1.0 left for the tests.
fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0.1.0")
}
