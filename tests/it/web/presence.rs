//! The agent learns that a customer has closed the browser, or is back.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::web::{Customer, gateway};

/// A tab with an open stream. Dropping the value closes the tab.
fn tab(customer: &Customer) -> TcpStream {
    let host = customer.base.strip_prefix("http://").expect("it is HTTP");
    let mut tab = TcpStream::connect(host).expect("the gateway listens");
    let token = &customer.token;
    let request = format!(
        "GET /api/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    tab.write_all(request.as_bytes()).expect("the gateway reads");
    let mut answer = [0; 12];
    tab.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, *b"HTTP/1.1 200");
    tab
}

fn links(admin: &Handoff) -> Vec<(Value, Value)> {
    let link = |event: &Value| (event["link"].clone(), event["why"].clone());
    admin.events_of("link").iter().map(link).collect()
}

#[test]
fn the_agent_learns_that_a_customer_closed_the_browser_but_not_of_a_change_of_the_page() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let (_gateway, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let first_page = tab(&customer);
    customer.say("1", "a human");
    admin.until_state("active");
    let before = links(&admin);
    drop(first_page);
    let (second_page, other_tab) = (tab(&customer), tab(&customer));
    drop(second_page);
    customer.say("2", "on another page");
    admin.until_text("on another page");
    assert_eq!(links(&admin), before);
    drop(other_tab);
    let lost = admin.until(|event| event["link"] == "lost");
    assert_eq!(lost["why"], "the customer has left the page");
    assert_eq!(lost["conversation"], customer.conversation);
    admin.say("are you there?");
    admin.until_event("delivered");
    let _again = tab(&customer);
    admin.until(|event| event["link"] == "connected");
    assert_eq!(links(&admin).len(), before.len() + 2);
}
