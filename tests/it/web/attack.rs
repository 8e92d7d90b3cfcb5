//! A gateway as it ships under attack: the lines of honest customers stay fast, new customers get
//! in, and memory does not grow.
//!
//! The attackers come from 127.0.0.10 to 127.0.0.59, the honest customers from 127.0.0.1.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use serde_json::{Value, json};

use crate::support::attack::{Attack, Outcome, Target, attack_all, go};
use crate::support::chat::one_at_a_time;
use crate::support::machine::number;
use crate::support::raw::connect_from;
use crate::support::run::{Handoff, WITHIN};
use crate::support::setup::Setup;
use crate::support::web::{Customer, Stream, gateway};

const ATTACKS: [(&str, Attack); 13] = [
    ("silent connections", |at, enough| held(at, enough, b"")),
    ("heads that do not end", |at, enough| held(at, enough, b"POST /api/say HTTP/1.1\r\nHost: ")),
    ("bodies that do not end", |at, enough| held(at, enough, &head("say", "", 60_000))),
    ("garbage", garbage),
    ("new customers of one address", |at, enough| newcomers(at, enough, 1)),
    ("new customers of 50 addresses", |at, enough| newcomers(at, enough, 50)),
    ("requests with unknown tokens", unknown_tokens),
    ("lines of one customer", lines),
    ("signs of one customer", signs),
    ("streams of one customer", streams),
    ("pages of former events", pages),
    ("streams that nobody reads", unread_streams),
    ("held requests that are given up", given_up),
];

/// A connection that the kernel forgets when it is closed, and that blocks its owner for 100 ms at
/// most.
fn stranger(host: usize, gateway: &str) -> TcpStream {
    let socket = connect_from(10 + host as u8, gateway, |socket| {
        let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
    });
    let _ = socket.set_write_timeout(Some(Duration::from_millis(100)));
    let _ = socket.set_read_timeout(Some(Duration::from_millis(100)));
    socket
}

/// The head of a POST with a body of this length. `token` may be empty.
fn head(name: &str, token: &str, length: usize) -> Vec<u8> {
    let token = match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    let connection = "Connection: keep-alive\r\n";
    format!("POST /api/{name} HTTP/1.0\r\n{token}{connection}Content-Length: {length}\r\n\r\n")
        .into_bytes()
}

/// Sends a POST and reads the first bytes of the answer.
fn post(socket: &mut TcpStream, name: &str, token: &str, body: &Value) -> String {
    let body = body.to_string();
    let _ = socket.write_all(&[head(name, token, body.len()), body.into_bytes()].concat());
    first(socket)
}

fn get(socket: &mut TcpStream, target: &str, token: &str) {
    let request = format!(
        "GET {target} HTTP/1.0\r\nAuthorization: Bearer {token}\r\nConnection: keep-alive\r\n\r\n"
    );
    let _ = socket.write_all(request.as_bytes());
}

