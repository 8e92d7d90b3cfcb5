//! `kill -9` of either end while a conversation runs, and what must hold afterwards.
//!
//! A line is accepted when its own side has printed it. After every death the dead side's journal
//! must hold each of its accepted lines exactly once; after every conversation both journals must
//! hold the same entries. With the feature `failpoints` half of the restarted processes get a named
//! point at which they die, if no kill comes before. `FAULTS_SEED=n` replays.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use handoff::core::chance::Chance;
use rustix::process::Signal;
use serde_json::json;

use crate::support::fake_bot::{Asked, FakeBot, ok, text};
use crate::support::home::{Home, nobody_at};
use crate::support::kept;
use crate::support::machine::number;

use end::End;

mod checks;
mod end;
mod history;

/// The longest that a wait may take. A connection that was lost several times is dialled again
/// after up to 15 s.
const WITHIN: Duration = Duration::from_secs(40);
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    User,
    Desk,
}

const BOTH: [Who; 2] = [Who::User, Who::Desk];

struct World {
    seed: u64,
    chance: Chance,
    goal: u64,
    kills: u64,
    by_failpoint: u64,
    all_kills: Arc<AtomicU64>,
    home: Home,
    bot: FakeBot,
    /// Each request to the bot: its time (milliseconds of the wall clock), conversation and line.
    asked: Arc<Mutex<Vec<(i64, String, String)>>>,
    ends: HashMap<Who, End>,
    next_kill: Option<(Instant, Who)>,
    lines: u64,
    /// Lines that their own side printed, or that were in its journal after its death.
    accepted: HashMap<Who, HashSet<String>>,
    /// How often the customer typed `/again` for a line.
    again: HashMap<String, usize>,
}

impl World {
    fn new(seed: u64, goal: u64, all_kills: Arc<AtomicU64>) -> World {
        let asked = Arc::<Mutex<Vec<(i64, String, String)>>>::default();
        let record = asked.clone();
        let bot = FakeBot::start(move |request| {
            let mut asked = record.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push((wall(), conversation_of(request), request.text().to_owned()));
            match request.text() {
                _ if !request.is_message() => ok(&json!({"paused": false})),
                human if human.starts_with("human") => ok(&text("Human Handoff")),
                line => ok(&text(&format!("re: {line}"))),
            }
        });
        let home = Home::new();
        let state = home.0.join("state");
        let (address, bot_url) = (nobody_at(), bot.url().to_owned());
        let words =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let state_name = state.display().to_string();
        let user = words(&[
            "user",
            "--admin",
            &address,
            "--bot",
            &bot_url,
            "--json",
            "--state",
            &state_name,
        ]);
        let desk = words(&["admin", "--listen", &address, "--json", "--state", &state_name]);
        let ends = HashMap::from([
            (Who::Desk, End::start(desk, kept::journal(&state, "admin"))),
            (Who::User, End::start(user, kept::journal(&state, "user"))),
        ]);
        World {
            seed,
            chance: Chance::new(seed),
            goal,
            kills: 0,
            by_failpoint: 0,
            all_kills,
            home,
            bot,
            asked,
            ends,
            next_kill: None,
            lines: 0,
            accepted: BOTH.iter().map(|who| (*who, HashSet::new())).collect(),
            again: HashMap::new(),
        }
    }

    fn end(&mut self, who: Who) -> &mut End {
        self.ends.get_mut(&who).expect("both ends are there")
    }

    /// Plays conversations until enough processes were killed.
    fn run(&mut self) {
        while self.kills < self.goal {
            self.converse();
        }
    }

    /// Ends both processes; no child process stays.
    fn finish(&mut self) {
        for who in BOTH {
            let end = self.end(who);
            end.process.signal(Signal::TERM);
            end.process.exit_code();
            assert_eq!(end.process.still_here(), [] as [u32; 0], "a process stays");
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.values().map(HashSet::len).sum()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        eprintln!(
            "replay with FAULTS_SEED={} (chance also comes from the clock); {} kills",
            self.seed, self.kills
        );
        eprintln!("the bot at {} was asked {} times", self.bot.url(), self.bot.asked().len());
        for who in BOTH {
            let file = self.ends[&who].journal.clone();
            let Ok(all) = std::panic::catch_unwind(|| kept::read(&file)) else { continue };
            for (id, kept) in all.iter().filter(|(id, _)| **id == self.ends[&who].conversation) {
                eprintln!("== the tail of the journal of the {who:?}, {id}");
                for (whose, items) in [("own", &kept.own), ("theirs", &kept.theirs)] {
                    let tail = &items[items.len().saturating_sub(20)..];
                    tail.iter().for_each(|item| {
                        eprintln!("{whose} {} {} {}", item.number, item.at, item.body)
                    });
                }
            }
        }
    }
}

fn wall() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// The conversation of a request: the sender of a message, or a part of the API's path.
fn conversation_of(asked: &Asked) -> String {
    match asked.path.strip_prefix("/conversations/") {
        Some(rest) => rest.split('/').next().unwrap_or_default().to_owned(),
        None => asked.sender(),
    }
}

/// Kills processes in several worlds at the same time and prints the totals.
fn kill(goal: u64, seed: u64, worlds: u64) {
    let all_kills = Arc::<AtomicU64>::default();
    let started = Instant::now();
    let run = |number: u64| {
        let all_kills = all_kills.clone();
        move || {
            let mine = goal / worlds + u64::from(number < goal % worlds);
            let mut world = World::new(seed + number, mine, all_kills);
            world.run();
            world.finish();
            (world.kills, world.by_failpoint, world.accepted())
        }
    };
    let ended = thread::scope(|scope| {
        let started: Vec<_> = (0..worlds).map(|number| scope.spawn(run(number))).collect();
        started.into_iter().map(|world| world.join()).collect::<Vec<_>>()
    });
    let ended: Result<Vec<_>, _> = ended.into_iter().collect();
    let ended = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let (kills, at_points, lines) =
        ended.iter().fold((0, 0, 0), |sum, w| (sum.0 + w.0, sum.1 + w.1, sum.2 + w.2));
    eprintln!(
        "{kills} kills ({at_points} at failpoints), {lines} lines accepted, 0 lost, 0 doubled, \
         0 bot interruptions (seed {seed}, {} s)",
        started.elapsed().as_secs()
    );
}

#[test]
fn a_kill_of_either_side_loses_nothing_doubles_nothing_and_brings_no_bot_back() {
    kill(25, number("FAULTS_SEED").unwrap_or(1), 2);
}

/// `scripts/faults kill N`.
#[test]
#[ignore = "takes as long as its argument says"]
fn faults_kill() {
    kill(
        number("FAULTS_CYCLES").unwrap_or(200),
        number("FAULTS_SEED").unwrap_or(1),
        number("FAULTS_WORLDS").unwrap_or(4),
    );
}
