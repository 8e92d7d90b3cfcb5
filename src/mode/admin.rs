//! `handoff admin`: the desk's loop.
//!
//! It drains the inputs that wait, has the desk handle them, and takes a turn ([`crate::turn`]).
//! `lines` carries out the lines that are typed at any seat: an agent's at once, a script's when
//! they are due. The terminal that started the desk is the first seat; the seats of attached
//! terminals come and go (`sign_in`).

use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, unbounded};
use jiff::tz::TimeZone;

use crate::core::clock::Now;
use crate::core::desk::hello::is_secret_of;
use crate::core::desk::{self, Desk, Options, SeatId};
use crate::core::record::{Line, Offset, What};
use crate::core::report::Report;
use crate::core::script::{BATCH_MAX, QUEUE_MAX};
use crate::edge::agents::AgentsFile;
use crate::edge::clock;
use crate::edge::journal::Journal;
use crate::edge::notifier::Notifier;
use crate::edge::signals;
use crate::edge::term::{self, Typed};
use crate::edge::tls::{Plaintext, Security};
use crate::mode::{self, args, random};
use crate::net::{self, Net, Settings};
use crate::turn::inputs::{Event, Inputs, Takes};
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::turn::seat::Seat;
use crate::turn::turn;
use crate::wire::seat::AGENTS;
use crate::wire::{self, Author, ConversationId, DeskId, Former, Message};

use finder::{Answer, Finder};
use replies::CannedReplies;
use seat::AgentSeat;
use terminals::Terminals;
use world::{Edges, Seats};

mod attached;
mod finder;
mod leaving;
mod lines;
mod replies;
mod seat;
mod side_list;
mod sign_in;
mod terminals;
mod views;
mod world;

/// How often the desk looks whether its file of agents has changed.
const AGENTS_LOOK: Duration = Duration::from_millis(500);

/// The most conversations, in which a customer was turned away, that the desk passes over to find
/// the customer's last one before them.
const PASSED_MAX: usize = 64;

struct Admin {
    desk: Desk,
    edges: Edges,
    auto_accept: bool,
    /// Nobody types here (`--no-terminal`): the desk goes on when its stdout is closed.
    no_terminal: bool,
    shows_typing: bool,
    shows_seen: bool,
    /// The thread that searches the journal, if the journal is on the disk.
    finder: Option<Finder>,
    /// The canned replies, if there are any.
    canned: Option<CannedReplies>,
    /// The agents of this desk, and when to look at their file next; `None` if it can have none.
    agents: Option<(AgentsFile, Instant)>,
    /// The person has read who would lose the desk, and must confirm that it should end.
    has_asked_to_end: bool,
    /// The desk is leaving: the latest time for it, and the exit code.
    leaving: Option<(Instant, u8)>,
}

