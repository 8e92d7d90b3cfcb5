//! A desk with three agents and five customers, who act by chance. No customer who waits for an
//! answer is missing from any view, no note leaves the desk, and every line is there once and in
//! order.
//!
//! The test counts unanswered lines from what customers typed and read themselves, never from the
//! desk. It compares at quiet moments: when every process has done all its input, and both journals
//! of each conversation are equal. Controls hide one customer from one list, hide one count from a
//! program, or show a note to a customer: the test must notice each.
//!
//! In the tests with kills, terminals and the desk die by `kill -9`, or with the feature
//! `failpoints` at named points. `FAULTS_SEED=n` replays a run, but chance also comes from the
//! clock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use handoff::core::chance::Chance;

use crate::support::home::Home;
use crate::support::kept::{self, Item};
use crate::support::machine::number;
use crate::support::setup::Setup;

use customer::Customer;
use seat::{Kind, Seat};

mod acts;
mod customer;
mod quiet;
mod seat;
mod views;

/// Every note of an agent contains this text.
const SECRET: &str = "SECRET-";
const CUSTOMERS: [&str; 5] = ["ann", "bea", "cleo", "dan", "eve"];

/// A control: something that a view gets wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    Nothing,
    /// A customer who waits for an answer is missing from the lists of persons.
    Row,
    /// A program does not learn how many lines of one customer have no answer.
    Count,
    /// An agent's note reaches a customer.
    Note,
}

/// How many processes to kill, and how many were killed.
#[derive(Default)]
struct Kills {
    goal: u64,
    done: u64,
    of_desk: u64,
    of_customers: u64,
    by_failpoint: u64,
}

struct World {
    seed: u64,
    chance: Chance,
    setup: Setup,
    /// The folder for copies of dead processes' files.
    home: Home,
    journal: PathBuf,
    customers: Vec<Customer>,
    /// The seats. The first is the desk itself.
    seats: Vec<Seat>,
    hidden: Hidden,
    kills: Option<Kills>,
    marks: u64,
    notes: u64,
    acts: u64,
    quiet_moments: u64,
    rows_compared: usize,
    /// Whether a process has died since the last quiet moment.
    is_disturbed: bool,
    /// Which agent had which customer at the last quiet moment.
    owners: BTreeMap<String, String>,
    /// Agents' lines that were shown at any seat.
    said: HashSet<String>,
}

