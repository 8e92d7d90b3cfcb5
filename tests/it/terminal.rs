//! A person at a terminal: a pseudo-terminal the test types into.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::run::Handoff;

/// The master side: what the person's keyboard is. What it echoes is read and dropped.
pub struct Keyboard(File);

impl Keyboard {
    /// A terminal; the other side is the program's.
    fn new() -> (Keyboard, File) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let name = std::ffi::OsString::from_vec(name.into_bytes());
        let slave = OpenOptions::new().read(true).write(true).open(name).expect("the other side");
        (Keyboard(File::from(master)), slave)
    }

    /// Types a line and Enter.
    pub fn type_line(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).expect("a keyboard takes keys");
    }
}

/// A customer who types, so that lines are taken at once and not as a script's; stdout is a pipe.
#[track_caller]
pub fn typed_user(admin: &str, bot_url: &str) -> (Handoff, Keyboard) {
    let (keyboard, terminal) = Keyboard::new();
    let mut echo = keyboard.0.try_clone().expect("a terminal can be had twice");
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while echo.read(&mut bytes).is_ok_and(|length| length > 0) {}
    });
    let arguments = ["user", "--admin", admin, "--bot", bot_url];
    let user = Handoff::start_with(&arguments, |command| {
        command.stdin(Stdio::from(OwnedFd::from(terminal)));
    });
    (user, keyboard)
}
