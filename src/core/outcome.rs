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
    /// What only this side does.
    type Errand;

    /// Time has passed: whatever is due by `now` happens.
    fn tick(&mut self, now: Now);

    /// What to do since the last call.
    fn outcome(&mut self) -> Outcome<Self::Errand>;

    /// Whether an errand is still to be run: an act before it may have ended its conversation.
    fn wants(&self, errand: &Self::Errand) -> bool;

    /// An entry came again on this connection, and the journal has another one under its number.
    fn contradicted(&mut self, conn: Conn);

    /// The next entry or ack that is due. Ask again until there is none, once all is committed.
    fn due(&mut self) -> Option<Due>;

    /// The entry of this conversation that was due was sent; its frame has `bytes` bytes.
    fn sent(&mut self, conversation: ConversationId, bytes: usize);

    /// Everything is committed, sent and shown: what nobody needs leaves memory.
    fn rest(&mut self);
}

/// What a core wants done. `E` are the acts that only one of the two sides has.
#[derive(Debug, PartialEq)]
pub struct Outcome<E> {
    /// To journal in one transaction, in this order.
    pub records: Batch,
    /// To do afterwards, in this order.
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

    /// Adds the records and acts of another outcome, behind those that are here.
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
    /// Both sides have introduced themselves on this connection: its frames may be longer now, and
    /// it is no stranger's any more.
    Admit(Conn),
    /// Close a connection once everything is sent.
    Close(Conn),
    /// The peer sent an entry again that the journal has. If the journal says something else under
    /// its number, call [`Side::contradicted`].
    Verify {
        /// The connection on which it came.
        conn: Conn,
        /// The conversation.
        conversation: ConversationId,
        /// Whose entry it is: a desk's, or (`None`) the customer's.
        desk: Option<DeskId>,
        /// As it came.
        entry: Entry,
    },
    /// Tell a fact to those who watch.
    Tell(Fact),
    /// What only this side does.
    Errand(E),
}

/// Something that happened, for those who watch.
#[derive(Debug, PartialEq)]
pub enum Fact {
    /// A report.
    Report(Audience, Report),
    /// These messages were said. The journal has them.
    Said(Passage),
    /// Nobody will get these entries of our own: the conversation was given up.
    Undelivered(ConversationId, RangeInclusive<Number>),
}

/// Who hears of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever watches this conversation.
    Conversation(ConversationId),
    /// An agent of a desk, at all their seats.
    Agent(AgentId),
    /// Everybody who watches this program.
    Everyone,
}

/// Entries of one origin in a conversation. Only the messages among them count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The conversation.
    pub conversation: ConversationId,
    /// Who numbered them.
    pub origin: Origin,
    /// Their numbers.
    pub numbers: RangeInclusive<Number>,
    /// Whether they belong to a request that is over, or to a former conversation.
    pub history: bool,
}

/// An entry or an ack that is due on a connection: the records it stands for are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Our own entry with this number. [`Side::sent`] is to say how many bytes its frame took.
    Entry {
        /// The conversation.
        conversation: ConversationId,
        /// Where to send it.
        conn: Conn,
        /// The entry's number.
        number: Number,
    },
    /// The peer's entries up to this number are in our journal.
    Ack {
        /// Where to send it.
        conn: Conn,
        /// The highest of them.
        number: Number,
    },
}
