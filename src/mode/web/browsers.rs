//! The connections of browsers: turns bytes into requests, and answers into bytes.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::core::clock::Now;
use crate::core::gateway::{Output, Problem};
use crate::core::http::{Connection, Refusal, Request, Waiting, date};
use crate::core::report::Report;
use crate::edge::clock;
use crate::edge::tls::Security;
use crate::net::{Dialect, Event, Keepalive, Net, OUTBOUND_MAX, Settings};
use crate::turn::keeper::Stop;
use crate::wire::{Address, Conn, IdMap};

use super::Web;
use super::origins::Origins;
use super::world::Edges;

/// The time for the head of a request, from its first byte.
const HEAD_WITHIN: Duration = Duration::from_secs(20);
/// The time for the body of a request.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// How long a kept connection may be idle.
const IDLE_WITHIN: Duration = Duration::from_secs(75);
/// Longer than any connection lasts: the socket thread sends browsers no bytes of its own.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// An answer to a browser.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// All connections of browsers.
pub(super) struct Browsers {
    connections: IdMap<Conn, Browser>,
    /// Answers that leave after this turn's commit.
    answers: Vec<(Conn, Answer)>,
    trusted_proxies: Vec<IpAddr>,
    /// The most connections from one address, unless it is a trusted proxy's.
    per_address: usize,
    /// How many connections each address has.
    counts: HashMap<Address, usize>,
    /// Whether the notice was shown that an untrusted address sends `X-Forwarded-For`.
    has_undeclared_proxy: bool,
}

struct Browser {
    http: Connection,
    peer: IpAddr,
    is_admitted: bool,
    /// The kind of stream that the connection carries, if it carries one.
    stream: Option<Carries>,
    /// The page of another origin that reads the stream.
    origin: Option<Box<str>>,
}

/// The kind of stream that a connection carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    /// Server-sent events.
    Events,
    /// One JSON answer, later.
    Held,
}

/// The settings of browsers' connections, with this security. With `are_proxied`, all may come from
/// one proxy, and all may come back at the same time.
pub(super) fn settings(security: Security, are_proxied: bool) -> Settings {
    let refusal = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let settings = Settings::new(
        security,
        [Dialect {
            name: "http/1.1",
            is_default: true,
            first_bytes: b"GHPO",
            keepalive: Keepalive { bytes: Vec::new(), after: NEVER, dead: NEVER },
            refusal: refusal.as_bytes().to_vec(),
            hello_within: HEAD_WITHIN,
            outbound_max: OUTBOUND_MAX,
            strangers: None,
        }],
    );
    if are_proxied { settings.from_few_addresses() } else { settings }
}

impl Answer {
    /// A JSON answer.
    pub(super) fn json(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        let headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ];
        Answer { status, headers, body: body.into() }
    }

    /// A refused request.
    pub(super) fn problem(problem: &Problem) -> Answer {
        let mut answer = Answer::json(problem.status(), problem.body());
        if matches!(problem.status(), 429 | 503) {
            answer.headers.push(("Retry-After", "2".to_owned()));
        }
        answer
    }

    /// An answer without a body.
    pub(super) fn empty(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), body: Vec::new() }
    }
}

impl Browsers {
    pub(super) fn new(trusted_proxies: Vec<IpAddr>, per_address: usize) -> Browsers {
        Browsers {
            connections: IdMap::default(),
            answers: Vec::new(),
            trusted_proxies,
            per_address,
            counts: HashMap::new(),
            has_undeclared_proxy: false,
        }
    }

    /// Whether this event is about a browser's connection.
    pub(super) fn is_about(&self, event: &Event) -> bool {
        match event {
            Event::Accepted { .. } => true,
            Event::Received { conn, .. } | Event::Closed { conn, .. } => {
                self.connections.contains_key(conn)
            }
            Event::Connected { .. } | Event::Trouble { .. } | Event::Stranger { .. } => false,
        }
    }

