//! One exchange with Rasa: a POST and its answer, over ureq.
//!
//! A POST has no idempotency key, so it must not be sent twice. While the connection is refused,
//! nothing can have been sent, so this connects again for a while. A request that fails later is
//! never sent again, except `resume`, which is idempotent.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::CertificateError;
use serde_json::{Value, json};
use ureq::http::{StatusCode, Uri};
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport,
};
use ureq::{Agent, Error};

use super::{
    BODY_MAX, Config, Fault, LINES_BYTES_MAX, LINES_MAX, Line, Outcome, Request, Resumed, Taken,
    Times, Token,
};
use crate::core::reply::{self, Item};
use crate::wire::Author;

/// Carries out a request. Blocks up to its deadline.
pub(super) fn perform(config: &Config, request: &Request) -> Outcome {
    match request {
        Request::Ask { sender, text, metadata } => {
            Outcome::Said(ask(config, sender, text, metadata.as_ref()))
        }
        Request::Return { sender, said } => Outcome::Returned(give_back(config, sender, said)),
    }
}

fn ask(
    config: &Config,
    sender: &str,
    text: &str,
    metadata: Option<&Value>,
) -> Result<Vec<Item>, Fault> {
    let mut body = json!({ "sender": sender, "message": text });
    if let Some(metadata) = metadata {
        body["metadata"] = metadata.clone();
    }
    let answer = post(config, &config.webhook, None, &body, config.times.ask)?;
    let peer = config.peer.clone();
    match answer.status.as_u16() {
        200 => reply::parse(&answer.body).map_err(|why| Fault::not_a_reply(&peer, &why)),
        status @ (404 | 405) if config.is_path_odd => {
            Err(Fault::NoWebhook { webhook: config.webhook.clone(), status })
        }
        status => Err(Fault::Status { peer, status }),
    }
}

fn give_back(config: &Config, sender: &str, said: &[Line]) -> Result<Taken, Fault> {
    let lines = told(said);
    // The statuses with which Rasa itself refuses a list of events. A proxy answers with other
    // statuses.
    let rejected = |fault: &Fault| matches!(fault, Fault::Status { status: 400 | 413 | 500, .. });
    match resume(config, sender, lines.clone()) {
        // Rasa has dropped the whole list, with the `resume` in it. So the bot gets `resume` alone:
        // it does not know the lines then, but it is not left paused.
        Err(fault) if !lines.is_empty() && rejected(&fault) => {
            match resume(config, sender, Vec::new())? {
                Taken { how: Resumed::Yes, warning } => {
                    Ok(Taken { how: Resumed::WithoutLines, warning })
                }
                other => Ok(other),
            }
        }
        outcome => outcome,
    }
}

/// The lines as Rasa's events: as many of the latest as the limits allow.
fn told(said: &[Line]) -> Vec<Value> {
    let mut bytes = 0;
    let events = said.iter().rev().filter_map(event).take(LINES_MAX).take_while(|event| {
        bytes += event.to_string().len();
        bytes <= LINES_BYTES_MAX
    });
    let mut events: Vec<Value> = events.collect();
    events.reverse();
    events
}

/// A line as Rasa's event. It has no `timestamp`: an old one could make Rasa's session look
/// expired. Without `parse_data` in a `user` event Rasa would refuse the whole list.
fn event(line: &Line) -> Option<Value> {
    match (line.author, &line.name) {
        (Author::User, _) => Some(json!({ "event": "user", "text": line.text, "parse_data": {} })),
        (Author::Admin, Some(name)) => {
            Some(json!({ "event": "bot", "text": line.text, "metadata": { "agent": name } }))
        }
        (Author::Admin, None) => Some(json!({ "event": "bot", "text": line.text })),
        (Author::Bot, _) => None,
    }
}

/// The event by which Rasa itself notes that it waits for the customer. It ends the turn that
/// handed over: after a bare `resume`, the next message would run the handoff action again.
/// `hide_rule_turn` hides this turn, and what people said in it, from story policies: so a story
/// goes on where it was.
fn listen() -> Value {
    json!({ "event": "action", "name": "action_listen", "hide_rule_turn": true })
}

/// If no rule fits a message, Rasa runs `action_default_fallback`, which rewinds past the last
/// `action_listen` and goes on after the event before it. That is this event: it makes Rasa listen
/// again. Without it Rasa would run again the turn that handed over. Rasa hides a followup action
/// only if the action before it is hidden, so a hidden action comes first.
fn listen_after_rewind() -> Value {
    json!({ "event": "followup", "name": "action_listen" })
}

