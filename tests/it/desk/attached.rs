//! An agent's terminal while its desk is away, and when the agent leaves it.

use crate::support::setup::Setup;

/// How many rows of the window begin like this.
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
