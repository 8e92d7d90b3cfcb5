//! The lines that are typed at the seats of a desk. An agent's line is done at once, a script's
//! line when it is due.

use crate::core::clock::Now;
use crate::core::command::{self, Action, Who};
use crate::core::complete::{self, Takes, complete};
use crate::core::desk::names::Missing;
use crate::core::desk::{Desk, SeatId};
use crate::core::record::Offset;
use crate::core::report::{AgentRefusal, Fitting, Report};
use crate::core::script::Waiting;
use crate::edge::clock;
use crate::turn::keeper::Stop;
use crate::wire::ConversationId;

use super::Admin;
use super::finder::Question;

/// How many of a conversation's last lines a person sees when they go to it.
const LAST_LINES: usize = 6;
impl Admin {
    /// Takes a line, and the conversation that had the focus while it was typed, if one had it.
    pub(super) fn typed_to(
        &mut self,
        at: SeatId,
        focus: Option<ConversationId>,
        line: &str,
        now: Now,
    ) -> Result<(), Stop> {
        if self.edges.seats[at].input.pace.is_person() {
            self.desk.agent_is_here(at, now);
        }
        self.has_asked_to_end &= at != SeatId::TERMINAL || line.trim() == "/quit";
        match focus.filter(|id| self.desk.focus(at) != Some(*id)) {
            None => self.typed(at, line, now),
            Some(id) => {
                let who = self.desk.called(id).unwrap_or_else(|| "somebody else".to_owned());
                let owner = self.desk.owner_name(id).filter(|_| !self.desk.is_own(at, id));
                let why = match owner {
                    Some(agent) => AgentRefusal::Taken { who, agent },
                    None => AgentRefusal::FocusHasMoved(who),
                };
                self.refuse(at, &why, line);
                Ok(())
            }
        }
    }

    /// Shows why a line was not sent, and makes it the draft again.
    fn refuse(&mut self, at: SeatId, why: &AgentRefusal, line: &str) {
        self.note_unsent(at);
        self.edges.seats[at].seat().screen().refuse(&why.to_string(), line);
    }

    /// Takes a line. An agent's line is done or refused at once; a script's line waits until it can
    /// be done.
    fn typed(&mut self, at: SeatId, line: &str, now: Now) -> Result<(), Stop> {
        let pace = &mut self.edges.seats[at].input.pace;
        if pace.skips(line) {
            return Ok(());
        }
        let is_person = pace.is_person();
        match command::Admin::parse(line) {
            Ok(command) if is_person => {
                if let command::Admin::Say(text) = &command
                    && let Some(why) = self.take_open(at, text)
                {
                    // The reply was put into the line, so the line can be put there again.
                    self.note_unsent(at);
                    self.tell(at, Report::Error { text: why.to_string() });
                    self.edges.seats[at].seat().screen().insert(line);
                    return Ok(());
                }
                if let Err(why) = self.obey(at, &command, now)? {
                    match command {
                        command::Admin::Say(_) => self.refuse(at, &why, line),
                        _ => self.tell(at, Report::Error { text: why.to_string() }),
                    }
                }
            }
            Ok(command) => self.edges.seats[at].input.pace.push(command, now),
            Err(why) => self.tell(at, Report::Error { text: why }),
        }
        Ok(())
    }

    /// A person at this seat is typing a line for the customer in focus. `draft` is its beginning.
    pub(super) fn typing(&mut self, at: SeatId, draft: Option<&str>, now: Now) {
        self.desk.agent_is_here(at, now);
        if let Some(draft) = draft {
            self.desk.agent_drafts(at, draft, now);
        }
        if self.shows_typing {
            self.desk.agent_types(at, now);
        }
    }

    /// The Tab key was pressed at this seat, after the unfinished command `line`.
    pub(super) fn complete(&mut self, at: SeatId, line: &str) {
        let names = |takes| match takes {
            Takes::Nothing => Vec::new(),
            Takes::Customer => self.desk.customers_named(),
            Takes::TransferTarget => self.desk.transfer_targets(),
            Takes::Reply => {
                let replies = self.canned.iter().flat_map(|canned| canned.replies().iter());
                replies.map(|reply| reply.name.clone()).collect()
            }
        };
        let completion = complete(line, &complete::ADMIN, names);
        self.edges.seats[at].seat().complete(line, &completion);
    }

    /// Marks a script's line as done.
    fn done(&mut self, at: SeatId) {
        self.edges.seats[at].input.pace.done();
        self.note_taken(at);
    }

