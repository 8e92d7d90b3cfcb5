//! The bot's turns: one request in flight, in the order of the lines, and none after the trigger.

use std::num::NonZeroU32;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Errand, Phase, Resumed, Session};
use crate::core::clock::Now;
use crate::core::record::{Line, Record, Returning, Story};
use crate::core::reply::{self, Reply};
use crate::core::report::{CustomerNews, CustomerRefusal, Reason, Returned};
use crate::wire::Millis;
use crate::wire::{Author, Body, Button, Entry, Number, Said};

/// A bot that is silent this long is slow, and the user is told that a person can be asked for.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// What was and is to be asked of the bot.
#[derive(Default)]
pub(super) struct Turns {
    now: Turn,
    /// Lines recorded behind the one in flight, as the bot will get them.
    waiting: VecDeque<(Number, String)>,
    /// Lines that were in flight or waiting when the program ended: only the user can tell whether
    /// to ask them again.
    unsure: VecDeque<(Number, String)>,
    menu: Menu,
    last_ticket: u64,
    /// The question that is really under way, discarded or not.
    in_flight: Option<u64>,
    /// The question or the return that leaves once everything is committed. At most one request is
    /// under way.
    errand: Option<Errand>,
    /// A return that is really under way though the conversation went to a person meanwhile: its
    /// ticket, and the entry from which on it tells.
    late_return: Option<(u64, Number)>,
    /// The user was told that the bot has no API.
    told_no_api: bool,
    /// The bot could not be told that it owns the conversation, nor what people said from this
    /// entry of ours on: it is told before it is asked anything, and at the next handback.
    untold: Option<Number>,
    /// Why it could not be told, as the user was told: once for each cause, until the bot is told.
    told_causes: Vec<CustomerNews>,
    /// The bot could not be told that it owns the conversation again: it may stay silent.
    may_be_paused: bool,
}

