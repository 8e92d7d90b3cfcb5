//! The records that a journal keeps, and the story of a conversation that they add up to
//! ([`Story::apply`]). A restart continues from the story.

use std::time::Duration;

use serde::Serialize;

use super::customer::{About, CustomerId, PostId, Posted, TokenHash};
use super::delivery::LIFETIME;
use super::owed::Owed;
use crate::wire::{Body, ConversationId, DeskId, Entry, Millis, Number, Said, SeatKey, SecretHash};

/// One thing journaled in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// The conversation begins here, or the customer has another name. The customer's side keeps
    /// the secret of the conversation, a desk only the hash of it.
    Begun {
        /// The secret, or its SHA-256.
        secret: [u8; 32],
        /// The customer's name, where one was given.
        name: Option<String>,
    },
    /// An entry that this side numbered.
    Own(Entry),
    /// An entry that the peer numbered: a desk, or (`None`) the customer's side.
    Theirs(Option<DeskId>, Entry),
    /// A private note of the agent, or a remark of the desk itself.
    Note(String),
    /// At a desk: only the customer's side has our entries up to this number.
    Held(Number),
    /// At a desk: our entries from this number on, which were not sent to anybody yet, have higher
    /// numbers from now on.
    Moved {
        /// The former number of the first of them.
        from: Number,
        /// The difference between the new numbers and the former ones.
        by: Number,
    },
    /// At the customer's side: the bot is being asked our line with this number, or (`None`) no
    /// line.
    Asking(Option<Number>),
    /// At the customer's side: whether the bot knows that it owns the conversation again.
    Returning(Returning),
    /// At the customer's side: this desk may have our `requested` with this number.
    Met(DeskId, Number),
    /// At the customer's side: this desk acknowledged our entries up to this number. The record
    /// only saves a resend, so it may wait for the next batch.
    Acked(DeskId, Number),
    /// At a desk: the customer's side acknowledged our entries up to this number. This record may
    /// wait, too.
    Delivered(Number),
    /// The program has run for this long without another record in this conversation. The next
    /// entry ends that.
    Idle(Duration),
    /// At a desk: the agent's next line goes to this conversation.
    Focus,
    /// At a desk: who has this conversation, or is accepting it.
    Owner(Owner),
    /// At a desk: the customer had the conversation with this number at the desk before.
    Former(u32),
    /// At a desk: the conversation ends soon like this, or (`None`) it goes on after all.
    Ending(Option<Ending>),
    /// At a desk, and in no conversation: the agent's terminal has shown its code, and signs in with
    /// this secret from now on. The two are hashes.
    Enrolled {
        /// The agent's name.
        agent: Box<str>,
        /// The code, which has been used with this.
        code: SecretHash,
        /// The secret.
        secret: SecretHash,
    },
    /// At a desk, and in no conversation: what was typed at this seat up to this number is done.
    Taken(SeatKey, u64),
    /// At a gateway: this customer has the conversation.
    Customer(CustomerId),
    /// At a gateway: the token with this hash names the customer of this conversation.
    Token(TokenHash),
    /// At a gateway: the token names nobody any more.
    Withdrawn(TokenHash),
    /// At a gateway: the customer of this conversation has this id at the shop.
    Identified(Box<str>),
    /// At a gateway: the customer of this conversation accepted the notice at this time.
    Agreed(Millis),
    /// At a gateway: the customer of this conversation said this of themselves.
    About(About),
    /// At a gateway: a customer turned out to be another one, who now has all that the former had.
    /// The present conversation is this one.
    Joined {
        /// Who is no more.
        former: CustomerId,
        /// Who has it now.
        customer: CustomerId,
    },
    /// At a gateway: what the customer's request with this id did.
    Posted(PostId, Posted),
    /// At a gateway: the session has left memory. A restart need not read it, until the
    /// conversation has another entry.
    Resting,
    /// At a gateway: the conversation is deleted. With the last conversation of a customer, the
    /// customer is deleted, too.
    Forgotten,
}

/// Records that are committed together, each with its conversation.
pub type Batch = Vec<(ConversationId, Record)>;

/// Who of the agents at a desk has a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// The terminal that started the desk.
    #[default]
    Terminal,
    /// The agent with this name.
    Agent(Box<str>),
    /// Nobody: its customer was given back to the queue.
    Nobody,
}

/// How an agent ends their part in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The conversation is closed.
    Close,
    /// The bot gets the customer back.
    HandBack,
}

