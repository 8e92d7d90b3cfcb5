//! A desk that trusts a gateway counts the gateway's customers one by one, and shows the agent
//! which page each is on.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::web::{Customer, gateway, send_alone};

/// A file of the setup with a gateway's token, which only this user can read.
pub(super) fn token_file(setup: &Setup, name: &str, token: &str) -> String {
    let file = format!("{}/{name}", setup.state());
    fs::write(&file, token).expect("the folder is ours");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("the file is ours");
    file
}

/// How often a gateway said that its desk does not trust it.
fn distrusts(gateway: &Handoff) -> usize {
    let notices = gateway.events_of("notice");
    let is_one = |text: &str| text.contains("--trust-gateway");
    notices.iter().filter(|notice| notice["text"].as_str().is_some_and(is_one)).count()
}

#[test]
fn a_desk_with_its_defaults_takes_a_thousand_customers_of_a_gateway_that_it_trusts() {
    let setup = Setup::new();
    let token = token_file(&setup, "token", &"t".repeat(32));
    let mut admin = setup.admin(&["--trust-gateway", &token]);
    let more = ["--gateway-token", &token, "--trust-proxy", "127.0.0.1"];
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &more);
    const CUSTOMERS: usize = 1_000;
    for n in 0..CUSTOMERS {
        let customer_address = format!("198.51.{}.{}", n / 250, n % 250);
        let from = [("x-forwarded-for", &*customer_address)];
        let begun = send_alone("POST", &format!("http://{address}/api/begin"), &from, "{}");
        let token = begun.body["token"].as_str().expect("a token").to_owned();
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", &*bearer), from[0]];
        let body = json!({ "id": "1", "conversation": begun.body["conversation"] }).to_string();
        let human = send_alone("POST", &format!("http://{address}/api/human"), &headers, &body);
        assert_eq!(human.status, 202);
    }
    let is_queued = |event: &serde_json::Value| event["state"] == "queued";
    for _ in 0..CUSTOMERS {
        admin.until(is_queued);
    }
    assert_eq!(distrusts(&process), 0);
    process.kill();
}

#[test]
fn an_agent_sees_which_page_a_customer_is_on() {
    let setup = Setup::new();
    let token = token_file(&setup, "token", &"t".repeat(32));
    let mut admin = setup.admin(&["--trust-gateway", &token]);
    let more = ["--gateway-token", &token, "--trust-proxy", "127.0.0.1"];
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &more);
    let page = json!({ "url": "https://shop.example/cart?card=4711", "title": "Cart" });
    let customer = Customer::begin_with(&address, &json!({ "page": page }).to_string());
    assert_eq!(customer.post("human", "1", json!({})).status, 202);
    let mut shown = admin.until(|event| event["event"] == "page");
    assert_eq!(shown["conversation"], customer.conversation);
    assert_eq!(
        (&shown["url"], &shown["title"]),
        (&json!("https://shop.example/cart"), &json!("Cart"))
    );
    assert_eq!(shown["address"], "127.0.0.0/24");
    let moved = json!({ "url": "https://shop.example/paid", "language": "de" });
    assert_eq!(customer.post_body("page", &moved.to_string()).status, 204);
    shown = admin.until(|event| event["event"] == "page");
    assert_eq!(
        (&shown["url"], &shown["language"]),
        (&json!("https://shop.example/paid"), &json!("de"))
    );
    // An unchanged page is not shown again: next the agent reads a line.
    assert_eq!(customer.post_body("page", &moved.to_string()).status, 204);
    customer.say("2", "hello");
    admin.until_text("hello");
    assert_eq!(admin.events_of("page").len(), 2);
}

#[test]
fn an_agent_who_comes_later_learns_who_the_customer_is_too() {
    let setup = Setup::new();
    let token = token_file(&setup, "token", &"t".repeat(32));
    let mut admin = setup.admin(&["--trust-gateway", &token]);
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &["--gateway-token", &token]);
    let page = json!({ "url": "https://shop.example/cart", "title": "Cart" });
    let customer = Customer::begin_with(&address, &json!({ "page": page }).to_string());
    customer.say("1", "where is my parcel");
    assert_eq!(customer.post("human", "2", json!({})).status, 202);
    admin.until_event("page");
    let mut robin = setup.agent("robin", &[]);
    assert_eq!(robin.until_event("page")["url"], "https://shop.example/cart");
    let mut al = setup.agent_at_a_terminal("al", 100);
    let screen = al.sees("is waiting (number 1 in the queue)");
    assert!(!screen.contains("Cart"), "many pages at once would hide who waits");
    al.press("/accept\r");
    al.sees("is on Cart, https://shop.example/cart");
    al.sees("where is my parcel");
    robin.until_state("active");
    assert_eq!(robin.events_of("page").len(), 1);
    let said = robin.messages().into_iter().filter(|(_, text)| text == "where is my parcel");
    assert_eq!(said.count(), 1, "a program reads a line once");
    al.press("/history\r");
    let pages = |rows: &[String]| rows.iter().filter(|row| row.contains("is on Cart")).count();
    al.until_rows(|rows| pages(rows) == 2, "the page once more");
}

#[test]
fn a_desk_that_does_not_know_the_token_causes_one_notice_and_serves_as_before() {
    let setup = Setup::new();
    let (one, other) = ("one".repeat(16), "other".repeat(16));
    let [one, other] =
        [("one", one), ("other", other)].map(|(name, token)| token_file(&setup, name, &token));
    let mut admin = setup.admin(&["--trust-gateway", &one]);
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &["--gateway-token", &other]);
    for _ in 0..2 {
        assert_eq!(Customer::begin(&address).post("human", "1", json!({})).status, 202);
        admin.until_state("queued");
    }
    process.until_told("notice", "--trust-gateway");
    assert_eq!(distrusts(&process), 1);
}

#[test]
fn an_invalid_token_is_refused_in_one_line() {
    let setup = Setup::new();
    let short = token_file(&setup, "short", "guess me");
    let open = token_file(&setup, "open", &"t".repeat(32));
    fs::set_permissions(&open, Permissions::from_mode(0o644)).expect("the file is ours");
    for (file, why) in [(&short, "openssl rand"), (&open, "chmod 600")] {
        for mode in [
            &["admin", "--ephemeral", "--listen", "127.0.0.1:0", "--trust-gateway", file][..],
            &[
                "web",
                "--ephemeral",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:1",
                "--gateway-token",
                file,
            ],
        ] {
            let mut process = Handoff::start(mode);
            assert_eq!(process.exit_code(), 1, "{mode:?}");
            assert!(process.stderr().len() == 1 && process.stderr()[0].contains(why), "{mode:?}");
            assert!(process.events_of("ready").is_empty());
        }
    }
}
