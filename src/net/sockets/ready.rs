//! Ready sockets: what is read and written in a turn, and in which order.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::super::connection::Input;
use super::super::poller::{Readiness, Ready};
use super::super::strangers::in_turns;
use super::super::{Closed, Conn, Event};
use super::doors::ACCEPT_MAX;
use super::{READ_MAX, Sockets};

/// The most bytes read from a stranger in a turn: enough for most hellos. This bounds how many
/// bytes of each stranger wait for the loop. With TLS the bound is one record, at most 16 KiB.
const STRANGER_READ_MAX: usize = 1 << 10;
/// The most strangers served in a turn. Meanwhile admitted connections wait, so this bounds how
/// long.
pub(super) const STRANGERS_A_TURN: usize = 16;
/// The time for strangers in a turn. On a slow machine one handshake takes milliseconds.
const STRANGERS_FOR: Duration = Duration::from_millis(2);
/// The most reads after a failed write. They bring the last bytes that the peer sent.
const LAST_WORDS_MAX: usize = 4;

impl Sockets {
    /// Serves ready sockets: all admitted connections, then some strangers, then the listeners. The
    /// strangers that are left over stay ready for a later turn.
    pub(super) fn turn(&mut self, ready: &Ready, now: Instant) {
        let (mut strangers, mut doors) = (Vec::new(), Vec::new());
        for event in ready.iter() {
            match self.connections.get(&Conn(event.key as u64)) {
                Some(connection) if connection.is_admitted() => self.serve(event, now),
                Some(_) => strangers.push(event),
                None => doors.extend(self.listeners.iter().position(|it| it.key == event.key)),
            }
        }
        in_turns(&mut strangers, |event| event.key, self.last_served);
        let (since, mut accepts) = (Instant::now(), ACCEPT_MAX);
        for (before, event) in strangers.into_iter().take(STRANGERS_A_TURN).enumerate() {
            self.last_served = event.key;
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
        let over = if !connection.is_paused() {
            self.read_or_end(conn, now).err()
        } else if event.is_over() {
            // epoll reports a broken connection even if its socket may not be read. The last bytes
            // of the peer stay unread and without an ack, so the peer sends them again on its next
            // connection.
            Some(Closed::Broken(ErrorKind::ConnectionReset.into()))
        } else {
            self.has_deaf = true;
            connection.defer().err().map(Closed::Broken)
        };
        if let Some(why) = over {
            self.turn_away(conn, &why);
            self.end(conn, why);
        }
    }

    /// Reads once and passes the bytes to the loop. Returns whether bytes came, or why the
    /// connection is over.
    fn read_or_end(&mut self, conn: Conn, now: Instant) -> Result<bool, Closed> {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return Ok(false);
        };
        let most = if connection.is_admitted() { READ_MAX } else { STRANGER_READ_MAX };
        let input = connection.read(&mut self.buffer[..most], now);
        let is_heard = connection.is_heard_at(now);
        let (dialect, apart) = (connection.dialect().name, connection.dialect().strangers);
        if connection.is_waiting() {
            // A sign of life, or what TLS has to answer, such as a part of the handshake.
            self.unwritten.push(conn);
        }
        if is_heard {
            self.strangers.note_speech(conn);
        }
        let (opened, bytes) = match input {
            Input::Opened(bytes) => (true, bytes),
            Input::Bytes(bytes) => (false, bytes),
            Input::Nothing => return Ok(false),
            Input::Ended(why) => return Err(why),
        };
        if opened {
            self.opened(conn, now);
            if let Some(most) = apart {
                self.count_apart(conn, dialect, most);
            }
        }
        if !bytes.is_empty() {
            if let Some(peer) = self.strangers.introduce(conn) {
                self.tell(Event::Accepted { conn, peer, dialect });
            }
            self.tell(Event::Received { conn, bytes });
        }
        Ok(true)
    }

    /// Sends a stranger that speaks another protocol the reason why it is closed, if it can
    /// understand that. The first such stranger of the process is an event for the loop.
    fn turn_away(&mut self, conn: Conn, why: &Closed) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let speaks_other = matches!(why, Closed::Plaintext | Closed::Encrypted);
        let stranger = self.strangers.peer(conn);
        let refusal =
            (stranger.is_some() && speaks_other).then(|| connection.dialect().refusal.clone());
        connection.refuse(refusal.as_deref());
        let is_news =
            (speaks_other || matches!(why, Closed::Refused(_))) && !self.has_reported_stranger;
        if let Some(peer) = stranger.filter(|_| is_news) {
            self.has_reported_stranger = true;
            let what =
                format!("refused a connection from {}: {why} (this is shown once)", peer.ip());
            self.tell(Event::Stranger { what });
        }
    }

    /// Writes once to each connection for which new bytes were queued.
    pub(super) fn write_fresh(&mut self, now: Instant) {
        let mut fresh = std::mem::take(&mut self.unwritten);
        for conn in fresh.drain(..) {
            let connection = self.connections.get(&conn);
            if connection.is_some_and(|connection| !connection.is_blocked()) {
                self.write(conn, now);
            }
        }
        self.unwritten = fresh;
    }

    pub(super) fn write(&mut self, conn: Conn, now: Instant) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        match connection.write(now, &self.limits) {
            Ok(()) if connection.is_over() => self.end(conn, Closed::ByUs),
            Ok(()) => {}
            Err(error) => {
                // The peer may have sent the reason before it closed: read that first.
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
}
