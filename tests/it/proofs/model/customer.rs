//! The customer's side of the model: its disk, its end of the line, its bot and its reports.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use handoff::core::chance::Chance;
use handoff::core::clock::Now;
use handoff::core::outcome::Fact;
use handoff::core::record::{Batch, Committed, Record, Returning};
use handoff::core::report::{Link, Report};
use handoff::core::session::{Errand, Fresh, said_without_bot};
use handoff::core::sessions::Sessions;
use handoff::edge::journal::Journal;
use handoff::turn::{World, Written};
use handoff::wire::{Author, Body, Conn, ConversationId, Entry, Message, Number, Secret, State};

use crate::fuzz::disk::{Death, Died, Disk};

use super::entries::{is_request, state_after};
use super::line::{Line, Shared};

/// The conversation that replaces the first one when a desk reports a fork.
pub const SECOND: ConversationId = ConversationId::new([8; 16]);

pub struct Customer {
    pub chance: Chance,
    pub now: Now,
    pub disk: Disk,
    pub line: Shared,
    conns: u64,
    /// The present conversation.
    pub id: ConversationId,
    /// The ticket of the request that the bot has not answered yet.
    pub asked: Option<u64>,
    /// The return under way: its ticket, and the requests whose talks it sends to the bot.
    pub returning: Option<(u64, Vec<Number>)>,
    /// Requests whose talk with an agent is over, and of which the bot certainly got no message.
    pub untold: Vec<Number>,
    /// The state in the latest report to the customer.
    pub state: State,
    /// The lines that the bot got, and whether the customer typed `/again`.
    pub questions: Vec<String>,
    pub again: bool,
    /// Lines that the bot may not have got, from notices to the customer.
    pub doubted: String,
    /// A desk said 'fork': a new conversation may begin.
    pub contradicted: bool,
    /// The former conversation: its entries, and how many of them a desk has acknowledged.
    former: Option<(Vec<Entry>, Number)>,
    /// The latest reported position and its time.
    position: Option<u32>,
    position_told: Option<Instant>,
    /// Whether a seed is replayed, and so all steps are printed.
    pub traced: bool,
}

impl Customer {
    pub fn new(id: ConversationId, seed: u64, line: Shared, now: Now) -> Customer {
        Customer {
            chance: Chance::new(seed),
            now,
            disk: Disk::new(),
            line,
            conns: 0,
            id,
            asked: None,
            returning: None,
            untold: Vec::new(),
            state: State::Bot,
            questions: Vec::new(),
            again: false,
            doubted: String::new(),
            contradicted: false,
            former: None,
            position: None,
            position_told: None,
            traced: std::env::var_os("MODEL_SEED").is_some(),
        }
    }

    /// The process died. Its requests to the bot are lost, and nobody knows which of them the bot
    /// got.
    pub fn died(&mut self) {
        self.asked = None;
        self.former = None;
        if let Some((_, told)) = self.returning.take() {
            self.untold.retain(|request| !told.contains(request));
        }
        self.left_memory();
    }

    /// The session left memory, and with it the time of its latest report of a position.
    pub fn left_memory(&mut self) {
        (self.position, self.position_told) = (None, None);
    }

    fn trace(&self, what: &impl std::fmt::Debug) {
        if self.traced {
            eprintln!("{:>6} user: {what:?}", self.now.wall);
        }
    }

    /// Notes each talk without the bot that these records end: the bot must get it later.
    fn note_stretches(&mut self, records: &[(ConversationId, Record)]) {
        for (id, record) in records {
            if let Record::Own(Entry {
                body: Body::Withdrawn {} | Body::HandedBack { .. }, ..
            }) = record
            {
                let made = self.disk.own(*id);
                let request = made.iter().rfind(|entry| is_request(entry));
                self.untold.extend(request.map(|entry| entry.number));
            }
        }
    }

