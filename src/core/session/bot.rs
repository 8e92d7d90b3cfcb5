//! The requests to the bot: one at a time, in the order of the lines, and none after the trigger.
//!
//! Two kinds of request leave: a question, which is a line of the customer's, and a return, which
//! tells the bot that it owns the conversation again and what people said meanwhile (docs/RASA.md,
//! "Handing back").

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::menu::{Menu, as_asked};
use super::{Errand, Phase, Resumed, Session};
use crate::core::clock::Now;
use crate::core::record::{Line, Record, Returning, Story};
use crate::core::reply::{self, Reply};
use crate::core::report::{CustomerNews, CustomerRefusal, Reason, Returned};
use crate::wire::{Author, Body, Button, Entry, Number, Said};

/// A bot that has not answered for this long is slow: the customer is told that they can ask for a
/// person.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// What the bot is asked, and what it is to be asked.
#[derive(Default)]
pub(super) struct Turns {
    turn: Turn,
    /// Lines behind the one that the bot is being asked, as the bot will get them.
    waiting: VecDeque<(Number, String)>,
    /// Lines that the bot may have got or not, because the program or the bot failed. Only the
    /// customer can tell whether to ask them again.
    unsure: VecDeque<(Number, String)>,
    menu: Menu,
    last_ticket: u64,
    /// The ticket of the question that is under way, whether its answer is still wanted or not.
    in_flight: Option<u64>,
    /// The question or the return that leaves once everything is committed. At most one request is
    /// under way at a time.
    errand: Option<Errand>,
    /// A return that is under way though the conversation went to a person meanwhile: its ticket,
    /// and the first of our entries that it tells.
    late_return: Option<(u64, Number)>,
    /// The customer was told that the bot has no API.
    has_told_no_api: bool,
    /// The bot does not know that it owns the conversation, nor what people said from this entry
    /// of ours on. It is told before it is asked anything, and at the next handback.
    untold_since: Option<Number>,
    /// Why the bot could not be told. The customer hears of each cause once, until the bot is
    /// told.
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
        /// The line, as the bot was to get it.
        line: (Number, String),
        /// When to say that the bot is slow; `None` once said.
        slow_at: Option<Instant>,
    },
    Returning {
        ticket: u64,
        /// How the conversation came back; `None` when that was told already and the bot was not.
        how: Option<Returned>,
        /// The own entry that began the stretch without the bot.
        since: Number,
    },
}

impl Turns {
    /// `seed` is random: an answer to another conversation's request fits no ticket of this one.
    pub(super) fn new(seed: u64) -> Turns {
        Turns { last_ticket: seed, ..Turns::default() }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.turn, Turn::Idle)
    }

    /// Whether nothing is under way, and nothing is known that the journal does not have.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_free = self.in_flight.is_none() && self.late_return.is_none();
        self.is_idle() && is_free && self.unsure.is_empty() && !self.may_be_paused
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.turn {
            Turn::Asking { slow_at, .. } => slow_at,
            _ => None,
        }
    }

    /// What is to be asked of the bot now.
    pub(super) fn take_errand(&mut self) -> Option<Errand> {
        self.errand.take()
    }

    fn ticket(&mut self) -> u64 {
        self.last_ticket = self.last_ticket.wrapping_add(1);
        self.last_ticket
    }
}

impl Session {
    /// A person gets the conversation, or nobody: an answer that is under way is not wanted any
    /// more, and lines that wait are not asked.
    pub(super) fn discard_bot(&mut self) {
        let turn = std::mem::take(&mut self.bot.turn);
        // A return that still waits for the request under way has told the bot nothing.
        let mut unsent = match turn {
            Turn::Returning { since, .. } if !self.is_bot_free() => Some(since),
            _ => None,
        };
        // A request that has not left yet never leaves.
        match self.bot.errand.take() {
            Some(Errand::Ask { .. }) => self.bot.in_flight = None,
            Some(Errand::Return { since, .. }) => unsent = Some(since),
            _ => {}
        }
        if !matches!(turn, Turn::Idle) {
            self.journal(Record::Asking(None));
        }
        match (turn, unsent) {
            (Turn::Returning { .. }, Some(since)) => {
                self.bot.untold_since = Some(since);
                self.journal(Record::Returning(Returning::Due(since)));
            }
            // Its answer says what became of it.
            (Turn::Returning { ticket, since, .. }, None) => {
                self.bot.late_return = Some((ticket, since))
            }
            _ => {}
        }
        self.bot.waiting = VecDeque::new();
        self.bot.menu = Menu::default();
        self.forget_unsure();
    }

    /// `/again`: asks the bot once more what it may not have got.
    ///
    /// # Errors
    /// When there is no such line.
    pub fn ask_again(&mut self, now: Now) -> Result<(), CustomerRefusal> {
        if self.bot.unsure.is_empty() {
            return Err(CustomerRefusal::NothingToRepeat);
        }
        let unsure = std::mem::take(&mut self.bot.unsure);
        self.bot.waiting.extend(unsure);
        self.ask_next(now);
        Ok(())
    }

