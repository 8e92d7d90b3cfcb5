//! The socket thread itself: commands and readiness in, bytes and events out.
//!
//! In each turn the thread takes all commands, writes what they queued (one write a
//! connection) and waits for readiness. Then it serves each ready socket once and within
//! bounds: first the connections that were let in, then some strangers, then the listeners.
//! Once a tick it looks at all deadlines. While nothing has a deadline, it sleeps without a
//! timeout.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, select};

use super::connection::{Connection, Input};
use super::dial::{Dialers, Failed};
use super::poller::{Readiness, Ready, Registered};
use super::strangers::{Strangers, in_turns};
use super::stream::is_not_now;
use super::{Closed, Command, Conn, Dialled, Event, Inbox, Limits, Settings, sentence};

/// Bytes read from one connection in a turn, at most, so that none starves the others.
const READ_MAX: usize = 16 << 10;
/// Bytes read from a stranger in a turn, at most: enough for most hellos. This bounds what each
/// stranger can make wait for the loop; through TLS the bound is a record, 16 KiB at most.
const STRANGER_READ_MAX: usize = 1 << 10;
/// Strangers served in a turn, at most: the connections that were let in wait no longer than these
/// handshakes take.
const STRANGERS_A_TURN: usize = 16;
/// The time for strangers in a turn: on a slow machine one handshake takes milliseconds.
const STRANGERS_FOR: Duration = Duration::from_millis(2);
/// Connections that one listener accepts in a turn, at most. They are no more than the strangers
/// that are served, so a stranger that says something is heard before later ones can drive it out.
const ACCEPT_MAX: usize = STRANGERS_A_TURN;
/// How many times commands are taken before readiness is looked at again.
const COMMAND_ROUNDS: usize = 8;
/// Reads after a failed write, at most: they bring what the peer sent before it went.
const LAST_WORDS_MAX: usize = 4;

/// All sockets of the process.
pub(super) struct Sockets {
    inbox: Arc<Inbox>,
    limits: Limits,
    events: Sender<Event>,
    /// Disconnected once the handle finishes or is gone: then nobody waits for the loop.
    handle_alive: Receiver<Infallible>,
    connections: HashMap<Conn, Connection>,
    strangers: Strangers,
    /// The key of the stranger that was served last: those behind it are next.
    served: usize,
    /// The connections that rest, by the time when they are read again.
    resting: BTreeSet<(Instant, Conn)>,
    /// Some connection may have bytes that may not be read yet.
    deaf: bool,
    listeners: Vec<Listener>,
    dialers: Dialers,
    commands: Vec<Command>,
    /// Connections with something to write since commands were taken.
    fresh: Vec<Conn>,
    buffer: Box<[u8]>,
    /// How long the thread has waited at a full event channel in all; see `now`.
    stood: Duration,
    next_sweep: Option<Instant>,
    ending: Option<Instant>,
    loop_gone: bool,
    /// The loop has heard of a stranger that speaks something else.
    stranger_told: bool,
}

