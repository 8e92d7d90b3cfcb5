//! The one socket thread: listens, dials, does TLS, moves bytes, keeps deadlines.
//!
//! All sockets of a process live in one thread behind epoll (`docs/ARCHITECTURE.md`,
//! rule 2). The thread knows nothing of frames or messages: the loop decides what a byte
//! means, who may speak and when to dial again. [`Net`] is the loop's handle. Its calls are
//! queued, and [`Net::flush`] hands them over once a batch. Everything that happens comes
//! back as an [`Event`] over the bounded channel that the loop made.
//!
//! Each listener and each dial has [`Settings`] of its own: how it is secured, and which
//! [`Dialect`]s it may speak. Where there are several, TLS chooses by their names (ALPN).
//!
//! Neither side can block the other for ever:
//!
//! * The loop never blocks on net. The bytes that wait for a peer are bounded by
//!   [`Dialect::outbound_max`]; a peer for which more would wait loses its connection.
//! * Net blocks when the event channel is full. Then it does not read, and no deadline runs.
//! * Each connection has one [`Event::Received`] on its way at most, until the loop calls
//!   [`Net::read_on`]. So the events that wait are bounded by the number of connections, and a peer
//!   that sends much waits behind peers that send little.
//! * Dialers report to net's inbox, never to the loop.
//!
//! An accepted connection is a stranger until the loop lets it in ([`Net::admit`]). Strangers
//! are few ([`STRANGERS`], [`STRANGERS_PER_ADDRESS`]) and are served after all others. A
//! stranger that says nothing has no event.
//!
//! ```text
//! loop --Net--> inbox --> sockets.rs --Event--> loop
//!                 ^          | starts      (one connection: connection.rs, its bytes or TLS: stream.rs;
//!                 |          |              readiness: poller.rs; strangers.rs)
//!                 +------ dial.rs (at most 4 threads: resolve, connect)
//! ```
//!
//! The times are those of `docs/PROTOCOL.md`, "Limits". One sweep over the connections looks
//! at them once every [`TICK`], so each may be that much late.

use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::edge::tls::{Fingerprint, Security};
pub use crate::wire::Conn;
use crossbeam_channel::{Receiver, Sender, bounded};
use poller::Poller;

mod connection;
mod descriptors;
mod dial;
mod poller;
mod sockets;
mod strangers;
mod stream;

#[cfg(test)]
mod tests;

/// The time for the TLS handshake, on both ends.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// The time for the hello of an accepted connection, counted from the end of its TLS handshake;
/// see [`Net::expect`].
pub const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// A connection is closed when its peer has taken none of the waiting bytes for this long.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);
/// How long a closed connection waits for the peer's own end. Without the wait, unread input
/// makes the kernel reset the connection, and bytes on their way are lost.
pub const LINGER: Duration = Duration::from_secs(2);
/// A resolver that has not answered within this is abandoned.
pub const RESOLVE_WITHIN: Duration = Duration::from_secs(5);
/// The time that each address of a name has to answer.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Connections that may wait for us to accept them; the system may allow fewer.
const BACKLOG: i32 = 1024;
/// How long a listener rests after accepting failed. Most often there are no descriptors left.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// How often deadlines are looked at, while any is set.
pub const TICK: Duration = Duration::from_secs(1);
/// Connections at once, unless [`Net::at_most`] says otherwise.
pub const CONNECTIONS: usize = 4_096;
/// Strangers at one listener. When one more comes, the oldest stranger of the address that has the
/// most strangers is closed.
pub const STRANGERS: usize = 512;
/// Strangers at one listener from one address (see [`Address`](crate::wire::Address)). One more is
/// closed at once.
pub const STRANGERS_PER_ADDRESS: usize = 64;
/// Bytes that may wait for one peer beyond what the kernel holds, unless its dialect says
/// otherwise.
pub const OUTBOUND_MAX: usize = 4 << 20;

