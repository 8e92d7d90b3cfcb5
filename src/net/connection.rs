//! One connection of the socket thread: its bytes in both directions and its clocks.
//!
//! ```text
//! Opening --TLS handshake--> Open --close--> Flushing --all written, shutdown(Write)--> Lingering --peer's end--> over
//! ```
//!
//! In plaintext a connection begins `Open`. `stream` turns plain bytes into socket bytes.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::Connection as Tls;

use super::poller::{Poller, Registered};
use super::stream::{Stream, is_not_now};
use super::{Closed, Conn, Dialect, Fingerprint, Limits};

/// An idle connection holds no buffer: it takes under 300 bytes, and what TLS keeps.
pub(super) struct Connection {
    stream: Stream,
    phase: Phase,
    /// What it may speak, and which of that it does; until TLS has agreed on one, the first.
    dialects: Arc<Vec<Dialect>>,
    spoken: u8,
    /// The bytes that wait to be written, from `written` on. They are in one buffer, so that many
    /// small sends leave in one write. It is freed when it is empty.
    out: Vec<u8>,
    written: usize,
    /// The socket did not take all of the last write: the poller tells when to go on.
    blocked: bool,
    /// The peer has ended, and this side still has bytes to write.
    ended: bool,
    /// The loop let it in, or this side dialled it.
    admitted: bool,
    /// It is not read for now.
    held: Option<Held>,
    /// The poller does not tell when bytes come, since they may not be read yet.
    deaf: bool,
    /// When a byte came last.
    heard: Instant,
    /// When this side queued bytes last; none before the loop has sent something.
    spoke: Option<Instant>,
    /// When the peer took bytes last.
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

/// Why a connection is not read: the loop has not dealt with the last bytes, or it wants a rest
/// until then.
#[derive(Clone, Copy)]
struct Held {
    since: Instant,
    until: Option<Instant>,
}

/// What a read brought.
pub(super) enum Input {
    /// The end of the handshake, and the plain bytes that came behind it.
    Opened(Vec<u8>),
    /// Plain bytes, at least one.
    Bytes(Vec<u8>),
    /// Nothing that matters: no bytes yet, or bytes after this side's close.
    Nothing,
    /// The end of the connection.
    Ended(Closed),
}

impl Connection {
    /// Takes over a connected socket. With TLS the handshake comes first.
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

    /// Whether the handshake is not done yet.
    pub(super) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening
    }

    /// What is spoken here.
    pub(super) fn dialect(&self) -> &Dialect {
        &self.dialects[usize::from(self.spoken)]
    }

