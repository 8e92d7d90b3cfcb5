//! What is journaled: the records the pure rooms make, and what they are given back at a restart.

use std::time::Duration;

use crate::wire::{Body, ConversationId, DeskId, Entry, Number, Said};

/// One thing journaled in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// The conversation begins here, or the customer has another name. The user's side keeps its
    /// secret, a desk only the hash of it.
    Begun {
        /// The secret, or its SHA-256.
        secret: [u8; 32],
        /// What the customer wants to be called.
        name: Option<String>,
    },
    /// An entry of our own numbering.
    Own(Entry),
    /// An entry of the peer's: of a desk's, or (`None`) of the user's.
    Theirs(Option<DeskId>, Entry),
    /// An admin's private note, or the desk's own remark.
    Note(String),
    /// Desk: our entries up to this number are held by the customer only.
    Held(Number),
    /// Desk: our entries from this number on have numbers higher by so much: nobody was sent them
    /// yet.
    Moved {
        /// The first of them, as it was.
        from: Number,
        /// By how much.
        by: Number,
    },
    /// User: this line of ours is being asked of the bot; `None`: no line is.
    Asking(Option<Number>),
    /// User: how far the bot is told that it owns the conversation again.
    Returning(Returning),
    /// User: this desk may have our `requested` of this number.
    Met(DeskId, Number),
    /// User: this desk acknowledged our entries up to this number. Only saves a resend: it may wait
    /// for the next batch.
    Acked(DeskId, Number),
    /// Desk: the user's side acknowledged our entries up to this number. Likewise.
    Delivered(Number),
    /// Nothing was recorded here for this long, while the program ran. The next entry ends that.
    Idle(Duration),
    /// Desk: the admin's next line goes here.
    Focus,
}

/// How far the bot is told that it owns the conversation again, and what people said meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Returning {
    /// It was told, or need not be.
    #[default]
    Done,
    /// It is being told: if the program ends now, nobody knows whether it was.
    UnderWay,
    /// It is to be told what people said from this entry of ours on: of that it was told nothing.
    Due(Number),
}

impl Record {
    /// Whether it may wait until something that matters is committed.
    pub fn may_wait(&self) -> bool {
        matches!(self, Record::Acked(..) | Record::Delivered(_))
    }
}

/// What a reader of a conversation sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its place in the commit order.
    pub place: u64,
    /// Whether it is of our own numbering.
    pub own: bool,
    /// What it is.
    pub what: What,
}

/// An entry, or something private.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A numbered entry of ours, or of the peer's.
    Entry(Option<DeskId>, Entry),
    /// A private note.
    Note(String),
}

impl Line {
    /// The entry, if it is one.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.what {
            What::Entry(_, entry) => Some(entry),
            What::Note(_) => None,
        }
    }

    /// The message in it, if it is one.
    pub fn said(&self) -> Option<(&Entry, &Said)> {
        match self.entry() {
            Some(entry @ Entry { body: Body::Message(said), .. }) => Some((entry, said)),
            _ => None,
        }
    }
}

/// A conversation as a restart finds it, or who left memory and is back.
#[derive(Clone, Debug)]
pub struct Story {
    /// Which one.
    pub id: ConversationId,
    /// Its place among the conversations of its journal, from 1.
    pub ordinal: u32,
    /// The secret, or its SHA-256.
    pub secret: [u8; 32],
    /// What the customer wants to be called.
    pub name: Option<String>,
    /// Our own highest number.
    pub own: Number,
    /// The highest number of a line of ours that a person typed.
    pub typed: Number,
    /// Our entries up to here may be held by the peer only.
    pub held: Number,
    /// The user's side acknowledged our entries up to here.
    pub delivered: Number,
    /// The highest number of each peer.
    pub theirs: Vec<(Option<DeskId>, Number)>,
    /// For how long nothing was recorded, while the program ran.
    pub idle: Duration,
    /// The line that was being asked of the bot.
    pub asking: Option<Number>,
    /// How far the bot was told that it owns the conversation again.
    pub returning: Returning,
    /// Desks, the latest last: which, the latest request it may have, and what it acknowledged.
    pub desks: Vec<(DeskId, Number, Number)>,
    /// Its control entries, in the commit order.
    pub controls: Vec<Line>,
}
