//! A certificate authority of the test's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::home::Home;

/// An authority whose certificate is in a file. It signs certificates for desks and bots.
pub struct Authority {
    home: Home,
    ca: KeyPair,
    params: CertificateParams,
}

impl Authority {
    pub fn new() -> Authority {
        let (home, ca) = (Home::new(), KeyPair::generate().expect("a key"));
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&ca).expect("a certificate");
        fs::write(home.0.join("ca.pem"), certificate.pem()).expect("the folder is ours");
        Authority { home, ca, params }
    }

    /// Makes a certificate for this name. Returns its file and the file of its key.
    pub fn vouch_for(&self, name: &str) -> [String; 2] {
        self.vouch(name, |_| {})
    }

    /// Like [`vouch_for`](Authority::vouch_for), with a change before the certificate is signed.
    pub fn vouch(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> [String; 2] {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        change(&mut params);
        let certificate = params
            .signed_by(&key, &Issuer::from_params(&self.params, &self.ca))
            .expect("it is signed");
        let files =
            [self.home.0.join(format!("{name}.crt")), self.home.0.join(format!("{name}.key"))];
        fs::write(&files[0], certificate.pem()).expect("the folder is ours");
        fs::write(&files[1], key.serialize_pem()).expect("the folder is ours");
        fs::set_permissions(&files[1], Permissions::from_mode(0o600)).expect("the file is ours");
        files.map(|file| file.to_str().expect("UTF-8").to_owned())
    }

    pub fn file(&self, name: &str) -> String {
        self.home.0.join(name).to_str().expect("UTF-8").to_owned()
    }
}
