//! `handoff attach`: an agent's terminal, for a desk that runs elsewhere.
//!
//! The desk does what is typed here and says what is to be seen; this side keeps each line until the
//! desk has done it, and signs in again when the connection is lost. Rules: docs/PROTOCOL.md,
//! "Agents' terminals".
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

use crate::core::delivery::Backoff;
use crate::core::report::Report;
use crate::core::script::{BATCH_MAX, QUEUE_MAX};
use crate::edge::clock;
use crate::edge::journal::{Credentials, Fault, TypedLines};
use crate::edge::signals;
use crate::edge::term::{self, Screen, Typed};
use crate::edge::tls::{Fingerprint, Trust};
use crate::mode::around::seed;
use crate::mode::attached::{dialect_of_agents, report_of};
use crate::mode::{args, random};
use crate::net::{self, Net, Settings};
use crate::turn::inputs::{Event, Inputs, Takes};
use crate::turn::peers::Peers;
use crate::wire::seat::{SHOWN_MAX, SeatMessage, SignIn, View};
use crate::wire::{self, Author, Code, Conn, ConversationId, Frames, SeatKey};

use code::sign_in_with;

mod code;
mod leaving;

/// How long the desk may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The longest wait between two attempts to reach the desk. Customers wait for this agent, and a
/// desk has few terminals, so the waits are shorter than those of customers' sides.
const DIAL_WITHIN: Duration = Duration::from_secs(5);

/// Why a line is given back that the desk may have or not.
const MAYBE_DONE: &str = "the desk may have done it already";

