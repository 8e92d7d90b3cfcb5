//! The input thread: it reads stdin as keys for the editor, or as lines for a script.
//!
//! The thread waits for stdin, for a resized window, for SIGCONT and for a [`Waker`], which ends
//! it. Its memory is bounded: it drops the rest of a line that is too long while it reads the line,
//! and reports that.

use std::io;
use std::mem;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;
use signal_hook::consts::{SIGCONT, SIGWINCH};
use signal_hook::{SigId, low_level};

use super::keys::{Decoder, Key};
use super::{Event, Typed};

/// The most bytes of one read.
const READ: usize = 8 * 1024;
/// How long to wait for the rest of an escape sequence. If no rest comes, the key was Escape.
const ESCAPE_WAIT: Duration = Duration::from_millis(50);
/// If this many Ctrl-C keys wait for the screen thread, that thread counts as stuck in a write.
const STUCK: usize = 2;
/// The byte order mark of UTF-8, which some programs put before the first line.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// stdin and the other sources for which the input thread waits.
pub(super) struct Input {
    wake_pipe: UnixStream,
    stop_requests: Receiver<()>,
    resize_handler: SigId,
    /// The pipe that reports SIGCONT, and the signal handler that writes to it.
    continue_pipe: (UnixStream, SigId),
}

/// Ends the input thread.
pub(super) struct Waker {
    wake: UnixStream,
    stop: Sender<()>,
}

/// What woke the thread.
enum Came {
    Bytes(usize),
    Resized,
    Continued,
    Stopped,
    /// The time to wait is over.
    Nothing,
}

impl Waker {
    pub(super) fn stop(&self) {
        let _ = self.stop.try_send(());
        // The reader may be gone already.
        let _ = self.wake.shutdown(std::net::Shutdown::Both);
    }
}

impl Input {
    pub(super) fn new() -> io::Result<(Input, Waker)> {
        let (wake_pipe, wake) = UnixStream::pair()?;
        let resize_handler = low_level::pipe::register(SIGWINCH, wake.try_clone()?)?;
        let (continued, wake_too) = UnixStream::pair()?;
        let continue_pipe = (continued, low_level::pipe::register(SIGCONT, wake_too)?);
        let (stop, stop_requests) = bounded(1);
        Ok((
            Input { wake_pipe, stop_requests, resize_handler, continue_pipe },
            Waker { wake, stop },
        ))
    }

    /// Reads keys until stopped. The screen thread decides what Ctrl-C does, because it has the
    /// line; `interrupts` counts the Ctrl-C keys that wait for it. While the screen thread is stuck
    /// in a write that nobody reads, Ctrl-C goes straight to the loop.
    pub(super) fn read_keys(
        self,
        keys: &Sender<Key>,
        events: &Sender<Event>,
        interrupts: &AtomicUsize,
    ) {
        let mut decoder = Decoder::default();
        let mut bytes = [0; READ];
        loop {
            let wait = decoder.is_mid_escape().then_some(ESCAPE_WAIT);
            match self.read(&mut bytes, wait) {
                Ok(Came::Bytes(0)) => {
                    let gone = io::Error::new(io::ErrorKind::UnexpectedEof, "the terminal is gone");
                    let _ = events.send(Event::Gone(gone));
                    return;
                }
                Ok(Came::Bytes(length)) => decoder.push(&bytes[..length], |key| {
                    let _ = match key {
                        Key::Interrupt if interrupts.load(Ordering::Relaxed) >= STUCK => {
                            events.send(Event::Interrupt { again: true }).is_ok()
                        }
                        key => {
                            interrupts.fetch_add((key == Key::Interrupt).into(), Ordering::Relaxed);
                            keys.send(key).is_ok()
                        }
                    };
                }),
                Ok(Came::Resized) => {
                    let _ = keys.send(Key::Resized);
                }
                Ok(Came::Continued) => {
                    let _ = keys.send(Key::Continued);
                }
                Ok(Came::Nothing) => {
                    if let Some(key) = decoder.give_up_escape() {
                        let _ = keys.send(key);
                    }
                }
                Ok(Came::Stopped) => return,
                Err(error) => {
                    let _ = events.send(Event::Gone(error));
                    return;
                }
            }
        }
    }

