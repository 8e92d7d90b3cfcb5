//! One connection of the socket thread: its bytes in both directions and its clocks.
//!
//! ```text
//! Opening --TLS handshake--> Open --close--> Flushing --all written, shutdown(Write)-->
//! Lingering --peer's end--> Over
//! ```
//!
//! In plaintext a connection begins `Open`. `writer` holds what waits to be written, and the stream
//! that turns plain bytes into socket bytes. The loop's handle uses it too.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::Connection as Tls;

use super::poller::{Poller, Registered};
use super::stream::{Stream, is_not_now};
use super::writer::{Shared, Writer};
use super::{Closed, Conn, Dialect, Limits};
use crate::edge::tls::Fingerprint;

/// One connection. An idle connection has no buffer, and takes under 300 bytes besides the memory
/// of TLS.
pub(super) struct Connection {
    writer: Shared,
    phase: Phase,
    /// The dialects that the connection may speak, and the index of the one that it speaks. Until
    /// TLS has agreed on one, that is the first.
    dialects: Arc<Vec<Dialect>>,
    dialect_index: u8,
    /// The peer has ended, and this side still has bytes to write.
    has_peer_ended: bool,
    /// The loop admitted this connection, or this side dialled it.
    is_admitted: bool,
    /// The socket may not be read for now.
    read_pause: Option<ReadPause>,
    /// The poller does not report new bytes, because they may not be read yet.
    is_deaf: bool,
    /// When the last byte came.
    last_heard: Instant,
    /// When the last sign of life came that was not passed on to the loop.
    last_keepalive: Option<Instant>,
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

/// A pause in reading: the loop still works on the last bytes, or it wants the connection to rest.
#[derive(Clone, Copy)]
struct ReadPause {
    since: Instant,
    /// The end of a rest; `None` while the loop works on the last bytes.
    until: Option<Instant>,
}

/// The result of one read.
pub(super) enum Input {
    /// The end of the handshake, and the plain bytes that came after it.
    Opened(Vec<u8>),
    /// Plain bytes, at least one.
    Bytes(Vec<u8>),
    /// No bytes yet, or bytes that are discarded because this side has closed.
    Nothing,
    /// The end of the connection.
    Ended(Closed),
}

/// What has to be done about a connection at its time.
pub(super) enum Due {
    /// Nothing was sent for long: the peer needs a sign of life.
    Keepalive,
    /// A deadline has passed.
    End(Closed),
}

impl Connection {
    /// Takes over a connected socket. With TLS the handshake comes first.
    pub(super) fn new(
        poller: &Arc<Poller>,
        conn: Conn,
        socket: TcpStream,
        is_admitted: bool,
        dialects: Arc<Vec<Dialect>>,
        tls: Option<Box<Tls>>,
        now: Instant,
    ) -> io::Result<Connection> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let phase = if tls.is_some() { Phase::Opening } else { Phase::Open };
        let stream = Stream::new(Registered::new(poller, conn.0 as usize, socket)?, tls);
        Ok(Connection {
            phase,
            writer: Shared::new(Writer::new(stream, now)),
            dialects,
            dialect_index: 0,
            has_peer_ended: false,
            is_admitted,
            read_pause: None,
            is_deaf: false,
            last_heard: now,
            last_keepalive: None,
            deadline: None,
        })
    }

