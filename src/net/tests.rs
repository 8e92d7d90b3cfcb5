//! Real sockets on loopback, port 0. Every wait is for an event, with a deadline.
//!
//! What counts descriptors or processor time, or limits them, runs in a process of its
//! own ([`alone`]), since tests of one binary share both.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::*;
use crate::edge::tls::Security;

mod doors;
mod strangers;
mod tls;

const PATIENCE: Duration = Duration::from_secs(20);
const PING: &[u8] = b"ping";
const REFUSAL: &[u8] = b"\0\0\0\x04 no ";
/// Nothing is told of a stranger who says nothing.
const FIRST: &[u8] = b"!";
/// More than the kernel takes of one connection (4 MiB to send and what the peer's side
/// holds), so that some of it waits in net.
const PLENTY: usize = 24 << 20;

/// A net, its events, and how it listens and dials.
struct End {
    net: Net,
    events: Receiver<Event>,
    settings: Settings,
}

impl End {
    fn new(setup: Setup) -> End {
        End::with_room(setup, 256)
    }

    fn with_room(setup: Setup, room: usize) -> End {
        let (sender, events) = bounded(room);
        let net = Net::start_with(setup.limits(), sender).unwrap();
        End { net, events, settings: setup.settings() }
    }

    fn listen(&self) -> SocketAddr {
        let address = self.net.listen("127.0.0.1:0", self.settings.clone()).unwrap();
        self.net.flush();
        address
    }

    fn dial(&self, address: impl ToString) -> Conn {
        let conn = self.net.dial(&address.to_string(), self.settings.clone());
        self.net.flush();
        conn
    }

    fn send(&self, conn: Conn, bytes: impl Into<Vec<u8>>) {
        self.net.send(conn, bytes.into());
        self.net.flush();
    }

    fn close(&self, conn: Conn) {
        self.net.close(conn);
        self.net.flush();
    }

    /// The next event; what it brought is dealt with.
    #[track_caller]
    fn next(&self) -> Event {
        let event = self.next_unanswered();
        if let Event::Received { conn, .. } = event {
            self.read_on(conn, Duration::ZERO);
        }
        event
    }

    #[track_caller]
    fn next_unanswered(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event in time")
    }

    fn read_on(&self, conn: Conn, rest: Duration) {
        self.net.read_on(conn, rest);
        self.net.flush();
    }

    /// Nothing is told for this long.
    #[track_caller]
    fn silent_for(&self, time: Duration) {
        let told = self.events.recv_timeout(time);
        assert!(told.is_err(), "{told:?}");
    }

    #[track_caller]
    fn accepted(&self) -> Conn {
        match self.next() {
            Event::Accepted { conn, .. } => conn,
            other => panic!("not accepted: {other:?}"),
        }
    }

    #[track_caller]
    fn connected(&self, expected: Conn) {
        match self.next() {
            Event::Connected { conn, .. } if conn == expected => {}
            other => panic!("not connected: {other:?}"),
        }
    }

    /// The next event is a stranger's first byte.
    #[track_caller]
    fn met(&self) -> Conn {
        let conn = self.accepted();
        assert_eq!(self.received(conn, 1), FIRST);
        conn
    }

    /// The next event is this connection's end.
    #[track_caller]
    fn closed(&self, expected: Conn) -> Closed {
        match self.next() {
            Event::Closed { conn, why } if conn == expected => why,
            other => panic!("not closed: {other:?}"),
        }
    }

    #[track_caller]
    fn trouble(&self) -> String {
        match self.next() {
            Event::Trouble { what } => what,
            other => panic!("no trouble: {other:?}"),
        }
    }

