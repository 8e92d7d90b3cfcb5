//! A bot, a desk and a customer whose state lies in one folder. Each can be stopped and started
//! again, and its state copied, deleted or set back.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::{Home, nobody_at};
use crate::support::run::Handoff;
use crate::support::terminal::{COLUMNS, Terminal};

/// A state folder, a desk's address and a bot. A test may start the desk and the customer's side
/// on it as often as it wants.
pub struct Setup {
    folder: Home,
    pub desk: String,
    pub bot: FakeBot,
}

impl Setup {
    /// A setup whose bot hands over at the word 'human' and repeats any other text.
    pub fn new() -> Setup {
        Setup::with(FakeBot::saying(|said| {
            text(&if said.contains("human") {
                "Human Handoff".to_owned()
            } else {
                format!("heard {said}")
            })
        }))
    }

    pub fn with(bot: FakeBot) -> Setup {
        let folder = Home::new();
        fs::set_permissions(&folder.0, Permissions::from_mode(0o700)).expect("the folder is ours");
        Setup { folder, desk: nobody_at(), bot }
    }

    /// Starts the desk, which listens when this returns.
    #[track_caller]
    pub fn admin(&self, more: &[&str]) -> Handoff {
        let mut admin = Handoff::start(&self.admin_arguments(more));
        admin.address();
        admin
    }

    #[track_caller]
    pub fn user(&self, more: &[&str]) -> Handoff {
        Handoff::start(&self.user_arguments(more))
    }

    /// A desk and a customer who talk.
    #[track_caller]
    pub fn talking(&self) -> (Handoff, Handoff) {
        let mut admin = self.admin(&["--auto-accept"]);
        let mut user = self.user(&[]);
        user.say("a human");
        user.until_state("active");
        admin.until_state("active");
        (admin, user)
    }

    pub fn admin_arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["admin", "--listen", &self.desk, "--json", "--state", self.state()], more].concat()
    }

    pub fn user_arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [
            &[
                "user",
                "--admin",
                &self.desk,
                "--bot",
                self.bot.url(),
                "--json",
                "--state",
                self.state(),
            ],
            more,
        ]
        .concat()
    }

    /// The folder for `--state`.
    pub fn state(&self) -> &str {
        self.folder.0.to_str().expect("cargo's folders have UTF-8 names")
    }

    /// The folder of a mode's default profile.
    pub fn profile(&self, mode: &str) -> PathBuf {
        self.folder.0.join(mode).join("default")
    }

    /// Removes all files of a mode.
    pub fn forget(&self, mode: &str) {
        fs::remove_dir_all(self.folder.0.join(mode)).expect("the mode has files");
    }

    /// Copies the files of a mode for `set_back`. No process may have them open.
    pub fn back_up(&self, mode: &str) {
        copy(&self.profile(mode), &self.folder.0.join("backup").join(mode));
    }

    /// Replaces the files of a mode by the copy of `back_up`.
    pub fn set_back(&self, mode: &str) {
        self.forget(mode);
        copy(&self.folder.0.join("backup").join(mode), &self.profile(mode));
    }

    /// Makes another profile of the customer's side with a copy of the default profile.
    pub fn clone_user(&self, profile: &str) {
        copy(&self.profile("user"), &self.folder.0.join("user").join(profile));
    }

    /// Opens the journal of a mode.
    pub fn journal(&self, mode: &str) -> rusqlite::Connection {
        rusqlite::Connection::open(self.profile(mode).join("journal.sqlite")).expect("it is there")
    }
}

/// Copies a profile's files.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder of the test's own");
    for folder in [to, to.parent().expect("it lies in a folder")] {
        fs::set_permissions(folder, Permissions::from_mode(0o700)).expect("the folder is ours");
    }
    for entry in fs::read_dir(from).expect("it is there").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a file of the test's own");
    }
}

/// The present conversation of a process.
#[track_caller]
pub fn conversation(end: &Handoff) -> Value {
    end.events_of("state").last().expect("it has printed a state")["conversation"].clone()
}

/// Author and text of each message of this conversation, live or as history.
pub fn told(end: &Handoff, id: &Value) -> Vec<(String, String)> {
    let of = end.events_of("message").into_iter().filter(|event| event["conversation"] == *id);
    let field = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    of.map(|event| (field(&event, "author"), field(&event, "text"))).collect()
}