/// What the socket thread tells the loop.
#[derive(Debug)]
pub enum Event {
    /// A peer dialled one of our listeners, TLS stands, and its first bytes are the next event. Its
    /// hello is awaited for [`Dialect::hello_within`]. A peer that says nothing has no event.
    Accepted {
        /// Its name from now on.
        conn: Conn,
        /// Where it came from.
        peer: SocketAddr,
        /// The name of the dialect that it speaks.
        dialect: &'static str,
    },
    /// What was dialled answered, and TLS stands.
    Connected {
        /// What [`Net::dial`] returned.
        conn: Conn,
        /// The address that answered, of those the name has.
        peer: SocketAddr,
        /// The key it proved to own; none in plaintext.
        key: Option<Fingerprint>,
    },
    /// Bytes came, cut anywhere. No more of them are read until [`Net::read_on`].
    Received {
        /// From whom.
        conn: Conn,
        /// At least one and at most 16 KiB; through TLS less than 32 KiB, because the rest of a
        /// record may have come before.
        bytes: Vec<u8>,
    },
    /// The last event of each connection, and sent once; also for a dial that failed or was
    /// closed before it connected.
    Closed {
        /// The connection that ended.
        conn: Conn,
        /// Why it ended.
        why: Closed,
    },
    /// A problem of no single connection: one event when it starts, and one when it is over.
    Trouble {
        /// One line that a person understands.
        what: String,
    },
    /// A stranger speaks another protocol. This is sent once in a process: anybody can cause it.
    Stranger {
        /// One line that a person understands.
        what: String,
    },
}

/// Why a connection ended; its `Display` is a sentence for a person.
#[derive(Debug)]
pub enum Closed {
    /// [`Net::close`] or [`Net::finish`].
    ByUs,
    /// The peer ended it.
    ByPeer,
    /// The dial failed: the whole sentence, with the address and what went wrong.
    Dial(String),
    /// The peer speaks plaintext, and this side TLS.
    Plaintext,
    /// The peer speaks TLS, and this side plaintext.
    Encrypted,
    /// The TLS handshake or a record failed: the whole sentence.
    Tls(String),
    /// The peer refuses this side's certificate or TLS: its alert.
    Refused(String),
    /// TLS shows that the peer is not the one that was dialled: the whole sentence.
    Distrusted(String),
    /// No byte came for [`Keepalive::dead`].
    Silent,
    /// The peer took none of the waiting bytes for [`STALLED_AFTER`].
    Stalled,
    /// The thing named to [`Net::expect`] did not come in time.
    Deadline(&'static str),
    /// More than [`Dialect::outbound_max`] would have waited for the peer.
    Overflow,
    /// It made room for another stranger; see [`STRANGERS`].
    Crowded,
    /// The network or the peer's machine broke it.
    Broken(io::Error),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closed::ByUs => f.write_str("the connection was closed at this end"),
            Closed::ByPeer => f.write_str("the other side closed the connection"),
            Closed::Dial(sentence) | Closed::Tls(sentence) | Closed::Distrusted(sentence) => {
                f.write_str(sentence)
            }
            Closed::Refused(alert) => {
                write!(f, "the other side does not take this side's certificate or TLS ({alert})")
            }
            Closed::Plaintext => f.write_str("the other side speaks plaintext, and this side TLS"),
            Closed::Encrypted => f.write_str("the other side speaks TLS, and this side plaintext"),
            Closed::Silent => f.write_str("nothing was heard from the other side for too long"),
            Closed::Stalled => f.write_str("the other side stopped reading"),
            Closed::Deadline(what) => write!(f, "the other side sent no {what} in time"),
            Closed::Overflow => f.write_str("too much was waiting for the other side to read it"),
            Closed::Crowded => f.write_str("too many others wanted to be let in"),
            Closed::Broken(error) => write!(f, "the connection broke: {}", sentence(error)),
        }
    }
}

impl Error for Closed {}

/// What keeps an idle connection alive, and when a silent one counts as dead.
#[derive(Clone, Debug)]
pub struct Keepalive {
    /// The bytes to send (a ping frame).
    pub bytes: Vec<u8>,
    /// They are sent when this side has sent nothing for this long.
    pub after: Duration,
    /// A connection that brings no byte for this long is closed: [`Closed::Silent`].
    pub dead: Duration,
}

/// What is spoken on a connection, as far as it matters to who moves the bytes.
#[derive(Clone, Debug)]
pub struct Dialect {
    /// Its name, also within TLS (ALPN, RFC 7301).
    pub name: &'static str,
    /// The bytes that begin it in plaintext: a peer that sends one of them where TLS is due does
    /// not speak TLS.
    pub first_bytes: &'static [u8],
    /// What keeps connections alive, and tells dead ones.
    pub keepalive: Keepalive,
    /// What is sent, past TLS, to a peer that speaks plaintext to our TLS or TLS to our plaintext:
    /// a frame that says so.
    pub refusal: Vec<u8>,
    /// A connection that was accepted, and is past TLS, must bring its hello within this.
    pub hello_within: Duration,
    /// Bytes that may wait for one peer beyond what the kernel holds.
    pub outbound_max: usize,
}