    /// The address of the other side.
    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.peer()
    }

    /// The key that the other side has proven to own.
    pub(super) fn key(&self) -> Option<Fingerprint> {
        self.stream.key()
    }

    /// Sets or clears the deadline.
    pub(super) fn expect(&mut self, deadline: Option<(Instant, &'static str)>) {
        if matches!(self.phase, Phase::Opening | Phase::Open) {
            self.deadline = deadline;
        }
    }

    /// Lets it in.
    pub(super) fn admit(&mut self) {
        self.admitted = true;
    }

    /// Whether it was let in.
    pub(super) fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// Whether it is not read for now.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the poller does not tell when bytes come.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Until when it rests, if it does.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.held.and_then(|held| held.until)
    }

    /// The loop is done with what was read: reads again, or rests until then.
    pub(super) fn read_on(&mut self, until: Option<Instant>, now: Instant) -> io::Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        self.excuse(now - held.since);
        if until.is_some() {
            self.held = Some(Held { since: now, until });
            return Ok(());
        }
        self.listen()
    }

    /// It was not read for this long, so it was neither silent nor late. A stranger gets no more
    /// time for its hello.
    fn excuse(&mut self, unread: Duration) {
        self.heard += unread;
        if let (true, Some((at, _))) = (self.admitted, &mut self.deadline) {
            *at += unread;
        }
    }

    /// The poller tells again when bytes come.
    fn listen(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.deaf) { self.register() } else { Ok(()) }
    }

    /// Bytes came that may not be read yet: the poller need not tell it again.
    pub(super) fn defer(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.deaf, true) { Ok(()) } else { self.register() }
    }

    /// Queues `bytes`. After `close` they are dropped.
    pub(super) fn queue(&mut self, bytes: Vec<u8>, now: Instant) {
        if self.phase != Phase::Open || bytes.is_empty() {
            return;
        }
        self.spoke = Some(now);
        if self.out.is_empty() {
            self.out = bytes;
            self.moved = now;
        } else {
            // Half of the buffer or more is written: moving the rest costs no more than it saves.
            if self.written * 2 >= self.out.len() {
                self.out.drain(..self.written);
                self.written = 0;
            }
            self.out.extend_from_slice(&bytes);
        }
    }

    /// How many bytes wait to be written.
    pub(super) fn backlog(&self) -> usize {
        self.out.len() - self.written
    }

    /// Whether bytes wait to be written, of the loop or of TLS itself.
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

    /// Nothing is sent behind what is queued. What comes from now on is discarded.
    pub(super) fn close(&mut self) {
        match self.phase {
            // Nothing was said yet.
            Phase::Opening => self.phase = Phase::Over,
            Phase::Open => {
                self.phase = Phase::Flushing;
                self.deadline = None;
                self.held = None;
                // If this fails, the peer's end is not noticed, and the linger ends the connection.
                let _ = self.listen();
            }
            Phase::Flushing | Phase::Lingering { .. } | Phase::Over => {}
        }
    }

    /// Tells a peer that speaks something else why its connection ends, as far as the socket takes
    /// it at once: past TLS if the peer does not speak TLS, else as an alert of TLS.
    pub(super) fn refuse(&mut self, past_tls: Option<&[u8]>) {
        match past_tls {
            Some(refusal) => self.stream.write_past_tls(refusal),
            // If the socket does not take it, the peer sees only the end.
            None => _ = self.stream.write(&[]),
        }
    }

    /// Writes once, as much as the socket takes. When all is written, takes the next step of a
    /// close.
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
        // It fails only when the connection is gone; the next read tells that too.
        let _ = self.stream.end();
        self.phase =
            if self.ended { Phase::Over } else { Phase::Lingering { until: now + limits.linger } };
    }

    /// Reads once, at most a buffer's length. The rest is read in later turns.
    pub(super) fn read(&mut self, buffer: &mut [u8], now: Instant) -> Input {
        match self.stream.read(buffer) {
            Ok(0) => self.ended(),
            Ok(count) => {
                self.heard = now;
                self.take(&buffer[..count])
            }
            Err(error) if is_not_now(&error) => Input::Nothing,
            Err(error) => match self.phase {
                Phase::Opening | Phase::Open | Phase::Flushing => {
                    Input::Ended(Closed::Broken(error))
                }
                // All was written, and the peer has no more to say.
                Phase::Lingering { .. } | Phase::Over => Input::Ended(Closed::ByUs),
            },
        }
    }

    /// Turns what came from the socket into plain bytes.
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
                return Input::Ended(Closed::Distrusted(
                    "it speaks TLS, and nothing of handoff's within".to_owned(),
                ));
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
            // Both ends close at once: the peer has sent all it has, but it still reads.
            Phase::Flushing => {
                self.ended = true;
                match self.register() {
                    Ok(()) => Input::Nothing,
                    Err(error) => Input::Ended(Closed::Broken(error)),
                }
            }
        }
    }

    /// The reason to close it, if one of its deadlines has passed.
    pub(super) fn overdue(&self, now: Instant, limits: &Limits) -> Option<Closed> {
        if let Phase::Lingering { until } = self.phase {
            return (now >= until).then_some(Closed::ByUs);
        }
        let excused = self.held.is_some();
        match self.deadline {
            Some((at, what)) if now >= at && !(excused && self.admitted) => {
                return Some(Closed::Deadline(what));
            }
            _ => {}
        }
        if self.is_waiting() && now >= self.moved + limits.stalled_after {
            return Some(Closed::Stalled);
        }
        (!self.ended && !excused && now >= self.heard + self.dialect().keepalive.dead)
            .then_some(Closed::Silent)
    }

    /// Whether it is time for a sign of life. There is none before the loop has sent something: the
    /// loop may still have to judge the peer's key.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        let is_quiet = |spoke| now >= spoke + self.dialect().keepalive.after;
        self.phase == Phase::Open && !self.is_waiting() && self.spoke.is_some_and(is_quiet)
    }

    fn register(&self) -> io::Result<()> {
        // A poller goes on telling the peer's end for as long as reading is wanted.
        self.stream.want(!self.ended && !self.deaf, self.blocked)
    }
}
