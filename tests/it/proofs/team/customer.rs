//! One customer: their process, and their unanswered lines by what they typed and read themselves.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::support::run::Handoff;

/// One customer, through all their processes.
pub struct Customer {
    pub name: String,
    pub arguments: Vec<String>,
    pub journal: PathBuf,
    /// `None` while the customer is away.
    pub process: Option<Handoff>,
    pub conversation: String,
    pub state: String,
    pub owed: Owed,
    /// The latest mark that the process has passed.
    pub mark: u64,
    /// When the connection to the desk was lost, if it is lost.
    pub lost: Option<Instant>,
    /// The conversation that a typed `/new` ends.
    pub renews: Option<String>,
    /// The number of lines that were typed so far, and the lines that were accepted or refused.
    pub typed: u64,
    pub accepted: Vec<String>,
    heard: HashSet<String>,
    pub refused: HashSet<String>,
    /// A text for agents that reached the customer.
    pub leaked: Option<String>,
    /// How often an agent accepted the customer, another agent got them, they waited again, they
    /// were handed back, and the conversation was closed.
    pub turns: [u32; 5],
}

/// How many lines have no answer, as far as a customer can know.
///
/// A line and an answer may cross on their way. A line that was typed after the customer saw the
/// agent's latest line has no answer. A line from before the last quiet moment has one if the agent
/// has said something since. For the lines in between, only the desk knows.
#[derive(Default)]
pub struct Owed {
    /// The number of lines after the agent's latest line.
    behind: u32,
    /// The bounds at the last quiet moment, and the lines since.
    before: (u32, u32),
    recent: u32,
    /// Whether the agent has said something since the last quiet moment.
    is_answered: bool,
}

impl Owed {
    /// The least and the most lines that have no answer.
    pub fn bounds(&self) -> (u32, u32) {
        let (least, most) = self.before;
        match self.is_answered {
            true => (self.behind, self.recent),
            false => (least + self.recent, most + self.recent),
        }
    }

    /// A quiet moment: nothing is on its way.
    pub fn rest(&mut self) {
        self.before = self.bounds();
        (self.recent, self.is_answered) = (0, false);
    }

    /// An agent has said something.
    pub fn settle(&mut self) {
        (self.behind, self.is_answered) = (0, true);
    }

    /// An agent has said something to a customer who is away. So no line of theirs crosses it.
    pub fn settle_all(&mut self) {
        *self = Owed::default();
    }

    fn add(&mut self) {
        self.behind += 1;
        self.recent += 1;
    }
}

impl Customer {
    pub fn new(name: &str, arguments: Vec<String>, journal: PathBuf) -> Customer {
        Customer {
            name: name.to_owned(),
            arguments,
            journal,
            process: None,
            conversation: String::new(),
            state: String::new(),
            owed: Owed::default(),
            mark: 0,
            lost: None,
            renews: None,
            typed: 0,
            accepted: Vec::new(),
            heard: HashSet::new(),
            refused: HashSet::new(),
            leaked: None,
            turns: [0; 5],
        }
    }

    pub fn start(&mut self) {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        (self.process, self.lost) = (Some(Handoff::start(&arguments)), None);
    }

    /// Whether the customer waits or talks.
    pub fn is_with_desk(&self) -> bool {
        matches!(self.state.as_str(), "queued" | "active")
    }

    /// A new line for this customer to type.
    pub fn line(&mut self, word: &str) -> String {
        self.typed += 1;
        format!("{word}{}-{}", self.name, self.typed)
    }

    pub fn say(&mut self, line: &str) {
        self.process.as_mut().expect("the customer is there").say(line);
    }

    /// Reads the events that the process has printed.
    pub fn hear(&mut self) {
        while let Some(event) = self.process.as_mut().and_then(Handoff::next_event) {
            self.told(&event);
        }
    }

    fn told(&mut self, event: &Value) {
        let field = |name: &str| event[name].as_str().unwrap_or_default();
        let line = event.to_string();
        if line.contains(super::SECRET) {
            self.leaked = Some(line);
        }
        match field("event") {
            "state" => {
                let was_with_desk =
                    self.is_with_desk() && self.conversation == field("conversation");
                let turn = match (self.state.as_str(), field("state")) {
                    ("queued", "active") => Some(0),
                    ("active", "active") => Some(1),
                    ("active", "queued") => Some(2),
                    ("active", "bot") => Some(3),
                    ("active", "closed") => Some(4),
                    _ => None,
                };
                turn.into_iter().for_each(|turn| self.turns[turn] += 1);
                (self.conversation, self.state) =
                    (field("conversation").to_owned(), field("state").to_owned());
                if !was_with_desk {
                    self.owed = Owed::default();
                }
            }
            // The process prints messages of a former process again, as history.
            "message" if event["history"] == true && self.knows(field("text")) => {}
            "message" if field("author") == "user" => {
                self.accepted.push(field("text").to_owned());
                if self.is_with_desk() {
                    self.owed.add();
                }
            }
            "message" if field("author") == "admin" => {
                self.heard.insert(field("text").to_owned());
                self.owed.settle();
            }
            "link" => self.lost = (field("link") == "lost").then(Instant::now),
            "error" => {
                if let Some(mark) = super::mark_in(field("text")) {
                    self.mark = mark;
                } else if let Some((why, line)) = field("text").split_once(": ")
                    && why.starts_with("not delivered")
                {
                    self.refused.insert(line.to_owned());
                }
            }
            _ => {}
        }
    }

    fn knows(&self, text: &str) -> bool {
        self.heard.contains(text) || self.accepted.iter().rev().any(|known| *known == text)
    }

    /// Checks that every line that was typed was accepted once and in order, or refused.
    pub fn check_lines(&self) -> Result<(), String> {
        let mut at = BTreeMap::new();
        for (place, line) in self.accepted.iter().enumerate() {
            let number = line.rsplit('-').next().and_then(|number| number.parse::<u64>().ok());
            if at.insert(number, place).is_some() {
                return Err(format!("'{line}' was accepted twice"));
            }
        }
        if !at.values().is_sorted() {
            return Err(format!("the lines of {} are not in order", self.name));
        }
        let refused = self.refused.iter().map(|line| line.rsplit('-').next().unwrap_or_default());
        let refused: HashSet<u64> = refused.filter_map(|number| number.parse().ok()).collect();
        let mut numbers = 1..=self.typed;
        match numbers.find(|number| at.contains_key(&Some(*number)) == refused.contains(number)) {
            Some(number) => Err(format!("{}-{number} is neither there nor refused", self.name)),
            None => Ok(()),
        }
    }
}
