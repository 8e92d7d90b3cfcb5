//! `handoff user`: the customer's loop.
//!
//! Drain what waits, let the session handle it, commit its records, and only then act: ask the bot,
//! send, show. A person's lines are taken as they are typed; a script's when they are due.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, bounded, never, select, unbounded};

use crate::bot::{self, Bot};
use crate::core::clock::Now;
use crate::core::command;
use crate::core::record::{Line, Offset, Record, Restart, What};
use crate::core::report::{Report, Told};
use crate::core::script::{BATCH_MAX, LEAVE_WITHIN, Pace, QUEUE_MAX, Waiting};
use crate::core::session::{Output, Refusal, Resumed, Session, WELCOME_WITHIN};
use crate::core::text::Name;
use crate::edge::signals;
use crate::edge::term::{self, BACKLOG_MAX, Screen, Typed};
use crate::edge::tls::{self, Trust};
use crate::mode::args;
use crate::net::{self, Net};
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::wire::{self, Author, Body, ConversationId, DeskId, Number, Secret, State};

mod probe;

/// What wakes the loop.
enum Event {
    Typed(Typed),
    Screen(term::Event),
    Net(net::Event),
    Bot(bot::Answer),
    Signal(i32),
    Due,
}

struct Inputs {
    typed: Receiver<Typed>,
    screen: Receiver<term::Event>,
    net: Receiver<net::Event>,
    bot: Receiver<bot::Answer>,
    signals: Receiver<i32>,
}

struct User {
    args: args::User,
    triggers: crate::core::reply::Triggers,
    trust: Trust,
    /// How the desk is dialled.
    desk: net::Settings,
    session: Session,
    keeper: Keeper,
    peers: Peers,
    bot: Bot,
    screen: Screen,
    pace: Pace<command::User>,
    /// The admin's lines that are on their way to the screen: ticket, desk, number.
    unseen: VecDeque<(u64, DeskId, Number)>,
    stage: Stage,
    /// What was typed when the conversation was closed: the next one begins with it.
    opening: Option<command::User>,
    probe: probe::Probe,
    /// The person was told what is wrong with the way to the bot.
    warned: bool,
    /// Something was not delivered, or went wrong in a script.
    failed: bool,
}

/// Whether input is taken.
enum Stage {
    Talking,
    /// Only what is owed still leaves, until then.
    Leaving {
        by: Instant,
        then: Then,
    },
}

#[derive(Clone, Copy)]
enum Then {
    Exit(u8),
    StartAnew,
}

