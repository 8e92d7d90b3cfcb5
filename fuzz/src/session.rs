//! Whatever a desk sends, in whatever order, and whatever the user, the bot and the clock do
//! meanwhile, across restarts: what the user's side journals has no gaps, what it sends is
//! journaled and for a desk, and the bot is asked nothing that is not its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use handoff::core::clock::Now;
use handoff::core::outcome::Fact;
use handoff::core::record::{Committed, Record, Returning};
use handoff::core::reply::{Handoff, Reply};
use handoff::core::report::Report;
use handoff::core::session::{Errand, Fresh, Resumed, Session, said_without_bot};
use handoff::core::sessions::Sessions;
use handoff::edge::journal::Journal;
use handoff::turn::{self, Written, turn};
use handoff::wire::{
    Author, Body, Button, Code, Conn, ConversationId, DESKS_MAX, DeskId, ENTRY_MAX, Entry,
    FRAME_MAX_BEFORE_HELLO, Message, Number, Said, Secret, State, Welcome,
};
use serde_json::json;

use super::choices::Choices;
use super::disk::{Death, Died, Disk};
use super::frames::encoded;

const ID: ConversationId = ConversationId::new([7; 16]);
const DESKS: [DeskId; 2] = [DeskId::new([1; 16]), DeskId::new([2; 16])];

pub fn session(data: &[u8]) {
    let mut choices = Choices(data);
    let mut world = World::new(choices.byte());
    world.act();
    while !choices.is_over() {
        let step = choices.byte();
        world.step(step % 32, &mut choices);
        // Else the next input comes in the same batch.
        if step < 224 {
            world.act();
        }
    }
    world.act();
}

/// The customers' side, and what is around it.
struct World {
    sessions: Sessions,
    edges: Edges,
}

/// The journal and the connection of one customer.
struct Edges {
    now: Now,
    disk: Disk,
    /// So many of its records are looked at.
    looked_at: usize,
    /// Each desk's highest number that is journaled.
    theirs: BTreeMap<DeskId, Number>,
    /// And of the present desk the highest that was sent.
    came: Number,
    own: Number,
    line: Option<Line>,
    conns: u64,
    asked: Option<u64>,
    returning: Option<u64>,
    /// Which conversation it is now.
    id: ConversationId,
    /// What the new conversation must hold: the messages that no desk acknowledged.
    carried: Option<Vec<Entry>>,
    /// When the customer was told of a position last.
    position_told: Option<Instant>,
}

/// The connection.
struct Line {
    conn: Conn,
    connected: bool,
    hello: bool,
    /// The desk that said welcome.
    desk: Option<DeskId>,
    left: bool,
    closed: bool,
    /// Our highest number that was sent here.
    sent: Number,
}

impl World {
    fn new(named: u8) -> World {
        let now = Now { clock: Instant::now(), wall: 0 };
        let name = (named & 1 != 0).then(|| "Ann".to_owned());
        let fresh = Fresh { id: ID, secret: Secret::new([9; 32]), seed: 1 };
        let mut sessions = Sessions::new(1, now);
        sessions.insert(Session::new(fresh, name, "desk:1".to_owned(), now));
        World { sessions, edges: Edges::new(ID, now) }
    }

    /// The session, for an input.
    fn session(&mut self) -> &mut Session {
        self.sessions.input(self.edges.id).expect("the customer has a session")
    }

    fn step(&mut self, step: u8, choices: &mut Choices) {
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
            // To nothing that was asked.
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
            let handoff = (kind & 16 != 0).then_some(Handoff { reason: None });
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

    /// The dial that is under way succeeds, or fails; most often the desk says welcome at once.
    fn connects(&mut self, choices: &mut Choices) {
        let how = choices.byte();
        let Some(line) = self.edges.line.as_mut().filter(|line| !line.connected) else { return };
        if how % 8 == 7 {
            return self.is_cut();
        }
        line.connected = true;
        let conn = line.conn;
        self.session().connected(conn);
        if how % 8 < 6 {
            self.act();
            self.welcome(how / 8, choices);
        }
    }

    fn welcome(&mut self, how: u8, choices: &mut Choices) {
        let desk = DESKS[usize::from(how == 31)];
        // As many as the desk has, of what it was sent; or something else.
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

    /// What this desk acknowledged last.
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
            12 => Message::Position { position: (kind / 16).into() },
            13 => Message::Busy { retry: choices.of(&[0, 30, u32::MAX]) },
            14 => Message::Bye { code: choices.of(&code), text: "bye".to_owned() },
            _ if kind < 128 => Message::Ping {},
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
            14 => Body::Requested { reason: None },
            _ => Body::Message(said),
        };
        Message::Entry(Entry { number: number.max(1), at: choices.of(&[0, u64::MAX]), body })
    }

