//! Commands of the loop and of dialers, carried out on the sockets.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::super::connection::Connection;
use super::super::dial::Failed;
use super::super::{Closed, Command, Conn, Dialled, Event, Settings, sentence};
use super::Sockets;

/// How many times commands are taken before the thread looks at readiness again.
const COMMAND_ROUNDS: usize = 8;

impl Sockets {
    /// Carries out commands and writes what they queued. True when no command is left.
    pub(super) fn obey(&mut self) -> bool {
        for _ in 0..COMMAND_ROUNDS {
            let mut commands = std::mem::take(&mut self.commands);
            self.inbox.take(&mut commands, self.has_deaf);
            let none = commands.is_empty();
            if !none {
                let now = self.inbox.now();
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
            Command::Renew(local, settings) => self.renew(local, &settings),
            Command::Dial(conn, target) => {
                let failed = self.dialers.dial(conn, target, now, &self.limits);
                self.tell_failed(failed);
            }
            Command::Resolved(conn) => self.dialers.resolved(conn),
            Command::Dialled(conn, result) => self.dialled(conn, result, now),
            Command::Send(conn, bytes) => self.send(conn, bytes, now),
            Command::Write(conn) => self.write_bounded(conn, now),
            Command::Expect(conn, deadline, what) => {
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.expect(deadline.map(|at| (at, what)));
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

    /// Takes over a connected socket: starts TLS, or in plaintext opens the connection.
    pub(super) fn open(
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

    /// The handshake is done, or there is none: both sides may send.
    pub(super) fn opened(&mut self, conn: Conn, now: Instant) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        self.inbox.share(conn, connection.share());
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

    pub(super) fn tell_failed(&mut self, failed: Vec<Failed>) {
        for (conn, sentence) in failed {
            let why = Closed::Dial(sentence);
            self.tell(Event::Closed { conn, why });
        }
    }

    fn send(&mut self, conn: Conn, bytes: Vec<u8>, now: Instant) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let (before, after) = connection.queue(bytes, now);
        if before == 0 {
            self.unwritten.push(conn);
        }
        if after > connection.dialect().outbound_max {
            self.write_bounded(conn, now);
        }
    }

    /// Writes once, and ends the connection if more than allowed waits then. Bytes that the kernel
    /// takes do not count.
    fn write_bounded(&mut self, conn: Conn, now: Instant) {
        self.write(conn, now);
        let is_over = |it: &Connection| it.backlog() > it.dialect().outbound_max;
        if self.connections.get(&conn).is_some_and(is_over) {
            self.end(conn, Closed::Overflow);
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
        self.rests.extend(connection.rests_until().map(|until| (until, conn)));
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
                self.rests.remove(&(until, conn));
            }
            connection.close();
            self.unwritten.push(conn);
        } else if self.dialers.cancel(conn) {
            let why = Closed::ByUs;
            self.tell(Event::Closed { conn, why });
        }
    }

    fn finish(&mut self, at: Instant) {
        self.end_at = Some(self.end_at.map_or(at, |before| before.min(at)));
        self.listeners.clear();
        for conn in self.dialers.cancel_all() {
            let why = Closed::ByUs;
            self.tell(Event::Closed { conn, why });
        }
        self.rests.clear();
        for (conn, connection) in &mut self.connections {
            connection.close();
            self.unwritten.push(*conn);
        }
    }
}
