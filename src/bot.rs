//! Rasa over blocking HTTP, in worker threads.
//!
//! `send` never waits for the bot. Each request has a ticket, and exactly one answer with that
//! ticket comes on the loop's channel. `session` keeps one request under way at a time, discards
//! late answers and decides what to ask again. In this module, `pool` has the threads, and fails
//! requests at once while the bot is down. `queue` chooses the conversation whose turn it is,
//! `call` does one HTTP exchange, and `fault` says why an exchange failed. `docs/RASA.md` records
//! how Rasa behaves.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use crossbeam_channel::Sender;
use rustls::pki_types::CertificateDer;
use serde_json::{Map, Value};
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts};

pub use fault::Fault;

use crate::core::health::End;
use crate::core::reply::Item;
use crate::wire::Author;
use pool::Pool;

mod call;
mod fault;
mod pool;
mod queue;

/// How long the bot may take to answer a message. After that the request has failed.
pub const ASK_WITHIN: Duration = Duration::from_secs(30);
/// How long the bot may take for each request of a handback. A handback has a second request only
/// if Rasa refused the lines in the first one, or if the handoff interrupted a form.
pub const RETURN_WITHIN: Duration = Duration::from_secs(10);
/// How long a refused connection is tried again: a bot that is starting refuses connections.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// The most bytes of an answer's body.
pub const BODY_MAX: usize = 1024 * 1024;
/// The most lines that a handback tells the bot. If there are more, it tells the latest ones.
pub const LINES_MAX: usize = 200;
/// The most bytes of the lines that a handback tells the bot, as JSON.
pub const LINES_BYTES_MAX: usize = 256 * 1024;
/// The most handbacks that run at the same time.
const RETURNERS: usize = 4;

/// Where the bot is, and how long to wait for it.
#[derive(Clone)]
pub struct Config {
    /// The URL as it was given, for people.
    peer: String,
    /// The URL of the webhook, to which messages go.
    webhook: String,
    /// The given URL has a path, but not Rasa's `/webhooks/…`: probably only a part of that path.
    is_path_odd: bool,
    /// The URL of Rasa's API, up to `/conversations/…`.
    api: String,
    /// The token for the API. It is never shown.
    token: Option<Token>,
    /// The authorities that may vouch for an https bot; `None`: those that browsers know.
    authorities: Option<RootCerts>,
    askers: Askers,
    times: Times,
}

/// The token for the API, and the way in which it is sent.
#[derive(Clone)]
enum Token {
    /// Rasa's `--auth-token`. It is in the URL, because Rasa takes it nowhere else.
    Shared(String),
    /// A JSON Web Token (RFC 7519) for Rasa's `--jwt-secret`, as `Authorization: Bearer`.
    Jwt(String),
}

/// The most messages that the bot answers at the same time. Each takes a thread and a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Askers(usize);

impl Askers {
    /// The highest number that can be set.
    pub const MAX: usize = 512;
}

impl Default for Askers {
    /// 32: then a bot that takes 100 ms for an answer gives 320 answers a second.
    fn default() -> Askers {
        Askers(32)
    }
}

impl FromStr for Askers {
    type Err = String;

    fn from_str(given: &str) -> Result<Askers, String> {
        let most = given.parse().ok().filter(|most| (1..=Askers::MAX).contains(most));
        most.map(Askers).ok_or_else(|| format!("give a number from 1 to {}", Askers::MAX))
    }
}

/// How long to wait for what. Tests set shorter times.
#[derive(Clone, Copy, Debug)]
struct Times {
    ask: Duration,
    give_back: Duration,
    patience: Duration,
    /// The pause between two attempts to connect.
    pause: Duration,
}