/// Runs until the agent leaves. Returns the exit code.
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
        may_suspend: false,
    };
    let trusted_gateways = args.trusted_gateways()?;
    let canned = args.replies.clone().map(CannedReplies::read).transpose()?;
    term::hold_suspension(&options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let mut profile = args.place().open()?;
    let Secured { security, fingerprint, has_new_key, date_warning } = secure(&args)?;
    let (net_events, net) = bounded(QUEUE_MAX);
    let sockets = Net::start(net_events);
    let sockets = sockets.map_err(|e| format!("cannot start the socket thread: {e}"))?;
    let connections = sockets.at_most(args.connections);
    let agents = args.agents_file()?.map(AgentsFile::open).transpose()?;
    if let Some(key) = fingerprint.as_ref().filter(|_| agents.is_some()) {
        args.keep_desk_key(key)?;
    }
    let mut dialects = vec![Peers::dialect(Peers::refusal(&security))];
    if agents.is_some() {
        dialects.push(Terminals::dialect(&dialects[0]));
    }
    let listen = sockets.listen(&args.listen, Settings::new(security, dialects));
    let listen = listen.map_err(|e| e.to_string())?;
    if args.plaintext == Some(Plaintext::Loopback) && !listen.ip().is_loopback() {
        return Err(format!(
            "--plaintext loopback is for this machine only, and {listen} is not; drop it, or give \
             --plaintext anywhere inside a tunnel"
        ));
    }
    let id = profile.journal.desk_id(DeskId::new(random()?)).map_err(|fault| fault.to_string())?;
    let restart = profile.journal.restart().map_err(|fault| fault.to_string())?;
    let (screen, typed, shown) =
        term::start(options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let signals = signals::listen()?;
    screen.show(Report::Ready { mode: "admin", listen: Some(listen), fingerprint, url: None });
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
        screen.show(Report::Notice { text: mode::too_few_files(connections, args.connections) });
    }
    let roster = agents.as_ref().map(|file| file.agents().clone()).unwrap_or_default();
    if args.no_terminal && roster.iter().next().is_none() {
        let text = match agents {
            Some(_) => "no agents: handoff agent add NAME; customers wait in the queue",
            None => "no agent can be at this desk: customers wait in the queue",
        };
        screen.show(Report::Notice { text: text.to_owned() });
    }
    let options = Options {
        name: args.name,
        greeting: args.greeting,
        auto_accept: args.auto_accept,
        customers: args.customers,
        customers_per_address: args.per_address,
        trusted_gateways,
        notify_every: args.notify_every,
        agents: roster,
        has_terminal: !args.no_terminal,
        agent_grace: args.agent_grace,
        max_active: args.max_active,
        private_drafts: args.private_drafts,
        assign: args.assign,
        answer_within: args.answer_within,
        zone: TimeZone::system(),
    };
    let (tell_fault, faults) = unbounded();
    let notifier = Notifier::start(args.notify, &tell_fault);
    let finder = profile.journal.file().map(|file| Finder::start(file, tell_fault.clone()));
    let keeper = Keeper::new(profile.journal, typed.clone(), shown.clone(), signals.clone());
    let here = AgentSeat::new(SeatId::TERMINAL, Seat::new(screen), args.json, args.no_terminal);
    let mut admin = Admin {
        desk: Desk::restore(id, options, &restart, clock::now()),
        edges: Edges {
            keeper,
            peers: Peers::new(sockets, Some(args.rate)),
            seats: Seats::new(here),
            terminals: Terminals::default(),
            notifier,
        },
        auto_accept: args.auto_accept,
        no_terminal: args.no_terminal,
        shows_typing: args.shows_typing,
        shows_seen: args.shows_seen,
        finder,
        canned,
        agents: agents.map(|file| (file, clock::now().clock)),
        has_asked_to_end: false,
        leaving: None,
    };
    let inputs = Inputs { typed, screen: shown, net, answers: faults, signals };
    let ids = restart.stories.into_iter().map(|story| story.id);
    let ended = admin.go_on(ids).and_then(|()| admin.run(&inputs));
    admin.edges.peers.finish(Duration::from_secs(1));
    admin.edges.seats.finish();
    Stop::exit_code(ended)
}

/// The security of the connections between customers and this desk.
struct Secured {
    security: Security,
    /// The fingerprint of the key that customers will see; none in plaintext.
    fingerprint: Option<String>,
    /// Whether the key was made at this start.
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
        date_warning: identity.date_warning(clock::now().wall),
        security: identity.security()?,
    })
}

impl Admin {
    /// Reports every conversation that goes on after a restart.
    fn go_on(&mut self, ids: impl Iterator<Item = ConversationId>) -> Result<(), Stop> {
        let live: Vec<ConversationId> = ids.filter(|id| self.desk.is_live(*id)).collect();
        let here = &mut self.edges.seats[SeatId::TERMINAL];
        if here.is_json() {
            for id in live {
                for line in self.edges.keeper.journal.lines(id, Offset::START)? {
                    if line.said().is_some() {
                        here.show_line(&self.desk, id, None, &line, true);
                    }
                    here.note_drawn(id, line.offset);
                }
            }
        }
        self.desk.tell_states();
        Ok(())
    }

