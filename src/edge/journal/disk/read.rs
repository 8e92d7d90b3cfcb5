//! Reads the journal's file: entries, lines, and the stories for a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params_from_iter};

use super::Disk;
use super::keys::Known;
use super::write::{CLOSE, NOBODY, NOTE, OWN};
use crate::core::department::Department;
use crate::core::record::{Ending, Line, Offered, Offset, Owner, Restart, Returning, Story, What};
use crate::edge::journal::{Fault, RESTORE};
use crate::wire::{ConversationId, DeskId, Entry, Former, Millis, Number, Secret};

/// The most controls that are read of a conversation that comes back into memory. There are only a
/// handful between one `requested` and the next.
const CONTROLS_MAX: usize = 256;

/// The keys of the conversations that a restart reads, as a table of one column.
const OPEN: &str =
    "(SELECT key AS chosen FROM conversation INDEXED BY conversation_open WHERE open = 1)";
const AWAKE: &str = "(SELECT key AS chosen FROM conversation INDEXED BY conversation_awake
     WHERE open = 1 AND resting = 0)";
const ONE: &str = "(SELECT ?1 AS chosen)";

impl Disk {
    pub(in crate::edge::journal) fn own(
        &self,
        id: ConversationId,
        number: Number,
    ) -> Result<Option<Entry>, Fault> {
        self.read_entry(id, None, number).map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn theirs(
        &self,
        id: ConversationId,
        desk: Option<DeskId>,
        number: Number,
    ) -> Result<Option<Entry>, Fault> {
        self.read_entry(id, Some(desk), number).map_err(|error| self.unreadable(&error))
    }

    /// Reads an entry of a peer, or (`None`) one of our own.
    fn read_entry(
        &self,
        id: ConversationId,
        peer: Option<Option<DeskId>>,
        number: Number,
    ) -> rusqlite::Result<Option<Entry>> {
        let Some(conversation) = self.find(id)? else { return Ok(None) };
        let origin = match peer {
            None => Some(OWN),
            Some(desk) => self.keys.find_peer(&self.connection, conversation, desk)?,
        };
        let Some(origin) = origin else { return Ok(None) };
        let sql = "SELECT number, at, body FROM entry WHERE conversation = ? AND origin = ? AND \
                   number = ?";
        let mut select = self.connection.prepare_cached(sql)?;
        select.query_row([conversation.key, origin, number as i64], |row| entry(row, 0)).optional()
    }

    pub(in crate::edge::journal) fn offset_of(
        &self,
        id: ConversationId,
        own: Number,
    ) -> Result<Option<Offset>, Fault> {
        let sql = "SELECT key FROM entry WHERE conversation = ? AND origin = ? AND number = ?";
        let read = |known: Known| {
            let mut select = self.connection.prepare_cached(sql)?;
            let offset = |row: &Row| row.get(0).map(|key: i64| Offset(key as u64));
            select.query_row([known.key, OWN, own as i64], offset).optional()
        };
        let found = self.find(id).and_then(|known| known.map_or(Ok(None), read));
        found.map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn lines(
        &self,
        id: ConversationId,
        after: Offset,
    ) -> Result<Vec<Line>, Fault> {
        let read = |known: Option<Known>| {
            known.map_or(Ok(Vec::new()), |known| self.read_lines(known.key, after))
        };
        self.find(id).and_then(read).map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn conversation(
        &self,
        ordinal: u32,
    ) -> Result<Option<ConversationId>, Fault> {
        let sql = "SELECT id FROM conversation WHERE key = ?";
        let found = self
            .connection
            .query_row(sql, [ordinal], |row| row.get(0).map(ConversationId::new))
            .optional();
        found.map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn former(
        &self,
        id: ConversationId,
    ) -> Result<Option<Former>, Fault> {
        let sql = "SELECT former.id, former.secret FROM conversation AS this
                       JOIN conversation AS former
                           ON former.key < this.key AND former.customer IS this.customer
                   WHERE this.id = ? ORDER BY former.key DESC LIMIT 1";
        let read = |row: &Row<'_>| {
            let (conversation, secret) =
                (ConversationId::new(row.get(0)?), Secret::new(row.get(1)?));
            Ok(Former { conversation, secret })
        };
        let found = self.connection.query_row(sql, [id.bytes()], read).optional();
        found.map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn names(
        &self,
    ) -> Result<Vec<(u32, ConversationId, Option<String>)>, Fault> {
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

    pub(in crate::edge::journal) fn story(
        &self,
        id: ConversationId,
    ) -> Result<Option<Story>, Fault> {
        let read =
            |known: Option<Known>| known.map_or(Ok(None), |known| self.read_whole_story(known.key));
        self.find(id).and_then(read).map_err(|error| self.unreadable(&error))
    }

    pub(super) fn find(&self, id: ConversationId) -> rusqlite::Result<Option<Known>> {
        self.keys.find(&self.connection, id)
    }

    /// The fault for a file that cannot be read. The disk is failing, or the file was damaged, so
    /// the program must not act on what it reads.
    pub(super) fn unreadable(&self, error: &rusqlite::Error) -> Fault {
        let file = self.connection.path().unwrap_or_default();
        Fault::Broken(format!("cannot read the journal {file}: {error}; {RESTORE}"))
    }

    fn read_lines(&self, conversation: i64, after: Offset) -> rusqlite::Result<Vec<Line>> {
        let sql = "SELECT entry.key, origin, desk, number, at, body, agent FROM entry
                   LEFT JOIN peer ON peer.key = origin
                   WHERE entry.conversation = ? AND entry.key > ? ORDER BY entry.key";
        let mut select = self.connection.prepare_cached(sql)?;
        let lines = select.query_map([conversation, after.0 as i64], line)?;
        lines.collect()
    }

    pub(in crate::edge::journal) fn restart(&self) -> Result<Restart, Fault> {
        let read = || {
            let select = "SELECT value FROM meta WHERE name = 'focus'";
            let focus = self.connection.query_row(select, [], |row| row.get(0)).optional()?;
            let select = "SELECT seq FROM sqlite_sequence WHERE name = 'conversation'";
            let begun = self.connection.query_row(select, [], |row| row.get(0)).optional()?;
            Ok(Restart {
                stories: self.read_with_owed(OPEN, None)?,
                focus: focus.map(ConversationId::new),
                blocks: self.read_blocks()?,
                away: self.read_away()?,
                begun: begun.unwrap_or(0),
            })
        };
        read().map_err(|error| self.unreadable(&error))
    }

    pub(in crate::edge::journal) fn awake(&self) -> Result<Vec<Story>, Fault> {
        self.read_chosen(AWAKE, None).map_err(|error| self.unreadable(&error))
    }

    /// The story of the conversation with this key, if there is one.
    pub(super) fn read_story(&self, key: i64) -> rusqlite::Result<Option<Story>> {
        Ok(self.read_chosen(ONE, Some(key))?.pop())
    }

    fn read_whole_story(&self, key: i64) -> rusqlite::Result<Option<Story>> {
        Ok(self.read_with_owed(ONE, Some(key))?.pop())
    }

    /// Reads the stories, and which lines of their customers have no answer. This takes longer than
    /// the stories alone.
    fn read_with_owed(&self, chosen: &str, only: Option<i64>) -> rusqlite::Result<Vec<Story>> {
        let mut stories = self.read_chosen(chosen, only)?;
        self.read_owed(chosen, only, &mut stories)?;
        Ok(stories)
    }

    fn read_chosen(&self, chosen: &str, only: Option<i64>) -> rusqlite::Result<Vec<Story>> {
        let mut stories = self.read_conversations(chosen, only)?;
        self.read_peers(chosen, only, &mut stories)?;
        self.read_controls(chosen, only, &mut stories)?;
        Ok(stories.into_values().collect())
    }

    fn read_conversations(
        &self,
        chosen: &str,
        only: Option<i64>,
    ) -> rusqlite::Result<BTreeMap<i64, Story>> {
        let sql = conversations_sql(chosen);
        let mut select = self.connection.prepare_cached(&sql)?;
        let stories = select.query_map(params_from_iter(only), |row| {
            let held = row.get::<_, i64>(4)? as Number;
            let mut story = Story::new(ConversationId::new(row.get(1)?), row.get(0)?);
            (story.secret, story.name) = (row.get(2)?, row.get(3)?);
            (story.own, story.held) = (number(row, 7)?.unwrap_or(0).max(held), held);
            story.typed = number(row, 9)?.unwrap_or(0);
            story.idle = Duration::from_millis(row.get::<_, i64>(8)? as u64);
            (story.asking, story.returning) = (number(row, 5)?, returning(row.get(6)?));
            story.owner = owner(row.get(10)?);
            story.former = row.get(11)?;
            story.tags = tags(row.get::<_, Option<String>>(13)?.as_deref());
            story.is_on_hold = row.get(14)?;
            let names: Option<(String, String)> = row.get::<_, Option<_>>(15)?.zip(row.get(16)?);
            story.offered = names.map(|(from, to)| Box::new(Offered::read(&from, &to)));
            story.is_turned_away = row.get(17)?;
            let department: Option<String> = row.get(18)?;
            story.department = department.as_deref().and_then(Department::new);
            story.ending = row.get::<_, Option<String>>(12)?.map(|ending| match &*ending {
                CLOSE => Ending::Close,
                _ => Ending::HandBack,
            });
            Ok((row.get(0)?, story))
        })?;
        stories.collect()
    }

    fn read_peers(
        &self,
        chosen: &str,
        only: Option<i64>,
        stories: &mut BTreeMap<i64, Story>,
    ) -> rusqlite::Result<()> {
        let sql = peers_sql(chosen);
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(only))?;
        while let Some(row) = rows.next()? {
            let Some(story) = stories.get_mut(&row.get(0)?) else { continue };
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
        stories.values_mut().for_each(|story| story.theirs.sort_unstable());
        Ok(())
    }

    fn read_controls(
        &self,
        chosen: &str,
        only: Option<i64>,
        stories: &mut BTreeMap<i64, Story>,
    ) -> rusqlite::Result<()> {
        let sql = controls_sql(chosen);
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(only))?;
        while let Some(row) = rows.next()? {
            if let Some(story) = stories.get_mut(&row.get(7)?) {
                story.controls.push(line(row)?);
            }
        }
        Ok(())
    }

    /// Reads which lines of a desk's customers have no answer.
    fn read_owed(
        &self,
        chosen: &str,
        only: Option<i64>,
        stories: &mut [Story],
    ) -> rusqlite::Result<()> {
        let sql = owed_sql(chosen);
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(only))?;
        while let Some(row) = rows.next()? {
            let ordinal: u32 = row.get(0)?;
            let at = stories.binary_search_by_key(&ordinal, |story| story.ordinal);
            let Some(story) = at.ok().and_then(|at| stories.get_mut(at)) else { continue };
            let (stored, text) =
                (row.get::<_, i64>(2)? as Millis, row.get_ref(3)?.as_str_or_null()?);
            match (row.get::<_, i64>(1)?, text) {
                (OWN, _) => story.owed.settle(),
                (_, Some(text)) => story.owed.add(text, stored),
                (_, None) if row.get(4)? => story.owed.ask_again(stored),
                (_, None) => story.owed.ask(stored),
            }
        }
        Ok(())
    }
}

/// The tags of a conversation, from its row.
pub(super) fn tags(written: Option<&str>) -> Vec<Box<str>> {
    written.and_then(|tags| serde_json::from_str(tags).ok()).unwrap_or_default()
}

fn conversations_sql(chosen: &str) -> String {
    format!(
        "SELECT key, id, secret, name, held, asking, resuming,
             (SELECT max(number) FROM entry WHERE conversation = chosen AND origin = 0),
             CASE WHEN idle > 0 AND idle_at IS
                 (SELECT max(key) FROM entry WHERE conversation = chosen)
             THEN idle ELSE 0 END,
             (SELECT number FROM entry
              WHERE conversation = chosen AND origin = 0 AND control = 0
                  AND json_extract(body, '$.message.greeting') IS NULL
              ORDER BY number DESC LIMIT 1),
             owner, former, ending, tags, on_hold, offered_by, offered_to, turned_away,
             department
         FROM {chosen} CROSS JOIN conversation ON conversation.key = chosen"
    )
}

fn peers_sql(chosen: &str) -> String {
    format!(
        "SELECT conversation, desk, request, acked,
             (SELECT max(number) FROM entry WHERE conversation = chosen AND origin = peer.key)
         FROM {chosen} CROSS JOIN peer ON conversation = chosen
         ORDER BY conversation, met, peer.key"
    )
}

fn controls_sql(chosen: &str) -> String {
    // While one conversation is read, others wait. So only the latest controls are read: they give
    // the state.
    let latest = if chosen == ONE {
        format!("ORDER BY offset DESC LIMIT {CONTROLS_MAX}")
    } else {
        String::new()
    };
    format!(
        "SELECT * FROM (
             SELECT entry.key AS offset, origin, desk, number, at, body, agent, chosen
             FROM {chosen} CROSS JOIN entry ON entry.conversation = chosen
                 LEFT JOIN peer ON peer.key = origin
             WHERE control = 1 {latest})
         ORDER BY offset"
    )
}

/// Selects the latest request at a desk, and the lines of the customer and of agents after it. At
/// the customer's side it finds nothing, because no peer makes requests there.
fn owed_sql(chosen: &str) -> String {
    format!(
        "SELECT chosen, origin, stored, json_extract(body, '$.message.text'),
             json_extract(body, '$.requested.of') IS NOT NULL
         FROM {chosen} CROSS JOIN entry ON entry.conversation = chosen AND entry.key >=
             (SELECT coalesce(max(key), 0) FROM entry AS request
              WHERE request.conversation = chosen AND control = 1 AND origin > 0
                  AND json_extract(body, '$.requested') IS NOT NULL
                  AND json_extract(body, '$.requested.of') IS NULL)
         WHERE CASE
             WHEN origin > 0 AND control = 1 THEN json_extract(body, '$.requested') IS NOT NULL
             WHEN origin > 0 THEN json_extract(body, '$.message.author') = 'user'
             WHEN origin = 0 THEN json_extract(body, '$.message.author') = 'admin'
                 AND json_extract(body, '$.message.greeting') IS NULL
             END
         ORDER BY chosen, entry.key"
    )
}

/// Who has a conversation, as the table has it.
pub(super) fn owner(stored: Option<String>) -> Owner {
    match stored {
        None => Owner::Terminal,
        Some(name) if name == NOBODY => Owner::Nobody,
        Some(name) => Owner::Agent(name.into()),
    }
}

fn returning(stored: i64) -> Returning {
    match stored {
        0 => Returning::Done,
        1 => Returning::UnderWay,
        due => Returning::Due(due as Number - 1),
    }
}

/// A line from seven columns: key, origin, desk, number, at, body, agent.
pub(super) fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    let origin: i64 = row.get(1)?;
    let what = match origin {
        NOTE => What::Note(row.get(5)?),
        _ => What::Entry(desk(row, 2)?, entry(row, 3)?),
    };
    let offset = Offset(row.get::<_, i64>(0)? as u64);
    Ok(Line { offset, own: origin <= OWN, agent: row.get(6)?, what })
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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_restart_finds_open_conversations_by_an_index_and_scans_no_table() {
        let folder = std::env::temp_dir().join(format!("handoff-plan-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("journal.sqlite");
        drop(Disk::open(&file).unwrap());
        let connection = Connection::open(&file).unwrap();
        let chosen = [OPEN, AWAKE];
        let each = |chosen| {
            [conversations_sql(chosen), peers_sql(chosen), controls_sql(chosen), owed_sql(chosen)]
        };
        for sql in chosen.into_iter().flat_map(each) {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = explain.query_map([], |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
            let is_table =
                |step: &&String| step.starts_with("SCAN") && !step.contains("INDEX conversation_");
            let scans: Vec<_> = steps.iter().filter(is_table).collect();
            assert!(scans.iter().all(|scan| *scan == "SCAN (subquery-1)"), "{steps:#?}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