/// Whether the bot knows that it owns the conversation again, and what people said meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Returning {
    /// It knows, or it never lost the conversation.
    #[default]
    Done,
    /// The request that tells the bot is under way. If the program ends now, nobody knows whether
    /// the bot got it.
    UnderWay,
    /// The bot has got nothing of what people said from this entry of ours on. It must be told.
    Due(Number),
}

impl Record {
    /// Whether this record may wait until another one is committed that may not wait.
    pub fn may_wait(&self) -> bool {
        matches!(self, Record::Acked(..) | Record::Delivered(_) | Record::Resting)
    }

    /// Whether this record belongs to no conversation.
    pub fn is_of_no_conversation(&self) -> bool {
        matches!(self, Record::Enrolled { .. } | Record::Taken(..))
    }

    /// Whether this record is an entry or a note. These have an offset, and readers see them.
    pub fn is_line(&self) -> bool {
        matches!(self, Record::Own(_) | Record::Theirs(..) | Record::Note(_))
    }
}

/// The place of an entry or a note in the order in which the journal was written. Each has a higher
/// offset than those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub u64);

impl Offset {
    /// Before all entries and notes.
    pub const START: Offset = Offset(0);
}

/// What a reader of a conversation sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its place in the order in which the journal was written.
    pub offset: Offset,
    /// Whether this side made it.
    pub own: bool,
    /// The entry or the note.
    pub what: What,
}

/// An entry, or a private note.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A numbered entry: a desk's, or (`None`) this side's or the customer's side's.
    Entry(Option<DeskId>, Entry),
    /// A private note.
    Note(String),
}

/// Who numbered an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// This side.
    Own,
    /// The peer: a desk, or (`None`) the customer's side.
    Peer(Option<DeskId>),
}

impl Origin {
    /// The desk that numbered the entry, if a desk did.
    pub fn desk(self) -> Option<DeskId> {
        match self {
            Origin::Own | Origin::Peer(None) => None,
            Origin::Peer(desk) => desk,
        }
    }
}

impl Line {
    /// The line of a record with this offset, if it is an entry or a note.
    pub fn of(offset: Offset, record: Record) -> Option<Line> {
        let (own, what) = match record {
            Record::Own(entry) => (true, What::Entry(None, entry)),
            Record::Theirs(desk, entry) => (false, What::Entry(desk, entry)),
            Record::Note(note) => (true, What::Note(note)),
            _ => return None,
        };
        Some(Line { offset, own, what })
    }

    /// The entry, if the line is one.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.what {
            What::Entry(_, entry) => Some(entry),
            What::Note(_) => None,
        }
    }

    /// Who numbered the entry, if the line is one.
    pub fn origin(&self) -> Option<Origin> {
        match &self.what {
            What::Entry(..) if self.own => Some(Origin::Own),
            What::Entry(desk, _) => Some(Origin::Peer(*desk)),
            What::Note(_) => None,
        }
    }

    /// The entry and its message, if the line is a message.
    pub fn said(&self) -> Option<(&Entry, &Said)> {
        match self.entry() {
            Some(entry @ Entry { body: Body::Message(said), .. }) => Some((entry, said)),
            _ => None,
        }
    }

    /// Our entries from number `from` on get numbers that are higher by `by` ([`Record::Moved`]).
    pub fn move_from(&mut self, from: Number, by: Number) {
        if let What::Entry(_, entry) = &mut self.what
            && self.own
            && entry.number >= from
        {
            entry.number += by;
        }
    }
}

/// A line that a commit made durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// The entry or note, with its offset.
    pub line: Line,
}

impl Committed {
    /// The entries and notes of a batch, in order. `offsets` are what the journal gave them, in the
    /// same order.
    pub fn of(batch: Batch, offsets: impl IntoIterator<Item = Offset>) -> Vec<Committed> {
        let mut offsets = offsets.into_iter();
        let mut committed = Vec::with_capacity(offsets.size_hint().0);
        for (conversation, record) in batch {
            if let Record::Moved { from, by } = record {
                let of_it = |line: &&mut Committed| line.conversation == conversation;
                let lines = committed.iter_mut().filter(of_it).map(|found| &mut found.line);
                lines.for_each(|line| line.move_from(from, by));
            } else if record.is_line() {
                let offset = offsets.next();
                let offset = offset.expect("the journal gives each entry and note an offset");
                let line = Line::of(offset, record);
                committed.extend(line.map(|line| Committed { conversation, line }));
            }
        }
        committed
    }
}