/// A request to the bot.
#[derive(Clone, Debug)]
pub enum Request {
    /// Answer a message.
    Ask {
        /// Rasa's id of the conversation. It has only `[A-Za-z0-9_.:@-]`, because Rasa does not
        /// decode percents.
        sender: String,
        /// What the customer said.
        text: String,
        /// A JSON object that goes with the message as its `metadata`.
        metadata: Option<Value>,
    },
    /// Take the conversation back, and learn what was said meanwhile. If nothing was said, this is
    /// idempotent and may be sent again.
    Return {
        /// Rasa's id of the conversation.
        sender: String,
        /// What the customer and the agent said, the oldest first.
        said: Vec<Line>,
    },
}

/// A line that was said while an agent had the conversation.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who said it: the customer or the agent. The bot knows its own lines.
    pub author: Author,
    /// The agent's name, if there is one.
    pub name: Option<String>,
    /// The text.
    pub text: String,
}

/// The end of a request.
#[derive(Debug)]
pub struct Answer {
    /// The ticket that the request was sent with.
    pub ticket: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a request ended, by its kind.
#[derive(Debug)]
pub enum Outcome {
    /// An `Ask`: what the bot said.
    Said(Result<Vec<Item>, Fault>),
    /// A `Return`.
    Returned(Result<Taken, Fault>),
}

/// A handback that the bot took.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether the bot took all of it.
    pub how: Resumed,
    /// A danger on the way to the bot, in a sentence that the program shows once.
    pub warning: Option<String>,
}

/// How the bot took a handback.
#[derive(Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The bot answers again, and knows what was said.
    Yes,
    /// The bot answers again, but did not take what was said.
    WithoutLines,
    /// The bot answers again and knows what was said, but the form that was under way stays
    /// interrupted.
    WithoutForm(Fault),
    /// The bot says that it is still paused.
    StillPaused,
}

/// The way to the bot.
#[derive(Debug)]
pub struct Bot {
    pool: Pool,
}

impl Config {
    /// Checks the URL of a bot (`http://localhost:5005`) or, if it has a path, of its webhook.
    ///
    /// # Errors
    /// One line: what is wrong with the URL, and an example of a right one.
    pub fn new(url: &str, token: Option<String>) -> Result<Config, String> {
        const GIVE: &str = "give one like http://localhost:5005";
        // No error repeats the URL: the part before an @ or after a ? may be a secret.
        if url.contains('@') {
            return Err(
                "the bot's URL must not hold a user name or a password; leave out what stands \
                 before the @"
                    .into(),
            );
        }
        if url.contains(['?', '#']) {
            return Err("the bot's URL must not hold a '?' or '#'; a token does not belong on \
                        the command line"
                .into());
        }
        let uri: Uri =
            url.parse().map_err(|_| format!("the bot's URL '{url}' is not a URL; {GIVE}"))?;
        let scheme = uri.scheme_str().map(str::to_ascii_lowercase);
        let Some(scheme) = scheme.filter(|scheme| scheme == "http" || scheme == "https") else {
            return Err(format!(
                "the bot's URL '{url}' does not begin with http:// or https://; {GIVE}"
            ));
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let Some(authority) = authority else {
            return Err(format!("the bot's URL '{url}' names no host; {GIVE}"));
        };
        let port =
            authority.as_str().strip_prefix(authority.host()).filter(|port| !port.is_empty());
        if port.is_some() && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(format!("the bot's URL '{url}' has an invalid port; {GIVE}"));
        }
        let origin = format!("{scheme}://{authority}");
        let path = if uri.path() == "/" { "/webhooks/rest/webhook" } else { uri.path() };
        let prefix = path.find("/webhooks/").map(|at| &path[..at]);
        Ok(Config {
            peer: url.trim_end_matches('/').to_owned(),
            webhook: format!("{origin}{path}"),
            is_path_odd: prefix.is_none(),
            api: format!("{origin}{}", prefix.unwrap_or_default()),
            token: token.and_then(|token| Token::new(token.trim())),
            authorities: None,
            askers: Askers::default(),
            times: Times {
                ask: ASK_WITHIN,
                give_back: RETURN_WITHIN,
                patience: PATIENCE,
                pause: Duration::from_millis(200),
            },
        })
    }

