//! Makes the files of `tests/fixtures/0.1.0` with a 0.1.0 binary: `scripts/compat fixtures`.
//!
//! Everything is in plaintext on loopback, so that no key is part of a fixture.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::Signal;

use crate::support::home::nobody_at;
use crate::support::release::{NAMES, fixtures, menu_bot, old};
use crate::support::run::Handoff;
use crate::support::setup::{Setup, copy};

const PLAINTEXT: [&str; 2] = ["--plaintext", "loopback"];
/// Asks for an agent. If `accept` is given, the agent types it, and customer and agent talk.
#[track_caller]
fn ask(user: &mut Handoff, admin: &mut Handoff, accept: Option<&str>) {
    user.say("a human");
    user.until(|event| event["position"].is_number());
    user.say("my order is late");
    admin.until_text("my order is late");
    let Some(accept) = accept else { return };
    admin.say(accept);
    user.until_state("active");
    admin.say("Hello, what is its number?");
    user.until_text("Hello, what is its number?");
    user.say("4711");
    admin.until_text("4711");
}

#[test]
#[ignore = "needs a 0.1.0 binary: scripts/compat fixtures"]
fn make_the_journals() {
    let setup = Setup::with(menu_bot());
    let start =
        |arguments: &[&str]| Handoff::start_build(&old(), &[arguments, &PLAINTEXT].concat());
    let user = |name| start(&setup.user_arguments(&["--profile", name, "--name", name]));
    let mut admin = start(&setup.admin_arguments(&["--name", "Robin"]));
    admin.address();
    let [mut queued, mut active, mut back, mut closed, mut open, mut pending] = NAMES.map(user);
    ask(&mut queued, &mut admin, None);
    ask(&mut active, &mut admin, Some("/accept 2"));
    ask(&mut back, &mut admin, Some("/accept 3"));
    admin.say("/handback the order is late");
    back.until_state("bot");
    back.say("thanks");
    back.until_text("heard thanks");
    ask(&mut closed, &mut admin, Some("/accept 4"));
    admin.say("/close");
    closed.until_state("closed");
    open.say("menu");
    open.until_text("Which one?");
    ask(&mut pending, &mut admin, None);
    for mut user in [queued, active, back, closed, open, pending] {
        user.signal(Signal::TERM);
        assert_eq!(user.exit_code(), 143);
    }
    // The customer's side has ended, so this accept stays without an answer.
    admin.say("/accept 5");
    admin.until_told("notice", "is not connected");
    admin.signal(Signal::TERM);
    assert_eq!(admin.exit_code(), 143);
    let state = Path::new(setup.state());
    copy(&state.join("admin/default"), &fixtures().join("admin/default"));
    for name in NAMES {
        copy(&state.join("user").join(name), &fixtures().join("user").join(name));
    }
    for lock in
        crate::support::home::files_in(&fixtures()).iter().filter(|file| file.ends_with("lock"))
    {
        fs::remove_file(lock).expect("it was copied just now");
    }
}

/// One direction of a connection, and the frames that it carried.
struct Tap {
    from: TcpStream,
    to: TcpStream,
    who: &'static str,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Tap {
    /// Forwards frame by frame, and records each frame before it is sent on. Pings are not
    /// recorded.
    fn run(mut self) {
        let mut length = [0; 4];
        while self.from.read_exact(&mut length).is_ok() {
            let mut body = vec![0; u32::from_be_bytes(length) as usize];
            if self.from.read_exact(&mut body).is_err() {
                break;
            }
            let text = String::from_utf8(body.clone()).expect("a frame is UTF-8");
            if text != r#"{"ping":{}}"# {
                let line = format!("{}> {:08x} {text}", self.who, body.len());
                self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
            if self.to.write_all(&[&length[..], &body].concat()).is_err() {
                break;
            }
        }
        let _ = self.to.shutdown(Shutdown::Write);
    }
}

#[test]
#[ignore = "needs a 0.1.0 binary: scripts/compat fixtures"]
fn record_a_session() {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let note =
        |line: &str| lines.lock().unwrap_or_else(PoisonError::into_inner).push(format!("* {line}"));
    let (bot, desk) = (menu_bot(), nobody_at());
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let tapped = listener.local_addr().expect("a listener has an address").to_string();
    let (recorder, to) = (lines.clone(), desk.clone());
    let open = Arc::<Mutex<Vec<TcpStream>>>::default();
    let connections = open.clone();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(&to) else { continue };
            let clone = |socket: &TcpStream| socket.try_clone().expect("a socket can be shared");
            recorder.lock().unwrap_or_else(PoisonError::into_inner).push("* connected".to_owned());
            connections
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend([clone(&near), clone(&far)]);
            let up =
                Tap { from: clone(&near), to: clone(&far), who: "user", lines: recorder.clone() };
            let down = Tap { from: far, to: near, who: "desk", lines: recorder.clone() };
            thread::spawn(move || up.run());
            thread::spawn(move || down.run());
        }
    });
    let start =
        |arguments: &[&str]| Handoff::start_build(&old(), &[arguments, &PLAINTEXT].concat());
    let mut admin = start(&["admin", "--listen", &desk, "--json", "--name", "Alice"]);
    admin.address();
    let mut user =
        start(&["user", "--admin", &tapped, "--bot", bot.url(), "--json", "--name", "Ann"]);
    let customer = |user: &mut Handoff, line: &str| {
        note(&format!("customer: {line}"));
        user.say(line);
        user.until_text(line);
    };
    let agent = |admin: &mut Handoff, line: &str| {
        note(&format!("admin: {line}"));
        admin.say(line);
    };
    customer(&mut user, "hi");
    user.until_text("heard hi");
    customer(&mut user, "menu");
    user.until_text("Which one?");
    customer(&mut user, "a human");
    admin.until_state("queued");
    agent(&mut admin, "/accept");
    user.until_state("active");
    admin.until_state("active");
    agent(&mut admin, "Hello Ann, what is its number?");
    user.until_text("Hello Ann, what is its number?");
    customer(&mut user, "It is 4711. 日本 😀");
    admin.until_text("It is 4711. 日本 😀");
    user.until(|event| event["event"] == "seen" && event["number"] == 9);
    note("cut");
    for socket in open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = socket.shutdown(Shutdown::Both);
    }
    user.until(|event| event["link"] == "lost");
    user.until(|event| event["link"] == "connected");
    agent(&mut admin, "Found it.");
    user.until_text("Found it.");
    agent(&mut admin, "/handback");
    user.until_state("bot");
    admin.until_state("bot");
    customer(&mut user, "thanks");
    user.until_text("heard thanks");
    customer(&mut user, "a human, please");
    admin.until_state("queued");
    agent(&mut admin, "/accept");
    user.until_state("active");
    agent(&mut admin, "It is at your door.");
    user.until_text("It is at your door.");
    admin.until(|event| event["event"] == "delivered");
    agent(&mut admin, "/close");
    user.until_state("closed");
    admin.until_state("closed");
    user.close_stdin();
    admin.close_stdin();
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    let recorded = lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    fs::write(fixtures().join("session"), recorded + "\n").expect("the folder is there");
}
