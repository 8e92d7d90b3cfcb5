//! The cost of a turn with few and with many conversations, of which only one is active.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use handoff::core::desk::{self, Desk, Options, SeatId};
use handoff::core::outcome::{Fact, Side};
use handoff::core::record::{Batch, Committed};
use handoff::core::session::{Errand, Fresh, Session};
use handoff::core::sessions::Sessions;
use handoff::edge::clock;
use handoff::edge::journal::{Fault, Journal};
use handoff::turn::{World, Written, turn};
use handoff::wire::{
    Author, Body, Conn, ConversationId, DeskId, Entry, Hello, Message, Number, Request, Said,
    Secret, State, VERSION, Welcome,
};

use crate::extent::Extent;
use crate::table::{Row, Sample};

const FEW: u32 = 10;
const MANY: u32 = 10_000;
/// Number of turns for one figure.
const TURNS: Number = 2_000;

/// A world without sockets, screen and people.
struct Nobody {
    journal: Journal,
    dialled: Vec<(ConversationId, Conn)>,
}

impl Nobody {
    fn new() -> Nobody {
        Nobody { journal: Journal::in_memory(), dialled: Vec::new() }
    }

    fn dial(&mut self, sessions: &mut Sessions, errand: Errand) {
        if let Errand::Dial(id) = errand {
            let conn = Conn(self.dialled.len() as u64 + 1);
            sessions.dialled(id, conn);
            self.dialled.push((id, conn));
        }
    }
}

/// The part of a turn that differs between the two sides.
trait Runs: Side {
    fn run(&mut self, nobody: &mut Nobody, errand: Self::Errand);
}

impl Runs for Sessions {
    fn run(&mut self, nobody: &mut Nobody, errand: Errand) {
        nobody.dial(self, errand);
    }
}

impl Runs for Desk {
    fn run(&mut self, _: &mut Nobody, _: desk::Errand) {}
}

impl<S: Runs> World<S> for Nobody {
    type Stop = Fault;

    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Fault> {
        self.journal.commit(records).map_err(|(fault, _)| fault)
    }

    fn send(&mut self, _: Conn, _: &Message) -> usize {
        100
    }

    fn admit(&mut self, _: Conn) {}

    fn close(&mut self, _: Conn) {}

    fn flush(&mut self) {}

    fn run(&mut self, side: &mut S, errand: S::Errand) -> Result<(), Fault> {
        side.run(self, errand);
        Ok(())
    }

    fn tell(&mut self, _: &S, _: Fact, _: &Written) -> Result<(), Fault> {
        Ok(())
    }

    fn show(&mut self, _: &S) {}
}

pub(crate) fn measure(extent: &Extent) -> Vec<Row> {
    let [few, many] = [FEW, MANY].map(Customers::new);
    let sessions = compare(extent, "customers' side", few, many);
    let [few, many] = [FEW, MANY].map(Agents::new);
    vec![sessions, compare(extent, "desk", few, many)]
}

/// A side in which one conversation is active.
trait Speaks {
    /// Handles one entry of that conversation in a whole turn.
    fn speak(&mut self);
}

fn compare(extent: &Extent, side: &str, mut few: impl Speaks, mut many: impl Speaks) -> Row {
    let [mut fews, mut manies, mut ratios] = [(); 3].map(|()| Sample::default());
    for _ in 0..extent.rounds {
        // One after the other, so that other work of the machine disturbs both.
        let (one, other) = (time(&mut few), time(&mut many));
        fews.add(one);
        manies.add(other);
        ratios.add(other / one);
    }
    Row {
        measure: format!("turn of an entry, {side}: {MANY} conversations over {FEW}"),
        goal: "<= 1.10 x".into(),
        measured: format!("{:.2} x ({})", ratios.median(), ratios.spread(2)),
        scale: format!("{:.2} us; with {FEW} {:.2} us", manies.median(), fews.median()),
        reached: Some(ratios.median() <= 1.1),
    }
}

