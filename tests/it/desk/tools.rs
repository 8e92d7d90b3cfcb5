//! The agent's tools: private notes and canned replies.

use std::fs;

use serde_json::Value;

use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

/// Ann, whom the desk has accepted.
fn accepted(setup: &Setup, desk: &mut Terminal) -> Handoff {
    let mut ann = setup.user(&["--name", "Ann"]);
    ann.say("a human, please");
    desk.sees("Hey! Ann wants to talk to you");
    desk.press("/accept\r");
    ann.until_state("active");
    desk.last_row("#1 Ann> ");
    ann
}

#[test]
fn a_note_is_shown_to_the_next_agent_and_never_leaves_the_desk() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&[]);
    let mut ann = accepted(&setup, &mut desk);
    desk.press("/note private-4711\r");
    desk.sees("-- note: private-4711");
    let mut bob = setup.queued("Bob");
    desk.sees("Hey! Bob wants to talk to you");
    desk.press("/note #2 wants a refund\r");
    desk.sees("noted in #2 Bob");
    desk.press("/accept\r");
    bob.until_state("active");
    desk.sees("-- note: wants a refund");
    desk.press("/note #1 is patient\r");
    desk.sees("-- note in #1 Ann: is patient");
    desk.press("\x0c/history 1\r");
    desk.until_rows(
        |rows| {
            let at = |text: &str| rows.iter().position(|row| row.contains(text));
            let parts = ["── earlier, #1", "a human", "── now ──", "4711", "is patient"].map(at);
            parts.is_sorted() && parts.iter().all(Option::is_some)
        },
        "the conversation, and then the notes about it",
    );
    desk.press("/close\r/close\r");
    bob.until_state("closed");
    desk.press("/switch 1\r");
    desk.last_row("#1 Ann> ");
    desk.press("a line\r");
    ann.until_text("a line");
    desk.press("/handback\r\r");
    ann.until_state("bot");
    ann.say("a human, again");
    desk.press("\x0c");
    desk.sees("nobody · 1 waiting> ");
    desk.press("/accept\r");
    ann.until_state("active");
    desk.sees("-- note: private-4711");
    let events = ann.events().iter().map(ToString::to_string).collect::<String>();
    assert!(!events.contains("4711"));
    for file in fs::read_dir(setup.profile("user")).expect("a folder") {
        let file = file.expect("a file").path();
        let bytes = fs::read(&file).unwrap_or_default();
        let is_there = bytes.windows(12).any(|part| part == b"private-4711");
        assert!(!is_there, "{}", file.display());
    }
}

#[test]
fn a_canned_reply_is_put_into_the_line_and_its_open_placeholders_are_pointed_out() {
    let setup = Setup::new();
    let file = setup.profile("replies.txt");
    fs::create_dir_all(file.parent().expect("a folder")).expect("it is made");
    fs::write(
        &file,
        "[greet]\nHello {customer}, this is {agent}.\n[refund]\nOrder {order} is paid.\n",
    )
    .expect("it is written");
    let path = file.to_str().expect("a text");
    let mut desk = setup.desk_at_a_terminal(&["--replies", path, "--name", "Robin"]);
    // The test waits for a sentence with the file's path, which must fit into one row.
    desk.resize(150, 24);
    let mut ann = accepted(&setup, &mut desk);
    desk.press("/r gr\r");
    desk.last_row("#1 Ann> Hello Ann, this is Robin.");
    desk.press(" How are you?\r");
    ann.until_text("Hello Ann, this is Robin. How are you?");
    desk.press("/r refund\r");
    desk.prompts("> Order {order} is paid.");
    desk.press("\r");
    desk.sees("the line still has {order}; fill it in, or Enter sends it as it is");
    desk.prompts("> Order {order} is paid.");
    desk.press("\r");
    ann.until_text("Order {order} is paid.");
    fs::write(&file, "no name\n").expect("it is written");
    desk.press("/r greet\r");
    desk.sees("line 1: a reply begins with");
    desk.prompts("> Hello Ann, this is Robin.");
    desk.press("\x15/r thanks\r");
    desk.sees("'thanks' is no canned reply, or not the only one; /r lists them");
    desk.press("/r\r");
    desk.sees("-- refund: Order {order} is paid.");
}

#[test]
fn a_wrong_file_of_replies_is_refused_at_the_start() {
    let setup = Setup::new();
    let file = setup.profile("replies.txt");
    fs::create_dir_all(file.parent().expect("a folder")).expect("it is made");
    fs::write(&file, "[a]\nx\n[a]\ny\n").expect("it is written");
    let path = file.to_str().expect("a text");
    let mut admin = Handoff::start(&setup.admin_arguments(&["--replies", path]));
    assert_ne!(admin.exit_code(), 0);
    admin.until_err(|line| line.ends_with(", line 3: [a] is in line 1 already"));
}

#[test]
fn a_half_written_line_stays_with_its_customer_and_never_goes_to_another() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&["--auto-accept"]);
    let mut users = ["Ann", "Bob"].map(|name| {
        let mut user = setup.user(&["--profile", name, "--name", name]);
        user.say("a human, please");
        user.until_state("active");
        desk.sees(&format!("{name}: you have the conversation"));
        user
    });
    desk.press("half for Ann");
    desk.press("\x1b2");
    desk.sees("> /switch *2");
    desk.prompts("#2 Bob> ");
    desk.press("for Bob\r");
    users[1].until_text("for Bob");
    desk.press("\x1b1");
    desk.prompts("> half for Ann");
    // Ann leaves, and the next customer gets the agent's lines, but not this one.
    users[0].say("/end");
    desk.sees("#1 Ann: closed");
    desk.prompts("nobody · 1 open> ");
    let mut cy = setup.user(&["--profile", "Cy", "--name", "Cy"]);
    cy.say("a human, please");
    cy.until_state("active");
    desk.prompts("#3 Cy> ");
    desk.press("for Cy\r");
    cy.until_text("for Cy");
    assert!(!cy.messages().iter().any(|(_, text)| text.contains("half")));
}

