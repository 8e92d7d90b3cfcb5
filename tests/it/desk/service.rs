//! A desk under a service manager: it has no terminal, reads no stdin, and ends only by a signal.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::raw::Raw;
use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::unit::value;

const UNIT: &str = include_str!("../../../docs/handoff-desk.service");

/// A customer who asked for a person and waits at the desk.
#[track_caller]
fn queue_at(setup: &Setup, profile: &str) -> Handoff {
    let mut user = setup.user(&["--profile", profile]);
    user.say("a human");
    user.until(|event| event["state"] == "queued" && event["position"].is_number());
    user
}

/// Ends the desk as a service manager does. The exit code is the one that a shell reports.
#[track_caller]
fn stop(admin: &mut Handoff) {
    admin.signal(Signal::TERM);
    assert_eq!(admin.exit_code(), 143);
}

#[test]
fn a_desk_without_a_terminal_stays_without_customers_and_ends_at_a_signal() {
    let setup = Setup::new();
    let arguments = setup.admin_arguments(&["--no-terminal"]);
    let mut admin = Handoff::start_with(&arguments, |command| _ = command.stdin(Stdio::null()));
    admin.until_told("notice", "no agents: handoff agent add NAME");
    // With `</dev/null` and without the option the desk would end after its first conversation.
    let mut ann = queue_at(&setup, "ann");
    ann.say("/end");
    admin.until_state("closed");
    let mut bob = queue_at(&setup, "bob");
    admin.until_state("queued");
    bob.say("is anybody there?");
    admin.until_text("is anybody there?");
    bob.until_event("delivered");
    stop(&mut admin);
    bob.until(|event| event["link"] == "lost");
    assert!(bob.events_of("seen").is_empty(), "a line was marked as seen without an agent");
    assert!(
        admin.events_of("error").is_empty() && admin.stderr().is_empty(),
        "{:?}",
        admin.stderr()
    );
    // A customer who waits is still in the queue after a restart with an agent.
    let mut admin = setup.admin(&["--auto-accept"]);
    bob.until_state("active");
    admin.until_state("active");
}

#[test]
fn a_desk_without_a_terminal_runs_with_a_closed_stdin() {
    let setup = Setup::new();
    let arguments = setup.admin_arguments(&["--no-terminal"]);
    let mut admin = Handoff::start_with(&arguments, |command| {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", r#"exec "$0" "$@" <&-"#])
            .arg(command.get_program())
            .args(command.get_args());
        shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        *command = shell;
    });
    let _user = queue_at(&setup, "default");
    admin.until_state("queued");
    stop(&mut admin);
}

#[test]
fn a_desk_without_a_terminal_writes_to_a_file_and_goes_on_when_stdout_takes_no_more() {
    let setup = Setup::new();
    let log = format!("{}/desk.log", setup.state());
    let arguments = setup.admin_arguments(&["--no-terminal"]);
    let mut admin = Handoff::start_with(&arguments, |command| {
        command.stdin(Stdio::null()).stdout(File::create(&log).expect("a file of the test's own"));
    });
    let user = queue_at(&setup, "default");
    stop(&mut admin);
    drop(user);
    let log = fs::read_to_string(&log).expect("it is there");
    let first = log.lines().next().expect("a line");
    assert!(first.contains(r#""event":"ready""#) && log.contains(r#""state":"queued""#), "{log}");
    // /dev/full refuses every write.
    let mut admin = Handoff::start_with(&arguments, |command| {
        command
            .stdin(Stdio::null())
            .stdout(File::options().write(true).open("/dev/full").expect("Linux has it"));
    });
    admin.until_err(|line| {
        line.contains("stdout takes no more") && line.contains("the desk goes on without it")
    });
    let _user = queue_at(&setup, "other");
    stop(&mut admin);
}

#[test]
fn a_desk_without_a_terminal_says_in_plain_lines_who_waits() {
    let mut admin =
        Handoff::start_with(&["admin", "--listen", "127.0.0.1:0", "--no-terminal"], |command| {
            command.stdin(Stdio::null());
        });
    let desk = admin.address();
    let mut raw = Raw::welcomed(&desk, "a1", 1);
    raw.say(&crate::support::raw::entry(1, &serde_json::json!({"requested": {}})));
    admin.until_err(|line| line.contains("no agents: handoff agent add NAME"));
    admin.until_err(|line| line.contains("wants to talk to an agent"));
    stop(&mut admin);
}

#[test]
fn the_log_of_a_desk_without_a_terminal_names_the_agent_and_calls_nobody_you() {
    let setup = Setup::new();
    let mut arguments = setup.admin_arguments(&["--no-terminal"]);
    arguments.retain(|argument| *argument != "--json");
    let mut desk = Handoff::start_with(&arguments, |command| _ = command.stdin(Stdio::null()));
    desk.address();
    let mut robin = setup.agent("robin", &[]);
    let mut al = setup.agent("al", &[]);
    let _cleo = queue_at(&setup, "cleo");
    let tells = |desk: &mut Handoff, text: &str| _ = desk.until_err(|line| line.contains(text));
    tells(&mut desk, "wants to talk to an agent");
    robin.say("/accept 1");
    tells(&mut desk, "robin has #1");
    robin.say("/hold");
    tells(&mut desk, "who is on hold");
    robin.say("/transfer al a refund");
    al.until(|event| event["outcome"] == "offered");
    al.say("/accept 1");
    tells(&mut desk, "al has #1");
    let mut dan = queue_at(&setup, "dan");
    dan.kill();
    tells(&mut desk, "connection is lost");
    robin.say("/accept 2");
    robin.until_told("notice", "is not connected; you have them when they are back");
    al.say("/close #1");
    tells(&mut desk, "closed (by an agent)");
    let lines = [desk.stdout(), desk.stderr()].concat();
    let is_you = |word: &str| ["you", "your", "yours"].contains(&word.to_lowercase().as_str());
    let to_you = |line: &&String| line.split(|c: char| !c.is_alphabetic()).any(is_you);
    assert_eq!(lines.iter().filter(to_you).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_desk_without_an_agent_refuses_the_agents_options() {
    for option in [&["--auto-accept"][..], &["--name", "Robin"]] {
        let mut admin = Handoff::plain_admin(&[&["--no-terminal"], option].concat());
        assert_eq!(admin.exit_code(), 2);
        let [line] = &admin.stderr()[..] else {
            panic!("one line is expected: {:?}", admin.stderr())
        };
        assert!(
            line.contains(option[0]) && line.contains("with --no-terminal there is none"),
            "{line}"
        );
    }
}

#[test]
fn the_unit_for_systemd_starts_a_desk_and_takes_its_exit_code_for_success() {
    let line = |name| value(UNIT, name);
    let setup = Setup::new();
    let command: Vec<&str> = line("ExecStart").split_whitespace().skip(1).collect();
    let command = command.iter().map(|word| match *word {
        "0.0.0.0:5000" => &setup.desk,
        "%S/handoff" => setup.state(),
        word => word,
    });
    let command: Vec<&str> = command.collect();
    assert!(command.contains(&"--no-terminal") && line("StandardInput") == "null");
    let mut admin = Handoff::start_with(&command, |command| _ = command.stdin(Stdio::null()));
    let _user = queue_at(&setup, "default");
    admin.signal(Signal::TERM);
    assert_eq!(admin.exit_code().to_string(), line("SuccessExitStatus"));
}
