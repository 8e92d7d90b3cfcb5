//! What an agent looks at: lists, searches, watched conversations, and histories.

use jiff::tz::TimeZone;

use crate::core::command::Who;
use crate::core::desk::names::{self, Missing};
use crate::core::desk::{Desk, SeatId};
use crate::core::record::Offset;
use crate::core::report::{AgentRefusal, Found, Listed, Report};
use crate::turn::keeper::Stop;
use crate::wire::ConversationId;

use super::Admin;
use super::finder::Question;

/// The most conversations of a customer that `/history` shows.
const FORMER_MAX: usize = 20;

impl Admin {
    pub(super) fn list(&self, at: SeatId, listed: &[Listed]) -> Result<(), AgentRefusal> {
        listed.iter().for_each(|listed| self.say(at, &listed.to_string()));
        Ok(())
    }

    /// Starts a search in another thread. The results come as an answer.
    pub(super) fn search(&self, at: SeatId, question: Question) -> Result<(), AgentRefusal> {
        let finder = self.finder.as_ref().ok_or(AgentRefusal::NothingToSearch)?;
        if finder.ask(at, question) { Ok(()) } else { Err(AgentRefusal::TooManySearches) }
    }

    /// A search is over.
    pub(super) fn found(&mut self, at: SeatId, found: Result<Vec<Found>, String>) {
        if !self.edges.seats.has(at) {
            return;
        }
        match found {
            Ok(found) if found.is_empty() => self.say(at, "nothing was found"),
            Ok(found) => {
                let zone = TimeZone::system();
                for mut found in found {
                    found.agent = found.agent.filter(|_| self.desk.is_shared());
                    let text = found.sentence(&zone);
                    self.tell(at, Report::Found { text, found: Box::new(found) });
                }
            }
            Err(text) => self.tell(at, Report::Error { text }),
        }
    }

    /// A lead begins to watch a conversation, or stops.
    pub(super) fn watch(
        &mut self,
        at: SeatId,
        who: &Who,
    ) -> Result<Result<(), AgentRefusal>, Stop> {
        let ordinal = self.find(at, who, Desk::find_active);
        let id = match ordinal.and_then(|ordinal| self.desk.toggle_watch(at, ordinal)) {
            Ok(id) => id,
            Err(why) => return Ok(Err(why)),
        };
        let (who, is_watched) = (self.desk.who(id), self.desk.is_watched_at(at, id));
        let seat = &mut self.edges.seats[at];
        seat.watch(id, is_watched);
        if !is_watched {
            seat.seat().notice(&format!("you do not watch {who} any more"));
            return Ok(Ok(()));
        }
        seat.seat().notice(&format!("you watch {who}; /watch again ends that"));
        if !seat.is_json() {
            seat.draw_whole(&self.desk, id, &self.edges.keeper.journal)?;
        }
        Ok(Ok(()))
    }

    /// Shows at a terminal that is back what it missed of the conversations that it watches, and
    /// says which of them it does not watch any more.
    pub(super) fn go_on_watching(
        &mut self,
        at: SeatId,
        watched: Vec<(ConversationId, bool)>,
    ) -> Result<(), Stop> {
        for (id, is_watched) in watched {
            let seat = &mut self.edges.seats[at];
            seat.watch(id, is_watched);
            match self.desk.called(id) {
                Some(who) if is_watched => {
                    if !seat.is_json() {
                        seat.draw_whole(&self.desk, id, &self.edges.keeper.journal)?;
                    }
                    self.say(at, &format!("you still watch {who}; /watch again ends that"));
                }
                // The state has said that the customer is the agent's own now.
                Some(_) if self.desk.is_own(at, id) => {}
                Some(who) => self.say(at, &format!("you do not watch {who} any more")),
                None => self.say(at, "a conversation that you watched has ended meanwhile"),
            }
        }
        Ok(())
    }

    /// Shows the conversation with this number or name, also one that has left the desk's memory.
    /// Without either it shows the one in focus.
    pub(super) fn tell_history(
        &mut self,
        at: SeatId,
        who: Option<&Who>,
    ) -> Result<Result<(), AgentRefusal>, Stop> {
        let journal = &self.edges.keeper.journal;
        let number = who.and_then(Who::number);
        let (ordinal, id) =
            match (who, number.map(|number| journal.conversation(number)).transpose()?.flatten()) {
                (None, _) => (None, self.desk.focus(at)),
                (_, Some(id)) => (number, Some(id)),
                (Some(who), None) => {
                    let all = journal.names()?;
                    let named = all
                        .iter()
                        .map(|(ordinal, id, name)| (*ordinal, names::called(name.as_deref(), *id)));
                    match names::find(who, named) {
                        Ok(ordinal) => (Some(ordinal), journal.conversation(ordinal)?),
                        Err(Missing::Nobody) if number.is_some() => (number, None),
                        Err(missing) => return Ok(Err(self.explain(at, who, missing))),
                    }
                }
            };
        let Some(id) = id else {
            return Ok(Err(ordinal.map_or(AgentRefusal::NothingOpen, AgentRefusal::NoSuch)));
        };
        // The customer's former conversations come before this one.
        let mut all = vec![(ordinal, id)];
        while let Some(former) = journal.story(all[all.len() - 1].1)?.and_then(|story| story.former)
            && let Some(id) = journal.conversation(former)?
            && all.len() < FORMER_MAX
        {
            all.push((Some(former), id));
        }
        for (ordinal, id) in all.into_iter().rev() {
            let lines = self.edges.keeper.journal.lines(id, Offset::START)?;
            if let Some(page) = self.desk.page(id) {
                self.tell(at, page);
            }
            self.edges.seats[at].show_lines(&self.desk, (id, ordinal), &lines, true);
        }
        Ok(Ok(()))
    }
}
