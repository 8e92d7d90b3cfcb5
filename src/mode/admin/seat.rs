//! An agent's or a script's seat at a desk: the line that was typed last, the conversations that
//! the seat shows, and how far it has shown them.
//!
//! With `--json` a seat prints every event as it comes, except the messages between other agents
//! and their customers. A person sees the messages of conversations that they have or watch, and
//! the whole past of a conversation when it becomes theirs. Of other agents' customers they read
//! which agent has them and when they wait again, but not tags, holds or ends.

use std::ops::RangeInclusive;

use crate::core::clock::Now;
use crate::core::command;
use crate::core::delivery::Mark;
use crate::core::desk::{Desk, SeatId};
use crate::core::outcome::{Audience, Fact, Passage};
use crate::core::record::{Committed, Line, Offset, Origin, What};
use crate::core::report::{Prompt, Report, Told};
use crate::core::script::Pace;
use crate::edge::journal::{Fault, Journal};
use crate::turn::Written;
use crate::turn::seat::Seat;
use crate::wire::{Author, Body, ConversationId, Entry, IdMap, IdSet, Number, State};

use super::side_list::SideList;

/// The most conversations for which a seat remembers how far it has shown them. If there are more,
/// those that left the desk's memory are shown from their start when they are back.
const DRAWN_MAX: usize = 10_000;

/// A seat of an agent or a script.
pub(super) struct AgentSeat {
    pub(super) id: SeatId,
    pub(super) input: Input,
    pub(super) side_list: SideList,
    seat: Seat,
    json: bool,
    /// Nobody reads here (`--no-terminal`): printed lines are never reported as seen.
    nobody: bool,
    /// Conversations that the agent has, according to what this seat has shown.
    active: IdSet<ConversationId>,
    /// Conversations that other agents have, according to what this seat has shown.
    others: IdSet<ConversationId>,
    /// Conversations that the terminal had shown before it was lost, until they are shown again.
    resumed: IdSet<ConversationId>,
    /// Conversations of other agents that are watched at this seat.
    watched: IdSet<ConversationId>,
    /// With `--json`: the first and the last offset that this turn commits in each conversation.
    fresh: IdMap<ConversationId, (Offset, Offset)>,
    /// With `--json`: conversations with lines that this seat has not printed, because another
    /// agent had the customer.
    missed: IdSet<ConversationId>,
    /// Whether this seat has had a conversation.
    had_one: bool,
    /// What the prompt shows, how far the latest line has come, and which conversation gets the
    /// next line.
    prompt: Option<(Prompt, Mark, Option<ConversationId>)>,
    /// The offset up to which each conversation was shown to a person.
    drawn: IdMap<ConversationId, Offset>,
    /// Lines of active conversations that are committed and that the person has not seen yet.
    undrawn: IdMap<ConversationId, Vec<Line>>,
}

/// The input of a seat.
pub(super) struct Input {
    pub(super) pace: Pace<command::Admin>,
    /// The customer whom a script's `/accept` is accepting.
    pub(super) accepting: Option<ConversationId>,
    /// The placeholders of the latest canned reply that the agent has to fill in.
    pub(super) open: Vec<String>,
}

