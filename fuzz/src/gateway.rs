//! Customers' browsers and a gateway: streams open, break off at any moment and come back,
//! customers leave memory, and the gateway starts again. Each page shows every event of its
//! customer once and in order, and an open stream has the newest one. No customer with an open
//! stream has gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use handoff::core::clock::Now;
use handoff::core::customer::{Belongings, CustomerId, Token, TokenHash};
use handoff::core::gateway::{
    Event, EventId, Gateway, LATEST, Limits, Output, Present, Reader, Replay, STREAMS_MAX,
};
use handoff::core::record::{Line, Offset, What};
use handoff::core::session::{Fresh, Session};
use handoff::wire::{Author, Body, Conn, ConversationId, DeskId, Entry, Number, Said, Secret};
use serde_json::Value;

use super::choices::Choices;

const CUSTOMERS: u8 = 2;
const BROWSERS: u8 = 6;
const LIMITS: Limits = Limits { customers: 10, per_address: 10, rate: 5, asks_to_agree: false };

pub fn gateway(data: &[u8]) {
    let mut choices = Choices(data);
    let mut world = World::new();
    while !choices.is_over() {
        world.step(&mut choices);
        world.check();
    }
}

/// The journal, the gateway, and the browsers of all customers.
struct World {
    now: Now,
    epoch: u32,
    journal: [Vec<Talk>; CUSTOMERS as usize],
    gateway: Gateway,
    browsers: [Browser; BROWSERS as usize],
    /// Streams so far.
    streams: u64,
    /// The conversations whose sessions know that the customer has gone.
    gone: BTreeSet<ConversationId>,
}

/// One conversation: its session, and whether each of its entries is an event.
struct Talk {
    session: Session,
    entries: Vec<bool>,
}

/// What one page knows.
#[derive(Default)]
struct Browser {
    stream: Option<(Conn, Reader)>,
    /// The id of the last event that came.
    last: Option<EventId>,
    /// The numbers of the events that it shows.
    shown: Vec<u64>,
    /// The tag of the last `now`.
    tag: u64,
}

impl World {
    fn new() -> World {
        let now = Now { clock: Instant::now(), wall: 0 };
        let mut world = World {
            now,
            epoch: 1,
            journal: Default::default(),
            gateway: Gateway::new(1, LIMITS),
            browsers: Default::default(),
            streams: 0,
            gone: BTreeSet::new(),
        };
        (0..CUSTOMERS).for_each(|of| world.begin(of));
        world
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let at = usize::from(choices.below(BROWSERS));
        let of = of_browser(at);
        match choices.below(16) {
            0..4 => self.commit(of, choices),
            4..7 => self.open(at, Reader::Events, choices),
            7..9 => self.open(at, Reader::Held, choices),
            9 => self.cut(at),
            10 => self.begin(of),
            11 => self.wait(choices),
            12 => self.answer_ping(at),
            13 => self.gateway.forget(id(of)),
            14 => self.start_again(choices),
            _ => (0..60).for_each(|_| self.commit(of, choices)),
        }
        for (conversation, is_here) in self.gateway.take_presences() {
            match is_here {
                true => self.gone.remove(&conversation),
                false => self.gone.insert(conversation),
            };
        }
    }

    /// The customer begins another conversation.
    fn begin(&mut self, of: u8) {
        let talks = &mut self.journal[usize::from(of)];
        let conversation = ConversationId::new([of * 16 + talks.len() as u8 % 16; 16]);
        if talks.len() >= 4 {
            return;
        }
        let fresh = Fresh { id: conversation, secret: Secret::new([9; 32]), seed: 1 };
        let session = Session::new(fresh, None, "desk:1".to_owned(), self.now);
        talks.push(Talk { session, entries: Vec::new() });
        if self.gateway.knows(id(of)) {
            self.gateway.begin(id(of), conversation);
        } else {
            self.take_up(of);
        }
        self.write(true);
    }

