//! stdin and the screen, for both modes: a person at a terminal, a pipe, or a script.
//!
//! A mode's loop gives this room `Report`s to show, and gets the lines that were typed. Two threads
//! do the work. The input thread is the only reader of stdin. The screen thread is the only writer
//! of stdout and stderr: so no output breaks the line that is being typed, and an output that
//! nobody reads blocks that thread alone. The loop decides what a line means; `words` and `render`
//! decide what a person reads of a report.
//!
//! The line editor is our own, over `rustix`: rustyline cannot change its prompt or erase its line
//! while it reads, reedline polls for the output of others, and crossterm spins for ever when its
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
use crate::wire::{Author, ConversationId};
use board::Board;
use input::{Input, Waker};
use layout::{Shown, wrap};
use mode::RawMode;
use render::Look;
use screen::{Command, Output, Way, line_columns};
use words::Reader;

pub use words::Tone;

mod attention;
mod board;
mod editor;
mod field;
mod input;
mod keys;
mod layout;
mod mode;
mod page_words;
mod render;
mod screen;
mod shop_words;
mod side_list;
mod suspend;
mod words;

/// The number of reports not yet on the screen at which a loop stops taking input from the network.
pub const BACKLOG_MAX: u64 = 10_000;
/// The most log lines that wait for the screen thread. Further lines are dropped and counted.
const LOG_MAX: usize = 1_000;
/// The time that a dropped `Screen` gives its threads to write what is left.
const DROP_WAIT: Duration = Duration::from_secs(1);

/// How lines are read and reports are shown.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether each report is one JSON object per line.
    pub json: bool,
    /// Whether to do without editing and colour.
    pub plain: bool,
    /// The most bytes of a line (`wire::TEXT_MAX`).
    pub limit: usize,
    /// Who types here: the customer (`User`) or the agent (`Admin`).
    pub me: Author,
    /// Whether stdin is read.
    pub reads_stdin: bool,
    /// Whether a person may suspend the program. Nobody may suspend a desk: its customers would
    /// lose it.
    pub may_suspend: bool,
}

/// What was typed: a line, a part of one, or the end of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line, or a pasted block of several lines. Never empty.
    Line(String),
    /// A line that was typed while this conversation had the focus ([`Screen::prompt`]).
    LineTo(ConversationId, String),
    /// Enter in an empty line, which a person typed.
    Enter,
    /// A person changed the line in the editor, and it is no command. This is its beginning.
    Draft(String),
    /// The Tab key after a command that is not finished.
    Complete(String),
    /// A line cannot be taken; this sentence says why. Reading goes on after it.
    Refused(String),
    /// The end of the input, or Ctrl-D on an empty line.
    End,
}

/// What the terminal reports to the loop besides lines.
#[derive(Debug)]
pub enum Event {
    /// Ctrl-C in the editor while the line is empty. Without the editor, Ctrl-C is the signal
    /// SIGINT.
    Interrupt {
        /// The key before was Ctrl-C on an empty line, too.
        again: bool,
    },
    /// How many lines of the list of conversations ([`Screen::list`]) the window shows.
    ListRows(u16),
    /// Reports up to this ticket (see [`Screen::show`]) are written. Tickets grow; some are
    /// skipped.
    Shown(u64),
    /// stdout or the terminal is gone: nothing more is shown. This event may come twice.
    Gone(io::Error),
}

/// The loop's handle to the screen. Dropping it restores the terminal, after a second at most.
pub struct Screen {
    commands: Sender<Command>,
    /// The ticket of the last report.
    last_ticket: Cell<u64>,
    /// The number of reports that the screen thread has written.
    shown_count: Arc<AtomicU64>,
    /// Reports since the last flush.
    unflushed: RefCell<Vec<Report>>,
    /// The prompt and the focus that were sent last.
    last_prompt: RefCell<(String, Option<ConversationId>)>,
    last_title: Cell<u32>,
    is_interactive: bool,
    mode: Option<Arc<RawMode>>,
    /// `None` if stdin is not read.
    waker: Option<Waker>,
    threads: Option<Threads>,
}

/// The screen thread and, if stdin is read, the input thread. Each holds a sender of `thread_ends`
/// until it ends.
struct Threads {
    screen: JoinHandle<()>,
    input: Option<JoinHandle<()>>,
    thread_ends: Receiver<()>,
}

/// Keeps SIGTSTP from stopping the process at once, if something has to be done first: an editor
/// restores the terminal, and a desk where a person types says that it cannot be suspended. A mode
/// calls this before it starts any thread; [`start`] then handles the signal.
///
/// # Errors
/// When the system refuses.
pub fn hold_suspension(options: &Options) -> io::Result<()> {
    if holds_suspension(options) { suspend::hold() } else { Ok(()) }
}