    /// A number about `last`, or none that is honest.
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
        // A batch is of one moment.
        self.act();
        let seconds = choices.of(&[1, 15, 700, 12 * 3600, 24 * 3600]);
        self.edges.now.clock += Duration::from_secs(seconds);
        self.edges.now.wall += seconds * 1000;
        self.act();
        let is_ahead = |at: Instant| at > self.edges.now.clock;
        assert!(self.sessions.deadline().is_none_or(is_ahead), "it would never sleep again");
    }

    /// The process dies before or after its next commit, and is started again.
    fn restart(&mut self, choices: &mut Choices) {
        self.edges.disk.dies = Some(Death::of(choices));
        if self.turn().is_ok() {
            // Nothing was committed.
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
                assert_eq!(story.is_over(), session.is_over(), "a restart reads it, or not");
                session
            }
            // It died before its first commit.
            None => {
                let fresh = Fresh { id: edges.id, secret: Secret::new([9; 32]), seed: 2 };
                Session::new(fresh, None, "desk:1".to_owned(), edges.now)
            }
        };
        self.sessions.insert(session);
    }

    /// What the program asks.
    fn look(&mut self) {
        self.act();
        let own = self.edges.own;
        let session = self.session();
        let owed = session.undelivered();
        assert!(*owed.end() <= own, "more is owed than was ever said");
        let _ = (session.mark(), session.desk(), session.admin());
        let _ = session.hear();
        assert!(!session.is_settled() || !session.is_bot_busy());
        let disk = &self.edges.disk;
        let entry = |number| disk.journal.own(self.edges.id, number);
        let session = self.sessions.get(self.edges.id).expect("the customer has a session");
        let lines = session.said_to_person(owed, entry).expect("no read fails here");
        assert!(lines.len() as u64 <= own);
    }

    fn turn(&mut self) -> Result<(), Died> {
        let now = self.edges.now;
        turn(&mut self.sessions, &mut self.edges, now)
    }

    /// A turn that nothing ends early.
    fn act(&mut self) {
        if self.turn().is_err() {
            panic!("nothing killed it");
        }
        assert_eq!(self.session().state(), self.edges.state(), "the journal tells another state");
        let edges = &mut self.edges;
        let desk = edges.line.as_ref().and_then(|line| line.desk);
        edges.came = desk.and_then(|desk| edges.theirs.get(&desk).copied()).unwrap_or(0);
    }
}

impl Edges {
    fn new(id: ConversationId, now: Now) -> Edges {
        Edges {
            now,
            disk: Disk::new(),
            looked_at: 0,
            theirs: BTreeMap::new(),
            came: 0,
            own: 0,
            line: None,
            conns: 0,
            asked: None,
            returning: None,
            id,
            carried: None,
            position_told: None,
        }
    }

    fn check_record(&mut self, record: &Record) {
        assert_eq!(
            self.records().next().is_none(),
            matches!(record, Record::Begun { .. }),
            "a conversation begins once"
        );
        match record {
            Record::Own(entry) => {
                assert_eq!(entry.number, self.own + 1, "our numbers have a gap");
                assert!(encoded(&Message::Entry(entry.clone())).len() <= 4 + ENTRY_MAX);
                let by_bot =
                    matches!(&entry.body, Body::Message(said) if said.author == Author::Bot);
                assert!(
                    !by_bot || self.state() == State::Bot,
                    "the bot spoke into a human's conversation"
                );
                self.own = entry.number;
            }
            Record::Theirs(Some(desk), entry) => {
                let accepted = |record: &Record| match record {
                    Record::Own(Entry { body: Body::Accepted { of }, .. }) => of.desk == *desk,
                    _ => false,
                };
                let is_message = matches!(entry.body, Body::Message(_));
                assert!(
                    !is_message || self.records().any(accepted),
                    "{entry:?} came before any accept"
                );
                let last = self.theirs.entry(*desk).or_default();
                assert_eq!(entry.number, *last + 1, "the desk's numbers have a gap");
                *last = entry.number;
            }
            Record::Met(_, number) | Record::Acked(_, number) => {
                assert!(*number <= self.own, "{record:?} of what was never said");
            }
            // A restart asks from there on: the next line, where nothing waits.
            Record::Asking(Some(number)) => {
                assert!(*number <= self.own + 1, "{record:?} skips a line");
            }
            Record::Begun { .. }
            | Record::Asking(None)
            | Record::Returning(_)
            | Record::Idle(_) => {}
            other => panic!("{other:?} is not a user's to journal"),
        }
    }

