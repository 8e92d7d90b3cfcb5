//! The steps of a history: the customer, the bot and a desk act, and time passes.

use std::time::{Duration, Instant};

use handoff::core::record::Record;
use handoff::core::reply::{Handoff, Reply};
use handoff::core::session::{Fresh, Resumed, Session};
use handoff::core::sessions::Sessions;
use handoff::wire::{
    Author, Body, Button, Code, DeskId, Entry, Message, Number, Request, Said, Secret, State,
    Welcome,
};
use serde_json::json;

use super::super::choices::Choices;
use super::super::disk::Death;

use super::{DESKS, World};

impl World {
    pub(super) fn step(&mut self, step: u8, choices: &mut Choices) {
        let now = self.edges.now;
        match step {
            0..=2 => {
                let line = choices.of(&["what was typed", "1", "The red one", "/x"]);
                _ = self.session().say(line, now);
            }
            3 | 4 => _ = self.session().ask_for_human(now),
            5 => _ = self.session().withdraw(now),
            6 => _ = self.session().end(now),
            7 => _ = self.session().ask_again(now),
            8..=10 => self.bot_answers(choices),
            11 | 12 => self.connects(choices),
            13 => self.is_cut(),
            14..=25 => self.desk_sends(choices),
            26 => self.pass(choices),
            27 => self.restart(choices),
            28 => self.look(),
            29 => {
                let desk = choices.of(&DESKS);
                let number = self.edges.theirs.get(&desk).copied().unwrap_or(0);
                self.session().shown(desk, number);
            }
            30 => {
                self.session().leave();
                self.act();
                self.restart(choices);
            }
            _ => self.act(),
        }
    }

    fn bot_answers(&mut self, choices: &mut Choices) {
        let (kind, now) = (choices.byte(), self.edges.now);
        if kind % 8 == 7 {
            // An answer without a question.
            return self.session().answered(u64::MAX / 2, Ok(Reply::default()), now);
        }
        if let Some(ticket) = self.edges.asked.take() {
            let buttons = vec![
                Button {
                    title: "The red one".to_owned(),
                    payload: "/pick".to_owned(),
                    ..Button::default()
                },
                Button { title: "Neither".to_owned(), ..Button::default() },
            ];
            let said = vec![Said { buttons, ..Said::text(Author::Bot, "Which one?") }];
            let handoff = (kind & 16 != 0).then_some(Handoff::default());
            let answer = match kind % 8 {
                0 => Err("the bot is away".to_owned()),
                1 => Ok(Reply { said: Vec::new(), handoff }),
                _ => Ok(Reply { said, handoff }),
            };
            self.session().answered(ticket, answer, now);
        } else if let Some(ticket) = self.edges.returning.take() {
            let why = || "it failed".to_owned();
            let outcome = match kind % 8 {
                0 => Resumed::WithoutLines,
                1 => Resumed::StillPaused,
                2 => Resumed::NoApi(why()),
                3 => Resumed::Unreached(why()),
                4 => Resumed::Failed(why()),
                _ => Resumed::Yes,
            };
            self.session().returned(ticket, outcome, now);
        }
    }

    /// The current dial succeeds or fails; usually the desk sends a welcome at once.
    fn connects(&mut self, choices: &mut Choices) {
        let how = choices.byte();
        let Some(line) = self.edges.line.as_mut().filter(|line| !line.connected) else { return };
        if how % 8 == 7 {
            return self.is_cut();
        }
        line.connected = true;
        let conn = line.conn;
        self.session().connected(conn, None, None);
        if how % 8 < 6 {
            self.act();
            self.welcome(how / 8, choices);
        }
    }

    fn welcome(&mut self, how: u8, choices: &mut Choices) {
        let desk = DESKS[usize::from(how == 31)];
        // The number that the desk really has, or another one.
        let received =
            if how < 24 { self.sent_to(desk) } else { self.number(self.edges.own, choices) };
        let welcome =
            Message::Welcome(Welcome { desk, received, state: State::Bot, features: Vec::new() });
        self.receives(welcome);
        if let Some(line) = &mut self.edges.line
            && line.desk.is_none()
            && line.connected
        {
            (line.desk, line.sent) = (Some(desk), received);
            self.edges.came = self.edges.theirs.get(&desk).copied().unwrap_or(0);
        }
    }

    /// The number that this desk acknowledged last.
    fn sent_to(&self, desk: DeskId) -> Number {
        let acked = |record: &Record| match record {
            Record::Acked(of, number) if *of == desk => Some(*number),
            _ => None,
        };
        self.edges.records().rev().find_map(acked).unwrap_or(0)
    }

    fn desk_sends(&mut self, choices: &mut Choices) {
        let kind = choices.byte();
        let sent = self.edges.line.as_ref().map_or(0, |line| line.sent);
        let code = [
            Code::Leaving,
            Code::Gap,
            Code::Other,
            Code::Version,
            Code::Secret,
            Code::Replaced,
            Code::Fork,
        ];
        let message = match kind % 16 {
            0..=6 => self.entry(kind / 16, choices),
            7..=10 => Message::Ack { number: self.number(sent, choices) },
            11 => Message::Seen { number: self.number(sent, choices) },
            12 => {
                let unattended = [None, Some(false), Some(true)][usize::from(kind >> 5) % 3];
                Message::Position { position: (kind / 16).into(), unattended }
            }
            13 => Message::Busy { retry: choices.of(&[0, 30, u32::MAX]) },
            14 => Message::Bye { code: choices.of(&code), text: "bye".to_owned() },
            _ if kind < 64 => Message::Ping {},
            _ if kind < 128 => Message::Typing {},
            _ => return self.welcome(kind % 32, choices),
        };
        self.receives(message);
    }