fn holds_suspension(options: &Options) -> bool {
    let (interactive, way) = choose(options);
    way == Way::Terminal || (interactive && !options.may_suspend)
}

/// Takes stdin and the screen.
///
/// If stdin is not read, the channel of lines never has an item.
///
/// With an editor the channel of lines is unbounded, because a person types. Without one it holds
/// one line, and the input thread one more, so that a pipe is not read far ahead.
///
/// If stdin is a terminal and stdout is not (`handoff user | tee log`), the terminal itself edits
/// lines and the output is plain. This still counts as interactive: a person types.
///
/// # Errors
/// When the terminal's mode cannot be set or a thread cannot be started.
pub fn start(options: Options) -> io::Result<(Screen, Receiver<Typed>, Receiver<Event>)> {
    let (is_interactive, way) = choose(&options);
    let editing = way == Way::Terminal;
    let (commands, from_loop) = unbounded();
    let (events, to_loop) = unbounded();
    let (typed, lines) = if editing { unbounded() } else { bounded(1) };
    let (keys, pressed) = if editing { unbounded() } else { (bounded(0).0, never()) };
    let (log, logged) = bounded(LOG_MAX);
    let (alive, thread_ends) = bounded(0);
    let shown_count = Arc::new(AtomicU64::new(0));
    let interrupts = Arc::new(AtomicUsize::new(0));
    let suspensions = if holds_suspension(&options) { suspend::listen()? } else { never() };

    let (input, waker) =
        if options.reads_stdin { Some(Input::new()?).unzip() } else { (None, None) };
    let mode = if editing { Some(Arc::new(RawMode::enter()?)) } else { None };
    let reader = match (options.me, is_interactive) {
        (Author::Admin, _) => Reader::Agent,
        (_, true) => Reader::Customer { was_lost: false },
        (_, false) => Reader::Operator,
    };
    let look = Look::new(reader, env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()));
    let board =
        editing.then(|| Board::new(options.limit, typed.clone(), options.me == Author::Admin));
    let (shown_too, interrupts_too) = (Arc::clone(&shown_count), Arc::clone(&interrupts));
    let mut output =
        Output::new(way, look, board, mode.clone(), events.clone(), shown_too, interrupts_too)?;
    output.may_suspend = options.may_suspend;
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
                input.read_lines(options.limit, &typed, is_interactive)
            }
        })
    };
    let input = input.map(read).transpose()?;

    *log_target() = Some(log);
    let threads = Some(Threads { screen, input, thread_ends });
    Ok((
        Screen {
            commands,
            last_ticket: Cell::new(0),
            shown_count,
            unflushed: RefCell::default(),
            last_prompt: RefCell::default(),
            last_title: Cell::new(0),
            is_interactive,
            mode,
            waker,
            threads,
        },
        lines,
        to_loop,
    ))
}

