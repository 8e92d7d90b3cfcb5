//! The terminal's mode: raw while the editor has the terminal, and as before after that.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr};

/// Switches bracketed paste on: the terminal marks the beginning and end of a pasted block. It
/// keeps its title for later.
pub(super) const ENTER: &[u8] = b"\x1b[?2004h\x1b[22;2t";
/// Switches bracketed paste off, line wrapping on and colours off, and puts the title back.
pub(super) const LEAVE: &[u8] = b"\x1b[?2004l\x1b[?7h\x1b[0m\x1b[23;2t";

/// Raw mode: the terminal passes every key on at once, without an echo. While it is raw, this value
/// holds the earlier modes.
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
        // Without these modes a newline would not return to the first column, and the message of a
        // panic, which the editor does not write, would come out as stairs.
        raw.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(before);
        Ok(())
    }

    /// Whether another program has ended raw mode: the terminal edits lines itself, as for a shell.
    pub(super) fn is_lost(&self) -> bool {
        tcgetattr(stdin()).is_ok_and(|modes| modes.local_modes.contains(LocalModes::ICANON))
    }

    /// Restores the earlier modes. The screen thread has written `LEAVE` before, unless it is stuck
    /// in a write.
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

/// Restores the terminal when it is dropped. The screen thread holds it, so that the terminal is
/// restored after a panic, too.
pub(super) struct Leave<'a>(pub(super) Option<&'a RawMode>);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if let Some(mode) = self.0 {
            let _ = io::stdout().write_all(LEAVE).and_then(|()| io::stdout().flush());
            mode.leave();
        }
    }
}