    /// Whether the handshake is not done yet.
    pub(super) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening
    }

    /// The dialect of this connection.
    pub(super) fn dialect(&self) -> &Dialect {
        &self.dialects[usize::from(self.dialect_index)]
    }

    /// The address of the other side.
    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        self.writer.lock().stream.peer()
    }

    /// The key that the other side has proven to own.
    pub(super) fn key(&self) -> Option<Fingerprint> {
        self.writer.lock().stream.key()
    }

    /// Sets or clears the deadline.
    pub(super) fn expect(&mut self, deadline: Option<(Instant, &'static str)>) {
        if matches!(self.phase, Phase::Opening | Phase::Open) {
            self.deadline = deadline;
        }
    }

    /// Marks the connection as admitted.
    pub(super) fn admit(&mut self) {
        self.is_admitted = true;
    }

    /// Whether the loop admitted this connection, or this side dialled it.
    pub(super) fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    /// Whether the socket may not be read for now.
    pub(super) fn is_paused(&self) -> bool {
        self.read_pause.is_some()
    }

    /// Whether the poller does not report new bytes.
    pub(super) fn is_deaf(&self) -> bool {
        self.is_deaf
    }

    /// The end of the connection's rest, if it rests.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.read_pause.and_then(|held| held.until)
    }

    /// The loop is done with the last bytes: allows reads again, or rests until `until`.
    pub(super) fn read_on(&mut self, until: Option<Instant>, now: Instant) -> io::Result<()> {
        let Some(held) = self.read_pause.take() else { return Ok(()) };
        self.excuse(now - held.since);
        if until.is_some() {
            self.read_pause = Some(ReadPause { since: now, until });
            return Ok(());
        }
        self.listen()
    }

    /// Moves the deadlines by the time in which the socket was not read: the peer was neither
    /// silent nor late. A stranger gets no more time for its hello.
    fn excuse(&mut self, unread: Duration) {
        self.last_heard += unread;
        if let (true, Some((at, _))) = (self.is_admitted, &mut self.deadline) {
            *at += unread;
        }
    }

    /// Whether the peer sent something in the turn of this time.
    pub(super) fn is_heard_at(&self, now: Instant) -> bool {
        self.last_heard == now
    }

    /// Lets the poller report new bytes again.
    fn listen(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_deaf) { self.register(&self.writer.lock()) } else { Ok(()) }
    }

    /// Bytes came that may not be read yet: stops the poller from reporting them again and again.
    pub(super) fn defer(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_deaf, true) {
            Ok(())
        } else {
            self.register(&self.writer.lock())
        }
    }

    /// What the loop's handle writes with.
    pub(super) fn share(&self) -> Shared {
        self.writer.clone()
    }

    /// Queues `bytes`. Before the connection is open and after `close` they are dropped. Returns
    /// how many bytes waited before and how many wait now.
    pub(super) fn queue(&self, bytes: Vec<u8>, now: Instant) -> (usize, usize) {
        let mut writer = self.writer.lock();
        let before = writer.backlog();
        if self.phase == Phase::Open {
            writer.queue(bytes, now);
        }
        (before, writer.backlog())
    }

    /// The number of bytes that wait to be written.
    pub(super) fn backlog(&self) -> usize {
        self.writer.lock().backlog()
    }

    /// Whether bytes wait to be written, from the loop or from TLS itself.
    pub(super) fn is_waiting(&self) -> bool {
        self.writer.lock().is_waiting()
    }

    /// Whether the socket takes no bytes until the poller reports it writable.
    pub(super) fn is_blocked(&self) -> bool {
        self.writer.lock().is_blocked
    }

    /// Whether this side's close is complete, so that the connection can be dropped.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Begins this side's close: what is queued is still sent, and input is discarded.
    pub(super) fn close(&mut self) {
        match self.phase {
            // Neither side has sent anything yet.
            Phase::Opening => self.phase = Phase::Over,
            Phase::Open => {
                self.phase = Phase::Flushing;
                self.writer.lock().is_closing = true;
                self.deadline = None;
                self.read_pause = None;
                // If this fails, the peer's end stays unnoticed, and the connection lives until its
                // linger time is over.
                let _ = self.listen();
            }
            Phase::Flushing | Phase::Lingering { .. } | Phase::Over => {}
        }
    }

    /// Sends a peer that speaks another protocol the reason why its connection ends, as far as the
    /// socket takes it at once: the bytes `past_tls` without TLS, or the alert that TLS has ready.
    pub(super) fn refuse(&mut self, past_tls: Option<&[u8]>) {
        let stream = &mut self.writer.lock().stream;
        match past_tls {
            Some(refusal) => stream.write_past_tls(refusal),
            // If the socket does not take the alert, the peer sees only the end of the connection.
            None => _ = stream.write(&[]),
        }
    }

    /// Writes once, as much as the socket takes. If a close has begun and all is written, also ends
    /// this side's direction.
    pub(super) fn write(&mut self, now: Instant, limits: &Limits) -> io::Result<()> {
        let mut writer = self.writer.lock();
        writer.write(now)?;
        let is_blocked = writer.is_waiting();
        if is_blocked != writer.is_blocked {
            writer.is_blocked = is_blocked;
            self.register(&writer)?;
        }
        drop(writer);
        if !is_blocked && self.phase == Phase::Flushing {
            self.end_output(now, limits);
        }
        Ok(())
    }

    fn end_output(&mut self, now: Instant, limits: &Limits) {
        // It fails only when the connection is gone, and the next read reports that too.
        let _ = self.writer.lock().stream.end();
        self.phase = if self.has_peer_ended {
            Phase::Over
        } else {
            Phase::Lingering { until: now + limits.linger }
        };
    }

    /// Reads once, at most the length of `buffer`. Later turns read the rest.
    pub(super) fn read(&mut self, buffer: &mut [u8], now: Instant) -> Input {
        let result = self.writer.lock().stream.read(buffer);
        match result {
            Ok(0) => self.ended(),
            Ok(count) => {
                self.last_heard = now;
                self.take(&buffer[..count])
            }
            Err(error) if is_not_now(&error) => Input::Nothing,
            Err(error) => match self.phase {
                Phase::Opening | Phase::Open | Phase::Flushing => {
                    Input::Ended(Closed::Broken(error))
                }
                // This side has written everything, and the peer has no more to send.
                Phase::Lingering { .. } | Phase::Over => Input::Ended(Closed::ByUs),
            },
        }
    }

    /// Turns bytes from the socket into plain bytes.
    fn take(&mut self, raw: &[u8]) -> Input {
        if !matches!(self.phase, Phase::Opening | Phase::Open) {
            return Input::Nothing;
        }
        let result = self.writer.lock().stream.decode(raw, &self.dialects);
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(why) => return Input::Ended(why),
        };
        if self.is_sign_of_life(&bytes) {
            self.last_keepalive = Some(self.last_heard);
            self.return_sign_of_life();
            return Input::Nothing;
        }
        if !bytes.is_empty() {
            self.read_pause.get_or_insert(ReadPause { since: self.last_heard, until: None });
        }
        if self.phase == Phase::Opening && self.writer.lock().stream.is_open() {
            let Some(agreed) = self.writer.lock().stream.agreed(&self.dialects) else {
                return Input::Ended(Closed::Distrusted(
                    "it speaks TLS, but not the handoff protocol".to_owned(),
                ));
            };
            self.dialect_index = agreed;
            self.phase = Phase::Open;
            self.deadline = None;
            return Input::Opened(bytes);
        }
        if bytes.is_empty() { Input::Nothing } else { Input::Bytes(bytes) }
    }

    /// Whether these bytes are a sign of life and nothing else. The loop does not get those,
    /// because many idle connections would wake it all the time. If a peer sends them too often,
    /// the loop gets them, so that they count in the peer's rate.
    ///
    /// These bytes are a whole frame and not a part of one, because a frame's first byte occurs
    /// nowhere else in it.
    fn is_sign_of_life(&self, bytes: &[u8]) -> bool {
        let keepalive = &self.dialect().keepalive;
        let is_usual =
            self.last_keepalive.is_none_or(|last| self.last_heard >= last + keepalive.after / 2);
        self.is_admitted && self.phase == Phase::Open && bytes == keepalive.bytes && is_usual
    }

    /// Sends a sign of life if this side would have to soon. It takes the acknowledgement of the
    /// peer's sign along, so that an idle connection costs both sides fewer packets.
    fn return_sign_of_life(&self) {
        let keepalive = &self.dialect().keepalive;
        let mut writer = self.writer.lock();
        if writer.is_quiet(self.last_heard, keepalive.after / 2) {
            writer.queue(keepalive.bytes.clone(), self.last_heard);
        }
    }

    fn ended(&mut self) -> Input {
        match self.phase {
            Phase::Opening | Phase::Open => Input::Ended(Closed::ByPeer),
            Phase::Lingering { .. } | Phase::Over => Input::Ended(Closed::ByUs),
            // Both sides close at the same time: the peer sends no more, but it still reads.
            Phase::Flushing => {
                self.has_peer_ended = true;
                match self.register(&self.writer.lock()) {
                    Ok(()) => Input::Nothing,
                    Err(error) => Input::Ended(Closed::Broken(error)),
                }
            }
        }
    }

    /// What is due now, if anything is.
    pub(super) fn due(&self, now: Instant, limits: &Limits) -> Option<Due> {
        if let Phase::Lingering { until } = self.phase {
            return (now >= until).then_some(Due::End(Closed::ByUs));
        }
        let is_paused = self.read_pause.is_some();
        match self.deadline {
            Some((at, what)) if now >= at && !(is_paused && self.is_admitted) => {
                return Some(Due::End(Closed::Deadline(what)));
            }
            _ => {}
        }
        let keepalive = &self.dialect().keepalive;
        let writer = self.writer.lock();
        if writer.is_stalled(now, limits.stalled_after) {
            return Some(Due::End(Closed::Stalled));
        }
        if !self.has_peer_ended && !is_paused && now >= self.last_heard + keepalive.dead {
            return Some(Due::End(Closed::Silent));
        }
        // None is sent before the loop has sent something, because the loop may still have to check
        // the peer's key.
        let is_quiet = self.phase == Phase::Open && writer.is_quiet(now, keepalive.after);
        is_quiet.then_some(Due::Keepalive)
    }

    fn register(&self, writer: &Writer) -> io::Result<()> {
        // After the peer's end, a socket that is registered for reading is always ready. So it is
        // registered for writing alone.
        writer.stream.want(!self.has_peer_ended && !self.is_deaf, writer.is_blocked)
    }
}
