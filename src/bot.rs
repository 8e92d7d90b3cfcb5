//! Rasa over blocking HTTP, in worker threads.
//!
//! `send` never waits for the bot. Each request has a ticket, and exactly one answer with that
//! ticket comes on the loop's channel. `session` keeps one request under way at a time, discards
//! late answers and decides what is asked again. Here, `pool` has the threads and fails requests at
//! once while the bot is down, `queue` chooses the conversation whose turn it is, `call` does one
//! HTTP exchange, and `fault` says why one failed. `docs/RASA.md` records how Rasa behaves.

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

/// A question is answered within this time, or never.
pub const ASK_WITHIN: Duration = Duration::from_secs(30);
/// Each request of a handback is answered within this time, or never. There is a second one only
/// when Rasa refused the first list or a form was interrupted.
pub const RETURN_WITHIN: Duration = Duration::from_secs(10);
/// For so long a refused connection is tried again: a bot that is starting refuses.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer's body, at most.
pub const BODY_MAX: usize = 1024 * 1024;
/// Lines a handback tells the bot, at most; the latest ones.
pub const LINES_MAX: usize = 200;
/// Bytes of the lines a handback tells the bot, at most, as JSON.
pub const LINES_BYTES_MAX: usize = 256 * 1024;
/// Handbacks at the bot at the same time, at most.
const RETURNERS: usize = 4;

/// Where the bot is, and how long to wait for it.
#[derive(Clone)]
pub struct Config {
    /// The URL as it was given, for people.
    peer: String,
    /// Where a message goes.
    webhook: String,
    /// A path was given that is not Rasa's `/webhooks/…`: probably a part of one.
    is_path_odd: bool,
    /// What stands before `/conversations/…`.
    api: String,
    /// What the API lets in: never shown.
    token: Option<Token>,
    /// Who may vouch for an https bot; `None`: the authorities that browsers know.
    authorities: Option<RootCerts>,
    askers: Askers,
    times: Times,
}

/// What the API lets in, by the way it is sent.
#[derive(Clone)]
enum Token {
    /// Rasa's `--auth-token`, in the URL: Rasa takes it nowhere else.
    Shared(String),
    /// A JSON Web Token (RFC 7519) for Rasa's `--jwt-secret`, as `Authorization: Bearer`.
    Jwt(String),
}

/// Questions at the bot at the same time, at most: each takes a thread here and a connection there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Askers(usize);

impl Askers {
    /// The highest number that can be set.
    pub const MAX: usize = 512;
}