    /// Adds a connection. False if its address has too many.
    fn accepted(&mut self, conn: Conn, peer: SocketAddr) -> bool {
        let count = self.counts.entry(peer.ip().into()).or_default();
        if *count >= self.per_address && !self.trusted_proxies.contains(&peer.ip().to_canonical()) {
            return false;
        }
        *count += 1;
        let browser = Browser {
            http: Connection::default(),
            peer: peer.ip(),
            is_admitted: false,
            stream: None,
            origin: None,
        };
        self.connections.insert(conn, browser);
        true
    }

    fn gone(&mut self, conn: Conn) {
        let Some(browser) = self.connections.remove(&conn) else { return };
        let address = browser.peer.into();
        if let Some(count) = self.counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&address);
            }
        }
    }

    /// The address of an undeclared proxy, at the first request that came through one.
    fn undeclared_proxy(&mut self, conn: Conn, request: &Request) -> Option<IpAddr> {
        let peer = self.connections.get(&conn)?.peer.to_canonical();
        let is_one =
            request.header("x-forwarded-for").is_some() && !self.trusted_proxies.contains(&peer);
        (is_one && !std::mem::replace(&mut self.has_undeclared_proxy, true)).then_some(peer)
    }

    /// The address of the customer who sent this request.
    pub(super) fn address(&self, conn: Conn, request: &Request) -> Option<IpAddr> {
        let peer = self.connections.get(&conn)?.peer;
        let forwarded: Vec<_> = request.headers("x-forwarded-for").collect();
        let forwarded = forwarded.into_iter();
        Some(crate::core::http::customer_address(peer, &self.trusted_proxies, forwarded))
    }

    /// Answers a request after this turn's commit.
    pub(super) fn answer(&mut self, conn: Conn, answer: Answer) {
        self.answers.push((conn, answer));
    }

    /// Lets a stream of the gateway write to this connection. `origin` names the page of another
    /// origin that reads it, if it is one.
    pub(super) fn carry(
        &mut self,
        conn: Conn,
        (carries, origin): (Carries, Option<&str>),
        net: &Net,
    ) {
        let Some(browser) = self.connections.get_mut(&conn) else { return };
        browser.stream = Some(carries);
        browser.origin = origin.map(Into::into);
        if carries == Carries::Events {
            let (mut out, date) = (Vec::new(), date(clock::now().wall));
            let mut headers = vec![
                ("Date", &*date),
                ("Content-Type", "text/event-stream"),
                ("Cache-Control", "no-store, no-transform"),
                // Otherwise nginx would hold the events back.
                ("X-Accel-Buffering", "no"),
            ];
            headers.extend(origin.map(Origins::sharing).into_iter().flatten());
            browser.http.begin_stream(200, &headers, &mut out);
            net.send(conn, out);
        }
    }
}

impl Edges {
    /// Writes the bytes of the gateway's streams.
    pub(super) fn write_streams(&mut self, outputs: Vec<Output>) {
        for Output { conn, bytes, ends, .. } in outputs {
            let Some(browser) = self.browsers.connections.get_mut(&conn) else { continue };
            let mut out = Vec::with_capacity(bytes.len() + 16);
            match browser.stream {
                Some(Carries::Events) => {
                    browser.http.stream(&bytes, &mut out);
                    if ends {
                        browser.http.end_stream(&mut out);
                    }
                }
                Some(Carries::Held) => {
                    let date = date(clock::now().wall);
                    let mut headers = vec![
                        ("Date", &*date),
                        ("Content-Type", "application/json"),
                        ("Cache-Control", "no-store"),
                    ];
                    let origin = browser.origin.as_deref();
                    headers.extend(origin.map(Origins::sharing).into_iter().flatten());
                    browser.http.respond(200, &headers, &bytes, &mut out);
                }
                None => continue,
            }
            if ends {
                browser.stream = None;
            }
            self.peers.net().send(conn, out);
            self.settle_browser(conn);
        }
    }

