//! Limits of the output: a full outbox, an unread output, a log that could print secrets.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::run::Handoff;

fn bot() -> FakeBot {
    FakeBot::saying(|_| text("Human Handoff"))
}

#[test]
fn lines_beyond_the_outbox_wait_in_the_pipe_and_all_arrive() {
    let (bot, address) = (bot(), nobody_at());
    let mut user = Handoff::user(&address, bot.url(), &[]);
    let lines: Vec<String> = (0..1_500).map(|line| format!("line {line}")).collect();
    user.script(&format!("human\n{}\n", lines.join("\n")));
    user.until_text("line 999");
    let mut admin = Handoff::start(&["admin", "--listen", &address, "--json", "--rate", "1000"]);
    admin.until_text("line 1499");
    // A line is sent before it is printed.
    user.until_text("line 1499");
    assert!(user.messages().len() == 1_501, "each line is printed once");
    admin.script("/accept\n/close\n");
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    let came: Vec<String> = admin.messages().into_iter().skip(1).map(|(_, text)| text).collect();
    assert_eq!(came, lines);
}

#[test]
fn an_unread_output_loses_nothing_and_delays_nobody() {
    let bot = bot();
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let arguments = ["user", "--admin", &admin.address(), "--bot", bot.url(), "--json"];
    let mut user = Handoff::start_with(&arguments, |command| {
        command.stdout(writer);
    });
    user.say("human");
    admin.until_state("active");
    let lines: Vec<String> = (0..300).map(|line| format!("{line} {}", "x".repeat(1_000))).collect();
    for line in &lines {
        admin.say(line);
    }
    // The lines are more than a pipe holds, but the customer's side has all of them.
    admin.until(|event| event["event"] == "delivered" && event["number"].as_u64() >= Some(301));
    user.say("I hear you");
    admin.until_text("I hear you");
    admin.say("/close");
    admin.until_state("closed");
    user.close_stdin();
    let events = BufReader::new(reader).lines().map(|line| line.expect("UTF-8"));
    let events: Vec<Value> =
        events.map(|line| serde_json::from_str(&line).expect("an event a line")).collect();
    let heard: Vec<&str> = events
        .iter()
        .filter(|event| event["author"] == "admin")
        .filter_map(|event| event["text"].as_str())
        .collect();
    assert_eq!(heard, lines);
    assert_eq!(user.exit_code(), 0);
}

#[test]
fn no_log_level_prints_messages_or_secrets() {
    let mut bot = Handoff::bot();
    // The log levels of the libraries are set by name, too: at their finer levels they log whole
    // requests.
    let all =
        "trace,handoff=trace,ureq=trace,ureq::run=trace,ureq_proto::client=trace,rustls=trace";
    let log = |command: &mut std::process::Command| {
        command.env("RUST_LOG", all).env("HANDOFF_BOT_TOKEN", "tok3n");
    };
    let mut admin =
        Handoff::start_with(&["admin", "--listen", "127.0.0.1:0", "--json", "--auto-accept"], log);
    let (address, url) = (admin.address(), bot.url());
    let mut user =
        Handoff::start_with(&["user", "--admin", &address, "--bot", &url, "--json"], log);
    user.say("a human, but shhh");
    user.until_state("active");
    user.say("a secret of mine");
    admin.until_text("a secret of mine");
    admin.say("a secret of ours");
    user.until_text("a secret of ours");
    admin.say("/handback");
    user.until(|event| event["reason"] == "handed_back");
    user.say("/human");
    user.until_state("active");
    user.signal(rustix::process::Signal::TERM);
    user.exit_code();
    admin.until_err(|line| line.contains("says goodbye"));
    for line in user.stderr().iter().chain(&admin.stderr()) {
        assert!(
            !line.contains("secret of") && !line.contains("shhh") && !line.contains("tok3n"),
            "{line}"
        );
        assert!(!line.contains("\"secret\""), "{line}");
    }
}
