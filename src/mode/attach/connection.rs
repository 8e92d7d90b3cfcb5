//! The connection to the desk: how it comes and goes, and its messages.

use std::time::Duration;

use crate::core::backoff::Backoff;
use crate::edge::clock;
use crate::edge::journal::{Credentials, Fault};
use crate::edge::tls::Fingerprint;
use crate::mode::attached::report_of;
use crate::mode::random;
use crate::net;
use crate::wire::seat::{SHOWN_MAX, SeatMessage, SignIn, View, WATCHED_MAX};
use crate::wire::{self, Code, Conn, Frames, SeatKey};

use super::{Attach, End, Link};

/// How long the desk may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Why a line is given back that the desk may or may not have done.
const MAYBE_DONE: &str = "the desk may have done it already";

impl Attach {
    pub(super) fn dial_if_due(&mut self) {
        let now = clock::now().clock;
        if matches!(self.link, Link::Waiting(at) if at <= now) {
            self.link = Link::Opening(self.net.dial(&self.desk, self.settings.clone()));
        }
    }

    /// A person presses Enter while the desk is away: makes the next attempt at once, and reports
    /// how it ends.
    pub(super) fn dial_now(&mut self) {
        if matches!(self.link, Link::Waiting(_)) {
            self.link = Link::Waiting(clock::now().clock);
            self.is_told_lost = false;
        }
    }

    pub(super) fn net(&mut self, event: net::Event) -> Result<(), String> {
        match event {
            net::Event::Connected { conn, key, .. } => self.connected(conn, key)?,
            net::Event::Received { conn, bytes } => self.received(conn, bytes)?,
            net::Event::Closed { conn, why } => {
                if let net::Closed::Tls(why) | net::Closed::Distrusted(why) = &why
                    && self.is_current(conn)
                {
                    return self.give_up(format!("{}: {why}", self.desk));
                }
                self.lost(conn, &why.to_string());
            }
            net::Event::Trouble { what } => self.error(what),
            net::Event::Accepted { .. } | net::Event::Stranger { .. } => {}
        }
        Ok(())
    }

    /// A connection is open. Only the desk that the code names gets the secret.
    fn connected(&mut self, conn: Conn, key: Option<Fingerprint>) -> Result<(), String> {
        let wanted = Fingerprint::new(self.credentials.desk_key);
        if key != Some(wanted) {
            let shown = key.map_or_else(|| "unknown".to_owned(), |key| key.to_string());
            self.net.close(conn);
            return self.give_up(format!(
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
            watched: self.watched.iter().copied().take(WATCHED_MAX).collect(),
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
            SeatMessage::Bye { text, .. } => {
                self.net.close(conn);
                self.give_up(format!("{}: {text}", self.desk))?;
            }
            SeatMessage::Taken { number } => self.taken(number)?,
            SeatMessage::Refused { why, line } => self.screen.refuse(&why, &line),
            SeatMessage::Fact(fact) => {
                self.facts += 1;
                let ticket = self.screen.show(report_of(fact));
                self.unshown.push_back((ticket, self.facts));
            }
            SeatMessage::Upto { conversation, offset } => {
                self.shown.insert(conversation, offset);
                if self.shown.len() > SHOWN_MAX {
                    // Drops the conversation whose latest line is the oldest.
                    let oldest = self.shown.iter().min_by_key(|(_, offset)| **offset);
                    let oldest = oldest.map(|(id, _)| *id);
                    oldest.map(|id| self.shown.remove(&id));
                }
            }
            SeatMessage::View(View { prompt, short, focus, count, who, leaving, watched }) => {
                self.watched = watched;
                (self.focus, self.who, self.customers) = (focus, who, leaving);
                self.screen.prompt(prompt, short, focus);
                self.screen.title(count);
            }
            SeatMessage::List { lines } => self.screen.list(lines),
            SeatMessage::Completed { line, rest } => self.screen.complete(&line, &rest),
            SeatMessage::Insert { text } => self.screen.insert(&text),
            SeatMessage::Ring { text } => self.screen.ring(&text),
            SeatMessage::Over { failed } => self.script_is_over(failed),
            // A desk sends nothing else.
            _ => {}
        }
        Ok(())
    }

    /// The desk knows this agent. It has done the lines up to `taken`, except those that it did not
    /// send. It gets the later lines now.
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
            // One of the two journals is an old copy, so nobody knows which of the lines are done;
            // or another agent typed them here.
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

    /// The connection is gone, or the dial failed. The next attempt comes after a wait.
    pub(super) fn lost(&mut self, conn: Conn, why: &str) {
        if !self.is_current(conn) {
            return;
        }
        let now = clock::now().clock;
        if matches!(self.link, Link::Attached(_)) && now >= self.since + Backoff::HEALTHY {
            self.backoff.reset();
        }
        self.link = Link::Waiting(now + self.backoff.wait());
        if !std::mem::replace(&mut self.is_told_lost, true) {
            let now = if self.screen.is_interactive() { "; Enter tries at once" } else { "" };
            self.notice(&format!("not attached to {}: {why}; trying again{now}", self.desk));
        }
        let who = self.who.as_ref().map(|who| format!(", {who}")).unwrap_or_default();
        let prompt = format!("not attached{who}");
        self.screen.prompt(prompt.clone(), prompt, self.focus);
        self.screen.list(Vec::new());
    }

    pub(super) fn is_current(&self, conn: Conn) -> bool {
        matches!(self.link, Link::Opening(known) | Link::Attached(known) if known == conn)
    }

    fn is_opening(&self, conn: Conn) -> bool {
        matches!(self.link, Link::Opening(known) if known == conn)
    }

    /// Sends a message, if the agent is signed in.
    pub(super) fn send(&self, message: &SeatMessage) {
        if let Link::Attached(conn) = self.link {
            self.send_on(conn, message);
        }
    }

    fn send_on(&self, conn: Conn, message: &SeatMessage) {
        self.net.send(conn, wire::frame(message));
    }
}
