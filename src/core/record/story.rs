//! The story of a conversation: its state after all its records ([`Story::apply`]). A restart
//! continues from the story.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Blocked, Ending, Line, Offered, Offset, Owner, Record, Returning, What};
use crate::core::department::Department;
use crate::core::idle::LIFETIME;
use crate::core::owed::Owed;
use crate::wire::{Body, ConversationId, DeskId, Entry, Number};

/// All that a program reads from its journal when it starts again.
#[derive(Clone, Debug, Default)]
pub struct Restart {
    /// The conversations that are not over ([`Story::is_over`]), oldest first.
    pub stories: Vec<Story>,
    /// At a desk: the conversation in focus.
    pub focus: Option<ConversationId>,
    /// At a desk: the customers whom it turns away.
    pub blocks: Vec<Blocked>,
    /// At a desk: the agents who are away, with what each of them said.
    pub away: BTreeMap<Box<str>, Box<str>>,
    /// The number of the conversation that was begun last; 0: none was begun.
    pub begun: u32,
}

/// The state of a conversation after all its records. A desk also reads the story of a customer who
/// left its memory and is back.
#[derive(Clone, Debug)]
pub struct Story {
    /// The conversation's id.
    pub id: ConversationId,
    /// Its number among the conversations of its journal, from 1.
    pub ordinal: u32,
    /// The secret, or its SHA-256.
    pub secret: [u8; 32],
    /// The customer's name, if there is one.
    pub name: Option<String>,
    /// The highest number of our entries, in this journal or at the peer.
    pub own: Number,
    /// The highest number of a line of ours that a person typed.
    pub typed: Number,
    /// Only the peer may have our entries up to this number.
    pub held: Number,
    /// The customer's side acknowledged our entries up to this number.
    pub delivered: Number,
    /// The highest number of each peer that has one, sorted by peer.
    pub theirs: Vec<(Option<DeskId>, Number)>,
    /// How long the program has run without another record.
    pub idle: Duration,
    /// The number of our line that the bot was being asked.
    pub asking: Option<Number>,
    /// Whether the bot knows that it owns the conversation again.
    pub returning: Returning,
    /// At the customer's side: the desks that had this conversation. Each has its id, the latest
    /// request that the desk may have (0: none), and our highest number that the desk acknowledged.
    /// The latest desk comes last.
    pub desks: Vec<(DeskId, Number, Number)>,
    /// The conversation's controls, in the order of their offsets.
    pub controls: Vec<Line>,
    /// At a desk: the agent who has the conversation.
    pub owner: Owner,
    /// At a desk: the number of the conversation that the customer had before.
    pub former: Option<u32>,
    /// At a desk: how the conversation was about to end.
    pub ending: Option<Ending>,
    /// At a desk: the offer of the conversation to another agent.
    pub offered: Option<Box<Offered>>,
    /// At a desk: the conversation's tags.
    pub tags: Vec<Box<str>>,
    /// At a desk: whether the agent has asked the customer to be patient.
    pub is_on_hold: bool,
    /// At a desk: the department to which an agent sent the customer.
    pub department: Option<Department>,
    /// At a desk: whether the customer was blocked and turned away.
    pub is_turned_away: bool,
    /// At a desk: what the customer is owed. Only a journal on the disk knows when entries came.
    pub owed: Owed,
}

impl Story {
    /// A conversation without a record.
    pub fn new(id: ConversationId, ordinal: u32) -> Story {
        Story {
            id,
            ordinal,
            secret: [0; 32],
            name: None,
            own: 0,
            typed: 0,
            held: 0,
            delivered: 0,
            theirs: Vec::new(),
            idle: Duration::ZERO,
            asking: None,
            returning: Returning::Done,
            desks: Vec::new(),
            controls: Vec::new(),
            owner: Owner::default(),
            former: None,
            ending: None,
            offered: None,
            tags: Vec::new(),
            is_on_hold: false,
            department: None,
            is_turned_away: false,
            owed: Owed::default(),
        }
    }

