//! Readiness of sockets, by epoll(7), and a wake from another thread, by eventfd(2).
//!
//! Everything is level-triggered: what one turn leaves unread is told again, and no call re-arms
//! it. Only the wake is edge-triggered: a write to the eventfd is told once, and nobody has to read
//! it. So a wait is one system call.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

/// Sockets that are told in one wait, at most; the others in the next.
const READY_MAX: usize = 1_024;
/// The wake's key; sockets have the numbers of their connections, from 1.
const WAKE: u64 = 0;

/// What is waited for, shared by the thread that waits and those that wake it.
pub(super) struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
}

/// The sockets that a wait found ready.
pub(super) struct Ready(Vec<epoll::Event>);

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Readiness {
    /// What the socket was registered with.
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
            // The counter is full: a wake is waiting to be told.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until a socket is ready, somebody wakes this thread, a signal comes or the time is
    /// over; without a timeout for as long as it takes.
    pub(super) fn wait(&self, ready: &mut Ready, timeout: Option<Duration>) -> io::Result<()> {
        ready.0.clear();
        // A time that has no end here is a wait without one.
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

    /// Whether the connection is over in both directions, or broken. This is told whatever was
    /// asked for.
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

    /// What is to be told from now on.
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
