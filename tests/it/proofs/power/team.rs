//! A power cut at a desk with three agents, each at a terminal on another machine. Every line that
//! a terminal counts as done, or has shown, is on the desk's disk.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::fake_bot::FakeBot;
use crate::support::kept::{self, Item};
use crate::support::run::Handoff;

use super::{Rig, UNDER_WAY, look, stop_and_cut};

/// An agent's terminal, and the lines that must survive the cut.
struct Agent {
    terminal: Handoff,
    file: PathBuf,
    typed: Vec<String>,
    shown: HashSet<String>,
    is_lost: bool,
}

impl Agent {
    /// A terminal of a new agent, who accepts the customer with this name.
    fn new(rig: &Rig, desk: &str, name: &str, customer: &str) -> Result<Agent, String> {
        let (state, own) = (rig.path("a/state").display().to_string(), rig.folder("agents")?);
        fs::set_permissions(&own, Permissions::from_mode(0o700)).map_err(|e| e.to_string())?;
        let mut add = Handoff::start(&["agent", "add", name, "--state", &state]);
        assert_eq!(add.exit_code(), 0, "an agent can be added");
        let words = add.stdout().join("\n");
        let code = words.split_whitespace().max_by_key(|word| word.len()).expect("a code");
        let file = rig.path(&format!("agents/{name}.code"));
        fs::write(&file, code).map_err(|e| e.to_string())?;
        fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(|e| e.to_string())?;
        let code = file.display().to_string();
        let attach = ["attach", "--desk", desk, "--state", &own, "--profile", name, "--json"];
        let mut terminal = Handoff::start(&[&attach[..], &["--code-file", &code]].concat());
        let take = format!("/accept {customer}");
        terminal.say(&take);
        terminal.until(|event| event["event"] == "state" && event["agent"] == name);
        let folder = Path::new(&own).join("attach").join(name).join(desk.replace(':', "_"));
        let file = folder.join("terminal.sqlite");
        let (typed, shown) = (vec![take], HashSet::new());
        Ok(Agent { terminal, file, typed, shown, is_lost: false })
    }

    /// Reads the events that are there, and sends the next line if few are under way.
    fn go_on(&mut self, name: usize) {
        self.hear();
        if self.typed.len() as u64 <= self.shown.len() as u64 + UNDER_WAY {
            let line = super::line(self.typed.len() as u64);
            let line = format!("{name} says {}", line.trim_end());
            self.terminal.say(&line);
            self.typed.push(line);
        }
    }

    fn hear(&mut self) {
        while let Some(event) = self.terminal.next_event() {
            self.told(&event);
        }
    }

    fn told(&mut self, event: &Value) {
        let text = event["text"].as_str().unwrap_or_default();
        if event["event"] == "message" && event["author"] == "admin" {
            self.shown.insert(text.to_owned());
        }
        self.is_lost |= event["event"] == "notice" && text.starts_with("not attached");
    }

    /// The desk is gone. Ends the terminal. Returns the key of its seat, the number up to which the
    /// desk has told it that lines are done, and the lines that must survive.
    fn end(mut self) -> (Vec<u8>, u64, HashSet<String>) {
        while !self.is_lost {
            let event = self.terminal.until(|_| true);
            self.told(&event);
        }
        self.terminal.kill();
        let kept = Connection::open(&self.file).expect("it is a journal");
        let seat = kept.query_row("SELECT seat FROM terminal", [], |row| row.get(0));
        let latest =
            "SELECT coalesce(min(number) - 1, (SELECT seq FROM sqlite_sequence)) FROM line";
        let taken: i64 = kept.query_row(latest, [], |row| row.get(0)).expect("a number");
        let done = self.typed.into_iter().take(taken as usize).skip(1);
        (seat.expect("a seat"), taken as u64, done.chain(self.shown).collect())
    }
}

/// Returns how many lines were promised, and how many of them are lost.
pub(super) fn cut_team(after: Duration, synchronous: &str) -> Result<(u64, u64), String> {
    let mut rig = Rig::new()?;
    let bot = FakeBot::saying(|_| json!([]));
    let state = rig.path("a/state").display().to_string();
    let desk = ["admin", "--listen", "127.0.0.1:0", "--no-terminal", "--json", "--state", &state];
    let mut desk = Handoff::start_with(&desk, |command| {
        command.env("HANDOFF_SYNCHRONOUS", synchronous);
    });
    let address = desk.address();
    let (mut customers, mut agents) = (Vec::new(), Vec::new());
    for (agent, name) in [("robin", "ann"), ("al", "bea"), ("kim", "cleo")] {
        let mut customer = Handoff::user(&address, bot.url(), &["--name", name]);
        customer.say("/human");
        desk.until_state("queued");
        agents.push(Agent::new(&rig, &address, agent, name)?);
        customer.until_state("active");
        customers.push(customer);
    }
    let ends = Instant::now() + after;
    while Instant::now() < ends {
        for (name, agent) in agents.iter_mut().enumerate() {
            agent.go_on(name);
        }
        let news = agents[0].terminal.news();
        let _ = news.recv_deadline(ends.min(Instant::now() + Duration::from_millis(1)));
    }
    stop_and_cut(&rig, &mut desk);
    let ended: Vec<_> = agents.into_iter().map(Agent::end).collect();
    rig.mount("b")?;
    let file = kept::journal(&rig.path("b/state"), "admin");
    let kept = look(&file);
    let own = kept.values().flat_map(|kept| &kept.own);
    let held: HashSet<_> = own.filter_map(Item::said).map(|(_, text)| text).collect();
    let (mut promised, mut lost) = (0, 0);
    for (seat, told, lines) in ended {
        promised += lines.len() as u64;
        lost += lines.iter().filter(|line| !held.contains(line.as_str())).count() as u64;
        // If the desk's number is lower than the number that it told the terminal, it has forgotten
        // lines that it did.
        lost += told.saturating_sub(taken(&file, &seat));
    }
    Ok((promised, lost))
}

/// The number up to which a desk's journal marks the lines of this seat as done.
fn taken(file: &Path, seat: &[u8]) -> u64 {
    let read = || {
        let sql = "SELECT taken FROM seat WHERE key = ?";
        Connection::open(file)?.query_row(sql, [seat], |row| row.get::<_, i64>(0))
    };
    read().map_or(0, |taken| taken as u64)
}
