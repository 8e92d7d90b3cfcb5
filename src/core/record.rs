//! The records that a journal keeps, and the lines that readers see of them. The records of a
//! conversation together make its [`Story`].

use std::time::Duration;

use serde::Serialize;

use super::customer::{About, CustomerId, PostId, Posted, TokenHash};
use super::department::Department;
use crate::wire::{
    Address, Body, ConversationId, DeskId, Entry, Identity, Millis, Number, Page, Said, SeatKey,
    SecretHash,
};

pub use story::{Restart, Story};

mod story;

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
    /// At a desk: a message that this side numbered, and the own name of the agent who wrote it.
    Said(Box<str>, Entry),
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
    /// At a desk: the agent who has this conversation, or is accepting it.
    Owner(Owner),
    /// At a desk: the customer had the conversation with this number at the desk before.
    Former(u32),
    /// At a desk: how the conversation ends soon; `None`: it goes on after all.
    Ending(Option<Ending>),
    /// At a desk: the offer of the conversation to another agent; `None`: the offer is over.
    Offered(Option<Box<Offered>>),
    /// At a desk: these are the conversation's tags from now on.
    Tags(Vec<Box<str>>),
    /// At a desk: whether the agent has asked the customer to be patient.
    Hold(bool),
    /// At a desk: an agent sent the customer to this department; `None`: the customer has asked
    /// anew since.
    Department(Option<Department>),
    /// At a desk: the customer was blocked, and the desk turned them away in this conversation.
    TurnedAway,
    /// At a desk: how `/find` knows the customer of a gateway from now on.
    Contact(Box<Contact>),
    /// At a desk, and in no conversation: the agent's terminal has shown its code, and signs in
    /// with this secret from now on. The two are hashes.
    Enrolled {
        /// The agent's name.
        agent: Box<str>,
        /// The code, which is used up now.
        code: SecretHash,
        /// The secret.
        secret: SecretHash,
    },
    /// At a desk, and in no conversation: the lines of this seat up to this number are done.
    Taken(SeatKey, u64),
    /// At a desk, and in no conversation: the line with this number at this seat was not sent.
    Unsent(SeatKey, u64),
    /// At a desk, and in no conversation: this customer is turned away from now on.
    Blocked(Box<Blocked>),
    /// At a desk, and in no conversation: the customer of this conversation is not turned away any
    /// more.
    Unblocked(ConversationId),
    /// At a desk, and in no conversation: this agent is away, with what they said; `None`: the agent
    /// is not away any more.
    Away(Box<str>, Option<Box<str>>),
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
    /// At a gateway: the customer of this conversation said this about themselves.
    About(About),
    /// At a gateway: two customers are the same person. One of them now has all that both had, and
    /// this conversation is the present one.
    Joined {
        /// The customer who does not exist any more.
        former: CustomerId,
        /// The customer who has everything now.
        customer: CustomerId,
    },
    /// At a gateway: the effect of the customer's request with this id.
    Posted(PostId, Posted),
    /// At a gateway: the session has left memory. A restart need not read it, until the
    /// conversation has another entry.
    Resting,
    /// At a gateway: the conversation is deleted. With the last conversation of a customer, the
    /// customer is deleted, too.
    Forgotten,
}

/// What the page of a gateway's customer says of who they are, as far as a desk keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The email address that the customer gave. Nobody has checked it.
    pub email: Option<Box<str>>,
    /// Who the customer is at the shop, as a trusted gateway has checked it.
    pub identity: Option<Box<Identity>>,
}

impl Contact {
    /// What this page says of its customer.
    pub fn of(page: &Page) -> Contact {
        let identity = page.identity.as_deref().filter(|known| **known != Identity::default());
        Contact { email: page.email.clone(), identity: identity.cloned().map(Box::new) }
    }
}

/// Records that are committed together, each with its conversation.
pub type Batch = Vec<(ConversationId, Record)>;

/// Which agent of a desk has a conversation.
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

/// A conversation that one agent has offered to another one, by their own names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The agent who offers it.
    pub from: Box<str>,
    /// The agent who may take it.
    pub to: Box<str>,
    /// The desk was started again, so the offer is over: who has not read that yet. `None`: the
    /// offer stands.
    pub void: Option<Untold>,
}

