//! The steps of a history: the customer and the agent act, and processes are killed.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::select;
use rustix::process::Signal;

use crate::support::kept::{self, Item, Kept};
use crate::support::machine::failpoint;

use super::{BOTH, WITHIN, Who, World};

impl World {
    /// Plays one conversation: bot, handoff, chat, handback, and the same again a few times. Then
    /// the conversation is closed, and both journals are checked.
    pub(super) fn converse(&mut self) {
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

    /// Each of these sends a line at the same time; returns when all lines are accepted.
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
                    world.kill_soon(*who);
                }
            }
            lines.iter().all(|(who, line)| world.accepted[who].contains(line))
        });
    }

    /// Sends a line to the bot and waits for the answer, the handoff or a doubt.
    fn ask_bot(&mut self, line: &str) {
        self.enter(&[(Who::User, line.to_owned())]);
        let is_trigger = line.starts_with("human");
        let answer = format!("re: {line}");
        let mut gave_up = false;
        self.until(&format!("an answer, a handoff or a doubt after '{line}'"), |world| {
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

    /// Types a command that is journaled as a control of this kind; types it again only if it was
    /// not journaled.
    fn order(&mut self, who: Who, command: &str, kind: &str, reached: impl Fn(&World) -> bool) {
        let count = |all: &BTreeMap<String, Kept>| {
            all.values().flat_map(|k| &k.own).filter(|i| i.is(kind)).count()
        };
        let before = count(&kept::read(&self.ends[&who].journal));
        let (mut sent_in, first) = (None, self.ends[&who].life);
        self.until(&format!("the effect of {command}"), |world| {
            let life = world.ends[&who].life;
            let is_journaled = life > first && count(&world.ends[&who].kept) > before;
            if reached(world) {
                return true;
            }
            if sent_in != Some(life) && !is_journaled {
                world.end(who).process.say(command);
                if world.is_to_kill() && world.chance.below(8) == 0 {
                    world.kill_soon(who);
                }
            }
            sent_in = Some(life);
            false
        });
    }

    /// Runs both ends, with kills and restarts, until the condition holds.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut World) -> bool) {
        let deadline = Instant::now() + WITHIN;
        loop {
            self.live();
            if is_so(self) {
                return;
            }
            assert!(Instant::now() < deadline, "seed {}: this never happened: {what}", self.seed);
            self.wait(deadline);
        }
    }

    /// Kills an end within the time that the commit of a line takes.
    fn kill_soon(&mut self, who: Who) {
        // The moment of the kill is what is tested, so this waits for a time and for no event.
        thread::sleep(Duration::from_micros(self.chance.below(3_000)));
        self.end(who).signal(Signal::KILL);
    }

    /// Waits until an end has printed something or ended, or the next kill is due.
    pub(super) fn wait(&self, deadline: Instant) {
        let until = self.next_kill.map_or(deadline, |(at, _)| at.min(deadline));
        let [user, desk] = BOTH.map(|who| self.ends[&who].process.news());
        select! {
            recv(user) -> _ => {}
            recv(desk) -> _ => {}
            default(until.saturating_duration_since(Instant::now())) => {}
        }
    }

    /// Reads the events of both ends, kills a process when it is time, and restarts dead ones.
    pub(super) fn live(&mut self) {
        if let Some((at, who)) = self.next_kill
            && at <= Instant::now()
        {
            match self.chance.below(10) {
                0 => BOTH.iter().for_each(|who| self.end(*who).signal(Signal::KILL)),
                // SIGTERM makes it send a goodbye; the conversation continues after the restart.
                1 => self.end(who).signal(Signal::TERM),
                _ => self.end(who).signal(Signal::KILL),
            }
            self.plan_kill();
        }
        for who in BOTH {
            let is_dead = !self.ends[&who].process.is_running();
            if is_dead {
                // Waits until all events of the dead process were read.
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

    /// Checks the journal of a dead end and starts the end again.
    fn revive(&mut self, who: Who) {
        let total = self.all_kills.fetch_add(1, Ordering::Relaxed) + 1;
        if total.is_multiple_of(10) {
            eprintln!("{total} restarts; this world: {} kills, {} lines", self.kills, self.lines);
        }
        self.by_failpoint += u64::from(!self.ends[&who].is_ended_by_us);
        let copy = self.home.0.join("copy");
        let kept = kept::read_copy(&self.ends[&who].journal, &copy);
        self.check_one(who, &kept);
        // A line that was committed but not printed before the kill is not typed again.
        let mine = if who == Who::User { "user" } else { "admin" };
        let said = kept.values().flat_map(|kept| &kept.own).filter_map(Item::said);
        let said = said.filter(|(author, _)| *author == mine).map(|(_, text)| text.to_owned());
        self.accepted.get_mut(&who).expect("both are there").extend(said);
        let pause = match self.chance.below(8) {
            0 => 300,
            1..4 => self.chance.below(50),
            _ => 0,
        };
        // The other end must cope with an end that is down for any time: so this waits for a time
        // and for no event.
        thread::sleep(Duration::from_millis(pause));
        let armed = (self.kills < self.goal && self.is_to_kill() && self.chance.below(2) == 0)
            .then(|| failpoint(&mut self.chance, 1..41));
        self.end(who).again(kept, armed);
    }
}