/// Whether a person types, and how reports are shown.
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
    /// Whether a person types; otherwise a script does.
    pub fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// Whether stdin is read. A desk with `--no-terminal` does not read it, and goes on when stdout
    /// is gone.
    pub fn reads_lines(&self) -> bool {
        self.threads.as_ref().is_some_and(|threads| threads.input.is_some())
    }

    /// Whether there is a prompt.
    pub fn has_prompt(&self) -> bool {
        self.mode.is_some()
    }

    /// Shows a report, and returns its ticket. Never blocks and never loses a report: it waits in
    /// memory until the next `flush`. While `backlog` is at [`BACKLOG_MAX`], a loop takes nothing
    /// from the network; each [`Event::Shown`] lowers `backlog`.
    pub fn show(&self, report: Report) -> u64 {
        self.last_ticket.set(self.last_ticket.get() + 1);
        self.unflushed.borrow_mut().push(report);
        self.last_ticket.get()
    }

    /// Sends the reports since the last flush to the screen thread. A loop calls this once a turn,
    /// so that the thread is woken once for all of them.
    pub fn flush(&self) {
        let reports = self.unflushed.take();
        if !reports.is_empty() {
            self.post(Command::Show(reports));
        }
    }

    /// The number of reports that are not written yet.
    pub fn backlog(&self) -> u64 {
        self.last_ticket.get() - self.shown_count.load(Ordering::Relaxed)
    }

    /// Sets the prompt, which says who gets the next line: `Ann (2)` is shown as `Ann (2)> `. It
    /// changes at once, also while a line is edited. Only the editor has a prompt.
    ///
    /// `short` is shown where there is no room for all of it. The next line goes to the
    /// conversation `focus`. A draft stays with the conversation that had the focus, and comes back
    /// with the focus. Prompt and draft change together: a line is always for the conversation that
    /// the prompt before it names.
    pub fn prompt(&self, prompt: String, short: String, focus: Option<ConversationId>) {
        // A loop calls this every turn. The screen thread is woken only for a new prompt.
        if self.mode.is_none() {
            return;
        }
        let mut last = self.last_prompt.borrow_mut();
        if last.0 != prompt || last.1 != focus {
            *last = (prompt.clone(), focus);
            self.send(Command::Prompt { prompt, short, focus });
        }
    }

    /// Shows these lines beside the conversation, as many as [`Event::ListRows`] said.
    pub fn list(&self, lines: Vec<String>) {
        if self.mode.is_some() {
            self.send(Command::List(lines));
        }
    }

    /// Puts a text into the line that is being typed, at the cursor.
    pub fn insert(&self, text: &str) {
        self.send(Command::Insert(text.to_owned()));
    }

    /// Adds `rest` to the command that is being typed, for the Tab key, if it is still `line`.
    pub fn complete(&self, line: &str, rest: &str) {
        self.send(Command::Complete { line: line.to_owned(), rest: rest.to_owned() });
    }

    /// Calls the person: by the bell and, where the terminal has it, by a notification.
    pub fn ring(&self, text: &str) {
        if self.mode.is_some() {
            self.send(Command::Ring(text.to_owned()));
        }
    }

    /// Shows in the terminal's title how many customers need an answer.
    pub fn title(&self, count: u32) {
        if self.mode.is_some() && self.last_title.replace(count) != count {
            self.send(Command::Title(count));
        }
    }

    /// Shows why a person's line was not sent. The editor keeps the line for the Up key; without an
    /// editor the line itself is shown on stderr.
    pub fn refuse(&self, why: &str, line: &str) {
        self.send(Command::Refuse { why: why.to_owned(), line: line.to_owned() });
    }

    /// Writes all reports, restores the terminal and ends the threads. If nobody reads the output,
    /// this waits without end; dropping the screen instead waits a second at most.
    pub fn finish(mut self) {
        self.stop();
        if let Some(threads) = self.threads.take() {
            // If a thread has panicked, its message is on stderr already.
            threads.input.map(JoinHandle::join);
            let _ = threads.screen.join();
        }
    }

    /// Asks both threads to end. From here on log lines go straight to stderr.
    fn stop(&self) {
        *log_target() = None;
        self.waker.iter().for_each(Waker::stop);
        self.send(Command::Finish);
    }

    /// Sends a command to the screen thread, after all earlier reports.
    fn send(&self, command: Command) {
        self.flush();
        self.post(command);
    }

    fn post(&self, command: Command) {
        // Fails only when the screen thread has panicked, and its panic is on stderr.
        let _ = self.commands.send(command);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            self.stop();
            let _ = threads.thread_ends.recv_timeout(DROP_WAIT);
        }
        if let Some(mode) = &self.mode {
            mode.leave();
        }
    }
}

/// The sentence that a person reads for a report, and how much attention it needs. `None` for a
/// message, and for a report that is only for programs.
pub fn sentence(report: &Report, me: Author) -> Option<(Tone, String)> {
    words::words(report, me).map(|(tone, text)| (tone, text.to_string()))
}

/// Whether stdin and stdout are both a terminal, so that a person types and reads.
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Prints a text on stdout, in a program that has no screen. A reader that is gone does not matter.
pub fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{}", Safe(text.trim_end()));
}

/// Prints lines of words, as `print` does. At a terminal a line that is too long breaks at a space.
/// It is not for a command, which a person could not copy then.
pub fn print_words(text: &str) {
    let stdout = io::stdout();
    let columns = if stdout.is_terminal() { line_columns(&stdout) } else { usize::MAX };
    for line in text.lines() {
        wrap(&Shown::text(line), columns, columns).iter().for_each(|row| print(row.as_str()));
    }
}

/// Prints one line on stderr, in a program that has no screen: not yet, or not any more.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "handoff: {}", marked(line));
}

/// A text that is safe to print. Each line after the first has a prefix, so that it cannot pose as
/// a line of the program.
fn marked(text: &str) -> String {
    Safe(text).to_string().replace('\n', "\n  | ")
}

/// The channel for log lines to the screen thread; `None` while there is no screen.
static LOG: Mutex<Option<Sender<String>>> = Mutex::new(None);
/// How many log lines were dropped since a log line was last shown.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

fn log_target() -> MutexGuard<'static, Option<Sender<String>>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writer for env_logger (`Target::Pipe`). It writes through the screen thread, or straight to
/// stderr if there is no screen. It never blocks on a screen that nobody reads: lines for which
/// there is no room are dropped and counted.
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
