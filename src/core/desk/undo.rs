//! How an agent closes a conversation or gives it back to the bot.
//!
//! A person can undo `/close` and `/handback` for [`UNDO_WITHIN`]. The desk sends nothing to the
//! customer's side until then.
//!
//! ```text
//!   active, queued ──/close, /handback──▶ ending ──time, Enter, the command─▶ control pending
//!      ▲                                    │                     again
//!      └─ /undo, a line of the agent's or the customer's, another agent, no seat left
//! ```
//!
//! While a conversation is ending, no entry is written and no number used. The journal has only the
//! intention, so that a desk that restarts meanwhile can note that the conversation did not end.
//!
//! The side of a waiting customer lets the desk end the conversation if its hello names the feature
//! `end_queued`. Any other side lets only an agent who has accepted the customer end it. So the
//! desk first accepts such a customer, in no agent's name, and asks for the end when the customer's
//! side has answered.

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::record::{Ending, Record};
use crate::core::report::{AgentRefusal, DeskNews, EndingOutcome, Report};
use crate::wire::ConversationId;

use super::controls::Ask;
use super::{AgentId, Desk, SeatId};

/// How long a person can undo a `/close` or a `/handback`.
pub const UNDO_WITHIN: Duration = Duration::from_secs(5);

/// A conversation's planned end.
pub(super) struct Planned {
    pub(super) ending: Ending,
    /// The agent who ends it.
    by: AgentId,
    /// When the desk asks the customer's side to end the conversation. `None`: as soon as that
    /// side has answered the `accept`.
    at: Option<Instant>,
}

impl Desk {
    /// `/close [#N] [NOTE]` or `/handback [#N] [NOTE]` from a script: ends the conversation now.
    ///
    /// # Errors
    /// When there is no such conversation, another agent has it, or it ends already.
    pub fn end(
        &mut self,
        seat: SeatId,
        on: Option<u32>,
        ending: Ending,
        note: Option<&str>,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let (id, by) = self.prepare_end(seat, on, note)?;
        self.end_now(id, ending, by, now);
        Ok(())
    }

    /// `/close` or `/handback` from a person: the conversation ends after [`UNDO_WITHIN`], or at
    /// once when the person enters the same command again.
    ///
    /// # Errors
    /// As [`end`](Desk::end).
    pub fn end_soon(
        &mut self,
        seat: SeatId,
        on: Option<u32>,
        ending: Ending,
        note: Option<&str>,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let (id, by) = self.prepare_end(seat, on, note)?;
        if self.planned(id) == Some(ending) {
            self.end_now(id, ending, by, now);
            return Ok(());
        }
        self.plan(id, Planned { ending, by, at: Some(now.clock + UNDO_WITHIN) });
        self.tell_ending(id, by, ending, EndingOutcome::Begun);
        Ok(())
    }

    /// `/undo`: cancels the planned end of the conversation in focus. If that one is not ending,
    /// cancels the end that this agent planned last.
    ///
    /// # Errors
    /// When the agent is ending no conversation.
    pub fn undo(&mut self, seat: SeatId, now: Now) -> Result<(), AgentRefusal> {
        let agent = self.team.agent_at(seat);
        let by = |id: &ConversationId| Some(self.conversations[*id].planned.as_ref()?.by);
        let is_ending = |id: &ConversationId| by(id).is_some_and(|by| Some(by) == agent);
        let focus = self.focus(seat).filter(is_ending);
        let latest = self.ending.iter().rev().copied().find(is_ending);
        let id = focus.or(latest).ok_or(AgentRefusal::NothingToUndo)?;
        self.keep(id, EndingOutcome::Undone, now);
        Ok(())
    }

    /// Enter in an empty line: ends the conversation in focus at once, if its end is planned.
    pub fn confirm(&mut self, seat: SeatId, now: Now) {
        let id = self.focus(seat);
        if let Some((id, ending, by)) = id.and_then(|id| self.due(id, |_| true)) {
            self.end_now(id, ending, by, now);
        }
    }

    /// Called when the customer's side has answered an `accept`. If the desk accepted the customer
    /// only to end the conversation, asks for the end now, and returns true.
    pub(super) fn end_accepted(&mut self, id: ConversationId, now: Now) -> bool {
        let planned = self.conversations[id].planned.as_ref();
        let is_due = planned.is_some_and(|planned| planned.at.is_none());
        if is_due && let Some(planned) = self.forget_plan(id) {
            self.ask_to_end(id, planned.ending, now);
        }
        is_due
    }

    /// How this conversation is about to end, if it is.
    pub(super) fn planned(&self, id: ConversationId) -> Option<Ending> {
        Some(self.conversations.get(id)?.planned.as_ref()?.ending)
    }

    /// Cancels the planned end of a conversation, if there is one, and tells its agent and all
    /// leads why. If the customer waits, agents are called again.
    pub(super) fn keep(&mut self, id: ConversationId, why: EndingOutcome, now: Now) {
        let Some(planned) = self.forget_plan(id) else { return };
        self.tell_ending(id, planned.by, planned.ending, why);
        // No agent was called for this customer while the end was planned.
        let group = self.queue.group(id).filter(|_| self.conversations[id].is_up_for_accept());
        if let Some(group) = group {
            self.note_waiting(group, now);
        }
    }

