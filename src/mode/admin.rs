//! `handoff admin`: the desk's loop.
//!
//! Drain what waits, let the desk handle it, commit its records, and only then act: ack, send,
//! show. A person sees a conversation once it is theirs, from the journal; `--json` tells all as it
//! comes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, bounded, never, select};

use crate::core::clock::Now;
use crate::core::command::{self, Who};
use crate::core::desk::names::{self, Missing};
use crate::core::desk::{Desk, Options, Output};
use crate::core::record::{Line, Offset, Record, What};
use crate::core::report::{Report, Told};
use crate::core::script::{BATCH_MAX, LEAVE_WITHIN, Pace, QUEUE_MAX, Waiting};
use crate::edge::journal::Journal;
use crate::edge::signals;
use crate::edge::term::{self, BACKLOG_MAX, Screen, Typed};
use crate::edge::tls::{Plaintext, Security};
use crate::mode::args;
use crate::net::{self, Net};
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::wire::{self, Author, Body, ConversationId, DeskId, Entry, Message, Number, State};

/// Conversations of which it is known what a person has seen, at most: beyond it, those that left
/// the desk's memory are shown whole when they are back.
const DRAWN_MAX: usize = 10_000;

/// What wakes the loop.
enum Event {
    Typed(Typed),
    Screen(term::Event),
    Net(net::Event),
    Signal(i32),
    Due,
}

struct Inputs {
    typed: Receiver<Typed>,
    screen: Receiver<term::Event>,
    net: Receiver<net::Event>,
    signals: Receiver<i32>,
}

struct Admin {
    desk: Desk,
    keeper: Keeper,
    peers: Peers,
    screen: Screen,
    json: bool,
    pace: Pace<command::Admin>,
    /// Conversations that the admin has, as far as was told: one that has ended since still has
    /// lines to show.
    heard: HashSet<ConversationId>,
    /// Up to where in the commit order a person has seen a conversation.
    drawn: HashMap<ConversationId, Offset>,
    /// Customers' lines on their way to the screen: ticket, conversation, number.
    unseen: VecDeque<(u64, ConversationId, Number)>,
    /// At least one conversation was had.
    had: bool,
    auto_accept: bool,
    /// The desk runs without a person (`--no-terminal`): it goes on when stdout is closed, and it
    /// never reports a customer's line as seen.
    no_terminal: bool,
    /// A script's `/accept` of this customer is under way.
    accepting: Option<ConversationId>,
    /// Leaving by then, with this exit code.
    leaving: Option<(Instant, u8)>,
    /// Something was not delivered, or went wrong in a script.
    failed: bool,
}