    /// Reads lines until stdin ends or the thread is stopped. A person may go on after one Ctrl-D:
    /// for a person, stdin ends only with a second Ctrl-D right after the first one.
    pub(super) fn read_lines(self, limit: usize, typed: &Sender<Typed>, is_person: bool) {
        let mut lines = Lines::new(limit, is_person);
        let mut has_ended = !is_person;
        let mut bytes = [0; READ];
        loop {
            match self.read(&mut bytes, None) {
                Ok(Came::Bytes(0)) if mem::replace(&mut has_ended, true) => break,
                Ok(Came::Bytes(0)) => {
                    if !self.end(typed, &mut lines) {
                        return;
                    }
                }
                Ok(Came::Bytes(length)) => {
                    has_ended = !is_person;
                    let mut rest = &bytes[..length];
                    while let Some(line) = lines.next(&mut rest) {
                        if !self.send(typed, line) {
                            return;
                        }
                    }
                }
                Ok(Came::Resized | Came::Continued | Came::Nothing) => {}
                Ok(Came::Stopped) => return,
                Err(error) => {
                    log::info!("stdin cannot be read: {error}");
                    break;
                }
            }
        }
        self.end(typed, &mut lines);
    }

    /// Sends the text after the last line break as a line, and then the end.
    fn end(&self, typed: &Sender<Typed>, lines: &mut Lines) -> bool {
        let last = lines.last().is_none_or(|line| self.send(typed, line));
        last && self.send(typed, Typed::End)
    }

    /// Waits until the loop takes the line; `false` if the loop has ended or this thread is
    /// stopped.
    fn send(&self, typed: &Sender<Typed>, line: Typed) -> bool {
        select! {
            send(typed, line) -> sent => sent.is_ok(),
            recv(self.stop_requests) -> _ => false,
        }
    }

    fn read(&self, bytes: &mut [u8], wait: Option<Duration>) -> io::Result<Came> {
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        loop {
            let mut sources = [
                PollFd::from_borrowed_fd(stdin(), PollFlags::IN),
                PollFd::new(&self.wake_pipe, PollFlags::IN),
                PollFd::new(&self.continue_pipe.0, PollFlags::IN),
            ];
            match poll(&mut sources, wait.as_ref()) {
                Ok(0) => return Ok(Came::Nothing),
                Err(rustix::io::Errno::INTR) => continue,
                polled => polled?,
            };
            let [readable, woken, continued] = sources.map(|source| !source.revents().is_empty());
            let mut signals = [0; 64];
            if continued {
                // The signal handler wrote this byte, to report SIGCONT.
                let _ = rustix::io::read(&self.continue_pipe.0, &mut signals);
                return Ok(Came::Continued);
            }
            if woken {
                let resized =
                    rustix::io::read(&self.wake_pipe, &mut signals).is_ok_and(|length| length > 0);
                return Ok(if resized { Came::Resized } else { Came::Stopped });
            }
            if readable {
                match rustix::io::read(stdin(), &mut *bytes) {
                    // Another program of this terminal may have set O_NONBLOCK.
                    Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                    read => return Ok(Came::Bytes(read?)),
                }
            }
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        low_level::unregister(self.resize_handler);
        low_level::unregister(self.continue_pipe.1);
    }
}

/// Turns bytes into lines. Holds at most `limit` bytes and the end of a line.
struct Lines {
    limit: usize,
    line: Vec<u8>,
    /// The line is over the limit: the rest of it is dropped.
    is_too_long: bool,
    /// This is the first line: a byte order mark may stand before it.
    is_first: bool,
    /// A person types: an empty line is reported, too.
    is_person: bool,
}

impl Lines {
    fn new(limit: usize, is_person: bool) -> Lines {
        Lines { limit, line: Vec::new(), is_too_long: false, is_first: true, is_person }
    }