/// Tells the bot the lines and ends its pause, in one request. If the handoff interrupted a form, a
/// second request sets the form going again.
///
/// An API that takes this request without a token takes any request from anybody. This answer shows
/// that, so no further request is needed to find it out.
fn resume(config: &Config, sender: &str, lines: Vec<Value>) -> Result<Taken, Fault> {
    let peer = config.peer.clone();
    let mut events = lines;
    events.extend([json!({ "event": "resume" }), listen(), listen_after_rewind(), listen()]);
    let (tracker, far) = tell(config, sender, events)?;
    let mut how = match tracker.get("paused").and_then(Value::as_bool) {
        Some(true) => Resumed::StillPaused,
        Some(false) => Resumed::Yes,
        None => return Err(Fault::NotAReply { peer, why: "a tracker without 'paused'".into() }),
    };
    if tracker.pointer("/active_loop/rejected") == Some(&Value::Bool(true))
        && let Some(form) = tracker.pointer("/active_loop/name").filter(|name| name.is_string())
    {
        let form = json!({ "event": "active_loop", "name": form });
        if let Err(fault) = tell(config, sender, vec![form, listen_after_rewind(), listen()]) {
            how = Resumed::WithoutForm(fault);
        }
    }
    let warning = (config.token.is_none() && far).then(|| {
        format!(
            "the API of the bot at {peer} asks for no token: anyone who reaches that port can \
             read and change every conversation with the bot; start Rasa with --auth-token, and \
             give the token here with --bot-token-file"
        )
    });
    Ok(Taken { how, warning })
}

/// Appends events to Rasa's tracker: all of them, or none. Returns the tracker's new state, and
/// whether Rasa is on another machine.
fn tell(config: &Config, sender: &str, events: Vec<Value>) -> Result<(Value, bool), Fault> {
    let peer = config.peer.clone();
    // Rasa does not decode percents: such an id would name another conversation, or another path.
    if !sender.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:@-".contains(&byte)) {
        return Err(Fault::Broken {
            peer,
            why: "the conversation's id cannot stand in a URL".into(),
        });
    }
    let url = format!("{}/conversations/{sender}/tracker/events?include_events=NONE", config.api);
    let token = config.token.as_ref();
    let answer = post(config, &url, token, &Value::from(events), config.times.give_back)?;
    match answer.status.as_u16() {
        200 => Ok((serde_json::from_slice(&answer.body).unwrap_or_default(), answer.far)),
        401 | 403 => Err(Fault::Token { peer, given: token.is_some() }),
        404 | 405 => Err(Fault::NoApi { peer }),
        status => Err(Fault::Status { peer, status }),
    }
}

/// The answer to a POST.
struct Exchange {
    status: StatusCode,
    /// The body; empty unless the status is 200.
    body: Vec<u8>,
    /// The bot's address is not of this machine's loopback.
    far: bool,
}

/// One POST.
fn post(
    config: &Config,
    url: &str,
    token: Option<&Token>,
    body: &Value,
    within: Duration,
) -> Result<Exchange, Fault> {
    let peer = &config.peer;
    let fault = |error| explain(config, error, within);
    let far = Arc::new(AtomicBool::new(false));
    let request = agent(config, within, far.clone()).post(url);
    let request = match token {
        Some(Token::Shared(token)) => request.query("token", token),
        Some(Token::Jwt(token)) => request.header("Authorization", format!("Bearer {token}")),
        None => request,
    };
    let request =
        request.header("Content-Type", "application/json").header("Accept", "application/json");
    let mut answer =
        request.header("Connection", "close").send(body.to_string().as_bytes()).map_err(fault)?;
    let (status, far) = (answer.status(), far.load(Ordering::Relaxed));
    if status != StatusCode::OK {
        return Ok(Exchange { status, body: Vec::new(), far });
    }
    // ureq's limit counts a body of exactly that length as too long.
    let limit = BODY_MAX as u64 + 1;
    let body = match answer.body_mut().with_config().limit(limit).read_to_vec() {
        Err(Error::BodyExceedsLimit(_)) => return Err(Fault::TooLong { peer: peer.clone() }),
        body => body.map_err(fault)?,
    };
    Ok(Exchange { status, body, far })
}

