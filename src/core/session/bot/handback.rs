//! Returns: requests that tell the bot that it owns the conversation again, and what people said
//! without it.

use super::{Turn, Turns};
use crate::core::clock::Now;
use crate::core::record::{Line, Record, Returning, Story};
use crate::core::report::{CustomerNews, Reason, Returned};
use crate::core::session::output::Output;
use crate::core::session::{Errand, Resumed};
use crate::wire::{Author, Body, Number, Said, State};

impl Turns {
    /// The bot has the conversation again. Before the next question it gets a return: what people
    /// said from our entry `since` on, or from an earlier entry if an earlier return failed.
    pub(in crate::core::session) fn resume(
        &mut self,
        how: Option<Returned>,
        since: Number,
        output: &mut Output,
    ) {
        let since = self.untold_since.take().unwrap_or(since);
        let ticket = self.ticket();
        self.turn = Turn::Returning { ticket, how, since };
        // After a restart, the waiting lines are sent, and no lines before them.
        let first = self.waiting.front().map_or(output.last() + 1, |(number, _)| *number);
        output.journal(Record::Asking(Some(first)));
        self.send_return(output);
    }

    /// A return ended: the bot has learned that it owns the conversation again, or could not be
    /// reached.
    pub(in crate::core::session) fn returned(
        &mut self,
        ticket: u64,
        outcome: Resumed,
        output: &mut Output,
        now: Now,
    ) {
        if let Some((_, since)) = self.late_return.take_if(|(late, _)| *late == ticket) {
            return self.returned_late(since, &outcome, output);
        }
        let (how, since) = match self.turn {
            Turn::Returning { ticket: asked, how, since } if asked == ticket => (how, since),
            _ => return,
        };
        self.turn = Turn::Idle;
        self.note_return(&outcome, since, output);
        if let Some(how) = how {
            output.tell_state(State::Bot, (None, None), (None, None), Some(Reason::Returned(how)));
        }
        self.tell_return(outcome, output);
        self.ask_waiting(output, now);
    }

    /// Journals how a return ended that had our entries from `since` on.
    fn note_return(&mut self, outcome: &Resumed, since: Number, output: &mut Output) {
        self.untold_since = match outcome {
            Resumed::Unreached(_) => Some(since),
            // The bot may have the lines already. So the next return has no lines, and only tells
            // the bot that it owns the conversation.
            Resumed::Failed(_) => Some(output.last()),
            _ => None,
        };
        let returning = self.untold_since.map_or(Returning::Done, Returning::Due);
        output.journal(Record::Returning(returning));
        if self.waiting.is_empty() {
            output.journal(Record::Asking(None));
        }
        if self.untold_since.is_none() {
            self.told_causes.clear();
        }
        self.may_be_paused = !matches!(outcome, Resumed::Yes | Resumed::WithoutLines);
    }

    /// Tells the customer what the bot does not know.
    fn tell_return(&mut self, outcome: Resumed, output: &mut Output) {
        match outcome {
            Resumed::Yes => {}
            Resumed::WithoutLines => output.tell_news(CustomerNews::BotNotTold),
            Resumed::StillPaused => output.tell_news(CustomerNews::BotStillPaused),
            Resumed::NoApi(why) if !self.has_told_no_api => {
                self.has_told_no_api = true;
                output.tell_news(CustomerNews::BotHasNoApi(why));
            }
            Resumed::NoApi(_) => {}
            Resumed::Unreached(fault) => self.tell_cause(CustomerNews::BotUntold(fault), output),
            Resumed::Failed(fault) => self.tell_cause(CustomerNews::BotMaybeUntold(fault), output),
        }
    }

    fn tell_cause(&mut self, cause: CustomerNews, output: &mut Output) {
        if !self.told_causes.contains(&cause) {
            output.tell_news(cause.clone());
            self.told_causes.push(cause);
        }
    }

    /// A return ended after the conversation had gone to a person. If it failed, the next return
    /// has what people said from our entry `from` on.
    pub(super) fn returned_late(&mut self, from: Number, outcome: &Resumed, output: &mut Output) {
        let untold = matches!(outcome, Resumed::Unreached(_)).then_some(from);
        if let Turn::Returning { since, .. } = &mut self.turn {
            *since = untold.map_or(*since, |from| from.min(*since));
            return self.send_return(output);
        }
        // The bot may not know an earlier stretch either.
        self.untold_since = self.untold_since.into_iter().chain(untold).min();
        let returning = self.untold_since.map_or(Returning::Done, Returning::Due);
        output.journal(Record::Returning(returning));
    }

    /// Sends the return that is due, when nothing else is under way. An earlier request may reach
    /// the bot late: if the return went first, the bot would take that request for a new line.
    pub(super) fn send_return(&mut self, output: &mut Output) {
        let Turn::Returning { ticket, since, .. } = self.turn else { return };
        let is_free = self.is_free();
        let returning = if is_free { Returning::UnderWay } else { Returning::Due(since) };
        output.journal(Record::Returning(returning));
        if is_free {
            let conversation = output.conversation();
            self.errand = Some(Errand::Return { conversation, ticket, since });
        }
    }
}

/// The number of our latest entry that gave the conversation back to the bot; 0: there is none.
pub(super) fn latest_return(story: &Story) -> Number {
    let own = story.controls.iter().rev().filter(|line| line.own).filter_map(Line::entry);
    let is_return = |body: &Body| matches!(body, Body::Withdrawn {} | Body::HandedBack { .. });
    own.filter(|entry| is_return(&entry.body)).map(|entry| entry.number).next().unwrap_or(0)
}

/// What people said to each other from our own entry `since` on, in the stretches without the bot.
/// Lines to the bot are left out, even those that still wait for it. `lines` are the lines of the
/// conversation from that entry on, or from an earlier entry on.
pub fn said_without_bot(lines: &[Line], since: Number) -> Vec<Said> {
    let is_since =
        |line: &Line| line.own && line.entry().is_some_and(|entry| entry.number == since);
    let from = lines.iter().position(is_since).unwrap_or(lines.len());
    let (mut said, mut is_with_person) = (Vec::new(), false);
    for line in &lines[from..] {
        match line.entry().map(|entry| &entry.body) {
            Some(Body::Requested { .. }) => is_with_person = true,
            Some(Body::Withdrawn {} | Body::HandedBack { .. }) => is_with_person = false,
            Some(Body::Message(message)) if is_with_person && message.author != Author::Bot => {
                said.push(message.clone());
            }
            _ => {}
        }
    }
    said
}