    /// The next whole line in `bytes`. Removes the bytes that it has used from `bytes`.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Typed> {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            // A byte order mark and a carriage return do not count against the limit.
            let room = self.limit + 1 + if self.is_first { MARK.len() } else { 0 };
            self.is_too_long |= part.len() > room - self.line.len();
            if !self.is_too_long {
                self.line.extend_from_slice(part);
            }
            *bytes = rest.get(1..).unwrap_or_default();
            if end.is_some() {
                let enter = self.is_person.then_some(Typed::Enter);
                if let Some(line) = self.last().or(enter) {
                    return Some(line);
                }
            }
        }
        None
    }

    /// Ends the line that is being read, and returns it; `None` if it is empty.
    fn last(&mut self) -> Option<Typed> {
        let mut line = mem::take(&mut self.line);
        if mem::take(&mut self.is_first) && line.starts_with(MARK) {
            line.drain(..MARK.len());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if mem::take(&mut self.is_too_long) || line.len() > self.limit {
            return Some(Typed::Refused(format!(
                "a line has more than {} bytes and is not sent",
                self.limit
            )));
        }
        match String::from_utf8(line) {
            Ok(line) if line.trim().is_empty() => None,
            Ok(line) => Some(Typed::Line(line)),
            Err(_) => Some(Typed::Refused(format!(
                "a line is not UTF-8 text of at most {} bytes and is not sent",
                self.limit
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(limit: usize, pieces: &[&[u8]]) -> Vec<Typed> {
        let mut lines = Lines::new(limit, false);
        let mut all = Vec::new();
        for mut piece in pieces.iter().copied() {
            all.extend(std::iter::from_fn(|| lines.next(&mut piece)));
        }
        all.extend(lines.last());
        all
    }

    fn line(text: &str) -> Typed {
        Typed::Line(text.into())
    }

    #[test]
    fn lines_are_split_wherever_the_reads_fall() {
        assert_eq!(
            lines(9, &[b"one\r\ntw", b"o\n\n \n", b"three"]),
            [line("one"), line("two"), line("three")]
        );
        assert_eq!(lines(9, &[b"one\r", b"\ntwo\r"]), [line("one"), line("two")]);
    }

    #[test]
    fn an_empty_line_that_a_person_types_is_an_enter() {
        let mut lines = Lines::new(9, true);
        let mut typed = &b"one\n\n \r\ntwo\n"[..];
        let all: Vec<_> = std::iter::from_fn(|| lines.next(&mut typed)).collect();
        assert_eq!(all, [line("one"), Typed::Enter, Typed::Enter, line("two")]);
        assert_eq!(lines.last(), None, "the end is none");
    }

    #[test]
    fn a_line_over_the_limit_is_refused_once_and_the_next_is_read() {
        let long = lines(3, &[b"abc\r\nabcd\r\nab", b"cdefgh", b"ij\nxyz"]);
        let [Typed::Line(_), Typed::Refused(why), Typed::Refused(_), Typed::Line(_)] = &long[..]
        else {
            panic!("{long:?}")
        };
        assert!(why.contains("3 bytes"), "{why}");
    }

    #[test]
    fn one_byte_order_mark_before_the_first_line_is_skipped_wherever_the_reads_fall() {
        for pieces in
            [&[&b"\xef\xbb\xbf/human\r\nhi"[..]][..], &[b"\xef", b"\xbb\xbf/", b"human\nhi"]]
        {
            assert_eq!(lines(9, pieces), [line("/human"), line("hi")]);
        }
        let text = "\u{feff}\u{feff}one\n\u{feff}two";
        assert_eq!(
            lines(9, &[text.as_bytes()]),
            [line("\u{feff}one"), line("\u{feff}two")],
            "only one"
        );
        assert_eq!(
            lines(9, &["\u{feff}\n\u{feff}x".as_bytes()]),
            [line("\u{feff}x")],
            "only before the first line"
        );
        assert_eq!(lines(9, &["\u{feff}".as_bytes()]), []);
    }

    #[test]
    fn a_byte_order_mark_does_not_count_against_the_limit() {
        assert_eq!(lines(3, &["\u{feff}abc\r\nabc".as_bytes()]), [line("abc"), line("abc")]);
        assert!(matches!(
            &lines(3, &["\u{feff}abcd\nabc".as_bytes()])[..],
            [Typed::Refused(_), Typed::Line(_)]
        ));
        assert!(matches!(
            &lines(3, &[b"a\nabcd\r\nabcdef\n"])[..],
            [_, Typed::Refused(_), Typed::Refused(_)]
        ));
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let mut endless = Lines::new(100, false);
        for _ in 0..10_000 {
            assert_eq!(endless.next(&mut &[b'a'; READ][..]), None);
        }
        assert!(endless.line.capacity() <= 2 * READ);
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_refused() {
        assert!(matches!(&lines(9, &[b"\xff\nok\n"])[..], [Typed::Refused(_), Typed::Line(_)]));
    }
}
