//! An agent's terminal: `handoff attach` with pipes and `--json`, or in a pseudo-terminal.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::broken::{Broken, broken};
use crate::durable::Folder;
use crate::server::{Server, cpu_of, program};

/// The longest wait for a text at a terminal.
const WITHIN: Duration = Duration::from_secs(20);

/// Who sits at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A program: `--json`.
    Program,
    /// A person, with an editor and a prompt.
    Person,
}

/// An agent's terminal. It is killed when this value is dropped.
pub(crate) struct Seat {
    kind: Kind,
    child: Child,
    keys: File,
    shown: File,
    /// The output that `until` has not looked at yet.
    unread: Vec<u8>,
    /// Whether a thread reads the output and drops it.
    is_drained: Arc<AtomicBool>,
}

impl Seat {
    /// Attaches a terminal. `name` is the agent's, `code` the file with the code, `profile` the
    /// terminal's.
    pub(crate) fn attach(
        kind: Kind,
        desk: &Server,
        folder: &Folder,
        code: &str,
        profile: &str,
    ) -> Result<Seat, Broken> {
        let mut command = program("attach");
        command.args(["--desk", &desk.address.to_string(), "--state"]).arg(folder.path());
        command.args(["--profile", profile, "--code-file", code]);
        command.env_remove("RUST_LOG").process_group(0);
        let (child, keys, shown) = match kind {
            Kind::Program => at_pipes(command)?,
            Kind::Person => at_terminal(command)?,
        };
        ioctl_fionbio(&shown, true)?;
        let is_drained = Arc::new(AtomicBool::new(false));
        let mut seat = Seat { kind, child, keys, shown, unread: Vec::new(), is_drained };
        seat.until("attached to")?;
        Ok(seat)
    }

    /// Starts a thread that reads the output and drops it.
    pub(crate) fn drain(&self) -> Result<(), Broken> {
        self.is_drained.store(true, Ordering::SeqCst);
        let (is_drained, mut shown) = (self.is_drained.clone(), self.shown.try_clone()?);
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while is_drained.load(Ordering::SeqCst) && wait(&shown, Duration::from_secs(1)) {
                match shown.read(&mut buffer) {
                    Ok(0) => return,
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return,
                    _ => {}
                }
            }
        });
        Ok(())
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) -> Result<(), Broken> {
        Ok(self.keys.write_all(keys.as_bytes())?)
    }

    /// The keyboard, for another thread, and the bytes of its Enter key.
    pub(crate) fn keyboard(&self) -> Result<(File, &'static str), Broken> {
        let enter = if self.kind == Kind::Person { "\r" } else { "\n" };
        Ok((self.keys.try_clone()?, enter))
    }

    /// Types a line and Enter, and does not look at the screen.
    pub(crate) fn press_line(&mut self, line: &str) -> Result<(), Broken> {
        let (_, enter) = self.keyboard()?;
        self.press(&format!("{line}{enter}"))
    }

    /// Waits until a person's terminal shows that they have the customer. A line typed before that
    /// would go to another one.
    pub(crate) fn until_accepted(&mut self) -> Result<(), Broken> {
        match self.kind {
            Kind::Person => self.until("you have the conversation"),
            Kind::Program => Ok(()),
        }
    }

    /// Types a line and Enter. In the editor the line must be on the screen before Enter is
    /// pressed, so that it does not look like a pasted block.
    pub(crate) fn type_line(&mut self, line: &str) -> Result<(), Broken> {
        if self.kind == Kind::Person {
            self.press(line)?;
            self.until(line)?;
        }
        self.enter(line)
    }

    /// Presses Enter after a line that a person has typed. A program writes the whole line.
    pub(crate) fn enter(&mut self, line: &str) -> Result<(), Broken> {
        match self.kind {
            Kind::Person => self.press("\r"),
            Kind::Program => self.press(&format!("{line}\n")),
        }
    }

    /// Forgets the output so far.
    pub(crate) fn forget(&mut self) -> Result<(), Broken> {
        while self.read()? {}
        self.unread.clear();
        Ok(())
    }

    /// Waits until this text is shown, after the text of the wait before.
    pub(crate) fn until(&mut self, text: &str) -> Result<(), Broken> {
        let end = Instant::now() + WITHIN;
        loop {
            let mut windows = self.unread.windows(text.len());
            if let Some(at) = windows.position(|window| window == text.as_bytes()) {
                self.unread.drain(..at + text.len());
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let shown = String::from_utf8_lossy(&self.unread).into_owned();
                return Err(broken(format!("no '{text}' at a terminal: {shown}")).into());
            }
            if wait(&self.shown, left) && !self.read()? {
                thread::yield_now();
            }
        }
    }

    /// The CPU time so far, in seconds.
    pub(crate) fn cpu(&self) -> Result<f64, Broken> {
        cpu_of(self.child.id())
    }

    fn read(&mut self) -> Result<bool, Broken> {
        let mut buffer = [0; 1 << 14];
        match self.shown.read(&mut buffer) {
            Ok(0) => {
                let shown = String::from_utf8_lossy(&self.unread).into_owned();
                Err(broken(format!("a terminal has ended: {shown}")).into())
            }
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.is_drained.store(false, Ordering::SeqCst);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Adds an agent to the desk in this folder. Returns the file with the code.
pub(crate) fn add_agent(folder: &Folder, name: &str) -> Result<String, Broken> {
    let mut command = program("agent");
    command.args(["add", name, "--state"]).arg(folder.path());
    let added = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8(added.stdout)?;
    let code = said.split_whitespace().max_by_key(|word| word.len());
    let code = code.ok_or_else(|| broken("'handoff agent add' prints no code"))?;
    let file = folder.path().join(format!("{name}.code"));
    fs::write(&file, code)?;
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    Ok(file.to_string_lossy().into_owned())
}

fn at_pipes(mut command: Command) -> Result<(Child, File, File), Broken> {
    let (input, keys) = pipe()?;
    let (shown, output) = pipe()?;
    command.arg("--json").stdin(Stdio::from(input)).stdout(Stdio::from(output));
    let child = command.stderr(Stdio::null()).spawn()?;
    Ok((child, OwnedFd::from(keys).into(), OwnedFd::from(shown).into()))
}

fn at_terminal(mut command: Command) -> Result<(Child, File, File), Broken> {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&person)?;
    unlockpt(&person)?;
    let name = std::ffi::OsString::from_vec(ptsname(&person, Vec::new())?.into_bytes());
    let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&person, size)?;
    let terminal: OwnedFd = OpenOptions::new().read(true).write(true).open(name)?.into();
    command.env("TERM", "xterm-256color").env("NO_COLOR", "1");
    command.stdin(Stdio::from(terminal.try_clone()?)).stdout(Stdio::from(terminal.try_clone()?));
    let child = command.stderr(Stdio::from(terminal)).spawn()?;
    Ok((child, File::from(person.try_clone()?), File::from(person)))
}

/// Waits until there is something to read or the time is over. False if that fails.
fn wait(file: &File, within: Duration) -> bool {
    let mut ready = [PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN)];
    let within = Timespec::try_from(within).ok();
    poll(&mut ready, within.as_ref()).is_ok()
}
