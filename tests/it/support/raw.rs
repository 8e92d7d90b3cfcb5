//! A customer's side made of bare frames: what a desk does with frames no honest program sends.
//! Over TLS, as they come.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use handoff::edge::tls::{Identity, KnownDesks, Security, Trust};
use rustix::net::{self, AddressFamily, SocketType};
use rustls::Connection as Tls;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::support::run::WITHIN;

/// One connection to a desk.
pub struct Raw {
    socket: TcpStream,
    tls: Box<Tls>,
    /// Every frame read so far.
    pub read: Vec<Value>,
    /// The other side has sent its `close_notify`.
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
    json!({"hello": {"version": 1, "conversation": id.repeat(16), "secret": id.repeat(32), "newest": newest}})
}

/// An entry of the customer's side.
pub fn entry(number: u64, body: &Value) -> Value {
    json!({"entry": {"number": number, "at": 0, "body": body}})
}

/// A message's body.
pub fn said(author: &str, text: &str) -> Value {
    json!({"message": {"author": author, "text": text}})
}

impl Raw {
    /// Connects.
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

    /// Connects from 127.0.0.`host`: to a desk on loopback, another address than the others'.
    #[track_caller]
    pub fn connect_from(host: u8, desk: &str) -> Raw {
        Raw::connect_as(host, desk, |_| {})
    }

    /// The same, with a kernel that holds next to nothing of what is not read.
    #[track_caller]
    pub fn connect_narrow(host: u8, desk: &str) -> Raw {
        Raw::connect_as(host, desk, |socket| {
            net::sockopt::set_socket_recv_buffer_size(socket, 2048)
                .expect("a fresh socket takes options");
        })
    }

    #[track_caller]
    fn connect_as(host: u8, desk: &str, prepare: impl FnOnce(&OwnedFd)) -> Raw {
        let at: SocketAddr = desk.parse().expect("a desk says its address in numbers");
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)
            .expect("the system has sockets");
        prepare(&socket);
        net::bind(&socket, &SocketAddr::from(([127, 0, 0, host], 0)))
            .expect("all of 127/8 is loopback");
        net::connect(&socket, &at)
            .unwrap_or_else(|e| panic!("cannot connect to the desk at {desk}: {e}"));
        Raw::to_desk(TcpStream::from(socket), desk)
    }

    /// The socket beneath TLS.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// New keys for what is sent, and asks for new ones for what comes.
    pub fn update_keys(&mut self) {
        let _ = self.tls.refresh_traffic_keys();
        self.flush();
    }

    /// Takes the next connection of a listener that says something: the other way round, for a desk
    /// of bare frames. The probe of a customer's side that starts says nothing.
    #[track_caller]
    pub fn accept(listener: &TcpListener) -> Raw {
        loop {
            let mut raw = Raw::accept_next(listener);
            if raw.is_spoken_to() {
                return raw;
            }
        }
    }

    /// Takes the next connection of a listener, whatever it is for.
    #[track_caller]
    pub fn accept_next(listener: &TcpListener) -> Raw {
        static DESK: LazyLock<Security> = LazyLock::new(|| {
            Identity::fresh().and_then(Identity::security).expect("the system has random bytes")
        });
        Raw::accept_as(listener, &DESK)
    }

    /// The same, with an identity of the test's choice.
    #[track_caller]
    pub fn accept_as(listener: &TcpListener, identity: &Security) -> Raw {
        let (socket, _) = listener.accept().expect("somebody dials");
        Raw::over(socket, identity, "")
    }

    /// What the desk has shown.
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

    /// Connects, and says a hello that the desk welcomes.
    #[track_caller]
    pub fn welcomed(desk: &str, id: &str, newest: u64) -> Raw {
        let mut raw = Raw::connect(desk);
        raw.say(&hello(id, newest));
        raw.until("welcome");
        raw
    }

    /// Sends bytes. A desk that hangs up meanwhile is what the test is about.
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

    /// Ends the sending half.
    pub fn end(&mut self) {
        self.notify_end();
        self.send_fin();
    }

    /// Ends the sending half of TLS alone, by a `close_notify`.
    pub fn notify_end(&mut self) {
        self.tls.send_close_notify();
        self.flush();
    }

    /// Ends the sending half of TCP alone, by a FIN.
    pub fn send_fin(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// The next frame; `None` when the desk hung up.
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

    /// The content of the next message of this type; others are passed over.
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

    /// What the desk says last, code and text, before it hangs up.
    #[track_caller]
    pub fn bye(&mut self) -> (String, String) {
        let bye = self.until("bye");
        assert_eq!(self.next(), None, "a bye is the last frame");
        let field =
            |name: &str| bye[name].as_str().expect("a bye has a code and a text").to_owned();
        (field("code"), field("text"))
    }

    /// Waits until the desk hangs up.
    #[track_caller]
    pub fn hung_up(&mut self) {
        while self.next().is_some() {}
    }

    /// Reads all of it; `false` at the end before the first byte.
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
                // Reset, or TLS ended before it began.
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

    /// Waits for the first plain byte, which is still to be read then; `false` when the other side
    /// goes without one.
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

    /// Some plain bytes; none at the end.
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
