//! Writing one record into the journal's file.

use rusqlite::params;

use super::{Disk, NOTE, OWN};
use crate::core::record::{Offset, Record, Returning};
use crate::wire::{Body, ConversationId, DeskId, Entry, Number};

impl Disk {
    /// Writes a record of the conversation with this key. An entry or a note has an offset.
    pub(super) fn record(
        &mut self,
        id: ConversationId,
        key: i64,
        record: &Record,
        stored: i64,
    ) -> rusqlite::Result<Option<Offset>> {
        match record {
            Record::Own(entry) => return self.insert(key, OWN, entry, stored).map(Some),
            Record::Theirs(desk, entry) => {
                let peer = self.peer(key, *desk)?;
                return self.insert(key, peer, entry, stored).map(Some);
            }
            Record::Note(note) => {
                let sql = "INSERT INTO entry (conversation, origin, at, stored, control, body)
                           VALUES (?, ?, ?, ?, 0, ?)";
                self.run(sql, params![key, NOTE, stored, stored, note])?;
                return Ok(Some(self.offset()));
            }
            Record::Begun { .. } => {}
            Record::Held(number) => {
                let sql = "UPDATE conversation SET held = ? WHERE key = ?";
                self.run(sql, params![*number as i64, key])?;
            }
            Record::Moved { from, by } => {
                // In two steps: on the way no number may be there twice.
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
                let peer = self.peer(key, Some(*desk))?;
                let sql = "UPDATE peer SET request = ?, met = (SELECT max(met) + 1 FROM peer)
                           WHERE key = ?";
                self.run(sql, params![*request as i64, peer])?;
            }
            Record::Acked(desk, number) => self.acked(key, Some(*desk), *number)?,
            Record::Delivered(number) => self.acked(key, None, *number)?,
            Record::Idle(idle) => {
                let sql = "UPDATE conversation SET idle = ?1, idle_at =
                               (SELECT max(key) FROM entry WHERE conversation = ?2) WHERE key = ?2";
                self.run(sql, params![idle.as_millis() as i64, key])?;
            }
            Record::Focus => {
                let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES ('focus', ?)";
                self.run(sql, params![id.bytes()])?;
            }
        }
        Ok(None)
    }

    /// A peer acknowledged our entries up to this number.
    fn acked(&mut self, key: i64, desk: Option<DeskId>, number: Number) -> rusqlite::Result<()> {
        let peer = self.peer(key, desk)?;
        self.run("UPDATE peer SET acked = ? WHERE key = ?", params![number as i64, peer])
    }

    fn insert(
        &self,
        conversation: i64,
        origin: i64,
        entry: &Entry,
        stored: i64,
    ) -> rusqlite::Result<Offset> {
        let control = !matches!(entry.body, Body::Message(_));
        let body = serde_json::to_string(&entry.body).expect("a body has string keys");
        let sql = "INSERT INTO entry (conversation, origin, number, at, stored, control, body)
                   VALUES (?, ?, ?, ?, ?, ?, ?)";
        let (number, at) = (entry.number as i64, entry.at as i64);
        self.run(sql, params![conversation, origin, number, at, stored, control, body])?;
        Ok(self.offset())
    }

    /// The offset of the entry or note that was inserted last.
    fn offset(&self) -> Offset {
        Offset(self.connection.last_insert_rowid() as u64)
    }
}

/// The column `resuming`. Handoff 0.1.0 knew 0 and 1 only, and reads any other number as 1.
fn resuming(returning: Returning) -> i64 {
    match returning {
        Returning::Done => 0,
        Returning::UnderWay => 1,
        Returning::Due(since) => 1 + since as i64,
    }
}
