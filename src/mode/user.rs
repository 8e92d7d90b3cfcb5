//! `handoff user`: the customer's loop.
//!
//! It drains what waits, has the session handle it, and takes a turn ([`crate::turn`]). A person's
//! lines are taken as they are typed, a script's when they are due.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, bounded, never, select, unbounded};

use crate::bot::{self, Bot};
use crate::core::clock::Now;
use crate::core::command;
use crate::core::record::{Offset, Record, Restart};
use crate::core::report::Report;
use crate::core::script::{BATCH_MAX, LEAVE_WITHIN, Pace, QUEUE_MAX, Waiting};
use crate::core::session::{Refusal, Session, WELCOME_WITHIN};
use crate::core::sessions::Sessions;
use crate::edge::signals;
use crate::edge::term::{self, Typed};
use crate::edge::tls::{self, Trust};
use crate::mode::args;
use crate::net::{self, Net};
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::turn::seat::Seat;
use crate::turn::turn;
use crate::wire::{self, Author, State};

use world::Edges;

mod probe;
mod world;

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
    sessions: Sessions,
    edges: Edges,
    pace: Pace<command::User>,
    stage: Stage,
    /// What was typed when the conversation was closed: the next one begins with it.
    opening: Option<command::User>,
    /// The person was told what is wrong with the way to the bot.
    warned: bool,
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
    let mut config = bot::Config::new(&args.bot, args.bot_token()?)?.with_askers(args.bot_askers);
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
    let (answers, answered) = unbounded();
    let desk = Peers::settings(trust.security()?);
    let sockets = Net::start(net_events);
    let sockets = sockets.map_err(|e| format!("cannot start the socket thread: {e}"))?;
    let (screen, typed, shown) =
        term::start(options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let signals = signals::listen()?;
    let keeper = Keeper::new(profile.journal, typed.clone(), shown.clone(), signals.clone());
    let mut seat = Seat::new(screen);
    seat.tell(Report::Ready { mode: "user", listen: None, fingerprint: None });
    if let Some(text) = config.warning() {
        seat.tell(Report::Notice { text });
    }
    let session = begin(&args)?;
    let bot = Bot::start(config, answers);
    let (peers, desk) = (Peers::new(sockets, None), (args.admin.clone(), desk));
    let mut user = User {
        triggers: args.triggers(),
        trust,
        pace: Pace::new(seat.is_person()),
        edges: Edges::new(session.id(), keeper, peers, seat, desk, bot),
        sessions: Sessions::new(world::seed()?, Now::read()),
        stage: Stage::Talking,
        opening: None,
        warned: false,
        args,
    };
    let inputs = Inputs { typed, screen: shown, net, bot: answered, signals };
    let ended = user.go_on(session).and_then(|()| user.run(&inputs));
    user.edges.drop_probe();
    user.edges.peers.finish(Duration::from_secs(1));
    user.edges.seat.finish();
    match ended {
        Ok(code) | Err(Stop::Signal(code)) => Ok(code),
        Err(Stop::Broken(why)) => Err(why),
    }
}

/// A fresh conversation with an id and a secret of its own.
fn begin(args: &args::User) -> Result<Session, String> {
    Ok(Session::new(world::fresh()?, args.name.clone(), args.admin.clone(), Now::read()))
}

/// Lines of a conversation that a person sees again after a restart.
const REDRAWN: usize = 20;

