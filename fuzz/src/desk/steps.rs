//! The steps of a history: customers and agents act, and time passes.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use handoff::core::desk::{Desk, SeatId};
use handoff::core::record::{Ending, Story};
use handoff::core::report::Listed;
use handoff::wire::{
    AGENT, AddressKey, Asked, Author, Body, Code, Conn, ConversationId, END_QUEUED, EndReason,
    Entry, Gateway, Hello, Message, Number, REQUEUE, Request, Said, Secret, State, Welcome,
};
use serde_json::json;

use super::super::choices::Choices;
use super::super::disk::Death;
use super::{CUSTOMERS, DESK, OTHER_DESK, WIRES, Wire, World, agents, gateway_token};

impl World {
    pub(super) fn step(&mut self, step: u8, choices: &mut Choices) {
        match step {
            0..=2 => self.greet(choices),
            3..=13 => self.sends(choices),
            14 => self.hangs_up(choices),
            15..=24 => {
                let seat = choices.of(&self.seats);
                self.types(step, seat, choices);
            }
            25 => {
                let id = customer(choices);
                let number = self.edges.theirs.get(&id).map_or(0, |(journaled, _)| *journaled);
                self.desk.shown(id, number);
            }
            26 => self.pass(choices),
            27 => self.restart(choices),
            28 => self.look(),
            29 => _ = self.desk.take_new_line(choices.of(&self.seats)),
            30 => {
                self.desk.leave();
                self.act();
                self.restart(choices);
            }
            _ => self.changes_hands(choices),
        }
    }

    /// An agent types a command or a line about one of their customers, or about the queue.
    fn types(&mut self, step: u8, seat: SeatId, choices: &mut Choices) {
        let (desk, now) = (&mut self.desk, self.edges.now);
        let note = choices.of(&[None, Some("a note")]);
        match step {
            15..=17 => _ = desk.accept(seat, ordinal(choices), now),
            18 => _ = desk.switch(seat, choices.below(6).into()),
            19 => _ = desk.switch_to_next(seat),
            20..=22 => _ = desk.say(seat, "what the admin typed", now),
            23 if choices.below(2) == 0 => _ = desk.end_soon(seat, None, Ending::Close, note, now),
            23 => _ = desk.end(seat, None, Ending::HandBack, note, now),
            _ => _ = desk.end(seat, None, Ending::Close, note, now),
        }
    }

    /// An agent offers a customer, takes a customer over, leaves or comes; or the file of agents
    /// changes.
    fn changes_hands(&mut self, choices: &mut Choices) {
        let (kind, seat) = (choices.below(12), choices.of(&self.seats));
        let (desk, now) = (&mut self.desk, self.edges.now);
        match kind {
            0..=2 => {
                let to = choices.of(&["robin", "al", "desk", "queue", "nobody"]);
                _ = desk.transfer(seat, None, to, Some("a note"), now);
            }
            3 => _ = desk.decline(seat, choices.below(4).into()),
            4 => _ = desk.take_over(seat, choices.below(4).into(), "a reason", now),
            5 => _ = desk.toggle_watch(seat, choices.below(4).into()),
            6 => desk.set_away(seat, choices.of(&[None, Some(""), Some("lunch")]), now),
            7 if seat != SeatId::TERMINAL => {
                desk.sign_out(seat, now);
                self.seats.retain(|there| *there != seat);
            }
            8 => self.seats.extend(desk.sign_in(choices.of(&["robin", "al"]))),
            9 => {
                let agents = agents(choices.of(&[&["robin", "al"][..], &["al"], &[]]));
                let ended = desk.set_agents(&agents, now);
                self.seats.retain(|there| !ended.contains(there));
                self.options.agents = agents;
            }
            10 => _ = desk.undo(seat, now),
            11 => desk.confirm(seat, now),
            _ => self.act(),
        }
    }

