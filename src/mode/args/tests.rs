//! The command lines that are refused, and the words of each refusal.

use super::*;

fn usage(arguments: &[&str]) -> String {
    match parse(arguments) {
        Err(Exit::Usage(line)) => line,
        other => panic!("{arguments:?} gave {other:?}"),
    }
}

#[test]
fn a_wrong_address_says_what_to_give() {
    for wrong in ["desk", "desk:", ":5000", "desk:port", "desk:70000", "::1:5000"] {
        assert!(
            usage(&["user", "--admin", wrong]).ends_with("give HOST:PORT, such as localhost:5000"),
            "{wrong}"
        );
    }
    assert!(matches!(parse(&["user", "--admin", "[::1]:5000"]), Ok(Mode::User(_))));
}

#[test]
fn usage_errors_are_one_line() {
    for wrong in [&["user"][..], &[], &["serve"], &["admin", "--listen", "x:1", "--nope"]] {
        let line = usage(wrong);
        assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
    }
}

#[test]
fn customers_leave_room_for_strangers() {
    let line = usage(&["admin", "--listen", "a:1", "--customers", "4000"]);
    assert_eq!(line, "--customers 4000 needs --connections 4512 or more: 512 are for strangers");
    let fits = ["admin", "--listen", "a:1", "--customers", "4000", "--connections", "4512"];
    assert!(matches!(parse(&fits), Ok(Mode::Admin(_))));
    for option in ["--customers", "--per-address", "--rate"] {
        assert!(usage(&["admin", "--listen", "a:1", option, "0"]).starts_with(option));
        let web = usage(&["web", "--listen", "a:1", "--admin", "a:2", option, "0"]);
        assert_eq!(web, format!("{option} must be at least 1"));
    }
}

#[test]
fn names_and_triggers_must_say_something() {
    for (name, why) in [
        (" ", "seen"),
        ("\u{1b}\u{3164}", "seen"),
        (&"é".repeat(33), "32 letters"),
        (&"👩‍👩‍👧".repeat(8), "128 bytes"),
    ] {
        assert!(usage(&["user", "--admin", "a:1", "--name", name]).contains(why), "{name:?}");
    }
    let Ok(Mode::User(user)) =
        parse(&["user", "--admin", "a:1", "--name", &format!(" {} ", "é".repeat(32))])
    else {
        panic!("32 letters are a name")
    };
    assert_eq!(user.name, Some("é".repeat(32)));
    assert!(usage(&["user", "--admin", "a:1", "--trigger", ""]).contains("--trigger"));
    assert!(usage(&["admin", "--listen", "a:1", "--greeting", ""]).contains("--greeting"));
    for wrong in ["", "..", "a/b", "a b"] {
        assert!(
            usage(&["user", "--admin", "a:1", "--profile", wrong]).contains("--profile"),
            "{wrong}"
        );
    }
}