/// The buttons to choose from: all of the bot's latest reply. They hold until it replies again.
/// The messages of one reply follow each other in number and have the same `at`, so that the
/// journal gives the same menu after a restart.
#[derive(Default)]
struct Menu {
    buttons: Vec<Button>,
    /// The number of the bot's latest message.
    last: Number,
    /// When that was journaled: the messages of one reply are journaled at the same moment.
    at: Millis,
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
        matches!(self.now, Turn::Idle)
    }

    /// Whether nothing is under way, and nothing is known that the journal does not have.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_free = self.in_flight.is_none() && self.late_return.is_none();
        self.is_idle() && is_free && self.unsure.is_empty() && !self.may_be_paused
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.now {
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
    /// Whatever is in flight is history, whatever waits is not for the bot any more.
    pub(super) fn discard_bot(&mut self) {
        let turn = std::mem::take(&mut self.bot.now);
        // A return that still waits for the request under way has told the bot nothing.
        let mut unsent = match turn {
            Turn::Returning { since, .. } if !self.is_bot_free() => Some(since),
            _ => None,
        };
        // What has not left yet never does.
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
                self.bot.untold = Some(since);
                self.journal(Record::Returning(Returning::Due(since)));
            }
            // What becomes of it is known when it returns.
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
    /// When there is nothing of that kind.
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
        let menu = &self.bot.menu.buttons;
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
        self.bot.waiting.push_back((self.last, asked));
        self.ask_next(now);
    }

    /// The bot answered the request with this ticket, or failed to.
    pub fn answered(&mut self, ticket: u64, answer: Result<Reply, String>, now: Now) {
        let late = self.bot.in_flight.take_if(|asked| *asked == ticket);
        if late != Some(ticket) {
            return log::info!("an answer of the bot to nothing that was asked is discarded");
        }
        let line = match std::mem::take(&mut self.bot.now) {
            Turn::Asking { ticket: asked, line, .. } if asked == ticket => line,
            now => {
                log::info!("a reply of the bot came after the handoff and is discarded");
                self.bot.now = now;
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
                    self.bot.menu.offer(self.last + 1, now.wall, said.choices());
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
        let (how, since) = match self.bot.now {
            Turn::Returning { ticket: asked, how, since } if asked == ticket => (how, since),
            _ => return,
        };
        self.bot.now = Turn::Idle;
        self.bot.untold = match &outcome {
            Resumed::Unreached(_) => Some(since),
            // It may have the lines already: it is told once more that it is its turn, and nothing
            // else.
            Resumed::Failed(_) => Some(self.last),
            _ => None,
        };
        let returning = self.bot.untold.map_or(Returning::Done, Returning::Due);
        self.journal(Record::Returning(returning));
        if self.bot.waiting.is_empty() {
            self.journal(Record::Asking(None));
        }
        if self.bot.untold.is_none() {
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
            Resumed::NoApi(why) if !self.bot.told_no_api => {
                self.bot.told_no_api = true;
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
        if let Turn::Returning { since, .. } = &mut self.bot.now {
            *since = untold.map_or(*since, |from| from.min(*since));
            return self.send_return();
        }
        // Another return may have been due meanwhile.
        self.bot.untold = self.bot.untold.into_iter().chain(untold).min();
        let returning = self.bot.untold.map_or(Returning::Done, Returning::Due);
        self.journal(Record::Returning(returning));
    }

    fn tell_cause(&mut self, cause: CustomerNews) {
        if !self.bot.told_causes.contains(&cause) {
            self.tell_news(cause.clone());
            self.bot.told_causes.push(cause);
        }
    }

    pub(super) fn tick_bot(&mut self, now: Now) {
        if let Turn::Asking { slow_at, .. } = &mut self.bot.now
            && slow_at.is_some_and(|at| at <= now.clock)
        {
            *slow_at = None;
            self.tell_news(CustomerNews::BotSlow);
        }
    }

    /// Tells the bot before it is asked anything again: from `since` on, or from an earlier entry
    /// that it could not be told of.
    pub(super) fn resume_bot(&mut self, how: Option<Returned>, since: Number) {
        let since = self.bot.untold.take().unwrap_or(since);
        let ticket = self.bot.ticket();
        self.bot.now = Turn::Returning { ticket, how, since };
        // A restart asks what waits, and no line before it.
        let first = self.bot.waiting.front().map_or(self.last + 1, |(number, _)| *number);
        self.journal(Record::Asking(Some(first)));
        self.send_return();
    }

    /// Sends the return that is due, once nothing is under way any more: an earlier request may
    /// reach the bot late, and must not find it back in office.
    fn send_return(&mut self) {
        let Turn::Returning { ticket, since, .. } = self.bot.now else { return };
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
            (None, _) => self.last + 1,
        };
        if let Returning::Due(since) = story.returning {
            self.bot.untold = Some(since);
        }
        if self.phase != Phase::Bot {
            return Ok(());
        }
        self.bot.menu = Menu::before(self.last + 1, &entry)?;
        let (mut lines, mut said) = (VecDeque::new(), Vec::new());
        for number in first..=self.last {
            if let Some(line) = by(Author::User, entry(number)?) {
                let menu = Menu::before(number, &entry)?;
                lines.push_back((
                    number,
                    as_asked(reply::choice(&menu.buttons, &line.text), &line.text),
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
            self.resume_bot(None, self.last);
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
        match self.bot.untold {
            Some(since) => self.resume_bot(None, since),
            None => self.ask_waiting(now),
        }
    }

    fn ask_waiting(&mut self, now: Now) {
        let Some((number, text)) = self.bot.waiting.pop_front() else { return };
        let ticket = self.bot.ticket();
        let line = (number, text.clone());
        self.bot.now = Turn::Asking { ticket, line, slow_at: Some(now.clock + SLOW_AFTER) };
        self.bot.in_flight = Some(ticket);
        self.journal(Record::Asking(Some(number)));
        self.bot.errand = Some(Errand::Ask { conversation: self.id, ticket, text });
    }

    fn tell_silent_bot(&mut self) {
        let may_be_paused = self.bot.may_be_paused;
        self.tell_news(CustomerNews::BotSilent { may_be_paused });
    }
}

/// What the bot gets for a line: the payload of the button that was chosen with it, or the text.
fn as_asked(chosen: Option<&Button>, text: &str) -> String {
    match chosen {
        Some(button) if !button.payload.is_empty() => button.payload.clone(),
        Some(button) => reply::for_bot(&button.title),
        None => reply::for_bot(text),
    }
}

impl Menu {
    /// The bot said something with this number, journaled at this moment, with these buttons.
    fn offer(&mut self, number: Number, at: Millis, buttons: Vec<Button>) {
        let is_first = buttons.first().is_some_and(|button| button.choice == Some(NonZeroU32::MIN));
        // Another line was between, or another reply begins.
        if number != self.last + 1 || at != self.at || is_first {
            self.buttons.clear();
        }
        self.buttons.extend(buttons);
        (self.last, self.at) = (number, at);
    }

    /// The menu when the entry with this number was made: of the bot's latest messages that follow
    /// each other.
    fn before<E>(number: Number, entry: impl Fn(Number) -> Result<Entry, E>) -> Result<Menu, E> {
        let mut latest = VecDeque::new();
        for before in (1..number).rev() {
            let Entry { at, body, .. } = entry(before)?;
            match body {
                Body::Message(said) if said.author == Author::Bot => {
                    latest.push_front((before, at, said.choices()))
                }
                // Lines that the bot has not answered, and what takes nothing from the bot.
                Body::Message(_) | Body::Refused { .. } if latest.is_empty() => {}
                _ => break,
            }
        }
        let mut menu = Menu::default();
        for (number, at, buttons) in latest {
            menu.offer(number, at, buttons);
        }
        Ok(menu)
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
