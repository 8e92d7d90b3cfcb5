//! The customers of a gateway in the journal's file: their tokens, conversations and requests.

use rusqlite::{OptionalExtension, params};

use super::Disk;
use super::read::line;
use super::write::Writer;
use crate::core::customer::{CustomerId, Digest, PostId, Posted, TokenHash};
use crate::core::record::Line;
use crate::edge::journal::Fault;
use crate::wire::{ConversationId, Number};

impl Writer<'_> {
    pub(super) fn has_customer(&self, key: i64, customer: CustomerId) -> rusqlite::Result<()> {
        self.run("INSERT OR IGNORE INTO customer (id) VALUES (?)", [customer.bytes()])?;
        let sql = "UPDATE conversation SET customer = (SELECT key FROM customer WHERE id = ?)
                   WHERE key = ?";
        self.run(sql, params![customer.bytes(), key])
    }

    pub(super) fn names_customer(&self, key: i64, hash: TokenHash) -> rusqlite::Result<()> {
        let sql = "INSERT INTO token (hash, customer)
                   SELECT ?, customer FROM conversation WHERE key = ?";
        self.run(sql, params![hash.bytes(), key])
    }

    pub(super) fn posted(&self, key: i64, post: &PostId, posted: &Posted) -> rusqlite::Result<()> {
        let sql = "INSERT INTO post (customer, id, digest, conversation, number)
                   SELECT customer, ?, ?, key, ? FROM conversation WHERE key = ?";
        let number = posted.number as i64;
        self.run(sql, params![post.as_str(), posted.digest.bytes(), number, key])
    }

    /// Deletes a conversation, and its customer if they have no other.
    pub(super) fn forget(&mut self, id: ConversationId, key: i64) -> rusqlite::Result<()> {
        for sql in [
            "DELETE FROM entry WHERE conversation = ?",
            "DELETE FROM peer WHERE conversation = ?",
            "DELETE FROM post WHERE customer = (SELECT customer FROM conversation WHERE key = ?1)
                 AND conversation = ?1",
        ] {
            self.run(sql, [key])?;
        }
        let of = "(SELECT customer FROM conversation WHERE key = ?1 AND NOT EXISTS
                      (SELECT 1 FROM conversation AS other
                       WHERE other.customer = conversation.customer AND other.key != ?1))";
        self.run(&format!("DELETE FROM token WHERE customer = {of}"), [key])?;
        self.run(&format!("DELETE FROM customer WHERE key = {of}"), [key])?;
        self.run("DELETE FROM conversation WHERE key = ?", [key])?;
        self.keys.forget(id);
        Ok(())
    }
}

impl Disk {
    pub(in crate::edge::journal) fn named_by(
        &self,
        hash: TokenHash,
    ) -> Result<Option<CustomerId>, Fault> {
        let read = || {
            let sql = "SELECT id FROM token JOIN customer ON key = customer WHERE hash = ?";
            let mut select = self.connection.prepare_cached(sql)?;
            select.query_row([hash.bytes()], |row| row.get(0).map(CustomerId::new)).optional()
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn customer_of(
        &self,
        id: ConversationId,
    ) -> Result<Option<CustomerId>, Fault> {
        let read = || {
            let sql = "SELECT customer.id FROM conversation
                       JOIN customer ON customer.key = conversation.customer
                       WHERE conversation.id = ?";
            let mut select = self.connection.prepare_cached(sql)?;
            select.query_row([id.bytes()], |row| row.get(0).map(CustomerId::new)).optional()
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn conversations_of(
        &self,
        customer: CustomerId,
    ) -> Result<Vec<(ConversationId, u64)>, Fault> {
        let read = || {
            let sql = "SELECT id, (SELECT count(*) FROM entry
                                   WHERE entry.conversation = conversation.key AND origin >= 0)
                       FROM conversation
                       WHERE customer = (SELECT key FROM customer WHERE id = ?) ORDER BY key";
            let mut select = self.connection.prepare_cached(sql)?;
            let rows = select.query_map([customer.bytes()], |row| {
                Ok((ConversationId::new(row.get(0)?), row.get::<_, i64>(1)? as u64))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn has_posted(&self, customer: CustomerId) -> Result<bool, Fault> {
        let read = || {
            let sql = "SELECT 1 FROM post
                       WHERE customer = (SELECT key FROM customer WHERE id = ?) LIMIT 1";
            self.connection.prepare_cached(sql)?.exists([customer.bytes()])
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn posted(
        &self,
        customer: CustomerId,
        post: &PostId,
    ) -> Result<Option<Posted>, Fault> {
        let read = || {
            let sql = "SELECT digest, conversation.id, number FROM post
                       JOIN conversation ON conversation.key = post.conversation
                       WHERE post.customer = (SELECT key FROM customer WHERE id = ?)
                           AND post.id = ?";
            let mut select = self.connection.prepare_cached(sql)?;
            let posted = select.query_row(params![customer.bytes(), post.as_str()], |row| {
                Ok(Posted {
                    digest: Digest::new(row.get(0)?),
                    conversation: ConversationId::new(row.get(1)?),
                    number: row.get::<_, i64>(2)? as Number,
                })
            });
            posted.optional()
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn entries(
        &self,
        id: ConversationId,
        skipped: u64,
        most: usize,
    ) -> Result<Vec<Line>, Fault> {
        let read = || {
            let Some(known) = self.find(id)? else { return Ok(Vec::new()) };
            let sql = "SELECT entry.key, origin, desk, number, at, body FROM entry
                       LEFT JOIN peer ON peer.key = origin
                       WHERE entry.conversation = ? AND origin >= 0
                       ORDER BY entry.key LIMIT ? OFFSET ?";
            let mut select = self.connection.prepare_cached(sql)?;
            let rows = select.query_map([known.key, most as i64, skipped as i64], line)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.unreadable(&error))
    }

    /// The value that is kept under this name; `fresh` if there is none yet.
    pub(in crate::edge::journal) fn kept<const N: usize>(
        &mut self,
        name: &str,
        fresh: [u8; N],
    ) -> Result<[u8; N], Fault> {
        let read = || {
            let sql = "INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)";
            self.run(sql, params![name, fresh])?;
            let sql = "SELECT value FROM meta WHERE name = ?";
            self.connection.query_row(sql, [name], |row| row.get(0))
        };
        read().map_err(|error| self.unreadable(&error))
    }
}
