//! The customer's end of a connection, in plaintext or over TLS; and the cost of TLS alone.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};

use handoff::edge::tls::Identity;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustix::time::{ClockId, clock_gettime};
use rustls::Connection;

use crate::broken::Broken;
use crate::server::{Server, customers_tls};

/// A connection. Its user writes and reads plain bytes, also over TLS.
pub(crate) struct Stream {
    socket: TcpStream,
    tls: Option<Box<Connection>>,
}

impl Stream {
    /// Connects. TLS begins with the first write.
    pub(crate) fn open(server: &Server) -> Result<Stream, Broken> {
        Stream::over(TcpStream::connect(server.address)?, server)
    }

    /// Like [`open`](Stream::open), from an address of this machine.
    pub(crate) fn open_from(source: Ipv4Addr, server: &Server) -> Result<Stream, Broken> {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddr::V4(SocketAddrV4::new(source, 0)))?;
        connect(&socket, &server.address)?;
        Stream::over(socket.into(), server)
    }

    fn over(socket: TcpStream, server: &Server) -> Result<Stream, Broken> {
        socket.set_nodelay(true)?;
        Ok(Stream { socket, tls: server.security.connection(&server.address.to_string())? })
    }

    /// The socket, for epoll.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Completes the TLS handshake, and sends nothing more.
    pub(crate) fn agree(&mut self) -> io::Result<()> {
        self.tls.as_mut().map_or(Ok(()), |tls| tls.complete_io(&mut self.socket).map(|_| ()))
    }

    /// Sends half of the first message of the TLS handshake.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        let hello = flight(tls, &[])?;
        self.socket.write_all(&hello[..hello.len() / 2])
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.write(bytes) };
        // Until the handshake is done, the bytes wait in rustls.
        let taken = tls.writer().write(bytes)?;
        self.flush()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

/// About the length of a hello and of a welcome.
const FRAME: usize = 200;

/// The cost of a handshake without sockets, in seconds of CPU.
pub(crate) struct Alone {
    pub(crate) client: f64,
    pub(crate) server: f64,
}

/// Makes `count` connections in memory, with client and server in this thread and with the real
/// configurations of both sides. Each does a handshake and sends as many bytes as a hello and a
/// welcome have.
pub(crate) fn alone(count: usize) -> Result<Alone, Broken> {
    let (desk, customer) = (Identity::fresh()?.security()?, customers_tls()?);
    let mut alone = Alone { client: 0.0, server: 0.0 };
    for _ in 0..count {
        let mut began = cpu();
        let mut lap = |spent: &mut f64| {
            let now = cpu();
            *spent += (now - std::mem::replace(&mut began, now)) / count as f64;
        };
        let mut client = customer.connection("127.0.0.1:1")?.expect("it is TLS");
        let mut bytes = flight(&mut client, &[])?;
        lap(&mut alone.client);
        let mut server = desk.connection("")?.expect("it is TLS");
        while client.is_handshaking() || server.is_handshaking() {
            bytes = flight(&mut server, &bytes)?;
            lap(&mut alone.server);
            bytes = flight(&mut client, &bytes)?;
            lap(&mut alone.client);
        }
        bytes = say(&mut client)?;
        lap(&mut alone.client);
        hear(&mut server, &bytes)?;
        bytes = say(&mut server)?;
        lap(&mut alone.server);
        hear(&mut client, &bytes)?;
        drop(client);
        lap(&mut alone.client);
        drop(server);
        lap(&mut alone.server);
    }
    Ok(alone)
}

fn say(tls: &mut Connection) -> io::Result<Vec<u8>> {
    tls.writer().write_all(&[0; FRAME])?;
    flight(tls, &[])
}

fn hear(tls: &mut Connection, bytes: &[u8]) -> io::Result<()> {
    flight(tls, bytes)?;
    tls.reader().read_exact(&mut [0; FRAME])
}

/// Gives TLS the bytes that came, and returns the bytes that TLS answers.
fn flight(tls: &mut Connection, mut came: &[u8]) -> io::Result<Vec<u8>> {
    while !came.is_empty() {
        tls.read_tls(&mut came)?;
        tls.process_new_packets().map_err(io::Error::other)?;
    }
    let mut answer = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut answer)?;
    }
    Ok(answer)
}

/// The CPU time of this thread, in seconds.
fn cpu() -> f64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}
