//! One connection of the socket thread: its bytes in both directions and its clocks.
//!
//! ```text
//! Open --close--> Flushing --all written, shutdown(Write)--> Lingering --peer's end--> over
//! ```
//!
//! [`Stream`] is the one place where plain bytes become socket bytes: TLS goes there
//! (sans-IO, in this thread) and nothing else of net changes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use polling::Poller;

use super::{Closed, Conn, Limits, Registered};

/// An idle one holds no buffer: under 300 bytes in all.
pub(super) struct Connection {
    stream: Stream,
    phase: Phase,
    /// What waits to be written, from `written` on. One buffer, so that many small
    /// sends leave in one write; freed when empty.
    out: Vec<u8>,
    written: usize,
    /// The last write did not take all: the poller tells when to go on.
    blocked: bool,
    /// The peer's end was read while we still flush.
    ended: bool,
    /// The loop let it in, or we dialled it.
    admitted: bool,
    /// Not to be read for now.
    held: Option<Held>,
    /// The poller does not tell what comes, since it is not to be read.
    deaf: bool,
    /// When a byte came last, when we queued something last, when the peer took
    /// something last.
    heard: Instant,
    spoke: Instant,
    moved: Instant,
    deadline: Option<(Instant, &'static str)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Open,
    Flushing,
    Lingering { until: Instant },
    Over,
}

/// What came last is with the loop; or the loop said that it shall rest.
#[derive(Clone, Copy)]
struct Held {
    since: Instant,
    until: Option<Instant>,
}

/// What reading brought.
pub(super) enum Input {
    /// So many bytes at the front of the buffer.
    Bytes(usize),
    /// Nothing that matters: none there yet, or it came after our close.
    Nothing,
    /// Nothing more will.
    Ended(Closed),
}

impl Connection {
    /// Takes over a connected socket.
    pub(super) fn new(
        poller: &Arc<Poller>,
        conn: Conn,
        socket: TcpStream,
        admitted: bool,
        now: Instant,
    ) -> io::Result<Connection> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Connection {
            stream: Stream { socket: Registered::new(poller, conn, socket)? },
            phase: Phase::Open,
            out: Vec::new(),
            written: 0,
            blocked: false,
            ended: false,
            admitted,
            held: None,
            deaf: false,
            heard: now,
            spoke: now,
            moved: now,
            deadline: None,
        })
    }

    /// Arms or clears the deadline.
    pub(super) fn expect(&mut self, deadline: Option<(Instant, &'static str)>) {
        if self.phase == Phase::Open {
            self.deadline = deadline;
        }
    }

    /// Lets it in.
    pub(super) fn admit(&mut self) {
        self.admitted = true;
    }

    /// Whether it is no stranger.
    pub(super) fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// Whether it is not to be read.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether what comes is not even told.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Until when it rests, if it does.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.held.and_then(|held| held.until)
    }

    /// What was read is dealt with: reads again, or rests until then.
    pub(super) fn read_on(&mut self, until: Option<Instant>, now: Instant) -> io::Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        self.excuse(now - held.since);
        if until.is_some() {
            self.held = Some(Held { since: now, until });
            return Ok(());
        }
        self.listen()
    }

    /// It was not read for so long, and so it was neither silent nor late. A stranger is: it has its time, however it
    /// uses it.
    fn excuse(&mut self, unread: Duration) {
        self.heard += unread;
        if let (true, Some((at, _))) = (self.admitted, &mut self.deadline) {
            *at += unread;
        }
    }

    /// The poller tells again what comes.
    fn listen(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.deaf) { self.register() } else { Ok(()) }
    }

    /// Something came that is not to be read: the poller need not tell it again.
    pub(super) fn defer(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.deaf, true) { Ok(()) } else { self.register() }
    }

    /// Queues `bytes`; nothing after `close`.
    pub(super) fn queue(&mut self, bytes: Vec<u8>, now: Instant) {
        if self.phase != Phase::Open || bytes.is_empty() {
            return;
        }
        self.spoke = now;
        if self.out.is_empty() {
            self.out = bytes;
            self.moved = now;
        } else {
            // At least half of the buffer is gone: moving the rest costs what it spares.
            if self.written * 2 >= self.out.len() {
                self.out.drain(..self.written);
                self.written = 0;
            }
            self.out.extend_from_slice(&bytes);
        }
    }

    /// How much waits to be written.
    pub(super) fn backlog(&self) -> usize {
        self.out.len() - self.written
    }

    /// Whether a write would be in vain until the poller says otherwise.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether all is done and the connection can be dropped as closed by us.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// No more from us than what is queued. What comes from now on is discarded.
    pub(super) fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Flushing;
            self.deadline = None;
            self.held = None;
            // If this fails the peer's end is not heard: the linger is waited for.
            let _ = self.listen();
        }
    }

    /// Writes what the socket takes, in one call, and when all is out takes the next
    /// step of a close.
    pub(super) fn write(&mut self, now: Instant, limits: &Limits) -> io::Result<()> {
        if self.backlog() > 0 {
            let taken = match self.stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(error) if is_not_now(&error) => 0,
                Err(error) => return Err(error),
            };
            if taken > 0 {
                self.moved = now;
                self.written += taken;
            }
        }
        let blocked = self.backlog() > 0;
        if !blocked && !self.out.is_empty() {
            self.out = Vec::new();
            self.written = 0;
        }
        if blocked != self.blocked {
            self.blocked = blocked;
            self.register()?;
        }
        if !blocked && self.phase == Phase::Flushing {
            self.end_output(now, limits);
        }
        Ok(())
    }

    fn end_output(&mut self, now: Instant, limits: &Limits) {
        // It fails only when the connection is gone already; reading tells that too.
        let _ = self.stream.shutdown();
        self.phase = if self.ended { Phase::Over } else { Phase::Lingering { until: now + limits.linger } };
    }

    /// Reads once, at most a buffer's length: the rest is another turn's.
    pub(super) fn read(&mut self, buffer: &mut [u8], now: Instant) -> Input {
        match self.stream.read(buffer) {
            Ok(0) => self.ended(),
            Ok(count) => {
                self.heard = now;
                if self.phase != Phase::Open {
                    return Input::Nothing;
                }
                self.held.get_or_insert(Held { since: now, until: None });
                Input::Bytes(count)
            }
            Err(error) if is_not_now(&error) => Input::Nothing,
            Err(error) => match self.phase {
                Phase::Open | Phase::Flushing => Input::Ended(Closed::Broken(error)),
                // All was written, and the peer has no more to say.
                Phase::Lingering { .. } | Phase::Over => Input::Ended(Closed::ByUs),
            },
        }
    }

    fn ended(&mut self) -> Input {
        match self.phase {
            Phase::Open => Input::Ended(Closed::ByPeer),
            Phase::Lingering { .. } | Phase::Over => Input::Ended(Closed::ByUs),
            // Both ends close at once: the peer has said all, but it still reads.
            Phase::Flushing => {
                self.ended = true;
                match self.register() {
                    Ok(()) => Input::Nothing,
                    Err(error) => Input::Ended(Closed::Broken(error)),
                }
            }
        }
    }

    /// The deadline that is over, if one is.
    pub(super) fn overdue(&self, now: Instant, limits: &Limits) -> Option<Closed> {
        if let Phase::Lingering { until } = self.phase {
            return (now >= until).then_some(Closed::ByUs);
        }
        let excused = self.held.is_some();
        match self.deadline {
            Some((at, what)) if now >= at && !(excused && self.admitted) => return Some(Closed::Deadline(what)),
            _ => {}
        }
        if self.backlog() > 0 && now >= self.moved + limits.stalled_after {
            return Some(Closed::Stalled);
        }
        (!self.ended && !excused && now >= self.heard + limits.keepalive.dead).then_some(Closed::Silent)
    }

    /// Whether the peer should hear that we live.
    pub(super) fn is_quiet(&self, now: Instant, limits: &Limits) -> bool {
        self.phase == Phase::Open && self.backlog() == 0 && now >= self.spoke + limits.keepalive.after
    }

    fn register(&self) -> io::Result<()> {
        // An end that was read is told again and again to who still wants to read.
        self.stream.socket.want(!self.ended && !self.deaf, self.blocked)
    }
}

/// Plain bytes on this side, socket bytes on the other.
struct Stream {
    socket: Registered<TcpStream>,
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.socket.source).read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        crate::failpoint::hit("before-send");
        let taken = (&self.socket.source).write(bytes);
        crate::failpoint::hit("after-send");
        taken
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.socket.source.shutdown(Shutdown::Write)
    }
}

/// Not an error: the poller tells when there is more to do.
pub(super) fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
