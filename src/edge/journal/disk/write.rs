//! Writes records into the journal's file, within a transaction.

use rusqlite::{CachedStatement, Connection, params};

use super::keys::{Keys, Known};
use crate::core::department::Department;
use crate::core::record::{BlockedBy, Ending, Offset, Owner, Record, Returning};
use crate::edge::clock;
use crate::wire::seat::UNSENT_MAX;
use crate::wire::{Body, ConversationId, DeskId, Entry, Number};

/// The origins of entries: our own, and private notes. Any other origin is a peer's key in the
/// table `peer`.
pub(super) const OWN: i64 = 0;
pub(super) const NOTE: i64 = -1;

/// The values of the column `kind`: how a block recognizes the customer.
pub(super) const BY_CONVERSATION: &str = "conversation";
pub(super) const BY_IDENTITY: &str = "identity";
pub(super) const BY_ADDRESS: &str = "address";
/// The owner of a conversation that no agent has.
pub(super) const NOBODY: &str = "";

/// The name of the row that says why an agent is away begins like this; the agent's name follows.
pub(super) const AWAY: &str = "away ";

/// How a conversation is about to end.
pub(super) const CLOSE: &str = "close";
pub(super) const HAND_BACK: &str = "hand_back";

const INSERT: &str = "INSERT INTO entry
                          (conversation, origin, number, at, stored, control, body, agent)
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

pub(super) struct Writer<'a> {
    connection: &'a Connection,
    pub(super) keys: &'a mut Keys,
    insert: CachedStatement<'a>,
    /// The time of this commit, in milliseconds since 1970.
    stored: i64,
}

