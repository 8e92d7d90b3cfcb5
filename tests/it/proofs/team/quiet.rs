//! Runs all processes until nothing is on its way, and restarts those that died.

use std::time::{Duration, Instant};

use crossbeam_channel::Select;
use rustix::process::Signal;

use crate::support::kept::{self, Item};
use crate::support::machine::failpoint;
use crate::support::run::{Handoff, WITHIN};

use super::World;
use super::customer::Customer;
use super::seat::{Kind, Seat};

/// In a test with kills, a program that has not reached its desk for this time is killed and
/// started again, because by itself it would wait longer and longer.
const PATIENCE: Duration = Duration::from_millis(500);

impl World {
    /// Waits until nothing is on its way, asks every seat for its list, and compares.
    pub(super) fn rest(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + WITHIN;
        loop {
            assert!(Instant::now() < deadline, "seed {}: it is never quiet", self.seed);
            self.is_disturbed = false;
            if !self.pass_mark() || !self.until("both journals are equal", World::is_delivered) {
                continue;
            }
            let before = self.entries();
            self.seats.iter_mut().for_each(|seat| {
                seat.list.clear();
                seat.type_line("/list");
            });
            if self.pass_mark() && self.is_delivered() && self.entries() == before {
                return self.compare().map_err(|why| format!("seed {}: {why}", self.seed));
            }
        }
    }

    /// Waits until every process has done its input. False if a process died meanwhile.
    fn pass_mark(&mut self) -> bool {
        self.marks += 1;
        let (mark, command) = (self.marks, super::mark(self.marks));
        if !self.until("every terminal is attached", |world| {
            world.seats.iter().all(|seat| seat.process.is_none() || seat.is_attached)
        }) {
            return false;
        }
        self.seats.iter_mut().for_each(|seat| seat.type_line(&command));
        for customer in self.customers.iter_mut().filter(|it| it.process.is_some()) {
            customer.say(&command);
        }
        self.until("everybody has done what was typed", |world| {
            let seats = world.seats.iter().map(|it| (it.process.is_some(), it.mark));
            let customers = world.customers.iter().map(|it| (it.process.is_some(), it.mark));
            let is_renewed =
                world.customers.iter().all(|it| it.renews.as_ref() != Some(&it.conversation));
            is_renewed && seats.chain(customers).all(|(is_here, passed)| !is_here || passed == mark)
        })
    }

    /// Whether the desk and every customer who is there have the same entries, and the customer has
    /// read the state. A handback counts only when the bot has answered.
    fn is_delivered(&mut self) -> bool {
        self.customers.iter_mut().for_each(|customer| customer.renews = None);
        self.customers.iter().filter(|it| it.process.is_some()).all(|customer| {
            let id = &customer.conversation;
            let [here, there] =
                [&customer.journal, &self.journal].map(|file| kept::read_one(file, id));
            let is_told = state(&here.own) == customer.state;
            let both = [here, there].map(|kept| [(id.clone(), kept)].into());
            is_told && kept::check_together(&both[0], &both[1]).is_ok()
        })
    }

    /// How many entries the desk has of each customer.
    fn entries(&self) -> Vec<(usize, usize)> {
        let read = |id: &String| kept::read_one(&self.journal, id);
        let all = self.customers.iter().map(|customer| read(&customer.conversation));
        all.map(|kept| (kept.own.len(), kept.theirs.len())).collect()
    }

    /// Runs all processes until the condition holds. False if one of them died first.
    pub(super) fn until(&mut self, what: &str, is_so: impl Fn(&mut World) -> bool) -> bool {
        let deadline = Instant::now() + WITHIN;
        loop {
            self.live();
            if self.is_disturbed {
                return false;
            }
            if is_so(self) {
                return true;
            }
            assert!(Instant::now() < deadline, "seed {}: this never happened: {what}", self.seed);
            self.wait();
        }
    }

    /// Waits until a process has printed something or ended, but only for a short time, because a
    /// changed journal wakes nobody.
    fn wait(&self) {
        let seats = self.seats.iter().filter_map(|it| it.process.as_ref());
        let customers = self.customers.iter().filter_map(|it| it.process.as_ref());
        let all: Vec<_> = seats.chain(customers).map(Handoff::news).collect();
        let mut select = Select::new();
        for news in &all {
            select.recv(news);
        }
        if let Ok(ready) = select.select_timeout(Duration::from_millis(20)) {
            let at = ready.index();
            let _ = ready.recv(all[at]);
        }
    }

