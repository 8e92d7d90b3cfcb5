//! Two ends over a line that cuts at any message, with processes that die at a commit, on virtual
//! time, from a seed. Both run the turn that ships.
//!
//! After every history the line heals, and then both journals must tell the same story: every
//! line once, in order, the same state at both ends, and never a request to the bot while it did not
//! own the conversation. A failing seed is printed and replays with `MODEL_SEED=n`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use handoff::core::chance::Chance;
use handoff::core::clock::Now;
use handoff::core::desk::{self, Desk};
use handoff::core::reply::{Handoff, Reply};
use handoff::core::session::{Fresh, Resumed, Session};
use handoff::core::sessions::Sessions;
use handoff::turn::turn;
use handoff::wire::{Author, Code, Conn, ConversationId, DeskId, Message, Said, Secret, State};

use crate::fuzz::disk::{Death, Died, Disk};

use care::Care;
use customer::{Customer, SECOND};
use line::{Line, Shared};

mod care;
mod customer;
mod entries;
mod line;
mod oracle;

const ID: ConversationId = ConversationId::new([7; 16]);

struct World {
    chance: Chance,
    now: Now,
    sessions: Sessions,
    customer: Customer,
    desk: Desk,
    desk_id: DeskId,
    care: Care,
    /// The journals of desks that lost theirs.
    former: Vec<Disk>,
    line: Shared,
    /// No more faults.
    heals: bool,
    said: u64,
    /// How often the desk had forgotten the customer and knew them again.
    recalled: u32,
    /// How often the session had left memory and was read again.
    read_again: u32,
    /// What was in a desk's journal that was set back, and whether it has not heard of the customer
    /// since.
    lost: Vec<handoff::wire::Entry>,
    set_back: bool,
    was_set_back: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let desk_id = DeskId::new([1; 16]);
        let now = Now { clock: Instant::now(), wall: 0 };
        let line = Shared::default();
        let mut sessions = Sessions::new(seed, now);
        let fresh = Fresh { id: ID, secret: Secret::new([9; 32]), seed };
        sessions.insert(Session::new(fresh, None, "desk:1".to_owned(), now));
        World {
            chance: Chance::new(seed),
            now,
            sessions,
            customer: Customer::new(ID, seed ^ 1, line.clone(), now),
            desk: Desk::new(desk_id, desk::Options::default(), now),
            desk_id,
            care: Care::new(line.clone(), now),
            former: Vec::new(),
            line,
            heals: false,
            said: 0,
            recalled: 0,
            read_again: 0,
            lost: Vec::new(),
            set_back: false,
            was_set_back: false,
        }
    }

    /// The session, which may have left memory.
    fn session(&mut self) -> &mut Session {
        if self.sessions.get(self.customer.id).is_none() {
            self.read_again += 1;
            self.customer.left_memory();
            self.restore_session();
        }
        self.sessions.input(self.customer.id).expect("the customer has a session")
    }

    fn state(&mut self) -> State {
        self.session().state()
    }

    /// One step of everybody, chosen by chance.
    fn step(&mut self) {
        let now = self.now;
        match self.chance.below(100) {
            0..15 => self.customer_types(),
            15..25 => self.agent_types(),
            25..55 => self.deliver_up(),
            55..80 => self.deliver_down(),
            80..88 => self.bot_answers(),
            88..91 => _ = self.session().ask_for_human(now),
            91..92 => _ = self.session().withdraw(now),
            92..95 => _ = self.desk.accept(None, now),
            95..96 => _ = self.desk.hand_back(None, now),
            96..97 => self.cut(),
            97..98 => self.rarely(),
            _ => self.pass(Duration::from_millis(700)),
        }
        // Else the next input comes in the same batch.
        if self.chance.below(8) > 0 {
            self.settle();
        }
    }

    fn rarely(&mut self) {
        let now = self.now;
        match self.chance.below(12) {
            10 => self.contradict(),
            11 => self.sessions.unwatch(self.customer.id),
            0 => _ = self.session().end(now),
            1 => _ = self.desk.close(Some("private"), now),
            2 => self.lose_desk(),
            3 => self.kill_customer(),
            4 => self.kill_desk(),
            5 => self.set_back_desk(),
            6 => self.customer.again |= self.session().ask_again(now).is_ok(),
            _ => self.cut(),
        }
    }

    fn customer_types(&mut self) {
        self.said += 1;
        let (text, now) = (format!("user {}", self.said), self.now);
        let _ = self.session().say(&text, now);
    }

    fn agent_types(&mut self) {
        self.said += 1;
        let _ = self.desk.say(&format!("admin {}", self.said), self.now);
    }

    fn bot_answers(&mut self) {
        let now = self.now;
        if let Some(ticket) = self.customer.asked.take() {
            self.said += 1;
            let said = vec![Said::text(Author::Bot, &format!("bot {}", self.said))];
            let handoff = (self.chance.below(4) == 0).then_some(Handoff { reason: None });
            self.session().answered(ticket, Ok(Reply { said, handoff }), now);
        }
        if let Some((ticket, told)) = self.customer.returning.take() {
            let outcome = match self.chance.below(4) {
                0 if !self.heals => Resumed::Unreached("refused".to_owned()),
                1 if !self.heals => Resumed::Failed("it broke off".to_owned()),
                _ => Resumed::Yes,
            };
            if !matches!(outcome, Resumed::Unreached(_)) {
                self.customer.untold.retain(|request| !told.contains(request));
            }
            self.session().returned(ticket, outcome, now);
        }
    }

    fn deliver_up(&mut self) {
        let (conn, message, closed) = {
            let line = &mut *self.line.borrow_mut();
            (line.conn, line.up.pop(), line.up.closed)
        };
        let Some(conn) = conn else { return };
        match message {
            Some(message) => self.hear(conn, message),
            None if closed => self.cut(),
            None => {}
        }
    }

    /// The desk hears a message, and recalls before whom it had forgotten. A customer's side of a
    /// later release may name features.
    fn hear(&mut self, conn: Conn, mut message: Message) {
        if let Message::Hello(hello) = &mut message {
            if self.chance.below(4) == 0 {
                hello.features.push("later".to_owned());
            }
            if !self.desk.knows(hello.conversation)
                && let Some(story) = self.care.disk.story(hello.conversation)
            {
                self.desk.recall(&story, self.now);
                self.recalled += 1;
                self.care.is_unlisted = true;
            }
            self.set_back = false;
        }
        self.desk.received(conn, message, self.now);
    }

    fn deliver_down(&mut self) {
        let (conn, message, closed) = {
            let line = &mut *self.line.borrow_mut();
            (line.conn, line.down.pop(), line.down.closed)
        };
        let Some(conn) = conn else { return };
        match message {
            Some(mut message) => {
                if let Message::Welcome(welcome) = &mut message
                    && self.chance.below(4) == 0
                {
                    welcome.features.push("later".to_owned());
                }
                let is_right = self.sessions.received(conn, message, self.now);
                assert!(is_right, "the desk broke the protocol");
            }
            None if closed => self.cut(),
            None => {}
        }
    }

    /// The line breaks: a first part of what was on its way still arrives, the rest is lost.
    fn cut(&mut self) {
        let Line { conn, is_new, mut up, .. } = self.line.take();
        let Some(conn) = conn else { return };
        if !is_new {
            for _ in 0..self.chance.below(up.frames.len() as u64 + 1) {
                let message = up.pop().expect("counted");
                self.hear(conn, message);
            }
            self.desk.disconnected(conn, "cut");
        }
        self.sessions.disconnected(conn, "cut", self.now);
    }

    /// The desk's process dies with its journal: another desk answers at its address.
    fn lose_desk(&mut self) {
        self.cut();
        self.settle();
        let number = self.former.len() as u8 + 2;
        self.desk_id = DeskId::new([number; 16]);
        self.desk = Desk::new(self.desk_id, desk::Options::default(), self.now);
        let care = Care::new(self.line.clone(), self.now);
        self.former.push(std::mem::replace(&mut self.care, care).disk);
        self.set_back = false;
        // Who dialled the one that died has no line to this one.
        self.cut();
    }

    /// The desk says that it remembers something else, and another desk answers at its address from
    /// then on. The customer's process may die before the new conversation is in its journal: then
    /// it goes on with the old one.
    fn contradict(&mut self) {
        let is_desks = matches!(self.state(), State::Queued | State::Active);
        let Line { conn: Some(conn), is_new: false, .. } = *self.line.borrow() else { return };
        if !is_desks || self.customer.id != ID {
            return;
        }
        self.settle();
        let bye = Message::Bye { code: Code::Fork, text: "no".to_owned() };
        let is_right = self.sessions.received(conn, bye, self.now);
        assert!(is_right, "a goodbye has a place everywhere");
        self.customer.contradicted = true;
        self.lose_desk();
        if self.customer.id == ID {
            // Who was parted dials again after a restart.
            self.kill_customer();
        }
    }

    /// The customer's process dies before or after its next commit, and is started again.
    fn kill_customer(&mut self) {
        self.customer.disk.dies = Some(self.death());
        self.customer_types();
        self.settle_customer();
        if self.customer.disk.dies.take().is_some() {
            // Nothing was committed meanwhile.
            self.restart_customer();
        }
    }

    fn restart_customer(&mut self) {
        self.customer.died();
        self.cut();
        self.sessions = Sessions::new(self.chance.below(u64::MAX), self.now);
        match self.customer.disk.latest() {
            Some(id) => {
                self.customer.id = id;
                self.restore_session();
            }
            None => self.begin_again(),
        }
    }

    /// Reads the session from the journal.
    fn restore_session(&mut self) {
        let (id, disk) = (self.customer.id, &self.customer.disk);
        let story = disk.story(id).expect("it was begun");
        let seed = self.chance.below(u64::MAX);
        let own = |number| disk.journal.own(id, number);
        let session = Session::restore(&story, "desk:1".to_owned(), seed, own, self.now);
        self.sessions.insert(session.expect("in memory"));
    }

    /// The process died before its first commit: there is nothing to go on with.
    fn begin_again(&mut self) {
        let fresh = Fresh { id: ID, secret: Secret::new([9; 32]), seed: self.chance.below(99) };
        self.sessions.insert(Session::new(fresh, None, "desk:1".to_owned(), self.now));
    }

    /// The desk's process dies before or after its next commit, and is started again.
    fn kill_desk(&mut self) {
        // Of what was said since it was set back nobody knows any more that it was.
        if self.set_back {
            return;
        }
        self.care.disk.dies = Some(self.death());
        self.agent_types();
        self.settle_desk();
        if self.care.disk.dies.take().is_some() {
            self.restart_desk();
        }
    }

    fn death(&mut self) -> Death {
        if self.chance.below(2) == 0 { Death::BeforeCommit } else { Death::AfterCommit }
    }

    /// The desk's process dies, its journal is an older copy, and the agent talks before the
    /// customer is on the line.
    fn set_back_desk(&mut self) {
        // Of an older copy of what it is now, too, nobody would know.
        if self.was_set_back {
            return;
        }
        self.cut();
        self.settle();
        let disk = &mut self.care.disk;
        let kept = self.chance.below(disk.records.len() as u64 + 1) as usize;
        self.lost.extend(disk.own(ID).into_iter().chain(disk.own(SECOND)));
        disk.set_back(kept);
        self.restart_desk();
        (self.set_back, self.was_set_back) = (true, true);
        let now = self.now;
        for _ in 0..self.chance.below(6) {
            match self.chance.below(8) {
                0 => _ = self.desk.accept(None, now),
                1 => _ = self.desk.accept(Some(1), now),
                2 => _ = self.desk.hand_back(None, now),
                3 => _ = self.desk.close(None, now),
                _ => self.agent_types(),
            }
            self.settle();
        }
    }

    fn restart_desk(&mut self) {
        self.cut();
        let id = self.customer.id;
        let disk = &self.care.disk;
        let restart = disk.journal.restart().expect("in memory");
        self.desk = Desk::restore(self.desk_id, desk::Options::default(), &restart, self.now);
        // Live conversations are told again; the others are over, and the agent sees that they are
        // not listed.
        let is_over = disk.story(id).is_some() && !self.desk.is_live(id);
        (self.care.state, self.care.is_unlisted) = (None, is_over);
        self.desk.tell_states();
    }

    fn pass(&mut self, time: Duration) {
        // A batch is of one moment.
        self.settle();
        self.now.clock += time;
        self.now.wall += time.as_millis() as u64;
        (self.customer.now, self.care.now) = (self.now, self.now);
    }

    /// Both programs take their turns until neither has anything to do.
    fn settle(&mut self) {
        loop {
            self.settle_customer();
            self.settle_desk();
            if !std::mem::take(&mut self.line.borrow_mut().is_new) {
                break;
            }
            let conn = self.line.borrow().conn.expect("it was dialled");
            self.desk.opened(conn, IpAddr::from(Ipv4Addr::LOCALHOST).into());
            if let Some(session) = self.sessions.on(conn) {
                session.connected(conn);
            }
        }
    }

    fn settle_customer(&mut self) {
        if let Err(Died) = turn(&mut self.sessions, &mut self.customer, self.now) {
            self.restart_customer();
            let Ok(()) = turn(&mut self.sessions, &mut self.customer, self.now) else {
                panic!("nothing killed it")
            };
        }
    }

    fn settle_desk(&mut self) {
        if let Err(Died) = turn(&mut self.desk, &mut self.care, self.now) {
            self.restart_desk();
            let Ok(()) = turn(&mut self.desk, &mut self.care, self.now) else {
                panic!("nothing killed it")
            };
        }
    }

    /// No more faults: everything owed arrives, and the next line has the bot told of what it
    /// missed.
    fn heal(&mut self) {
        self.heals = true;
        self.heal_links();
        if self.state() == State::Bot {
            self.customer_types();
            self.settle();
            self.heal_links();
        }
    }

    fn heal_links(&mut self) {
        let now = self.now;
        self.customer.again |= self.session().ask_again(now).is_ok();
        let end = self.now.clock + Duration::from_secs(200);
        loop {
            self.bot_answers();
            self.deliver_up();
            self.settle();
            self.deliver_down();
            self.settle();
            if self.is_quiet() {
                let deadlines = [self.sessions.deadline(), Some(self.desk.deadline())];
                let next = deadlines.into_iter().flatten().min().expect("the desk has one");
                if next > end {
                    break;
                }
                self.pass(
                    next.saturating_duration_since(self.now.clock).max(Duration::from_millis(1)),
                );
            }
        }
    }

    /// Whether nothing is on its way.
    fn is_quiet(&self) -> bool {
        let line = self.line.borrow();
        let is_empty = |way: &line::Way| way.frames.is_empty() && !way.closed;
        let is_asked = self.customer.asked.is_some() || self.customer.returning.is_some();
        is_empty(&line.up) && is_empty(&line.down) && !is_asked
    }
}

