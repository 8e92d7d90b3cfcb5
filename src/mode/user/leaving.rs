//! How the customer's side ends: it waits for a while until everything is delivered, and reports
//! what is not.

use std::time::Instant;

use crate::core::clock::Now;
use crate::core::command;
use crate::core::script::LEAVE_WITHIN;
use crate::edge::clock;
use crate::turn::keeper::Stop;
use crate::wire::State;

use super::{User, begin};

/// Whether the program takes input.
pub(super) enum Stage {
    Talking,
    /// It takes none: it waits until everything is delivered, but no longer than this.
    Leaving {
        by: Instant,
        then: Then,
    },
}

/// What follows when the program has left the conversation.
#[derive(Clone, Copy)]
pub(super) enum Then {
    Exit(u8),
    StartAnew,
}

impl User {
    /// Ctrl-C on an empty line. While the customer waits for an agent or talks to one, the program
    /// leaves only at the second press.
    pub(super) fn ctrl_c(&mut self, again: bool, now: Now) {
        let open = match self.session().state() {
            State::Active => "you are talking to an agent",
            State::Queued => "you are waiting for a person",
            State::Bot | State::Closed => return self.interrupt(130, now),
        };
        if again || matches!(self.stage, Stage::Leaving { .. }) {
            return self.interrupt(130, now);
        }
        let then = if self.edges.keeper.journal.is_ephemeral() {
            ", which ends the conversation"
        } else {
            ""
        };
        self.notice(&format!("{open}; Ctrl-C again leaves the program{then}"));
    }

    /// The first interrupt delivers what is owed before the program ends, the second ends it at
    /// once.
    pub(super) fn interrupt(&mut self, code: u8, now: Now) {
        match &mut self.stage {
            Stage::Leaving { by, then: Then::Exit(_) } => *by = now.clock,
            _ => self.leave(Then::Exit(code), now),
        }
    }

    /// Stops taking input and waits until everything is delivered. Ends the conversation if no
    /// later process can go on with it.
    pub(super) fn leave(&mut self, then: Then, now: Now) {
        let ends = matches!(then, Then::StartAnew) || self.edges.keeper.journal.is_ephemeral();
        if ends && self.session().state() != State::Closed {
            // This fails if the conversation goes on in another program, which then may end it.
            let _ = self.input().end(now);
        }
        let is_live = matches!(self.session().state(), State::Queued | State::Active);
        if self.pace.is_person() && is_live && !ends && !self.session().is_parted() {
            self.notice("this conversation goes on at the next start");
        }
        self.stage = Stage::Leaving { by: now.clock + LEAVE_WITHIN, then };
    }

    /// The exit code, once there is nothing more to do.
    pub(super) fn leave_when_done(&mut self, now: Now) -> Result<Option<u8>, Stop> {
        if matches!(self.stage, Stage::Talking) && self.is_script_done(now) {
            if self.session().is_parted() {
                self.pace.give_up(now);
            }
            self.leave(Then::Exit(0), now);
            self.turn(now)?;
        }
        let Stage::Leaving { by, then } = self.stage else { return Ok(None) };
        if (!self.is_left() && now.clock < by) || self.pace.reads_rest(now) {
            return Ok(None);
        }
        self.input().leave();
        self.turn(now)?;
        if let Some(session) = self.sessions.get(self.edges.current) {
            self.edges.tell_undelivered(session, session.undelivered())?;
        }
        if let Some(text) = self.pace.not_sent() {
            self.edges.seat.fail(text);
        }
        let opening = self.opening.take();
        if let (Then::Exit(_), Some(command::User::Say(text))) = (then, &opening) {
            self.edges.seat.fail(format!("not delivered: {text}"));
        }
        match then {
            Then::Exit(0) => Ok(Some(u8::from(self.edges.seat.has_failed()))),
            Then::Exit(code) => Ok(Some(code)),
            Then::StartAnew => {
                self.take_up(begin(&self.args).map_err(Stop::Broken)?);
                self.edges.seat.forget_unseen();
                self.stage = Stage::Talking;
                self.pace.done();
                self.turn(now)?;
                if let Some(command) = opening
                    && let Err(why) = self.obey(&command, clock::now())?
                {
                    self.edges.seat.fail(why.to_string());
                }
                self.turn(now)?;
                Ok(None)
            }
        }
    }

    /// Whether every line is delivered.
    pub(super) fn is_left(&self) -> bool {
        match self.session().state() {
            State::Queued | State::Active => {
                self.session().undelivered().is_empty() || self.session().is_parted()
            }
            State::Bot | State::Closed => {
                self.session().is_settled() && self.session().is_disconnected()
            }
        }
    }

    /// Whether a script is done: its input has ended and no agent has the customer, or the desk
    /// will not talk to this side any more.
    pub(super) fn is_script_done(&mut self, now: Now) -> bool {
        if self.pace.is_person() {
            return false;
        }
        if self.session().is_parted() {
            return true;
        }
        let is_with_desk = matches!(self.session().state(), State::Queued | State::Active);
        self.pace.is_over()
            && !self.session().is_bot_busy()
            && (!is_with_desk || self.pace.lingered(now))
    }
}
