//! `handoff user`: the customer's loop.
//!
//! It drains the inputs that wait, has the session handle them, and takes a turn ([`crate::turn`]).
//! A person's lines are done at once, a script's when they are due.

use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, unbounded};

use crate::bot::{self, Bot};
use crate::core::clock::Now;
use crate::core::command;
use crate::core::complete::{self, complete};
use crate::core::record::{Offset, Record, Restart};
use crate::core::report::Report;
use crate::core::script::{BATCH_MAX, Pace, QUEUE_MAX};
use crate::core::session::Session;
use crate::core::sessions::Sessions;
use crate::edge::clock;
use crate::edge::signals;
use crate::edge::term::{self, Typed};
use crate::mode::args;
use crate::mode::around;
use crate::mode::around::asker::Asker;
use crate::mode::around::desk::Desk;
use crate::net::{self, Net};
use crate::turn::inputs::{Event, Inputs, Takes};
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::turn::seat::Seat;
use crate::turn::turn;
use crate::wire::{self, Author, State};

use leaving::{Stage, Then};
use world::Edges;

mod leaving;
mod lines;
mod probe;
mod world;

struct User {
    args: args::User,
    sessions: Sessions,
    edges: Edges,
    pace: Pace<command::User>,
    stage: Stage,
    /// The line that was typed after the conversation was closed. The next conversation begins with
    /// it.
    opening: Option<command::User>,
}