    fn fail(&mut self, at: SeatId, why: String) {
        self.edges.seats[at].seat_mut().fail(why);
    }

    /// Does a script's line if it is due. A line that needs a conversation waits until there is
    /// one.
    pub(super) fn step(&mut self, at: SeatId, now: Now) -> Result<(), Stop> {
        let Some(command) = self.edges.seats[at].input.pace.pending() else { return Ok(()) };
        match &command {
            command::Admin::Wait(limit) => {
                let is_here = self.desk.focus(at).is_none() || self.desk.take_new_line(at);
                match self.edges.seats[at].input.pace.waited(is_here, *limit, now) {
                    Waiting::Over => self.done(at),
                    Waiting::TooLong(why) => {
                        self.fail(at, why);
                        self.edges.seats[at].input.pace.give_up(now);
                        // A terminal elsewhere hears of the end first: after `taken` it would send
                        // the next line.
                        self.leave_seat(at, 1, now);
                        self.done(at);
                    }
                    Waiting::On => {}
                }
            }
            command::Admin::Accept(who) => self.step_accept(at, who.as_ref(), now),
            command::Admin::Say(_) | command::Admin::In(None, Action::End(..)) => {
                if self.obey(at, &command, now)?.is_ok() {
                    self.done(at);
                } else if self.is_forsaken(at) {
                    let why = match command {
                        command::Admin::Say(text) => {
                            self.note_unsent(at);
                            format!("not delivered, no customer gets your lines: {text}")
                        }
                        _ => "no customer gets your lines; there is nothing to hand back or close"
                            .to_owned(),
                    };
                    self.done(at);
                    self.fail(at, why);
                }
            }
            _ => {
                if let Err(why) = self.obey(at, &command, now)? {
                    self.fail(at, why.to_string());
                }
                self.done(at);
            }
        }
        Ok(())
    }

    /// Whether a line that needs a conversation would wait in vain.
    fn is_forsaken(&self, at: SeatId) -> bool {
        // An attached script gets customers only by a line of its own. It may have had a customer
        // before the desk was started again.
        let must_accept = at != SeatId::TERMINAL;
        (self.edges.seats[at].had_one() || must_accept)
            && !self.auto_accept
            && !self.desk.assigns()
            && self.desk.focus(at).is_none()
            && !self.desk.is_asking(at)
    }

    /// A script's `/accept` is done when the agent has a customer. If the customer's side refuses,
    /// it takes the next customer. It fails at once if another agent has the customer.
    fn step_accept(&mut self, at: SeatId, who: Option<&Who>, now: Now) {
        let accepting = self.edges.seats[at].input.accepting;
        if accepting.is_some_and(|id| self.desk.is_accepting(id)) {
            return;
        }
        if accepting.is_some_and(|id| self.desk.is_shown_active(at, id)) {
            self.edges.seats[at].input.accepting = None;
            return self.done(at);
        }
        // In a script a number is never a name. It means the customer with that number, even if
        // they have not come yet.
        let find = |who: &Who| who.number().map_or_else(|| self.desk.find_waiting(who), Ok);
        let accepted = match who.map(find).transpose() {
            Ok(ordinal) => {
                let accepted = self.desk.accept(at, ordinal, now);
                if let (Some(ordinal), Err(AgentRefusal::AlreadyYours(_))) = (ordinal, &accepted)
                    && self.desk.switch(at, ordinal).is_ok()
                    && self.desk.focus(at).is_some_and(|id| self.desk.is_shown_active(at, id))
                {
                    return self.done(at);
                }
                accepted
            }
            // The customer with this name has not come yet.
            Err(Missing::Nobody) => return self.edges.seats[at].input.accepting = None,
            Err(Missing::Several(fitting)) => {
                self.done(at);
                let why = self.list_fitting(at, &fitting);
                return self.fail(at, why.to_string());
            }
        };
        if let (Some(_), Err(why @ AgentRefusal::Taken { .. })) = (who, &accepted) {
            self.done(at);
            self.fail(at, why.to_string());
        }
        if accepted.is_ok()
            && let Some(line) = self.edges.terminals.line_of(at)
        {
            // Noted before the customer is accepted: a desk that dies now does not accept a second
            // customer for this line.
            self.desk.note_taken(line.key, line.received.get());
        }
        self.edges.seats[at].input.accepting = accepted.ok();
    }

