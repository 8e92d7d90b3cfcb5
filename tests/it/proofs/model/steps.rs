//! The steps of a history: the customer, the agent and the bot act, and messages arrive.

use std::collections::BTreeSet;
use std::time::Duration;

use handoff::core::department::{Department, Need};
use handoff::core::desk::SeatId;
use handoff::core::record::Ending;
use handoff::core::reply::{Handoff, Reply};
use handoff::core::session::Resumed;
use handoff::wire::{Author, Conn, Message, Said};

use super::World;
use super::called::DEPARTMENTS;
use super::line::Line;

const ENDINGS: [Ending; 2] = [Ending::Close, Ending::HandBack];

impl World {
    /// One step of a person, the bot, the line or the clock, chosen by chance.
    pub(super) fn step(&mut self) {
        let (now, seat) = (self.now, self.seat());
        match self.chance.below(100) {
            0..15 => self.customer_types(),
            15..25 => self.agent_types(),
            25..55 => self.deliver_up(),
            55..80 => self.deliver_down(),
            80..88 => self.bot_answers(),
            88..91 => _ = self.session().ask_for_human(now),
            91..92 => _ = self.session().withdraw(now),
            92..95 => _ = self.desk.accept(seat, None, now),
            95..96 => _ = self.desk.end(seat, None, Ending::HandBack, None, now),
            96..97 => self.cut(),
            97..98 => self.rarely(),
            _ => self.pass(Duration::from_millis(700)),
        }
        // Usually the batch ends here. Else the next input belongs to it, too.
        if self.chance.below(8) > 0 {
            self.settle();
            self.check_lists();
        }
    }

    fn rarely(&mut self) {
        let (now, seat) = (self.now, self.seat());
        match self.chance.below(18) {
            16 => {
                let time = Duration::from_secs(self.chance.below(4));
                self.blocked += u32::from(self.desk.block(seat, Some(1), None, time, now).is_ok());
            }
            17 => _ = self.desk.unblock(seat, 1),
            12..16 => self.changes_hands(),
            10 => self.contradict(),
            11 => self.sessions.unwatch(self.customer.id),
            0 => _ = self.session().end(now),
            1 => {
                let on = [None, Some(1)][self.chance.below(2) as usize];
                _ = self.desk.end(seat, on, Ending::Close, Some("private"), now);
            }
            2 => self.lose_desk(),
            3 => self.kill_customer(),
            4 => self.kill_desk(),
            5 => self.set_back_desk(),
            6 => self.customer.again |= self.session().ask_again(now).is_ok(),
            _ => self.cut(),
        }
    }

    pub(super) fn customer_types(&mut self) {
        self.said += 1;
        let (text, now) = (format!("user {}", self.said), self.now);
        let _ = self.session().say(&text, now);
    }

    pub(super) fn agent_types(&mut self) {
        self.said += 1;
        let text = format!("admin {}", self.said);
        let is_own = |seat: &&SeatId| self.desk.is_own(**seat, self.customer.id);
        let owners: BTreeSet<_> =
            self.seats.iter().filter(is_own).map(|seat| self.desk.agent_at(*seat)).collect();
        assert!(owners.len() <= 1, "{owners:?} have the customer");
        // All seats try. The desk refuses those who do not have the customer.
        for seat in &self.seats {
            // While a backlog arrives, nobody may have the customer, and the last agent still
            // speaks.
            let may = owners.is_empty() || owners.contains(&self.desk.agent_at(*seat));
            if self.desk.say(*seat, &text, self.now).is_ok() {
                assert!(may, "{seat:?} spoke to another agent's customer");
                break;
            }
        }
    }

    /// A random seat.
    fn seat(&mut self) -> SeatId {
        let at = self.chance.below(self.seats.len() as u64) as usize;
        self.seats[at]
    }

