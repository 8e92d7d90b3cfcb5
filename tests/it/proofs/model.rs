//! A desk and a customer's side on virtual time, with chance from a seed. The line breaks at any
//! message, and processes die at a commit. Both sides run the turn that ships.
//!
//! After every history the line heals, and then both journals must hold the same entries: every
//! line once, in order, the same state at both ends, and never a request to the bot while it did
//! not own the conversation. For each waiting customer the right agents were called (`called`). The
//! test prints a seed that fails, and `MODEL_SEED=n` replays it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use handoff::core::agent::{Agent, Agents};
use handoff::core::chance::Chance;
use handoff::core::clock::Now;
use handoff::core::department::Department;
use handoff::core::desk::{self, AgentId, Desk, SeatId};
use handoff::core::session::{Fresh, Session};
use handoff::core::sessions::Sessions;
use handoff::turn::turn;
use handoff::wire::{ConversationId, DeskId, Secret, State};

use crate::fuzz::disk::{Died, Disk};
use crate::support::machine::number;

use care::Care;
use customer::{Customer, SECOND};
use line::Shared;

mod called;
mod care;
mod customer;
mod entries;
mod faults;
mod line;
mod oracle;
mod steps;

const ID: ConversationId = ConversationId::new([7; 16]);

struct World {
    chance: Chance,
    now: Now,
    sessions: Sessions,
    customer: Customer,
    desk: Desk,
    /// The seats of the desk.
    seats: Vec<SeatId>,
    /// The agents who are away.
    away: BTreeSet<AgentId>,
    desk_id: DeskId,
    care: Care,
    /// The journals of former desks, which died with them.
    former: Vec<Disk>,
    line: Shared,
    /// Whether the faults are over.
    heals: bool,
    said: u64,
    /// How often the desk blocked the customer.
    blocked: u32,
    /// How often the desk read a customer who had left its memory from its journal.
    recalled: u32,
    /// How often a session that had left memory was read from the journal.
    read_again: u32,
    /// The entries that a desk had before its journal was replaced by an older copy; whether the
    /// customer's side has had no welcome since; and whether this has happened in this history.
    lost: Vec<handoff::wire::Entry>,
    set_back: bool,
    was_set_back: bool,
}

/// A desk with two more agents, of whom al is a lead. Each serves a department.
fn options() -> desk::Options {
    let mut agents = Agents::default();
    for (name, lead, department) in [("robin", false, "returns"), ("al", true, "billing")] {
        let (name, shown_as) = (name.to_owned(), name.to_owned());
        let departments = Department::new(department).into_iter().collect();
        let agent = Agent { name, shown_as, lead, departments, codes: Vec::new() };
        agents.add(agent).expect("a name that an agent may have");
    }
    desk::Options { agents, ..desk::Options::default() }
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
            desk: Desk::new(desk_id, options(), now),
            seats: Vec::new(),
            away: BTreeSet::new(),
            desk_id,
            care: Care::new(line.clone(), now),
            former: Vec::new(),
            line,
            heals: false,
            said: 0,
            blocked: 0,
            recalled: 0,
            read_again: 0,
            lost: Vec::new(),
            set_back: false,
            was_set_back: false,
        }
    }

    /// Brings all agents back, who are not away any more.
    fn sit_down(&mut self) {
        self.seats = vec![SeatId::TERMINAL];
        self.seats.extend(["robin", "al"].iter().filter_map(|name| self.desk.sign_in(name)));
        for seat in self.seats.clone() {
            self.goes_away(seat, false);
        }
        // The desk's own terminal serves all departments. A department can be without an agent only
        // if the terminal is away.
        if self.chance.below(8) == 0 {
            self.goes_away(SeatId::TERMINAL, true);
        }
    }

    /// The session, which is read from the journal if it has left memory.
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

    fn pass(&mut self, time: Duration) {
        // All inputs of a batch have the same time.
        self.settle();
        self.now.clock += time;
        self.now.wall += time.as_millis() as u64;
        (self.customer.now, self.care.now) = (self.now, self.now);
    }

    /// Both sides take turns until neither has anything to do.
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
                session.connected(conn, None, None);
            }
        }
    }

    fn settle_customer(&mut self) {
        if let Err(Died) = turn(&mut self.sessions, &mut self.customer, self.now) {
            self.restart_customer();
            let Ok(()) = turn(&mut self.sessions, &mut self.customer, self.now) else {
                panic!("a process died without a kill")
            };
        }
    }

    fn settle_desk(&mut self) {
        if let Err(Died) = turn(&mut self.desk, &mut self.care, self.now) {
            self.restart_desk();
            let Ok(()) = turn(&mut self.desk, &mut self.care, self.now) else {
                panic!("a process died without a kill")
            };
        }
    }

    /// Ends all faults: every undelivered entry arrives, and the next line makes the customer's
    /// side send the bot what it missed.
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
        let end = self.now.clock + Duration::from_secs(300);
        loop {
            self.bot_answers();
            self.deliver_up();
            self.settle();
            self.deliver_down();
            self.settle();
            if self.is_quiet() {
                let desk = [Some(self.desk.deadline()), self.desk.next_call()];
                let deadlines = [self.sessions.deadline()].into_iter().chain(desk);
                let next = deadlines.flatten().min().expect("the desk has a deadline");
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

/// Counts of rare events in the histories, so that the test can see that they occur.
#[derive(Default)]
pub struct Seen {
    /// How often the desk read a customer from its journal.
    recalled: u32,
    /// How often a session was read from its journal.
    read_again: u32,
    /// Histories in which a new conversation took the place of the first.
    started_over: u32,
    /// Histories in which an entry followed the end of a conversation.
    after_the_end: u32,
    /// How often another agent got the customer, or they went back to the queue.
    changed_hands: u32,
    /// Histories in which the customer's side let the customer wait again.
    requeued: u32,
    /// How often all agents were called, because no agent of a department was here.
    unattended: u32,
    /// How often the desk blocked the customer.
    blocked: u32,
}

pub fn play(seed: u64, seen: &mut Seen) {
    let mut world = World::new(seed);
    world.sit_down();
    world.settle();
    for _ in 0..200 {
        world.step();
    }
    world.heal();
    // The checks need the session, which may have left memory.
    world.session();
    world.check();
    world.check_called();
    seen.recalled += world.recalled;
    seen.read_again += world.read_again;
    seen.started_over += u32::from(world.customer.id == SECOND);
    seen.after_the_end += u32::from(world.has_entries_after_the_end());
    seen.changed_hands += world.care.changed_hands;
    seen.requeued += u32::from(world.was_requeued());
    seen.unattended += world.care.unattended;
    seen.blocked += world.blocked;
}

#[test]
fn no_history_loses_or_doubles_a_line_or_interrupts() {
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
        assert!(seen.after_the_end > 0, "no entry ever followed the end of a conversation");
        assert!(seen.changed_hands > 0, "the customer never went to another agent");
        assert!(seen.requeued > 0, "the customer never went back to the queue");
        assert!(seen.blocked > 0, "the customer was never blocked");
        assert!(seen.unattended > 0, "there was always somebody of a department");
    }
}
