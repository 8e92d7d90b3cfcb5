//! The journal in a SQLite file: write-ahead log, synchronous commits, one writer.
//!
//! Other processes may read the file while it is written, without a lock. A reader must not keep a
//! transaction open between two reads: as long as one is open, SQLite cannot use the log from its
//! start again, and the log grows.
//!
//! A restart reads only the open conversations (`Story::is_over`), however many others there are.
//! Each commit notes which conversations it ended or opened again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use self::keys::{Keys, Known};
use self::write::Writer;
use super::Fault;
use crate::core::record::{Offset, Record, Story};
use crate::wire::{ConversationId, DeskId};

mod agents;
mod customers;
mod keys;
mod read;
mod schema;
mod search;
mod write;

pub use search::Search;

/// About the number of different SQL statements, all of which stay prepared.
const STATEMENTS: usize = 32;
/// The size in bytes to which the log's file is cut when SQLite uses it from its start again.
const LOG_KEPT: i64 = 8 << 20;
/// If the log is longer than this, a commit waits for its readers. By itself, SQLite uses the log
/// from its start again only at a moment without any reader. If readers take turns, there is no
/// such moment.
const LOG_MAX: u64 = 16 << 20;
/// How long a commit waits for readers.
const LOG_WAIT: Duration = Duration::from_millis(100);
/// How much longer the log must be before a commit waits for readers again.
const LOG_STEP: u64 = 4 << 20;
/// How long to wait for another writer, such as a person who repairs the file by hand.
const WRITER_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Disk {
    connection: Connection,
    keys: Keys,
    /// The file of the write-ahead log, and the length from which on commits wait for its readers.
    log: PathBuf,
    log_max: u64,
}

impl Disk {
    pub(super) fn open(file: &Path) -> Result<Disk, String> {
        let failed = |e: rusqlite::Error| format!("cannot use the journal {}: {e}", file.display());
        let connection = Connection::open(file).map_err(failed)?;
        set(&connection).map_err(failed)?;
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        let disk = Disk { connection, keys: Keys::default(), log: log_of(file), log_max: LOG_MAX };
        match version {
            0 => disk.make().map_err(failed)?,
            1..schema::VERSION => disk.migrate(version).map_err(failed)?,
            schema::VERSION => {}
            _ => {
                return Err(format!(
                    "the journal {} was written by a newer handoff; use that one, or another \
                     --profile",
                    file.display()
                ));
            }
        }
        Ok(disk)
    }

    pub(super) fn file(&self) -> Option<PathBuf> {
        self.connection.path().map(PathBuf::from)
    }

    /// Writes a batch, all of it or nothing. Returns the offsets of its entries and notes, in their
    /// order.
    pub(super) fn commit<'a>(
        &mut self,
        batch: impl Iterator<Item = &'a (ConversationId, Record)>,
    ) -> Result<Vec<Offset>, Fault> {
        crate::edge::failpoint::hit("before-commit");
        let written = self.write(batch);
        crate::edge::failpoint::hit("after-commit");
        if written.is_err() {
            // The failure may have ended the transaction already. The keys in memory are forgotten,
            // because their rows may be gone.
            let _ = self.connection.execute_batch("ROLLBACK");
            self.keys = Keys::default();
        }
        self.bound_log();
        written.map_err(fault)
    }

    fn write<'a>(
        &mut self,
        batch: impl Iterator<Item = &'a (ConversationId, Record)>,
    ) -> rusqlite::Result<Vec<Offset>> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let (mut offsets, mut doubtful) = (Vec::new(), Vec::new());
        let mut writer = Writer::new(&self.connection, &mut self.keys)?;
        for (id, record) in batch {
            let (offset, known) = writer.write(*id, record)?;
            offsets.extend(offset);
            if !(known.open && known.goes_on) {
                doubtful.push(*id);
            }
        }
        drop(writer);
        doubtful.sort_unstable();
        doubtful.dedup();
        for id in doubtful {
            self.review(id)?;
        }
        crate::edge::failpoint::hit("in-commit");
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(offsets)
    }

    /// Keeps the write-ahead log short although others read the file.
    fn bound_log(&mut self) {
        let length = self.log.metadata().map_or(0, |metadata| metadata.len());
        if length < LOG_MAX {
            self.log_max = LOG_MAX;
        } else if length >= self.log_max {
            // The length of the log shows afterwards whether this worked.
            let _ = self.connection.busy_timeout(LOG_WAIT);
            let _ = self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
            let _ = self.connection.busy_timeout(WRITER_WAIT);
            self.log_max = length + LOG_STEP;
        }
    }

    /// Notes whether a restart has to read this conversation.
    fn review(&mut self, id: ConversationId) -> rusqlite::Result<()> {
        let Some(known) = self.keys.find(&self.connection, id)? else { return Ok(()) };
        let (mut open, mut goes_on) = (true, true);
        // If an entry of this batch lets the conversation go on, it is open. Otherwise its story
        // tells.
        if !known.goes_on {
            let story = self.read_story(known.key)?;
            open = story.as_ref().is_some_and(|story| !story.is_over());
            goes_on = story.as_ref().is_some_and(Story::goes_on);
        }
        if open != known.open {
            self.set_open(known.key, open)?;
        }
        self.keys.remember(id, Known { open, goes_on, ..known });
        Ok(())
    }

    fn set_open(&self, conversation: i64, open: bool) -> rusqlite::Result<()> {
        self.run("UPDATE conversation SET open = ? WHERE key = ?", params![open, conversation])
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

/// The write-ahead log of a journal's file.
fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Sets how SQLite uses the file.
pub(super) fn set(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(WRITER_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", crate::edge::failpoint::synchronous())?;
    connection.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
    // SQLite need not check foreign keys: each transaction looks up, or inserts, the conversation
    // and the peer of each entry.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// An error of SQLite as a fault. A program may wait when the disk is full; after any other error
/// the state of the file is uncertain.
pub(super) fn fault(error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Fault::Full,
        _ => Fault::Broken(format!(
            "the journal failed: {error}; start again, what was acknowledged is kept"
        )),
    }
}