    /// Cancels every end that this agent planned, because the agent's last seat is gone.
    pub(super) fn keep_all(&mut self, agent: AgentId, now: Now) {
        let is_theirs = |id: &&ConversationId| {
            let planned = self.conversations[**id].planned.as_ref();
            planned.is_some_and(|planned| planned.by == agent)
        };
        let theirs: Vec<_> = self.ending.iter().filter(is_theirs).copied().collect();
        theirs.into_iter().for_each(|id| self.keep(id, EndingOutcome::AgentLeft, now));
    }

    /// Cancels an end that was planned when the desk stopped, and keeps a note about that.
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

    /// Ends the conversations whose undo time is over.
    pub(super) fn review_endings(&mut self, now: Now) {
        let due = |id: &ConversationId| self.due(*id, |at| now.clock >= at);
        let due: Vec<_> = self.ending.iter().filter_map(due).collect();
        due.into_iter().for_each(|(id, ending, by)| self.end_now(id, ending, by, now));
    }

    /// The planned end of a conversation and its agent, if the end has a time and `is_due` says
    /// that this time has come.
    fn due(
        &self,
        id: ConversationId,
        is_due: impl Fn(Instant) -> bool,
    ) -> Option<(ConversationId, Ending, AgentId)> {
        let planned = self.conversations[id].planned.as_ref()?;
        planned.at.filter(|at| is_due(*at)).map(|_| (id, planned.ending, planned.by))
    }

    /// When [`review_endings`](Desk::review_endings) has something to do next.
    pub(super) fn ending_deadline(&self) -> Option<Instant> {
        let planned = self.ending.iter().filter_map(|id| self.conversations[*id].planned.as_ref());
        planned.filter_map(|planned| planned.at).min()
    }

    /// Ends a conversation in a way that cannot be undone.
    fn end_now(&mut self, id: ConversationId, ending: Ending, by: AgentId, now: Now) {
        let conversation = &self.conversations[id];
        let (is_queued, may_end) = (conversation.is_queued(), conversation.may_end_queued);
        if is_queued {
            self.own(id, None);
        }
        if is_queued && !may_end {
            self.plan(id, Planned { ending, by, at: None });
            self.ask(id, Ask::Accept { by: None }, now);
        } else {
            self.forget_plan(id);
            self.ask_to_end(id, ending, now);
        }
        if !self.conversations[id].has_connection() {
            self.tell_agent_news(by, DeskNews::EndsLater(self.who(id)));
        }
    }

    /// Finds the conversation to end and its agent, keeps the note, and ends an open offer.
    fn prepare_end(
        &mut self,
        seat: SeatId,
        on: Option<u32>,
        note: Option<&str>,
    ) -> Result<(ConversationId, AgentId), AgentRefusal> {
        let id = self.target_to_change(seat, on)?;
        let by = self.team.agent_at(seat).ok_or(AgentRefusal::NothingOpen)?;
        note.iter().for_each(|note| self.keep_note(seat, id, note));
        self.void_offer(id);
        Ok((id, by))
    }

    /// Plans the end of a conversation, and journals the intention.
    fn plan(&mut self, id: ConversationId, planned: Planned) {
        self.journal(id, Record::Ending(Some(planned.ending)));
        if let Some(conversation) = self.conversations.get_mut(id)
            && conversation.planned.replace(Box::new(planned)).is_none()
        {
            self.ending.push(id);
        }
    }

    /// Asks the customer's side to end the agent's part in a conversation.
    fn ask_to_end(&mut self, id: ConversationId, ending: Ending, now: Now) {
        let ask = match ending {
            Ending::Close => Ask::Close,
            Ending::HandBack => Ask::HandBack,
        };
        self.ask(id, ask, now);
    }

    /// Removes the planned end: it was cancelled, or the desk asks the customer's side for it now.
    fn forget_plan(&mut self, id: ConversationId) -> Option<Planned> {
        let at = self.ending.iter().position(|ending| *ending == id)?;
        self.ending.remove(at);
        let planned = self.conversations.get_mut(id)?.planned.take()?;
        self.journal(id, Record::Ending(None));
        Some(*planned)
    }

    /// Tells the agent who planned the end what becomes of it. Leads hear only of a cancelled end.
    fn tell_ending(
        &mut self,
        id: ConversationId,
        by: AgentId,
        ending: Ending,
        outcome: EndingOutcome,
    ) {
        let conversation = &self.conversations[id];
        let report = Report::Ending {
            conversation: id,
            ordinal: Some(conversation.ordinal),
            customer: Some(conversation.called(id)),
            ending,
            outcome,
        };
        let is_told =
            |(agent, lead): (AgentId, bool)| by == agent || lead && outcome != EndingOutcome::Begun;
        let members = self.team.members().map(|(agent, member)| (agent, member.is_lead));
        let told: Vec<_> = members.filter(|it| is_told(*it)).map(|(agent, _)| agent).collect();
        told.into_iter().for_each(|agent| self.tell_agent(agent, report.clone()));
    }
}
