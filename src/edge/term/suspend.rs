//! Ctrl-Z and SIGTSTP: the terminal is restored, and then the process stops until SIGCONT.
//!
//! SIGTSTP is blocked in every thread, and one thread waits for it. So the terminal can be restored
//! before the signal stops the process. SIGSTOP would be wrong for that: a shell shows it
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

/// Starts the thread that waits for SIGTSTP. Several signals that nobody has taken yet are one
/// request.
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

/// Asks the whole process group to stop, as a terminal that is not raw does for Ctrl-Z: the shell
/// waits for the whole group, also for a script that started this program. This process gets the
/// signal too, through `listen`.
pub(super) fn ask_group() {
    // Fails only for a process group that has no process.
    let _ = kill_current_process_group(rustix::process::Signal::TSTP);
}

/// Stops this process. Returns when it is continued, or at once if no shell could continue it.
pub(super) fn stop() {
    // None of these can fail: the signal exists, and it is this thread's own mask.
    let _ = stop_signal().thread_unblock();
    let _ = raise(Signal::SIGTSTP);
    let _ = stop_signal().thread_block();
}
