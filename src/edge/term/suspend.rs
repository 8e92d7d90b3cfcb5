//! Ctrl-Z and SIGTSTP: the process stops until SIGCONT, once the terminal is as it was.
//!
//! SIGTSTP is blocked in every thread, and one thread waits for it. So the terminal can be restored
//! first; then the signal does what it does by default. SIGSTOP would not do: a shell shows that
//! differently, and it would also stop a program that no shell can continue (an orphaned process
//! group, for which the system ignores SIGTSTP).

use std::io;
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use nix::sys::signal::{SigSet, Signal, raise};
use rustix::process::kill_current_process_group;

fn stop_signal() -> SigSet {
    SigSet::from(Signal::SIGTSTP)
}

/// Blocks SIGTSTP in this thread, and in all threads that it starts.
pub(super) fn hold() -> io::Result<()> {
    Ok(stop_signal().thread_block()?)
}

/// Starts the thread that waits for SIGTSTP. Requests that nobody has taken yet are one.
pub(super) fn listen() -> io::Result<Receiver<()>> {
    let (sender, requests) = bounded(1);
    let wait = move || {
        while stop_signal().wait().is_ok() {
            if sender.try_send(()).is_err_and(|error| error.is_disconnected()) {
                return;
            }
        }
    };
    thread::Builder::new().name("suspend".into()).spawn(wait)?;
    Ok(requests)
}

/// Asks the whole process group to stop, as the terminal does for Ctrl-Z where it is not raw: the
/// shell waits for all of it, also for a script that started this program. This process hears of
/// it through `listen`, like the others.
pub(super) fn ask_group() {
    // Fails only for a process group that has no process.
    let _ = kill_current_process_group(rustix::process::Signal::TSTP);
}

/// Stops this process. Returns when it is continued, or at once where no shell could do that.
pub(super) fn stop() {
    // None of these can fail: the signal exists, and it is this thread's own mask.
    let _ = stop_signal().thread_unblock();
    let _ = raise(Signal::SIGTSTP);
    let _ = stop_signal().thread_block();
}
