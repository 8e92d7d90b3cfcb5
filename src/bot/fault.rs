//! Why a bot did not do what it was asked, with one sentence for each fault.

use std::fmt;
use std::time::Duration;

use crate::core::health::End;
use crate::core::reply::NotAReply;

/// Why a request to the bot failed. `peer` is the bot's URL as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bot is down, and another request probes it. Nothing was sent.
    Down {
        /// The fault of the request that found the bot down. `Down` reads the same.
        cause: Box<Fault>,
    },
    /// The name of the bot's host has no address.
    NotFound {
        /// The host.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// Nothing answers at the bot's address. Nothing was sent.
    Unreachable {
        /// The address that we tried.
        peer: String,
        /// What the system said.
        why: String,
        /// Whether the connection was refused, again and again.
        refused: bool,
    },
    /// TLS failed. Nothing was sent.
    Insecure {
        /// The address that we tried.
        peer: String,
        /// What TLS said.
        why: String,
        /// Whether the reason is the authority of its certificate.
        unknown: bool,
    },
    /// No answer in time; the request may have been heard.
    Slow {
        /// The address that we asked.
        peer: String,
        /// How long we waited.
        within: Duration,
    },
    /// The exchange broke; the request may have been heard.
    Broken {
        /// The address that we asked.
        peer: String,
        /// What happened.
        why: String,
    },
    /// An answer with a status other than 200.
    Status {
        /// The address that we asked.
        peer: String,
        /// The status.
        status: u16,
    },
    /// There is no webhook at the path that was given.
    NoWebhook {
        /// What was tried, the whole URL.
        webhook: String,
        /// The status.
        status: u16,
    },
    /// A 200 that is not what Rasa answers.
    NotAReply {
        /// The address that we asked.
        peer: String,
        /// What is wrong with it.
        why: String,
    },
    /// An answer over 1 MiB.
    TooLong {
        /// The address that we asked.
        peer: String,
    },
    /// There is no API beside the webhook.
    NoApi {
        /// The address that we asked.
        peer: String,
    },
    /// The API wants another token.
    Token {
        /// The address that we asked.
        peer: String,
        /// Whether the program was given a token.
        given: bool,
    },
}

impl Fault {
    /// Whether it is certain that the bot did not act on the request.
    pub fn is_refusal(&self) -> bool {
        match self {
            Fault::Down { .. } | Fault::NotFound { .. } | Fault::Unreachable { .. } => true,
            Fault::Insecure { .. } => true,
            Fault::NoWebhook { .. } | Fault::NoApi { .. } | Fault::Token { .. } => true,
            // A proxy answers 502 or 503 when there is no Rasa behind it. If it means something
            // else, the bot gets the lines twice, which is better than never.
            Fault::Status { status: 502 | 503, .. } => true,
            // By HTTP's rules (RFC 9110, 15.4 and 15.5) the server did not act. 408 does not say
            // whether it did.
            Fault::Status { status, .. } => (300..500).contains(status) && *status != 408,
            Fault::Slow { .. }
            | Fault::Broken { .. }
            | Fault::NotAReply { .. }
            | Fault::TooLong { .. } => false,
        }
    }

    /// What this fault says about the bot's health.
    pub(super) fn end(&self) -> End<Fault> {
        match self {
            // This fails before the request names a conversation, so it is the same for all of
            // them.
            Fault::NotFound { .. } | Fault::Unreachable { .. } | Fault::Insecure { .. } => {
                End::Unreached(self.clone())
            }
            // A proxy answers 504 when Rasa gave it no answer in time.
            Fault::Slow { .. } | Fault::Status { status: 504, .. } => End::TimedOut(self.clone()),
            // A proxy answers 502 or 503 when it has no Rasa, or none for this request.
            Fault::Broken { .. } | Fault::Status { status: 502 | 503, .. } => End::Unclear,
            Fault::Down { .. } => End::Unclear,
            Fault::Status { .. } | Fault::NoWebhook { .. } | Fault::NotAReply { .. } => {
                End::Answered
            }
            Fault::TooLong { .. } | Fault::NoApi { .. } | Fault::Token { .. } => End::Answered,
        }
    }

    pub(super) fn not_a_reply(peer: &str, why: &NotAReply) -> Fault {
        Fault::NotAReply { peer: peer.to_owned(), why: why.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Down { cause } => cause.fmt(f),
            Fault::NotFound { host, why } => {
                write!(f, "cannot find the bot's host '{host}': {why}")
            }
            Fault::Unreachable { peer, why, refused: true } => {
                write!(
                    f,
                    "cannot reach the bot at {peer}: {why}; is Rasa running? ('handoff demo' \
                     needs none)"
                )
            }
            Fault::Unreachable { peer, why, refused: false } => {
                write!(f, "cannot reach the bot at {peer}: {why}")
            }
            Fault::Insecure { peer, why, unknown } => {
                let hint = if *unknown {
                    "; --bot-ca FILE names the authority that vouches for it"
                } else {
                    ""
                };
                write!(f, "cannot talk TLS with the bot at {peer}: {why}{hint}")
            }
            Fault::Slow { peer, within } => {
                write!(f, "the bot at {peer} gave no answer within {} s", within.as_secs_f32())
            }
            Fault::Broken { peer, why } => {
                write!(f, "the exchange with the bot at {peer} broke: {why}")
            }
            Fault::Status { peer, status } => {
                write!(f, "the bot at {peer} answered {status}{}", hint(*status))
            }
            Fault::NoWebhook { webhook, status } => {
                let prefix = webhook.trim_end_matches('/');
                write!(
                    f,
                    "the bot answered {status} at {webhook}, the path that was given; \
                     give the whole webhook path, such as {prefix}/webhooks/rest/webhook"
                )
            }
            Fault::NotAReply { peer, why } => {
                write!(
                    f,
                    "the bot at {peer} answered with something that is not a Rasa reply: {why}"
                )
            }
            Fault::TooLong { peer } => write!(f, "the bot at {peer} answered with more than 1 MiB"),
            Fault::NoApi { peer } => {
                write!(
                    f,
                    "the bot at {peer} has no API to hand back through; start Rasa with \
                     --enable-api"
                )
            }
            Fault::Token { peer, given: true } => {
                write!(f, "the API of the bot at {peer} refused the token")
            }
            Fault::Token { peer, given: false } => {
                write!(
                    f,
                    "the API of the bot at {peer} wants a token (Rasa's --auth-token, or a JWT \
                     for its --jwt-secret); give it with --bot-token-file"
                )
            }
        }
    }
}

impl std::error::Error for Fault {}

/// What a person may do about a status.
fn hint(status: u16) -> &'static str {
    match status {
        300..=399 => "; redirects are not followed, give the final URL",
        401 | 403 => "; its webhook wants a login, which Rasa's own never does",
        409 => "; it has no trained model loaded",
        404 | 405 => "; is its REST channel on ('rest:' in credentials.yml)?",
        500..=599 => "; its log says why",
        _ => "",
    }
}
