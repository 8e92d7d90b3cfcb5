//! The signals SIGINT, SIGTERM and SIGHUP as a channel.

use crossbeam_channel::{Receiver, unbounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

pub use signal_hook::consts::SIGHUP;

/// Starts the thread that waits for signals. Each item of the channel is a signal's number.
///
/// # Errors
/// One line, when the system refuses.
pub fn listen() -> Result<Receiver<i32>, String> {
    let refused = |error| format!("cannot listen for signals: {error}");
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(refused)?;
    let (sender, receiver) = unbounded();
    let forward = move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(forward).map_err(refused)?;
    Ok(receiver)
}

/// The exit code of a program that this signal ended, as a shell reports it: 128 plus the signal's
/// number.
pub fn exit_code(signal: i32) -> u8 {
    128 + u8::try_from(signal).unwrap_or(0)
}
