//! What is around the desk of `handoff admin`: its journal, its customers, and its agent.

use crate::core::desk::Desk;
use crate::core::outcome::Fact;
use crate::core::record::{Batch, Committed};
use crate::core::report::Alert;
use crate::edge::clock;
use crate::edge::journal::Journal;
use crate::edge::notifier::Notifier;
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::turn::{World, Written};
use crate::wire::{Conn, Message};

use super::seat::AgentSeat;

/// Everything around the desk.
pub(super) struct Edges {
    pub(super) keeper: Keeper,
    pub(super) peers: Peers,
    pub(super) seat: AgentSeat,
    pub(super) notifier: Notifier,
}

impl World<Desk> for Edges {
    type Stop = Stop;

    fn journal(&self) -> &Journal {
        &self.keeper.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Stop> {
        let committed = self.keeper.commit(records, self.seat.seat().screen())?;
        self.seat.committed(&committed);
        Ok(committed)
    }

    fn send(&mut self, conn: Conn, message: &Message) -> usize {
        self.peers.send(conn, message)
    }

    fn admit(&mut self, conn: Conn) {
        self.peers.welcomed(conn);
    }

    fn close(&mut self, conn: Conn) {
        self.peers.close(conn);
    }

    fn flush(&mut self) {
        self.peers.flush();
    }

    fn run(&mut self, _: &mut Desk, alert: Alert) -> Result<(), Stop> {
        self.seat.seat().screen().ring(&alert.to_string());
        self.notifier.call(&alert);
        Ok(())
    }

    fn tell(&mut self, desk: &Desk, fact: Fact, written: &Written) -> Result<(), Stop> {
        Ok(self.seat.tell(desk, fact, written, &self.keeper.journal)?)
    }

    fn show(&mut self, desk: &Desk) {
        let screen = self.seat.seat().screen();
        if screen.has_prompt() {
            let now = clock::now();
            let (prompt, mark) = (desk.prompt(now), desk.mark());
            screen.prompt(format!("{prompt}{mark}"), format!("{}{mark}", prompt.short()));
            screen.focus(desk.focus());
            screen.title(desk.attention(now).count());
        }
        screen.flush();
    }
}