fn first(socket: &mut TcpStream) -> String {
    let mut answer = [0; 2048];
    let length = socket.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// An attacker who is a customer: token and conversation.
fn customer(host: usize, gateway: &str) -> (String, Value) {
    let since = Instant::now();
    loop {
        let answer = post(&mut stranger(host, gateway), "begin", "", &json!({}));
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        if let Ok(body) = serde_json::from_str::<Value>(body)
            && let Some(token) = body["token"].as_str()
        {
            return (token.to_owned(), body["conversation"].clone());
        }
        assert!(since.elapsed() < WITHIN, "no new customer gets in: {answer}");
    }
}

/// Connections that send these bytes and then nothing.
fn held(gateway: &str, enough: &AtomicBool, bytes: &[u8]) -> usize {
    let mut all = VecDeque::new();
    go(enough, |n| {
        let mut socket = stranger(n % 50, gateway);
        let _ = socket.write_all(bytes);
        all.push_back(socket);
        if all.len() > 600 {
            all.pop_front();
        }
    })
}

fn garbage(gateway: &str, enough: &AtomicBool) -> usize {
    go(enough, |n| {
        let bytes: Vec<u8> = (0..n % 4_000).map(|at| (n * 31 + at * 17) as u8).collect();
        let mut socket = stranger(n % 50, gateway);
        let _ = socket.write_all(b"GET / HTTP/1.1\r\n");
        let _ = socket.write_all(&bytes);
    })
}

fn newcomers(gateway: &str, enough: &AtomicBool, hosts: usize) -> usize {
    go(enough, |n| {
        post(&mut stranger(n % hosts, gateway), "begin", "", &json!({}));
    })
}

fn unknown_tokens(gateway: &str, enough: &AtomicBool) -> usize {
    let mut socket = stranger(0, gateway);
    go(enough, |n| {
        let token = format!("{n:032x}");
        if post(&mut socket, "say", &token, &json!({})).is_empty() {
            socket = stranger(0, gateway);
        }
    })
}

/// The body of a request that says a line of 8,000 bytes.
fn long_line(id: &str, conversation: &Value) -> Value {
    json!({ "id": id, "conversation": conversation, "text": "x".repeat(8_000) })
}

fn lines(gateway: &str, enough: &AtomicBool) -> usize {
    let (token, conversation) = customer(1, gateway);
    let mut socket = stranger(1, gateway);
    go(enough, |n| {
        post(&mut socket, "say", &token, &long_line(&n.to_string(), &conversation));
    })
}

fn signs(gateway: &str, enough: &AtomicBool) -> usize {
    let (token, conversation) = customer(2, gateway);
    let mut socket = stranger(2, gateway);
    let page = json!({ "url": "https://shop.example/".to_owned() + &"x".repeat(1_900) });
    go(enough, |n| {
        match n % 3 {
            0 => post(&mut socket, "page", &token, &page),
            1 => post(&mut socket, "typing", &token, &json!({ "conversation": conversation })),
            _ => post(
                &mut socket,
                "seen",
                &token,
                &json!({ "conversation": conversation, "number": 9 }),
            ),
        };
    })
}

/// A customer with many lines of 8,000 bytes.
fn talker(host: usize, gateway: &str) -> (String, Value) {
    let (token, conversation) = customer(host, gateway);
    let mut socket = stranger(host, gateway);
    for n in 0..40 {
        post(&mut socket, "say", &token, &long_line(&n.to_string(), &conversation));
    }
    (token, conversation)
}

fn streams(gateway: &str, enough: &AtomicBool) -> usize {
    let (token, _) = talker(3, gateway);
    go(enough, |_| {
        let mut socket = stranger(3, gateway);
        get(&mut socket, "/api/stream", &token);
        first(&mut socket);
    })
}

fn pages(gateway: &str, enough: &AtomicBool) -> usize {
    let (token, _) = talker(4, gateway);
    go(enough, |_| {
        let mut socket = stranger(4, gateway);
        get(&mut socket, "/api/entries?before=99", &token);
        first(&mut socket);
    })
}

fn unread_streams(gateway: &str, enough: &AtomicBool) -> usize {
    let (token, conversation) = talker(5, gateway);
    let mut talking = stranger(5, gateway);
    let mut deaf = VecDeque::new();
    go(enough, |n| {
        if n % 64 == 0 {
            let mut socket = connect_from(15, gateway, |socket| {
                let _ = sockopt::set_socket_recv_buffer_size(socket, 2_048);
            });
            get(&mut socket, "/api/stream", &token);
            deaf.push_back(socket);
            if deaf.len() > 3 {
                deaf.pop_front();
            }
        }
        post(&mut talking, "say", &token, &long_line(&format!("d{n}"), &conversation));
    })
}

fn given_up(gateway: &str, enough: &AtomicBool) -> usize {
    let (token, _) = customer(6, gateway);
    go(enough, |_| {
        let mut socket = stranger(6, gateway);
        let request = format!(
            "GET /api/stream HTTP/1.0\r\nAccept: application/json\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        );
        let _ = socket.write_all(request.as_bytes());
    })
}

/// There are enough honest customers that none exceeds the rate of one customer.
const HONEST: usize = 40;

/// A gateway, and the customers whose lines are timed.
struct Gateway {
    process: Handoff,
    address: String,
    honest: Vec<(Customer, Stream)>,
    said: usize,
}

impl Gateway {
    fn new(setup: &Setup) -> Gateway {
        let (process, address) = gateway(setup, "127.0.0.1:0", &[]);
        let one = |_| {
            let customer = Customer::begin(&address);
            let stream = customer.stream(None);
            (customer, stream)
        };
        Gateway { honest: (0..HONEST).map(one).collect(), process, address, said: 0 }
    }
}

impl Target for Gateway {
    const EVERY: Duration = Duration::from_millis(10);

    fn process(&self) -> &Handoff {
        &self.process
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn trip(&mut self) -> Duration {
        self.said += 1;
        let (customer, stream) = &mut self.honest[self.said % HONEST];
        let (begun, text) = (Instant::now(), format!("line {}", self.said));
        customer.say(&text.replace(' ', "-"), &text);
        stream.until_text(&text);
        begun.elapsed()
    }

    fn newcomer(&mut self) {
        Customer::begin(&self.address);
    }
}

/// Runs every attack for the time `during`. Returns a sentence with what was found.
#[track_caller]
fn attack_gateway(during: Duration, allowed: Duration) -> String {
    let setup = Setup::new();
    let mut gateway = Gateway::new(&setup);
    let Outcome { alone, worst, newest, grown, threads } =
        attack_all(&mut gateway, &ATTACKS, during, allowed);
    // The gateway keeps the threads that ask the bot: as many as there were questions at once.
    assert!(threads.1 <= threads.0 + 32, "threads: {threads:?}");
    format!(
        "{} attacks on a gateway, p99 of a line {alone:.1?} before and {:.1?} at worst ({}), \
         a new customer in within {newest:.1?}, {grown} MiB more, no descriptor",
        ATTACKS.len(),
        worst.0,
        worst.1
    )
}

#[test]
fn no_attack_slows_honest_customers_down_or_keeps_new_ones_out() {
    let _alone = one_at_a_time();
    // The long form measures the speed. This form runs beside other tests and without optimisation,
    // so it allows more time.
    attack_gateway(Duration::from_millis(300), Duration::from_secs(2));
}

/// The long form, for a build with optimisation: `scripts/faults crowd`.
#[test]
#[ignore = "it takes minutes, and a machine with nothing else to do"]
fn faults_crowd_of_browsers() {
    let _alone = one_at_a_time();
    let seconds = number("FAULTS_CYCLES").unwrap_or(10);
    eprintln!("{}", attack_gateway(Duration::from_secs(seconds), Duration::from_millis(100)));
}
