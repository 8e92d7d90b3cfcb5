use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use crossbeam_channel::unbounded;

use super::*;
use crate::bot::{Bot, Config, Line, Outcome, Request, Resumed, Taken};
use crate::core::reply::{Item, Reply, Triggers, for_bot};
use crate::wire::Author;

/// A bot for one test, with a plain client.
struct Served(SocketAddr);

impl Served {
    fn new() -> Served {
        Served(start("127.0.0.1:0").unwrap())
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let config = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build();
        let url = format!("http://{}{path}", self.0);
        let agent = config.new_agent();
        let answer =
            if method == "GET" { agent.get(url).call() } else { agent.post(url).send(body) };
        let mut answer = answer.unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn say(&self, sender: &str, text: &str) -> Value {
        let body = json!({"sender": sender, "message": text}).to_string();
        let (status, items) = self.exchange("POST", "/webhooks/rest/webhook", &body);
        assert_eq!(status, 200, "{items}");
        items
    }

    fn texts(&self, sender: &str, text: &str) -> Vec<String> {
        let items = self.say(sender, text);
        let texts = items
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|item| item["text"].as_str().map(str::to_owned));
        texts.collect()
    }

    fn tell(&self, sender: &str, events: Value) -> (u16, Value) {
        self.exchange(
            "POST",
            &format!("/conversations/{sender}/tracker/events?include_events=NONE"),
            &events.to_string(),
        )
    }

    fn tracker(&self, sender: &str) -> Value {
        self.exchange("GET", &format!("/conversations/{sender}/tracker"), "").1
    }

    /// The bytes that the bot answers to raw bytes.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.0).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }
}

#[test]
fn it_looks_like_rasa_from_outside() {
    let bot = Served::new();
    assert_eq!(bot.exchange("GET", "/", ""), (200, "Hello from the handoff demo bot".into()));
    assert_eq!(bot.exchange("GET", "/webhooks/rest/", ""), (200, json!({"status": "ok"})));
    assert_eq!(bot.exchange("GET", "/nope", "").0, 404);
    assert_eq!(bot.exchange("GET", "/webhooks/rest/webhook", "").0, 405);
    assert_eq!(bot.exchange("GET", "/conversations//tracker", "").0, 404);
    assert_eq!(bot.exchange("POST", "/conversations/a/tracker", "").0, 405);
    let head = bot.raw(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 405 ") && head.ends_with("connection: close\r\n\r\n"),
        "{head}"
    );
}

