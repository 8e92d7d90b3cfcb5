//! The marks of a line: ✓ when the other journal has it, ✓✓ when it was shown.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::support::run::Handoff;
use crate::support::setup::{Setup, conversation};
use crate::support::terminal::Terminal;

/// Waits until the marks of a kind reach this number.
#[track_caller]
fn marked(end: &mut Handoff, kind: &str, number: &Value) {
    end.until(|event| event["event"] == kind && event["number"].as_u64() >= number.as_u64());
}

#[test]
fn both_ends_report_which_lines_were_delivered_and_seen() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_state("active");
    user.say("one");
    let number = user.until_text("one")["number"].clone();
    marked(&mut user, "delivered", &number);
    marked(&mut user, "seen", &number);
    admin.until_text("one");
    admin.say("two");
    let number = admin.until_text("two")["number"].clone();
    marked(&mut admin, "delivered", &number);
    marked(&mut admin, "seen", &number);
    let id = conversation(&user);
    for end in [&user, &admin] {
        for kind in ["delivered", "seen"] {
            let marks: Vec<u64> =
                end.events_of(kind).iter().map(|mark| mark["number"].as_u64().unwrap()).collect();
            assert!(marks.is_sorted(), "a mark went back: {kind} {marks:?}");
            assert!(end.events_of(kind).iter().all(|mark| mark["conversation"] == id));
        }
    }
}

/// One end has an output that nobody reads, and the other end sends more than a pipe holds.
fn unread(reads_not: &str) {
    let setup = Setup::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let hold = |command: &mut std::process::Command| {
        command.stdout(writer);
    };
    let (mut admin, mut user) = match reads_not {
        "user" => {
            let admin = setup.admin(&["--auto-accept"]);
            (admin, Handoff::start_with(&setup.user_arguments(&[]), hold))
        }
        _ => {
            (Handoff::start_with(&setup.admin_arguments(&["--auto-accept"]), hold), setup.user(&[]))
        }
    };
    user.say("a human");
    let teller = if reads_not == "user" { &mut admin } else { &mut user };
    teller.until_state("active");
    let lines: Vec<String> = (0..200).map(|line| format!("{line} {}", "x".repeat(1_000))).collect();
    lines.iter().for_each(|line| teller.say(line));
    let last = teller.until_text(&lines[199])["number"].clone();
    marked(teller, "delivered", &last);
    // The pipe holds 64 KiB, so only lines that fit into it can be seen, and the last line is not.
    let seen = |end: &Handoff| {
        end.events_of("seen").iter().filter_map(|mark| mark["number"].as_u64()).max()
    };
    let before = seen(teller).unwrap_or(0);
    assert!(
        before < last.as_u64().expect("a number") - 100,
        "{before} of {last} lines are reported as seen"
    );
    // Now the test reads the output. All lines are there, and only now they are seen.
    let (sender, read) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(reader).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    marked(teller, "seen", &last);
    let mut shown = Vec::new();
    while shown.last() != lines.last() {
        let event = read.recv_timeout(crate::support::run::WITHIN).expect("an event");
        let event: Value = serde_json::from_str(&event).expect("an event a line");
        let text = event["text"].as_str().unwrap_or_default();
        if event["event"] == "message" && text.contains(" xx") {
            shown.push(text.to_owned());
        }
    }
    assert_eq!(shown, lines);
}

#[test]
fn a_customers_side_marks_a_line_as_seen_only_when_its_output_is_read() {
    unread("user");
}

#[test]
fn a_desk_marks_a_line_as_seen_only_when_its_output_is_read() {
    unread("admin");
}

#[test]
fn a_restarted_desk_shows_an_unseen_line_and_marks_it_as_seen() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    admin.say("hello");
    user.until_text("hello");
    // The desk is killed when it has the line and has not shown it. The restarted desk shows the
    // line before anybody dials.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    admin.kill();
    let mut admin = Handoff::start_with(&setup.admin_arguments(&[]), |command| {
        command.stdout(writer);
    });
    let filler: Vec<String> =
        (0..100).map(|line| format!("{line} {}", "x".repeat(1_000))).collect();
    filler.iter().for_each(|line| user.say(line));
    user.say("unseen");
    let number = user.until_text("unseen")["number"].clone();
    marked(&mut user, "delivered", &number);
    admin.kill();
    drop(reader);
    let seen = user.events_of("seen").iter().filter_map(|mark| mark["number"].as_u64()).max();
    assert!(seen < number.as_u64(), "{seen:?} of {number}");
    let mut admin = setup.admin(&[]);
    admin.until_text("unseen");
    marked(&mut user, "seen", &number);
}

#[test]
fn a_restarted_customers_side_shows_an_unseen_line_and_marks_it_as_seen() {
    let setup = Setup::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = Handoff::start_with(&setup.user_arguments(&[]), |command| {
        command.stdout(writer);
    });
    user.say("a human");
    admin.until_state("active");
    let filler: Vec<String> =
        (0..100).map(|line| format!("{line} {}", "x".repeat(1_000))).collect();
    filler.iter().for_each(|line| admin.say(line));
    admin.say("unseen");
    let number = admin.until_text("unseen")["number"].clone();
    marked(&mut admin, "delivered", &number);
    user.kill();
    drop(reader);
    let seen = admin.events_of("seen").iter().filter_map(|mark| mark["number"].as_u64()).max();
    assert!(seen < number.as_u64(), "{seen:?} of {number}");
    let mut user = setup.user(&[]);
    user.until_text("unseen");
    marked(&mut admin, "seen", &number);
}

#[test]
fn the_prompt_shows_one_tick_then_two() {
    let setup = Setup::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut admin = Handoff::start_with(
        &setup.admin_arguments(&["--auto-accept", "--name", "Robin"]),
        |command| {
            command.stdout(writer);
        },
    );
    let arguments: Vec<&str> =
        setup.user_arguments(&[]).into_iter().filter(|word| *word != "--json").collect();
    let mut user = Terminal::start(&arguments);
    user.press("a human\r");
    user.prompts("Robin> ");
    // The lines are more than the desk's output holds, so the desk cannot have shown the last one.
    for line in 0..30 {
        user.press(&format!("{line} {}\r", "x".repeat(4_000)));
    }
    user.press("look\r");
    user.sees("user: look");
    user.prompts("Robin ✓> ");
    std::thread::spawn(move || std::io::copy(&mut BufReader::new(reader), &mut std::io::sink()));
    user.prompts("Robin ✓✓> ");
    admin.kill();
}
