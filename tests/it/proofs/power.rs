//! A power cut at the desk or at the customer's side: everything that it acknowledged or accepted
//! is on the disk.
//!
//! The journal lies on an ext4 in a file in memory. At a random moment the process is stopped and
//! the file copied: what was never synced is not in the copy. The copy is mounted as a machine that
//! starts again would, and its journal must hold every line that was acknowledged or accepted
//! before. The control, with commits that do not wait for the disk, must lose some lines: otherwise
//! the test proves nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::select;
use handoff::core::chance::Chance;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::fake_bot::FakeBot;
use crate::support::home::Home;
use crate::support::kept::{self, Kept};
use crate::support::lines::Flag;
use crate::support::machine::number;
use crate::support::raw::{entry, frame, hello, said};
use crate::support::run::{Handoff, WITHIN};

/// Entries under way that are not acknowledged, at most: few, so that there are many commits.
const UNDER_WAY: u64 = 8;

/// A disk in memory, and a place for its copy after the cut.
struct Rig {
    home: Home,
    mounted: Vec<PathBuf>,
}

impl Rig {
    /// `Err` says why no power can be cut on this machine.
    fn new() -> Result<Rig, String> {
        if !rustix::process::getuid().is_root() {
            return Err("it needs root".to_owned());
        }
        let mut rig = Rig { home: Home::new(), mounted: Vec::new() };
        let memory = rig.folder("memory")?;
        run("mount", &["-t", "tmpfs", "-o", "size=160m", "tmpfs", &memory])?;
        rig.mounted.push(memory.clone().into());
        let image = format!("{memory}/a.img");
        run("truncate", &["-s", "64M", &image])?;
        run("mkfs.ext4", &["-q", "-F", &image])?;
        rig.mount("a")?;
        Ok(rig)
    }

    fn folder(&self, name: &str) -> Result<String, String> {
        let folder = self.home.0.join(name);
        std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        Ok(folder.display().to_string())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.0.join(name)
    }

    fn mount(&mut self, name: &str) -> Result<(), String> {
        let (image, folder) = (self.path(&format!("memory/{name}.img")), self.folder(name)?);
        run("mount", &["-o", "loop", &image.display().to_string(), &folder])?;
        self.mounted.push(folder.into());
        Ok(())
    }

