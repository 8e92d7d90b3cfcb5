//! The customers of a gateway in the journal's file: their tokens, conversations and requests.

use rusqlite::{OptionalExtension, params};

use super::Disk;
use super::read::line;
use super::write::Writer;
use crate::core::customer::{About, Belongings, CustomerId, Digest, PostId, Posted, TokenHash};
use crate::core::record::Line;
use crate::edge::journal::Fault;
use crate::wire::{ConversationId, Millis, Number};

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

    pub(super) fn withdraw(&self, hash: TokenHash) -> rusqlite::Result<()> {
        self.run("DELETE FROM token WHERE hash = ?", [hash.bytes()])
    }

    pub(super) fn identify(&self, key: i64, identity: &str) -> rusqlite::Result<()> {
        let sql = "UPDATE customer SET identity = ?
                   WHERE key = (SELECT customer FROM conversation WHERE key = ?)";
        self.run(sql, params![identity, key])
    }

    pub(super) fn agree(&self, key: i64, at: Millis) -> rusqlite::Result<()> {
        let sql = "UPDATE customer SET agreed = coalesce(agreed, ?)
                   WHERE key = (SELECT customer FROM conversation WHERE key = ?)";
        self.run(sql, params![at as i64, key])
    }

    pub(super) fn describe(&self, key: i64, about: &About) -> rusqlite::Result<()> {
        let sql = "UPDATE customer SET name = coalesce(?, name), email = coalesce(?, email)
                   WHERE key = (SELECT customer FROM conversation WHERE key = ?)";
        self.run(sql, params![about.name, about.email, key])
    }

    /// Gives all that one customer has to another. The conversation with this key becomes the last
    /// of that customer's conversations.
    pub(super) fn join(
        &self,
        key: i64,
        former: CustomerId,
        customer: CustomerId,
    ) -> rusqlite::Result<()> {
        const FORMER: &str = "(SELECT key FROM customer WHERE id = ?1)";
        const CUSTOMER: &str = "(SELECT key FROM customer WHERE id = ?2)";
        let both = params![former.bytes(), customer.bytes()];
        for table in ["conversation", "token", "post"] {
            // Pages make the ids of requests, so two customers may have used the same id.
            let sql = format!(
                "UPDATE OR IGNORE {table} SET customer = {CUSTOMER} WHERE customer = {FORMER}"
            );
            self.run(&sql, both)?;
        }
        let joins = "UPDATE customer SET
                         joins = customer.joins + 1 + former.joins,
                         agreed = coalesce(customer.agreed, former.agreed),
                         name = coalesce(customer.name, former.name),
                         email = coalesce(customer.email, former.email)
                     FROM (SELECT * FROM customer WHERE id = ?1) AS former
                     WHERE customer.id = ?2";
        self.run(joins, both)?;
        self.run(&format!("DELETE FROM post WHERE customer = {FORMER}"), [former.bytes()])?;
        self.run("DELETE FROM customer WHERE id = ?", [former.bytes()])?;
        let last = "UPDATE conversation SET place = 2 * (SELECT max(key) FROM conversation) + 1
                    WHERE key = ?";
        self.run(last, [key])
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

    pub(in crate::edge::journal) fn identified(
        &self,
        identity: &str,
    ) -> Result<Option<CustomerId>, Fault> {
        let read = || {
            let sql = "SELECT id FROM customer WHERE identity = ?";
            let mut select = self.connection.prepare_cached(sql)?;
            select.query_row([identity], |row| row.get(0).map(CustomerId::new)).optional()
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn identity_of(
        &self,
        customer: CustomerId,
    ) -> Result<Option<Box<str>>, Fault> {
        let read = || {
            let sql = "SELECT identity FROM customer WHERE id = ?";
            let mut select = self.connection.prepare_cached(sql)?;
            let identity = select.query_row([customer.bytes()], |row| row.get(0)).optional()?;
            Ok(identity.flatten())
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn belongings(
        &self,
        customer: CustomerId,
    ) -> Result<Belongings, Fault> {
        let read = || {
            let sql = "SELECT joins, agreed, name, email FROM customer WHERE id = ?";
            let mut select = self.connection.prepare_cached(sql)?;
            let found = select.query_row([customer.bytes()], |row| {
                let about = About { name: row.get(2)?, email: row.get(3)? };
                Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?, about))
            });
            let (joins, agreed, about) = found.optional()?.unwrap_or_default();
            let sql = "SELECT id, (SELECT count(*) FROM entry
                                   WHERE entry.conversation = conversation.key AND origin >= 0)
                       FROM conversation
                       WHERE customer = (SELECT key FROM customer WHERE id = ?)
                       ORDER BY coalesce(place, 2 * key)";
            let mut select = self.connection.prepare_cached(sql)?;
            let rows = select.query_map([customer.bytes()], |row| {
                Ok((ConversationId::new(row.get(0)?), row.get::<_, i64>(1)? as u64))
            })?;
            let conversations = rows.collect::<rusqlite::Result<_>>()?;
            Ok(Belongings { conversations, joins, agreed: agreed.map(|at| at as Millis), about })
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
            let sql = "SELECT entry.key, origin, desk, number, at, body, agent FROM entry
                       LEFT JOIN peer ON peer.key = origin
                       WHERE entry.conversation = ? AND origin >= 0
                       ORDER BY entry.key LIMIT ? OFFSET ?";
            let mut select = self.connection.prepare_cached(sql)?;
            let rows = select.query_map([known.key, most as i64, skipped as i64], line)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.unreadable(&error))
    }

    /// The value that is kept under this name. If there is none yet, keeps `fresh` and returns it.
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
