//! The screen thread: the only writer of stdout and stderr.
//!
//! It takes all reports, keys and log lines that wait, makes one write of them, and only then tells
//! the loop which reports are shown. It may block in a write for as long as nobody reads. It writes
//! JSON, `layout::Shown`, `render::Row` and cursor movements, and nothing else: so a peer's text
//! reaches the screen only in these safe forms.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::mem;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, never, select};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::tcgetwinsize;

use super::attention::{ring, title};
use super::board::Board;
use super::keys::Key;
use super::layout::Shown;
use super::mode::{ENTER, LEAVE, Leave, RawMode};
use super::render::{Answer, Look, Place, Row, Stream, plain, plain_note, stream};
use super::words::detail;
use super::{DROPPED, Event, suspend};
use crate::core::report::Report;
use crate::wire::ConversationId;

/// The most items in one write, so that the first of many does not wait for the last.
const BATCH: usize = 256;
/// The desk's answer to Ctrl-Z and SIGTSTP.
const NOT_SUSPENDED: &str =
    "a desk cannot be suspended, its customers would lose it; /quit ends it";

/// What a notification says to a customer.
const ANSWERED: &str = "a human has answered";

/// How reports are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One JSON object per line.
    Json,
    /// Plain lines.
    Plain,
    /// Rows above a line editor.
    Terminal,
}

/// A command of the loop.
pub(super) enum Command {
    Show(Vec<Report>),
    Prompt { prompt: String, short: String, focus: Option<ConversationId> },
    List(Vec<String>),
    Refuse { why: String, line: String },
    Insert(String),
    Complete { line: String, rest: String },
    Ring(String),
    Title(u32),
    Finish,
}

/// The state of the screen thread.
pub(super) struct Output {
    way: Way,
    look: Look,
    board: Option<Board>,
    mode: Option<Arc<RawMode>>,
    events: Sender<Event>,
    /// The number of reports that this thread has taken from the loop.
    taken_count: u64,
    /// The number of reports that were written, which the loop reads.
    shown_count: Arc<AtomicU64>,
    /// The number of Ctrl-C keys on their way from the input thread.
    interrupts: Arc<AtomicUsize>,
    /// The last key was Ctrl-C on an empty line.
    is_interrupted: bool,
    pub(super) may_suspend: bool,
    /// Unbuffered copies of stdout and stderr: no bytes are left to be written at exit.
    stdout: Outlet,
    stderr: Outlet,
    /// Bytes for the next write to stdout.
    unwritten: Vec<u8>,
    /// Rows that the next frame puts above the editor.
    above: Vec<Row>,
    /// Whether a new frame has to be drawn.
    is_dirty: bool,
    /// A write to stdout has failed.
    is_stdout_gone: bool,
    /// At the customer's side: whether the agent has answered the customer's latest line.
    is_answered: bool,
    /// The number of lines of the list that this thread last reported to the loop.
    list_rows: u16,
}

/// stdout or stderr.
struct Outlet {
    file: File,
    is_terminal: bool,
}

impl Outlet {
    fn new(stream: &(impl AsFd + IsTerminal)) -> io::Result<Outlet> {
        Ok(Outlet {
            file: File::from(stream.as_fd().try_clone_to_owned()?),
            is_terminal: stream.is_terminal(),
        })
    }

    /// Where plain lines go. A terminal would break a line of more columns itself, and its second
    /// row would have no prefix.
    fn place(&self) -> Place {
        if !self.is_terminal {
            return Place::Pipe;
        }
        Place::Terminal { columns: line_columns(&self.file) }
    }
}

/// The most columns of a plain line at this terminal. The last column stays free, because some
/// terminals break there.
pub(super) fn line_columns(terminal: impl AsFd) -> usize {
    let columns = tcgetwinsize(terminal).map_or(0, |size| usize::from(size.ws_col));
    // A terminal that does not know its size says 0.
    columns.checked_sub(1).unwrap_or(usize::MAX)
}

impl Output {
    pub(super) fn new(
        way: Way,
        look: Look,
        board: Option<Board>,
        mode: Option<Arc<RawMode>>,
        events: Sender<Event>,
        shown_count: Arc<AtomicU64>,
        interrupts: Arc<AtomicUsize>,
    ) -> io::Result<Output> {
        let (stdout, stderr) = (Outlet::new(&io::stdout())?, Outlet::new(&io::stderr())?);
        let (unwritten, above) = (Vec::new(), Vec::new());
        Ok(Output {
            way,
            look,
            board,
            mode,
            events,
            taken_count: 0,
            shown_count,
            interrupts,
            is_interrupted: false,
            may_suspend: true,
            stdout,
            stderr,
            unwritten,
            above,
            is_dirty: true,
            is_stdout_gone: false,
            is_answered: false,
            list_rows: 0,
        })
    }