    /// A line for the bot: a choice among its buttons, or what was typed. A link is for the user
    /// alone: the bot hears nothing of it.
    pub(super) fn say_to_bot(&mut self, typed: &str, now: Now) {
        let menu = self.bot.menu.buttons();
        let chosen = reply::choice(menu, typed).cloned();
        if let Some(url) = chosen.as_ref().and_then(Button::link) {
            let url = url.to_owned();
            return self.tell_news(CustomerNews::LinkChosen(url));
        }
        let text =
            chosen.as_ref().map_or_else(|| typed.to_owned(), |button| reply::echo(menu, button));
        self.say_as_user(&text, now);
        let asked = as_asked(chosen.as_ref(), typed);
        self.forget_unsure();
        self.bot.waiting.push_back((self.own.last(), asked));
        self.ask_next(now);
    }

    /// The bot answered the request with this ticket, or failed to.
    pub fn answered(&mut self, ticket: u64, answer: Result<Reply, String>, now: Now) {
        let late = self.bot.in_flight.take_if(|asked| *asked == ticket);
        if late != Some(ticket) {
            return log::info!("an answer of the bot to nothing that was asked is discarded");
        }
        let line = match std::mem::take(&mut self.bot.turn) {
            Turn::Asking { ticket: asked, line, .. } if asked == ticket => line,
            now => {
                log::info!("a reply of the bot came after the handoff and is discarded");
                self.bot.turn = now;
                return self.send_return();
            }
        };
        self.journal(Record::Asking(None));
        match answer {
            Ok(reply) => {
                if reply.said.is_empty() && reply.handoff.is_none() {
                    self.tell_silent_bot();
                }
                if !reply.said.is_empty() {
                    self.bot.menu = Menu::default();
                }
                for said in reply.said {
                    self.bot.menu.offer(self.own.last() + 1, now.wall, said.choices());
                    self.record_said(said, now);
                }
                if let Some(handoff) = reply.handoff {
                    return self.request_human(handoff.reason, now);
                }
            }
            Err(fault) => {
                self.bot.unsure.push_back(line);
                self.tell_fault(CustomerNews::BotFailed(fault));
            }
        }
        self.ask_next(now);
    }

    /// The bot was told that it owns the conversation again, or could not be.
    pub fn returned(&mut self, ticket: u64, outcome: Resumed, now: Now) {
        if let Some((_, since)) = self.bot.late_return.take_if(|(late, _)| *late == ticket) {
            return self.returned_late(since, &outcome);
        }
        let (how, since) = match self.bot.turn {
            Turn::Returning { ticket: asked, how, since } if asked == ticket => (how, since),
            _ => return,
        };
        self.bot.turn = Turn::Idle;
        self.bot.untold_since = match &outcome {
            Resumed::Unreached(_) => Some(since),
            // It may have the lines already: it is told once more that it is its turn, and nothing
            // else.
            Resumed::Failed(_) => Some(self.own.last()),
            _ => None,
        };
        let returning = self.bot.untold_since.map_or(Returning::Done, Returning::Due);
        self.journal(Record::Returning(returning));
        if self.bot.waiting.is_empty() {
            self.journal(Record::Asking(None));
        }
        if self.bot.untold_since.is_none() {
            self.bot.told_causes.clear();
        }
        self.bot.may_be_paused = !matches!(outcome, Resumed::Yes | Resumed::WithoutLines);
        if let Some(how) = how {
            self.tell_state(Some(Reason::Returned(how)));
        }
        match outcome {
            Resumed::Yes => {}
            Resumed::WithoutLines => self.tell_news(CustomerNews::BotNotTold),
            Resumed::StillPaused => self.tell_news(CustomerNews::BotStillPaused),
            Resumed::NoApi(why) if !self.bot.has_told_no_api => {
                self.bot.has_told_no_api = true;
                self.tell_news(CustomerNews::BotHasNoApi(why));
            }
            Resumed::NoApi(_) => {}
            Resumed::Unreached(fault) => self.tell_cause(CustomerNews::BotUntold(fault)),
            Resumed::Failed(fault) => self.tell_cause(CustomerNews::BotMaybeUntold(fault)),
        }
        self.ask_waiting(now);
    }

    /// A return came back after the conversation went to a person: what it could not tell is told
    /// with the next one.
    fn returned_late(&mut self, from: Number, outcome: &Resumed) {
        let untold = matches!(outcome, Resumed::Unreached(_)).then_some(from);
        if let Turn::Returning { since, .. } = &mut self.bot.turn {
            *since = untold.map_or(*since, |from| from.min(*since));
            return self.send_return();
        }
        // Another return may have been due meanwhile.
        self.bot.untold_since = self.bot.untold_since.into_iter().chain(untold).min();
        let returning = self.bot.untold_since.map_or(Returning::Done, Returning::Due);
        self.journal(Record::Returning(returning));
    }

    fn tell_cause(&mut self, cause: CustomerNews) {
        if !self.bot.told_causes.contains(&cause) {
            self.tell_news(cause.clone());
            self.bot.told_causes.push(cause);
        }
    }

