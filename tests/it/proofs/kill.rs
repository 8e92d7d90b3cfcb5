//! `kill -9` of either end while a conversation runs, and what must be so afterwards.
//!
//! A line counts as accepted once its own side told it. After every death the dead side's journal
//! must hold each of its accepted lines exactly once; after every conversation both journals must
//! tell the same story. With the feature `failpoints` half of the restarts die by themselves, at a
//! named place. `FAULTS_SEED=n` replays.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use handoff::core::chance::Chance;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::fake_bot::{Asked, FakeBot, ok, text};
use crate::support::home::Home;
use crate::support::kept::{self, Item, Kept};
use crate::support::run::Handoff;

/// How long anything may take; a link that was lost several times is dialled again after up to 15
/// s.
const WITHIN: Duration = Duration::from_secs(40);
/// A request that left before the trigger may come in this much later.
const ON_ITS_WAY: i64 = 250;
/// Where a process dies by itself.
const FAILPOINTS: [&str; 11] = [
    "before-commit",
    "in-commit",
    "after-commit",
    "before-queue",
    "after-queue",
    "before-ack",
    "after-ack",
    "before-send",
    "after-send",
    "before-show",
    "after-show",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    User,
    Desk,
}

const BOTH: [Who; 2] = [Who::User, Who::Desk];

/// One end, over all its lives.
struct End {
    arguments: Vec<String>,
    journal: PathBuf,
    process: Handoff,
    /// The lives before.
    past: Vec<Handoff>,
    life: u64,
    /// What the journal held when the last life ended.
    kept: BTreeMap<String, Kept>,
    /// The present conversation's state, and which it is, as last told.
    conversation: String,
    state: String,
    /// Messages told as history before this life's first state.
    history: Vec<(String, String)>,
    told_state: bool,
    /// What the bot may not have got, as told in this life.
    doubt: Option<String>,
    /// The bot's answers that were told.
    heard: HashSet<String>,
    errors: Vec<String>,
    /// Where this life ends by itself.
    armed: Option<String>,
    /// And not by itself.
    is_ended_by_us: bool,
}

struct World {
    seed: u64,
    chance: Chance,
    goal: u64,
    kills: u64,
    by_failpoint: u64,
    all_kills: Arc<AtomicU64>,
    home: Home,
    bot: FakeBot,
    /// When (milliseconds of the wall clock) which conversation asked the bot, and for what line.
    asked: Arc<Mutex<Vec<(i64, String, String)>>>,
    ends: HashMap<Who, End>,
    next_kill: Option<(Instant, Who)>,
    lines: u64,
    /// Lines that their own side told, or that were found in its journal after its death.
    accepted: HashMap<Who, HashSet<String>>,
    /// How often the user asked for a line to be sent to the bot again.
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
        let (address, bot_url) = (free_address(), bot.url().to_owned());
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

    /// Conversations, until there were enough kills.
    fn run(&mut self) {
        while self.kills < self.goal {
            self.converse();
        }
    }

    /// Bot, handoff, chat, handback, and again; then it is closed, and both journals are looked at.
    fn converse(&mut self) {
        self.plan_kill();
        self.until("a conversation", |world| world.ends[&Who::User].state == "bot");
        for round in 0..=self.chance.below(3) {
            if round > 0 {
                self.order(Who::Desk, "/handback", "hand_back", |world| {
                    world.ends[&Who::User].state == "bot"
                });
            }
            for _ in 0..self.chance.below(3) {
                let line = self.line("line");
                self.ask_bot(&line);
            }
            let line = self.line("human");
            self.ask_bot(&line);
            if self.chance.below(2) == 0 {
                self.say(&[Who::User]);
            }
            self.order(Who::Desk, "/accept", "accept", |world| {
                BOTH.iter().all(|who| world.ends[who].state == "active")
            });
            for _ in 0..1 + self.chance.below(6) {
                let who: &[Who] = match self.chance.below(4) {
                    0 => &[Who::User],
                    1 => &[Who::Desk],
                    _ => &BOTH,
                };
                self.say(who);
            }
        }
        let ended = self.ends[&Who::User].conversation.clone();
        let is_over = |world: &World| {
            let user = &world.ends[&Who::User];
            user.state == "closed" || user.conversation != ended
        };
        match self.chance.below(2) {
            0 => self.order(Who::Desk, "/close", "close", is_over),
            _ => self.order(Who::User, "/end", "closed", is_over),
        }
        self.next_kill = None;
        self.check_all();
        let mut told_in = None;
        self.until("a new conversation", |world| {
            let user = world.end(Who::User);
            if user.conversation == ended && user.state == "closed" && told_in != Some(user.life) {
                told_in = Some(user.life);
                user.process.say("/new");
            }
            user.conversation != ended
        });
    }

