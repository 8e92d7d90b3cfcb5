//! A person at a terminal: a pseudo-terminal into which the test types, and an emulator of its
//! screen.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::support::run::{Handoff, WITHIN};

/// The columns of a window, unless a test sets another number.
pub const COLUMNS: u16 = 100;
const ROWS: u16 = 40;

/// The person's side of a terminal.
pub struct Keyboard(File, Arc<AtomicBool>);

impl Keyboard {
    /// A terminal: the person's side, the program's side, and the bytes that the program writes.
    fn new(columns: u16) -> (Keyboard, OwnedFd, Receiver<Vec<u8>>) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
        let name = std::ffi::OsString::from_vec(
            ptsname(&master, Vec::new()).expect("a name").into_bytes(),
        );
        let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a terminal has a size");
        let slave =
            OpenOptions::new().read(true).write(true).open(name).expect("the program's side");
        let keyboard = Keyboard(File::from(master), Arc::default());
        let closed = keyboard.1.clone();
        let mut screen = keyboard.0.try_clone().expect("a descriptor");
        let (sender, written) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut bytes) {
                // The bytes must be read even if the test does not look at them, because a full
                // terminal blocks.
                let _ = sender.send(bytes[..length].to_vec());
                if closed.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        (keyboard, slave.into(), written)
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.0.write_all(keys.as_bytes()).expect("a keyboard takes keys");
    }

    /// Types a line and Enter at a terminal that edits lines itself.
    pub fn type_line(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }
}

/// A customer who types at a terminal, so that no line waits as in a script. stdout is a pipe.
#[track_caller]
pub fn typed_user(admin: &str, bot_url: &str, more: &[&str]) -> (Handoff, Keyboard) {
    at_keyboard(&[&["user", "--admin", admin, "--bot", bot_url], more].concat(), |_| {})
}

