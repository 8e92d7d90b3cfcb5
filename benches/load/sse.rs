//! The bare server of events, which no gateway can beat: one thread, bare level-triggered epoll,
//! and a list of entries in memory for each customer. It answers the requests that the measures of
//! `browsers` send, and no others.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use serde_json::{Value, json};

use crate::echo::{accept, listen};

/// One customer: the entries as events, and the connections that carry streams.
#[derive(Default)]
struct Customer {
    events: Vec<String>,
    streams: Vec<u64>,
}

struct Browser {
    socket: TcpStream,
    unread: Vec<u8>,
}

/// All connections and customers.
#[derive(Default)]
struct Bare {
    open: HashMap<u64, Browser>,
    customers: Vec<Customer>,
}

pub(crate) fn run() -> io::Result<()> {
    let (listener, poller) = listen()?;
    let (mut bare, mut buffer) = (Bare::default(), vec![0; 1 << 16]);
    let mut ready = Vec::with_capacity(1024);
    loop {
        epoll::wait(&poller, spare_capacity(&mut ready), None)?;
        for event in ready.drain(..) {
            let key = event.data.u64();
            if key == 0 {
                accept(&listener, &poller, |key, socket| {
                    bare.open.insert(key, Browser { socket, unread: Vec::new() });
                })?;
                continue;
            }
            let Some(browser) = bare.open.get_mut(&key) else { continue };
            match browser.socket.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    browser.unread.extend_from_slice(&buffer[..count]);
                    while bare.answer(key)? {}
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => bare.close(key),
            }
        }
    }
}

impl Bare {
    /// Answers the next request of a connection. False if it is not complete yet.
    fn answer(&mut self, key: u64) -> io::Result<bool> {
        let Some(browser) = self.open.get_mut(&key) else { return Ok(false) };
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(head)) = request.parse(&browser.unread) else {
            return Ok(false);
        };
        let header = |name: &str| {
            let found = request.headers.iter().find(|it| it.name.eq_ignore_ascii_case(name));
            found.and_then(|it| std::str::from_utf8(it.value).ok()).unwrap_or_default()
        };
        let length = header("content-length").parse().unwrap_or(0);
        if browser.unread.len() < head + length {
            return Ok(false);
        }
        let token = header("authorization").trim_start_matches("Bearer ");
        let customer = usize::from_str_radix(token, 16).unwrap_or_default();
        let path = request.path.unwrap_or_default().to_owned();
        let body = browser.unread[head..head + length].to_vec();
        browser.unread.drain(..head + length);
        match &*path {
            "/api/begin" => {
                let token = format!("{:032x}", self.customers.len());
                self.customers.push(Customer::default());
                let body = json!({ "conversation": token, "token": token }).to_string();
                self.respond(key, "200 OK", &body)?;
            }
            "/api/say" => {
                let body: Value = serde_json::from_slice(&body)?;
                self.say(customer, body["text"].as_str().unwrap_or_default())?;
                self.respond(key, "202 Accepted", "{}")?;
            }
            _ => self.stream(key, customer)?,
        }
        Ok(true)
    }

    fn respond(&mut self, key: u64, status: &str, body: &str) -> io::Result<()> {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.write(key, answer.as_bytes())
    }

    fn say(&mut self, customer: usize, text: &str) -> io::Result<()> {
        let Some(it) = self.customers.get_mut(customer) else { return Ok(()) };
        let data = json!({ "event": "message", "author": "user", "text": text });
        let event = format!("id: {}\nevent: message\ndata: {data}\n\n", it.events.len() + 1);
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        it.events.push(event);
        for key in it.streams.clone() {
            self.write(key, chunk.as_bytes())?;
        }
        Ok(())
    }

    fn stream(&mut self, key: u64, customer: usize) -> io::Result<()> {
        let Some(it) = self.customers.get_mut(customer) else { return Ok(()) };
        it.streams.push(key);
        let events = it.events.concat();
        let length = events.len().max(1);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        let events = if events.is_empty() { "\n".to_owned() } else { events };
        self.write(key, format!("{head}{length:x}\r\n{events}\r\n").as_bytes())
    }

    fn write(&mut self, key: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(browser) = self.open.get_mut(&key) else { return Ok(()) };
        // The measures read all that comes, so that a socket takes what is written.
        browser.socket.write_all(bytes)
    }

    fn close(&mut self, key: u64) {
        self.open.remove(&key);
        for customer in &mut self.customers {
            customer.streams.retain(|of| *of != key);
        }
    }
}
