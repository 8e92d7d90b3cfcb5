//! The records of one conversation as bytes, one after the other.
//!
//! A record is a byte for its kind, followed by its fields: a number has seven bits in each byte, a
//! text comes after its length. A body is JSON; but a message that has only an author and a text is
//! written as these two. Only the process that wrote the bytes reads them, so the format may change
//! at any time.

use std::time::Duration;

use crate::core::department::Department;
use crate::core::record::{Ending, Offered, Offset, Owner, Record, Returning};
use crate::wire::{Author, Body, DeskId, Entry, Number, Said};

#[derive(Default)]
pub(super) struct Log(Vec<u8>);

// The kinds of records. Those of lines come first.
const OWN: u8 = 0;
const SAID: u8 = 1;
const USERS: u8 = 2;
const DESKS: u8 = 3;
const NOTE: u8 = 4;
const BEGUN: u8 = 5;
const BEGUN_NAMED: u8 = 6;
const HELD: u8 = 7;
const ASKING: u8 = 8;
const ASKING_NOTHING: u8 = 9;
const RETURNED: u8 = 10;
const RETURNING: u8 = 11;
const RETURN_DUE: u8 = 12;
const MET: u8 = 13;
const ACKED: u8 = 14;
const DELIVERED: u8 = 15;
const IDLE: u8 = 16;
const OWNER_TERMINAL: u8 = 17;
const OWNER_AGENT: u8 = 18;
const OWNER_NOBODY: u8 = 19;
const FORMER: u8 = 20;
const GOES_ON: u8 = 21;
const CLOSES: u8 = 22;
const HANDS_BACK: u8 = 23;
const TAGS: u8 = 24;
const HOLD: u8 = 25;
const OFFERED: u8 = 26;
const NOT_OFFERED: u8 = 27;
const TURNED_AWAY: u8 = 28;
const SENT_TO: u8 = 29;
const NOT_SENT: u8 = 30;

/// The forms of a body: JSON, or the text of one of these authors.
const JSON: u8 = 0;
const USER: u8 = 1;
const BOT: u8 = 2;
const ADMIN: u8 = 3;

impl Log {
    /// Adds a record, and returns its index. The caller adds only records of which a story is made,
    /// so no `Moved` and no `Focus`.
    pub(super) fn add(&mut self, offset: Offset, record: &Record) -> usize {
        let at = self.0.len();
        match record {
            Record::Own(entry) => self.kind(OWN).number(offset.0).entry(entry),
            Record::Said(agent, entry) => self.kind(SAID).number(offset.0).entry(entry).text(agent),
            Record::Theirs(None, entry) => self.kind(USERS).number(offset.0).entry(entry),
            Record::Theirs(Some(desk), entry) => {
                self.kind(DESKS).number(offset.0).bytes(desk.bytes()).entry(entry)
            }
            Record::Note(note) => self.kind(NOTE).number(offset.0).text(note),
            Record::Begun { secret, name: None } => self.kind(BEGUN).bytes(secret),
            Record::Begun { secret, name: Some(name) } => {
                self.kind(BEGUN_NAMED).bytes(secret).text(name)
            }
            Record::Held(number) => self.kind(HELD).number(*number),
            Record::Asking(Some(number)) => self.kind(ASKING).number(*number),
            Record::Asking(None) => self.kind(ASKING_NOTHING),
            Record::Returning(Returning::Done) => self.kind(RETURNED),
            Record::Returning(Returning::UnderWay) => self.kind(RETURNING),
            Record::Returning(Returning::Due(since)) => self.kind(RETURN_DUE).number(*since),
            Record::Met(desk, request) => self.kind(MET).bytes(desk.bytes()).number(*request),
            Record::Acked(desk, number) => self.kind(ACKED).bytes(desk.bytes()).number(*number),
            Record::Delivered(number) => self.kind(DELIVERED).number(*number),
            Record::Idle(idle) => self.kind(IDLE).number(idle.as_millis() as u64),
            Record::Owner(Owner::Terminal) => self.kind(OWNER_TERMINAL),
            Record::Owner(Owner::Agent(name)) => self.kind(OWNER_AGENT).text(name),
            Record::Owner(Owner::Nobody) => self.kind(OWNER_NOBODY),
            Record::Former(ordinal) => self.kind(FORMER).number(u64::from(*ordinal)),
            Record::Ending(None) => self.kind(GOES_ON),
            Record::Ending(Some(Ending::Close)) => self.kind(CLOSES),
            Record::Ending(Some(Ending::HandBack)) => self.kind(HANDS_BACK),
            Record::Offered(None) => self.kind(NOT_OFFERED),
            Record::Offered(Some(offered)) => {
                self.kind(OFFERED).text(&offered.written_from()).text(&offered.to)
            }
            Record::Tags(tags) => self.kind(TAGS).text(&tags.join("\n")),
            Record::Hold(is_on_hold) => self.kind(HOLD).number(u64::from(*is_on_hold)),
            Record::Department(None) => self.kind(NOT_SENT),
            Record::Department(Some(department)) => self.kind(SENT_TO).text(department.as_str()),
            Record::TurnedAway => self.kind(TURNED_AWAY),
            // Only `/find` needs a contact, and it searches journals on the disk.
            Record::Contact(_)
            | Record::Moved { .. }
            | Record::Enrolled { .. }
            | Record::Taken(..)
            | Record::Unsent(..)
            | Record::Blocked(_)
            | Record::Unblocked(_)
            | Record::Away(..)
            | Record::Focus
            | Record::Customer(_)
            | Record::Token(_)
            | Record::Withdrawn(_)
            | Record::Identified(_)
            | Record::Agreed(_)
            | Record::About(_)
            | Record::Joined { .. }
            | Record::Posted(..)
            | Record::Resting
            | Record::Forgotten => self,
        };
        at
    }

