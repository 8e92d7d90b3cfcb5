//! The surroundings of the desk in `handoff admin`: its journal, its customers, and its agents.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use crate::core::desk::{Desk, Errand, SeatId};
use crate::core::outcome::Fact;
use crate::core::record::{Batch, Committed};
use crate::edge::clock;
use crate::edge::journal::Journal;
use crate::edge::notifier::Notifier;
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::turn::{World, Written};
use crate::wire::{Conn, Message};

use super::seat::AgentSeat;
use super::terminals::Terminals;

/// Everything around the desk.
pub(super) struct Edges {
    pub(super) keeper: Keeper,
    pub(super) peers: Peers,
    pub(super) seats: Seats,
    pub(super) terminals: Terminals,
    pub(super) notifier: Notifier,
}

/// The seats of the desk. The seat of the terminal that started it is always there.
pub(super) struct Seats(BTreeMap<SeatId, AgentSeat>);

impl Seats {
    /// Only the seat of the terminal that started the desk.
    pub(super) fn new(here: AgentSeat) -> Seats {
        Seats([(here.id, here)].into())
    }

    pub(super) fn add(&mut self, seat: AgentSeat) {
        self.0.insert(seat.id, seat);
    }

    pub(super) fn has(&self, id: SeatId) -> bool {
        self.0.contains_key(&id)
    }

    pub(super) fn remove(&mut self, id: SeatId) {
        self.0.remove(&id);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &AgentSeat> {
        self.0.values()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut AgentSeat> {
        self.0.values_mut()
    }

    /// The seats of scripts that have a line that is not done.
    pub(super) fn at_work(&self) -> Vec<SeatId> {
        self.iter().filter(|at| at.input.pace.pending().is_some()).map(|at| at.id).collect()
    }

    /// Ends all seats when everything is shown.
    pub(super) fn finish(self) {
        self.0.into_values().for_each(|seat| seat.into_seat().finish());
    }
}

impl Index<SeatId> for Seats {
    type Output = AgentSeat;

    /// A seat, which must exist.
    fn index(&self, id: SeatId) -> &AgentSeat {
        &self.0[&id]
    }
}

impl IndexMut<SeatId> for Seats {
    fn index_mut(&mut self, id: SeatId) -> &mut AgentSeat {
        self.0.get_mut(&id).expect("the caller knows this seat to be there")
    }
}

impl World<Desk> for Edges {
    type Stop = Stop;

    fn journal(&self) -> &Journal {
        &self.keeper.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Stop> {
        let screen = self.seats[SeatId::TERMINAL].seat().screen();
        let committed = self.keeper.commit(records, screen)?;
        self.seats.iter_mut().for_each(|seat| seat.committed(&committed));
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

    fn run(&mut self, desk: &mut Desk, errand: Errand) -> Result<(), Stop> {
        match errand {
            Errand::Notify(alert) => self.notifier.call(&alert),
            Errand::Ring(agent, alert) => {
                let theirs = self.seats.iter().filter(|at| desk.agent_at(at.id) == Some(agent));
                for seat in theirs.map(AgentSeat::seat) {
                    seat.screen().ring(&alert.to_string());
                    // The first call comes with lines of its own: who waits, or what was said.
                    if alert.is_repeat && seat.is_spoken_to() {
                        seat.notice(&alert.to_string());
                    }
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, desk: &Desk, fact: Fact, written: &Written) -> Result<(), Stop> {
        for seat in self.seats.iter_mut() {
            seat.tell(desk, &fact, written, &self.keeper.journal)?;
        }
        Ok(())
    }

    fn show(&mut self, desk: &Desk) {
        let now = clock::now();
        for seat in self.seats.iter_mut() {
            let (id, screen) = (seat.id, seat.seat().screen());
            if screen.has_prompt() {
                let prompt = (desk.prompt(id, now), desk.mark(id), desk.focus(id));
                seat.show_prompt(prompt, desk.attention_at(id));
            } else if screen.is_interactive() {
                let spoken = desk.prompt(id, now).spoken(desk.mark(id));
                seat.seat_mut().speak(spoken);
            }
            if id != SeatId::TERMINAL && seat.seat().screen().is_interactive() {
                let leaving = desk.left_behind(id).map(|customers| customers.to_string());
                seat.seat().screen().note_leaving(leaving);
            }
            if id != SeatId::TERMINAL {
                seat.seat().screen().note_watched(desk.watched_at(id));
            }
            seat.show_list(desk, now);
            seat.flush();
        }
        self.terminals.flush(&self.peers, now.clock);
        self.peers.flush();
    }
}
