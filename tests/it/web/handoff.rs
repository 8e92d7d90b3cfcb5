//! Whole conversations over the gateway's API: bot, agent and back, and a gateway that is killed.

use serde_json::json;

use crate::support::fake_bot::FakeBot;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;
use crate::support::web::{Customer, gateway};

/// Author and text, as tests compare them.
fn said(messages: &[(&str, &str)]) -> Vec<(String, String)> {
    messages.iter().map(|(author, text)| ((*author).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_customer_talks_to_the_bot_to_an_agent_and_to_the_bot_again() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--name", "Robin"]);
    let (_gateway, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let mut stream = customer.stream(None);
    customer.say("1", "hello");
    stream.until_text("heard hello");
    customer.say("2", "a human, please");
    stream.until_state("queued");
    stream.until(|event| event["event"] == "now" && event["position"] == 1);
    admin.until_state("queued");
    // While no agent is there the page can say so.
    admin.say("/away");
    stream.until(|event| event["event"] == "now" && event["unattended"] == true);
    admin.say("/here");
    stream.until(|event| event["position"] == 1 && event["unattended"].is_null());
    admin.say("/accept");
    assert_eq!(stream.until_state("active")["admin"], "Robin");
    admin.say("What can I do?");
    let line = stream.until_text("What can I do?");
    assert_eq!(customer.post("seen", "", json!({ "number": line["number"] })).status, 204);
    admin.until_event("seen");
    customer.say("3", "Nothing, I only wanted to say hi 👋");
    admin.until_text("Nothing, I only wanted to say hi 👋");
    stream.until(|event| event["event"] == "now" && event["seen"].as_u64() >= Some(6));
    admin.say("/handback");
    stream.until_state("bot");
    customer.say("4", "bye");
    stream.until_text("heard bye");
    assert_eq!(customer.post("end", "5", json!({})).status, 202);
    stream.until_state("closed");
    assert_eq!(
        stream.messages(),
        said(&[
            ("user", "hello"),
            ("bot", "heard hello"),
            ("user", "a human, please"),
            ("admin", "What can I do?"),
            ("user", "Nothing, I only wanted to say hi 👋"),
            ("user", "bye"),
            ("bot", "heard bye"),
        ])
    );
}

#[test]
fn customer_and_agent_see_that_the_other_types() {
    let setup = Setup::new();
    let (_gateway, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let mut admin = Terminal::start(&["admin", "--listen", &setup.desk, "--state", setup.state()]);
    admin.sees("listening on ");
    let customer = Customer::begin(&address);
    let mut stream = customer.stream(None);
    customer.say("1", "a human");
    admin.sees("wants to talk to you");
    admin.press("/accept\r");
    stream.until_state("active");
    let typing = json!({ "conversation": customer.conversation });
    assert_eq!(customer.post_body("typing", &typing.to_string()).status, 204);
    admin.sees("typing, #1 ");
    admin.press("One mo");
    stream.until(|event| event["event"] == "now" && event["typing"] == true);
    admin.press("ment\r");
    stream.until_text("One moment");
    stream.until(|event| event["event"] == "now" && event["typing"].is_null());
    let other = json!({ "conversation": "0".repeat(32) });
    assert_eq!(customer.post_body("typing", &other.to_string()).status, 409);
}

#[test]
fn a_gateway_killed_during_a_talk_goes_on_and_loses_and_doubles_nothing() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let (mut gateway_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let mut stream = customer.stream(None);
    customer.say("1", "a human");
    stream.until_state("active");
    admin.until_state("active");
    customer.say("2", "before");
    admin.until_text("before");
    gateway_process.kill();
    stream.until_end();
    admin.say("meanwhile");
    let (_gateway, _) = gateway(&setup, &address, &[]);
    // A page that got no answer sends its request again: the line is said once.
    customer.say("2", "before");
    customer.say("3", "after");
    admin.until_text("after");
    let mut again = customer.stream(stream.last.as_deref());
    again.until_texts(&["meanwhile", "after"]);
    let all = [stream.messages(), again.messages()].concat();
    let mut texts: Vec<_> = all.iter().map(|(_, text)| &**text).collect();
    texts.sort_unstable();
    assert_eq!(texts, ["a human", "after", "before", "meanwhile"]);
    let of_customer = admin.messages().into_iter().filter(|(author, _)| author == "user");
    let texts: Vec<_> = of_customer.map(|(_, text)| text).collect();
    assert_eq!(texts, ["a human", "before", "after"]);
}

#[test]
fn many_customers_of_one_gateway_reach_the_desk_each_with_their_own_words() {
    const CUSTOMERS: usize = 40;
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let (_gateway, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customers: Vec<_> = (0..CUSTOMERS).map(|_| Customer::begin(&address)).collect();
    let mut streams: Vec<_> = customers.iter().map(|customer| customer.stream(None)).collect();
    for customer in &customers {
        customer.say("1", "a human");
    }
    for stream in &mut streams {
        stream.until_state("active");
    }
    for (at, customer) in customers.iter().enumerate() {
        customer.say("2", &format!("line of {at}"));
    }
    for at in 0..CUSTOMERS {
        let text = format!("line of {at}");
        if !admin.messages().iter().any(|(_, said)| *said == text) {
            admin.until_text(&text);
        }
    }
    for (at, stream) in streams.iter_mut().enumerate() {
        let mine = format!("line of {at}");
        stream.until_text(&mine);
        assert_eq!(stream.messages(), said(&[("user", "a human"), ("user", &mine)]));
    }
}

#[test]
fn the_bot_greets_and_knows_the_page_and_a_typed_slash_is_no_intent() {
    let bot = FakeBot::saying(|text| json!([{ "text": format!("heard {text}") }]));
    let setup = Setup::with(bot);
    let (_gateway, address) = gateway(&setup, "127.0.0.1:0", &["--greet", "/get_started"]);
    let page = json!({ "url": "https://shop.example/cart?card=4711", "title": "Cart" });
    let customer = Customer::begin_with(&address, &json!({ "page": page }).to_string());
    let mut stream = customer.stream(None);
    stream.until_text("heard /get_started");
    customer.say("1", "/restart");
    stream.until(|event| event["author"] == "bot" && event["text"] != "heard /get_started");
    assert_eq!(stream.messages().len(), 3, "the payload is no line of the customer's");
    let asked = setup.bot.asked();
    let of = |at: usize| (asked[at].text().to_owned(), asked[at].body["metadata"].clone());
    let (greeting, metadata) = of(0);
    assert_eq!(greeting, "/get_started");
    assert_eq!(metadata["page_url"], "https://shop.example/cart");
    assert_eq!(metadata["page_title"], "Cart");
    assert!(!of(1).0.starts_with('/'), "a slash would trigger an intent: {}", of(1).0);
    assert_eq!(of(1).1, metadata);
    let moved = json!({ "url": "https://shop.example/paid", "language": "de" });
    assert_eq!(customer.post_body("page", &moved.to_string()).status, 204);
    assert_eq!(customer.post_body("begin", "{}").body["conversation"], customer.conversation);
    customer.say("2", "hi");
    stream.until_text("heard hi");
    let asked = setup.bot.asked();
    assert_eq!(asked.len(), 3, "one greeting");
    assert_eq!(asked[2].body["metadata"]["page_url"], "https://shop.example/paid");
}

#[test]
fn a_greeted_customer_who_said_nothing_is_known_after_a_restart() {
    let setup = Setup::new();
    let greet = ["--greet", "/get_started"];
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &greet);
    let customer = Customer::begin(&address);
    customer.stream(None).until_text("heard /get_started");
    process.kill();
    let (_process, _) = gateway(&setup, &address, &greet);
    let mut stream = customer.stream(None);
    stream.until_text("heard /get_started");
    customer.say("1", "hi");
    stream.until_text("heard hi");
    assert_eq!(stream.messages().len(), 3);
}