/// Runs until the admin leaves. Returns the exit code.
///
/// # Errors
/// One line for the person, when it cannot start.
pub fn run(args: args::Admin) -> Result<u8, String> {
    let options = term::Options {
        json: args.json,
        plain: args.plain,
        limit: wire::TEXT_MAX,
        me: Author::Admin,
        reads_stdin: !args.no_terminal,
    };
    term::hold_suspension(&options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let mut profile = args.place().open()?;
    let Secured { security, fingerprint, has_new_key, date_warning } = secure(&args)?;
    let (net_events, net) = bounded(QUEUE_MAX);
    let sockets = Net::start(net_events);
    let sockets = sockets.map_err(|e| format!("cannot start the socket thread: {e}"))?;
    let connections = sockets.at_most(args.connections);
    let listen =
        sockets.listen(&args.listen, Peers::settings(security)).map_err(|e| e.to_string())?;
    if args.plaintext == Some(Plaintext::Loopback) && !listen.ip().is_loopback() {
        return Err(format!(
            "--plaintext loopback is for this machine only, and {listen} is not; drop it, or give --plaintext \
             anywhere inside a tunnel"
        ));
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|e| format!("the system gives no random bytes: {e}"))?;
    let id = profile.journal.desk_id(DeskId::new(id)).map_err(|fault| fault.to_string())?;
    let restart = profile.journal.restart().map_err(|fault| fault.to_string())?;
    let (screen, typed, shown) =
        term::start(options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let signals = signals::listen()?;
    screen.show(Report::Ready { mode: "admin", listen: Some(listen), fingerprint });
    if args.plaintext.is_some() && !listen.ip().is_loopback() {
        screen.show(Report::Notice { text: format!("connections to {listen} are not encrypted") });
    }
    if let Some(text) = date_warning {
        screen.show(Report::Notice { text });
    }
    if has_new_key && restart.begun > 0 {
        let text = "this desk has a new key: customers who knew the old one will refuse it";
        screen.show(Report::Notice { text: text.to_owned() });
    }
    if connections < args.connections {
        screen.show(Report::Notice { text: too_few_files(connections, args.connections) });
    }
    if args.no_terminal {
        let text = "no agent is at this desk: customers wait in the queue until it is started without --no-terminal";
        screen.show(Report::Notice { text: text.to_owned() });
    }
    let options = Options {
        name: args.name,
        greeting: args.greeting,
        auto_accept: args.auto_accept,
        customers: args.customers,
        customers_per_address: args.per_address,
    };
    let mut admin = Admin {
        desk: Desk::restore(id, options, &restart, Now::read()),
        keeper: Keeper::new(profile.journal, typed.clone(), shown.clone(), signals.clone()),
        peers: Peers::new(sockets, Some(args.rate)),
        json: args.json,
        pace: Pace::new(screen.is_interactive()),
        screen,
        heard: HashSet::new(),
        drawn: HashMap::new(),
        unseen: VecDeque::new(),
        had: false,
        auto_accept: args.auto_accept,
        no_terminal: args.no_terminal,
        accepting: None,
        leaving: None,
        failed: false,
    };
    let inputs = Inputs { typed, screen: shown, net, signals };
    let ended = admin
        .go_on(restart.stories.into_iter().map(|story| story.id))
        .and_then(|()| admin.run(&inputs));
    admin.peers.finish(Duration::from_secs(1));
    admin.screen.finish();
    match ended {
        Ok(code) | Err(Stop::Signal(code)) => Ok(code),
        Err(Stop::Broken(why)) => Err(why),
    }
}

/// How customers reach this desk.
struct Secured {
    security: Security,
    /// Of the key they will see; none in plaintext.
    fingerprint: Option<String>,
    /// The key was made just now.
    has_new_key: bool,
    /// What is wrong with the dates of the operator's certificate, or soon will be.
    date_warning: Option<String>,
}

fn secure(args: &args::Admin) -> Result<Secured, String> {
    let Some(identity) = args.identity()? else {
        let security = Security::Plaintext;
        return Ok(Secured { security, fingerprint: None, has_new_key: false, date_warning: None });
    };
    Ok(Secured {
        fingerprint: Some(identity.fingerprint()?.to_string()),
        has_new_key: identity.is_new,
        date_warning: identity.date_warning(Now::read().wall),
        security: identity.security()?,
    })
}

impl Admin {
    /// Tells every conversation again that goes on after a restart.
    fn go_on(&mut self, ids: impl Iterator<Item = ConversationId>) -> Result<(), Stop> {
        let live: Vec<ConversationId> = ids.filter(|id| self.desk.is_live(*id)).collect();
        for id in live {
            if self.json {
                let lines = self.keeper.journal.lines(id, Offset::START)?;
                let shown = lines.iter().filter_map(|line| self.show(id, None, line, true));
                for (ticket, number) in shown.collect::<Vec<_>>() {
                    self.await_shown(ticket, id, number);
                }
            }
        }
        self.desk.tell_states();
        Ok(())
    }

    fn run(&mut self, inputs: &Inputs) -> Result<u8, Stop> {
        self.act()?;
        if !self.json {
            self.tell_focus();
        }
        loop {
            self.handle(self.wait(inputs))?;
            for _ in 0..BATCH_MAX {
                let Some(event) = self.poll(inputs) else { break };
                self.handle(event)?;
            }
            let now = Now::read();
            self.desk.tick(now);
            self.act()?;
            self.step(now)?;
            self.act()?;
            if let Some(code) = self.leave_when_done(now)? {
                return Ok(code);
            }
        }
    }

    fn wait(&self, inputs: &Inputs) -> Event {
        let nothing = never();
        let typed = if self.takes_lines() { &inputs.typed } else { &nothing };
        let due = self.deadline().map_or_else(never, at);
        let silence = never();
        let net = if self.screen.backlog() < BACKLOG_MAX { &inputs.net } else { &silence };
        select! {
            recv(net) -> event => event.map_or(Event::Due, Event::Net),
            recv(typed) -> typed => Event::Typed(typed.unwrap_or(Typed::End)),
            recv(inputs.screen) -> event => event.map_or(Event::Due, Event::Screen),
            recv(inputs.signals) -> signal => signal.map_or(Event::Due, Event::Signal),
            recv(due) -> _ => Event::Due,
        }
    }

    /// Another input that waits already.
    fn poll(&self, inputs: &Inputs) -> Option<Event> {
        let room = self.screen.backlog() < BACKLOG_MAX;
        let net = || if room { inputs.net.try_recv().ok().map(Event::Net) } else { None };
        let typed = || {
            if self.takes_lines() { inputs.typed.try_recv().ok().map(Event::Typed) } else { None }
        };
        net().or_else(typed)
    }

    fn takes_lines(&self) -> bool {
        self.leaving.is_none() && self.pace.takes_lines()
    }

    fn deadline(&self) -> Option<Instant> {
        [self.leaving.map(|(by, _)| by), self.pace.deadline(), Some(self.desk.deadline())]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle(&mut self, event: Event) -> Result<(), Stop> {
        let now = Now::read();
        match event {
            Event::Net(event) => self.net(event, now)?,
            Event::Typed(Typed::Line(line)) => self.typed(&line, now)?,
            Event::Typed(Typed::Refused(why)) => self.tell(Report::Error { text: why })?,
            Event::Typed(Typed::End) if self.pace.is_person() => self.leave(0, now),
            Event::Typed(Typed::End) => self.pace.ended(None, now),
            Event::Screen(term::Event::Interrupt { again }) => self.ctrl_c(again, now),
            Event::Screen(term::Event::Gone(error)) if self.no_terminal => {
                log::error!("stdout takes no more ({error}); the desk goes on without it");
            }
            Event::Screen(term::Event::Gone(_)) => self.leave(0, now),
            Event::Screen(term::Event::Shown(ticket)) => self.shown(ticket),
            Event::Due => {}
            Event::Signal(signal) => self.interrupt(signals::exit_code(signal), now),
        }
        Ok(())
    }

    fn net(&mut self, event: net::Event, now: Now) -> Result<(), Stop> {
        match event {
            net::Event::Accepted { conn, peer, .. } => {
                self.peers.opened(conn, now.clock);
                self.desk.opened(conn, peer.ip().into());
            }
            net::Event::Received { conn, bytes } => {
                let (desk, journal) = (&mut self.desk, &self.keeper.journal);
                let mut unread = Ok(());
                self.peers.received(conn, bytes, now.clock, |message| match message {
                    _ if unread.is_err() => {}
                    Ok(message) => {
                        unread = recall(desk, journal, &message, now);
                        desk.received(conn, message, now);
                    }
                    Err(error) => desk.refuse(conn, &error),
                });
                unread?;
            }
            net::Event::Closed { conn, why } => {
                self.peers.gone(conn);
                self.desk.disconnected(conn, &why.to_string());
            }
            net::Event::Connected { .. } => {}
            net::Event::Trouble { what } => self.tell(Report::Error { text: what })?,
            net::Event::Stranger { what } => self.notice(&what),
        }
        Ok(())
    }

    /// A line came: a person's is done or refused at once, a script's waits until it can be done.
    fn typed(&mut self, line: &str, now: Now) -> Result<(), Stop> {
        match command::Admin::parse(line) {
            Ok(command) if self.pace.is_person() => {
                if let Err(why) = self.obey(&command, now)? {
                    match command {
                        command::Admin::Say(_) => self.screen.refuse(&why, line),
                        _ => self.tell(Report::Error { text: why })?,
                    }
                }
            }
            Ok(command) => self.pace.push(command, now),
            Err(why) => self.tell(Report::Error { text: why })?,
        }
        Ok(())
    }

    /// Does a script's line when it is due: what needs a conversation waits until there is one.
    fn step(&mut self, now: Now) -> Result<(), Stop> {
        let Some(command) = self.pace.pending() else { return Ok(()) };
        match &command {
            command::Admin::Wait(limit) => {
                let is_here = self.desk.focus().is_none() || self.desk.hear();
                match self.pace.waited(is_here, *limit, now) {
                    Waiting::Over => self.pace.done(),
                    Waiting::TooLong(why) => {
                        self.pace.done();
                        self.fail(why);
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
                    self.fail(match command {
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
                    self.fail(why);
                }
                self.pace.done();
            }
        }
        Ok(())
    }

    /// Whether no conversation will come by itself for a line that needs one.
    fn is_forsaken(&self) -> bool {
        self.had && !self.auto_accept && !self.desk.is_talking() && !self.desk.is_asking()
    }

    /// A script's `/accept` is done when a customer is there; one that was refused takes the next.
    fn step_accept(&mut self, who: Option<&Who>, now: Now) {
        if self.accepting.is_some_and(|id| self.desk.is_accepting(id)) {
            return;
        }
        if self.accepting.take().is_some_and(|id| self.desk.is_heard(id)) {
            return self.pace.done();
        }
        // A script's number is one that is still to come, also when somebody has it as a name.
        let find = |who: &Who| who.number().map_or_else(|| self.desk.find_waiting(who), Ok);
        match who.map(find).transpose() {
            Ok(ordinal) => self.accepting = self.desk.accept(ordinal, now).ok(),
            // The customer with this name is still to come.
            Err(Missing::Nobody(_)) => {}
            Err(several) => {
                self.pace.done();
                let why = self.explain(several);
                self.fail(why);
            }
        }
    }

    /// Does what was typed, or says why not.
    fn obey(&mut self, command: &command::Admin, now: Now) -> Result<Result<(), String>, Stop> {
        match command {
            command::Admin::Say(text) => return Ok(self.desk.say(text, now)),
            command::Admin::Accept(who) => {
                let ordinal = who.as_ref().map(|who| self.desk.find_waiting(who)).transpose();
                let accepted = ordinal.map_err(|missing| self.explain(missing));
                return Ok(accepted.and_then(|ordinal| self.desk.accept(ordinal, now).map(drop)));
            }
            command::Admin::Switch(who) => {
                let ordinal = self.desk.find_active(who).map_err(|missing| self.explain(missing));
                let switched = ordinal.and_then(|ordinal| self.desk.switch(ordinal));
                return Ok(switched.inspect(|()| self.tell_focus()));
            }
            command::Admin::Next => {
                return Ok(self.desk.switch_to_next().inspect(|()| self.tell_focus()));
            }
            command::Admin::HandBack(note) => return Ok(self.desk.hand_back(note.as_deref(), now)),
            command::Admin::Close(note) => return Ok(self.desk.close(note.as_deref(), now)),
            command::Admin::List => self.desk.list().iter().for_each(|line| self.notice(line)),
            command::Admin::History(who) => return self.tell_history(who.as_ref()),
            command::Admin::Help => command::ADMIN_HELP.lines().for_each(|line| self.notice(line)),
            command::Admin::Quit => self.leave(0, now),
            command::Admin::Wait(_) => {
                return Ok(Err("/wait is for scripts; you can simply wait".to_owned()));
            }
        }
        Ok(Ok(()))
    }

    /// Lists those whose names fit, if several do; gives the sentence that says what is wrong.
    fn explain(&self, missing: Missing) -> String {
        match missing {
            Missing::Nobody(why) => why,
            Missing::Several(lines) => {
                lines.iter().for_each(|line| self.notice(line));
                "that fits several of them; give more of the name, or the number".to_owned()
            }
        }
    }

    /// Says who gets the next line, where no prompt does.
    fn tell_focus(&self) {
        if let Some(id) = self.desk.focus()
            && !self.screen.has_prompt()
        {
            self.notice(&format!("{} gets your lines", self.desk.who(id)));
        }
    }

    /// Ctrl-C on an empty line: while customers are here it leaves only when it is pressed again.
    fn ctrl_c(&mut self, again: bool, now: Now) {
        match self.desk.open().filter(|_| !again && self.leaving.is_none()) {
            Some(open) => self.notice(&format!("{open}; Ctrl-C again ends the desk")),
            None => self.interrupt(130, now),
        }
    }

    /// The first interrupt leaves in order, the second at once.
    fn interrupt(&mut self, code: u8, now: Now) {
        match &mut self.leaving {
            Some((by, _)) => *by = now.clock,
            None => self.leave(code, now),
        }
    }

    fn leave(&mut self, code: u8, now: Now) {
        self.leaving.get_or_insert((now.clock + LEAVE_WITHIN, code));
    }

    /// The exit code, once there is nothing more to do.
    fn leave_when_done(&mut self, now: Now) -> Result<Option<u8>, Stop> {
        // Only a script at its end asks the desk: that looks at every conversation.
        let over = self.leaving.is_none() && self.pace.is_over() && self.had;
        if over && !self.desk.is_talking() && !self.desk.is_asking() {
            self.leave(0, now);
        }
        let Some((by, code)) = self.leaving else { return Ok(None) };
        if !self.desk.undelivered().is_empty() && now.clock < by {
            return Ok(None);
        }
        for who in self.desk.waiting() {
            self.notice(&format!("{who} is still waiting"));
        }
        self.tell_undelivered(self.desk.undelivered())?;
        self.desk.leave();
        self.act()?;
        Ok(Some(if code == 0 { u8::from(self.failed) } else { code }))
    }

    /// Records, then acts, until there is nothing to do; then what is due leaves.
    fn act(&mut self) -> Result<(), Stop> {
        // Told last: no ack waits for the screen.
        let mut told = Vec::new();
        loop {
            let (records, actions) = split(self.desk.outputs(), &mut told);
            if records.is_empty() && actions.is_empty() {
                break;
            }
            // More may be read meanwhile.
            self.peers.flush();
            let _committed = self.keeper.commit(records, &self.screen)?;
            for action in actions {
                self.act_on(action)?;
            }
        }
        let (journal, peers) = (&self.keeper.journal, &self.peers);
        self.desk.settle(
            |id, number| journal.own(id, number),
            |conn, message| peers.send(conn, message),
        )?;
        self.peers.flush();
        for output in told {
            match output {
                Output::Tell(report) => self.tell(report)?,
                Output::TellEntries { conversation, numbers, history } => {
                    self.tell_entries(conversation, numbers, history)?;
                }
                _ => unreachable!("`split` put nothing else here"),
            }
        }
        self.desk.forget();
        self.screen.prompt(format!("{}{}", self.desk.prompt(), self.desk.mark()));
        crate::edge::failpoint::hit("before-show");
        self.screen.flush();
        crate::edge::failpoint::hit("after-show");
        Ok(())
    }

    fn act_on(&mut self, action: Output) -> Result<(), Stop> {
        match action {
            Output::Send(conn, message) => {
                self.peers.send(conn, &message);
            }
            Output::Welcomed(conn) => self.peers.welcomed(conn),
            Output::Close(conn) => self.peers.close(conn),
            Output::GivenUp(id, owed) => self.tell_undelivered(vec![(id, owed)])?,
            Output::Verify(conn, id, entry) => {
                if self.keeper.journal.theirs(id, None, entry.number)? != Some(entry) {
                    self.desk.fork(conn);
                }
            }
            Output::Record(..) | Output::Tell(..) | Output::TellEntries { .. } => {
                unreachable!("records were committed before, reports are told after")
            }
        }
        Ok(())
    }

    /// Tells messages of the customer's that waited for the state of their conversation.
    fn tell_entries(
        &mut self,
        id: ConversationId,
        numbers: RangeInclusive<Number>,
        history: bool,
    ) -> Result<(), Stop> {
        if !self.json {
            return self.draw(id);
        }
        for number in numbers {
            let entry = self.keeper.journal.theirs(id, None, number)?;
            if let Some(Entry { at, body: Body::Message(said), .. }) = entry {
                let told = self.desk.place(id, Told::new(id, number, at, &said));
                self.tell(Report::Message(Told { history, ..told }))?;
            }
        }
        Ok(())
    }

    /// `--json` tells everything as it comes; a person sees what is said in the conversations they
    /// have.
    fn tell(&mut self, report: Report) -> Result<(), Stop> {
        let active = match &report {
            Report::State { conversation, state: State::Active, .. } => Some(*conversation),
            _ => None,
        };
        self.had |= active.is_some();
        match &report {
            Report::State { conversation, .. } if active.is_none() => {
                _ = self.heard.remove(conversation)
            }
            _ => self.heard.extend(active),
        }
        match report {
            Report::Message(told) if !self.json => return self.draw(told.conversation),
            Report::Error { .. } => self.failed |= !self.pace.is_person(),
            _ => {}
        }
        let theirs = match &report {
            Report::Message(told) if told.author == Author::User => {
                Some((told.conversation, told.number))
            }
            _ => None,
        };
        let ticket = self.screen.show(report);
        if let Some((id, number)) = theirs {
            self.await_shown(ticket, id, number);
        }
        if let (Some(id), false) = (active, self.json) {
            self.draw_new(id, true)?;
        }
        Ok(())
    }

    /// Shows a person what is new in a conversation of theirs.
    fn draw(&mut self, id: ConversationId) -> Result<(), Stop> {
        if self.heard.contains(&id) { self.draw_new(id, false) } else { Ok(()) }
    }

    fn draw_new(&mut self, id: ConversationId, history: bool) -> Result<(), Stop> {
        if self.drawn.len() >= DRAWN_MAX {
            self.drawn.retain(|id, _| self.desk.knows(*id));
        }
        let drawn = self.drawn.get(&id).copied().unwrap_or(Offset::START);
        for line in self.keeper.journal.lines(id, drawn)? {
            self.drawn.insert(id, line.offset);
            if let Some((ticket, number)) = self.show(id, None, &line, history) {
                self.await_shown(ticket, id, number);
            }
        }
        Ok(())
    }

    /// Shows the conversation with this number or name, also one that has left the desk's memory;
    /// without either, the one in focus.
    fn tell_history(&self, who: Option<&Who>) -> Result<Result<(), String>, Stop> {
        let journal = &self.keeper.journal;
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
                        Err(Missing::Nobody(_)) if number.is_some() => (number, None),
                        Err(missing) => return Ok(Err(self.explain(missing))),
                    }
                }
            };
        let Some(id) = id else {
            return Ok(Err(match ordinal {
                Some(ordinal) => format!("there is no conversation {ordinal}; /list shows them"),
                None => {
                    "no conversation is open; give a number or a name, /list shows them".to_owned()
                }
            }));
        };
        for line in self.keeper.journal.lines(id, Offset::START)? {
            self.show(id, ordinal, &line, true);
        }
        Ok(Ok(()))
    }

    /// Shows one line, if there is something to see; for a customer's, the ticket and its number.
    /// The ordinal is for a conversation that the desk does not know any more.
    fn show(
        &self,
        id: ConversationId,
        ordinal: Option<u32>,
        line: &Line,
        history: bool,
    ) -> Option<(u64, Number)> {
        if let What::Note(note) = &line.what {
            self.notice(&format!("note: {note}"));
        }
        let (entry, said) = line.said()?;
        let told =
            self.desk.place(id, Told { ordinal, ..Told::new(id, entry.number, entry.at, said) });
        let ticket = self.screen.show(Report::Message(Told { history, ..told }));
        (!line.own).then_some((ticket, entry.number))
    }

    /// A customer's line is on its way to a person. What a desk without an agent prints, nobody has
    /// seen.
    fn await_shown(&mut self, ticket: u64, id: ConversationId, number: Number) {
        if !self.no_terminal {
            self.unseen.push_back((ticket, id, number));
        }
    }

    /// Customers' lines up to this ticket are on the screen.
    fn shown(&mut self, ticket: u64) {
        let mut last = HashMap::new();
        while let Some((_, id, number)) =
            self.unseen.pop_front_if(|(waiting, ..)| *waiting <= ticket)
        {
            last.insert(id, number);
        }
        for (id, number) in last {
            self.desk.shown(id, number);
        }
    }

    /// Lines of ours that a customer's side does not have.
    fn tell_undelivered(
        &mut self,
        owed: Vec<(ConversationId, RangeInclusive<Number>)>,
    ) -> Result<(), Stop> {
        for (id, numbers) in owed {
            for number in numbers {
                if let Entry { body: Body::Message(said), .. } =
                    self.keeper.journal.own(id, number)?
                {
                    self.fail(format!("not delivered: {}", said.text));
                }
            }
        }
        Ok(())
    }

    fn fail(&mut self, why: String) {
        self.failed = true;
        self.screen.show(Report::Error { text: why });
    }

    fn notice(&self, text: &str) {
        self.screen.show(Report::Notice { text: text.to_owned() });
    }
}

/// A customer who left the desk's memory says hello again: what was said is known again before that
/// is heard.
fn recall(desk: &mut Desk, journal: &Journal, message: &Message, now: Now) -> Result<(), Stop> {
    if let Message::Hello(hello) = message
        && !desk.knows(hello.conversation)
        && let Some(story) = journal.story(hello.conversation)?
    {
        desk.recall(&story, now);
    }
    Ok(())
}

fn too_few_files(connections: usize, wanted: usize) -> String {
    format!(
        "the system's limit of open files leaves room for {connections} connections, not {wanted}; 'ulimit -n' raises it"
    )
}

/// Sorts the outputs: returns the records for the journal and the remaining actions, and appends to
/// `told` what the screen shows the admin.
fn split(
    outputs: Vec<Output>,
    told: &mut Vec<Output>,
) -> (Vec<(ConversationId, Record)>, Vec<Output>) {
    let mut records = Vec::new();
    let mut actions = Vec::new();
    for output in outputs {
        match output {
            Output::Record(id, record) => records.push((id, record)),
            Output::Tell(_) | Output::TellEntries { .. } => told.push(output),
            action => actions.push(action),
        }
    }
    (records, actions)
}