#[test]
fn odd_messages_get_the_answers_that_rasa_gives() {
    let bot = Served::new();
    let post = |body: &str| bot.exchange("POST", "/webhooks/rest/webhook", body);
    assert_eq!(post(r#"{"sender":"p","mess"#).0, 400);
    assert_eq!((post("").0, post("[1]").0, post("null").0), (500, 500, 500));
    assert_eq!(post(r#"{"sender":"p"}"#), (200, json!([])));
    assert_eq!(post(r#"{"sender":"p","message":12}"#), (200, json!([])));
    let recipient = |body: &str| post(body).1[0]["recipient_id"].clone();
    assert_eq!(recipient(r#"{"message":"hello"}"#), "default");
    assert_eq!(recipient(r#"{"sender":"","message":"hello"}"#), "default");
    assert_eq!(recipient(r#"{"sender":7,"message":"hello"}"#), "7");
}

#[test]
fn the_bot_knows_its_words() {
    let bot = Served::new();
    assert!(bot.texts("w", "  Hi there!")[0].starts_with("Hello! I am the demo bot."));
    assert!(bot.texts("w", "who are you?")[0].starts_with("I am the demo bot"));
    let yes = json!({"title": "Yes", "payload": "/affirm"});
    assert_eq!(bot.say("w", "show me buttons")[0]["buttons"][0], yes);
    assert_eq!(bot.texts("w", "/affirm"), ["You said yes."]);
    assert_eq!(bot.texts("w", "/deny"), ["You said no."]);
    assert_eq!(bot.say("w", "a picture")[1]["image"], "https://example.invalid/cat.png");
    assert_eq!(bot.say("w", "card")[0]["custom"]["kind"], "card");
    assert_eq!(bot.texts("w", "two messages please"), ["First message", "Second message"]);
    for unknown in ["qwertz", "", "/human", "\u{2215}affirm", "humanity"] {
        assert!(
            bot.texts("w", unknown)[0].starts_with("Sorry, I did not understand that."),
            "{unknown}"
        );
    }
    assert_eq!(bot.texts("w", "I want to talk to a human"), ["Human Handoff"]);
    assert_eq!(bot.texts("w", "hello").len(), 1, "variant a does not pause");
    assert_eq!(bot.say("w", "payload handoff")[0]["custom"]["handoff"], true);
}

#[test]
fn the_action_handoff_pauses_until_a_whole_resume() {
    let bot = Served::new();
    let again = ["Sorry, I did not understand.", "Human Handoff"];
    assert_eq!(bot.texts("c", "action handoff"), ["Human Handoff"]);
    assert_eq!(bot.say("c", "hello"), json!([]));
    let (status, tracker) = bot.tell("c", json!({"event": "resume"}));
    assert_eq!(
        (status, &tracker["paused"], &tracker["latest_action_name"]),
        (200, &json!(false), &json!("action_handoff"))
    );
    assert_eq!(bot.texts("c", "hello"), again);
    assert_eq!(bot.say("c", "hello"), json!([]), "paused again");
    assert_eq!(bot.texts("c", "/restart"), again, "as recorded: the action is still the last one");
    let (_, tracker) =
        bot.tell("c", json!([{"event": "resume"}, {"event": "action", "name": "action_listen"}]));
    assert_eq!((&tracker["paused"], &tracker["events"]), (&json!(false), &Value::Null));
    assert!(bot.texts("c", "hello")[0].starts_with("Hello!"));
}

#[test]
fn a_pause_through_the_api_ends_with_resume_or_restart() {
    let bot = Served::new();
    assert_eq!(bot.tell("p", json!({"event": "pause"})).1["paused"], true);
    assert_eq!(bot.say("p", "hello"), json!([]));
    bot.tell("p", json!({"event": "resume"}));
    assert_eq!(bot.texts("p", "hello").len(), 1);
    bot.tell("p", json!({"event": "pause"}));
    assert_eq!(bot.say("p", "/restart"), json!([]));
    assert_eq!(bot.texts("p", "hello").len(), 1);
}

#[test]
fn wrong_events_are_refused_as_a_whole() {
    let bot = Served::new();
    assert_eq!(bot.tell("e", json!([{"event": "pause"}, {"event": "nope"}])).0, 400);
    assert_eq!(bot.tell("e", json!([{"event": "pause"}, {"event": "user", "text": "x"}])).0, 500);
    assert_eq!(bot.tell("e", json!({"text": "x"})).0, 400);
    assert_eq!(bot.tell("e", json!(null)).0, 400);
    assert_eq!(bot.tell("e", json!([])).0, 500);
    assert_eq!(bot.exchange("POST", "/conversations/e/tracker/events", "{").0, 400);
    let tracker = bot.tracker("e");
    assert_eq!((&tracker["paused"], &tracker["events"]), (&json!(false), &json!([])));
}

#[test]
fn the_bot_remembers_what_a_human_said() {
    let bot = Served::new();
    assert!(bot.texts("m", "What do you remember?")[0].starts_with("Nothing"));
    let events = json!([
        {"event": "user", "text": "my order 17 is late", "parse_data": {}},
        {"event": "bot", "text": "I resend it", "metadata": {"agent": "Jane"}},
        {"event": "slot", "name": "order", "value": 17},
    ]);
    assert_eq!(bot.tell("m", events).1["latest_message"]["text"], "my order 17 is late");
    let remembered =
        "The last I remember: you said \"my order 17 is late\"; Jane said \"I resend it\".";
    assert_eq!(bot.texts("m", "what do you remember"), [remembered]);
    let tracker = bot.tracker("m");
    let texts: Vec<_> =
        tracker["events"].as_array().unwrap().iter().map(|event| &event["text"]).collect();
    assert!(
        texts.contains(&&json!("I resend it")) && texts.contains(&&json!("what do you remember")),
        "{texts:?}"
    );
    assert_eq!(tracker["requests"], 2);
}

#[test]
fn a_slow_answer_stops_no_other() {
    let bot = Served::new();
    let address = bot.0;
    let slow = thread::spawn(move || Served(address).texts("s", "slow"));
    let since = Instant::now();
    while bot.tracker("s")["requests"] == 0 {
        assert!(since.elapsed() < Duration::from_secs(3));
    }
    assert_eq!(bot.texts("q", "hello").len(), 1);
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(slow.join().unwrap(), ["That took me three seconds."]);
    assert!(since.elapsed() >= Duration::from_millis(2900), "{:?}", since.elapsed());
}

#[test]
fn no_bytes_break_the_bot() {
    let bot = Served::new();
    let long = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &[b'x'; 70_000]].concat();
    let many = [b"GET / HTTP/1.1\r\n".as_slice(), &b"x: y\r\n".repeat(100), b"\r\n"].concat();
    let post = |headers: &str, body: &[u8]| {
        [format!("POST /webhooks/rest/webhook HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes(), body]
            .concat()
    };
    let cases = [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc".to_vec(), "400"),
        (b"nonsense\r\n\r\n".to_vec(), "400"),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), "400"),
        (long, "431"),
        (many, "431"),
        (post("Content-Length: 18446744073709551615", b"{}"), "413"),
        (post("Content-Length: 99999999999999999999999999", b"{}"), "413"),
        (post("Content-Length: 100000000000000", &[b' '; 1 << 20]), "413"),
        (post("Content-Length: 1048577", &[b' '; 1_048_577]), "413"),
        (post("Content-Length: 1048576", &[b' '; 1_048_576]), "400"),
        (post("Content-Length: -1", b""), "400"),
        (post("Content-Length: +1", b"x"), "400"),
        (post("Transfer-Encoding: chunked", b"ffffffffffffffff\r\n"), "411"),
    ];
    for (bytes, status) in cases {
        let answer = bot.raw(&bytes);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
    assert_eq!(
        bot.raw(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"),
        "",
        "half a request gets nothing"
    );
    let deep = [b'['; 500_000];
    let answer = bot.raw(&post(&format!("Content-Length: {}", deep.len()), &deep));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(bot.texts("n", "hello").len(), 1);
}

#[test]
fn the_rest_of_a_refused_body_is_read() {
    // A close with unread bytes would reset the connection, and on some systems the peer would lose
    // the answer.
    let mut stream = TcpStream::connect(Served::new().0).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 16777216\r\n\r\n").unwrap();
    stream.write_all(&vec![b' '; 16 << 20]).unwrap();
    let mut answer = [0; 13];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413 ");
}

#[test]
fn a_client_that_expects_continue_gets_it() {
    let body = br#"{"sender":"x","message":"two"}"#;
    let mut stream = TcpStream::connect(Served::new().0).unwrap();
    let head = "POST /webhooks/rest/webhook HTTP/1.1\r\nExpect: 100-continue\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n", body.len()).unwrap();
    let mut waited = [0; 25];
    stream.read_exact(&mut waited).unwrap();
    assert_eq!(&waited, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\"Second message\"}]"),
        "{answer}"
    );
}

#[test]
fn a_bot_that_cannot_listen_says_so() {
    let taken = Served::new().0.to_string();
    let error = serve(&taken, |_| panic!("it is taken")).unwrap_err();
    assert!(error.starts_with(&format!("the demo bot cannot listen on {taken}: ")), "{error}");
    assert!(start("nonsense").unwrap_err().starts_with("the demo bot cannot listen on nonsense: "));
}

/// A whole handoff and handback, as `session` does them.
#[test]
fn our_own_side_hands_off_and_back() {
    let url = format!("http://{}", Served::new().0);
    let (sender, answers) = unbounded();
    let bot = Bot::start(Config::new(&url, None).unwrap(), sender);
    let outcome = |request| {
        bot.send(1, request);
        answers.recv_timeout(Duration::from_secs(10)).unwrap().outcome
    };
    let ask = |text: &str| -> Reply {
        match outcome(Request::Ask { sender: "c1".into(), text: for_bot(text), metadata: None }) {
            Outcome::Said(items) => Triggers::default().read(items.unwrap() as Vec<Item>),
            other => panic!("{other:?}"),
        }
    };
    for trigger in ["a human please", "payload handoff", "action handoff"] {
        let reply = ask(trigger);
        assert!(reply.said.is_empty() && reply.handoff.is_some(), "{trigger}: {reply:?}");
    }
    assert_eq!(ask("/restart"), Reply::default(), "a typed slash does not end the pause");
    let line =
        Line { author: Author::Admin, name: Some("Jane".into()), text: "It is on its way".into() };
    let returned = outcome(Request::Return { sender: "c1".into(), said: vec![line] });
    assert!(
        matches!(returned, Outcome::Returned(Ok(Taken { how: Resumed::Yes, .. }))),
        "{returned:?}"
    );
    let reply = ask("what do you remember");
    assert_eq!(&*reply.said[0].text, "The last I remember: Jane said \"It is on its way\".");
    assert_eq!(reply.handoff, None);
}