/// Checks that both ends print the same messages of a conversation. It waits until both have the
/// same number, because an end may act before it prints.
#[track_caller]
pub fn same_story(one: &mut Handoff, other: &mut Handoff, id: &Value) {
    loop {
        let (here, there) = (told(one, id), told(other, id));
        if here.len() == there.len() {
            return assert_eq!(here, there);
        }
        let behind = if here.len() < there.len() { &mut *one } else { &mut *other };
        behind.until(|event| event["event"] == "message" && event["conversation"] == *id);
    }
}

/// The messages that a process printed before the first state of a conversation; all are history.
#[track_caller]
pub fn told_again(end: &Handoff, id: &Value) -> Vec<(String, String)> {
    let events: Vec<Value> =
        end.events().into_iter().filter(|event| event["conversation"] == *id).collect();
    let state = events.iter().position(|event| event["event"] == "state").expect("a state follows");
    let messages = events[..state].iter().filter(|event| event["event"] == "message");
    let field = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let again = messages.inspect(|event| assert_eq!(event["history"], true, "{event}"));
    let again = again.map(|event| (field(event, "author"), field(event, "text"))).collect();
    let first = end.events()[0]["event"].clone();
    assert_eq!(first, "ready");
    again
}

/// The expected authors and texts, in the form of [`told`].
pub fn said(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines.iter().map(|(author, text)| ((*author).to_owned(), (*text).to_owned())).collect()
}

/// Agents at terminals of their own.
impl Setup {
    /// Adds an agent to the desk, and returns the file with the code.
    #[track_caller]
    pub fn add_agent(&self, name: &str, more: &[&str]) -> String {
        let adds = [&["agent", "add", name, "--state", self.state()], more].concat();
        let mut add = Handoff::start(&adds);
        assert_eq!(add.exit_code(), 0);
        let words = add.stdout().join("\n");
        self.keep_code(name, words.split_whitespace().max_by_key(|it| it.len()).expect("a code"))
    }

    /// A file with an agent's code, for `--code-file`.
    #[track_caller]
    pub fn keep_code(&self, name: &str, code: &str) -> String {
        let count = fs::read_dir(self.state()).map_or(0, Iterator::count);
        let file = Path::new(self.state()).join(format!("{name}.{count}.code"));
        fs::write(&file, code).expect("it can be written");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
        file.to_str().expect("a path of a test").to_owned()
    }

    /// Starts an agent's terminal, which signs in with this code the first time.
    #[track_caller]
    pub fn attach(&self, name: &str, code: Option<&str>, more: &[&str]) -> Handoff {
        let terminal = ["attach", "--desk", &self.desk, "--state", self.state()];
        let profile = ["--profile", name, "--json"];
        let code: Vec<&str> = code.into_iter().flat_map(|file| ["--code-file", file]).collect();
        Handoff::start(&[&terminal[..], &profile, &code, more].concat())
    }

    /// Adds an agent to the desk, and attaches their terminal.
    #[track_caller]
    pub fn agent(&self, name: &str, more: &[&str]) -> Handoff {
        let code = self.add_agent(name, more);
        let mut agent = self.attach(name, Some(&code), &[]);
        agent.until_told("notice", "attached to");
        agent
    }

    /// A queued customer with this name.
    #[track_caller]
    pub fn queued(&self, name: &str) -> Handoff {
        let mut user = self.user(&["--profile", name, "--name", name]);
        user.say("a human");
        user.until(|event| event["position"].is_number());
        user
    }

    /// A desk at a terminal, which listens.
    #[track_caller]
    pub fn desk_at_a_terminal(&self, more: &[&str]) -> Terminal {
        self.desk_in_a_window(COLUMNS, more)
    }

    /// A desk at a terminal with this many columns, which listens.
    #[track_caller]
    pub fn desk_in_a_window(&self, columns: u16, more: &[&str]) -> Terminal {
        let mut arguments = self.admin_arguments(more);
        arguments.retain(|argument| *argument != "--json");
        let mut desk = Terminal::sized(&arguments, columns);
        desk.sees("listening on");
        desk
    }

    /// A new agent at an attached terminal with this many columns.
    #[track_caller]
    pub fn agent_at_a_terminal(&self, name: &str, columns: u16) -> Terminal {
        let code = self.add_agent(name, &[]);
        let profile = ["--state", self.state(), "--profile", name, "--code-file", &code];
        let arguments = [&["attach", "--desk", &self.desk], &profile[..]].concat();
        let mut agent = Terminal::sized(&arguments, columns);
        agent.sees("attached to");
        agent
    }
}
