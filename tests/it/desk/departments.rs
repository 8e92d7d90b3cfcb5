//! Departments: a bot names one, and the agents who serve it are called.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::fake_bot::FakeBot;
use crate::support::run::Handoff;
use crate::support::setup::Setup;

/// A bot that hands over to the department that the customer's line names.
fn setup() -> Setup {
    Setup::with(FakeBot::saying(|department| {
        let custom = json!({
            "handoff": true, "reason": "lost parcel", "department": department, "language": "de_AT",
        });
        json!([{ "recipient_id": "x", "custom": custom }])
    }))
}

fn asks(setup: &Setup, name: &str, department: &str) -> Handoff {
    let mut user = setup.user(&["--profile", name, "--name", name]);
    user.say(department);
    user.until(|event| event["position"].is_number());
    user
}

/// The exit code and the output of `handoff agent` with these words.
fn agent(setup: &Setup, words: &[&str]) -> (i32, String) {
    let mut agent = Handoff::start(&[&["agent"], words, &["--state", setup.state()]].concat());
    let code = agent.exit_code();
    (code, [agent.stdout(), agent.stderr()].concat().join("\n"))
}

#[test]
fn a_customer_calls_the_agents_of_the_department_that_the_bot_names() {
    let setup = setup();
    let hook = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let url = format!("http://{}/", hook.local_addr().expect("an address"));
    let _desk = setup.admin(&["--no-terminal", "--notify-url", &url]);
    let mut robin = setup.agent("robin", &["--department", "Returns"]);
    let mut al = setup.agent("al", &["--department", "billing", "--department", "orders"]);
    let mut cleo = asks(&setup, "Cleo", "returns");
    let called = |name: &str| format!("Hey! {name} wants to talk to you");
    robin.until_told("notice", &called("Cleo"));
    let state = al.until_state("queued");
    assert_eq!(
        (&state["department"], &state["language"], &state["reason"], &state["position"]),
        (&json!("returns"), &json!("de-AT"), &json!("lost parcel"), &json!(1))
    );
    let told = posted(&hook);
    assert_eq!(
        (&told["text"], &told["departments"], &told["languages"]),
        (
            &json!("1 customer is waiting (0:00) for returns"),
            &json!(["returns"]),
            &json!(["de-AT"])
        )
    );
    let mut dan = asks(&setup, "Dan", "orders");
    al.until_told("notice", &called("Dan"));
    assert!(!al.events_of("notice").iter().any(|event| event["text"] == called("Cleo")));
    let position = dan.events_of("state").pop().map(|event| event["position"].clone());
    assert_eq!(position, Some(json!(1)), "Cleo waits for another agent");
    // All agents see both customers in the queue, and can accept each of them by number.
    al.say("/list");
    al.until_told("notice", "#1 Cleo (returns, de-AT)  waits ");
    al.say("/accept");
    dan.until_state("active");
    al.say("/accept 1");
    cleo.until_state("active");
}

/// The body of the next request to this hook.
fn posted(hook: &TcpListener) -> Value {
    let (stream, _) = hook.accept().expect("a request");
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(answer).expect("it takes an answer");
    serde_json::from_slice(&body).expect("JSON")
}

#[test]
fn the_departments_of_an_agent_are_listed_and_changed_while_the_desk_runs() {
    let setup = setup();
    let (code, told) = agent(&setup, &["add", "bo", "--department", "a, b"]);
    assert_eq!(code, 2);
    assert!(told.contains("--department: a department has a name of at most 32 letters"), "{told}");
    let _desk = setup.admin(&["--no-terminal"]);
    let mut robin = setup.agent("robin", &["--department", "returns", "--department", "RETURNS"]);
    let mut al = setup.agent("al", &[]);
    assert_eq!(agent(&setup, &["list"]).1, "robin, for returns\nal");
    let mut cleo = asks(&setup, "Cleo", "billing");
    al.until_told("notice", "Hey! Cleo wants to talk to you");
    // A script's `/accept` waits until a customer waits for its agent.
    robin.say("/accept");
    assert_eq!(agent(&setup, &["add", "robin", "--department", "billing"]).0, 0);
    assert_eq!(agent(&setup, &["list"]).1, "robin, for billing\nal");
    assert_eq!(cleo.until_state("active")["admin"], "robin");
    asks(&setup, "Dan", "billing");
    robin.until_told("notice", "Hey! Dan wants to talk to you");
    al.say("/agents");
    al.until_told("notice", "robin, for billing  here, 1 customer");
}

#[test]
fn a_customer_who_is_sent_to_another_department_waits_for_its_agents_also_after_a_restart() {
    let setup = setup();
    let mut desk = setup.admin(&["--no-terminal"]);
    let mut robin = setup.agent("robin", &["--department", "returns"]);
    let mut al = setup.agent("al", &["--department", "Billing & Refunds"]);
    let mut cleo = asks(&setup, "Cleo", "returns");
    robin.say("/accept");
    cleo.until_state("active");
    robin.say("/transfer orders");
    robin.until_told("error", "no department 'orders'");
    robin.say("/transfer billing & REFUNDS wants a receipt");
    al.until(|event| event["state"] == "queued" && event["department"] == "Billing & Refunds");
    al.until_told("notice", "Hey! Cleo wants to talk to you");
    cleo.until_state("queued");
    desk.kill();
    let _desk = setup.admin(&["--no-terminal"]);
    robin.until_told("notice", " as robin; /help");
    al.until(|event| event["state"] == "queued" && event["department"] == "Billing & Refunds");
    cleo.until(|event| event["link"] == "connected");
    al.say("/accept");
    assert_eq!(cleo.until_state("active")["admin"], "al");
    al.say("/history 1");
    al.until(|event| event["event"] == "note" && event["text"] == "robin: wants a receipt");
    // The department lasts until the bot hands the customer over anew.
    al.say("/transfer queue");
    al.until(|event| event["state"] == "queued" && event["department"] == "Billing & Refunds");
    al.say("/accept");
    cleo.until_state("active");
    al.say("/handback");
    cleo.until_state("bot");
    cleo.say("returns");
    robin.until(|event| event["state"] == "queued" && event["department"] == "returns");
    robin.until_told("notice", "Hey! Cleo wants to talk to you");
}

#[test]
fn an_agent_whose_name_is_a_department_is_meant_by_it() {
    let setup = setup();
    let _desk = setup.admin(&["--no-terminal"]);
    let mut robin = setup.agent("robin", &["--department", "returns"]);
    let mut billing = setup.agent("billing", &["--department", "billing"]);
    let mut cleo = asks(&setup, "Cleo", "returns");
    robin.say("/accept");
    cleo.until_state("active");
    robin.say("/transfer billing yours?");
    assert_eq!(billing.until_event("transfer")["outcome"], "offered");
}

#[test]
fn a_file_of_agents_from_before_departments_can_be_read() {
    let setup = setup();
    setup.add_agent("robin", &["--department", "returns"]);
    let file = Path::new(setup.state()).join("keys").join("default.agents.json");
    let text = fs::read_to_string(&file).expect("it is there");
    let mut older: Value = serde_json::from_str(&text).expect("JSON");
    older["agents"][0].as_object_mut().expect("an agent").remove("departments");
    fs::write(&file, older.to_string()).expect("it can be written");
    // The line after it warns that no desk has run yet.
    assert_eq!(agent(&setup, &["list"]).1.lines().next(), Some("robin"));
}
