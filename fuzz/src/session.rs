//! Whatever a desk sends, in whatever order, and whatever the user, the bot and the clock do
//! meanwhile, across restarts: what the user's side journals has no gaps, what it sends is
//! journaled and for a desk, and the bot is asked nothing that is not its own.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use handoff::core::clock::Now;
use handoff::core::record::{Offset, Record, Story};
use handoff::core::reply::{Handoff, Reply};
use handoff::core::report::Report;
use handoff::core::session::{Output, Resumed, Session};
use handoff::wire::{
    Author, Body, Button, Code, Conn, ConversationId, DESKS_MAX, DeskId, ENTRY_MAX, Entry,
    FRAME_MAX_BEFORE_HELLO, Message, Number, Said, Secret, State, Welcome,
};
use serde_json::json;

use super::choices::Choices;
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

/// The user's loop, its journal and its connection.
struct World {
    now: Now,
    session: Session,
    journal: Vec<Record>,
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
    /// When the user was told of a position last.
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
        World {
            now,
            session: Session::new(ID, Secret::new([9; 32]), name, "desk:1".to_owned(), 1, now),
            journal: Vec::new(),
            theirs: BTreeMap::new(),
            came: 0,
            own: 0,
            line: None,
            conns: 0,
            asked: None,
            returning: None,
            id: ID,
            position_told: None,
        }
    }

    fn step(&mut self, step: u8, choices: &mut Choices) {
        match step {
            0..=2 => {
                _ = self
                    .session
                    .say(choices.of(&["what was typed", "1", "The red one", "/x"]), self.now)
            }
            3 | 4 => _ = self.session.ask_for_human(self.now),
            5 => _ = self.session.withdraw(self.now),
            6 => _ = self.session.end(self.now),
            7 => _ = self.session.ask_again(self.now),
            8..=10 => self.bot_answers(choices),
            11 | 12 => self.connects(choices),
            13 => self.is_cut(),
            14..=25 => self.desk_sends(choices),
            26 => self.pass(choices),
            27 => self.restart(choices),
            28 => self.look(),
            29 => {
                let desk = choices.of(&DESKS);
                let number = self.theirs.get(&desk).copied().unwrap_or(0);
                self.session.shown(desk, number);
            }
            30 => {
                self.session.leave();
                self.act();
                self.restart(choices);
            }
            _ => self.session.tick(self.now),
        }
    }

    fn bot_answers(&mut self, choices: &mut Choices) {
        let kind = choices.byte();
        if kind % 8 == 7 {
            // To nothing that was asked.
            return self.session.answered(u64::MAX / 2, Ok(Reply::default()), self.now);
        }
        if let Some(ticket) = self.asked.take() {
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
            self.session.answered(ticket, answer, self.now);
        } else if let Some(ticket) = self.returning.take() {
            let why = || "it failed".to_owned();
            let outcome = match kind % 8 {
                0 => Resumed::WithoutLines,
                1 => Resumed::StillPaused,
                2 => Resumed::NoApi(why()),
                3 => Resumed::Unreached(why()),
                4 => Resumed::Failed(why()),
                _ => Resumed::Yes,
            };
            self.session.returned(ticket, outcome, self.now);
        }
    }

    /// The dial that is under way succeeds, or fails; most often the desk says welcome at once.
    fn connects(&mut self, choices: &mut Choices) {
        let how = choices.byte();
        let Some(line) = self.line.as_mut().filter(|line| !line.connected) else { return };
        if how % 8 == 7 {
            return self.is_cut();
        }
        line.connected = true;
        let conn = line.conn;
        self.session.connected(conn);
        if how % 8 < 6 {
            self.act();
            self.welcome(how / 8, choices);
        }
    }

    fn welcome(&mut self, how: u8, choices: &mut Choices) {
        let desk = DESKS[usize::from(how == 31)];
        // As many as the desk has, of what it was sent; or something else.
        let received = if how < 24 { self.sent_to(desk) } else { self.number(self.own, choices) };
        let welcome =
            Message::Welcome(Welcome { desk, received, state: State::Bot, features: Vec::new() });
        self.receives(welcome);
        if let Some(line) = &mut self.line
            && line.desk.is_none()
            && line.connected
        {
            (line.desk, line.sent) = (Some(desk), received);
            self.came = self.theirs.get(&desk).copied().unwrap_or(0);
        }
    }

    /// What this desk acknowledged last.
    fn sent_to(&self, desk: DeskId) -> Number {
        let acked = |record: &Record| match record {
            Record::Acked(of, number) if *of == desk => Some(*number),
            _ => None,
        };
        self.journal.iter().rev().find_map(acked).unwrap_or(0)
    }

    fn desk_sends(&mut self, choices: &mut Choices) {
        let kind = choices.byte();
        let sent = self.line.as_ref().map_or(0, |line| line.sent);
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
        self.came += 1;
        let number = if kind == 15 { self.number(self.came, choices) } else { self.came };
        let is_request = |record: &&Record| {
            matches!(record, Record::Own(Entry { body: Body::Requested { .. }, .. }))
        };
        let request = match self.journal.iter().rfind(is_request) {
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
        let Some(line) = self.line.as_ref().filter(|line| line.connected && !line.closed) else {
            return;
        };
        let conn = line.conn;
        if !self.session.received(conn, message, self.now) {
            self.is_cut();
        }
    }

    fn is_cut(&mut self) {
        if let Some(line) = self.line.take() {
            self.session.disconnected(line.conn, "cut", self.now);
        }
    }

    fn pass(&mut self, choices: &mut Choices) {
        // A batch is of one moment.
        self.act();
        let seconds = choices.of(&[1, 15, 700, 12 * 3600, 24 * 3600]);
        self.now.clock += Duration::from_secs(seconds);
        self.now.wall += seconds * 1000;
        self.session.tick(self.now);
        assert!(
            self.session.deadline().is_none_or(|at| at > self.now.clock),
            "the session would never sleep again"
        );
    }

    /// The process dies before or after its commit, and is started again.
    fn restart(&mut self, choices: &mut Choices) {
        if choices.below(2) == 0 {
            for output in self.session.outputs() {
                if let Output::Record(record) = output {
                    self.commit(record);
                }
            }
        }
        (self.line, self.asked, self.returning, self.position_told) = (None, None, None, None);
        let (mut story, journal) = (Story::new(self.id, 1), &self.journal);
        let records = journal.iter().zip(1..);
        records.for_each(|(record, offset)| story.apply(Offset(offset), record));
        let own = |number| asked_for(journal, number);
        let restored = Session::restore(&story, "desk:1".to_owned(), 2, own, self.now);
        self.session = restored.expect("no read fails here");
        let is_over = self.session.state() == State::Closed && self.session.is_settled();
        assert_eq!(story.is_over(), is_over);
    }

    /// What the user's loop asks.
    fn look(&mut self) {
        self.act();
        let owed = self.session.undelivered();
        assert!(*owed.end() <= self.own, "more is owed than was ever said");
        let for_desk = owed.filter(|number| self.session.is_for_desk(*number));
        assert!(for_desk.count() as u64 <= self.own);
        let _ = (self.session.mark(), self.session.desk(), self.session.admin());
        let _ = self.session.hear();
        assert!(!self.session.is_settled() || !self.session.is_bot_busy());
    }

    /// What the loop does after each batch.
    fn act(&mut self) {
        loop {
            let outputs = self.session.outputs();
            if outputs.is_empty() {
                break;
            }
            let mut actions = Vec::new();
            for output in outputs {
                match output {
                    Output::Record(record) => self.commit(record),
                    action => actions.push(action),
                }
            }
            let id = self.id;
            for action in actions {
                // The rest is of the conversation before.
                if self.id == id {
                    self.act_on(action);
                }
            }
        }
        assert_eq!(self.session.state(), self.state(), "the journal tells another state");
        let control = self.last_control();
        let is_desks = matches!(self.state(), State::Queued | State::Active);
        let (journal, theirs, line) = (&self.journal, &self.theirs, &mut self.line);
        let settled = self.session.settle(
            |number| asked_for(journal, number),
            |conn, message| {
                let frame = encoded(message).len();
                let Some(line) = line.as_mut().filter(|line| line.conn == conn && !line.closed)
                else {
                    return frame;
                };
                let desk = line.desk.expect("nothing is sent before the welcome");
                assert!(!line.left, "{message:?} after a goodbye");
                match message {
                    Message::Entry(entry) => {
                        assert_eq!(own(journal, entry.number).as_ref(), Some(entry));
                        assert_eq!(entry.number, line.sent + 1, "entries have a gap");
                        assert!(
                            is_desks || entry.number <= control,
                            "the desk is sent what was said to the bot"
                        );
                        line.sent = entry.number;
                    }
                    Message::Ack { number } => {
                        assert_eq!(Some(number), theirs.get(&desk), "not what is journaled")
                    }
                    other => panic!("{other:?} has no number to be settled"),
                }
                frame
            },
        );
        settled.expect("no read fails here");
        self.came = self
            .line
            .as_ref()
            .and_then(|line| line.desk)
            .and_then(|desk| theirs.get(&desk).copied())
            .unwrap_or(0);
    }

    fn commit(&mut self, record: Record) {
        assert_eq!(
            self.journal.is_empty(),
            matches!(record, Record::Begun { .. }),
            "a conversation begins once"
        );
        match &record {
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
                    !is_message || self.journal.iter().any(accepted),
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
        self.journal.push(record);
    }

    fn act_on(&mut self, action: Output) {
        match action {
            Output::Ask { ticket, text } => {
                assert_eq!(
                    self.state(),
                    State::Bot,
                    "the bot is asked '{text}' and has not the conversation"
                );
                assert_eq!(
                    (self.asked, self.returning),
                    (None, None),
                    "two requests are under way"
                );
                self.asked = Some(ticket);
            }
            Output::Return { ticket, since } => {
                assert_eq!(
                    self.state(),
                    State::Bot,
                    "the bot is told of a conversation that it has not"
                );
                assert!(self.asked.is_none() && since <= self.own, "two requests are under way");
                self.returning = Some(ticket);
            }
            Output::Dial => {
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
                self.session.dialled(conn);
            }
            Output::Send(conn, message) => self.send(conn, &message),
            Output::Welcomed(conn) => assert!(self.alive(conn).is_none_or(|line| line.hello)),
            Output::Close(conn) => {
                if let Some(line) = self.alive(conn) {
                    line.closed = true;
                }
            }
            Output::Verify(conn, desk, entry) => {
                assert!(
                    entry.number <= self.theirs[&desk],
                    "a number that is not journaled is taken for known"
                );
                if !self.journal.contains(&Record::Theirs(Some(desk), entry)) {
                    self.session.fork(conn);
                }
            }
            Output::Tell(report) => {
                serde_json::to_string(&report).expect("a report is JSON");
                if let Report::State { position: Some(position), .. } = report {
                    let since = self.position_told.map(|told| self.now.clock.duration_since(told));
                    assert!(
                        since.is_none_or(|since| since >= Duration::from_secs(1)),
                        "told again after {since:?}"
                    );
                    assert!(position > 0, "there is no position 0");
                    self.position_told = Some(self.now.clock);
                }
            }
            Output::GivenUp(owed) => assert!(*owed.end() <= self.own),
            Output::Forked => self.start_over(),
            Output::Record(_) => unreachable!("records were committed before"),
        }
    }

    /// What no desk acknowledged goes on in a new conversation: each message once, in order, as it
    /// was said.
    fn start_over(&mut self) {
        let journal = &self.journal;
        let own = |number| asked_for(journal, number);
        // Another one each time: a restart forgets that the conversation began like this.
        let id = ConversationId::new([self.id.bytes()[0].wrapping_add(1); 16]);
        let fresh = self.session.start_over(id, Secret::new([10; 32]), 3, own, self.now);
        let fresh = fresh.expect("no read fails here");
        let goes_on = matches!(self.state(), State::Queued | State::Active);
        assert!(fresh.is_none() || goes_on);
        let Some(fresh) = fresh else { return };
        let owed: Vec<Entry> =
            self.session.undelivered().filter_map(|number| own(number).ok()).collect();
        let (now, conns) = (self.now, self.conns);
        *self = World { now, session: fresh, id, conns, ..World::new(0) };
        for output in self.session.outputs() {
            match output {
                Output::Record(record) => self.commit(record),
                action => self.act_on(action),
            }
        }
        let said = |entries: Vec<Entry>| {
            let said = entries.into_iter().filter(|entry| matches!(entry.body, Body::Message(_)));
            said.map(|entry| (entry.at, entry.body)).collect::<Vec<_>>()
        };
        let carried =
            (1..=self.own).filter_map(|number| self::own(&self.journal, number)).collect();
        assert_eq!(said(carried), said(owed), "the new conversation has other messages");
        assert_eq!(self.state(), State::Queued);
    }

    /// What has no number leaves.
    fn send(&mut self, conn: Conn, message: &Message) {
        assert!(encoded(message).len() <= 4 + FRAME_MAX_BEFORE_HELLO, "{message:?} is too long");
        let (own, theirs) = (self.own, self.theirs.clone());
        let Some(line) = self.alive(conn) else { return };
        assert!(!line.left, "{message:?} after a goodbye");
        match message {
            Message::Hello(hello) => {
                assert!(
                    line.connected && !std::mem::replace(&mut line.hello, true),
                    "a second hello"
                );
                assert!(hello.newest <= own && hello.received.len() <= DESKS_MAX);
                let durable = |(desk, number): (&DeskId, &Number)| {
                    *number <= theirs.get(desk).copied().unwrap_or(0)
                };
                assert!(hello.received.iter().all(durable), "a mark of what is not journaled");
            }
            Message::Bye { .. } => line.left = true,
            Message::Ack { number } | Message::Seen { number } => {
                let known = line.desk.and_then(|desk| theirs.get(&desk).copied()).unwrap_or(0);
                assert!(*number <= known, "entry {number} is acknowledged and not journaled");
            }
            other => panic!("{other:?} is not a user's to send"),
        }
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
        self.journal.iter().rev().find_map(state).unwrap_or(State::Bot)
    }

    /// The number of our latest control: what is above it in `bot` was said to the bot.
    fn last_control(&self) -> Number {
        let control = |record: &Record| match record {
            Record::Own(Entry { number, body, .. }) if !matches!(body, Body::Message(_)) => {
                Some(*number)
            }
            _ => None,
        };
        self.journal.iter().rev().find_map(control).unwrap_or(0)
    }
}

/// What the session may ask of its journal.
fn asked_for(journal: &[Record], number: Number) -> Result<Entry, Infallible> {
    Ok(own(journal, number).expect("only what is journaled is asked for"))
}

fn own(journal: &[Record], number: Number) -> Option<Entry> {
    journal.iter().find_map(|record| match record {
        Record::Own(entry) if entry.number == number => Some(entry.clone()),
        _ => None,
    })
}