#[test]
fn an_option_hides_typing_and_seen_marks_from_the_other_side() {
    let setup = Setup::new();
    for (more, shown) in [(&[] as &[&str], true), (&["--no-typing", "--no-seen"], false)] {
        let mut desk = setup.desk_at_a_terminal(more);
        let mut ann = setup.user(&["--profile", &shown.to_string(), "--name", "Ann"]);
        ann.say("a human, please");
        desk.sees("Hey! Ann wants to talk to you");
        desk.press("/accept\r");
        ann.until_state("active");
        desk.prompts(" Ann> ");
        desk.press("hello");
        if shown {
            ann.until_event("typing");
        }
        desk.press("\r");
        ann.until_text("hello");
        ann.say("to the end");
        desk.sees("Ann: to the end");
        desk.press("and back\r");
        ann.until_text("and back");
        assert_eq!(!ann.events_of("typing").is_empty(), shown);
        assert_eq!(!ann.events_of("seen").is_empty(), shown);
        desk.press("/close\r\r");
        ann.until_state("closed");
        desk.press("/quit\r");
        assert_eq!(desk.program.exit_code(), 0);
    }
}

#[test]
fn a_close_can_be_undone_for_a_while_and_enter_confirms_it() {
    let setup = Setup::new();
    let mut first = setup.desk_at_a_terminal(&[]);
    let mut ann = accepted(&setup, &mut first);
    first.press("/close\r");
    first.prompts("closing, #1 Ann> ");
    first.press("/undo\r");
    first.sees("not closed; the conversation goes on");
    first.last_row("#1 Ann> ");
    first.press("/close\r");
    first.prompts("closing, #1 Ann> ");
    ann.say("one more thing");
    first.sees("not closed, because they wrote");
    first.last_row("#1 Ann> ");
    first.press("/close\r");
    first.prompts("closing, #1 Ann> ");
    first.program.kill();
    let mut second = setup.desk_at_a_terminal(&[]);
    second.sees("note: not closed: the desk ended before that");
    second.last_row("#1 Ann> ");
    second.press("still here\r");
    ann.until_text("still here");
    let is_closed = |event: &Value| event["state"] == "closed";
    assert!(!ann.events().iter().any(is_closed));
    second.press("/close all is well\r");
    second.sees("the conversation is closed in 5 s");
    second.press("\r");
    ann.until_state("closed");
}

#[test]
fn a_customer_on_hold_is_told_so_and_tags_are_found_after_the_end() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&["--name", "Robin"]);
    let mut ann = accepted(&setup, &mut desk);
    let mut bob = setup.user(&["--name", "Bob", "--profile", "bob"]);
    bob.say("a human, please");
    desk.sees("Hey! Bob wants to talk to you");
    desk.press("/hold I ask the warehouse\r");
    desk.prompts("on hold, #1 Ann · 1 waiting> ");
    ann.until(|event| event["on_hold"] == true && event["state"] == "active");
    ann.until_text("I ask the warehouse");
    desk.press("they have it\r");
    ann.until(|event| event["on_hold"] == false);
    ann.until_text("they have it");
    desk.sees("-- #1 Ann is not on hold any more");
    let earlier = desk.rows().iter().filter(|row| row.contains("── earlier")).count();
    assert_eq!(earlier, 1, "the line is shown as any other");
    desk.press("/tag #2 spam\r");
    desk.sees("tags of #2 Bob: spam");
    desk.press("/close #2\r/close #2\r");
    bob.until_state("closed");
    let had_agent = bob.events_of("state").into_iter().find(|event| event["state"] == "active");
    assert_eq!(had_agent, None, "no agent joined");
    desk.press("/find SPAM\r");
    desk.sees("[spam]");
    assert!(!bob.events().iter().any(|event| event.to_string().contains("spam")));
}

#[test]
fn a_blocked_customer_is_turned_away_until_they_are_unblocked() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&[]);
    let mut ann = accepted(&setup, &mut desk);
    desk.press("/block address 12h\r");
    ann.until_state("closed");
    desk.sees("#1 Ann: closed (by an agent)");
    let mut again = setup.user(&["--name", "Ann", "--profile", "again"]);
    again.say("a human, please");
    again.until_state("closed");
    let had_agent = again.events_of("state").into_iter().find(|event| event["state"] == "active");
    assert_eq!(had_agent, None, "no agent joined");
    desk.sees("#2 Ann is blocked (#1), and was turned away");
    desk.press("/list blocked\r");
    desk.sees("#1 Ann  blocked until ");
    desk.press("/unblock 1\r");
    desk.sees("#1 Ann is not blocked any more");
    let mut third = setup.user(&["--name", "Ann", "--profile", "third"]);
    third.say("a human, please");
    desk.sees("#3 Ann is waiting (number 1 in the queue)");
}

#[test]
fn a_customer_who_has_left_can_be_blocked_also_after_a_restart() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut ann = setup.queued("Ann");
    desk.say("/accept 1");
    ann.until_state("active");
    ann.say("/end");
    ann.until_state("closed");
    desk.until_state("closed");
    desk.kill();
    let mut desk = setup.admin(&[]);
    desk.say("/block #1 2h");
    desk.until_told("notice", "#1 Ann  blocked until");
    ann.say("/new");
    ann.say("a human");
    desk.until_told("notice", "is blocked (#1), and was turned away");
}
