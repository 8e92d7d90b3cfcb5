//! Which desks the customer's side trusts: a desk with a given fingerprint, a desk whose
//! certificate an authority has signed, or the desk that it met first.
//!
//! The handshake proves that a desk owns the key that it shows. [`Trust::judge`] decides whether
//! that key is the right one, before this side sends its first byte; only the signature of an
//! authority is checked within the handshake.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, RootCertStore, SignatureScheme,
};

use super::{Fingerprint, PROTOCOL, Plaintext, Security, provider};

/// The condition under which a desk is trusted.
pub enum Trust {
    /// No condition, because there is no TLS: `--plaintext`.
    Plaintext(Plaintext),
    /// The desk has one of these keys: `--fingerprint`.
    Keys(Vec<Fingerprint>),
    /// One of these authorities has signed the desk's certificate, for the host that was dialled:
    /// `--ca`.
    Authority(RootCertStore),
    /// The desk has the key that it had at the first connection.
    FirstContact(KnownDesks),
}

impl Trust {
    /// Trust in the authorities of a PEM file, or of the system: `--ca FILE|system`.
    ///
    /// # Errors
    /// One line, when there is no usable authority.
    pub fn authority(given: &str) -> Result<Trust, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities("--ca", given)?);
        Ok(Trust::Authority(roots))
    }

    /// TLS as a client.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub fn security(&self) -> Result<Security, String> {
        let builder =
            ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
        let builder = builder.map_err(|error| error.to_string())?;
        let mut config = match self {
            Trust::Plaintext(_) => return Ok(Security::Plaintext),
            Trust::Authority(roots) => {
                builder.with_root_certificates(roots.clone()).with_no_client_auth()
            }
            Trust::Keys(_) | Trust::FirstContact(_) => {
                let verifier = Arc::new(OwnsItsKey(provider()));
                builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
            }
        };
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![PROTOCOL.as_bytes().to_vec()];
        Ok(Security::Dialer(Arc::new(config)))
    }

    /// Decides whether this side may talk to the peer: it was dialled at `address` (as it was
    /// given), answered from `peer` and showed this key. Returns a notice for a person, if there is
    /// one.
    ///
    /// # Errors
    /// A sentence: why not, and what to do.
    pub fn judge(
        &mut self,
        address: &str,
        peer: SocketAddr,
        key: Option<Fingerprint>,
    ) -> Result<Option<String>, String> {
        let shown = || key.ok_or_else(|| "its certificate cannot be read".to_owned());
        match self {
            Trust::Plaintext(_) if peer.ip().is_loopback() => Ok(None),
            Trust::Plaintext(Plaintext::Anywhere) => {
                Ok(Some(format!("the connection to {peer} is not encrypted")))
            }
            Trust::Plaintext(Plaintext::Loopback) => Err(format!(
                "--plaintext loopback is for this machine only, and it is at {peer}; \
                 drop it, or give --plaintext anywhere inside a tunnel"
            )),
            Trust::Authority(_) => Ok(None),
            Trust::Keys(keys) => {
                let shown = shown()?;
                if keys.contains(&shown) {
                    return Ok(None);
                }
                let asked: Vec<String> = keys.iter().map(Fingerprint::to_string).collect();
                Err(format!(
                    "its key is {shown}, and --fingerprint asks for {}; compare it with what the \
                     desk prints at its start",
                    asked.join(" or ")
                ))
            }
            Trust::FirstContact(known) => known.meet(address, shown()?),
        }
    }
}

/// The certificates of the authorities in a PEM file, or of the system, for `option FILE|system`.
///
/// # Errors
/// One line, when there is none that can be used.
pub fn authorities(option: &str, given: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = if given == "system" {
        rustls_native_certs::load_native_certs().certs
    } else {
        let unreadable = |error| match error {
            pem::Error::Io(error) => format!("cannot read {option} {given}: {error}"),
            error => format!("{option} {given} holds no certificate in PEM: {error}"),
        };
        let certificates =
            CertificateDer::pem_file_iter(given).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        certificates.map_err(unreadable)?
    };
    let (usable, _) =
        RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 {
        return Err(format!(
            "{option} {given}: there is no authority's certificate; give a PEM file, or 'system'"
        ));
    }
    Ok(certificates)
}