    /// Checks that the bot was the owner when this line was typed, and still is.
    fn check_asked(&self, text: &str) {
        let made = self.disk.own(self.id);
        let is_it =
            |entry: &Entry| matches!(&entry.body, Body::Message(said) if &*said.text == text);
        let at = made.iter().position(is_it).expect("a line is recorded before it is asked");
        let (before, after) = made.split_at(at);
        assert_eq!(
            state_after(before),
            State::Bot,
            "the bot was asked '{text}', which was typed for a person"
        );
        assert_eq!(
            state_after(&made),
            State::Bot,
            "the bot was asked '{text}' when it was no longer the owner"
        );
        let handed_over = after.iter().any(is_request);
        assert!(!handed_over, "the bot was asked '{text}', which went to the desk");
    }

    /// Checks that a position is reported only if it has changed, and at most once a second.
    fn told_position(&mut self, position: Option<u32>) {
        if position.is_some() {
            assert!(
                position >= Some(1) && position != self.position,
                "{position:?} was reported before"
            );
            let since = self.position_told.map(|told| self.now.clock.duration_since(told));
            let is_time = since.is_none_or(|since| since >= Duration::from_secs(1));
            assert!(is_time, "a second position was reported after {since:?}");
            self.position_told = Some(self.now.clock);
        }
        self.position = position;
    }

    /// Checks that an agent's line is shown only after an agent of this desk was accepted.
    fn check_heard(&self, number: Number) {
        let mut accepted = BTreeMap::new();
        for (_, record) in self.disk.records.iter().filter(|(id, _)| *id == self.id) {
            match record {
                Record::Own(Entry { body: Body::Accepted { of }, .. }) => {
                    accepted.insert(of.desk, of.number);
                }
                Record::Theirs(Some(desk), entry) if entry.number == number => {
                    let before = accepted.get(desk).is_some_and(|accept| *accept < number);
                    let is_message = matches!(entry.body, Body::Message(_));
                    assert!(before || !is_message, "{entry:?} came before any accept");
                }
                _ => {}
            }
        }
    }

    /// Checks that the second conversation holds each message that no desk acknowledged, once and
    /// in order.
    fn check_carried(&self, former: &[Entry], acked: Number, fresh: &[Entry]) {
        let said = |entries: &[Entry]| {
            let said = entries.iter().filter(|entry| matches!(entry.body, Body::Message(_)));
            said.map(|entry| (entry.at, entry.body.clone())).collect::<Vec<_>>()
        };
        let request =
            former.iter().rposition(is_request).expect("the first conversation has a request");
        let new_request =
            fresh.iter().position(is_request).expect("the second conversation has a request");
        let owed = |entries: &[Entry]| {
            let owed = entries.iter().filter(|entry| entry.number > acked).cloned();
            said(owed.collect::<Vec<_>>().as_slice())
        };
        assert_eq!(said(&fresh[..new_request]), owed(&former[..request]), "the transcripts differ");
        assert_eq!(
            said(&fresh[new_request..]),
            owed(&former[request..]),
            "the lines after the requests differ"
        );
        let is_gapless = fresh.iter().zip(1..).all(|(entry, number)| entry.number == number);
        assert!(is_gapless, "the numbers have a gap");
    }

    fn start_over(&mut self, sessions: &mut Sessions, id: ConversationId) {
        assert!(self.contradicted, "this conversation had no reason to end");
        let Some(session) = sessions.get(id) else { return };
        let former = (self.disk.own(id), *session.undelivered().start() - 1);
        let seed = self.chance.below(u64::MAX);
        let fresh = Fresh { id: SECOND, secret: Secret::new([10; 32]), seed };
        let journal = &self.disk.journal;
        let goes_on = sessions.start_over(id, fresh, |number| journal.own(id, number), self.now);
        if goes_on.expect("in memory") {
            self.former = Some(former);
            self.disk.dies = match self.chance.below(3) {
                0 => Some(Death::BeforeCommit),
                1 => Some(Death::AfterCommit),
                _ => None,
            };
        }
    }
}

impl World<Sessions> for Customer {
    type Stop = Died;