impl AgentSeat {
    pub(super) fn new(id: SeatId, seat: Seat, json: bool, nobody: bool) -> AgentSeat {
        let pace = Pace::new(seat.is_person());
        AgentSeat {
            id,
            side_list: SideList::default(),
            input: Input { pace, accepting: None, open: Vec::new() },
            seat,
            json,
            nobody,
            active: IdSet::default(),
            others: IdSet::default(),
            watched: IdSet::default(),
            resumed: IdSet::default(),
            fresh: IdMap::default(),
            missed: IdSet::default(),
            had_one: false,
            prompt: None,
            drawn: IdMap::default(),
            undrawn: IdMap::default(),
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

    /// Whether reports are printed as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// The terminal is back after a loss. It has shown this conversation up to this offset.
    pub(super) fn resume(&mut self, id: ConversationId, offset: Offset) {
        self.drawn.insert(id, offset);
        self.resumed.insert(id);
    }

    /// The offset up to which this seat has shown a conversation.
    pub(super) fn drawn(&self, id: ConversationId) -> Offset {
        self.drawn.get(&id).copied().unwrap_or(Offset::START)
    }

    /// This seat has shown a conversation up to this offset.
    pub(super) fn note_drawn(&mut self, id: ConversationId, last: Offset) {
        self.drawn.insert(id, last);
        self.seat.screen().note_shown(id, last);
    }

    /// This seat does not show what is said in this conversation now.
    pub(super) fn note_missed(&mut self, id: ConversationId) {
        self.missed.insert(id);
    }

    /// Whether this seat has had a conversation.
    pub(super) fn had_one(&self) -> bool {
        self.had_one
    }

    /// These lines are committed.
    pub(super) fn committed(&mut self, lines: &[Committed]) {
        for Committed { conversation, line } in lines {
            let is_watched = self.watched.contains(conversation);
            if self.json {
                let first_and_last = (line.offset, line.offset);
                self.fresh.entry(*conversation).or_insert(first_and_last).1 = line.offset;
            } else if is_watched || self.active.contains(conversation) {
                self.undrawn.entry(*conversation).or_default().push(line.clone());
            }
        }
    }

    /// Shows the list of conversations beside this one, if the window shows it and it is time.
    pub(super) fn show_list(&mut self, desk: &Desk, now: Now) {
        let make = |rows| desk.first_of_list(self.id, now, rows);
        if let Some(lines) = self.side_list.refreshed(now.clock, make) {
            self.seat.screen().list(lines);
        }
    }

    /// Called at the end of a turn: everything that was reported appears now.
    pub(super) fn flush(&mut self) {
        for (id, (_, last)) in std::mem::take(&mut self.fresh) {
            if self.watched.contains(&id) || !self.others.contains(&id) {
                self.note_drawn(id, last);
            } else {
                self.missed.insert(id);
            }
        }
        self.seat.screen().flush();
    }

    /// Shows this prompt, and in the title how many customers need an answer. A desk calls this
    /// every turn for every seat, so an unchanged prompt costs little.
    pub(super) fn show_prompt(
        &mut self,
        prompt: (Prompt, Mark, Option<ConversationId>),
        count: u32,
    ) {
        self.seat.screen().title(count);
        if self.prompt.as_ref() == Some(&prompt) {
            return;
        }
        let (said, mark, focus) = &prompt;
        let screen = self.seat.screen();
        screen.prompt(format!("{said}{mark}"), format!("{}{mark}", said.short()), *focus);
        screen.note_standing(said.focus.as_ref().map(|focus| focus.who.clone()));
        self.prompt = Some(prompt);
    }

    /// Begins or stops to watch this conversation of another agent at this seat.
    pub(super) fn watch(&mut self, id: ConversationId, is_watched: bool) {
        if is_watched {
            self.watched.insert(id);
        } else {
            self.watched.remove(&id);
        }
    }

    /// Shows a fact.
    pub(super) fn tell(
        &mut self,
        desk: &Desk,
        fact: &Fact,
        written: &Written,
        journal: &Journal,
    ) -> Result<(), Fault> {
        match fact {
            Fact::Report(Audience::Agent(agent), _) if desk.agent_at(self.id) != Some(*agent) => {
                Ok(())
            }
            // Every program gets the tags with the conversation's own report.
            Fact::Report(Audience::Agent(_), Report::Tags { .. }) if self.json => Ok(()),
            Fact::Report(Audience::Conversation(id), report)
                if self.is_for_viewers(report) && !desk.is_shown_at(self.id, *id) =>
            {
                Ok(())
            }
            // Without this, each line of a waiting customer would wake the screen's thread for
            // nothing.
            Fact::Report(_, report) if !self.json && report.is_for_programs() => Ok(()),
            Fact::Report(_, report) => self.tell_report(desk, report.clone(), journal),
            Fact::Said(passage) if !desk.is_shown_at(self.id, passage.conversation) => Ok(()),
            Fact::Said(passage) if self.json => {
                let Passage { conversation, history, .. } = *passage;
                self.catch_up(desk, conversation, journal)?;
                for entry in written.messages(passage, journal)? {
                    let is_own = passage.origin == Origin::Own;
                    let agent = is_own.then(|| written.agent(conversation, entry.number));
                    let agent = agent.flatten();
                    self.say(desk, conversation, None, (&entry, agent), history);
                }
                Ok(())
            }
            Fact::Said(passage) => {
                let lines = self.undrawn.remove(&passage.conversation).unwrap_or_default();
                self.draw(desk, passage.conversation, lines, false);
                Ok(())
            }
            Fact::Undelivered(id, _) if !desk.is_shown_at(self.id, *id) => Ok(()),
            Fact::Undelivered(id, numbers) => self.tell_undelivered(*id, numbers.clone(), journal),
        }
    }

    /// Reports our lines that a customer's side does not have.
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

    pub(super) fn tell_report(
        &mut self,
        desk: &Desk,
        mut report: Report,
        journal: &Journal,
    ) -> Result<(), Fault> {
        let state = match &mut report {
            Report::State { conversation, state, is_elsewhere, .. } => {
                if matches!(state, State::Queued | State::Active) {
                    self.catch_up(desk, *conversation, journal)?;
                }
                *is_elsewhere = !desk.is_own(self.id, *conversation);
                Some((*conversation, *state, *is_elsewhere))
            }
            // The unanswered lines of another agent's customer are not shown here.
            Report::Unanswered { conversation, .. }
                if !desk.is_shown_at(self.id, *conversation) =>
            {
                self.seat.tell_later(report);
                return Ok(());
            }
            // Typing and the marks of lines are shown only at seats of the agent who has the
            // customer.
            Report::Typing { conversation }
            | Report::Delivered { conversation, .. }
            | Report::Seen { conversation, .. }
            | Report::Page { conversation, .. }
            | Report::Link { conversation, .. }
            | Report::Note { conversation, .. }
                if !desk.is_shown_at(self.id, *conversation) =>
            {
                return Ok(());
            }
            _ => None,
        };
        let is_hidden_state = self.is_hidden_state(&report);
        if !is_hidden_state {
            self.seat.tell(if self.nobody { report.for_log() } else { report });
        }
        match state {
            Some((id, State::Active, false)) => {
                self.had_one = true;
                let is_new = self.active.insert(id);
                self.others.remove(&id);
                if is_new && !self.json {
                    self.draw_whole(desk, id, journal)?;
                }
            }
            Some((id, state, is_elsewhere)) => {
                if state == State::Active && is_elsewhere {
                    self.others.insert(id);
                } else {
                    self.others.remove(&id);
                    self.watched.remove(&id);
                }
                self.active.remove(&id);
                self.undrawn.remove(&id);
            }
            None => {}
        }
        Ok(())
    }

    /// Whether only those who see a conversation need this report about it. Programs get all tags,
    /// and a log gets everything.
    fn is_for_viewers(&self, report: &Report) -> bool {
        match report {
            _ if self.nobody => false,
            Report::Tags { .. } => !self.json,
            report => matches!(report, Report::News { .. }),
        }
    }

    /// Whether a state of another agent's customer does not matter to a person here: the customer
    /// is on hold or no more, or the conversation has ended.
    fn is_hidden_state(&self, report: &Report) -> bool {
        let Report::State { conversation, state, on_hold, .. } = report else { return false };
        let has_ended = matches!(state, State::Bot | State::Closed);
        let is_others = self.others.contains(conversation) && !self.watched.contains(conversation);
        is_others && !self.json && !self.nobody && (has_ended || on_hold.is_some())
    }

    /// Shows a person the lines of a conversation that they have not seen.
    pub(super) fn draw_whole(
        &mut self,
        desk: &Desk,
        id: ConversationId,
        journal: &Journal,
    ) -> Result<(), Fault> {
        self.undrawn.remove(&id);
        let (drawn, is_back) = (self.drawn(id), self.resumed.remove(&id));
        // A note is shown at every accept, other lines once.
        let is_note = |line: &Line| matches!(line.what, What::Note(_)) && !is_back;
        let is_new = |line: &Line| line.offset > drawn || is_note(line);
        let lines = journal.lines(id, Offset::START)?.into_iter().filter(is_new);
        if let Some(page) = desk.page(id).filter(|_| !is_back) {
            self.seat.tell(page);
        }
        // Lines that a terminal has missed, while its connection was lost, are not history.
        self.draw(desk, id, lines.collect(), !is_back);
        Ok(())
    }

    /// Shows a person lines that they have not seen.
    fn draw(&mut self, desk: &Desk, id: ConversationId, lines: Vec<Line>, history: bool) {
        self.forget_drawn(desk);
        let last = lines.last().map(|line| line.offset);
        self.show_lines(desk, (id, None), &lines, history);
        if let Some(last) = last.filter(|last| *last > self.drawn(id)) {
            self.note_drawn(id, last);
        }
    }

    /// With `--json`: prints the lines that this seat has missed, now that it sees the
    /// conversation. The lines before the customer's latest request are history. If the customer
    /// neither waits nor talks, all lines are.
    fn catch_up(
        &mut self,
        desk: &Desk,
        id: ConversationId,
        journal: &Journal,
    ) -> Result<(), Fault> {
        if !desk.is_shown_at(self.id, id) || !self.missed.remove(&id) {
            return Ok(());
        }
        let lines = journal.lines(id, self.drawn(id))?;
        // The lines of this turn have facts of their own.
        let end = self.fresh.get(&id).map(|(first, _)| *first);
        let is_missed = |line: &&Line| end.is_none_or(|end| line.offset < end);
        let is_request = |line: &Line| {
            line.entry().is_some_and(|entry| matches!(entry.body, Body::Requested(_)))
        };
        let request = lines.iter().rposition(is_request);
        let history = if desk.is_live(id) { request.unwrap_or(0) } else { lines.len() };
        for (at, line) in lines.iter().take_while(is_missed).enumerate() {
            self.show_line(desk, id, None, line, at < history);
        }
        self.forget_drawn(desk);
        Ok(())
    }

    /// Keeps the offsets of conversations that the desk knows, if there are many.
    fn forget_drawn(&mut self, desk: &Desk) {
        if self.drawn.len() + self.missed.len() >= DRAWN_MAX {
            self.drawn.retain(|id, _| desk.knows(*id));
            self.missed.retain(|id| desk.knows(*id));
        }
    }

    /// Shows lines of a conversation. For a person, notes in the history come after its messages,
    /// because they are remarks about all of it. The ordinal is for a conversation that the desk
    /// does not know any more.
    pub(super) fn show_lines(
        &mut self,
        desk: &Desk,
        (id, ordinal): (ConversationId, Option<u32>),
        lines: &[Line],
        history: bool,
    ) {
        let comes_last = |line: &&Line| history && !self.json && matches!(line.what, What::Note(_));
        let (notes, others): (Vec<_>, Vec<_>) = lines.iter().partition(comes_last);
        for line in others.into_iter().chain(notes) {
            self.show_line(desk, id, ordinal, line, history);
        }
    }

    /// Shows a line, if it is visible at this seat.
    pub(super) fn show_line(
        &mut self,
        desk: &Desk,
        id: ConversationId,
        ordinal: Option<u32>,
        line: &Line,
        history: bool,
    ) {
        match &line.what {
            What::Note(note) if self.json => {
                self.seat.tell(Report::Note { conversation: id, text: note.clone() });
            }
            What::Note(note) => self.seat.notice(&desk.note_at(self.id, id, note)),
            What::Entry(_, entry) => {
                self.say(desk, id, ordinal, (entry, line.agent.as_deref()), history);
            }
        }
    }

    fn say(
        &mut self,
        desk: &Desk,
        id: ConversationId,
        ordinal: Option<u32>,
        (entry, agent): (&Entry, Option<&str>),
        history: bool,
    ) {
        let Some(said) = entry.said() else { return };
        let agent = agent.map(str::to_owned);
        let told = Told { ordinal, agent, ..Told::new(id, entry.number, entry.at, said) };
        let told = Told { history, ..desk.for_agent(self.id, id, told) };
        let is_customers = told.author != Author::Admin;
        let seen = (is_customers && !self.nobody).then_some((id, None, entry.number));
        self.seat.say(told, seen);
    }
}