impl User {
    /// Goes on with the last conversation of the journal, if it has not ended; else with this one.
    fn go_on(&mut self, fresh: Session) -> Result<(), Stop> {
        let Restart { mut stories, begun, .. } = self.edges.keeper.journal.restart()?;
        let Some(mut story) = stories.pop_if(|story| story.ordinal == begun) else {
            self.take_up(fresh);
            return Ok(());
        };
        let renamed = !self.args.new && self.args.name.is_some() && self.args.name != story.name;
        if renamed {
            story.name.clone_from(&self.args.name);
        }
        let journal = &self.edges.keeper.journal;
        let session = Session::restore(
            &story,
            self.args.admin.clone(),
            world::seed().map_err(Stop::Broken)?,
            |number| journal.own(story.id, number),
            Now::read(),
        )?;
        if session.is_over() {
            self.take_up(fresh);
            return Ok(());
        }
        let state = session.state();
        self.take_up(session);
        if renamed {
            let record = Record::Begun { secret: story.secret, name: story.name };
            self.edges.keeper.commit(vec![(story.id, record)], self.edges.seat.screen())?;
        }
        if self.args.new || state == State::Closed {
            // It is over but for what is owed to the desk; then the fresh one begins.
            self.leave(Then::StartAnew, Now::read());
            return Ok(());
        }
        let lines = self.edges.keeper.journal.lines(story.id, Offset::START)?;
        let from = if self.args.json { 0 } else { lines.len().saturating_sub(REDRAWN) };
        self.edges.tell_history(story.id, &lines[from..]);
        self.notice("this conversation goes on where it was; /new starts another");
        Ok(())
    }

    /// The person is in this conversation from now on.
    fn take_up(&mut self, session: Session) {
        self.sessions.remove(self.edges.current);
        self.edges.current = session.id();
        self.sessions.insert(session);
    }

    /// The conversation that the person is in.
    fn session(&self) -> &Session {
        self.sessions.get(self.edges.current).expect("the current session is among them")
    }

    /// The same, for an input.
    fn input(&mut self) -> &mut Session {
        self.sessions.input(self.edges.current).expect("the current session is among them")
    }

    fn run(&mut self, inputs: &Inputs) -> Result<u8, Stop> {
        self.turn(Now::read())?;
        self.edges.start_probe();
        loop {
            self.handle(self.wait(inputs))?;
            for _ in 0..BATCH_MAX {
                let Some(event) = self.poll(inputs) else { break };
                self.handle(event)?;
            }
            let now = Now::read();
            self.step(now)?;
            self.turn(now)?;
            if let Some(code) = self.leave_when_done(now)? {
                return Ok(code);
            }
        }
    }

    fn turn(&mut self, now: Now) -> Result<(), Stop> {
        turn(&mut self.sessions, &mut self.edges, now)
    }

    fn wait(&self, inputs: &Inputs) -> Event {
        let nothing = never();
        let typed = if self.takes_lines() { &inputs.typed } else { &nothing };
        let due = self.deadline().map_or_else(never, at);
        let silence = never();
        let net = if self.edges.seat.has_room() { &inputs.net } else { &silence };
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
        let room = self.edges.seat.has_room();
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
            && (self.pace.is_person() || !self.session().is_bot_busy())
    }

    fn deadline(&self) -> Option<Instant> {
        let own = match self.stage {
            Stage::Leaving { by, .. } => Some(by),
            Stage::Talking => self.pace.deadline(),
        };
        [own, self.sessions.deadline()].into_iter().flatten().min()
    }

    fn handle(&mut self, event: Event) -> Result<(), Stop> {
        let now = Now::read();
        match event {
            Event::Typed(Typed::Line(line)) => self.typed(&line, now)?,
            Event::Typed(Typed::Refused(why)) => self.edges.seat.tell(Report::Error { text: why }),
            Event::Typed(Typed::End) if self.pace.is_person() => self.leave(Then::Exit(0), now),
            Event::Typed(Typed::End) => self.pace.ended(self.args.linger, now),
            Event::Screen(term::Event::Interrupt { again }) => self.ctrl_c(again, now),
            Event::Screen(term::Event::Gone(_)) => self.leave(Then::Exit(0), now),
            Event::Screen(term::Event::Shown(ticket)) => self.shown(ticket),
            Event::Due => {}
            Event::Net(event) if self.edges.probe.is_about(&event) => {
                self.edges.probed(event, &mut self.trust, now)
            }
            Event::Net(event) => self.net(event, now),
            Event::Bot(answer) => self.answer(answer, now),
            Event::Signal(signal) => self.interrupt(signals::exit_code(signal), now),
        }
        Ok(())
    }

