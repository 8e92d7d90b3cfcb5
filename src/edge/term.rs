//! stdin and the screen, for both modes: a person at a terminal, a pipe, or a script.
//!
//! A loop hands over `Report`s and takes lines. Two threads do the rest: the input thread is
//! the only reader of stdin, the screen thread the only writer of stdout and stderr, so that
//! nothing tears the line being typed and an output nobody reads holds up that thread alone.
//! What a line means is the loop's; what a report says to a person is `words`' and `render`'s.
//!
//! The editor is our own, over `rustix`: rustyline cannot change its prompt or erase its line
//! while it reads, reedline polls for what others print, and crossterm spins for ever once its
//! terminal is gone (its issue 793).

use std::cell::{Cell, RefCell};
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, never, unbounded};

use crate::core::report::Report;
use crate::core::text::Safe;
use crate::wire::Author;
use board::Board;
use input::{Input, Waker};
use mode::RawMode;
use render::Look;
use screen::{Command, Output, Way};

mod board;
mod editor;
mod input;
mod keys;
mod layout;
mod mode;
mod render;
mod screen;
mod suspend;
mod words;

/// Reports not yet on the screen, from which on a loop stops taking what makes more of them.
pub const BACKLOG_MAX: u64 = 10_000;
/// Log lines waiting for the screen thread, at most; more are dropped and counted.
const LOG_MAX: usize = 1_000;
/// How long a dropped `Screen` waits for an output that nobody reads.
const DROP_WAIT: Duration = Duration::from_secs(1);

/// How to read and show.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Every report as one JSON object a line.
    pub json: bool,
    /// Lines: no editing, no colour.
    pub plain: bool,
    /// Bytes of a line, at most (`wire::TEXT_MAX`).
    pub limit: usize,
    /// Who types here: `User` or `Admin`.
    pub me: Author,
    /// Whether stdin is read.
    pub reads_stdin: bool,
}

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line; several in one when they were pasted as a block. Never empty.
    Line(String),
    /// A line that cannot be taken, in one sentence. Reading goes on after it.
    Refused(String),
    /// End of input, or Ctrl-D on an empty line.
    End,
}

/// What else the terminal tells the loop.
#[derive(Debug)]
pub enum Event {
    /// Ctrl-C in the editor while the line is empty. Without the editor it is SIGINT, as
    /// everywhere.
    Interrupt {
        /// The key before it was the same: the person insists.
        again: bool,
    },
    /// Reports up to this ticket are written. Tickets may be skipped, never go back.
    Shown(u64),
    /// stdout or the terminal is gone. Nothing is shown on it any more; may come twice.
    Gone(io::Error),
}

/// The screen, as the loop holds it. Dropping it restores the terminal, at the latest after a
/// second.
pub struct Screen {
    commands: Sender<Command>,
    /// The last ticket given.
    given: Cell<u64>,
    /// Reports the screen thread is done with.
    done: Arc<AtomicU64>,
    /// Reports given since the last flush.
    held: RefCell<Vec<Report>>,
    /// The last prompt given.
    prompted: RefCell<String>,
    interactive: bool,
    mode: Option<Arc<RawMode>>,
    /// None where stdin is not read.
    waker: Option<Waker>,
    threads: Option<Threads>,
}

/// The screen thread and, where stdin is read, the input thread. Each holds a sender of `ended` for
/// as long as it lives.
struct Threads {
    screen: JoinHandle<()>,
    input: Option<JoinHandle<()>>,
    ended: Receiver<()>,
}

/// Keeps SIGTSTP from stopping the process at once where something has to be done first: an editor
/// restores the terminal, and a desk where a person types says that it cannot be suspended. Called
/// before any thread is started; `start` deals with the signals then.
///
/// # Errors
/// When the system refuses.
pub fn hold_suspension(options: &Options) -> io::Result<()> {
    if holds_suspension(options) { suspend::hold() } else { Ok(()) }
}

