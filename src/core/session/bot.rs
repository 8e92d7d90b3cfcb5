//! The requests to the bot: one at a time, in the order of the lines, and none after the trigger.
//!
//! There are two kinds of request to the bot: a question, which is a line of the customer, and a
//! return, which tells the bot that it owns the conversation again and what people said meanwhile.
//!
//! Rules: docs/RASA.md, "Handing over", "Handing back" and "What the bot gets, and what is shown of
//! its answers".

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Errand;
use super::menu::{Menu, as_asked};
use super::output::Output;
use crate::core::clock::Now;
use crate::core::record::{Record, Returning, Story};
use crate::core::reply::{self, Handoff, Reply};
use crate::core::report::{CustomerNews, CustomerRefusal, Returned};
use crate::wire::{Author, Body, Button, Entry, Number, Said};

pub use handback::said_without_bot;

use handback::latest_return;

mod handback;

/// A bot that has not answered for this long is slow: the customer reads that they can ask for a
/// person.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// The request that is under way to the bot, and those that wait. While the bot does not own the
/// conversation there are none: [`Turns::discard`] drops them.
#[derive(Default)]
pub(super) struct Turns {
    turn: Turn,
    /// The lines after the one that the bot is being asked, as the bot will get them.
    waiting: VecDeque<(Number, String)>,
    /// Lines that the bot may or may not have received, because the program or the bot failed. Only
    /// the customer can decide whether to send them again.
    unsure: Vec<(Number, String)>,
    menu: Menu,
    last_ticket: u64,
    /// The ticket of the question that is under way, even if its answer is not wanted any more.
    in_flight: Option<u64>,
    /// The question or the return to send when everything is committed. At most one request is
    /// under way at a time.
    errand: Option<Errand>,
    /// A return that is under way although the conversation has gone to a person meanwhile: its
    /// ticket, and the first of our entries in it.
    late_return: Option<(u64, Number)>,
    /// The customer has read that the bot has no API.
    has_told_no_api: bool,
    /// The bot does not know that it owns the conversation, nor what people said from this entry of
    /// ours on. It gets that before the next question, and at the next handback.
    untold_since: Option<Number>,
    /// The causes for which returns failed. The customer reads each cause once, until a return
    /// succeeds.
    told_causes: Vec<CustomerNews>,
    /// The bot may still be paused since a handoff, and stay silent.
    may_be_paused: bool,
}

#[derive(Default)]
enum Turn {
    #[default]
    Idle,
    Asking {
        ticket: u64,
        /// The line, as it goes to the bot.
        line: (Number, String),
        /// When to tell the customer that the bot is slow; `None` after that.
        slow_at: Option<Instant>,
    },
    Returning {
        ticket: u64,
        /// How the conversation came back; `None` if the customer has read that already.
        how: Option<Returned>,
        /// The return has what people said from this entry of ours on.
        since: Number,
    },
}

/// What the bot is doing about a conversation, as a customer may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BotWork {
    /// Nothing: the bot has answered everything.
    Idle,
    /// A question or a return is under way.
    Working,
    /// A question has been under way for so long that the bot counts as slow.
    Slow,
    /// A question has failed. The line can be sent again.
    Failed,
}

/// What a customer's line means to the bot.
pub(super) enum Choice {
    /// The customer chose a button that is a link. The bot gets nothing.
    Link(String),
    /// The line goes to the bot.
    Question {
        /// The line, as the conversation shows it.
        text: String,
        /// The line, as the bot gets it.
        question: String,
    },
}

impl Turns {
    /// `seed` is random, so that no answer to another conversation's request has a ticket of this
    /// conversation.
    pub(super) fn new(seed: u64) -> Turns {
        Turns { last_ticket: seed, ..Turns::default() }
    }

    /// What the bot is doing, as the customer may see it.
    pub(super) fn work(&self) -> BotWork {
        match &self.turn {
            Turn::Idle if self.unsure.is_empty() => BotWork::Idle,
            Turn::Idle => BotWork::Failed,
            Turn::Asking { slow_at: None, .. } => BotWork::Slow,
            Turn::Asking { .. } | Turn::Returning { .. } => BotWork::Working,
        }
    }

