//! Dialling: resolve a name, try its addresses in turn.
//!
//! In std both calls block, so each dial has a thread of its own: at most [`DIALERS`] at a time,
//! and the other dials wait. A thread in a resolver that hangs cannot be stopped. It is abandoned:
//! its dial counts as failed, and another dial may start.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::wire::IdMap;

use super::{Command, Conn, Dialled, Inbox, Limits, Target, sentence};

/// The most dials that run at the same time.
pub(super) const DIALERS: usize = 4;
/// The most threads at the same time, including abandoned ones. Beyond this, dials fail at once.
const THREADS_MAX: usize = 32;

/// How a name becomes addresses.
pub(super) type Resolve = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// The system's resolver.
pub(super) fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(address.to_socket_addrs()?.collect())
}

/// The dials of the socket thread.
pub(super) struct Dialers {
    inbox: Arc<Inbox>,
    queue: VecDeque<(Conn, Target)>,
    threads: IdMap<Conn, Dialer>,
}

/// A thread that dials. It stays listed until it reports.
struct Dialer {
    address: String,
    since: Instant,
    is_resolving: bool,
    /// Nobody waits for the result. The thread shares this flag, and stops before its next
    /// address.
    is_cancelled: Arc<AtomicBool>,
    is_abandoned: bool,
}

/// A dial that failed, and the sentence that says why.
pub(super) type Failed = (Conn, String);

impl Dialers {
    /// No dials yet. They report to `inbox`.
    pub(super) fn new(inbox: Arc<Inbox>) -> Dialers {
        Dialers { inbox, queue: VecDeque::new(), threads: IdMap::default() }
    }

    /// Starts a dial, or queues it. Returns dials that failed.
    pub(super) fn dial(
        &mut self,
        conn: Conn,
        target: Target,
        now: Instant,
        limits: &Limits,
    ) -> Vec<Failed> {
        self.queue.push_back((conn, target));
        self.start_waiting(now, limits)
    }

    /// The dial's name is resolved. From here on its thread ends by itself in bounded time.
    pub(super) fn resolved(&mut self, conn: Conn) {
        if let Some(dialer) = self.threads.get_mut(&conn) {
            dialer.is_resolving = false;
        }
    }

    /// The dial's thread has reported its result and ends. False when nobody waits for the result.
    pub(super) fn reported(&mut self, conn: Conn) -> bool {
        let dialer = self.threads.remove(&conn);
        dialer.is_some_and(|dialer| !dialer.is_cancelled.load(Ordering::Relaxed))
    }

    /// Cancels a dial. False when there is no such dial.
    pub(super) fn cancel(&mut self, conn: Conn) -> bool {
        let before = self.queue.len();
        self.queue.retain(|(waiting, _)| *waiting != conn);
        match self.threads.get(&conn) {
            Some(dialer) => !dialer.is_cancelled.swap(true, Ordering::Relaxed),
            None => self.queue.len() < before,
        }
    }

    /// Cancels all dials and returns them.
    pub(super) fn cancel_all(&mut self) -> Vec<Conn> {
        let running = self.threads.keys().copied();
        let all = running.chain(self.queue.iter().map(|(conn, _)| *conn));
        let all: Vec<Conn> = all.collect();
        all.into_iter().filter(|conn| self.cancel(*conn)).collect()
    }

    /// Abandons resolvers that hang, and starts waiting dials in their place.
    pub(super) fn sweep(&mut self, now: Instant, limits: &Limits) -> Vec<Failed> {
        let mut failed = Vec::new();
        for (conn, dialer) in &mut self.threads {
            if dialer.is_resolving
                && !dialer.is_abandoned
                && now >= dialer.since + limits.resolve_within
            {
                dialer.is_abandoned = true;
                if !dialer.is_cancelled.swap(true, Ordering::Relaxed) {
                    let within = seconds(limits.resolve_within);
                    let host = host_of(&dialer.address);
                    failed.push((*conn, format!("cannot find {host}: no answer within {within}")));
                }
            }
        }
        failed.extend(self.start_waiting(now, limits));
        failed
    }