    /// A reader that begins at this index.
    pub(super) fn read(&self, at: usize) -> Reader<'_> {
        Reader(&self.0[at..])
    }

    fn kind(&mut self, kind: u8) -> &mut Log {
        self.bytes(&[kind])
    }

    fn number(&mut self, mut number: u64) -> &mut Log {
        let (mut bytes, mut length) = ([0; 10], 1);
        while number >= 0x80 {
            bytes[length - 1] = number as u8 | 0x80;
            number >>= 7;
            length += 1;
        }
        bytes[length - 1] = number as u8;
        self.bytes(&bytes[..length])
    }

    fn text(&mut self, text: &str) -> &mut Log {
        self.number(text.len() as u64).bytes(text.as_bytes())
    }

    fn entry(&mut self, entry: &Entry) -> &mut Log {
        self.number(entry.number).number(entry.at);
        if let Some((author, text)) = plain(&entry.body) {
            return self.bytes(&[author]).text(text);
        }
        let body = serde_json::to_string(&entry.body).expect("a body has string keys");
        self.bytes(&[JSON]).text(&body)
    }

    /// Adds bytes. The buffer grows by an eighth at a time, to save memory: most conversations are
    /// at rest most of the time.
    fn bytes(&mut self, bytes: &[u8]) -> &mut Log {
        if self.0.capacity() - self.0.len() < bytes.len() {
            self.0.reserve_exact(bytes.len().max(self.0.len() / 8));
        }
        self.0.extend_from_slice(bytes);
        self
    }
}