impl Writer<'_> {
    pub(super) fn new<'a>(
        connection: &'a Connection,
        keys: &'a mut Keys,
    ) -> rusqlite::Result<Writer<'a>> {
        let insert = connection.prepare_cached(INSERT)?;
        let stored = clock::now().wall as i64;
        Ok(Writer { connection, keys, insert, stored })
    }

    /// Writes a record. An entry or a note has an offset.
    pub(super) fn write(
        &mut self,
        id: ConversationId,
        record: &Record,
    ) -> rusqlite::Result<(Option<Offset>, Known)> {
        if record.is_of_no_conversation() {
            self.agent(record)?;
            // The record belongs to no conversation, so there is none to review.
            let none = Known { key: 0, user: None, open: true, goes_on: true, resting: false };
            return Ok((None, none));
        }
        let former = self.keys.find(self.connection, id)?;
        let mut known = match (former, record) {
            (None, Record::Begun { secret, name }) => {
                let known = self.begin(id, secret, name.as_deref())?;
                self.keys.remember(id, known);
                return Ok((None, known));
            }
            (former, _) => former.ok_or(rusqlite::Error::QueryReturnedNoRows)?,
        };
        if matches!(record, Record::Forgotten) {
            self.forget(id, known.key)?;
            // The conversation is deleted, so there is none to review.
            return Ok((None, Known { goes_on: true, open: true, ..known }));
        }
        if known.resting && record.is_line() {
            known.resting = false;
            self.run("UPDATE conversation SET resting = 0 WHERE key = ?", params![known.key])?;
        }
        let offset = self.record(id, &mut known, record)?;
        match change(record) {
            Change::GoesOn => known.goes_on = true,
            Change::MayEnd => known.goes_on = false,
            Change::No => {}
        }
        if former != Some(known) || !known.goes_on {
            self.keys.remember(id, known);
        }
        Ok((offset, known))
    }

    fn begin(
        &self,
        id: ConversationId,
        secret: &[u8; 32],
        name: Option<&str>,
    ) -> rusqlite::Result<Known> {
        let sql = "INSERT INTO conversation (id, secret, name) VALUES (?, ?, ?) RETURNING key";
        let mut insert = self.connection.prepare_cached(sql)?;
        let key = insert.query_row(params![id.bytes(), secret, name], |row| row.get(0))?;
        Ok(Known { key, user: None, open: true, goes_on: false, resting: false })
    }

    fn record(
        &mut self,
        id: ConversationId,
        known: &mut Known,
        record: &Record,
    ) -> rusqlite::Result<Option<Offset>> {
        let key = known.key;
        match record {
            Record::Own(entry) => return self.insert(key, OWN, entry, None).map(Some),
            Record::Said(agent, entry) => {
                return self.insert(key, OWN, entry, Some(agent)).map(Some);
            }
            Record::Theirs(desk, entry) => {
                let peer = self.keys.peer(self.connection, known, *desk)?;
                return self.insert(key, peer, entry, None).map(Some);
            }
            Record::Note(note) => {
                let (none, at) = (None::<i64>, self.stored);
                self.insert.execute(params![key, NOTE, none, at, at, false, note, none])?;
                let note = self.offset();
                // An idle time that has begun already goes on.
                let sql = "UPDATE conversation SET idle_at = ?1 WHERE key = ?2 AND idle_at IS
                               (SELECT max(key) FROM entry WHERE conversation = ?2 AND key < ?1)";
                self.run(sql, params![note.0 as i64, key])?;
                return Ok(Some(note));
            }
            Record::Begun { name, .. } => {
                let sql = "UPDATE conversation SET name = ? WHERE key = ?";
                self.run(sql, params![name, key])?;
            }
            Record::Held(number) => {
                let sql = "UPDATE conversation SET held = ? WHERE key = ?";
                self.run(sql, params![*number as i64, key])?;
            }
            Record::Moved { from, by } => {
                // In two steps, because no number may be in the table twice at any moment.
                let sql = "UPDATE entry SET number = -(number + ?)
                           WHERE conversation = ? AND origin = ? AND number >= ?";
                self.run(sql, params![*by as i64, key, OWN, *from as i64])?;
                let sql = "UPDATE entry SET number = -number
                           WHERE conversation = ? AND origin = ? AND number < 0";
                self.run(sql, params![key, OWN])?;
            }
            Record::Asking(number) => {
                let sql = "UPDATE conversation SET asking = ? WHERE key = ?";
                self.run(sql, params![number.map(|number| number as i64), key])?;
            }
            Record::Returning(returning) => {
                let sql = "UPDATE conversation SET resuming = ? WHERE key = ?";
                self.run(sql, params![resuming(*returning), key])?;
            }
            Record::Met(desk, request) => {
                let peer = self.keys.peer(self.connection, known, Some(*desk))?;
                let sql = "UPDATE peer SET request = ?, met = (SELECT max(met) + 1 FROM peer)
                           WHERE key = ?";
                self.run(sql, params![*request as i64, peer])?;
            }
            Record::Acked(desk, number) => self.acked(known, Some(*desk), *number)?,
            Record::Delivered(number) => self.acked(known, None, *number)?,
            Record::Idle(idle) => {
                let sql = "UPDATE conversation SET idle = ?1, idle_at =
                               (SELECT max(key) FROM entry WHERE conversation = ?2) WHERE key = ?2";
                self.run(sql, params![idle.as_millis() as i64, key])?;
            }
            Record::Focus => {
                let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES ('focus', ?)";
                self.run(sql, params![id.bytes()])?;
            }
            Record::Owner(owner) => {
                let owner = match owner {
                    Owner::Terminal => None,
                    Owner::Agent(name) => Some(&**name),
                    Owner::Nobody => Some(NOBODY),
                };
                let sql = "UPDATE conversation SET owner = ? WHERE key = ?";
                self.run(sql, params![owner, key])?;
            }
            Record::Former(ordinal) => {
                let sql = "UPDATE conversation SET former = ? WHERE key = ?";
                self.run(sql, params![ordinal, key])?;
            }
            Record::Ending(ending) => {
                let ending = ending.map(|ending| match ending {
                    Ending::Close => CLOSE,
                    Ending::HandBack => HAND_BACK,
                });
                let sql = "UPDATE conversation SET ending = ? WHERE key = ?";
                self.run(sql, params![ending, key])?;
            }
            Record::Offered(offered) => {
                let names = offered.as_ref().map(|offered| (offered.written_from(), &*offered.to));
                let sql = "UPDATE conversation SET offered_by = ?, offered_to = ? WHERE key = ?";
                self.run(
                    sql,
                    params![names.as_ref().map(|it| &it.0), names.as_ref().map(|it| it.1), key],
                )?;
            }
            Record::Tags(tags) => {
                let tags = serde_json::to_string(tags).ok();
                self.run("UPDATE conversation SET tags = ? WHERE key = ?", params![tags, key])?;
            }
            Record::Hold(is_on_hold) => {
                let sql = "UPDATE conversation SET on_hold = ? WHERE key = ?";
                self.run(sql, params![is_on_hold, key])?;
            }
            Record::Department(department) => {
                let sql = "UPDATE conversation SET department = ? WHERE key = ?";
                self.run(sql, params![department.as_ref().map(Department::as_str), key])?;
            }
            Record::TurnedAway => {
                let sql = "UPDATE conversation SET turned_away = 1 WHERE key = ?";
                self.run(sql, params![key])?;
            }
            Record::Contact(contact) => {
                let identity = contact.identity.as_deref();
                let identity = identity.and_then(|identity| serde_json::to_string(identity).ok());
                let sql = "UPDATE conversation SET email = ?, identity = ? WHERE key = ?";
                self.run(sql, params![contact.email, identity, key])?;
            }
            Record::Customer(customer) => self.has_customer(key, *customer)?,
            Record::Token(hash) => self.names_customer(key, *hash)?,
            Record::Withdrawn(hash) => self.withdraw(*hash)?,
            Record::Identified(identity) => self.identify(key, identity)?,
            Record::Agreed(at) => self.agree(key, *at)?,
            Record::About(about) => self.describe(key, about)?,
            Record::Joined { former, customer } => self.join(key, *former, *customer)?,
            Record::Posted(post, posted) => self.posted(key, post, posted)?,
            Record::Resting => {
                known.resting = true;
                self.run("UPDATE conversation SET resting = 1 WHERE key = ?", params![key])?;
            }
            Record::Enrolled { .. }
            | Record::Taken(..)
            | Record::Unsent(..)
            | Record::Blocked(_)
            | Record::Unblocked(_)
            | Record::Away(..)
            | Record::Forgotten => {}
        }
        Ok(None)
    }

    /// Writes what belongs to an agent and not to a conversation.
    fn agent(&self, record: &Record) -> rusqlite::Result<()> {
        match record {
            Record::Enrolled { agent, code, secret } => {
                let sql = "INSERT INTO enrolled (code, secret, agent) VALUES (?, ?, ?)";
                self.run(sql, params![code.bytes(), secret.bytes(), agent])
            }
            Record::Taken(seat, number) => {
                let sql = "INSERT OR REPLACE INTO seat (key, taken) VALUES (?, ?)";
                self.run(sql, params![seat.bytes(), *number as i64])
            }
            Record::Unsent(seat, number) => {
                let sql = "INSERT OR IGNORE INTO unsent (seat, number) VALUES (?, ?)";
                self.run(sql, params![seat.bytes(), *number as i64])?;
                let sql = "DELETE FROM unsent WHERE seat = ? AND number <= ?";
                let old = number.saturating_sub(UNSENT_MAX);
                self.run(sql, params![seat.bytes(), old as i64])
            }
            Record::Blocked(block) => {
                let (kind, key) = match &block.by {
                    BlockedBy::Conversation { latest } => {
                        (BY_CONVERSATION, Some(latest.to_be_bytes().to_vec()))
                    }
                    BlockedBy::Identity(user) => (BY_IDENTITY, Some(user.as_bytes().to_vec())),
                    BlockedBy::Address(address) => (BY_ADDRESS, Some(address.bytes().to_vec())),
                };
                let sql = "INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?)";
                let (id, until) = (block.conversation.bytes(), block.until as i64);
                self.run(sql, params![id, block.ordinal, block.called, kind, key, until])
            }
            Record::Unblocked(id) => {
                self.run("DELETE FROM block WHERE conversation = ?", params![id.bytes()])
            }
            Record::Away(agent, Some(why)) => {
                let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)";
                self.run(sql, params![away(agent), why.as_bytes()])
            }
            Record::Away(agent, None) => {
                self.run("DELETE FROM meta WHERE name = ?", params![away(agent)])
            }
            _ => Ok(()),
        }
    }

    /// Notes that a peer has acknowledged our entries up to this number.
    fn acked(
        &mut self,
        known: &mut Known,
        desk: Option<DeskId>,
        number: Number,
    ) -> rusqlite::Result<()> {
        let peer = self.keys.peer(self.connection, known, desk)?;
        self.run("UPDATE peer SET acked = ? WHERE key = ?", params![number as i64, peer])
    }

    /// Writes an entry. `agent` is the agent who wrote it, if it is a message from a desk.
    fn insert(
        &mut self,
        key: i64,
        origin: i64,
        entry: &Entry,
        agent: Option<&str>,
    ) -> rusqlite::Result<Offset> {
        let control = !matches!(entry.body, Body::Message(_));
        let body = serde_json::to_string(&entry.body).expect("a body has string keys");
        let (number, at) = (entry.number as i64, entry.at as i64);
        self.insert.execute(params![key, origin, number, at, self.stored, control, body, agent])?;
        Ok(self.offset())
    }

    /// The offset of the entry or note that was inserted last.
    fn offset(&self) -> Offset {
        Offset(self.connection.last_insert_rowid() as u64)
    }

    pub(super) fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(values).map(drop)
    }
}

/// The name of the row that says why this agent is away.
fn away(agent: &str) -> String {
    format!("{AWAY}{agent}")
}

/// How a record changes whether a restart has to read its conversation.
enum Change {
    /// The customer waits or talks from now on, so a restart has to read the conversation.
    GoesOn,
    /// The conversation may have ended: its story tells.
    MayEnd,
    No,
}

fn change(record: &Record) -> Change {
    match (record, record.entry().map(|entry| &entry.body)) {
        (_, Some(Body::Requested { .. } | Body::Accepted { .. })) => Change::GoesOn,
        (_, Some(Body::Withdrawn {} | Body::HandedBack { .. } | Body::Closed { .. })) => {
            Change::MayEnd
        }
        (Record::Idle(_), _) => Change::MayEnd,
        _ => Change::No,
    }
}

/// The value of the column `resuming`. Handoff 0.1.0 knows only 0 and 1, and reads any other number
/// as 1.
fn resuming(returning: Returning) -> i64 {
    match returning {
        Returning::Done => 0,
        Returning::UnderWay => 1,
        Returning::Due(since) => 1 + since as i64,
    }
}
