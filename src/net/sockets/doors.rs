//! Listeners: accepting connections, making room for strangers, and pausing after a failure.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use super::super::poller::Registered;
use super::super::strangers::Door;
use super::super::stream::is_not_now;
use super::super::{Closed, Conn, Event, Settings, StrangersMax, sentence};
use super::Sockets;
use super::ready::STRANGERS_A_TURN;

/// The most connections that one listener accepts in a turn. It is at most the number of strangers
/// served in a turn: so a stranger that has sent something is read before later ones replace it.
pub(super) const ACCEPT_MAX: usize = STRANGERS_A_TURN;

/// A socket that accepts connections.
pub(super) struct Listener {
    pub(super) key: usize,
    socket: Registered<TcpListener>,
    local: SocketAddr,
    settings: Settings,
    /// Accepting failed, and is tried again at this time.
    pub(super) paused_until: Option<Instant>,
    /// Whether the loop got an [`Event::Trouble`] that says that accepting fails. When accepting
    /// works again, the loop gets another `Trouble`.
    in_trouble: bool,
}

impl Sockets {
    pub(super) fn listen(&mut self, socket: TcpListener, local: SocketAddr, settings: Settings) {
        let conn = self.inbox.number();
        match Registered::new(&self.inbox.poller, conn.0 as usize, socket) {
            Ok(socket) => {
                let key = socket.key;
                self.listeners.push(Listener {
                    key,
                    socket,
                    local,
                    settings,
                    paused_until: None,
                    in_trouble: false,
                });
            }
            Err(error) => {
                let what = format!("cannot listen on {local}: {}", sentence(&error));
                self.tell(Event::Trouble { what });
            }
        }
    }

    /// Gives a listener other settings. Connections that it has accepted keep theirs.
    pub(super) fn renew(&mut self, local: SocketAddr, settings: &Settings) {
        for listener in self.listeners.iter_mut().filter(|listener| listener.local == local) {
            listener.settings = settings.clone();
        }
    }

    /// Accepts waiting connections of listener `at`, no more than `most`.
    pub(super) fn accept(&mut self, at: usize, most: usize, now: Instant) {
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
        let (door, settings) = (Door { listener: *key, dialect: None }, settings.clone());
        let conn = self.inbox.number();
        // These steps fail when the peer is gone already. The loop does not know this connection
        // and needs no event.
        let Ok(tls) = settings.security.connection("") else { return };
        if self.open(conn, socket, false, &settings, tls, now).is_ok() {
            self.strangers.join(conn, door, peer);
        }
    }

    /// Whether there is room for a stranger at this listener. To make room, another stranger of the
    /// same listener is closed, never an admitted connection.
    fn make_room(&mut self, at: usize, peer: SocketAddr) -> bool {
        let Listener { key, settings, .. } = &self.listeners[at];
        let (door, address) = (Door { listener: *key, dialect: None }, peer.ip().into());
        let is_full = self.connections.len() >= self.limits.connections;
        let first = if self.strangers.count_at(door, address) >= settings.strangers_per_address {
            // A peer that has sent nothing loses nothing: an honest one sends its first bytes at
            // once.
            self.strangers.oldest_silent(door, address)
        } else if is_full || self.strangers.count(door) >= settings.strangers {
            self.strangers.first_to_go(door)
        } else {
            return true;
        };
        first.inspect(|conn| self.end(*conn, Closed::Crowded)).is_some()
    }

    /// TLS has named the stranger's dialect, and this dialect counts its strangers apart. One of
    /// them may have to make room.
    pub(super) fn count_apart(&mut self, conn: Conn, dialect: &'static str, most: StrangersMax) {
        let Some(peer) = self.strangers.peer(conn) else { return };
        let Some(door) = self.strangers.move_to(conn, dialect) else { return };
        let from_there = self.strangers.count_at(door, peer.ip().into());
        if from_there > most.per_address || self.strangers.count(door) > most.all {
            let first = self.strangers.first_to_go(door);
            first.into_iter().for_each(|first| self.end(first, Closed::Crowded));
        }
    }

    /// Stops accepting for a while. A listener that fails stays ready, so the thread would try
    /// again without a pause.
    fn pause(&mut self, at: usize, error: &io::Error, now: Instant) {
        let listener = &mut self.listeners[at];
        listener.paused_until = Some(now + self.limits.accept_pause);
        // If this fails, each turn tries the listener: slower, but not wrong.
        let _ = listener.socket.want(false, false);
        if !listener.in_trouble {
            listener.in_trouble = true;
            let (local, why) = (listener.local, sentence(error));
            let what =
                format!("cannot accept connections on {local}: {why}; trying again every second");
            self.tell(Event::Trouble { what });
        }
    }

    fn end_trouble(&mut self, at: usize) {
        let listener = &mut self.listeners[at];
        if listener.in_trouble {
            listener.in_trouble = false;
            let what = format!("accepting connections on {} again", listener.local);
            self.tell(Event::Trouble { what });
        }
    }

    /// Accepts again at listeners whose pause is over.
    pub(super) fn resume(&mut self, now: Instant) {
        for at in 0..self.listeners.len() {
            let listener = &mut self.listeners[at];
            if listener.paused_until.is_some_and(|until| now >= until) {
                listener.paused_until = None;
                let _ = listener.socket.want(true, false);
                self.accept(at, ACCEPT_MAX, now);
            }
        }
    }
}

/// Whether an error of accept(2) is about the new connection, and not about the listener.
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
