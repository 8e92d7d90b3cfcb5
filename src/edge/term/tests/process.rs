//! The program of the tests as a process: on pipes, or on an emulated terminal.

use std::env;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, unbounded};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::{CONTROL, DEADLINE};

/// The program as a child process, with this end of its control socket.
pub(super) struct Program {
    pub(super) child: Child,
    pub(super) control: TcpStream,
    pub(super) answers: Receiver<String>,
}

impl Program {
    pub(super) fn start(
        environment: &[(&str, &str)],
        stdin: Stdio,
        stdout: Stdio,
        stderr: Stdio,
    ) -> Program {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut command = Command::new(env::current_exe().expect("this test"));
        let tests = module_path!().trim_start_matches("handoff::").trim_end_matches("::process");
        let program = format!("{tests}::program");
        command.args([&program, "--exact", "--ignored", "--nocapture"]);
        command.env("TERM", "xterm").env_remove("NO_COLOR").envs(environment.iter().copied());
        command.env(CONTROL, listener.local_addr().expect("bound").to_string());
        let child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().expect("a child");
        let (control, _) = listener.accept().expect("the program connects");
        let (sender, answers) = unbounded();
        let lines = BufReader::new(control.try_clone().expect("a socket"));
        thread::spawn(move || {
            lines.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)))
        });
        Program { child, control, answers }
    }

    pub(super) fn tell(&mut self, line: &str) {
        writeln!(self.control, "{line}").expect("the program lives");
    }

    /// The next answer that is not `Shown`.
    pub(super) fn answer(&self) -> String {
        loop {
            let answer = self.answers.recv_timeout(DEADLINE).expect("an answer");
            if !answer.starts_with("Shown") {
                return answer;
            }
        }
    }

    pub(super) fn expect(&self, answer: &str) {
        assert_eq!(self.answer(), answer);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program on a terminal that is emulated here.
pub(super) struct Terminal {
    pub(super) program: Program,
    pub(super) master: File,
    pub(super) output: Receiver<Vec<u8>>,
    pub(super) screen: vt100::Parser,
}

impl Terminal {
    /// Starts the program and waits until its editor shows a prompt.
    pub(super) fn start(environment: &[(&str, &str)]) -> Terminal {
        let mut terminal = Terminal::open(environment);
        // The lines of libtest are above the prompt.
        terminal.until(|seen| seen.contains("running 1 test") && seen.ends_with("> "));
        terminal
    }

    pub(super) fn open(environment: &[(&str, &str)]) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo-terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
        let name = OsString::from_vec(ptsname(&master, Vec::new()).expect("a name").into_bytes());
        let slave: OwnedFd =
            OpenOptions::new().read(true).write(true).open(name).expect("its other end").into();
        resize(&master, 80, 24);
        let copy = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let program = Program::start(environment, copy(), copy(), copy());
        let master = File::from(master);
        let mut reader = master.try_clone().expect("a descriptor");
        let (sender, output) = unbounded();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let size = |size| NonZero::new(size).expect("a size");
        let terminal = Terminal {
            program,
            master,
            output,
            screen: vt100::Parser::new(size(24), size(80), 1000),
        };
        terminal.program.expect("ready true");
        terminal
    }

    pub(super) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("the terminal lives");
    }

    /// Waits until the screen's text meets a condition.
    pub(super) fn until(&mut self, so: impl Fn(&str) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !so(&self.screen.screen().contents()) {
            let Ok(bytes) = self.output.recv_deadline(end) else {
                panic!("the screen never met the condition:\n{}", self.screen.screen().contents());
            };
            self.screen.process(&bytes);
        }
    }

    /// Waits until a mode of the terminal is off.
    pub(super) fn until_off(&mut self, mode: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + DEADLINE;
        while mode(self.screen.screen()) {
            let bytes = self.output.recv_deadline(end).expect("the mode is not left");
            self.screen.process(&bytes);
        }
    }

    pub(super) fn ends_with(&mut self, end: &str) {
        self.until(|seen| seen.ends_with(end));
    }

    pub(super) fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.master).expect("a terminal").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }
}

pub(super) fn resize(master: &impl std::os::fd::AsFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("a terminal");
}

/// Starts the program on three pipes, and skips the first lines, which libtest writes.
pub(super) fn piped(
    environment: &[(&str, &str)],
) -> (Program, BufReader<std::process::ChildStdout>) {
    let mut program = Program::start(environment, Stdio::piped(), Stdio::piped(), Stdio::piped());
    program.expect("ready false");
    let mut stdout = BufReader::new(program.child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.starts_with("running") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).expect("a pipe"), 0, "libtest says what it runs");
    }
    (program, stdout)
}

pub(super) fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a pipe");
    line
}
