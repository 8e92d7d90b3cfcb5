//! The command line: help, usage errors, impossible addresses.

use std::net::TcpListener;

use crate::support::run::Handoff;

/// Exit code, stdout and stderr of a program that ends by itself.
fn ended(arguments: &[&str]) -> (i32, Vec<String>, Vec<String>) {
    let mut program = Handoff::start(arguments);
    program.close_stdin();
    (program.exit_code(), program.stdout(), program.stderr())
}

#[test]
fn help_goes_to_stdout_and_exits_with_0() {
    for arguments in [
        &["--help"][..],
        &["user", "--help"],
        &["admin", "--help"],
        &["bot", "--help"],
        &["demo", "--help"],
    ] {
        let (code, out, err) = ended(arguments);
        assert_eq!((code, err), (0, Vec::new()), "{arguments:?}");
        assert!(out[0].starts_with("Usage: handoff"), "{out:?}");
    }
    let (_, out, _) = ended(&["--help"]);
    for mode in ["user", "admin", "bot", "demo"] {
        assert!(
            out.iter().any(|line| line.trim_start().starts_with(mode)),
            "{mode} is not in the help"
        );
    }
}

#[test]
fn the_version_is_printed_for_both_of_its_options() {
    let version = vec![format!("handoff {}", env!("CARGO_PKG_VERSION"))];
    for option in ["--version", "-V"] {
        assert_eq!(ended(&[option]), (0, version.clone(), Vec::new()), "{option}");
    }
}

#[test]
fn a_build_between_two_releases_does_not_have_the_version_of_a_release() {
    const CHANGELOG: &str = include_str!("../../../CHANGELOG.md");
    let headings: Vec<_> = CHANGELOG.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    let version = env!("CARGO_PKG_VERSION");
    match headings[0] {
        "Unreleased" => assert!(version.ends_with("-dev"), "{version}"),
        released => assert!(released.starts_with(&format!("{version} - ")), "{version}"),
    }
    let earlier = |heading: &&&str| heading.split(" - ").next() == Some(version);
    assert_eq!(headings[1..].iter().find(earlier), None);
}

#[test]
fn a_usage_error_prints_one_line_that_names_the_help_and_exits_with_2() {
    let wrong: [&[&str]; 13] = [
        &[],
        &["serve"],
        &["user"],
        &["user", "--admin", "desk"],
        &["user", "--admin", "desk:http"],
        &["user", "--admin", "desk:70000"],
        &["user", "--admin", ":5000"],
        &["user", "--admin", "desk:1", "--linger", "soon"],
        &["user", "--admin", "desk:1", "--nope"],
        &["user", "--admin", "desk:1", "--name", ""],
        &["admin", "--listen", "5000"],
        &["admin", "--listen", "::1:5000"],
        &["bot", "--listen", "here"],
    ];
    for arguments in wrong {
        let (code, out, err) = ended(arguments);
        assert_eq!((code, out), (2, Vec::new()), "{arguments:?}");
        assert!(err.len() == 1 && err[0].starts_with("handoff: "), "{arguments:?}: {err:?}");
        assert!(err[0].contains("--help'"), "{arguments:?}: {err:?}");
    }
}

#[test]
fn an_unknown_command_is_named_together_with_those_that_there_are() {
    for wrong in [&["doctor"][..], &["hstory", "--json"], &["USER"]] {
        let (code, out, err) = ended(wrong);
        assert_eq!((code, out), (2, Vec::new()), "{wrong:?}");
        let expected = format!(
            "handoff: there is no command '{}'; the commands are user, admin, agent, attach, web, \
             bot, demo; see 'handoff --help'",
            wrong[0]
        );
        assert_eq!(err, [expected]);
    }
}

#[test]
fn a_taken_port_causes_one_line_with_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = taken.local_addr().expect("a listener has an address").to_string();
    for mode in ["admin", "bot"] {
        for json in [&[][..], &["--json"]] {
            let (code, out, err) = ended(&[&[mode, "--listen", &address], json].concat());
            assert_eq!((code, out), (1, Vec::new()), "the program must not start");
            assert!(
                err.len() == 1 && err[0].contains(&address) && err[0].contains("in use"),
                "{mode}: {err:?}"
            );
        }
    }
}

#[test]
fn an_unknown_host_to_listen_on_causes_one_line() {
    let (code, out, err) = ended(&["admin", "--listen", "no-such-host.invalid:0"]);
    assert_eq!((code, out), (1, Vec::new()));
    assert!(err.len() == 1 && err[0].contains("no-such-host.invalid"), "{err:?}");
}