    fn line(&mut self, word: &str) -> String {
        self.lines += 1;
        format!("{word} {}-{}", self.seed, self.lines)
    }

    /// Each of these says a line, at the same time; until all are accepted.
    fn say(&mut self, who: &[Who]) {
        let lines: Vec<(Who, String)> = who.iter().map(|who| (*who, self.line("line"))).collect();
        self.enter(&lines);
    }

    fn enter(&mut self, lines: &[(Who, String)]) {
        let mut sent = HashMap::new();
        self.until(&format!("{lines:?}"), |world| {
            for (who, line) in lines {
                let life = world.ends[who].life;
                if world.accepted[who].contains(line) || sent.insert(*who, life) == Some(life) {
                    continue;
                }
                world.end(*who).process.say(line);
                if world.is_to_kill() && world.chance.below(12) == 0 {
                    // Right after it was entered: now, or within the time a commit takes.
                    thread::sleep(Duration::from_micros(world.chance.below(3_000)));
                    world.end(*who).signal(Signal::KILL);
                }
            }
            lines.iter().all(|(who, line)| world.accepted[who].contains(line))
        });
    }

    /// Says a line to the bot and waits for what comes of it.
    fn ask_bot(&mut self, line: &str) {
        self.enter(&[(Who::User, line.to_owned())]);
        let is_trigger = line.starts_with("human");
        let answer = format!("re: {line}");
        let mut gave_up = false;
        self.until(&format!("what comes of '{line}'"), |world| {
            let user = &world.ends[&Who::User];
            if (is_trigger && user.state == "queued") || user.heard.contains(&answer) {
                return true;
            }
            if user.doubt.as_ref().is_some_and(|doubt| doubt.contains(line)) {
                world.end(Who::User).doubt = None;
                gave_up = world.chance.below(2) == 0;
                if !gave_up {
                    *world.again.entry(line.to_owned()).or_default() += 1;
                    world.end(Who::User).process.say("/again");
                }
            }
            gave_up
        });
        if gave_up && is_trigger {
            self.order(Who::User, "/human", "requested", |world| {
                world.ends[&Who::User].state == "queued"
            });
        }
    }

    /// A command that is journaled as a control of this kind; entered again only if it was not.
    fn order(&mut self, who: Who, command: &str, kind: &str, reached: impl Fn(&World) -> bool) {
        let count = |all: &BTreeMap<String, Kept>| {
            all.values().flat_map(|k| &k.own).filter(|i| i.is(kind)).count()
        };
        let before = count(&kept::read(&self.ends[&who].journal));
        let (mut sent_in, first) = (None, self.ends[&who].life);
        self.until(&format!("what comes of {command}"), |world| {
            let life = world.ends[&who].life;
            let is_journaled = life > first && count(&world.ends[&who].kept) > before;
            if reached(world) {
                return true;
            }
            if sent_in != Some(life) && !is_journaled {
                world.end(who).process.say(command);
                if world.is_to_kill() && world.chance.below(8) == 0 {
                    thread::sleep(Duration::from_micros(world.chance.below(3_000)));
                    world.end(who).signal(Signal::KILL);
                }
            }
            sent_in = Some(life);
            false
        });
    }

