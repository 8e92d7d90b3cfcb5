//! The desk's side of the model: its disk, its end of the line, and the reports to its agent.

use std::collections::BTreeMap;
use std::time::Instant;

use handoff::core::clock::Now;
use handoff::core::desk::{AgentId, Desk, Errand};
use handoff::core::outcome::Fact;
use handoff::core::record::{Batch, Committed, Record};
use handoff::core::report::{DeskNews, News, Report};
use handoff::edge::journal::Journal;
use handoff::turn::{World, Written};
use handoff::wire::{Conn, Message, State};

use crate::fuzz::disk::{Died, Disk};

use super::line::Shared;

pub struct Care {
    pub now: Now,
    pub disk: Disk,
    pub line: Shared,
    /// The state in the latest report to the agent.
    pub state: Option<State>,
    /// The restarted desk did not report the conversation, by which the agent sees that it is over.
    pub is_unlisted: bool,
    /// How often the customer's agent changed, or they lost their agent.
    pub changed_hands: u32,
    /// When each agent was last called for a waiting customer.
    pub rung: BTreeMap<AgentId, Instant>,
    /// How often all agents were called, because no agent of a department was here.
    pub unattended: u32,
    /// Whether a seed is replayed, and so all steps are printed.
    pub traced: bool,
}

impl Care {
    pub fn new(line: Shared, now: Now) -> Care {
        let traced = std::env::var_os("MODEL_SEED").is_some();
        let disk = Disk::new();
        Care {
            now,
            disk,
            line,
            state: None,
            is_unlisted: false,
            changed_hands: 0,
            rung: BTreeMap::new(),
            unattended: 0,
            traced,
        }
    }

    fn trace(&self, what: &impl std::fmt::Debug) {
        if self.traced {
            eprintln!("{:>6} desk: {what:?}", self.now.wall);
        }
    }
}

impl World<Desk> for Care {
    type Stop = Died;

    fn journal(&self) -> &Journal {
        &self.disk.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Died> {
        for record in &records {
            self.trace(record);
            self.changed_hands += u32::from(matches!(record, (_, Record::Owner(_))));
        }
        self.disk.commit(records)
    }

    fn send(&mut self, conn: Conn, message: &Message) -> usize {
        self.trace(message);
        assert!(!format!("{message:?}").contains("private"), "a note left the desk");
        if let Message::Bye { code, .. } = message {
            panic!("the desk sent {code:?} to a customer who keeps the rules");
        }
        let line = &mut *self.line.borrow_mut();
        if line.conn == Some(conn) { line.down.push(message) } else { 1 }
    }

    fn admit(&mut self, conn: Conn) {
        let line = &mut *self.line.borrow_mut();
        if line.conn == Some(conn) {
            line.up.decoder.accept();
        }
    }

    fn close(&mut self, conn: Conn) {
        let line = &mut *self.line.borrow_mut();
        line.down.closed |= line.conn == Some(conn);
    }

    fn flush(&mut self) {}

    fn run(&mut self, _: &mut Desk, errand: Errand) -> Result<(), Died> {
        if let Errand::Ring(agent, alert) = errand
            && alert.waiting > 0
        {
            self.rung.insert(agent, self.now.clock);
        }
        Ok(())
    }

    fn tell(&mut self, _: &Desk, fact: Fact, written: &Written) -> Result<(), Died> {
        self.trace(&fact);
        match fact {
            Fact::Report(_, Report::State { state, .. }) => {
                (self.state, self.is_unlisted) = (Some(state), false);
            }
            Fact::Report(_, Report::Call { text: News::Desk(DeskNews::Unattended { .. }) }) => {
                self.unattended += 1;
            }
            Fact::Said(passage) => _ = written.messages(&passage, &self.disk.journal)?,
            _ => {}
        }
        Ok(())
    }

    fn show(&mut self, _: &Desk) {}
}
