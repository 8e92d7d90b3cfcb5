//! The faults of a history: processes die, and desks lose their journals.

use handoff::core::desk::{Desk, SeatId};
use handoff::core::record::Ending;
use handoff::core::session::{Fresh, Session};
use handoff::core::sessions::Sessions;
use handoff::wire::{Code, DeskId, Message, Secret, State};

use crate::fuzz::disk::Death;

use super::care::Care;
use super::customer::SECOND;
use super::line::Line;
use super::{ID, World, options};

impl World {
    /// The desk dies and loses its journal. A desk with another id answers at its address.
    pub(super) fn lose_desk(&mut self) {
        self.cut();
        self.settle();
        let number = self.former.len() as u8 + 2;
        self.desk_id = DeskId::new([number; 16]);
        self.desk = Desk::new(self.desk_id, options(), self.now);
        self.sit_down();
        let care = Care::new(self.line.clone(), self.now);
        self.former.push(std::mem::replace(&mut self.care, care).disk);
        self.set_back = false;
        // A connection that was dialled to the dead desk does not reach the new one.
        self.cut();
    }

    /// The desk reports a fork, and from then on another desk answers at its address. The
    /// customer's side may die before the new conversation is in its journal. Then it goes on with
    /// the old one.
    pub(super) fn contradict(&mut self) {
        let is_desks = matches!(self.state(), State::Queued | State::Active);
        let Line { conn: Some(conn), is_new: false, .. } = *self.line.borrow() else { return };
        if !is_desks || self.customer.id != ID {
            return;
        }
        self.settle();
        let bye = Message::Bye { code: Code::Fork, text: "no".to_owned() };
        let is_right = self.sessions.received(conn, bye, self.now);
        assert!(is_right, "a goodbye is allowed at any time");
        self.customer.contradicted = true;
        self.lose_desk();
        if self.customer.id == ID {
            // A session that gave up its desk dials again after a restart.
            self.kill_customer();
        }
    }

    /// The customer's process dies before or after its next commit, and is started again.
    pub(super) fn kill_customer(&mut self) {
        self.customer.disk.dies = Some(self.death());
        self.customer_types();
        self.settle_customer();
        if self.customer.disk.dies.take().is_some() {
            // The turn had no commit at which the process could die.
            self.restart_customer();
        }
    }

    pub(super) fn restart_customer(&mut self) {
        self.customer.died();
        self.cut();
        self.sessions = Sessions::new(self.chance.below(u64::MAX), self.now);
        match self.customer.disk.latest() {
            Some(id) => {
                self.customer.id = id;
                self.restore_session();
            }
            None => self.begin_again(),
        }
    }

    /// Reads the session from the journal.
    pub(super) fn restore_session(&mut self) {
        let (id, disk) = (self.customer.id, &self.customer.disk);
        let story = disk.story(id).expect("the conversation is in the journal");
        let seed = self.chance.below(u64::MAX);
        let own = |number| disk.journal.own(id, number);
        let session = Session::restore(&story, "desk:1".to_owned(), seed, own, self.now);
        self.sessions.insert(session.expect("in memory"));
    }

    /// The process died before its first commit, so the conversation begins again.
    fn begin_again(&mut self) {
        let fresh = Fresh { id: ID, secret: Secret::new([9; 32]), seed: self.chance.below(99) };
        self.sessions.insert(Session::new(fresh, None, "desk:1".to_owned(), self.now));
    }

    /// The desk's process dies before or after its next commit, and is started again.
    pub(super) fn kill_desk(&mut self) {
        // A second restart would forget that the journal is an older copy.
        if self.set_back {
            return;
        }
        self.care.disk.dies = Some(self.death());
        self.agent_types();
        self.settle_desk();
        if self.care.disk.dies.take().is_some() {
            self.restart_desk();
        }
    }

    fn death(&mut self) -> Death {
        if self.chance.below(2) == 0 { Death::BeforeCommit } else { Death::AfterCommit }
    }

    /// The desk dies, its journal is replaced by an older copy, and the agent acts before the
    /// customer's side has reconnected.
    pub(super) fn set_back_desk(&mut self) {
        // Nothing could tell a second older copy from the first.
        if self.was_set_back {
            return;
        }
        self.cut();
        self.settle();
        let disk = &mut self.care.disk;
        let kept = self.chance.below(disk.records.len() as u64 + 1) as usize;
        self.lost.extend(disk.own(ID).into_iter().chain(disk.own(SECOND)));
        disk.set_back(kept);
        self.restart_desk();
        (self.set_back, self.was_set_back) = (true, true);
        let now = self.now;
        for _ in 0..self.chance.below(6) {
            match self.chance.below(8) {
                0 => _ = self.desk.accept(SeatId::TERMINAL, None, now),
                1 => _ = self.desk.accept(SeatId::TERMINAL, Some(1), now),
                2 => _ = self.desk.end(SeatId::TERMINAL, None, Ending::HandBack, None, now),
                3 => _ = self.desk.end(SeatId::TERMINAL, None, Ending::Close, None, now),
                _ => self.agent_types(),
            }
            self.settle();
        }
    }

    pub(super) fn restart_desk(&mut self) {
        self.cut();
        let id = self.customer.id;
        let disk = &self.care.disk;
        let restart = disk.journal.restart().expect("in memory");
        self.desk = Desk::restore(self.desk_id, options(), &restart, self.now);
        // A restarted desk reports only live conversations. The agent knows that all others are
        // over.
        let is_over = disk.story(id).is_some() && !self.desk.is_live(id);
        (self.care.state, self.care.is_unlisted) = (None, is_over);
        self.desk.tell_states();
        self.sit_down();
    }
}
