//! The socket thread itself: commands in, readiness in, bytes and events out.
//!
//! A turn: take all commands, write what they queued (one write a connection), wait
//! for readiness, serve each ready socket once and boundedly, and once a tick look at
//! all deadlines. With nothing that has a deadline it sleeps without a timeout.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, select};

use super::connection::{Connection, End, Input, is_not_now};
use super::dial::{Dialers, Failed};
use super::{Closed, Command, Conn, Dialled, Event, Inbox, Limits, Registered, sentence};

/// What one connection may bring in a turn, so that none starves the others.
const READ_MAX: usize = 64 << 10;
/// What one listener may accept in a turn, likewise.
const ACCEPT_MAX: usize = 128;
/// How often commands are taken before readiness is looked at again, likewise.
const COMMAND_ROUNDS: usize = 8;
/// Reads that may follow a failed write: what the peer said before it went.
const LAST_WORDS_MAX: usize = 64;

/// All sockets of the process.
pub(super) struct Sockets {
    inbox: Arc<Inbox>,
    limits: Limits,
    events: Sender<Event>,
    /// Disconnected once the handle finishes or is gone: no longer wait for the loop.
    handle_alive: Receiver<Infallible>,
    connections: HashMap<Conn, Connection>,
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
            self.inbox.awake();
            let now = self.now();
            for event in ready.iter() {
                self.serve(event, now);
            }
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
        let at = self.ending.map_or(sweep, |ending| sweep.min(ending));
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

    /// Ends a connection: its socket first, then the word to the loop.
    fn end(&mut self, conn: Conn, why: Closed) {
        if self.connections.remove(&conn).is_some_and(|connection| connection.is_known()) {
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
            self.inbox.take(&mut commands);
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
            Command::Close(conn) => self.close(conn),
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
                let (peer, socket) = (dialled.peer, (dialled.socket, dialled.peer));
                self.open(conn, socket, End::Dialled, tls?, now)
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
        socket: (TcpStream, SocketAddr),
        end: End,
        tls: Option<Box<rustls::Connection>>,
        now: Instant,
    ) -> io::Result<()> {
        let connection = Connection::new(&self.inbox.poller, conn, socket, end, tls, now)?;
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
        let (event, accepted) = (connection.opened(conn), connection.is_accepted());
        if accepted {
            self.expect(conn, self.limits.hello_within, "hello", now);
        }
        self.tell(event);
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

    fn close(&mut self, conn: Conn) {
        if let Some(connection) = self.connections.get_mut(&conn) {
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
        for (conn, connection) in &mut self.connections {
            connection.close();
            self.fresh.push(*conn);
        }
    }
}

/// Readiness.
impl Sockets {
    fn serve(&mut self, event: polling::Event, now: Instant) {
        let conn = Conn(event.key as u64);
        if self.connections.contains_key(&conn) {
            if event.readable {
                self.read(conn, now);
            }
            if event.writable {
                self.write(conn, now);
            }
        } else if let Some(at) = self.listeners.iter().position(|it| it.key == event.key) {
            self.accept(at, now);
        }
    }

    fn read(&mut self, conn: Conn, now: Instant) {
        if let Some(why) = self.read_or_end(conn, now).err() {
            self.turn_away(conn, &why);
            self.end(conn, why);
        }
    }

    /// Reads once and tells what came; whether anything did, or why nothing more will.
    fn read_or_end(&mut self, conn: Conn, now: Instant) -> Result<bool, Closed> {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return Ok(false);
        };
        let input = connection.read(&mut self.buffer, now);
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
            self.tell(Event::Received { conn, bytes });
        }
        Ok(true)
    }

    /// A peer that is not what it must be hears why, if it can.
    fn turn_away(&mut self, conn: Conn, why: &Closed) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.refuse(why, &self.limits.settings.refusal);
        let is_other = matches!(why, Closed::Plaintext | Closed::Encrypted) && connection.is_accepted();
        if is_other && !std::mem::replace(&mut self.stranger_told, true) {
            let what = format!("somebody called from {}: {why} (this is said once)", connection.peer().ip());
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
                while reads < LAST_WORDS_MAX && matches!(self.read_or_end(conn, now), Ok(true)) {
                    reads += 1;
                }
                self.end(conn, Closed::Broken(error));
            }
        }
    }

    /// Accepts who waits, boundedly.
    fn accept(&mut self, at: usize, now: Instant) {
        for _ in 0..ACCEPT_MAX {
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

    fn accepted(&mut self, socket: TcpStream, peer: SocketAddr, now: Instant) {
        let conn = self.inbox.number();
        // It fails when the peer is gone already: nobody was told of it, nobody need be.
        if let Ok(tls) = self.limits.settings.security.connection("") {
            let _ = self.open(conn, (socket, peer), End::Accepted, tls, now);
        }
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
    /// Looks at all deadlines, once a tick.
    fn sweep(&mut self, now: Instant) {
        if self.next_sweep.is_none_or(|at| now < at) {
            return;
        }
        self.next_sweep = Some(now + self.limits.tick);
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
                self.accept(at, now);
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