    /// Copies the disk. A machine without power would find it like this at its next start.
    fn cut(&self) {
        let (from, to) = (self.path("memory/a.img"), self.path("memory/b.img"));
        run("cp", &["--sparse=always", &from.display().to_string(), &to.display().to_string()])
            .expect("a copy");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for folder in self.mounted.drain(..).rev() {
            let unmounted = run("umount", &[&folder.display().to_string()]);
            if let Err(why) = unmounted {
                eprintln!("cannot clean up: {why}");
            }
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let ended = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let ended = ended.map_err(|e| format!("{program}: {e}"))?;
    let said = String::from_utf8_lossy(&ended.stderr).trim().replace('\n', "; ");
    if ended.status.success() {
        Ok(())
    } else {
        Err(format!("{program} {}: {said}", arguments.join(" ")))
    }
}

/// A customer's side that only counts: it sends entries as fast as they are acknowledged, until the
/// connection ends. It sets `began` at the first acknowledgement. Returns the last one.
fn feed(desk: &str, began: &Flag) -> u64 {
    let Ok(mut stream) = TcpStream::connect(desk) else { return 0 };
    let _ = stream.set_read_timeout(Some(WITHIN));
    let (mut sent, mut acked) = (0, 0);
    let mut goes_on = stream.write_all(&frame(&hello("5a", 1_000_000_000))).is_ok();
    // If a write fails, acknowledgements that came before are still to be read.
    loop {
        let mut length = [0; 4];
        if stream.read_exact(&mut length).is_err() {
            return acked;
        }
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        if stream.read_exact(&mut body).is_err() {
            return acked;
        }
        let message: Value = serde_json::from_slice(&body).expect("a desk speaks JSON");
        if let Some(number) = message["ack"]["number"].as_u64() {
            acked = number;
            began.set();
        }
        while goes_on && sent < acked + UNDER_WAY {
            sent += 1;
            let text = format!("line {sent} {}", "of some length ".repeat(6));
            goes_on = stream.write_all(&frame(&entry(sent, &said("user", &text)))).is_ok();
        }
    }
}

/// One cut. Returns how many lines were promised, and how many of them are lost.
fn cut(number: u64, seed: u64, synchronous: &str) -> Result<(u64, u64), String> {
    let after = Duration::from_millis(50 + Chance::new(seed + number).below(1_200));
    if number.is_multiple_of(2) {
        cut_desk(after, synchronous)
    } else {
        cut_user(after, synchronous)
    }
}

/// `handoff` with its journal on the disk that is cut.
fn start(rig: &Rig, synchronous: &str, arguments: &[&str]) -> Handoff {
    let state = rig.path("a/state").display().to_string();
    let arguments = [arguments, &["--json", "--state", &state, "--plaintext", "loopback"]].concat();
    Handoff::start_with(&arguments, |command| _ = command.env("HANDOFF_SYNCHRONOUS", synchronous))
}

/// Cuts the power of the process. Then the process is killed: all that it sent and printed before
/// the cut is on its way, and ends where its connection and its outputs end.
fn stop_and_cut(rig: &Rig, process: &mut Handoff) {
    process.signal(Signal::STOP);
    process.until_stopped();
    rig.cut();
    process.kill();
}

/// A cut at the desk, which acknowledged entries of a customer.
fn cut_desk(after: Duration, synchronous: &str) -> Result<(u64, u64), String> {
    let mut rig = Rig::new()?;
    let mut desk =
        start(&rig, synchronous, &["admin", "--listen", "127.0.0.1:0", "--rate", "1000000"]);
    let address = desk.address();
    let began = Arc::<Flag>::default();
    let first = began.clone();
    let feeder = thread::spawn(move || feed(&address, &first));
    assert!(began.wait(WITHIN), "the desk acknowledged nothing");
    // The moment of the cut is what is tested, so this waits for a time and for no event.
    thread::sleep(after);
    stop_and_cut(&rig, &mut desk);
    let promised = feeder.join().expect("the feeder only counts");
    rig.mount("b")?;
    let held = look(&kept::journal(&rig.path("b/state"), "admin")).theirs.len() as u64;
    Ok((promised, promised.saturating_sub(held)))
}

/// What the customer's side has promised by the events of both sides.
#[derive(Default)]
struct Promised {
    /// Number of the customer's lines that the customer's side has printed.
    accepted: u64,
    /// Number of the desk's last entry that the customer's side has acknowledged.
    delivered: u64,
    /// Whether the desk has reported the end of the connection, behind all acknowledgements.
    is_lost: bool,
}

impl Promised {
    /// Reads the events that are there.
    fn hear(&mut self, user: &mut Handoff, admin: &mut Handoff) {
        while let Some(event) = user.next_event() {
            self.accepted += u64::from(event["event"] == "message" && event["author"] == "user");
        }
        while let Some(event) = admin.next_event() {
            if event["event"] == "delivered" {
                self.delivered = event["number"].as_u64().expect("a mark is a number");
            }
            self.is_lost |= event["link"] == "lost";
        }
    }
}

/// A cut at the customer's side, which acknowledged entries of the desk and accepted its own.
fn cut_user(after: Duration, synchronous: &str) -> Result<(u64, u64), String> {
    let mut rig = Rig::new()?;
    let bot = FakeBot::saying(|_| json!([]));
    let mut admin = Handoff::admin(&["--auto-accept", "--plaintext", "loopback"]);
    let address = admin.address();
    let mut user = start(&rig, synchronous, &["user", "--admin", &address, "--bot", bot.url()]);
    user.say("/human");
    user.until_state("active");
    admin.until_state("active");
    let (mut said, mut promised) = (0, Promised::default());
    let ends = Instant::now() + after;
    while Instant::now() < ends {
        promised.hear(&mut user, &mut admin);
        if said < promised.accepted.min(promised.delivered) + UNDER_WAY {
            said += 1;
            user.say(&format!("line {said} {}", "of some length ".repeat(6)));
            admin.say(&format!("line {said} {}", "of some length ".repeat(6)));
        } else {
            select! {
                recv(user.news()) -> _ => {}
                recv(admin.news()) -> _ => {}
                default(ends.saturating_duration_since(Instant::now())) => {}
            }
        }
    }
    stop_and_cut(&rig, &mut user);
    let deadline = Instant::now() + WITHIN;
    promised.hear(&mut user, &mut admin);
    while !promised.is_lost {
        let news = admin.news().recv_deadline(deadline);
        news.expect("the desk notices that the customer's side is gone");
        promised.hear(&mut user, &mut admin);
    }
    let Promised { accepted, delivered, .. } = promised;
    rig.mount("b")?;
    let kept = look(&kept::journal(&rig.path("b/state"), "user"));
    let own = kept.own.iter().filter(|item| item.said().is_some()).count() as u64;
    let lost = accepted.saturating_sub(own) + delivered.saturating_sub(kept.theirs.len() as u64);
    Ok((accepted + delivered, lost))
}

/// The only conversation of a journal after the cut, with both numberings checked.
fn look(file: &Path) -> Kept {
    if !file.exists() {
        return Kept::default();
    }
    let journal = Connection::open(file).expect("a journal opens after a power cut");
    let verdict: String = journal
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("the journal can be checked");
    assert_eq!(verdict, "ok", "the journal is damaged");
    drop(journal);
    let mut all = kept::read(file);
    if let Err(why) = kept::check_alone("after the cut", &all) {
        panic!("{why}");
    }
    all.pop_first().map(|(_, kept)| kept).unwrap_or_default()
}

fn power(cuts: u64, seed: u64) {
    let mut stderr = std::io::stderr();
    let (mut promised, mut done) = (0, 0);
    for number in 0..cuts {
        match cut(number, seed, "FULL") {
            Ok((acked, lost)) => {
                assert_eq!(lost, 0, "cut {number} (seed {seed}): {acked} lines were promised");
                promised += acked;
                done += 1;
            }
            Err(why) if number == 0 => {
                // Written to stderr itself, because the harness hides the output of macros in a
                // test that passes.
                let _ = writeln!(stderr, "skipped: no power can be cut here: {why}");
                return;
            }
            Err(why) => panic!("cut {number}: {why}"),
        }
        if (number + 1).is_multiple_of(10) {
            let _ = writeln!(stderr, "{} cuts, {promised} lines promised, 0 lost", number + 1);
        }
    }
    let (mut control_cuts, mut control_lost, mut control_promised) = (0, 0, 0);
    for side in [0, 1] {
        let before = control_lost;
        for turn in 0..3 {
            let (promised, lost) =
                cut(side + 2 * turn, seed, "NORMAL").expect("the cuts before worked");
            (control_cuts, control_promised, control_lost) =
                (control_cuts + 1, control_promised + promised, control_lost + lost);
            if control_lost > before {
                break;
            }
        }
        assert!(
            control_lost > before,
            "the control lost nothing of {control_promised} lines, so the test proves nothing"
        );
    }
    let _ = writeln!(
        stderr,
        "{done} power cuts, {promised} lines promised, 0 lost, every journal sound; \
         the control without syncs lost {control_lost} of {control_promised} in {control_cuts} \
         cuts (seed {seed})"
    );
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged() {
    power(5, 1);
}

/// `scripts/faults power N`.
#[test]
#[ignore = "takes as long as it is told to"]
fn faults_power() {
    power(number("FAULTS_CYCLES").unwrap_or(5), number("FAULTS_SEED").unwrap_or(1));
}