    fn run(&mut self, inputs: &Inputs<Answer>) -> Result<u8, Stop> {
        self.turn(clock::now())?;
        // A person has read it already: behind a prompt, or in its place.
        let seat = &self.edges.seats[SeatId::TERMINAL];
        if !seat.is_json() && !seat.seat().is_person() {
            self.tell_focus(SeatId::TERMINAL);
        }
        loop {
            self.handle(inputs.wait(self.takes(), self.deadline()))?;
            for _ in 0..BATCH_MAX {
                let Some(event) = inputs.poll(self.takes()) else { break };
                self.handle(event)?;
            }
            let now = clock::now();
            self.look_for_agents(now);
            self.turn(now)?;
            let at_work = self.edges.seats.at_work();
            if !at_work.is_empty() {
                at_work.into_iter().try_for_each(|at| self.step(at, now))?;
                self.turn(now)?;
            }
            self.end_scripts();
            if let Some(code) = self.leave_when_done(now)? {
                return Ok(code);
            }
        }
    }

    fn turn(&mut self, now: Now) -> Result<(), Stop> {
        turn(&mut self.desk, &mut self.edges, now)
    }

    /// Which inputs the loop can take now.
    fn takes(&self) -> Takes {
        Takes { lines: self.takes_lines(), net: self.here().seat().has_room() }
    }

    fn takes_lines(&self) -> bool {
        let pace = &self.here().input.pace;
        (self.leaving.is_none() && pace.takes_lines()) || pace.reads_rest(clock::now())
    }

    fn deadline(&self) -> Option<Instant> {
        let now = clock::now();
        let prompts = self.edges.seats.iter().filter(|at| at.seat().screen().has_prompt());
        let prompts = prompts.filter_map(|at| self.desk.prompt_changes_in(at.id, now));
        let prompt = prompts.min().map(|time| now.clock + time);
        let later = self.edges.terminals.deadline();
        let paces = self.edges.seats.iter().filter_map(|at| at.input.pace.deadline(now)).min();
        let lists = self.edges.seats.iter().filter_map(|at| at.side_list.due()).min();
        let agents = self.agents.as_ref().map(|(_, look)| *look);
        let desk = [Some(self.desk.deadline()), self.desk.next_call(), prompt, later];
        [self.leaving.map(|(by, _)| by), paces, lists, agents]
            .into_iter()
            .chain(desk)
            .flatten()
            .min()
    }

    fn handle(&mut self, event: Event<Answer>) -> Result<(), Stop> {
        let (now, at) = (clock::now(), SeatId::TERMINAL);
        match event {
            Event::Net(event) => self.net(event, now)?,
            Event::Typed(Typed::Line(line)) => self.typed_to(at, None, &line, now)?,
            Event::Typed(Typed::LineTo(id, line)) => self.typed_to(at, Some(id), &line, now)?,
            Event::Typed(Typed::Enter) => self.desk.confirm(at, now),
            Event::Typed(Typed::Draft(draft)) => self.typing(at, Some(&draft), now),
            Event::Typed(Typed::Complete(line)) => self.complete(at, &line),
            Event::Typed(Typed::Refused(why)) => self.tell(at, Report::Error { text: why }),
            Event::Typed(Typed::End) if self.here().input.pace.is_person() => {
                self.quit(at, now);
            }
            Event::Typed(Typed::End) => self.edges.seats[at].input.pace.ended(None, now),
            Event::Screen(term::Event::Interrupt { again }) => self.ctrl_c(again, now),
            Event::Screen(term::Event::ListRows(rows)) => {
                self.edges.seats[at].side_list.set_rows(rows);
            }
            Event::Screen(term::Event::Gone(error)) if self.no_terminal => {
                log::error!("stdout takes no more ({error}); the desk goes on without it");
            }
            Event::Screen(term::Event::Gone(_)) => self.leave(0, now),
            Event::Screen(term::Event::Shown(ticket)) => {
                self.desk.arrival_shown(at);
                self.shown(at, ticket);
            }
            Event::Answer(Answer::Fault(text)) => self.tell(at, Report::Error { text }),
            Event::Answer(Answer::Found(at, found)) => self.found(at, found),
            Event::Due => {}
            Event::Signal(signal) => self.interrupt(signals::exit_code(signal), now),
        }
        Ok(())
    }

