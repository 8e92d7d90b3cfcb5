//! The socket thread itself: commands in, readiness in, bytes and events out.
//!
//! A turn: take all commands, write what they queued (one write a connection), wait
//! for readiness, serve each ready socket once and boundedly (who was let in, then some
//! strangers, then who waits to be accepted), and once a tick look at all deadlines.
//! With nothing that has a deadline it sleeps without a timeout.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, select};

use super::connection::{Connection, Input};
use super::dial::{Dialers, Failed};
use super::strangers::{Strangers, in_turns};
use super::stream::is_not_now;
use super::{Closed, Command, Conn, Dialled, Event, Inbox, Limits, Registered, sentence};

/// What one connection may bring in a turn, so that none starves the others.
const READ_MAX: usize = 16 << 10;
/// What a stranger may bring in a turn: most hellos, and little else. All that strangers can make wait for the loop is
/// this for each; through TLS a record, which is 16 KiB at most.
const STRANGER_READ_MAX: usize = 1 << 10;
/// Strangers that are served in a turn, so that those who were let in wait for no more than their handshakes.
const STRANGERS_A_TURN: usize = 16;
/// And no more of them once they took so long: on a slow machine a handshake takes milliseconds.
const STRANGERS_FOR: Duration = Duration::from_millis(2);
/// What one listener may accept in a turn, likewise. No more than are served: so each stranger that says something
/// is heard before the ones behind it can drive it out.
const ACCEPT_MAX: usize = STRANGERS_A_TURN;
/// How often commands are taken before readiness is looked at again, likewise.
const COMMAND_ROUNDS: usize = 8;
/// Reads that may follow a failed write: what the peer said before it went.
const LAST_WORDS_MAX: usize = 4;

/// All sockets of the process.
pub(super) struct Sockets {
    inbox: Arc<Inbox>,
    limits: Limits,
    events: Sender<Event>,
    /// Disconnected once the handle finishes or is gone: no longer wait for the loop.
    handle_alive: Receiver<Infallible>,
    connections: HashMap<Conn, Connection>,
    strangers: Strangers,
    /// The stranger that was served last: its followers are next.
    served: usize,
    /// When connections that rest are read again.
    resting: BTreeSet<(Instant, Conn)>,
    /// Some connection may have something that is not to be read yet.
    deaf: bool,
    listeners: Vec<Listener>,
    dialers: Dialers,
    commands: Vec<Command>,
    /// Connections with something to write since commands were taken.
    fresh: Vec<Conn>,
    buffer: Box<[u8]>,
    /// How long the thread has stood at a full channel in all; see `now`.
    stood: Duration,
    next_sweep: Option<Instant>,
    ending: Option<Instant>,
    loop_gone: bool,
    /// The loop was told of a stranger who speaks something else.
    stranger_told: bool,
}

struct Listener {
    key: usize,
    socket: Registered<TcpListener>,
    local: SocketAddr,
    /// Accepting failed; it is tried again then.
    paused: Option<Instant>,
    /// The loop was told of it.
    in_trouble: bool,
}

impl Sockets {
    /// Nothing open yet.
    pub(super) fn new(
        inbox: Arc<Inbox>,
        limits: Limits,
        events: Sender<Event>,
        handle_alive: Receiver<Infallible>,
    ) -> Sockets {
        Sockets {
            dialers: Dialers::new(inbox.clone()),
            inbox,
            limits,
            events,
            handle_alive,
            connections: HashMap::new(),
            strangers: Strangers::default(),
            served: 0,
            resting: BTreeSet::new(),
            deaf: false,
            listeners: Vec::new(),
            commands: Vec::new(),
            fresh: Vec::new(),
            buffer: vec![0; READ_MAX].into_boxed_slice(),
            stood: Duration::ZERO,
            next_sweep: None,
            ending: None,
            loop_gone: false,
            stranger_told: false,
        }
    }

    /// Serves until the handle finishes or the loop is gone.
    pub(super) fn run(mut self) {
        let poller = self.inbox.poller.clone();
        let mut ready = polling::Events::new();
        loop {
            let idle = self.obey();
            if self.is_over() {
                break;
            }
            let timeout = if idle { self.timeout() } else { Some(Duration::ZERO) };
            ready.clear();
            if let Err(error) = poller.wait(&mut ready, timeout) {
                let what = format!("the network cannot be waited for: {}", sentence(&error));
                self.tell(Event::Trouble { what });
                break;
            }
            // What came may be read on by now: that alone woke nobody.
            self.obey();
            self.inbox.awake();
            let now = self.now();
            self.turn(&ready, now);
            self.wake(now);
            self.write_fresh(now);
            self.sweep(now);
        }
        let left: Vec<Conn> = self.connections.keys().copied().collect();
        for conn in left {
            self.end(conn, Closed::ByUs);
        }
    }

