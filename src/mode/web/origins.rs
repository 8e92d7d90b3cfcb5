//! Which hosts the gateway answers for, and pages of which origins may use its API.

use std::net::SocketAddr;

use crate::core::gateway::Problem;
use crate::core::http::Request;
use crate::mode::args::Site;

use super::browsers::Answer;

/// The most pages of other origins for which a notice says that they want a frame.
const UNLISTED_MAX: usize = 8;

/// The gateway's own hosts and origins, and those of other pages that may use its API or show the
/// chat.
pub(super) struct Origins {
    hosts: Vec<String>,
    own: Vec<String>,
    /// Pages of these origins may show the chat in a frame.
    embedders: Vec<String>,
    /// Origins of pages that wanted a frame and may not have one. Each has had its notice.
    unlisted: Vec<String>,
    /// Pages of these origins use the API with a token that they keep themselves.
    api: Vec<String>,
}

impl Origins {
    /// The gateway's own hosts are those of its URL and of its listener, and on loopback the other
    /// names of this machine.
    pub(super) fn new(
        site: &Site,
        (listen, is_https): (SocketAddr, bool),
        embedders: Vec<String>,
        api: Vec<String>,
    ) -> Origins {
        let local = Site::of_listener(listen, is_https);
        let mut hosts = vec![site.host().to_owned(), local.host().to_owned()];
        let mut own = vec![site.origin()];
        if listen.ip().is_loopback() {
            let scheme = if is_https { "https" } else { "http" };
            for name in ["localhost", "127.0.0.1", "[::1]"] {
                let host = format!("{name}:{}", listen.port());
                if site.host() == local.host() {
                    own.push(format!("{scheme}://{host}"));
                }
                hosts.push(host);
            }
        }
        Origins { hosts, own, embedders, unlisted: Vec::new(), api }
    }

    /// Whether the gateway answers for the host of this request (RFC 9110, 7.4). An HTTP/1.0 proxy
    /// names its upstream, or no host.
    pub(super) fn has_host_of(&self, request: &Request) -> bool {
        let host = request.host().map(str::to_ascii_lowercase);
        host.is_none_or(|host| self.hosts.contains(&host))
    }

    /// Whether the request comes from a page of the gateway itself.
    pub(super) fn is_own(&self, request: &Request) -> bool {
        request.header("origin").is_some_and(|origin| self.own.iter().any(|own| own == origin))
    }

    /// The origin of the page that sent this request, if it is another origin that may use the API.
    pub(super) fn of_api_page<'a>(&self, request: &'a Request) -> Option<&'a str> {
        request.header("origin").filter(|origin| self.api.iter().any(|api| api == origin))
    }

    /// The origin of a page that asks for the chat's frame without being listed by `--origin`;
    /// `None` if it has had its notice. Browsers do not let such a page show the frame, and do not
    /// say why.
    pub(super) fn unlisted_embedder(&mut self, request: &Request) -> Option<String> {
        let (scheme, rest) = request.header("referer")?.split_once("://")?;
        let host = rest.split('/').next()?;
        let origin = Site::parse(&format!("{scheme}://{host}")).ok()?.origin();
        let is_known = [&self.own, &self.embedders, &self.unlisted];
        let is_known = is_known.into_iter().any(|known| known.contains(&origin));
        if is_known || self.unlisted.len() >= UNLISTED_MAX {
            return None;
        }
        self.unlisted.push(origin.clone());
        Some(origin)
    }

    /// Checks which page sent a POST. A page of another origin can make a browser send a POST with
    /// the customer's cookie. Then the browser names that origin, and `Sec-Fetch-Site` says how the
    /// two are related.
    pub(super) fn check(&self, request: &Request, has_cookie: bool) -> Result<(), Problem> {
        let has_origin = request.header("origin").is_some();
        let has_bearer = request.header("authorization").is_some();
        let is_foreign = has_origin && !self.is_own(request) && self.of_api_page(request).is_none();
        let site = request.header("sec-fetch-site");
        let is_cross_site = has_cookie && site.is_some_and(|site| site != "same-origin");
        if is_foreign || has_cookie && !has_bearer && !has_origin || is_cross_site {
            return Err(Problem::Origin);
        }
        Ok(())
    }

    /// The answer to a browser that asks whether a page of another origin may send a request (the
    /// Fetch standard, "CORS-preflight request").
    pub(super) fn preflight() -> Answer {
        let headers = [
            ("Access-Control-Allow-Methods", "GET, POST"),
            ("Access-Control-Allow-Headers", "authorization, content-type, last-event-id"),
            ("Access-Control-Max-Age", "7200"),
        ];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).to_vec();
        Answer { headers, ..Answer::empty(204) }
    }

    /// The headers that let a page of this origin read an answer.
    pub(super) fn sharing(origin: &str) -> [(&'static str, &str); 3] {
        [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", "Retry-After"),
            ("Vary", "Origin"),
        ]
    }
}
