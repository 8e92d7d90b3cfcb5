//! The schema, and the migration of an older file to it.
//!
//! Handoff 0.1.0 wrote version 1. Version 2 never gives the number of a deleted conversation to
//! another one, and marks the conversations that a restart has to read. Version 3 has the customers
//! of a gateway, and version 4 who they are at the shop and what they agreed to. Version 5 has the
//! agents of a desk, version 6 what is about to end, and version 7 tags, holds, blocks and lines
//! that were not sent. Version 8 has the agent who wrote a line, and conversations that one agent
//! has offered to another. Version 9 has what a customer's page says of who they are,
//! conversations in which a blocked customer was turned away, and the department to which an agent
//! sent a customer.

use super::Disk;
use crate::core::record::Story;

/// The schema's version, kept in the file. A newer one is refused, an older one migrated.
pub(super) const VERSION: i64 = 9;

/// The table of conversations. Its key is the conversation's number, from 1, in the order in which
/// they were begun; with AUTOINCREMENT the number of a deleted conversation is never used again.
const CONVERSATION: &str = "
    (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE,
        secret BLOB NOT NULL,
        name TEXT,
        held INTEGER NOT NULL DEFAULT 0,
        -- Milliseconds without an entry while the program ran, as of the entry 'idle_at'.
        idle INTEGER NOT NULL DEFAULT 0,
        idle_at INTEGER,
        asking INTEGER,
        resuming INTEGER NOT NULL DEFAULT 0,
        -- 0: it is over, and a restart need not read it.
        open INTEGER NOT NULL DEFAULT 1
    ) STRICT;
";

const OPEN: &str = "CREATE INDEX conversation_open ON conversation (key) WHERE open = 1;";

