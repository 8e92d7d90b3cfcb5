//! The journal: every entry of every conversation, in the order in which it was committed.
//!
//! Only the loop of a mode writes it: the loop commits a batch of records, all or nothing, before
//! it acts on any of them. On disk, the journal of a profile is one SQLite file (`disk`); after
//! `commit` returns, a power cut does not undo the commit. With `--ephemeral` the journal is in
//! memory (`memory`) and ends with the process.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::core::customer::{Belongings, CustomerId, PostId, Posted, TokenHash};
use crate::core::record::{Batch, Committed, Line, Offset, Restart, Story};
use crate::wire::{ConversationId, DeskId, Entry, Former, Number, SeatKey, SecretHash};

mod disk;
mod memory;
mod place;
#[cfg(test)]
mod tests;
mod typed;

pub use disk::Search;
pub use place::{Place, Profile};
pub use typed::{Credentials, TypedLine, TypedLines};

/// What to do about a journal that cannot be read.
const RESTORE: &str = "restore it from a backup, or begin another with --profile NAME";

/// Why records were not journaled, or cannot be read.
#[derive(Debug)]
pub enum Fault {
    /// The disk is full. The caller may try again.
    Full,
    /// The journal cannot be trusted any more: the program must end. The text is one line for a
    /// person.
    Broken(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Full => write!(f, "the disk is full"),
            Fault::Broken(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Fault {}

/// All records of all conversations of one profile.
pub struct Journal {
    store: Store,
    /// Records that wait for the next batch.
    waiting: Batch,
}

enum Store {
    Memory(memory::Memory),
    Disk(disk::Disk),
}

impl Journal {
    /// A journal that ends with the process.
    pub fn in_memory() -> Journal {
        Journal { store: Store::Memory(memory::Memory::default()), waiting: Vec::new() }
    }

    /// Opens or makes the journal in a file.
    ///
    /// # Errors
    /// One line: what is wrong with the file, and what to do.
    pub fn open(file: &Path) -> Result<Journal, String> {
        Ok(Journal { store: Store::Disk(disk::Disk::open(file)?), waiting: Vec::new() })
    }

    /// The journal's file, if it has one.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.store {
            Store::Memory(_) => None,
            Store::Disk(disk) => disk.file(),
        }
    }

    /// Whether the journal ends with the process.
    pub fn is_ephemeral(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Commits a batch, all of it or nothing. Returns its entries and notes as they are in the
    /// journal. After this returns, a power cut does not undo the commit. Records that may wait
    /// (`Record::may_wait`) are left for the next batch.
    ///
    /// # Errors
    /// The fault and the batch, so that the caller can try again if the disk was full.
    pub fn commit(&mut self, batch: Batch) -> Result<Vec<Committed>, (Fault, Batch)> {
        let disk = match &mut self.store {
            Store::Memory(memory) => return Ok(memory.commit(batch)),
            Store::Disk(disk) => disk,
        };
        if batch.iter().all(|(_, record)| record.may_wait()) {
            self.waiting.extend(batch);
            return Ok(Vec::new());
        }
        match disk.commit(self.waiting.iter().chain(&batch)) {
            Ok(offsets) => {
                self.waiting.clear();
                Ok(Committed::of(batch, offsets))
            }
            Err(fault) => {
                if matches!(fault, Fault::Broken(_)) {
                    self.waiting.clear();
                }
                Err((fault, batch))
            }
        }
    }

    /// The desk's id in this journal. The first call keeps `fresh` as the id.
    ///
    /// # Errors
    /// When the id cannot be kept.
    pub fn desk_id(&mut self, fresh: DeskId) -> Result<DeskId, Fault> {
        match &mut self.store {
            Store::Memory(_) => Ok(fresh),
            Store::Disk(disk) => disk.desk_id(fresh),
        }
    }

    /// Our own entry with this number, which must have been committed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn own(&self, id: ConversationId, number: Number) -> Result<Entry, Fault> {
        let found = match &self.store {
            Store::Memory(memory) => memory.own(id, number),
            Store::Disk(disk) => disk.own(id, number)?,
        };
        found.ok_or_else(|| {
            Fault::Broken(format!(
                "the journal has lost entry {number} of a conversation; {RESTORE}"
            ))
        })
    }

    /// The entry of a peer with this number, if it was committed. The peer is a desk, or with
    /// `None` the customer's side.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn theirs(
        &self,
        id: ConversationId,
        desk: Option<DeskId>,
        number: Number,
    ) -> Result<Option<Entry>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.theirs(id, desk, number)),
            Store::Disk(disk) => disk.theirs(id, desk, number),
        }
    }

    /// The lines of a conversation after an offset, the oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lines(&self, id: ConversationId, after: Offset) -> Result<Vec<Line>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.lines(id, after)),
            Store::Disk(disk) => disk.lines(id, after),
        }
    }

    /// The lines of a conversation from our own entry with this number on, the oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lines_from(&self, id: ConversationId, own: Number) -> Result<Vec<Line>, Fault> {
        let found = match &self.store {
            Store::Memory(memory) => memory.offset_of(id, own),
            Store::Disk(disk) => disk.offset_of(id, own)?,
        };
        let Some(Offset(offset)) = found else { return Ok(Vec::new()) };
        self.lines(id, Offset(offset - 1))
    }

    /// The conversation with this number in the journal, from 1.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn conversation(&self, ordinal: u32) -> Result<Option<ConversationId>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.conversation(ordinal)),
            Store::Disk(disk) => disk.conversation(ordinal),
        }
    }

    /// At the customer's side: the conversation that the same customer had before this one.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn former(&self, id: ConversationId) -> Result<Option<Former>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.former(id)),
            Store::Disk(disk) => disk.former(id),
        }
    }

    /// All conversations, the oldest first: number, id, and the customer's name.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn names(&self) -> Result<Vec<(u32, ConversationId, Option<String>)>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.names()),
            Store::Disk(disk) => disk.names(),
        }
    }

    /// The story of a conversation, if the journal has one.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn story(&self, id: ConversationId) -> Result<Option<Story>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.story(id)),
            Store::Disk(disk) => disk.story(id),
        }
    }

    /// All that a program needs when it starts again.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn restart(&self) -> Result<Restart, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.restart()),
            Store::Disk(disk) => disk.restart(),
        }
    }

    /// The conversations that a gateway takes into memory when it starts: those that are not over,
    /// and whose sessions were in memory when the gateway ended.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn awake(&self) -> Result<Vec<Story>, Fault> {
        match &self.store {
            Store::Memory(_) => Ok(Vec::new()),
            Store::Disk(disk) => disk.awake(),
        }
    }

    /// The customer to whom the token with this hash belongs.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn named_by(&self, hash: TokenHash) -> Result<Option<CustomerId>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.customers.named_by(hash)),
            Store::Disk(disk) => disk.named_by(hash),
        }
    }

    /// The customer who has a conversation, at a gateway.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn customer_of(&self, id: ConversationId) -> Result<Option<CustomerId>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.customers.customer_of(id)),
            Store::Disk(disk) => disk.customer_of(id),
        }
    }

    /// A customer's conversations, and what else the journal keeps about the customer.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn belongings(&self, customer: CustomerId) -> Result<Belongings, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.belongings(customer)),
            Store::Disk(disk) => disk.belongings(customer),
        }
    }

    /// The customer who has this id at the shop.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn identified(&self, identity: &str) -> Result<Option<CustomerId>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.customers.identified(identity)),
            Store::Disk(disk) => disk.identified(identity),
        }
    }

    /// The id that a customer has at the shop.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn identity_of(&self, customer: CustomerId) -> Result<Option<Box<str>>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.customers.identity_of(customer)),
            Store::Disk(disk) => disk.identity_of(customer),
        }
    }

    /// The effect of the customer's request with this id, if it was committed.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn posted(&self, customer: CustomerId, post: &PostId) -> Result<Option<Posted>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.customers.posted(customer, post)),
            Store::Disk(disk) => disk.posted(customer, post),
        }
    }

    /// Whether any request of this customer had an effect.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn has_posted(&self, customer: CustomerId) -> Result<bool, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.customers.has_posted(customer)),
            Store::Disk(disk) => disk.has_posted(customer),
        }
    }

    /// At a desk: the secret that belongs to an agent's code, if the code was used. Both are
    /// hashes.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn secret_of(&self, code: SecretHash) -> Result<Option<SecretHash>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.agents.secret_of(code)),
            Store::Disk(disk) => disk.secret_of(code),
        }
    }

    /// At a desk: the number up to which the lines of an agent's terminal are done.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn taken(&self, seat: SeatKey) -> Result<u64, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.agents.taken(seat)),
            Store::Disk(disk) => disk.taken(seat),
        }
    }

    /// At a desk: the numbers of those lines, among the latest of an agent's terminal, that were
    /// not sent.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn unsent(&self, seat: SeatKey) -> Result<Vec<u64>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.agents.unsent(seat)),
            Store::Disk(disk) => disk.unsent(seat),
        }
    }

    /// At most `most` entries of a conversation, the oldest first. The first `skipped` entries are
    /// left out.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn entries(
        &self,
        id: ConversationId,
        skipped: u64,
        most: usize,
    ) -> Result<Vec<Line>, Fault> {
        match &self.store {
            Store::Memory(memory) => Ok(memory.entries(id, skipped, most)),
            Store::Disk(disk) => disk.entries(id, skipped, most),
        }
    }

    /// The secret with which a gateway makes keys of customers' addresses. The first call keeps
    /// `fresh` as the secret.
    ///
    /// # Errors
    /// When the secret cannot be kept.
    pub fn address_secret(&mut self, fresh: [u8; 32]) -> Result<[u8; 32], Fault> {
        match &mut self.store {
            Store::Memory(_) => Ok(fresh),
            Store::Disk(disk) => disk.kept("addresses", fresh),
        }
    }

    /// A random number that tells this journal from any other. The first call keeps `fresh` as the
    /// number.
    ///
    /// # Errors
    /// When the number cannot be kept.
    pub fn epoch(&mut self, fresh: u32) -> Result<u32, Fault> {
        match &mut self.store {
            Store::Memory(_) => Ok(fresh),
            Store::Disk(disk) => disk.kept("epoch", fresh.to_be_bytes()).map(u32::from_be_bytes),
        }
    }
}

impl Drop for Journal {
    /// Commits the records that still wait, so that the next start does not send again what the
    /// other side has acknowledged.
    fn drop(&mut self) {
        if let Store::Disk(disk) = &mut self.store
            && !self.waiting.is_empty()
            && let Err(fault) = disk.commit(self.waiting.iter())
        {
            log::error!("what the other side acknowledged last is not journaled: {fault}");
        }
    }
}
