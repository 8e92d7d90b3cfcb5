//! Whatever customers send, in whatever order, and whatever the admin and the clock do meanwhile,
//! on several connections and across restarts: what the desk journals has no gaps, and what it
//! sends is journaled, in order, and for nobody but the customer whose connection it is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use handoff::core::clock::Now;
use handoff::core::desk::{Desk, Options};
use handoff::core::outcome::Fact;
use handoff::core::record::{Committed, Record, Story};
use handoff::core::report::Report;
use handoff::edge::journal::Journal;
use handoff::turn::{self, Written, turn};
use handoff::wire::{
    Asked, Author, Body, Code, Conn, ConversationId, DeskId, ENTRY_MAX, EndReason, Entry,
    FRAME_MAX_BEFORE_HELLO, Hello, Message, Number, Said, Secret, State, Welcome,
};
use ring::digest::{SHA256, digest};
use serde_json::json;

use super::choices::Choices;
use super::disk::{Death, Died, Disk};
use super::frames::encoded;

const DESK: DeskId = DeskId::new([1; 16]);
const OTHER_DESK: DeskId = DeskId::new([2; 16]);
/// Connections at a time.
const WIRES: usize = 4;
/// Conversations there are.
const CUSTOMERS: u8 = 3;

pub fn desk(data: &[u8]) {
    let mut choices = Choices(data);
    let mut world = World::new(choices.byte());
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

/// The desk, and what is around it.
struct World {
    options: Options,
    desk: Desk,
    edges: Edges,
}

/// The desk's journal and its connections.
struct Edges {
    now: Now,
    disk: Disk,
    /// So many records are of former batches, and so many are looked at.
    former: usize,
    looked_at: usize,
    /// The customer's highest number that is journaled, and was sent, of each conversation.
    theirs: BTreeMap<ConversationId, (Number, Number)>,
    own: BTreeMap<ConversationId, Number>,
    /// When each customer's connection went down, or the desk was started.
    down_since: BTreeMap<ConversationId, Instant>,
    wires: [Option<Wire>; WIRES],
    conns: u64,
}

/// One connection.
struct Wire {
    conn: Conn,
    /// The hello that was sent: whose, with which secret, and its mark.
    hello: Option<(ConversationId, Secret, Number)>,
    welcomed: bool,
    /// The desk said goodbye.
    left: bool,
    closed: bool,
    /// The desk's highest number that was sent here.
    sent: Number,
}

impl World {
    fn new(options: u8) -> World {
        let now = Now { clock: Instant::now(), wall: 0 };
        let options = Options {
            name: (options & 1 != 0).then(|| "Alice".to_owned()),
            greeting: (options & 2 != 0).then(|| "Good day.".to_owned()),
            auto_accept: options & 4 != 0,
            customers: if options & 8 != 0 { 2 } else { 100 },
            customers_per_address: if options & 16 != 0 { 1 } else { 100 },
        };
        let desk = Desk::new(DESK, options.clone(), now);
        let edges = Edges {
            now,
            disk: Disk::new(),
            former: 0,
            looked_at: 0,
            theirs: BTreeMap::new(),
            own: BTreeMap::new(),
            down_since: BTreeMap::new(),
            wires: [const { None }; WIRES],
            conns: 0,
        };
        World { options, desk, edges }
    }

    fn step(&mut self, step: u8, choices: &mut Choices) {
        match step {
            0..=2 => self.greet(choices),
            3..=13 => self.sends(choices),
            14 => self.hangs_up(choices),
            15..=17 => _ = self.desk.accept(ordinal(choices), self.edges.now),
            18 => _ = self.desk.switch(choices.below(6).into()),
            19 => _ = self.desk.switch_to_next(),
            20..=22 => _ = self.desk.say("what the admin typed", self.edges.now),
            23 => _ = self.desk.hand_back(choices.of(&[None, Some("a note")]), self.edges.now),
            24 => _ = self.desk.close(choices.of(&[None, Some("a note")]), self.edges.now),
            25 => {
                let id = customer(choices);
                let number = self.edges.theirs.get(&id).map_or(0, |(journaled, _)| *journaled);
                self.desk.shown(id, number);
            }
            26 => self.pass(choices),
            27 => self.restart(choices),
            28 => self.look(),
            29 => _ = self.desk.hear(),
            30 => {
                self.desk.leave();
                self.act();
                self.restart(choices);
            }
            _ => self.act(),
        }
    }

    /// A hello on one of the connections, most often a fresh one.
    fn greet(&mut self, choices: &mut Choices) {
        let slot = usize::from(choices.byte());
        let id = customer(choices);
        let odd = choices.byte();
        let secret = Secret::new([if odd & 7 == 7 { 8 } else { 9 }; 32]);
        let last = self.edges.own.get(&id).copied().unwrap_or(0);
        let mark = if odd & 8 == 0 { last } else { self.number(last, choices) };
        let theirs = self.edges.theirs.get(&id).map_or(0, |(journaled, _)| *journaled);
        let hello = Hello {
            version: if odd & 0xf0 == 0xf0 { 2 } else { 1 },
            conversation: id,
            secret,
            name: (odd & 16 != 0).then(|| "Ann".to_owned()),
            received: [(DESK, mark), (OTHER_DESK, choices.byte().into())].into(),
            newest: self.number(theirs, choices),
            features: Vec::new(),
        };
        if odd & 32 == 0 {
            self.close(slot);
        }
        let wire = self.wire(slot);
        wire.hello = wire.hello.or(Some((id, secret, mark)));
        let conn = wire.conn;
        if !self.desk.knows(id)
            && let Some(story) = self.edges.disk.story(id)
        {
            self.desk.recall(&story, self.edges.now);
        }
        self.desk.received(conn, Message::Hello(hello), self.edges.now);
    }

    /// A message that is no hello, on one of the connections.
    fn sends(&mut self, choices: &mut Choices) {
        let slot = usize::from(choices.byte());
        let kind = choices.byte();
        let id = self.wire(slot).hello.map_or(ConversationId::new([0; 16]), |(id, ..)| id);
        let own = self.edges.own.get(&id).copied().unwrap_or(0);
        let message = match kind % 16 {
            0..=8 => self.entry(id, kind / 16, choices),
            9..=11 => Message::Ack { number: self.number(own, choices) },
            12 => Message::Seen { number: self.number(own, choices) },
            13 => Message::Ping {},
            14 => Message::Bye { code: Code::Leaving, text: "bye".to_owned() },
            _ => {
                let (desk, state) = (OTHER_DESK, State::Active);
                Message::Welcome(Welcome { desk, received: 0, state, features: Vec::new() })
            }
        };
        let conn = self.wire(slot).conn;
        self.desk.received(conn, message, self.edges.now);
    }

    fn entry(&mut self, id: ConversationId, kind: u8, choices: &mut Choices) -> Message {
        let own = self.edges.own.get(&id).copied().unwrap_or(0);
        let (_, sent) = self.edges.theirs.get(&id).copied().unwrap_or_default();
        let number = if kind == 15 { self.number(sent, choices) } else { sent + 1 };
        let said = |author| Body::Message(Said::text(author, "what was said"));
        let mut of = || Asked {
            desk: choices.of(&[DESK, DESK, DESK, OTHER_DESK]),
            number: own.saturating_sub(choices.below(3).into()),
        };
        let body = match kind {
            0 | 15 => said(Author::User),
            1 => said(Author::Bot),
            2 => said(Author::Admin),
            3..=5 => Body::Requested { reason: None },
            6 => Body::Withdrawn {},
            7 | 8 => Body::Accepted { of: of() },
            9 => Body::HandedBack { of: of() },
            10 => Body::Closed { of: Some(of()), reason: EndReason::AdminClosed },
            11 => Body::Closed { of: None, reason: EndReason::UserEnded },
            12 => Body::Refused { of: of(), why: "too late".to_owned() },
            13 => Body::Close { request: number },
            _ => Body::Unknown(json!({"later": {}})),
        };
        let (_, sent) = self.edges.theirs.entry(id).or_default();
        *sent = number.max(*sent).min(*sent + 1);
        Message::Entry(Entry { number: number.max(1), at: choices.of(&[0, u64::MAX]), body })
    }

    /// A number about `last`, or none that is honest.
    fn number(&self, last: Number, choices: &mut Choices) -> Number {
        match choices.below(16) {
            0 => 0,
            1 => Number::MAX,
            2 => last.saturating_add((1 << 20) + 1),
            away @ 3..=5 => last.saturating_add(Number::from(away) - 2),
            away @ 6..=8 => last.saturating_sub(Number::from(away) - 5),
            _ => last,
        }
    }

    fn hangs_up(&mut self, choices: &mut Choices) {
        self.close(usize::from(choices.byte()));
    }

    /// The connection in this place is gone.
    fn close(&mut self, slot: usize) {
        if let Some(wire) = self.edges.wires[slot % WIRES].take() {
            self.desk.disconnected(wire.conn, "cut");
            if let Some((id, ..)) = wire.hello {
                self.edges.down_since.insert(id, self.edges.now.clock);
            }
        }
    }

    /// The connection in this place: a fresh one, if the one that was there is closed.
    fn wire(&mut self, slot: usize) -> &mut Wire {
        if self.edges.wires[slot % WIRES].as_ref().is_some_and(|wire| wire.closed) {
            self.close(slot);
        }
        let (conns, desk) = (&mut self.edges.conns, &mut self.desk);
        self.edges.wires[slot % WIRES].get_or_insert_with(|| {
            *conns += 1;
            desk.opened(
                Conn(*conns),
                IpAddr::from(Ipv4Addr::new(192, 0, 2, slot as u8 % 2)).into(),
            );
            Wire {
                conn: Conn(*conns),
                hello: None,
                welcomed: false,
                left: false,
                closed: false,
                sent: 0,
            }
        })
    }

    fn pass(&mut self, choices: &mut Choices) {
        // A batch is of one moment.
        self.act();
        let minutes = choices.of(&[1, 10, 60, 12 * 60, 24 * 60]);
        self.edges.now.clock += Duration::from_secs(minutes * 60);
        self.edges.now.wall += minutes * 60_000;
        self.act();
        assert!(self.desk.deadline() > self.edges.now.clock, "the desk would never sleep again");
    }

    /// The process dies before or after its next commit, and is started again.
    fn restart(&mut self, choices: &mut Choices) {
        self.edges.disk.dies = Some(Death::of(choices));
        if self.turn().is_ok() {
            // Nothing was committed.
            self.edges.disk.dies = None;
        }
        self.edges.wires = [const { None }; WIRES];
        let (stories, now) = (self.stories(), self.edges.now);
        self.edges.down_since = stories.iter().map(|story| (story.id, now.clock)).collect();
        let sent = |(journaled, sent): &mut (Number, Number)| *sent = *journaled;
        self.edges.theirs.values_mut().for_each(sent);
        let restart = self.edges.disk.journal.restart().expect("in memory");
        self.desk = Desk::restore(DESK, self.options.clone(), &restart, now);
        let over = stories.iter().filter(|story| story.is_over());
        assert!(over.map(|story| story.id).all(|id| !self.desk.knows(id)), "it is not over");
        self.desk.tell_states();
    }

    fn stories(&self) -> Vec<Story> {
        let journal = &self.edges.disk.journal;
        let id = |ordinal| journal.conversation(ordinal).expect("in memory");
        let ids = (1..=u32::from(CUSTOMERS)).map_while(id);
        ids.filter_map(|id| self.edges.disk.story(id)).collect()
    }

    /// What an agent may look at.
    fn look(&mut self) {
        self.act();
        let lines = self.desk.list().len() + self.desk.waiting().len() + self.desk.prompt().len();
        assert!(lines > 0);
        let _ = (self.desk.mark(), self.desk.focus());
        for (id, owed) in self.desk.undelivered() {
            let own = self.edges.own.get(&id).copied().unwrap_or(0);
            assert!(*owed.end() <= own, "more is owed than was ever said");
        }
        assert!(!self.desk.is_talking() || self.edges.disk.records.len() > 1);
    }

    fn turn(&mut self) -> Result<(), Died> {
        let now = self.edges.now;
        turn(&mut self.desk, &mut self.edges, now)
    }

    /// A turn that nothing ends early.
    fn act(&mut self) {
        if self.turn().is_err() {
            panic!("nothing killed it");
        }
        let sent = |(journaled, sent): &mut (Number, Number)| *sent = *journaled;
        self.edges.theirs.values_mut().for_each(sent);
    }
}

impl Edges {
    fn check_record(&mut self, id: ConversationId, record: &Record) {
        let begun = |of: &ConversationId, record: &Record| match record {
            Record::Begun { secret, .. } if *of == id => Some(*secret),
            _ => None,
        };
        let before =
            self.disk.records[..self.looked_at].iter().find_map(|(of, record)| begun(of, record));
        match begun(&id, record) {
            Some(secret) => {
                assert!(before.is_none_or(|first| first == secret), "{record:?}: another secret")
            }
            None => assert!(before.is_some(), "{record:?} in a conversation that has not begun"),
        }
        let own = self.own.entry(id).or_default();
        let (theirs, sent) = self.theirs.entry(id).or_default();
        match record {
            Record::Own(entry) => {
                assert_eq!(entry.number, *own + 1, "our numbers have a gap");
                assert!(encoded(&Message::Entry(entry.clone())).len() <= 4 + ENTRY_MAX);
                *own = entry.number;
            }
            Record::Theirs(None, entry) => {
                let ends = |(of, record): &(ConversationId, Record)| match record {
                    Record::Theirs(None, Entry { body: Body::Closed { .. }, .. }) => *of == id,
                    _ => false,
                };
                let may_follow = matches!(entry.body, Body::Refused { .. } | Body::Unknown(_));
                assert!(
                    may_follow || !self.disk.records[..self.looked_at].iter().any(ends),
                    "{entry:?} behind the end"
                );
                assert_eq!(entry.number, *theirs + 1, "the customer's numbers have a gap");
                *theirs = entry.number;
                *sent = entry.number.max(*sent);
            }
            Record::Held(number) => {
                *own = (*own).max(*number);
            }
            Record::Moved { by, .. } => {
                *own += by;
            }
            Record::Delivered(number) => {
                assert!(number <= own, "what was never said was delivered")
            }
            Record::Focus | Record::Begun { .. } | Record::Note(_) | Record::Idle(_) => {}
            other => panic!("{other:?} is not a desk's to journal"),
        }
    }

    /// Whether the customer ended this conversation before the present batch.
    fn has_ended(&self, id: ConversationId) -> bool {
        self.disk.records[..self.former].iter().any(|(of, record)| match record {
            Record::Theirs(None, Entry { body: Body::Closed { .. }, .. }) => *of == id,
            _ => false,
        })
    }

    /// Customers other than this one who may count in the queue: they are connected, or were so
    /// within the last minute.
    fn others(&self, id: ConversationId) -> u32 {
        let is_here = |other: &ConversationId| {
            let connected = |wire: &Wire| wire.hello.is_some_and(|(of, ..)| of == *other);
            let since = self.down_since.get(other).map(|down| self.now.clock.duration_since(*down));
            self.wires.iter().flatten().any(connected)
                || since.is_some_and(|since| since < Duration::from_secs(60))
        };
        self.theirs.keys().filter(|other| **other != id && is_here(other)).count() as u32
    }

    /// One of the desk's own entries, by its present number.
    fn own_entry(&self, id: ConversationId, number: Number) -> Option<Entry> {
        self.disk.own(id).into_iter().find(|entry| entry.number == number)
    }

    fn check_sent(&mut self, conn: Conn, message: &Message) {
        let frame = encoded(message).len();
        let hello = alive(&mut self.wires, conn).and_then(|wire| wire.hello);
        let others = hello.map_or(0, |(id, ..)| self.others(id));
        let id = hello.map_or(ConversationId::new([0; 16]), |(id, ..)| id);
        let own = self.own.get(&id).copied().unwrap_or(0);
        let journaled = self.theirs.get(&id).map_or(0, |(journaled, _)| *journaled);
        let entry = match message {
            Message::Entry(entry) => self.own_entry(id, entry.number),
            _ => None,
        };
        let Some(wire) = alive(&mut self.wires, conn) else { return };
        assert!(!wire.left, "{message:?} after a goodbye");
        match message {
            Message::Bye { .. } => wire.left = true,
            Message::Busy { retry: 5..30 } if !wire.welcomed => wire.left = true,
            Message::Welcome(Welcome { desk, received, .. }) => {
                let (id, secret, mark) = wire.hello.expect("a welcome answers a hello");
                assert!(!wire.welcomed && *desk == DESK);
                assert!(*received <= self.theirs.get(&id).map_or(0, |(journaled, _)| *journaled));
                let hash = digest(&SHA256, secret.bytes());
                let forged =
                    self.disk.records[..self.former].iter().any(|(of, record)| match record {
                        Record::Begun { secret, .. } => *of == id && secret != hash.as_ref(),
                        _ => false,
                    });
                assert!(!forged, "welcomed with another secret");
                (wire.welcomed, wire.sent) = (true, mark);
            }
            Message::Position { position } if wire.welcomed => {
                assert!(
                    (1..=others + 1).contains(position),
                    "position {position} behind {others} others"
                );
            }
            Message::Seen { .. } if wire.welcomed => {}
            Message::Entry(sent) if wire.welcomed => {
                assert_eq!(entry.as_ref(), Some(sent), "not this customer's, or not journaled");
                assert_eq!(sent.number, wire.sent + 1, "entries have a gap");
                wire.sent = sent.number;
            }
            Message::Ack { number } if wire.welcomed => {
                assert!(*number <= journaled, "entry {number} is acknowledged, not journaled");
                assert!(wire.sent >= own, "an ack left before what was said");
            }
            other => {
                panic!("{other:?} to a connection that is not accepted, or not a desk's to send")
            }
        }
        assert!(
            frame <= 4 + FRAME_MAX_BEFORE_HELLO || wire.welcomed,
            "{message:?} is too long for a stranger"
        );
    }
}

impl turn::World<Desk> for Edges {
    type Stop = Died;

    fn journal(&self) -> &Journal {
        &self.disk.journal
    }

    fn commit(&mut self, records: Vec<(ConversationId, Record)>) -> Result<Vec<Committed>, Died> {
        self.former = self.disk.records.len();
        let committed = self.disk.commit(records);
        for at in self.former..self.disk.records.len() {
            let (id, record) = self.disk.records[at].clone();
            self.check_record(id, &record);
            self.looked_at = at + 1;
        }
        committed
    }

    fn send(&mut self, conn: Conn, message: &Message) -> usize {
        self.check_sent(conn, message);
        encoded(message).len()
    }

    fn admit(&mut self, conn: Conn) {
        let welcomed = |wire: &mut Wire| wire.welcomed;
        assert!(alive(&mut self.wires, conn).is_none_or(welcomed), "admitted without a word");
    }

    fn close(&mut self, conn: Conn) {
        if let Some(wire) = alive(&mut self.wires, conn) {
            wire.closed = true;
        }
    }

    fn flush(&mut self) {}

    fn run(&mut self, _: &mut Desk, errand: Infallible) -> Result<(), Died> {
        match errand {}
    }

    fn tell(&mut self, desk: &Desk, fact: Fact, written: &Written) -> Result<(), Died> {
        match fact {
            Fact::Report(_, report) => {
                let ordinal = match &report {
                    Report::State { ordinal, .. } | Report::Link { ordinal, .. } => *ordinal,
                    _ => Some(1),
                };
                if let Report::State { conversation, state, .. } = &report {
                    let has_ended = *state != State::Closed && self.has_ended(*conversation);
                    assert!(!has_ended, "{report:?} of a conversation that has ended");
                }
                let is_known = ordinal.is_some_and(|ordinal| ordinal > 0);
                assert!(is_known, "{report:?} is of no conversation an agent knows");
                serde_json::to_string(&report).expect("a report is JSON");
            }
            Fact::Said(passage) => {
                let id = passage.conversation;
                let messages = written.messages(&passage, &self.disk.journal)?;
                assert!(!messages.is_empty() || passage.numbers.is_empty() || !desk.knows(id));
            }
            Fact::Undelivered(id, owed) => assert!(*owed.end() <= self.own[&id]),
        }
        Ok(())
    }

    fn show(&mut self, _: &Desk) {}
}

/// The connection, while what is sent on it leaves.
fn alive(wires: &mut [Option<Wire>], conn: Conn) -> Option<&mut Wire> {
    wires.iter_mut().flatten().find(|wire| wire.conn == conn && !wire.closed)
}

fn customer(choices: &mut Choices) -> ConversationId {
    ConversationId::new([choices.below(CUSTOMERS) + 1; 16])
}

fn ordinal(choices: &mut Choices) -> Option<u32> {
    choices.of(&[None, Some(0), Some(1), Some(2), Some(3), Some(u32::MAX)])
}