    /// Sends a hello on one of the connections, usually on a fresh one.
    fn greet(&mut self, choices: &mut Choices) {
        let slot = usize::from(choices.byte());
        let id = customer(choices);
        let odd = choices.byte();
        let secret = Secret::new([if odd & 7 == 7 { 8 } else { 9 }; 32]);
        let last = self.edges.own.get(&id).copied().unwrap_or(0);
        let mark = if odd & 8 == 0 { last } else { self.number(last, choices) };
        let theirs = self.edges.theirs.get(&id).map_or(0, |(journaled, _)| *journaled);
        let hello = Hello {
            version: if odd & 0xf0 == 0xf0 { 2 } else { 1 },
            conversation: id,
            secret,
            name: (odd & 16 != 0).then(|| "Ann".to_owned()),
            received: [(DESK, mark), (OTHER_DESK, choices.byte().into())].into(),
            newest: self.number(theirs, choices),
            features: choices
                .of(&[&[][..], &[AGENT], &[AGENT, REQUEUE], &[AGENT, REQUEUE, END_QUEUED]])
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            gateway: (choices.byte() & 1 != 0).then(|| Gateway {
                token: gateway_token(),
                address_key: Some(AddressKey::new([choices.byte() & 3; 16])),
            }),
            former: None,
            is_here: (odd & 64 != 0).then_some(odd & 128 != 0),
        };
        if odd & 32 == 0 {
            self.close(slot);
        }
        let wire = self.wire(slot);
        if wire.hello.is_none() {
            wire.knows_agents = hello.features.iter().any(|feature| feature == AGENT);
        }
        wire.hello = wire.hello.or(Some((id, secret, mark)));
        let conn = wire.conn;
        if !self.desk.knows(id)
            && let Some(story) = self.edges.disk.story(id)
        {
            self.desk.recall(&story, self.edges.now);
        }
        self.desk.received(conn, Message::Hello(Box::new(hello)), self.edges.now);
    }

    /// Sends any message except a hello on one of the connections.
    fn sends(&mut self, choices: &mut Choices) {
        let slot = usize::from(choices.byte());
        let kind = choices.byte();
        let id = self.wire(slot).hello.map_or(ConversationId::new([0; 16]), |(id, ..)| id);
        let own = self.edges.own.get(&id).copied().unwrap_or(0);
        let message = match kind % 16 {
            0..=8 => self.entry(id, kind / 16, choices),
            9..=11 => Message::Ack { number: self.number(own, choices) },
            12 => Message::Seen { number: self.number(own, choices) },
            13 if kind < 128 => Message::Ping {},
            13 if kind < 192 => Message::Typing {},
            13 => Message::Presence { is_here: choices.byte() & 1 != 0 },
            14 => Message::Bye { code: Code::Leaving, text: "bye".to_owned() },
            _ => {
                let (desk, state) = (OTHER_DESK, State::Active);
                Message::Welcome(Welcome { desk, received: 0, state, features: Vec::new() })
            }
        };
        let conn = self.wire(slot).conn;
        self.desk.received(conn, message, self.edges.now);
    }

    fn entry(&mut self, id: ConversationId, kind: u8, choices: &mut Choices) -> Message {
        let own = self.edges.own.get(&id).copied().unwrap_or(0);
        let (_, sent) = self.edges.theirs.get(&id).copied().unwrap_or_default();
        let number = if kind == 15 { self.number(sent, choices) } else { sent + 1 };
        let said = |author| Body::Message(Said::text(author, "what was said"));
        let mut of = || Asked {
            desk: choices.of(&[DESK, DESK, DESK, OTHER_DESK]),
            number: own.saturating_sub(choices.below(3).into()),
        };
        let body = match kind {
            0 | 15 => said(Author::User),
            1 => said(Author::Bot),
            2 => said(Author::Admin),
            3 => Body::Requested(Request { of: Some(of()), ..Request::default() }),
            4 => Body::Requested(Request::default()),
            5 => {
                let department = Some("Returns".into());
                Body::Requested(Request { department, ..Request::default() })
            }
            6 => Body::Withdrawn {},
            7 | 8 => Body::Accepted { of: of() },
            9 => Body::HandedBack { of: of() },
            10 => Body::Closed { of: Some(of()), reason: EndReason::AdminClosed },
            11 => Body::Closed { of: None, reason: EndReason::UserEnded },
            12 => Body::Refused { of: of(), why: "too late".to_owned() },
            13 => Body::Close { request: number },
            _ => Body::Unknown(json!({"later": {}})),
        };
        let (_, sent) = self.edges.theirs.entry(id).or_default();
        *sent = number.max(*sent).min(*sent + 1);
        Message::Entry(Entry { number: number.max(1), at: choices.of(&[0, u64::MAX]), body })
    }