/// Runs until the user leaves. Returns the exit code.
///
/// # Errors
/// One line for the person, when it cannot start.
pub fn run(args: args::User) -> Result<u8, String> {
    let mut config = bot::Config::new(&args.bot, args.bot_token()?)?;
    if let Some(given) = &args.bot_ca {
        config = config.trusting(&tls::authorities("--bot-ca", given)?);
    }
    let options = term::Options {
        json: args.json,
        plain: args.plain,
        limit: wire::TEXT_MAX,
        me: Author::User,
        reads_stdin: true,
    };
    term::hold_suspension(&options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let profile = args.place().open()?;
    let trust = args.trust()?;
    let (net_events, net) = bounded(QUEUE_MAX);
    let (answers, bot) = unbounded();
    let desk = Peers::settings(trust.security()?);
    let sockets = Net::start(net_events);
    let sockets = sockets.map_err(|e| format!("cannot start the socket thread: {e}"))?;
    let (screen, typed, shown) =
        term::start(options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let signals = signals::listen()?;
    let keeper = Keeper::new(profile.journal, typed.clone(), shown.clone(), signals.clone());
    screen.show(Report::Ready { mode: "user", listen: None, fingerprint: None });
    if let Some(text) = config.warning() {
        screen.show(Report::Notice { text });
    }
    let mut user = User {
        triggers: args.triggers(),
        trust,
        desk,
        session: begin(&args)?,
        keeper,
        peers: Peers::new(sockets, None),
        bot: Bot::start(config, answers),
        pace: Pace::new(screen.is_interactive()),
        screen,
        unseen: VecDeque::new(),
        stage: Stage::Talking,
        opening: None,
        probe: probe::Probe::default(),
        warned: false,
        failed: false,
        args,
    };
    let inputs = Inputs { typed, screen: shown, net, bot, signals };
    let ended = user.go_on().and_then(|()| user.run(&inputs));
    user.drop_probe();
    user.peers.finish(Duration::from_secs(1));
    user.screen.finish();
    match ended {
        Ok(code) | Err(Stop::Signal(code)) => Ok(code),
        Err(Stop::Broken(why)) => Err(why),
    }
}

/// A fresh conversation with an id and a secret of its own.
fn begin(args: &args::User) -> Result<Session, String> {
    let (id, secret) = (ConversationId::new(random()?), Secret::new(random()?));
    Ok(Session::new(id, secret, args.name.clone(), args.admin.clone(), seed()?, Now::read()))
}

fn seed() -> Result<u64, String> {
    random().map(u64::from_ne_bytes)
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| format!("the system gives no random bytes: {e}"))?;
    Ok(bytes)
}

/// Lines of a conversation that a person sees again after a restart.
const REDRAWN: usize = 20;

impl User {
    /// Goes on with the last conversation of the journal, if it has not ended.
    fn go_on(&mut self) -> Result<(), Stop> {
        let Restart { mut stories, begun, .. } = self.keeper.journal.restart()?;
        let Some(mut story) = stories.pop_if(|story| story.ordinal == begun) else { return Ok(()) };
        let renamed = !self.args.new && self.args.name.is_some() && self.args.name != story.name;
        if renamed {
            story.name.clone_from(&self.args.name);
        }
        let journal = &self.keeper.journal;
        let session = Session::restore(
            &story,
            self.args.admin.clone(),
            seed().map_err(Stop::Broken)?,
            |number| journal.own(story.id, number),
            Now::read(),
        )?;
        if session.state() == State::Closed && session.is_settled() {
            return Ok(());
        }
        self.session = session;
        if renamed {
            let record = Record::Begun { secret: story.secret, name: story.name };
            self.keeper.commit(vec![(story.id, record)], &self.screen)?;
        }
        if self.args.new || self.session.state() == State::Closed {
            // It is over but for what is owed to the desk; then the fresh one begins.
            self.leave(Then::StartAnew, Now::read());
            return Ok(());
        }
        let lines = self.keeper.journal.lines(story.id, Offset::START)?;
        let from = if self.args.json { 0 } else { lines.len().saturating_sub(REDRAWN) };
        self.tell_lines(&lines[from..]);
        self.notice("this conversation goes on where it was; /new starts another");
        Ok(())
    }

    fn run(&mut self, inputs: &Inputs) -> Result<u8, Stop> {
        self.act()?;
        self.start_probe();
        loop {
            self.handle(self.wait(inputs))?;
            for _ in 0..BATCH_MAX {
                let Some(event) = self.poll(inputs) else { break };
                self.handle(event)?;
            }
            let now = Now::read();
            self.session.tick(now);
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
            recv(typed) -> typed => Event::Typed(typed.unwrap_or(Typed::End)),
            recv(inputs.screen) -> event => event.map_or(Event::Due, Event::Screen),
            recv(net) -> event => event.map_or(Event::Due, Event::Net),
            recv(inputs.bot) -> answer => answer.map_or(Event::Due, Event::Bot),
            recv(inputs.signals) -> signal => signal.map_or(Event::Due, Event::Signal),
            recv(due) -> _ => Event::Due,
        }
    }

    /// Another input that waits already.
    fn poll(&self, inputs: &Inputs) -> Option<Event> {
        let room = self.screen.backlog() < BACKLOG_MAX;
        let net = || if room { inputs.net.try_recv().ok().map(Event::Net) } else { None };
        let bot = || inputs.bot.try_recv().ok().map(Event::Bot);
        let typed = || {
            if self.takes_lines() { inputs.typed.try_recv().ok().map(Event::Typed) } else { None }
        };
        net().or_else(bot).or_else(typed)
    }

    fn takes_lines(&self) -> bool {
        matches!(self.stage, Stage::Talking)
            && self.pace.takes_lines()
            && (self.pace.is_person() || !self.session.is_bot_busy())
    }

    fn deadline(&self) -> Option<Instant> {
        let own = match self.stage {
            Stage::Leaving { by, .. } => Some(by),
            Stage::Talking => self.pace.deadline(),
        };
        [own, self.session.deadline()].into_iter().flatten().min()
    }

    fn handle(&mut self, event: Event) -> Result<(), Stop> {
        let now = Now::read();
        match event {
            Event::Typed(Typed::Line(line)) => self.typed(&line, now)?,
            Event::Typed(Typed::Refused(why)) => self.tell(Report::Error { text: why }),
            Event::Typed(Typed::End) if self.pace.is_person() => self.leave(Then::Exit(0), now),
            Event::Typed(Typed::End) => self.pace.ended(self.args.linger, now),
            Event::Screen(term::Event::Interrupt { again }) => self.ctrl_c(again, now),
            Event::Screen(term::Event::Gone(_)) => self.leave(Then::Exit(0), now),
            Event::Screen(term::Event::Shown(ticket)) => self.shown(ticket),
            Event::Due => {}
            Event::Net(event) if self.probe.is_about(&event) => self.probed(event, now),
            Event::Net(event) => self.net(event, now),
            Event::Bot(answer) => self.answer(answer, now),
            Event::Signal(signal) => self.interrupt(signals::exit_code(signal), now),
        }
        Ok(())
    }

    fn net(&mut self, event: net::Event, now: Now) {
        match event {
            net::Event::Connected { conn, peer, key } => {
                match self.trust.judge(&self.args.admin, peer, key) {
                    Ok(news) => {
                        if let Some(news) = news {
                            self.notice(&news);
                        }
                        self.peers.opened(conn, now.clock);
                        self.peers.net().expect(conn, Some(WELCOME_WITHIN), "welcome");
                        self.session.connected(conn);
                    }
                    Err(why) => {
                        self.peers.close(conn);
                        self.distrust(conn, &why);
                    }
                }
            }
            net::Event::Received { conn, bytes } => {
                let session = &mut self.session;
                let mut broken = None;
                self.peers.received(conn, bytes, now.clock, |message| match message {
                    Ok(_) if broken.is_some() => {}
                    Ok(message) => {
                        if !session.received(conn, message, now) {
                            broken = Some("the desk broke the protocol".to_owned());
                        }
                    }
                    Err(error) => broken = Some(format!("the desk sent {error}")),
                });
                if let Some(why) = broken {
                    self.peers.close(conn);
                    self.session.disconnected(conn, &why, now);
                }
            }
            net::Event::Closed { conn, why } => {
                self.peers.gone(conn);
                match why {
                    net::Closed::Plaintext => self.distrust(conn, &other_side_is_plaintext()),
                    net::Closed::Distrusted(why) => self.distrust(conn, &why),
                    _ => self.session.disconnected(conn, &why.to_string(), now),
                }
            }
            net::Event::Accepted { .. } | net::Event::Stranger { .. } => {}
            net::Event::Trouble { what } => self.tell(Report::Error { text: what }),
        }
    }

    /// What answered is not the desk it must be: nobody dials again but at a person's word.
    fn distrust(&mut self, conn: wire::Conn, why: &str) {
        let what = if self.pace.is_person() { "; /human tries again" } else { "" };
        self.session.distrust(conn, &format!("{why}{what}"));
    }

    fn answer(&mut self, answer: bot::Answer, now: Now) {
        match answer.outcome {
            bot::Outcome::Said(said) => {
                let reply =
                    said.map(|items| self.triggers.read(items)).map_err(|fault| fault.to_string());
                self.session.answered(answer.ticket, reply, now);
            }
            bot::Outcome::Returned(returned) => {
                if let Some(text) = returned.as_ref().ok().and_then(|taken| taken.warning.clone())
                    && !std::mem::replace(&mut self.warned, true)
                {
                    self.tell(Report::Notice { text });
                }
                let outcome = match returned.map(|taken| taken.how) {
                    Ok(bot::Resumed::Yes) => Resumed::Yes,
                    Ok(bot::Resumed::WithoutLines) => Resumed::WithoutLines,
                    Ok(bot::Resumed::StillPaused) => Resumed::StillPaused,
                    // It has the lines; the next return sets the form going.
                    Ok(bot::Resumed::WithoutForm(fault)) => Resumed::Failed(fault.to_string()),
                    Err(fault @ bot::Fault::NoApi { .. }) => Resumed::NoApi(fault.to_string()),
                    Err(fault) if fault.is_refusal() => Resumed::Unreached(fault.to_string()),
                    Err(fault) => Resumed::Failed(fault.to_string()),
                };
                self.session.returned(answer.ticket, outcome, now);
            }
        }
    }

    /// A line came: a person's is done or refused at once, a script's waits until it can be done.
    fn typed(&mut self, line: &str, now: Now) -> Result<(), Stop> {
        match command::User::parse(line) {
            Ok(command) if self.pace.is_person() => {
                let opens = matches!(command, command::User::Say(_) | command::User::Human);
                let is_closed = self.session.state() == State::Closed;
                if opens && is_closed && self.session.desk_trouble().is_some() {
                    // It would be given up with all that the desk does not have of it.
                    let why = "the desk has not heard of the end yet; wait for it, or /new begins another at once";
                    self.screen.refuse(why, line);
                } else if opens && is_closed {
                    self.notice("the last conversation is closed; this begins a new one");
                    self.opening = Some(command);
                    self.leave(Then::StartAnew, now);
                } else if let Err(why) = self.obey(&command, now)? {
                    match command {
                        command::User::Say(_) => self.screen.refuse(why, line),
                        _ => self.tell(Report::Error { text: why.to_owned() }),
                    }
                }
            }
            Ok(command) => self.pace.push(command, now),
            Err(why) => self.tell(Report::Error { text: why }),
        }
        Ok(())
    }

    /// Does a script's line when it is due.
    fn step(&mut self, now: Now) -> Result<(), Stop> {
        let Some(command) = self.pace.pending() else { return Ok(()) };
        match command {
            command::User::Wait(limit) => self.step_wait(limit, now),
            command::User::Say(text) if self.session.state() == State::Closed => {
                self.pace.done();
                self.fail(format!("not delivered, the conversation is closed: {text}"));
            }
            command => {
                if let Err(why) = self.obey(&command, now)? {
                    // A full outbox empties; everything else is the script's mistake.
                    if matches!(command, command::User::Say(_)) {
                        return Ok(());
                    }
                    self.fail(why.to_owned());
                }
                self.pace.done();
            }
        }
        Ok(())
    }

    fn step_wait(&mut self, limit: Option<Duration>, now: Now) {
        let is_here = self.is_answered();
        match self.pace.waited(is_here, limit, now) {
            Waiting::Over => self.pace.done(),
            Waiting::TooLong(why) => {
                self.pace.done();
                self.fail(why);
                self.leave(Then::Exit(1), now);
            }
            Waiting::On => {}
        }
    }

    /// Whether `/wait` is over: the admin has answered, or nobody will.
    fn is_answered(&mut self) -> bool {
        match self.session.state() {
            State::Closed => true,
            State::Bot => !self.session.is_bot_busy(),
            State::Queued | State::Active => self.session.hear(),
        }
    }

    /// Does what was typed, or says why not.
    fn obey(&mut self, command: &command::User, now: Now) -> Result<Result<(), Refusal>, Stop> {
        match command {
            command::User::Say(text) => return Ok(self.session.say(text, now)),
            command::User::Human => return Ok(self.session.ask_for_human(now)),
            command::User::Bot => return Ok(self.session.withdraw(now)),
            command::User::End => return Ok(self.session.end(now)),
            command::User::New => self.leave(Then::StartAnew, now),
            command::User::History => {
                self.tell_lines(&self.keeper.journal.lines(self.session.id(), Offset::START)?)
            }
            command::User::Again => return Ok(self.session.ask_again(now)),
            command::User::Help => command::USER_HELP.lines().for_each(|line| self.notice(line)),
            command::User::Quit => self.leave(Then::Exit(0), now),
            command::User::Wait(_) => return Ok(Err("/wait is for scripts; you can simply wait")),
        }
        Ok(Ok(()))
    }

    /// Ctrl-C on an empty line: while a person is needed it leaves only when it is pressed again.
    fn ctrl_c(&mut self, again: bool, now: Now) {
        let open = match self.session.state() {
            State::Active => "you are talking to an agent",
            State::Queued => "you are waiting for a person",
            State::Bot | State::Closed => return self.interrupt(130, now),
        };
        if again || matches!(self.stage, Stage::Leaving { .. }) {
            return self.interrupt(130, now);
        }
        let then =
            if self.keeper.journal.is_ephemeral() { ", which ends the conversation" } else { "" };
        self.notice(&format!("{open}; Ctrl-C again leaves the program{then}"));
    }

    /// The first interrupt leaves in order, the second at once.
    fn interrupt(&mut self, code: u8, now: Now) {
        match &mut self.stage {
            Stage::Leaving { by, then: Then::Exit(_) } => *by = now.clock,
            _ => self.leave(Then::Exit(code), now),
        }
    }

    /// Waits for what is owed. A conversation that no other process can go on with ends.
    fn leave(&mut self, then: Then, now: Now) {
        let ends = matches!(then, Then::StartAnew) || self.keeper.journal.is_ephemeral();
        if ends && self.session.state() != State::Closed {
            // Another program may have it, which it goes on in.
            let _ = self.session.end(now);
        }
        self.stage = Stage::Leaving { by: now.clock + LEAVE_WITHIN, then };
    }

    /// The exit code, once there is nothing more to do.
    fn leave_when_done(&mut self, now: Now) -> Result<Option<u8>, Stop> {
        if matches!(self.stage, Stage::Talking) && self.is_script_done(now) {
            self.leave(Then::Exit(0), now);
            self.act()?;
        }
        let Stage::Leaving { by, then } = self.stage else { return Ok(None) };
        if !self.is_left() && now.clock < by {
            return Ok(None);
        }
        self.session.leave();
        self.act()?;
        self.tell_undelivered(self.session.undelivered())?;
        let opening = self.opening.take();
        if let (Then::Exit(_), Some(command::User::Say(text))) = (then, &opening) {
            self.fail(format!("not delivered: {text}"));
        }
        match then {
            Then::Exit(0) => Ok(Some(u8::from(self.failed))),
            Then::Exit(code) => Ok(Some(code)),
            Then::StartAnew => {
                self.session = begin(&self.args).map_err(Stop::Broken)?;
                self.unseen.clear();
                self.stage = Stage::Talking;
                self.pace.done();
                self.act()?;
                if let Some(command) = opening
                    && let Err(why) = self.obey(&command, Now::read())?
                {
                    self.fail(why.to_owned());
                }
                self.act()?;
                Ok(None)
            }
        }
    }

    /// Whether nothing is owed to anybody: what was typed is where it belongs.
    fn is_left(&self) -> bool {
        match self.session.state() {
            State::Queued | State::Active => {
                self.session.undelivered().is_empty() || self.session.is_parted()
            }
            State::Bot | State::Closed => {
                self.session.is_settled() && self.session.is_disconnected()
            }
        }
    }

    /// The admin's lines up to this ticket are on the screen.
    fn shown(&mut self, ticket: u64) {
        let mut last = None;
        while let Some((_, desk, number)) =
            self.unseen.pop_front_if(|(waiting, ..)| *waiting <= ticket)
        {
            last = Some((desk, number));
        }
        if let Some((desk, number)) = last {
            self.session.shown(desk, number);
        }
    }

    /// A script is done when its input is, and no person has the conversation; or when no desk will
    /// take it.
    fn is_script_done(&mut self, now: Now) -> bool {
        if self.pace.is_person() {
            return false;
        }
        if self.session.is_parted() {
            return true;
        }
        let is_with_desk = matches!(self.session.state(), State::Queued | State::Active);
        self.pace.is_over()
            && !self.session.is_bot_busy()
            && (!is_with_desk || self.pace.lingered(now))
    }

    /// Records, then acts, until there is nothing to do; then what is due leaves.
    fn act(&mut self) -> Result<(), Stop> {
        loop {
            let (records, actions) = split(self.session.id(), self.session.outputs());
            if records.is_empty() && actions.is_empty() {
                break;
            }
            // More may be read meanwhile.
            self.peers.flush();
            let _committed = self.keeper.commit(records, &self.screen)?;
            let id = self.session.id();
            for action in actions {
                // A conversation whose place another one took dials and asks nothing more.
                if self.session.id() == id || matches!(action, Output::Close(_) | Output::Tell(_)) {
                    self.act_on(action)?;
                }
            }
        }
        let (journal, peers, id) = (&self.keeper.journal, &self.peers, self.session.id());
        self.session
            .settle(|number| journal.own(id, number), |conn, message| peers.send(conn, message))?;
        self.peers.flush();
        self.screen.prompt(self.prompt());
        crate::edge::failpoint::hit("before-show");
        self.screen.flush();
        crate::edge::failpoint::hit("after-show");
        Ok(())
    }

    fn act_on(&mut self, action: Output) -> Result<(), Stop> {
        match action {
            Output::Tell(report) => self.tell(report),
            Output::Ask { ticket, text } => {
                let sender = self.session.id().to_string();
                self.bot.send(ticket, bot::Request::Ask { sender, text });
            }
            Output::Return { ticket, since } => {
                let sender = self.session.id().to_string();
                self.bot
                    .send(ticket, bot::Request::Return { sender, said: self.said_since(since)? });
            }
            Output::Dial => {
                self.drop_probe();
                let conn = self.peers.net().dial(&self.args.admin, self.desk.clone());
                self.session.dialled(conn);
            }
            Output::Send(conn, message) => {
                self.peers.send(conn, &message);
            }
            Output::Welcomed(conn) => self.peers.welcomed(conn),
            Output::Close(conn) => self.peers.close(conn),
            Output::Verify(conn, desk, entry) => {
                if self.keeper.journal.theirs(self.session.id(), Some(desk), entry.number)?
                    != Some(entry)
                {
                    self.session.fork(conn);
                }
            }
            Output::Forked => self.start_over()?,
            Output::GivenUp(numbers) => self.tell_undelivered(numbers)?,
            Output::Record(_) => unreachable!("records were committed before"),
        }
        Ok(())
    }

    /// A conversation that forked goes on as a new one, with what no desk has of it: all of that is
    /// one batch.
    fn start_over(&mut self) -> Result<(), Stop> {
        let (id, journal) = (self.session.id(), &self.keeper.journal);
        let fresh = ConversationId::new(random().map_err(Stop::Broken)?);
        let (secret, seed) =
            (Secret::new(random().map_err(Stop::Broken)?), seed().map_err(Stop::Broken)?);
        let entry = |number| journal.own(id, number);
        if let Some(session) = self.session.start_over(fresh, secret, seed, entry, Now::read())? {
            self.session = session;
            self.unseen.clear();
        }
        Ok(())
    }

    /// What people said to each other from our entry with this number on: the stretches that the
    /// bot did not hear. No line that was said to the bot, also none that still waits for it.
    fn said_since(&self, number: Number) -> Result<Vec<bot::Line>, Stop> {
        let lines = self.keeper.journal.lines(self.session.id(), Offset::START)?;
        let is_own =
            |line: &Line| line.own && line.entry().is_some_and(|entry| entry.number == number);
        let from = lines.iter().position(is_own).unwrap_or(lines.len());
        let (mut said, mut is_with_person) = (Vec::new(), false);
        for line in &lines[from..] {
            match line.entry().map(|entry| &entry.body) {
                Some(Body::Requested { .. }) => is_with_person = true,
                Some(Body::Withdrawn {} | Body::HandedBack { .. }) => is_with_person = false,
                Some(Body::Message(message)) if is_with_person && message.author != Author::Bot => {
                    said.push(bot::Line {
                        author: message.author,
                        name: message.name.as_deref().map(str::to_owned),
                        text: message.text.to_string(),
                    });
                }
                _ => {}
            }
        }
        Ok(said)
    }

    fn tell_lines(&mut self, lines: &[Line]) {
        let id = self.session.id();
        for line in lines {
            let Some((entry, said)) = line.said() else { continue };
            let own = said.author == Author::User;
            let ticket = self.screen.show(Report::Message(Told {
                own,
                history: true,
                ..Told::new(id, entry.number, entry.at, said)
            }));
            if let What::Entry(Some(desk), _) = line.what {
                self.unseen.push_back((ticket, desk, entry.number));
            }
        }
    }

    /// Lines that were for a person and that no desk has.
    fn undelivered(&self, owed: RangeInclusive<Number>) -> Result<Vec<String>, Stop> {
        let mut lines = Vec::new();
        for number in owed.filter(|number| self.session.is_for_desk(*number)) {
            match self.keeper.journal.own(self.session.id(), number)?.body {
                Body::Message(said) if said.author == Author::User => {
                    lines.push(said.text.to_string())
                }
                _ => {}
            }
        }
        Ok(lines)
    }

    fn tell_undelivered(&mut self, owed: RangeInclusive<Number>) -> Result<(), Stop> {
        let goes_on = matches!(self.session.state(), State::Queued | State::Active);
        let kept = if goes_on { " yet, kept for the next start" } else { "" };
        for text in self.undelivered(owed)? {
            self.fail(format!("not delivered{kept}: {text}"));
        }
        Ok(())
    }

    /// Who gets the next line, and what became of the last.
    fn prompt(&self) -> String {
        let who = match self.session.state() {
            State::Bot => return "bot".to_owned(),
            State::Closed => return "closed".to_owned(),
            _ if self.session.is_parted() => return "not connected".to_owned(),
            State::Queued => "waiting".to_owned(),
            // An agent may be called "bot": the role stands before the name.
            State::Active => match self.session.admin().and_then(Name::new) {
                Some(name) => format!("agent {name}"),
                None => "agent".to_owned(),
            },
        };
        let trouble =
            self.session.desk_trouble().map(|trouble| format!("{trouble}, ")).unwrap_or_default();
        format!("{trouble}{who}{}", self.session.mark())
    }

    fn fail(&mut self, why: String) {
        self.failed = true;
        self.screen.show(Report::Error { text: why });
    }

    fn notice(&self, text: &str) {
        self.screen.show(Report::Notice { text: text.to_owned() });
    }

    fn tell(&mut self, report: Report) {
        self.failed |= matches!(report, Report::Error { .. }) && !self.pace.is_person();
        let theirs = match &report {
            Report::Message(told) if told.author == Author::Admin => {
                self.session.desk().map(|desk| (desk, told.number))
            }
            _ => None,
        };
        let ticket = self.screen.show(report);
        if let Some((desk, number)) = theirs {
            self.unseen.push_back((ticket, desk, number));
        }
    }
}

/// What a person should do when the desk speaks plaintext and this side TLS.
fn other_side_is_plaintext() -> String {
    format!(
        "{}; give --plaintext anywhere here too, but only if a tunnel leads to it",
        net::Closed::Plaintext
    )
}

/// Records first, the rest in its order.
fn split(id: ConversationId, outputs: Vec<Output>) -> (Vec<(ConversationId, Record)>, Vec<Output>) {
    let mut records = Vec::new();
    let mut actions = Vec::new();
    for output in outputs {
        match output {
            Output::Record(record) => records.push((id, record)),
            action => actions.push(action),
        }
    }
    (records, actions)
}
