//! Who sits in front of a program: a person at a terminal, or a script.
//!
//! A seat is the way out to them. It knows which lines of the peer are on their way to the screen,
//! so that the peer hears "seen" only of what was shown. The screen is this program's own, or that
//! of a terminal elsewhere ([`Front`]).

use std::collections::VecDeque;

use crate::core::complete::Completion;
use crate::core::record::Offset;
use crate::core::report::{Report, Told};
use crate::edge::term::{BACKLOG_MAX, Screen};
use crate::wire::{ConversationId, DeskId, Number};

/// A line of the peer's: of a desk's, or (`None`) of the customer's.
pub type Seen = (ConversationId, Option<DeskId>, Number);

/// What shows reports to a person or a script.
pub trait Front {
    /// Whether a person types; otherwise a script does.
    fn is_interactive(&self) -> bool;

    /// Whether lines are read at all.
    fn reads_lines(&self) -> bool;

    /// Whether there is a prompt.
    fn has_prompt(&self) -> bool;

    /// The number of reports that are not shown yet.
    fn backlog(&self) -> u64;

    /// Shows a report, and returns its ticket. Tickets grow.
    fn show(&self, report: Report) -> u64;

    /// Shows a report that nobody waits for: it may come a little later, in its place among others.
    fn show_later(&self, report: Report) -> u64 {
        self.show(report)
    }

    /// Everything of this conversation up to this offset has been shown, and need not be shown
    /// again when the front is back after a loss.
    fn note_shown(&self, _: ConversationId, _: Offset) {}

    /// Sets the prompt, its form for where there is no room for all of it, and the conversation that
    /// gets the next line.
    fn prompt(&self, prompt: String, short: String, focus: Option<ConversationId>);

    /// Says what a terminal elsewhere shows while the desk is away: the customer who gets its next
    /// line.
    fn note_standing(&self, _: Option<String>) {}

    /// Says which conversations of others are read along at a terminal elsewhere.
    fn note_watched(&self, _: &[ConversationId]) {}

    /// Says what a terminal elsewhere tells a person who is about to leave it.
    fn note_leaving(&self, _: Option<String>) {}

    /// Shows these lines beside the conversation.
    fn list(&self, lines: Vec<String>);

    /// Puts a text into the line that is typed, at the cursor.
    fn insert(&self, text: &str);

    /// Adds to a command what Tab adds, if the line is still this one.
    fn complete(&self, line: &str, rest: &str);

    /// Calls the person.
    fn ring(&self, text: &str);

    /// Says in the title how many need an answer.
    fn title(&self, count: u32);

    /// Shows why a person's line was not sent, and gives it back.
    fn refuse(&self, why: &str, line: &str);

    /// What was shown since the last flush leaves now.
    fn flush(&self);

    /// Shows what is left, and ends.
    fn finish(self: Box<Self>);
}

impl Front for Screen {
    fn is_interactive(&self) -> bool {
        Screen::is_interactive(self)
    }

    fn reads_lines(&self) -> bool {
        Screen::reads_lines(self)
    }

    fn has_prompt(&self) -> bool {
        Screen::has_prompt(self)
    }

    fn backlog(&self) -> u64 {
        Screen::backlog(self)
    }

    fn show(&self, report: Report) -> u64 {
        Screen::show(self, report)
    }

    fn prompt(&self, prompt: String, short: String, focus: Option<ConversationId>) {
        Screen::prompt(self, prompt, short, focus);
    }

    fn list(&self, lines: Vec<String>) {
        Screen::list(self, lines);
    }

    fn insert(&self, text: &str) {
        Screen::insert(self, text);
    }

    fn complete(&self, line: &str, rest: &str) {
        Screen::complete(self, line, rest);
    }

    fn ring(&self, text: &str) {
        Screen::ring(self, text);
    }

    fn title(&self, count: u32) {
        Screen::title(self, count);
    }

    fn refuse(&self, why: &str, line: &str) {
        Screen::refuse(self, why, line);
    }

    fn flush(&self) {
        Screen::flush(self);
    }

    fn finish(self: Box<Self>) {
        Screen::finish(*self);
    }
}

/// One person or script, and the screen in front of them.
pub struct Seat {
    screen: Box<dyn Front>,
    /// Lines of the peer's on their way to the screen, each with the screen's ticket.
    unseen: VecDeque<(u64, Seen)>,
    /// What stands in place of a prompt was said like this last.
    spoken: String,
    /// Something was not delivered, or went wrong in a script.
    failed: bool,
}

impl Seat {
    /// The seat in front of this screen.
    pub fn new(screen: impl Front + 'static) -> Seat {
        Seat {
            screen: Box::new(screen),
            unseen: VecDeque::new(),
            spoken: String::new(),
            failed: false,
        }
    }

    /// The screen.
    pub fn screen(&self) -> &dyn Front {
        &*self.screen
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

    /// Tells a report that nobody waits for, in its place among others.
    pub fn tell_later(&mut self, report: Report) {
        self.screen.show_later(report);
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

    /// Says what a prompt would show, in a line of its own whenever it changes, to a person without
    /// a prompt (`--plain`). An empty text is not said.
    pub fn speak(&mut self, text: String) {
        if self.is_person() && !self.screen.has_prompt() && text != self.spoken {
            if !text.is_empty() {
                self.notice(&text);
            }
            self.spoken = text;
        }
    }

    /// Adds to a command what Tab adds, and lists what it may go on to.
    pub fn complete(&self, line: &str, completion: &Completion) {
        if !completion.choices.is_empty() {
            self.notice(&completion.choices.join("  "));
        }
        if !completion.insert.is_empty() {
            self.screen.complete(line, &completion.insert);
        }
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
