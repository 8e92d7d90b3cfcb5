//! What is typed at a desk: an agent's line is done at once, a script's when it is due.

use crate::core::clock::Now;
use crate::core::command::{self, Who};
use crate::core::desk::names::{self, Missing};
use crate::core::record::Offset;
use crate::core::report::{AgentRefusal, Fitting, Report};
use crate::core::script::Waiting;
use crate::turn::keeper::Stop;

use super::Admin;

/// The lines that a person sees of a conversation to which they go.
const LAST_LINES: usize = 6;

impl Admin {
    /// Takes a line. An agent's line is done or refused at once, a script's waits until it can be
    /// done.
    pub(super) fn typed(&mut self, line: &str, now: Now) -> Result<(), Stop> {
        match command::Admin::parse(line) {
            Ok(command) if self.pace.is_person() => {
                if let command::Admin::Say(text) = &command
                    && let Some(why) = self.take_open(text)
                {
                    self.seat().screen().refuse(&why.to_string(), line);
                    return Ok(());
                }
                if let Err(why) = self.obey(&command, now)? {
                    match command {
                        command::Admin::Say(_) => {
                            self.seat().screen().refuse(&why.to_string(), line);
                        }
                        _ => {
                            let text = why.to_string();
                            self.edges.seat.seat_mut().tell(Report::Error { text });
                        }
                    }
                }
            }
            Ok(command) => self.pace.push(command, now),
            Err(why) => self.edges.seat.seat_mut().tell(Report::Error { text: why }),
        }
        Ok(())
    }

    /// Does a script's line when it is due. A line that needs a conversation waits until there is
    /// one.
    pub(super) fn step(&mut self, now: Now) -> Result<(), Stop> {
        let Some(command) = self.pace.pending() else { return Ok(()) };
        match &command {
            command::Admin::Wait(limit) => {
                let is_here = self.desk.focus().is_none() || self.desk.take_new_line();
                match self.pace.waited(is_here, *limit, now) {
                    Waiting::Over => self.pace.done(),
                    Waiting::TooLong(why) => {
                        self.pace.done();
                        self.edges.seat.seat_mut().fail(why);
                        self.leave(1, now);
                    }
                    Waiting::On => {}
                }
            }
            command::Admin::Accept(who) => self.step_accept(who.as_ref(), now),
            command::Admin::Say(_) | command::Admin::HandBack(_) | command::Admin::Close(_) => {
                if self.obey(&command, now)?.is_ok() {
                    self.pace.done();
                } else if self.is_forsaken() {
                    self.pace.done();
                    self.edges.seat.seat_mut().fail(match command {
                        command::Admin::Say(text) => {
                            format!("not delivered, the customer is gone: {text}")
                        }
                        _ => "the customer is gone; there is nothing to hand back or close"
                            .to_owned(),
                    });
                }
            }
            _ => {
                if let Err(why) = self.obey(&command, now)? {
                    self.edges.seat.seat_mut().fail(why.to_string());
                }
                self.pace.done();
            }
        }
        Ok(())
    }

    /// Whether a line that needs a conversation would wait in vain.
    pub(super) fn is_forsaken(&self) -> bool {
        self.edges.seat.had_one()
            && !self.auto_accept
            && !self.desk.is_talking()
            && !self.desk.is_asking()
    }

    /// A script's `/accept` is done when the agent has a customer. If the customer's side refuses,
    /// it takes the next customer.
    pub(super) fn step_accept(&mut self, who: Option<&Who>, now: Now) {
        if self.accepting.is_some_and(|id| self.desk.is_accepting(id)) {
            return;
        }
        if self.accepting.take().is_some_and(|id| self.desk.is_shown_active(id)) {
            return self.pace.done();
        }
        // In a script a number means the customer with that number, also one who has not come yet,
        // and never a name.
        let find = |who: &Who| who.number().map_or_else(|| self.desk.find_waiting(who), Ok);
        match who.map(find).transpose() {
            Ok(ordinal) => self.accepting = self.desk.accept(ordinal, now).ok(),
            // The customer with this name has not come yet.
            Err(Missing::Nobody) => {}
            Err(Missing::Several(fitting)) => {
                self.pace.done();
                let why = self.list_fitting(&fitting);
                self.edges.seat.seat_mut().fail(why.to_string());
            }
        }
    }

    /// Does what was typed. Returns why it cannot be done, if it cannot.
    pub(super) fn obey(
        &mut self,
        command: &command::Admin,
        now: Now,
    ) -> Result<Result<(), AgentRefusal>, Stop> {
        match command {
            command::Admin::Say(text) => return Ok(self.desk.say(text, now)),
            command::Admin::Accept(who) => {
                let find =
                    |who| self.desk.find_waiting(who).map_err(|missing| self.explain(who, missing));
                let ordinal = who.as_ref().map(find).transpose();
                return Ok(ordinal.and_then(|ordinal| self.desk.accept(ordinal, now).map(drop)));
            }
            command::Admin::Switch(who) => {
                let ordinal = self.desk.find_active(who);
                let ordinal = ordinal.map_err(|missing| self.explain(who, missing));
                let switched = ordinal.and_then(|ordinal| self.desk.switch(ordinal));
                return self.arrive(switched);
            }
            command::Admin::Next => {
                let switched = self.desk.switch_to_next();
                return self.arrive(switched);
            }
            command::Admin::HandBack(note) => return Ok(self.desk.hand_back(note.as_deref(), now)),
            command::Admin::Close(note) => return Ok(self.desk.close(note.as_deref(), now)),
            command::Admin::Note(text) => return Ok(self.desk.note(text)),
            command::Admin::Canned(name) => return Ok(self.pick(name.as_deref())),
            command::Admin::List => {
                self.desk.list(now).iter().for_each(|listed| self.notice(&listed.to_string()));
            }
            command::Admin::History(who) => return self.tell_history(who.as_ref()),
            command::Admin::Help => command::ADMIN_HELP.lines().for_each(|line| self.notice(line)),
            command::Admin::Quit => self.leave(0, now),
            command::Admin::Wait(_) => {
                return Ok(Err(AgentRefusal::WaitIsForScripts));
            }
        }
        Ok(Ok(()))
    }