    /// Reads the events of all processes, and starts dead ones again.
    fn live(&mut self) {
        self.customers.iter_mut().for_each(Customer::hear);
        for at in 0..self.seats.len() {
            let Some(process) = &mut self.seats[at].process else { continue };
            let is_dead = !process.is_running();
            let code = if is_dead { process.exit_code() } else { 0 };
            self.seats[at].hear();
            if is_dead {
                let who = self.seats[at].name;
                assert!(
                    self.kills.is_some() && code == 137,
                    "seed {}: {who} ended by itself with {code}",
                    self.seed
                );
                self.revive(at);
            }
        }
        if self.kills.is_some() {
            self.kill_unconnected();
        }
    }

    /// Kills a terminal or a customer's program that has not reached the desk for some time. A
    /// customer's program has done its input first, so that the fate of every line is known.
    fn kill_unconnected(&mut self) {
        let is_stuck = |seat: &Seat| {
            seat.process.is_some() && !seat.is_attached && seat.since.elapsed() > PATIENCE
        };
        if let Some(at) = self.seats.iter().position(is_stuck) {
            self.kill(at);
        }
        let marks = self.marks;
        let is_stuck = |customer: &&mut Customer| {
            let is_idle = customer.mark == marks && customer.is_with_desk();
            is_idle && customer.lost.is_some_and(|since| since.elapsed() > PATIENCE)
        };
        if let Some(customer) = self.customers.iter_mut().find(is_stuck)
            && let Some(process) = &mut customer.process
        {
            process.kill();
            customer.hear();
            customer.start();
            self.is_disturbed = true;
            if let Some(kills) = &mut self.kills {
                (kills.done, kills.of_customers) = (kills.done + 1, kills.of_customers + 1);
            }
        }
    }

    /// Kills the process at a seat.
    pub(super) fn kill(&mut self, at: usize) {
        let seat = &mut self.seats[at];
        if let Some(process) = seat.process.as_ref().filter(|process| process.is_running()) {
            seat.is_ended_by_us = true;
            process.signal(Signal::KILL);
        }
    }

    /// Starts a killed process again.
    fn revive(&mut self, at: usize) {
        self.is_disturbed = true;
        self.seats[at].died(&self.home);
        let Some(kills) = &mut self.kills else { return };
        kills.done += 1;
        kills.of_desk += u64::from(self.seats[at].kind == Kind::Desk);
        kills.by_failpoint += u64::from(!self.seats[at].is_ended_by_us);
        let is_armed = kills.done < kills.goal && self.chance.below(2) == 0;
        let armed = is_armed.then(|| failpoint(&mut self.chance, 1..41));
        self.start_seat(at, None, armed);
    }

    /// Kills a seat, or the desk, or both, within the time that a few lines take.
    pub(super) fn kill_some(&mut self) {
        let is_enough = self.kills.as_ref().is_none_or(|kills| kills.done >= kills.goal);
        if is_enough || self.chance.below(3) > 0 {
            return;
        }
        let (wait, at) = (self.chance.below(20_000), self.chance.below(self.seats.len() as u64));
        let marks = self.marks;
        for seat in self.seats.iter_mut().filter(|it| it.kind == Kind::Person) {
            (0..self.chance.below(4)).for_each(|_| seat.say(marks));
        }
        // The moment of the kill is what is tested, so this waits for a time and for no event.
        std::thread::sleep(Duration::from_micros(wait));
        self.kill(at as usize);
        if self.chance.below(4) == 0 {
            self.kill(0);
        }
    }
}

/// The state of a conversation with these entries of the customer's side.
fn state(own: &[Item]) -> &str {
    let controls = own.iter().rev().filter_map(|item| item.body.as_object()?.keys().next());
    let state = |control: &String| match control.as_str() {
        "requested" => Some("queued"),
        "accepted" => Some("active"),
        "handed_back" | "withdrawn" => Some("bot"),
        "closed" => Some("closed"),
        _ => None,
    };
    controls.into_iter().find_map(state).unwrap_or("bot")
}