    /// The journal commits an entry of the present conversation.
    fn commit(&mut self, of: u8, choices: &mut Choices<'_>) {
        let is_event = choices.below(4) > 0;
        let Some(talk) = self.journal[usize::from(of)].last_mut() else { return };
        talk.entries.push(is_event);
        let line = line(talk.entries.len() as u64, is_event);
        let conversation = talk.session.id();
        self.gateway.committed(conversation, &line, None, |_| None);
        self.gateway.changed(&Present::of(&talk.session), conversation, self.now);
        self.write(true);
    }

    /// A browser opens a stream that goes on after the last event that it knows.
    fn open(&mut self, at: usize, reader: Reader, choices: &mut Choices<'_>) {
        if self.browsers[at].stream.is_some() {
            return;
        }
        let of = of_browser(at);
        self.take_up(of);
        let after = match choices.below(8) {
            0 => None,
            1 => Some(EventId { epoch: self.epoch, number: u64::MAX }),
            _ => self.browsers[at].last,
        };
        let replay = self.gateway.replay(id(of), after);
        let events = self.events(of, &replay);
        let Some(talk) = self.journal[usize::from(of)].last() else { return };
        self.streams += 1;
        let conn = Conn(self.streams);
        let (present, tag) = (Present::of(&talk.session), self.browsers[at].tag);
        let told = (&present, tag);
        self.gateway.open(conn, (id(of), token()), reader, (&replay, &events), told, self.now);
        self.browsers[at].stream = Some((conn, reader));
        self.write(choices.below(4) > 0);
    }

    /// The events that the journal has in these parts.
    fn events(&self, of: u8, replay: &Replay) -> Vec<Event> {
        let mut number = replay.first;
        let mut events = Vec::new();
        for (conversation, passed) in &replay.parts {
            let talks = &self.journal[usize::from(of)];
            let talk = talks.iter().find(|talk| talk.session.id() == *conversation);
            let entries = &talk.expect("a part is of the journal").entries;
            for (is_event, at) in entries.iter().zip(1..).skip(*passed as usize) {
                let line = line(at, *is_event);
                let at = (id(of), number);
                events.extend(self.gateway.event(at, *conversation, &line, None, |_| None));
                number += 1;
            }
        }
        events
    }

    /// A connection breaks.
    fn cut(&mut self, at: usize) {
        if let Some((conn, _)) = self.browsers[at].stream.take() {
            assert_eq!(self.gateway.closed(conn, self.now), Some(id(of_browser(at))));
        }
    }

    fn wait(&mut self, choices: &mut Choices<'_>) {
        self.now.clock += Duration::from_secs(u64::from(choices.below(60)));
        self.gateway.tick(self.now);
        self.write(true);
        assert!(self.gateway.deadline().is_none_or(|at| at > self.now.clock));
    }

    fn answer_ping(&mut self, at: usize) {
        let known = self.gateway.here(id(of_browser(at)), "0", self.now);
        assert!(!known, "streams have ids from 1");
    }

    /// The gateway starts again with the epoch of its journal or, in a third of the cases, of a new
    /// one.
    fn start_again(&mut self, choices: &mut Choices<'_>) {
        self.gateway.leave(5);
        self.write(choices.below(2) > 0);
        self.browsers.iter_mut().for_each(|browser| browser.stream = None);
        self.epoch += u32::from(choices.below(3) == 0);
        self.gateway = Gateway::new(self.epoch, LIMITS);
    }

    /// Takes a customer from the journal into memory.
    fn take_up(&mut self, of: u8) {
        if !self.gateway.knows(id(of)) {
            let talks = &self.journal[usize::from(of)];
            let talks = talks.iter().map(|talk| (talk.session.id(), talk.entries.len() as u64));
            let conversations = talks.collect();
            let belongings = Belongings { conversations, ..Belongings::default() };
            self.gateway.insert(id(of), belongings, self.now);
        }
    }

