//! A seat of the desk: the desk's own script, or an agent's attached terminal, where a person has
//! plain lines or a script has `--json`.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::home::Home;
use crate::support::kept;
use crate::support::run::Handoff;
use crate::support::terminal::{Keyboard, at_keyboard};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The process of the desk itself. It accepts nobody, and only looks.
    Desk,
    /// A person at a terminal.
    Person,
    Script,
}

/// One seat, through all its processes.
pub struct Seat {
    pub name: &'static str,
    pub kind: Kind,
    pub arguments: Vec<String>,
    /// The file of the terminal.
    pub file: PathBuf,
    /// `None` while the agent is away.
    pub process: Option<Handoff>,
    keyboard: Option<Keyboard>,
    /// The failpoint of this process.
    pub armed: Option<String>,
    pub is_ended_by_us: bool,
    /// When the terminal was attached or lost its desk, and whether it is attached.
    pub is_attached: bool,
    pub since: Instant,
    /// The latest mark that the process has passed.
    pub mark: u64,
    /// The lines of the latest list.
    pub list: Vec<String>,
    /// With `--json`: the facts of each conversation.
    pub facts: BTreeMap<String, Fact>,
    /// Whether this seat has had a customer since it was attached.
    pub had_one: bool,
    lines: u64,
    /// The typed lines; and those of this process that it may not have read yet, each with the mark
    /// before it.
    pub typed: Vec<String>,
    unsure: Vec<(u64, String)>,
    /// The lines that the terminal kept or the desk did, and those that the terminal reported as
    /// not sent.
    pub accepted: HashSet<String>,
    pub refused: HashSet<String>,
    /// Agents' lines that were shown here lately, each with the number or id of its conversation.
    pub said: Vec<(String, String)>,
    /// In a control: the customer whose unanswered lines are hidden at this seat.
    pub hides: Option<String>,
}

/// The facts of a conversation that a program has.
#[derive(Clone, Default)]
pub struct Fact {
    /// The number that the desk gives the conversation.
    pub number: String,
    pub customer: String,
    pub state: String,
    pub unanswered: u32,
}

impl Seat {
    pub fn new(name: &'static str, kind: Kind, arguments: Vec<String>, file: PathBuf) -> Seat {
        Seat {
            name,
            kind,
            arguments,
            file,
            process: None,
            keyboard: None,
            armed: None,
            is_ended_by_us: false,
            is_attached: false,
            since: Instant::now(),
            mark: 0,
            list: Vec::new(),
            facts: BTreeMap::new(),
            had_one: false,
            lines: 0,
            typed: Vec::new(),
            unsure: Vec::new(),
            accepted: HashSet::new(),
            refused: HashSet::new(),
            said: Vec::new(),
            hides: None,
        }
    }

    /// Starts a process, the first time with a code.
    pub fn start(&mut self, code: Option<&str>, armed: Option<String>) {
        let code: Vec<&str> = code.into_iter().flat_map(|file| ["--code-file", file]).collect();
        let arguments: Vec<&str> =
            self.arguments.iter().map(String::as_str).chain(code.iter().copied()).collect();
        let arm = |command: &mut std::process::Command| {
            armed.as_ref().map(|armed| command.env("HANDOFF_FAILPOINT", armed));
        };
        if self.kind == Kind::Person {
            let (process, keyboard) = at_keyboard(&arguments, arm);
            (self.process, self.keyboard) = (Some(process), Some(keyboard));
        } else {
            self.process = Some(Handoff::start_with(&arguments, arm));
        }
        (self.is_attached, self.since) = (self.kind == Kind::Desk, Instant::now());
        (self.armed, self.is_ended_by_us, self.had_one) = (armed, false, false);
        self.facts.clear();
    }

    /// Types a command, or a line whose fate does not matter.
    pub fn type_line(&mut self, line: &str) {
        match (&mut self.keyboard, &mut self.process) {
            (Some(keyboard), Some(_)) => keyboard.type_line(line),
            (None, Some(process)) => process.say(line),
            (_, None) => {}
        }
    }

