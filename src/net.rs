//! The one socket thread: it listens, dials, does TLS, moves bytes and keeps deadlines.
//!
//! All sockets of a process live in one thread behind epoll (`docs/ARCHITECTURE.md`, rule 2). The
//! thread knows no frames or messages: the loop (the main thread of a mode) decides what bytes
//! mean, who may speak and when to dial again. [`Net`] is the loop's handle. Its calls are queued,
//! and [`Net::flush`] passes them on once a batch. Everything that happens comes back as an
//! [`Event`] over the bounded channel that the loop made.
//!
//! Each listener and each dial has [`Settings`] of its own: its security, and the [`Dialect`]s that
//! it may speak. If there are several, TLS chooses by their names (ALPN).
//!
//! Neither thread can block the other for ever:
//!
//! * The loop never blocks on the socket thread. [`Dialect::outbound_max`] bounds the bytes that
//!   wait for a peer; a peer for which more would wait loses its connection.
//! * The socket thread blocks when the event channel is full. Then it does not read, and no
//!   deadline runs.
//! * After one [`Event::Received`] a connection is not read until the loop calls [`Net::read_on`].
//!   So the number of connections bounds the events that wait, and peers that send little do not
//!   wait for a peer that sends much.
//! * Dialers report to the socket thread's inbox, never to the loop.
//!
//! An accepted connection is a stranger until the loop admits it ([`Net::admit`]). The number of
//! strangers is bounded ([`STRANGERS`], [`STRANGERS_PER_ADDRESS`]), and they are served after all
//! other connections.
//!
//! ```text
//! loop --Net--> inbox.rs --> sockets.rs --Event--> loop
//!         |        ^            | starts
//!         |        +--------- dial.rs (at most 4 threads: resolve, connect)
//!         +--bytes--> writer.rs --> socket
//!
//! sockets.rs uses: connection.rs (one connection), writer.rs (what waits to be written to it),
//!                  stream.rs (its bytes, plain or TLS), poller.rs (readiness), strangers.rs
//! ```
//!
//! The times are those of `docs/PROTOCOL.md`, "Limits". The thread checks deadlines once every
//! [`TICK`], so a connection may live that much longer than its deadline.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

pub use crate::wire::Conn;
pub use dialect::{Dialect, Keepalive, Settings, StrangersMax};
pub use event::{Closed, Event};
use inbox::{Command, Dialled, Inbox, Target};
use writer::Sent;

mod connection;
mod descriptors;
mod dial;
mod dialect;
mod event;
mod inbox;
mod poller;
mod sockets;
mod strangers;
mod stream;
mod writer;

#[cfg(test)]
mod tests;

/// The time for the TLS handshake, on both sides.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// The time for the hello of an accepted connection, counted from the end of its TLS handshake; see
/// [`Net::expect`].
pub const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// A connection is closed when its peer has taken none of the waiting bytes for this long.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);
/// How long a connection that this side closed waits for the peer's own close. Without the wait,
/// unread input makes the kernel reset the connection, and bytes on their way are lost.
pub const LINGER: Duration = Duration::from_secs(2);
/// A resolver that has not answered within this is abandoned.
pub const RESOLVE_WITHIN: Duration = Duration::from_secs(5);
/// The time for each address of a name to answer a dial.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The most connections that may wait in the kernel to be accepted; the system may allow fewer.
const BACKLOG: i32 = 1024;
/// How long a listener pauses after accepting failed. Most often no descriptors are left.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// How often deadlines are checked, while any is set.
pub const TICK: Duration = Duration::from_secs(1);
/// The most connections at the same time, unless [`Net::at_most`] sets another number.
pub const CONNECTIONS: usize = 4_096;
/// The most strangers at one listener. When one more comes, the oldest stranger of the address that
/// has the most strangers is closed.
pub const STRANGERS: usize = 512;
/// The most strangers at one listener from one address (see [`Address`](crate::wire::Address)).
/// When one more comes, the oldest stranger of the address that has sent nothing is closed; if all
/// have sent something, the new one is closed at once.
pub const STRANGERS_PER_ADDRESS: usize = 64;
/// The most bytes that may wait for one peer, not counting those in the kernel, unless its dialect
/// sets another number.
pub const OUTBOUND_MAX: usize = 4 << 20;

