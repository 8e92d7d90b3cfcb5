//! The keys of the rows of conversations and peers. Those that were used lately are in memory, so
//! that a commit need not look them up.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::wire::{ConversationId, DeskId, IdMap};

/// The most conversations in memory, and the most peers.
const KNOWN_MAX: usize = 16_384;

#[derive(Default)]
pub(super) struct Keys {
    conversations: IdMap<ConversationId, Known>,
    desks: IdMap<(i64, DeskId), i64>,
}

/// What is in memory about a conversation.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Known {
    pub(super) key: i64,
    /// The key of the customer's side among the peers, once it has one.
    pub(super) user: Option<i64>,
    /// Whether the file marks the conversation as open.
    pub(super) open: bool,
    /// The conversation is open, and stays open until an entry ends it or it is silent for too
    /// long.
    pub(super) goes_on: bool,
    /// The conversation's session has left memory.
    pub(super) resting: bool,
}

impl Keys {
    /// Looks a conversation up, in memory or in the file.
    pub(super) fn find(
        &self,
        connection: &Connection,
        id: ConversationId,
    ) -> rusqlite::Result<Option<Known>> {
        if let Some(known) = self.conversations.get(&id) {
            return Ok(Some(*known));
        }
        let sql = "SELECT key, open, (SELECT key FROM peer
                       WHERE conversation = conversation.key AND desk IS NULL), resting
                   FROM conversation WHERE id = ?";
        let known = |row: &Row<'_>| {
            Ok(Known {
                key: row.get(0)?,
                user: row.get(2)?,
                open: row.get(1)?,
                goes_on: false,
                resting: row.get(3)?,
            })
        };
        connection.prepare_cached(sql)?.query_row([id.bytes()], known).optional()
    }

    /// Remembers the present state of a conversation.
    pub(super) fn remember(&mut self, id: ConversationId, known: Known) {
        make_room(&mut self.conversations);
        self.conversations.insert(id, known);
    }

    /// Forgets a conversation, which was deleted.
    pub(super) fn forget(&mut self, id: ConversationId) {
        self.conversations.remove(&id);
    }

    /// Looks a peer up.
    pub(super) fn find_peer(
        &self,
        connection: &Connection,
        conversation: Known,
        desk: Option<DeskId>,
    ) -> rusqlite::Result<Option<i64>> {
        let Some(desk) = desk else { return Ok(conversation.user) };
        if let Some(key) = self.desks.get(&(conversation.key, desk)) {
            return Ok(Some(*key));
        }
        let sql = "SELECT key FROM peer WHERE conversation = ? AND desk = ?";
        let mut select = connection.prepare_cached(sql)?;
        select.query_row(params![conversation.key, desk.bytes()], |row| row.get(0)).optional()
    }

    /// A peer's key, which is made at the peer's first entry. The caller must then call `remember`.
    pub(super) fn peer(
        &mut self,
        connection: &Connection,
        conversation: &mut Known,
        desk: Option<DeskId>,
    ) -> rusqlite::Result<i64> {
        if let Some(key) = self.find_peer(connection, *conversation, desk)? {
            return Ok(key);
        }
        let sql = "INSERT INTO peer (conversation, desk) VALUES (?, ?) RETURNING key";
        let values = params![conversation.key, desk.as_ref().map(DeskId::bytes)];
        let key = connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        match desk {
            None => conversation.user = Some(key),
            Some(desk) => {
                make_room(&mut self.desks);
                self.desks.insert((conversation.key, desk), key);
            }
        }
        Ok(key)
    }
}

/// Empties a full table. What is still in use is then looked up again.
fn make_room<K, V>(known: &mut IdMap<K, V>) {
    if known.len() >= KNOWN_MAX {
        known.clear();
    }
}
