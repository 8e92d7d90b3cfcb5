//! The demo on a terminal: a person is the customer, and this script is the agent.

use std::io::BufRead;
use std::process::{Child, ChildStdin, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;

use super::{next_event, say, stage};
use crate::edge::term;

const WELCOME: &str = "\
This is handoff's demo: a bot, a desk and you, all on this machine.
Chat with the bot ('hello', 'buttons', 'a picture').
Then say: I want to talk to a human
/help shows the commands, Ctrl-D leaves.";

/// The agent's first lines.
const HELLO: [&str; 2] = [
    "Hello, this is Robin; I am a small script, but a real process on a real socket.",
    "I have read what you told the bot. Say 'bot' to go back to it, or 'bye' to end.",
];

/// Runs until the customer leaves.
pub(super) fn run() -> Result<u8, String> {
    let mut stage = stage(&["--name", "Robin", "--auto-accept"])?;
    let mut stdin = stage.admin.stdin()?;
    let mut events = stage.events;
    let program =
        std::env::current_exe().map_err(|e| format!("cannot find the program itself: {e}"))?;
    let (shown, desk, bot) = (program.display(), &stage.desk, &stage.bot_url);
    term::print_words(WELCOME);
    term::print_words("Another customer, from another terminal:");
    term::print(&format!("  {shown} user --admin {desk} --bot {bot} --ephemeral"));
    term::print_words("A desk of your own, and a customer for it:");
    term::print(&format!(
        "  {shown} admin --listen 127.0.0.1:5000 --ephemeral\n  \
         {shown} user --admin 127.0.0.1:5000 --bot {bot} --ephemeral"
    ));
    std::thread::Builder::new()
        .name("agent".to_owned())
        .spawn(move || answer(&mut events, &mut stdin))
        .map_err(|e| format!("cannot start the agent: {e}"))?;
    // The signals are caught before the child starts, so that no SIGCHLD is missed.
    let mut signals = Signals::new([SIGCHLD, SIGTERM, SIGHUP])
        .map_err(|e| format!("cannot listen for signals: {e}"))?;
    let mut customer = Command::new(program)
        .args([
            "user",
            "--ephemeral",
            "--admin",
            &stage.desk,
            "--bot",
            &stage.bot_url,
            "--name",
            "You",
        ])
        .spawn()
        .map_err(|e| format!("cannot start the customer: {e}"))?;
    for signal in signals.forever() {
        match customer.try_wait() {
            Ok(Some(ended)) => return Ok(code(ended)),
            Ok(None) if signal == SIGCHLD => {}
            // SIGTERM or SIGHUP: the customer's side ends in order and restores the terminal. The
            // bot and the desk are killed when the stage is dropped.
            Ok(None) => tell_to_end(&customer),
            Err(error) => return Err(format!("lost the customer: {error}")),
        }
    }
    Ok(1)
}

/// Asks the customer's side to end.
fn tell_to_end(customer: &Child) {
    // It may have ended by itself already.
    let _ = kill_process(Pid::from_child(customer), Signal::TERM);
}

/// Answers the customer's lines until the desk ends.
fn answer(events: &mut impl BufRead, stdin: &mut ChildStdin) {
    while let Some(event) = next_event(events) {
        let live = event["history"] != true && event["author"] == "user";
        match event["event"].as_str() {
            Some("state") if event["state"] == "active" => {
                for line in HELLO {
                    say(stdin, line);
                }
            }
            Some("message") if live => {
                let text = event["text"].as_str().unwrap_or_default().to_lowercase();
                if text.contains("bye") {
                    say(stdin, "Goodbye!");
                    say(stdin, "/close");
                } else if text.contains("bot") {
                    say(stdin, "I give you back to the bot. Ask it: what do you remember?");
                    say(stdin, "/handback");
                } else {
                    say(stdin, "I see. ('bot' goes back to the bot, 'bye' ends)");
                }
            }
            _ => {}
        }
    }
}

fn code(ended: ExitStatus) -> u8 {
    ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
