//! The programs: one room for each mode, and the command line that chooses one of them.

pub mod admin;
pub mod agent;
pub mod args;
mod around;
pub mod attach;
mod attached;
pub mod demo;
pub mod user;
pub mod web;

/// The notice that the system allows fewer connections than the options do.
fn too_few_files(connections: usize, wanted: usize) -> String {
    format!(
        "the system's limit of open files leaves room for {connections} connections, not {wanted}; \
         'ulimit -n' raises it"
    )
}

/// Random bytes of the system.
fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| format!("the system gives no random bytes: {e}"))?;
    Ok(bytes)
}
