//! Who sits in front of a program: a person at a terminal, or a script.
//!
//! A seat is the way out to them. It knows which lines of the peer are on their way to the screen,
//! so that the peer hears "seen" only of what was shown.

use std::collections::VecDeque;

use crate::core::report::{Report, Told};
use crate::edge::term::{BACKLOG_MAX, Screen};
use crate::wire::{ConversationId, DeskId, Number};

/// A line of the peer's: of a desk's, or (`None`) of the customer's.
pub type Seen = (ConversationId, Option<DeskId>, Number);

/// One person or script, and the screen in front of them.
pub struct Seat {
    screen: Screen,
    /// Lines of the peer's on their way to the screen, each with the screen's ticket.
    unseen: VecDeque<(u64, Seen)>,
    /// Something was not delivered, or went wrong in a script.
    failed: bool,
}

impl Seat {
    /// The seat in front of this screen.
    pub fn new(screen: Screen) -> Seat {
        Seat { screen, unseen: VecDeque::new(), failed: false }
    }

    /// The screen.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Whether a person sits here, not a script.
    pub fn is_person(&self) -> bool {
        self.screen.is_interactive()
    }

    /// Whether the screen can take more.
    pub fn has_room(&self) -> bool {
        self.screen.backlog() < BACKLOG_MAX
    }

    /// Tells a report. For a script an error is a failure.
    pub fn tell(&mut self, report: Report) {
        let is_fault = matches!(report, Report::Error { .. } | Report::Fault { .. });
        self.failed |= is_fault && !self.is_person();
        self.screen.show(report);
    }

    /// Tells a message. `seen` names it if it is the peer's and somebody will read it.
    pub fn say(&mut self, told: Told, seen: Option<Seen>) {
        let ticket = self.screen.show(Report::Message(told));
        self.unseen.extend(seen.map(|seen| (ticket, seen)));
    }

    /// Tells what went wrong; the program will not end with 0.
    pub fn fail(&mut self, text: String) {
        self.failed = true;
        self.screen.show(Report::Error { text });
    }

    /// Tells one line for a person.
    pub fn notice(&self, text: &str) {
        self.screen.show(Report::Notice { text: text.to_owned() });
    }

    /// Whether something failed.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Everything up to this ticket is on the screen: the latest line of each conversation and desk
    /// that is seen with it.
    pub fn shown(&mut self, ticket: u64) -> Vec<Seen> {
        let mut latest: Vec<Seen> = Vec::new();
        while let Some((_, seen)) = self.unseen.pop_front_if(|(waiting, _)| *waiting <= ticket) {
            match latest.iter_mut().find(|(id, desk, _)| (*id, *desk) == (seen.0, seen.1)) {
                Some(known) => *known = seen,
                None => latest.push(seen),
            }
        }
        latest
    }

    /// Forgets what is on its way to the screen: nobody will be told that it was seen.
    pub fn forget_unseen(&mut self) {
        self.unseen.clear();
    }

    /// Ends the screen once everything is shown.
    pub fn finish(self) {
        self.screen.finish();
    }
}
