//! The desk's end of an agent's terminal elsewhere: what is shown there becomes frames.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::core::record::Offset;
use crate::core::report::Report;
use crate::mode::attached::fact_of;
use crate::turn::seat::Front;
use crate::wire::ConversationId;
use crate::wire::seat::{SeatMessage, SignIn, View};

/// The frames for one terminal that wait for the end of the turn.
#[derive(Default)]
pub(super) struct Outbox {
    frames: RefCell<Vec<SeatMessage>>,
}

impl Outbox {
    pub(super) fn push(&self, message: SeatMessage) {
        self.frames.borrow_mut().push(message);
    }

    pub(super) fn take(&self) -> Vec<SeatMessage> {
        self.frames.take()
    }
}

/// What stands in front of the agent there.
pub(super) struct Attached {
    outbox: Rc<Outbox>,
    is_person: bool,
    has_prompt: bool,
    is_json: bool,
    /// The number of the last fact.
    last_fact: Cell<u64>,
    /// The number of the last fact that is on the screen there.
    shown: Rc<Cell<u64>>,
    view: RefCell<View>,
    sent_view: RefCell<Option<View>>,
}

impl Attached {
    /// A terminal that signed in like this.
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

    fn note_shown(&self, conversation: ConversationId, offset: Offset) {
        self.outbox.push(SeatMessage::Upto { conversation, offset: offset.0 });
    }

    fn prompt(&self, prompt: String, short: String, focus: Option<ConversationId>) {
        let mut view = self.view.borrow_mut();
        (view.prompt, view.short, view.focus) = (prompt, short, focus);
    }

    fn list(&self, lines: Vec<String>) {
        self.outbox.push(SeatMessage::List { lines });
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
        if self.sent_view.borrow().as_ref() != Some(&*view) {
            self.outbox.push(SeatMessage::View(view.clone()));
            self.sent_view.replace(Some(view.clone()));
        }
    }

    fn finish(self: Box<Self>) {}
}
