//! Strangers: connections that were accepted and not admitted yet. This room counts them by
//! listener and address, and picks the one to close when another needs room.
//!
//! It picks from the address that has the most strangers. So a crowd from a few addresses closes
//! its own connections, and a customer from another address has time for the TLS handshake.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use super::Conn;
use crate::wire::Address;

/// All strangers of the process.
#[derive(Default)]
pub(super) struct Strangers {
    all: HashMap<Conn, Stranger>,
    /// The connections by listener and address. Their numbers grow, so the first is the oldest.
    by_address: HashMap<(usize, Address), BTreeSet<Conn>>,
    /// The number of strangers by listener.
    counts: HashMap<usize, usize>,
}

/// One stranger.
pub(super) struct Stranger {
    /// The key of the listener that accepted it.
    door: usize,
    pub(super) peer: SocketAddr,
    /// The loop has the event [`Accepted`](super::Event::Accepted) of this connection.
    pub(super) is_reported: bool,
}

impl Strangers {
    /// The number of strangers at this listener.
    pub(super) fn count(&self, door: usize) -> usize {
        self.counts.get(&door).copied().unwrap_or(0)
    }

    /// The number of strangers at this listener from this address.
    pub(super) fn count_at(&self, door: usize, address: Address) -> usize {
        self.by_address.get(&(door, address)).map_or(0, BTreeSet::len)
    }

    /// The connection to close when this listener needs room for one more: the oldest of the
    /// address that has the most strangers. If several addresses have the most, the oldest of them
    /// all.
    pub(super) fn first_to_go(&self, door: usize) -> Option<Conn> {
        let here = self.by_address.iter().filter(|((at, _), _)| *at == door);
        let shares = here.filter_map(|(_, conns)| Some((conns.len(), Reverse(*conns.first()?))));
        shares.max().map(|(_, Reverse(oldest))| oldest)
    }

    /// Adds a connection that a listener accepted.
    pub(super) fn join(&mut self, conn: Conn, door: usize, peer: SocketAddr) {
        self.all.insert(conn, Stranger { door, peer, is_reported: false });
        self.by_address.entry((door, peer.ip().into())).or_default().insert(conn);
        *self.counts.entry(door).or_default() += 1;
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
        if let Some(conns) = self.by_address.get_mut(&at) {
            conns.remove(&conn);
            if conns.is_empty() {
                self.by_address.remove(&at);
            }
        }
        if let Some(count) = self.counts.get_mut(&stranger.door) {
            *count -= 1;
        }
        Some(stranger)
    }
}

/// Orders ready sockets by key, beginning behind the key that was served last. So each has its
/// turn, however much the others send.
pub(super) fn in_turns<T>(ready: &mut [T], key: impl Fn(&T) -> usize, last_served: usize) {
    ready.sort_unstable_by_key(&key);
    let next = ready.partition_point(|one| key(one) <= last_served);
    ready.rotate_left(next);
}