/// The keys of known desks. Each line of the file `known_desks` is an address and a fingerprint.
pub struct KnownDesks {
    /// `None`: the keys are forgotten when the program ends.
    file: Option<PathBuf>,
    text: String,
}

impl KnownDesks {
    /// Known desks in this file, which need not exist; with `None` in memory alone.
    pub fn new(file: Option<PathBuf>) -> KnownDesks {
        KnownDesks { file, text: String::new() }
    }

    /// Compares the key that a desk showed at `address` with the known one, or remembers it as the
    /// first.
    fn meet(&mut self, address: &str, shown: Fingerprint) -> Result<Option<String>, String> {
        let address = address.to_ascii_lowercase();
        let Some(path) = self.file.clone() else {
            let line = self.compare(&address, shown, |_| "end this program".to_owned())?;
            return Ok(line.map(|line| {
                self.text.push_str(&line);
                format!("first contact with the desk at {address}: its key is {shown}")
            }));
        };
        let remedy = |line| format!("remove line {line} of {}", path.display());
        let failed = |e: io::Error| {
            format!("cannot read {}, where the keys of desks are: {e}", path.display())
        };
        self.text.clear();
        match File::open(&path) {
            Ok(mut file) => {
                refuse_writable_by_others(&file, &path)?;
                file.read_to_string(&mut self.text).map_err(failed)?;
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(failed(e)),
        }
        if self.compare(&address, shown, remedy)?.is_none() {
            return Ok(None);
        }
        let (mut file, path) = match open(&path) {
            Ok(file) => (file, path.display()),
            // As with ssh: if nothing can be kept, every contact counts as the first one and causes
            // a notice.
            Err(e) => {
                return Ok(Some(format!(
                    "first contact with the desk at {address}: its key is {shown}, and cannot be \
                     remembered in {}: {e}",
                    path.display()
                )));
            }
        };
        // Another process may have added this desk meanwhile.
        self.text.clear();
        file.read_to_string(&mut self.text).map_err(failed)?;
        let Some(line) = self.compare(&address, shown, remedy)? else { return Ok(None) };
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Some(format!(
            "first contact with the desk at {address}: its key {shown} is remembered in {path}"
        )))
    }

    /// The line to add for a new desk; `None` for a known one.
    fn compare(
        &self,
        address: &str,
        shown: Fingerprint,
        remedy: impl Fn(usize) -> String,
    ) -> Result<Option<String>, String> {
        let Some((number, known)) = self.line_of(address) else {
            // The last line may have no end: an earlier write was cut short.
            let end = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
            return Ok(Some(format!("{end}{address} {shown}\n")));
        };
        match known {
            Some(known) if known == shown => Ok(None),
            Some(known) => Err(format!(
                "its key is {shown}, and it was {known} before; if the desk was set up anew, {} \
                 and start again; if it was not, somebody else answers in its place",
                remedy(number)
            )),
            None => Err(format!(
                "its key is {shown}, and what was remembered of its key is damaged; if the desk \
                 prints this one at its start, {} and start again",
                remedy(number)
            )),
        }
    }

    /// The number of the first line about this address, and its key, if the key can be read.
    fn line_of(&self, address: &str) -> Option<(usize, Option<Fingerprint>)> {
        self.text.lines().zip(1..).find_map(|(line, number)| {
            let mut words = line.split_whitespace();
            let is_it = words.next()?.eq_ignore_ascii_case(address);
            is_it.then(|| (number, words.next().and_then(|key| key.parse().ok())))
        })
    }
}

/// Refuses a file that other users can change: they could choose which desks this side trusts.
fn refuse_writable_by_others(file: &File, path: &Path) -> Result<(), String> {
    let metadata =
        file.metadata().map_err(|e| format!("cannot look at {}: {e}", path.display()))?;
    if metadata.permissions().mode() & 0o022 != 0 {
        return Err(format!(
            "{0} can be changed by other users; run: chmod 600 {0}",
            path.display()
        ));
    }
    Ok(())
}

/// Opens the file to read and to append, and locks it for this process.
fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Accepts any certificate whose key has signed the handshake, so that a copied certificate fails.
/// [`Trust::judge`] then checks whose key it is.
#[derive(Debug)]
struct OwnsItsKey(Arc<CryptoProvider>);

impl ServerCertVerifier for OwnsItsKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