impl World {
    fn new(seed: u64, hidden: Hidden, kills: Option<u64>) -> World {
        let setup = Setup::new();
        let words = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let desk = words(setup.admin_arguments(&["--agent-grace", "2"]));
        let journal = setup.profile("admin").join("journal.sqlite");
        let mut seats = vec![Seat::new("desk", Kind::Desk, desk, PathBuf::new())];
        let agents = [("robin", Kind::Person), ("al", Kind::Person), ("kim", Kind::Script)];
        seats.extend(agents.map(|(name, kind)| {
            let attach = ["attach", "--desk", &setup.desk, "--state", setup.state()];
            let form = if kind == Kind::Script { "--json" } else { "--plain" };
            let arguments = [&attach[..], &["--profile", name, form]].concat();
            let folder = Path::new(setup.state()).join("attach").join(name);
            let file = folder.join(setup.desk.replace(':', "_")).join("terminal.sqlite");
            Seat::new(name, kind, words(arguments), file)
        }));
        let customers = CUSTOMERS.map(|name| {
            let arguments = words(setup.user_arguments(&["--profile", name, "--name", name]));
            let journal = setup.profile("user").with_file_name(name).join("journal.sqlite");
            Customer::new(name, arguments, journal)
        });
        let mut world = World {
            seed,
            chance: Chance::new(seed),
            setup,
            home: Home::new(),
            journal,
            customers: customers.into(),
            seats,
            hidden,
            kills: kills.map(|goal| Kills { goal, ..Kills::default() }),
            marks: 0,
            notes: 0,
            acts: 0,
            quiet_moments: 0,
            rows_compared: 0,
            is_disturbed: false,
            owners: BTreeMap::new(),
            said: HashSet::new(),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.start_seat(0, None, None);
        for at in 1..self.seats.len() {
            let is_lead = self.seats[at].name != "al";
            let lead: &[&str] = if is_lead { &["--lead"] } else { &[] };
            let code = self.setup.add_agent(self.seats[at].name, lead);
            self.start_seat(at, Some(&code), None);
        }
        self.customers.iter_mut().for_each(Customer::start);
        if self.hidden == Hidden::Count {
            self.seats.iter_mut().for_each(|seat| seat.hides = Some("bea".to_owned()));
        }
    }

    fn start_seat(&mut self, at: usize, code: Option<&str>, armed: Option<String>) {
        let seat = &mut self.seats[at];
        seat.start(code, armed);
        if let (Kind::Desk, Some(process)) = (seat.kind, &mut seat.process) {
            // At its start, a desk journals what the former process did not end. A failpoint may
            // kill it there.
            let is_ready = process.is_ready();
            assert!(
                is_ready || seat.armed.is_some(),
                "seed {}: the desk does not start",
                self.seed
            );
        }
    }

    /// Acts until `is_over` holds. `Err` says what went wrong.
    fn run(&mut self, is_over: impl Fn(&World) -> bool) -> Result<(), String> {
        self.rest()?;
        while !is_over(self) {
            self.act();
            if self.hidden == Hidden::Note {
                self.seats[1].type_line(&format!("{SECRET}0"));
            }
            self.kill_some();
            self.rest()?;
            self.come_and_go();
        }
        self.come_all();
        self.rest()?;
        self.check_all()
    }

    /// Checks, when everybody is there and nothing is on its way, that every line was refused, or
    /// is in both journals once and in order.
    fn check_all(&self) -> Result<(), String> {
        let desk = kept::read(&self.journal);
        let users = self.customers.iter().flat_map(|customer| kept::read(&customer.journal));
        let users: BTreeMap<_, _> = users.collect();
        kept::check_alone("the desk", &desk)?;
        kept::check_alone("the customers", &users)?;
        kept::check_together(&users, &desk)?;
        self.customers.iter().try_for_each(Customer::check_lines)?;
        let mut times = HashMap::<&str, u32>::new();
        for kept in users.values() {
            let said: Vec<_> = kept.theirs.iter().filter_map(Item::said).collect();
            let mut latest = HashMap::<&str, u64>::new();
            for (_, text) in said {
                *times.entry(text).or_default() += 1;
                let (who, number) = text.rsplit_once('-').unwrap_or_default();
                let number = number.parse().unwrap_or_default();
                if latest.insert(who, number).is_some_and(|before| before >= number) {
                    return Err(format!("'{text}' is not in order"));
                }
            }
        }
        for seat in &self.seats {
            for line in &seat.typed {
                let times = times.get(line.as_str()).copied().unwrap_or_default();
                let (is_accepted, is_refused) =
                    (seat.accepted.contains(line), seat.refused.contains(line));
                let is_right = match times {
                    0 => is_refused || !is_accepted,
                    1 => !is_refused,
                    _ => false,
                };
                if !is_right {
                    return Err(format!(
                        "'{line}' arrived {times} times \
                         (accepted: {is_accepted}, refused: {is_refused})"
                    ));
                }
            }
        }
        match views::leaks(&self.setup.bot.asked()).first() {
            Some(leak) => Err(format!("the bot was told a note: {leak}")),
            None => Ok(()),
        }
    }

    /// How many lines were accepted at both ends.
    fn accepted(&self) -> usize {
        let customers = self.customers.iter().map(|customer| customer.accepted.len());
        customers.chain(self.seats.iter().map(|seat| seat.accepted.len())).sum()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("replay with FAULTS_SEED={} (chance also comes from the clock)", self.seed);
        }
    }
}

