//! Connections that were accepted and not let in yet: who came first, and how many each address has.
//!
//! Kept in order and counted as they come and go: a flood costs no search.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::Conn;
use crate::wire::Address;

/// All of them.
#[derive(Default)]
pub(super) struct Strangers {
    /// Oldest first: connections are numbered as they come.
    all: BTreeMap<Conn, Stranger>,
    each: HashMap<Address, usize>,
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
        self.each.get(&address).copied().unwrap_or(0)
    }

    /// Who came first.
    pub(super) fn oldest(&self) -> Option<Conn> {
        self.all.keys().next().copied()
    }

    /// Somebody came.
    pub(super) fn join(&mut self, conn: Conn, peer: SocketAddr) {
        self.all.insert(conn, Stranger { peer, told: false });
        *self.each.entry(peer.ip().into()).or_default() += 1;
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
        if let Some(count) = self.each.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
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
