//! Connections that were accepted and not let in yet: who came first, and how many each address has.
//!
//! Kept in order and counted as they come and go: a flood costs no search.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use super::Conn;
use crate::wire::Address;

/// All of them.
#[derive(Default)]
pub(super) struct Strangers {
    all: HashMap<Conn, Stranger>,
    /// Oldest first: connections are numbered as they come.
    each: HashMap<Address, BTreeSet<Conn>>,
}

/// One of them.
pub(super) struct Stranger {
    pub(super) peer: SocketAddr,
    /// The loop knows of it.
    pub(super) told: bool,
}

impl Strangers {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// How many there are from this address.
    pub(super) fn count_at(&self, address: Address) -> usize {
        self.each.get(&address).map_or(0, BTreeSet::len)
    }

    /// Who makes room for one more: who came first, of the address that has the most. So a crowd of few addresses
    /// drives out its own, however fast it comes.
    pub(super) fn first_to_go(&self) -> Option<Conn> {
        let first = self.each.values().filter_map(|conns| Some((conns.len(), Reverse(*conns.first()?))));
        first.max().map(|(_, Reverse(conn))| conn)
    }

    /// Somebody came.
    pub(super) fn join(&mut self, conn: Conn, peer: SocketAddr) {
        self.all.insert(conn, Stranger { peer, told: false });
        self.each.entry(peer.ip().into()).or_default().insert(conn);
    }

    /// Where this one comes from; none if it is no stranger.
    pub(super) fn peer(&self, conn: Conn) -> Option<SocketAddr> {
        self.all.get(&conn).map(|stranger| stranger.peer)
    }

    /// Where this one came from, when it is asked for the first time.
    pub(super) fn introduce(&mut self, conn: Conn) -> Option<SocketAddr> {
        let stranger = self.all.get_mut(&conn).filter(|stranger| !stranger.told)?;
        stranger.told = true;
        Some(stranger.peer)
    }

    /// This one was let in, or is gone.
    pub(super) fn leave(&mut self, conn: Conn) -> Option<Stranger> {
        let stranger = self.all.remove(&conn)?;
        let address = stranger.peer.ip().into();
        if let Some(conns) = self.each.get_mut(&address) {
            conns.remove(&conn);
            if conns.is_empty() {
                self.each.remove(&address);
            }
        }
        Some(stranger)
    }
}

/// Orders those that are ready so that who was served last is the last: each has its turn, however loud the others are.
pub(super) fn in_turns<T>(ready: &mut [T], key: impl Fn(&T) -> usize, served: usize) {
    ready.sort_unstable_by_key(&key);
    let next = ready.partition_point(|one| key(one) <= served);
    ready.rotate_left(next);
}