    /// Writes the answers of this turn.
    pub(super) fn write_answers(&mut self) {
        for (conn, answer) in std::mem::take(&mut self.browsers.answers) {
            let Some(browser) = self.browsers.connections.get_mut(&conn) else { continue };
            let mut out = Vec::with_capacity(answer.body.len() + 256);
            let date = date(clock::now().wall);
            let headers = answer.headers.iter().map(|(name, value)| (*name, value.as_str()));
            let headers: Vec<_> = [("Date", &*date)].into_iter().chain(headers).collect();
            browser.http.respond(answer.status, &headers, &answer.body, &mut out);
            self.peers.net().send(conn, out);
            self.settle_browser(conn);
        }
    }

    /// After an answer was written, closes the connection or waits for the next request.
    fn settle_browser(&mut self, conn: Conn) {
        let Some(browser) = self.browsers.connections.get_mut(&conn) else { return };
        let net = self.peers.net();
        if browser.http.is_over() {
            net.close(conn);
        } else if browser.stream.is_none() {
            let (within, what) = match browser.http.waiting() {
                Waiting::Request => (IDLE_WITHIN, "request"),
                Waiting::Head => (HEAD_WITHIN, "head of a request"),
                Waiting::Body => (BODY_WITHIN, "body of a request"),
                Waiting::Answer => return net.expect(conn, None, ""),
            };
            net.expect(conn, Some(within), what);
        }
    }
}

impl Web {
    /// Something happened to a browser's connection.
    pub(super) fn browser(&mut self, event: Event, now: Now) -> Result<(), Stop> {
        match event {
            Event::Accepted { conn, peer, .. } => {
                if !self.edges.browsers.accepted(conn, peer) {
                    self.edges.peers.net().abort(conn);
                }
            }
            Event::Received { conn, bytes } => {
                let Some(browser) = self.edges.browsers.connections.get_mut(&conn) else {
                    return Ok(());
                };
                if browser.http.receive(&bytes) {
                    self.edges.peers.net().read_on(conn, Duration::ZERO);
                    self.requests(conn, now)?;
                } else {
                    self.edges.peers.net().abort(conn);
                }
            }
            Event::Closed { conn, .. } => {
                self.edges.browsers.gone(conn);
                self.stream_closed(conn, now);
            }
            Event::Connected { .. } | Event::Trouble { .. } | Event::Stranger { .. } => {}
        }
        Ok(())
    }

    /// Takes the whole requests of a connection.
    fn requests(&mut self, conn: Conn, now: Now) -> Result<(), Stop> {
        let Some(browser) = self.edges.browsers.connections.get_mut(&conn) else { return Ok(()) };
        let net = self.edges.peers.net();
        match browser.http.next_request() {
            Ok(Some(request)) => {
                if !std::mem::replace(&mut browser.is_admitted, true) {
                    net.admit(conn);
                }
                net.expect(conn, None, "");
                if let Some(proxy) = self.edges.browsers.undeclared_proxy(conn, &request) {
                    let text = format!(
                        "requests from {proxy} have X-Forwarded-For, which is not believed: if it \
                         is your proxy, give --trust-proxy {proxy} (this is shown once)"
                    );
                    self.edges.seat.tell(Report::Notice { text });
                }
                self.route(conn, &request, now)?;
            }
            Ok(None) => {
                let mut out = Vec::new();
                browser.http.write_interim(&mut out);
                if !out.is_empty() {
                    net.send(conn, out);
                }
                let (within, what) = match browser.http.waiting() {
                    Waiting::Head => (HEAD_WITHIN, "head of a request"),
                    Waiting::Body => (BODY_WITHIN, "body of a request"),
                    Waiting::Request | Waiting::Answer => return Ok(()),
                };
                net.expect(conn, Some(within), what);
            }
            Err(Refusal(status)) => self.edges.browsers.answer(conn, Answer::empty(status)),
        }
        Ok(())
    }
}
