//! Strangers: connections that were accepted and not admitted yet. This module counts them by
//! listener and address, and picks the stranger to close when there are too many. Strangers of a
//! dialect that has its own limits are counted separately, once TLS has named the dialect.
//!
//! It picks from the address that has the most strangers. So a crowd from a few addresses closes
//! its own connections, and a customer from another address has time for the TLS handshake.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use super::Conn;
use crate::wire::{Address, IdMap};

/// All strangers of the process.
#[derive(Default)]
pub(super) struct Strangers {
    all: IdMap<Conn, Stranger>,
    /// The connections by door and address. Their numbers grow, so the first is the oldest.
    by_address: HashMap<(Door, Address), BTreeSet<Conn>>,
    /// Those of them that have sent nothing yet.
    silent: HashMap<(Door, Address), BTreeSet<Conn>>,
    /// The number of strangers by door.
    counts: HashMap<Door, usize>,
}

/// Where strangers come in: the key of a listener, and the dialect if it counts them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Door {
    pub(super) listener: usize,
    pub(super) dialect: Option<&'static str>,
}

/// One stranger.
pub(super) struct Stranger {
    door: Door,
    pub(super) peer: SocketAddr,
    /// The loop has the event [`Accepted`](super::Event::Accepted) of this connection.
    pub(super) is_reported: bool,
}

impl Strangers {
    /// The number of strangers at this door.
    pub(super) fn count(&self, door: Door) -> usize {
        self.counts.get(&door).copied().unwrap_or(0)
    }

    /// The number of strangers at this door from this address.
    pub(super) fn count_at(&self, door: Door, address: Address) -> usize {
        self.by_address.get(&(door, address)).map_or(0, BTreeSet::len)
    }

    /// The oldest stranger from this address that has sent nothing yet.
    pub(super) fn oldest_silent(&self, door: Door, address: Address) -> Option<Conn> {
        self.silent.get(&(door, address))?.first().copied()
    }

    /// The connection to close when this door needs room for one more: the oldest of the
    /// address that has the most strangers. If several addresses have the most, the oldest of them
    /// all.
    pub(super) fn first_to_go(&self, door: Door) -> Option<Conn> {
        let here = self.by_address.iter().filter(|((at, _), _)| *at == door);
        let shares = here.filter_map(|(_, conns)| Some((conns.len(), Reverse(*conns.first()?))));
        shares.max().map(|(_, Reverse(oldest))| oldest)
    }

    /// Adds a connection that a listener accepted.
    pub(super) fn join(&mut self, conn: Conn, door: Door, peer: SocketAddr) {
        self.add(conn, Stranger { door, peer, is_reported: false });
        self.silent.entry((door, peer.ip().into())).or_default().insert(conn);
    }

    /// This stranger has sent something.
    pub(super) fn note_speech(&mut self, conn: Conn) {
        if let Some(Stranger { door, peer, .. }) = self.all.get(&conn) {
            take(&mut self.silent, (*door, peer.ip().into()), conn);
        }
    }

    /// This stranger speaks a dialect that is counted apart.
    pub(super) fn move_to(&mut self, conn: Conn, dialect: &'static str) -> Option<Door> {
        let stranger = self.leave(conn)?;
        let door = Door { dialect: Some(dialect), ..stranger.door };
        self.add(conn, Stranger { door, ..stranger });
        Some(door)
    }

    /// The address of this stranger; `None` if the connection is no stranger.
    pub(super) fn peer(&self, conn: Conn) -> Option<SocketAddr> {
        self.all.get(&conn).map(|stranger| stranger.peer)
    }

    /// Marks this stranger as reported to the loop and returns its address, at the first call only.
    pub(super) fn introduce(&mut self, conn: Conn) -> Option<SocketAddr> {
        let stranger = self.all.get_mut(&conn).filter(|stranger| !stranger.is_reported)?;
        stranger.is_reported = true;
        Some(stranger.peer)
    }

    /// Removes a stranger: it was admitted, or its connection is closed.
    pub(super) fn leave(&mut self, conn: Conn) -> Option<Stranger> {
        let stranger = self.all.remove(&conn)?;
        let at = (stranger.door, stranger.peer.ip().into());
        take(&mut self.by_address, at, conn);
        take(&mut self.silent, at, conn);
        if let Some(count) = self.counts.get_mut(&stranger.door) {
            *count -= 1;
        }
        Some(stranger)
    }

    fn add(&mut self, conn: Conn, stranger: Stranger) {
        let at = (stranger.door, stranger.peer.ip().into());
        self.by_address.entry(at).or_default().insert(conn);
        *self.counts.entry(stranger.door).or_default() += 1;
        self.all.insert(conn, stranger);
    }
}

/// Removes a connection from the set of its address.
fn take(sets: &mut HashMap<(Door, Address), BTreeSet<Conn>>, at: (Door, Address), conn: Conn) {
    if let Some(conns) = sets.get_mut(&at) {
        conns.remove(&conn);
        if conns.is_empty() {
            sets.remove(&at);
        }
    }
}

/// Orders ready sockets by key, beginning after the key that was served last. So each has its turn,
/// however much the others send.
pub(super) fn in_turns<T>(ready: &mut [T], key: impl Fn(&T) -> usize, last_served: usize) {
    ready.sort_unstable_by_key(&key);
    let next = ready.partition_point(|one| key(one) <= last_served);
    ready.rotate_left(next);
}
