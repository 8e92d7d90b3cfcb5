//! What waits to be written to one connection. The loop's handle and the socket thread share it.
//!
//! A single short answer would wake the socket thread only to be written. So the loop's handle
//! writes it ([`Net::flush`](super::Net::flush)), as far as the socket takes it. The rest stays
//! here, and the socket thread writes it when the poller reports the socket writable.
//!
//! One lock for each connection protects its stream and its waiting bytes. TLS needs the same state
//! for both directions, so the socket thread also reads under the lock. Neither thread waits for
//! anything while it holds the lock. What the two threads may do at the same time:
//!
//! * **Byte order.** The loop's handle writes only when the thread has carried out all urgent
//!   commands: then no earlier send waits in the inbox. And it writes only when no bytes wait here.
//!   Otherwise its bytes go through the inbox, after the earlier ones.
//! * **Before the connection is open** the loop's handle does not find the writer: the socket
//!   thread shares it when the handshake is done, and before the loop hears of the connection.
//! * **Close.** A close is an urgent command, so nothing is written past one in the inbox. When the
//!   thread has carried it out, `is_closing` is set, and later bytes are dropped.
//! * **A broken connection.** A failed write of the loop's handle is kept as `failure`. The socket
//!   thread ends the connection with it, after it has read the peer's last bytes.
//! * **Bounds.** What the loop's handle leaves here, it reports to the socket thread, which checks
//!   [`Dialect::outbound_max`](super::Dialect::outbound_max) and waits for the poller.
//! * **The end.** The socket stays open as long as one of the two threads holds the writer, so its
//!   descriptor belongs to no other connection meanwhile. The loop's handle holds it for one write.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::stream::Stream;

/// A [`Writer`] that two threads share.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Writer>>);

impl Shared {
    pub(super) fn new(writer: Writer) -> Shared {
        Shared(Arc::new(Mutex::new(writer)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Writer> {
        // No code of ours panics under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream of one connection, and the bytes that wait for it.
pub(super) struct Writer {
    pub(super) stream: Stream,
    /// Bytes to write. The first `written_len` of them are written already. All are in one buffer,
    /// so that many small sends leave in one write. The buffer is freed when all is written.
    outbound: Vec<u8>,
    written_len: usize,
    /// The socket did not take all of the last write. The poller reports when it takes more.
    pub(super) is_blocked: bool,
    /// The loop has closed the connection: no more bytes are taken.
    pub(super) is_closing: bool,
    /// Why a write of the loop's handle failed.
    failure: Option<io::Error>,
    /// When this side last queued bytes; `None` before the loop has sent anything.
    last_queued: Option<Instant>,
    /// When the peer last took bytes.
    last_taken: Instant,
}

/// How many of its bytes the loop's handle wrote.
pub(super) enum Sent {
    /// All of them.
    Whole,
    /// Some, or the write failed: the socket thread goes on.
    Part,
    /// None, because others wait: these bytes must go through the inbox.
    Nothing(Vec<u8>),
}

impl Writer {
    pub(super) fn new(stream: Stream, now: Instant) -> Writer {
        Writer {
            stream,
            outbound: Vec::new(),
            written_len: 0,
            is_blocked: false,
            is_closing: false,
            failure: None,
            last_queued: None,
            last_taken: now,
        }
    }

    /// Writes bytes of the loop's handle, if none wait.
    pub(super) fn send(&mut self, bytes: Vec<u8>, now: Instant) -> Sent {
        if self.is_waiting() || self.failure.is_some() {
            return Sent::Nothing(bytes);
        }
        self.queue(bytes, now);
        self.failure = self.write(now).err();
        if self.failure.is_some() || self.is_waiting() { Sent::Part } else { Sent::Whole }
    }

    /// Queues `bytes`. After a close they are dropped.
    pub(super) fn queue(&mut self, bytes: Vec<u8>, now: Instant) {
        if self.is_closing || bytes.is_empty() {
            return;
        }
        self.last_queued = Some(now);
        if self.outbound.is_empty() {
            self.outbound = bytes;
            self.last_taken = now;
        } else {
            // Most of the buffer is written: the rest moves to its beginning, to reuse the space.
            if self.written_len * 2 >= self.outbound.len() {
                self.outbound.drain(..self.written_len);
                self.written_len = 0;
            }
            self.outbound.extend_from_slice(&bytes);
        }
    }

    /// The number of bytes that wait to be written.
    pub(super) fn backlog(&self) -> usize {
        self.outbound.len() - self.written_len
    }

    /// Whether bytes wait to be written, from the loop or from TLS itself.
    pub(super) fn is_waiting(&self) -> bool {
        self.backlog() > 0 || self.stream.is_waiting()
    }

    /// Writes once, as much as the socket takes.
    pub(super) fn write(&mut self, now: Instant) -> io::Result<()> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if self.is_waiting() {
            let written = self.stream.write(&self.outbound[self.written_len..])?;
            self.written_len += written.taken_len;
            if written.has_moved {
                self.last_taken = now;
            }
        }
        if self.backlog() == 0 && !self.outbound.is_empty() {
            self.outbound = Vec::new();
            self.written_len = 0;
        }
        Ok(())
    }

    /// Whether bytes wait and the peer has taken none for this long.
    pub(super) fn is_stalled(&self, now: Instant, stalled_after: Duration) -> bool {
        // TLS has bytes of its own that wait only if the socket did not take a write. So TLS need
        // not be asked, which would cost more than the rest of a look at thousands of idle
        // connections.
        (self.is_blocked || self.backlog() > 0) && now >= self.last_taken + stalled_after
    }

    /// Whether this side has sent something, and nothing for this long since.
    pub(super) fn is_quiet(&self, now: Instant, after: Duration) -> bool {
        self.last_queued.is_some_and(|last| now >= last + after) && !self.is_waiting()
    }
}