    fn entry(&mut self, kind: u8, choices: &mut Choices) -> Message {
        self.edges.came += 1;
        let number =
            if kind == 15 { self.number(self.edges.came, choices) } else { self.edges.came };
        let is_request = |record: &&Record| {
            matches!(record, Record::Own(Entry { body: Body::Requested { .. }, .. }))
        };
        let request = match self.edges.records().rfind(is_request) {
            Some(Record::Own(entry)) if kind & 1 == 0 => entry.number,
            _ => choices.below(8).into(),
        };
        let said = Said::text(Author::Admin, "what was said");
        let body = match kind {
            0 => Body::Message(said),
            1 => Body::Message(Said { greeting: true, ..said }),
            2..=5 => Body::Accept { request, name: Some("Alice".to_owned()) },
            6..=8 => Body::HandBack { request },
            9..=11 => Body::Close { request },
            12 => Body::Unknown(json!({"later": {}})),
            13 => Body::Message(Said::text(Author::User, "made up")),
            14 if self.edges.came & 1 == 0 => Body::Requeue { request },
            14 => Body::Requested(Request::default()),
            _ => Body::Message(said),
        };
        Message::Entry(Entry { number: number.max(1), at: choices.of(&[0, u64::MAX]), body })
    }

    /// A number near `last`, or an impossible one.
    fn number(&self, last: Number, choices: &mut Choices) -> Number {
        match choices.below(16) {
            0 => 0,
            1 => Number::MAX,
            away @ 2..=4 => last.saturating_add(Number::from(away) - 1),
            away @ 5..=7 => last.saturating_sub(Number::from(away) - 4),
            _ => last,
        }
    }

    fn receives(&mut self, message: Message) {
        let line = self.edges.line.as_ref().filter(|line| line.connected && !line.closed);
        let Some(conn) = line.map(|line| line.conn) else { return };
        if !self.sessions.received(conn, message, self.edges.now) {
            self.is_cut();
        }
    }

    fn is_cut(&mut self) {
        if let Some(line) = self.edges.line.take() {
            self.sessions.disconnected(line.conn, "cut", self.edges.now);
        }
    }

    fn pass(&mut self, choices: &mut Choices) {
        // All inputs of a batch have the same time.
        self.act();
        let seconds = choices.of(&[1, 15, 700, 12 * 3600, 24 * 3600]);
        self.edges.now.clock += Duration::from_secs(seconds);
        self.edges.now.wall += seconds * 1000;
        self.act();
        let is_ahead = |at: Instant| at > self.edges.now.clock;
        assert!(
            self.sessions.deadline().is_none_or(is_ahead),
            "the sessions' deadline stays in the past"
        );
    }

    /// The process dies before or after its next commit, and is started again.
    fn restart(&mut self, choices: &mut Choices) {
        self.edges.disk.dies = Some(Death::of(choices));
        if self.turn().is_ok() {
            // The turn had no commit at which the process could die.
            self.edges.disk.dies = None;
        }
        self.come_back();
    }

    fn come_back(&mut self) {
        let edges = &mut self.edges;
        (edges.line, edges.asked, edges.returning, edges.position_told) = (None, None, None, None);
        edges.carried = None;
        self.sessions = Sessions::new(2, edges.now);
        let session = match edges.disk.story(edges.id) {
            Some(story) => {
                let own = |number| edges.disk.journal.own(story.id, number);
                let restored = Session::restore(&story, "desk:1".to_owned(), 2, own, edges.now);
                let session = restored.expect("no read fails here");
                assert_eq!(
                    story.is_over(),
                    session.is_over(),
                    "the journal and the restored session disagree about the end"
                );
                session
            }
            // The process died before its first commit.
            None => {
                let fresh = Fresh { id: edges.id, secret: Secret::new([9; 32]), seed: 2 };
                Session::new(fresh, None, "desk:1".to_owned(), edges.now)
            }
        };
        self.sessions.insert(session);
    }

    /// Calls everything that the program reads from a session.
    fn look(&mut self) {
        self.act();
        let own = self.edges.own;
        let session = self.session();
        let owed = session.undelivered();
        assert!(*owed.end() <= own, "an undelivered number was never assigned");
        let _ = (session.mark(), session.agent());
        let _ = session.hear();
        assert!(!session.is_settled() || !session.is_bot_busy());
        let disk = &self.edges.disk;
        let entry = |number| disk.journal.own(self.edges.id, number);
        let session = self.sessions.get(self.edges.id).expect("the customer has a session");
        let lines = session.said_to_person(owed, entry).expect("no read fails here");
        assert!(lines.len() as u64 <= own);
    }
}