    /// Carries out a line. Returns the reason if it cannot be done.
    fn obey(
        &mut self,
        at: SeatId,
        command: &command::Admin,
        now: Now,
    ) -> Result<Result<(), AgentRefusal>, Stop> {
        let desk = &mut self.desk;
        Ok(match command {
            command::Admin::Say(text) => desk.say(at, text, now),
            command::Admin::Accept(None) => desk.accept(at, None, now).map(drop),
            command::Admin::Accept(Some(who)) => {
                let ordinal = self.find(at, who, Desk::find_waiting);
                ordinal.and_then(|ordinal| self.desk.accept(at, Some(ordinal), now).map(drop))
            }
            command::Admin::Decline(who) => {
                let ordinal = self.find(at, who, Desk::find_active);
                ordinal.and_then(|ordinal| self.desk.decline(at, ordinal))
            }
            command::Admin::Switch(who) => {
                let ordinal = match who.last_digit() {
                    Some(digit) => self.desk.find_own_by_digit(at, digit),
                    None => self.find(at, who, |desk, who| desk.find_own(at, who)),
                };
                let switched = ordinal.and_then(|ordinal| self.desk.switch(at, ordinal));
                return self.arrive(at, switched);
            }
            command::Admin::Next => {
                let switched = desk.switch_to_next(at);
                return self.arrive(at, switched);
            }
            command::Admin::In(on, action) => return self.act_in(at, *on, action, now),
            command::Admin::Undo => desk.undo(at, now),
            command::Admin::Take { who, reason } => {
                let ordinal = self.find(at, who, Desk::find_active);
                ordinal.and_then(|ordinal| self.desk.take_over(at, ordinal, reason, now))
            }
            command::Admin::Watch(who) => return self.watch(at, who),
            command::Admin::Away(why) => {
                desk.set_away(at, Some(why.as_deref().unwrap_or_default()), now);
                Ok(())
            }
            command::Admin::Here => {
                desk.set_away(at, None, now);
                Ok(())
            }
            command::Admin::Agents => self.list(at, &self.desk.colleagues()),
            command::Admin::List => self.list(at, &self.desk.list(at, now)),
            command::Admin::Find(words) => self.search(at, Question::Words(words.clone())),
            command::Admin::ListBlocked => self.list(at, &self.desk.blocked(now)),
            command::Admin::Unblock(number) => desk.unblock(at, *number),
            command::Admin::ListEnded => self.search(at, Question::Ended),
            command::Admin::Canned(name) => self.pick(at, name.as_deref()),
            command::Admin::History(who) => return self.tell_history(at, who.as_ref()),
            command::Admin::Help(one) => {
                let text = one.unwrap_or(command::ADMIN_HELP);
                text.lines().for_each(|line| self.say(at, line));
                Ok(())
            }
            command::Admin::Quit => {
                self.quit(at, now);
                Ok(())
            }
            command::Admin::Wait(_) => Err(AgentRefusal::WaitIsForScripts),
        })
    }

    /// Carries out an action in the conversation with this number, or in the one in focus.
    fn act_in(
        &mut self,
        at: SeatId,
        on: Option<u32>,
        action: &Action,
        now: Now,
    ) -> Result<Result<(), AgentRefusal>, Stop> {
        let is_person = self.edges.seats[at].input.pace.is_person();
        let desk = &mut self.desk;
        let done = match action {
            // A person can undo the end of a conversation for a while, a script cannot.
            Action::End(ending, note) if is_person => {
                desk.end_soon(at, on, *ending, note.as_deref(), now)
            }
            Action::End(ending, note) => desk.end(at, on, *ending, note.as_deref(), now),
            Action::Say(text) => desk.say_to(at, on, text, now),
            Action::Note(text) => desk.note(at, on, text),
            Action::Tag(tag) => desk.tag(at, on, tag),
            Action::Untag(tag) => desk.untag(at, on, tag),
            Action::Hold(text) => desk.hold(at, on, text.as_deref(), now),
            Action::Resume(text) => desk.go_on(at, on, text.as_deref(), now),
            Action::Block(by, time) => desk.block(at, on, *by, *time, now),
            Action::Transfer { to, note } => desk.transfer(at, on, to, note.as_deref(), now),
        };
        let Err(AgentRefusal::HasEnded(ordinal)) = done else { return Ok(done) };
        let journal = &self.edges.keeper.journal;
        let Some(id) = journal.conversation(ordinal)? else { return Ok(done) };
        match action {
            Action::Note(text) => {
                self.desk.note_in_ended(at, id, text);
                self.say(at, &format!("noted in #{ordinal}, which has ended"));
                Ok(Ok(()))
            }
            Action::Block(by, time) if !self.desk.knows(id) => {
                journal.story(id)?.iter().for_each(|story| self.desk.recall(story, now));
                Ok(self.desk.block(at, on, *by, *time, now))
            }
            _ => Ok(done),
        }
    }

