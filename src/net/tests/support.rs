//! Helpers of the tests of `net`: two ends, plain sockets, and a test in a process of its own.

#![allow(unreachable_pub, reason = "nothing is reachable from outside a test")]

use crate::edge::tls::Security;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::super::*;
use crate::core::chance::Chance;

pub const PATIENCE: Duration = Duration::from_secs(20);
pub const PING: &[u8] = b"ping";
pub const REFUSAL: &[u8] = b"\0\0\0\x04 no ";

/// The first byte of a stranger. Until it comes, the loop has no event about the stranger.
pub const FIRST: &[u8] = b"!";

/// More than the kernel holds for one connection (4 MiB to send, and the peer's receive buffer), so
/// that some of it waits in net.
pub const PLENTY: usize = 24 << 20;

/// A socket thread, its events, and how it listens and dials.
pub struct End {
    pub net: Net,
    pub events: Receiver<Event>,
    pub settings: Settings,
}

impl End {
    pub fn new(setup: Setup) -> End {
        End::with_room(setup, 256)
    }

    pub fn with_room(setup: Setup, room: usize) -> End {
        let (sender, events) = bounded(room);
        let net = Net::start_with(setup.limits.clone(), sender).unwrap();
        End { net, events, settings: setup.settings() }
    }

    pub fn listen(&self) -> SocketAddr {
        let address = self.net.listen("127.0.0.1:0", self.settings.clone()).unwrap();
        self.net.flush();
        address
    }

    pub fn dial(&self, address: impl ToString) -> Conn {
        let conn = self.net.dial(&address.to_string(), self.settings.clone());
        self.net.flush();
        conn
    }

    pub fn send(&self, conn: Conn, bytes: impl Into<Vec<u8>>) {
        self.net.send(conn, bytes.into());
        self.net.flush();
    }

    pub fn close(&self, conn: Conn) {
        self.net.close(conn);
        self.net.flush();
    }

    /// The next event. If it brought bytes, the connection is read on.
    #[track_caller]
    pub fn next(&self) -> Event {
        let event = self.next_unanswered();
        if let Event::Received { conn, .. } = event {
            self.read_on(conn, Duration::ZERO);
        }
        event
    }

    #[track_caller]
    pub fn next_unanswered(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event in time")
    }

    pub fn read_on(&self, conn: Conn, rest: Duration) {
        self.net.read_on(conn, rest);
        self.net.flush();
    }

    /// Waits for this long. Fails if an event comes.
    #[track_caller]
    pub fn silent_for(&self, time: Duration) {
        let told = self.events.recv_timeout(time);
        assert!(told.is_err(), "{told:?}");
    }

    #[track_caller]
    pub fn accepted(&self) -> Conn {
        match self.next() {
            Event::Accepted { conn, .. } => conn,
            other => panic!("not accepted: {other:?}"),
        }
    }

    #[track_caller]
    pub fn connected(&self, expected: Conn) {
        match self.next() {
            Event::Connected { conn, .. } if conn == expected => {}
            other => panic!("not connected: {other:?}"),
        }
    }

    /// Expects a stranger's first byte as the next event.
    #[track_caller]
    pub fn met(&self) -> Conn {
        let conn = self.accepted();
        assert_eq!(self.received(conn, 1), FIRST);
        conn
    }

    /// Admits a connection, and waits until that is done.
    pub fn let_in(&self, conn: Conn, peer: &mut TcpStream) {
        self.net.admit(conn);
        self.send(conn, "in");
        peer.read_exact(&mut [0; 2]).unwrap();
    }

    /// Expects this connection's end as the next event.
    #[track_caller]
    pub fn closed(&self, expected: Conn) -> Closed {
        match self.next() {
            Event::Closed { conn, why } if conn == expected => why,
            other => panic!("not closed: {other:?}"),
        }
    }

    #[track_caller]
    pub fn trouble(&self) -> String {
        match self.next() {
            Event::Trouble { what } => what,
            other => panic!("no trouble: {other:?}"),
        }
    }

    /// The first `count` bytes that this connection brings.
    #[track_caller]
    pub fn received(&self, from: Conn, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            match self.next() {
                Event::Received { conn, bytes } if conn == from => all.extend(bytes),
                other => panic!("nothing received after {} bytes: {other:?}", all.len()),
            }
        }
        all
    }

    /// All that this connection brings before it ends, and why it ends.
    #[track_caller]
    pub fn rest(&self, from: Conn) -> (Vec<u8>, Closed) {
        let mut all = Vec::new();
        loop {
            match self.next() {
                Event::Received { conn, bytes } if conn == from => all.extend(bytes),
                Event::Closed { conn, why } if conn == from => return (all, why),
                other => panic!("neither received nor closed: {other:?}"),
            }
        }
    }
}

