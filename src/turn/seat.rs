//! A seat in front of a program: a person at a terminal, or a script.
//!
//! All that a program shows goes through its seat. The seat knows which lines of the peer are on
//! their way to the screen, so that the peer gets a `seen` only for lines that were shown. The
//! screen is this program's own, or that of a terminal elsewhere ([`Front`]).

use std::collections::VecDeque;
use std::mem;

use crate::core::complete::Completion;
use crate::core::record::Offset;
use crate::core::report::{Report, Spoken, Told};
use crate::edge::term::{BACKLOG_MAX, Screen};
use crate::wire::{ConversationId, DeskId, Number};

/// A line that the peer wrote: a desk, or (`None`) the customer's side.
pub type Seen = (ConversationId, Option<DeskId>, Number);

/// A screen, which shows reports to a person or a script.
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

    /// Shows a report that is not urgent: it may come a little later, but in its order among
    /// others.
    fn show_later(&self, report: Report) -> u64 {
        self.show(report)
    }

    /// Everything of this conversation up to this offset has been shown, and need not be shown
    /// again after a lost connection.
    fn note_shown(&self, _: ConversationId, _: Offset) {}

    /// Sets the prompt, its form for where there is no room for all of it, and the conversation
    /// that gets the next line.
    fn prompt(&self, prompt: String, short: String, focus: Option<ConversationId>);

    /// Tells a terminal elsewhere what to show while the desk is away: the customer who gets its
    /// next line.
    fn note_standing(&self, _: Option<String>) {}

    /// Tells a terminal elsewhere which conversations of others it watches.
    fn note_watched(&self, _: &[ConversationId]) {}

    /// Tells a terminal elsewhere what to say to a person who is about to leave it.
    fn note_leaving(&self, _: Option<String>) {}

    /// Shows these lines beside the conversation.
    fn list(&self, lines: Vec<String>);

    /// Puts a text into the line that is being typed, at the cursor.
    fn insert(&self, text: &str);

    /// Adds `rest` to the command that is being typed, for the Tab key, if it is still `line`.
    fn complete(&self, line: &str, rest: &str);

    /// Calls the person.
    fn ring(&self, text: &str);

    /// Shows in the window's title how many customers need an answer.
    fn title(&self, count: u32);

    /// Shows why a person's line was not sent, and gives it back.
    fn refuse(&self, why: &str, line: &str);

    /// Lets everything that was shown since the last flush leave now.
    fn flush(&self);

    /// Shows all that is left, and ends.
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
    /// The peer's lines that are on their way to the screen, each with the screen's ticket.
    unseen: VecDeque<(u64, Seen)>,
    /// The content of the prompt, as far as the person without a prompt knows it.
    spoken: Spoken,
    /// Whether a line of the one who gets this seat's lines was shown since.
    is_answered: bool,
    /// A line was not delivered, or a script failed.
    failed: bool,
}

impl Seat {
    /// The seat in front of this screen.
    pub fn new(screen: impl Front + 'static) -> Seat {
        Seat {
            screen: Box::new(screen),
            unseen: VecDeque::new(),
            spoken: Spoken::NOTHING,
            is_answered: false,
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

    /// Shows a report. For a script an error is a failure.
    pub fn tell(&mut self, report: Report) {
        let is_fault = matches!(report, Report::Error { .. } | Report::Fault { .. });
        self.failed |= is_fault && !self.is_person();
        self.screen.show(report);
    }

    /// Shows a report that is not urgent, in its order among others.
    pub fn tell_later(&mut self, report: Report) {
        self.screen.show_later(report);
    }

    /// Shows a message. `seen` names it if the peer wrote it and somebody will read it.
    pub fn say(&mut self, told: Told, seen: Option<Seen>) {
        self.is_answered |= !told.own && !told.history && !told.elsewhere;
        let ticket = self.screen.show(Report::Message(told));
        self.unseen.extend(seen.map(|seen| (ticket, seen)));
    }

    /// Shows what went wrong. The program's exit code will not be 0.
    pub fn fail(&mut self, text: String) {
        self.failed = true;
        self.screen.show(Report::Error { text });
    }

    /// Shows one line for a person.
    pub fn notice(&self, text: &str) {
        self.screen.show(Report::Notice { text: text.to_owned() });
    }

    /// Whether a person sits here who has no prompt (`--plain`).
    pub fn is_spoken_to(&self) -> bool {
        self.is_person() && !self.screen.has_prompt()
    }

    /// Shows a person without a prompt what has changed in the prompt, as a line.
    pub fn speak(&mut self, spoken: Spoken) {
        let is_answered = mem::take(&mut self.is_answered);
        if self.is_spoken_to() {
            let text = spoken.since(&self.spoken, is_answered);
            if !text.is_empty() {
                self.notice(&text);
            }
            self.spoken = spoken;
        }
    }

    /// Lets the next [`speak`](Seat::speak) say who gets the next line, also if that has not
    /// changed.
    pub fn forget_addressee(&mut self) {
        self.spoken.to = None;
    }

    /// Adds to a command what Tab adds, and lists the ways in which it can go on.
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

    /// Everything up to this ticket is on the screen. Returns the latest line of each conversation
    /// and desk that was seen with it.
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

    /// Forgets the lines that are on their way to the screen: no peer will get a `seen` for them.
    pub fn forget_unseen(&mut self) {
        self.unseen.clear();
    }

    /// Ends the screen when everything is shown.
    pub fn finish(self) {
        self.screen.finish();
    }
}
