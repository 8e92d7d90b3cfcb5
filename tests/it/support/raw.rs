//! A customer's side or a desk made of bare frames over TLS, for frames that no honest program
//! sends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use handoff::edge::tls::{Identity, KnownDesks, Security, Trust};
use handoff::wire::seat::AGENTS;
use rustix::net::{self, AddressFamily, SocketType};
use rustls::Connection as Tls;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::support::run::WITHIN;

/// One connection to a desk or from a customer's side.
pub struct Raw {
    socket: TcpStream,
    tls: Box<Tls>,
    /// Every frame read so far.
    pub read: Vec<Value>,
    /// Whether the other side has sent its `close_notify`.
    pub notified: bool,
}

/// One JSON object as a frame.
pub fn frame(message: &Value) -> Vec<u8> {
    framed(message.to_string().as_bytes())
}

/// Any body as a frame.
pub fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a test's frame is short");
    [&length.to_be_bytes()[..], body].concat()
}

/// A hello of conversation `id` (two hexadecimal digits, repeated), which has entries up to
/// `newest`.
pub fn hello(id: &str, newest: u64) -> Value {
    let (conversation, secret) = (id.repeat(16), id.repeat(32));
    let hello =
        json!({"version": 1, "conversation": conversation, "secret": secret, "newest": newest});
    json!({"hello": hello})
}

/// An entry of the customer's side.
pub fn entry(number: u64, body: &Value) -> Value {
    json!({"entry": {"number": number, "at": 0, "body": body}})
}

/// A message's body.
pub fn said(author: &str, text: &str) -> Value {
    json!({"message": {"author": author, "text": text}})
}

/// Connects from the address 127.0.0.`host`. `prepare` may set options of the socket.
#[track_caller]
pub fn connect_from(host: u8, address: &str, prepare: impl FnOnce(&OwnedFd)) -> TcpStream {
    let at: SocketAddr = address.parse().expect("a listener says its address in numbers");
    let socket =
        net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("the system has sockets");
    prepare(&socket);
    net::bind(&socket, &SocketAddr::from(([127, 0, 0, host], 0)))
        .expect("all of 127/8 is loopback");
    net::connect(&socket, &at).unwrap_or_else(|e| panic!("cannot connect to {address}: {e}"));
    TcpStream::from(socket)
}

impl Raw {
    /// Connects to a desk.
    #[track_caller]
    pub fn connect(desk: &str) -> Raw {
        let socket = TcpStream::connect(desk)
            .unwrap_or_else(|e| panic!("cannot connect to the desk at {desk}: {e}"));
        Raw::to_desk(socket, desk)
    }

    fn to_desk(socket: TcpStream, desk: &str) -> Raw {
        let anybody =
            Trust::FirstContact(KnownDesks::new(None)).security().expect("TLS can be set up");
        Raw::over(socket, &anybody, desk)
    }

    /// Connects to a desk as an agent's terminal does.
    #[track_caller]
    pub fn terminal(desk: &str) -> Raw {
        let socket = TcpStream::connect(desk)
            .unwrap_or_else(|e| panic!("cannot connect to the desk at {desk}: {e}"));
        let anybody = Trust::FirstContact(KnownDesks::new(None)).security();
        let names = vec![AGENTS.as_bytes().to_vec()];
        Raw::over(socket, &anybody.expect("TLS can be set up").speaking(names), desk)
    }

    /// Connects from the address 127.0.0.`host`.
    #[track_caller]
    pub fn connect_from(host: u8, desk: &str) -> Raw {
        Raw::connect_as(host, desk, |_| {})
    }

    /// Like [`connect_from`](Raw::connect_from), with a small receive buffer, so that the kernel
    /// holds little that is not read.
    #[track_caller]
    pub fn connect_narrow(host: u8, desk: &str) -> Raw {
        Raw::connect_as(host, desk, |socket| {
            net::sockopt::set_socket_recv_buffer_size(socket, 2048)
                .expect("a fresh socket takes options");
        })
    }

    #[track_caller]
    fn connect_as(host: u8, desk: &str, prepare: impl FnOnce(&OwnedFd)) -> Raw {
        Raw::to_desk(connect_from(host, desk, prepare), desk)
    }

    /// The TCP socket below TLS.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Updates the TLS keys for sending, and asks the other side to update its own.
    pub fn update_keys(&mut self) {
        let _ = self.tls.refresh_traffic_keys();
        self.flush();
    }

    /// Accepts the next connection on which the customer's side sends something: this end is the
    /// desk then. The probe of a customer's side sends nothing and is passed over.
    #[track_caller]
    pub fn accept(listener: &TcpListener) -> Raw {
        loop {
            let mut raw = Raw::accept_next(listener);
            if raw.is_spoken_to() {
                return raw;
            }
        }
    }

    /// Accepts the next connection, which may be a probe.
    #[track_caller]
    pub fn accept_next(listener: &TcpListener) -> Raw {
        static DESK: LazyLock<Security> = LazyLock::new(|| {
            Identity::fresh().and_then(Identity::security).expect("the system has random bytes")
        });
        Raw::accept_as(listener, &DESK)
    }