    /// The records of the present conversation.
    fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        let of_it = self.disk.records[..self.looked_at].iter().filter(|(id, _)| *id == self.id);
        of_it.map(|(_, record)| record)
    }

    fn own_entry(&self, number: Number) -> Option<Entry> {
        self.records().find_map(|record| match record {
            Record::Own(entry) if entry.number == number => Some(entry.clone()),
            _ => None,
        })
    }

    /// What no desk acknowledged goes on in a new conversation: each message once, in order, as it
    /// was said.
    fn start_over(&mut self, sessions: &mut Sessions) {
        let session = sessions.get(self.id).expect("the customer has a session");
        let owed: Vec<Entry> = session.undelivered().filter_map(|n| self.own_entry(n)).collect();
        let goes_on = matches!(self.state(), State::Queued | State::Active);
        // Another one each time: a restart forgets that the conversation began like this.
        let id = ConversationId::new([self.id.bytes()[0].wrapping_add(1); 16]);
        let fresh = Fresh { id, secret: Secret::new([10; 32]), seed: 3 };
        let journal = &self.disk.journal;
        let former = self.id;
        let begun = sessions.start_over(former, fresh, |n| journal.own(former, n), self.now);
        if begun.expect("no read fails here") {
            assert!(goes_on, "a new conversation in the place of one that needs none");
            let (disk, conns) = (std::mem::replace(&mut self.disk, Disk::new()), self.conns);
            let looked_at = self.looked_at;
            let fresh = Edges::new(id, self.now);
            *self = Edges { disk, looked_at, conns, carried: Some(owed), ..fresh };
        }
    }

    fn check_carried(&self, owed: Vec<Entry>) {
        let said = |entries: Vec<Entry>| {
            let said = entries.into_iter().filter(|entry| entry.said().is_some());
            said.map(|entry| (entry.at, entry.body)).collect::<Vec<_>>()
        };
        let carried = (1..=self.own).filter_map(|number| self.own_entry(number)).collect();
        assert_eq!(said(carried), said(owed), "the new conversation has other messages");
        assert_eq!(self.state(), State::Queued);
    }

    fn check_sent(&mut self, conn: Conn, message: &Message) {
        let (own, theirs, entry) = (
            self.own,
            self.theirs.clone(),
            match message {
                Message::Entry(entry) => self.own_entry(entry.number),
                _ => None,
            },
        );
        let is_desks = matches!(self.state(), State::Queued | State::Active);
        let control = self.last_control();
        let Some(line) = self.alive(conn) else { return };
        assert!(!line.left, "{message:?} after a goodbye");
        let known = line.desk.and_then(|desk| theirs.get(&desk).copied()).unwrap_or(0);
        match message {
            Message::Hello(hello) => {
                let is_first = line.connected && !std::mem::replace(&mut line.hello, true);
                assert!(is_first, "a second hello");
                assert!(hello.newest <= own && hello.received.len() <= DESKS_MAX);
                let is_durable = |(desk, number): (&DeskId, &Number)| {
                    *number <= theirs.get(desk).copied().unwrap_or(0)
                };
                assert!(hello.received.iter().all(is_durable), "a mark of what is not journaled");
            }
            Message::Bye { .. } => line.left = true,
            Message::Ack { number } => assert_eq!(*number, known, "not what is journaled"),
            Message::Seen { number } => assert!(*number <= known, "{number} is not journaled"),
            Message::Entry(sent) => {
                assert!(line.desk.is_some(), "nothing is sent before the welcome");
                assert_eq!(entry.as_ref(), Some(sent), "not what is journaled");
                assert_eq!(sent.number, line.sent + 1, "entries have a gap");
                let is_for_desk = is_desks || sent.number <= control;
                assert!(is_for_desk, "the desk is sent what was said to the bot");
                line.sent = sent.number;
            }
            other => panic!("{other:?} is not a customer's to send"),
        }
        let is_entry = matches!(message, Message::Entry(_));
        assert!(is_entry || encoded(message).len() <= 4 + FRAME_MAX_BEFORE_HELLO, "too long");
    }

    /// The connection, while what is sent on it leaves.
    fn alive(&mut self, conn: Conn) -> Option<&mut Line> {
        self.line.as_mut().filter(|line| line.conn == conn && !line.closed)
    }

    /// Where the conversation is, by its journal.
    fn state(&self) -> State {
        let state = |record: &Record| match record {
            Record::Own(Entry { body, .. }) => match body {
                Body::Requested { .. } => Some(State::Queued),
                Body::Accepted { .. } => Some(State::Active),
                Body::Withdrawn {} | Body::HandedBack { .. } => Some(State::Bot),
                Body::Closed { .. } => Some(State::Closed),
                _ => None,
            },
            _ => None,
        };
        self.records().rev().find_map(state).unwrap_or(State::Bot)
    }

    /// The number of our latest control: what is above it in `bot` was said to the bot.
    fn last_control(&self) -> Number {
        let control = |record: &Record| match record {
            Record::Own(Entry { number, body, .. }) if !matches!(body, Body::Message(_)) => {
                Some(*number)
            }
            _ => None,
        };
        self.records().rev().find_map(control).unwrap_or(0)
    }
}

