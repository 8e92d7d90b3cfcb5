//! What the socket thread reports to the loop: events, and why a connection ended.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::{Conn, sentence};
use crate::edge::tls::Fingerprint;

/// What the socket thread reports to the loop.
#[derive(Debug)]
pub enum Event {
    /// A peer connected to one of our listeners, the TLS handshake is done, and the next event has
    /// its first bytes. The peer has [`Dialect::hello_within`](super::Dialect::hello_within) for
    /// its hello. A peer that sends nothing has no event.
    Accepted {
        /// The connection's number.
        conn: Conn,
        /// The peer's address.
        peer: SocketAddr,
        /// The name of the dialect that the peer speaks.
        dialect: &'static str,
    },
    /// A dial reached its peer, and the TLS handshake is done.
    Connected {
        /// What [`Net::dial`](super::Net::dial) returned.
        conn: Conn,
        /// The address that answered; a name may have several.
        peer: SocketAddr,
        /// The key that the peer has proved to own; `None` in plaintext.
        key: Option<Fingerprint>,
    },
    /// Bytes came. They may end anywhere within a frame. No more are read until
    /// [`Net::read_on`](super::Net::read_on).
    Received {
        /// The connection that sent them.
        conn: Conn,
        /// At least one byte and at most 16 KiB. Through TLS less than 32 KiB: one read may
        /// complete a record that began in an earlier read.
        bytes: Vec<u8>,
    },
    /// The last event of each connection, sent once. A dial that failed or was cancelled has this
    /// event too.
    Closed {
        /// The connection that ended.
        conn: Conn,
        /// Why it ended.
        why: Closed,
    },
    /// A problem that concerns no single connection. There is one event when it starts and one when
    /// it is over.
    Trouble {
        /// One line that a person understands.
        what: String,
    },
    /// A stranger speaks another protocol. This event is sent once in a process, because anybody
    /// can cause it.
    Stranger {
        /// One line that a person understands.
        what: String,
    },
}

/// Why a connection ended. `Display` writes it as a sentence for a person.
#[derive(Debug)]
pub enum Closed {
    /// [`Net::close`](super::Net::close) or [`Net::finish`](super::Net::finish).
    ByUs,
    /// The peer ended it.
    ByPeer,
    /// The dial failed. The text is a whole sentence, with the address and the fault.
    Dial(String),
    /// The peer speaks plaintext, and this side TLS.
    Plaintext,
    /// The peer speaks TLS, and this side plaintext.
    Encrypted,
    /// The TLS handshake or a record failed. The text is a whole sentence.
    Tls(String),
    /// The peer refuses this side's certificate or TLS. The text is the name of its alert.
    Refused(String),
    /// TLS shows that the peer is not the one that was dialled. The text is a whole sentence.
    Distrusted(String),
    /// No byte came for [`Keepalive::dead`](super::Keepalive::dead).
    Silent,
    /// The peer took none of the waiting bytes for [`STALLED_AFTER`](super::STALLED_AFTER).
    Stalled,
    /// The thing that was named to [`Net::expect`](super::Net::expect) did not come in time.
    Deadline(&'static str),
    /// More than [`Dialect::outbound_max`](super::Dialect::outbound_max) bytes would have waited
    /// for the peer.
    Overflow,
    /// The connection was closed to make room for another stranger; see
    /// [`STRANGERS`](super::STRANGERS).
    Crowded,
    /// The network or the peer's machine broke the connection.
    Broken(io::Error),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closed::ByUs => f.write_str("the connection was closed at this end"),
            Closed::ByPeer => f.write_str("the other side closed the connection"),
            Closed::Dial(sentence) | Closed::Tls(sentence) | Closed::Distrusted(sentence) => {
                f.write_str(sentence)
            }
            Closed::Refused(alert) => {
                write!(f, "the other side refuses this side's certificate or TLS ({alert})")
            }
            Closed::Plaintext => f.write_str("the other side speaks plaintext, and this side TLS"),
            Closed::Encrypted => f.write_str("the other side speaks TLS, and this side plaintext"),
            Closed::Silent => f.write_str("nothing was heard from the other side for too long"),
            Closed::Stalled => f.write_str("the other side stopped reading"),
            Closed::Deadline(what) => write!(f, "the other side sent no {what} in time"),
            Closed::Overflow => f.write_str("too much was waiting for the other side to read it"),
            Closed::Crowded => f.write_str("it was closed to make room for another new connection"),
            Closed::Broken(error) => write!(f, "the connection broke: {}", sentence(error)),
        }
    }
}

impl Error for Closed {}