fn holds_suspension(options: &Options) -> bool {
    let (interactive, way) = choose(options);
    way == Way::Terminal || (interactive && options.me == Author::Admin)
}

/// Takes stdin and the screen.
///
/// Without stdin no line and no end of input ever comes.
///
/// With an editor `Typed` is unbounded: a person types. Without one the channel holds one line and
/// the reader's hand one more, so a pipe is not read ahead.
///
/// A terminal as stdin with stdout elsewhere (`handoff user | tee log`) is read line by line
/// as the terminal edits it, shown plain, and still is a person: interactive.
///
/// # Errors
/// When the terminal's mode cannot be set or a thread cannot be started.
pub fn start(options: Options) -> io::Result<(Screen, Receiver<Typed>, Receiver<Event>)> {
    let (interactive, way) = choose(&options);
    let editing = way == Way::Terminal;
    let (commands, from_loop) = unbounded();
    let (events, to_loop) = unbounded();
    let (typed, lines) = if editing { unbounded() } else { bounded(1) };
    let (keys, pressed) = if editing { unbounded() } else { (bounded(0).0, never()) };
    let (log, logged) = bounded(LOG_MAX);
    let (alive, ended) = bounded(0);
    let done = Arc::new(AtomicU64::new(0));
    let interrupts = Arc::new(AtomicUsize::new(0));
    let suspensions = if holds_suspension(&options) { suspend::listen()? } else { never() };

    let (input, waker) =
        if options.reads_stdin { Some(Input::new()?).unzip() } else { (None, None) };
    let mode = if editing { Some(Arc::new(RawMode::enter()?)) } else { None };
    let look = Look::new(options.me, env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()));
    let board = editing.then(|| Board::new(options.limit, typed.clone()));
    let (done_too, interrupts_too) = (Arc::clone(&done), Arc::clone(&interrupts));
    let mut output =
        Output::new(way, look, board, mode.clone(), events.clone(), done_too, interrupts_too)?;
    let alive_too = alive.clone();
    let lines = if input.is_some() { lines } else { never() };
    let screen = thread::Builder::new().name("screen".into()).spawn(move || {
        let _alive = alive;
        output.run(&from_loop, pressed, logged, suspensions);
    })?;
    let read = |input: Input| {
        thread::Builder::new().name("stdin".into()).spawn(move || {
            let _alive = alive_too;
            if editing {
                input.read_keys(&keys, &events, &interrupts)
            } else {
                input.read_lines(options.limit, &typed)
            }
        })
    };
    let input = input.map(read).transpose()?;

    *log_target() = Some(log);
    let threads = Some(Threads { screen, input, ended });
    Ok((
        Screen {
            commands,
            given: Cell::new(0),
            done,
            held: RefCell::default(),
            prompted: RefCell::default(),
            interactive,
            mode,
            waker,
            threads,
        },
        lines,
        to_loop,
    ))
}

/// Whether a person types, and how to show.
fn choose(options: &Options) -> (bool, Way) {
    let stdin = options.reads_stdin && io::stdin().is_terminal();
    let stdout = io::stdout().is_terminal();
    let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let way = match options {
        Options { json: true, .. } => Way::Json,
        Options { plain: false, .. } if stdin && stdout && !dumb => Way::Terminal,
        _ => Way::Plain,
    };
    (stdin && !options.json, way)
}

impl Screen {
    /// Whether a person types; otherwise it is a script.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Whether lines are read at all: not at a desk without a terminal, which outlives its stdout.
    pub fn reads_lines(&self) -> bool {
        self.threads.as_ref().is_some_and(|threads| threads.input.is_some())
    }

    /// Whether the prompt can be seen.
    pub fn has_prompt(&self) -> bool {
        self.mode.is_some()
    }