    /// Runs until [`Command::Finish`], or until the loop is gone.
    pub(super) fn run(
        &mut self,
        commands: &Receiver<Command>,
        mut keys: Receiver<Key>,
        mut log: Receiver<String>,
        mut suspensions: Receiver<()>,
    ) {
        let mode = self.mode.clone();
        let _leave = Leave(mode.as_deref());
        if self.board.is_some() {
            self.unwritten.extend_from_slice(ENTER);
        }
        self.tell_list_rows();
        self.write();
        let mut going = true;
        while going {
            select! {
                recv(commands) -> command => going = self.obey(command.unwrap_or(Command::Finish)),
                recv(keys) -> key => key.map_or_else(|_| keys = never(), |key| self.press(&key)),
                recv(log) -> line => line.map_or_else(|_| log = never(), |line| self.log(&line)),
                recv(suspensions) -> request => {
                    request.map_or_else(|_| suspensions = never(), |()| self.suspend());
                }
            }
            // A burst becomes one write.
            for command in commands.try_iter().take(BATCH) {
                going = going && self.obey(command);
            }
            keys.try_iter().take(BATCH).for_each(|key| self.press(&key));
            log.try_iter().take(BATCH).for_each(|line| self.log(&line));
            self.write();
        }
        log.try_iter().for_each(|line| self.log(&line));
        self.write();
        if let Some(board) = &mut self.board {
            self.unwritten = board.erase().into_bytes();
            self.write_stdout();
        }
    }

