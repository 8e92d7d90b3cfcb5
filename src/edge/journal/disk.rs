//! The journal in a SQLite file: write-ahead log, synchronous commits, one writer.
//!
//! Other processes may read the file while it is written, without a lock. A reader holds no
//! transaction open between two reads: while it does, SQLite cannot use the log from its start
//! again, and the log grows.
//!
//! A restart reads the open conversations only (`Story::is_over`), however many there were. Each
//! commit notes which conversations it ended or woke.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::Fault;
use crate::core::record::{Offset, Record, Story};
use crate::wire::{Body, ConversationId, DeskId};

mod read;
mod schema;
mod write;

/// Origins of entries: our own numbering, private notes; a peer has its key in `peer`.
const OWN: i64 = 0;
const NOTE: i64 = -1;

/// Statements there are, about.
const STATEMENTS: usize = 32;
/// Conversations and peers that are remembered, at most, of each.
const KNOWN_MAX: usize = 16_384;
/// Bytes that the write-ahead log keeps in its file when SQLite uses it from its start again.
const LOG_KEPT: i64 = 8 << 20;
/// Where the log is longer, its readers are waited for. SQLite by itself goes back to its start only
/// at a moment without any reader, and readers that take turns leave none.
const LOG_MAX: u64 = 16 << 20;
/// How long they are waited for at a time, and how much longer the log is the next time.
const LOG_WAIT: Duration = Duration::from_millis(100);
const LOG_STEP: u64 = 4 << 20;
/// How long another writer is waited for: somebody who repairs the file by hand.
const WRITER_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Disk {
    connection: Connection,
    /// Conversations and keys of peers that were used lately, so that a commit need not look them
    /// up.
    conversations: HashMap<ConversationId, Known>,
    peers: HashMap<(i64, Option<DeskId>), i64>,
    /// The file of the write-ahead log, and the length at which its readers are waited for.
    log: PathBuf,
    log_max: u64,
}

/// What is in memory of a conversation.
#[derive(Clone, Copy)]
struct Known {
    key: i64,
    /// What the file says.
    open: bool,
    /// It is open, and stays so until an entry ends it or nothing is heard of it for too long.
    goes_on: bool,
}

impl Disk {
    pub(super) fn open(file: &Path) -> Result<Disk, String> {
        let failed = |e: rusqlite::Error| format!("cannot use the journal {}: {e}", file.display());
        let connection = Connection::open(file).map_err(failed)?;
        set(&connection).map_err(failed)?;
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        let disk = Disk {
            connection,
            conversations: HashMap::new(),
            peers: HashMap::new(),
            log: log_of(file),
            log_max: LOG_MAX,
        };
        match version {
            0 => disk.make().map_err(failed)?,
            1 => disk.migrate().map_err(failed)?,
            schema::VERSION => {}
            _ => {
                return Err(format!(
                    "the journal {} was written by a newer handoff; use that one, or another --profile",
                    file.display()
                ));
            }
        }
        Ok(disk)
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
        self.bound_log();
        written.map_err(fault)
    }

