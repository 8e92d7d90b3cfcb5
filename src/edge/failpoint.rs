//! Ends the process at a named point of the code, for `scripts/faults`. In a normal build these
//! functions do nothing.
//!
//! `HANDOFF_FAILPOINT=name:n` ends the process as `kill -9` does, at the n-th hit of that point.

/// Ends the process, if the environment names this point and this is the n-th hit.
#[cfg(feature = "failpoints")]
pub fn hit(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CHOSEN: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let chosen = std::env::var("HANDOFF_FAILPOINT").ok()?;
        let (name, hits) = chosen.split_once(':')?;
        Some((name.to_owned(), AtomicU64::new(hits.parse().ok()?)))
    });
    if let Some((chosen, left)) = &*CHOSEN
        && chosen == name
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Does nothing in a normal build.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_: &str) {}

/// SQLite's `synchronous` setting: `FULL`, so that a commit survives a power cut.
/// `HANDOFF_SYNCHRONOUS=NORMAL` weakens it on purpose, to see whether the fault tests notice.
pub fn synchronous() -> String {
    #[cfg(feature = "failpoints")]
    if let Ok(chosen) = std::env::var("HANDOFF_SYNCHRONOUS") {
        return chosen;
    }
    "FULL".to_owned()
}