impl turn::World<Sessions> for Edges {
    type Stop = Died;

    fn journal(&self) -> &Journal {
        &self.disk.journal
    }

    fn commit(&mut self, records: Vec<(ConversationId, Record)>) -> Result<Vec<Committed>, Died> {
        let committed = self.disk.commit(records);
        for at in self.looked_at..self.disk.records.len() {
            let (id, record) = self.disk.records[at].clone();
            assert_eq!(id, self.id, "a record of another conversation");
            self.check_record(&record);
            self.looked_at = at + 1;
        }
        if self.own > 0
            && let Some(owed) = self.carried.take()
        {
            self.check_carried(owed);
        }
        committed
    }

    fn send(&mut self, conn: Conn, message: &Message) -> usize {
        self.check_sent(conn, message);
        encoded(message).len()
    }

    fn admit(&mut self, conn: Conn) {
        assert!(self.alive(conn).is_none_or(|line| line.hello));
    }

    fn close(&mut self, conn: Conn) {
        if let Some(line) = self.alive(conn) {
            line.closed = true;
        }
    }

    fn flush(&mut self) {}

    fn run(&mut self, sessions: &mut Sessions, errand: Errand) -> Result<(), Died> {
        match errand {
            Errand::Dial(id) => {
                assert!(self.line.as_ref().is_none_or(|line| line.closed), "a second connection");
                self.conns += 1;
                let (conn, no) = (Conn(self.conns), false);
                self.line = Some(Line {
                    conn,
                    connected: no,
                    hello: no,
                    desk: None,
                    left: no,
                    closed: no,
                    sent: 0,
                });
                sessions.dialled(id, conn);
            }
            Errand::Ask { ticket, text, .. } => {
                assert_eq!(self.state(), State::Bot, "the bot is asked '{text}', not its own");
                assert_eq!((self.asked, self.returning), (None, None), "two requests");
                let asking = self.records().rev().find_map(|record| match record {
                    Record::Asking(asking) => Some(*asking),
                    _ => None,
                });
                let line = asking.flatten().and_then(|number| self.own_entry(number));
                assert!(line.is_some(), "the line that is asked is not journaled");
                self.asked = Some(ticket);
            }
            Errand::Return { conversation, ticket, since } => {
                assert_eq!(self.state(), State::Bot, "the bot has not the conversation");
                assert!(self.asked.is_none() && since <= self.own, "two requests");
                let is_under_way = |record: &Record| match record {
                    Record::Returning(returning) => Some(*returning == Returning::UnderWay),
                    _ => None,
                };
                let journaled = self.records().rev().find_map(is_under_way);
                assert_eq!(journaled, Some(true), "the return is not journaled");
                let lines = self.disk.journal.lines_from(conversation, since);
                let said = said_without_bot(&lines.expect("no read fails here"), since);
                assert!(said.iter().all(|said| said.author != Author::Bot));
                self.returning = Some(ticket);
            }
            Errand::StartOver(_) => self.start_over(sessions),
        }
        Ok(())
    }

    fn tell(&mut self, _: &Sessions, fact: Fact, written: &Written) -> Result<(), Died> {
        match fact {
            Fact::Report(_, report) => {
                serde_json::to_string(&report).expect("a report is JSON");
                if let Report::State { position: Some(position), .. } = report {
                    let since = self.position_told.map(|told| self.now.clock.duration_since(told));
                    let is_time = since.is_none_or(|since| since >= Duration::from_secs(1));
                    assert!(is_time, "told again after {since:?}");
                    assert!(position > 0, "there is no position 0");
                    self.position_told = Some(self.now.clock);
                }
            }
            Fact::Said(passage) => {
                let messages = written.messages(&passage, &self.disk.journal)?;
                assert_eq!(messages.len(), 1, "{passage:?} is not one message of the journal");
            }
            // What a former conversation gave up may have been carried over into this one.
            Fact::Undelivered(id, numbers) => assert!(id != self.id || *numbers.end() <= self.own),
        }
        Ok(())
    }

    fn show(&mut self, _: &Sessions) {}
}
