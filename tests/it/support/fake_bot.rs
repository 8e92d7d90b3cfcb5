//! A bot that a test programs: it records every request, and the test chooses every answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

/// One request, recorded before it is answered.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub query: String,
    pub body: Value,
}

/// A bot that runs, its URL and the requests so far.
pub struct FakeBot {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeBot {
    /// A bot that answers every request with the bytes of `answer`.
    pub fn start(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> FakeBot {
        FakeBot::at(Ipv4Addr::LOCALHOST.into(), answer)
    }

    /// Like [`start`](FakeBot::start), at this address of the machine.
    pub fn at(ip: IpAddr, answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> FakeBot {
        let listener = TcpListener::bind((ip, 0)).expect("an address of ours has a free port");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let (asked, answer) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(answer));
        let record = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (record, answer) = (record.clone(), answer.clone());
                thread::spawn(move || exchange(stream, &record, &*answer));
            }
        });
        FakeBot { url, asked }
    }

    /// A bot without an API that answers a message with the items of `items`.
    pub fn saying(items: impl Fn(&str) -> Value + Send + Sync + 'static) -> FakeBot {
        FakeBot::start(move |asked| match asked.is_message() {
            true => ok(&items(asked.text())),
            false => http("404 Not Found", "", b"no API here"),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The messages so far.
    pub fn texts(&self) -> Vec<String> {
        self.asked()
            .iter()
            .filter(|asked| asked.is_message())
            .map(|asked| asked.text().to_owned())
            .collect()
    }
}

impl Asked {
    /// Whether this is a message of a customer, and no request to the API.
    pub fn is_message(&self) -> bool {
        self.path == "/webhooks/rest/webhook"
    }

    pub fn text(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub fn sender(&self) -> String {
        self.body["sender"].as_str().unwrap_or_default().to_owned()
    }
}

/// An answer with one text.
pub fn text(text: &str) -> Value {
    json!([{ "recipient_id": "x", "text": text }])
}

/// A response with the status 200 and this body.
pub fn ok(body: &Value) -> Vec<u8> {
    http("200 OK", "Content-Type: application/json\r\n", body.to_string().as_bytes())
}

/// A response with any status, headers and body.
pub fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Reads one request and answers it. A customer's side that closes the connection is no fault.
fn exchange(mut stream: TcpStream, record: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Vec<u8>) {
    let mut reader = BufReader::new(&stream);
    let (mut line, mut target, mut length) = (String::new(), None, 0);
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
        target.get_or_insert(line.split(' ').nth(1).unwrap_or_default().to_owned());
        if let Some(("content-length", value)) = line.to_lowercase().split_once(':') {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let Some(target) = target else { return };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let asked = Asked {
        path: path.to_owned(),
        query: query.to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    record.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    let _ = stream.write_all(&answer(&asked));
}
