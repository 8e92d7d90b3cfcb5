//! Whom the user's side trusts: a desk it was told of, one that an authority vouches for, or the
//! one it met first.
//!
//! The handshake proves that a desk owns the key it shows. Whether that key is the right one is
//! judged by [`Trust::judge`] before the first byte of ours leaves; only an authority's word is
//! judged within the handshake.

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

/// What makes a desk the right one.
pub enum Trust {
    /// Nothing: `--plaintext`.
    Plaintext(Plaintext),
    /// One of these keys: `--fingerprint`.
    Keys(Vec<Fingerprint>),
    /// A certificate by one of these authorities, with the name that was dialled: `--ca`.
    Authority(RootCertStore),
    /// The key it had the first time.
    FirstContact(KnownDesks),
}

impl Trust {
    /// The authorities in a PEM file, or the system's: `--ca FILE|system`.
    ///
    /// # Errors
    /// One line, when there is none.
    pub fn authority(given: &str) -> Result<Trust, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities("--ca", given)?);
        Ok(Trust::Authority(roots))
    }

    /// The user's side's end of TLS.
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

    /// Whether what answered at `address` (as it was given) from `peer` with this key may be talked
    /// to. What a person should know of it is the answer.
    ///
    /// # Errors
    /// Why not, and what to do: a sentence.
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
                    "its key is {shown}, and --fingerprint asks for {}; compare it with what the desk prints at its start",
                    asked.join(" or ")
                ))
            }
            Trust::FirstContact(known) => known.meet(address, shown()?),
        }
    }
}

/// The certificates of the authorities in a PEM file, or the system's, for `option FILE|system`.
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

/// The keys of desks that were met, an address and a fingerprint a line: `known_desks`.
pub struct KnownDesks {
    /// None: they are forgotten at the end.
    file: Option<PathBuf>,
    text: String,
}

impl KnownDesks {
    /// Kept in this file, which need not be there; or nowhere.
    pub fn new(file: Option<PathBuf>) -> KnownDesks {
        KnownDesks { file, text: String::new() }
    }

    /// A desk with this key answered at this address: the same as before, or the first there.
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
            // As ssh does: where nothing can be kept each contact is the first, and is told.
            Err(e) => {
                return Ok(Some(format!(
                    "first contact with the desk at {address}: its key is {shown}, and cannot be remembered in {}: {e}",
                    path.display()
                )));
            }
        };
        // Another process may have met it meanwhile.
        self.text.clear();
        file.read_to_string(&mut self.text).map_err(failed)?;
        let Some(line) = self.compare(&address, shown, remedy)? else { return Ok(None) };
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Some(format!(
            "first contact with the desk at {address}: its key {shown} is remembered in {path}"
        )))
    }

    /// The line to add for a desk that is new; none for one that is known.
    fn compare(
        &self,
        address: &str,
        shown: Fingerprint,
        remedy: impl Fn(usize) -> String,
    ) -> Result<Option<String>, String> {
        let Some((number, known)) = self.line_of(address) else {
            // The last line may have been cut short.
            let end = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
            return Ok(Some(format!("{end}{address} {shown}\n")));
        };
        match known {
            Some(known) if known == shown => Ok(None),
            Some(known) => Err(format!(
                "its key is {shown}, and it was {known} before; if the desk was set up anew, {} and start again; if it \
                 was not, somebody else answers in its place",
                remedy(number)
            )),
            None => Err(format!(
                "its key is {shown}, and what was remembered of its key is damaged; if the desk prints this one at its \
                 start, {} and start again",
                remedy(number)
            )),
        }
    }

    /// The first line about this address, and the key in it, if that is whole.
    fn line_of(&self, address: &str) -> Option<(usize, Option<Fingerprint>)> {
        self.text.lines().zip(1..).find_map(|(line, number)| {
            let mut words = line.split_whitespace();
            let is_it = words.next()?.eq_ignore_ascii_case(address);
            is_it.then(|| (number, words.next().and_then(|key| key.parse().ok())))
        })
    }
}

/// Whoever can write there says whom we trust.
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

/// Opens the file for one process at a time, to read and to add.
fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Takes any certificate whose key made the handshake's signature: a copied certificate does not
/// pass. Whose key it is, [`Trust::judge`] asks.
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