    /// Puts a canned reply into the line that is typed, or lists the replies.
    fn pick(&mut self, name: Option<&str>) -> Result<(), AgentRefusal> {
        let Some(canned) = &mut self.canned else { return Err(AgentRefusal::NoReplies) };
        if let Err(text) = canned.refresh() {
            self.edges.seat.seat_mut().tell(Report::Error { text });
        }
        let canned = self.canned.as_ref().ok_or(AgentRefusal::NoReplies)?;
        let Some(name) = name else {
            for reply in canned.replies().iter() {
                self.notice(&format!("{}: {}", reply.name, reply.text.replace('\n', " ")));
            }
            return Ok(());
        };
        let (customer, agent) = (self.desk.name_in_focus(), self.name.as_deref());
        let reply = canned.replies().find(name);
        let reply = reply.ok_or_else(|| AgentRefusal::NoSuchReply(name.to_owned()))?;
        let filled = reply.fill(customer, agent);
        if !self.seat().screen().has_prompt() {
            return Err(AgentRefusal::NoLine);
        }
        self.seat().screen().insert(&filled.text);
        self.open = filled.open;
        Ok(())
    }

    /// Why a line is not sent at once: it has what the latest canned reply left open. The second
    /// time it is sent.
    fn take_open(&mut self, line: &str) -> Option<AgentRefusal> {
        let open = std::mem::take(&mut self.open);
        let left: Vec<_> = open.into_iter().filter(|open| line.contains(open)).collect();
        (!left.is_empty()).then(|| AgentRefusal::Open(left.join(" and ")))
    }

    /// Why a name leads to no customer. If several customers fit, they are listed first.
    fn explain(&self, who: &Who, missing: Missing) -> AgentRefusal {
        match missing {
            Missing::Nobody => AgentRefusal::NoSuchName(who.0.clone()),
            Missing::Several(fitting) => self.list_fitting(&fitting),
        }
    }

    fn list_fitting(&self, fitting: &Fitting) -> AgentRefusal {
        fitting.lines().for_each(|line| self.notice(&line));
        AgentRefusal::SeveralFit
    }

    /// The agent has gone to another conversation: a person sees its last lines.
    fn arrive(
        &mut self,
        switched: Result<(), AgentRefusal>,
    ) -> Result<Result<(), AgentRefusal>, Stop> {
        if switched.is_err() {
            return Ok(switched);
        }
        self.tell_focus();
        if let Some(id) = self.desk.focus()
            && self.pace.is_person()
        {
            let lines = self.edges.keeper.journal.lines(id, Offset::START)?;
            for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
                self.edges.seat.show_line(&self.desk, id, None, line, true);
            }
        }
        Ok(Ok(()))
    }

    /// Says who gets the next line, if no prompt shows it.
    pub(super) fn tell_focus(&self) {
        if let Some(id) = self.desk.focus()
            && !self.seat().screen().has_prompt()
        {
            self.notice(&format!("{} gets your lines", self.desk.who(id)));
        }
    }

    /// Shows the conversation with this number or name, also one that has left the desk's memory.
    /// Without either it shows the one in focus.
    pub(super) fn tell_history(
        &mut self,
        who: Option<&Who>,
    ) -> Result<Result<(), AgentRefusal>, Stop> {
        let journal = &self.edges.keeper.journal;
        let number = who.and_then(Who::number);
        let (ordinal, id) =
            match (who, number.map(|number| journal.conversation(number)).transpose()?.flatten()) {
                (None, _) => (None, self.desk.focus()),
                (_, Some(id)) => (number, Some(id)),
                (Some(who), None) => {
                    let all = journal.names()?;
                    let named = all
                        .iter()
                        .map(|(ordinal, id, name)| (*ordinal, names::called(name.as_deref(), *id)));
                    match names::find(who, named) {
                        Ok(ordinal) => (Some(ordinal), journal.conversation(ordinal)?),
                        Err(Missing::Nobody) if number.is_some() => (number, None),
                        Err(missing) => return Ok(Err(self.explain(who, missing))),
                    }
                }
            };
        let Some(id) = id else {
            return Ok(Err(ordinal.map_or(AgentRefusal::NothingOpen, AgentRefusal::NoSuch)));
        };
        for line in journal.lines(id, Offset::START)? {
            self.edges.seat.show_line(&self.desk, id, ordinal, &line, true);
        }
        Ok(Ok(()))
    }
}
