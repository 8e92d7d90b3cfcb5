//! A stream turns socket bytes into plain bytes and back: unchanged, or through TLS.
//!
//! rustls does no input or output of its own. The socket thread gives it the bytes that came from
//! the socket, and writes the bytes that rustls has for the socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use rustls::{CertificateError, Connection as Tls, Error};

use super::poller::Registered;
use super::{Closed, Dialect};
use crate::edge::tls::Fingerprint;

/// The first byte of every TLS handshake (RFC 8446, 5.1: content type 22).
const TLS_HANDSHAKE: u8 = 22;

/// A socket, with or without TLS.
pub(super) struct Stream {
    socket: Registered<TcpStream>,
    tls: Option<Box<Tls>>,
    /// The peer has sent its first byte.
    has_begun: bool,
}

/// The result of a write.
#[derive(Default)]
pub(super) struct Written {
    /// The number of plain bytes that were taken: the caller can drop them.
    pub(super) taken_len: usize,
    /// Whether the socket took anything.
    pub(super) has_moved: bool,
}

impl Stream {
    pub(super) fn new(socket: Registered<TcpStream>, tls: Option<Box<Tls>>) -> Stream {
        Stream { socket, tls, has_begun: false }
    }

    /// Chooses what the poller reports.
    pub(super) fn want(&self, read: bool, write: bool) -> io::Result<()> {
        self.socket.want(read, write)
    }

    /// Whether plain bytes may be written.
    pub(super) fn is_open(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// The index of the dialect that TLS agreed on; in plaintext the first. `None` if the peer
    /// named none of `dialects` (ALPN, RFC 7301), and none of them is for such a peer.
    pub(super) fn agreed(&self, dialects: &[Dialect]) -> Option<u8> {
        let Some(tls) = &self.tls else { return Some(0) };
        let name = tls.alpn_protocol();
        let is_it = |dialect: &Dialect| {
            name.map_or(dialect.is_default, |name| dialect.name.as_bytes() == name)
        };
        u8::try_from(dialects.iter().position(is_it)?).ok()
    }

    /// Whether TLS has bytes of its own for the socket.
    pub(super) fn is_waiting(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// The address of the other side.
    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        self.socket.source.peer_addr()
    }

    /// The key that the peer has proved to own.
    pub(super) fn key(&self) -> Option<Fingerprint> {
        self.tls.as_ref()?.peer_certificates()?.first().and_then(Fingerprint::of)
    }

    /// Reads socket bytes, for `decode`.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.socket.source).read(buffer)
    }

    /// Turns socket bytes into plain bytes; there may be none. The first byte shows whether the
    /// peer speaks TLS, or one of `dialects` without TLS (docs/PROTOCOL.md, "Transport").
    pub(super) fn decode(
        &mut self,
        mut raw: &[u8],
        dialects: &[Dialect],
    ) -> Result<Vec<u8>, Closed> {
        if !std::mem::replace(&mut self.has_begun, true)
            && let Some(first) = raw.first()
        {
            let begins = |dialect: &Dialect| dialect.first_bytes.contains(first);
            match &self.tls {
                Some(_) if dialects.iter().any(begins) => return Err(Closed::Plaintext),
                None if *first == TLS_HANDSHAKE => return Err(Closed::Encrypted),
                _ => {}
            }
        }
        let Some(tls) = &mut self.tls else { return Ok(raw.to_vec()) };
        let mut plain = Vec::new();
        while !raw.is_empty() {
            // rustls takes some bytes at a time, and none after the peer has ended TLS.
            if tls.read_tls(&mut raw).map_err(Closed::Broken)? == 0 {
                break;
            }
            let state = tls.process_new_packets().map_err(broken)?;
            if state.peer_has_closed() {
                // A close_notify (RFC 8446, 6.1) means what a FIN means: the peer sends no more.
                // After this call, reads of the socket find a FIN. If the call fails, the
                // connection ends later: the peer counts as silent.
                let _ = self.socket.source.shutdown(Shutdown::Read);
            }
            let waiting = state.plaintext_bytes_to_read();
            let at = plain.len();
            plain.resize(at + waiting, 0);
            tls.reader().read_exact(&mut plain[at..]).map_err(Closed::Broken)?;
        }
        Ok(plain)
    }

    /// Writes as much as the socket takes now. TLS takes as many bytes as it can hold, and keeps
    /// those that the socket did not take.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Written> {
        crate::edge::failpoint::hit("before-send");
        let written = match &mut self.tls {
            None => write_plain(&self.socket.source, bytes),
            Some(tls) => write_tls(tls, &self.socket.source, bytes),
        };
        crate::edge::failpoint::hit("after-send");
        written
    }

    /// Writes without TLS, to a peer that does not speak TLS.
    pub(super) fn write_past_tls(&mut self, bytes: &[u8]) {
        let _ = (&self.socket.source).write(bytes);
    }

    /// Ends this side's direction: TLS sends its close_notify, then the socket its FIN.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            write_tls(tls, &self.socket.source, &[])?;
        }
        self.socket.source.shutdown(Shutdown::Write)
    }
}

fn write_plain(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<Written> {
    match socket.write(bytes) {
        Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
        Ok(taken) => Ok(Written { taken_len: taken, has_moved: taken > 0 }),
        Err(error) if is_not_now(&error) => Ok(Written::default()),
        Err(error) => Err(error),
    }
}

fn write_tls(tls: &mut Tls, mut socket: &TcpStream, bytes: &[u8]) -> io::Result<Written> {
    let mut written = Written::default();
    // TLS takes new bytes only when it has written the earlier ones: so at most one piece waits in
    // it.
    if !tls.wants_write() {
        written.taken_len = tls.writer().write(bytes)?;
    }
    while tls.wants_write() {
        match tls.write_tls(&mut socket) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => written.has_moved = true,
            Err(error) if is_not_now(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// Why TLS failed.
fn broken(error: Error) -> Closed {
    match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => Closed::Distrusted(
            "its certificate is a copy or a forgery: a signature is wrong".to_owned(),
        ),
        Error::InvalidCertificate(error) => {
            Closed::Distrusted(format!("its certificate is not trusted: {}", fault(&error)))
        }
        Error::AlertReceived(alert) => Closed::Refused(format!("{alert:?}")),
        error => Closed::Tls(format!("TLS failed: {error}")),
    }
}

/// What is wrong with a certificate, as a person would say it.
fn fault(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "none of the authorities of --ca has signed it".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name than the one that was dialled".to_owned()
        }
        CertificateError::Other(why) if format!("{why:?}").contains("CaUsedAsEndEntity") => {
            "it is the certificate of an authority; to trust a self-signed one, give --fingerprint"
                .to_owned()
        }
        error => error.to_string(),
    }
}

/// Whether the call only has to be tried again, when the poller reports the socket ready.
pub(super) fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