    /// A number near `last`, or an impossible one.
    fn number(&self, last: Number, choices: &mut Choices) -> Number {
        match choices.below(16) {
            0 => 0,
            1 => Number::MAX,
            2 => last.saturating_add((1 << 20) + 1),
            away @ 3..=5 => last.saturating_add(Number::from(away) - 2),
            away @ 6..=8 => last.saturating_sub(Number::from(away) - 5),
            _ => last,
        }
    }

    fn hangs_up(&mut self, choices: &mut Choices) {
        self.close(usize::from(choices.byte()));
    }

    /// Closes the connection in this slot.
    fn close(&mut self, slot: usize) {
        if let Some(wire) = self.edges.wires[slot % WIRES].take() {
            self.desk.disconnected(wire.conn, "cut");
            if let Some((id, ..)) = wire.hello {
                self.edges.down_since.insert(id, self.edges.now.clock);
            }
        }
    }

    /// The connection in this slot; a fresh one if the old one is closed.
    fn wire(&mut self, slot: usize) -> &mut Wire {
        if self.edges.wires[slot % WIRES].as_ref().is_some_and(|wire| wire.closed) {
            self.close(slot);
        }
        let (conns, desk) = (&mut self.edges.conns, &mut self.desk);
        self.edges.wires[slot % WIRES].get_or_insert_with(|| {
            *conns += 1;
            desk.opened(
                Conn(*conns),
                IpAddr::from(Ipv4Addr::new(192, 0, 2, slot as u8 % 2)).into(),
            );
            Wire {
                conn: Conn(*conns),
                hello: None,
                welcomed: false,
                knows_agents: false,
                left: false,
                closed: false,
                sent: 0,
            }
        })
    }

    fn pass(&mut self, choices: &mut Choices) {
        // All inputs of a batch have the same time.
        self.act();
        let minutes = choices.of(&[1, 10, 60, 12 * 60, 24 * 60]);
        self.edges.now.clock += Duration::from_secs(minutes * 60);
        self.edges.now.wall += minutes * 60_000;
        self.act();
        assert!(
            self.desk.deadline() > self.edges.now.clock,
            "the desk's deadline stays in the past"
        );
    }

    /// The process dies before or after its next commit, and is started again.
    fn restart(&mut self, choices: &mut Choices) {
        self.edges.disk.dies = Some(Death::of(choices));
        if self.turn().is_ok() {
            // The turn had no commit at which the process could die.
            self.edges.disk.dies = None;
        }
        self.edges.wires = [const { None }; WIRES];
        let (stories, now) = (self.stories(), self.edges.now);
        self.edges.down_since = stories.iter().map(|story| (story.id, now.clock)).collect();
        let sent = |(journaled, sent): &mut (Number, Number)| *sent = *journaled;
        self.edges.theirs.values_mut().for_each(sent);
        let restart = self.edges.disk.journal.restart().expect("in memory");
        self.desk = Desk::restore(DESK, self.options.clone(), &restart, now);
        self.seats = vec![SeatId::TERMINAL];
        let over = stories.iter().filter(|story| story.is_over());
        assert!(
            over.map(|story| story.id).all(|id| !self.desk.knows(id)),
            "a restarted desk holds an ended conversation"
        );
        self.desk.tell_states();
    }

