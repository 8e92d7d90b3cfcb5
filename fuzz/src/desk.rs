//! The desk against customers who send anything in any order on several connections, while the
//! agent acts, time passes and the desk restarts. The desk's journal has no gaps. Each entry that
//! the desk sends is in the journal, in order, and goes only to its own customer.

use std::collections::BTreeMap;
use std::time::Instant;

use handoff::core::agent::{Agent, Agents};
use handoff::core::clock::Now;
use handoff::core::department::Department;
use handoff::core::desk::{Desk, Errand, Options, SeatId};
use handoff::core::outcome::Fact;
use handoff::core::record::{Batch, Committed};
use handoff::core::report::Report;
use handoff::edge::journal::Journal;
use handoff::turn::{self, Written, turn};
use handoff::wire::{Conn, ConversationId, DeskId, Message, Number, Secret, State, Token};

use super::choices::Choices;
use super::disk::{Died, Disk};
use super::frames::encoded;

mod checks;
mod steps;

const DESK: DeskId = DeskId::new([1; 16]);
const OTHER_DESK: DeskId = DeskId::new([2; 16]);
/// The most connections at the same time.
const WIRES: usize = 4;
/// Number of conversations.
const CUSTOMERS: u8 = 3;

pub fn desk(data: &[u8]) {
    let mut choices = Choices(data);
    let mut world = World::new(choices.byte());
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

/// The desk with its journal and its connections.
struct World {
    options: Options,
    desk: Desk,
    /// The seats in front of the desk.
    seats: Vec<SeatId>,
    edges: Edges,
}

/// The desk's journal and its connections.
struct Edges {
    now: Now,
    disk: Disk,
    /// Number of records of earlier turns, and number of records that were checked.
    former: usize,
    looked_at: usize,
    /// For each conversation: the customer's highest journaled number and highest sent number.
    theirs: BTreeMap<ConversationId, (Number, Number)>,
    own: BTreeMap<ConversationId, Number>,
    /// When each customer's connection was lost, or the desk was started.
    down_since: BTreeMap<ConversationId, Instant>,
    wires: [Option<Wire>; WIRES],
    conns: u64,
}

/// One connection.
struct Wire {
    conn: Conn,
    /// The hello on this connection: its conversation, secret and mark.
    hello: Option<(ConversationId, Secret, Number)>,
    welcomed: bool,
    /// Whether the hello named the feature `agent`.
    knows_agents: bool,
    /// Whether the desk has sent a goodbye.
    left: bool,
    closed: bool,
    /// Highest number that the desk sent on this connection.
    sent: Number,
}

/// The token of a gateway that some desks trust.
fn gateway_token() -> Token {
    Token("a token".into())
}

/// Agents with these names. Al is a lead, and robin serves a department.
fn agents(names: &[&str]) -> Agents {
    let mut agents = Agents::default();
    for name in names {
        let (name, lead) = ((*name).to_owned(), *name == "al");
        let departments = Department::new("returns").filter(|_| !lead).into_iter().collect();
        let agent = Agent { shown_as: name.clone(), name, lead, departments, codes: vec![] };
        agents.add(agent).expect("a name that an agent may have");
    }
    agents
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
            trusted_gateways: if options & 32 != 0 { vec![gateway_token()] } else { Vec::new() },
            agents: agents(&["robin", "al"]),
            max_active: if options & 64 != 0 { 1 } else { 100 },
            ..Options::default()
        };
        let mut desk = Desk::new(DESK, options.clone(), now);
        let mut seats = vec![SeatId::TERMINAL];
        seats.extend(["robin", "al"].iter().filter_map(|name| desk.sign_in(name)));
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
        World { options, desk, seats, edges }
    }

    fn turn(&mut self) -> Result<(), Died> {
        let now = self.edges.now;
        turn(&mut self.desk, &mut self.edges, now)
    }

    /// Runs a turn in which the process does not die.
    fn act(&mut self) {
        if self.turn().is_err() {
            panic!("the process died without a kill");
        }
        let sent = |(journaled, sent): &mut (Number, Number)| *sent = *journaled;
        self.edges.theirs.values_mut().for_each(sent);
    }
}

impl turn::World<Desk> for Edges {
    type Stop = Died;

    fn journal(&self) -> &Journal {
        &self.disk.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Died> {
        let from = self.disk.records.len();
        let committed = self.disk.commit(records);
        for at in from..self.disk.records.len() {
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
        assert!(
            alive(&mut self.wires, conn).is_none_or(welcomed),
            "a connection was admitted without a welcome"
        );
    }

    fn close(&mut self, conn: Conn) {
        if let Some(wire) = alive(&mut self.wires, conn) {
            wire.closed = true;
        }
    }

    fn flush(&mut self) {}

    fn run(&mut self, _: &mut Desk, _: Errand) -> Result<(), Died> {
        Ok(())
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
                assert!(is_known, "{report:?} names a conversation that the agent does not know");
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

    fn show(&mut self, _: &Desk) {
        self.former = self.disk.records.len();
    }
}

/// The connection, if it is open.
fn alive(wires: &mut [Option<Wire>], conn: Conn) -> Option<&mut Wire> {
    wires.iter_mut().flatten().find(|wire| wire.conn == conn && !wire.closed)
}