    /// Lives on, deaths and restarts included, until it is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut World) -> bool) {
        let deadline = Instant::now() + WITHIN;
        loop {
            self.live();
            if is_so(self) {
                return;
            }
            assert!(Instant::now() < deadline, "seed {}: there never was {what}", self.seed);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Hears both ends, kills who is due, starts again who is dead.
    fn live(&mut self) {
        if let Some((at, who)) = self.next_kill
            && at <= Instant::now()
        {
            match self.chance.below(10) {
                0 => BOTH.iter().for_each(|who| self.end(*who).signal(Signal::KILL)),
                // Told to end, it says goodbye; the conversation goes on all the same.
                1 => self.end(who).signal(Signal::TERM),
                _ => self.end(who).signal(Signal::KILL),
            }
            self.plan_kill();
        }
        for who in BOTH {
            let is_dead = !self.ends[&who].process.is_running();
            if is_dead {
                // All that it told is there after this.
                let code = self.end(who).process.exit_code();
                assert!(
                    [137, 143].contains(&code),
                    "seed {}: the {who:?} ended by itself with {code}",
                    self.seed
                );
                self.kills += u64::from(code == 137);
            }
            self.hear(who);
            if is_dead {
                self.revive(who);
            }
        }
    }

    fn is_to_kill(&self) -> bool {
        self.next_kill.is_some()
    }

    fn plan_kill(&mut self) {
        let wait = Duration::from_millis(self.chance.below(400));
        let who = BOTH[self.chance.below(2) as usize];
        self.next_kill = (self.kills < self.goal).then(|| (Instant::now() + wait, who));
    }

    fn hear(&mut self, who: Who) {
        while let Some(event) = self.end(who).process.next_event() {
            let own = if who == Who::User { "user" } else { "admin" };
            if event["event"] == "message" && event["author"] == own {
                let text = event["text"].as_str().expect("a message has a text").to_owned();
                self.accepted.get_mut(&who).expect("both are there").insert(text);
            }
            let seed = self.seed;
            self.end(who).told(&event, who, seed);
        }
    }

    /// It died: its journal is looked at, and it is started again.
    fn revive(&mut self, who: Who) {
        let total = self.all_kills.fetch_add(1, Ordering::Relaxed) + 1;
        if total.is_multiple_of(10) {
            eprintln!("{total} restarts; this world: {} kills, {} lines", self.kills, self.lines);
        }
        self.by_failpoint += u64::from(!self.ends[&who].is_ended_by_us);
        let copy = self.home.0.join("copy");
        let kept = kept::read_copy(&self.ends[&who].journal, &copy);
        self.check_one(who, &kept);
        // Committed but not told before the kill: it is there, and is not entered again.
        let mine = if who == Who::User { "user" } else { "admin" };
        let said = kept.values().flat_map(|kept| &kept.own).filter_map(Item::said);
        let said = said.filter(|(author, _)| *author == mine).map(|(_, text)| text.to_owned());
        self.accepted.get_mut(&who).expect("both are there").extend(said);
        let pause = match self.chance.below(8) {
            0 => 300,
            1..4 => self.chance.below(50),
            _ => 0,
        };
        thread::sleep(Duration::from_millis(pause));
        let armed = (self.kills < self.goal && self.is_to_kill() && self.chance.below(2) == 0)
            .then(|| {
                let name = FAILPOINTS[self.chance.below(FAILPOINTS.len() as u64) as usize];
                format!("{name}:{}", 1 + self.chance.below(40))
            });
        self.end(who).again(kept, armed);
    }

    /// What must be so in one journal at any moment.
    fn check_one(&self, who: Who, kept: &BTreeMap<String, Kept>) {
        let seed = self.seed;
        if let Err(why) = kept::check_alone(&format!("{who:?}"), kept) {
            panic!("seed {seed}: {why}");
        }
        let mine = if who == Who::User { "user" } else { "admin" };
        let mut times = HashMap::<&str, usize>::new();
        let said = kept.values().flat_map(|kept| &kept.own).filter_map(Item::said);
        said.filter(|(author, _)| *author == mine)
            .for_each(|(_, text)| *times.entry(text).or_default() += 1);
        for line in &self.accepted[&who] {
            let times = times.get(line.as_str()).copied().unwrap_or_default();
            assert_eq!(
                times, 1,
                "seed {seed}: '{line}' was accepted and is in the journal of the {who:?} so often"
            );
        }
        let doubled = times.iter().find(|(_, times)| **times > 1);
        assert_eq!(doubled, None, "seed {seed}: doubled at the {who:?}");
    }

    /// Everything has come to rest: both journals tell the same story, and the bot was left in
    /// peace.
    fn check_all(&mut self) {
        let deadline = Instant::now() + WITHIN;
        let (user, desk) = loop {
            self.live();
            let (user, desk) = (
                kept::read(&self.ends[&Who::User].journal),
                kept::read(&self.ends[&Who::Desk].journal),
            );
            let Err(why) = kept::check_together(&user, &desk) else { break (user, desk) };
            assert!(Instant::now() < deadline, "seed {}: {why}", self.seed);
            thread::sleep(Duration::from_millis(5));
        };
        self.check_one(Who::User, &user);
        self.check_one(Who::Desk, &desk);
        let count = |all: &BTreeMap<String, Kept>, who: Who, own: bool| {
            let mine = if who == Who::User { "user" } else { "admin" };
            let items = all.values().flat_map(|kept| if own { &kept.own } else { &kept.theirs });
            items.filter_map(Item::said).filter(|(author, _)| *author == mine).count()
        };
        for who in BOTH {
            let (here, there) = if who == Who::User { (&user, &desk) } else { (&desk, &user) };
            let accepted = self.accepted[&who].len();
            let counts = (count(here, who, true), count(there, who, false));
            assert_eq!(
                counts,
                (accepted, accepted),
                "seed {}: lines of the {who:?} here and there",
                self.seed
            );
        }
        self.check_bot(&user);
    }

    /// No request between a `requested` and the handback, none repeated, no word of the bot's in
    /// between.
    fn check_bot(&self, user: &BTreeMap<String, Kept>) {
        let seed = self.seed;
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut times = HashMap::<&str, usize>::new();
        for (at, conversation, line) in asked.iter() {
            let Some(kept) = user.get(conversation) else {
                panic!("seed {seed}: who asked the bot '{line}'?")
            };
            let before = |item: &&Item| {
                item.at + ON_ITS_WAY < *at || (!item.is("requested") && item.at <= *at)
            };
            let last = kept.own.iter().filter(before).rfind(|item| is_control(item));
            assert!(
                is_bots(last),
                "seed {seed}: the bot was asked '{line}' at {at}, after {last:?}"
            );
            if line.is_empty() {
                continue;
            }
            *times.entry(line).or_default() += 1;
            let place = kept.own.iter().position(|item| item.said() == Some(("user", line)));
            let place = place.unwrap_or_else(|| {
                panic!("seed {seed}: the bot was asked '{line}', which nobody said")
            });
            let owner = kept.own[..place].iter().rfind(|item| is_control(item));
            assert!(
                is_bots(owner),
                "seed {seed}: the bot was asked '{line}', which was said after {owner:?}"
            );
        }
        for (line, times) in times {
            let allowed = 1 + self.again.get(line).copied().unwrap_or_default();
            assert!(times <= allowed, "seed {seed}: the bot was asked '{line}' {times} times");
        }
        for kept in user.values() {
            let said = kept
                .own
                .iter()
                .enumerate()
                .filter(|(_, i)| i.said().is_some_and(|(author, _)| author == "bot"));
            for (at, item) in said {
                let owner = kept.own[..at].iter().rfind(|item| is_control(item));
                assert!(is_bots(owner), "seed {seed}: {item:?} came into a person's conversation");
            }
        }
    }

    /// Both are told to end, and nothing of them is left.
    fn finish(&mut self) {
        for who in BOTH {
            let end = self.end(who);
            end.process.signal(Signal::TERM);
            end.process.exit_code();
            assert_eq!(end.process.still_here(), [] as [u32; 0], "a process is left over");
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

impl End {
    fn start(arguments: Vec<String>, journal: PathBuf) -> End {
        let process = start(&arguments, None);
        End {
            arguments,
            journal,
            process,
            past: Vec::new(),
            life: 0,
            kept: BTreeMap::new(),
            conversation: String::new(),
            state: String::new(),
            history: Vec::new(),
            told_state: false,
            doubt: None,
            heard: HashSet::new(),
            errors: Vec::new(),
            armed: None,
            is_ended_by_us: false,
        }
    }

    /// Another life.
    fn again(&mut self, kept: BTreeMap<String, Kept>, armed: Option<String>) {
        let process = start(&self.arguments, armed.as_deref());
        self.past.push(std::mem::replace(&mut self.process, process));
        if self.past.len() > 2 {
            self.past.remove(0);
        }
        self.life += 1;
        self.kept = kept;
        self.history.clear();
        self.told_state = false;
        self.doubt = None;
        self.armed = armed;
        self.is_ended_by_us = false;
    }

    fn signal(&mut self, signal: Signal) {
        if self.process.is_running() {
            self.is_ended_by_us = true;
            self.process.signal(signal);
        }
    }

    fn told(&mut self, event: &Value, who: Who, seed: u64) {
        let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        match field("event").as_str() {
            "state" => {
                if !std::mem::replace(&mut self.told_state, true) {
                    self.check_history(&field("conversation"), who, seed);
                }
                (self.conversation, self.state) = (field("conversation"), field("state"));
            }
            "message" => {
                if field("author") == "bot" {
                    self.heard.insert(field("text"));
                }
                if !self.told_state {
                    self.history.push((field("author"), field("text")));
                }
            }
            "notice" if field("text").contains("may not have got this") => {
                self.doubt = Some(field("text"))
            }
            "error" => self.errors.push(field("text")),
            _ => {}
        }
    }

    /// What a live conversation is told again with is what its journal holds.
    fn check_history(&self, conversation: &str, who: Who, seed: u64) {
        let Some(kept) = self.kept.get(conversation) else { return };
        let controls = if who == Who::User { &kept.own } else { &kept.theirs };
        let last = controls.iter().rfind(|item| is_control(item));
        let is_live = match who {
            Who::User => !last.is_some_and(|item| item.is("closed")),
            Who::Desk => last.is_some_and(|item| item.is("requested") || item.is("accepted")),
        };
        if !is_live {
            return;
        }
        for (is_own, items) in [(true, &kept.own), (false, &kept.theirs)] {
            let is_mine = |author: &str| (author == "admin") == ((who == Who::Desk) == is_own);
            let held: Vec<_> = items.iter().filter_map(Item::said).collect();
            let told = self.history.iter().map(|(author, text)| (author.as_str(), text.as_str()));
            let told: Vec<_> = told.filter(|(author, _)| is_mine(author)).collect();
            assert_eq!(
                told, held,
                "seed {seed}: the {who:?} told another history than its journal holds"
            );
        }
    }
}

fn start(arguments: &[String], armed: Option<&str>) -> Handoff {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Handoff::start_with(&arguments, |command| {
        if let Some(armed) = armed {
            command.env("HANDOFF_FAILPOINT", armed);
        }
    })
}

fn is_control(item: &Item) -> bool {
    kept::CONTROLS.iter().any(|name| item.is(name))
}

/// Whether the bot owns a conversation whose last control this is.
fn is_bots(last: Option<&Item>) -> bool {
    last.is_none_or(|item| item.is("handed_back") || item.is("withdrawn"))
}

fn wall() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Of a message it is the sender, of the API it is in the path.
fn conversation_of(asked: &Asked) -> String {
    match asked.path.strip_prefix("/conversations/") {
        Some(rest) => rest.split('/').next().unwrap_or_default().to_owned(),
        None => asked.sender(),
    }
}

/// A port to come back to: of a loopback address nobody else dials from, so that none but us takes
/// it meanwhile.
fn free_address() -> String {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let host = format!(
        "127.78.{}.{}",
        std::process::id() % 251,
        1 + GIVEN.fetch_add(1, Ordering::Relaxed) % 250
    );
    let free = TcpListener::bind((host.as_str(), 0)).expect("all of 127/8 is loopback");
    free.local_addr().expect("a listener has an address").to_string()
}

/// Kills in several worlds at once, and says what came of it.
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
        "{kills} kills ({at_points} at failpoints), {lines} lines accepted, 0 lost, 0 doubled, 0 bot interruptions \
         (seed {seed}, {} s)",
        started.elapsed().as_secs()
    );
}

/// A number from the environment.
pub fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |given| given.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn a_kill_of_either_side_loses_nothing_doubles_nothing_and_brings_no_bot_back() {
    kill(25, number("FAULTS_SEED", 1), 2);
}

/// `scripts/faults kill N`.
#[test]
#[ignore = "takes as long as it is told to"]
fn faults_kill() {
    kill(number("FAULTS_CYCLES", 200), number("FAULTS_SEED", 1), number("FAULTS_WORLDS", 4));
}
