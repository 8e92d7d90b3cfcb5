//! Faults of the system: a sync that fails (strace injects it), no free descriptors, and a wall
//! clock that is a day off.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::process::Command;

use crate::support::machine::{can, skip, ticks, under};
use crate::support::run::{Handoff, WITHIN};
use crate::support::setup::{Setup, conversation, same_story, told};

/// Whether `strace` works here. Many containers forbid it.
fn can_trace() -> bool {
    can(&["strace", "-D", "-o", "/dev/null", "true"])
}

#[test]
fn a_desk_whose_sync_fails_ends_with_one_line_and_has_all_it_acknowledged_after_a_restart() {
    if !can_trace() {
        return;
    }
    // In plaintext no key is written, so the journal makes the only syncs.
    let plain = ["--plaintext", "loopback"];
    let admin_plain = ["--auto-accept", "--plaintext", "loopback"];
    for (when, mode) in [(9, "admin"), (14, "admin"), (12, "user"), (16, "user")] {
        let setup = Setup::new();
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={when}");
        let strace =
            ["strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &inject];
        let (mut admin, mut user) = match mode {
            "admin" => {
                let mut admin =
                    Handoff::start_with(&setup.admin_arguments(&admin_plain), under(&strace));
                admin.address();
                (admin, setup.user(&plain))
            }
            _ => {
                let admin = setup.admin(&admin_plain);
                (admin, Handoff::start_with(&setup.user_arguments(&plain), under(&strace)))
            }
        };
        user.say("a human");
        let (broken, other) =
            if mode == "admin" { (&mut admin, &mut user) } else { (&mut user, &mut admin) };
        // The lines are sent one at a time, so that each needs a sync of its own, until one sync
        // fails.
        let is =
            |event: &serde_json::Value| event["event"] == "delivered" || event["link"] == "lost";
        while other.until(is)["event"] == "delivered" {
            other.say("and another line");
        }
        assert_eq!(broken.exit_code(), 1, "{mode} at {when}");
        let said = broken.stderr();
        let [line] = &said[..] else { panic!("one line is expected: {said:?}") };
        assert!(line.contains("the journal failed") && line.contains("start again"), "{line}");
        let acked = |end: &Handoff| {
            end.events_of("delivered").iter().filter_map(|event| event["number"].as_u64()).max()
        };
        let (acked, id) = (acked(other).unwrap_or(0), conversation(other));
        let (mut admin, mut user) = match mode {
            "admin" => (setup.admin(&admin_plain), user),
            _ => (admin, setup.user(&plain)),
        };
        // The entries of the failed batch were not acknowledged, so the other side sends them
        // again.
        user.say("after the fault");
        admin.until_text("after the fault");
        admin.say("all is well");
        user.until_text("all is well");
        admin.until_text("all is well");
        for author in ["user", "admin"] {
            let of = |end: &Handoff| {
                told(end, &id).into_iter().filter(|(who, _)| who == author).collect::<Vec<_>>()
            };
            assert_eq!(of(&admin), of(&user), "{mode} at {when}, acked {acked}");
        }
        let journal = setup.journal(mode);
        let kept: i64 = journal
            .query_row("SELECT max(number) FROM entry WHERE origin > 0", [], |row| row.get(0))
            .unwrap();
        assert!(
            kept as u64 >= acked,
            "{mode}: {acked} entries were acknowledged, but only {kept} are in the journal"
        );
    }
}

#[test]
fn a_desk_without_free_descriptors_serves_its_customers_and_admits_more_later() {
    if !can(&["prlimit", "--version"]) {
        return;
    }
    let setup = Setup::new();
    let limited = under(&["prlimit", "--nofile=40"]);
    let mut admin = Handoff::start_with(&setup.admin_arguments(&["--auto-accept"]), limited);
    admin.until_told("notice", "room for 8 connections, not 4096; 'ulimit -n' raises it");
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_state("active");
    admin.until_state("active");
    // Strangers take every descriptor. The desk closes earlier strangers for later ones.
    let mut strangers: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(&setup.desk).unwrap()).collect();
    assert!(!matches!(strangers[0].read(&mut [0]), Ok(1..)));
    let last = &mut strangers[39];
    let (before, since) = (ticks(&admin), std::time::Instant::now());
    for round in 0..20 {
        let asked = std::time::Instant::now();
        user.say(&format!("line {round}"));
        admin.until_text(&format!("line {round}"));
        assert!(
            asked.elapsed().as_millis() < 1_000,
            "the live chat was slow: {:?}",
            asked.elapsed()
        );
    }
    // The desk must have been out of descriptors during the chat.
    last.set_nonblocking(true).unwrap();
    let open = last.read(&mut [0]).map_err(|e| e.kind());
    assert_eq!(open, Err(ErrorKind::WouldBlock), "the desk closed the last stranger too early");
    // The desk closes the last stranger when it has sent no hello for 5 s.
    last.set_nonblocking(false).unwrap();
    last.set_read_timeout(Some(WITHIN)).unwrap();
    let closed = last.read(&mut [0]).map_err(|e| e.kind());
    assert!(matches!(closed, Ok(0) | Err(ErrorKind::ConnectionReset)), "{closed:?}");
    let (used, lasted) = (ticks(&admin) - before, since.elapsed());
    assert!(
        used as u128 * 10 * 20 < lasted.as_millis() + 4_000,
        "{used} ticks in {lasted:?} are more than 5 % CPU"
    );
    let _others: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(&setup.desk).unwrap()).collect();
    let mut second = setup.user(&["--profile", "second"]);
    second.say("a human, too");
    second.until_state("active");
    assert_eq!(admin.events_of("error"), [] as [serde_json::Value; 0]);
}

#[test]
fn a_wall_clock_that_is_a_day_off_changes_no_order_and_no_deadline() {
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let library = libraries
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.exists());
    let Some(library) = library else {
        return skip("libfaketime is not there");
    };
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let arguments = setup.user_arguments(&[]);
    let fake = |offset: &'static str| {
        let library = library.clone();
        move |command: &mut Command| {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME", offset)
                .env("DONT_FAKE_MONOTONIC", "1");
        }
    };
    let mut user = Handoff::start_with(&arguments, fake("-1d"));
    user.say("a human");
    user.until_state("active");
    admin.until_state("active");
    let mut lives = 0;
    for offset in ["+1d", "-1d", "+0"] {
        lives += 1;
        user.say(&format!("user {lives}"));
        admin.until_text(&format!("user {lives}"));
        admin.say(&format!("admin {lives}"));
        user.until_text(&format!("admin {lives}"));
        admin.until_text(&format!("admin {lives}"));
        user.kill();
        user = Handoff::start_with(&arguments, fake(offset));
        user.until_state("active");
    }
    let id = conversation(&user);
    let texts: Vec<String> = told(&user, &id).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["a human", "user 1", "admin 1", "user 2", "admin 2", "user 3", "admin 3"]);
    same_story(&mut admin, &mut user, &id);
    let at: Vec<String> =
        user.events_of("message").iter().map(|event| event["at"].to_string()).collect();
    assert!(!at.is_sorted(), "the clock did not jump: {at:?}");
}