    fn net(&mut self, event: net::Event, now: Now) {
        let peers = &mut self.edges.peers;
        match event {
            net::Event::Connected { conn, peer, key } => {
                match self.trust.judge(&self.args.admin, peer, key) {
                    Ok(news) => {
                        peers.opened(conn, now.clock);
                        peers.net().expect(conn, Some(WELCOME_WITHIN), "welcome");
                        if let Some(session) = self.sessions.on(conn) {
                            session.connected(conn);
                        }
                        if let Some(news) = news {
                            self.notice(&news);
                        }
                    }
                    Err(why) => {
                        peers.close(conn);
                        self.distrust(conn, &why);
                    }
                }
            }
            net::Event::Received { conn, bytes } => {
                let sessions = &mut self.sessions;
                let mut broken = None;
                peers.received(conn, bytes, now.clock, |message| match message {
                    Ok(_) if broken.is_some() => {}
                    Ok(message) => {
                        if !sessions.received(conn, message, now) {
                            broken = Some("the desk broke the protocol".to_owned());
                        }
                    }
                    Err(error) => broken = Some(format!("the desk sent {error}")),
                });
                if let Some(why) = broken {
                    peers.close(conn);
                    self.sessions.disconnected(conn, &why, now);
                }
            }
            net::Event::Closed { conn, why } => {
                peers.gone(conn);
                match why {
                    net::Closed::Plaintext => self.distrust(conn, &other_side_is_plaintext()),
                    net::Closed::Distrusted(why) => self.distrust(conn, &why),
                    _ => self.sessions.disconnected(conn, &why.to_string(), now),
                }
            }
            net::Event::Accepted { .. } | net::Event::Stranger { .. } => {}
            net::Event::Trouble { what } => self.edges.seat.tell(Report::Error { text: what }),
        }
    }

    /// What answered is not the desk it must be: only a person's word dials it again.
    fn distrust(&mut self, conn: wire::Conn, why: &str) {
        let what = if self.pace.is_person() { "; /human tries again" } else { "" };
        if let Some(session) = self.sessions.on(conn) {
            session.distrust(conn, &format!("{why}{what}"));
        }
    }

    fn answer(&mut self, answer: bot::Answer, now: Now) {
        let Some((id, ticket)) = self.edges.question(answer.ticket) else { return };
        match answer.outcome {
            bot::Outcome::Said(said) => {
                let reply = said.map(|items| self.triggers.read(items));
                let reply = reply.map_err(|fault| fault.to_string());
                if let Some(session) = self.sessions.input(id) {
                    session.answered(ticket, reply, now);
                }
            }
            bot::Outcome::Returned(returned) => {
                if let Some(text) = returned.as_ref().ok().and_then(|taken| taken.warning.clone())
                    && !std::mem::replace(&mut self.warned, true)
                {
                    self.edges.seat.tell(Report::Notice { text });
                }
                if let Some(session) = self.sessions.input(id) {
                    session.returned(ticket, world::resumed(returned), now);
                }
            }
        }
    }

    /// A line came: a person's is done or refused at once, a script's waits until it can be done.
    fn typed(&mut self, line: &str, now: Now) -> Result<(), Stop> {
        match command::User::parse(line) {
            Ok(command) if self.pace.is_person() => {
                let opens = matches!(command, command::User::Say(_) | command::User::Human);
                let is_closed = self.session().state() == State::Closed;
                if opens && is_closed && self.session().desk_trouble().is_some() {
                    // It would be given up with all that the desk does not have of it.
                    let why = "the desk has not heard of the end yet; wait for it, or /new begins another at once";
                    self.edges.seat.screen().refuse(why, line);
                } else if opens && is_closed {
                    self.notice("the last conversation is closed; this begins a new one");
                    self.opening = Some(command);
                    self.leave(Then::StartAnew, now);
                } else if let Err(why) = self.obey(&command, now)? {
                    match command {
                        command::User::Say(_) => self.edges.seat.screen().refuse(why, line),
                        _ => self.edges.seat.tell(Report::Error { text: why.to_owned() }),
                    }
                }
            }
            Ok(command) => self.pace.push(command, now),
            Err(why) => self.edges.seat.tell(Report::Error { text: why }),
        }
        Ok(())
    }

