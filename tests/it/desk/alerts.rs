//! Calls for agents who do not look at the desk: by a command, by a URL, by the terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use crate::support::run::Handoff;
use crate::support::setup::Setup;

fn queued(setup: &Setup, name: &str) -> Handoff {
    let mut user = setup.user(&["--profile", name, "--name", name]);
    user.say(&format!("a human, {name} asks"));
    user.until_state("queued");
    user
}

/// The body of the next request to this listener, which answers with this status.
fn request(listener: &TcpListener, status: &str) -> Value {
    let (stream, _) = listener.accept().expect("a request");
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).expect("it takes an answer");
    serde_json::from_slice(&body).expect("JSON")
}

#[test]
fn a_url_is_called_until_an_agent_takes_the_customer_also_after_a_failure() {
    let setup = Setup::new();
    let hook = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let url = format!("http://{}/hook", hook.local_addr().expect("an address"));
    let mut admin = setup.admin(&["--notify-url", &url, "--notify-every", "1"]);
    let mut ann = queued(&setup, "Ann");
    let first = request(&hook, "500 Broken");
    assert_eq!(first["text"], "1 customer is waiting (0:00)");
    assert_eq!(request(&hook, "200 OK"), first, "it is sent again");
    let second = request(&hook, "200 OK");
    assert_eq!((&second["waiting"], &second["unread"]), (&Value::from(1), &Value::from(0)));
    admin.say("/accept");
    ann.until_state("active");
    let mut bob = queued(&setup, "Bob");
    admin.say("/accept");
    bob.until_state("active");
    ann.say("my secret is 4711");
    // A call that was queued earlier may come first.
    let unread = loop {
        let told = request(&hook, "200 OK");
        if told["unread"] == 1 {
            break told;
        }
    };
    assert_eq!(unread["text"], "1 line is unread");
}

#[test]
fn a_command_gets_facts_and_no_text_from_customers() {
    let setup = Setup::new();
    let file = setup.profile("admin").join("called");
    let command = format!("env | grep ^HANDOFF_ > '{}.new' && mv '{0}.new' '{0}'", file.display());
    let mut admin = setup.admin(&["--notify-command", &command]);
    admin.say("/list");
    let mut ann = setup.user(&["--name", "$(touch hacked)"]);
    ann.say("a human; `touch hacked`");
    ann.until_state("queued");
    while !file.exists() {
        std::thread::yield_now();
    }
    let told = std::fs::read_to_string(&file).expect("it is complete");
    let mut told: Vec<_> = told.lines().collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "HANDOFF_DEPARTMENTS=",
            "HANDOFF_LANGUAGES=",
            "HANDOFF_TEXT=1 customer is waiting (0:00)",
            "HANDOFF_UNREAD=0",
            "HANDOFF_WAITED=0",
            "HANDOFF_WAITING=1"
        ]
    );
}

#[test]
fn a_failing_command_causes_one_notice_and_the_chat_goes_on() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--notify-command", "exit 3", "--notify-every", "1"]);
    let mut ann = queued(&setup, "Ann");
    let fault =
        "--notify-command: 'exit 3' failed: exit status: 3 (shown once until it works again)";
    admin.until_told("error", fault);
    admin.say("/accept");
    ann.until_state("active");
    admin.say("hello");
    ann.until_text("hello");
    assert_eq!(admin.events_of("error").len(), 1);
}

#[test]
fn the_terminal_rings_and_counts_in_its_title_until_the_agent_reacts() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&[]);
    let mut ann = queued(&setup, "Ann");
    desk.writes("\x1b]2;(1) handoff\x1b\\");
    desk.writes("\x07");
    desk.press("/accept\r");
    ann.until_state("active");
    desk.writes("\x1b]2;handoff\x1b\\");
    let mut bob = queued(&setup, "Bob");
    desk.sees("Bob wants to talk");
    desk.press("/accept\r");
    bob.until_state("active");
    ann.say("are you there?");
    desk.last_row("#2 Bob · 1 unread> ");
    desk.writes("\x1b]2;(1) handoff\x1b\\");
    desk.writes("\x07");
    desk.press("/next\r");
    desk.last_row("#1 Ann> ");
    desk.press("/quit\r/quit\r");
    assert_eq!(desk.program.exit_code(), 0);
}
