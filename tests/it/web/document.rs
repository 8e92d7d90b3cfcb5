//! The client in docs/chat.py works as it stands there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::setup::Setup;
use crate::support::web::gateway;

#[test]
fn the_python_client_of_the_documents_holds_a_whole_handoff() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--name", "Robin"]);
    let (_gateway, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/chat.py");
    let mut client = Command::new("python3")
        .arg(script)
        .arg(format!("http://{address}"))
        .env("NO_PROXY", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let mut input = client.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(client.stdout.take().expect("a pipe")).lines();
    let mut until = |wanted: &str| {
        let found = lines.by_ref().map_while(Result::ok).find(|line| line == wanted);
        assert!(found.is_some(), "the client never printed '{wanted}'");
    };
    writeln!(input, "hello").expect("it reads");
    until("bot: heard hello");
    writeln!(input, "/human").expect("it reads");
    until("* queued");
    admin.until_state("queued");
    admin.say("/accept");
    until("* active");
    admin.say("How can I help?");
    until("Robin: How can I help?");
    writeln!(input, "With my order").expect("it reads");
    admin.until_text("With my order");
    admin.say("/handback");
    until("* bot");
    writeln!(input, "thanks").expect("it reads");
    until("bot: heard thanks");
    writeln!(input, "/end").expect("it reads");
    until("* closed");
    drop(input);
    assert!(client.wait().expect("it ends").success());
}
