//! The socket thread itself: commands and readiness in, bytes and events out.
//!
//! In each turn the thread carries out all commands, writes what they queued (one write a
//! connection) and waits for readiness. Then it serves each ready socket once and within bounds:
//! first admitted connections, then some strangers, then the listeners. Once a tick it looks at all
//! deadlines. While nothing has a deadline, it sleeps without a timeout.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::wire::IdMap;

use crossbeam_channel::{Receiver, Sender, TrySendError, select};

use super::connection::{Connection, Due};
use super::dial::Dialers;
use super::poller::Ready;
use super::strangers::Strangers;
use super::{Closed, Conn, Event, Inbox, Limits, sentence};
use doors::Listener;

mod commands;
mod doors;
mod ready;

/// The most bytes read from one connection in a turn, so that no connection starves the others.
const READ_MAX: usize = 16 << 10;

/// All sockets of the process.
pub(super) struct Sockets {
    inbox: Arc<Inbox>,
    limits: Limits,
    events: Sender<Event>,
    /// Disconnected once the handle finishes or is dropped: then the thread does not wait any more
    /// for the loop to take events.
    handle_alive: Receiver<Infallible>,
    connections: IdMap<Conn, Connection>,
    strangers: Strangers,
    /// The key of the stranger that was served last. The next turn begins with the key after it.
    last_served: usize,
    /// Connections that the loop lets rest, with the time at which they are read again.
    rests: BTreeSet<(Instant, Conn)>,
    /// Whether any connection may be in the state [`Connection::is_deaf`]: it has bytes, but must
    /// not be read yet.
    has_deaf: bool,
    listeners: Vec<Listener>,
    dialers: Dialers,
    commands: Vec<super::Command>,
    /// Connections with new bytes to write.
    unwritten: Vec<Conn>,
    buffer: Box<[u8]>,
    next_sweep: Option<Instant>,
    end_at: Option<Instant>,
    is_loop_gone: bool,
    /// The loop has had its one [`Event::Stranger`].
    has_reported_stranger: bool,
}

impl Sockets {
    /// Nothing open yet.
    pub(super) fn new(
        inbox: Arc<Inbox>,
        limits: Limits,
        events: Sender<Event>,
        handle_alive: Receiver<Infallible>,
    ) -> Sockets {
        Sockets {
            dialers: Dialers::new(inbox.clone()),
            inbox,
            limits,
            events,
            handle_alive,
            connections: IdMap::default(),
            strangers: Strangers::default(),
            last_served: 0,
            rests: BTreeSet::new(),
            has_deaf: false,
            listeners: Vec::new(),
            commands: Vec::new(),
            unwritten: Vec::new(),
            buffer: vec![0; READ_MAX].into_boxed_slice(),
            next_sweep: None,
            end_at: None,
            is_loop_gone: false,
            has_reported_stranger: false,
        }
    }

    /// Serves until the handle finishes or the loop is gone.
    pub(super) fn run(mut self) {
        let poller = self.inbox.poller.clone();
        let mut ready = Ready::new();
        loop {
            let idle = self.obey();
            if self.is_over() {
                break;
            }
            let timeout = if idle { self.timeout() } else { Some(Duration::ZERO) };
            if let Err(error) = poller.wait(&mut ready, timeout) {
                let what = format!("cannot wait for the network: {}", sentence(&error));
                self.tell(Event::Trouble { what });
                break;
            }
            // The loop may have allowed reads meanwhile. Such commands do not wake the thread.
            self.obey();
            self.inbox.awake();
            let now = self.inbox.now();
            self.turn(&ready, now);
            self.wake(now);
            self.write_fresh(now);
            self.sweep(now);
        }
        let left: Vec<Conn> = self.connections.keys().copied().collect();
        for conn in left {
            self.end(conn, Closed::ByUs);
        }
    }

    fn is_over(&self) -> bool {
        let ended = match self.end_at {
            Some(at) => self.connections.is_empty() || self.inbox.now() >= at,
            None => false,
        };
        ended || self.is_loop_gone
    }

    /// The longest time to wait for readiness; `None` while nothing has a deadline.
    fn timeout(&mut self) -> Option<Duration> {
        let paused = self.listeners.iter().any(|listener| listener.paused_until.is_some());
        if self.connections.is_empty() && !paused && !self.dialers.is_busy() {
            self.next_sweep = None;
            return None;
        }
        let now = self.inbox.now();
        let sweep = *self.next_sweep.get_or_insert(now + self.limits.tick);
        let rested = self.rests.first().map(|(at, _)| *at);
        let at = [Some(sweep), self.end_at, rested].into_iter().flatten().min().unwrap_or(sweep);
        Some(at.saturating_duration_since(now))
    }

    /// Sends `event` to the loop. If the channel is full, waits for room, unless the handle is
    /// finishing.
    fn tell(&mut self, event: Event) {
        match self.events.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(_)) => self.is_loop_gone = true,
            Err(TrySendError::Full(_)) if self.end_at.is_some() => {}
            Err(TrySendError::Full(event)) => {
                let since = Instant::now();
                select! {
                    send(self.events, event) -> sent => self.is_loop_gone |= sent.is_err(),
                    recv(self.handle_alive) -> _ => {}
                }
                self.inbox.stalled(since.elapsed());
            }
        }
    }

    /// Closes a connection's socket. If the loop knows the connection, sends it the event.
    fn end(&mut self, conn: Conn, why: Closed) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        if let Some(until) = connection.rests_until() {
            self.rests.remove(&(until, conn));
        }
        self.inbox.unshare(conn);
        drop(connection);
        if self.strangers.leave(conn).is_none_or(|stranger| stranger.is_reported) {
            self.tell(Event::Closed { conn, why });
        }
    }
}

/// Deadlines.
impl Sockets {
    /// Allows reads of connections whose rest is over.
    fn wake(&mut self, now: Instant) {
        while let Some((_, conn)) = self.rests.first().copied().filter(|(until, _)| *until <= now) {
            self.rests.pop_first();
            let Some(connection) = self.connections.get_mut(&conn) else { continue };
            if let Err(error) = connection.read_on(None, now) {
                self.end(conn, Closed::Broken(error));
            }
        }
    }

    /// Acts on all deadlines that have passed, once a tick.
    fn sweep(&mut self, now: Instant) {
        if self.next_sweep.is_none_or(|at| now < at) {
            return;
        }
        self.next_sweep = Some(now + self.limits.tick);
        self.has_deaf = false;
        let mut overdue = Vec::new();
        for (conn, connection) in &self.connections {
            self.has_deaf |= connection.is_deaf();
            match connection.due(now, &self.limits) {
                Some(Due::Keepalive) => {
                    connection.queue(connection.dialect().keepalive.bytes.clone(), now);
                    self.unwritten.push(*conn);
                }
                Some(Due::End(why)) => overdue.push((*conn, why)),
                None => {}
            }
        }
        for (conn, why) in overdue {
            self.end(conn, why);
        }
        self.write_fresh(now);
        let failed = self.dialers.sweep(now, &self.limits);
        self.tell_failed(failed);
        self.resume(now);
    }
}