/// What a restart finds in a journal.
#[derive(Clone, Debug, Default)]
pub struct Restart {
    /// The conversations that are not over ([`Story::is_over`]), oldest first.
    pub stories: Vec<Story>,
    /// At a desk: the conversation that the agent's lines went to.
    pub focus: Option<ConversationId>,
    /// The number of the conversation that was begun last; 0: none was begun.
    pub begun: u32,
}

/// A conversation as a restart finds it: what its records, applied one after the other, have come
/// to. A desk also reads the story of a customer who left its memory and is back.
#[derive(Clone, Debug)]
pub struct Story {
    /// The conversation's id.
    pub id: ConversationId,
    /// Its number among the conversations of its journal, from 1.
    pub ordinal: u32,
    /// The secret, or its SHA-256.
    pub secret: [u8; 32],
    /// The customer's name, where one was given.
    pub name: Option<String>,
    /// The highest number of our entries, in this journal or at the peer.
    pub own: Number,
    /// The highest number of a line of ours that a person typed.
    pub typed: Number,
    /// Only the peer may have our entries up to this number.
    pub held: Number,
    /// The customer's side acknowledged our entries up to this number.
    pub delivered: Number,
    /// The highest number of each peer that has one, sorted by peer.
    pub theirs: Vec<(Option<DeskId>, Number)>,
    /// How long the program has run without another record.
    pub idle: Duration,
    /// The number of our line that the bot was being asked.
    pub asking: Option<Number>,
    /// Whether the bot knows that it owns the conversation again.
    pub returning: Returning,
    /// At the customer's side: the desks that had this conversation. Each has its id, the latest
    /// request that the desk may have (0: none), and our highest number that the desk acknowledged.
    /// The desk that was met last is the last one.
    pub desks: Vec<(DeskId, Number, Number)>,
    /// Its control entries, in the order of their offsets.
    pub controls: Vec<Line>,
    /// At a desk: who has it.
    pub owner: Owner,
    /// At a desk: the number of the conversation that the customer had before.
    pub former: Option<u32>,
    /// At a desk: how the conversation was about to end.
    pub ending: Option<Ending>,
    /// At a desk: what the customer is owed. Only a journal on the disk knows when entries came.
    pub owed: Owed,
}

impl Story {
    /// A conversation without a record.
    pub fn new(id: ConversationId, ordinal: u32) -> Story {
        Story {
            id,
            ordinal,
            secret: [0; 32],
            name: None,
            own: 0,
            typed: 0,
            held: 0,
            delivered: 0,
            theirs: Vec::new(),
            idle: Duration::ZERO,
            asking: None,
            returning: Returning::Done,
            desks: Vec::new(),
            controls: Vec::new(),
            owner: Owner::default(),
            former: None,
            ending: None,
            owed: Owed::default(),
        }
    }

    /// Adds the next record of this conversation. `offset` is the offset of an entry; for other
    /// records it has no meaning.
    pub fn apply(&mut self, offset: Offset, record: &Record) {
        match record {
            Record::Begun { secret, name } => {
                self.secret = *secret;
                self.name.clone_from(name);
            }
            Record::Own(entry) => {
                self.own = self.own.max(entry.number);
                if matches!(&entry.body, Body::Message(said) if !said.greeting) {
                    self.typed = entry.number;
                    self.owed.settle();
                }
                self.add(offset, true, None, entry);
            }
            Record::Theirs(desk, entry) => {
                match self.theirs.binary_search_by_key(desk, |(known, _)| *known) {
                    Ok(at) => self.theirs[at].1 = entry.number,
                    Err(at) => self.theirs.insert(at, (*desk, entry.number)),
                }
                if let Some(desk) = desk {
                    self.desk(*desk);
                }
                self.owed.learn(&entry.body, entry.at);
                self.add(offset, false, *desk, entry);
            }
            Record::Note(_) => self.idle = Duration::ZERO,
            Record::Held(number) => {
                self.held = *number;
                self.own = self.own.max(*number);
            }
            Record::Moved { from, by } => {
                let numbers = [&mut self.own, &mut self.typed].into_iter();
                numbers.filter(|number| **number >= *from).for_each(|number| *number += by);
                self.controls.iter_mut().for_each(|line| line.move_from(*from, *by));
            }
            Record::Asking(number) => self.asking = *number,
            Record::Returning(how) => self.returning = *how,
            Record::Met(desk, request) => {
                let (.., acked) = *self.desk(*desk);
                self.desks.retain(|(known, ..)| known != desk);
                self.desks.push((*desk, *request, acked));
            }
            Record::Acked(desk, number) => self.desk(*desk).2 = *number,
            Record::Delivered(number) => self.delivered = *number,
            Record::Idle(idle) => self.idle = *idle,
            Record::Owner(owner) => self.owner = owner.clone(),
            Record::Former(ordinal) => self.former = Some(*ordinal),
            Record::Ending(ending) => self.ending = *ending,
            Record::Focus
            | Record::Enrolled { .. }
            | Record::Taken(..)
            | Record::Customer(_)
            | Record::Token(_)
            | Record::Withdrawn(_)
            | Record::Identified(_)
            | Record::Agreed(_)
            | Record::About(_)
            | Record::Joined { .. }
            | Record::Posted(..)
            | Record::Resting
            | Record::Forgotten => {}
        }
    }