    /// The clock of all deadlines. It stands while the thread waits for the loop to take
    /// an event: what came meanwhile is unread, and nobody may be closed as silent for it.
    fn now(&self) -> Instant {
        Instant::now() - self.stood
    }

    fn is_over(&self) -> bool {
        let ended = match self.ending {
            Some(at) => self.connections.is_empty() || self.now() >= at,
            None => false,
        };
        ended || self.loop_gone
    }

    /// How long readiness may be waited for; `None` while nothing has a deadline.
    fn timeout(&mut self) -> Option<Duration> {
        let paused = self.listeners.iter().any(|listener| listener.paused.is_some());
        if self.connections.is_empty() && !paused && !self.dialers.is_busy() {
            self.next_sweep = None;
            return None;
        }
        let now = self.now();
        let sweep = *self.next_sweep.get_or_insert(now + self.limits.tick);
        let rested = self.resting.first().map(|(at, _)| *at);
        let at = [Some(sweep), self.ending, rested].into_iter().flatten().min().unwrap_or(sweep);
        Some(at.saturating_duration_since(now))
    }

    /// Hands `event` to the loop; waits for room, unless the handle is finishing.
    fn tell(&mut self, event: Event) {
        match self.events.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(_)) => self.loop_gone = true,
            Err(TrySendError::Full(_)) if self.ending.is_some() => {}
            Err(TrySendError::Full(event)) => {
                let since = Instant::now();
                select! {
                    send(self.events, event) -> sent => self.loop_gone |= sent.is_err(),
                    recv(self.handle_alive) -> _ => {}
                }
                self.stood += since.elapsed();
            }
        }
    }

    /// Ends a connection: its socket first, then the word to the loop, if it knows of it.
    fn end(&mut self, conn: Conn, why: Closed) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        if let Some(until) = connection.rests_until() {
            self.resting.remove(&(until, conn));
        }
        drop(connection);
        if self.strangers.leave(conn).is_none_or(|stranger| stranger.told) {
            self.tell(Event::Closed { conn, why });
        }
    }
}

/// Commands.
impl Sockets {
    /// Takes commands and writes what they queued; true when there is none left.
    fn obey(&mut self) -> bool {
        for _ in 0..COMMAND_ROUNDS {
            let mut commands = std::mem::take(&mut self.commands);
            self.inbox.take(&mut commands, self.deaf);
            let none = commands.is_empty();
            if !none {
                let now = self.now();
                for command in commands.drain(..) {
                    self.command(command, now);
                }
                self.write_fresh(now);
            }
            self.commands = commands;
            if none {
                return true;
            }
        }
        false
    }

    fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Listen(socket, local) => self.listen(socket, local),
            Command::Dial(conn, address) => {
                let failed = self.dialers.dial(conn, address, now, &self.limits);
                self.tell_failed(failed);
            }
            Command::Resolved(conn) => self.dialers.resolved(conn),
            Command::Dialled(conn, result) => self.dialled(conn, result, now),
            Command::Send(conn, bytes) => self.send(conn, bytes, now),
            Command::Expect(conn, within, what) => {
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.expect(within.map(|within| (now + within, what)));
                }
            }
            Command::AtMost(connections) => self.limits.connections = connections,
            Command::Admit(conn) => self.admit(conn),
            Command::ReadOn(conn, rest) => self.read_on(conn, rest, now),
            Command::Close(conn) => self.close(conn),
            Command::Abort(conn) => self.abort(conn),
            Command::Finish(within) => self.finish(now + within),
        }
    }

    fn listen(&mut self, socket: TcpListener, local: SocketAddr) {
        let conn = self.inbox.number();
        match Registered::new(&self.inbox.poller, conn, socket) {
            Ok(socket) => {
                self.listeners.push(Listener { key: socket.key, socket, local, paused: None, in_trouble: false })
            }
            Err(error) => {
                let what = format!("cannot listen on {local}: {}", sentence(&error));
                self.tell(Event::Trouble { what });
            }
        }
    }

    fn dialled(&mut self, conn: Conn, result: Result<Dialled, String>, now: Instant) {
        if self.dialers.reported(conn) {
            let opened = result.and_then(|dialled| {
                let tls = self.limits.settings.security.connection(&dialled.address);
                let peer = dialled.peer;
                self.open(conn, dialled.socket, true, tls?, now)
                    .map_err(|error| format!("cannot use the connection to {peer}: {}", sentence(&error)))
            });
            if let Err(why) = opened {
                self.tell_failed(vec![(conn, why)]);
            }
        }
        let failed = self.dialers.start_waiting(now, &self.limits);
        self.tell_failed(failed);
    }

    /// A socket is there: TLS begins, or all is open already.
    fn open(
        &mut self,
        conn: Conn,
        socket: TcpStream,
        admitted: bool,
        tls: Option<Box<rustls::Connection>>,
        now: Instant,
    ) -> io::Result<()> {
        let connection = Connection::new(&self.inbox.poller, conn, socket, admitted, tls, now)?;
        let opening = connection.is_opening();
        self.connections.insert(conn, connection);
        if opening {
            self.expect(conn, self.limits.handshake_within, "TLS handshake", now);
            self.write(conn, now);
        } else {
            self.opened(conn, now);
        }
        Ok(())
    }

    /// Both may speak now.
    fn opened(&mut self, conn: Conn, now: Instant) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if !connection.is_admitted() {
            return self.expect(conn, self.limits.hello_within, "hello", now);
        }
        match (connection.peer(), connection.key()) {
            (Ok(peer), key) => self.tell(Event::Connected { conn, peer, key }),
            (Err(error), _) => self.end(conn, Closed::Broken(error)),
        }
    }

    fn expect(&mut self, conn: Conn, within: Duration, what: &'static str, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.expect(Some((now + within, what)));
        }
    }

    fn tell_failed(&mut self, failed: Vec<Failed>) {
        for (conn, sentence) in failed {
            let why = Closed::Dial(sentence);
            self.tell(Event::Closed { conn, why });
        }
    }

    fn send(&mut self, conn: Conn, bytes: Vec<u8>, now: Instant) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        if connection.backlog() == 0 {
            self.fresh.push(conn);
        }
        connection.queue(bytes, now);
        if connection.backlog() > self.limits.outbound_max {
            // What the kernel can take does not count.
            self.write(conn, now);
            let left = self.connections.get(&conn).map_or(0, Connection::backlog);
            if left > self.limits.outbound_max {
                self.end(conn, Closed::Overflow);
            }
        }
    }

    fn admit(&mut self, conn: Conn) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.admit();
            self.strangers.leave(conn);
        }
    }

    fn read_on(&mut self, conn: Conn, rest: Duration, now: Instant) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        if connection.rests_until().is_some() {
            return;
        }
        let until = (!rest.is_zero()).then(|| now + rest);
        if let Err(error) = connection.read_on(until, now) {
            return self.end(conn, Closed::Broken(error));
        }
        self.resting.extend(connection.rests_until().map(|until| (until, conn)));
    }

    fn abort(&mut self, conn: Conn) {
        if self.connections.contains_key(&conn) {
            self.end(conn, Closed::ByUs);
        } else {
            self.close(conn);
        }
    }

    fn close(&mut self, conn: Conn) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            if let Some(until) = connection.rests_until() {
                self.resting.remove(&(until, conn));
            }
            connection.close();
            self.fresh.push(conn);
        } else if self.dialers.cancel(conn) {
            let why = Closed::ByUs;
            self.tell(Event::Closed { conn, why });
        }
    }

    fn finish(&mut self, at: Instant) {
        self.ending = Some(self.ending.map_or(at, |before| before.min(at)));
        self.listeners.clear();
        for conn in self.dialers.cancel_all() {
            let why = Closed::ByUs;
            self.tell(Event::Closed { conn, why });
        }
        self.resting.clear();
        for (conn, connection) in &mut self.connections {
            connection.close();
            self.fresh.push(*conn);
        }
    }
}

