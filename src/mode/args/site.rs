//! The site of a gateway: the scheme and the host at which customers reach its pages.

use std::net::SocketAddr;

/// The origin of the gateway's pages (RFC 6454), such as `https://chat.shop.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    is_https: bool,
    /// The host, and the port unless it is the scheme's own.
    host: String,
}

impl Site {
    /// Reads a URL without path.
    ///
    /// # Errors
    /// One line, when this is no such URL.
    pub fn parse(url: &str) -> Result<Site, String> {
        let wrong =
            || format!("--url {url}: give a URL without path, such as https://chat.example");
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let is_https = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(wrong()),
        };
        let host = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
        let name = host.split(':').next().unwrap_or_default();
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._[]:".contains(letter);
        if host.is_empty() || name.is_empty() || !host.chars().all(is_plain) {
            return Err(wrong());
        }
        let own_port = if is_https { ":443" } else { ":80" };
        Ok(Site { is_https, host: host.strip_suffix(own_port).unwrap_or(&host).to_owned() })
    }

    /// The site at the address on which the gateway listens.
    pub fn of_listener(listener: SocketAddr, is_https: bool) -> Site {
        Site { is_https, host: listener.to_string() }
    }

    /// Whether the pages come over HTTPS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// The host, and the port unless it is the scheme's own.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The origin, as a browser writes it in `Origin`.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.is_https { "https" } else { "http" }, self.host)
    }
}
