//! An acknowledgement, entry or hello leaves only after the records that it names are on the disk.
//! A trace of the system calls of both ends shows it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::Home;
use crate::support::run::Handoff;

/// The actions of a process, in order.
#[derive(Debug)]
enum Did {
    /// A write of these bytes to the journal's log.
    Logged(Vec<u8>),
    /// A sync of the log began, and one ended.
    SyncBegan,
    Synced,
    /// A send of these bytes on this socket.
    Sent(String, Vec<u8>),
    Received(String, Vec<u8>),
}

/// `handoff` under `strace`.
fn traced(arguments: &[&str], trace: &Path, prepare: &dyn Fn(&mut Command)) -> Handoff {
    Handoff::start_with(arguments, |command| {
        prepare(command);
        let inner = std::mem::replace(command, Command::new("strace"));
        command.args(["-f", "-y", "-xx", "-s", "70000", "-o"]).arg(trace);
        command.args([
            "-e",
            "trace=fdatasync,fsync,write,writev,pwrite64,sendto,sendmsg,recvfrom,read",
            "--",
        ]);
        command.arg(inner.get_program()).args(inner.get_args()).env_clear();
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(inner.get_current_dir().expect("every test has a home"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    })
}

/// The calls that matter. strace splits a call in two if another thread makes a call meanwhile.
/// Then the end of the call counts, and for a sync its beginning, too.
fn read(trace: &Path) -> Vec<Did> {
    let mut did = Vec::new();
    let mut begun = BTreeMap::<String, String>::new();
    for line in std::fs::read_to_string(trace).expect("strace wrote a trace").lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let is_sync = |call: &str| call.starts_with("fdatasync(") || call.starts_with("fsync(");
        let is_log = |call: &str| file(call).ends_with("-wal");
        let whole = match call.strip_prefix("<... ") {
            Some(resumed) => {
                let tail = resumed.split_once("resumed>").map_or("", |(_, tail)| tail);
                begun.remove(thread).unwrap_or_default() + tail
            }
            None => {
                if is_sync(call) && is_log(call) {
                    did.push(Did::SyncBegan);
                }
                if let Some(first) = call.strip_suffix(" <unfinished ...>") {
                    begun.insert(thread.to_owned(), first.to_owned());
                    // The other side may read the bytes before a send ends, so the beginning
                    // counts.
                    if first.starts_with("send") {
                        did.push(Did::Sent(file(first), bytes(first)));
                        begun.remove(thread);
                    }
                    continue;
                }
                call.to_owned()
            }
        };
        let name = whole.split('(').next().unwrap_or_default();
        let ended_well = whole.rsplit(" = ").next().is_some_and(|result| !result.starts_with('-'));
        let is_socket = file(&whole).starts_with("socket:");
        match name {
            _ if !ended_well => {}
            "fdatasync" | "fsync" if is_log(&whole) => did.push(Did::Synced),
            "write" | "writev" | "pwrite64" if is_log(&whole) => {
                did.push(Did::Logged(bytes(&whole)))
            }
            "sendto" | "sendmsg" | "write" | "writev" if is_socket => {
                did.push(Did::Sent(file(&whole), bytes(&whole)))
            }
            "recvfrom" | "read" if is_socket => {
                did.push(Did::Received(file(&whole), bytes(&whole)))
            }
            _ => {}
        }
    }
    did
}

/// The descriptor of a call: a path, or `socket:[…]`.
fn file(call: &str) -> String {
    let name = call
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or("", |(name, _)| name);
    if name.starts_with("\\x") {
        String::from_utf8_lossy(&unescaped(name)).into_owned()
    } else {
        name.to_owned()
    }
}

/// The bytes between the quotes of a call.
fn bytes(call: &str) -> Vec<u8> {
    call.split('"').skip(1).step_by(2).flat_map(unescaped).collect()
}

/// `\x2f\x00`
fn unescaped(text: &str) -> Vec<u8> {
    text.split("\\x")
        .skip(1)
        .filter_map(|byte| u8::from_str_radix(byte.get(..2)?, 16).ok())
        .collect()
}

struct Frame {
    /// The index of the call with the frame's last byte.
    at: usize,
    message: Value,
    text: String,
}

impl Frame {
    /// An entry's number.
    fn entry(&self) -> Option<u64> {
        self.message["entry"]["number"].as_u64()
    }

    /// An entry's body as it is written in the frame. The journal has the same bytes.
    fn body(&self) -> &str {
        let body = self.text.split_once("\"body\":").expect("an entry has a body").1;
        body.strip_suffix("}}").expect("the body comes last")
    }
}

/// The complete frames, each with the index of the call with its last byte.
fn frames<'a>(parts: impl Iterator<Item = (usize, &'a str, &'a [u8])>) -> Vec<Frame> {
    let (mut streams, mut frames) = (BTreeMap::<&str, Vec<u8>>::new(), Vec::new());
    for (at, socket, part) in parts {
        let stream = streams.entry(socket).or_default();
        stream.extend_from_slice(part);
        // Requests to the bot have sockets of their own, which are not checked.
        if ["POST", "HTTP"].iter().any(|http| stream.starts_with(http.as_bytes())) {
            continue;
        }
        while let Some(length) =
            stream.first_chunk().map(|length| u32::from_be_bytes(*length) as usize)
        {
            let Some(body) = stream.get(4..4 + length) else { break };
            let message = serde_json::from_slice(body).expect("a frame is JSON");
            frames.push(Frame { at, message, text: String::from_utf8_lossy(body).into_owned() });
            stream.drain(..4 + length);
        }
    }
    frames
}