    fn journal(&self) -> &Journal {
        &self.disk.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Died> {
        for record in &records {
            self.trace(record);
        }
        let before = self.disk.records.len();
        let fails = |(_, record): &(ConversationId, Record)| {
            matches!(record, Record::Returning(Returning::Due(_)))
        };
        let has_failed = records.iter().any(fails);
        let committed = self.disk.commit(records);
        // The process died before the journal had the record that the bot got nothing. So nobody
        // knows any more what the bot got.
        if committed.is_err() && has_failed && self.disk.records.len() == before {
            self.untold.clear();
        }
        let records = self.disk.records[before..].to_vec();
        self.note_stretches(&records);
        let leaves = |(_, record): &(ConversationId, Record)| {
            *record == Record::Returning(Returning::UnderWay)
        };
        // The process died when the journal said that the return was under way. Nobody knows
        // whether the bot got it.
        if committed.is_err() && records.iter().any(leaves) {
            self.untold.clear();
        }
        let begins = |(id, record): &(ConversationId, Record)| {
            *id == SECOND && matches!(record, Record::Begun { .. })
        };
        if records.iter().any(begins)
            && let Some((former, acked)) = self.former.take()
        {
            self.check_carried(&former, acked, &self.disk.own(SECOND));
            self.id = SECOND;
            (self.asked, self.returning) = (None, None);
            self.untold.clear();
            (self.position, self.position_told) = (None, None);
        }
        committed
    }

    fn send(&mut self, conn: Conn, message: &Message) -> usize {
        self.trace(message);
        let line = &mut *self.line.borrow_mut();
        if line.conn == Some(conn) { line.up.push(message) } else { 1 }
    }

    fn admit(&mut self, conn: Conn) {
        let line = &mut *self.line.borrow_mut();
        if line.conn == Some(conn) {
            line.down.decoder.accept();
        }
    }

    fn close(&mut self, conn: Conn) {
        let line = &mut *self.line.borrow_mut();
        line.up.closed |= line.conn == Some(conn);
    }

    fn flush(&mut self) {}

    fn run(&mut self, sessions: &mut Sessions, errand: Errand) -> Result<(), Died> {
        self.trace(&errand);
        match errand {
            Errand::Dial(id) => {
                self.conns += 1;
                let conn = Conn(self.conns);
                sessions.dialled(id, conn);
                self.line.replace(Line { conn: Some(conn), is_new: true, ..Line::default() });
            }
            Errand::Ask { ticket, text, .. } => {
                self.check_asked(&text);
                let is_known = self.questions.contains(&text);
                assert!(self.again || !is_known, "the bot was asked '{text}' twice");
                self.questions.push(text);
                self.asked = Some(ticket);
            }
            Errand::Return { conversation, ticket, since } => {
                let is_free = self.returning.is_none() && self.asked.is_none();
                assert!(is_free, "two requests to the bot at once");
                let lines = self.disk.journal.lines_from(conversation, since).expect("in memory");
                self.check_told(&said_without_bot(&lines, since));
                let told = self.untold.iter().copied().filter(|request| *request >= since);
                self.returning = Some((ticket, told.collect()));
            }
            Errand::StartOver(id) => self.start_over(sessions, id),
        }
        Ok(())
    }

    fn tell(&mut self, _: &Sessions, fact: Fact, written: &Written) -> Result<(), Died> {
        self.trace(&fact);
        match fact {
            Fact::Report(_, Report::State { state, position, attended, .. }) => {
                self.state = state;
                if attended.is_some() {
                    self.position = None;
                }
                self.told_position(position);
            }
            // After a lost connection the position may be reported again.
            Fact::Report(_, Report::Link { link: Link::Lost, .. }) => self.position = None,
            Fact::Report(_, Report::News { text }) => self.doubted += &text.to_string(),
            Fact::Report(..) => {}
            Fact::Said(passage) => {
                for entry in written.messages(&passage, &self.disk.journal)? {
                    if entry.said().is_some_and(|said| said.author == Author::Admin) {
                        self.check_heard(entry.number);
                    }
                }
            }
            Fact::Undelivered(..) => panic!("this conversation had no reason to end"),
        }
        Ok(())
    }

    fn show(&mut self, _: &Sessions) {}
}

impl Customer {
    /// The bot gets only messages between people, and none that was for the bot.
    fn check_told(&self, said: &[handoff::wire::Said]) {
        for said in said {
            assert_ne!(said.author, Author::Bot, "the bot got its own message back");
            let asked = self.questions.iter().any(|question| **question == *said.text);
            assert!(!asked, "the bot got '{}' as past, and had got it as a line", said.text);
        }
    }
}
