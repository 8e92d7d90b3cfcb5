//! Readiness of sockets, by epoll(7), and a wake from another thread, by eventfd(2).
//!
//! Sockets are level-triggered: epoll reports unread bytes in every wait, and no call has to re-arm
//! a socket. Only the wake is edge-triggered: epoll reports a write to the eventfd once, and nobody
//! has to read it. So a wait is one system call.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

/// The most sockets that one wait reports. The next wait reports the others.
const READY_MAX: usize = 1_024;
/// The key of the wake. The key of a socket is its connection's number, from 1.
const WAKE: u64 = 0;

/// An epoll instance, shared by the thread that waits and the threads that wake it.
pub(super) struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
}

/// The sockets that a wait found ready.
pub(super) struct Ready(Vec<epoll::Event>);

/// One socket that is ready.
#[derive(Clone, Copy)]
pub(super) struct Readiness {
    /// The key with which the socket was registered.
    pub(super) key: usize,
    flags: EventFlags,
}

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        let poller = Poller {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        };
        let edge = EventFlags::IN | EventFlags::ET;
        epoll::add(&poller.epoll, &poller.wake, EventData::new_u64(WAKE), edge)?;
        Ok(poller)
    }

    /// Ends the wait that is under way, or the next one.
    pub(super) fn wake(&self) -> io::Result<()> {
        match rustix::io::write(&self.wake, &1u64.to_ne_bytes()) {
            // The counter is full: a wake is pending already.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until a socket is ready, another thread wakes this one, a signal comes or the time is
    /// over. Without a timeout the wait has no end of its own.
    pub(super) fn wait(&self, ready: &mut Ready, timeout: Option<Duration>) -> io::Result<()> {
        ready.0.clear();
        // A timeout that a Timespec cannot hold counts as none.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match epoll::wait(&self.epoll, spare_capacity(&mut ready.0), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Ready {
    pub(super) fn new() -> Ready {
        Ready(Vec::with_capacity(READY_MAX))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Readiness> {
        let sockets = self.0.iter().filter(|event| event.data.u64() != WAKE);
        sockets.map(|event| Readiness { key: event.data.u64() as usize, flags: event.flags })
    }
}

impl Readiness {
    /// Whether a read would bring bytes, the peer's end or an error.
    pub(super) fn is_readable(self) -> bool {
        self.flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR | EventFlags::PRI)
    }

    /// Whether a write would take bytes or bring an error.
    pub(super) fn is_writable(self) -> bool {
        self.flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR)
    }

    /// Whether the connection is over in both directions, or broken. epoll reports this whatever
    /// the socket was registered for.
    pub(super) fn is_over(self) -> bool {
        self.flags.intersects(EventFlags::HUP | EventFlags::ERR)
    }
}

/// A socket that is registered with a poller. It leaves the poller when it is dropped.
pub(super) struct Registered<S: AsFd> {
    pub(super) source: S,
    pub(super) key: usize,
    poller: Arc<Poller>,
}

impl<S: AsFd> Registered<S> {
    /// Registers `source` for reading, under a key above 0.
    pub(super) fn new(poller: &Arc<Poller>, key: usize, source: S) -> io::Result<Registered<S>> {
        epoll::add(&poller.epoll, &source, EventData::new_u64(key as u64), interest(true, false))?;
        Ok(Registered { source, key, poller: poller.clone() })
    }

    /// Chooses what the poller reports from now on.
    pub(super) fn want(&self, read: bool, write: bool) -> io::Result<()> {
        let data = EventData::new_u64(self.key as u64);
        Ok(epoll::modify(&self.poller.epoll, &self.source, data, interest(read, write))?)
    }
}

impl<S: AsFd> Drop for Registered<S> {
    fn drop(&mut self) {
        let _ = epoll::delete(&self.poller.epoll, &self.source);
    }
}

fn interest(read: bool, write: bool) -> EventFlags {
    let mut interest = EventFlags::empty();
    interest.set(EventFlags::IN | EventFlags::PRI, read);
    interest.set(EventFlags::OUT, write);
    interest
}
