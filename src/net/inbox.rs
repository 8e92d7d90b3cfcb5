//! The commands to the socket thread, and the inbox in which they wait for it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::poller::Poller;
use super::{Conn, Settings};

/// What the loop asks for, or what a dialer reports.
pub(super) enum Command {
    Listen(TcpListener, SocketAddr, Settings),
    Dial(Conn, Target),
    Resolved(Conn),
    Dialled(Conn, Result<Dialled, String>),
    Send(Conn, Vec<u8>),
    Expect(Conn, Option<Duration>, &'static str),
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
    /// Whether the thread must be woken for this command. A [`Command::ReadOn`] without a rest can
    /// wait until the thread wakes for another reason.
    fn is_urgent(&self) -> bool {
        !matches!(self, Command::ReadOn(_, Duration::ZERO))
    }
}

/// Commands that wait for the socket thread. The inbox is unbounded, because the loop must not
/// block on it. It holds about one batch of the loop, because the thread takes all of it each turn.
pub(super) struct Inbox {
    pub(super) poller: Arc<Poller>,
    numbers: AtomicU64,
    state: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    commands: Vec<Command>,
    /// The thread waits for readiness and must be woken. This flag is under the same lock as the
    /// commands, so that no wake is missed and none is needless.
    is_asleep: bool,
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
        })
    }

    /// A number for a new connection or listener.
    pub(super) fn number(&self) -> Conn {
        Conn(self.numbers.fetch_add(1, Ordering::Relaxed))
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
            (urgent || waiting.has_deaf) && std::mem::take(&mut waiting.is_asleep)
        };
        if wakes {
            // A wake fails only when the poller is gone, and then no thread waits.
            let _ = self.poller.wake();
        }
    }

    /// Moves all commands to `commands`, which must be empty. If there are none, the thread counts
    /// as asleep until [`awake`](Inbox::awake).
    pub(super) fn take(&self, commands: &mut Vec<Command>, has_deaf: bool) {
        let mut waiting = self.lock();
        waiting.has_deaf = has_deaf;
        std::mem::swap(&mut waiting.commands, commands);
        waiting.is_asleep = commands.is_empty();
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
