//! TLS between the two sides: the desk's key, and the keys that the customer's side trusts.
//!
//! TLS 1.3 only, over rustls with ring. A desk is known by its key, as ssh knows a host: people
//! compare the key's [`Fingerprint`], and the customer's side remembers it. `identity` holds the
//! desk's key, `trust` the decision about it. This room makes configurations and checks keys; `net`
//! moves the bytes, and each of its listeners and dials has a [`Security`]. Rules:
//! `docs/SECURITY.md`.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::digest::{SHA256, digest};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

pub use identity::Identity;
pub use trust::{KnownDesks, Trust, authorities};

mod identity;
mod trust;

/// The name that both sides give to their protocol within TLS (ALPN, RFC 7301). A server with the
/// desk's certificate that speaks another protocol is therefore not taken for the desk.
pub(crate) const PROTOCOL: &str = "handoff/1";

/// The security of connections.
#[derive(Clone)]
pub enum Security {
    /// None: `--plaintext`.
    Plaintext,
    /// TLS as a server, at a desk.
    Listener(Arc<ServerConfig>),
    /// TLS as a client, at the customer's side.
    Dialer(Arc<ClientConfig>),
}

impl Security {
    /// This security with these protocol names within TLS (ALPN, RFC 7301), the preferred one
    /// first.
    pub fn speaking(self, names: Vec<Vec<u8>>) -> Security {
        match self {
            Security::Plaintext => Security::Plaintext,
            Security::Listener(config) => {
                let mut config = Arc::unwrap_or_clone(config);
                config.alpn_protocols = names;
                Security::Listener(Arc::new(config))
            }
            Security::Dialer(config) => {
                let mut config = Arc::unwrap_or_clone(config);
                config.alpn_protocols = names;
                Security::Dialer(Arc::new(config))
            }
        }
    }

    /// TLS for a connection to `address` (HOST:PORT, as it was given); `None` in plaintext.
    ///
    /// # Errors
    /// When the host cannot be the name in a certificate.
    pub fn connection(&self, address: &str) -> Result<Option<Box<Connection>>, String> {
        let connection = match self {
            Security::Plaintext => return Ok(None),
            Security::Listener(config) => {
                ServerConnection::new(config.clone()).map(Connection::Server)
            }
            Security::Dialer(config) => {
                let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
                let bare = host.trim_matches(['[', ']']);
                // The zone of an address (RFC 4007) names a network of this machine alone.
                let name = ServerName::try_from(bare.split('%').next().unwrap_or(bare).to_owned());
                let name =
                    name.map_err(|_| format!("'{host}' is no name that a certificate can have"))?;
                ClientConnection::new(config.clone(), name).map(Connection::Client)
            }
        };
        connection.map(Box::new).map(Some).map_err(|error| error.to_string())
    }
}

/// A desk's key, as people compare it: SHA-256 of the certificate's SubjectPublicKeyInfo (RFC 5280,
/// 4.1).
///
/// It is written as ssh writes it: `SHA256:` and unpadded base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// SHA-256 of a public key.
    pub const fn new(hash: [u8; 32]) -> Fingerprint {
        Fingerprint(hash)
    }

    /// SHA-256 of the public key.
    pub const fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The fingerprint of a certificate's key; `None` if these bytes are no certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Fingerprint> {
        let certificate = ParsedCertificate::try_from(certificate).ok()?;
        let key = digest(&SHA256, &certificate.subject_public_key_info());
        Some(Fingerprint(key.as_ref().try_into().expect("SHA-256 has 32 bytes")))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Fingerprint, String> {
        let bytes = text.strip_prefix("SHA256:").and_then(|key| STANDARD_NO_PAD.decode(key).ok());
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Fingerprint).ok_or_else(|| {
            "a fingerprint is 'SHA256:' and 43 letters, as the desk prints it at its start"
                .to_owned()
        })
    }
}

/// Where connections may go without encryption, for tests and within tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    /// Within this machine only.
    Loopback,
    /// Anywhere: something else encrypts, such as a tunnel.
    Anywhere,
}

impl FromStr for Plaintext {
    type Err = String;

    fn from_str(text: &str) -> Result<Plaintext, String> {
        match text {
            "loopback" => Ok(Plaintext::Loopback),
            "anywhere" => Ok(Plaintext::Anywhere),
            _ => Err(
                "give 'loopback' (this machine only) or 'anywhere' (inside a tunnel that encrypts)"
                    .to_owned(),
            ),
        }
    }
}

/// The cryptography of ring, with AES-128 before AES-256. The latter hashes with SHA-384, and
/// processors have instructions for SHA-256 but none for SHA-384.
fn provider() -> Arc<CryptoProvider> {
    let cipher_suites = vec![
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    Arc::new(CryptoProvider { cipher_suites, ..default_provider() })
}

/// Refuses a key file that other users can read. This checks the open file, because another file
/// may be put at its path meanwhile.
fn refuse_open_to_others(open: &File, file: &Path) -> Result<(), String> {
    let metadata =
        open.metadata().map_err(|e| format!("cannot look at {}: {e}", file.display()))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(format!("{0} is open to other users; run: chmod 600 {0}", file.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