/// The microseconds of one turn.
fn time(side: &mut impl Speaks) -> f64 {
    let since = Instant::now();
    (0..TURNS).for_each(|_| side.speak());
    since.elapsed().as_secs_f64() * 1e6 / TURNS as f64
}

fn id(number: u32) -> ConversationId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    ConversationId::new(id)
}

/// The customer's side of many customers who wait, connected to a desk.
struct Customers {
    sessions: Sessions,
    nobody: Nobody,
    said: Number,
}

impl Customers {
    fn new(count: u32) -> Customers {
        let (now, mut nobody) = (clock::now(), Nobody::new());
        let mut sessions = Sessions::new(1, now);
        for number in 0..count {
            let fresh = Fresh { id: id(number), secret: Secret::new([9; 32]), seed: 1 };
            let mut session = Session::new(fresh, None, "desk:1".to_owned(), now);
            session.ask_for_human(now).expect("the bot has the customer");
            sessions.insert(session);
        }
        let desk = DeskId::new([1; 16]);
        while nobody.dialled.len() < count as usize {
            let answered = nobody.dialled.len();
            turn(&mut sessions, &mut nobody, now).expect("memory has no faults");
            for (id, conn) in nobody.dialled[answered..].iter().copied() {
                sessions.input(id).expect("it is there").connected(conn, None, None);
                let (state, features) = (State::Bot, Vec::new());
                let welcome = Welcome { desk, received: 0, state, features };
                assert!(sessions.received(conn, Message::Welcome(welcome), now));
                assert!(sessions.received(conn, Message::Ack { number: 0 }, now));
            }
        }
        Customers { sessions, nobody, said: 1 }
    }
}

impl Speaks for Customers {
    fn speak(&mut self) {
        let now = clock::now();
        let session = self.sessions.input(id(0)).expect("it is there");
        session.say("a line as people write them, of some length", now).expect("there is room");
        turn(&mut self.sessions, &mut self.nobody, now).expect("memory has no faults");
        self.said += 1;
        let conn = self.nobody.dialled.iter().find(|(of, _)| *of == id(0)).expect("it dialled").1;
        assert!(self.sessions.received(conn, Message::Ack { number: self.said }, now));
    }
}

/// A desk with customers who wait.
struct Agents {
    desk: Desk,
    nobody: Nobody,
    number: Number,
}

impl Agents {
    fn new(count: u32) -> Agents {
        let (now, mut nobody) = (clock::now(), Nobody::new());
        let slots = count as usize;
        let options =
            Options { customers: slots, customers_per_address: slots, ..Options::default() };
        let mut desk = Desk::new(DeskId::new([1; 16]), options, now);
        for number in 0..count {
            let conn = Conn(number.into());
            desk.opened(conn, IpAddr::from(Ipv4Addr::LOCALHOST).into());
            let hello = Hello {
                version: VERSION,
                conversation: id(number),
                secret: Secret::new([9; 32]),
                name: None,
                received: Default::default(),
                newest: 1,
                features: Vec::new(),
                gateway: None,
                former: None,
                is_here: None,
            };
            desk.received(conn, Message::Hello(Box::new(hello)), now);
            let body = Body::Requested(Request::default());
            desk.received(conn, Message::Entry(Entry { number: 1, at: 0, body }), now);
            turn(&mut desk, &mut nobody, now).expect("memory has no faults");
        }
        Agents { desk, nobody, number: 1 }
    }
}

impl Speaks for Agents {
    fn speak(&mut self) {
        let now = clock::now();
        self.number += 1;
        let said = Said::text(Author::User, "a line as people write them, of some length");
        let entry = Entry { number: self.number, at: 0, body: Body::Message(said) };
        self.desk.received(Conn(0), Message::Entry(entry), now);
        turn(&mut self.desk, &mut self.nobody, now).expect("memory has no faults");
        // A real program draws the prompt in each turn.
        assert!(!self.desk.prompt(SeatId::TERMINAL, now).to_string().is_empty());
    }
}
