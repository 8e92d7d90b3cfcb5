//! The one socket thread: listens, dials, does TLS, moves bytes, keeps deadlines.
//!
//! All sockets of a process live in one thread behind a readiness poller (`docs/ARCHITECTURE.md`,
//! rule 2). It knows nothing of frames or messages: what a byte means, who may speak
//! and when to redial is left to the loop. [`Net`] is the loop's handle; calls are
//! queued and [`Net::flush`] hands them over, once a batch. What happens comes back
//! as [`Event`]s over the bounded channel the loop made.
//!
//! Neither side can hold the other up for ever: the loop never blocks on net (bytes
//! waiting for a peer are bounded by [`OUTBOUND_MAX`], and a breach ends that
//! connection alone); net blocks on a full event channel and so stops reading, and
//! while it does no deadline runs. Of each connection one [`Event::Received`] is under way
//! at most, until [`Net::read_on`]: what waits for the loop is bounded by the connections,
//! and who sends much waits behind who sends little. Dialers report to net's inbox, never
//! to the loop.
//!
//! Who was accepted is a stranger until the loop lets it in ([`Net::admit`]). Strangers are
//! few ([`STRANGERS`], [`STRANGERS_PER_ADDRESS`]), are served after all others, and the loop
//! hears of none that says nothing.
//!
//! ```text
//! loop --Net--> inbox --> sockets.rs --Event--> loop
//!                 ^          | starts      (one connection: connection.rs, its bytes or TLS: stream.rs; strangers.rs)
//!                 +------ dial.rs (at most 4 threads: resolve, connect)
//! ```
//!
//! The numbers are those of `docs/PROTOCOL.md`, "Limits"; they are kept to
//! [`TICK`], by one sweep over the connections.

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

use crossbeam_channel::{Receiver, Sender, bounded};
use polling::{AsSource, Poller};

use crate::tls::{Fingerprint, Security};
pub use crate::wire::Conn;

mod connection;
mod descriptors;
mod dial;
mod sockets;
mod strangers;
mod stream;

#[cfg(test)]
mod tests;

/// TLS must be agreed on within this, on both ends.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// A connection that was accepted, and is past TLS, must have brought its hello within this; see [`Net::expect`].
pub const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// A peer that takes none of the bytes queued for it for this long is cut off.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);
/// How long a closed connection waits for the peer's own end, so that unread input
/// does not make the kernel reset it and lose what is on its way.
pub const LINGER: Duration = Duration::from_secs(2);
/// A resolver that has not answered within this is abandoned.
pub const RESOLVE_WITHIN: Duration = Duration::from_secs(5);
/// Each address of a name gets this long to answer.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Connections that may wait for us to accept them; the system may allow fewer.
const BACKLOG: i32 = 1024;
/// Accepting rests this long after it failed, for want of descriptors mostly.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Deadlines are looked at this often, while there is anything that has one.
pub const TICK: Duration = Duration::from_secs(1);
/// Connections at once, unless [`Net::at_most`] says otherwise.
pub const CONNECTIONS: usize = 4_096;
/// Of these, so many that were accepted and not let in. For one more goes the oldest of the address that has most.
pub const STRANGERS: usize = 512;
/// Strangers from one address (see [`Address`](crate::wire::Address)). One more is closed at once.
pub const STRANGERS_PER_ADDRESS: usize = 64;
/// Bytes that may wait for one peer beyond what the kernel holds.
pub const OUTBOUND_MAX: usize = 4 << 20;

/// What the socket thread tells the loop.
#[derive(Debug)]
pub enum Event {
    /// A peer dialled one of our listeners, TLS stands, and its first bytes are the next event. Its
    /// hello is awaited for [`HELLO_WITHIN`]. Of who says nothing, nothing is told.
    Accepted {
        /// Its name from now on.
        conn: Conn,
        /// Where it came from.
        peer: SocketAddr,
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
        /// At least one; at most 16 KiB, and through TLS what was there of a record already: less than 32 KiB.
        bytes: Vec<u8>,
    },
    /// Told exactly once for each connection, and last; also for a dial that failed or
    /// was closed before it connected.
    Closed {
        /// Which ended.
        conn: Conn,
        /// Why it did.
        why: Closed,
    },
    /// Something that concerns no single connection: told once when it starts and once
    /// when it is over, as one line a person understands.
    Trouble {
        /// That line.
        what: String,
    },
    /// A stranger speaks what we do not; told once in a process, since anybody can.
    Stranger {
        /// One line a person understands.
        what: String,
    },
}