/// What a history was about.
#[derive(Default)]
pub struct Seen {
    /// How often the desk knew a customer again.
    recalled: u32,
    /// How often a session was read again.
    read_again: u32,
    /// Histories in which a new conversation took the place of the first.
    started_over: u32,
    /// Histories in which something followed the end of a conversation.
    behind_the_end: u32,
}

pub fn play(seed: u64, seen: &mut Seen) {
    let mut world = World::new(seed);
    world.settle();
    for _ in 0..200 {
        world.step();
    }
    world.heal();
    // It may have left memory at the end.
    world.session();
    world.check();
    seen.recalled += world.recalled;
    seen.read_again += world.read_again;
    seen.started_over += u32::from(world.customer.id == SECOND);
    seen.behind_the_end += u32::from(world.has_entries_behind_the_end());
}

#[test]
fn no_history_loses_or_doubles_a_line_or_interrupts() {
    let number = |name: &str| {
        let text = std::env::var(name).ok();
        text.map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let seed = number("MODEL_SEED");
    let from = number("MODEL_FROM").unwrap_or(0);
    let runs = number("MODEL_RUNS").unwrap_or(1_000);
    let mut seen = Seen::default();
    for seed in seed.map_or(from..from + runs, |seed| seed..seed + 1) {
        let played = std::panic::AssertUnwindSafe(|| play(seed, &mut seen));
        if let Err(panic) = std::panic::catch_unwind(played) {
            eprintln!("replay with MODEL_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
    if seed.is_none() {
        assert!(seen.recalled > 0, "no desk ever forgot a customer who came back");
        assert!(seen.read_again > 0, "no session ever left memory and was read again");
        assert!(seen.started_over > 0, "no conversation ever took the place of another");
        assert!(seen.behind_the_end > 0, "nothing ever followed the end of a conversation");
    }
}