/// An unknown command. The answer to it shows that everything before it is done.
fn mark(number: u64) -> String {
    format!("/mark-{number}")
}

/// The number of the mark, if this is the answer to one.
fn mark_in(text: &str) -> Option<u64> {
    text.split_once("there is no command /mark-")?.1.split(';').next()?.parse().ok()
}

/// Runs the test for this time.
fn team(within: Duration, seed: u64) {
    let mut world = World::new(seed, Hidden::Nothing, None);
    let until = Instant::now() + within;
    if let Err(why) = world.run(|_| Instant::now() >= until) {
        panic!("{why}");
    }
    let turns: Vec<u32> =
        (0..5).map(|turn| world.customers.iter().map(|it| it.turns[turn]).sum()).collect();
    let is_long = world.acts > 10_000;
    let is_rich = turns.iter().all(|turns| *turns > 0);
    assert!(!is_long || is_rich, "seed {seed}: too little happened: {turns:?}");
    eprintln!(
        "3 agents and 5 customers for {} s: {} acts, {} quiet moments, {} rows at each seat, \
         nobody missing; {} lines accepted, 0 lost, 0 doubled, no note at a customer or the bot; \
         customers were accepted, passed on, queued again, handed back and closed {turns:?} times \
         (seed {seed})",
        within.as_secs(),
        world.acts,
        world.quiet_moments,
        world.rows_compared,
        world.accepted(),
    );
}

#[test]
fn no_customer_who_waits_for_an_answer_is_missing_from_any_view_of_a_team() {
    team(Duration::from_secs(10), number("FAULTS_SEED").unwrap_or(1));
}

#[test]
fn a_wrong_row_a_wrong_count_and_a_leaked_note_are_noticed() {
    let expected = [
        (Hidden::Row, "missing from the list"),
        (Hidden::Count, "have no answer"),
        (Hidden::Note, "a customer was told a note"),
    ];
    for (hidden, what) in expected {
        let mut world = World::new(1, hidden, None);
        let until = Instant::now() + Duration::from_secs(30);
        let found = world.run(|_| Instant::now() >= until);
        let why = found.expect_err("the control looks as good: the comparison proves nothing");
        assert!(why.contains(what), "{hidden:?}: {why}");
    }
}

/// `scripts/faults team MINUTES`.
#[test]
#[ignore = "takes as long as its argument says"]
fn faults_team() {
    let minutes = number("FAULTS_CYCLES").unwrap_or(10);
    team(Duration::from_secs(60 * minutes), number("FAULTS_SEED").unwrap_or(1));
}

/// Kills this many processes.
fn kill(goal: u64, seed: u64) {
    let mut world = World::new(seed, Hidden::Nothing, Some(goal));
    let is_over = |world: &World| world.kills.as_ref().is_none_or(|kills| kills.done >= kills.goal);
    if let Err(why) = world.run(is_over) {
        panic!("{why}");
    }
    let kills = world.kills.as_ref().expect("it kills");
    let of_terminals = kills.done - kills.of_desk - kills.of_customers;
    eprintln!(
        "{} kills of a desk ({}), its agents' terminals ({of_terminals}) and customers ({}), \
         {} of them at failpoints; {} lines accepted, 0 lost, 0 doubled, one owner at a time \
         (seed {seed})",
        kills.done,
        kills.of_desk,
        kills.of_customers,
        kills.by_failpoint,
        world.accepted(),
    );
}

#[test]
fn a_kill_of_agents_terminals_or_their_desk_loses_nothing_and_does_nothing_twice() {
    kill(12, number("FAULTS_SEED").unwrap_or(1));
}

/// `scripts/faults kill N`.
#[test]
#[ignore = "takes as long as its argument says"]
fn faults_kill_seats() {
    kill(number("FAULTS_CYCLES").unwrap_or(100), number("FAULTS_SEED").unwrap_or(1));
}
