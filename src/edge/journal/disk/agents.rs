//! Reads what a desk keeps about its agents, and the customers whom they have blocked.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;

use super::Disk;
use super::write::{AWAY, BY_ADDRESS, BY_IDENTITY};
use crate::core::record::{Blocked, BlockedBy};
use crate::edge::journal::Fault;
use crate::wire::{Address, ConversationId, Millis, SeatKey, SecretHash};

impl Disk {
    pub(in crate::edge::journal) fn secret_of(
        &self,
        code: SecretHash,
    ) -> Result<Option<SecretHash>, Fault> {
        let sql = "SELECT secret FROM enrolled WHERE code = ?";
        let found = self.connection.query_row(sql, [code.bytes()], |row| row.get(0)).optional();
        Ok(found.map_err(|error| self.unreadable(&error))?.map(SecretHash::new))
    }

    pub(in crate::edge::journal) fn taken(&self, seat: SeatKey) -> Result<u64, Fault> {
        let sql = "SELECT taken FROM seat WHERE key = ?";
        let found = self.connection.query_row(sql, [seat.bytes()], |row| row.get(0)).optional();
        let taken: Option<i64> = found.map_err(|error| self.unreadable(&error))?;
        Ok(taken.unwrap_or(0) as u64)
    }

    pub(in crate::edge::journal) fn unsent(&self, seat: SeatKey) -> Result<Vec<u64>, Fault> {
        let read = || {
            let sql = "SELECT number FROM unsent WHERE seat = ? ORDER BY number";
            let mut select = self.connection.prepare_cached(sql)?;
            let numbers = select.query_map([seat.bytes()], |row| row.get(0))?;
            numbers
                .map(|number| number.map(|number: i64| number as u64))
                .collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(super) fn read_blocks(&self) -> rusqlite::Result<Vec<Blocked>> {
        let sql = "SELECT conversation, ordinal, called, kind, key, until FROM block";
        let mut select = self.connection.prepare(sql)?;
        let blocks = select.query_map([], |row| {
            let (kind, key): (String, Option<Vec<u8>>) = (row.get(3)?, row.get(4)?);
            let key = key.unwrap_or_default();
            let (conversation, ordinal) = (ConversationId::new(row.get(0)?), row.get(1)?);
            let by = match (&*kind, <[u8; 16]>::try_from(&key[..])) {
                (BY_ADDRESS, Ok(address)) => BlockedBy::Address(Address::from_bytes(address)),
                (BY_IDENTITY, _) => BlockedBy::Identity(String::from_utf8_lossy(&key).into()),
                _ => {
                    let latest = key.try_into().map_or(ordinal, u32::from_be_bytes);
                    BlockedBy::Conversation { latest }
                }
            };
            let until = row.get::<_, i64>(5)? as Millis;
            Ok(Blocked { conversation, ordinal, called: row.get(2)?, by, until })
        })?;
        blocks.collect()
    }

    pub(super) fn read_away(&self) -> rusqlite::Result<BTreeMap<Box<str>, Box<str>>> {
        let sql = "SELECT substr(name, 1 + length(?1)), CAST(value AS TEXT) FROM meta
                   WHERE substr(name, 1, length(?1)) = ?1";
        let mut select = self.connection.prepare(sql)?;
        let away = select.query_map([AWAY], |row| Ok((row.get(0)?, row.get(1)?)))?;
        away.collect()
    }
}
