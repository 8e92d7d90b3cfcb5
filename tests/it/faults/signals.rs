//! How a program ends at SIGINT, SIGTERM and SIGHUP, when its terminal is closed, and when its
//! stdout is closed.

use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;

use crate::support::run::Handoff;
use crate::support::setup::{Setup, conversation, same_story, told};
use crate::support::terminal::Terminal;

const SIGNALS: [(Signal, i32); 3] = [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)];

#[test]
fn a_customers_side_that_a_signal_ends_says_goodbye_and_its_conversation_goes_on() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    let id = conversation(&user);
    for (signal, code) in SIGNALS {
        user.say(&format!("before {code}"));
        user.until_text(&format!("before {code}"));
        user.signal(signal);
        assert_eq!(user.exit_code(), code);
        admin.until(|event| event["link"] == "lost");
        assert!(user.events_of("error").is_empty(), "something was not delivered");
        user = setup.user(&[]);
        user.until_state("active");
        admin.until(|event| event["link"] == "connected");
        admin.say(&format!("after {code}"));
        user.until_text(&format!("after {code}"));
        admin.until_text(&format!("after {code}"));
    }
    same_story(&mut admin, &mut user, &id);
}

#[test]
fn a_desk_that_a_signal_ends_says_goodbye_and_its_conversations_go_on() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    let id = conversation(&user);
    for (signal, code) in SIGNALS {
        admin.say(&format!("before {code}"));
        admin.until_text(&format!("before {code}"));
        admin.signal(signal);
        assert_eq!(admin.exit_code(), code);
        let lost = user.until(|event| event["link"] == "lost");
        assert_eq!(lost["why"], "the desk says: the desk is closing");
        user.say(&format!("meanwhile {code}"));
        admin = setup.admin(&[]);
        admin.until_text(&format!("meanwhile {code}"));
    }
    same_story(&mut admin, &mut user, &id);
}

#[test]
fn the_first_interrupt_waits_for_acknowledgements_and_the_second_does_not() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    // The desk is stopped, so the next line stays unacknowledged.
    admin.signal(Signal::STOP);
    user.say("one");
    user.until_text("one");
    interrupt_twice(&mut user);
    user.until_told("error", "not delivered yet, kept for the next start: one");
    admin.signal(Signal::CONT);
    let mut user = setup.user(&[]);
    user.until_state("active");
    admin.until_text("one");
    user.signal(Signal::STOP);
    admin.say("two");
    admin.until_text("two");
    interrupt_twice(&mut admin);
    user.signal(Signal::CONT);
    let _admin = setup.admin(&[]);
    user.until_text("two");
}

/// Sends interrupts until the program ends, because signals that come together count as one.
#[track_caller]
fn interrupt_twice(end: &mut Handoff) {
    let since = Instant::now();
    while end.is_running() {
        end.signal(Signal::INT);
        assert!(
            since.elapsed().as_secs() < 4,
            "the second interrupt waited: {:?}",
            since.elapsed()
        );
        std::thread::yield_now();
    }
    assert_eq!(end.exit_code(), 130);
}

#[test]
fn a_stdout_that_is_closed_ends_the_program_and_the_journal_is_whole() {
    for closed in ["user", "admin"] {
        let setup = Setup::new();
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let hold = |command: &mut Command| {
            command.stdout(writer);
        };
        let (mut admin, mut user) = match closed {
            "user" => (
                setup.admin(&["--auto-accept"]),
                Handoff::start_with(&setup.user_arguments(&[]), hold),
            ),
            _ => (
                Handoff::start_with(&setup.admin_arguments(&["--auto-accept"]), hold),
                setup.user(&[]),
            ),
        };
        user.say("a human");
        let (gone, other) =
            if closed == "user" { (&mut user, &mut admin) } else { (&mut admin, &mut user) };
        other.until_state("active");
        drop(reader);
        other.say("does anybody read this");
        let id = conversation(other);
        other.until(|event| event["link"] == "lost");
        assert!(gone.exit_code() < 2, "the program did not end in order");
        if closed == "user" {
            user = setup.user(&[]);
        } else {
            admin = setup.admin(&[]);
            admin.until_text("does anybody read this");
        }
        if closed == "user" {
            user.until_text("does anybody read this");
        }
        user.say("we go on");
        admin.until_text("we go on");
        admin.say("so we do");
        user.until_text("so we do");
        admin.until_text("so we do");
        same_story(&mut admin, &mut user, &id);
        let all = told(&admin, &id);
        assert!(all.iter().any(|(_, text)| text == "does anybody read this"), "{all:?}");
    }
}

#[test]
fn a_terminal_that_is_closed_ends_the_program_and_the_journal_is_whole() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let arguments: Vec<&str> =
        setup.user_arguments(&[]).into_iter().filter(|word| *word != "--json").collect();
    let mut user = Terminal::start(&arguments);
    user.press("a human\r");
    user.prompts("agent> ");
    user.press("one\r");
    admin.until_text("one");
    let mut program = user.hang_up();
    program.exit_code();
    admin.until(|event| event["link"] == "lost");
    admin.say("are you there");
    let mut user = setup.user(&[]);
    user.until_state("active");
    user.until_text("are you there");
    user.say("again");
    user.until_text("again");
    admin.until_text("again");
    let id = conversation(&user);
    same_story(&mut admin, &mut user, &id);
}
