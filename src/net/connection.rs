//! One connection of the socket thread: its bytes in both directions and its clocks.
//!
//! ```text
//! Opening --TLS handshake--> Open --close--> Flushing --all written, shutdown(Write)--> Lingering --peer's end--> over
//! ```
//!
//! In plaintext it begins `Open`. What plain bytes are on the socket is `stream`'s.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::Connection as Tls;

use super::poller::{Poller, Registered};
use super::stream::{Stream, is_not_now};
use super::{Closed, Conn, Dialect, Fingerprint, Limits};

/// An idle one holds no buffer: under 300 bytes in all, and what TLS keeps.
pub(super) struct Connection {
    stream: Stream,
    phase: Phase,
    /// What it may speak, and which of that it does; until TLS has agreed on one, the first.
    dialects: Arc<Vec<Dialect>>,
    spoken: u8,
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
    /// When a byte came last, when we queued something last (the loop begins), when the
    /// peer took something last.
    heard: Instant,
    spoke: Option<Instant>,
    moved: Instant,
    deadline: Option<(Instant, &'static str)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Opening,
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
    /// The handshake is done; and plain bytes, if any came behind it.
    Opened(Vec<u8>),
    /// Plain bytes, at least one.
    Bytes(Vec<u8>),
    /// Nothing that matters: none there yet, or it came after our close.
    Nothing,
    /// Nothing more will.
    Ended(Closed),
}

impl Connection {
    /// Takes over a connected socket; with TLS the handshake comes first.
    pub(super) fn new(
        poller: &Arc<Poller>,
        conn: Conn,
        socket: TcpStream,
        admitted: bool,
        dialects: Arc<Vec<Dialect>>,
        tls: Option<Box<Tls>>,
        now: Instant,
    ) -> io::Result<Connection> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Connection {
            phase: if tls.is_some() { Phase::Opening } else { Phase::Open },
            stream: Stream::new(Registered::new(poller, conn.0 as usize, socket)?, tls),
            dialects,
            spoken: 0,
            out: Vec::new(),
            written: 0,
            blocked: false,
            ended: false,
            admitted,
            held: None,
            deaf: false,
            heard: now,
            spoke: None,
            moved: now,
            deadline: None,
        })
    }

    /// Whether the handshake is still to come.
    pub(super) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening
    }

    /// What is spoken here.
    pub(super) fn dialect(&self) -> &Dialect {
        &self.dialects[usize::from(self.spoken)]
    }

    /// Who is on the other side.
    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.peer()
    }

    /// The key that the other side has proven to own.
    pub(super) fn key(&self) -> Option<Fingerprint> {
        self.stream.key()
    }

    /// Arms or clears the deadline.
    pub(super) fn expect(&mut self, deadline: Option<(Instant, &'static str)>) {
        if matches!(self.phase, Phase::Opening | Phase::Open) {
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
        self.spoke = Some(now);
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

    /// Whether anything waits to be written, of ours or of TLS's own.
    pub(super) fn is_waiting(&self) -> bool {
        self.backlog() > 0 || self.stream.is_waiting()
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
        match self.phase {
            // Nothing was said yet.
            Phase::Opening => self.phase = Phase::Over,
            Phase::Open => {
                self.phase = Phase::Flushing;
                self.deadline = None;
                self.held = None;
                // If this fails the peer's end is not heard: the linger is waited for.
                let _ = self.listen();
            }
            Phase::Flushing | Phase::Lingering { .. } | Phase::Over => {}
        }
    }

    /// Says why it ends to a peer that is not what it must be, as far as the socket takes it at once: past TLS, if
    /// that is not what the peer speaks, else as TLS says it.
    pub(super) fn refuse(&mut self, past_tls: Option<&[u8]>) {
        match past_tls {
            Some(refusal) => self.stream.write_past_tls(refusal),
            // If the socket does not take it the peer sees the end alone.
            None => _ = self.stream.write(&[]),
        }
    }

    /// Writes what the socket takes, once, and when all is out takes the next step of a close.
    pub(super) fn write(&mut self, now: Instant, limits: &Limits) -> io::Result<()> {
        if self.is_waiting() {
            let written = self.stream.write(&self.out[self.written..])?;
            self.written += written.taken;
            if written.moved {
                self.moved = now;
            }
        }
        if self.backlog() == 0 && !self.out.is_empty() {
            self.out = Vec::new();
            self.written = 0;
        }
        let blocked = self.is_waiting();
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
        let _ = self.stream.end();
        self.phase = if self.ended { Phase::Over } else { Phase::Lingering { until: now + limits.linger } };
    }

    /// Reads once, at most a buffer's length: the rest is another turn's.
    pub(super) fn read(&mut self, buffer: &mut [u8], now: Instant) -> Input {
        match self.stream.read(buffer) {
            Ok(0) => self.ended(),
            Ok(count) => {
                self.heard = now;
                self.take(&buffer[..count])
            }
            Err(error) if is_not_now(&error) => Input::Nothing,
            Err(error) => match self.phase {
                Phase::Opening | Phase::Open | Phase::Flushing => Input::Ended(Closed::Broken(error)),
                // All was written, and the peer has no more to say.
                Phase::Lingering { .. } | Phase::Over => Input::Ended(Closed::ByUs),
            },
        }
    }

    /// What came from the socket, as plain bytes.
    fn take(&mut self, raw: &[u8]) -> Input {
        if !matches!(self.phase, Phase::Opening | Phase::Open) {
            return Input::Nothing;
        }
        let bytes = match self.stream.decode(raw, &self.dialects) {
            Ok(bytes) => bytes,
            Err(why) => return Input::Ended(why),
        };
        if !bytes.is_empty() {
            self.held.get_or_insert(Held { since: self.heard, until: None });
        }
        if self.phase == Phase::Opening && self.stream.is_open() {
            let Some(agreed) = self.stream.agreed(&self.dialects) else {
                return Input::Ended(Closed::Distrusted("it speaks TLS, and nothing of handoff's within".to_owned()));
            };
            self.spoken = agreed;
            self.phase = Phase::Open;
            self.deadline = None;
            return Input::Opened(bytes);
        }
        if bytes.is_empty() { Input::Nothing } else { Input::Bytes(bytes) }
    }

    fn ended(&mut self) -> Input {
        match self.phase {
            Phase::Opening | Phase::Open => Input::Ended(Closed::ByPeer),
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
        if self.is_waiting() && now >= self.moved + limits.stalled_after {
            return Some(Closed::Stalled);
        }
        (!self.ended && !excused && now >= self.heard + self.dialect().keepalive.dead).then_some(Closed::Silent)
    }

    /// Whether the peer should hear that we live. Not before the loop said something: it may not be the one to talk to.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        let is_quiet = |spoke| now >= spoke + self.dialect().keepalive.after;
        self.phase == Phase::Open && !self.is_waiting() && self.spoke.is_some_and(is_quiet)
    }

    fn register(&self) -> io::Result<()> {
        // An end that was read is told again and again to who still wants to read.
        self.stream.want(!self.ended && !self.deaf, self.blocked)
    }
}