/// A ureq agent for one exchange. It uses no proxy (not that of the environment either), follows no
/// redirects and keeps no connection. It sets `far` if the connection leaves this machine.
fn agent(config: &Config, within: Duration, far: Arc<AtomicBool>) -> Agent {
    let times = config.times;
    let tls = TlsConfig::builder();
    let tls = match &config.authorities {
        Some(authorities) => tls.root_certs(authorities.clone()),
        None => tls,
    };
    let config = Agent::config_builder()
        .tls_config(tls.build())
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .timeout_global(Some(within))
        .user_agent(concat!("handoff/", env!("CARGO_PKG_VERSION")))
        .build();
    let dialer =
        Dialer { tcp: TcpConnector::default(), tls: RustlsConnector::default(), times, far };
    Agent::with_parts(config, dialer, NamedResolver(DefaultResolver::default()))
}

/// A failure before a byte of the request was sent.
#[derive(Debug)]
enum Before {
    Lookup(Error),
    Connect(Error),
    Tls(Error),
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Before {}

/// A resolver that marks its errors as its own.
#[derive(Debug)]
struct NamedResolver(DefaultResolver);

impl Resolver for NamedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        self.0
            .resolve(uri, config, timeout)
            .map_err(|error| Error::Other(Before::Lookup(error).into()))
    }
}

/// Connects, and tries again while the connection is refused; then does the TLS handshake. Its
/// errors say that nothing was sent.
struct Dialer {
    tcp: TcpConnector,
    tls: RustlsConnector,
    times: Times,
    far: Arc<AtomicBool>,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

impl Connector for Dialer {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let here = details.addrs.iter().all(|address| address.ip().to_canonical().is_loopback());
        self.far.store(!here, Ordering::Relaxed);
        let since = Instant::now();
        let stream = loop {
            match self.tcp.connect(details, None::<()>) {
                Err(Error::Io(error))
                    if is_refusal(&error) && since.elapsed() < self.times.patience =>
                {
                    thread::sleep(self.times.pause);
                }
                stream => {
                    break stream.map_err(|error| Error::Other(Before::Connect(error).into()))?;
                }
            }
        };
        let stream = self
            .tls
            .connect(details, stream)
            .map_err(|error| Error::Other(Before::Tls(error).into()))?;
        Ok(stream.map(|stream| Box::new(stream) as Self::Out))
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == ErrorKind::ConnectionRefused
}

/// An error as a fault. It never contains ureq's own text of a URL, which may hold the token.
fn explain(config: &Config, error: Error, within: Duration) -> Fault {
    let peer = config.peer.clone();
    let error = match error {
        Error::Timeout(_) => return Fault::Slow { peer, within },
        Error::Other(inner) => match inner.downcast::<Before>() {
            Ok(before) => return explain_before(config, *before),
            Err(inner) => Error::Other(inner),
        },
        other => other,
    };
    let why = match error {
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            "it hung up before its answer was whole".into()
        }
        error => why(&error),
    };
    Fault::Broken { peer, why }
}

fn explain_before(config: &Config, before: Before) -> Fault {
    let peer = config.peer.clone();
    match before {
        Before::Lookup(error) => {
            let host =
                config.webhook.parse::<Uri>().ok().and_then(|uri| Some(uri.host()?.to_owned()));
            Fault::NotFound { host: host.unwrap_or(peer), why: why(&error) }
        }
        Before::Connect(error) => {
            let refused = matches!(&error, Error::Io(error) if is_refusal(error));
            Fault::Unreachable { peer, why: why(&error), refused }
        }
        Before::Tls(error) => {
            Fault::Insecure { peer, unknown: is_of_unknown_authority(&error), why: why(&error) }
        }
    }
}

/// Whether the certificate is signed by an authority that this side does not trust.
fn is_of_unknown_authority(error: &Error) -> bool {
    let tls = match error {
        Error::Rustls(error) => Some(error),
        Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    };
    // A bad signature means another authority of the same name.
    let of_authority = [CertificateError::UnknownIssuer, CertificateError::BadSignature];
    matches!(tls, Some(rustls::Error::InvalidCertificate(error)) if of_authority.contains(error))
}

/// An error in words for a person.
fn why(error: &Error) -> String {
    match error {
        // The kind of an error reads as a plain sentence. An error without a kind keeps the
        // system's text.
        Error::Io(error) if error.raw_os_error().is_some() && error.kind() != ErrorKind::Other => {
            match error.kind().to_string() {
                kind if kind == "uncategorized error" => error.to_string(),
                kind => kind,
            }
        }
        Error::Io(error) => error.to_string(),
        Error::Timeout(_) => "no answer in time".into(),
        Error::HostNotFound => "it has no address".into(),
        Error::Protocol(error) => format!("its answer is not HTTP ({error})"),
        Error::Rustls(error) => error.to_string(),
        Error::Tls(error) => (*error).to_owned(),
        Error::LargeResponseHeader(..) => "its answer's header is too long".into(),
        _ => "the request could not be made".into(),
    }
}