/// Readiness.
impl Sockets {
    /// Serves who is ready: all who were let in, some strangers in turns, and who waits at the door. The rest stays
    /// ready.
    fn turn(&mut self, ready: &polling::Events, now: Instant) {
        let (mut strangers, mut doors) = (Vec::new(), Vec::new());
        for event in ready.iter() {
            match self.connections.get(&Conn(event.key as u64)) {
                Some(connection) if connection.is_admitted() => self.serve(event, now),
                Some(_) => strangers.push(event),
                None => doors.extend(self.listeners.iter().position(|it| it.key == event.key)),
            }
        }
        in_turns(&mut strangers, |event| event.key, self.served);
        let (since, mut accepts) = (Instant::now(), ACCEPT_MAX);
        for (before, event) in strangers.into_iter().take(STRANGERS_A_TURN).enumerate() {
            self.served = event.key;
            self.serve(event, now);
            if since.elapsed() >= STRANGERS_FOR {
                accepts = before + 1;
                break;
            }
        }
        for at in doors {
            self.accept(at, accepts, now);
        }
    }

    fn serve(&mut self, event: polling::Event, now: Instant) {
        let conn = Conn(event.key as u64);
        if event.readable {
            self.read(conn, &event, now);
        }
        if event.writable {
            self.write(conn, now);
        }
    }

    fn read(&mut self, conn: Conn, event: &polling::Event, now: Instant) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let over = if !connection.is_held() {
            self.read_or_end(conn, now).err()
        } else if event.is_interrupt() || event.is_err() == Some(true) {
            // A poller tells that however little it is asked for. What the peer said last has no ack, nor will have.
            Some(Closed::Broken(ErrorKind::ConnectionReset.into()))
        } else {
            self.deaf = true;
            connection.defer().err().map(Closed::Broken)
        };
        if let Some(why) = over {
            self.turn_away(conn, &why);
            self.end(conn, why);
        }
    }

    /// Reads once and tells what came; whether anything did, or why nothing more will.
    fn read_or_end(&mut self, conn: Conn, now: Instant) -> Result<bool, Closed> {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return Ok(false);
        };
        let most = if connection.is_admitted() { READ_MAX } else { STRANGER_READ_MAX };
        let input = connection.read(&mut self.buffer[..most], now);
        if connection.is_waiting() {
            // TLS answers what it read.
            self.fresh.push(conn);
        }
        let (opened, bytes) = match input {
            Input::Opened(bytes) => (true, bytes),
            Input::Bytes(bytes) => (false, bytes),
            Input::Nothing => return Ok(false),
            Input::Ended(why) => return Err(why),
        };
        if opened {
            self.opened(conn, now);
        }
        if !bytes.is_empty() {
            if let Some(peer) = self.strangers.introduce(conn) {
                self.tell(Event::Accepted { conn, peer });
            }
            self.tell(Event::Received { conn, bytes });
        }
        Ok(true)
    }

    /// A stranger that is not what it must be hears why, if it can; the loop hears of the first one.
    fn turn_away(&mut self, conn: Conn, why: &Closed) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let speaks_other = matches!(why, Closed::Plaintext | Closed::Encrypted);
        let stranger = self.strangers.peer(conn);
        connection.refuse(stranger.filter(|_| speaks_other).map(|_| &*self.limits.settings.refusal));
        let is_news = (speaks_other || matches!(why, Closed::Refused(_))) && !self.stranger_told;
        if let Some(peer) = stranger.filter(|_| is_news) {
            self.stranger_told = true;
            let what = format!("somebody called from {}: {why} (this is said once)", peer.ip());
            self.tell(Event::Stranger { what });
        }
    }

    /// Writes for each connection that got something new, once.
    fn write_fresh(&mut self, now: Instant) {
        let mut fresh = std::mem::take(&mut self.fresh);
        for conn in fresh.drain(..) {
            let connection = self.connections.get(&conn);
            if connection.is_some_and(|connection| !connection.is_blocked()) {
                self.write(conn, now);
            }
        }
        self.fresh = fresh;
    }

    fn write(&mut self, conn: Conn, now: Instant) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        match connection.write(now, &self.limits) {
            Ok(()) if connection.is_over() => self.end(conn, Closed::ByUs),
            Ok(()) => {}
            Err(error) => {
                // The peer may have said why it goes before it went: that is read first.
                let mut reads = 0;
                let rests = connection.rests_until().is_some();
                while !rests && reads < LAST_WORDS_MAX && matches!(self.read_or_end(conn, now), Ok(true)) {
                    reads += 1;
                }
                self.end(conn, Closed::Broken(error));
            }
        }
    }

    /// Accepts who waits, boundedly.
    fn accept(&mut self, at: usize, most: usize, now: Instant) {
        for _ in 0..most {
            match self.listeners[at].socket.source.accept() {
                Ok((socket, peer)) => {
                    self.end_trouble(at);
                    self.accepted(socket, peer, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.end_trouble(at);
                    return;
                }
                Err(error) if concerns_one_peer(&error) => {}
                Err(error) => return self.pause(at, &error, now),
            }
        }
    }

    /// Keeps a new connection, if there is room; else it is closed by being dropped.
    fn accepted(&mut self, socket: TcpStream, peer: SocketAddr, now: Instant) {
        if !self.make_room(peer) {
            return;
        }
        let conn = self.inbox.number();
        // It fails when the peer is gone already: nobody was told of it, nobody need be.
        let Ok(tls) = self.limits.settings.security.connection("") else { return };
        if self.open(conn, socket, false, tls, now).is_ok() {
            self.strangers.join(conn, peer);
        }
    }

    /// Whether there is room for a stranger. Another of them goes for it, never one who was let in.
    fn make_room(&mut self, peer: SocketAddr) -> bool {
        if self.strangers.count_at(peer.ip().into()) >= self.limits.strangers_per_address {
            return false;
        }
        let is_full = self.connections.len() >= self.limits.connections;
        if !is_full && self.strangers.count() < self.limits.strangers {
            return true;
        }
        let first = self.strangers.first_to_go();
        first.inspect(|conn| self.end(*conn, Closed::Crowded)).is_some()
    }

    /// Rests: the listener stays ready, and to try at once would be to spin.
    fn pause(&mut self, at: usize, error: &io::Error, now: Instant) {
        let listener = &mut self.listeners[at];
        listener.paused = Some(now + self.limits.accept_pause);
        // If this fails the listener is tried each turn: slower, not wrong.
        let _ = listener.socket.want(false, false);
        if !listener.in_trouble {
            listener.in_trouble = true;
            let (local, why) = (listener.local, sentence(error));
            let what = format!("cannot accept on {local}: {why}; trying again every second");
            self.tell(Event::Trouble { what });
        }
    }

    fn end_trouble(&mut self, at: usize) {
        let listener = &mut self.listeners[at];
        if listener.in_trouble {
            listener.in_trouble = false;
            let what = format!("accepting on {} again", listener.local);
            self.tell(Event::Trouble { what });
        }
    }
}