struct Listener {
    key: usize,
    socket: Registered<TcpListener>,
    local: SocketAddr,
    settings: Settings,
    /// Accepting failed, and is tried again at this time.
    paused: Option<Instant>,
    /// The loop has heard that accepting failed.
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
        let mut ready = Ready::new();
        loop {
            let idle = self.obey();
            if self.is_over() {
                break;
            }
            let timeout = if idle { self.timeout() } else { Some(Duration::ZERO) };
            if let Err(error) = poller.wait(&mut ready, timeout) {
                let what = format!("the network cannot be waited for: {}", sentence(&error));
                self.tell(Event::Trouble { what });
                break;
            }
            // The loop may have let connections be read on meanwhile: that alone wakes nobody.
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

    /// The clock of all deadlines. It stands still while the thread waits for the loop to take an
    /// event: bytes that came meanwhile are unread, and no connection may count as silent for that.
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

    /// How long to wait for readiness, at most; `None` while nothing has a deadline.
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

    /// Ends a connection: closes its socket, then tells the loop, if the loop knows of it.
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
    /// Takes commands and writes what they queued; true when no command is left.
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
            Command::Listen(socket, local, settings) => self.listen(socket, local, settings),
            Command::Dial(conn, target) => {
                let failed = self.dialers.dial(conn, target, now, &self.limits);
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

    fn listen(&mut self, socket: TcpListener, local: SocketAddr, settings: Settings) {
        let conn = self.inbox.number();
        match Registered::new(&self.inbox.poller, conn.0 as usize, socket) {
            Ok(socket) => {
                let key = socket.key;
                self.listeners.push(Listener {
                    key,
                    socket,
                    local,
                    settings,
                    paused: None,
                    in_trouble: false,
                });
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
                let Dialled { socket, peer, target } = dialled;
                let tls = target.settings.security.connection(&target.address)?;
                self.open(conn, socket, true, &target.settings, tls, now).map_err(|error| {
                    format!("cannot use the connection to {peer}: {}", sentence(&error))
                })
            });
            if let Err(why) = opened {
                self.tell_failed(vec![(conn, why)]);
            }
        }
        let failed = self.dialers.start_waiting(now, &self.limits);
        self.tell_failed(failed);
    }

    /// Takes a connected socket over: TLS begins, or in plaintext the connection is open.
    fn open(
        &mut self,
        conn: Conn,
        socket: TcpStream,
        admitted: bool,
        settings: &Settings,
        tls: Option<Box<rustls::Connection>>,
        now: Instant,
    ) -> io::Result<()> {
        let (poller, dialects) = (&self.inbox.poller, settings.dialects.clone());
        let connection = Connection::new(poller, conn, socket, admitted, dialects, tls, now)?;
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
            let within = connection.dialect().hello_within;
            return self.expect(conn, within, "hello", now);
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
        let most = connection.dialect().outbound_max;
        if connection.backlog() > most {
            // Bytes that the kernel takes do not count.
            self.write(conn, now);
            let left = self.connections.get(&conn).map_or(0, Connection::backlog);
            if left > most {
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
    /// Serves the sockets that are ready: all connections that were let in, some strangers in
    /// turns, and the listeners. The others stay ready.
    fn turn(&mut self, ready: &Ready, now: Instant) {
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

    fn serve(&mut self, event: Readiness, now: Instant) {
        let conn = Conn(event.key as u64);
        if event.is_readable() {
            self.read(conn, event, now);
        }
        if event.is_writable() {
            self.write(conn, now);
        }
    }

    fn read(&mut self, conn: Conn, event: Readiness, now: Instant) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let over = if !connection.is_held() {
            self.read_or_end(conn, now).err()
        } else if event.is_over() {
            // The poller tells this whatever it is asked for. The peer's last bytes have no ack,
            // and the peer sends them again on its next connection.
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

    /// Reads once and tells the loop what came. Returns whether bytes came, or why the connection
    /// is over.
    fn read_or_end(&mut self, conn: Conn, now: Instant) -> Result<bool, Closed> {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return Ok(false);
        };
        let most = if connection.is_admitted() { READ_MAX } else { STRANGER_READ_MAX };
        let input = connection.read(&mut self.buffer[..most], now);
        let dialect = connection.dialect().name;
        if connection.is_waiting() {
            // TLS has an answer to what it read.
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
                self.tell(Event::Accepted { conn, peer, dialect });
            }
            self.tell(Event::Received { conn, bytes });
        }
        Ok(true)
    }

    /// Tells a stranger that speaks something else why it is closed, if it can understand that. The
    /// loop hears of the first such stranger.
    fn turn_away(&mut self, conn: Conn, why: &Closed) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let speaks_other = matches!(why, Closed::Plaintext | Closed::Encrypted);
        let stranger = self.strangers.peer(conn);
        let refusal =
            (stranger.is_some() && speaks_other).then(|| connection.dialect().refusal.clone());
        connection.refuse(refusal.as_deref());
        let is_news = (speaks_other || matches!(why, Closed::Refused(_))) && !self.stranger_told;
        if let Some(peer) = stranger.filter(|_| is_news) {
            self.stranger_told = true;
            let what = format!("somebody called from {}: {why} (this is said once)", peer.ip());
            self.tell(Event::Stranger { what });
        }
    }

    /// Writes once for each connection that got something new.
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
                // The peer may have said why before it closed: read that first.
                let mut reads = 0;
                let rests = connection.rests_until().is_some();
                while !rests
                    && reads < LAST_WORDS_MAX
                    && matches!(self.read_or_end(conn, now), Ok(true))
                {
                    reads += 1;
                }
                self.end(conn, Closed::Broken(error));
            }
        }
    }

    /// Accepts waiting connections, `most` at most.
    fn accept(&mut self, at: usize, most: usize, now: Instant) {
        for _ in 0..most {
            match self.listeners[at].socket.source.accept() {
                Ok((socket, peer)) => {
                    self.end_trouble(at);
                    self.accepted(at, socket, peer, now);
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

    /// Keeps a new connection if there is room, or closes it by dropping it.
    fn accepted(&mut self, at: usize, socket: TcpStream, peer: SocketAddr, now: Instant) {
        if !self.make_room(at, peer) {
            return;
        }
        let Listener { key, settings, .. } = &self.listeners[at];
        let (door, settings) = (*key, settings.clone());
        let conn = self.inbox.number();
        // It fails when the peer is gone already. The loop has not heard of it, and need not.
        let Ok(tls) = settings.security.connection("") else { return };
        if self.open(conn, socket, false, &settings, tls, now).is_ok() {
            self.strangers.join(conn, door, peer);
        }
    }

    /// Whether there is room for a stranger at this listener. Another stranger of the same listener
    /// goes for it, never a connection that was let in.
    fn make_room(&mut self, at: usize, peer: SocketAddr) -> bool {
        let Listener { key: door, settings, .. } = &self.listeners[at];
        if self.strangers.count_at(*door, peer.ip().into()) >= settings.strangers_per_address {
            return false;
        }
        let is_full = self.connections.len() >= self.limits.connections;
        if !is_full && self.strangers.count(*door) < settings.strangers {
            return true;
        }
        let first = self.strangers.first_to_go(*door);
        first.inspect(|conn| self.end(*conn, Closed::Crowded)).is_some()
    }

    /// Lets a listener rest: it stays ready, and trying again at once would spin.
    fn pause(&mut self, at: usize, error: &io::Error, now: Instant) {
        let listener = &mut self.listeners[at];
        listener.paused = Some(now + self.limits.accept_pause);
        // If this fails, the listener is tried in each turn: slower, but not wrong.
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
    /// Reads connections again whose rest is over.
    fn wake(&mut self, now: Instant) {
        while let Some((_, conn)) = self.resting.first().copied().filter(|(until, _)| *until <= now)
        {
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
            } else if connection.is_quiet(now) {
                connection.queue(connection.dialect().keepalive.bytes.clone(), now);
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

/// Whether an accept error ends one peer's attempt, and not accepting: accept(2) also returns
/// errors of the new connection.
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