impl Default for Askers {
    /// 32: a bot that takes 100 ms for an answer gives 320 a second then.
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

/// The waits, apart so that tests need not wait.
#[derive(Clone, Copy, Debug)]
struct Times {
    ask: Duration,
    give_back: Duration,
    patience: Duration,
    /// Between two attempts to connect.
    pause: Duration,
}

/// What the bot is asked to do.
#[derive(Clone, Debug)]
pub enum Request {
    /// Answer a message.
    Ask {
        /// Rasa's id of the conversation: `[A-Za-z0-9_.:@-]` only, it is not percent-decoded
        /// there.
        sender: String,
        /// What the customer said.
        text: String,
        /// A JSON object that goes with the message as its `metadata`.
        metadata: Option<Value>,
    },
    /// Take the conversation back, knowing what was said meanwhile. With nothing said it is
    /// idempotent and may be sent again.
    Return {
        /// Rasa's id of the conversation.
        sender: String,
        /// What user and admin said, oldest first.
        said: Vec<Line>,
    },
}

/// Something said while the bot was away.
#[derive(Clone, Debug)]
pub struct Line {
    /// By whom; what the bot itself said it knows.
    pub author: Author,
    /// The admin's name, where one was given.
    pub name: Option<String>,
    /// The text.
    pub text: String,
}

/// What became of a request.
#[derive(Debug)]
pub struct Answer {
    /// The ticket it was sent with.
    pub ticket: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request, by its kind.
#[derive(Debug)]
pub enum Outcome {
    /// Of an `Ask`: what the bot said.
    Said(Result<Vec<Item>, Fault>),
    /// Of a `Return`.
    Returned(Result<Taken, Fault>),
}

/// A handback the bot took.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// How it took it.
    pub how: Resumed,
    /// What is wrong with the way there, for the person to hear once.
    pub warning: Option<String>,
}

/// How the bot took a handback.
#[derive(Debug, PartialEq, Eq)]
pub enum Resumed {
    /// It answers again, and knows what was said.
    Yes,
    /// It answers again, but did not take what was said.
    WithoutLines,
    /// It answers again and knows what was said, but the form that was under way stays interrupted.
    WithoutForm(Fault),
    /// It says that it is still paused.
    StillPaused,
}

/// The way to the bot.
#[derive(Debug)]
pub struct Bot {
    pool: Pool,
}

impl Config {
    /// Checks the URL: `http://localhost:5005`, or with a path the webhook itself.
    ///
    /// # Errors
    /// One line: what is wrong, and what to give.
    pub fn new(url: &str, token: Option<String>) -> Result<Config, String> {
        const GIVE: &str = "give one like http://localhost:5005";
        // Never repeated in an error: what stands before the @ or behind the ? may be a secret.
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
            return Err(format!("the bot's URL '{url}' has a port that is none; {GIVE}"));
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

    /// Believes these authorities, and no others, about an https bot.
    #[must_use]
    pub fn trusting(mut self, authorities: &[CertificateDer<'_>]) -> Config {
        let certificate = |der: &CertificateDer<'_>| Certificate::from_der(der).to_owned();
        self.authorities = Some(authorities.iter().map(certificate).into());
        self
    }

    /// Sets how many questions the bot gets at the same time, at most.
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

    /// What is wrong with the way there that can be told before anything is sent: a token that
    /// others can read.
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
    /// A JWT by its form, anything else as Rasa's shared token.
    fn new(given: &str) -> Option<Token> {
        match given {
            "" => None,
            jwt if is_jwt(jwt) => Some(Token::Jwt(jwt.to_owned())),
            shared => Some(Token::Shared(shared.to_owned())),
        }
    }
}

/// Whether this is a JWS in its compact form (RFC 7515, 3.1): three parts of base64url, the first
/// of which is the header, a JSON object that names its algorithm. A shared token that merely has
/// two dots in it is none.
fn is_jwt(token: &str) -> bool {
    let parts: Vec<_> = token.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part)).collect();
    let [Ok(header), Ok(_), Ok(_)] = &parts[..] else { return false };
    serde_json::from_slice::<Map<String, Value>>(header)
        .is_ok_and(|header| header.contains_key("alg"))
}

/// Whether a URL's host is this machine by its name alone.
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

    /// What becomes of it when it fails.
    fn failed(&self, fault: Fault) -> Outcome {
        match self {
            Request::Ask { .. } => Outcome::Said(Err(fault)),
            Request::Return { .. } => Outcome::Returned(Err(fault)),
        }
    }
}

impl Outcome {
    /// What this says of the bot's health.
    fn end(&self) -> End<Fault> {
        match self {
            Outcome::Said(Ok(_)) | Outcome::Returned(Ok(_)) => End::Answered,
            Outcome::Said(Err(fault)) | Outcome::Returned(Err(fault)) => fault.end(),
        }
    }
}

impl Bot {
    /// Opens the way. Nothing is dialled and no thread started before there is a request.
    /// `answers` is unbounded: `send` itself answers a request while the bot is down.
    pub fn start(config: Config, answers: Sender<Answer>) -> Bot {
        Bot { pool: Pool::new(config, answers) }
    }

    /// Sends a request; its answer comes on the channel. Never waits for the bot.
    ///
    /// Requests wait for a free thread in a queue without a bound: one in flight a conversation,
    /// which is the caller's rule, is the bound.
    pub fn send(&self, ticket: u64, request: Request) {
        self.pool.send(ticket, request);
    }
}

#[cfg(test)]
mod tests;