/// The moment when a body was on the disk: the end of the first sync that began after the body was
/// written to the log.
fn durable(did: &[Did], body: &str) -> Option<usize> {
    let needle = body.as_bytes();
    let has = |log: &[u8]| log.windows(needle.len()).any(|part| part == needle);
    let logged = did.iter().position(|did| matches!(did, Did::Logged(log) if has(log)))?;
    synced_after(did, logged)
}

fn synced_after(did: &[Did], at: usize) -> Option<usize> {
    let began = at + did[at..].iter().position(|did| matches!(did, Did::SyncBegan))?;
    Some(began + did[began..].iter().position(|did| matches!(did, Did::Synced))?)
}

/// Checks one end's trace: how many acknowledgements and entries left, each after its sync.
fn check(side: &str, trace: &Path) -> Result<(usize, usize), String> {
    let did = &read(trace)[..];
    let part = |sent: bool| {
        did.iter().enumerate().filter_map(move |(at, did)| match did {
            Did::Sent(socket, bytes) if sent => Some((at, &**socket, &**bytes)),
            Did::Received(socket, bytes) if !sent => Some((at, &**socket, &**bytes)),
            _ => None,
        })
    };
    let (sent, received) = (frames(part(true)), frames(part(false)));
    let (mut acks, mut entries) = (0, 0);
    for Frame { at, message, text } in &sent {
        let must = |synced: Option<usize>, what: &str| match synced {
            Some(synced) if synced < *at => Ok(()),
            _ => Err(format!("{side}: {text} left before {what} was on the disk")),
        };
        let ack = message["ack"]["number"].as_u64();
        acks += usize::from(ack.is_some());
        // The mark `received` in a welcome acknowledges entries, too.
        if let Some(number) = ack.or(message["welcome"]["received"].as_u64()) {
            let acked =
                received.iter().filter(|frame| frame.entry().is_some_and(|entry| entry <= number));
            let acked: Vec<_> = acked.collect();
            if acked.len() as u64 != number {
                return Err(format!("{side}: {text} acknowledges what did not come"));
            }
            for entry in acked {
                must(synced_after(did, entry.at), &entry.text)?;
                must(durable(did, entry.body()), &entry.text)?;
            }
        }
        // The records that a hello or welcome names: the conversation's id and secret, or the
        // desk's id.
        if message.get("hello").is_some() || message.get("welcome").is_some() {
            must(synced_after(did, 0), "who we are")?;
        }
    }
    for frame in sent.iter().filter(|frame| frame.entry().is_some()) {
        entries += 1;
        if durable(did, frame.body()).is_none_or(|kept| kept >= frame.at) {
            return Err(format!("{side}: {} left before it was on the disk", frame.text));
        }
    }
    Ok((acks, entries))
}

/// Traces both ends of a session. Returns the number of acknowledgements and entries that left.
fn session(prepare: &dyn Fn(&mut Command)) -> Result<(usize, usize), String> {
    let home = Home::new();
    let (user_trace, desk_trace) = (home.0.join("user.trace"), home.0.join("desk.trace"));
    let bot =
        FakeBot::saying(|said| text(if said == "human" { "Human Handoff" } else { "bot here" }));
    // In plaintext, so that the trace shows the frames.
    let mut admin = traced(
        &["admin", "--listen", "127.0.0.1:0", "--json", "--plaintext", "loopback"],
        &desk_trace,
        prepare,
    );
    let turns: String = (0..20).map(|turn| format!("/wait\nanswer {turn}\n")).collect();
    admin.script(&format!("/accept\n{turns}/handback\n/accept\nagain\n/close\n"));
    let user = [
        "user",
        "--admin",
        &admin.address(),
        "--bot",
        bot.url(),
        "--json",
        "--plaintext",
        "loopback",
    ];
    let mut user = traced(&user, &user_trace, prepare);
    let turns: String = (0..20).map(|turn| format!("question {turn}\n/wait\n")).collect();
    user.script(&format!("hi\nhuman\n{turns}/wait\nhuman\n"));
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    let (from_user, from_desk) =
        (check("the customer's side", &user_trace)?, check("the desk", &desk_trace)?);
    assert!(
        from_user.0 >= 20 && from_desk.0 >= 20,
        "{from_user:?} {from_desk:?}: the trace shows too little"
    );
    Ok((from_user.0 + from_desk.0, from_user.1 + from_desk.1))
}

#[test]
fn no_acknowledgement_leaves_before_its_entries_are_on_the_disk() {
    let mut stderr = std::io::stderr();
    let probe = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|ended| ended.success()) {
        // Written to stderr itself, because the harness hides the output of macros in a test that
        // passes.
        let _ = writeln!(
            stderr,
            "skipped: the order of syncs and acknowledgements needs strace, which does not run here"
        );
        return;
    }
    let (acks, entries) = session(&|_| {}).unwrap_or_else(|why| panic!("{why}"));
    let _ = writeln!(
        stderr,
        "{acks} acknowledgements and {entries} entries left, 0 of them before the sync of \
         what they speak of"
    );
    if cfg!(feature = "failpoints") {
        let control = session(&|command| _ = command.env("HANDOFF_SYNCHRONOUS", "NORMAL"));
        let why =
            control.expect_err("the control without syncs looks as good: the trace proves nothing");
        let _ = writeln!(stderr, "the control without syncs fails, as it must: {why}");
    }
}