/// Who of the two has not read that an offer is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// The agent who offered the conversation.
    Giver,
    /// The agent who was to get it.
    Receiver,
    /// Both of them.
    Both,
}

impl Offered {
    /// The first name as a journal has it. A sign before it says who has not read that the offer is
    /// over; no name begins with such a sign. A build that does not know the signs finds no agent
    /// with the name, and tells the other agent again.
    pub fn written_from(&self) -> String {
        let sign = match self.void {
            None => "",
            Some(Untold::Giver) => "<",
            Some(Untold::Receiver) => ">",
            Some(Untold::Both) => "=",
        };
        format!("{sign}{}", self.from)
    }

    /// An offer from its two names as a journal has them.
    pub fn read(from: &str, to: &str) -> Offered {
        let signs = [("<", Untold::Giver), (">", Untold::Receiver), ("=", Untold::Both)];
        let read = signs.iter().find_map(|(sign, who)| Some((*who, from.strip_prefix(sign)?)));
        let (void, from) = read.map_or((None, from), |(who, from)| (Some(who), from));
        Offered { from: from.into(), to: to.into(), void }
    }
}

/// A customer whom a desk turns away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The conversation in which an agent blocked them. A later block in it replaces this one.
    pub conversation: ConversationId,
    /// The number of that conversation.
    pub ordinal: u32,
    /// The customer's name at that time.
    pub called: String,
    /// How the block recognizes the customer.
    pub by: BlockedBy,
    /// When the block ends, by the desk's clock.
    pub until: Millis,
}

/// How a block recognizes the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockedBy {
    /// The conversation, and those that follow it.
    Conversation {
        /// The number of the latest of these that the desk has seen.
        latest: u32,
    },
    /// The customer's id at the shop, as a trusted gateway has checked it.
    Identity(Box<str>),
    /// The customer's address.
    Address(Address),
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
    /// The bot knows nothing of what people said from this entry of ours on, and must still get it.
    Due(Number),
}

impl Record {
    /// Whether this record need not be committed at once, but may wait for a record that must be.
    pub fn may_wait(&self) -> bool {
        matches!(self, Record::Acked(..) | Record::Delivered(_) | Record::Resting)
    }

    /// Whether this record belongs to no conversation.
    pub fn is_of_no_conversation(&self) -> bool {
        matches!(
            self,
            Record::Enrolled { .. }
                | Record::Taken(..)
                | Record::Unsent(..)
                | Record::Blocked(_)
                | Record::Unblocked(_)
                | Record::Away(..)
        )
    }

    /// Whether this record is an entry or a note. These have an offset, and readers see them.
    pub fn is_line(&self) -> bool {
        matches!(self, Record::Note(_)) || self.entry().is_some()
    }

    /// The entry, if this record is one.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Record::Own(entry) | Record::Said(_, entry) | Record::Theirs(_, entry) => Some(entry),
            _ => None,
        }
    }

    /// The entry, if this record is one that this side numbered.
    pub fn own_entry(&self) -> Option<&Entry> {
        self.entry().filter(|_| !matches!(self, Record::Theirs(..)))
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

/// An entry or a note of a conversation, as its readers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The place of the line in the order in which the journal was written.
    pub offset: Offset,
    /// Whether this side made it.
    pub own: bool,
    /// At a desk: the own name of the agent who wrote this message. A journal of an older release
    /// does not say it.
    pub agent: Option<Box<str>>,
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

/// The side that numbered an entry.
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
        let (own, agent, what) = match record {
            Record::Own(entry) => (true, None, What::Entry(None, entry)),
            Record::Said(agent, entry) => (true, Some(agent), What::Entry(None, entry)),
            Record::Theirs(desk, entry) => (false, None, What::Entry(desk, entry)),
            Record::Note(note) => (true, None, What::Note(note)),
            _ => return None,
        };
        Some(Line { offset, own, agent, what })
    }

    /// The entry, if the line is one.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.what {
            What::Entry(_, entry) => Some(entry),
            What::Note(_) => None,
        }
    }

    /// The side that numbered the entry, if the line is one.
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
    /// The entries and notes of a batch, in order, with the `offsets` that the journal gave them.
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
