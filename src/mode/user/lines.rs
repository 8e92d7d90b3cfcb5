//! The lines that are typed at the customer's side. A person's line is done at once, a script's
//! line when it is due.

use std::time::Duration;

use crate::core::clock::Now;
use crate::core::command;
use crate::core::record::Offset;
use crate::core::report::{CustomerRefusal, Report};
use crate::core::script::Waiting;
use crate::turn::keeper::Stop;
use crate::wire::State;

use super::User;
use super::leaving::Then;

impl User {
    /// Takes a line. A person's line is done or refused at once; a script's line waits until it can
    /// be done.
    pub(super) fn typed(&mut self, line: &str, now: Now) -> Result<(), Stop> {
        if self.pace.skips(line) {
            return Ok(());
        }
        match command::User::parse(line) {
            Ok(command) if self.pace.is_person() => {
                let opens = matches!(command, command::User::Say(_) | command::User::Human);
                let is_closed = self.session().state() == State::Closed;
                if opens && is_closed && self.session().desk_trouble().is_some() {
                    // A new conversation would give this one up, with all that the desk has not
                    // received of it.
                    let why = "customer care has not heard of the end yet; wait for it, or /new \
                               begins another at once";
                    self.edges.seat.screen().refuse(why, line);
                } else if opens && is_closed {
                    self.notice("the last conversation is closed; this begins a new one");
                    self.opening = Some(command);
                    self.leave(Then::StartAnew, now);
                } else if let Err(why) = self.obey(&command, now)? {
                    match command {
                        command::User::Say(_) => {
                            self.edges.seat.screen().refuse(&why.to_string(), line);
                        }
                        _ => self.edges.seat.tell(Report::Error { text: why.to_string() }),
                    }
                }
            }
            Ok(command) => self.pace.push(command, now),
            Err(why) => self.edges.seat.tell(Report::Error { text: why }),
        }
        Ok(())
    }

    /// Does a script's line if it is due.
    pub(super) fn step(&mut self, now: Now) -> Result<(), Stop> {
        let Some(command) = self.pace.pending() else { return Ok(()) };
        match command {
            command::User::Wait(limit) => self.step_wait(limit, now),
            command::User::Say(text) if self.session().state() == State::Closed => {
                self.pace.done();
                self.edges.seat.fail(format!("not delivered, the conversation is closed: {text}"));
            }
            command => {
                if let Err(why) = self.obey(&command, now)? {
                    // Too many lines wait for the desk: this one is tried again. Other refusals are
                    // mistakes of the script.
                    if matches!(command, command::User::Say(_)) {
                        return Ok(());
                    }
                    self.edges.seat.fail(why.to_string());
                }
                self.pace.done();
            }
        }
        Ok(())
    }

    pub(super) fn step_wait(&mut self, limit: Option<Duration>, now: Now) {
        let is_here = self.is_answered();
        match self.pace.waited(is_here, limit, now) {
            Waiting::Over => self.pace.done(),
            Waiting::TooLong(why) => {
                self.pace.done();
                self.edges.seat.fail(why);
                self.pace.give_up(now);
                self.leave(Then::Exit(1), now);
            }
            Waiting::On => {}
        }
    }

    /// Whether `/wait` is over: the agent has answered, or nobody will.
    pub(super) fn is_answered(&mut self) -> bool {
        match self.session().state() {
            State::Closed => true,
            State::Bot => !self.session().is_bot_busy(),
            State::Queued | State::Active => self.input().hear(),
        }
    }

    /// Carries out a line. Returns the reason if it cannot be done.
    pub(super) fn obey(
        &mut self,
        command: &command::User,
        now: Now,
    ) -> Result<Result<(), CustomerRefusal>, Stop> {
        match command {
            command::User::Say(text) => return Ok(self.input().say(text, now)),
            command::User::Human => return Ok(self.input().ask_for_human(now)),
            command::User::Bot => return Ok(self.input().withdraw(now)),
            command::User::End => return Ok(self.input().end(now)),
            command::User::New => self.leave(Then::StartAnew, now),
            command::User::History => {
                let id = self.edges.current;
                let lines = self.edges.keeper.journal.lines(id, Offset::START)?;
                self.edges.tell_history(id, &lines);
            }
            command::User::Again => return Ok(self.input().ask_again(now)),
            command::User::Help => command::USER_HELP.lines().for_each(|line| self.notice(line)),
            command::User::Quit => self.leave(Then::Exit(0), now),
            command::User::Wait(_) => return Ok(Err(CustomerRefusal::WaitIsForScripts)),
        }
        Ok(Ok(()))
    }
}