    /// Shows a report. Never blocks and never loses one: what the screen has not taken waits in
    /// memory, and leaves at the next `flush`. A loop that sees `backlog` at `BACKLOG_MAX` stops
    /// taking from the network until an `Event::Shown` brings it down.
    pub fn show(&self, report: Report) -> u64 {
        self.given.set(self.given.get() + 1);
        self.held.borrow_mut().push(report);
        self.given.get()
    }

    /// What was shown since the last time goes to the screen: once a turn, so that its thread is
    /// woken once for all of it.
    pub fn flush(&self) {
        let held = self.held.take();
        if !held.is_empty() {
            self.hand_over(Command::Show(held));
        }
    }

    /// Reports given and not yet written.
    pub fn backlog(&self) -> u64 {
        self.given.get() - self.done.load(Ordering::Relaxed)
    }

    /// Who gets the next line, e.g. `Ann (2)`, shown as `Ann (2)> `. Changes at once, also under
    /// a line being edited; only the editor has a prompt.
    pub fn prompt(&self, prompt: String) {
        // A loop calls this every turn: the screen thread is woken only for what it would draw.
        if self.mode.is_some() && *self.prompted.borrow() != prompt {
            self.prompted.replace(prompt.clone());
            self.send(Command::Prompt(prompt));
        }
    }

    /// Says why a person's line was not taken. The editor keeps it for the Up key; without an
    /// editor the person sees the line itself on stderr.
    pub fn refuse(&self, why: &str, line: &str) {
        self.send(Command::Refuse { why: why.to_owned(), line: line.to_owned() });
    }

    /// Ends: everything shown is written, the terminal is as it was, the threads are gone.
    /// Waits for an output that nobody reads; dropping the screen instead does not.
    pub fn finish(mut self) {
        self.stop();
        if let Some(threads) = self.threads.take() {
            // A thread that panicked has said so on stderr.
            threads.input.map(JoinHandle::join);
            let _ = threads.screen.join();
        }
    }

    /// Tells both threads to end. Log lines go straight to stderr from here.
    fn stop(&self) {
        *log_target() = None;
        self.waker.iter().for_each(Waker::stop);
        self.send(Command::Finish);
    }

    /// A command, behind everything shown before it.
    fn send(&self, command: Command) {
        self.flush();
        self.hand_over(command);
    }

    fn hand_over(&self, command: Command) {
        // Fails only when the screen thread has panicked, which it has said itself.
        let _ = self.commands.send(command);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            self.stop();
            let _ = threads.ended.recv_timeout(DROP_WAIT);
        }
        if let Some(mode) = &self.mode {
            mode.leave();
        }
    }
}

/// Whether a person sits at both ends of this program: stdin and stdout are a terminal.
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// One text on stdout, of a program that has no screen. A reader that is gone does not matter.
pub fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{}", Safe(text.trim_end()));
}

/// One line on stderr, of a program that has no screen (yet, or any more).
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "handoff: {}", marked(line));
}

/// A safe text whose lines but the first cannot pose as lines of their own.
fn marked(text: &str) -> String {
    Safe(text).to_string().replace('\n', "\n  | ")
}

/// Where the log goes while a screen has the terminal.
static LOG: Mutex<Option<Sender<String>>> = Mutex::new(None);
/// Log lines that found no room.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

fn log_target() -> MutexGuard<'static, Option<Sender<String>>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where env_logger writes (`Target::Pipe`): through the screen thread, or straight to stderr when
/// there is none. Never blocks on a screen nobody reads; lines without room are dropped and
/// counted.
pub fn log_writer() -> Box<dyn Write + Send> {
    Box::new(LogWriter)
}

struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let line = line.trim_end_matches('\n');
        let target = log_target();
        let sent = match target.as_ref() {
            Some(target) => target.try_send(line.to_owned()),
            None => Err(TrySendError::Disconnected(line.to_owned())),
        };
        match sent {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Disconnected(line)) => writeln!(io::stderr(), "{}", marked(&line))?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