/// How a socket thread is started, listens and dials.
#[derive(Clone)]
pub struct Setup {
    pub limits: Limits,
    pub security: Security,
    pub dialect: Dialect,
    pub strangers: usize,
    pub strangers_per_address: usize,
}

impl Setup {
    /// The dialect with this name.
    pub fn dialect(&self, name: &'static str) -> Dialect {
        Dialect { name, ..self.dialect.clone() }
    }

    pub fn settings(&self) -> Settings {
        let (strangers, strangers_per_address) = (self.strangers, self.strangers_per_address);
        let settings = Settings::new(self.security.clone(), [self.dialect.clone()]);
        Settings { strangers, strangers_per_address, ..settings }
    }
}

/// The usual limits, but no peer is ever quiet, dead or late by itself.
pub fn patient() -> Setup {
    let hour = Duration::from_secs(3600);
    let dialect = Dialect {
        name: "handoff/1",
        is_default: false,
        first_bytes: &[0],
        keepalive: Keepalive { bytes: PING.to_vec(), after: hour, dead: hour },
        refusal: REFUSAL.to_vec(),
        hello_within: hour,
        outbound_max: 4 * PLENTY,
        strangers: None,
    };
    Setup {
        limits: Limits { tick: Duration::from_millis(20), ..Limits::default() },
        security: Security::Plaintext,
        dialect,
        strangers: STRANGERS,
        strangers_per_address: STRANGERS_PER_ADDRESS,
    }
}

/// Two ends, and the number at each end of the connection between them.
pub fn pair(setup: Setup) -> (End, Conn, End, Conn) {
    join(End::new(setup.clone()), End::new(setup))
}

pub fn join(desk: End, user: End) -> (End, Conn, End, Conn) {
    let there = user.dial(desk.listen());
    user.connected(there);
    user.send(there, FIRST);
    let here = desk.met();
    (desk, here, user, there)
}

/// An end with one accepted connection, whose other side is a plain blocking socket.
pub fn raw_peer(setup: Setup) -> (End, Conn, TcpStream) {
    let desk = End::new(setup);
    let (conn, peer) = raw(&desk, desk.listen());
    (desk, conn, peer)
}

pub fn raw(desk: &End, address: SocketAddr) -> (Conn, TcpStream) {
    let mut peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(FIRST).unwrap();
    (desk.met(), peer)
}

/// Bytes in which every missing or swapped part shows.
pub fn pattern(count: usize) -> Vec<u8> {
    let mut chance = Chance::new(1);
    let mut bytes: Vec<u8> =
        (0..count.div_ceil(8)).flat_map(|_| chance.below(u64::MAX).to_le_bytes()).collect();
    bytes.truncate(count);
    bytes
}

pub fn echo(length: usize, (desk, here, user, there): (End, Conn, End, Conn)) {
    const WINDOW: usize = PLENTY;
    let echo = thread::spawn(move || {
        loop {
            match desk.next() {
                Event::Received { bytes, .. } => desk.send(here, bytes),
                Event::Closed { why, .. } => return why,
                other => panic!("{other:?}"),
            }
        }
    });
    let data = pattern(length);
    let (mut sent, mut back, mut size) = (0, 0, 1);
    while back < data.len() {
        while sent < data.len() && sent - back < WINDOW {
            size = size * 7 % 100_003;
            let end = data.len().min(sent + size);
            user.net.send(there, data[sent..end].to_vec());
            sent = end;
        }
        user.net.flush();
        let bytes = user.received(there, 1);
        assert!(bytes == data[back..back + bytes.len()], "differs after {back}");
        back += bytes.len();
    }
    user.close(there);
    assert!(matches!(user.closed(there), Closed::ByUs));
    assert!(matches!(echo.join().unwrap(), Closed::ByPeer));
}

pub fn hands_over_all((desk, here, user, there): (End, Conn, End, Conn)) {
    let data = pattern(PLENTY);
    desk.net.send(here, data.clone());
    desk.close(here);
    let (bytes, why) = user.rest(there);
    assert!(bytes == data && matches!(why, Closed::ByPeer), "{why:?}");
    assert!(matches!(desk.closed(here), Closed::ByUs));
}

/// Runs the test with this name in a process of its own, after the shell command `shell`. True in
/// that process.
pub fn alone(name: &str, shell: &str) -> bool {
    const MARK: &str = "HANDOFF_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("net::tests::{name}")])
        .args(["--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let ran = output.status.success() && text.contains("1 passed");
    assert!(ran, "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// The processor time of the thread with this name.
pub fn busy(name: &str) -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut paths = tasks.map(|task| task.unwrap().path());
    let read = |path: &std::path::Path, file| std::fs::read_to_string(path.join(file)).unwrap();
    let path = paths.find(|path| read(path, "comm").trim() == name);
    let times = read(&path.expect("the thread"), "schedstat");
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
