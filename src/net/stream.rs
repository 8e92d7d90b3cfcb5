//! Plain bytes on this side, socket bytes on the other: as they are, or through TLS.
//!
//! rustls moves no bytes itself: the socket thread feeds it what the socket brought, and asks it
//! what to write to the socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use rustls::{CertificateError, Connection as Tls, Error};

use super::poller::Registered;
use super::{Closed, Dialect, Fingerprint};

/// The first byte of every TLS handshake (RFC 8446, 5.1: content type 22).
const TLS_HANDSHAKE: u8 = 22;

/// A socket and what its bytes mean.
pub(super) struct Stream {
    socket: Registered<TcpStream>,
    tls: Option<Box<Tls>>,
    /// The peer has sent its first byte.
    met: bool,
}

/// What a write came to.
#[derive(Default)]
pub(super) struct Written {
    /// Plain bytes that need not be given again.
    pub(super) taken: usize,
    /// Whether the socket took anything.
    pub(super) moved: bool,
}

impl Stream {
    pub(super) fn new(socket: Registered<TcpStream>, tls: Option<Box<Tls>>) -> Stream {
        Stream { socket, tls, met: false }
    }

    /// What the poller is to tell.
    pub(super) fn want(&self, read: bool, write: bool) -> io::Result<()> {
        self.socket.want(read, write)
    }

    /// Whether plain bytes may be written.
    pub(super) fn is_open(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// The index of the dialect that TLS agreed on; in plaintext the first. None where the peer
    /// named none of them.
    pub(super) fn agreed(&self, dialects: &[Dialect]) -> Option<u8> {
        let Some(tls) = &self.tls else { return Some(0) };
        let name = tls.alpn_protocol()?;
        let at = dialects.iter().position(|dialect| dialect.name.as_bytes() == name)?;
        u8::try_from(at).ok()
    }

    /// Whether TLS has bytes of its own for the socket.
    pub(super) fn is_waiting(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// The address of the other side.
    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        self.socket.source.peer_addr()
    }

    /// The key that the peer has proven to own.
    pub(super) fn key(&self) -> Option<Fingerprint> {
        self.tls.as_ref()?.peer_certificates()?.first().and_then(Fingerprint::of)
    }

    /// Socket bytes, for `decode`.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.socket.source).read(buffer)
    }

    /// What socket bytes mean: plain bytes, maybe none. The first one tells whether the peer speaks
    /// TLS, or one of these dialects without it.
    pub(super) fn decode(
        &mut self,
        mut raw: &[u8],
        dialects: &[Dialect],
    ) -> Result<Vec<u8>, Closed> {
        if !std::mem::replace(&mut self.met, true)
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
            // It takes some bytes at a time, and none once the peer has ended TLS.
            if tls.read_tls(&mut raw).map_err(Closed::Broken)? == 0 {
                break;
            }
            let state = tls.process_new_packets().map_err(broken)?;
            if state.peer_has_closed() {
                // A close_notify (RFC 8446, 6.1) says that the peer sends no more, as a FIN does.
                // From here on the socket reads as one whose peer has sent a FIN.
                // If this fails, the peer is silent, and the deadline for that ends
                // the connection.
                let _ = self.socket.source.shutdown(Shutdown::Read);
            }
            let waiting = state.plaintext_bytes_to_read();
            let at = plain.len();
            plain.resize(at + waiting, 0);
            tls.reader().read_exact(&mut plain[at..]).map_err(Closed::Broken)?;
        }
        Ok(plain)
    }

    /// Writes what the socket takes now. TLS takes as much as it can hold, and keeps what the
    /// socket did not take.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Written> {
        crate::edge::failpoint::hit("before-send");
        let written = match &mut self.tls {
            None => write_plain(&self.socket.source, bytes),
            Some(tls) => write_tls(tls, &self.socket.source, bytes),
        };
        crate::edge::failpoint::hit("after-send");
        written
    }

    /// Writes without TLS, to a peer that does not speak it.
    pub(super) fn write_past_tls(&mut self, bytes: &[u8]) {
        let _ = (&self.socket.source).write(bytes);
    }

    /// Ends this side's direction: the end of TLS (close_notify), then the socket's (FIN).
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
        Ok(taken) => Ok(Written { taken, moved: taken > 0 }),
        Err(error) if is_not_now(&error) => Ok(Written::default()),
        Err(error) => Err(error),
    }
}

fn write_tls(tls: &mut Tls, mut socket: &TcpStream, bytes: &[u8]) -> io::Result<Written> {
    let mut written = Written::default();
    // What TLS took before is written first, so no more than one piece waits in it.
    if !tls.wants_write() {
        written.taken = tls.writer().write(bytes)?;
    }
    while tls.wants_write() {
        match tls.write_tls(&mut socket) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => written.moved = true,
            Err(error) if is_not_now(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// Why TLS cannot go on.
fn broken(error: Error) -> Closed {
    match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => Closed::Distrusted(
            "its certificate is a copy or a forgery: a signature is wrong".to_owned(),
        ),
        Error::InvalidCertificate(error) => {
            Closed::Distrusted(format!("its certificate is not to be trusted: {}", fault(&error)))
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
            "it is an authority's own; a certificate that signed itself is trusted by --fingerprint"
                .to_owned()
        }
        error => error.to_string(),
    }
}

/// Whether it is no error: the poller tells when to try again.
pub(super) fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
