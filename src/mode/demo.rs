//! `handoff demo`: a bot, a desk and a customer's side, as real processes over loopback sockets.
//!
//! On a terminal the person who runs the demo is the customer, and a small script is the agent.
//! Otherwise the demo plays a whole conversation by itself (bot, handoff, handback, second handoff,
//! close), prints both sides and checks them. With `--web` the customer is in a browser. `handoff
//! bot` runs the built-in bot alone.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use crate::core::report::Report;
use crate::edge::term;
use crate::mode::args;

mod agent;
pub mod bot;
mod http;
mod play;
mod shop;
mod web;

/// `handoff bot`: serves until the process ends.
///
/// # Errors
/// One line, when it cannot listen.
pub fn run_bot(args: &args::Bot) -> Result<u8, String> {
    bot::serve(&args.listen, |address| {
        let ready =
            Report::Ready { mode: "bot", listen: Some(address), fingerprint: None, url: None };
        match serde_json::to_string(&ready) {
            Ok(line) if args.json => term::print(&line),
            _ => term::complain(&format!("the built-in bot is listening on http://{address}")),
        }
    })?;
    Ok(0)
}

/// `handoff demo`. Returns the exit code.
///
/// # Errors
/// One line, when a process cannot start, or when the conversation went wrong.
pub fn run(args: &args::Demo) -> Result<u8, String> {
    match args {
        args::Demo { web: true, .. } => web::run(),
        args::Demo { script: true, .. } => play::run(),
        _ if !term::is_terminal() => play::run(),
        _ => agent::run(),
    }
}

/// A process of the demo. It is killed when this value is dropped, so that none is left over.
struct Part {
    name: &'static str,
    child: Child,
}

impl Part {
    /// Starts `handoff` with these arguments. Returns the process and its stdout.
    fn start(
        name: &'static str,
        arguments: &[&str],
    ) -> Result<(Part, BufReader<std::process::ChildStdout>), String> {
        let program =
            std::env::current_exe().map_err(|e| format!("cannot find the program itself: {e}"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|e| format!("cannot start the {name}: {e}"))?;
        let stdout = child.stdout.take().ok_or("a piped stdout is there")?;
        Ok((Part { name, child }, BufReader::new(stdout)))
    }

    /// The stdin of the process, to write to.
    fn stdin(&mut self) -> Result<ChildStdin, String> {
        self.child.stdin.take().ok_or_else(|| format!("the {}'s stdin is taken", self.name))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // The process may have ended by itself already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next JSON event of a process; `None` at its end.
fn next_event(events: &mut impl BufRead) -> Option<Value> {
    let mut line = String::new();
    match events.read_line(&mut line) {
        Ok(1..) => serde_json::from_str(&line).ok(),
        _ => None,
    }
}

/// The address of a listener, from its event `ready`.
fn address(events: &mut impl BufRead, name: &str) -> Result<String, String> {
    let ready = next_event(events);
    let listen = ready.as_ref().and_then(|ready| ready["listen"].as_str());
    listen.map(str::to_owned).ok_or_else(|| format!("the {name} did not start"))
}

/// Starts the bot and the desk, both on free ports.
fn stage(desk: &[&str]) -> Result<Stage, String> {
    let (bot, mut bot_events) = Part::start("bot", &["bot", "--listen", "127.0.0.1:0", "--json"])?;
    let bot_url = format!("http://{}", address(&mut bot_events, "bot")?);
    let (admin, mut events) = Part::start(
        "desk",
        &[&["admin", "--listen", "127.0.0.1:0", "--json", "--ephemeral"], desk].concat(),
    )?;
    let desk = address(&mut events, "desk")?;
    Ok(Stage { bot, bot_url, admin, events, desk })
}

/// The processes of the demo except the customer's side.
struct Stage {
    #[expect(dead_code, reason = "the bot is killed when this is dropped")]
    bot: Part,
    bot_url: String,
    admin: Part,
    events: BufReader<std::process::ChildStdout>,
    desk: String,
}

/// Writes a line to the stdin of a process. If the process is gone, its events have ended, too.
fn say(stdin: &mut ChildStdin, line: &str) {
    let _ = writeln!(stdin, "{line}");
}
