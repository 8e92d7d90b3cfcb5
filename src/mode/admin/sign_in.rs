//! Agents' terminals elsewhere: how they sign in, how each typed line is done once, and what
//! happens when they are gone.
//!
//! Rules: docs/PROTOCOL.md, "Agents' terminals"; docs/SECURITY.md, "Agents".

use std::cell::Cell;
use std::rc::Rc;

use crate::core::agent::hash;
use crate::core::clock::Now;
use crate::core::desk::SeatId;
use crate::core::record::Offset;
use crate::core::report::Report;
use crate::turn::keeper::Stop;
use crate::turn::seat::Seat;
use crate::wire::seat::{SeatMessage, SignIn};
use crate::wire::{Code, Conn, ConversationId};

use super::attached::{Attached, Outbox};
use super::seat::AgentSeat;
use super::terminals::Line;
use super::{AGENTS_LOOK, Admin};

/// The desk's answer to a code that it does not know.
const UNKNOWN: &str =
    "this desk does not know the code; ask for a new one (handoff agent add NAME)";

impl Admin {
    /// Handles bytes from an agent's terminal.
    pub(super) fn terminal_says(
        &mut self,
        conn: Conn,
        bytes: Vec<u8>,
        now: Now,
    ) -> Result<(), Stop> {
        let (terminals, net) = (&mut self.edges.terminals, self.edges.peers.net());
        let (messages, error) = terminals.received(conn, bytes, net);
        for message in messages {
            match (self.edges.terminals.line(conn), message) {
                (None, SeatMessage::SignIn(sign_in)) => self.sign_in(conn, sign_in, now)?,
                (Some(line), message) => self.hear(conn, &line, message, now)?,
                (None, SeatMessage::Ping {}) => {}
                (None, _) => self.dismiss(conn, Code::Protocol, "a terminal signs in first", now),
            }
        }
        if let Some(error) = error {
            self.dismiss(conn, Code::Protocol, &error.to_string(), now);
        }
        Ok(())
    }

    /// Removes the seat of a terminal whose connection is gone.
    pub(super) fn terminal_gone(&mut self, conn: Conn, now: Now) {
        if let Some(seat) = self.edges.terminals.gone(conn) {
            self.stand_up(seat, now);
        }
    }

    /// Reads the file of agents again every [`AGENTS_LOOK`], if it has changed.
    pub(super) fn look_for_agents(&mut self, now: Now) {
        let Some((_, look)) = &mut self.agents else { return };
        if now.clock < *look {
            return;
        }
        *look = now.clock + AGENTS_LOOK;
        self.read_agents(now);
    }

    /// Reads the file of agents, if it has changed, and ends the terminals of revoked agents.
    fn read_agents(&mut self, now: Now) {
        let Some((file, _)) = &mut self.agents else { return };
        match file.refresh() {
            Ok(false) => {}
            Ok(true) => {
                for seat in self.desk.set_agents(file.agents(), now) {
                    if let Some(conn) = self.edges.terminals.conn_at(seat) {
                        self.dismiss(
                            conn,
                            Code::Secret,
                            "you are no agent of this desk any more",
                            now,
                        );
                    }
                }
            }
            Err(why) => {
                let text = format!("{why}; the former agents stay");
                self.tell(SeatId::TERMINAL, Report::Error { text });
            }
        }
    }

    /// Signs a terminal in. Its code works once: with the first use the desk learns the terminal's
    /// secret, and from then on only that secret fits the code.
    fn sign_in(&mut self, conn: Conn, sign_in: SignIn, now: Now) -> Result<(), Stop> {
        self.read_agents(now);
        let (code, secret) = (hash(&sign_in.code), hash(&sign_in.secret));
        let agents = self.agents.as_ref().map(|(file, _)| file.agents());
        let agent = agents.and_then(|agents| agents.with_code(code));
        let Some(name) = agent.map(|agent| agent.name.clone()) else {
            self.dismiss(conn, Code::Secret, UNKNOWN, now);
            return Ok(());
        };
        let enrolled = self.edges.terminals.enrolled.get(&code).copied();
        match enrolled
            .map_or_else(|| self.edges.keeper.journal.secret_of(code), |it| Ok(Some(it)))?
        {
            Some(known) if known == secret => {}
            Some(_) => {
                let text = "this code has been used; ask for a new one (handoff agent add NAME)";
                self.dismiss(conn, Code::Secret, text, now);
                return Ok(());
            }
            None => {
                self.edges.terminals.enrolled.insert(code, secret);
                self.desk.enroll(&name, code, secret);
            }
        }
        if let Some(former) = self.edges.terminals.conn_of(sign_in.seat) {
            self.dismiss(former, Code::Replaced, "this seat has a newer connection", now);
        }
        let Some(seat) = self.desk.sign_in(&name) else { return Ok(()) };
        self.sit_down(conn, seat, name, sign_in)
    }

