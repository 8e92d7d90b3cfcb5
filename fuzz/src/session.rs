//! The customer's side against a desk that sends anything in any order, while the customer and the
//! bot act, time passes and the process restarts. The journal has no gaps. Each entry that is sent
//! is in the journal and is meant for a desk. The bot gets a request only while it is the owner.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use handoff::core::clock::Now;
use handoff::core::outcome::Fact;
use handoff::core::record::{Batch, Committed, Record, Returning};
use handoff::core::report::Report;
use handoff::core::session::{Errand, Fresh, Session, said_without_bot};
use handoff::core::sessions::Sessions;
use handoff::edge::journal::Journal;
use handoff::turn::{self, Written, turn};
use handoff::wire::{Author, Conn, ConversationId, DeskId, Entry, Message, Number, Secret, State};

use super::choices::Choices;
use super::disk::{Died, Disk};
use super::frames::encoded;

mod checks;
mod steps;

const ID: ConversationId = ConversationId::new([7; 16]);
const DESKS: [DeskId; 2] = [DeskId::new([1; 16]), DeskId::new([2; 16])];

pub fn session(data: &[u8]) {
    let mut choices = Choices(data);
    let mut world = World::new(choices.byte());
    world.act();
    while !choices.is_over() {
        let step = choices.byte();
        world.step(step % 32, &mut choices);
        // Usually the batch ends here. Else the next input belongs to it, too.
        if step < 224 {
            world.act();
        }
    }
    world.act();
}

/// The customer's side with its journal and its connection.
struct World {
    sessions: Sessions,
    edges: Edges,
}

/// The journal and the connection of one customer.
struct Edges {
    now: Now,
    disk: Disk,
    /// Number of records that were checked.
    looked_at: usize,
    /// Highest journaled number of each desk.
    theirs: BTreeMap<DeskId, Number>,
    /// Highest number that the present desk sent.
    came: Number,
    own: Number,
    line: Option<Line>,
    conns: u64,
    asked: Option<u64>,
    returning: Option<u64>,
    /// The present conversation.
    id: ConversationId,
    /// The messages that the new conversation must hold, because no desk acknowledged them.
    carried: Option<Vec<Entry>>,
    /// Time of the latest report of a position.
    position_told: Option<Instant>,
}

/// The connection.
struct Line {
    conn: Conn,
    connected: bool,
    hello: bool,
    /// The desk that sent a welcome.
    desk: Option<DeskId>,
    left: bool,
    closed: bool,
    /// Our highest number that was sent on this connection.
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

    /// The session, to give it an input.
    fn session(&mut self) -> &mut Session {
        self.sessions.input(self.edges.id).expect("the customer has a session")
    }

    fn turn(&mut self) -> Result<(), Died> {
        let now = self.edges.now;
        turn(&mut self.sessions, &mut self.edges, now)
    }

    /// Runs a turn in which the process does not die.
    fn act(&mut self) {
        if self.turn().is_err() {
            panic!("the process died without a kill");
        }
        assert_eq!(
            self.session().state(),
            self.edges.state(),
            "the session and its journal have different states"
        );
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
}

impl turn::World<Sessions> for Edges {
    type Stop = Died;

    fn journal(&self) -> &Journal {
        &self.disk.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Died> {
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
                assert_eq!(self.state(), State::Bot, "the bot got '{text}', but is not the owner");
                assert_eq!(
                    (self.asked, self.returning),
                    (None, None),
                    "a second request to the bot at the same time"
                );
                let asking = self.records().rev().find_map(|record| match record {
                    Record::Asking(asking) => Some(*asking),
                    _ => None,
                });
                let line = asking.flatten().and_then(|number| self.own_entry(number));
                assert!(line.is_some(), "the line of the request is not journaled");
                self.asked = Some(ticket);
            }
            Errand::Return { conversation, ticket, since } => {
                assert_eq!(self.state(), State::Bot, "the bot is not the owner");
                assert!(
                    self.asked.is_none() && since <= self.own,
                    "a second request to the bot at the same time"
                );
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
                // The last position of the former conversation may be reported after this one has
                // begun.
                if let Report::State { conversation, position: Some(position), .. } = report
                    && conversation == self.id
                {
                    let since = self.position_told.map(|told| self.now.clock.duration_since(told));
                    let is_time = since.is_none_or(|since| since >= Duration::from_secs(1));
                    assert!(is_time, "a second position was reported after {since:?}");
                    assert!(position > 0, "there is no position 0");
                    self.position_told = Some(self.now.clock);
                }
            }
            Fact::Said(passage) => {
                let messages = written.messages(&passage, &self.disk.journal)?;
                assert_eq!(messages.len(), 1, "{passage:?} is not one message of the journal");
            }
            // Undelivered messages of a former conversation may have been carried over into this
            // one.
            Fact::Undelivered(id, numbers) => assert!(id != self.id || *numbers.end() <= self.own),
        }
        Ok(())
    }

    fn show(&mut self, _: &Sessions) {}
}