/// The most sends that the loop's handle writes itself in one flush.
const WRITTEN_AT_ONCE: usize = 4;

/// The loop's handle to the socket thread.
///
/// No call blocks, except [`listen`](Net::listen) and [`finish`](Net::finish). Calls take effect in
/// order, at the next [`flush`](Net::flush). Dropping the handle drops every connection and ends
/// the thread.
pub struct Net {
    inbox: Arc<Inbox>,
    unflushed: RefCell<Vec<Command>>,
    liveness: Option<Sender<Infallible>>,
    thread_end: Receiver<Infallible>,
}

impl Net {
    /// Starts the socket thread. `events` should be bounded: when it is full, the thread stops
    /// reading. When its receiver is dropped, the thread ends.
    pub fn start(events: Sender<Event>) -> io::Result<Net> {
        Net::start_with(Limits::default(), events)
    }

    fn start_with(limits: Limits, events: Sender<Event>) -> io::Result<Net> {
        let inbox = Arc::new(Inbox::new()?);
        let (liveness, handle_alive) = bounded(0);
        let (running, thread_end) = bounded::<Infallible>(0);
        let sockets = sockets::Sockets::new(inbox.clone(), limits, events, handle_alive);
        thread::Builder::new().name("net".into()).spawn(move || {
            let _running = running;
            sockets.run();
        })?;
        Ok(Net { inbox, unflushed: RefCell::default(), liveness: Some(liveness), thread_end })
    }

