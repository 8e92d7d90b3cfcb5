//! What the loop's handle, the dialers and the socket thread share: the inbox, in which commands
//! wait for the socket thread, the writers of open connections, and the clock.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::IdMap;

use super::poller::Poller;
use super::writer::Shared;
use super::{Conn, Settings};

/// What the loop asks for, or what a dialer reports.
pub(super) enum Command {
    Listen(TcpListener, SocketAddr, Settings),
    /// Gives the connections that this listener accepts from now on these settings.
    Renew(SocketAddr, Settings),
    Dial(Conn, Target),
    Resolved(Conn),
    Dialled(Conn, Result<Dialled, String>),
    Send(Conn, Vec<u8>),
    /// The loop's handle did not write all, or its write failed.
    Write(Conn),
    Expect(Conn, Option<Instant>, &'static str),
    AtMost(usize),
    Admit(Conn),
    ReadOn(Conn, Duration),
    Close(Conn),
    Abort(Conn),
    Finish(Duration),
}

/// An address to dial.
#[derive(Clone)]
pub(super) struct Target {
    /// HOST:PORT, as it was given: TLS needs the host's name.
    pub(super) address: String,
    pub(super) settings: Settings,
}

/// A dial that succeeded.
pub(super) struct Dialled {
    pub(super) socket: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) target: Target,
}

impl Command {
    /// Whether the thread must be woken for this command. The others can wait until it wakes for
    /// another reason: a [`Command::ReadOn`] without a rest has no effect before bytes come, and
    /// the thread looks at deadlines only once a tick. An admission must take effect before the
    /// peer gets an answer. Otherwise a peer that connects again after the answer could find its
    /// earlier connection still among the strangers.
    pub(super) fn is_urgent(&self) -> bool {
        !matches!(self, Command::ReadOn(_, Duration::ZERO) | Command::Expect(..))
    }

    /// The connection and the bytes of a send.
    pub(super) fn into_send(self) -> Option<(Conn, Vec<u8>)> {
        match self {
            Command::Send(conn, bytes) => Some((conn, bytes)),
            _ => None,
        }
    }
}

/// Commands that wait for the socket thread. The inbox is unbounded, because the loop must not
/// block on it. It holds about one batch of the loop, because the thread takes all of it each turn.
pub(super) struct Inbox {
    pub(super) poller: Arc<Poller>,
    numbers: AtomicU64,
    state: Mutex<Waiting>,
    /// The writers of open connections. The socket thread adds and removes them.
    writers: Mutex<IdMap<Conn, Shared>>,
    /// The total time, in nanoseconds, that the socket thread has waited at a full event channel.
    stall_nanos: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    commands: Vec<Command>,
    /// The thread waits for readiness and must be woken. This flag is under the same lock as the
    /// commands, so that no wake is missed and none is needless.
    is_asleep: bool,
    /// The thread has not yet carried out all urgent commands.
    has_urgent: bool,
    /// Some socket has bytes that may not be read yet. Then a [`Command::ReadOn`] must wake the
    /// thread, too.
    has_deaf: bool,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Inbox> {
        Ok(Inbox {
            poller: Arc::new(Poller::new()?),
            numbers: AtomicU64::new(1),
            state: Mutex::default(),
            writers: Mutex::default(),
            stall_nanos: AtomicU64::new(0),
        })
    }

    /// A number for a new connection or listener.
    pub(super) fn number(&self) -> Conn {
        Conn(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// The clock of all deadlines. It stops while the socket thread waits for the loop to take an
    /// event: bytes that come meanwhile stay unread, and their connections must not count as
    /// silent.
    pub(super) fn now(&self) -> Instant {
        Instant::now() - Duration::from_nanos(self.stall_nanos.load(Ordering::Relaxed))
    }

    /// The clock stood still for this long.
    pub(super) fn stalled(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.stall_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Both sides of this connection may send: the loop's handle may write to it.
    pub(super) fn share(&self, conn: Conn, writer: Shared) {
        self.writers().insert(conn, writer);
    }

    /// The connection is gone.
    pub(super) fn unshare(&self, conn: Conn) {
        self.writers().remove(&conn);
    }

    /// Whether the thread has carried out all urgent commands.
    pub(super) fn is_idle(&self) -> bool {
        !self.lock().has_urgent
    }

    /// The writer of an open connection.
    pub(super) fn writer(&self, conn: Conn) -> Option<Shared> {
        self.writers().get(&conn).cloned()
    }

    fn writers(&self) -> MutexGuard<'_, IdMap<Conn, Shared>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds `commands`, and wakes the thread if it sleeps and one of them is urgent.
    pub(super) fn put(&self, commands: &mut Vec<Command>) {
        if commands.is_empty() {
            return;
        }
        let urgent = commands.iter().any(Command::is_urgent);
        let wakes = {
            let mut waiting = self.lock();
            waiting.commands.append(commands);
            waiting.has_urgent |= urgent;
            (urgent || waiting.has_deaf) && std::mem::take(&mut waiting.is_asleep)
        };
        if wakes {
            // A wake fails only when the poller is gone, and then no thread waits.
            let _ = self.poller.wake();
        }
    }

    /// Moves all commands to `commands`, which must be empty: the thread has carried out the
    /// earlier ones. If none waits, the thread counts as asleep until [`awake`](Inbox::awake).
    pub(super) fn take(&self, commands: &mut Vec<Command>, has_deaf: bool) {
        let mut waiting = self.lock();
        waiting.has_deaf = has_deaf;
        std::mem::swap(&mut waiting.commands, commands);
        waiting.is_asleep = commands.is_empty();
        waiting.has_urgent &= !commands.is_empty();
    }

    /// The thread is awake: it takes commands by itself.
    pub(super) fn awake(&self) {
        self.lock().is_asleep = false;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code panics under this lock. If it did, the list and the flags would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
