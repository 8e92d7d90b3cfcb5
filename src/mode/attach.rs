//! `handoff attach`: an agent's terminal, for a desk that runs elsewhere.
//!
//! The desk carries out the lines that are typed here and sends everything that is shown. This side
//! keeps each line until the desk has done it, and signs in again when the connection is lost.
//! Rules: docs/PROTOCOL.md, "Agents' terminals".
//!
//! ```text
//!              connected: sign_in            signed_in
//!   connecting ─────────────────▶ introduced ─────────▶ attached
//!       ▲                          │        │              │
//!       ├─── a new code ── refused ◀        │              │
//!       └────────── after a wait ───────────┴──── lost ────┘
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, never};

use crate::core::backoff::Backoff;
use crate::core::report::Report;
use crate::core::script::{BATCH_MAX, QUEUE_MAX, Rest};
use crate::edge::clock;
use crate::edge::journal::{Credentials, Fault, TypedLines};
use crate::edge::signals;
use crate::edge::term::{self, Screen, Typed};
use crate::edge::tls::{Fingerprint, Trust};
use crate::mode::args;
use crate::mode::around::seed;
use crate::mode::attached::dialect_of_agents;
use crate::net::{Net, Settings};
use crate::turn::inputs::{Event, Inputs, Takes};
use crate::turn::peers::Peers;
use crate::wire::seat::SeatMessage;
use crate::wire::{self, Author, Conn, ConversationId, Frames};

use code::sign_in_with;

mod code;
mod connection;
mod leaving;

/// The longest wait between two attempts to reach the desk. Customers wait for this agent, and a
/// desk has few terminals, so the waits are shorter than those of customers' sides.
const DIAL_WITHIN: Duration = Duration::from_secs(5);

/// The way to the desk.
enum Link {
    /// There is no connection. The next attempt is at this time.
    Waiting(Instant),
    /// A dial, or a connection on which the desk has not answered yet.
    Opening(Conn),
    /// The agent is signed in.
    Attached(Conn),
    /// The desk refuses the code, and the person must type another one. A script gives the desk up.
    Refused,
}

struct Attach {
    desk: String,
    settings: Settings,
    net: Net,
    screen: Screen,
    is_json: bool,
    lines: TypedLines,
    credentials: Credentials,
    link: Link,
    backoff: Backoff,
    since: Instant,
    frames: Frames<SeatMessage>,
    /// Whether the person has read that the connection is lost.
    is_told_lost: bool,
    /// How many facts came on this connection; and those that the screen has not shown yet, each
    /// with its ticket at the screen.
    facts: u64,
    unshown: VecDeque<(u64, u64)>,
    /// The offset in the desk's journal up to which each conversation was shown here.
    shown: BTreeMap<ConversationId, u64>,
    focus: Option<ConversationId>,
    /// The conversations of other agents that are watched here.
    watched: Vec<ConversationId>,
    /// The customer in focus, in the desk's words.
    who: Option<String>,
    /// What happens to the agent's customers if this terminal leaves.
    customers: Option<String>,
    /// Whether the person has read that, and was asked whether to leave.
    has_asked_to_leave: bool,
    /// The number of lines of the list that the window shows.
    list_rows: u16,
    /// The input of a script has ended, and whether the desk knows.
    end: End,
    /// A script's latest line is `/quit`.
    has_quit: bool,
    /// The script has failed: these lines of it are not sent.
    rest: Option<Rest>,
    /// The program is ending: the latest time for it, and the exit code.
    leaving: Option<(Instant, u8)>,
}

#[derive(PartialEq)]
enum End {
    No,
    Reached,
    Told,
}

