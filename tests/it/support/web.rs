//! A gateway under test, and customers who use its API (docs/WEB.md).

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{Request, Response};

use crate::support::run::{Handoff, WITHIN};
use crate::support::setup::Setup;

/// Starts a gateway in this setup, at a free port or at the port that it had before.
#[track_caller]
pub fn gateway(setup: &Setup, listen: &str, more: &[&str]) -> (Handoff, String) {
    let mut gateway = gateway_armed(setup, listen, more, "");
    let address = gateway.address();
    (gateway, address)
}

/// Starts a gateway that dies by itself at a failpoint, perhaps before it listens.
#[track_caller]
pub fn gateway_armed(setup: &Setup, listen: &str, more: &[&str], failpoint: &str) -> Handoff {
    let fixed = ["web", "--listen", listen, "--admin", &setup.desk, "--bot", setup.bot.url()];
    let state = ["--json", "--state", setup.state()];
    Handoff::start_with(&[&fixed[..], &state, more].concat(), |command| {
        if !failpoint.is_empty() {
            command.env("HANDOFF_FAILPOINT", failpoint);
        }
    })
}

/// A customer with a token.
#[derive(Clone)]
pub struct Customer {
    agent: Agent,
    pub base: String,
    pub token: String,
    pub conversation: String,
}

/// An answer: its status, and its body if that is JSON.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Customer {
    /// Begins a new customer.
    pub fn begin(address: &str) -> Customer {
        Customer::begin_with(address, "{}")
    }

    /// Begins a new customer with this body of the request.
    pub fn begin_with(address: &str, body: &str) -> Customer {
        let base = format!("http://{address}");
        let agent = agent();
        let answer = send(&agent, "POST", &format!("{base}/api/begin"), &[], body);
        let text = |name: &str| answer.body[name].as_str().expect("it is there").to_owned();
        let (token, conversation) = (text("token"), text("conversation"));
        Customer { agent, base, token, conversation }
    }

    /// The same conversation, used with another token.
    pub fn with_token(&self, token: &str) -> Customer {
        Customer { token: token.to_owned(), ..self.clone() }
    }

    /// A POST in the present conversation; `more` are further fields.
    pub fn post(&self, act: &str, id: &str, more: Value) -> Answer {
        self.try_post(act, id, more).expect("the gateway answers")
    }

    /// Like the function before; `None` if the gateway does not answer.
    pub fn try_post(&self, act: &str, id: &str, more: Value) -> Option<Answer> {
        let mut body = json!({ "id": id, "conversation": self.conversation });
        if let (Some(fields), Value::Object(more)) = (body.as_object_mut(), more) {
            fields.extend(more);
        }
        self.try_body(act, &body.to_string())
    }

    pub fn post_body(&self, act: &str, body: &str) -> Answer {
        self.try_body(act, body).expect("the gateway answers")
    }

    fn try_body(&self, act: &str, body: &str) -> Option<Answer> {
        let url = format!("{}/api/{act}", self.base);
        try_send(&self.agent, "POST", &url, &[("authorization", &self.bearer())], body)
    }

    /// Says a line, and checks that the gateway takes it.
    #[track_caller]
    pub fn say(&self, id: &str, text: &str) -> Value {
        let answer = self.post("say", id, json!({ "text": text }));
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["number"].clone()
    }

    /// A GET of the API.
    pub fn get(&self, path: &str, more: &[(&str, &str)]) -> Answer {
        let bearer = self.bearer();
        let headers = [&[("authorization", &*bearer)], more].concat();
        send(&self.agent, "GET", &format!("{}{path}", self.base), &headers, "")
    }

    /// Opens a stream that goes on after this event.
    pub fn stream(&self, after: Option<&str>) -> Stream {
        self.try_stream(after).expect("the gateway answers")
    }

    /// Like the function before; `None` if the gateway does not answer.
    pub fn try_stream(&self, after: Option<&str>) -> Option<Stream> {
        let after = after.map(|id| format!("?after={id}")).unwrap_or_default();
        let request = Request::get(format!("{}/api/stream{after}", self.base))
            .header("authorization", self.bearer())
            .body(())
            .expect("a request");
        let response = self.agent.run(request).ok()?;
        assert_eq!(response.status(), 200);
        Some(Stream::read(response))
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

/// Sends a request. The caller adds the headers that a browser would add.
fn send(agent: &Agent, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    try_send(agent, method, url, headers, body).expect("the gateway answers")
}

/// Like the function before; `None` if the gateway does not answer.
fn try_send(
    agent: &Agent,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Answer> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_owned()).expect("a request");
    let mut response = agent.run(request).ok()?;
    let text = response.body_mut().read_to_string().ok()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Some(Answer { status: response.status().as_u16(), body })
}

/// Sends a request without a customer.
pub fn send_alone(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    send(&agent(), method, url, headers, body)
}

/// A stream, which a thread reads.
pub struct Stream {
    events: Receiver<(Option<String>, Value)>,
    /// The id of the last numbered event.
    pub last: Option<String>,
    /// All numbered events so far.
    pub numbered: Vec<Value>,
}

impl Stream {
    fn read(response: Response<ureq::Body>) -> Stream {
        let (sender, events) = channel();
        thread::spawn(move || {
            let (mut id, mut data) = (None, String::new());
            let lines = BufReader::new(response.into_body().into_reader()).lines();
            for line in lines.map_while(Result::ok) {
                match line.split_once(": ") {
                    Some(("id", given)) => id = Some(given.to_owned()),
                    Some(("data", given)) => data = given.to_owned(),
                    Some(_) => {}
                    None => {
                        let event = serde_json::from_str(&data).expect("JSON");
                        if sender.send((id.take(), event)).is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Stream { events, last: None, numbered: Vec::new() }
    }

    /// The next event that fits.
    #[track_caller]
    pub fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + WITHIN;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let next = self.events.recv_timeout(left);
            let (id, event) =
                next.unwrap_or_else(|_| panic!("no such event in {:?}", self.numbered));
            if id.is_some() {
                self.last = id;
                self.numbered.push(event.clone());
            }
            if fits(&event) {
                return event;
            }
        }
    }

    /// The next message with this text.
    #[track_caller]
    pub fn until_text(&mut self, text: &str) -> Value {
        self.until(|event| event["text"] == text)
    }

    /// Waits until messages with all these texts came, in any order.
    #[track_caller]
    pub fn until_texts(&mut self, texts: &[&str]) {
        let has = |stream: &Stream, text: &str| stream.messages().iter().any(|(_, it)| it == text);
        while !texts.iter().all(|text| has(self, text)) {
            self.until(|event| event["event"] == "message");
        }
    }

    /// Waits for the next change to this state.
    #[track_caller]
    pub fn until_state(&mut self, state: &str) -> Value {
        self.until(|event| event["event"] == "state" && event["state"] == state)
    }

    /// The next event; `None` at the end of the stream.
    pub fn next(&mut self) -> Option<Value> {
        let (id, event) = self.events.recv_timeout(WITHIN).ok()?;
        if id.is_some() {
            self.last = id;
            self.numbered.push(event.clone());
        }
        Some(event)
    }

    /// Waits for the end of the stream.
    #[track_caller]
    pub fn until_end(&mut self) {
        while self.events.recv_timeout(WITHIN).is_ok() {}
    }

    /// Author and text of each message so far.
    pub fn messages(&self) -> Vec<(String, String)> {
        let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let messages = self.numbered.iter().filter(|event| event["event"] == "message");
        messages.map(|event| (text(event, "author"), text(event, "text"))).collect()
    }
}
