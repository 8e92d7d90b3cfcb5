//! What a core answers to its inputs: records to journal, and acts for when they are committed.
//!
//! The turn commits all records of an outcome before it does the first of its acts. So nothing is
//! sent, shown or asked that is not in the journal.

use std::ops::RangeInclusive;

use crate::core::clock::Now;
use crate::core::desk::AgentId;
use crate::core::record::{Batch, Origin};
use crate::core::report::Report;
use crate::wire::{Conn, ConversationId, DeskId, Entry, Message, Number};

/// One side of the handoff, as the turn drives it: the customers' (`Sessions`) or the desk's
/// (`Desk`).
pub trait Side {
    /// An act that only this side has.
    type Errand;

    /// Does what is due by `now`.
    fn tick(&mut self, now: Now);

    /// The outcome of all inputs since the last call.
    fn outcome(&mut self) -> Outcome<Self::Errand>;

    /// Whether an errand must still be run. An earlier act may have ended its conversation.
    fn wants(&self, errand: &Self::Errand) -> bool;

    /// An entry came again on this connection, but the journal has a different entry under its
    /// number.
    fn contradicted(&mut self, conn: Conn);

    /// The next entry or ack that is due. Call this when all records are committed, until it
    /// returns `None`.
    fn due(&mut self) -> Option<Due>;

    /// The due entry of this conversation was sent. Its frame has `bytes` bytes.
    fn sent(&mut self, conversation: ConversationId, bytes: usize);

    /// Called when everything is committed, sent and shown. Conversations that nobody needs in
    /// memory leave it.
    fn rest(&mut self);
}

/// What a core wants done. `E` are the acts that only one of the two sides knows.
#[derive(Debug, PartialEq)]
pub struct Outcome<E> {
    /// The records to journal in one transaction, in this order.
    pub records: Batch,
    /// The acts to do afterwards, in this order.
    pub acts: Vec<Act<E>>,
}

impl<E> Default for Outcome<E> {
    fn default() -> Outcome<E> {
        Outcome { records: Vec::new(), acts: Vec::new() }
    }
}

impl<E> Outcome<E> {
    /// Our own entries of this conversation from number `from` on get numbers that are higher by
    /// `by`. The facts about these entries get the new numbers.
    pub fn renumber(&mut self, id: ConversationId, from: Number, by: Number) {
        for act in &mut self.acts {
            if let Act::Tell(Fact::Said(passage)) = act
                && (passage.conversation, passage.origin) == (id, Origin::Own)
                && *passage.numbers.start() >= from
            {
                passage.numbers = passage.numbers.start() + by..=passage.numbers.end() + by;
            }
        }
    }

    /// Adds the records and acts of another outcome, after those of this one.
    pub fn append(&mut self, mut other: Outcome<E>) {
        self.records.append(&mut other.records);
        self.acts.append(&mut other.acts);
    }
}

/// One thing to do.
#[derive(Debug, PartialEq)]
pub enum Act<E> {
    /// Send a message that has no number.
    Send(Conn, Message),
    /// The hello on this connection was accepted: its frames may be longer now, and it is no
    /// stranger any more.
    Admit(Conn),
    /// Close a connection after everything is sent.
    Close(Conn),
    /// The peer sent an entry again that the journal has. If the journal has a different entry
    /// under its number, call [`Side::contradicted`].
    Verify {
        /// The connection on which it came.
        conn: Conn,
        /// The conversation.
        conversation: ConversationId,
        /// Who made the entry: a desk, or (`None`) the customer's side.
        desk: Option<DeskId>,
        /// The entry, as it came.
        entry: Entry,
    },
    /// Show a fact to the seats.
    Tell(Fact),
    /// An act that only this side has.
    Errand(E),
}

/// Something that happened, for the seats.
#[derive(Debug, PartialEq)]
pub enum Fact {
    /// A report.
    Report(Audience, Report),
    /// These messages were said. The journal has them.
    Said(Passage),
    /// Nobody will get these entries of our own: the conversation was given up.
    Undelivered(ConversationId, RangeInclusive<Number>),
}

/// The seats that get a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The seats that watch this conversation.
    Conversation(ConversationId),
    /// All seats of an agent of a desk.
    Agent(AgentId),
    /// All seats of this program.
    Everyone,
}

/// Entries of one origin in a conversation. Only the messages among them count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The conversation.
    pub conversation: ConversationId,
    /// The side that numbered them.
    pub origin: Origin,
    /// Their numbers.
    pub numbers: RangeInclusive<Number>,
    /// Whether they belong to a request that is over, or to a former conversation.
    pub history: bool,
}

impl Passage {
    /// Whether `next` begins where this passage ends.
    pub fn goes_on_with(&self, next: &Passage) -> bool {
        (self.conversation, self.origin, self.history)
            == (next.conversation, next.origin, next.history)
            && self.numbers.end() + 1 == *next.numbers.start()
    }
}

/// An entry or an ack that is due on a connection. Its records are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Our own entry with this number. After it is sent, call [`Side::sent`] with the size of its
    /// frame.
    Entry {
        /// The conversation.
        conversation: ConversationId,
        /// The connection to send it on.
        conn: Conn,
        /// The entry's number.
        number: Number,
    },
    /// The peer's entries up to this number are in our journal.
    Ack {
        /// The connection to send it on.
        conn: Conn,
        /// The highest of them.
        number: Number,
    },
}
