//! Searches a desk's journal for words, and for conversations that have ended. It has a connection
//! to the file of its own and takes no lock, so a long search delays nothing else.

use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags, Row, params};

use super::read::tags;
use super::write::NOTE;
use crate::core::desk::names::called;
use crate::core::text::Line;
use crate::wire::{Body, ConversationId, Millis};

/// A result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The conversation's number at the desk.
    pub ordinal: u32,
    /// The customer's name at the desk.
    pub customer: String,
    /// When the line was said; if the conversation itself was found, the time of its last entry.
    pub at: Millis,
    /// The line or the note; if the conversation itself was found, its tags.
    pub text: String,
}

/// A reader of a journal that another connection may write at the same time.
pub struct Search(PathBuf);

impl Search {
    /// A reader of this file.
    pub fn new(file: PathBuf) -> Search {
        Search(file)
    }

    /// The lines and notes that have all of these words, and the conversations whose customer's
    /// name or tags have them, the latest first. Letter case does not matter.
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
            let sql =
                "SELECT conversation.key, id, name, entry.at, tags FROM conversation LEFT JOIN entry
                           ON entry.key = (SELECT max(key) FROM entry
                                           WHERE entry.conversation = conversation.key)
                       WHERE name IS NOT NULL OR tags IS NOT NULL ORDER BY conversation.key DESC";
            let mut found = collect(connection, sql, most, |row| {
                let found = conversation_itself(row)?;
                Ok(Some(found).filter(|it| fits(&format!("{} {}", it.customer, it.text))))
            })?;
            let sql = "SELECT conversation.key, id, name, at, origin, body FROM entry
                           JOIN conversation ON conversation.key = entry.conversation
                       WHERE control = 0 ORDER BY entry.key DESC";
            let room = most.saturating_sub(found.len());
            found.extend(collect(connection, sql, room, |row| {
                let (origin, body): (i64, String) = (row.get(4)?, row.get(5)?);
                let text = if origin == NOTE { Some(body) } else { text_of(&body) };
                let Some(text) = text.filter(|text| fits(text)) else { return Ok(None) };
                let text = if origin == NOTE { format!("note: {text}") } else { text };
                Ok(Some(Found { text, ..conversation(row)? }))
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
            let sql = "SELECT conversation.key, id, name, at, tags FROM conversation JOIN entry
                           ON entry.conversation = conversation.key AND control = 1
                           AND json_extract(body, '$.closed') IS NOT NULL
                       WHERE open = 0 ORDER BY entry.key DESC";
            collect(connection, sql, most, |row| conversation_itself(row).map(Some))
        })
    }

    fn read<T>(&self, read: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let found = Connection::open_with_flags(&self.0, flags).and_then(|it| read(&it));
        found.map_err(|error| format!("cannot search the journal: {error}"))
    }
}

/// The text of a message's body.
fn text_of(body: &str) -> Option<String> {
    match serde_json::from_str(body).ok()? {
        Body::Message(said) => Some(said.text.to_string()),
        _ => None,
    }
}

/// Collects results from the first rows, until there are enough.
fn collect(
    connection: &Connection,
    sql: &str,
    most: usize,
    found: impl Fn(&Row<'_>) -> rusqlite::Result<Option<Found>>,
) -> rusqlite::Result<Vec<Found>> {
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query(params![])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()?.filter(|_| all.len() < most) {
        all.extend(found(row)?);
    }
    Ok(all)
}

/// A conversation with its tags from five columns: key, id, name, at, tags.
fn conversation_itself(row: &Row<'_>) -> rusqlite::Result<Found> {
    let tags = tags(row.get::<_, Option<String>>(4)?.as_deref());
    let text = if tags.is_empty() { String::new() } else { format!("[{}]", tags.join(", ")) };
    Ok(Found { text, ..conversation(row)? })
}

/// A conversation from four columns: key, id, name, at.
fn conversation(row: &Row<'_>) -> rusqlite::Result<Found> {
    let (id, name): (_, Option<String>) = (ConversationId::new(row.get(1)?), row.get(2)?);
    Ok(Found {
        ordinal: row.get(0)?,
        customer: Line(&called(name.as_deref(), id)).to_string(),
        at: row.get::<_, Option<i64>>(3)?.unwrap_or(0) as Millis,
        text: String::new(),
    })
}
