//! What happens to the lines of agents and their scripts when the desk or their terminal is killed.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::run::{Handoff, WITHIN};
use crate::support::setup::{Setup, copy};
use crate::support::terminal::at_keyboard;

use super::team::{has, robin_has_cleo};

#[test]
fn a_killed_desk_keeps_which_agent_has_which_customer_and_does_each_line_once() {
    let setup = Setup::new();
    let (mut desk, [mut robin, _al], mut cleo) = robin_has_cleo(&setup, &[]);
    let mut said = Vec::new();
    for round in 0..5 {
        for line in 0..4 {
            let line = format!("line {round}.{line}");
            robin.say(&line);
            said.push(line);
        }
        desk.kill();
        desk = setup.admin(&[]);
    }
    cleo.until_text("line 4.3");
    let of_robin = cleo.messages().into_iter().filter(|(author, _)| author == "admin");
    assert_eq!(of_robin.map(|(_, text)| text).collect::<Vec<_>>(), said);
}

#[test]
fn a_script_goes_on_after_it_accepts_a_customer_whom_its_agent_has_already() {
    let setup = Setup::new();
    let (_desk, [mut robin, _al], mut cleo) = robin_has_cleo(&setup, &[]);
    let mut dan = setup.queued("Dan");
    robin.say("/accept 2");
    dan.until_state("active");
    // Sends the line again, as if the desk had died before it noted the line as done.
    robin.say("/accept 1");
    robin.say("for Cleo");
    cleo.until_text("for Cleo");
    assert!(!dan.messages().iter().any(|(_, text)| text == "for Cleo"));
}

#[test]
fn an_accept_from_before_the_desks_death_takes_no_second_customer() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut robin = setup.agent("robin", &[]);
    let mut al = setup.agent("al", &[]);
    let mut cleo = setup.queued("Cleo");
    // Cleo's side is stopped, so that the desk is killed before it has an answer.
    cleo.signal(Signal::STOP);
    robin.say("/accept");
    until_listed(&mut al, "#1 Cleo (robin accepts)");
    let mut ann = setup.queued("Ann");
    desk.kill();
    let _desk = setup.admin(&[]);
    ann.until(|event| event["link"] == "lost");
    ann.until(|event| event["position"].is_number());
    cleo.signal(Signal::CONT);
    cleo.until_state("active");
    robin.say("hello");
    cleo.until_text("hello");
    until_listed(&mut al, "#2 Ann  waits");
}

/// Waits until the list at a seat has a line that begins like this.
#[track_caller]
fn until_listed(seat: &mut Handoff, line: &str) {
    let begins = |event: &Value| event["text"].as_str().is_some_and(|text| text.starts_with(line));
    let deadline = Instant::now() + WITHIN;
    loop {
        assert!(Instant::now() < deadline, "no line of the list begins with '{line}'");
        seat.say("/list");
        seat.say("/mark");
        let is_there = Cell::new(false);
        seat.until(|event| {
            is_there.set(is_there.get() || begins(event));
            event["text"].as_str().is_some_and(|text| text.contains("/mark"))
        });
        if is_there.get() {
            return;
        }
    }
}

#[test]
fn a_killed_terminal_sends_its_unsent_lines_once_at_its_next_start() {
    let setup = Setup::new();
    let (mut desk, [mut robin, _al], mut cleo) = robin_has_cleo(&setup, &[]);
    robin.say("first");
    cleo.until_text("first");
    robin_types_without(&mut desk, &setup, &mut robin, "typed without a desk");
    robin.kill();
    let _desk = setup.admin(&[]);
    let mut robin = setup.attach("robin", None, &[]);
    cleo.until_text("typed without a desk");
    robin.say("and on");
    cleo.until_text("and on");
    let of_robin = cleo.messages().into_iter().filter(|(author, _)| author == "admin");
    let of_robin: Vec<_> = of_robin.map(|(_, text)| text).collect();
    assert_eq!(of_robin, ["first", "typed without a desk", "and on"]);
}

