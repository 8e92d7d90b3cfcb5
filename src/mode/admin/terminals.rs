//! The connections of agents' terminals elsewhere, from the socket to the seat.
//!
//! Rules: docs/PROTOCOL.md, "Agents' terminals".

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::core::desk::SeatId;
use crate::mode::attached::dialect_of_agents;
use crate::net::{Dialect, Net, StrangersMax};
use crate::turn::peers::Peers;
use crate::wire::seat::SeatMessage;
use crate::wire::{self, Code, Conn, Frames, IdMap, SeatKey, SecretHash, WireError};

use super::attached::Outbox;

/// The most terminals that are not signed in, in all and from one address.
const STRANGERS: usize = 64;
const STRANGERS_PER_ADDRESS: usize = 8;

/// All connections of agents' terminals.
#[derive(Default)]
pub(super) struct Terminals {
    all: IdMap<Conn, Terminal>,
    /// The codes that were used since the start, each with its secret. The journal has the earlier
    /// ones.
    pub(super) enrolled: HashMap<SecretHash, SecretHash>,
}

#[derive(Default)]
struct Terminal {
    frames: Frames<SeatMessage>,
    line: Option<Line>,
}

/// What the desk keeps of a terminal that is signed in.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) seat: SeatId,
    pub(super) key: SeatKey,
    /// The number of the latest typed line that has come.
    pub(super) received: Rc<Cell<u64>>,
    pub(super) outbox: Rc<Outbox>,
    /// The number of the latest fact that the terminal has shown.
    pub(super) shown: Rc<Cell<u64>>,
}

impl Terminals {
    /// The terminals' protocol, as far as the socket thread has to know it.
    pub(super) fn dialect(wire: &Dialect) -> Dialect {
        let strangers = Some(StrangersMax { all: STRANGERS, per_address: STRANGERS_PER_ADDRESS });
        Dialect { strangers, ..dialect_of_agents(wire.clone()) }
    }

    /// Whether this connection is a terminal's.
    pub(super) fn has(&self, conn: Conn) -> bool {
        self.all.contains_key(&conn)
    }

    /// Adds the connection of a terminal that is not signed in yet.
    pub(super) fn opened(&mut self, conn: Conn) {
        self.all.insert(conn, Terminal::default());
    }

    /// Removes a connection that is gone. Returns its seat, if its terminal was signed in.
    pub(super) fn gone(&mut self, conn: Conn) -> Option<SeatId> {
        self.all.remove(&conn)?.line.map(|line| line.seat)
    }

    /// Notes that the terminal of this connection is signed in.
    pub(super) fn admit(&mut self, conn: Conn, line: Line, net: &Net) {
        if let Some(terminal) = self.all.get_mut(&conn) {
            terminal.frames.accept();
            terminal.line = Some(line);
            net.admit(conn);
            net.expect(conn, None, "");
        }
    }

    /// Adds bytes that came. Returns the messages that are complete, and the error after them, if
    /// there is one.
    pub(super) fn received(
        &mut self,
        conn: Conn,
        bytes: Vec<u8>,
        net: &Net,
    ) -> (Vec<SeatMessage>, Option<WireError>) {
        let Some(terminal) = self.all.get_mut(&conn) else { return (Vec::new(), None) };
        terminal.frames.push(bytes);
        let mut messages = Vec::new();
        let error = loop {
            match terminal.frames.message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        net.read_on(conn, Duration::ZERO);
        (messages, error)
    }

    /// The [`Line`] of a connection, if its terminal is signed in.
    pub(super) fn line(&self, conn: Conn) -> Option<Line> {
        self.all.get(&conn)?.line.clone()
    }

    /// The [`Line`] of a seat.
    pub(super) fn line_of(&self, seat: SeatId) -> Option<Line> {
        self.find(|line| line.seat == seat).map(|(_, line)| line)
    }

    /// The connection of the terminal with this seat key.
    pub(super) fn conn_of(&self, key: SeatKey) -> Option<Conn> {
        self.find(|line| line.key == key).map(|(conn, _)| conn)
    }

    /// The connection of a seat.
    pub(super) fn conn_at(&self, seat: SeatId) -> Option<Conn> {
        self.find(|line| line.seat == seat).map(|(conn, _)| conn)
    }

    /// How many terminals are signed in.
    pub(super) fn count(&self) -> usize {
        self.lines().count()
    }

    /// Closes a connection, after sending it the frames that wait and the reason.
    pub(super) fn dismiss(&mut self, conn: Conn, code: Code, text: &str, peers: &Peers) {
        self.send(conn, peers);
        send(conn, &SeatMessage::Bye { code, text: text.to_owned() }, peers);
        peers.net().close(conn);
        self.all.remove(&conn);
    }

    /// Closes all connections, because the desk ends.
    pub(super) fn leave(&mut self, peers: &Peers) {
        for conn in self.all.keys().copied().collect::<Vec<_>>() {
            self.dismiss(conn, Code::Leaving, "the desk is leaving", peers);
        }
    }

    /// Sends the frames that are due to all terminals.
    pub(super) fn flush(&self, peers: &Peers, now: Instant) {
        for (conn, line) in self.lines() {
            let due = line.outbox.take_due(now);
            due.iter().for_each(|message| send(conn, message, peers));
        }
    }

    /// When frames that are not urgent are due next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lines().filter_map(|(_, line)| line.outbox.deadline()).min()
    }

    fn lines(&self) -> impl Iterator<Item = (Conn, &Line)> {
        self.all.iter().filter_map(|(conn, it)| Some((*conn, it.line.as_ref()?)))
    }

    fn send(&self, conn: Conn, peers: &Peers) {
        let line = self.all.get(&conn).and_then(|terminal| terminal.line.as_ref());
        for message in line.map(|line| line.outbox.take()).unwrap_or_default() {
            send(conn, &message, peers);
        }
    }

    fn find(&self, is_it: impl Fn(&Line) -> bool) -> Option<(Conn, Line)> {
        self.lines().find(|(_, line)| is_it(line)).map(|(conn, line)| (conn, line.clone()))
    }
}

fn send(conn: Conn, message: &SeatMessage, peers: &Peers) {
    peers.net().send(conn, wire::frame(message));
}
