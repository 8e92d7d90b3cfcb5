//! The options of the gateway.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::core::gateway::Addresses;
use crate::core::identity;
use crate::wire::Token;

use super::around::{Around, given_around};
use super::check::{
    asked, check_address, check_at_least_1, checked_certificate, image_host, origins,
    read_identity_key, read_token,
};
use super::{Certificate, Site, raw};

/// Checked options of `handoff web`.
#[derive(Debug)]
pub struct Web {
    /// The ways to the desk and to the bot.
    pub around: Around,
    /// The address to listen on, HOST:PORT.
    pub listen: String,
    /// The URL at which customers reach the gateway; `None`: the address on which it listens.
    pub url: Option<Site>,
    /// The files of HTTPS; `None`: plain HTTP.
    pub certificate: Option<Certificate>,
    /// The text for the bot when a customer opens the chat.
    pub greet: Option<String>,
    /// The notice that customers must accept before the first word.
    pub notice: Option<String>,
    /// What to ask a customer for before the first handoff: `name`, `email`, or both with a comma.
    pub ask: Option<String>,
    /// Origins whose pages may show the chat in a frame.
    pub embedders: Vec<String>,
    /// Other origins whose pages may use the API.
    pub api_origins: Vec<String>,
    /// The hosts whose images the page shows.
    pub images: Vec<String>,
    /// The proxies that are trusted to name a customer's address.
    pub trusted_proxies: Vec<IpAddr>,
    gateway_token: Option<PathBuf>,
    identity_keys: Vec<PathBuf>,
    /// How agents see customers' addresses.
    pub addresses: Addresses,
    /// The most customers at the same time.
    pub customers: usize,
    /// The most new customers from one address at once.
    pub per_address: u32,
    /// Requests per second from one customer.
    pub rate: u32,
    /// Whether to print JSON.
    pub json: bool,
}

impl Web {
    /// Whether all connections may come from a proxy: a named one, or one on this machine.
    pub fn are_proxied(&self) -> bool {
        let host = self.listen.rsplit_once(':').map_or("", |(host, _)| host);
        let is_loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        is_loopback || !self.trusted_proxies.is_empty()
    }
}

impl raw::Web {
    pub(super) fn check(self) -> Result<Web, String> {
        check_address("--listen", &self.listen)?;
        let url = self.url.as_deref().map(Site::parse).transpose()?;
        let is_everywhere =
            matches!(self.listen.rsplit_once(':'), Some(("0.0.0.0" | "[::]" | "*", _)));
        if url.is_none() && is_everywhere {
            return Err(format!(
                "--listen {} is every address of this machine: say with --url how customers reach \
                 the gateway",
                self.listen
            ));
        }
        let certificate = checked_certificate(self.tls_cert, self.tls_key)?;
        check_at_least_1(self.customers, self.per_address as usize, self.rate)?;
        if self.identity_keys.len() > 2 {
            return Err("--identity-keys: give one file, or two for a change of keys".to_owned());
        }
        if self.greet.as_ref().is_some_and(|payload| payload.trim().is_empty()) {
            return Err("--greet must not be empty".to_owned());
        }
        if self.notice.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err("--notice must not be empty".to_owned());
        }
        Ok(Web {
            around: given_around!(self).check("web")?,
            listen: self.listen,
            url,
            certificate,
            greet: self.greet,
            notice: self.notice,
            ask: self.ask.as_deref().map(asked).transpose()?,
            embedders: origins("--origin", &self.origin)?,
            api_origins: origins("--api-origin", &self.api_origin)?,
            images: self.images.iter().map(|host| image_host(host)).collect::<Result<_, _>>()?,
            trusted_proxies: self.trust_proxy.iter().map(IpAddr::to_canonical).collect(),
            gateway_token: self.gateway_token,
            identity_keys: self.identity_keys,
            addresses: self.addresses,
            customers: self.customers,
            per_address: self.per_address,
            rate: self.rate,
            json: self.json,
        })
    }
}

impl Web {
    /// The token that proves to a desk that it may trust this gateway.
    ///
    /// # Errors
    /// One line, when the token cannot be used.
    pub fn gateway_token(&self) -> Result<Option<Token>, String> {
        self.gateway_token.as_deref().map(read_token).transpose()
    }

    /// The keys with which the shop's backend signs customers' identities.
    ///
    /// # Errors
    /// One line, when a key cannot be used.
    pub fn identity_keys(&self) -> Result<identity::Keys, String> {
        let keys = self.identity_keys.iter().map(|file| read_identity_key(file));
        Ok(identity::Keys::new(&keys.collect::<Result<Vec<_>, _>>()?))
    }
}