    /// Like [`accept_next`](Raw::accept_next), with a security that the test chooses.
    #[track_caller]
    pub fn accept_as(listener: &TcpListener, identity: &Security) -> Raw {
        let (socket, _) = listener.accept().expect("somebody dials");
        Raw::over(socket, identity, "")
    }

    /// The desk's certificate.
    #[track_caller]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.tls.peer_certificates().expect("the handshake is done")[0].clone()
    }

    fn over(socket: TcpStream, security: &Security, address: &str) -> Raw {
        socket.set_nodelay(true).expect("a fresh socket takes options");
        let tls = security
            .connection(address)
            .expect("the address has a host")
            .expect("it is not plaintext");
        Raw { socket, tls, read: Vec::new(), notified: false }
    }

    /// Connects, sends a hello and waits for the welcome.
    #[track_caller]
    pub fn welcomed(desk: &str, id: &str, newest: u64) -> Raw {
        let mut raw = Raw::connect(desk);
        raw.say(&hello(id, newest));
        raw.until("welcome");
        raw
    }

    /// Sends bytes. An error is ignored: many tests expect the other side to close the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        while self.tls.is_handshaking() && self.tls.complete_io(&mut self.socket).is_ok() {}
        for piece in bytes.chunks(16 << 10) {
            let _ = self.tls.writer().write_all(piece);
            self.flush();
        }
    }

    fn flush(&mut self) {
        while self.tls.wants_write() && self.tls.write_tls(&mut self.socket).is_ok() {}
    }

    /// Sends a message.
    pub fn say(&mut self, message: &Value) {
        self.send(&frame(message));
    }

    /// Ends the sending direction, with a `close_notify` and a FIN.
    pub fn end(&mut self) {
        self.notify_end();
        self.send_fin();
    }

    /// Ends only the sending direction of TLS, with a `close_notify`.
    pub fn notify_end(&mut self) {
        self.tls.send_close_notify();
        self.flush();
    }

    /// Ends only the sending direction of TCP, with a FIN.
    pub fn send_fin(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// The next frame. `None` if the other side has closed the connection.
    #[track_caller]
    pub fn next(&mut self) -> Option<Value> {
        let mut length = [0; 4];
        if !self.fill(&mut length) {
            return None;
        }
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        assert!(
            self.fill(&mut body),
            "the desk hung up within a frame; before it: {:?}",
            self.read
        );
        let message: Value = serde_json::from_slice(&body).expect("a desk speaks JSON");
        self.read.push(message.clone());
        Some(message)
    }

    /// Waits for the next message of this type and returns its content. Other messages are passed
    /// over.
    #[track_caller]
    pub fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next();
            let message = message
                .unwrap_or_else(|| panic!("the desk hung up before a '{kind}': {:?}", self.read));
            if let Some(content) = message.get(kind) {
                return content.clone();
            }
        }
    }

    /// Waits for the goodbye and the end of the connection. Returns the goodbye's code and text.
    #[track_caller]
    pub fn bye(&mut self) -> (String, String) {
        let bye = self.until("bye");
        assert_eq!(self.next(), None, "a bye is the last frame");
        let field =
            |name: &str| bye[name].as_str().expect("a bye has a code and a text").to_owned();
        (field("code"), field("text"))
    }

    /// Waits until the other side closes the connection.
    #[track_caller]
    pub fn hung_up(&mut self) {
        while self.next().is_some() {}
    }

    /// Fills the buffer. `false` if the connection ends before the first byte.
    #[track_caller]
    fn fill(&mut self, bytes: &mut [u8]) -> bool {
        let deadline = Instant::now() + WITHIN;
        let mut filled = 0;
        while filled < bytes.len() {
            let left =
                deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).expect("the socket takes options");
            match self.receive(&mut bytes[filled..]) {
                Ok(0) if filled == 0 => return false,
                // The connection was reset, or ended before the TLS handshake.
                Err(e)
                    if filled == 0
                        && [ErrorKind::ConnectionReset, ErrorKind::Other].contains(&e.kind()) =>
                {
                    return false;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Ok(length @ 1..) => filled += length,
                other => panic!(
                    "the desk did not finish its frame ({other:?}); before it: {:?}",
                    self.read
                ),
            }
        }
        true
    }

    /// Waits for the first plain byte, and does not read it. `false` if the other side closes the
    /// connection without one.
    fn is_spoken_to(&mut self) -> bool {
        self.socket.set_read_timeout(Some(WITHIN)).expect("the socket takes options");
        loop {
            match self.tls.process_new_packets() {
                Ok(state) if state.plaintext_bytes_to_read() > 0 => return true,
                Ok(state) if state.peer_has_closed() => return false,
                Ok(_) => self.flush(),
                Err(_) => return false,
            }
            if !matches!(self.tls.read_tls(&mut self.socket), Ok(1..)) {
                return false;
            }
        }
    }

    /// Reads some plain bytes. 0 at the end.
    fn receive(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(bytes) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            self.tls.read_tls(&mut self.socket)?;
            self.notified |=
                self.tls.process_new_packets().map_err(io::Error::other)?.peer_has_closed();
            self.flush();
        }
    }
}