/// A program into which a person types at a terminal. Its outputs are pipes. `prepare` may change
/// the command.
#[track_caller]
pub fn at_keyboard(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> (Handoff, Keyboard) {
    let (keyboard, terminal, _) = Keyboard::new(COLUMNS);
    let program = Handoff::start_with(arguments, |command| {
        command.stdin(Stdio::from(terminal));
        prepare(command);
    });
    (program, keyboard)
}

/// A program whose input and outputs are one terminal.
pub struct Terminal {
    pub program: Handoff,
    keyboard: Keyboard,
    written: Receiver<Vec<u8>>,
    /// All bytes of the program that the emulator has processed.
    pub seen: Vec<u8>,
    /// How many of them [`Terminal::writes`] has looked at.
    looked: usize,
    screen: vt100::Parser,
}

impl Terminal {
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Terminal {
        Terminal::sized(arguments, COLUMNS)
    }

    /// Starts a program in a window with this many columns.
    #[track_caller]
    pub fn sized(arguments: &[&str], columns: u16) -> Terminal {
        Terminal::open(arguments, columns, "1", |_| {})
    }

    /// Starts a program after `prepare` has changed the command.
    #[track_caller]
    pub fn start_with(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Terminal {
        Terminal::open(arguments, COLUMNS, "1", prepare)
    }

    /// Starts a program in colour, in a window with this many columns.
    #[track_caller]
    pub fn coloured(arguments: &[&str], columns: u16) -> Terminal {
        Terminal::open(arguments, columns, "", |_| {})
    }

    #[track_caller]
    fn open(
        arguments: &[&str],
        columns: u16,
        no_color: &str,
        prepare: impl FnOnce(&mut Command),
    ) -> Terminal {
        let (keyboard, terminal, written) = Keyboard::new(columns);
        let copy = || Stdio::from(terminal.try_clone().expect("a descriptor"));
        let program = Handoff::start_with(arguments, |command| {
            prepare(command);
            command
                .stdin(copy())
                .stdout(copy())
                .stderr(copy())
                .env("TERM", "xterm-256color")
                .env("NO_COLOR", no_color);
            // The program is a job of its own, as from a shell, so that Ctrl-Z stops only the
            // program.
            command.process_group(0);
        });
        let size = |size| NonZero::new(size).expect("a size");
        let screen = vt100::Parser::new(size(ROWS), size(columns), 200);
        Terminal { program, keyboard, written, seen: Vec::new(), looked: 0, screen }
    }

    /// Presses keys; Enter is `\r`.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.press(keys);
    }

    /// Waits until this text is on the screen.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> String {
        self.until(|seen| seen.contains(text), text)
    }

    /// Waits until the program writes these bytes, after those that were found before.
    #[track_caller]
    pub fn writes(&mut self, bytes: &str) {
        let end = Instant::now() + WITHIN;
        loop {
            let mut windows = self.seen[self.looked..].windows(bytes.len());
            if let Some(at) = windows.position(|window| window == bytes.as_bytes()) {
                self.looked += at + bytes.len();
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            let Ok(more) = self.written.recv_timeout(left) else {
                panic!("{bytes:?} was not written:\n{}", self.screen.screen().contents())
            };
            self.screen.process(&more);
            self.seen.extend_from_slice(&more);
        }
    }

    /// Waits until the screen ends with this text: the prompt and the typed line.
    #[track_caller]
    pub fn prompts(&mut self, text: &str) -> String {
        self.until(|seen| seen.ends_with(text), text)
    }

    /// Waits until the last row of the screen is exactly this text.
    #[track_caller]
    pub fn last_row(&mut self, text: &str) -> String {
        self.until(|seen| seen.lines().next_back() == Some(text), text)
    }

    /// Gives the window another size, and signals it to the program as the kernel does.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard.0, size).expect("a terminal has a size");
        let size = |size| NonZero::new(size).expect("a size");
        self.screen.screen_mut().set_size(size(rows), size(columns));
        self.program.signal(Signal::WINCH);
    }

    /// Waits until the program is stopped.
    #[track_caller]
    pub fn stops(&mut self) {
        self.program.until_stopped();
    }

    /// Makes the terminal edit lines itself, as a shell does after a program was stopped.
    pub fn cook(&mut self) {
        let mut modes = tcgetattr(&self.keyboard.0).expect("a terminal");
        modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(&self.keyboard.0, OptionalActions::Now, &modes).expect("a terminal");
    }

    /// Waits until the program has switched marks around pasted blocks on or off.
    #[track_caller]
    pub fn pastes_marked(&mut self, marked: bool) {
        self.until_screen(|screen| screen.bracketed_paste() == marked, "other way of pasting");
    }

    #[track_caller]
    fn until(&mut self, so: impl Fn(&str) -> bool, text: &str) -> String {
        self.until_screen(|screen| so(&screen.contents()), text)
    }

    #[track_caller]
    fn until_screen(&mut self, so: impl Fn(&vt100::Screen) -> bool, text: &str) -> String {
        let end = Instant::now() + WITHIN;
        loop {
            let seen = self.screen.screen().contents();
            if !self.is_within_a_frame() && so(self.screen.screen()) {
                return seen;
            }
            let left = end.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.written.recv_timeout(left) else {
                panic!("no '{text}' on the screen:\n{seen}")
            };
            self.screen.process(&bytes);
            self.seen.extend_from_slice(&bytes);
        }
    }

    /// Whether the emulator is in the middle of a frame. Then the lower rows of a window that is
    /// drawn anew still have the text of the frame before. Autowrap is off while a frame is drawn.
    fn is_within_a_frame(&self) -> bool {
        let autowrap = b"\x1b[?7";
        let latest = self.seen.windows(autowrap.len()).rposition(|bytes| bytes == autowrap);
        latest.is_some_and(|at| self.seen.get(at + autowrap.len()) != Some(&b'h'))
    }

    /// The text of each row of the window.
    pub fn rows(&self) -> Vec<String> {
        self.screen.screen().rows(0, u16::MAX).collect()
    }

    /// Waits until the rows of the window meet this condition.
    #[track_caller]
    pub fn until_rows(&mut self, so: impl Fn(&[String]) -> bool, what: &str) {
        let rows = |screen: &vt100::Screen| screen.rows(0, u16::MAX).collect::<Vec<_>>();
        self.until_screen(|screen| so(&rows(screen)), what);
    }

    /// The rows that have left the window at its top, the oldest first.
    pub fn scrollback(&mut self) -> Vec<String> {
        let screen = self.screen.screen_mut();
        screen.set_scrollback(usize::MAX);
        let past = screen.scrollback();
        let mut rows = Vec::new();
        for back in (1..=past).rev() {
            screen.set_scrollback(back);
            rows.extend(screen.rows(0, u16::MAX).next());
        }
        screen.set_scrollback(0);
        rows
    }

    /// Closes the window. The program runs on without its terminal.
    pub fn hang_up(self) -> Handoff {
        let Terminal { program, mut keyboard, .. } = self;
        keyboard.1.store(true, Ordering::SeqCst);
        // The thread that reads the screen ends after the bytes that the program draws for this
        // key.
        keyboard.press("x");
        program
    }

    /// Whether the terminal edits lines itself, as it did before the program started.
    pub fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.keyboard.0).expect("a terminal").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }
}
