//! Requests that do something: each once, in the right conversation, by the right customer.

use serde_json::{Value, json};

use crate::support::fake_bot::FakeBot;
use crate::support::setup::Setup;
use crate::support::web::{Answer, Customer, gateway, send_alone};

fn refused(status: u16, reason: &str) -> Answer {
    Answer { status, body: json!({ "error": reason }) }
}

#[test]
fn a_request_with_a_known_id_gets_the_first_answer_and_does_nothing() {
    let setup = Setup::new();
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let mut stream = customer.stream(None);
    let number = customer.say("one", "hello");
    stream.until_text("heard hello");
    assert_eq!(customer.say("one", "hello"), number);
    process.kill();
    let (_process, _) = gateway(&setup, &address, &[]);
    assert_eq!(customer.say("one", "hello"), number);
    let other = customer.post("say", "one", json!({ "text": "another" }));
    assert_eq!(other, refused(409, "id"));
    assert_eq!(customer.post("human", "one", json!({})), refused(409, "id"));
    // A refused request does not use its id up.
    assert_eq!(customer.post("bot", "two", json!({})), refused(409, "state"));
    customer.say("two", "again");
    let mut stream = customer.stream(None);
    stream.until_text("heard again");
    let texts: Vec<_> = stream.messages().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["hello", "heard hello", "again", "heard again"]);
}

#[test]
fn a_line_for_a_closed_conversation_is_refused_and_new_begins_one_other() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let mut customer = Customer::begin(&address);
    customer.say("1", "hello");
    assert_eq!(customer.post("end", "2", json!({})).status, 202);
    assert_eq!(customer.post("say", "3", json!({ "text": "x" })), refused(409, "closed"));
    let begun = customer.post("new", "4", json!({}));
    assert_eq!(begun.status, 202);
    // Another tab does the same for the same former conversation.
    let again = customer.post("new", "5", json!({}));
    assert_eq!(again.body["conversation"], begun.body["conversation"]);
    assert_eq!(customer.post("say", "6", json!({ "text": "x" })), refused(409, "closed"));
    customer.conversation = begun.body["conversation"].as_str().expect("an id").to_owned();
    customer.say("7", "hello again");
    let mut stream = customer.stream(None);
    stream.until_text("heard hello again");
    let conversations = |stream: &crate::support::web::Stream| {
        let of = stream.numbered.iter().map(|event| event["conversation"].clone());
        let mut all: Vec<Value> = of.collect();
        all.dedup();
        all.len()
    };
    assert_eq!(conversations(&stream), 2, "the former conversation is still there");
}

#[test]
fn no_customer_can_speak_in_the_conversation_of_another() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let (ann, bob) = (Customer::begin(&address), Customer::begin(&address));
    let as_bob = ann.with_token(&bob.token);
    assert_eq!(as_bob.post("say", "1", json!({ "text": "x" })), refused(409, "conversation"));
    assert_eq!(as_bob.post("seen", "", json!({ "number": 1 })), refused(409, "conversation"));
    let unknown = ann.with_token(&"0".repeat(32));
    assert_eq!(unknown.post("say", "1", json!({ "text": "x" })), refused(401, "token"));
    assert_eq!(unknown.get("/api/stream", &[]), refused(401, "token"));
    // The ids of requests are each customer's own.
    ann.say("1", "from Ann");
    bob.say("1", "from Bob");
}

#[test]
fn an_invalid_body_is_refused_with_the_reason() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let field =
        |name: &str| Answer { status: 400, body: json!({ "error": "field", "field": name }) };
    for (act, body, wanted) in [
        ("say", "", refused(400, "json")),
        ("say", "[]", refused(400, "json")),
        ("say", "{}", refused(400, "json")),
        ("nothing", "{}", refused(404, "not_found")),
    ] {
        assert_eq!(customer.post_body(act, body), wanted, "{act} {body}");
    }
    assert_eq!(customer.post("say", "a b", json!({ "text": "x" })), field("id"));
    assert_eq!(customer.post("say", "", json!({ "text": "x" })), field("id"));
    assert_eq!(customer.post("say", "1", json!({ "text": " " })), field("text"));
    let long = "x".repeat(8 * 1024 + 1);
    assert_eq!(customer.post("say", "1", json!({ "text": long })), field("text"));
    let longer = "x".repeat(64 * 1024);
    assert_eq!(customer.post("say", "1", json!({ "text": longer })).status, 413);
    customer.say("1", &"x".repeat(8 * 1024));
    assert_eq!(customer.get("/api/say", &[]).status, 405);
    assert_eq!(customer.get("/nothing", &[]).status, 404);
}

