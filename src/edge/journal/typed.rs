//! The file of an agent's terminal: its credentials, and the lines that its desk has not done yet.
//! The terminal keeps each line before it sends it, and sends it again until the desk has done it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Fault;
use super::disk::{fault, set};
use crate::wire::{ConversationId, SeatKey, Secret};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS terminal (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        desk_key BLOB NOT NULL,
        code BLOB NOT NULL,
        secret BLOB NOT NULL,
        seat BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS line (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation BLOB,
        text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS signed_in (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        agent TEXT NOT NULL
    ) STRICT;
";

const SIGN_IN_WITH: &str = "INSERT OR REPLACE INTO terminal VALUES (1, ?, ?, ?, ?)";

/// The credentials of a terminal.
#[derive(Clone)]
pub struct Credentials {
    /// SHA-256 of the desk's public key.
    pub desk_key: [u8; 32],
    /// The code that the agent was given.
    pub code: Secret,
    /// The terminal's own secret. From the first use of the code on, the desk takes the code only
    /// together with this secret.
    pub secret: Secret,
    /// The key of this seat.
    pub seat: SeatKey,
}

/// A line that the desk has not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedLine {
    /// The line's number at this seat.
    pub number: u64,
    /// The conversation that had the focus when the person pressed Enter.
    pub conversation: Option<ConversationId>,
    /// The line.
    pub text: String,
}

/// The file of a terminal. This value holds the lock on it.
pub struct TypedLines {
    connection: Connection,
    /// How many lines the desk has not done.
    waiting: u64,
    #[expect(dead_code, reason = "the lock is held by holding the file")]
    lock: File,
}

impl TypedLines {
    /// Opens the file in a folder, or makes it, and locks it for this process.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do.
    pub fn open(folder: &Path) -> Result<TypedLines, String> {
        let failed = |error: std::io::Error| format!("cannot use {}: {error}", folder.display());
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "another 'handoff attach' is using {}; end it, or take another profile with \
                     --profile NAME",
                    folder.display()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let file = folder.join("terminal.sqlite");
        // SQLite would make the file readable to everybody. The files that SQLite adds beside it
        // get the same mode.
        options.open(&file).map_err(failed)?;
        let open = || {
            let connection = Connection::open(&file)?;
            set(&connection)?;
            connection.execute_batch(SCHEMA)?;
            let count = "SELECT COUNT(*) FROM line";
            let waiting: i64 = connection.query_row(count, [], |row| row.get(0))?;
            Ok((connection, waiting as u64))
        };
        let (connection, waiting) =
            open().map_err(|e: rusqlite::Error| format!("cannot use {}: {e}", file.display()))?;
        Ok(TypedLines { connection, waiting, lock })
    }

    /// The credentials of this terminal, if it has any.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn credentials(&self) -> Result<Option<Credentials>, Fault> {
        let sql = "SELECT desk_key, code, secret, seat FROM terminal";
        let read = |row: &Row<'_>| {
            Ok(Credentials {
                desk_key: row.get(0)?,
                code: Secret::new(row.get(1)?),
                secret: Secret::new(row.get(2)?),
                seat: SeatKey::new(row.get(3)?),
            })
        };
        self.connection.query_row(sql, [], read).optional().map_err(fault)
    }

    /// Replaces the credentials with those of another seat. Numbers of lines begin at 1 again.
    /// Returns the lines that the desk had not done, and removes them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(&mut self, credentials: &Credentials) -> Result<Vec<TypedLine>, Fault> {
        let former = self.waiting()?;
        let Credentials { desk_key, code, secret, seat } = credentials;
        let mut begin = || {
            let change = self.connection.transaction()?;
            change.execute("DELETE FROM line", [])?;
            change.execute("DELETE FROM sqlite_sequence WHERE name = 'line'", [])?;
            let values = params![desk_key, code.bytes(), secret.bytes(), seat.bytes()];
            change.execute(SIGN_IN_WITH, values)?;
            change.commit()
        };
        begin().map_err(fault)?;
        self.waiting = 0;
        Ok(former)
    }

    /// Replaces the credentials for the same seat of the same desk. All lines stay.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn renew(&mut self, credentials: &Credentials) -> Result<(), Fault> {
        let Credentials { desk_key, code, secret, seat } = credentials;
        let values = params![desk_key, code.bytes(), secret.bytes(), seat.bytes()];
        self.connection.execute(SIGN_IN_WITH, values).map_err(fault)?;
        Ok(())
    }

    /// The name of the agent who was signed in here last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn agent(&self) -> Result<Option<String>, Fault> {
        let sql = "SELECT agent FROM signed_in";
        self.connection.query_row(sql, [], |row| row.get(0)).optional().map_err(fault)
    }

    /// Keeps the name of the agent who is signed in here.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_agent(&mut self, agent: &str) -> Result<(), Fault> {
        if self.agent()?.as_deref() != Some(agent) {
            let sql = "INSERT OR REPLACE INTO signed_in VALUES (1, ?)";
            self.connection.execute(sql, [agent]).map_err(fault)?;
        }
        Ok(())
    }

    /// Keeps a line, and returns its number.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, conversation: Option<ConversationId>, text: &str) -> Result<u64, Fault> {
        let sql = "INSERT INTO line (conversation, text) VALUES (?, ?) RETURNING number";
        let id = conversation.as_ref().map(ConversationId::bytes);
        let number = self.connection.query_row(sql, params![id, text], |row| row.get(0));
        let number: i64 = number.map_err(fault)?;
        self.waiting += 1;
        Ok(number as u64)
    }

    /// Removes the lines up to this number, because the desk has done them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn taken(&mut self, number: u64) -> Result<(), Fault> {
        let sql = "DELETE FROM line WHERE number <= ?";
        let done = self.connection.execute(sql, [number as i64]).map_err(fault)?;
        self.waiting -= done as u64;
        Ok(())
    }

    /// Whether the desk has done all lines.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// The lines that the desk has not done, in their order.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn waiting(&self) -> Result<Vec<TypedLine>, Fault> {
        let read = || {
            let sql = "SELECT number, conversation, text FROM line ORDER BY number";
            let mut select = self.connection.prepare_cached(sql)?;
            let lines = select.query_map([], |row| {
                let id: Option<[u8; 16]> = row.get(1)?;
                Ok(TypedLine {
                    number: row.get::<_, i64>(0)? as u64,
                    conversation: id.map(ConversationId::new),
                    text: row.get(2)?,
                })
            })?;
            lines.collect::<rusqlite::Result<_>>()
        };
        read().map_err(fault)
    }

    /// The number of the latest line, even if the desk has done it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn latest(&self) -> Result<u64, Fault> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'line'";
        let latest: Option<i64> =
            self.connection.query_row(sql, [], |row| row.get(0)).optional().map_err(fault)?;
        Ok(latest.unwrap_or(0) as u64)
    }
}