    /// Does a script's line when it is due.
    fn step(&mut self, now: Now) -> Result<(), Stop> {
        let Some(command) = self.pace.pending() else { return Ok(()) };
        match command {
            command::User::Wait(limit) => self.step_wait(limit, now),
            command::User::Say(text) if self.session().state() == State::Closed => {
                self.pace.done();
                self.edges.seat.fail(format!("not delivered, the conversation is closed: {text}"));
            }
            command => {
                if let Err(why) = self.obey(&command, now)? {
                    // A full outbox empties; everything else is the script's mistake.
                    if matches!(command, command::User::Say(_)) {
                        return Ok(());
                    }
                    self.edges.seat.fail(why.to_owned());
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
                self.edges.seat.fail(why);
                self.leave(Then::Exit(1), now);
            }
            Waiting::On => {}
        }
    }

    /// Whether `/wait` is over: the admin has answered, or nobody will.
    fn is_answered(&mut self) -> bool {
        match self.session().state() {
            State::Closed => true,
            State::Bot => !self.session().is_bot_busy(),
            State::Queued | State::Active => self.input().hear(),
        }
    }

    /// Does what was typed, or says why not.
    fn obey(&mut self, command: &command::User, now: Now) -> Result<Result<(), Refusal>, Stop> {
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
            command::User::Wait(_) => return Ok(Err("/wait is for scripts; you can simply wait")),
        }
        Ok(Ok(()))
    }

    /// Ctrl-C on an empty line: while a person is needed it leaves only when it is pressed again.
    fn ctrl_c(&mut self, again: bool, now: Now) {
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

    /// The first interrupt leaves in order, the second at once.
    fn interrupt(&mut self, code: u8, now: Now) {
        match &mut self.stage {
            Stage::Leaving { by, then: Then::Exit(_) } => *by = now.clock,
            _ => self.leave(Then::Exit(code), now),
        }
    }

    /// Waits for what is owed. A conversation that no other process can go on with ends.
    fn leave(&mut self, then: Then, now: Now) {
        let ends = matches!(then, Then::StartAnew) || self.edges.keeper.journal.is_ephemeral();
        if ends && self.session().state() != State::Closed {
            // Another program may have it, which it goes on in.
            let _ = self.input().end(now);
        }
        self.stage = Stage::Leaving { by: now.clock + LEAVE_WITHIN, then };
    }

    /// The exit code, once there is nothing more to do.
    fn leave_when_done(&mut self, now: Now) -> Result<Option<u8>, Stop> {
        if matches!(self.stage, Stage::Talking) && self.is_script_done(now) {
            self.leave(Then::Exit(0), now);
            self.turn(now)?;
        }
        let Stage::Leaving { by, then } = self.stage else { return Ok(None) };
        if !self.is_left() && now.clock < by {
            return Ok(None);
        }
        self.input().leave();
        self.turn(now)?;
        if let Some(session) = self.sessions.get(self.edges.current) {
            self.edges.tell_undelivered(session, session.undelivered())?;
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
                    && let Err(why) = self.obey(&command, Now::read())?
                {
                    self.edges.seat.fail(why.to_owned());
                }
                self.turn(now)?;
                Ok(None)
            }
        }
    }

    /// Whether nothing is owed to anybody: what was typed is where it belongs.
    fn is_left(&self) -> bool {
        match self.session().state() {
            State::Queued | State::Active => {
                self.session().undelivered().is_empty() || self.session().is_parted()
            }
            State::Bot | State::Closed => {
                self.session().is_settled() && self.session().is_disconnected()
            }
        }
    }

    /// Lines of desks up to this ticket are on the screen.
    fn shown(&mut self, ticket: u64) {
        for (id, desk, number) in self.edges.seat.shown(ticket) {
            if let (Some(session), Some(desk)) = (self.sessions.input(id), desk) {
                session.shown(desk, number);
            }
        }
    }

    /// A script is done when its input is, and no person has the conversation; or when no desk will
    /// take it.
    fn is_script_done(&mut self, now: Now) -> bool {
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

    fn notice(&self, text: &str) {
        self.edges.seat.notice(text);
    }
}

/// What a person should do when the desk speaks plaintext and this side TLS.
fn other_side_is_plaintext() -> String {
    format!(
        "{}; give --plaintext anywhere here too, but only if a tunnel leads to it",
        net::Closed::Plaintext
    )
}