    /// Makes a seat for the agent, and shows the conversations at it.
    fn sit_down(
        &mut self,
        conn: Conn,
        id: SeatId,
        agent: String,
        sign_in: SignIn,
    ) -> Result<(), Stop> {
        let journal = &self.edges.keeper.journal;
        let (taken, unsent) = (journal.taken(sign_in.seat)?, journal.unsent(sign_in.seat)?);
        let line = Line {
            seat: id,
            key: sign_in.seat,
            received: Rc::new(Cell::new(taken)),
            outbox: Rc::new(Outbox::default()),
            shown: Rc::default(),
        };
        line.outbox.push(SeatMessage::SignedIn { desk: self.desk.id(), agent, taken, unsent });
        let front = Attached::new(&sign_in, line.outbox.clone(), line.shown.clone());
        let mut seat = AgentSeat::new(id, Seat::new(front), sign_in.is_json, false);
        for (id, offset) in &sign_in.shown {
            seat.resume(*id, Offset(*offset));
        }
        if let Some(focus) = sign_in.focus {
            self.desk.return_to(id, focus);
        }
        let watch_again = |of: &ConversationId| (*of, self.desk.watch_again(id, *of));
        let watched: Vec<_> = sign_in.watched.iter().map(watch_again).collect();
        for (conversation, report) in self.desk.states() {
            let is_state = matches!(report, Report::State { .. });
            // A person reads who the customer is when they have the customer.
            if !sign_in.is_json && matches!(report, Report::Page { .. }) {
                continue;
            }
            if sign_in.is_json && is_state && self.desk.is_shown_at(id, conversation) {
                let lines = journal.lines(conversation, seat.drawn(conversation))?;
                // A program that lost its connection gets the lines that it missed as new ones. Any
                // other program gets them as history.
                let is_history = !sign_in.shown.contains_key(&conversation);
                for line in lines.iter().filter(|line| line.said().is_some()) {
                    seat.show_line(&self.desk, conversation, None, line, is_history);
                }
                if let Some(last) = lines.last() {
                    seat.note_drawn(conversation, last.offset);
                }
            } else if sign_in.is_json && is_state {
                seat.note_missed(conversation);
            }
            seat.tell_report(&self.desk, report, journal)?;
            if let Some(tags) = self.desk.tags(conversation).filter(|_| is_state && sign_in.is_json)
            {
                seat.tell_report(&self.desk, tags, journal)?;
            }
        }
        self.edges.seats.add(seat);
        let (terminals, net) = (&mut self.edges.terminals, self.edges.peers.net());
        terminals.admit(conn, line, net);
        self.go_on_watching(id, watched)?;
        self.desk.tell_arrival(id);
        Ok(())
    }

    /// Handles a message from a terminal that is signed in.
    fn hear(
        &mut self,
        conn: Conn,
        line: &Line,
        message: SeatMessage,
        now: Now,
    ) -> Result<(), Stop> {
        let at = line.seat;
        match message {
            SeatMessage::Line { number, .. } if number <= line.received.get() => {
                // The desk has this line already. If a script's line is still under way, the
                // terminal gets `Taken` when it is done.
                if self.edges.seats[at].input.pace.pending().is_none() {
                    line.outbox.push(SeatMessage::Taken { number: line.received.get() });
                }
            }
            SeatMessage::Line { number, conversation, text }
                if number == line.received.get() + 1
                    && self.edges.seats[at].input.pace.takes_lines() =>
            {
                line.received.set(number);
                self.typed_to(at, conversation, &text, now)?;
                if self.edges.seats[at].input.pace.pending().is_none() {
                    self.note_taken(at);
                }
            }
            SeatMessage::End {} => self.edges.seats[at].input.pace.ended(None, now),
            SeatMessage::Typing { draft } => self.typing(at, draft.as_deref(), now),
            SeatMessage::ListRows { rows } => self.edges.seats[at].side_list.set_rows(rows),
            SeatMessage::Enter {} => self.desk.confirm(at, now),
            SeatMessage::Complete { line } => self.complete(at, &line),
            SeatMessage::Shown { number } => {
                line.shown.set(number);
                self.desk.arrival_shown(at);
                self.shown(at, number);
            }
            SeatMessage::Bye { .. } => {
                self.edges.peers.net().close(conn);
                self.terminal_gone(conn, now);
            }
            SeatMessage::Ping {} => {}
            _ => self.dismiss(conn, Code::Protocol, "a message that a terminal may not send", now),
        }
        Ok(())
    }

    /// The latest line from this seat is done: journals that together with its effects, and then
    /// tells the terminal.
    pub(super) fn note_taken(&mut self, at: SeatId) {
        if let Some(line) = self.edges.terminals.line_of(at) {
            let number = line.received.get();
            self.desk.note_taken(line.key, number);
            line.outbox.push(SeatMessage::Taken { number });
        }
    }

    /// Journals that the latest line from this seat reached no customer.
    pub(super) fn note_unsent(&mut self, at: SeatId) {
        if let Some(line) = self.edges.terminals.line_of(at) {
            self.desk.note_unsent(line.key, line.received.get());
        }
    }

    /// Closes a terminal's connection, and says why.
    fn dismiss(&mut self, conn: Conn, code: Code, text: &str, now: Now) {
        let seat = self.edges.terminals.line(conn).map(|line| line.seat);
        self.edges.terminals.dismiss(conn, code, text, &self.edges.peers);
        if let Some(seat) = seat {
            self.stand_up(seat, now);
        }
    }

    fn stand_up(&mut self, seat: SeatId, now: Now) {
        self.desk.sign_out(seat, now);
        self.edges.seats.remove(seat);
    }
}