/// How the connections of one listener, or of one dial, are secured, what they speak, and how many
/// strangers a listener bears.
#[derive(Clone)]
pub struct Settings {
    /// TLS, or none.
    security: Security,
    /// What may be spoken: at least one. In plaintext it is the first, in TLS the two sides agree.
    /// Each connection shares them: a thin pointer keeps it small.
    dialects: Arc<Vec<Dialect>>,
    strangers: usize,
    strangers_per_address: usize,
}

impl Settings {
    /// With the usual bounds on strangers: [`STRANGERS`], [`STRANGERS_PER_ADDRESS`].
    ///
    /// # Panics
    /// Without a dialect, or with more than 255: that is the caller's mistake.
    pub fn new(security: Security, dialects: impl Into<Vec<Dialect>>) -> Settings {
        let dialects: Vec<Dialect> = dialects.into();
        assert!((1..=255).contains(&dialects.len()), "a connection needs something to speak");
        let names = dialects.iter().map(|dialect| dialect.name.as_bytes().to_vec()).collect();
        Settings {
            security: security.speaking(names),
            dialects: Arc::new(dialects),
            strangers: STRANGERS,
            strangers_per_address: STRANGERS_PER_ADDRESS,
        }
    }
}

/// The loop's handle of the socket thread.
///
/// No call blocks, except [`listen`](Net::listen) and [`finish`](Net::finish). Calls take
/// effect in their order, at the next [`flush`](Net::flush). Dropping the handle drops every
/// connection and ends the thread.
pub struct Net {
    inbox: Arc<Inbox>,
    queued: RefCell<Vec<Command>>,
    alive: Option<Sender<Infallible>>,
    ended: Receiver<Infallible>,
}

impl Net {
    /// Starts the socket thread. `events` should be bounded: when it is full, net stops
    /// reading; when its receiver is gone, net ends.
    pub fn start(events: Sender<Event>) -> io::Result<Net> {
        Net::start_with(Limits::default(), events)
    }

    fn start_with(limits: Limits, events: Sender<Event>) -> io::Result<Net> {
        let inbox = Arc::new(Inbox {
            poller: Arc::new(Poller::new()?),
            numbers: AtomicU64::new(1),
            state: Mutex::default(),
        });
        let (alive, handle_alive) = bounded(0);
        let (running, ended) = bounded::<Infallible>(0);
        let sockets = sockets::Sockets::new(inbox.clone(), limits, events, handle_alive);
        thread::Builder::new().name("net".into()).spawn(move || {
            let _running = running;
            sockets.run();
        })?;
        Ok(Net { inbox, queued: RefCell::default(), alive: Some(alive), ended })
    }

    /// Listens on `address` (host and port; port 0 takes a free one) and returns the
    /// real address. Resolves and binds before it returns: for the start of a program.
    pub fn listen(&self, address: &str, settings: Settings) -> io::Result<SocketAddr> {
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            // std takes 128: who dials while a crowd does would have to dial again, a second later.
            rustix::net::listen(&listener, BACKLOG)?;
            let local = listener.local_addr()?;
            Ok((listener, local))
        };
        let (listener, local) = bind().map_err(|error: io::Error| {
            let what = format!("cannot listen on {address}: {}", sentence(&error));
            io::Error::new(error.kind(), what)
        })?;
        self.queue(Command::Listen(listener, local, settings));
        Ok(local)
    }

    /// Dials `address` (host and port); [`Event::Connected`] or [`Event::Closed`] follows.
    pub fn dial(&self, address: &str, settings: Settings) -> Conn {
        let conn = self.inbox.number();
        self.queue(Command::Dial(conn, Target { address: address.to_owned(), settings }));
        conn
    }

    /// Sends `bytes`. To a connection that is unknown, closed or not yet connected they
    /// are dropped.
    pub fn send(&self, conn: Conn, bytes: Vec<u8>) {
        self.queue(Command::Send(conn, bytes));
    }

    /// Sets the highest number of connections. Raises the process's limit of open files if needed
    /// and allowed. Returns the number that fits, which may be lower.
    pub fn at_most(&self, connections: usize) -> usize {
        let room = descriptors::room_for(connections);
        self.queue(Command::AtMost(room));
        room
    }

    /// Lets a stranger in: it is not closed any more to make room for another.
    pub fn admit(&self, conn: Conn) {
        self.queue(Command::Admit(conn));
    }

    /// The loop is done with what was received: the connection is read again after this `rest`.
    /// Until then it counts as neither silent nor late, except a stranger that owes its hello.
    pub fn read_on(&self, conn: Conn, rest: Duration) {
        self.queue(Command::ReadOn(conn, rest));
    }

    /// Sets the one deadline of a connection (`Some`), in place of the one before, or clears it
    /// (`None`). When it has passed, the connection is closed: [`Closed::Deadline`] with `what`, a
    /// noun.
    pub fn expect(&self, conn: Conn, within: Option<Duration>, what: &'static str) {
        self.queue(Command::Expect(conn, within, what));
    }

    /// Sends what was queued, says so to the peer, waits for its end ([`LINGER`] at most)
    /// and drops the connection: [`Closed::ByUs`]. What the peer says meanwhile is
    /// discarded; a `Received` that is in the event channel already still comes out of it.
    pub fn close(&self, conn: Conn) {
        self.queue(Command::Close(conn));
    }

    /// Drops the connection at once, or gives up dialling it: [`Closed::ByUs`].
    pub fn abort(&self, conn: Conn) {
        self.queue(Command::Abort(conn));
    }

    /// Hands the calls since the last time over to the thread. A whole batch wakes it once at
    /// most; not at all when it is awake, or when nothing of the batch is urgent.
    pub fn flush(&self) {
        self.inbox.put(&mut self.queued.borrow_mut());
    }

    /// Closes the listeners, and every connection as [`close`](Net::close) does, and waits for
    /// the thread, at most `within`; then the connections that are left are dropped. Events that
    /// find the channel full from here on are lost, since nobody reads the channel meanwhile.
    pub fn finish(mut self, within: Duration) {
        self.queue(Command::Finish(within));
        self.flush();
        // Wakes a thread that blocks on the event channel.
        self.alive = None;
        let _ = self.ended.recv_timeout(within);
    }

    fn queue(&self, command: Command) {
        self.queued.borrow_mut().push(command);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // After `finish` this finds a thread that has ended, or is late.
        self.inbox.put(&mut vec![Command::Finish(Duration::ZERO)]);
    }
}

