//! What a journal in memory keeps of a desk's agents.

use std::collections::BTreeMap;

use crate::core::record::{Blocked, Record};
use crate::wire::seat::UNSENT_MAX;
use crate::wire::{IdMap, SeatKey, SecretHash};

#[derive(Default)]
pub(in crate::edge::journal) struct Agents {
    enrolled: Vec<(SecretHash, SecretHash)>,
    taken: IdMap<SeatKey, u64>,
    unsent: IdMap<SeatKey, Vec<u64>>,
    pub(super) blocks: Vec<Blocked>,
    pub(super) away: BTreeMap<Box<str>, Box<str>>,
}

impl Agents {
    pub(super) fn add(&mut self, record: &Record) {
        match record {
            Record::Enrolled { code, secret, .. } => self.enrolled.push((*code, *secret)),
            Record::Taken(seat, number) => _ = self.taken.insert(*seat, *number),
            Record::Unsent(seat, number) => {
                let unsent = self.unsent.entry(*seat).or_default();
                unsent.retain(|old| old + UNSENT_MAX > *number);
                unsent.push(*number);
            }
            Record::Blocked(block) => {
                self.blocks.retain(|other| other.conversation != block.conversation);
                self.blocks.push((**block).clone());
            }
            Record::Unblocked(id) => self.blocks.retain(|block| block.conversation != *id),
            Record::Away(agent, Some(why)) => _ = self.away.insert(agent.clone(), why.clone()),
            Record::Away(agent, None) => _ = self.away.remove(agent),
            _ => {}
        }
    }

    pub(in crate::edge::journal) fn secret_of(&self, code: SecretHash) -> Option<SecretHash> {
        let found = self.enrolled.iter().find(|(used, _)| *used == code);
        found.map(|(_, secret)| *secret)
    }

    pub(in crate::edge::journal) fn taken(&self, seat: SeatKey) -> u64 {
        self.taken.get(&seat).copied().unwrap_or(0)
    }

    pub(in crate::edge::journal) fn unsent(&self, seat: SeatKey) -> Vec<u64> {
        self.unsent.get(&seat).cloned().unwrap_or_default()
    }
}