    /// Adds the next record of this conversation. `offset` is the offset of an entry; for other
    /// records it has no meaning.
    pub fn apply(&mut self, offset: Offset, record: &Record) {
        match record {
            Record::Begun { secret, name } => {
                self.secret = *secret;
                self.name.clone_from(name);
            }
            Record::Own(entry) | Record::Said(_, entry) => {
                self.own = self.own.max(entry.number);
                if matches!(&entry.body, Body::Message(said) if !said.greeting) {
                    self.typed = entry.number;
                    self.owed.settle();
                }
                self.add(offset, true, None, entry);
            }
            Record::Theirs(desk, entry) => {
                match self.theirs.binary_search_by_key(desk, |(known, _)| *known) {
                    Ok(at) => self.theirs[at].1 = entry.number,
                    Err(at) => self.theirs.insert(at, (*desk, entry.number)),
                }
                if let Some(desk) = desk {
                    self.desk(*desk);
                }
                self.owed.learn(&entry.body, entry.at);
                self.add(offset, false, *desk, entry);
            }
            Record::Held(number) => {
                self.held = *number;
                self.own = self.own.max(*number);
            }
            Record::Moved { from, by } => {
                let numbers = [&mut self.own, &mut self.typed].into_iter();
                numbers.filter(|number| **number >= *from).for_each(|number| *number += by);
                self.controls.iter_mut().for_each(|line| line.move_from(*from, *by));
            }
            Record::Asking(number) => self.asking = *number,
            Record::Returning(how) => self.returning = *how,
            Record::Met(desk, request) => {
                let (.., acked) = *self.desk(*desk);
                self.desks.retain(|(known, ..)| known != desk);
                self.desks.push((*desk, *request, acked));
            }
            Record::Acked(desk, number) => self.desk(*desk).2 = *number,
            Record::Delivered(number) => self.delivered = *number,
            Record::Idle(idle) => self.idle = *idle,
            Record::Owner(owner) => self.owner = owner.clone(),
            Record::Former(ordinal) => self.former = Some(*ordinal),
            Record::Ending(ending) => self.ending = *ending,
            Record::Offered(offered) => self.offered.clone_from(offered),
            Record::Tags(tags) => self.tags.clone_from(tags),
            Record::Hold(is_on_hold) => self.is_on_hold = *is_on_hold,
            Record::Department(department) => self.department.clone_from(department),
            Record::TurnedAway => self.is_turned_away = true,
            // A note is no activity: the idle time goes on.
            Record::Note(_)
            | Record::Contact(_)
            | Record::Focus
            | Record::Enrolled { .. }
            | Record::Taken(..)
            | Record::Unsent(..)
            | Record::Blocked(_)
            | Record::Unblocked(_)
            | Record::Away(..)
            | Record::Customer(_)
            | Record::Token(_)
            | Record::Withdrawn(_)
            | Record::Identified(_)
            | Record::Agreed(_)
            | Record::About(_)
            | Record::Joined { .. }
            | Record::Posted(..)
            | Record::Resting
            | Record::Forgotten => {}
        }
    }

    /// Whether a restart has nothing to do in this conversation.
    ///
    /// At a desk: nothing was recorded for too long; or the customer neither waits nor talks there,
    /// and the customer's side has every line that a person typed. At the customer's side: the
    /// conversation is closed, and the desk has all that it is owed.
    pub fn is_over(&self) -> bool {
        if !self.is_of_a_desk() {
            let acked = self.desks.last().map_or(0, |(.., acked)| *acked);
            return self.owed_after_the_end().is_some_and(|owed| acked >= owed);
        }
        let is_delivered = self.delivered.max(self.held) >= self.typed;
        self.idle >= LIFETIME || !self.is_with_desk() && is_delivered
    }

    /// At a desk: whether the customer was turned away, and no agent has let them in since.
    pub fn was_turned_away(&self) -> bool {
        self.is_turned_away && self.owner == Owner::Nobody
    }

    /// Whether the conversation goes on: it is not over, and only an entry that ends it, or too
    /// long a time without a record, can change that.
    pub fn goes_on(&self) -> bool {
        let has_ended = if self.is_of_a_desk() {
            !self.is_with_desk()
        } else {
            // Without an entry it is not known whether this is a desk's journal.
            self.own == 0 || self.owed_after_the_end().is_some()
        };
        !has_ended && !self.is_over()
    }

    /// Whether the journal is a desk's: only a desk receives entries of a customer's side.
    fn is_of_a_desk(&self) -> bool {
        self.theirs.first().is_some_and(|(desk, _)| desk.is_none())
    }

    /// Whether the customer waits for an agent or talks to one.
    fn is_with_desk(&self) -> bool {
        self.controls.iter().rev().filter_map(Line::entry).find_map(owned_by_desk).unwrap_or(false)
    }

    /// At the customer's side, if the conversation is closed: the desk is owed our entries up to
    /// this number. 0: no desk is owed any.
    fn owed_after_the_end(&self) -> Option<Number> {
        let (mut owed, mut request, mut with_desk, mut has_ended) = (0, 0, false, false);
        for entry in self.controls.iter().filter(|line| line.own).filter_map(Line::entry) {
            let was_with_desk = with_desk;
            with_desk = owned_by_desk(entry).unwrap_or(with_desk);
            let owes = match entry.body {
                Body::Requested { .. } => {
                    request = entry.number;
                    false
                }
                Body::Withdrawn {} | Body::HandedBack { .. } => true,
                Body::Closed { .. } => {
                    has_ended = true;
                    was_with_desk
                }
                Body::Refused { .. } => !with_desk,
                _ => false,
            };
            if owes && self.desks.iter().any(|(_, met, _)| *met == request && request > 0) {
                owed = entry.number;
            }
        }
        has_ended.then_some(owed)
    }

    fn add(&mut self, offset: Offset, own: bool, desk: Option<DeskId>, entry: &Entry) {
        self.idle = Duration::ZERO;
        if !matches!(entry.body, Body::Message(_)) {
            let what = What::Entry(desk, entry.clone());
            self.controls.push(Line { offset, own, agent: None, what });
        }
    }

    /// What is known about a desk. A desk that may have no request yet comes before all others.
    fn desk(&mut self, desk: DeskId) -> &mut (DeskId, Number, Number) {
        let at = self.desks.iter().position(|(known, ..)| *known == desk).unwrap_or_else(|| {
            let unmet = self.desks.iter().take_while(|(_, request, _)| *request == 0).count();
            self.desks.insert(unmet, (desk, 0, 0));
            unmet
        });
        &mut self.desks[at]
    }
}

/// Whether the customer waits for an agent or talks to one after this entry. `None`: the entry does
/// not change that.
fn owned_by_desk(entry: &Entry) -> Option<bool> {
    match entry.body {
        Body::Requested { .. } | Body::Accepted { .. } => Some(true),
        Body::Withdrawn {} | Body::HandedBack { .. } | Body::Closed { .. } => Some(false),
        _ => None,
    }
}
