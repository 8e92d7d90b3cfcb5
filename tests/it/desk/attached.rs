//! An agent's terminal: while its desk is away, and when the agent leaves the terminal.

use rustix::process::Signal;

use super::team::has;
use crate::support::setup::Setup;
use crate::support::terminal::{Terminal, at_keyboard};

/// How many rows of the window begin with this text.
fn count(rows: &[String], text: &str) -> usize {
    rows.iter().filter(|row| row.starts_with(text)).count()
}

#[test]
fn a_line_typed_while_the_desk_is_away_is_seen_and_enter_tries_to_reach_the_desk_at_once() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut robin = setup.agent_at_a_terminal("robin", 120);
    let mut bob = setup.queued("Bob");
    robin.press("/accept\r");
    robin.prompts("#1 Bob> ");
    desk.kill();
    robin.prompts("not attached, #1 Bob> ");
    robin.sees("trying again; Enter tries at once");
    robin.press("Bob, one thing more\r");
    robin.sees("-- kept, and sent when the desk is back: Bob, one thing more");
    robin.until_rows(|rows| count(rows, "-- not attached to") == 2, "the attempt fails");
    // Each attempt that fails makes the wait for the next one longer.
    for attempt in 3..=6 {
        robin.press("\r");
        robin.until_rows(|rows| count(rows, "-- not attached to") == attempt, "it fails, too");
    }
    let _desk = setup.admin(&[]);
    robin.press("\r");
    robin.until_rows(|rows| count(rows, "-- attached to") == 2, "attached again");
    bob.until_text("Bob, one thing more");
    robin.prompts("> ");
    assert_eq!(bob.messages().iter().filter(|(author, _)| author == "admin").count(), 1);
}

#[test]
fn a_line_begun_for_a_customer_who_is_lost_is_reported_as_not_sent_and_comes_back() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut robin = setup.agent_at_a_terminal("robin", 120);
    let mut kim = setup.agent("kim", &["--lead"]);
    let mut bob = setup.queued("Bob");
    robin.press("/accept\r");
    robin.prompts("#1 Bob> ");
    desk.kill();
    robin.prompts("not attached, #1 Bob> ");
    robin.press("Bob, one th");
    robin.prompts("> Bob, one th");
    // robin's terminal comes back only after Bob has another agent.
    robin.program.signal(Signal::STOP);
    robin.stops();
    let _desk = setup.admin(&[]);
    kim.say("/take 1 robin is ill");
    kim.until(has("kim"));
    robin.program.signal(Signal::CONT);
    robin.sees("-- #1 Bob is not yours any more: kim has them");
    robin.sees("!! not sent: Bob, one th (your lines go elsewhere now; the Up key brings it back)");
    robin.press("\x1b[A");
    robin.prompts("nobody> Bob, one th");
    // An agent who moves the focus themselves needs no such notice.
    robin.press("\x15");
    let _ann = setup.queued("Ann");
    let _dan = setup.queued("Dan");
    robin.press("/accept Ann\r");
    robin.prompts("#2 Ann · 1 waiting> ");
    robin.press("/accept Dan\r");
    robin.prompts("#3 Dan> ");
    robin.press("for Dan");
    robin.prompts("#3 Dan> for Dan");
    robin.press("\x1b2");
    robin.prompts("#2 Ann> ");
    robin.press("\x1b3");
    let seen = robin.prompts("#3 Dan> for Dan");
    assert!(!seen.contains("not sent: for Dan"), "{seen}");
    kim.say("it is kim");
    bob.until_text("it is kim");
    assert!(!bob.messages().iter().any(|(_, text)| text.contains("one th")));
}

/// What a person at a terminal types to leave it.
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

#[test]
fn an_agent_with_customers_reads_what_becomes_of_them_and_leaves_at_the_second_try() {
    let setup = Setup::new();
    let _desk = setup.admin(&["--agent-grace", "90"]);
    let _bob = setup.queued("Bob");
    for (leave, again, code) in
        [("/quit\r", "/quit", 0), (CTRL_D, "/quit", 0), (CTRL_C, "Ctrl-C", 130)]
    {
        let mut robin = setup.agent_at_a_terminal("robin", 120);
        robin.prompts("1 waiting> ");
        robin.press("/accept\r");
        robin.prompts("#1 Bob> ");
        robin.press(leave);
        robin.sees(&format!(
            "you have 1 customer, who waits again after 90 s without you; {again} again leaves"
        ));
        robin.press(leave);
        assert_eq!(robin.program.exit_code(), code, "{leave:?}");
        // An agent without customers leaves at once.
        let mut robin = setup.agent_at_a_terminal("al", 120);
        robin.press(leave);
        assert_eq!(robin.program.exit_code(), code, "{leave:?}");
        let mut robin = setup.attach("robin", None, &[]);
        robin.until_told("notice", "as robin");
        robin.say("/transfer #1 queue");
        robin.until_state("queued");
        // A script leaves without a question.
        robin.say("/accept 1");
        robin.until_state("active");
        robin.say("/transfer #1 queue");
        robin.until_state("queued");
        robin.kill();
    }
}

#[test]
fn at_a_plain_terminal_one_ctrl_d_asks_and_a_second_one_leaves() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let code = setup.add_agent("robin", &[]);
    let attach = ["attach", "--desk", &setup.desk, "--state", setup.state(), "--code-file", &code];
    let (mut robin, mut keys) = at_keyboard(&attach, |_| {});
    robin.until_err(|line| line.contains("attached to"));
    let mut bob = setup.queued("Bob");
    keys.type_line("/accept");
    robin.until_err(|line| line.contains("your lines go to #1 Bob"));
    keys.press(CTRL_D);
    robin.until_err(|line| line.ends_with("after 60 s without you; /quit again leaves"));
    keys.type_line("still here");
    bob.until_text("still here");
    keys.press(CTRL_D);
    robin.until_err(|line| line.ends_with("after 60 s without you; /quit again leaves"));
    keys.press(CTRL_D);
    assert_eq!(robin.exit_code(), 0);
}

#[test]
fn enter_in_an_empty_line_also_does_with_plain_what_it_does_behind_a_prompt() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let code = setup.add_agent("robin", &[]);
    let profile = ["--state", setup.state(), "--profile", "robin", "--code-file", &code, "--plain"];
    let mut robin =
        Terminal::sized(&[&["attach", "--desk", &setup.desk], &profile[..]].concat(), 160);
    robin.sees("attached to");
    let mut bob = setup.queued("Bob");
    robin.press("/accept\r");
    robin.sees("your lines go to #1 Bob");
    desk.kill();
    robin.sees("trying again; Enter tries at once");
    // Each attempt that fails is told, and makes the wait for the next one longer.
    for attempt in 2..=5 {
        robin.press("\r");
        robin
            .until_rows(|rows| count(rows, "handoff: not attached to") == attempt, "it fails, too");
    }
    let _desk = setup.admin(&[]);
    robin.press("\r");
    robin.until_rows(|rows| count(rows, "handoff: attached to") == 2, "attached again");
    robin.press("/close\r");
    robin.sees("the conversation is closed in 5 s");
    robin.press("\r");
    bob.until_state("closed");
}
