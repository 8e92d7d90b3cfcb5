//! The journal in a SQLite file: write-ahead log, synchronous commits, one writer.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params, params_from_iter};

use super::{Fault, RESTORE};
use crate::core::record::{Line, Offset, Record, Returning, Story, What};
use crate::wire::{Body, ConversationId, DeskId, Entry, Number};

/// The schema's version, kept in the file. A newer one is refused, an older one migrated.
const VERSION: i64 = 1;

/// Origins of entries: our own numbering, private notes; a peer has its key in `peer`.
const OWN: i64 = 0;
const NOTE: i64 = -1;

const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE conversation (
        key INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        secret BLOB NOT NULL,
        name TEXT,
        held INTEGER NOT NULL DEFAULT 0,
        -- Milliseconds without an entry while the program ran, as of the entry 'idle_at'.
        idle INTEGER NOT NULL DEFAULT 0,
        idle_at INTEGER,
        asking INTEGER,
        resuming INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    -- Who else numbers entries in a conversation: the user (no desk), or desks. Ordered by 'met'.
    CREATE TABLE peer (
        key INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL REFERENCES conversation,
        desk BLOB,
        request INTEGER NOT NULL DEFAULT 0,
        acked INTEGER NOT NULL DEFAULT 0,
        met INTEGER NOT NULL DEFAULT 0,
        UNIQUE (conversation, desk)
    ) STRICT;
    -- The key is the commit order. 'origin' is 0 for our own, -1 for a note, else a peer's key.
    CREATE TABLE entry (
        key INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL REFERENCES conversation,
        origin INTEGER NOT NULL,
        number INTEGER,
        at INTEGER NOT NULL,
        stored INTEGER NOT NULL,
        control INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX entry_number ON entry (conversation, origin, number);
    CREATE INDEX entry_control ON entry (conversation, key) WHERE control = 1;
";

/// Statements there are, about.
const STATEMENTS: usize = 32;
/// Controls of a conversation that comes back, at most. Between one `requested` and the next there
/// are a handful.
const CONTROLS_MAX: usize = 256;
/// Keys of each kind that are remembered, at most.
const KEYS_MAX: usize = 4096;

pub(super) struct Disk {
    connection: Connection,
    /// Keys of conversations and of peers that were used lately, so that a commit need not look
    /// them up.
    conversations: HashMap<ConversationId, i64>,
    peers: HashMap<(i64, Option<DeskId>), i64>,
}

impl Disk {
    pub(super) fn open(file: &Path) -> Result<Disk, String> {
        let failed = |e: rusqlite::Error| format!("cannot use the journal {}: {e}", file.display());
        let connection = Connection::open(file).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection
            .pragma_update(None, "synchronous", crate::edge::failpoint::synchronous())
            .map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        match version {
            0 => {
                let make = format!("BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;");
                connection.execute_batch(&make).map_err(failed)?;
            }
            VERSION => {}
            _ => {
                return Err(format!(
                    "the journal {} was written by a newer handoff; use that one, or another --profile",
                    file.display()
                ));
            }
        }
        Ok(Disk { connection, conversations: HashMap::new(), peers: HashMap::new() })
    }

    /// Writes a batch, all of it or nothing. The offsets are those of its entries and notes, in
    /// order.
    pub(super) fn commit<'a>(
        &mut self,
        batch: impl Iterator<Item = &'a (ConversationId, Record)>,
    ) -> Result<Vec<Offset>, Fault> {
        crate::edge::failpoint::hit("before-commit");
        let written = self.write(batch);
        crate::edge::failpoint::hit("after-commit");
        if written.is_err() {
            // What failed may have ended the transaction already. Keys of what was undone are
            // forgotten.
            let _ = self.connection.execute_batch("ROLLBACK");
            self.conversations.clear();
            self.peers.clear();
        }
        written.map_err(fault)
    }

    fn write<'a>(
        &mut self,
        batch: impl Iterator<Item = &'a (ConversationId, Record)>,
    ) -> rusqlite::Result<Vec<Offset>> {
        let mut offsets = Vec::new();
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let stored = crate::core::clock::Now::read().wall;
        for (id, record) in batch {
            if let Record::Begun { secret, name } = record {
                self.begin(*id, secret, name.as_deref())?;
                continue;
            }
            let key = self.find(*id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            remember(&mut self.conversations, *id, key);
            match record {
                Record::Begun { .. } => {}
                Record::Own(entry) => offsets.push(self.insert(key, OWN, entry, stored)?),
                Record::Theirs(desk, entry) => {
                    let peer = self.peer(key, *desk)?;
                    offsets.push(self.insert(key, peer, entry, stored)?);
                }
                Record::Note(note) => {
                    let sql = "INSERT INTO entry (conversation, origin, at, stored, control, body) VALUES (?, ?, ?, ?, 0, ?)";
                    self.run(sql, params![key, NOTE, stored as i64, stored as i64, note])?;
                    offsets.push(self.offset());
                }
                Record::Held(number) => {
                    self.run(
                        "UPDATE conversation SET held = ? WHERE key = ?",
                        params![*number as i64, key],
                    )?;
                }
                Record::Moved { from, by } => {
                    // In two steps: on the way no number may be there twice.
                    let sql = "UPDATE entry SET number = -(number + ?) WHERE conversation = ? AND origin = ? AND number >= ?";
                    self.run(sql, params![*by as i64, key, OWN, *from as i64])?;
                    let sql = "UPDATE entry SET number = -number WHERE conversation = ? AND origin = ? AND number < 0";
                    self.run(sql, params![key, OWN])?;
                }
                Record::Asking(number) => {
                    let number = number.map(|number| number as i64);
                    self.run(
                        "UPDATE conversation SET asking = ? WHERE key = ?",
                        params![number, key],
                    )?;
                }
                Record::Returning(returning) => {
                    let returning = resuming(*returning);
                    self.run(
                        "UPDATE conversation SET resuming = ? WHERE key = ?",
                        params![returning, key],
                    )?;
                }
                Record::Met(desk, request) => {
                    let peer = self.peer(key, Some(*desk))?;
                    let sql = "UPDATE peer SET request = ?, met = (SELECT max(met) + 1 FROM peer) WHERE key = ?";
                    self.run(sql, params![*request as i64, peer])?;
                }
                Record::Acked(desk, number) => {
                    let peer = self.peer(key, Some(*desk))?;
                    self.run(
                        "UPDATE peer SET acked = ? WHERE key = ?",
                        params![*number as i64, peer],
                    )?;
                }
                Record::Idle(idle) => {
                    let sql = "UPDATE conversation SET idle = ?1,
                               idle_at = (SELECT max(key) FROM entry WHERE conversation = ?2) WHERE key = ?2";
                    self.run(sql, params![idle.as_millis() as i64, key])?;
                }
                Record::Delivered(number) => {
                    let peer = self.peer(key, None)?;
                    self.run(
                        "UPDATE peer SET acked = ? WHERE key = ?",
                        params![*number as i64, peer],
                    )?;
                }
                Record::Focus => {
                    self.run(
                        "INSERT OR REPLACE INTO meta (name, value) VALUES ('focus', ?)",
                        params![id.bytes()],
                    )?;
                }
            }
        }
        crate::edge::failpoint::hit("in-commit");
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(offsets)
    }

    fn begin(
        &mut self,
        id: ConversationId,
        secret: &[u8; 32],
        name: Option<&str>,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO conversation (id, secret, name) VALUES (?, ?, ?)
                   ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING key";
        let mut insert = self.connection.prepare_cached(sql)?;
        let key = insert.query_row(params![id.bytes(), secret, name], |row| row.get(0))?;
        remember(&mut self.conversations, id, key);
        Ok(())
    }

    /// A conversation's key. Keys are given in the order of the conversations, from 1, and no
    /// conversation is ever deleted: so it is its place, too.
    fn find(&self, id: ConversationId) -> rusqlite::Result<Option<i64>> {
        if let Some(key) = self.conversations.get(&id) {
            return Ok(Some(*key));
        }
        let mut select =
            self.connection.prepare_cached("SELECT key FROM conversation WHERE id = ?")?;
        select.query_row([id.bytes()], |row| row.get(0)).optional()
    }

    /// A peer's key, if it has an entry.
    fn find_peer(&self, conversation: i64, desk: Option<DeskId>) -> rusqlite::Result<Option<i64>> {
        if let Some(key) = self.peers.get(&(conversation, desk)) {
            return Ok(Some(*key));
        }
        // UNIQUE takes each NULL for another one: the user is looked for before it is inserted.
        let mut select = self
            .connection
            .prepare_cached("SELECT key FROM peer WHERE conversation = ? AND desk IS ?")?;
        select
            .query_row(params![conversation, desk.as_ref().map(DeskId::bytes)], |row| row.get(0))
            .optional()
    }

    /// A peer's key, made at its first entry.
    fn peer(&mut self, conversation: i64, desk: Option<DeskId>) -> rusqlite::Result<i64> {
        let key = match self.find_peer(conversation, desk)? {
            Some(key) => key,
            None => {
                let sql = "INSERT INTO peer (conversation, desk) VALUES (?, ?) RETURNING key";
                let values = params![conversation, desk.as_ref().map(DeskId::bytes)];
                self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?
            }
        };
        remember(&mut self.peers, (conversation, desk), key);
        Ok(key)
    }

    fn insert(
        &self,
        conversation: i64,
        origin: i64,
        entry: &Entry,
        stored: u64,
    ) -> rusqlite::Result<Offset> {
        let control = !matches!(entry.body, Body::Message(_));
        let body = serde_json::to_string(&entry.body).expect("a body has string keys");
        let sql = "INSERT INTO entry (conversation, origin, number, at, stored, control, body) VALUES (?, ?, ?, ?, ?, ?, ?)";
        let (number, at) = (entry.number as i64, entry.at as i64);
        self.run(sql, params![conversation, origin, number, at, stored as i64, control, body])?;
        Ok(self.offset())
    }

    /// The offset of the entry or note that was inserted last.
    fn offset(&self) -> Offset {
        Offset(self.connection.last_insert_rowid() as u64)
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(values).map(drop)
    }

    pub(super) fn desk_id(&mut self, fresh: DeskId) -> Result<DeskId, Fault> {
        let find = "SELECT value FROM meta WHERE name = 'desk'";
        let known =
            self.connection.query_row(find, [], |row| row.get(0)).optional().map_err(fault)?;
        if let Some(known) = known {
            return Ok(DeskId::new(known));
        }
        self.run("INSERT INTO meta (name, value) VALUES ('desk', ?)", params![fresh.bytes()])
            .map_err(fault)?;
        Ok(fresh)
    }

    pub(super) fn own(&self, id: ConversationId, number: Number) -> Result<Option<Entry>, Fault> {
        self.read_entry(id, None, number).map_err(|error| self.unreadable(&error))
    }

    pub(super) fn theirs(
        &self,
        id: ConversationId,
        desk: Option<DeskId>,
        number: Number,
    ) -> Result<Option<Entry>, Fault> {
        self.read_entry(id, Some(desk), number).map_err(|error| self.unreadable(&error))
    }

    /// An entry of a peer's, or (`None`) of our own.
    fn read_entry(
        &self,
        id: ConversationId,
        peer: Option<Option<DeskId>>,
        number: Number,
    ) -> rusqlite::Result<Option<Entry>> {
        let Some(conversation) = self.find(id)? else { return Ok(None) };
        let origin = match peer {
            None => Some(OWN),
            Some(desk) => self.find_peer(conversation, desk)?,
        };
        let Some(origin) = origin else { return Ok(None) };
        let sql = "SELECT number, at, body FROM entry WHERE conversation = ? AND origin = ? AND number = ?";
        let mut select = self.connection.prepare_cached(sql)?;
        select.query_row([conversation, origin, number as i64], |row| entry(row, 0)).optional()
    }

    pub(super) fn lines(&self, id: ConversationId, after: Offset) -> Result<Vec<Line>, Fault> {
        let read = |key: Option<i64>| key.map_or(Ok(Vec::new()), |key| self.read_lines(key, after));
        self.find(id).and_then(read).map_err(|error| self.unreadable(&error))
    }

    pub(super) fn offset_of(
        &self,
        id: ConversationId,
        own: Number,
    ) -> Result<Option<Offset>, Fault> {
        let sql = "SELECT key FROM entry WHERE conversation = ? AND origin = ? AND number = ?";
        let read = |key: i64| {
            let mut select = self.connection.prepare_cached(sql)?;
            let offset = |row: &Row| row.get(0).map(|key: i64| Offset(key as u64));
            select.query_row([key, OWN, own as i64], offset).optional()
        };
        let found = self.find(id).and_then(|key| key.map_or(Ok(None), read));
        found.map_err(|error| self.unreadable(&error))
    }

    pub(super) fn conversation(&self, ordinal: u32) -> Result<Option<ConversationId>, Fault> {
        let sql = "SELECT id FROM conversation WHERE key = ?";
        let found = self
            .connection
            .query_row(sql, [ordinal], |row| row.get(0).map(ConversationId::new))
            .optional();
        found.map_err(|error| self.unreadable(&error))
    }

    pub(super) fn names(&self) -> Result<Vec<(u32, ConversationId, Option<String>)>, Fault> {
        let read = || {
            let mut select =
                self.connection.prepare("SELECT key, id, name FROM conversation ORDER BY key")?;
            let rows = select.query_map([], |row| {
                Ok((row.get(0)?, ConversationId::new(row.get(1)?), row.get(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(super) fn story(&self, id: ConversationId) -> Result<Option<Story>, Fault> {
        let read =
            |key: Option<i64>| key.map_or(Ok(Vec::new()), |key| self.read_stories(Some(key)));
        let stories = self.find(id).and_then(read).map_err(|error| self.unreadable(&error))?;
        Ok(stories.into_iter().next())
    }

    /// The disk is dying, or somebody damaged the file: what it says is not to be acted on.
    fn unreadable(&self, error: &rusqlite::Error) -> Fault {
        let file = self.connection.path().unwrap_or_default();
        Fault::Broken(format!("cannot read the journal {file}: {error}; {RESTORE}"))
    }

    fn read_lines(&self, conversation: i64, after: Offset) -> rusqlite::Result<Vec<Line>> {
        let sql = "SELECT entry.key, origin, desk, number, at, body FROM entry LEFT JOIN peer ON peer.key = origin
                   WHERE entry.conversation = ? AND entry.key > ? ORDER BY entry.key";
        let mut select = self.connection.prepare_cached(sql)?;
        let lines = select.query_map([conversation, after.0 as i64], line)?;
        lines.collect()
    }

    pub(super) fn stories(&self) -> Result<(Vec<Story>, Option<ConversationId>), Fault> {
        let focus = "SELECT value FROM meta WHERE name = 'focus'";
        let unreadable = |error| self.unreadable(&error);
        let focus = self
            .connection
            .query_row(focus, [], |row| row.get(0))
            .optional()
            .map_err(unreadable)?;
        Ok((self.read_stories(None).map_err(unreadable)?, focus.map(ConversationId::new)))
    }

    /// Three queries for all of them, or for the one with this key, each in the order of the
    /// conversations' keys.
    fn read_stories(&self, only: Option<i64>) -> rusqlite::Result<Vec<Story>> {
        let only_if = |column: &str| only.map_or(String::new(), |_| format!("AND {column} = ?1"));
        let sql = format!(
            "SELECT key, id, secret, name, held, asking, resuming,
                 (SELECT max(number) FROM entry WHERE conversation = conversation.key AND origin = 0),
                 CASE WHEN idle > 0 AND idle_at IS (SELECT max(key) FROM entry WHERE conversation = conversation.key)
                      THEN idle ELSE 0 END,
                 (SELECT number FROM entry WHERE conversation = conversation.key AND origin = 0 AND control = 0
                      AND json_extract(body, '$.message.greeting') IS NULL ORDER BY number DESC LIMIT 1)
             FROM conversation WHERE true {} ORDER BY key",
            only_if("key")
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(only))?;
        let (mut keys, mut stories) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            let held = row.get::<_, i64>(4)? as Number;
            keys.push(row.get::<_, i64>(0)?);
            let mut story = Story::new(ConversationId::new(row.get(1)?), row.get(0)?);
            (story.secret, story.name) = (row.get(2)?, row.get(3)?);
            (story.own, story.held) = (number(row, 7)?.unwrap_or(0).max(held), held);
            story.typed = number(row, 9)?.unwrap_or(0);
            story.idle = Duration::from_millis(row.get::<_, i64>(8)? as u64);
            (story.asking, story.returning) = (number(row, 5)?, returning(row.get(6)?));
            stories.push(story);
        }
        let story =
            |key: i64| keys.binary_search(&key).map_err(|_| rusqlite::Error::QueryReturnedNoRows);
        let sql = format!(
            "SELECT conversation, desk, request, acked,
                 (SELECT max(number) FROM entry WHERE conversation = peer.conversation AND origin = peer.key)
             FROM peer WHERE true {} ORDER BY conversation, met, key",
            only_if("conversation")
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(only))?;
        while let Some(row) = rows.next()? {
            let story = &mut stories[story(row.get(0)?)?];
            let desk = desk(row, 1)?;
            if let Some(received) = number(row, 4)? {
                story.theirs.push((desk, received));
            }
            let acked = number(row, 3)?.unwrap_or(0);
            match desk {
                Some(desk) => story.desks.push((desk, number(row, 2)?.unwrap_or(0), acked)),
                None => story.delivered = acked,
            }
        }
        stories.iter_mut().for_each(|story| story.theirs.sort_unstable());
        // One that comes back is read while others wait: the latest controls say where it is.
        let latest =
            only.map_or(String::new(), |_| format!("ORDER BY entry.key DESC LIMIT {CONTROLS_MAX}"));
        let sql = format!(
            "SELECT * FROM (SELECT entry.key AS offset, origin, desk, number, at, body, entry.conversation AS of
                 FROM entry LEFT JOIN peer ON peer.key = origin WHERE control = 1 {} {latest}) ORDER BY of, offset",
            only_if("entry.conversation")
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(only))?;
        while let Some(row) = rows.next()? {
            stories[story(row.get(6)?)?].controls.push(line(row)?);
        }
        Ok(stories)
    }
}

/// Keeps a key at hand; when there are too many, those in use are looked up again.
fn remember<K: Eq + Hash>(keys: &mut HashMap<K, i64>, of: K, key: i64) {
    if keys.len() >= KEYS_MAX {
        keys.clear();
    }
    keys.insert(of, key);
}

/// The column `resuming`. Handoff 0.1.0 knew 0 and 1 only, and reads any other number as 1.
fn resuming(returning: Returning) -> i64 {
    match returning {
        Returning::Done => 0,
        Returning::UnderWay => 1,
        Returning::Due(since) => 1 + since as i64,
    }
}

fn returning(stored: i64) -> Returning {
    match stored {
        0 => Returning::Done,
        1 => Returning::UnderWay,
        due => Returning::Due(due as Number - 1),
    }
}

/// A line from six columns: key, origin, desk, number, at, body.
fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    let origin: i64 = row.get(1)?;
    let what = match origin {
        NOTE => What::Note(row.get(5)?),
        _ => What::Entry(desk(row, 2)?, entry(row, 3)?),
    };
    Ok(Line { offset: Offset(row.get::<_, i64>(0)? as u64), own: origin <= OWN, what })
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Number>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|number| number as Number))
}

/// An entry from three columns: number, at, body.
fn entry(row: &Row<'_>, first: usize) -> rusqlite::Result<Entry> {
    let body: String = row.get(first + 2)?;
    let read = |e: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(
            first + 2,
            rusqlite::types::Type::Text,
            Box::new(e),
        )
    };
    Ok(Entry {
        number: row.get::<_, i64>(first)? as Number,
        at: row.get::<_, i64>(first + 1)? as u64,
        body: serde_json::from_str(&body).map_err(read)?,
    })
}

fn desk(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DeskId>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(DeskId::new))
}

/// A full disk may be waited for; after any other failure nothing is certain.
fn fault(error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Fault::Full,
        _ => Fault::Broken(format!(
            "the journal failed: {error}; start again, what was acknowledged is kept"
        )),
    }
}
