//! What is journaled: the records the pure rooms make, and the story they come to, which a restart
//! is given back (`Story::apply`).

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

/// Records that are committed together, each with its conversation.
pub type Batch = Vec<(ConversationId, Record)>;

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

/// A place in a journal's commit order. Entries and notes have one, each a higher one than those
/// before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub u64);

impl Offset {
    /// Before all entries and notes.
    pub const START: Offset = Offset(0);
}

/// What a reader of a conversation sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its place in the commit order.
    pub offset: Offset,
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

/// Who numbered an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// This side.
    Own,
    /// The peer: a desk, or (`None`) the customer's side.
    Peer(Option<DeskId>),
}

impl Origin {
    /// The desk whose entry it is, if it is a desk's.
    pub fn desk(self) -> Option<DeskId> {
        match self {
            Origin::Own | Origin::Peer(None) => None,
            Origin::Peer(desk) => desk,
        }
    }
}

impl Line {
    /// The entry, if it is one.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.what {
            What::Entry(_, entry) => Some(entry),
            What::Note(_) => None,
        }
    }

    /// Who numbered it, if it is an entry.
    pub fn origin(&self) -> Option<Origin> {
        match &self.what {
            What::Entry(..) if self.own => Some(Origin::Own),
            What::Entry(desk, _) => Some(Origin::Peer(*desk)),
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

    /// Our entries from this number on have numbers higher by so much ([`Record::Moved`]).
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
        let (mut committed, mut offsets) = (Vec::new(), offsets.into_iter());
        for (conversation, record) in batch {
            let (own, what) = match record {
                Record::Own(entry) => (true, What::Entry(None, entry)),
                Record::Theirs(desk, entry) => (false, What::Entry(desk, entry)),
                Record::Note(note) => (true, What::Note(note)),
                Record::Moved { from, by } => {
                    let of_it = |line: &&mut Committed| line.conversation == conversation;
                    let lines = committed.iter_mut().filter(of_it).map(|found| &mut found.line);
                    lines.for_each(|line| line.move_from(from, by));
                    continue;
                }
                _ => continue,
            };
            let offset = offsets.next().expect("the journal gives each entry and note an offset");
            committed.push(Committed { conversation, line: Line { offset, own, what } });
        }
        committed
    }
}

/// A conversation as a restart finds it: what its records, applied one after the other, have come
/// to. A desk also reads the story of a customer who left its memory and is back.
#[derive(Clone, Debug)]
pub struct Story {
    /// Which one.
    pub id: ConversationId,
    /// Its number among the conversations of its journal, from 1.
    pub ordinal: u32,
    /// The secret, or its SHA-256.
    pub secret: [u8; 32],
    /// What the customer wants to be called.
    pub name: Option<String>,
    /// Our own highest number, or the highest that the peer holds.
    pub own: Number,
    /// The highest number of a line of ours that a person typed.
    pub typed: Number,
    /// Our entries up to here may be held by the peer only.
    pub held: Number,
    /// The user's side acknowledged our entries up to here.
    pub delivered: Number,
    /// The highest number of each peer that has one, sorted by peer.
    pub theirs: Vec<(Option<DeskId>, Number)>,
    /// For how long nothing was recorded, while the program ran.
    pub idle: Duration,
    /// The line that was being asked of the bot.
    pub asking: Option<Number>,
    /// How far the bot was told that it owns the conversation again.
    pub returning: Returning,
    /// Desks: which, the latest request it may have (0: none), and what it acknowledged. The desk
    /// that was met last is the last one.
    pub desks: Vec<(DeskId, Number, Number)>,
    /// Its control entries, in the commit order.
    pub controls: Vec<Line>,
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
        }
    }

    /// Adds the next record of this conversation. `offset` is the offset of an entry; of other
    /// records it is not looked at.
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
            Record::Focus => {}
        }
    }

    fn add(&mut self, offset: Offset, own: bool, desk: Option<DeskId>, entry: &Entry) {
        self.idle = Duration::ZERO;
        if !matches!(entry.body, Body::Message(_)) {
            self.controls.push(Line { offset, own, what: What::Entry(desk, entry.clone()) });
        }
    }

    /// What is known of a desk. One that was not met yet comes before all that were.
    fn desk(&mut self, desk: DeskId) -> &mut (DeskId, Number, Number) {
        let at = self.desks.iter().position(|(known, ..)| *known == desk).unwrap_or_else(|| {
            let unmet = self.desks.iter().take_while(|(_, request, _)| *request == 0).count();
            self.desks.insert(unmet, (desk, 0, 0));
            unmet
        });
        &mut self.desks[at]
    }
}
