//! A full disk: only journaled entries are acknowledged, nothing is lost, and the program goes on
//! when there is space again.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::{Home, nobody_at};
use crate::support::machine::can;
use crate::support::run::Handoff;
use crate::support::terminal::Terminal;

const FULL: &str = "the disk is full: nothing is lost, and nothing goes on until there is room";
const ROOM: &str = "there is room on the disk again";

/// A disk of half a MiB.
struct Disk(Home);

impl Disk {
    /// Mounts the disk. `None` if this machine cannot mount; then the test says that it is skipped.
    fn mount() -> Option<Disk> {
        let disk = Disk(Home::new());
        let folder = disk.0.0.to_str().expect("cargo's folders have UTF-8 names").to_owned();
        can(&["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", &folder]).then_some(disk)
    }

    fn state(&self) -> &str {
        self.0.0.to_str().expect("cargo's folders have UTF-8 names")
    }

    fn filler(&self) -> PathBuf {
        self.0.0.join("filler")
    }

    /// Fills the disk to the last byte.
    fn fill(&self) {
        let mut file =
            File::options().create(true).append(true).open(self.filler()).expect("a file");
        for size in [4096, 512, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}

fn bot() -> FakeBot {
    FakeBot::saying(|said| text(if said.contains("human") { "Human Handoff" } else { "bot here" }))
}

fn desk(address: &str, disk: &Disk) -> Handoff {
    let mut admin = Handoff::start(&[
        "admin",
        "--listen",
        address,
        "--json",
        "--auto-accept",
        "--state",
        disk.state(),
    ]);
    admin.address();
    admin
}

fn texts(end: &Handoff, author: &str) -> Vec<String> {
    end.messages().into_iter().filter(|(who, _)| who == author).map(|(_, text)| text).collect()
}

#[test]
fn a_desk_with_a_full_disk_stops_acknowledging_and_resumes_when_there_is_space() {
    let Some(disk) = Disk::mount() else { return };
    let (bot, address) = (bot(), nobody_at());
    let mut admin = desk(&address, &disk);
    let mut user = Handoff::user(&address, bot.url(), &[]);
    user.say("a human");
    user.until_state("active");
    admin.until_state("active");
    disk.fill();
    // The lines need more pages than the journal's log has already.
    let lines: Vec<String> = (0..30).map(|line| format!("{line} {}", "x".repeat(4_000))).collect();
    lines.iter().for_each(|line| user.say(line));
    admin.until_told("error", FULL);
    user.until_text(&lines[29]);
    let number = user.events_of("message").last().unwrap()["number"].as_u64();
    let acked =
        user.events_of("delivered").iter().filter_map(|event| event["number"].as_u64()).max();
    assert!(acked < number, "{acked:?} of {number:?}");
    assert!(
        user.events_of("link").iter().all(|event| event["link"] != "lost"),
        "the connection was lost"
    );
    disk.make_room();
    admin.until_told("notice", ROOM);
    if !texts(&admin, "user").contains(&lines[29]) {
        admin.until_text(&lines[29]);
    }
    assert_eq!(texts(&admin, "user")[1..], lines, "the lines are not in order and once each");
    assert!(
        user.events_of("link").iter().all(|event| event["link"] != "lost"),
        "the connection was lost"
    );
}

#[test]
fn a_desk_that_is_killed_with_a_full_disk_has_lost_nothing() {
    let Some(disk) = Disk::mount() else { return };
    let (bot, address) = (bot(), nobody_at());
    let mut admin = desk(&address, &disk);
    let mut user = Handoff::user(&address, bot.url(), &[]);
    user.say("a human");
    user.until_state("active");
    admin.until_state("active");
    disk.fill();
    let lines: Vec<String> = (0..50).map(|line| format!("{line} {}", "x".repeat(1_000))).collect();
    lines.iter().for_each(|line| user.say(line));
    admin.until_told("error", FULL);
    admin.kill();
    user.until(|event| event["link"] == "lost");
    disk.make_room();
    let mut admin = desk(&address, &disk);
    admin.until_text(&lines[49]);
    assert_eq!(texts(&admin, "user")[1..], lines);
}

#[test]
fn a_desk_with_a_full_disk_can_be_ended() {
    let Some(disk) = Disk::mount() else { return };
    let (bot, address) = (bot(), nobody_at());
    let mut admin = desk(&address, &disk);
    let mut user = Handoff::user(&address, bot.url(), &[]);
    user.say("a human");
    user.until_state("active");
    disk.fill();
    (0..50).for_each(|line| user.say(&format!("{line} {}", "x".repeat(1_000))));
    admin.until_told("error", FULL);
    admin.signal(Signal::TERM);
    assert_eq!(admin.exit_code(), 143);
}

/// A customer at a terminal whose disk is full, and whose line was refused.
fn refused(disk: &Disk, address: &str, bot: &FakeBot) -> Terminal {
    let arguments = ["user", "--admin", address, "--bot", bot.url(), "--state", disk.state()];
    let mut user = Terminal::start(&arguments);
    user.press("a human\r");
    user.prompts("agent> ");
    disk.fill();
    user.press("this one waits\r");
    user.sees("the disk is full: nothing is lost");
    user.press("my last words\r");
    user.sees("the disk is full: this line is not taken");
    user.prompts("agent> ");
    user
}

#[test]
fn a_customer_with_a_full_disk_keeps_the_line_and_can_send_it_when_there_is_space() {
    let Some(disk) = Disk::mount() else { return };
    let bot = bot();
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let address = admin.address();
    let mut user = refused(&disk, &address, &bot);
    disk.make_room();
    user.sees(ROOM);
    admin.say("hello");
    user.sees("agent: hello");
    user.press("\x1b[A");
    user.prompts("> my last words");
    user.press("\r");
    admin.until_text("my last words");
    let lines = texts(&admin, "user");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1] == "this one waits" && lines[2] == "my last words");
}

#[test]
fn a_customer_with_a_full_disk_can_leave_with_ctrl_c() {
    let Some(disk) = Disk::mount() else { return };
    let bot = bot();
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let address = admin.address();
    let mut user = refused(&disk, &address, &bot);
    user.press("\x03");
    user.sees("the disk is full; Ctrl-C again leaves the program");
    user.press("\x03");
    assert_eq!(user.program.exit_code(), 130);
    assert!(user.is_cooked(), "the terminal was not restored");
}