#[test]
fn a_button_can_be_chosen_once_and_not_after_a_later_reply() {
    let bot = FakeBot::saying(|said| match said {
        "menu" => json!([{ "text": "Pick", "buttons": [
            { "title": "Red", "payload": "/red" },
            { "title": "Blue", "payload": "/blue" },
        ] }]),
        other => json!([{ "text": format!("heard {other}") }]),
    });
    let setup = Setup::with(bot);
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customer = Customer::begin(&address);
    let mut stream = customer.stream(None);
    customer.say("1", "menu");
    let menu = stream.until_text("Pick");
    assert_eq!(menu["buttons"][1]["choice"], 2);
    let choose = |id: &str, choice: u32| {
        customer.post("choose", id, json!({ "menu": menu["number"], "choice": choice }))
    };
    assert_eq!(choose("2", 3), refused(409, "chosen"));
    assert_eq!(choose("3", 2).status, 202);
    stream.until_text("heard /blue");
    assert_eq!(choose("4", 1), refused(409, "chosen"));
    let texts: Vec<_> = stream.messages().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["menu", "Pick", "Blue", "heard /blue"]);
}

#[test]
fn a_flood_of_requests_is_refused_and_the_next_customer_is_not() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let flooder = Customer::begin(&address);
    let say = |n: u32| flooder.post("say", &n.to_string(), json!({ "text": "x" })).status;
    let refused = (0..1000).find(|n| say(*n) == 429).expect("a flood is refused");
    assert!(refused >= 50, "the burst is within the rate: {refused}");
    Customer::begin(&address).say("1", "hello");
    let begun = |_| {
        let url = format!("http://{address}/api/begin");
        send_alone("POST", &url, &[], "{}").status
    };
    assert!((0..100).map(begun).any(|status| status == 429), "one address brings a crowd");
}

#[test]
fn a_customer_who_says_nothing_leaves_nothing_in_the_journal() {
    let setup = Setup::new();
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let silent = Customer::begin(&address);
    let mut stream = silent.stream(None);
    stream.until(|event| event["event"] == "now" && event["state"] == "bot");
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        setup.journal("web").query_row(&sql, [], |row| row.get(0)).expect("a count")
    };
    assert_eq!((count("conversation"), count("token"), count("customer")), (0, 0, 0));
    silent.say("1", "hello");
    stream.until_text("heard hello");
    assert_eq!((count("conversation"), count("token"), count("customer")), (1, 1, 1));
    // Another customer, whom a restart forgets. Their page begins again.
    let other = Customer::begin(&address);
    process.kill();
    let (_process, _) = gateway(&setup, &address, &[]);
    assert_eq!(other.get("/api/stream", &[]), refused(401, "token"));
    silent.say("2", "still here");
}

#[test]
fn a_full_gateway_refuses_new_customers_and_serves_known_ones() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &["--customers", "1", "--rate", "1"]);
    let customer = Customer::begin(&address);
    let url = format!("http://{address}/api/begin");
    let begin = || send_alone("POST", &url, &[], "{}");
    assert_eq!(begin(), refused(429, "customers"));
    let mut stream = customer.stream(None);
    customer.say("1", "hello");
    stream.until_text("heard hello");
    // One line a second is allowed, and ten at once.
    let refusals = (2..60).map(|it| customer.post("say", &it.to_string(), json!({ "text": "x" })));
    assert!(refusals.into_iter().any(|answer| answer == refused(429, "rate")));
    assert_eq!(begin(), refused(429, "customers"));
}

#[test]
fn until_the_notice_is_accepted_every_request_is_refused_and_the_bot_gets_nothing() {
    let setup = Setup::new();
    let options = ["--notice", "We keep what you write.", "--greet", "/start"];
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &options);
    let customer = Customer::begin(&address);
    for (act, more) in
        [("say", json!({ "text": "hello" })), ("human", json!({})), ("end", json!({}))]
    {
        let answer = customer.post(act, act, more);
        assert_eq!((answer.status, &answer.body["error"]), (409, &json!("notice")), "{act}");
    }
    let mut stream = customer.stream(None);
    let now = stream.until(|event| event["event"] == "now");
    assert_eq!(now["must_agree"], true);
    assert_eq!(customer.post_body("agree", "{}").status, 204);
    let now = stream.until(|event| event["event"] == "now" && event["must_agree"] != true);
    assert_eq!(now["state"], "bot");
    stream.until_text("heard /start");
    customer.say("say", "hello");
    stream.until_text("heard hello");
    process.kill();
    let (_process, _) = gateway(&setup, &address, &options);
    customer.say("after", "hello again");
}