/// The way to the desk.
enum Link {
    /// Nothing stands. The next attempt is at this time.
    Waiting(Instant),
    /// A dial, or a connection on which the desk has not answered yet.
    Opening(Conn),
    /// The agent is signed in.
    Attached(Conn),
    /// The desk does not take the code: the person is asked for another one.
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
    /// The person knows that the connection is lost.
    is_told_lost: bool,
    /// Facts of this connection so far, and those on their way to the screen with its tickets.
    facts: u64,
    unshown: VecDeque<(u64, u64)>,
    /// Up to which offset of the desk's journal conversations were shown here.
    shown: BTreeMap<ConversationId, u64>,
    focus: Option<ConversationId>,
    /// The customer in focus, as the desk calls them.
    who: Option<String>,
    /// What becomes of the agent's customers if this terminal leaves.
    customers: Option<String>,
    /// The person was told so, and asked whether to leave.
    has_asked_to_leave: bool,
    /// The number of lines of the list that the window shows.
    list_rows: u16,
    /// The input of a script has ended, and whether the desk knows.
    end: End,
    /// The program ends: the latest time for it, and the exit code.
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
        who: None,
        customers: None,
        has_asked_to_leave: false,
        list_rows: 0,
        end: End::No,
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
        self.leaving.is_none() && self.end == End::No && is_free
    }

    fn has_room(&self) -> bool {
        self.screen.backlog() < term::BACKLOG_MAX
    }

    fn deadline(&self) -> Option<Instant> {
        let dial = match self.link {
            Link::Waiting(at) => Some(at),
            _ => None,
        };
        [dial, self.leaving.map(|(by, _)| by)].into_iter().flatten().min()
    }

    fn dial_if_due(&mut self) {
        let now = clock::now().clock;
        if matches!(self.link, Link::Waiting(at) if at <= now) {
            self.link = Link::Opening(self.net.dial(&self.desk, self.settings.clone()));
        }
    }

    /// A person presses Enter while the desk is away: the next attempt is made at once, and its
    /// outcome is said.
    fn dial_now(&mut self) {
        if matches!(self.link, Link::Waiting(_)) {
            self.link = Link::Waiting(clock::now().clock);
            self.is_told_lost = false;
        }
    }

    fn handle(&mut self, event: Event<Infallible>) -> Result<(), String> {
        match event {
            Event::Typed(Typed::Line(line)) => self.typed(self.focus, &line)?,
            Event::Typed(Typed::LineTo(id, line)) => self.typed(Some(id), &line)?,
            Event::Typed(Typed::Enter) => {
                self.dial_now();
                self.send(&SeatMessage::Enter {});
            }
            Event::Typed(Typed::Complete(line)) => self.send(&SeatMessage::Complete { line }),
            Event::Typed(Typed::Refused(why)) => self.error(why),
            Event::Typed(Typed::End) if self.screen.is_interactive() => self.ask_to_leave(),
            Event::Typed(Typed::End) => self.end = End::Reached,
            Event::Screen(term::Event::Interrupt { again }) => match &self.customers {
                Some(customers) if !again && self.leaving.is_none() => {
                    self.notice(&format!("{customers}; Ctrl-C again leaves"));
                }
                _ => self.interrupt(130),
            },
            Event::Screen(term::Event::Typing(draft)) => {
                self.send(&SeatMessage::Typing { draft: Some(draft) });
            }
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
        if self.screen.is_interactive() && text.trim() == "/quit" {
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

    fn net(&mut self, event: net::Event) -> Result<(), String> {
        match event {
            net::Event::Connected { conn, key, .. } => self.connected(conn, key)?,
            net::Event::Received { conn, bytes } => self.received(conn, bytes)?,
            net::Event::Closed { conn, why } => {
                if let net::Closed::Tls(why) | net::Closed::Distrusted(why) = &why
                    && self.is_current(conn)
                {
                    return Err(format!("{}: {why}", self.desk));
                }
                self.lost(conn, &why.to_string());
            }
            net::Event::Trouble { what } => self.error(what),
            net::Event::Accepted { .. } | net::Event::Stranger { .. } => {}
        }
        Ok(())
    }

    /// A connection stands. Only the desk that the code names gets the secret.
    fn connected(&mut self, conn: Conn, key: Option<Fingerprint>) -> Result<(), String> {
        let wanted = Fingerprint::new(self.credentials.desk_key);
        if key != Some(wanted) {
            let shown = key.map_or_else(|| "unknown".to_owned(), |key| key.to_string());
            return Err(format!(
                "{} is not the desk that the code is for: its key is {shown}, and the code is for \
                 {wanted}; 'handoff agent add NAME' at this desk prints a code for it",
                self.desk
            ));
        }
        self.net.expect(conn, Some(ANSWER_WITHIN), "answer");
        (self.frames, self.facts) = (Frames::default(), 0);
        self.unshown.clear();
        let Credentials { code, secret, seat, .. } = self.credentials.clone();
        let sign_in = SeatMessage::SignIn(SignIn {
            seat,
            secret,
            code,
            is_person: self.screen.is_interactive(),
            has_prompt: self.screen.has_prompt(),
            is_json: self.is_json,
            shown: self.shown.clone(),
            focus: self.focus,
        });
        self.send_on(conn, &sign_in);
        Ok(())
    }

    fn received(&mut self, conn: Conn, bytes: Vec<u8>) -> Result<(), String> {
        self.net.read_on(conn, Duration::ZERO);
        if !self.is_current(conn) {
            return Ok(());
        }
        self.frames.push(bytes);
        loop {
            match self.frames.message() {
                Ok(Some(message)) => self.hear(conn, message)?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.net.abort(conn);
                    self.lost(conn, &format!("the desk sent {error}"));
                    return Ok(());
                }
            }
        }
    }

    fn hear(&mut self, conn: Conn, message: SeatMessage) -> Result<(), String> {
        match message {
            SeatMessage::SignedIn { agent, taken, unsent, .. } => {
                self.signed_in(conn, &agent, taken, &unsent)?;
            }
            SeatMessage::Bye { code: Code::Leaving, text } => {
                self.net.close(conn);
                self.lost(conn, &text);
            }
            SeatMessage::Bye { code: Code::Secret, text } if self.is_opening(conn) => {
                self.refused(conn, &text)?;
            }
            SeatMessage::Bye { text, .. } => return Err(format!("{}: {text}", self.desk)),
            SeatMessage::Taken { number } => self.taken(number)?,
            SeatMessage::Refused { why, line } => self.screen.refuse(&why, &line),
            SeatMessage::Fact(fact) => {
                self.facts += 1;
                if let Some(report) = report_of(fact) {
                    let ticket = self.screen.show(report);
                    self.unshown.push_back((ticket, self.facts));
                }
            }
            SeatMessage::Upto { conversation, offset } => {
                self.shown.insert(conversation, offset);
                if self.shown.len() > SHOWN_MAX {
                    // The one that was heard of least lately.
                    let oldest = self.shown.iter().min_by_key(|(_, offset)| **offset);
                    let oldest = oldest.map(|(id, _)| *id);
                    oldest.map(|id| self.shown.remove(&id));
                }
            }
            SeatMessage::View(View { prompt, short, focus, count, who, leaving }) => {
                (self.focus, self.who, self.customers) = (focus, who, leaving);
                self.screen.prompt(prompt, short, focus);
                self.screen.title(count);
            }
            SeatMessage::List { lines } => self.screen.list(lines),
            SeatMessage::Completed { line, rest } => self.screen.complete(&line, &rest),
            SeatMessage::Insert { text } => self.screen.insert(&text),
            SeatMessage::Ring { text } => self.screen.ring(&text),
            SeatMessage::Over { failed } => self.leave(u8::from(failed)),
            // A desk sends nothing else.
            _ => {}
        }
        Ok(())
    }

    /// The desk knows this agent. It has done the lines up to `taken`, but for those that it did not
    /// send, and gets the others.
    fn signed_in(
        &mut self,
        conn: Conn,
        agent: &str,
        taken: u64,
        unsent: &[u64],
    ) -> Result<(), String> {
        self.net.expect(conn, None, "");
        self.frames.accept();
        self.since = clock::now().clock;
        self.is_told_lost = false;
        let fault = |fault: Fault| fault.to_string();
        let waiting = self.lines.waiting().map_err(fault)?;
        for line in waiting.iter().filter(|line| line.number <= taken) {
            if unsent.contains(&line.number) {
                self.give_back("and the connection was lost before the desk said why", &line.text);
            }
        }
        self.lines.taken(taken).map_err(fault)?;
        let waiting = self.lines.waiting().map_err(fault)?;
        let next = waiting.first().map_or(self.lines.latest().map_err(fault)? + 1, |it| it.number);
        let former = self.lines.agent().map_err(fault)?;
        let is_anothers = former.is_some_and(|it| it != agent) && !waiting.is_empty();
        if next != taken + 1 || is_anothers {
            // One of the two journals is an old copy, so nobody knows which of the lines are done; or
            // another agent typed them here.
            self.credentials.seat = SeatKey::new(random()?);
            let unsent = self.lines.begin(&self.credentials).map_err(fault)?;
            for line in unsent {
                let why = if is_anothers { "another agent typed it" } else { MAYBE_DONE };
                self.give_back(why, &line.text);
            }
            self.lines.set_agent(agent).map_err(fault)?;
            self.net.close(conn);
            self.lost(conn, "this terminal signs in anew");
            return Ok(());
        }
        self.lines.set_agent(agent).map_err(fault)?;
        self.link = Link::Attached(conn);
        if self.list_rows > 0 {
            self.send(&SeatMessage::ListRows { rows: self.list_rows });
        }
        self.notice(&format!("attached to {} as {agent}; /help says what you can do", self.desk));
        for line in waiting {
            let (number, conversation, text) = (line.number, line.conversation, line.text);
            self.send(&SeatMessage::Line { number, conversation, text });
        }
        if self.end == End::Told {
            self.end = End::Reached;
        }
        Ok(())
    }

    fn taken(&mut self, number: u64) -> Result<(), String> {
        self.lines.taken(number).map_err(|fault| fault.to_string())
    }

    /// The connection is gone, or never came to be. The next attempt comes after a wait.
    fn lost(&mut self, conn: Conn, why: &str) {
        if !self.is_current(conn) {
            return;
        }
        let now = clock::now().clock;
        if matches!(self.link, Link::Attached(_)) && now >= self.since + Backoff::HEALTHY {
            self.backoff.reset();
        }
        self.link = Link::Waiting(now + self.backoff.wait());
        if !std::mem::replace(&mut self.is_told_lost, true) {
            let now = if self.screen.has_prompt() { "; Enter tries at once" } else { "" };
            self.notice(&format!("not attached to {}: {why}; trying again{now}", self.desk));
        }
        let who = self.who.as_ref().map(|who| format!(", {who}")).unwrap_or_default();
        let prompt = format!("not attached{who}");
        self.screen.prompt(prompt.clone(), prompt, self.focus);
        self.screen.list(Vec::new());
    }

    fn is_current(&self, conn: Conn) -> bool {
        matches!(self.link, Link::Opening(known) | Link::Attached(known) if known == conn)
    }

    fn is_opening(&self, conn: Conn) -> bool {
        matches!(self.link, Link::Opening(known) if known == conn)
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

    /// Tells the desk that a script has no more lines, once all of them are done.
    fn tell_end(&mut self) {
        let is_attached = matches!(self.link, Link::Attached(_));
        if self.end == End::Reached && is_attached && self.lines.is_empty() {
            self.send(&SeatMessage::End {});
            self.end = End::Told;
        }
    }

    /// Sends a message, if the agent is signed in.
    fn send(&self, message: &SeatMessage) {
        if let Link::Attached(conn) = self.link {
            self.send_on(conn, message);
        }
    }

    fn send_on(&self, conn: Conn, message: &SeatMessage) {
        self.net.send(conn, wire::frame(message));
    }

    /// A line that nobody will send comes back to the person.
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