    /// Carries out a command; `false` to finish.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Show(reports) => {
                reports.iter().for_each(|report| self.show(report));
                self.taken_count += reports.len() as u64;
            }
            Command::Prompt { prompt, short, focus } => {
                if let Some(board) = &mut self.board {
                    board.prompt(&prompt, &short);
                    self.above.extend(board.focus(focus, &self.look));
                    self.is_dirty = true;
                }
            }
            Command::List(lines) => {
                if let Some(board) = &mut self.board {
                    board.list(&lines);
                    self.is_dirty = true;
                }
            }
            Command::Refuse { why, line } => {
                if self.board.is_some() {
                    let text = format!("{why} (not sent; the Up key brings your line back)");
                    self.show(&Report::Error { text });
                } else {
                    self.show(&Report::Error { text: why });
                    self.note("handoff: ", &format!("not sent: {line}"));
                }
            }
            Command::Complete { line, rest } => {
                if let Some(board) = &mut self.board {
                    board.complete(&line, &rest);
                    self.is_dirty = true;
                }
            }
            Command::Insert(text) => {
                if let Some(board) = &mut self.board {
                    self.above.extend(board.insert(text, &self.look));
                    self.is_dirty = true;
                }
            }
            Command::Ring(text) => self.unwritten.extend(ring(&Shown::line(&text)).into_bytes()),
            Command::Title(count) => self.unwritten.extend(title(count).into_bytes()),
            Command::Finish => return false,
        }
        true
    }

    fn show(&mut self, report: &Report) {
        self.write_report(report);
        if let Some(detail) = detail(report, self.look.reader) {
            log::info!("{detail}");
        }
        self.look.note_link(report);
    }

    fn write_report(&mut self, report: &Report) {
        match (self.way, &self.board) {
            (Way::Json, _) => {
                // This never fails: a report has string keys, and a Vec takes every byte.
                let _ = serde_json::to_writer(&mut self.unwritten, report);
                self.unwritten.push(b'\n');
            }
            (Way::Terminal, Some(board)) => {
                match self.look.answer(report) {
                    Some(Answer::Given) if !mem::replace(&mut self.is_answered, true) => {
                        self.unwritten.extend(ring(&Shown::own(ANSWERED)).into_bytes());
                    }
                    Some(Answer::Due) => self.is_answered = false,
                    _ => {}
                }
                if let Some(rows) = self.look.draw(report, board.columns()) {
                    self.above.extend(rows);
                    self.is_dirty = true;
                }
            }
            _ => {
                let stream = stream(report);
                let place = match stream {
                    Stream::Out => self.stdout.place(),
                    Stream::Err => self.stderr.place(),
                };
                let Some(lines) = plain(report, self.look.reader, place) else { return };
                match stream {
                    Stream::Out => put_lines(&mut self.unwritten, &lines),
                    Stream::Err => self.write_stderr(&lines),
                }
            }
        }
    }

    fn press(&mut self, key: &Key) {
        let Some(board) = &mut self.board else { return };
        self.is_dirty = true;
        match key {
            Key::Interrupt => {
                self.interrupts.fetch_sub(1, Ordering::Relaxed);
                // On a line with text, Ctrl-C only clears the line.
                let was_empty = !board.drop_line();
                let again = mem::replace(&mut self.is_interrupted, was_empty);
                if was_empty {
                    let _ = self.events.send(Event::Interrupt { again });
                }
            }
            Key::Suspend if self.look.is_agent() => self.suspend(),
            Key::Suspend => suspend::ask_group(),
            // After a SIGSTOP a shell had the terminal and changed its mode; the shell's last line
            // is above the cursor.
            Key::Continued if self.mode.as_ref().is_some_and(|mode| mode.is_lost()) => {
                self.resume()
            }
            key => {
                self.is_interrupted &= matches!(key, Key::Resized | Key::Continued);
                self.above.extend(board.press(key, &self.look));
                if *key == Key::Resized {
                    self.tell_list_rows();
                    return;
                }
                if matches!(key, Key::Text(_) | Key::Paste(_) | Key::Newline) {
                    board.tell_draft();
                }
            }
        }
    }

    /// Acts on SIGTSTP, or on Ctrl-Z at a desk. A desk says that it cannot be suspended. Any other
    /// program leaves the terminal to the shell until it is continued.
    fn suspend(&mut self) {
        if !self.may_suspend {
            self.show(&Report::Error { text: NOT_SUSPENDED.to_owned() });
            return;
        }
        self.write();
        if let (Some(board), Some(mode)) = (&mut self.board, &self.mode) {
            self.unwritten.extend(board.erase().into_bytes());
            self.unwritten.extend_from_slice(LEAVE);
            mode.leave();
            self.write_stdout();
            suspend::stop();
            self.resume();
        }
    }

    /// Takes the terminal back, and draws the editor's line below what the shell wrote meanwhile.
    fn resume(&mut self) {
        if let (Some(board), Some(mode)) = (&mut self.board, &self.mode) {
            // If the terminal is gone, the input thread reports it.
            let _ = mode.resume();
            self.unwritten.extend_from_slice(ENTER);
            board.resume();
            self.is_dirty = true;
            self.tell_list_rows();
        }
    }

    /// Tells the loop how many lines of the list the window shows, if that has changed.
    fn tell_list_rows(&mut self) {
        let rows = self.board.as_ref().map_or(0, Board::list_rows);
        if mem::replace(&mut self.list_rows, rows) != rows {
            let _ = self.events.send(Event::ListRows(rows));
        }
    }

    fn log(&mut self, line: &str) {
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.log_line(&format!("{dropped} log lines were dropped: the screen was not read"));
        }
        self.log_line(line);
    }

    fn log_line(&mut self, line: &str) {
        match &self.board {
            // stderr is the editor's terminal: the log line goes above the editor's line.
            Some(board) if self.stderr.is_terminal => {
                self.above.extend(self.look.aside("", &Shown::text(line), board.columns()));
                self.is_dirty = true;
            }
            _ => self.note("", line),
        }
    }

    /// Writes a text of the program's own as plain lines to stderr.
    fn note(&mut self, mark: &'static str, text: &str) {
        let lines = plain_note(mark, &Shown::text(text), self.stderr.place());
        self.write_stderr(&lines);
    }

    /// Writes everything that waits. Then tells the loop which reports are shown.
    fn write(&mut self) {
        if let Some(board) = &mut self.board
            && mem::take(&mut self.is_dirty)
        {
            self.unwritten.extend(board.frame(&mem::take(&mut self.above), &self.look));
        }
        self.write_stdout();
        if self.shown_count.swap(self.taken_count, Ordering::Relaxed) < self.taken_count
            && !self.is_stdout_gone
        {
            let _ = self.events.send(Event::Shown(self.taken_count));
        }
    }

    fn write_stdout(&mut self) {
        let bytes = mem::take(&mut self.unwritten);
        if self.is_stdout_gone || bytes.is_empty() {
            return;
        }
        if let Err(error) = write_all(&mut self.stdout.file, &bytes) {
            self.is_stdout_gone = true;
            let _ = self.events.send(Event::Gone(error));
        }
    }

    /// Writes lines to stderr, after the bytes that wait for stdout, so that their order stays. A
    /// stderr that is gone is no fault.
    fn write_stderr(&mut self, lines: &[Shown]) {
        self.write_stdout();
        let mut bytes = Vec::new();
        put_lines(&mut bytes, lines);
        let _ = write_all(&mut self.stderr.file, &bytes);
    }
}

fn put_lines(bytes: &mut Vec<u8>, lines: &[Shown]) {
    for line in lines {
        bytes.extend_from_slice(line.as_str().as_bytes());
        bytes.push(b'\n');
    }
}

/// Like `Write::write_all`, but also works if another program has set O_NONBLOCK on the terminal.
fn write_all(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut room = [PollFd::new(&*file, PollFlags::OUT)];
                if let Err(error) = poll(&mut room, None)
                    && error != rustix::io::Errno::INTR
                {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
