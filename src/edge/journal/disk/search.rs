//! Searches a desk's journal for words, and for conversations that have ended. It has a connection
//! to the file of its own and takes no lock, so a long search delays nothing else.

use std::collections::HashSet;
use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags, Row, params};

use super::read::{owner, tags};
use super::write::NOTE;
use crate::core::agent::TERMINAL;
use crate::core::desk::{self, names::called};
use crate::core::record::Owner;
use crate::core::report::{Found, Reason};
use crate::core::text::Line;
use crate::wire::{Body, ConversationId, DeskId, EndReason, Entry, Millis, Number, Said, State};

/// A reader of a journal that another connection may write at the same time.
pub struct Search(PathBuf);

impl Search {
    /// A reader of this file.
    pub fn new(file: PathBuf) -> Search {
        Search(file)
    }

    /// What has all of these words, the latest first: lines, notes, and conversations by their tags
    /// and by their customer's name, email address and identity. Letter case does not matter.
    ///
    /// # Errors
    /// One sentence, when the journal cannot be read.
    pub fn find(&self, words: &str, most: usize) -> Result<Vec<Found>, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        let fits = |text: &str| {
            let text = text.to_lowercase();
            words.iter().all(|word| text.contains(word.as_str()))
        };
        self.read(|connection| {
            let sql = "SELECT conversation.key, id, name, entry.at, tags, email, identity
                       FROM conversation LEFT JOIN entry
                           ON entry.key = (SELECT max(key) FROM entry
                                           WHERE entry.conversation = conversation.key)
                       WHERE coalesce(name, tags, email, identity) IS NOT NULL
                       ORDER BY conversation.key DESC";
            let mut found = collect(connection, sql, most, |row| {
                let identity: Option<String> = row.get(6)?;
                let found = Found {
                    tags: tags_of(row, 4)?,
                    email: row.get::<_, Option<String>>(5)?.map(Into::into),
                    identity: identity.and_then(|identity| serde_json::from_str(&identity).ok()),
                    ..conversation(row)?
                };
                Ok(Some(found).filter(|found| fits(&found.about())))
            })?;
            let sql = "SELECT conversation.key, id, name, at, origin, body, agent FROM entry
                           JOIN conversation ON conversation.key = entry.conversation
                       WHERE control = 0 ORDER BY entry.key DESC";
            let room = most.saturating_sub(found.len());
            found.extend(collect(connection, sql, room, |row| {
                let (origin, body): (i64, String) = (row.get(4)?, row.get(5)?);
                let found = if origin == NOTE {
                    Some(body).filter(|note| fits(note)).map(|note| (None, Some(note)))
                } else {
                    said_in(&body).filter(|said| fits(&said.text)).map(|said| (Some(said), None))
                };
                let Some((said, note)) = found else { return Ok(None) };
                let (author, agent) = (said.as_ref().map(|said| said.author), row.get(6)?);
                let line = said.map(|said| said.text.to_string()).unwrap_or_default();
                Ok(Some(Found { line, author, agent, note, ..conversation(row)? }))
            })?);
            Ok(found)
        })
    }

    /// The conversations that ended last, the latest first.
    ///
    /// # Errors
    /// One sentence, when the journal cannot be read.
    pub fn ended(&self, most: usize) -> Result<Vec<Found>, String> {
        self.read(|connection| {
            let desk = "SELECT value FROM meta WHERE name = 'desk'";
            let desk = DeskId::new(connection.query_row(desk, [], |row| row.get(0))?);
            // With '+' the rows come in the order of their keys, and few of them are read.
            let sql = "SELECT conversation.key, id, name, at, tags, owner, number, body,
                           EXISTS (SELECT 1 FROM entry AS own
                                   WHERE own.conversation = conversation.key AND control = 1
                                       AND json_extract(body, '$.accepted') IS NOT NULL),
                           (SELECT body FROM entry AS note
                            WHERE note.conversation = conversation.key AND origin = -1
                            ORDER BY key DESC LIMIT 1),
                           EXISTS (SELECT 1 FROM block WHERE block.conversation = id
                                   AND until > unixepoch() * 1000),
                           turned_away AND owner = ''
                       FROM entry CROSS JOIN conversation ON conversation.key = entry.conversation
                       WHERE +control = 1 AND origin > 0 AND open = 0 ORDER BY entry.key DESC";
            let mut seen = HashSet::new();
            collect(connection, sql, most, |row| {
                let Some(end) = end_in(desk, row)? else { return Ok(None) };
                let found = conversation(row)?;
                if !seen.insert(found.ordinal) {
                    return Ok(None);
                }
                let (state, reason) = end;
                let agent = match owner(row.get(5)?) {
                    _ if !row.get::<_, bool>(8)? => None,
                    Owner::Terminal => Some(TERMINAL.to_owned()),
                    Owner::Agent(name) => Some(name.to_string()),
                    Owner::Nobody => None,
                };
                Ok(Some(Found {
                    state: Some(state),
                    reason: Some(reason),
                    agent,
                    note: row.get(9)?,
                    is_blocked: row.get(10)?,
                    is_turned_away: row.get::<_, Option<bool>>(11)?.unwrap_or_default(),
                    tags: tags_of(row, 4)?,
                    ..found
                }))
            })
        })
    }

    fn read<T>(&self, read: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let found = Connection::open_with_flags(&self.0, flags).and_then(|it| read(&it));
        found.map_err(|error| format!("cannot search the journal: {error}"))
    }
}

/// The message in a body.
fn said_in(body: &str) -> Option<Said> {
    match serde_json::from_str(body).ok()? {
        Body::Message(said) => Some(said),
        _ => None,
    }
}

/// Where the customer of a conversation that has ended at this desk was after this control; `None`
/// if the control does not say it. From columns 3, 6 and 7: at, number, body.
fn end_in(desk: DeskId, row: &Row<'_>) -> rusqlite::Result<Option<(State, Reason)>> {
    let (at, number): (i64, i64) = (row.get(3)?, row.get(6)?);
    let Ok(body) = serde_json::from_str(&row.get::<_, String>(7)?) else { return Ok(None) };
    let entry = Entry { number: number as Number, at: at as Millis, body };
    Ok(match entry.body {
        // The desk has given up a customer who was away for too long.
        Body::Requested(_) => Some((State::Closed, Reason::Ended(EndReason::Inactivity))),
        Body::Accepted { of } if of.desk == desk => {
            Some((State::Closed, Reason::Ended(EndReason::Inactivity)))
        }
        _ => desk::end_by(desk, &entry),
    })
}

/// Collects results from the first rows, until there are enough.
fn collect(
    connection: &Connection,
    sql: &str,
    most: usize,
    mut found: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<Found>>,
) -> rusqlite::Result<Vec<Found>> {
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query(params![])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()?.filter(|_| all.len() < most) {
        all.extend(found(row)?);
    }
    Ok(all)
}

/// The tags of a conversation, from this column.
fn tags_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    let tags = tags(row.get::<_, Option<String>>(column)?.as_deref());
    Ok(tags.into_iter().map(String::from).collect())
}

/// A conversation from four columns: key, id, name, at.
fn conversation(row: &Row<'_>) -> rusqlite::Result<Found> {
    let (id, name): (_, Option<String>) = (ConversationId::new(row.get(1)?), row.get(2)?);
    let customer = Line(&called(name.as_deref(), id)).to_string();
    let at = row.get::<_, Option<i64>>(3)?.unwrap_or(0) as Millis;
    Ok(Found::new(id, row.get(0)?, customer, at))
}