/// Why a connection ended; its `Display` is a sentence for a person.
#[derive(Debug)]
pub enum Closed {
    /// [`Net::close`] or [`Net::finish`].
    ByUs,
    /// The peer said that it is done.
    ByPeer,
    /// It never came to be: the whole sentence, with the address and what went wrong.
    Dial(String),
    /// The peer speaks plaintext, and we TLS.
    Plaintext,
    /// The peer speaks TLS, and we plaintext.
    Encrypted,
    /// TLS came to nothing: the whole sentence.
    Tls(String),
    /// The peer does not take what we show in TLS: its alert.
    Refused(String),
    /// TLS says that the peer is not who it claims to be: the whole sentence.
    Distrusted(String),
    /// Not a byte for [`Keepalive::dead`].
    Silent,
    /// The peer took nothing for [`STALLED_AFTER`] though something was waiting.
    Stalled,
    /// What [`Net::expect`] was told to expect did not come in time.
    Deadline(&'static str),
    /// More than [`OUTBOUND_MAX`] would have waited for the peer.
    Overflow,
    /// It was the oldest stranger of the address that had most, and others came.
    Crowded,
    /// The network or the peer's machine broke it off.
    Broken(io::Error),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closed::ByUs => f.write_str("the connection was closed at this end"),
            Closed::ByPeer => f.write_str("the other side closed the connection"),
            Closed::Dial(sentence) | Closed::Tls(sentence) | Closed::Distrusted(sentence) => f.write_str(sentence),
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

/// What is sent when there is nothing to send, and what the lack of it means.
#[derive(Clone, Debug)]
pub struct Keepalive {
    /// The bytes (a ping frame).
    pub bytes: Vec<u8>,
    /// Sent when we have sent nothing for this long.
    pub after: Duration,
    /// A connection without a byte received for this long is closed: [`Closed::Silent`].
    pub dead: Duration,
}

/// How the socket thread is to work.
#[derive(Clone)]
pub struct Settings {
    /// What keeps connections alive, and tells dead ones.
    pub keepalive: Keepalive,
    /// TLS, or none.
    pub security: Security,
    /// What a peer is sent, past TLS, that speaks plaintext to our TLS or TLS to our plaintext: a frame that says so.
    pub refusal: Vec<u8>,
}

/// The loop's handle of the socket thread.
///
/// No call blocks, [`listen`](Net::listen) and [`finish`](Net::finish) excepted. What
/// is asked for takes effect, in order, at the next [`flush`](Net::flush). Dropping
/// the handle drops every connection and ends the thread.
pub struct Net {
    inbox: Arc<Inbox>,
    queued: RefCell<Vec<Command>>,
    alive: Option<Sender<Infallible>>,
    ended: Receiver<Infallible>,
}

impl Net {
    /// Starts the socket thread. `events` should be bounded: when it is full, net stops
    /// reading; when its receiver is gone, net ends.
    pub fn start(settings: Settings, events: Sender<Event>) -> io::Result<Net> {
        Net::start_with(Limits::with(settings), events)
    }

    fn start_with(limits: Limits, events: Sender<Event>) -> io::Result<Net> {
        let inbox =
            Arc::new(Inbox { poller: Arc::new(Poller::new()?), numbers: AtomicU64::new(1), state: Mutex::default() });
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
    pub fn listen(&self, address: &str) -> io::Result<SocketAddr> {
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
        self.queue(Command::Listen(listener, local));
        Ok(local)
    }

    /// Dials `address` (host and port); [`Event::Connected`] or [`Event::Closed`] follows.
    pub fn dial(&self, address: &str) -> Conn {
        let conn = self.inbox.number();
        self.queue(Command::Dial(conn, address.to_owned()));
        conn
    }

    /// Sends `bytes`. To a connection that is unknown, closed or not yet connected they
    /// are dropped.
    pub fn send(&self, conn: Conn, bytes: Vec<u8>) {
        self.queue(Command::Send(conn, bytes));
    }

    /// How many connections there may be. Raises the system's limit of open files if it must, and
    /// can; returns for how many there is room, which may be fewer.
    pub fn at_most(&self, connections: usize) -> usize {
        let room = descriptors::room_for(connections);
        self.queue(Command::AtMost(room));
        room
    }

    /// Lets a stranger in: it makes room for nobody any more.
    pub fn admit(&self, conn: Conn) {
        self.queue(Command::Admit(conn));
    }

    /// What was received is dealt with: the connection is read again after this `rest`. While it
    /// is not read it is neither silent nor late; a stranger's hello may still be.
    pub fn read_on(&self, conn: Conn, rest: Duration) {
        self.queue(Command::ReadOn(conn, rest));
    }

    /// Arms the one deadline of a connection (`Some`), in place of the one before, or
    /// clears it (`None`). Once it is over: [`Closed::Deadline`] with `what`, a noun.
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

    /// Hands over what was asked for since the last time: at most one wake of the thread
    /// for a whole batch, none when it is awake, or need not be.
    pub fn flush(&self) {
        self.inbox.put(&mut self.queued.borrow_mut());
    }

    /// Closes the listeners, and every connection as [`close`](Net::close) does, and
    /// waits for the thread: at most `within`, then what is left is dropped. Events that
    /// find the channel full from here on are not told, since nobody reads it meanwhile.
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

/// What the loop asks for and what dialers report.
enum Command {
    Listen(TcpListener, SocketAddr),
    Dial(Conn, String),
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

/// What a dialer brings.
struct Dialled {
    socket: TcpStream,
    peer: SocketAddr,
    /// As it was given: TLS asks for the host by name.
    address: String,
}

impl Command {
    /// Whether it cannot wait for the thread to wake by itself. To read on can, until something comes.
    fn is_urgent(&self) -> bool {
        !matches!(self, Command::ReadOn(_, Duration::ZERO))
    }
}

/// Where commands wait for the socket thread; unbounded, as nobody may block on it. It
/// holds what one batch of the loop made, since the thread takes all there is each turn.
struct Inbox {
    poller: Arc<Poller>,
    numbers: AtomicU64,
    state: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    commands: Vec<Command>,
    /// The thread waits for readiness and must be woken. Kept under the same lock as
    /// the commands, so that no wake is missed and none is made in vain.
    asleep: bool,
    /// Something came that is not to be read yet: whoever is to be read on must wake the thread.
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
            let _ = self.poller.notify();
        }
    }

    /// Moves all there is to `commands`, which is empty. If there is none, the thread
    /// counts as asleep from here on.
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

/// The settings, and the constants above so that tests need not wait for them.
#[derive(Clone)]
struct Limits {
    settings: Settings,
    handshake_within: Duration,
    hello_within: Duration,
    stalled_after: Duration,
    linger: Duration,
    resolve_within: Duration,
    connect_within: Duration,
    accept_pause: Duration,
    tick: Duration,
    outbound_max: usize,
    connections: usize,
    strangers: usize,
    strangers_per_address: usize,
    resolve: dial::Resolve,
}

impl Limits {
    fn with(settings: Settings) -> Limits {
        Limits {
            settings,
            handshake_within: HANDSHAKE_WITHIN,
            hello_within: HELLO_WITHIN,
            stalled_after: STALLED_AFTER,
            linger: LINGER,
            resolve_within: RESOLVE_WITHIN,
            connect_within: CONNECT_WITHIN,
            accept_pause: ACCEPT_PAUSE,
            tick: TICK,
            outbound_max: OUTBOUND_MAX,
            connections: CONNECTIONS,
            strangers: STRANGERS,
            strangers_per_address: STRANGERS_PER_ADDRESS,
            resolve: dial::resolve,
        }
    }
}

/// A socket and its place in the poller; it leaves the poller before it is dropped.
struct Registered<S: AsSource> {
    source: S,
    poller: Arc<Poller>,
    key: usize,
}

impl<S: AsSource> Registered<S> {
    /// Registers `source` for reading, level-triggered: no call re-arms it, and what one
    /// turn leaves unread is told again.
    #[allow(unsafe_code)] // docs/ARCHITECTURE.md, rule 11: the poller's registration
    fn new(poller: &Arc<Poller>, conn: Conn, source: S) -> io::Result<Registered<S>> {
        let key = conn.0 as usize;
        let interest = polling::Event::readable(key);
        let level = polling::PollMode::Level;
        // SAFETY: the source must be deleted from the poller before it is dropped. It is
        // moved into the guard right below, nothing takes it out again, and the guard's
        // `drop` deletes it before its fields, the source among them, are dropped. If
        // adding fails nothing is registered.
        unsafe { poller.add_with_mode(&source.source(), interest, level)? };
        Ok(Registered { source, poller: poller.clone(), key })
    }

    fn want(&self, read: bool, write: bool) -> io::Result<()> {
        let interest = polling::Event::new(self.key, read, write);
        self.poller.modify_with_mode(&self.source, interest, polling::PollMode::Level)
    }
}

impl<S: AsSource> Drop for Registered<S> {
    fn drop(&mut self) {
        let _ = self.poller.delete(&self.source);
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
