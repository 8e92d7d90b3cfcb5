//! How a desk ends, and how the script at a seat does.

use crate::core::clock::Now;
use crate::core::desk::SeatId;
use crate::core::report::Customers;
use crate::core::script::LEAVE_WITHIN;
use crate::turn::keeper::Stop;
use crate::wire::seat::SeatMessage;

use super::Admin;

impl Admin {
    /// Ctrl-C on an empty line. While customers wait or talk, the desk leaves only at the second
    /// press.
    pub(super) fn ctrl_c(&mut self, again: bool, now: Now) {
        let unfinished = self.unfinished(self.desk.customers(SeatId::TERMINAL));
        if unfinished.is_empty() || again || self.leaving.is_some() {
            self.interrupt(130, now);
        } else {
            self.notice(&format!("{unfinished}; Ctrl-C again ends the desk"));
        }
    }

    /// What the end of the desk would leave behind: these customers, and attached agents.
    fn unfinished(&self, customers: Customers) -> String {
        let attached = self.desk.attached();
        let agents = (!attached.is_empty()).then(|| format!("attached: {}", attached.join(", ")));
        let customers = Some(customers.to_string()).filter(|text| !text.is_empty());
        customers.into_iter().chain(agents).collect::<Vec<_>>().join("; ")
    }

    /// The first interrupt delivers what is owed before the program ends, the second ends it at
    /// once.
    pub(super) fn interrupt(&mut self, code: u8, now: Now) {
        match &mut self.leaving {
            Some((by, _)) => *by = now.clock,
            None => self.leave(code, now),
        }
    }

    /// The desk's own terminal wants to leave. While a customer talks to the person there, or other
    /// agents are attached, the desk leaves only at the second time.
    fn ask_to_leave(&mut self, code: u8, now: Now) {
        let left = self.desk.left_behind(SeatId::TERMINAL);
        let is_person = self.here().input.pace.is_person();
        let talking = left.filter(|_| is_person).map_or(0, |left| left.customers);
        let unfinished = self.unfinished(Customers { talking, waiting: 0 });
        if unfinished.is_empty() || std::mem::replace(&mut self.has_asked_to_end, true) {
            return self.leave(code, now);
        }
        self.notice(&format!("{unfinished}; /quit again ends the desk"));
    }

    pub(super) fn leave(&mut self, code: u8, now: Now) {
        self.leaving.get_or_insert((now.clock + LEAVE_WITHIN, code));
    }

    /// The exit code, once there is nothing more to do.
    pub(super) fn leave_when_done(&mut self, now: Now) -> Result<Option<u8>, Stop> {
        let is_alone = self.edges.terminals.count() == 0;
        if self.leaving.is_none() && is_alone && self.is_script_over(SeatId::TERMINAL) {
            self.leave(0, now);
        }
        let Some((by, code)) = self.leaving else { return Ok(None) };
        let pace = &self.here().input.pace;
        if (!self.desk.undelivered().is_empty() && now.clock < by) || pace.reads_rest(now) {
            return Ok(None);
        }
        if let Some(text) = pace.not_sent() {
            self.edges.seats[SeatId::TERMINAL].seat_mut().fail(text);
        }
        for who in self.desk.waiting() {
            self.notice(&format!("{who} is still waiting"));
        }
        for (id, numbers) in self.desk.undelivered() {
            let here = &mut self.edges.seats[SeatId::TERMINAL];
            here.tell_undelivered(id, numbers, &self.edges.keeper.journal)?;
        }
        self.desk.leave();
        self.turn(now)?;
        self.edges.terminals.leave(&self.edges.peers);
        Ok(Some(if code == 0 { u8::from(self.here().seat().has_failed()) } else { code }))
    }

    /// Whether the script at a seat has nothing more to do.
    fn is_script_over(&self, at: SeatId) -> bool {
        // Only a script at its end asks this: `is_asking` looks at every conversation.
        let seat = &self.edges.seats[at];
        let is_over = seat.input.pace.is_over() && seat.had_one();
        is_over && !self.desk.is_talking(at) && !self.desk.is_asking(at)
    }

    /// Tells each terminal whose script is done that it may leave.
    pub(super) fn end_scripts(&self) {
        let others = self.edges.seats.iter().filter(|at| at.id != SeatId::TERMINAL);
        others.filter(|at| self.is_script_over(at.id)).for_each(|at| self.end_script(at.id));
    }

    /// `/quit` at a seat: the desk's own terminal ends the desk, any other one ends only itself.
    pub(super) fn quit(&mut self, at: SeatId, now: Now) {
        if at == SeatId::TERMINAL {
            self.desk.confirm(at, now);
            self.ask_to_leave(0, now);
        } else {
            self.end_script(at);
        }
    }

    /// Ends the script at a seat. At the desk's own terminal this ends the desk, with this exit
    /// code.
    pub(super) fn leave_seat(&mut self, at: SeatId, code: u8, now: Now) {
        if at == SeatId::TERMINAL {
            self.leave(code, now);
        } else {
            self.end_script(at);
        }
    }

    fn end_script(&self, at: SeatId) {
        let failed = self.edges.seats[at].seat().has_failed();
        if let Some(line) = self.edges.terminals.line_of(at) {
            line.outbox.push(SeatMessage::Over { failed });
        }
    }
}