#[test]
fn a_scripts_line_for_nobody_does_not_block_its_later_lines_also_after_a_restart() {
    let setup = Setup::new();
    let (mut desk, [mut robin, _al], mut cleo) = robin_has_cleo(&setup, &[]);
    cleo.say("/end");
    robin.until_state("closed");
    robin_types_without(&mut desk, &setup, &mut robin, "typed for nobody");
    let _desk = setup.admin(&[]);
    robin.until_told("error", "not delivered, no customer gets your lines: typed for nobody");
    robin.say("/handback");
    robin.until_told("error", "there is nothing to hand back or close");
    let mut bob = setup.queued("Bob");
    robin.say("/accept");
    robin.say("hello");
    bob.until_text("hello");
}

#[test]
fn lines_that_came_while_a_program_was_not_attached_are_not_marked_as_history() {
    let setup = Setup::new();
    let (mut desk, [mut robin, _al], mut cleo) = robin_has_cleo(&setup, &[]);
    cleo.say("before");
    robin.until_text("before");
    desk.kill();
    robin.until_told("notice", "not attached");
    cleo.say("meanwhile");
    cleo.until_text("meanwhile");
    let _desk = setup.admin(&[]);
    let is = |event: &Value, text: &str| event["event"] == "message" && event["text"] == text;
    let event = robin.until(|event| is(event, "meanwhile"));
    assert!(event["history"].is_null(), "{event}");
    robin.say("/history");
    robin.until(|event| is(event, "before") && event["history"] == true);
}

#[test]
fn a_terminal_that_died_before_it_learned_of_an_unsent_line_reports_it_at_its_next_start() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let code = setup.add_agent("robin", &[]);
    let attach = ["attach", "--desk", &setup.desk, "--state", setup.state(), "--profile", "robin"];
    let (mut robin, mut keys) =
        at_keyboard(&[&attach[..], &["--code-file", &code]].concat(), |_| {});
    robin.until_err(|line| line.contains("attached to"));
    let mut cleo = setup.queued("Cleo");
    keys.type_line("/accept");
    robin.until_err(|line| line.contains("your lines go to #1 Cleo"));
    desk.kill();
    robin.until_err(|line| line.contains("not attached"));
    keys.type_line("typed without a desk");
    until_kept(&setup, "robin", "typed without a desk");
    robin.kill();
    let kept = Path::new(setup.state()).join("kept");
    copy(&terminal(&setup, "robin"), &kept);
    let _desk = setup.admin(&[]);
    let mut kim = setup.agent("kim", &["--lead"]);
    kim.say("/take 1 robin is ill");
    kim.until(has("kim"));
    let (mut robin, _keys) = at_keyboard(&attach, |_| {});
    robin.until_err(|line| line.ends_with("not sent: typed without a desk"));
    robin.kill();
    // The terminal's old files come back, as if it had died before the answer came.
    copy(&kept, &terminal(&setup, "robin"));
    let (mut robin, _keys) = at_keyboard(&attach, |_| {});
    robin.until_err(|line| line.ends_with("not sent: typed without a desk"));
    kim.say("kim's line");
    cleo.until_text("kim's line");
    let of_agents = cleo.messages().into_iter().filter(|(author, _)| author == "admin");
    assert_eq!(of_agents.map(|(_, text)| text).collect::<Vec<_>>(), ["kim's line"]);
}

/// The folder of an agent's terminal.
fn terminal(setup: &Setup, agent: &str) -> PathBuf {
    let desk = setup.desk.replace(':', "_");
    Path::new(setup.state()).join("attach").join(agent).join(desk)
}

/// The desk dies, and robin's terminal keeps what robin types then.
#[track_caller]
fn robin_types_without(desk: &mut Handoff, setup: &Setup, robin: &mut Handoff, line: &str) {
    desk.kill();
    robin.until_told("notice", "not attached");
    robin.say(line);
    until_kept(setup, "robin", line);
}

/// Waits until an agent's terminal keeps this line for its desk. It may still keep an earlier one.
#[track_caller]
fn until_kept(setup: &Setup, agent: &str, line: &str) {
    let folder = terminal(setup, agent);
    let lines = Connection::open(folder.join("terminal.sqlite")).expect("it is a journal");
    let start = Instant::now();
    let count = "SELECT count(*) FROM line WHERE text = ?";
    while lines.query_row(count, [line], |row| row.get(0)) != Ok(1) {
        assert!(start.elapsed() < Duration::from_secs(10), "the line is not kept");
        thread::yield_now();
    }
}
