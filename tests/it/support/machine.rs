//! What tests need of the machine: other tools, numbers in the environment, and the CPU time of a
//! process.

use std::ops::Range;
use std::process::{Command, Stdio};

use handoff::core::chance::Chance;

use crate::support::run::Handoff;

/// Runs `handoff` under another program, such as `strace -D …`, which must keep its process id.
pub fn under(wrapper: &[&str]) -> impl FnOnce(&mut Command) + use<> {
    let wrapper: Vec<String> = wrapper.iter().map(|word| (*word).to_owned()).collect();
    move |command| {
        let mut wrapped = Command::new(&wrapper[0]);
        wrapped.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                wrapped.env(name, value);
            }
        }
        wrapped.current_dir(command.get_current_dir().expect("a process under test has a home"));
        wrapped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        *command = wrapped;
    }
}

/// Whether this command works here. If not, this prints that the test is skipped.
pub fn can(command: &[&str]) -> bool {
    let mut tried = Command::new(command[0]);
    tried.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let works = tried.status().is_ok_and(|status| status.success());
    if !works {
        skip(&format!("'{}' does not work here", command.join(" ")));
    }
    works
}

/// Prints that this test is skipped. It writes to stderr itself, because the harness hides the
/// output of macros in a test that passes.
pub fn skip(why: &str) {
    use std::io::Write;
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "{test} is skipped: {why}");
}

/// The number in an environment variable, if the variable is set.
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is '{text}', which is no number")))
}

/// CPU time used so far, in ticks of 10 ms.
pub fn ticks(process: &Handoff) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid().as_raw_pid()))
        .expect("it runs");
    let behind_name = stat.rsplit(')').next().expect("the name stands in parentheses");
    behind_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|time| time.parse::<u64>().expect("a number"))
        .sum()
}

/// A point at which a process of a build with failpoints dies by itself, for the variable
/// `HANDOFF_FAILPOINT`: at a hit whose number is in this range.
pub fn failpoint(chance: &mut Chance, hits: Range<u64>) -> String {
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
    let name = FAILPOINTS[chance.below(FAILPOINTS.len() as u64) as usize];
    format!("{name}:{}", hits.start + chance.below(hits.end - hits.start))
}