    /// The gateway's output goes to the browsers, or is lost on its way with its connection.
    fn write(&mut self, arrives: bool) {
        for Output { conn, bytes, ends, .. } in self.gateway.take_output(self.now) {
            let at =
                self.browsers.iter().position(|it| it.stream.is_some_and(|(of, _)| of == conn));
            let at = at.expect("output is only for open streams");
            let epoch = self.epoch;
            let browser = &mut self.browsers[at];
            if arrives {
                browser.hear(&bytes, epoch);
            }
            if ends {
                browser.stream = None;
            } else if !arrives {
                self.cut(at);
            }
        }
    }

    /// Checks that every page shows what it must.
    fn check(&self) {
        let mut open = BTreeMap::<u8, usize>::new();
        for (at, browser) in self.browsers.iter().enumerate() {
            let of = of_browser(at);
            let entries = || self.journal[usize::from(of)].iter().flat_map(|talk| &talk.entries);
            let numbers = (1..).zip(entries()).filter(|(_, is_event)| **is_event);
            let all: Vec<u64> = numbers.map(|(number, _)| number).collect();
            let from = all.partition_point(|number| browser.shown.first() > Some(number));
            assert!(all[from..].starts_with(&browser.shown), "{:?} of {all:?}", browser.shown);
            if let Some((_, reader)) = browser.stream {
                let present = self.journal[usize::from(of)].last().map(|talk| talk.session.id());
                assert!(present.is_none_or(|id| !self.gone.contains(&id)), "gone, with a stream");
                *open.entry(of).or_default() += 1;
                let is_whole = all.len() - from == browser.shown.len();
                let is_new =
                    browser.shown.is_empty() && entries().rev().take(LATEST as usize).all(|is| !is);
                assert!(is_whole || is_new, "an open stream ({reader:?}) lacks events");
            }
        }
        assert!(open.values().all(|streams| *streams <= STREAMS_MAX));
    }
}

impl Browser {
    /// Reads events as the page does.
    fn hear(&mut self, bytes: &[u8], epoch: u32) {
        let text = std::str::from_utf8(bytes).expect("events are text");
        if let Some((_, Reader::Held)) = self.stream {
            let body: Value = serde_json::from_str(text).expect("an answer is JSON");
            for event in body["events"].as_array().expect("events") {
                self.take(event["id"].as_str(), event, epoch);
            }
            return;
        }
        for event in text.split_terminator("\n\n") {
            let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
            let data = field("data: ").expect("an event has data");
            let data: Value = serde_json::from_str(data).expect("data is JSON");
            self.take(field("id: "), &data, epoch);
        }
    }

    fn take(&mut self, id: Option<&str>, event: &Value, epoch: u32) {
        if event["event"] == "reset" {
            self.shown.clear();
            self.last = None;
        }
        if let Some(tag) = event["tag"].as_str() {
            self.tag = u64::from_str_radix(tag, 16).expect("a tag is hexadecimal");
        }
        if let Some(id) = id {
            let id = EventId::parse(id).expect("an id");
            assert_eq!(id.epoch, epoch);
            assert!(self.last.is_none_or(|last| last.number < id.number), "shown twice");
            self.shown.push(id.number);
            self.last = Some(id);
        }
    }
}

fn of_browser(at: usize) -> u8 {
    // The first customer has more browsers than streams.
    u8::from(at > STREAMS_MAX)
}

fn token() -> TokenHash {
    Token::new([4; 16]).hash()
}

fn id(of: u8) -> CustomerId {
    CustomerId::new([of; 16])
}

/// An entry: a message, or a desk's control, which is no event.
fn line(number: Number, is_event: bool) -> Line {
    let (from, body) = match is_event {
        true => (None, Body::Message(Said::text(Author::User, "hello"))),
        false => (Some(DeskId::new([1; 16])), Body::Close { request: 1 }),
    };
    Line {
        offset: Offset(number),
        own: is_event,
        agent: None,
        what: What::Entry(from, Entry { number, at: 0, body }),
    }
}
