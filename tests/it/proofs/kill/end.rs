//! One end: its process, its earlier processes, and the events that it printed.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::kept::{Item, Kept};
use crate::support::run::Handoff;

use super::Who;
use super::checks::is_control;

/// One end, through all its processes.
pub struct End {
    pub arguments: Vec<String>,
    pub journal: PathBuf,
    pub process: Handoff,
    /// The latest earlier processes.
    pub past: Vec<Handoff>,
    pub life: u64,
    /// The journal at the death of the latest earlier process.
    pub kept: BTreeMap<String, Kept>,
    /// The present conversation and its state, from the latest event.
    pub conversation: String,
    pub state: String,
    /// Messages that this process printed as history before its first state.
    pub history: Vec<(String, String)>,
    pub told_state: bool,
    /// The notice of this process about a line that the bot may not have got.
    pub doubt: Option<String>,
    /// The bot's answers that this end printed.
    pub heard: HashSet<String>,
    pub errors: Vec<String>,
    /// The failpoint at which this process is to die, if it has one.
    pub armed: Option<String>,
    /// Whether the test has sent this process a signal.
    pub is_ended_by_us: bool,
}

impl End {
    pub(super) fn start(arguments: Vec<String>, journal: PathBuf) -> End {
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

    /// Starts another process.
    pub(super) fn again(&mut self, kept: BTreeMap<String, Kept>, armed: Option<String>) {
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

    pub(super) fn signal(&mut self, signal: Signal) {
        if self.process.is_running() {
            self.is_ended_by_us = true;
            self.process.signal(signal);
        }
    }

    pub(super) fn told(&mut self, event: &Value, who: Who, seed: u64) {
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

    /// The history that a restart prints of a live conversation is equal to the journal.
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
                "seed {seed}: the history that the {who:?} printed differs from its journal"
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