    fn net(&mut self, event: net::Event, now: Now) -> Result<(), Stop> {
        match event {
            net::Event::Accepted { conn, dialect, .. } if dialect == AGENTS => {
                self.edges.terminals.opened(conn);
            }
            net::Event::Received { conn, bytes } if self.edges.terminals.has(conn) => {
                self.terminal_says(conn, bytes, now)?;
            }
            net::Event::Closed { conn, .. } if self.edges.terminals.has(conn) => {
                self.terminal_gone(conn, now);
            }
            net::Event::Accepted { conn, peer, .. } => {
                self.edges.peers.opened(conn, now.clock);
                self.desk.opened(conn, peer.ip().into());
            }
            net::Event::Received { conn, bytes } => {
                let (desk, journal) = (&mut self.desk, &self.edges.keeper.journal);
                let mut unread = Ok(());
                self.edges.peers.received(conn, bytes, now.clock, |message| match message {
                    _ if unread.is_err() => {}
                    Ok(message) => {
                        unread = recall(desk, journal, &message, now);
                        let hello = match &message {
                            Message::Hello(hello) => Some((hello.conversation, hello.former)),
                            _ => None,
                        };
                        desk.received(conn, message, now);
                        if let (Some((id, Some(former))), Ok(())) = (hello, &unread) {
                            unread = note_former(desk, journal, id, &former);
                        }
                    }
                    Err(error) => desk.refuse(conn, &error),
                });
                unread?;
            }
            net::Event::Closed { conn, why } => {
                self.edges.peers.gone(conn);
                self.desk.disconnected(conn, &why.to_string());
            }
            net::Event::Connected { .. } => {}
            net::Event::Trouble { what } => {
                self.tell(SeatId::TERMINAL, Report::Error { text: what });
            }
            net::Event::Stranger { what } => self.notice(&what),
        }
        Ok(())
    }

    /// The screen of a seat has shown everything up to this ticket.
    fn shown(&mut self, at: SeatId, ticket: u64) {
        let seen = self.edges.seats[at].seat_mut().shown(ticket);
        for (id, _, number) in seen.into_iter().filter(|_| self.shows_seen) {
            self.desk.shown(id, number);
        }
    }

    /// The terminal that started the desk.
    fn here(&self) -> &AgentSeat {
        &self.edges.seats[SeatId::TERMINAL]
    }

    /// Shows a report at a seat.
    fn tell(&mut self, at: SeatId, report: Report) {
        self.edges.seats[at].seat_mut().tell(report);
    }

    /// Shows one line at the terminal that started the desk.
    fn notice(&self, text: &str) {
        self.here().seat().notice(text);
    }
}

/// Notes which conversation the customer had before, if they prove it.
fn note_former(
    desk: &mut Desk,
    journal: &Journal,
    id: ConversationId,
    former: &Former,
) -> Result<(), Stop> {
    if let Some(mut story) = journal.story(former.conversation)?
        && is_secret_of(&former.secret, &story)
    {
        let latest = story.ordinal;
        // Agents read of the last conversation in which the customer was not turned away.
        for _ in 0..PASSED_MAX {
            let before = story.former.filter(|_| story.was_turned_away());
            let before = before.map(|before| journal.conversation(before)).transpose()?;
            let before = before.flatten().map(|id| journal.story(id)).transpose()?;
            let Some(before) = before.flatten() else { break };
            story = before;
        }
        let lines = journal.lines(story.id, Offset::START)?;
        let note = lines.iter().rev().find_map(|line| match &line.what {
            What::Note(note) => Some(note.clone()),
            What::Entry(..) => None,
        });
        let agent = (story.typed > 0).then_some(story.owner);
        let left_at = lines.iter().rev().find_map(Line::entry).map_or(0, |entry| entry.at);
        desk.has_returned(
            id,
            desk::Former { ordinal: story.ordinal, latest, left_at, note, agent },
        );
    }
    Ok(())
}

/// Reads a conversation from the journal if its customer is back and the desk had forgotten it. The
/// desk handles the hello after that.
fn recall(desk: &mut Desk, journal: &Journal, message: &Message, now: Now) -> Result<(), Stop> {
    if let Message::Hello(hello) = message
        && !desk.knows(hello.conversation)
        && let Some(story) = journal.story(hello.conversation)?
    {
        desk.recall(&story, now);
    }
    Ok(())
}