    /// What this connection brings, until there are `count` bytes.
    #[track_caller]
    fn received(&self, from: Conn, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            match self.next() {
                Event::Received { conn, bytes } if conn == from => all.extend(bytes),
                other => panic!("nothing received after {} bytes: {other:?}", all.len()),
            }
        }
        all
    }

    /// What this connection brings before it ends, and why it did.
    #[track_caller]
    fn rest(&self, from: Conn) -> (Vec<u8>, Closed) {
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

/// How a net is started, listens and dials: all that tests set otherwise than a program does.
#[derive(Clone)]
struct Setup {
    security: Security,
    keepalive: Keepalive,
    hello_within: Duration,
    outbound_max: usize,
    strangers: usize,
    strangers_per_address: usize,
    handshake_within: Duration,
    stalled_after: Duration,
    linger: Duration,
    resolve_within: Duration,
    connect_within: Duration,
    accept_pause: Duration,
    tick: Duration,
    resolve: dial::Resolve,
}

impl Setup {
    fn limits(&self) -> Limits {
        Limits {
            handshake_within: self.handshake_within,
            stalled_after: self.stalled_after,
            linger: self.linger,
            resolve_within: self.resolve_within,
            connect_within: self.connect_within,
            accept_pause: self.accept_pause,
            tick: self.tick,
            resolve: self.resolve,
            ..Limits::default()
        }
    }

    fn dialect(&self, name: &'static str) -> Dialect {
        Dialect {
            name,
            first_bytes: &[0],
            keepalive: self.keepalive.clone(),
            refusal: REFUSAL.to_vec(),
            hello_within: self.hello_within,
            outbound_max: self.outbound_max,
        }
    }

    fn settings(&self) -> Settings {
        let (strangers, strangers_per_address) = (self.strangers, self.strangers_per_address);
        let settings = Settings::new(self.security.clone(), [self.dialect("handoff/1")]);
        Settings { strangers, strangers_per_address, ..settings }
    }
}

/// The usual limits, but nothing is ever quiet, dead or late by itself.
fn patient() -> Setup {
    let hour = Duration::from_secs(3600);
    let usual = Limits::default();
    Setup {
        security: Security::Plaintext,
        keepalive: Keepalive { bytes: PING.to_vec(), after: hour, dead: hour },
        hello_within: hour,
        outbound_max: 4 * PLENTY,
        strangers: STRANGERS,
        strangers_per_address: STRANGERS_PER_ADDRESS,
        handshake_within: usual.handshake_within,
        stalled_after: usual.stalled_after,
        linger: usual.linger,
        resolve_within: usual.resolve_within,
        connect_within: usual.connect_within,
        accept_pause: usual.accept_pause,
        tick: Duration::from_millis(20),
        resolve: usual.resolve,
    }
}

/// Two ends and the connection between them, by its name at each.
fn pair(setup: Setup) -> (End, Conn, End, Conn) {
    join(End::new(setup.clone()), End::new(setup))
}

fn join(desk: End, user: End) -> (End, Conn, End, Conn) {
    let there = user.dial(desk.listen());
    user.connected(there);
    user.send(there, FIRST);
    let here = desk.met();
    (desk, here, user, there)
}

/// A net with one accepted connection to a plain blocking socket.
fn raw_peer(setup: Setup) -> (End, Conn, TcpStream) {
    let desk = End::new(setup);
    let (conn, peer) = raw(&desk, desk.listen());
    (desk, conn, peer)
}

fn raw(desk: &End, address: SocketAddr) -> (Conn, TcpStream) {
    let mut peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(FIRST).unwrap();
    (desk.met(), peer)
}

/// Bytes that differ wherever they are cut or swapped.
fn pattern(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Runs the test of that name in a process of its own, after `shell`; true in there.
#[cfg(target_os = "linux")]
fn alone(name: &str, shell: &str) -> bool {
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

/// Processor time of the thread of that name.
#[cfg(target_os = "linux")]
fn busy(name: &str) -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut paths = tasks.map(|task| task.unwrap().path());
    let read = |path: &std::path::Path, file| std::fs::read_to_string(path.join(file)).unwrap();
    let path = paths.find(|path| read(path, "comm").trim() == name);
    let times = read(&path.expect("the thread"), "schedstat");
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

#[cfg(target_os = "linux")]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn bytes_go_there_and_back() {
    let (desk, here, user, there) = pair(patient());
    user.send(there, "hello");
    let bytes = desk.received(here, 5);
    desk.send(here, bytes);
    assert_eq!(user.received(there, 5), b"hello");
}

#[test]
fn a_batch_leaves_in_one_write() {
    let (desk, conn, mut peer) = raw_peer(patient());
    for _ in 0..100 {
        desk.net.send(conn, b"0123456789".to_vec());
    }
    desk.net.flush();
    let mut bytes = [0; 2000];
    assert_eq!(peer.read(&mut bytes).unwrap(), 1000);
}

#[test]
fn fifty_megabytes_both_ways_under_backpressure_are_intact() {
    // A channel of 2 is full most of the time: net blocks on it again and again.
    echo(50 << 20, join(End::with_room(patient(), 2), End::with_room(patient(), 2)));
}

fn echo(length: usize, (desk, here, user, there): (End, Conn, End, Conn)) {
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

#[test]
fn close_flushes_what_is_queued_though_the_peer_has_sent_unread_bytes() {
    let (desk, conn, mut peer) = raw_peer(patient());
    let data = pattern(PLENTY);
    desk.net.send(conn, data.clone());
    desk.close(conn);
    // Once it flushes, the close is under way.
    let mut all = vec![0; 1];
    peer.read_exact(&mut all).unwrap();
    peer.write_all(&pattern(300_000)).unwrap();
    peer.read_to_end(&mut all).unwrap();
    assert!(all == data, "{} of {} bytes", all.len(), data.len());
    drop(peer);
    assert!(matches!(desk.closed(conn), Closed::ByUs));
}

#[test]
fn both_ends_closing_at_once_both_end_as_closed_by_us() {
    // Without room in the channel the desk cannot read to the end before it closes.
    let (desk, user) = (End::with_room(patient(), 1), End::new(patient()));
    let there = user.dial(desk.listen());
    user.connected(there);
    user.send(there, FIRST);
    let here = desk.met();
    user.net.send(there, pattern(PLENTY));
    user.close(there);
    desk.received(here, 1);
    desk.close(here);
    let (_, why) = desk.rest(here);
    assert!(matches!(why, Closed::ByUs), "{why:?}");
    assert!(matches!(user.closed(there), Closed::ByUs));
}

#[test]
fn a_peer_that_has_ended_still_gets_what_a_close_flushes() {
    let (desk, conn, mut peer) = raw_peer(patient());
    let data = pattern(PLENTY);
    desk.net.send(conn, data.clone());
    desk.close(conn);
    // Only now, so that it is read while flushing and not before the close.
    let mut all = vec![0; 1];
    peer.read_exact(&mut all).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    peer.read_to_end(&mut all).unwrap();
    assert!(all == data, "{} of {} bytes", all.len(), data.len());
    assert!(matches!(desk.closed(conn), Closed::ByUs));
}

#[test]
fn close_hands_over_all_and_the_peer_sees_a_clean_end() {
    hands_over_all(pair(patient()));
}

fn hands_over_all((desk, here, user, there): (End, Conn, End, Conn)) {
    let data = pattern(PLENTY);
    desk.net.send(here, data.clone());
    desk.close(here);
    let (bytes, why) = user.rest(there);
    assert!(bytes == data && matches!(why, Closed::ByPeer), "{why:?}");
    assert!(matches!(desk.closed(here), Closed::ByUs));
}

#[test]
fn a_close_waits_for_the_peers_end_no_longer_than_the_linger() {
    let setup = Setup { linger: Duration::from_millis(200), ..patient() };
    let (desk, conn, mut peer) = raw_peer(setup);
    let since = Instant::now();
    desk.close(conn);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    peer.write_all(b"still here").unwrap();
    assert!(matches!(desk.closed(conn), Closed::ByUs));
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn the_last_words_of_a_peer_are_read_though_writing_to_it_fails() {
    // One place in the channel, and it is taken: the thread waits with other bytes in hand.
    let desk = End::with_room(patient(), 1);
    let address = desk.listen();
    let (conn, mut peer) = raw(&desk, address);
    let mut stoppers = [raw(&desk, address), raw(&desk, address), raw(&desk, address)];
    desk.send(conn, "unread, so that the peer's end is a reset");
    let mut one = [0];
    peer.read_exact(&mut one).unwrap();
    for (_, stopper) in &mut stoppers {
        stopper.write_all(b"stop").unwrap();
    }
    peer.write_all(b"bye").unwrap();
    drop(peer);
    desk.send(conn, "too late");
    let mut words = Vec::new();
    let mut stopped = 0;
    let why = loop {
        match desk.next() {
            Event::Received { conn: from, bytes } if from == conn => words.extend(bytes),
            Event::Received { bytes, .. } => stopped += bytes.len(),
            Event::Closed { conn: from, why } if from == conn => break why,
            unexpected => panic!("{unexpected:?}"),
        }
    };
    assert_eq!(words, b"bye", "after {stopped} bytes of the other: {why}");
    assert!(matches!(why, Closed::Broken(_)), "{why:?}");
}

#[test]
fn a_peer_that_vanishes_is_told_once() {
    let (desk, here, user, _) = pair(patient());
    drop(user);
    assert!(!matches!(desk.closed(here), Closed::ByUs));
    // To say something to it now is nothing: the next event is another's.
    desk.send(here, "anyone?");
    desk.close(here);
    let nobody = desk.dial("nowhere");
    desk.closed(nobody);
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_spins_when_peers_vanish_or_idle() {
    if !alone("nothing_spins_when_peers_vanish_or_idle", "") {
        return;
    }
    let setup = Setup { tick: TICK, ..patient() };
    let desk = End::new(setup);
    let address = desk.listen();
    let (ended, vanished) = raw(&desk, address);
    let (idle, _still_here) = raw(&desk, address);
    let (half, mut peer) = raw(&desk, address);
    drop(vanished);
    desk.closed(ended);
    // Flushing to a peer that has ended and does not read: its end stays readable.
    desk.net.send(half, pattern(PLENTY));
    desk.close(half);
    peer.read_exact(&mut [0]).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    // One that was blocked and is not any more: it is writable all the time.
    let (drained, mut reader) = raw(&desk, address);
    desk.send(drained, pattern(PLENTY));
    reader.read_exact(&mut vec![0; PLENTY]).unwrap();
    let before = busy("net");
    let waited = desk.events.recv_timeout(Duration::from_secs(2));
    assert!(waited.is_err(), "{waited:?}");
    let spent = busy("net") - before;
    assert!(spent < Duration::from_millis(20), "{spent:?} in 2 s");
    desk.close(idle);
}

#[cfg(target_os = "linux")]
#[test]
fn without_descriptors_it_rests_says_so_once_and_goes_on() {
    if !alone("without_descriptors_it_rests_says_so_once_and_goes_on", "ulimit -n 64;") {
        return;
    }
    let setup = Setup { accept_pause: Duration::from_millis(100), ..patient() };
    let desk = End::new(setup);
    let address = desk.listen();
    let (live, mut peer) = raw(&desk, address);
    // std and /proc/self need one of their own now and then, so they are opened before.
    let before = busy("net");
    let mut hoard = Vec::new();
    let error = loop {
        match std::fs::File::open("/dev/null") {
            Ok(file) => hoard.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(24));
    hoard.pop();
    let mut waiting = TcpStream::connect(address).unwrap();
    let said = desk.trouble();
    assert!(said.contains("too many open files"), "{said}");
    let silence = desk.events.recv_timeout(Duration::from_secs(1));
    assert!(silence.is_err(), "{silence:?}");
    peer.write_all(b"live").unwrap();
    assert_eq!(desk.received(live, 4), b"live");
    drop(hoard);
    let spent = busy("net") - before;
    assert!(spent < Duration::from_millis(50), "{spent:?} in 1 s");
    let said = desk.trouble();
    assert!(said.contains("again"), "{said}");
    waiting.write_all(FIRST).unwrap();
    desk.met();
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_connections_leave_no_descriptor() {
    if !alone("a_thousand_connections_leave_no_descriptor", "") {
        return;
    }
    let before = descriptors();
    let desk = End::new(patient());
    let user = End::new(patient());
    let address = desk.listen();
    for round in 0..17 {
        let there: Vec<Conn> =
            (0..60).map(|_| user.net.dial(&address.to_string(), user.settings.clone())).collect();
        user.net.flush();
        for _ in &there {
            match user.next() {
                Event::Connected { conn, .. } => user.net.send(conn, FIRST.to_vec()),
                other => panic!("{other:?}"),
            }
        }
        user.net.flush();
        let here: Vec<Conn> = there.iter().map(|_| desk.met()).collect();
        here.iter().for_each(|conn| desk.net.admit(*conn));
        // In turn from either side; a few are left to `finish`.
        let (closing, conns) = [(&user, &there), (&desk, &here)][round % 2];
        conns[..56].iter().for_each(|conn| closing.net.close(*conn));
        closing.net.flush();
        for end in [&desk, &user] {
            for _ in 0..56 {
                assert!(matches!(end.next(), Event::Closed { .. }));
            }
        }
    }
    user.net.finish(PATIENCE);
    desk.net.finish(PATIENCE);
    drop((user.events, desk.events));
    assert_eq!(descriptors(), before);
}

#[test]
fn a_refused_dial_says_who_refused() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let user = End::new(patient());
    let conn = user.dial(address);
    let why = user.closed(conn).to_string();
    assert_eq!(why, format!("cannot reach {address}: connection refused"));
}

#[test]
fn a_dial_without_a_port_says_what_an_address_is() {
    let user = End::new(patient());
    let conn = user.dial("desk.example");
    let why = user.closed(conn).to_string();
    assert_eq!(why, "cannot dial desk.example: an address is HOST:PORT");
}

#[test]
fn an_unknown_name_is_named() {
    let setup = Setup {
        resolve: |_| {
            let text = "failed to lookup address information: Name or service not known";
            Err(io::Error::other(text))
        },
        ..patient()
    };
    let user = End::new(setup);
    let conn = user.dial("desk.example:5000");
    let why = user.closed(conn).to_string();
    assert_eq!(why, "cannot find desk.example: name or service not known");
}

#[test]
fn a_name_without_addresses_is_not_found() {
    let setup = Setup { resolve: |_| Ok(Vec::new()), ..patient() };
    let user = End::new(setup);
    let conn = user.dial("desk.example:5000");
    let why = user.closed(conn).to_string();
    assert_eq!(why, "cannot find desk.example: it has no address");
}

#[test]
fn the_second_address_is_dialled_when_the_first_refuses() {
    // As localhost does: ::1 first, where nobody listens.
    let setup = Setup {
        resolve: |address| {
            let second: SocketAddr = address.parse().expect("an address");
            Ok(vec![SocketAddr::new([127, 0, 0, 9].into(), second.port()), second])
        },
        ..patient()
    };
    let desk = End::new(patient());
    let user = End::new(setup.clone());
    let address = desk.listen();
    let conn = user.dial(address);
    match user.next() {
        Event::Connected { conn: to, peer, key: None } => assert_eq!((to, peer), (conn, address)),
        other => panic!("{other:?}"),
    }
    user.send(conn, FIRST);
    desk.met();
    desk.net.finish(PATIENCE);
    assert!(matches!(user.closed(conn), Closed::ByPeer));
    let conn = user.dial(address);
    let why = user.closed(conn).to_string();
    let port = address.port();
    let each =
        format!("(127.0.0.9:{port}: connection refused; 127.0.0.1:{port}: connection refused)");
    assert_eq!(why, format!("cannot reach {address} {each}"));
}

#[test]
fn localhost_is_reached_whichever_of_its_addresses_listens() {
    let desk = End::new(patient());
    let user = End::new(patient());
    let port = desk.listen().port();
    let conn = user.dial(format!("localhost:{port}"));
    user.connected(conn);
}

static HANGING: AtomicBool = AtomicBool::new(true);

#[test]
fn resolvers_that_hang_are_abandoned_and_give_their_places_back() {
    let setup = Setup {
        resolve_within: Duration::from_millis(300),
        resolve: |address| {
            while address.starts_with("hangs") && HANGING.load(Ordering::Relaxed) {
                thread::yield_now();
                thread::park_timeout(Duration::from_millis(10));
            }
            resolve_plainly(address)
        },
        ..patient()
    };
    let desk = End::new(patient());
    let user = End::new(setup);
    let address = desk.listen();
    let hanging: Vec<Conn> =
        (0..dial::DIALERS).map(|_| user.net.dial("hangs:1", user.settings.clone())).collect();
    // All places are taken: this one waits for the first to be abandoned.
    let conn = user.dial(address);
    for _ in &hanging {
        match user.next() {
            Event::Closed { conn, why } => {
                assert!(hanging.contains(&conn));
                assert_eq!(why.to_string(), "cannot find hangs: no answer within 0.3 s");
            }
            other => panic!("{other:?}"),
        }
    }
    user.connected(conn);
    // Their answers come too late and change nothing.
    HANGING.store(false, Ordering::Relaxed);
    user.close(conn);
    assert!(matches!(user.closed(conn), Closed::ByUs));
}

fn resolve_plainly(address: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(address.parse().into_iter().collect())
}

#[test]
fn a_dial_closed_before_it_connects_is_told_as_closed_by_us() {
    let (desk, user) = (End::new(patient()), End::new(patient()));
    let address = desk.listen();
    let conn = user.net.dial(&address.to_string(), user.settings.clone());
    user.close(conn);
    assert!(matches!(user.closed(conn), Closed::ByUs));
    let next = user.dial(address);
    user.connected(next);
}

#[test]
fn a_connection_without_a_hello_is_closed_and_one_with_it_stays() {
    let setup = Setup { hello_within: Duration::from_millis(200), ..patient() };
    let desk = End::new(setup);
    let address = desk.listen();
    let (late, _peer) = raw(&desk, address);
    let mut silent = TcpStream::connect(address).unwrap();
    let (greeted, mut peer) = raw(&desk, address);
    desk.net.expect(greeted, None, "hello");
    desk.net.flush();
    let why = desk.closed(late);
    assert_eq!(why.to_string(), "the other side sent no hello in time");
    // It said nothing at all, so nothing is told of it.
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(!matches!(silent.read(&mut [0]), Ok(1..)));
    peer.write_all(b"x").unwrap();
    assert_eq!(desk.received(greeted, 1), b"x");
    desk.net.expect(greeted, Some(Duration::ZERO), "whole frame");
    desk.net.flush();
    assert!(matches!(desk.closed(greeted), Closed::Deadline("whole frame")));
}

#[test]
fn a_quiet_end_is_heard_and_the_other_stays_alive_by_it() {
    let mut setup = patient();
    setup.keepalive.after = Duration::from_millis(100);
    setup.keepalive.dead = Duration::from_millis(600);
    let (desk, here, user, there) = pair(setup);
    desk.send(here, PING);
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(1) {
        assert_eq!(user.received(there, PING.len()), PING);
        assert_eq!(desk.received(here, PING.len()), PING);
    }
}

#[test]
fn no_sign_of_life_leaves_before_the_loop_has_said_something() {
    let mut setup = patient();
    setup.keepalive.after = Duration::ZERO;
    let (desk, user) = (End::new(patient()), End::new(setup));
    let there = user.dial(desk.listen());
    user.connected(there);
    desk.silent_for(Duration::from_millis(100));
    user.send(there, FIRST);
    let here = desk.accepted();
    assert!(desk.received(here, FIRST.len() + PING.len()).starts_with(&[FIRST, PING].concat()));
}

#[test]
fn a_silent_peer_is_closed() {
    let mut setup = patient();
    setup.keepalive.dead = Duration::from_millis(300);
    let (desk, conn, mut peer) = raw_peer(setup);
    let since = Instant::now();
    for byte in 0..3 {
        peer.write_all(&[byte]).unwrap();
        assert_eq!(desk.received(conn, 1), [byte]);
    }
    assert!(matches!(desk.closed(conn), Closed::Silent));
    assert!(since.elapsed() >= Duration::from_millis(300));
}

#[test]
fn nobody_is_late_for_what_a_full_channel_left_unread() {
    let mut setup = patient();
    setup.keepalive.dead = Duration::from_millis(500);
    setup.hello_within = Duration::from_millis(500);
    let desk = End::with_room(setup, 1);
    let address = desk.listen();
    let (flooding, mut flood) = raw(&desk, address);
    let (other, mut peer) = raw(&desk, address);
    desk.net.expect(flooding, None, "hello");
    desk.net.flush();
    flood.write_all(&pattern(400_000)).unwrap();
    peer.write_all(b"hello").unwrap();
    // The loop looks away for longer than both; the thread stands at the full channel.
    let (_never, nothing) = bounded::<()>(0);
    assert!(nothing.recv_timeout(Duration::from_secs(1)).is_err());
    let (mut flooded, mut heard) = (0, 0);
    while flooded < 400_000 || heard < 5 {
        match desk.next() {
            Event::Received { conn, bytes } if conn == flooding => flooded += bytes.len(),
            Event::Received { conn, bytes } if conn == other => {
                heard += bytes.len();
                desk.net.expect(other, None, "hello");
                desk.send(other, "welcome");
            }
            unexpected => panic!("{unexpected:?}"),
        }
    }
    peer.read_exact(&mut [0; 7]).unwrap();
}

#[test]
fn a_stalled_reader_is_closed_and_another_does_not_notice() {
    let setup = Setup { stalled_after: Duration::from_millis(700), ..patient() };
    let desk = End::new(setup);
    let address = desk.listen();
    let (stalled, _unread) = raw(&desk, address);
    let (live, mut peer) = raw(&desk, address);
    peer.set_nodelay(true).unwrap();
    desk.send(stalled, pattern(PLENTY));
    let echo = thread::spawn(move || {
        loop {
            match desk.next() {
                Event::Received { conn, bytes } => desk.send(conn, bytes),
                Event::Closed { conn, why } => return (desk, conn, why),
                other => panic!("{other:?}"),
            }
        }
    });
    let mut trips = Vec::new();
    let start = Instant::now();
    while !echo.is_finished() {
        assert!(start.elapsed() < PATIENCE, "nobody was closed");
        let since = Instant::now();
        peer.write_all(b"x").unwrap();
        // The echo ends with the stalled one; then nobody answers.
        peer.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        match peer.read(&mut [0]) {
            Ok(_) => trips.push(since.elapsed()),
            Err(error) if echo.is_finished() => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            Err(error) => panic!("{error}"),
        }
    }
    let (_desk, conn, why) = echo.join().unwrap();
    assert!(conn == stalled && conn != live && matches!(why, Closed::Stalled), "{why:?}");
    trips.sort();
    let p99 = trips[trips.len() * 99 / 100];
    assert!(p99 < Duration::from_millis(50), "{p99:?} of {}", trips.len());
}

#[test]
fn too_much_for_one_closes_that_one_only() {
    let setup = Setup { outbound_max: OUTBOUND_MAX, ..patient() };
    let desk = End::new(setup);
    let address = desk.listen();
    let (full, _unread) = raw(&desk, address);
    let (live, mut peer) = raw(&desk, address);
    // The kernel takes some; that one of these is too much is certain.
    for _ in 0..20 {
        desk.net.send(full, pattern(1 << 20));
    }
    desk.net.send(live, b"alive".to_vec());
    desk.net.flush();
    assert!(matches!(desk.closed(full), Closed::Overflow));
    let mut bytes = [0; 5];
    peer.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"alive");
}

#[test]
fn a_taken_port_is_named() {
    let (desk, second) = (End::new(patient()), End::new(patient()));
    let address = desk.listen();
    let error = second.net.listen(&address.to_string(), second.settings.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let sentence = error.to_string();
    assert_eq!(sentence, format!("cannot listen on {address}: address already in use"));
}

#[test]
fn finish_delivers_what_is_queued_and_ends_the_thread() {
    let (desk, here, user, there) = pair(patient());
    let data = pattern(PLENTY);
    desk.net.send(here, data.clone());
    let reader = thread::spawn(move || user.rest(there));
    desk.net.finish(PATIENCE);
    let (bytes, why) = reader.join().unwrap();
    assert!(bytes == data && matches!(why, Closed::ByPeer), "{why:?}");
    let last = desk.events.try_recv();
    assert!(matches!(last, Ok(Event::Closed { why: Closed::ByUs, .. })), "{last:?}");
    let ended = desk.events.recv_timeout(PATIENCE);
    assert_eq!(ended.unwrap_err(), crossbeam_channel::RecvTimeoutError::Disconnected);
}

#[test]
fn finish_delivers_though_nobody_reads_the_full_channel() {
    let desk = End::with_room(patient(), 1);
    let (conn, mut peer) = raw(&desk, desk.listen());
    peer.write_all(&pattern(200_000)).unwrap();
    let data = pattern(PLENTY);
    desk.net.send(conn, data.clone());
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).map(|_| all)
    });
    let since = Instant::now();
    desk.net.finish(PATIENCE);
    assert!(since.elapsed() < PATIENCE / 2);
    assert!(reader.join().unwrap().unwrap() == data);
}

#[test]
fn finish_waits_no_longer_than_told_for_a_peer_that_does_not_read() {
    let desk = End::new(patient());
    let (conn, _unread) = raw(&desk, desk.listen());
    desk.send(conn, pattern(PLENTY));
    let since = Instant::now();
    desk.net.finish(Duration::from_millis(300));
    // The thread too: its handle alone would not have waited longer anyway.
    while desk.events.recv_timeout(PATIENCE).is_ok() {}
    let took = since.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn without_a_loop_the_thread_ends() {
    let End { net, events, settings } = End::new(patient());
    let address = net.listen("127.0.0.1:0", settings).unwrap();
    net.flush();
    drop(events);
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(FIRST).unwrap();
    let ended = net.thread_end.recv_timeout(PATIENCE);
    assert_eq!(ended.unwrap_err(), crossbeam_channel::RecvTimeoutError::Disconnected);
    assert!(!matches!(peer.read(&mut [0]), Ok(1..)));
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<connection::Connection>() <= 216, "{}", size_of::<connection::Connection>());
}

#[test]
fn every_reason_is_a_sentence() {
    let broken = io::Error::from_raw_os_error(104);
    let reasons = [
        Closed::ByUs,
        Closed::ByPeer,
        Closed::Dial("cannot reach desk.example:5000: connection refused".into()),
        Closed::Silent,
        Closed::Stalled,
        Closed::Deadline("hello"),
        Closed::Overflow,
        Closed::Crowded,
        Closed::Broken(broken),
    ];
    for reason in reasons {
        let text = reason.to_string();
        assert!(text.starts_with(char::is_lowercase), "{text}");
        assert!(!text.ends_with('.') && !text.contains("os error"), "{text}");
    }
}
