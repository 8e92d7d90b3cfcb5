//! The documented session, played to the real customer's side without sockets.

use std::time::{Duration, Instant};

use handoff::core::clock::Now;
use handoff::core::outcome::Fact;
use handoff::core::record::{Batch, Committed};
use handoff::core::reply::{self, Triggers};
use handoff::core::session::{Errand, Fresh, Resumed, Session};
use handoff::core::sessions::Sessions;
use handoff::edge::journal::{Fault, Journal};
use handoff::turn::{World, Written, turn};
use handoff::wire::{self, Conn, ConversationId, Message, Secret, encode};
use serde_json::{Value, json};

use crate::support::session::{Step, masked, parse};

use super::{decoded, session};

/// The customer's side on one connection after the other.
struct User {
    sessions: Sessions,
    world: Ends,
    id: ConversationId,
    now: Now,
    /// The bot's reply so far.
    reply: Vec<Value>,
}

/// The world of the customer's side, and the messages that it sends.
struct Ends {
    journal: Journal,
    conn: Conn,
    dialling: bool,
    closed: bool,
    asked: Option<u64>,
    /// The ticket of the return that the bot has not answered yet.
    returning: Option<u64>,
    sent: Vec<Message>,
}

impl World<Sessions> for Ends {
    type Stop = Fault;

    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Fault> {
        self.journal.commit(records).map_err(|(fault, _)| fault)
    }

    fn send(&mut self, _: Conn, message: &Message) -> usize {
        self.sent.push(message.clone());
        let mut bytes = Vec::new();
        encode(message, &mut bytes);
        bytes.len()
    }

    fn admit(&mut self, _: Conn) {}

    fn close(&mut self, conn: Conn) {
        self.closed |= conn == self.conn;
    }

    fn flush(&mut self) {}

    fn run(&mut self, sessions: &mut Sessions, errand: Errand) -> Result<(), Fault> {
        match errand {
            Errand::Dial(id) => {
                self.conn = Conn(self.conn.0 + 1);
                self.dialling = true;
                sessions.dialled(id, self.conn);
            }
            Errand::Ask { ticket, .. } => self.asked = Some(ticket),
            Errand::Return { ticket, .. } => self.returning = Some(ticket),
            Errand::StartOver(_) => panic!("this desk reports no fork"),
        }
        Ok(())
    }

    fn tell(&mut self, _: &Sessions, _: Fact, _: &Written) -> Result<(), Fault> {
        Ok(())
    }

    fn show(&mut self, _: &Sessions) {}
}

impl User {
    /// A session with the id and the secret of the documented hello.
    fn new() -> User {
        let hello = session().into_iter().find_map(|step| match step {
            Step::User(body) => parse(body).get("hello").cloned(),
            _ => None,
        });
        let hello = hello.expect("the session begins with a hello");
        let id: ConversationId =
            serde_json::from_value(hello["conversation"].clone()).expect("an id");
        let secret: Secret = serde_json::from_value(hello["secret"].clone()).expect("a secret");
        let name = hello["name"].as_str().map(str::to_owned);
        let now = Now { clock: Instant::now(), wall: 0 };
        let fresh = Fresh { id, secret, seed: 1 };
        let mut sessions = Sessions::new(1, now);
        sessions.insert(Session::new(fresh, name, "desk:1".to_owned(), now));
        let world = Ends {
            journal: Journal::in_memory(),
            conn: Conn(0),
            dialling: false,
            closed: false,
            asked: None,
            returning: None,
            sent: Vec::new(),
        };
        User { sessions, world, id, now, reply: Vec::new() }
    }

    fn session(&mut self) -> &mut Session {
        self.sessions.input(self.id).expect("it is there")
    }

    fn settle(&mut self) {
        turn(&mut self.sessions, &mut self.world, self.now).expect("memory has no faults");
        // The bot accepts the return at once.
        if let Some(ticket) = self.world.returning.take() {
            let now = self.now;
            self.session().returned(ticket, Resumed::Yes, now);
            turn(&mut self.sessions, &mut self.world, self.now).expect("memory has no faults");
        }
    }

    /// Gives the session the bot's whole reply.
    fn answer(&mut self) {
        if self.reply.is_empty() {
            return;
        }
        let body = Value::Array(std::mem::take(&mut self.reply)).to_string();
        let items = reply::parse(body.as_bytes()).expect("a reply of the bot");
        let (ticket, now) = (self.world.asked.take().expect("the bot was asked"), self.now);
        self.session().answered(ticket, Ok(Triggers::default().read(items)), now);
        self.settle();
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Customer("/human") => {
                let now = self.now;
                self.session().ask_for_human(now).expect("the bot is the owner");
            }
            Step::Customer(line) => {
                let now = self.now;
                self.session().say(line, now).expect("the line has an addressee");
            }
            Step::Connected => {
                self.now.clock += Duration::from_secs(20);
                self.settle();
                assert!(
                    std::mem::take(&mut self.world.dialling),
                    "the customer's side does not dial"
                );
                let conn = self.world.conn;
                self.session().connected(conn, None, None);
            }
            Step::Cut => self.sessions.disconnected(self.world.conn, "cut", self.now),
            Step::Closed => {
                assert!(
                    std::mem::take(&mut self.world.closed),
                    "the customer's side does not close the connection"
                );
                self.sessions.disconnected(self.world.conn, "closed", self.now);
            }
            Step::Desk(body) => {
                let message = decoded(body).expect("it is valid").expect("it is known");
                let is_right = self.sessions.received(self.world.conn, message, self.now);
                assert!(is_right, "the customer's side refuses {body}");
                return;
            }
            Step::Bot(text) => return self.reply.push(json!({ "text": text })),
            Step::Admin(_) | Step::User(_) => {}
        }
        self.settle();
    }
}

#[test]
fn a_customers_side_sends_the_documented_frames() {
    let mut user = User::new();
    user.settle();
    let steps = session();
    for (at, step) in steps.iter().enumerate() {
        if let Step::User(expected) = step {
            // The program sends a goodbye when it ends. The pure side only closes the connection.
            if parse(expected).get("bye").is_none() {
                assert!(!user.world.sent.is_empty(), "the customer's side did not send {expected}");
                let said = serde_json::to_string(&user.world.sent.remove(0)).expect("a message");
                assert_eq!(
                    masked(&said, "-"),
                    masked(expected, "-"),
                    "the frame of the customer's side"
                );
            }
        } else {
            assert_eq!(user.world.sent, [], "the customer's side sent more before {step:?}");
        }
        user.play(*step);
        let next = steps.get(at + 1);
        if !matches!(next, Some(Step::Bot(_))) {
            user.answer();
        }
        // All frames of one piece are handled before anything is sent.
        if !matches!(next, Some(Step::Desk(_))) {
            user.settle();
        }
    }
    let session = user.session();
    assert_eq!(session.state(), wire::State::Closed);
    assert!(session.is_settled() && session.is_disconnected());
}