    fn write<'a>(
        &mut self,
        batch: impl Iterator<Item = &'a (ConversationId, Record)>,
    ) -> rusqlite::Result<Vec<Offset>> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let stored = crate::core::clock::Now::read().wall as i64;
        let (mut offsets, mut doubtful) = (Vec::new(), Vec::new());
        for (id, record) in batch {
            let known = match record {
                Record::Begun { secret, name } => self.begin(*id, secret, name.as_deref())?,
                _ => self.find(*id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?,
            };
            offsets.extend(self.record(*id, known.key, record, stored)?);
            let goes_on = match change(record) {
                Change::GoesOn => true,
                Change::MayEnd => false,
                Change::No => known.goes_on,
            };
            if !goes_on || !known.open {
                doubtful.push(*id);
            }
            remember(&mut self.conversations, *id, Known { goes_on, ..known });
        }
        doubtful.sort_unstable();
        doubtful.dedup();
        for id in doubtful {
            self.review(id)?;
        }
        crate::edge::failpoint::hit("in-commit");
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(offsets)
    }

    /// Keeps the write-ahead log short in spite of those who read the file meanwhile.
    fn bound_log(&mut self) {
        let length = self.log.metadata().map_or(0, |metadata| metadata.len());
        if length < LOG_MAX {
            self.log_max = LOG_MAX;
        } else if length >= self.log_max {
            // Whether it comes off is seen by the length.
            let _ = self.connection.busy_timeout(LOG_WAIT);
            let _ = self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
            let _ = self.connection.busy_timeout(WRITER_WAIT);
            self.log_max = length + LOG_STEP;
        }
    }

    /// Notes whether a restart has to read this conversation.
    fn review(&mut self, id: ConversationId) -> rusqlite::Result<()> {
        let Some(known) = self.find(id)? else { return Ok(()) };
        let (mut open, mut goes_on) = (true, true);
        // What an entry of this batch made go on is open; else the story says what it is.
        if !known.goes_on {
            let stories = self.read_stories(Some(known.key))?;
            open = stories.iter().any(|story| !story.is_over());
            goes_on = stories.iter().any(Story::goes_on);
        }
        if open != known.open {
            self.set_open(known.key, open)?;
        }
        remember(&mut self.conversations, id, Known { open, goes_on, ..known });
        Ok(())
    }

    fn set_open(&self, conversation: i64, open: bool) -> rusqlite::Result<()> {
        self.run("UPDATE conversation SET open = ? WHERE key = ?", params![open, conversation])
    }

    fn begin(
        &mut self,
        id: ConversationId,
        secret: &[u8; 32],
        name: Option<&str>,
    ) -> rusqlite::Result<Known> {
        if let Some(known) = self.find(id)? {
            let sql = "UPDATE conversation SET name = ? WHERE key = ?";
            self.run(sql, params![name, known.key])?;
            return Ok(known);
        }
        let sql = "INSERT INTO conversation (id, secret, name) VALUES (?, ?, ?) RETURNING key";
        let mut insert = self.connection.prepare_cached(sql)?;
        let key = insert.query_row(params![id.bytes(), secret, name], |row| row.get(0))?;
        Ok(Known { key, open: true, goes_on: false })
    }

    fn find(&self, id: ConversationId) -> rusqlite::Result<Option<Known>> {
        if let Some(known) = self.conversations.get(&id) {
            return Ok(Some(*known));
        }
        let sql = "SELECT key, open FROM conversation WHERE id = ?";
        let mut select = self.connection.prepare_cached(sql)?;
        let known =
            |row: &Row<'_>| Ok(Known { key: row.get(0)?, open: row.get(1)?, goes_on: false });
        select.query_row([id.bytes()], known).optional()
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
}

/// What a record does to a conversation that a restart reads, or need not read.
enum Change {
    /// Somebody waits or talks from now on.
    GoesOn,
    /// The story has to be looked at.
    MayEnd,
    No,
}

fn change(record: &Record) -> Change {
    match record {
        Record::Own(entry) | Record::Theirs(_, entry) => match entry.body {
            Body::Requested { .. } | Body::Accepted { .. } => Change::GoesOn,
            Body::Withdrawn {} | Body::HandedBack { .. } | Body::Closed { .. } => Change::MayEnd,
            _ => Change::No,
        },
        Record::Idle(_) => Change::MayEnd,
        _ => Change::No,
    }
}

/// Keeps at hand what is used; when that is too much, it is looked up again.
fn remember<K: Eq + Hash, V>(known: &mut HashMap<K, V>, of: K, value: V) {
    if known.len() >= KNOWN_MAX && !known.contains_key(&of) {
        known.clear();
    }
    known.insert(of, value);
}

/// The write-ahead log of a journal's file.
fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// How the file is used.
fn set(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(WRITER_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", crate::edge::failpoint::synchronous())?;
    connection.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
    // Each conversation and peer that an entry names was looked up or made in its transaction.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
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
