//! How an agent ends their part in a conversation.
//!
//! `/close` and `/handback` of a person can be undone for [`UNDO_WITHIN`]: nothing of them leaves
//! the desk before.
//!
//! ```text
//!   active ──/close, /handback──▶ ending ──5 s, Enter, the command again──▶ control pending
//!      ▲                            │
//!      └─ /undo, a line of the agent's or the customer's, another agent, no seat left
//! ```
//!
//! Until then there is no entry and no number. The journal has the intention, so that a desk that
//! died meanwhile can say that nothing came of it.

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::record::{Ending, Record};
use crate::core::report::{AgentRefusal, DeskNews, EndingOutcome, Report};
use crate::wire::ConversationId;

use super::controls::Ask;
use super::{AgentId, Desk, SeatId};

/// For this long a `/close` or a `/handback` can be undone.
pub const UNDO_WITHIN: Duration = Duration::from_secs(5);

/// How a conversation ends, and when its customer's side is asked for that.
pub(super) struct Planned {
    pub(super) ending: Ending,
    at: Instant,
}

impl Desk {
    /// `/close [NOTE]` or `/handback [NOTE]` of a script: the conversation in focus ends at once.
    ///
    /// # Errors
    /// When no conversation has the focus, or it ends already.
    pub fn end(
        &mut self,
        seat: SeatId,
        ending: Ending,
        note: Option<&str>,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let id = self.prepare_end(seat, note)?;
        self.forget_plan(id);
        self.ask_to_end(id, ending, now);
        Ok(())
    }

    /// The same of a person: the conversation ends soon. The same command again ends it at once.
    ///
    /// # Errors
    /// When no conversation has the focus, or it ends already.
    pub fn end_soon(
        &mut self,
        seat: SeatId,
        ending: Ending,
        note: Option<&str>,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let id = self.prepare_end(seat, note)?;
        if self.planned(id) == Some(ending) {
            self.end_now(id, now);
            return Ok(());
        }
        let planned = Box::new(Planned { ending, at: now.clock + UNDO_WITHIN });
        if let Some(conversation) = self.conversations.get_mut(id)
            && conversation.planned.replace(planned).is_none()
        {
            self.ending.push(id);
        }
        self.journal(id, Record::Ending(Some(ending)));
        self.tell_ending(id, ending, EndingOutcome::Begun);
        Ok(())
    }

    /// `/undo`: the conversation in focus does not end, or another one of the agent's.
    ///
    /// # Errors
    /// When none is ending.
    pub fn undo(&mut self, seat: SeatId) -> Result<(), AgentRefusal> {
        let is_ending = |id: &ConversationId| self.is_own(seat, *id) && self.planned(*id).is_some();
        let focus = self.focus(seat).filter(is_ending);
        let latest = self.ending.iter().rev().copied().find(is_ending);
        let id = focus.or(latest).ok_or(AgentRefusal::NothingToUndo)?;
        self.keep(id, EndingOutcome::Undone);
        Ok(())
    }

    /// Enter in an empty line: if the conversation in focus is ending, it does so at once.
    pub fn confirm(&mut self, seat: SeatId, now: Now) {
        if let Some(id) = self.focus(seat).filter(|id| self.planned(*id).is_some()) {
            self.end_now(id, now);
        }
    }

    /// How this conversation is about to end, if it is.
    pub(super) fn planned(&self, id: ConversationId) -> Option<Ending> {
        Some(self.conversations.get(id)?.planned.as_ref()?.ending)
    }

    /// Cancels the end of a conversation that is about to end, and tells its agent and all leads why.
    pub(super) fn keep(&mut self, id: ConversationId, why: EndingOutcome) {
        if let Some(ending) = self.forget_plan(id) {
            self.tell_ending(id, ending, why);
        }
    }