    pub(super) fn tick_bot(&mut self, now: Now) {
        if let Turn::Asking { slow_at, .. } = &mut self.bot.turn
            && slow_at.is_some_and(|at| at <= now.clock)
        {
            *slow_at = None;
            self.tell_news(CustomerNews::BotSlow);
        }
    }

    /// Tells the bot before it is asked anything again: from `since` on, or from an earlier entry
    /// that it could not be told of.
    pub(super) fn resume_bot(&mut self, how: Option<Returned>, since: Number) {
        let since = self.bot.untold_since.take().unwrap_or(since);
        let ticket = self.bot.ticket();
        self.bot.turn = Turn::Returning { ticket, how, since };
        // A restart asks what waits, and no line before it.
        let first = self.bot.waiting.front().map_or(self.own.last() + 1, |(number, _)| *number);
        self.journal(Record::Asking(Some(first)));
        self.send_return();
    }

    /// Sends the return that is due, once nothing is under way any more: an earlier request may
    /// reach the bot late, and must not find it back in office.
    fn send_return(&mut self) {
        let Turn::Returning { ticket, since, .. } = self.bot.turn else { return };
        let is_free = self.is_bot_free();
        let returning = if is_free { Returning::UnderWay } else { Returning::Due(since) };
        self.journal(Record::Returning(returning));
        if is_free {
            self.bot.errand = Some(Errand::Return { conversation: self.id, ticket, since });
        }
    }

    /// Whether no request to the bot is under way that an earlier turn left behind.
    fn is_bot_free(&self) -> bool {
        self.bot.in_flight.is_none() && self.bot.late_return.is_none()
    }

    /// After a restart: what was under way with the bot. Nothing is asked twice by itself; that the
    /// bot owns the conversation again is told again, which is harmless.
    pub(super) fn recover_bot<E>(
        &mut self,
        story: &Story,
        entry: impl Fn(Number) -> Result<Entry, E>,
    ) -> Result<(), E> {
        let is_return = |line: &&Line| {
            let back =
                |entry: &Entry| matches!(entry.body, Body::Withdrawn {} | Body::HandedBack { .. });
            line.own && line.entry().is_some_and(back)
        };
        let returned = story
            .controls
            .iter()
            .rfind(is_return)
            .and_then(Line::entry)
            .map_or(0, |entry| entry.number);
        let first = match (story.asking, story.returning) {
            (Some(asking), _) => asking,
            (None, Returning::UnderWay) => returned + 1,
            (None, _) => self.own.last() + 1,
        };
        if let Returning::Due(since) = story.returning {
            self.bot.untold_since = Some(since);
        }
        if self.phase != Phase::Bot {
            return Ok(());
        }
        self.bot.menu = Menu::before(self.own.last() + 1, &entry)?;
        let (mut lines, mut said) = (VecDeque::new(), Vec::new());
        for number in first..=self.own.last() {
            if let Some(line) = by(Author::User, entry(number)?) {
                let menu = Menu::before(number, &entry)?;
                lines.push_back((
                    number,
                    as_asked(reply::choice(menu.buttons(), &line.text), &line.text),
                ));
                said.push(line.text);
            }
        }
        if story.returning == Returning::UnderWay {
            self.bot.waiting = lines;
        } else if !lines.is_empty() {
            self.bot.unsure = lines;
            self.tell_news(CustomerNews::BotMayNotHave(said));
        }
        if story.returning != Returning::Done {
            self.resume_bot(None, self.own.last());
        }
        Ok(())
    }

    fn forget_unsure(&mut self) {
        let had_some = !std::mem::take(&mut self.bot.unsure).is_empty();
        // While something is under way, the journal names the line that a restart goes on from.
        if had_some && self.bot.is_idle() {
            self.journal(Record::Asking(None));
        }
    }

    /// Asks what waits, if nothing is in flight.
    fn ask_next(&mut self, now: Now) {
        if !self.bot.is_idle() || self.phase != Phase::Bot || self.bot.waiting.is_empty() {
            return;
        }
        match self.bot.untold_since {
            Some(since) => self.resume_bot(None, since),
            None => self.ask_waiting(now),
        }
    }

    fn ask_waiting(&mut self, now: Now) {
        let Some((number, text)) = self.bot.waiting.pop_front() else { return };
        let ticket = self.bot.ticket();
        let line = (number, text.clone());
        self.bot.turn = Turn::Asking { ticket, line, slow_at: Some(now.clock + SLOW_AFTER) };
        self.bot.in_flight = Some(ticket);
        self.journal(Record::Asking(Some(number)));
        self.bot.errand = Some(Errand::Ask { conversation: self.id, ticket, text });
    }

    fn tell_silent_bot(&mut self) {
        let may_be_paused = self.bot.may_be_paused;
        self.tell_news(CustomerNews::BotSilent { may_be_paused });
    }
}

/// What this author said in an entry, if it is of theirs.
fn by(author: Author, entry: Entry) -> Option<Said> {
    match entry.body {
        Body::Message(said) if said.author == author => Some(said),
        _ => None,
    }
}

/// What people said to each other from our own entry `since` on: the stretches that the bot did not
/// hear. Lines that were said to the bot are left out, also those that still wait for it. `lines`
/// are the conversation's from that entry on, or from an earlier one.
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
