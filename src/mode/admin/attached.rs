//! The desk's end of the connection to an agent's terminal. It turns what the terminal must show
//! into frames.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::core::record::Offset;
use crate::core::report::Report;
use crate::edge::clock;
use crate::mode::attached::fact_of;
use crate::turn::seat::Front;
use crate::wire::ConversationId;
use crate::wire::seat::{SeatMessage, SignIn, View, WATCHED_MAX};

/// How long a frame that is not urgent may wait for other frames.
const LATER: Duration = Duration::from_millis(100);

/// The frames for one terminal, until they are sent.
///
/// To wake a terminal costs more than to send it a frame. So a frame that is not urgent, such as
/// the number of lines that another agent has not answered, waits for an urgent frame or for
/// [`LATER`]. All frames stay in order.
#[derive(Default)]
pub(super) struct Outbox {
    frames: RefCell<Vec<Frame>>,
    /// When the oldest waiting frame that is not urgent was added.
    waits_since: Cell<Option<Instant>>,
    is_urgent: Cell<bool>,
}

enum Frame {
    Message(SeatMessage),
    /// A report for a program. It is turned into a fact only when it is sent, to keep that work out
    /// of the turn.
    Report(Report),
}

impl Outbox {
    pub(super) fn push(&self, message: SeatMessage) {
        self.frames.borrow_mut().push(Frame::Message(message));
        self.is_urgent.set(true);
    }

    /// Adds a frame that is not urgent.
    fn push_later(&self, frame: Frame) {
        let mut frames = self.frames.borrow_mut();
        match (frames.last_mut(), &frame) {
            // A new view replaces the view before it.
            (
                Some(last @ Frame::Message(SeatMessage::View(_))),
                Frame::Message(SeatMessage::View(_)),
            ) => *last = frame,
            _ => frames.push(frame),
        }
        if self.waits_since.get().is_none() {
            self.waits_since.set(Some(clock::now().clock));
        }
    }

    /// Takes all frames, if one of them is urgent or has waited for [`LATER`].
    pub(super) fn take_due(&self, now: Instant) -> Vec<SeatMessage> {
        let is_due = self.deadline().is_some_and(|by| now >= by);
        if self.is_urgent.get() || is_due { self.take() } else { Vec::new() }
    }

    /// When the frames must be sent, even if none of them is urgent.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waits_since.get().map(|since| since + LATER)
    }

    pub(super) fn take(&self) -> Vec<SeatMessage> {
        self.waits_since.set(None);
        self.is_urgent.set(false);
        let message = |frame| match frame {
            Frame::Message(message) => Some(message),
            Frame::Report(report) => fact_of(report, true).map(SeatMessage::Fact),
        };
        self.frames.take().into_iter().filter_map(message).collect()
    }
}

/// The screen of an agent's terminal elsewhere, as the desk sees it.
pub(super) struct Attached {
    outbox: Rc<Outbox>,
    is_person: bool,
    has_prompt: bool,
    is_json: bool,
    /// The number of the latest fact that was pushed.
    last_fact: Cell<u64>,
    /// The number of the latest fact that the terminal has shown.
    shown: Rc<Cell<u64>>,
    view: RefCell<View>,
    sent_view: RefCell<Option<View>>,
}

impl Attached {
    /// The screen of a terminal that has signed in with these properties.
    pub(super) fn new(sign_in: &SignIn, outbox: Rc<Outbox>, shown: Rc<Cell<u64>>) -> Attached {
        Attached {
            outbox,
            is_person: sign_in.is_person,
            has_prompt: sign_in.has_prompt,
            is_json: sign_in.is_json,
            last_fact: Cell::new(0),
            shown,
            view: RefCell::default(),
            sent_view: RefCell::default(),
        }
    }
}

impl Front for Attached {
    fn is_interactive(&self) -> bool {
        self.is_person
    }

    fn reads_lines(&self) -> bool {
        true
    }

    fn has_prompt(&self) -> bool {
        self.has_prompt
    }

    fn backlog(&self) -> u64 {
        self.last_fact.get().saturating_sub(self.shown.get())
    }

    fn show(&self, report: Report) -> u64 {
        if let Some(fact) = fact_of(report, self.is_json) {
            self.last_fact.set(self.last_fact.get() + 1);
            self.outbox.push(SeatMessage::Fact(fact));
        }
        self.last_fact.get()
    }

