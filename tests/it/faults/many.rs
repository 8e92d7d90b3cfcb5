//! A desk with a hundred conversations is killed, and all customers reconnect. The customers are
//! made of bare frames.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use handoff::core::backoff::Backoff;
use handoff::wire::{
    Author, Body, ConversationId, Decoder, Entry, Hello, Message, Request, Said, Secret, VERSION,
    Welcome, encode,
};

use crate::support::run::WITHIN;
use crate::support::setup::Setup;

const CUSTOMERS: u8 = 100;

/// A customer who asks for a person, loses the connection, and dials again by the rules of
/// docs/PROTOCOL.md. It reports each welcome.
fn customer(n: u8, desk: &str, welcomed: &dyn Fn(Welcome)) -> std::io::Result<()> {
    let mut backoff = Backoff::new(n.into());
    let mut lives = 0;
    while lives < 2 {
        let Ok(mut stream) = TcpStream::connect(desk) else {
            // The backoff is part of the rules, so this waits for a time and for no event.
            thread::park_timeout(backoff.wait());
            continue;
        };
        let (id, secret) = (ConversationId::new([n; 16]), Secret::new([n; 32]));
        let hello = Hello {
            version: VERSION,
            conversation: id,
            secret,
            name: None,
            received: Default::default(),
            newest: 3,
            features: Vec::new(),
            gateway: None,
            former: None,
            is_here: None,
        };
        let mut out = Vec::new();
        encode(&Message::Hello(Box::new(hello)), &mut out);
        // The desk refuses too many connections at once, and the customer dials again.
        let _ = stream.write_all(&out);
        let mut decoder = Decoder::default();
        decoder.accept();
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            decoder.push(bytes[..length].to_vec());
            while let Ok(Some(message)) = decoder.message() {
                let Message::Welcome(welcome) = message else { continue };
                let mut out = Vec::new();
                for number in welcome.received + 1..=3 {
                    let body = match number {
                        2 => Body::Requested(Request::default()),
                        _ => Body::Message(Said::text(Author::User, &format!("{n}: {number}"))),
                    };
                    encode(&Message::Entry(Entry { number, at: 0, body }), &mut out);
                }
                stream.write_all(&out)?;
                welcomed(welcome);
                lives += 1;
            }
        }
        thread::park_timeout(backoff.wait());
    }
    Ok(())
}

#[test]
fn a_hundred_customers_reconnect_to_a_killed_desk_within_twenty_seconds_but_spread_out() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--plaintext", "loopback"]);
    let (sender, welcomes) = channel();
    for n in 1..=CUSTOMERS {
        let (sender, desk) = (sender.clone(), setup.desk.clone());
        thread::spawn(move || {
            customer(n, &desk, &|welcome| _ = sender.send((n, welcome, Instant::now())))
        });
    }
    for _ in 1..=CUSTOMERS {
        let (_, welcome, _) = welcomes.recv_timeout(WITHIN).expect("each is welcomed");
        assert_eq!(welcome.received, 0);
    }
    for _ in 1..=CUSTOMERS {
        admin.until(|event| event["text"].as_str().is_some_and(|text| text.ends_with(": 3")));
    }
    let order = |admin: &crate::support::run::Handoff| -> Vec<String> {
        let queued =
            admin.events_of("state").into_iter().filter(|event| event["state"] == "queued");
        queued.map(|event| event["conversation"].to_string()).collect()
    };
    let before = order(&admin);
    admin.kill();
    let since = Instant::now();
    let mut admin = setup.admin(&["--plaintext", "loopback"]);
    let mut back = Vec::new();
    for _ in 1..=CUSTOMERS {
        let left = Duration::from_secs(20).saturating_sub(since.elapsed());
        let (n, welcome, at) = welcomes.recv_timeout(left).expect("all are back within 20 s");
        assert_eq!(welcome.received, 3, "the desk lacks an entry");
        back.push((n, at.duration_since(since)));
    }
    let first = back.iter().map(|(_, at)| *at).min().unwrap();
    let last = back.iter().map(|(_, at)| *at).max().unwrap();
    assert!(
        last - first > Duration::from_millis(50),
        "all customers dialled at the same time: {first:?} to {last:?}"
    );
    back.sort();
    back.dedup_by_key(|(n, _)| *n);
    assert_eq!(back.len(), usize::from(CUSTOMERS), "a customer reconnected twice");
    admin.say("/list");
    admin.until_told("notice", "number 100 in the queue");
    let mut after: Vec<_> = admin.events_of("state");
    after.sort_by_key(|event| event["position"].as_u64());
    let after: Vec<String> = after.iter().map(|event| event["conversation"].to_string()).collect();
    assert_eq!(after, before, "the queue has another order");
    assert_eq!(admin.messages().len(), 2 * usize::from(CUSTOMERS), "a message is there twice");
}
