//! What must hold of each record that is journaled and of each message that is sent.

use std::time::Duration;

use handoff::core::record::Record;
use handoff::wire::{
    Body, Conn, ConversationId, ENTRY_MAX, Entry, FRAME_MAX_BEFORE_HELLO, Message, Number, Welcome,
};
use ring::digest::{SHA256, digest};

use super::super::frames::encoded;
use super::{DESK, Edges, Wire, alive};

impl Edges {
    pub(super) fn check_record(&mut self, id: ConversationId, record: &Record) {
        if id == ConversationId::NONE {
            assert!(matches!(record, Record::Away(..)), "{record:?} in no conversation");
            return;
        }
        let begun = |of: &ConversationId, record: &Record| match record {
            Record::Begun { secret, .. } if *of == id => Some(*secret),
            _ => None,
        };
        let before =
            self.disk.records[..self.looked_at].iter().find_map(|(of, record)| begun(of, record));
        match begun(&id, record) {
            Some(secret) => {
                assert!(before.is_none_or(|first| first == secret), "{record:?}: another secret")
            }
            None => assert!(before.is_some(), "{record:?} in a conversation that has not begun"),
        }
        let own = self.own.entry(id).or_default();
        let (theirs, sent) = self.theirs.entry(id).or_default();
        match record {
            Record::Own(entry) | Record::Said(_, entry) => {
                assert_eq!(entry.number, *own + 1, "our numbers have a gap");
                assert!(encoded(&Message::Entry(entry.clone())).len() <= 4 + ENTRY_MAX);
                *own = entry.number;
            }
            Record::Theirs(None, entry) => {
                let ends = |(of, record): &(ConversationId, Record)| match record {
                    Record::Theirs(None, Entry { body: Body::Closed { .. }, .. }) => *of == id,
                    _ => false,
                };
                let may_follow = matches!(entry.body, Body::Refused { .. } | Body::Unknown(_));
                assert!(
                    may_follow || !self.disk.records[..self.looked_at].iter().any(ends),
                    "{entry:?} follows the end"
                );
                assert_eq!(entry.number, *theirs + 1, "the customer's numbers have a gap");
                *theirs = entry.number;
                *sent = entry.number.max(*sent);
            }
            Record::Held(number) => {
                *own = (*own).max(*number);
            }
            Record::Moved { by, .. } => {
                *own += by;
            }
            Record::Delivered(number) => {
                assert!(number <= own, "an entry that does not exist was delivered")
            }
            Record::Focus
            | Record::Begun { .. }
            | Record::Note(_)
            | Record::Idle(_)
            | Record::Ending(_)
            | Record::Offered(_)
            | Record::Owner(_) => {}
            other => panic!("a desk journaled {other:?}"),
        }
    }

    /// Whether the customer ended this conversation before the present turn.
    pub(super) fn has_ended(&self, id: ConversationId) -> bool {
        self.disk.records[..self.former].iter().any(|(of, record)| match record {
            Record::Theirs(None, Entry { body: Body::Closed { .. }, .. }) => *of == id,
            _ => false,
        })
    }

    /// Number of other customers who may count in the queue: those who are connected or were
    /// connected within the last minute.
    pub(super) fn others(&self, id: ConversationId) -> u32 {
        let is_here = |other: &ConversationId| {
            let connected = |wire: &Wire| wire.hello.is_some_and(|(of, ..)| of == *other);
            let since = self.down_since.get(other).map(|down| self.now.clock.duration_since(*down));
            self.wires.iter().flatten().any(connected)
                || since.is_some_and(|since| since < Duration::from_secs(60))
        };
        self.theirs.keys().filter(|other| **other != id && is_here(other)).count() as u32
    }

    /// The desk's own entry that has this number now.
    pub(super) fn own_entry(&self, id: ConversationId, number: Number) -> Option<Entry> {
        self.disk.own(id).into_iter().find(|entry| entry.number == number)
    }

    pub(super) fn check_sent(&mut self, conn: Conn, message: &Message) {
        let frame = encoded(message).len();
        let hello = alive(&mut self.wires, conn).and_then(|wire| wire.hello);
        let others = hello.map_or(0, |(id, ..)| self.others(id));
        let id = hello.map_or(ConversationId::new([0; 16]), |(id, ..)| id);
        let own = self.own.get(&id).copied().unwrap_or(0);
        let journaled = self.theirs.get(&id).map_or(0, |(journaled, _)| *journaled);
        let entry = match message {
            Message::Entry(entry) => self.own_entry(id, entry.number),
            _ => None,
        };
        let Some(wire) = alive(&mut self.wires, conn) else { return };
        assert!(!wire.left, "{message:?} after a goodbye");
        match message {
            Message::Bye { .. } => wire.left = true,
            Message::Busy { retry: 5..30 } if !wire.welcomed => wire.left = true,
            Message::Welcome(Welcome { desk, received, .. }) => {
                let (id, secret, mark) = wire.hello.expect("a welcome answers a hello");
                assert!(!wire.welcomed && *desk == DESK);
                assert!(*received <= self.theirs.get(&id).map_or(0, |(journaled, _)| *journaled));
                let hash = digest(&SHA256, secret.bytes());
                let forged =
                    self.disk.records[..self.former].iter().any(|(of, record)| match record {
                        Record::Begun { secret, .. } => *of == id && secret != hash.as_ref(),
                        _ => false,
                    });
                assert!(!forged, "welcomed with another secret");
                (wire.welcomed, wire.sent) = (true, mark);
            }
            Message::Position { position, .. } if wire.welcomed => {
                assert!(
                    (1..=others + 1).contains(position),
                    "position {position} with {others} other customers"
                );
            }
            Message::Seen { .. } if wire.welcomed => {}
            Message::Agent { .. } if wire.welcomed && wire.knows_agents => {}
            Message::Entry(sent) if wire.welcomed => {
                assert_eq!(entry.as_ref(), Some(sent), "not this customer's, or not journaled");
                assert_eq!(sent.number, wire.sent + 1, "entries have a gap");
                wire.sent = sent.number;
            }
            Message::Ack { number } if wire.welcomed => {
                assert!(*number <= journaled, "entry {number} is acknowledged, not journaled");
                assert!(wire.sent >= own, "an ack was sent before earlier entries");
            }
            other => {
                panic!("{other:?} must not be sent by a desk, or not before the welcome")
            }
        }
        assert!(
            frame <= 4 + FRAME_MAX_BEFORE_HELLO || wire.welcomed,
            "{message:?} is too long before the welcome"
        );
    }
}
