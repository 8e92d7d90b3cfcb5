//! The settings of a listener or a dial: its security, its dialects and its bounds.

use std::sync::Arc;
use std::time::Duration;

use super::{STRANGERS, STRANGERS_PER_ADDRESS};
use crate::edge::tls::Security;

/// How an idle connection is kept alive, and when a silent one counts as dead.
#[derive(Clone, Debug)]
pub struct Keepalive {
    /// The bytes to send (a ping frame). The peer sends the same bytes. The socket thread does not
    /// pass these on to the loop if they come alone, from an admitted peer, and at most twice as
    /// often as needed.
    pub bytes: Vec<u8>,
    /// This side sends the bytes when it has sent nothing for this long. When the peer's bytes
    /// arrive, half of this time is enough.
    pub after: Duration,
    /// A connection from which no byte comes for this long is closed:
    /// [`Closed::Silent`](super::Closed::Silent).
    pub dead: Duration,
}

/// A protocol that a connection may speak, as far as the socket thread has to know it.
#[derive(Clone, Debug)]
pub struct Dialect {
    /// The protocol's name, also within TLS (ALPN, RFC 7301).
    pub name: &'static str,
    /// Whether a peer that names no protocol within TLS speaks this one.
    pub is_default: bool,
    /// The bytes with which the protocol can begin in plaintext. A peer that begins with one of
    /// them where TLS is due does not speak TLS.
    pub first_bytes: &'static [u8],
    /// How connections are kept alive, and when they count as dead.
    pub keepalive: Keepalive,
    /// The frame that a peer gets, without TLS, when only one of the two sides speaks TLS.
    pub refusal: Vec<u8>,
    /// The time for the hello of an accepted connection, counted from the end of its TLS
    /// handshake.
    pub hello_within: Duration,
    /// The most bytes that may wait for one peer, not counting those in the kernel.
    pub outbound_max: usize,
    /// The limits on this dialect's strangers, who count separately once TLS has named the dialect.
    /// `None`: they count among the listener's strangers.
    pub strangers: Option<StrangersMax>,
}

/// How many strangers there may be. When one more comes, the oldest stranger from the address with
/// the most strangers is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrangersMax {
    /// In all.
    pub all: usize,
    /// From one address.
    pub per_address: usize,
}

/// The settings of one listener or of one dial: the security of its connections, their dialects,
/// and how many strangers a listener allows.
#[derive(Clone)]
pub struct Settings {
    /// TLS, or plaintext.
    pub(super) security: Security,
    /// The dialects, at least one. In plaintext the first is spoken, in TLS the two sides agree on
    /// one. All connections share the list: a thin pointer keeps each connection small.
    pub(super) dialects: Arc<Vec<Dialect>>,
    pub(super) strangers: usize,
    pub(super) strangers_per_address: usize,
}

impl Settings {
    /// Settings with the usual bounds on strangers: [`STRANGERS`], [`STRANGERS_PER_ADDRESS`].
    ///
    /// # Panics
    /// If there is no dialect, or more than 255: that is the caller's mistake.
    pub fn new(security: Security, dialects: impl Into<Vec<Dialect>>) -> Settings {
        let dialects: Vec<Dialect> = dialects.into();
        assert!((1..=255).contains(&dialects.len()), "a connection needs something to speak");
        let names = dialects.iter().map(|dialect| dialect.name.as_bytes().to_vec()).collect();
        Settings {
            security: security.speaking(names),
            dialects: Arc::new(dialects),
            strangers: STRANGERS,
            strangers_per_address: STRANGERS_PER_ADDRESS,
        }
    }

    /// All connections come from a few addresses, such as those of proxies: one address may have as
    /// many strangers as there may be in all.
    pub fn from_few_addresses(self) -> Settings {
        Settings { strangers_per_address: self.strangers, ..self }
    }
}
