//! Connections that were accepted and not let in yet: how many each address has at each listener,
//! and which one is closed to make room for one more.
//!
//! The one that is closed is of the address that has the most: a crowd from few addresses drives
//! out its own members, and not a customer from elsewhere who needs the time that TLS takes.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use super::Conn;
use crate::wire::Address;

/// All strangers of the process.
#[derive(Default)]
pub(super) struct Strangers {
    all: HashMap<Conn, Stranger>,
    /// The connections of each address at each listener, the oldest first: connections are
    /// numbered as they come.
    each: HashMap<(usize, Address), BTreeSet<Conn>>,
    /// How many there are at each listener.
    counts: HashMap<usize, usize>,
}

/// One of them.
pub(super) struct Stranger {
    /// The key of the listener that accepted it.
    door: usize,
    pub(super) peer: SocketAddr,
    /// The loop knows of this connection.
    pub(super) told: bool,
}

impl Strangers {
    /// How many there are at this listener.
    pub(super) fn count(&self, door: usize) -> usize {
        self.counts.get(&door).copied().unwrap_or(0)
    }

    /// How many there are at this listener from this address.
    pub(super) fn count_at(&self, door: usize, address: Address) -> usize {
        self.each.get(&(door, address)).map_or(0, BTreeSet::len)
    }

    /// The connection that makes room for one more at this listener: the oldest of the address that
    /// has the most; where addresses have as many as each other, the oldest of all theirs.
    pub(super) fn first_to_go(&self, door: usize) -> Option<Conn> {
        let here = self.each.iter().filter(|((at, _), _)| *at == door);
        let shares = here.filter_map(|(_, conns)| Some((conns.len(), Reverse(*conns.first()?))));
        shares.max().map(|(_, Reverse(oldest))| oldest)
    }

    /// A listener accepted a connection.
    pub(super) fn join(&mut self, conn: Conn, door: usize, peer: SocketAddr) {
        self.all.insert(conn, Stranger { door, peer, told: false });
        self.each.entry((door, peer.ip().into())).or_default().insert(conn);
        *self.counts.entry(door).or_default() += 1;
    }

    /// The address of this stranger; none if the connection is no stranger.
    pub(super) fn peer(&self, conn: Conn) -> Option<SocketAddr> {
        self.all.get(&conn).map(|stranger| stranger.peer)
    }

    /// The address of this stranger, at the first call: the loop knows of it from here on.
    pub(super) fn introduce(&mut self, conn: Conn) -> Option<SocketAddr> {
        let stranger = self.all.get_mut(&conn).filter(|stranger| !stranger.told)?;
        stranger.told = true;
        Some(stranger.peer)
    }

    /// This stranger was let in, or is gone.
    pub(super) fn leave(&mut self, conn: Conn) -> Option<Stranger> {
        let stranger = self.all.remove(&conn)?;
        let at = (stranger.door, stranger.peer.ip().into());
        if let Some(conns) = self.each.get_mut(&at) {
            conns.remove(&conn);
            if conns.is_empty() {
                self.each.remove(&at);
            }
        }
        if let Some(count) = self.counts.get_mut(&stranger.door) {
            *count -= 1;
        }
        Some(stranger)
    }
}

/// Orders ready sockets so that the one that was served last comes last: each has its turn, however
/// much the others send.
pub(super) fn in_turns<T>(ready: &mut [T], key: impl Fn(&T) -> usize, served: usize) {
    ready.sort_unstable_by_key(&key);
    let next = ready.partition_point(|one| key(one) <= served);
    ready.rotate_left(next);
}
