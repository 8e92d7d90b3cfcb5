//! What a customer is owed: an agent, and an answer to each line that the customer typed after the
//! agent's latest line. Lines to the bot need no answer. An agent who only opens the conversation
//! answers nothing.
//!
//! All times are from the desk's clock, so that a customer cannot get ahead with a wrong clock.

use crate::wire::{Author, Body, Millis, Request, Said};

/// The most bytes that [`Owed`] keeps of the customer's latest line.
const LINE_MAX: usize = 200;

/// When a customer asked for an agent, and which of their lines have no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    asked_at: Millis,
    lines: u32,
    since: Millis,
    last: Box<str>,
    is_answered: bool,
}

impl Owed {
    /// Learns from an entry of the customer's side, which came at the time `at`.
    pub fn learn(&mut self, body: &Body, at: Millis) {
        match body {
            Body::Message(Said { author: Author::User, text, .. }) => self.add(text, at),
            // The agent has left: the next agent owes an answer to the same lines.
            Body::Requested(Request { of: Some(_), .. }) => self.ask_again(at),
            Body::Requested { .. } => self.ask(at),
            _ => {}
        }
    }

    /// The customer asked for an agent at this time. Their earlier lines were for the bot.
    pub fn ask(&mut self, at: Millis) {
        *self = Owed { asked_at: at, ..Owed::default() };
    }

    /// The customer's agent has left: the customer waits again since this time.
    pub fn ask_again(&mut self, at: Millis) {
        self.asked_at = at;
    }

    /// The customer typed this line at this time.
    pub fn add(&mut self, text: &str, at: Millis) {
        if self.lines == 0 {
            self.since = at;
        }
        self.lines += 1;
        self.last = text[..text.floor_char_boundary(LINE_MAX)].into();
    }

    /// The agent answered.
    pub fn settle(&mut self) {
        (self.lines, self.is_answered) = (0, true);
    }

    /// Whether an agent has said anything since the customer asked for one.
    pub fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// When the customer asked for an agent.
    pub fn asked_at(&self) -> Millis {
        self.asked_at
    }

    /// How many lines have no answer.
    pub fn lines(&self) -> u32 {
        self.lines
    }

    /// When the first line without an answer came.
    pub fn since(&self) -> Option<Millis> {
        (self.lines > 0).then_some(self.since)
    }

    /// The customer's latest line, even if it has an answer.
    pub fn last(&self) -> Option<&str> {
        (!self.last.is_empty()).then_some(&*self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::Owed;

    #[test]
    fn a_customer_waits_since_the_first_line_without_an_answer_and_an_answer_settles_all_lines() {
        let mut owed = Owed::default();
        owed.add("for the bot", 2);
        owed.ask(3);
        assert!(owed.asked_at() == 3 && !owed.is_answered());
        assert_eq!((owed.lines(), owed.since(), owed.last()), (0, None, None));
        owed.add("hello?", 5);
        owed.add("anybody there?", 9);
        assert_eq!((owed.lines(), owed.since(), owed.last()), (2, Some(5), Some("anybody there?")));
        owed.settle();
        assert!(owed.is_answered());
        assert_eq!((owed.lines(), owed.since(), owed.last()), (0, None, Some("anybody there?")));
        owed.add(&"é".repeat(200), 12);
        assert_eq!((owed.since(), owed.last()), (Some(12), Some("é".repeat(100).as_str())));
    }
}