/// What the loop asks for, and what dialers report.
enum Command {
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

/// What is dialled.
#[derive(Clone)]
struct Target {
    /// As it was given: TLS asks for the host by name.
    address: String,
    settings: Settings,
}

/// What a dialer brings.
struct Dialled {
    socket: TcpStream,
    peer: SocketAddr,
    target: Target,
}

impl Command {
    /// Whether the thread must be woken for it. Reading on can wait until something comes anyway.
    fn is_urgent(&self) -> bool {
        !matches!(self, Command::ReadOn(_, Duration::ZERO))
    }
}

/// Where commands wait for the socket thread. It is unbounded, since nobody may block on it; it
/// holds about one batch of the loop, since the thread takes all of it each turn.
struct Inbox {
    poller: Arc<Poller>,
    numbers: AtomicU64,
    state: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    commands: Vec<Command>,
    /// The thread waits for readiness and must be woken. It is under the same lock as the
    /// commands, so that no wake is missed and none is made in vain.
    asleep: bool,
    /// Some socket has bytes that may not be read yet: a command to read on must wake the thread.
    deaf: bool,
}

impl Inbox {
    fn number(&self) -> Conn {
        Conn(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    fn put(&self, commands: &mut Vec<Command>) {
        if commands.is_empty() {
            return;
        }
        let urgent = commands.iter().any(Command::is_urgent);
        let wakes = {
            let mut waiting = self.lock();
            waiting.commands.append(commands);
            (urgent || waiting.deaf) && std::mem::take(&mut waiting.asleep)
        };
        if wakes {
            // It fails only when the poller is gone, and then nobody waits.
            let _ = self.poller.wake();
        }
    }

    /// Moves all commands to `commands`, which is empty. If there are none, the thread counts as
    /// asleep from here on.
    fn take(&self, commands: &mut Vec<Command>, deaf: bool) {
        let mut waiting = self.lock();
        waiting.deaf = deaf;
        std::mem::swap(&mut waiting.commands, commands);
        waiting.asleep = commands.is_empty();
    }

    fn awake(&self) {
        self.lock().asleep = false;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held; if it did, a Vec and a flag are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The constants above that hold for all connections, so that tests need not wait for them.
#[derive(Clone)]
struct Limits {
    handshake_within: Duration,
    stalled_after: Duration,
    linger: Duration,
    resolve_within: Duration,
    connect_within: Duration,
    accept_pause: Duration,
    tick: Duration,
    connections: usize,
    resolve: dial::Resolve,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            handshake_within: HANDSHAKE_WITHIN,
            stalled_after: STALLED_AFTER,
            linger: LINGER,
            resolve_within: RESOLVE_WITHIN,
            connect_within: CONNECT_WITHIN,
            accept_pause: ACCEPT_PAUSE,
            tick: TICK,
            connections: CONNECTIONS,
            resolve: dial::resolve,
        }
    }
}

/// What the system says, as a person would: lowercase, without its number.
fn sentence(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => error.kind().to_string(),
    }
}
