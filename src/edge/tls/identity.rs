//! The desk's key: made at its first start and kept, or given with a certificate on the command
//! line.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore, ServerConfig};

use super::{Fingerprint, PROTOCOL, Security, provider, refuse_open_to_others};
use crate::wire::Millis;

/// A certificate that expires within this time causes a notice, while there is time to renew it.
const EXPIRES_SOON: Duration = Duration::from_hours(14 * 24);

/// A desk's certificate chain, with the key that proves its ownership.
pub struct Identity {
    /// The chain, with the desk's own certificate first.
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Whether the key was made by this start of the desk.
    pub is_new: bool,
}

impl Identity {
    /// The key in this file. If there is no file, makes a key and the file.
    ///
    /// The file holds the key alone: each start makes a certificate for it.
    ///
    /// # Errors
    /// One line: what is wrong with the file and what to do.
    pub fn kept(file: &Path) -> Result<Identity, String> {
        let unreadable =
            |e: io::Error| format!("cannot read the desk's key from {}: {e}", file.display());
        match File::open(file) {
            Ok(mut open) => {
                refuse_open_to_others(&open, file)?;
                let mut pem = String::new();
                open.read_to_string(&mut pem).map_err(unreadable)?;
                let key = KeyPair::from_pem(&pem);
                Identity::of(&key.map_err(|_| {
                    let file = file.display();
                    format!(
                        "{file} is no private key; restore it, or remove it: then the desk makes a \
                         new key, whose fingerprint customers must be told"
                    )
                })?)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = new_key()?;
                keep(&key, file).map_err(|e| {
                    format!("cannot keep the desk's key in {}: {e}", file.display())
                })?;
                Ok(Identity { is_new: true, ..Identity::of(&key)? })
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    /// A new key that is kept nowhere.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn fresh() -> Result<Identity, String> {
        Identity::of(&new_key()?)
    }

    /// The certificate chain and the key in these files, both in PEM.
    ///
    /// # Errors
    /// One line: which file, and what is wrong with it.
    pub fn given(certificate: &Path, key: &Path) -> Result<Identity, String> {
        let unreadable = |file: &Path, what, error| match error {
            pem::Error::Io(error) => format!("cannot read {}: {error}", file.display()),
            error => format!("{} is no {what} in PEM: {error}", file.display()),
        };
        let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
        let chain: Vec<_> = chain.map_err(|error| unreadable(certificate, "certificate", error))?;
        if chain.is_empty() {
            return Err(format!("{} holds no certificate in PEM", certificate.display()));
        }
        let open = File::open(key)
            .map_err(|error| unreadable(key, "unencrypted private key", pem::Error::Io(error)))?;
        refuse_open_to_others(&open, key)?;
        let key = PrivateKeyDer::from_pem_reader(open)
            .map_err(|error| unreadable(key, "unencrypted private key", error))?;
        let identity = Identity { chain, key, is_new: false };
        identity.fingerprint().map_err(|why| format!("{}: {why}", certificate.display()))?;
        Ok(identity)
    }

    /// The fingerprint of the key, which people compare.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn fingerprint(&self) -> Result<Fingerprint, String> {
        Fingerprint::of(&self.chain[0]).ok_or_else(|| {
            "no certificate of X.509 version 3, as TLS needs it \
             (openssl: -addext subjectAltName=DNS:HOST)"
                .to_owned()
        })
    }

    /// What is wrong with the dates of the chain at `now`, or will be soon. Only customers with
    /// `--ca` check them: a fingerprint and a first contact are about the key alone.
    pub fn date_warning(&self, now: Millis) -> Option<String> {
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now));
        let soon = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + EXPIRES_SOON);
        self.chain.iter().zip(1..).find_map(|(certificate, number)| {
            let name = if number == 1 {
                "certificate".to_owned()
            } else {
                format!("certificate number {number}")
            };
            let refused = "customers who check it with --ca refuse this desk";
            let what = match (date_fault(certificate, now), date_fault(certificate, soon)) {
                (Some(DateFault::Expired(at)), _) => format!("expired on {}; {refused}", day(at)),
                (Some(DateFault::NotYetValid(at)), _) => {
                    format!("is not valid before {}; until then {refused}", day(at))
                }
                (None, Some(DateFault::Expired(at))) => {
                    format!("expires on {}; renew it, and start the desk again", day(at))
                }
                (None, _) => return None,
            };
            Some(format!("the {name} of --tls-cert {what}"))
        })
    }

    /// TLS as a server. No TLS session is resumed: in each connection the desk proves that it owns
    /// its key.
    ///
    /// # Errors
    /// When key and certificate do not belong together.
    pub fn security(self) -> Result<Security, String> {
        let config =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
        let config = config.map_err(|error| error.to_string())?.with_no_client_auth();
        let mut config =
            config.with_single_cert(self.chain, self.key).map_err(|error| match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    "the key of --tls-key is not the one of the certificate of --tls-cert"
                        .to_owned()
                }
                error => format!("the desk's certificate and key cannot be used: {error}"),
            })?;
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.alpn_protocols = vec![PROTOCOL.as_bytes().to_vec()];
        Ok(Security::Listener(Arc::new(config)))
    }

    /// An identity with a new certificate for this key; the certificate names no host.
    fn of(key: &KeyPair) -> Result<Identity, String> {
        let mut about = CertificateParams::default();
        about.distinguished_name.push(DnType::CommonName, "handoff desk");
        let certificate = about
            .self_signed(key)
            .map_err(|e| format!("cannot make the desk's certificate: {e}"))?;
        let der = PrivateKeyDer::try_from(key.serialize_der());
        let key = der.map_err(|e| format!("cannot use the desk's key: {e}"))?;
        Ok(Identity { chain: vec![certificate.der().clone()], key, is_new: false })
    }
}

/// Why a certificate is not valid at some time.
enum DateFault {
    /// It was valid until then.
    Expired(UnixTime),
    /// It will be valid from then on.
    NotYetValid(UnixTime),
}

/// Asks the verifier that customers with `--ca` use. It checks the dates before it looks for an
/// authority, so it needs no authority here.
fn date_fault(certificate: &CertificateDer<'_>, at: UnixTime) -> Option<DateFault> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let (none, algorithms) =
        (RootCertStore::empty(), provider().signature_verification_algorithms.all);
    match verify_server_cert_signed_by_trust_anchor(&certificate, &none, &[], at, algorithms) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(DateFault::Expired(not_after))
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
            not_before, ..
        })) => Some(DateFault::NotYetValid(not_before)),
        _ => None,
    }
}

fn day(at: UnixTime) -> String {
    let at =
        i64::try_from(at.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.unwrap_or(Timestamp::MAX).strftime("%F %H:%M UTC").to_string()
}

fn new_key() -> Result<KeyPair, String> {
    KeyPair::generate().map_err(|error| format!("cannot make the desk's key: {error}"))
}

/// Writes the key to its file, wholly or not at all: an interrupted start leaves no half of a key.
fn keep(key: &KeyPair, file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let part = file.with_extension("part");
    let _ = fs::remove_file(&part);
    let mut writing = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    writing.write_all(key.serialize_pem().as_bytes())?;
    writing.sync_all()?;
    fs::rename(&part, file)?;
    File::open(folder)?.sync_all()
}