    /// Whether a restart has nothing to do in this conversation.
    ///
    /// At a desk: nothing was recorded for too long; or the customer neither waits nor talks there,
    /// and the customer's side has every line that a person typed. At the customer's side: the
    /// conversation is closed, and the desk has all that it is owed.
    pub fn is_over(&self) -> bool {
        if !self.is_of_a_desk() {
            let acked = self.desks.last().map_or(0, |(.., acked)| *acked);
            return self.owed_behind_the_end().is_some_and(|owed| acked >= owed);
        }
        let is_delivered = self.delivered.max(self.held) >= self.typed;
        self.idle >= LIFETIME || !self.is_with_desk() && is_delivered
    }

    /// Whether the conversation goes on: it is not over, and only an entry that ends it, or too
    /// long a time without a record, can change that.
    pub fn goes_on(&self) -> bool {
        let has_ended = if self.is_of_a_desk() {
            !self.is_with_desk()
        } else {
            // Without an entry nobody knows whose journal it is.
            self.own == 0 || self.owed_behind_the_end().is_some()
        };
        !has_ended && !self.is_over()
    }

    /// Whether the journal is a desk's: only a desk receives entries of a customer's side.
    fn is_of_a_desk(&self) -> bool {
        self.theirs.first().is_some_and(|(desk, _)| desk.is_none())
    }

    /// Whether the customer waits for an agent or talks to one.
    fn is_with_desk(&self) -> bool {
        self.controls.iter().rev().filter_map(Line::entry).find_map(owned_by_desk).unwrap_or(false)
    }

    /// At the customer's side, if the conversation is closed: the desk is owed our entries up to
    /// this number. 0: no desk is owed any.
    fn owed_behind_the_end(&self) -> Option<Number> {
        let (mut owed, mut request, mut with_desk, mut has_ended) = (0, 0, false, false);
        for entry in self.controls.iter().filter(|line| line.own).filter_map(Line::entry) {
            let was_with_desk = with_desk;
            with_desk = owned_by_desk(entry).unwrap_or(with_desk);
            let owes = match entry.body {
                Body::Requested { .. } => {
                    request = entry.number;
                    false
                }
                Body::Withdrawn {} | Body::HandedBack { .. } => true,
                Body::Closed { .. } => {
                    has_ended = true;
                    was_with_desk
                }
                Body::Refused { .. } => !with_desk,
                _ => false,
            };
            if owes && self.desks.iter().any(|(_, met, _)| *met == request && request > 0) {
                owed = entry.number;
            }
        }
        has_ended.then_some(owed)
    }

    fn add(&mut self, offset: Offset, own: bool, desk: Option<DeskId>, entry: &Entry) {
        self.idle = Duration::ZERO;
        if !matches!(entry.body, Body::Message(_)) {
            self.controls.push(Line { offset, own, what: What::Entry(desk, entry.clone()) });
        }
    }

    /// What is known of a desk. A desk that may have no request yet stands before all others.
    fn desk(&mut self, desk: DeskId) -> &mut (DeskId, Number, Number) {
        let at = self.desks.iter().position(|(known, ..)| *known == desk).unwrap_or_else(|| {
            let unmet = self.desks.iter().take_while(|(_, request, _)| *request == 0).count();
            self.desks.insert(unmet, (desk, 0, 0));
            unmet
        });
        &mut self.desks[at]
    }
}

/// Whether the customer waits for an agent or talks to one after this entry. `None`: the entry does
/// not change that.
fn owned_by_desk(entry: &Entry) -> Option<bool> {
    match entry.body {
        Body::Requested { .. } | Body::Accepted { .. } => Some(true),
        Body::Withdrawn {} | Body::HandedBack { .. } | Body::Closed { .. } => Some(false),
        _ => None,
    }
}
