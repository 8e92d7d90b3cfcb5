//! Reads the journals of both ends from their files, and checks what must hold in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;

/// The entries of one conversation in one journal.
#[derive(Default)]
pub struct Kept {
    /// The entries of the journal's own side, in the order of their commits.
    pub own: Vec<Item>,
    /// The entries of the other side, in the order of their commits.
    pub theirs: Vec<Item>,
}

/// One entry as it was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub number: i64,
    pub at: i64,
    pub body: Value,
}

impl Item {
    /// Author and text, if the entry is a message.
    pub fn said(&self) -> Option<(&str, &str)> {
        let said = self.body.get("message")?;
        Some((said["author"].as_str()?, said["text"].as_str()?))
    }

    /// Whether the entry is a control of this name.
    pub fn is(&self, control: &str) -> bool {
        self.body.get(control).is_some()
    }
}

/// The controls of the customer's side that change the owner.
pub const CONTROLS: [&str; 5] = ["requested", "accepted", "handed_back", "withdrawn", "closed"];

/// The file of the default profile's journal.
pub fn journal(state: &Path, mode: &str) -> PathBuf {
    state.join(mode).join("default/journal.sqlite")
}

/// Reads every conversation of a journal, by its id. A process may have the journal open.
pub fn read(file: &Path) -> BTreeMap<String, Kept> {
    read_some(file, None)
}

/// Reads the conversation with this id.
pub fn read_one(file: &Path, id: &str) -> Kept {
    read_some(file, Some(id)).remove(id).unwrap_or_default()
}

fn read_some(file: &Path, id: Option<&str>) -> BTreeMap<String, Kept> {
    if !file.exists() {
        return BTreeMap::new();
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || Connection::open_with_flags(file, flags);
    open()
        .and_then(|journal| read_from(&journal, id))
        .unwrap_or_else(|e| panic!("cannot read {}: {e}", file.display()))
}

/// Reads the journal of a process that died. It reads a copy, because SQLite would tidy up the
/// original before the restart does.
pub fn read_copy(file: &Path, folder: &Path) -> BTreeMap<String, Kept> {
    if !copy(file, folder) {
        return BTreeMap::new();
    }
    let copied = Connection::open(folder.join("journal.sqlite"));
    copied
        .and_then(|journal| read_from(&journal, None))
        .unwrap_or_else(|e| panic!("cannot read {}: {e}", file.display()))
}

/// Copies the database of a process that died into a fresh folder, as `journal.sqlite`. False if
/// there is none.
pub fn copy(file: &Path, folder: &Path) -> bool {
    if !file.exists() {
        return false;
    }
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).expect("a scratch folder can be made");
    for tail in ["", "-wal"] {
        let from = PathBuf::from(format!("{}{tail}", file.display()));
        if from.exists() {
            std::fs::copy(&from, folder.join(format!("journal.sqlite{tail}")))
                .expect("a journal can be copied");
        }
    }
    true
}

/// Reads the conversation with this id, or all.
fn read_from(journal: &Connection, id: Option<&str>) -> rusqlite::Result<BTreeMap<String, Kept>> {
    let is_made: i64 = journal.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut all = BTreeMap::<String, Kept>::new();
    if is_made == 0 {
        return Ok(all);
    }
    let chosen = if id.is_some() { "conversation.id = unhex(?)" } else { "? IS NULL" };
    let sql = format!(
        "SELECT lower(hex(conversation.id)), origin, number, at, body FROM entry
         JOIN conversation ON conversation.key = entry.conversation
         WHERE number IS NOT NULL AND {chosen} ORDER BY entry.key"
    );
    let mut select = journal.prepare(&sql)?;
    let item = |row: &Row<'_>| -> rusqlite::Result<(String, i64, Item)> {
        let body: String = row.get(4)?;
        let body = serde_json::from_str(&body).expect("a body is JSON");
        Ok((row.get(0)?, row.get(1)?, Item { number: row.get(2)?, at: row.get(3)?, body }))
    };
    for row in select.query_map([id], item)? {
        let (id, origin, item) = row?;
        let kept = all.entry(id).or_default();
        if origin == 0 { kept.own.push(item) } else { kept.theirs.push(item) }
    }
    Ok(all)
}

/// Checks one side's journal: both numberings begin at 1, without a gap and without a number twice.
pub fn check_alone(side: &str, all: &BTreeMap<String, Kept>) -> Result<(), String> {
    for (id, kept) in all {
        for (whose, items) in [("its own", &kept.own), ("the other side's", &kept.theirs)] {
            for (at, item) in items.iter().enumerate() {
                if item.number != at as i64 + 1 {
                    return Err(format!(
                        "{side}, {id}: entry {} of {whose} is at place {}",
                        item.number,
                        at + 1
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Checks that everything arrived, and nothing else: the customer's journal has exactly the desk's
/// entries, and the desk's journal has the customer's entries up to the last control.
pub fn check_together(
    user: &BTreeMap<String, Kept>,
    desk: &BTreeMap<String, Kept>,
) -> Result<(), String> {
    if let Some(id) = desk.keys().find(|id| !user.contains_key(*id)) {
        return Err(format!("the desk has a conversation {id} that the customer does not have"));
    }
    let nothing = Kept::default();
    for (id, user) in user {
        let desk = desk.get(id).unwrap_or(&nothing);
        if let Some(item) = desk.theirs.iter().zip(&user.own).find(|(copy, own)| copy != own) {
            return Err(format!(
                "{id}: the desk has an entry that the customer does not have there: {item:?}"
            ));
        }
        if desk.theirs.len() < owed(&user.own) {
            return Err(format!(
                "{id}: the desk lacks the customer's entries {} to {}",
                desk.theirs.len() + 1,
                owed(&user.own)
            ));
        }
        if desk.theirs.len() > user.own.len() {
            return Err(format!(
                "{id}: the desk has {} entries of the customer, who has {}",
                desk.theirs.len(),
                user.own.len()
            ));
        }
        if user.theirs != desk.own {
            return Err(format!(
                "{id}: the desk has {} entries of its own, and the customer has {} of them",
                desk.own.len(),
                user.theirs.len()
            ));
        }
    }
    Ok(())
}

/// The number of the customer's entries that the desk must have. Messages for the bot since the
/// last handback are not among them.
fn owed(own: &[Item]) -> usize {
    let is_control = |item: &&Item| CONTROLS.iter().any(|name| item.is(name));
    let is_with_desk = |item: &Item| item.is("requested") || item.is("accepted");
    let mut owed = 0;
    let mut controls = own.iter().filter(is_control).peekable();
    let mut was_with_desk = false;
    while let Some(control) = controls.next() {
        if is_with_desk(control) {
            was_with_desk = true;
            owed = controls.peek().map_or(own.len(), |next| next.number as usize);
        } else if was_with_desk {
            was_with_desk = false;
            owed = control.number as usize;
        }
    }
    owed
}
