//! `handoff` processes under test: each with its own home, piped ends and a deadline for every
//! wait.
//!
//! No wait sleeps for a fixed time: it ends at an event, a line, the end of the process, or its
//! deadline. A test that fails prints the command line, both outputs and the files of every process
//! that it started.

use std::fmt::Write as _;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use crossbeam_channel::Receiver;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;

use crate::support::home::{Home, command, command_of};
use crate::support::lines::{Flag, Lines};

/// The greeting of the built-in bot.
pub const BOT_GREETING: &str =
    "Hello! I am the demo bot. Ask me for 'buttons', 'a picture', or 'a human'.";
/// The longest that a wait may take before its test fails.
pub const WITHIN: Duration = Duration::from_secs(45);

/// One process. It is killed when this value is dropped.
pub struct Handoff {
    command: String,
    child: Child,
    /// The channel of a thread that writes the input, so that a program that does not read blocks
    /// no test.
    stdin: Option<Sender<Vec<u8>>>,
    out: Lines,
    err: Lines,
    ended: Arc<Flag>,
    news: Receiver<()>,
    home: Home,
}

impl Handoff {
    /// `handoff` with these arguments, in a home of its own.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Handoff {
        Handoff::start_with(arguments, |_| {})
    }

    /// Like [`start`](Handoff::start), after `prepare` has changed the command.
    #[track_caller]
    pub fn start_with(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Handoff {
        let home = Home::new();
        let mut command = command(&home, arguments);
        prepare(&mut command);
        Handoff::spawn(home, command, arguments)
    }

    /// Another build of `handoff` with these arguments.
    #[track_caller]
    pub fn start_build(program: &Path, arguments: &[&str]) -> Handoff {
        let home = Home::new();
        let command = command_of(program, &home, arguments);
        Handoff::spawn(home, command, arguments)
    }

    #[track_caller]
    fn spawn(home: Home, mut command: Command, arguments: &[&str]) -> Handoff {
        let command_line = format!("handoff {}", arguments.join(" "));
        let mut child =
            command.spawn().unwrap_or_else(|e| panic!("cannot start '{command_line}': {e}"));
        let (signal, news) = crossbeam_channel::bounded(1);
        let out = Lines::read(child.stdout.take(), signal.clone());
        let err = Lines::read(child.stderr.take(), signal.clone());
        let ended = Flag::when_over(&child, signal);
        Handoff {
            command: command_line,
            stdin: child.stdin.take().map(typist),
            child,
            out,
            err,
            ended,
            news,
            home,
        }
    }

    /// The built-in bot.
    #[track_caller]
    pub fn bot() -> Handoff {
        Handoff::start(&["bot", "--listen", "127.0.0.1:0", "--json"])
    }

    /// A desk that prints events.
    #[track_caller]
    pub fn admin(more: &[&str]) -> Handoff {
        Handoff::start(&[&["admin", "--listen", "127.0.0.1:0", "--json"], more].concat())
    }

    /// A desk that prints lines.
    #[track_caller]
    pub fn plain_admin(more: &[&str]) -> Handoff {
        Handoff::start(&[&["admin", "--listen", "127.0.0.1:0"], more].concat())
    }

    /// A customer's side that prints events.
    #[track_caller]
    pub fn user(admin: &str, bot_url: &str, more: &[&str]) -> Handoff {
        Handoff::start(&[&["user", "--admin", admin, "--bot", bot_url, "--json"], more].concat())
    }

    /// A customer's side that prints lines.
    #[track_caller]
    pub fn plain_user(admin: &str, bot_url: &str, more: &[&str]) -> Handoff {
        Handoff::start(&[&["user", "--admin", admin, "--bot", bot_url], more].concat())
    }

    /// The address that the process printed: in `ready`, or in a line on stderr.
    #[track_caller]
    pub fn address(&mut self) -> String {
        if self.command.contains("--json") {
            let ready = self.out.first(WITHIN);
            let ready: Option<Value> = ready.and_then(|line| serde_json::from_str(&line).ok());
            let address = ready.and_then(|ready| Some(ready["listen"].as_str()?.to_owned()));
            return address
                .unwrap_or_else(|| panic!("'{}' did not print its address", self.command));
        }
        let line = self.until_err(|line| line.contains("listening on"));
        let address =
            line.split("listening on ").nth(1).and_then(|rest| rest.split([',', ' ']).next());
        address.unwrap_or_default().trim_start_matches("http://").to_owned()
    }

    /// Whether the process has printed a line. False if it ended before.
    pub fn is_ready(&mut self) -> bool {
        self.out.first(WITHIN).is_some()
    }

    /// A bot's URL.
    #[track_caller]
    pub fn url(&mut self) -> String {
        format!("http://{}", self.address())
    }

    /// Types a line.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        self.type_bytes(format!("{line}\n").as_bytes());
    }

    /// Types bytes as they are.
    #[track_caller]
    pub fn type_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_ref().expect("the test has not closed stdin");
        // This fails only if the program has ended, which the next wait reports.
        let _ = stdin.send(bytes.to_vec());
    }

    /// Ends the input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Types the whole input and ends it.
    #[track_caller]
    pub fn script(&mut self, lines: &str) {
        self.type_bytes(lines.as_bytes());
        self.close_stdin();
    }

    /// A channel that gets a signal when the process prints a line, closes an output or ends. It is
    /// for a test that waits for more than one process.
    pub fn news(&self) -> &Receiver<()> {
        &self.news
    }

    /// The next event after the last one that a wait took, if it is there already.
    #[track_caller]
    pub fn next_event(&mut self) -> Option<Value> {
        let line = self.next_out()?;
        Some(parse(&self.command, &line))
    }

    /// The next line on stdout after the last one that a wait took, if it is there already.
    pub fn next_out(&mut self) -> Option<String> {
        self.out.until(Duration::ZERO, |_| true)
    }

    /// The next line on stderr after the last one that a wait took, if it is there already.
    pub fn next_err(&mut self) -> Option<String> {
        self.err.until(Duration::ZERO, |_| true)
    }

    /// Waits for the next event that fits, after the last one that a wait took.
    #[track_caller]
    pub fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let command = &self.command;
        let found = self.out.until(WITHIN, |line| event(command, line, &fits).is_some());
        match found {
            Some(line) => parse(&self.command, &line),
            None => {
                panic!(
                    "'{}' did not print the event that the test waits for; {}",
                    self.command,
                    self.how_it_is()
                )
            }
        }
    }

    /// Waits for the next event of this name.
    #[track_caller]
    pub fn until_event(&mut self, name: &str) -> Value {
        self.until(|event| event["event"] == name)
    }

    /// Waits for the next `state` event with this state.
    #[track_caller]
    pub fn until_state(&mut self, state: &str) -> Value {
        self.until(|event| event["event"] == "state" && event["state"] == state)
    }

    /// Waits for the next message with this text.
    #[track_caller]
    pub fn until_text(&mut self, text: &str) -> Value {
        self.until(|event| event["event"] == "message" && event["text"] == text)
    }

    /// Waits for the next event of this name (a notice or an error) whose text has this part.
    #[track_caller]
    pub fn until_told(&mut self, name: &str, part: &str) -> Value {
        self.until(|event| {
            event["event"] == name && event["text"].as_str().is_some_and(|text| text.contains(part))
        })
    }

    /// Waits for the next line on stdout that fits.
    #[track_caller]
    pub fn until_out(&mut self, fits: impl Fn(&str) -> bool) -> String {
        let found = self.out.until(WITHIN, fits);
        found.unwrap_or_else(|| {
            panic!(
                "'{}' did not print the line that the test waits for; {}",
                self.command,
                self.how_it_is()
            )
        })
    }

    /// Waits for the next line on stderr that fits.
    #[track_caller]
    pub fn until_err(&mut self, fits: impl Fn(&str) -> bool) -> String {
        let found = self.err.until(WITHIN, fits);
        found.unwrap_or_else(|| {
            panic!(
                "'{}' did not print the line that the test waits for on stderr; {}",
                self.command,
                self.how_it_is()
            )
        })
    }

    /// All events so far. Any other line on stdout makes the test fail.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        self.out.all().iter().map(|line| parse(&self.command, line)).collect()
    }

    /// Events of this name so far.
    #[track_caller]
    pub fn events_of(&self, name: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == name).collect()
    }

    /// Author and text of each message so far.
    #[track_caller]
    pub fn messages(&self) -> Vec<(String, String)> {
        let field = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        self.events_of("message")
            .iter()
            .map(|event| (field(event, "author"), field(event, "text")))
            .collect()
    }

    /// The lines on stdout so far.
    pub fn stdout(&self) -> Vec<String> {
        self.out.all()
    }

    /// The lines on stderr so far.
    pub fn stderr(&self) -> Vec<String> {
        self.err.all()
    }

    /// Waits for the end of the process and of its outputs. Returns the exit code; after a signal
    /// it is 128 plus the signal's number.
    #[track_caller]
    pub fn exit_code(&mut self) -> i32 {
        if !self.ended.wait(WITHIN) {
            panic!("'{}' did not end", self.command);
        }
        let ended = self.child.wait().expect("the process is a child of this test");
        assert!(
            self.out.ended(WITHIN) && self.err.ended(WITHIN),
            "another process has the outputs of '{}' open",
            self.command
        );
        ended.code().unwrap_or_else(|| 128 + ended.signal().unwrap_or_default())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if !self.ended.is_set() {
            kill_process(self.pid(), signal)
                .expect("the process is not reaped yet, so its id is still its own");
        }
    }

    /// Waits until every thread of the process is stopped by a signal.
    #[track_caller]
    pub fn until_stopped(&self) {
        let (pid, (sender, stopped)) = (self.pid(), channel());
        thread::spawn(move || {
            let stop = waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED);
            // If the deadline has passed, nobody receives this, and the test has failed already.
            let _ = sender.send(stop.is_ok_and(|stop| stop.is_some()));
        });
        assert_eq!(stopped.recv_timeout(WITHIN), Ok(true), "'{}' is not stopped", self.command);
    }

    /// Kills the process with SIGKILL, and waits for its end.
    #[track_caller]
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.exit_code();
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The files in the process's home.
    pub fn home_files(&self) -> Vec<PathBuf> {
        self.home.files()
    }

    /// The processes with the HOME of this one: this process and those that it started.
    pub fn still_here(&self) -> Vec<u32> {
        self.home.inhabitants()
    }

    /// Whether the process still runs.
    pub fn is_running(&self) -> bool {
        !self.ended.is_set()
    }

    fn how_it_is(&self) -> &'static str {
        if self.is_running() { "it still runs" } else { "it has ended" }
    }

    fn story(&mut self) -> String {
        let mut story = format!("\n== {} (pid {}", self.command, self.child.id());
        let _ = match self.child.try_wait() {
            Ok(Some(ended)) => write!(story, ", {ended})"),
            _ => write!(story, ", still running)"),
        };
        for (name, lines) in [("stdout", self.out.all()), ("stderr", self.err.all())] {
            let _ = write!(story, "\n-- {name}\n{}", lines.join("\n"));
        }
        let _ = write!(story, "\n-- files in {}: {:?}", self.home.0.display(), self.home.files());
        story
    }
}

impl Drop for Handoff {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.story());
        }
        // This fails if the process has ended by itself, which needs no kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a thread that writes everything from a channel to the input, and closes the input at the
/// channel's end.
fn typist(mut stdin: ChildStdin) -> Sender<Vec<u8>> {
    let (sender, typed) = channel::<Vec<u8>>();
    thread::spawn(move || typed.iter().try_for_each(|bytes| stdin.write_all(&bytes)));
    sender
}

fn parse(command: &str, line: &str) -> Value {
    let event =
        serde_json::from_str(line).unwrap_or_else(|e| panic!("'{command}' printed '{line}': {e}"));
    let Value::Object(fields) = &event else {
        panic!("'{command}' printed '{line}', which is no object")
    };
    assert!(fields["event"].is_string(), "'{command}' printed an event without a name: {line}");
    event
}

fn event(command: &str, line: &str, fits: impl Fn(&Value) -> bool) -> Option<Value> {
    Some(parse(command, line)).filter(fits)
}
