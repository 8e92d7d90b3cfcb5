//! What must hold of each record that is journaled and of each message that is sent.

use handoff::core::record::Record;
use handoff::core::session::Fresh;
use handoff::core::sessions::Sessions;
use handoff::wire::{
    Author, Body, Conn, ConversationId, DESKS_MAX, DeskId, ENTRY_MAX, Entry,
    FRAME_MAX_BEFORE_HELLO, Message, Number, Secret, State,
};

use super::super::disk::Disk;
use super::super::frames::encoded;
use super::{Edges, Line};

impl Edges {
    pub(super) fn check_record(&mut self, record: &Record) {
        assert_eq!(
            self.records().next().is_none(),
            matches!(record, Record::Begun { .. }),
            "a conversation begins once"
        );
        match record {
            Record::Own(entry) => {
                assert_eq!(entry.number, self.own + 1, "our numbers have a gap");
                assert!(encoded(&Message::Entry(entry.clone())).len() <= 4 + ENTRY_MAX);
                let by_bot =
                    matches!(&entry.body, Body::Message(said) if said.author == Author::Bot);
                assert!(
                    !by_bot || self.state() == State::Bot,
                    "the bot spoke into a human's conversation"
                );
                self.own = entry.number;
            }
            Record::Theirs(Some(desk), entry) => {
                let accepted = |record: &Record| match record {
                    Record::Own(Entry { body: Body::Accepted { of }, .. }) => of.desk == *desk,
                    _ => false,
                };
                let is_message = matches!(entry.body, Body::Message(_));
                assert!(
                    !is_message || self.records().any(accepted),
                    "{entry:?} came before any accept"
                );
                let last = self.theirs.entry(*desk).or_default();
                assert_eq!(entry.number, *last + 1, "the desk's numbers have a gap");
                *last = entry.number;
            }
            Record::Met(_, number) | Record::Acked(_, number) => {
                assert!(*number <= self.own, "{record:?} names an entry that does not exist");
            }
            // After a restart the bot gets the lines from this number on.
            Record::Asking(Some(number)) => {
                assert!(*number <= self.own + 1, "{record:?} skips a line");
            }
            Record::Begun { .. }
            | Record::Asking(None)
            | Record::Returning(_)
            | Record::Idle(_) => {}
            other => panic!("a customer's side journaled {other:?}"),
        }
    }

    /// The records of the present conversation.
    pub(super) fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        let of_it = self.disk.records[..self.looked_at].iter().filter(|(id, _)| *id == self.id);
        of_it.map(|(_, record)| record)
    }

    pub(super) fn own_entry(&self, number: Number) -> Option<Entry> {
        self.records().find_map(|record| match record {
            Record::Own(entry) if entry.number == number => Some(entry.clone()),
            _ => None,
        })
    }

    /// Begins a new conversation with the messages that no desk acknowledged: each once, in order
    /// and unchanged.
    pub(super) fn start_over(&mut self, sessions: &mut Sessions) {
        let session = sessions.get(self.id).expect("the customer has a session");
        let owed: Vec<Entry> = session.undelivered().filter_map(|n| self.own_entry(n)).collect();
        let goes_on = matches!(self.state(), State::Queued | State::Active);
        // Each new conversation gets a new id, because a restart forgets why the last conversation
        // began.
        let id = ConversationId::new([self.id.bytes()[0].wrapping_add(1); 16]);
        let fresh = Fresh { id, secret: Secret::new([10; 32]), seed: 3 };
        let journal = &self.disk.journal;
        let former = self.id;
        let begun = sessions.start_over(former, fresh, |n| journal.own(former, n), self.now);
        if begun.expect("no read fails here") {
            assert!(goes_on, "a new conversation replaced one that could go on");
            let (disk, conns) = (std::mem::replace(&mut self.disk, Disk::new()), self.conns);
            let looked_at = self.looked_at;
            let fresh = Edges::new(id, self.now);
            *self = Edges { disk, looked_at, conns, carried: Some(owed), ..fresh };
        }
    }

    pub(super) fn check_carried(&self, owed: Vec<Entry>) {
        let said = |entries: Vec<Entry>| {
            let said = entries.into_iter().filter(|entry| entry.said().is_some());
            said.map(|entry| (entry.at, entry.body)).collect::<Vec<_>>()
        };
        let carried = (1..=self.own).filter_map(|number| self.own_entry(number)).collect();
        assert_eq!(said(carried), said(owed), "the new conversation has other messages");
        assert_eq!(self.state(), State::Queued);
    }

    pub(super) fn check_sent(&mut self, conn: Conn, message: &Message) {
        let (own, theirs, entry) = (
            self.own,
            self.theirs.clone(),
            match message {
                Message::Entry(entry) => self.own_entry(entry.number),
                _ => None,
            },
        );
        let is_desks = matches!(self.state(), State::Queued | State::Active);
        let control = self.last_control();
        let Some(line) = self.alive(conn) else { return };
        assert!(!line.left, "{message:?} after a goodbye");
        let known = line.desk.and_then(|desk| theirs.get(&desk).copied()).unwrap_or(0);
        match message {
            Message::Hello(hello) => {
                let is_first = line.connected && !std::mem::replace(&mut line.hello, true);
                assert!(is_first, "a second hello");
                assert!(hello.newest <= own && hello.received.len() <= DESKS_MAX);
                let is_durable = |(desk, number): (&DeskId, &Number)| {
                    *number <= theirs.get(desk).copied().unwrap_or(0)
                };
                assert!(
                    hello.received.iter().all(is_durable),
                    "a mark names an entry that is not journaled"
                );
            }
            Message::Bye { .. } => line.left = true,
            Message::Ack { number } => assert_eq!(*number, known, "it differs from the journal"),
            Message::Seen { number } => assert!(*number <= known, "{number} is not journaled"),
            Message::Entry(sent) => {
                assert!(line.desk.is_some(), "an entry was sent before the welcome");
                assert_eq!(entry.as_ref(), Some(sent), "it differs from the journal");
                assert_eq!(sent.number, line.sent + 1, "entries have a gap");
                let is_for_desk = is_desks || sent.number <= control;
                assert!(is_for_desk, "the desk got a message that was for the bot");
                line.sent = sent.number;
            }
            other => panic!("a customer's side sent {other:?}"),
        }
        let is_entry = matches!(message, Message::Entry(_));
        assert!(is_entry || encoded(message).len() <= 4 + FRAME_MAX_BEFORE_HELLO, "too long");
    }

    /// The connection, if it is open.
    pub(super) fn alive(&mut self, conn: Conn) -> Option<&mut Line> {
        self.line.as_mut().filter(|line| line.conn == conn && !line.closed)
    }

    /// The state of the conversation, from its journal.
    pub(super) fn state(&self) -> State {
        let state = |record: &Record| match record {
            Record::Own(Entry { body, .. }) => match body {
                Body::Requested { .. } => Some(State::Queued),
                Body::Accepted { .. } => Some(State::Active),
                Body::Withdrawn {} | Body::HandedBack { .. } => Some(State::Bot),
                Body::Closed { .. } => Some(State::Closed),
                _ => None,
            },
            _ => None,
        };
        self.records().rev().find_map(state).unwrap_or(State::Bot)
    }

    /// The number of our latest control. In the state `bot` all messages after it are for the bot.
    pub(super) fn last_control(&self) -> Number {
        let control = |record: &Record| match record {
            Record::Own(Entry { number, body, .. }) if !matches!(body, Body::Message(_)) => {
                Some(*number)
            }
            _ => None,
        };
        self.records().rev().find_map(control).unwrap_or(0)
    }
}