/// Time.
impl Sockets {
    /// Reads again whose rest is over.
    fn wake(&mut self, now: Instant) {
        while let Some((_, conn)) = self.resting.first().copied().filter(|(until, _)| *until <= now) {
            self.resting.pop_first();
            let Some(connection) = self.connections.get_mut(&conn) else { continue };
            if let Err(error) = connection.read_on(None, now) {
                self.end(conn, Closed::Broken(error));
            }
        }
    }

    /// Looks at all deadlines, once a tick.
    fn sweep(&mut self, now: Instant) {
        if self.next_sweep.is_none_or(|at| now < at) {
            return;
        }
        self.next_sweep = Some(now + self.limits.tick);
        self.deaf = self.connections.values().any(Connection::is_deaf);
        let mut overdue = Vec::new();
        for (conn, connection) in &mut self.connections {
            if let Some(why) = connection.overdue(now, &self.limits) {
                overdue.push((*conn, why));
            } else if connection.is_quiet(now, &self.limits) {
                connection.queue(self.limits.settings.keepalive.bytes.clone(), now);
                self.fresh.push(*conn);
            }
        }
        for (conn, why) in overdue {
            self.end(conn, why);
        }
        self.write_fresh(now);
        let failed = self.dialers.sweep(now, &self.limits);
        self.tell_failed(failed);
        self.resume(now);
    }

    /// Tries listeners again whose rest is over.
    fn resume(&mut self, now: Instant) {
        for at in 0..self.listeners.len() {
            let listener = &mut self.listeners[at];
            if listener.paused.is_some_and(|until| now >= until) {
                listener.paused = None;
                let _ = listener.socket.want(true, false);
                self.accept(at, ACCEPT_MAX, now);
            }
        }
    }
}

/// An accept error that is the end of one peer's attempt, not of accepting (accept(2)
/// hands on what the network said of the new connection).
fn concerns_one_peer(error: &io::Error) -> bool {
    is_not_now(error)
        || matches!(
            error.kind(),
            ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::TimedOut
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown
        )
}
