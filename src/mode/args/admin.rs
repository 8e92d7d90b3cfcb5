//! The options of the desk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::core::desk::Assign;
use crate::edge::agents::{AgentsFile, keep_desk_key};
use crate::edge::journal::Place;
use crate::edge::notifier::Targets;
use crate::edge::tls::{Identity, Plaintext};
use crate::wire::{TEXT_MAX, Token};

use super::check::{
    check_address, check_limits, checked_certificate, checked_name, checked_place, read_token,
};
use super::{Certificate, raw};

/// Checked options of `handoff admin`.
#[derive(Debug)]
pub struct Admin {
    /// The address to listen on, HOST:PORT.
    pub listen: String,
    /// The certificate that the desk shows; `None`: one for its own key.
    certificate: Option<Certificate>,
    /// Where connections may be without encryption; `None` if all are encrypted.
    pub plaintext: Option<Plaintext>,
    /// The agent's name.
    pub name: Option<String>,
    /// The first line to every customer.
    pub greeting: Option<String>,
    /// Whether to accept every customer at once.
    pub auto_accept: bool,
    /// Whether the desk runs without an agent at its stdin.
    pub no_terminal: bool,
    /// The most customers.
    pub customers: usize,
    /// The most customers from one address.
    pub per_address: usize,
    /// The most connections.
    pub connections: usize,
    /// Messages per second from one connection.
    pub rate: u32,
    /// The file with canned replies.
    pub replies: Option<PathBuf>,
    /// How to call agents who do not look at a terminal.
    pub notify: Targets,
    /// The time after which agents are called again.
    pub notify_every: Duration,
    /// The time without a terminal after which an agent is gone.
    pub agent_grace: Duration,
    /// The most customers of one agent.
    pub max_active: usize,
    /// How customers get from the queue to the agents.
    pub assign: Assign,
    /// The time after which an assigned customer without an answer goes to the next agent.
    pub answer_within: Option<Duration>,
    /// Whether leads do not see what other agents are typing.
    pub private_drafts: bool,
    trusted_gateways: Vec<PathBuf>,
    place: Place,
    /// Whether to print JSON.
    pub json: bool,
    /// Whether to do without editing and colour.
    pub plain: bool,
    /// Whether to tell the other side that somebody types here.
    pub shows_typing: bool,
    /// Whether to tell the other side which lines were seen here.
    pub shows_seen: bool,
}

impl raw::Admin {
    pub(super) fn check(self) -> Result<Admin, String> {
        check_address("--listen", &self.listen)?;
        let name = self.name.as_deref().map(checked_name).transpose()?;
        let place = checked_place("admin", self.state, self.profile, self.ephemeral)?;
        let certificate = checked_certificate(self.tls_cert, self.tls_key)?;
        if certificate.is_some() && self.plaintext.is_some() {
            let why = "--plaintext shows no certificate; give it without --tls-cert and --tls-key";
            return Err(why.to_owned());
        }
        let fits = |text: &String| text.len() <= TEXT_MAX && !text.trim().is_empty();
        if !self.greeting.as_ref().is_none_or(fits) {
            return Err(format!("--greeting must have 1 to {TEXT_MAX} bytes"));
        }
        // These options are about the agent at the desk's own terminal.
        let of_agent = [("--auto-accept", self.auto_accept), ("--name", name.is_some())];
        let given = of_agent.into_iter().find(|(_, is_given)| *is_given && self.no_terminal);
        if let Some((option, _)) = given {
            return Err(format!(
                "{option} is for an agent at this terminal, and with --no-terminal there is none"
            ));
        }
        check_limits(self.customers, self.per_address, self.rate, self.connections)?;
        if self.max_active == Some(0) {
            return Err("--max-active must be at least 1".to_owned());
        }
        if self.answer_within == Some(0) {
            return Err("--answer-within must be at least 1 (a second)".to_owned());
        }
        if self.assign == Assign::LongestIdle && self.auto_accept {
            let why = "--auto-accept and --assign longest-idle exclude each other; give one";
            return Err(why.to_owned());
        }
        if self.answer_within.is_some() && self.assign == Assign::Pull {
            return Err("--answer-within is for --assign longest-idle".to_owned());
        }
        if self.notify_every == 0 {
            return Err("--notify-every must be at least 1 (a second)".to_owned());
        }
        let is_web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        if let Some(url) = self.notify_url.as_ref().filter(|url| !is_web(url)) {
            return Err(format!(
                "--notify-url {url}: give a URL that begins with http:// or https://"
            ));
        }
        Ok(Admin {
            listen: self.listen,
            certificate,
            plaintext: self.plaintext,
            name,
            greeting: self.greeting,
            auto_accept: self.auto_accept,
            no_terminal: self.no_terminal,
            customers: self.customers,
            per_address: self.per_address,
            connections: self.connections,
            rate: self.rate,
            replies: self.replies,
            notify: Targets { command: self.notify_command, url: self.notify_url },
            notify_every: Duration::from_secs(self.notify_every.into()),
            agent_grace: Duration::from_secs(self.agent_grace.into()),
            max_active: self.max_active.unwrap_or(usize::MAX),
            assign: self.assign,
            answer_within: self.answer_within.map(|seconds| Duration::from_secs(seconds.into())),
            private_drafts: self.private_drafts,
            trusted_gateways: self.trust_gateway,
            place,
            json: self.json,
            plain: self.plain,
            shows_typing: !self.no_typing,
            shows_seen: !self.no_seen,
        })
    }
}

impl Admin {
    /// The tokens of the gateways that the desk trusts.
    ///
    /// # Errors
    /// One line, when a token cannot be used.
    pub fn trusted_gateways(&self) -> Result<Vec<Token>, String> {
        self.trusted_gateways.iter().map(|file| read_token(file)).collect()
    }

    /// Where the desk's journal is.
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// The file of the desk's agents. `None` if the desk can have no agents besides its own
    /// terminal: because it keeps nothing, or because it has no key by which their terminals could
    /// recognize it.
    ///
    /// # Errors
    /// When the platform does not say where it keeps such files.
    pub fn agents_file(&self) -> Result<Option<PathBuf>, String> {
        let folder = self.place.folder()?.filter(|_| self.plaintext.is_none());
        Ok(folder.map(|folder| AgentsFile::path(&folder, &self.place.profile)))
    }

    /// Keeps the fingerprint of the desk's key, for the codes of its agents.
    ///
    /// # Errors
    /// One line, when the fingerprint cannot be kept.
    pub fn keep_desk_key(&self, key: &str) -> Result<(), String> {
        match self.place.folder()? {
            Some(folder) => keep_desk_key(&folder, &self.place.profile, key),
            None => Ok(()),
        }
    }

    /// The certificate and key that the desk shows; `None` in plaintext. The desk's own key lies
    /// outside the journal's folder, so that it stays when a journal is removed or restored.
    ///
    /// # Errors
    /// One line, when the key cannot be read or made.
    pub fn identity(&self) -> Result<Option<Identity>, String> {
        match (self.plaintext, &self.certificate, self.place.folder()?) {
            (Some(_), ..) => Ok(None),
            (_, Some(certificate), _) => certificate.identity().map(Some),
            (_, _, Some(folder)) => own_identity(&folder, &self.place.profile).map(Some),
            (_, _, None) => Identity::fresh().map(Some),
        }
    }
}

/// The desk's own key.
pub(super) fn own_identity(folder: &Path, profile: &str) -> Result<Identity, String> {
    Identity::kept(&folder.join("keys").join(format!("{profile}.pem")))
}
