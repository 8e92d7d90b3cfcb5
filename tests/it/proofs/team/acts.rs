//! The acts of customers and agents, by chance.

use rustix::process::Signal;

use super::customer::Customer;
use super::seat::Kind;
use super::{SECRET, World};

impl World {
    /// A few acts at once, each by anybody.
    pub(super) fn act(&mut self) {
        for _ in 0..=self.chance.below(8) {
            match self.chance.below(2) {
                0 => self.customer_acts(),
                _ => self.agent_acts(),
            }
            self.acts += 1;
        }
    }

    fn customer_acts(&mut self) {
        let at = self.chance.below(self.customers.len() as u64) as usize;
        let (word, times) = (self.chance.below(100), 1 + self.chance.below(3));
        let customer = &mut self.customers[at];
        if customer.process.is_none() || customer.renews.is_some() {
            return;
        }
        match (customer.state.as_str(), word) {
            ("closed", _) => {
                customer.renews = Some(customer.conversation.clone());
                customer.say("/new");
            }
            ("bot", 0..70) => {
                let line = customer.line("human ");
                customer.say(&line);
            }
            ("queued" | "active", 0..3) => customer.say("/end"),
            ("queued", 3..6) => customer.say("/bot"),
            _ => {
                for _ in 0..times {
                    let line = customer.line("");
                    customer.say(&line);
                }
            }
        }
    }

    fn agent_acts(&mut self) {
        let at = 1 + self.chance.below(self.seats.len() as u64 - 1) as usize;
        let customer = self.chance.below(self.customers.len() as u64) as usize;
        let customer = self.customers[customer].name.clone();
        let (word, mark) = (self.chance.below(100), self.marks);
        if self.seats[at].process.is_none() {
            return;
        }
        self.notes += 1;
        let note = format!("{SECRET}{}", self.notes);
        let command = match (self.seats[at].kind, word) {
            (_, 0..5) => format!("/transfer robin {note}"),
            (_, 5..10) => format!("/transfer al {note}"),
            (_, 10..13) => format!("/transfer queue {note}"),
            (_, 13..17) => format!("/decline {customer}"),
            (_, 17..21) => format!("/note {note}"),
            (_, 21..23) => format!("/away {note}"),
            (_, 23..28) => "/here".to_owned(),
            (_, 28..30) => format!("/watch {customer}"),
            (Kind::Person, 30..50) => "/accept".to_owned(),
            (Kind::Person, 50..58) => format!("/accept {customer}"),
            (Kind::Person, 58..64) => format!("/switch {customer}"),
            (_, 30..36) => format!("/take {customer} {note}"),
            (Kind::Person, 64..66) => format!("/take {customer} {note}"),
            // A script's line waits until it can be done, and the next line waits for it.
            (Kind::Script, _) if !self.may_wait(at) => return,
            (_, 66..69) => format!("/close {note}"),
            (_, 69..72) => format!("/handback {note}"),
            // A person's `/close` takes effect when it is typed again, or after 5 s.
            (Kind::Person, 72..75) => "/close".to_owned(),
            (Kind::Person, 75..77) => "/handback".to_owned(),
            (Kind::Person, 77) => "/undo".to_owned(),
            _ => {
                if self.seats[at].kind == Kind::Script || word < 82 {
                    self.seats[at].type_line("/next");
                }
                return self.seats[at].say(mark);
            }
        };
        self.seats[at].type_line(&command);
    }

    /// Whether a script's line for a customer will be done or refused soon: the script has had a
    /// customer, and none of its customers is away.
    fn may_wait(&self, at: usize) -> bool {
        let seat = &self.seats[at];
        let is_away =
            |name: &str| self.customers.iter().any(|it| it.name == name && it.process.is_none());
        let mut own = self.owners.iter().filter(|(_, owner)| *owner == seat.name);
        seat.had_one && !own.any(|(customer, _)| is_away(customer))
    }

    /// At a quiet moment customers and agents leave, and come back.
    pub(super) fn come_and_go(&mut self) {
        let at = self.chance.below(self.customers.len() as u64) as usize;
        let here = self.customers.iter().filter(|it| it.process.is_some()).count();
        match (&mut self.customers[at].process, self.chance.below(10)) {
            (None, 0..5) => self.customers[at].start(),
            (Some(process), 0) if here > 3 => {
                process.signal(Signal::TERM);
                process.exit_code();
                self.customers[at].hear();
                self.customers[at].process = None;
            }
            _ => {}
        }
        let at = 1 + self.chance.below(self.seats.len() as u64 - 1) as usize;
        let here = self.seats.iter().filter(|it| it.process.is_some()).count();
        match (&mut self.seats[at].process, self.chance.below(12)) {
            (None, 0..6) => self.start_seat(at, None, None),
            (Some(process), 0) if here > 2 => {
                process.signal(Signal::TERM);
                process.exit_code();
                self.seats[at].hear();
                self.seats[at].died(&self.home);
                self.seats[at].process = None;
            }
            _ => {}
        }
    }

    /// Brings everybody back.
    pub(super) fn come_all(&mut self) {
        self.customers.iter_mut().filter(|it| it.process.is_none()).for_each(Customer::start);
        for at in 0..self.seats.len() {
            if self.seats[at].process.is_none() {
                self.start_seat(at, None, None);
            }
        }
    }
}
