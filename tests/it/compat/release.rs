//! The binary of release 0.1.0, and the files that it left for the tests.

use std::path::PathBuf;

/// The 0.1.0 binary that `scripts/compat` built.
pub fn old() -> PathBuf {
    let old = std::env::var_os("HANDOFF_OLD")
        .expect("scripts/compat names a 0.1.0 binary in HANDOFF_OLD");
    PathBuf::from(old)
}

/// What 0.1.0 left for the tests.
pub fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0.1.0")
}
