//! The echo, which no desk can beat: one thread, bare level-triggered epoll, and every byte goes
//! back as it came.
//!
//! For scale there is also an echo with two thread wakes, which a socket thread and a loop need:
//! the bytes go to a second thread over a channel, and that thread wakes the first one by an
//! eventfd to write them.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread;

use crossbeam_channel::unbounded;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};

pub(crate) fn run() -> io::Result<()> {
    let (listener, poller) = listen()?;
    let mut open: HashMap<u64, TcpStream> = HashMap::new();
    let mut buffer = vec![0; 1 << 16];
    let mut ready = Vec::with_capacity(1024);
    loop {
        epoll::wait(&poller, spare_capacity(&mut ready), None)?;
        for event in ready.drain(..) {
            let key = event.data.u64();
            if key == 0 {
                accept(&listener, &poller, |key, socket| _ = open.insert(key, socket))?;
            } else if let Some(socket) = open.get_mut(&key) {
                match socket.read(&mut buffer) {
                    Ok(count) if count > 0 => socket.write_all(&buffer[..count])?,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    _ => drop(open.remove(&key)),
                }
            }
        }
    }
}

/// Listens, prints the address, and returns an epoll that reports new connections with the key 0.
pub(crate) fn listen() -> io::Result<(TcpListener, OwnedFd)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poller, &listener, EventData::new_u64(0), EventFlags::IN)?;
    Ok((listener, poller))
}

/// Serves one connection, with two thread wakes for each read.
pub(crate) fn run_with_wakes() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let (mut socket, _) = listener.accept()?;
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poller, &socket, EventData::new_u64(1), EventFlags::IN)?;
    // Edge-triggered: epoll reports each write to the eventfd once, and nobody has to read it.
    epoll::add(&poller, &bell, EventData::new_u64(0), EventFlags::IN | EventFlags::ET)?;
    let (to_loop, events) = unbounded::<Vec<u8>>();
    let (to_net, commands) = unbounded();
    let ring = bell.try_clone()?;
    thread::spawn(move || {
        for bytes in events {
            if to_net.send(bytes).is_err() || rustix::io::write(&ring, &1u64.to_ne_bytes()).is_err()
            {
                return;
            }
        }
    });
    let mut buffer = vec![0; 1 << 16];
    let mut ready = Vec::with_capacity(8);
    loop {
        epoll::wait(&poller, spare_capacity(&mut ready), None)?;
        for event in ready.drain(..) {
            if event.data.u64() == 0 {
                commands.try_iter().try_for_each(|bytes| socket.write_all(&bytes))?;
                continue;
            }
            match socket.read(&mut buffer)? {
                0 => return Ok(()),
                count => to_loop.send(buffer[..count].to_vec()).map_err(io::Error::other)?,
            }
        }
    }
}

/// Takes all connections that wait. Each gets its descriptor as its key.
pub(crate) fn accept(
    listener: &TcpListener,
    poller: &impl AsFd,
    mut open: impl FnMut(u64, TcpStream),
) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(true)?;
                socket.set_nodelay(true)?;
                let key = socket.as_raw_fd() as u64;
                epoll::add(poller, &socket, EventData::new_u64(key), EventFlags::IN)?;
                open(key, socket);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