    /// Whether no request is under way or due.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.turn, Turn::Idle)
    }

    /// Whether the session may leave memory: no request is under way, and the journal has
    /// everything in this value.
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_idle() && self.is_free() && self.unsure.is_empty() && !self.may_be_paused
    }

    /// The request to send to the bot now.
    pub(super) fn take_errand(&mut self) -> Option<Errand> {
        self.errand.take()
    }

    /// When to tell the customer that the bot is slow.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.turn {
            Turn::Asking { slow_at, .. } => slow_at,
            _ => None,
        }
    }

    /// Does what is due by `now`.
    pub(super) fn tick(&mut self, output: &mut Output, now: Now) {
        if let Turn::Asking { slow_at, .. } = &mut self.turn
            && slow_at.is_some_and(|at| at <= now.clock)
        {
            *slow_at = None;
            output.tell_news(CustomerNews::BotSlow);
        }
    }

    /// Reads a line for the bot: it chooses one of the bot's buttons, or is a text.
    pub(super) fn read(&self, typed: &str) -> Choice {
        match reply::choice(self.menu.buttons(), typed) {
            Some(button) => self.chosen(button),
            None => Choice::Question { text: typed.to_owned(), question: as_asked(None, typed) },
        }
    }

    /// The button with number `choice` of the bot's message `message`, if nothing was said since.
    /// Our newest entry is `last`.
    pub(super) fn choose(
        &self,
        message: Number,
        choice: NonZeroU32,
        last: Number,
    ) -> Option<Choice> {
        self.menu.button(message, choice, last).map(|button| self.chosen(button))
    }

    fn chosen(&self, button: &Button) -> Choice {
        let menu = self.menu.buttons();
        match button.link() {
            Some(url) => Choice::Link(url.to_owned()),
            None => Choice::Question {
                text: reply::echo(menu, button),
                question: as_asked(Some(button), &button.title),
            },
        }
    }

    /// The customer said our entry with this number. The question for the bot joins the end of
    /// those that wait.
    pub(super) fn ask(&mut self, number: Number, question: String, output: &mut Output, now: Now) {
        self.forget_unsure(output);
        self.waiting.push_back((number, question));
        self.ask_next(output, now);
    }

    /// `/again`: sends the bot again the line that it may not have received.
    ///
    /// # Errors
    /// When there is no such line.
    pub(super) fn ask_again(
        &mut self,
        output: &mut Output,
        now: Now,
    ) -> Result<(), CustomerRefusal> {
        if self.unsure.is_empty() {
            return Err(CustomerRefusal::NothingToRepeat);
        }
        self.waiting.extend(std::mem::take(&mut self.unsure));
        self.ask_next(output, now);
        Ok(())
    }

    /// The bot answered the question with this ticket, or did not. Returns the handoff, if the bot
    /// hands over.
    pub(super) fn answered(
        &mut self,
        ticket: u64,
        answer: Result<Reply, String>,
        output: &mut Output,
        now: Now,
    ) -> Option<Handoff> {
        if self.in_flight.take_if(|asked| *asked == ticket).is_none() {
            log::info!("the bot answered a request that was never made; the answer is discarded");
            return None;
        }
        let line = match std::mem::take(&mut self.turn) {
            Turn::Asking { ticket: asked, line, .. } if asked == ticket => line,
            turn => {
                // After the trigger a reply is discarded (docs/PROTOCOL.md, "States, and who
                // decides").
                log::info!("a reply of the bot came after the handoff and is discarded");
                self.turn = turn;
                self.send_return(output);
                return None;
            }
        };
        output.journal(Record::Asking(None));
        match answer {
            Ok(Reply { said, handoff }) => {
                if said.is_empty() && handoff.is_none() {
                    let may_be_paused = self.may_be_paused;
                    output.tell_news(CustomerNews::BotSilent { may_be_paused });
                }
                self.show(said, output, now);
                if handoff.is_some() {
                    return handoff;
                }
            }
            Err(fault) => {
                self.unsure.push(line);
                output.tell_fault(CustomerNews::BotFailed(fault));
            }
        }
        self.ask_next(output, now);
        None
    }

    /// Shows the messages of a reply. Their buttons replace the former ones.
    fn show(&mut self, said: Vec<Said>, output: &mut Output, now: Now) {
        if !said.is_empty() {
            self.menu = Menu::default();
        }
        for said in said {
            self.menu.offer(output.last() + 1, now.wall, said.choices());
            output.say(said, now);
        }
    }

    /// The bot does not own the conversation any more: an answer that is under way is not wanted,
    /// and waiting lines are not sent.
    pub(super) fn discard(&mut self, output: &mut Output) {
        let turn = std::mem::take(&mut self.turn);
        // A return that was not sent yet has not reached the bot.
        let mut unsent = match turn {
            Turn::Returning { since, .. } if !self.is_free() => Some(since),
            _ => None,
        };
        // A request that was not sent yet is dropped.
        match self.errand.take() {
            Some(Errand::Ask { .. }) => self.in_flight = None,
            Some(Errand::Return { since, .. }) => unsent = Some(since),
            _ => {}
        }
        if !matches!(turn, Turn::Idle) {
            output.journal(Record::Asking(None));
        }
        match (turn, unsent) {
            (Turn::Returning { .. }, Some(since)) => {
                self.untold_since = Some(since);
                output.journal(Record::Returning(Returning::Due(since)));
            }
            // When the return ends, this side learns whether it reached the bot (`returned_late`).
            (Turn::Returning { ticket, since, .. }, None) => {
                self.late_return = Some((ticket, since))
            }
            _ => {}
        }
        self.waiting = VecDeque::new();
        self.menu = Menu::default();
        self.forget_unsure(output);
    }

    /// After a restart, goes on with what was under way. No question is sent twice unasked. A
    /// return is sent again, which is harmless. `is_with_bot` says whether the bot owns the
    /// conversation.
    pub(super) fn recover<E>(
        &mut self,
        story: &Story,
        is_with_bot: bool,
        entry: impl Fn(Number) -> Result<Entry, E>,
        output: &mut Output,
    ) -> Result<(), E> {
        let first = match (story.asking, story.returning) {
            (Some(asking), _) => asking,
            (None, Returning::UnderWay) => latest_return(story) + 1,
            (None, _) => output.last() + 1,
        };
        if let Returning::Due(since) = story.returning {
            self.untold_since = Some(since);
        }
        if !is_with_bot {
            return Ok(());
        }
        self.menu = Menu::before(output.last() + 1, &entry)?;
        let (mut lines, mut texts) = (Vec::new(), Vec::new());
        for number in first..=output.last() {
            if let Body::Message(said) = entry(number)?.body
                && said.author == Author::User
            {
                let menu = Menu::before(number, &entry)?;
                let chosen = reply::choice(menu.buttons(), &said.text);
                lines.push((number, as_asked(chosen, &said.text)));
                texts.push(said.text);
            }
        }
        if story.returning == Returning::UnderWay {
            self.waiting = lines.into();
        } else if !lines.is_empty() {
            self.unsure = lines;
            output.tell_news(CustomerNews::BotMayNotHave(texts));
        }
        if story.returning != Returning::Done {
            self.resume(None, output.last(), output);
        }
        Ok(())
    }

    /// Forgets the lines that the bot may not have received: they are not sent again.
    fn forget_unsure(&mut self, output: &mut Output) {
        let had_some = !std::mem::take(&mut self.unsure).is_empty();
        // While a request is under way, the journal keeps the line at which a restart continues.
        if had_some && self.is_idle() {
            output.journal(Record::Asking(None));
        }
    }

    /// Sends the next waiting line, if nothing is under way. A return that is due goes first.
    fn ask_next(&mut self, output: &mut Output, now: Now) {
        if !self.is_idle() || self.waiting.is_empty() {
            return;
        }
        match self.untold_since {
            Some(since) => self.resume(None, since, output),
            None => self.ask_waiting(output, now),
        }
    }

    fn ask_waiting(&mut self, output: &mut Output, now: Now) {
        let Some((number, text)) = self.waiting.pop_front() else { return };
        let ticket = self.ticket();
        let line = (number, text.clone());
        self.turn = Turn::Asking { ticket, line, slow_at: Some(now.clock + SLOW_AFTER) };
        self.in_flight = Some(ticket);
        output.journal(Record::Asking(Some(number)));
        self.errand = Some(Errand::Ask { conversation: output.conversation(), ticket, text });
    }

    /// Whether no question and no late return is under way.
    fn is_free(&self) -> bool {
        self.in_flight.is_none() && self.late_return.is_none()
    }

    fn ticket(&mut self) -> u64 {
        self.last_ticket = self.last_ticket.wrapping_add(1);
        self.last_ticket
    }
}