    /// Another agent gets the customer, the customer goes back to the queue, or agents come and go.
    fn changes_hands(&mut self) {
        let (now, seat, to) = (self.now, self.seat(), self.chance.below(3) as usize);
        // The conversation in focus, or the one with the number, whoever has it.
        let on = [None, Some(1)][self.chance.below(2) as usize];
        match self.chance.below(10) {
            8 => self.goes_away(seat, true),
            9 => self.goes_away(seat, to == 0),
            6 => _ = self.desk.end_soon(seat, on, ENDINGS[to % 2], Some("private"), now),
            7 => match to {
                0 => self.desk.confirm(seat, now),
                _ => _ = self.desk.undo(seat, now),
            },
            0 => {
                let to = ["robin", "al", "queue"][to];
                _ = self.desk.transfer(seat, on, to, Some("private"), now);
            }
            1 => _ = self.desk.transfer(seat, None, "queue", None, now),
            2 => _ = self.desk.accept(seat, Some(1), now),
            3 => _ = self.desk.take_over(seat, 1, "private", now),
            4 if seat != SeatId::TERMINAL => {
                self.desk.sign_out(seat, now);
                self.seats.retain(|there| *there != seat);
            }
            _ => self.seats.extend(self.desk.sign_in(["robin", "al", "al"][to])),
        }
    }

    pub(super) fn bot_answers(&mut self) {
        let now = self.now;
        if let Some(ticket) = self.customer.asked.take() {
            self.said += 1;
            let said = vec![Said::text(Author::Bot, &format!("bot {}", self.said))];
            let handoff = (self.chance.below(4) == 0).then(|| self.handoff());
            self.session().answered(ticket, Ok(Reply { said, handoff }), now);
        }
        if let Some((ticket, told)) = self.customer.returning.take() {
            let outcome = match self.chance.below(4) {
                0 if !self.heals => Resumed::Unreached("refused".to_owned()),
                1 if !self.heals => Resumed::Failed("it broke off".to_owned()),
                _ => Resumed::Yes,
            };
            if !matches!(outcome, Resumed::Unreached(_)) {
                self.customer.untold.retain(|request| !told.contains(request));
            }
            self.session().returned(ticket, outcome, now);
        }
    }

    /// A handoff to a department, or to any agent.
    fn handoff(&mut self) -> Handoff {
        let department = DEPARTMENTS[self.chance.below(4) as usize];
        let department = Department::new(department);
        Handoff { reason: None, need: Need { department, language: None } }
    }

    pub(super) fn deliver_up(&mut self) {
        let (conn, message, closed) = {
            let line = &mut *self.line.borrow_mut();
            (line.conn, line.up.pop(), line.up.closed)
        };
        let Some(conn) = conn else { return };
        match message {
            Some(message) => self.hear(conn, message),
            None if closed => self.cut(),
            None => {}
        }
    }

    /// Gives the desk a message. A desk that does not have the customer in memory reads them from
    /// its journal first. The hello may name features, as one of a later release does.
    fn hear(&mut self, conn: Conn, mut message: Message) {
        if let Message::Hello(hello) = &mut message {
            if self.chance.below(4) == 0 {
                hello.features.push("later".to_owned());
            }
            if !self.desk.knows(hello.conversation)
                && let Some(story) = self.care.disk.story(hello.conversation)
            {
                self.desk.recall(&story, self.now);
                self.recalled += 1;
                self.care.is_unlisted = true;
            }
        }
        self.desk.received(conn, message, self.now);
    }

    pub(super) fn deliver_down(&mut self) {
        let (conn, message, closed, has_hung_up) = {
            let line = &mut *self.line.borrow_mut();
            (line.conn, line.down.pop(), line.down.closed, line.up.closed)
        };
        let Some(conn) = conn else { return };
        match message {
            Some(mut message) => {
                if let Message::Welcome(welcome) = &mut message {
                    // The customer's side learns nothing from a hello alone. It learns nothing from
                    // a welcome either if it then hangs up, because it needs no desk that never had
                    // its request.
                    self.set_back &= has_hung_up;
                    if self.chance.below(4) == 0 {
                        welcome.features.push("later".to_owned());
                    }
                }
                let is_right = self.sessions.received(conn, message, self.now);
                assert!(is_right, "the desk broke the protocol");
            }
            None if closed => self.cut(),
            None => {}
        }
    }

    /// The line breaks. Some of the messages on their way still arrive, and the later ones are
    /// lost.
    pub(super) fn cut(&mut self) {
        let Line { conn, is_new, mut up, .. } = self.line.take();
        let Some(conn) = conn else { return };
        if !is_new {
            for _ in 0..self.chance.below(up.frames.len() as u64 + 1) {
                let message = up.pop().expect("counted");
                self.hear(conn, message);
            }
            self.desk.disconnected(conn, "cut");
        }
        self.sessions.disconnected(conn, "cut", self.now);
    }
}