/// What a gateway keeps about its customers.
const CUSTOMERS: &str = "
    CREATE TABLE customer (key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE) STRICT;
    -- SHA-256 of a token, and the customer whom it names.
    CREATE TABLE token (
        hash BLOB PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer
    ) STRICT, WITHOUT ROWID;
    -- What the request of a customer with this id did.
    CREATE TABLE post (
        customer INTEGER NOT NULL REFERENCES customer,
        id TEXT NOT NULL,
        digest BLOB NOT NULL,
        conversation INTEGER NOT NULL REFERENCES conversation,
        number INTEGER NOT NULL,
        PRIMARY KEY (customer, id)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE conversation ADD COLUMN customer INTEGER REFERENCES customer;
    -- 1: the session has left memory, and a gateway need not read it when it starts.
    ALTER TABLE conversation ADD COLUMN resting INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX conversation_customer ON conversation (customer, key) WHERE customer IS NOT NULL;
    CREATE INDEX conversation_awake ON conversation (key) WHERE open = 1 AND resting = 0;
    CREATE INDEX token_customer ON token (customer);
";

/// What a gateway keeps about customers whom the shop knows.
const IDENTITIES: &str = "
    -- The customer's id at the shop.
    ALTER TABLE customer ADD COLUMN identity TEXT;
    -- How often another customer turned out to be this one.
    ALTER TABLE customer ADD COLUMN joins INTEGER NOT NULL DEFAULT 0;
    -- When the customer accepted the notice.
    ALTER TABLE customer ADD COLUMN agreed INTEGER;
    -- What they said of themselves.
    ALTER TABLE customer ADD COLUMN name TEXT;
    ALTER TABLE customer ADD COLUMN email TEXT;
    -- Its place among the customer's conversations, if that is not twice its key.
    ALTER TABLE conversation ADD COLUMN place INTEGER;
    CREATE UNIQUE INDEX customer_identity ON customer (identity) WHERE identity IS NOT NULL;
";

/// What a desk keeps about its agents.
const AGENTS: &str = "
    -- Who has it: NULL is the desk's own terminal, '' nobody, else an agent's name.
    ALTER TABLE conversation ADD COLUMN owner TEXT;
    -- The key of the conversation that the same customer had before, as they have proved.
    ALTER TABLE conversation ADD COLUMN former INTEGER;
    -- SHA-256 of a code that was used, and of the secret that it was used with.
    CREATE TABLE enrolled (
        code BLOB PRIMARY KEY, secret BLOB NOT NULL, agent TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- What was typed at an agent's terminal up to this number is done.
    CREATE TABLE seat (key BLOB PRIMARY KEY, taken INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// What a desk keeps about a conversation besides its entries.
const CARE: &str = "
    -- How it was about to end: 'close' or 'hand_back'.
    ALTER TABLE conversation ADD COLUMN ending TEXT;
";

/// What a desk keeps for its agents.
const TOOLS: &str = "
    -- How agents have marked it: a JSON list of texts.
    ALTER TABLE conversation ADD COLUMN tags TEXT;
    -- 1: the agent has asked the customer to be patient.
    ALTER TABLE conversation ADD COLUMN on_hold INTEGER NOT NULL DEFAULT 0;
    -- Customers whom agents have blocked: in which conversation, and by what they are known again.
    CREATE TABLE block (
        conversation BLOB PRIMARY KEY,
        ordinal INTEGER NOT NULL,
        called TEXT NOT NULL,
        kind TEXT NOT NULL,
        key BLOB,
        until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- Of what was typed at an agent's terminal, the lines that were not sent, of which the terminal
    -- may not have heard yet.
    CREATE TABLE unsent (
        seat BLOB NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (seat, number)
    ) STRICT, WITHOUT ROWID;
";

/// What a desk keeps so that its agents can tell each other apart.
const TEAM: &str = "
    -- At a desk, of a message: the own name of the agent who wrote it.
    ALTER TABLE entry ADD COLUMN agent TEXT;
    -- The own names of the agent who offers it to another one, and of that one.
    ALTER TABLE conversation ADD COLUMN offered_by TEXT;
    ALTER TABLE conversation ADD COLUMN offered_to TEXT;
";

/// What a desk keeps so that its agents find a customer again, and the right ones get them.
const CONTACTS: &str = "
    -- At a desk: the email address that the customer gave, and who they are at the shop (JSON).
    ALTER TABLE conversation ADD COLUMN email TEXT;
    ALTER TABLE conversation ADD COLUMN identity TEXT;
    -- 1: the customer was blocked, and the desk turned them away.
    ALTER TABLE conversation ADD COLUMN turned_away INTEGER NOT NULL DEFAULT 0;
    -- The department to which an agent sent the customer.
    ALTER TABLE conversation ADD COLUMN department TEXT;
";

const REST: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
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
    -- The key is the offset. 'origin' is 0 for our own, -1 for a note, else a peer's key.
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

impl Disk {
    /// Makes the schema in a new file.
    pub(super) fn make(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch(&format!(
            "BEGIN; CREATE TABLE conversation {CONVERSATION} {OPEN} {REST} {CUSTOMERS}
             {IDENTITIES} {AGENTS} {CARE} {TOOLS} {TEAM} {CONTACTS}
             PRAGMA user_version = {VERSION}; COMMIT;"
        ))
    }

    /// Gives a file of an older version the present schema, all of it or nothing.
    pub(super) fn migrate(&self, version: i64) -> rusqlite::Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        if version == 1 {
            self.number_conversations()?;
        }
        let added = [CUSTOMERS, IDENTITIES, AGENTS, CARE, TOOLS, TEAM, CONTACTS];
        for (since, tables) in (3..).zip(added) {
            if version < since {
                self.connection.execute_batch(tables)?;
            }
        }
        if version == 1 {
            self.note_what_is_over()?;
        }
        self.connection.execute_batch(&format!("PRAGMA user_version = {VERSION}; COMMIT;"))
    }

    /// From version 1 to version 2: the numbers of deleted conversations are never used again.
    fn number_conversations(&self) -> rusqlite::Result<()> {
        // The copy replaces the table that others refer to: see "Making Other Kinds Of Table Schema
        // Changes" in SQLite's documentation of ALTER TABLE.
        self.connection.execute_batch(&format!(
            "CREATE TABLE migrated {CONVERSATION}
             INSERT INTO migrated (key, id, secret, name, held, idle, idle_at, asking, resuming)
                 SELECT key, id, secret, name, held, idle, idle_at, asking, resuming FROM
                 conversation;
             DROP TABLE conversation;
             ALTER TABLE migrated RENAME TO conversation;
             {OPEN}"
        ))
    }

    /// From version 1 to version 2: marks the conversations that are over.
    fn note_what_is_over(&self) -> rusqlite::Result<()> {
        let keys: Vec<i64> = {
            let mut select = self.connection.prepare("SELECT key FROM conversation")?;
            let keys = select.query_map([], |row| row.get(0))?;
            keys.collect::<rusqlite::Result<_>>()?
        };
        for key in keys {
            if self.read_story(key)?.as_ref().is_some_and(Story::is_over) {
                self.set_open(key, false)?;
            }
        }
        Ok(())
    }
}
