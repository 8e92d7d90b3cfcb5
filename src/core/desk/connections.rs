//! The connections of a desk: strangers, whose hello the desk has not accepted yet, and customers.

use crate::wire::{Address, Conn, ConversationId, IdMap};

/// The connections of a desk.
#[derive(Default)]
pub(super) struct Connections {
    /// Where each stranger's connection comes from.
    strangers: IdMap<Conn, Address>,
    /// The conversation of each customer's connection.
    customers: IdMap<Conn, ConversationId>,
}

impl Connections {
    /// A stranger connected from this address.
    pub(super) fn open(&mut self, conn: Conn, address: Address) {
        self.strangers.insert(conn, address);
    }

    /// Removes a stranger who says hello. Returns their address.
    pub(super) fn take_stranger(&mut self, conn: Conn) -> Option<Address> {
        self.strangers.remove(&conn)
    }

    /// The hello of this conversation was accepted on this connection.
    pub(super) fn admit(&mut self, conn: Conn, id: ConversationId) {
        self.customers.insert(conn, id);
    }

    /// The conversation of a customer's connection.
    pub(super) fn conversation(&self, conn: Conn) -> Option<ConversationId> {
        self.customers.get(&conn).copied()
    }

    /// Removes a connection. Returns its conversation, if it was a customer's.
    pub(super) fn close(&mut self, conn: Conn) -> Option<ConversationId> {
        self.strangers.remove(&conn);
        self.customers.remove(&conn)
    }

    /// The connections of all customers, in the order in which they were opened.
    pub(super) fn customers(&self) -> Vec<Conn> {
        let mut conns: Vec<Conn> = self.customers.keys().copied().collect();
        conns.sort_unstable();
        conns
    }

    /// Whether there is no connection.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.strangers.is_empty() && self.customers.is_empty()
    }
}