/// Reads a log. Bytes that are not as they were written are a bug in this file.
#[derive(Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// The offset of the line that begins here.
    pub(super) fn offset(mut self) -> Offset {
        self.bytes::<1>();
        Offset(self.number())
    }

    /// The number of the entry that begins here, if it is this peer's or, with `None`, our own.
    pub(super) fn number_of(mut self, peer: Option<Option<DeskId>>) -> Option<Number> {
        let [kind] = self.bytes();
        self.number();
        let of = match kind {
            OWN | SAID => None,
            USERS => Some(None),
            DESKS => Some(Some(DeskId::new(self.bytes()))),
            _ => return None,
        };
        (of == peer).then(|| self.number())
    }

    /// The next record. Its offset is that of the line; for other records it is the start.
    pub(super) fn record(&mut self) -> Option<(Offset, Record)> {
        if self.0.is_empty() {
            return None;
        }
        let [kind] = self.bytes();
        let offset = Offset(if kind <= NOTE { self.number() } else { 0 });
        let record = match kind {
            OWN => Record::Own(self.entry()),
            SAID => {
                let entry = self.entry();
                Record::Said(self.text().into(), entry)
            }
            USERS => Record::Theirs(None, self.entry()),
            DESKS => Record::Theirs(Some(DeskId::new(self.bytes())), self.entry()),
            NOTE => Record::Note(self.text().to_owned()),
            BEGUN => Record::Begun { secret: self.bytes(), name: None },
            BEGUN_NAMED => {
                Record::Begun { secret: self.bytes(), name: Some(self.text().to_owned()) }
            }
            HELD => Record::Held(self.number()),
            ASKING => Record::Asking(Some(self.number())),
            ASKING_NOTHING => Record::Asking(None),
            RETURNED => Record::Returning(Returning::Done),
            RETURNING => Record::Returning(Returning::UnderWay),
            RETURN_DUE => Record::Returning(Returning::Due(self.number())),
            MET => Record::Met(DeskId::new(self.bytes()), self.number()),
            ACKED => Record::Acked(DeskId::new(self.bytes()), self.number()),
            DELIVERED => Record::Delivered(self.number()),
            IDLE => Record::Idle(Duration::from_millis(self.number())),
            OWNER_TERMINAL => Record::Owner(Owner::Terminal),
            OWNER_AGENT => Record::Owner(Owner::Agent(self.text().into())),
            OWNER_NOBODY => Record::Owner(Owner::Nobody),
            FORMER => Record::Former(self.number() as u32),
            GOES_ON => Record::Ending(None),
            CLOSES => Record::Ending(Some(Ending::Close)),
            HANDS_BACK => Record::Ending(Some(Ending::HandBack)),
            NOT_OFFERED => Record::Offered(None),
            OFFERED => {
                let (from, to) = (self.text(), self.text());
                Record::Offered(Some(Box::new(Offered::read(from, to))))
            }
            TAGS => Record::Tags(self.text().lines().map(Into::into).collect()),
            HOLD => Record::Hold(self.number() == 1),
            NOT_SENT => Record::Department(None),
            SENT_TO => Record::Department(Department::new(self.text())),
            TURNED_AWAY => Record::TurnedAway,
            _ => unreachable!("no record begins here"),
        };
        Some((offset, record))
    }

    fn entry(&mut self) -> Entry {
        let (number, at, [form]) = (self.number(), self.number(), self.bytes());
        let text = self.text();
        let body = match form {
            USER => Body::Message(Said::text(Author::User, text)),
            BOT => Body::Message(Said::text(Author::Bot, text)),
            ADMIN => Body::Message(Said::text(Author::Admin, text)),
            _ => serde_json::from_str(text).expect("it was a body that became this text"),
        };
        Entry { number, at, body }
    }
}

impl<'a> Reader<'a> {
    fn text(&mut self) -> &'a str {
        let length = self.number() as usize;
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        std::str::from_utf8(text).expect("it was a text")
    }

    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let [byte] = self.bytes();
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let (bytes, rest) = self.0.split_first_chunk().expect("a record is written as a whole");
        self.0 = rest;
        *bytes
    }
}

/// The author and the text of a message that has nothing else.
fn plain(body: &Body) -> Option<(u8, &str)> {
    let Body::Message(said) = body else { return None };
    let Said { author, name, text, buttons, image, custom, greeting } = said;
    let has_more = name.is_some() || image.is_some() || custom.is_some();
    if has_more || !buttons.is_empty() || *greeting {
        return None;
    }
    let author = match author {
        Author::User => USER,
        Author::Bot => BOT,
        Author::Admin => ADMIN,
    };
    Some((author, text))
}
