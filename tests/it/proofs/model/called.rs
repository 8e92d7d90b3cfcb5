//! No customer is forgotten. Every list has each customer who waits or talks. An agent who is here
//! is called for a customer of their department at once, and for any other after 60 s in which no
//! agent of that department was here. These checks rest on what the customer's side sent and on
//! which agents came and went, never on the desk's own knowledge.

use std::time::Duration;

use handoff::core::department::Department;
use handoff::core::desk::SeatId;
use handoff::core::report::Listed;
use handoff::wire::{Body, State};

use super::World;
use super::entries::state_after;

/// While a customer waits, an agent is called again after at most this time.
const AGAIN: Duration = Duration::from_secs(61);
/// The departments that the bot names. Only the desk's own terminal serves the last one.
pub(super) const DEPARTMENTS: [&str; 4] = ["", "returns", "Billing", "gardening"];

/// Whether the agent with this name for customers serves a department. The desk's own terminal has
/// no name here, and serves all.
fn serves(agent: Option<&str>, department: Option<&Department>) -> bool {
    let Some(department) = department else { return true };
    match agent {
        None => true,
        Some("robin") => department.as_str() == "returns",
        Some(_) => department.as_str() == "Billing",
    }
}

impl World {
    /// An agent goes away or comes back.
    pub(super) fn goes_away(&mut self, seat: SeatId, is_away: bool) {
        let Some(agent) = self.desk.agent_at(seat) else { return };
        self.desk.set_away(seat, is_away.then_some("private"), self.now);
        if is_away {
            self.away.insert(agent)
        } else {
            self.away.remove(&agent)
        };
    }

    /// Whether the agent at this seat can be given customers.
    fn is_here(&self, seat: SeatId) -> bool {
        self.desk.agent_at(seat).is_some_and(|agent| !self.away.contains(&agent))
    }

    /// Checks that every list has each customer who waits or talks once. This needs that the desk
    /// has applied the customer's latest control: while a backlog arrives, controls are history.
    pub(super) fn check_lists(&self) {
        let told = self.care.state.filter(|_| !self.care.is_unlisted);
        let Some(state @ (State::Queued | State::Active)) = told else { return };
        if state_after(&self.care.disk.theirs(self.customer.id)) != state {
            return;
        }
        let Some(called) = self.desk.called(self.customer.id) else {
            panic!("the desk forgot a customer who waits or talks");
        };
        for seat in &self.seats {
            let is_theirs = |row: &&Listed| match row {
                Listed::Talking { who, .. } | Listed::Waiting { who, .. } => *who == called,
                _ => false,
            };
            let rows = self.desk.list(*seat, self.now);
            let rows = rows.iter().filter(is_theirs).count();
            // A customer who is turned away waits until the wait ends, and agents do not see it.
            let is_shown = rows == 1 || rows == 0 && self.blocked > 0;
            assert!(is_shown, "{called} stands {rows} times in the list at {seat:?}");
        }
    }

    /// When nobody has acted for minutes, checks that exactly the right agents were called again
    /// and again for a waiting customer.
    pub(super) fn check_called(&self) {
        self.check_lists();
        let came = self.care.disk.theirs(self.customer.id);
        let request = came.iter().rev().find_map(|entry| match &entry.body {
            Body::Requested(request) => Some(request),
            _ => None,
        });
        // A desk that was set back does not know that the customer waits.
        let is_known = !self.set_back && state_after(&came) == State::Queued;
        let Some(request) = request.filter(|_| is_known) else { return };
        let department = request.department.as_deref().and_then(Department::new);
        let for_whom = |seat: SeatId| serves(self.desk.shown_at(seat), department.as_ref());
        let is_attended = self.seats.iter().any(|seat| self.is_here(*seat) && for_whom(*seat));
        for seat in self.seats.iter().copied() {
            let is_meant = for_whom(seat) || !is_attended;
            let agent = self.desk.agent_at(seat).expect("a seat has an agent");
            let latest = self.care.rung.get(&agent);
            let is_rung = latest.is_some_and(|at| self.now.clock <= *at + AGAIN);
            let expected = self.is_here(seat) && is_meant;
            assert_eq!(
                is_rung,
                expected,
                "{:?} was rung at {latest:?} for {department:?}, attended: {is_attended}",
                self.desk.shown_at(seat)
            );
            // The prompt of an agent who is away counts the customers for whom the desk would call
            // them.
            let waiting = self.desk.prompt(seat, self.now).customers.waiting;
            let is_anybody_here = self.seats.iter().any(|seat| self.is_here(*seat));
            let counts = for_whom(seat) || !is_attended && is_anybody_here;
            assert_eq!(
                waiting,
                usize::from(counts),
                "the prompt of {:?}",
                self.desk.shown_at(seat)
            );
        }
    }
}
