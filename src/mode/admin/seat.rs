//! The agent in front of a desk, or the script: which conversations they see, and how far.
//!
//! With `--json` everything is told as it comes. A person sees what is said in the conversations
//! they have, and the whole past of one when it becomes theirs.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use crate::core::desk::Desk;
use crate::core::outcome::{Fact, Passage};
use crate::core::record::{Committed, Line, Offset, What};
use crate::core::report::{Report, Told};
use crate::edge::journal::{Fault, Journal};
use crate::turn::Written;
use crate::turn::seat::Seat;
use crate::wire::{Author, ConversationId, Entry, Number, State};

/// Conversations of which the seat knows how far a person has seen them, at most. Beyond it, those
/// that left the desk's memory are shown whole when they are back.
const DRAWN_MAX: usize = 10_000;

/// Who answers customers at this desk, if anybody does.
pub(super) struct AgentSeat {
    seat: Seat,
    json: bool,
    /// Nobody is here (`--no-terminal`): what is printed is never reported as seen.
    nobody: bool,
    /// Conversations that the agent has, as far as they were told.
    active: HashSet<ConversationId>,
    /// At least one conversation was had.
    had_one: bool,
    /// Up to which offset a person has seen a conversation.
    drawn: HashMap<ConversationId, Offset>,
    /// Lines of active conversations that are committed and that the person has not seen yet.
    undrawn: HashMap<ConversationId, Vec<Line>>,
}

impl AgentSeat {
    pub(super) fn new(seat: Seat, json: bool, nobody: bool) -> AgentSeat {
        AgentSeat {
            seat,
            json,
            nobody,
            active: HashSet::new(),
            had_one: false,
            drawn: HashMap::new(),
            undrawn: HashMap::new(),
        }
    }

    pub(super) fn seat(&self) -> &Seat {
        &self.seat
    }

    pub(super) fn seat_mut(&mut self) -> &mut Seat {
        &mut self.seat
    }

    pub(super) fn into_seat(self) -> Seat {
        self.seat
    }

    /// Whether reports are told as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether at least one conversation was had here.
    pub(super) fn had_one(&self) -> bool {
        self.had_one
    }

    /// These lines are committed.
    pub(super) fn committed(&mut self, lines: &[Committed]) {
        if self.json {
            return;
        }
        for Committed { conversation, line } in lines {
            if self.active.contains(conversation) {
                self.undrawn.entry(*conversation).or_default().push(line.clone());
            }
        }
    }

    /// Tells a fact.
    pub(super) fn tell(
        &mut self,
        desk: &Desk,
        fact: Fact,
        written: &Written,
        journal: &Journal,
    ) -> Result<(), Fault> {
        match fact {
            Fact::Report(_, report) => self.tell_report(desk, report, journal),
            Fact::Said(passage) if self.json => {
                let Passage { conversation, history, .. } = passage;
                for entry in written.messages(&passage, journal)? {
                    self.say(desk, conversation, None, &entry, history);
                }
                Ok(())
            }
            Fact::Said(passage) => {
                let lines = self.undrawn.remove(&passage.conversation).unwrap_or_default();
                self.draw(desk, passage.conversation, lines, false);
                Ok(())
            }
            Fact::Undelivered(id, numbers) => self.tell_undelivered(id, numbers, journal),
        }
    }

    /// Tells which lines of ours a customer's side does not have.
    pub(super) fn tell_undelivered(
        &mut self,
        id: ConversationId,
        numbers: RangeInclusive<Number>,
        journal: &Journal,
    ) -> Result<(), Fault> {
        for number in numbers {
            if let Some(said) = journal.own(id, number)?.said() {
                self.seat.fail(format!("not delivered: {}", said.text));
            }
        }
        Ok(())
    }

    fn tell_report(&mut self, desk: &Desk, report: Report, journal: &Journal) -> Result<(), Fault> {
        let state = match &report {
            Report::State { conversation, state, .. } => Some((*conversation, *state)),
            _ => None,
        };
        self.seat.tell(report);
        match state {
            Some((id, State::Active)) => {
                self.had_one = true;
                self.active.insert(id);
                if !self.json {
                    self.undrawn.remove(&id);
                    let drawn = self.drawn.get(&id).copied().unwrap_or(Offset::START);
                    // A note is shown at every accept, other lines once.
                    let is_new =
                        |line: &Line| line.offset > drawn || matches!(line.what, What::Note(_));
                    let lines = journal.lines(id, Offset::START)?.into_iter().filter(is_new);
                    self.draw(desk, id, lines.collect(), true);
                }
            }
            Some((id, _)) => {
                self.active.remove(&id);
                self.undrawn.remove(&id);
            }
            None => {}
        }
        Ok(())
    }

    /// Shows a person lines that they have not seen.
    fn draw(&mut self, desk: &Desk, id: ConversationId, lines: Vec<Line>, history: bool) {
        if self.drawn.len() >= DRAWN_MAX {
            self.drawn.retain(|id, _| desk.knows(*id));
        }
        for line in lines {
            self.drawn.insert(id, line.offset);
            self.show_line(desk, id, None, &line, history);
        }
    }

    /// Shows what is to be seen of a line. The ordinal is for a conversation that the desk does not
    /// know any more.
    pub(super) fn show_line(
        &mut self,
        desk: &Desk,
        id: ConversationId,
        ordinal: Option<u32>,
        line: &Line,
        history: bool,
    ) {
        match &line.what {
            What::Note(note) => self.seat.notice(&format!("note: {note}")),
            What::Entry(_, entry) => self.say(desk, id, ordinal, entry, history),
        }
    }

    fn say(
        &mut self,
        desk: &Desk,
        id: ConversationId,
        ordinal: Option<u32>,
        entry: &Entry,
        history: bool,
    ) {
        let Some(said) = entry.said() else { return };
        let told = Told { ordinal, ..Told::new(id, entry.number, entry.at, said) };
        let told = Told { history, ..desk.for_agent(id, told) };
        let is_customers = told.author != Author::Admin;
        let seen = (is_customers && !self.nobody).then_some((id, None, entry.number));
        self.seat.say(told, seen);
    }
}