    /// Listens on `address` (host and port; port 0 takes a free one) and returns the real address.
    /// This call blocks: it resolves and binds before it returns.
    pub fn listen(&self, address: &str, settings: Settings) -> io::Result<SocketAddr> {
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            // std takes 128. When more customers dial at once, the kernel drops the others, and
            // their next attempt comes a second later.
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

    /// Gives the listener at `local` other settings, such as a renewed certificate. Connections
    /// that it has accepted keep theirs.
    pub fn renew(&self, local: SocketAddr, settings: Settings) {
        self.queue(Command::Renew(local, settings));
    }

    /// Dials `address` (host and port); [`Event::Connected`] or [`Event::Closed`] follows.
    pub fn dial(&self, address: &str, settings: Settings) -> Conn {
        let conn = self.inbox.number();
        self.queue(Command::Dial(conn, Target { address: address.to_owned(), settings }));
        conn
    }

    /// Sends `bytes`. They are dropped if the connection is unknown, closed or not yet connected.
    pub fn send(&self, conn: Conn, bytes: Vec<u8>) {
        let mut commands = self.unflushed.borrow_mut();
        match commands.last_mut() {
            // What is sent to one connection in a row leaves in one write.
            Some(Command::Send(last, waiting)) if *last == conn => waiting.extend(bytes),
            _ => commands.push(Command::Send(conn, bytes)),
        }
    }

    /// Sets the highest number of connections. Raises the process's limit of open files if needed
    /// and allowed. Returns the number that fits, which may be lower.
    pub fn at_most(&self, connections: usize) -> usize {
        let room = descriptors::room_for(connections);
        self.queue(Command::AtMost(room));
        room
    }

    /// Admits a stranger: it is not closed any more to make room for another.
    pub fn admit(&self, conn: Conn) {
        self.queue(Command::Admit(conn));
    }

    /// The loop is done with the last [`Event::Received`]: the connection is read again after
    /// `rest`. Until then it counts as neither silent nor late; but the time for a stranger's hello
    /// runs.
    pub fn read_on(&self, conn: Conn, rest: Duration) {
        self.queue(Command::ReadOn(conn, rest));
    }

    /// Sets the one deadline of a connection (`Some`), in place of the earlier one, or clears it
    /// (`None`). When it has passed, the connection is closed: [`Closed::Deadline`] with `what`, a
    /// noun.
    pub fn expect(&self, conn: Conn, within: Option<Duration>, what: &'static str) {
        let deadline = within.map(|within| self.inbox.now() + within);
        self.queue(Command::Expect(conn, deadline, what));
    }

    /// Sends what is queued and a FIN, waits for the peer's close ([`LINGER`] at most) and drops
    /// the connection: [`Closed::ByUs`]. Bytes that come meanwhile are discarded. A `Received` that
    /// is in the event channel already still reaches the loop.
    pub fn close(&self, conn: Conn) {
        self.queue(Command::Close(conn));
    }

    /// Drops the connection at once, or cancels its dial: [`Closed::ByUs`].
    pub fn abort(&self, conn: Conn) {
        self.queue(Command::Abort(conn));
    }

    /// Passes the queued calls to the thread, and wakes it if it sleeps and a call is urgent. So a
    /// batch of calls wakes the thread at most once.
    ///
    /// If the only urgent calls are a few [`send`](Net::send)s, this writes the bytes itself, and
    /// leaves to the thread only what would block; `writer.rs` has the rules. Many sends go to the
    /// thread: it writes while the loop goes on.
    pub fn flush(&self) {
        let mut commands = self.unflushed.borrow_mut();
        if !commands.is_empty()
            && self.inbox.is_idle()
            && let Some(sends) = few_sends(&mut commands)
        {
            // These come before the writes. Otherwise a quick answer could find its connection
            // paused.
            self.inbox.put(&mut commands);
            commands.extend(sends.into_iter().filter_map(|(conn, bytes)| self.write(conn, bytes)));
        }
        self.inbox.put(&mut commands);
    }

    /// Writes what was sent, as far as the socket takes it. Returns what is left to the thread.
    fn write(&self, conn: Conn, bytes: Vec<u8>) -> Option<Command> {
        let Some(writer) = self.inbox.writer(conn) else { return Some(Command::Send(conn, bytes)) };
        let sent = writer.lock().send(bytes, self.inbox.now());
        match sent {
            Sent::Whole => None,
            Sent::Part => Some(Command::Write(conn)),
            Sent::Nothing(bytes) => Some(Command::Send(conn, bytes)),
        }
    }

    /// Closes the listeners, and every connection as [`close`](Net::close) does, and waits for the
    /// thread, at most `within`; then the thread drops the remaining connections. From here on,
    /// events for which the channel has no room are lost, because nobody reads the channel.
    pub fn finish(mut self, within: Duration) {
        self.queue(Command::Finish(within));
        self.flush();
        // Wakes a thread that blocks on the event channel.
        self.liveness = None;
        let _ = self.thread_end.recv_timeout(within);
    }

    fn queue(&self, command: Command) {
        self.unflushed.borrow_mut().push(command);
    }
}

/// Takes the sends out of `commands`, if they are few and no other command is urgent.
fn few_sends(commands: &mut Vec<Command>) -> Option<Vec<(Conn, Vec<u8>)>> {
    let is_send = |command: &Command| matches!(command, Command::Send(..));
    let urgent = commands.iter().filter(|command| command.is_urgent()).count();
    let sends = commands.iter().filter(|command| is_send(command)).count();
    if sends != urgent || !(1..=WRITTEN_AT_ONCE).contains(&sends) {
        return None;
    }
    let sends = commands.extract_if(.., |command| is_send(command));
    Some(sends.filter_map(Command::into_send).collect())
}

impl Drop for Net {
    fn drop(&mut self) {
        // After `finish` the thread has ended already, or is late.
        self.inbox.put(&mut vec![Command::Finish(Duration::ZERO)]);
    }
}

/// The constants that hold for all connections, as values: tests set shorter times.
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

/// The system's text for an error, without a capital and without the error's number.
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
