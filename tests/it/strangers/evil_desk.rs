//! A trusted desk that is hostile: it floods its customer, whose program uses little memory and
//! goes on.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::chat::weight;
use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::{Raw, entry, frame};
use crate::support::run::{Handoff, WITHIN};

/// A customer's side, and the hostile desk to which it is connected.
struct Victim {
    user: Handoff,
    desk: Raw,
    _bot: FakeBot,
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("loopback has a free port")
}

/// A customer who asked for a person. The probe is over, so the next connection is the handoff's.
fn asking(listener: &TcpListener) -> (Handoff, FakeBot) {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let desk = listener.local_addr().expect("a listener has an address").to_string();
    let mut user = Handoff::user(&desk, bot.url(), &[]);
    drop(listener.accept().expect("the customer's side probes"));
    user.say("human");
    (user, bot)
}

impl Victim {
    #[track_caller]
    fn waiting() -> Victim {
        let listener = listen();
        let (user, bot) = asking(&listener);
        let mut desk = Raw::accept(&listener);
        desk.until("hello");
        desk.say(&json!({"welcome": {"desk": "d".repeat(32), "received": 0, "state": "bot"}}));
        while desk.until("entry")["body"].get("requested").is_none() {}
        Victim { user, desk, _bot: bot }
    }

    /// Sends the flood for a second, and waits for a line that the customer types after it. Returns
    /// the growth of the customer's side in bytes.
    #[track_caller]
    fn under(&mut self, mut flood: impl FnMut(u64) -> Vec<Value>) -> u64 {
        let before = weight(&self.user);
        let (since, mut n) = (Instant::now(), 0);
        while since.elapsed() < Duration::from_secs(1) {
            n += 1;
            self.desk.send(&flood(n).iter().flat_map(frame).collect::<Vec<u8>>());
        }
        self.user.say("still here");
        loop {
            let entry = self.desk.until("entry");
            if entry["body"]["message"]["text"] == "still here" {
                break;
            }
            self.desk.say(&json!({"ack": {"number": entry["number"]}}));
        }
        let after = weight(&self.user);
        assert_eq!((before.1, before.2), (after.1, after.2), "threads and descriptors");
        after.0.saturating_sub(before.0)
    }
}

#[test]
fn a_customers_side_survives_a_flood_of_positions_marks_and_pings() {
    let mut victim = Victim::waiting();
    let grown = victim.under(|n| {
        let position = json!({"position": {"position": n % 4_000_000_000}});
        vec![
            position,
            json!({"seen": {"number": 1}}),
            json!({"ack": {"number": 1}}),
            json!({"ping": {}}),
        ]
    });
    assert!(grown < 8 << 20, "{grown} bytes");
}

#[test]
fn a_customers_side_survives_a_flood_of_lines_and_invalid_controls() {
    let mut victim = Victim::waiting();
    let (long, name) = ("x".repeat(8_000), "\u{202e}".repeat(42));
    victim.desk.say(&entry(1, &json!({"accept": {"request": 2}})));
    victim.user.until_state("active");
    let grown = victim.under(|n| {
        let line = json!({"message": {"author": "admin", "text": long, "name": name}});
        vec![
            entry(2 * n, &line),
            entry(2 * n + 1, &json!({"accept": {"request": u64::MAX, "name": name}})),
        ]
    });
    assert!(grown < 24 << 20, "{grown} bytes");
}

#[test]
fn a_customers_side_backs_off_from_a_desk_that_ends_every_connection() {
    let listener = listen();
    let (mut user, _bot) = asking(&listener);
    let since = Instant::now();
    let long = "x".repeat(3_900);
    let answers = [
        json!({"bye": {"code": "leaving", "text": long}}),
        json!({"busy": {"retry": 0}}),
        json!({"welcome": {"desk": "d".repeat(32), "received": 0, "state": "closed"},
            "must": true}),
        json!({"bye": {"code": "protocol", "text": long}}),
        json!({"position": {"position": 0}}),
    ];
    for answer in &answers {
        let mut desk = Raw::accept(&listener);
        desk.until("hello");
        desk.say(answer);
        desk.hung_up();
    }
    assert!(
        since.elapsed() > Duration::from_secs(1),
        "the customer's side did not wait a second before it dialled the busy desk: {:?}",
        since.elapsed()
    );
    assert!(user.is_running());
    user.say("/bot");
    user.until_state("bot");
}

#[test]
fn an_endless_handshake_is_ended_and_uses_no_memory() {
    let listener = listen();
    let (mut user, _bot) = asking(&listener);
    let (mut desk, _) = listener.accept().expect("the customer dials");
    desk.set_read_timeout(Some(WITHIN)).expect("the socket takes options");
    let before = weight(&user).0;
    let mut other = desk.try_clone().expect("a descriptor");
    // Handshake records with no message that a customer's side knows, until the connection ends.
    let flood = thread::spawn(move || {
        let record = [&[20, 3, 3, 0, 1, 1][..]].concat().repeat(1_000);
        while other.write_all(&record).is_ok() {}
    });
    let mut heard = Vec::new();
    let _ = desk.read_to_end(&mut heard);
    flood.join().expect("it ends with the connection");
    user.until(|event| event["link"] == "lost");
    let grown = weight(&user).0.saturating_sub(before);
    assert!(grown < 2 << 20, "{grown} bytes");
}