    fn stories(&self) -> Vec<Story> {
        let journal = &self.edges.disk.journal;
        let id = |ordinal| journal.conversation(ordinal).expect("in memory");
        let ids = (1..=u32::from(CUSTOMERS)).map_while(id);
        ids.filter_map(|id| self.edges.disk.story(id)).collect()
    }

    /// Reads everything that an agent can look at.
    fn look(&mut self) {
        self.act();
        for seat in self.seats.clone() {
            self.look_at(seat);
        }
        assert!(self.desk.colleagues().iter().all(|row| !row.to_string().is_empty()));
        let _ = self.desk.waiting();
        for (id, owed) in self.desk.undelivered() {
            let own = self.edges.own.get(&id).copied().unwrap_or(0);
            assert!(*owed.end() <= own, "an undelivered number was never assigned");
        }
        assert!(!self.desk.is_talking(SeatId::TERMINAL) || self.edges.disk.records.len() > 1);
    }

    /// Reads what an agent sees at this seat.
    fn look_at(&mut self, seat: SeatId) {
        let (now, rows) = (self.edges.now, self.desk.list(seat, self.edges.now));
        assert!(rows.iter().all(|row| !row.to_string().is_empty()));
        let prompt = self.desk.prompt(seat, now);
        assert!(!prompt.to_string().is_empty());
        assert!(prompt.unread == 0 || prompt.customers.talking > 0, "unread lines of nobody");
        let positions = rows.iter().filter_map(|row| match row {
            Listed::Waiting { position, .. } => Some(*position),
            _ => None,
        });
        for (before, position) in positions.enumerate() {
            let may_be = |position: u32| (1..=before as u32 + 1).contains(&position);
            assert!(position.is_none_or(may_be), "{position:?} behind {before} who wait");
        }
        for story in self.stories() {
            // The list shows the lines without an answer, as the journal has them.
            let number = format!("#{} ", story.ordinal);
            let unanswered = rows.iter().find_map(|row| match row {
                Listed::Talking { who, unanswered, .. } if who.starts_with(&number) => {
                    Some(unanswered.map_or(0, |(lines, _)| lines))
                }
                _ => None,
            });
            assert!(unanswered.is_none_or(|lines| lines == story.owed.lines()), "{story:?}");
            // Checks that every list has each customer who waits or talks once.
            let stands = rows.iter().filter(|row| row.to_string().starts_with(&number)).count();
            let owners = self.seats.iter().filter(|seat| self.desk.is_own(**seat, story.id));
            let agents: BTreeSet<_> = owners.map(|seat| self.desk.agent_at(*seat)).collect();
            assert!(agents.len() <= 1, "{agents:?} have a customer: {story:?}");
            assert!(stands <= 1 && stands >= agents.len(), "{stands} rows: {story:?}");
        }
        let is_own = |row: &&Listed| matches!(row, Listed::Talking { agent: None, .. });
        let own = rows.iter().filter(is_own).count();
        assert!(own <= self.desk.customers(seat).talking);
        // A lead may take over more.
        let is_bounded = self.desk.shown_at(seat) == Some("robin");
        let most = if is_bounded { self.options.max_active } else { usize::MAX };
        assert!(own <= most, "{own} customers are more than one may have");
        let _ = self.desk.mark(seat);
        let focus = self.desk.focus(seat);
        // While a backlog arrives, nobody may have the customer in focus.
        let is_anybodys = |id| self.seats.iter().any(|seat| self.desk.is_own(*seat, id));
        assert!(focus.is_none_or(|id| !is_anybodys(id) || self.desk.is_own(seat, id)));
    }
}

fn customer(choices: &mut Choices) -> ConversationId {
    ConversationId::new([choices.below(CUSTOMERS) + 1; 16])
}

fn ordinal(choices: &mut Choices) -> Option<u32> {
    choices.of(&[None, Some(0), Some(1), Some(2), Some(3), Some(u32::MAX)])
}