    fn show_later(&self, report: Report) -> u64 {
        if !self.is_json {
            return self.show(report);
        }
        self.last_fact.set(self.last_fact.get() + 1);
        self.outbox.push_later(Frame::Report(report));
        self.last_fact.get()
    }

    fn note_shown(&self, conversation: ConversationId, offset: Offset) {
        let offset = offset.0;
        self.outbox.push_later(Frame::Message(SeatMessage::Upto { conversation, offset }));
    }

    fn prompt(&self, prompt: String, short: String, focus: Option<ConversationId>) {
        let mut view = self.view.borrow_mut();
        (view.prompt, view.short, view.focus) = (prompt, short, focus);
    }

    fn note_standing(&self, who: Option<String>) {
        self.view.borrow_mut().who = who;
    }

    fn note_watched(&self, watched: &[ConversationId]) {
        let latest = &watched[watched.len().saturating_sub(WATCHED_MAX)..];
        let mut view = self.view.borrow_mut();
        if view.watched != latest {
            view.watched = latest.to_vec();
        }
    }

    fn note_leaving(&self, leaving: Option<String>) {
        self.view.borrow_mut().leaving = leaving;
    }

    fn list(&self, lines: Vec<String>) {
        self.outbox.push_later(Frame::Message(SeatMessage::List { lines }));
    }

    fn insert(&self, text: &str) {
        self.outbox.push(SeatMessage::Insert { text: text.to_owned() });
    }

    fn complete(&self, line: &str, rest: &str) {
        let (line, rest) = (line.to_owned(), rest.to_owned());
        self.outbox.push(SeatMessage::Completed { line, rest });
    }

    fn ring(&self, text: &str) {
        self.outbox.push(SeatMessage::Ring { text: text.to_owned() });
    }

    fn title(&self, count: u32) {
        self.view.borrow_mut().count = count;
    }

    fn refuse(&self, why: &str, line: &str) {
        self.outbox.push(SeatMessage::Refused { why: why.to_owned(), line: line.to_owned() });
    }

    fn flush(&self) {
        let view = self.view.borrow();
        let mut sent = self.sent_view.borrow_mut();
        if sent.as_ref() == Some(&*view) {
            return;
        }
        let message = SeatMessage::View(view.clone());
        // The terminal must know at once which conversation gets the next line, and which it
        // watches: the desk may die.
        let is_same = |sent: &View| (sent.focus, &sent.watched) == (view.focus, &view.watched);
        if sent.as_ref().is_some_and(is_same) {
            self.outbox.push_later(Frame::Message(message));
        } else {
            self.outbox.push(message);
        }
        sent.replace(view.clone());
    }

    fn finish(self: Box<Self>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(lines: u32) -> Frame {
        let conversation = ConversationId::new([7; 16]);
        Frame::Report(Report::Unanswered { conversation, lines, since: None })
    }

    fn view(prompt: &str) -> Frame {
        Frame::Message(SeatMessage::View(View { prompt: prompt.to_owned(), ..View::default() }))
    }

    /// How many messages there are, and the prompts in them.
    fn prompts(messages: &[SeatMessage]) -> (usize, Vec<&str>) {
        let prompts = messages.iter().filter_map(|message| match message {
            SeatMessage::View(view) => Some(&*view.prompt),
            _ => None,
        });
        (messages.len(), prompts.collect())
    }

    #[test]
    fn frames_that_are_not_urgent_leave_in_order_with_an_urgent_one_or_after_a_tenth_of_a_second() {
        let outbox = Outbox::default();
        let now = clock::now().clock;
        outbox.push_later(owed(1));
        outbox.push_later(owed(0));
        assert_eq!(outbox.take_due(now), []);
        outbox.push(SeatMessage::Taken { number: 1 });
        let sent = outbox.take_due(now);
        assert!(matches!(sent[..2], [SeatMessage::Fact(_), SeatMessage::Fact(_)]), "{sent:?}");
        assert_eq!(sent[2..], [SeatMessage::Taken { number: 1 }]);
        assert_eq!(outbox.deadline(), None);
        outbox.push_later(view("a"));
        outbox.push_later(view("b"));
        outbox.push_later(owed(1));
        outbox.push_later(view("c"));
        let by = outbox.deadline().expect("they leave");
        assert_eq!(outbox.take_due(by - Duration::from_millis(1)), []);
        assert_eq!(prompts(&outbox.take_due(by)), (3, vec!["b", "c"]));
        assert_eq!(outbox.take_due(by), []);
    }
}