/// Runs until the customer leaves. Returns the exit code.
///
/// # Errors
/// One line for the person, when it cannot start.
pub fn run(args: args::User) -> Result<u8, String> {
    let config = args.around.bot_config()?;
    let options = term::Options {
        json: args.json,
        plain: args.plain,
        limit: wire::TEXT_MAX,
        me: Author::User,
        reads_stdin: true,
        may_suspend: true,
    };
    term::hold_suspension(&options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let profile = args.around.place().open()?;
    let trust = args.around.trust()?;
    let security = trust.security()?;
    let (net_events, net) = bounded(QUEUE_MAX);
    let (answers, answered) = unbounded();
    let sockets = Net::start(net_events);
    let sockets = sockets.map_err(|e| format!("cannot start the socket thread: {e}"))?;
    let (screen, typed, shown) =
        term::start(options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let signals = signals::listen()?;
    let keeper = Keeper::new(profile.journal, typed.clone(), shown.clone(), signals.clone());
    let mut seat = Seat::new(screen);
    seat.tell(Report::Ready { mode: "user", listen: None, fingerprint: None, url: None });
    if let Some(text) = config.warning() {
        seat.tell(Report::Notice { text });
    }
    let session = begin(&args)?;
    let asker = Asker::new(Bot::start(config, answers), args.around.triggers());
    let peers = Peers::new(sockets, None);
    let advice = if seat.is_person() { "; /human tries again" } else { "" };
    let desk = Desk::new(args.around.admin.clone(), (trust, security), None, advice);
    let mut user = User {
        pace: Pace::new(seat.is_person()),
        edges: Edges::new(session.id(), keeper, peers, seat, desk, asker),
        sessions: Sessions::new(around::seed()?, clock::now()),
        stage: Stage::Talking,
        opening: None,
        args,
    };
    let inputs = Inputs { typed, screen: shown, net, answers: answered, signals };
    let ended = user.go_on(session).and_then(|()| user.run(&inputs));
    user.edges.drop_probe();
    user.edges.peers.finish(Duration::from_secs(1));
    user.edges.seat.finish();
    Stop::exit_code(ended)
}

/// A new conversation with an id and a secret of its own.
fn begin(args: &args::User) -> Result<Session, String> {
    Ok(Session::new(around::fresh()?, args.name.clone(), args.around.admin.clone(), clock::now()))
}

/// How many of the latest lines a person sees again after a restart.
const REDRAWN: usize = 20;

impl User {
    /// Goes on with the last conversation of the journal, or with `fresh` if that one is over.
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
            self.args.around.admin.clone(),
            around::seed().map_err(Stop::Broken)?,
            |number| journal.own(story.id, number),
            clock::now(),
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
            // First the desk gets what it is still owed, then a new conversation begins.
            self.leave(Then::StartAnew, clock::now());
            return Ok(());
        }
        let lines = self.edges.keeper.journal.lines(story.id, Offset::START)?;
        let from = if self.args.json { 0 } else { lines.len().saturating_sub(REDRAWN) };
        self.edges.tell_history(story.id, &lines[from..]);
        self.notice("this conversation goes on where it was; /new starts another");
        Ok(())
    }

    /// Makes this conversation the person's.
    fn take_up(&mut self, session: Session) {
        self.sessions.remove(self.edges.current);
        self.edges.current = session.id();
        self.sessions.insert(session);
    }

    /// The conversation that the person is in.
    fn session(&self) -> &Session {
        self.sessions.get(self.edges.current).expect("the current session is among them")
    }

    /// The same session, to give it an input.
    fn input(&mut self) -> &mut Session {
        self.sessions.input(self.edges.current).expect("the current session is among them")
    }

    fn run(&mut self, inputs: &Inputs<bot::Answer>) -> Result<u8, Stop> {
        self.turn(clock::now())?;
        self.greet();
        self.edges.start_probe();
        loop {
            self.handle(inputs.wait(self.takes(), self.deadline()))?;
            for _ in 0..BATCH_MAX {
                let Some(event) = inputs.poll(self.takes()) else { break };
                self.handle(event)?;
            }
            let now = clock::now();
            self.step(now)?;
            self.turn(now)?;
            if let Some(code) = self.leave_when_done(now)? {
                return Ok(code);
            }
        }
    }

    /// Tells a person without a prompt that the program is there, and who gets the first line. In
    /// another state than `bot` the next report does.
    fn greet(&self) {
        let session = self.sessions.get(self.edges.current);
        let is_with_bot = session.is_some_and(|session| session.state() == State::Bot);
        if self.edges.seat.is_spoken_to() && is_with_bot {
            self.edges.seat.notice("your lines go to the bot");
        }
    }

    fn turn(&mut self, now: Now) -> Result<(), Stop> {
        turn(&mut self.sessions, &mut self.edges, now)
    }

    /// Which inputs the loop can take now.
    fn takes(&self) -> Takes {
        Takes { lines: self.takes_lines(), net: self.edges.seat.has_room() }
    }

    fn takes_lines(&self) -> bool {
        let is_free = self.pace.is_person() || !self.session().is_bot_busy();
        let is_talking = matches!(self.stage, Stage::Talking);
        (is_talking && self.pace.takes_lines() && is_free) || self.pace.reads_rest(clock::now())
    }

    fn deadline(&self) -> Option<Instant> {
        let leaving = match self.stage {
            Stage::Leaving { by, .. } => Some(by),
            Stage::Talking => None,
        };
        let pace = self.pace.deadline(clock::now());
        [leaving, pace, self.sessions.deadline()].into_iter().flatten().min()
    }

    fn handle(&mut self, event: Event<bot::Answer>) -> Result<(), Stop> {
        let now = clock::now();
        match event {
            Event::Typed(Typed::Line(line) | Typed::LineTo(_, line)) => self.typed(&line, now)?,
            Event::Typed(Typed::Draft(_)) if self.args.shows_typing => {
                self.input().customer_types(now);
            }
            Event::Typed(Typed::Draft(_)) => {}
            Event::Typed(Typed::Complete(line)) => {
                let completion = complete(&line, &complete::USER, |_| Vec::new());
                self.edges.seat.complete(&line, &completion);
            }
            Event::Typed(Typed::Enter) => {}
            Event::Typed(Typed::Refused(why)) => self.edges.seat.tell(Report::Error { text: why }),
            Event::Typed(Typed::End) if self.pace.is_person() => self.leave(Then::Exit(0), now),
            Event::Typed(Typed::End) => self.pace.ended(self.args.linger, now),
            Event::Screen(term::Event::Interrupt { again }) => self.ctrl_c(again, now),
            Event::Screen(term::Event::ListRows(_)) => {}
            Event::Screen(term::Event::Gone(_)) => self.leave(Then::Exit(0), now),
            Event::Screen(term::Event::Shown(ticket)) => self.shown(ticket),
            Event::Due => {}
            Event::Net(event) if self.edges.probe.is_about(&event) => self.edges.probed(event, now),
            Event::Net(event) => self.net(event, now),
            Event::Answer(answer) => self.answer(answer, now),
            Event::Signal(signal) => self.interrupt(signals::exit_code(signal), now),
        }
        Ok(())
    }

    fn net(&mut self, event: net::Event, now: Now) {
        let Edges { peers, desk, keeper, .. } = &mut self.edges;
        let (sessions, journal) = (&mut self.sessions, &keeper.journal);
        match event {
            net::Event::Connected { conn, peer, key } => {
                if let Some(news) = desk.connected((conn, peer, key), peers, sessions, journal, now)
                {
                    self.edges.tell_operator(&news);
                }
            }
            net::Event::Received { conn, bytes } => {
                desk.received((conn, bytes), peers, sessions, now);
            }
            net::Event::Closed { conn, why } => desk.closed(conn, &why, peers, sessions, now),
            net::Event::Accepted { .. } | net::Event::Stranger { .. } => {}
            net::Event::Trouble { what } => self.edges.seat.tell(Report::Error { text: what }),
        }
    }

    fn answer(&mut self, answer: bot::Answer, now: Now) {
        if let Some(text) = self.edges.asker.answered(answer, &mut self.sessions, now) {
            self.edges.tell_operator(&text);
        }
    }

    /// The screen has shown everything up to this ticket.
    fn shown(&mut self, ticket: u64) {
        let seen = self.edges.seat.shown(ticket);
        for (id, desk, number) in seen.into_iter().filter(|_| self.args.shows_seen) {
            if let (Some(session), Some(desk)) = (self.sessions.input(id), desk) {
                session.shown(desk, number);
            }
        }
    }

    fn notice(&self, text: &str) {
        self.edges.seat.notice(text);
    }
}
