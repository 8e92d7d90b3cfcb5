//! A bad network between two hosts: the link goes down, or half of the packets are lost. The hosts
//! are network namespaces, so these tests need root. They are slow.

use std::process::Command;

use crate::support::machine::{can, skip, under};
use crate::support::run::Handoff;
use crate::support::setup::{Setup, conversation, told};

/// Two hosts with a cable between them. They are removed when this value is dropped.
struct Hosts {
    a: String,
    b: String,
}

impl Hosts {
    /// Makes the hosts. `None` if this machine cannot; then the test says that it is skipped.
    fn new(tag: &str) -> Option<Hosts> {
        let id = std::process::id() % 10_000;
        let hosts = Hosts { a: format!("hA{tag}{id}"), b: format!("hB{tag}{id}") };
        if !can(&["ip", "netns", "add", &hosts.a]) || !can(&["nft", "--version"]) {
            return None;
        }
        let (a, b) = (&hosts.a, &hosts.b);
        let made = [
            format!("ip netns add {b}"),
            format!("ip link add va{tag}{id} netns {a} type veth peer name vb{tag}{id} netns {b}"),
            format!("ip -n {a} addr add 10.77.0.1/24 dev va{tag}{id}"),
            format!("ip -n {b} addr add 10.77.0.2/24 dev vb{tag}{id}"),
            format!("ip -n {a} link set va{tag}{id} up"),
            format!("ip -n {b} link set vb{tag}{id} up"),
            format!("ip -n {a} link set lo up"),
            format!("ip -n {b} link set lo up"),
        ];
        if let Some(failed) = made.iter().find(|command| !run(command)) {
            skip(&format!("'{failed}' does not work here"));
            return None;
        }
        Some(hosts)
    }

    fn cable(&self, is: &str) {
        let cable = self.b.replacen("hB", "vb", 1);
        assert!(run(&format!("ip -n {} link set {cable} {is}", self.b)));
    }

    /// Drops this percentage of the packets to the desk.
    fn lose(&self, percent: u32) {
        let rules = format!(
            "add table inet f; add chain inet f in {{ type filter hook input priority 0; }}; \
             add rule inet f in numgen random mod 100 < {percent} counter drop"
        );
        let lost = Command::new("ip").args(["netns", "exec", &self.b, "nft", &rules]).status();
        assert!(lost.is_ok_and(|status| status.success()), "nft takes the rule");
    }

    fn mend(&self) {
        assert!(run(&format!("ip netns exec {} nft delete table inet f", self.b)));
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        run(&format!("ip netns del {}", self.a));
        run(&format!("ip netns del {}", self.b));
    }
}

fn run(command: &str) -> bool {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().expect("a command"));
    command.args(words).status().is_ok_and(|status| status.success())
}

/// Starts a desk on host B, and on host A the built-in bot and a customer's side.
fn talking(setup: &Setup, hosts: &Hosts) -> (Handoff, Handoff, Handoff) {
    let on = |host: &str| under(&["ip", "netns", "exec", host]);
    let mut bot = Handoff::start_with(&["bot", "--listen", "127.0.0.1:0", "--json"], on(&hosts.a));
    let url = bot.url();
    let desk = [
        "admin",
        "--listen",
        "10.77.0.2:5000",
        "--json",
        "--auto-accept",
        "--state",
        setup.state(),
    ];
    let mut admin = Handoff::start_with(&desk, on(&hosts.b));
    admin.address();
    let customer =
        ["user", "--admin", "10.77.0.2:5000", "--bot", &url, "--json", "--state", setup.state()];
    let mut user = Handoff::start_with(&customer, on(&hosts.a));
    user.say("I want a human");
    user.until_state("active");
    admin.until_state("active");
    (bot, admin, user)
}

/// Waits for an event for up to 120 s, because the keepalive needs 25 s and TCP repeats lost
/// packets ever more slowly.
#[track_caller]
fn patiently(end: &mut Handoff, what: &str, fits: impl Fn(&serde_json::Value) -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while !end.events().iter().any(&fits) {
        end.news().recv_deadline(deadline).expect(what);
    }
}

#[test]
#[ignore = "takes a minute: the keepalive's 25 s"]
fn both_ends_report_a_dead_line_within_thirty_seconds_and_lose_nothing() {
    let Some(hosts) = Hosts::new("d") else { return };
    let setup = Setup::new();
    let (_bot, mut admin, mut user) = talking(&setup, &hosts);
    hosts.cable("down");
    let since = std::time::Instant::now();
    (0..20).for_each(|line| user.say(&format!("user {line}")));
    (0..20).for_each(|line| admin.say(&format!("admin {line}")));
    patiently(&mut user, "the customer's side reports the lost connection", |event| {
        event["link"] == "lost"
    });
    patiently(&mut admin, "the desk reports the lost connection", |event| event["link"] == "lost");
    assert!(since.elapsed().as_secs() <= 31, "{:?}", since.elapsed());
    hosts.cable("up");
    patiently(&mut admin, "all arrives", |event| event["text"] == "user 19");
    patiently(&mut user, "all arrives", |event| event["text"] == "admin 19");
    whole(&admin, &user);
}

#[test]
#[ignore = "takes a minute or two: TCP's patience with half the packets lost"]
fn a_line_that_drops_half_its_packets_loses_and_doubles_no_message() {
    let Some(hosts) = Hosts::new("l") else { return };
    let setup = Setup::new();
    let (_bot, mut admin, mut user) = talking(&setup, &hosts);
    hosts.lose(50);
    for line in 0..20 {
        user.say(&format!("user {line}"));
        admin.say(&format!("admin {line}"));
    }
    patiently(&mut admin, "the first half arrives", |event| event["text"] == "user 9");
    hosts.mend();
    patiently(&mut admin, "all arrives", |event| event["text"] == "user 19");
    patiently(&mut user, "all arrives", |event| event["text"] == "admin 19");
    whole(&admin, &user);
}

/// Checks that each end has the lines of both sides once and in order.
#[track_caller]
fn whole(admin: &Handoff, user: &Handoff) {
    let id = conversation(user);
    for end in [admin, user] {
        for author in ["user", "admin"] {
            let lines = told(end, &id)
                .into_iter()
                .filter(|(who, text)| who == author && text.starts_with(author));
            let expected: Vec<String> = (0..20).map(|line| format!("{author} {line}")).collect();
            assert_eq!(lines.map(|(_, text)| text).collect::<Vec<_>>(), expected);
        }
    }
}