    /// Cancels the end of all conversations of an agent whose last seat is gone.
    pub(super) fn keep_all(&mut self, agent: AgentId) {
        let is_theirs = |id: &&ConversationId| self.conversations[**id].owner == Some(agent);
        let theirs: Vec<_> = self.ending.iter().filter(is_theirs).copied().collect();
        theirs.into_iter().for_each(|id| self.keep(id, EndingOutcome::AgentLeft));
    }

    /// Cancels the end of a conversation that was about to end when the desk stopped, and notes that.
    pub(super) fn keep_after_restart(&mut self, id: ConversationId, ending: Option<Ending>) {
        let Some(ending) = ending else { return };
        self.journal(id, Record::Ending(None));
        let ended = match ending {
            Ending::Close => "closed",
            Ending::HandBack => "handed back",
        };
        let note = format!("not {ended}: the desk ended before that; the conversation goes on");
        self.journal(id, Record::Note(note));
    }

    /// Ends the conversations whose time has come.
    pub(super) fn review_endings(&mut self, now: Now) {
        let is_due = |id: &&ConversationId| {
            let planned = self.conversations[**id].planned.as_ref();
            planned.is_some_and(|planned| now.clock >= planned.at)
        };
        let due: Vec<_> = self.ending.iter().filter(is_due).copied().collect();
        due.into_iter().for_each(|id| self.end_now(id, now));
    }

    /// When [`review_endings`](Desk::review_endings) has something to do next.
    pub(super) fn ending_deadline(&self) -> Option<Instant> {
        let planned = self.ending.iter().filter_map(|id| self.conversations[*id].planned.as_ref());
        planned.map(|planned| planned.at).min()
    }

    /// The time to undo is over.
    fn end_now(&mut self, id: ConversationId, now: Now) {
        if let Some(ending) = self.forget_plan(id) {
            self.ask_to_end(id, ending, now);
        }
    }

    /// The conversation in focus, which is to end: the note is kept, and its offer is over.
    fn prepare_end(
        &mut self,
        seat: SeatId,
        note: Option<&str>,
    ) -> Result<ConversationId, AgentRefusal> {
        let id = self.conversation_in_focus(seat)?;
        note.iter().for_each(|note| self.keep_note(seat, id, note));
        self.void_offer(id);
        Ok(id)
    }

    /// Asks the customer's side to end the agent's part in a conversation.
    fn ask_to_end(&mut self, id: ConversationId, ending: Ending, now: Now) {
        let ask = match ending {
            Ending::Close => Ask::Close,
            Ending::HandBack => Ask::HandBack,
        };
        self.ask(id, ask, now);
        if !self.conversations[id].is_connected() {
            self.tell_news(DeskNews::EndsLater(self.who(id)));
        }
    }

    /// The conversation is not about to end any more: it goes on, or its customer's side is asked.
    fn forget_plan(&mut self, id: ConversationId) -> Option<Ending> {
        let planned = self.conversations.get_mut(id)?.planned.take()?;
        self.ending.retain(|ending| *ending != id);
        self.journal(id, Record::Ending(None));
        Some(planned.ending)
    }

    /// Tells the conversation's agent that it is about to end. That it does not end is told to all
    /// leads, too.
    fn tell_ending(&mut self, id: ConversationId, ending: Ending, outcome: EndingOutcome) {
        let conversation = &self.conversations[id];
        let owner = conversation.owner;
        let report = Report::Ending {
            conversation: id,
            ordinal: Some(conversation.ordinal),
            customer: Some(conversation.called(id)),
            ending,
            outcome,
        };
        let is_told = |(agent, lead): (AgentId, bool)| {
            owner == Some(agent) || lead && outcome != EndingOutcome::Begun
        };
        let members = self.team.members().map(|(agent, member)| (agent, member.is_lead));
        let told: Vec<_> = members.filter(|it| is_told(*it)).map(|(agent, _)| agent).collect();
        told.into_iter().for_each(|agent| self.tell_agent(agent, report.clone()));
    }
}
