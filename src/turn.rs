//! The one turn: what every program does with a batch of inputs.
//!
//! ```text
//! drain ─▶ handle ─▶ commit the records ─▶ act ─▶ settle ─▶ show
//!          (core)    (one transaction)            (entries  (what was
//!                                                  and acks) committed)
//! ```
//!
//! A mode drains its inputs and has its core handle them; [`turn`] does the rest. The modes, the
//! fuzz targets and the model run the same `turn`, each with a [`World`] of its own. The order
//! keeps the promise of docs/RELIABILITY.md: whatever is sent, acknowledged, asked or shown is in
//! the journal. The feature `acts-first` breaks that order on purpose, to see whether the proofs
//! notice.

use std::borrow::Cow;
use std::cell::Cell;

use crate::core::clock::Now;
use crate::core::outcome::{Act, Due, Fact, Outcome, Passage, Side};
use crate::core::record::{Batch, Committed, Line, Origin};
use crate::edge::failpoint;
use crate::edge::journal::{Fault, Journal};
use crate::wire::{Body, Conn, ConversationId, Entry, Message, Number};

pub mod inputs;
pub mod keeper;
pub mod peers;
pub mod seat;

/// Everything around a core: its journal, its connections, and its seats.
pub trait World<S: Side> {
    /// Why the program ends.
    type Stop: From<Fault>;

    /// The journal, which has what was committed.
    fn journal(&self) -> &Journal;

    /// Commits records, all or nothing. Returns their lines once they are durable.
    ///
    /// # Errors
    /// When they will never be durable.
    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Self::Stop>;

    /// Sends a message. Returns the bytes of its frame.
    fn send(&mut self, conn: Conn, message: &Message) -> usize;

    /// The peer on this connection has introduced itself.
    fn admit(&mut self, conn: Conn);

    /// Closes a connection after everything that was sent on it has left.
    fn close(&mut self, conn: Conn);

    /// Lets the sent messages leave now.
    fn flush(&mut self);

    /// Carries out an errand, which only this kind of side has.
    ///
    /// # Errors
    /// When the program cannot go on.
    fn run(&mut self, side: &mut S, errand: S::Errand) -> Result<(), Self::Stop>;

    /// Passes a fact to the seats. `written` has the lines that this turn committed.
    ///
    /// # Errors
    /// When the journal cannot be read.
    fn tell(&mut self, side: &S, fact: Fact, written: &Written) -> Result<(), Self::Stop>;

    /// Shows the facts that were passed on: the turn is over.
    fn show(&mut self, side: &S);
}

/// Does everything that a core wants done by `now`, until it wants nothing more.
///
/// # Errors
/// When the journal fails or the program must end. Then nothing is done that is not committed.
pub fn turn<S: Side, W: World<S>>(side: &mut S, world: &mut W, now: Now) -> Result<(), W::Stop> {
    side.tick(now);
    let (mut written, mut facts) = (Written::default(), Vec::new());
    loop {
        let Outcome { records, acts } = side.outcome();
        if records.is_empty() && acts.is_empty() {
            break;
        }
        // While this commit runs, peers may read what was sent before.
        world.flush();
        if cfg!(feature = "acts-first") {
            act(side, world, acts, &mut facts)?;
            settle(side, world, &written)?;
            written.lines.extend(world.commit(records)?);
        } else {
            written.lines.extend(world.commit(records)?);
            act(side, world, acts, &mut facts)?;
        }
    }
    settle(side, world, &written)?;
    world.flush();
    // Facts come last, so that no peer waits for the screen.
    for fact in facts {
        world.tell(side, fact, &written)?;
    }
    side.rest();
    failpoint::hit("before-show");
    world.show(side);
    failpoint::hit("after-show");
    Ok(())
}

/// Does these acts, but for the facts, which come when everything is sent.
fn act<S: Side, W: World<S>>(
    side: &mut S,
    world: &mut W,
    acts: Vec<Act<S::Errand>>,
    facts: &mut Vec<Fact>,
) -> Result<(), W::Stop> {
    for act in acts {
        match act {
            Act::Send(conn, message) => _ = world.send(conn, &message),
            Act::Admit(conn) => world.admit(conn),
            Act::Close(conn) => world.close(conn),
            Act::Verify { conn, conversation, desk, entry } => {
                let known = world.journal().theirs(conversation, desk, entry.number)?;
                if known != Some(entry) {
                    side.contradicted(conn);
                }
            }
            Act::Tell(fact) => facts.push(fact),
            Act::Errand(errand) if side.wants(&errand) => world.run(side, errand)?,
            Act::Errand(_) => {}
        }
    }
    Ok(())
}

/// Sends the entries and acks that are due.
fn settle<S: Side, W: World<S>>(
    side: &mut S,
    world: &mut W,
    written: &Written,
) -> Result<(), W::Stop> {
    while let Some(due) = side.due() {
        match due {
            Due::Ack { conn, number } => _ = world.send(conn, &Message::Ack { number }),
            Due::Entry { conversation, conn, number } => {
                let entry = match written.entry(conversation, Origin::Own, number) {
                    Some(entry) => entry.clone(),
                    None => world.journal().own(conversation, number)?,
                };
                let bytes = world.send(conn, &Message::Entry(entry));
                side.sent(conversation, bytes);
            }
        }
    }
    Ok(())
}

/// The lines that one turn committed, in their order.
#[derive(Debug, Default)]
pub struct Written {
    lines: Vec<Committed>,
    /// The index of the line that was found last. Callers ask for lines in about their order.
    found: Cell<usize>,
}

impl Written {
    /// The messages of a passage: the ones of this turn, and from the journal the ones of earlier
    /// turns.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn messages(
        &self,
        passage: &Passage,
        journal: &Journal,
    ) -> Result<Vec<Cow<'_, Entry>>, Fault> {
        let Passage { conversation, origin, ref numbers, .. } = *passage;
        let mut messages = Vec::new();
        for number in numbers.clone() {
            let entry = match (self.entry(conversation, origin, number), origin) {
                (Some(entry), _) => Some(Cow::Borrowed(entry)),
                (None, Origin::Own) => Some(Cow::Owned(journal.own(conversation, number)?)),
                (None, Origin::Peer(desk)) => {
                    journal.theirs(conversation, desk, number)?.map(Cow::Owned)
                }
            };
            messages.extend(entry.filter(|entry| matches!(entry.body, Body::Message(_))));
        }
        Ok(messages)
    }

    /// At a desk: the own name of the agent who wrote our message with this number in this turn.
    pub fn agent(&self, id: ConversationId, number: Number) -> Option<&str> {
        self.line(id, Origin::Own, number)?.agent.as_deref()
    }

    fn entry(&self, id: ConversationId, origin: Origin, number: Number) -> Option<&Entry> {
        self.line(id, origin, number)?.entry()
    }

    fn line(&self, id: ConversationId, origin: Origin, number: Number) -> Option<&Line> {
        let is_it = |committed: &Committed| {
            committed.conversation == id
                && committed.line.origin() == Some(origin)
                && committed.line.entry().is_some_and(|entry| entry.number == number)
        };
        let (before, behind) = self.lines.split_at(self.found.get().min(self.lines.len()));
        let at = match behind.iter().position(is_it) {
            Some(at) => before.len() + at,
            None => before.iter().position(is_it)?,
        };
        self.found.set(at);
        Some(&self.lines[at].line)
    }
}
