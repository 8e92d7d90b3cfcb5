//! The terminal's modes while the editor has it, and back.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr};

/// Bracketed paste on: a pasted block comes as one.
pub(super) const ENTER: &[u8] = b"\x1b[?2004h";
/// Bracketed paste off, lines wrap, no colour.
pub(super) const LEAVE: &[u8] = b"\x1b[?2004l\x1b[?7h\x1b[0m";

/// Raw mode: every key comes at once and unechoed. Holds the modes from before, while it is raw.
pub(super) struct RawMode(Mutex<Option<Termios>>);

impl RawMode {
    /// Sets the terminal on stdin to raw mode. The screen thread writes `ENTER`.
    pub(super) fn enter() -> io::Result<RawMode> {
        let mode = RawMode(Mutex::new(None));
        mode.resume()?;
        Ok(mode)
    }

    /// Sets raw mode again, after `leave` or after a shell has changed the modes.
    pub(super) fn resume(&self) -> io::Result<()> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        // So that what others print (a panic's message) does not come out as stairs.
        raw.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(before);
        Ok(())
    }

    /// Whether the terminal edits lines itself, as it does for a shell.
    pub(super) fn is_lost(&self) -> bool {
        tcgetattr(stdin()).is_ok_and(|modes| modes.local_modes.contains(LocalModes::ICANON))
    }

    /// As it was. The screen thread has written `LEAVE`, unless it hangs in a write.
    pub(super) fn leave(&self) {
        if let Some(before) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A terminal that is gone needs no mode.
            let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
        }
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Held by the screen thread: leaves the editor's modes also when it panics.
pub(super) struct Leave<'a>(pub(super) Option<&'a RawMode>);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if let Some(mode) = self.0 {
            let _ = io::stdout().write_all(LEAVE).and_then(|()| io::stdout().flush());
            mode.leave();
        }
    }
}
