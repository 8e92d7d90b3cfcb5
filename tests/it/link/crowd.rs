//! A thousand sessions of one process over real sockets, whose desk is down and comes back.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, bounded, select};
use handoff::core::outcome::Fact;
use handoff::core::record::{Batch, Committed};
use handoff::core::report::{Link, Report};
use handoff::core::session::{Errand, Fresh, Session};
use handoff::core::sessions::Sessions;
use handoff::edge::clock;
use handoff::edge::journal::{Fault, Journal};
use handoff::edge::tls::Security;
use handoff::net::{self, Net};
use handoff::turn::peers::Peers;
use handoff::turn::{World, Written, turn};
use handoff::wire::{Conn, ConversationId, Message, Secret};

use crate::support::home::nobody_at;
use crate::support::run::Handoff;

const SESSIONS: usize = 1_000;

/// The world of a process with many customers. It has no bot and no seats.
struct Crowd {
    journal: Journal,
    peers: Peers,
    desk: String,
    settings: net::Settings,
    dials: usize,
    /// Dials without an answer now, and the most of them at the same time.
    opening: usize,
    most_opening: usize,
    connected: usize,
}

impl World<Sessions> for Crowd {
    type Stop = Fault;

    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Fault> {
        self.journal.commit(records).map_err(|(fault, _)| fault)
    }

    fn send(&mut self, conn: Conn, message: &Message) -> usize {
        self.peers.send(conn, message)
    }

    fn admit(&mut self, conn: Conn) {
        self.opening -= 1;
        self.peers.welcomed(conn);
    }

    fn close(&mut self, conn: Conn) {
        self.peers.close(conn);
    }

    fn flush(&mut self) {
        self.peers.flush();
    }

    fn run(&mut self, sessions: &mut Sessions, errand: Errand) -> Result<(), Fault> {
        let Errand::Dial(id) = errand else { panic!("{errand:?} needs a bot") };
        self.dials += 1;
        self.opening += 1;
        self.most_opening = self.most_opening.max(self.opening);
        let conn = self.peers.net().dial(&self.desk, self.settings.clone());
        sessions.dialled(id, conn);
        Ok(())
    }

    fn tell(&mut self, _: &Sessions, fact: Fact, _: &Written) -> Result<(), Fault> {
        if let Fact::Report(_, Report::Link { link: Link::Connected, .. }) = fact {
            self.connected += 1;
        }
        Ok(())
    }

    fn show(&mut self, _: &Sessions) {}
}

/// Runs the loop of such a process until `is_over` holds or the time has passed. Returns whether it
/// holds.
fn run(
    sessions: &mut Sessions,
    crowd: &mut Crowd,
    events: &Receiver<net::Event>,
    within: Duration,
    is_over: impl Fn(&Crowd) -> bool,
) -> bool {
    let end = Instant::now() + within;
    loop {
        turn(sessions, crowd, clock::now()).expect("memory has no faults");
        if is_over(crowd) {
            return true;
        }
        let due = sessions.deadline().map_or(end, |due| due.min(end));
        let event = select! {
            recv(events) -> event => Some(event.expect("the socket thread lives")),
            recv(at(due)) -> _ => None,
        };
        if Instant::now() >= end {
            return false;
        }
        for event in event.into_iter().chain(events.try_iter().take(1_000)) {
            handle(sessions, crowd, event);
        }
    }
}

fn handle(sessions: &mut Sessions, crowd: &mut Crowd, event: net::Event) {
    let now = clock::now();
    match event {
        net::Event::Connected { conn, .. } => {
            crowd.peers.opened(conn, now.clock);
            if let Some(session) = sessions.on(conn) {
                session.connected(conn, None, None);
            }
        }
        net::Event::Received { conn, bytes } => {
            crowd.peers.received(conn, bytes, now.clock, |message| {
                let message = message.expect("a real desk speaks the wire");
                assert!(sessions.received(conn, message, now), "a real desk keeps the rules");
            });
        }
        net::Event::Closed { conn, why } => {
            crowd.opening -= 1;
            crowd.peers.gone(conn);
            sessions.disconnected(conn, &*why.to_string(), now);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_thousand_sessions_rarely_dial_a_dead_desk_and_reconnect_in_twenty_seconds() {
    let (sender, events) = bounded(4_096);
    let net = Net::start(sender).expect("the socket thread starts");
    net.at_most(2 * SESSIONS);
    let mut crowd = Crowd {
        journal: Journal::in_memory(),
        peers: Peers::new(net, None),
        desk: nobody_at(),
        settings: Peers::settings(Security::Plaintext),
        dials: 0,
        opening: 0,
        most_opening: 0,
        connected: 0,
    };
    let mut sessions = Sessions::new(7, clock::now());
    for number in 0..SESSIONS as u128 {
        let (id, secret) = (ConversationId::new(number.to_be_bytes()), Secret::new([9; 32]));
        let fresh = Fresh { id, secret, seed: 1 };
        let mut session = Session::new(fresh, None, crowd.desk.clone(), clock::now());
        session.ask_for_human(clock::now()).expect("the bot has the customer");
        sessions.insert(session);
    }
    let seconds = std::env::var("CROWD_DOWN").ok().map_or(3, |text| text.parse().expect("seconds"));
    let down = Duration::from_secs(seconds);
    assert!(!run(&mut sessions, &mut crowd, &events, down, |crowd| crowd.connected > 0));
    let dials = crowd.dials;
    assert!((2..=10).contains(&dials), "{dials} dials in {down:?}");

    let desk = crowd.desk.clone();
    let plain = ["--plaintext", "loopback", "--per-address", "1000", "--json"];
    let admin =
        Handoff::start(&[&["admin", "--listen", &desk, "--ephemeral"], &plain[..]].concat());
    let since = Instant::now();
    let limit = Duration::from_secs(40);
    let all = |crowd: &Crowd| crowd.connected == SESSIONS;
    assert!(run(&mut sessions, &mut crowd, &events, limit, all), "{} came", crowd.connected);
    let took = since.elapsed();
    eprintln!("{dials} dials in {down:?}; all {SESSIONS} were welcomed within {took:?}");
    assert!(took < Duration::from_secs(20), "the last session was welcomed after {took:?}");
    assert!(crowd.most_opening <= 32, "{} sessions dialled at the same time", crowd.most_opening);
    drop(admin);
}
