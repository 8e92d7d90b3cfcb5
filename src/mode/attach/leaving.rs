//! How an agent's terminal ends: on `/quit` or an interrupt, after the desk has the typed lines.

use crate::core::script::{LEAVE_WITHIN, Rest};
use crate::edge::clock;
use crate::wire::Code;
use crate::wire::seat::SeatMessage;

use super::{Attach, End, Link};

impl Attach {
    /// The person wants to leave. A person with customers must ask twice.
    pub(super) fn ask_to_leave(&mut self) {
        // Without this, the desk would cancel a `/close` or `/handback` that can still be undone.
        self.send(&SeatMessage::Enter {});
        match &self.customers {
            Some(customers) if !std::mem::replace(&mut self.has_asked_to_leave, true) => {
                self.notice(&format!("{customers}; /quit again leaves"));
            }
            _ => self.leave(0),
        }
    }

    /// Leaves on an interrupt. The first one waits until the desk has the typed lines; the second
    /// does not.
    pub(super) fn interrupt(&mut self, code: u8) {
        match &mut self.leaving {
            Some((by, _)) => *by = clock::now().clock,
            None => self.leave(code),
        }
    }

    pub(super) fn leave(&mut self, code: u8) {
        let code = if matches!(self.link, Link::Refused) { code.max(1) } else { code };
        self.leaving.get_or_insert((clock::now().clock + LEAVE_WITHIN, code));
    }

    /// The desk has ended this terminal's script. If the script failed before its input ended, the
    /// rest of the input is read, to say what is not sent.
    pub(super) fn script_is_over(&mut self, failed: bool) {
        if failed && !self.has_quit && self.end == End::No {
            self.rest.get_or_insert_with(|| Rest::new(clock::now()));
        }
        self.leave(u8::from(failed));
    }

    /// The desk does not talk to this terminal any more. A script's terminal reads the rest of its
    /// input first, to say what is not sent.
    ///
    /// # Errors
    /// In front of a person, because the terminal ends at once: why.
    pub(super) fn give_up(&mut self, why: String) -> Result<(), String> {
        if self.screen.is_interactive() {
            return Err(why);
        }
        self.error(why);
        self.link = Link::Refused;
        if !self.has_quit && self.end == End::No {
            self.rest.get_or_insert_with(|| Rest::new(clock::now()));
        }
        let code = self.leaving.map_or(1, |(_, code)| code.max(1));
        self.leaving = Some((clock::now().clock, code));
        Ok(())
    }

    /// Whether the rest of a script that failed is being read.
    pub(super) fn reads_rest(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.is_read(clock::now()))
    }

    /// The exit code, once there is nothing more to do.
    pub(super) fn leave_when_done(&mut self) -> Result<Option<u8>, String> {
        let Some((by, code)) = self.leaving else { return Ok(None) };
        if (!self.lines.is_empty() && clock::now().clock < by) || self.reads_rest() {
            return Ok(None);
        }
        let waiting = self.waiting()?;
        for text in &waiting {
            self.error(format!("not sent yet, kept for the next start: {text}"));
        }
        if let Some(text) = self.rest.as_ref().and_then(Rest::sentence) {
            self.error(text);
        }
        let text = "the terminal is leaving".to_owned();
        self.send(&SeatMessage::Bye { code: Code::Leaving, text });
        Ok(Some(if waiting.is_empty() { code } else { code.max(1) }))
    }

    fn waiting(&self) -> Result<Vec<String>, String> {
        let waiting = self.lines.waiting().map_err(|fault| fault.to_string())?;
        Ok(waiting.into_iter().map(|line| line.text).collect())
    }
}