    /// Trusts these authorities, and no others, to vouch for an https bot.
    #[must_use]
    pub fn trusting(mut self, authorities: &[CertificateDer<'_>]) -> Config {
        let certificate = |der: &CertificateDer<'_>| Certificate::from_der(der).to_owned();
        self.authorities = Some(authorities.iter().map(certificate).into());
        self
    }

    /// Sets the most messages that the bot answers at the same time.
    #[must_use]
    pub fn with_askers(mut self, askers: Askers) -> Config {
        self.askers = askers;
        self
    }

    /// Whether the way to the bot is encrypted.
    pub fn is_https(&self) -> bool {
        self.webhook.starts_with("https://")
    }

    /// The URL as it was given, for people.
    pub fn url(&self) -> &str {
        &self.peer
    }

    /// A danger on the way to the bot that shows before anything is sent: others can read the
    /// token.
    pub fn warning(&self) -> Option<String> {
        let uri: Uri = self.api.parse().ok()?;
        let is_clear =
            self.token.is_some() && uri.scheme_str() == Some("http") && !is_here(uri.host()?);
        is_clear.then(|| {
            format!(
                "the bot's token goes unencrypted to {}: whoever is on the way can read it and \
                 use it; give an https:// URL, or go through a tunnel to this machine",
                self.peer
            )
        })
    }
}

impl Token {
    /// A token with the form of a JWT is one. Any other is Rasa's shared token.
    fn new(given: &str) -> Option<Token> {
        match given {
            "" => None,
            jwt if is_jwt(jwt) => Some(Token::Jwt(jwt.to_owned())),
            shared => Some(Token::Shared(shared.to_owned())),
        }
    }
}

/// Whether this is a JWS in its compact form (RFC 7515, 3.1): three parts of base64url, the first
/// of which is the header, a JSON object that names its algorithm. So a shared token that happens
/// to have two dots in it is not taken for a JWT.
fn is_jwt(token: &str) -> bool {
    let parts: Vec<_> = token.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part)).collect();
    let [Ok(header), Ok(_), Ok(_)] = &parts[..] else { return false };
    serde_json::from_slice::<Map<String, Value>>(header)
        .is_ok_and(|header| header.contains_key("alg"))
}

/// Whether the name of a URL's host says that it is this machine.
fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let named = host == "localhost" || host.ends_with(".localhost");
    named || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the token: a Debug text ends in a log.
        f.debug_struct("Config")
            .field("webhook", &self.webhook)
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// Rasa's id of the conversation.
    fn sender(&self) -> &str {
        match self {
            Request::Ask { sender, .. } | Request::Return { sender, .. } => sender,
        }
    }

    /// The outcome of the request if it failed.
    fn failed(&self, fault: Fault) -> Outcome {
        match self {
            Request::Ask { .. } => Outcome::Said(Err(fault)),
            Request::Return { .. } => Outcome::Returned(Err(fault)),
        }
    }
}

impl Outcome {
    /// What this outcome says about the bot's health.
    fn end(&self) -> End<Fault> {
        match self {
            Outcome::Said(Ok(_)) | Outcome::Returned(Ok(_)) => End::Answered,
            Outcome::Said(Err(fault)) | Outcome::Returned(Err(fault)) => fault.end(),
        }
    }
}

impl Bot {
    /// Makes the way to the bot. It dials nothing and starts no thread before the first request.
    /// `answers` must be unbounded, because `send` itself answers requests while the bot is down.
    pub fn start(config: Config, answers: Sender<Answer>) -> Bot {
        Bot { pool: Pool::new(config, answers) }
    }

    /// Sends a request; its answer comes on the channel. Never waits for the bot.
    ///
    /// Requests wait for a free thread in a queue. The queue has no bound of its own: callers keep
    /// one request under way for each conversation.
    pub fn send(&self, ticket: u64, request: Request) {
        self.pool.send(ticket, request);
    }
}

#[cfg(test)]
mod tests;