    /// The ordinal of a customer. If several fit, they are listed.
    pub(super) fn find(
        &self,
        at: SeatId,
        who: &Who,
        find: impl Fn(&Desk, &Who) -> Result<u32, Missing>,
    ) -> Result<u32, AgentRefusal> {
        find(&self.desk, who).map_err(|missing| self.explain(at, who, missing))
    }

    /// Shows one line at a seat.
    pub(super) fn say(&self, at: SeatId, text: &str) {
        self.edges.seats[at].seat().notice(text);
    }

    /// Puts a canned reply into the line that is being typed, or lists the replies.
    fn pick(&mut self, at: SeatId, name: Option<&str>) -> Result<(), AgentRefusal> {
        let Some(canned) = &mut self.canned else { return Err(AgentRefusal::NoReplies) };
        if let Err(text) = canned.refresh() {
            self.tell(at, Report::Error { text });
        }
        let canned = self.canned.as_ref().ok_or(AgentRefusal::NoReplies)?;
        let Some(name) = name else {
            for reply in canned.replies().iter() {
                self.say(at, &format!("{}: {}", reply.name, reply.text.replace('\n', " ")));
            }
            return Ok(());
        };
        let (customer, agent) = (self.desk.name_in_focus(at), self.desk.shown_at(at));
        let reply = canned.replies().find(name);
        let reply = reply.ok_or_else(|| AgentRefusal::NoSuchReply(name.to_owned()))?;
        let filled = reply.fill(customer, agent);
        let seat = &mut self.edges.seats[at];
        if !seat.seat().screen().has_prompt() {
            return Err(AgentRefusal::NoLine);
        }
        seat.seat().screen().insert(&filled.text);
        seat.input.open = filled.open;
        Ok(())
    }

    /// The refusal of a line that still has open placeholders of the latest canned reply. If the
    /// agent sends the line again, it is not refused.
    fn take_open(&mut self, at: SeatId, line: &str) -> Option<AgentRefusal> {
        let open = std::mem::take(&mut self.edges.seats[at].input.open);
        let left: Vec<_> = open.into_iter().filter(|open| line.contains(open)).collect();
        (!left.is_empty()).then(|| AgentRefusal::Open(left.join(" and ")))
    }

    /// The reason why a name fits no single customer. If several fit, lists them first.
    pub(super) fn explain(&self, at: SeatId, who: &Who, missing: Missing) -> AgentRefusal {
        match missing {
            Missing::Nobody => AgentRefusal::NoSuchName(who.0.clone()),
            Missing::Several(fitting) => self.list_fitting(at, &fitting),
        }
    }

    fn list_fitting(&self, at: SeatId, fitting: &Fitting) -> AgentRefusal {
        fitting.lines().for_each(|line| self.say(at, &line));
        AgentRefusal::SeveralFit
    }

    /// The agent has gone to another conversation: shows a person its last lines.
    fn arrive(
        &mut self,
        at: SeatId,
        switched: Result<(), AgentRefusal>,
    ) -> Result<Result<(), AgentRefusal>, Stop> {
        if switched.is_err() {
            return Ok(switched);
        }
        self.tell_focus(at);
        let seat = &mut self.edges.seats[at];
        if let Some(id) = self.desk.focus(at)
            && seat.input.pace.is_person()
        {
            let lines = self.edges.keeper.journal.lines(id, Offset::START)?;
            let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
            seat.show_lines(&self.desk, (id, None), last, true);
        }
        Ok(Ok(()))
    }

    /// Shows who gets the next line, if there is no prompt that does.
    pub(super) fn tell_focus(&mut self, at: SeatId) {
        let Some(id) = self.desk.focus(at) else { return };
        let seat = self.edges.seats[at].seat_mut();
        if seat.is_spoken_to() {
            seat.forget_addressee();
            seat.speak(self.desk.prompt(at, clock::now()).spoken(self.desk.mark(at)));
        } else if !seat.screen().has_prompt() {
            self.say(at, &format!("{} gets your lines", self.desk.who(id)));
        }
    }
}