    /// Whether a sweep has anything to look at.
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty() || self.running() > 0
    }

    /// Starts waiting dials while there are fewer than [`DIALERS`].
    pub(super) fn start_waiting(&mut self, now: Instant, limits: &Limits) -> Vec<Failed> {
        let mut failed = Vec::new();
        while self.running() < DIALERS
            && let Some((conn, target)) = self.queue.pop_front()
        {
            let address = target.address.clone();
            if let Err(error) = self.start(conn, target, now, limits) {
                failed.push((conn, format!("cannot dial {address}: {}", sentence(&error))));
            }
        }
        failed
    }

    fn start(
        &mut self,
        conn: Conn,
        target: Target,
        now: Instant,
        limits: &Limits,
    ) -> io::Result<()> {
        if self.threads.len() >= THREADS_MAX {
            return Err(io::Error::other("too many name lookups hang"));
        }
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let address = target.address.clone();
        let task = Task {
            conn,
            target,
            resolve: limits.resolve,
            connect_within: limits.connect_within,
            is_cancelled: is_cancelled.clone(),
            inbox: self.inbox.clone(),
        };
        thread::Builder::new().name(format!("dial-{}", conn.0)).spawn(move || task.run())?;
        let dialer =
            Dialer { address, since: now, is_resolving: true, is_cancelled, is_abandoned: false };
        self.threads.insert(conn, dialer);
        Ok(())
    }

    fn running(&self) -> usize {
        let running = self.threads.values().filter(|dialer| !dialer.is_abandoned);
        running.count()
    }
}

/// One dial, on its own thread.
struct Task {
    conn: Conn,
    target: Target,
    resolve: Resolve,
    connect_within: Duration,
    is_cancelled: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
}

impl Task {
    fn run(self) {
        let result = self.dial();
        self.report(Command::Dialled(self.conn, result));
    }

    fn dial(&self) -> Result<Dialled, String> {
        let addresses = match (self.resolve)(&self.target.address) {
            Ok(addresses) => addresses,
            // std's message for a missing port does not say what to do.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let address = &self.target.address;
                return Err(format!("cannot dial {address}: an address is HOST:PORT"));
            }
            Err(error) => {
                let host = host_of(&self.target.address);
                return Err(format!("cannot find {host}: {}", sentence(&error)));
            }
        };
        self.report(Command::Resolved(self.conn));
        let mut refusals = Vec::new();
        for address in addresses {
            if self.is_cancelled.load(Ordering::Relaxed) {
                break;
            }
            match connect(address, self.connect_within) {
                Ok(socket) => {
                    return Ok(Dialled { socket, peer: address, target: self.target.clone() });
                }
                Err(error) => refusals.push((address, self.refusal(&error))),
            }
        }
        Err(self.summary(&refusals))
    }

    fn refusal(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::TimedOut => format!("no answer within {}", seconds(self.connect_within)),
            _ => sentence(error),
        }
    }

    fn summary(&self, refusals: &[(SocketAddr, String)]) -> String {
        let address = &self.target.address;
        match refusals {
            [] => format!("cannot find {}: it has no address", host_of(address)),
            [(_, refusal)] => format!("cannot reach {address}: {refusal}"),
            several => {
                let each = several.iter().map(|(at, refusal)| format!("{at}: {refusal}"));
                let each: Vec<String> = each.collect();
                format!("cannot reach {address} ({})", each.join("; "))
            }
        }
    }

    fn report(&self, command: Command) {
        self.inbox.put(&mut vec![command]);
    }
}

fn connect(address: SocketAddr, within: Duration) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, within)?;
    // TCP lets a socket connect to itself when the kernel gives it the very port that it dials.
    // Such a socket would keep a desk on this machine from binding that port.
    if socket.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(socket)
}

fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}