    /// Sends a new line to the customer in focus, if the agent is here. `mark` is the latest typed
    /// mark.
    pub fn say(&mut self, mark: u64) {
        if self.process.is_none() {
            return;
        }
        self.lines += 1;
        let line = format!("{}-{}", self.name, self.lines);
        self.type_line(&line);
        self.typed.push(line.clone());
        self.unsure.push((mark, line));
    }

    /// Reads the output of the process so far.
    pub fn hear(&mut self) {
        while self.kind != Kind::Person
            && let Some(event) = self.process.as_mut().and_then(Handoff::next_event)
        {
            self.told(&event);
        }
        while let Some(line) = self.process.as_mut().and_then(Handoff::next_err) {
            if let Some(text) = line.strip_prefix("handoff: ") {
                self.noticed(text);
            }
        }
        while self.kind == Kind::Person
            && let Some(line) = self.process.as_mut().and_then(Handoff::next_out)
        {
            // #3 admin robin: robin-17
            let mut words = line.split(' ');
            if let (Some(number), Some("admin")) = (words.next(), words.next()) {
                let text = words.next_back().unwrap_or_default();
                self.saw(number.trim_start_matches('#').to_owned(), text.to_owned());
            }
        }
    }

    fn told(&mut self, event: &Value) {
        let field = |name: &str| event[name].as_str().unwrap_or_default();
        let conversation = field("conversation").to_owned();
        match field("event") {
            "state" => {
                let fact = self.facts.entry(conversation).or_default();
                // docs/JSON.md: with `queued` the count begins at 0.
                if field("state") == "queued" {
                    fact.unanswered = 0;
                }
                fact.number = event["n"].to_string();
                (fact.state, fact.customer) =
                    (field("state").to_owned(), field("customer").to_owned());
                self.had_one |= field("agent") == self.name;
            }
            "unanswered" => {
                let fact = self.facts.entry(conversation).or_default();
                if self.hides.as_ref() != Some(&fact.customer) {
                    fact.unanswered = event["lines"].as_u64().unwrap_or_default() as u32;
                }
            }
            "message" if field("author") == "admin" => {
                self.saw(conversation, field("text").to_owned());
            }
            "notice" | "error" => self.noticed(field("text")),
            _ => {}
        }
    }

    /// Learns from a notice that a person has read.
    fn noticed(&mut self, text: &str) {
        if let Some(mark) = super::mark_in(text) {
            self.mark = mark;
            let known = self.unsure.extract_if(.., |(before, _)| *before < mark);
            self.accepted.extend(known.map(|(_, line)| line));
        } else if text.starts_with("attached to") {
            (self.is_attached, self.since) = (true, Instant::now());
            // The desk counts this as a new seat.
            self.had_one = false;
        } else if text.starts_with("not attached") {
            (self.is_attached, self.since) = (false, Instant::now());
        } else if text.starts_with("not sent") || text.starts_with("not delivered") {
            let line = text.rsplit(": ").next().unwrap_or_default();
            self.refused.insert(line.to_owned());
        } else if text.starts_with('#') {
            self.list.push(text.to_owned());
        }
    }

    /// A line of an agent is shown here, so the desk has it.
    fn saw(&mut self, to: String, line: String) {
        let is_own = line.rsplit_once('-').is_some_and(|(name, _)| name == self.name);
        if is_own && self.accepted.insert(line.clone()) {
            self.unsure.retain(|(_, unsure)| *unsure != line);
        }
        self.said.push((to, line));
    }

    /// The process is dead. Lines that it kept will be done; lines that it had not read are lost,
    /// and the person sees that.
    pub fn died(&mut self, home: &Home) {
        self.unsure.clear();
        let copy = home.0.join("terminal-copy");
        self.accepted.extend(kept_lines(&self.file, &copy));
    }
}

/// The lines that a dead terminal keeps for its desk.
fn kept_lines(file: &Path, copy: &Path) -> Vec<String> {
    if !kept::copy(file, copy) {
        return Vec::new();
    }
    let read = || {
        let journal = Connection::open(copy.join("journal.sqlite"))?;
        let mut select = journal.prepare("SELECT text FROM line ORDER BY number")?;
        let lines = select.query_map([], |row| row.get(0))?;
        lines.collect::<rusqlite::Result<Vec<String>>>()
    };
    let all = read().unwrap_or_default();
    all.into_iter().filter(|line| !line.starts_with('/')).collect()
}