/// Runs until the agent leaves, or the desk refuses this terminal. Returns the exit code.
///
/// # Errors
/// One line for the person, when it cannot start.
pub fn run(args: &args::Attach) -> Result<u8, String> {
    let options = term::Options {
        json: args.json,
        plain: args.plain,
        limit: wire::TEXT_MAX,
        me: Author::Admin,
        reads_stdin: true,
        may_suspend: true,
    };
    term::hold_suspension(&options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let mut lines = TypedLines::open(&args.folder()?)?;
    let (credentials, unsent) = sign_in_with(args, &mut lines)?;
    let (net_events, net) = bounded(QUEUE_MAX);
    let sockets = Net::start(net_events);
    let sockets = sockets.map_err(|e| format!("cannot start the socket thread: {e}"))?;
    let trust = Trust::Keys(vec![Fingerprint::new(credentials.desk_key)]);
    let security = trust.security()?;
    let dialect = dialect_of_agents(Peers::dialect("this terminal speaks TLS"));
    let (screen, typed, shown) =
        term::start(options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let signals = signals::listen()?;
    screen.show(Report::Ready { mode: "attach", listen: None, fingerprint: None, url: None });
    let now = clock::now().clock;
    let mut attach = Attach {
        desk: args.desk.clone(),
        settings: Settings::new(security, [dialect]),
        net: sockets,
        screen,
        is_json: args.json,
        lines,
        credentials,
        link: Link::Waiting(now),
        backoff: Backoff::new(seed()?).at_most(DIAL_WITHIN),
        since: now,
        frames: Frames::default(),
        is_told_lost: false,
        facts: 0,
        unshown: VecDeque::new(),
        shown: BTreeMap::new(),
        focus: None,
        watched: Vec::new(),
        who: None,
        customers: None,
        has_asked_to_leave: false,
        list_rows: 0,
        end: End::No,
        has_quit: false,
        rest: None,
        leaving: None,
    };
    unsent.iter().for_each(|text| attach.give_back("the code is another one", text));
    let inputs = Inputs { typed, screen: shown, net, answers: never::<Infallible>(), signals };
    let ended = attach.run(&inputs).unwrap_or_else(|why| {
        attach.error(why);
        1
    });
    let Attach { net, screen, .. } = attach;
    net.finish(Duration::from_secs(1));
    screen.finish();
    Ok(ended)
}

impl Attach {
    fn run(&mut self, inputs: &Inputs<Infallible>) -> Result<u8, String> {
        loop {
            self.dial_if_due();
            self.net.flush();
            self.screen.flush();
            let takes = Takes { lines: self.takes_lines(), net: self.has_room() };
            let mut event = inputs.wait(takes, self.deadline());
            for _ in 0..BATCH_MAX {
                self.handle(event)?;
                let takes = Takes { lines: self.takes_lines(), net: self.has_room() };
                let Some(next) = inputs.poll(takes) else { break };
                event = next;
            }
            self.tell_end();
            if let Some(code) = self.leave_when_done()? {
                return Ok(code);
            }
        }
    }

    /// A person's lines are taken at once. A script's next line is taken when the desk has done the
    /// one before.
    fn takes_lines(&self) -> bool {
        let is_free = self.screen.is_interactive() || self.lines.is_empty();
        (self.leaving.is_none() && self.end == End::No && is_free) || self.reads_rest()
    }

    fn has_room(&self) -> bool {
        self.screen.backlog() < term::BACKLOG_MAX
    }

    fn deadline(&self) -> Option<Instant> {
        let dial = match self.link {
            Link::Waiting(at) => Some(at),
            _ => None,
        };
        let rest = self.rest.as_ref().and_then(|rest| rest.deadline(clock::now()));
        [dial, self.leaving.map(|(by, _)| by), rest].into_iter().flatten().min()
    }

    fn handle(&mut self, event: Event<Infallible>) -> Result<(), String> {
        match event {
            Event::Typed(Typed::Line(line)) => self.typed(self.focus, &line)?,
            Event::Typed(Typed::LineTo(id, line)) => self.typed(Some(id), &line)?,
            Event::Typed(Typed::Enter) => {
                self.dial_now();
                self.send(&SeatMessage::Enter {});
            }
            Event::Typed(Typed::Draft(draft)) => {
                self.send(&SeatMessage::Typing { draft: Some(draft) });
            }
            Event::Typed(Typed::Complete(line)) => self.send(&SeatMessage::Complete { line }),
            Event::Typed(Typed::Refused(why)) => self.error(why),
            Event::Typed(Typed::End) if self.screen.is_interactive() => self.ask_to_leave(),
            Event::Typed(Typed::End) => {
                self.rest.iter_mut().for_each(Rest::ended);
                self.end = End::Reached;
            }
            Event::Screen(term::Event::Interrupt { again }) => match &self.customers {
                Some(customers) if !again && self.leaving.is_none() => {
                    self.notice(&format!("{customers}; Ctrl-C again leaves"));
                }
                _ => self.interrupt(130),
            },
            Event::Screen(term::Event::ListRows(rows)) => {
                self.list_rows = rows;
                self.send(&SeatMessage::ListRows { rows });
            }
            Event::Screen(term::Event::Gone(_)) => self.leave(0),
            Event::Screen(term::Event::Shown(ticket)) => self.tell_shown(ticket),
            Event::Signal(signal) => self.interrupt(signals::exit_code(signal)),
            Event::Net(event) => self.net(event)?,
            Event::Answer(never) => match never {},
            Event::Due => {}
        }
        Ok(())
    }

    /// A line was typed while this conversation had the focus: it is kept, and then sent.
    fn typed(&mut self, focus: Option<ConversationId>, text: &str) -> Result<(), String> {
        if let Some(rest) = &mut self.rest {
            rest.add(text);
            return Ok(());
        }
        self.has_quit = text.trim() == "/quit";
        if self.has_quit && self.screen.is_interactive() {
            self.ask_to_leave();
            return Ok(());
        }
        self.has_asked_to_leave = false;
        if matches!(self.link, Link::Refused) {
            return self.take_code(text);
        }
        match self.lines.add(focus, text) {
            Ok(number) => {
                if self.screen.is_interactive() && !matches!(self.link, Link::Attached(_)) {
                    self.notice(&format!("kept, and sent when the desk is back: {text}"));
                    self.dial_now();
                }
                let text = text.to_owned();
                self.send(&SeatMessage::Line { number, conversation: focus, text });
                Ok(())
            }
            Err(Fault::Full) => {
                self.screen.refuse("the disk is full: this line is not taken", text);
                Ok(())
            }
            Err(fault) => Err(fault.to_string()),
        }
    }

    /// Tells the desk which facts are on the screen.
    fn tell_shown(&mut self, ticket: u64) {
        let mut latest = None;
        while let Some((_, fact)) = self.unshown.pop_front_if(|(waiting, _)| *waiting <= ticket) {
            latest = Some(fact);
        }
        if let Some(number) = latest {
            self.send(&SeatMessage::Shown { number });
        }
    }

    /// Tells the desk that a script has no more lines, when all of them are done.
    fn tell_end(&mut self) {
        let is_attached = matches!(self.link, Link::Attached(_));
        if self.end == End::Reached && is_attached && self.lines.is_empty() {
            self.send(&SeatMessage::End {});
            self.end = End::Told;
        }
    }

    /// Gives the person a line back that will not be sent.
    fn give_back(&self, why: &str, line: &str) {
        self.screen.refuse(&format!("not sent, {why}"), line);
    }

    fn notice(&self, text: &str) {
        self.screen.show(Report::Notice { text: text.to_owned() });
    }

    fn error(&self, text: String) {
        self.screen.show(Report::Error { text });
    }
}
