//! `handoff web`: the gateway's loop.
//!
//! One loop serves all customers in their browsers. It drains the inputs that wait, has the
//! sessions and the gateway handle them, takes a turn ([`crate::turn`]), and then writes the
//! answers and events for browsers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, unbounded};

use crate::bot::{self, Bot};
use crate::core::clock::Now;
use crate::core::gateway::{AddressKeys, Addresses, Gateway, Limits, Present};
use crate::core::identity;
use crate::core::record::Record;
use crate::core::report::Report;
use crate::core::script::{BATCH_MAX, QUEUE_MAX};
use crate::core::session::Session;
use crate::core::sessions::Sessions;
use crate::edge::clock;
use crate::edge::signals::{self, SIGHUP};
use crate::edge::term;
use crate::edge::tls::Security;
use crate::mode::args::{self, Certificate, Site};
use crate::mode::around::asker::Asker;
use crate::mode::around::desk::Desk;
use crate::mode::around::{self};
use crate::mode::{self, random};
use crate::net::{self, Net, STRANGERS};
use crate::turn::inputs::{Event, Inputs, Takes};
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::turn::seat::Seat;
use crate::turn::turn;
use crate::wire::{self, Author};

use browsers::Browsers;
use origins::Origins;
use pages::Pages;
use silent_customers::{Forgotten, SilentCustomers};
use world::Edges;

mod browsers;
mod identities;
mod origins;
mod pages;
mod posts;
mod routes;
mod silent_customers;
mod streams;
mod world;

/// How many connections a customer needs: a stream, and a short request or a connection to the
/// desk.
const CONNECTIONS_PER_CUSTOMER: usize = 2;
/// How many connections an address may have for each new customer that it may bring at once.
const CONNECTIONS_PER_NEWCOMER: usize = 4;
/// The time within which browsers come back after the gateway has ended.
const RETRY_SECONDS: u32 = 5;
/// How long a leaving gateway waits for its connections to close.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

struct Web {
    site: Site,
    pages: Pages,
    sessions: Sessions,
    silent_customers: SilentCustomers,
    edges: Edges,
    addresses: Addresses,
    address_keys: AddressKeys,
    identity_keys: identity::Keys,
    /// The payload that asks the bot for its greeting.
    greet: Option<String>,
    listen: SocketAddr,
    /// Whether all connections may come from a proxy.
    are_proxied: bool,
    certificate: Option<Certificate>,
    origins: Origins,
    ending: Option<u8>,
}

/// Runs until a signal ends it. Returns the exit code.
///
/// # Errors
/// One line for the person, when it cannot start.
pub fn run(args: args::Web) -> Result<u8, String> {
    let config = args.around.bot_config()?;
    let options = term::Options {
        json: args.json,
        plain: true,
        limit: wire::TEXT_MAX,
        me: Author::User,
        reads_stdin: false,
        may_suspend: false,
    };
    let mut profile = args.around.place().open()?;
    let trust = args.around.trust()?;
    let security = trust.security()?;
    let (net_events, net) = bounded(QUEUE_MAX);
    let (answers, answered) = unbounded();
    let sockets = Net::start(net_events);
    let connections = args.customers.saturating_mul(CONNECTIONS_PER_CUSTOMER);
    let connections = connections.saturating_add(STRANGERS);
    let sockets = sockets.map_err(|e| format!("cannot start the socket thread: {e}"))?;
    let room = sockets.at_most(connections);
    let token = args.gateway_token()?;
    let identity_keys = args.identity_keys()?;
    let is_https = args.certificate.is_some();
    let door = match &args.certificate {
        Some(certificate) => certificate.identity()?.security()?,
        None => Security::Plaintext,
    };
    let are_proxied = args.are_proxied();
    let settings = browsers::settings(door, are_proxied);
    let listen = sockets.listen(&args.listen, settings).map_err(|e| e.to_string())?;
    let epoch = u32::from_ne_bytes(random()?);
    let epoch = profile.journal.epoch(epoch).map_err(|fault| fault.to_string())?;
    let address_secret = profile.journal.address_secret(random()?);
    let address_secret = address_secret.map_err(|fault| fault.to_string())?;
    let (screen, typed, shown) =
        term::start(options).map_err(|e| format!("cannot use the terminal: {e}"))?;
    let signals = signals::listen()?;
    let pages = Pages::new(&args);
    let site = args.url.unwrap_or_else(|| Site::of_listener(listen, is_https));
    let keeper = Keeper::new(profile.journal, typed.clone(), shown.clone(), signals.clone());
    let mut seat = Seat::new(screen);
    let url = Some(site.origin());
    seat.tell(Report::Ready { mode: "web", listen: Some(listen), fingerprint: None, url });
    if let Some(text) = config.warning() {
        seat.tell(Report::Notice { text });
    }
    if room < connections {
        seat.tell(Report::Notice { text: mode::too_few_files(room, connections) });
    }
    if token.is_none() && identity_keys.are_there() {
        let text = "the desk will not believe who customers are: give --gateway-token FILE here, \
                    and --trust-gateway FILE there";
        seat.tell(Report::Notice { text: text.to_owned() });
    }
    let asker = Asker::new(Bot::start(config, answers), args.around.triggers());
    let desk = Desk::new(args.around.admin.clone(), (trust, security), token, "");
    let origins = Origins::new(&site, (listen, is_https), args.embedders.clone(), args.api_origins);
    let limits = Limits {
        customers: args.customers,
        per_address: args.per_address,
        rate: args.rate,
        asks_to_agree: args.notice.is_some(),
    };
    let connections_per_address = args.per_address as usize * CONNECTIONS_PER_NEWCOMER;
    let mut web = Web {
        sessions: Sessions::new(around::seed()?, clock::now()),
        silent_customers: SilentCustomers::default(),
        edges: Edges {
            keeper,
            peers: Peers::new(sockets, None),
            seat,
            desk,
            asker,
            gateway: Gateway::new(epoch, limits),
            browsers: Browsers::new(args.trusted_proxies, connections_per_address),
            records: Vec::new(),
            made: Vec::new(),
            is_json: args.json,
        },
        site,
        pages,
        addresses: args.addresses,
        address_keys: AddressKeys::new(&address_secret),
        identity_keys,
        greet: args.greet,
        listen,
        are_proxied,
        certificate: args.certificate,
        origins,
        ending: None,
    };
    let inputs = Inputs { typed, screen: shown, net, answers: answered, signals };
    let ended = web.wake().and_then(|()| web.run(&inputs));
    web.edges.peers.finish(LEAVE_WITHIN);
    web.edges.seat.finish();
    Stop::exit_code(ended)
}

impl Web {
    /// Takes the sessions into memory that were in memory when the gateway ended.
    fn wake(&mut self) -> Result<(), Stop> {
        for story in self.edges.keeper.journal.awake()? {
            let journal = &self.edges.keeper.journal;
            let Some(customer) = journal.customer_of(story.id)? else { continue };
            self.edges.take_in(customer, clock::now())?;
            let journal = &self.edges.keeper.journal;
            let session = Session::restore(
                &story,
                self.edges.desk.address.clone(),
                around::seed().map_err(Stop::Broken)?,
                |number| journal.own(story.id, number),
                clock::now(),
            )?;
            self.sessions.insert(session);
            self.sessions.unwatch(story.id);
            if !journal.has_posted(customer)? {
                self.silent_customers.insert_greeted(story.id, customer, clock::now());
            }
        }
        Ok(())
    }

    fn run(&mut self, inputs: &Inputs<bot::Answer>) -> Result<u8, Stop> {
        self.turn(clock::now())?;
        loop {
            let takes = Takes { lines: false, net: self.edges.seat.has_room() };
            self.handle(inputs.wait(takes, self.deadline()))?;
            for _ in 0..BATCH_MAX {
                let Some(event) = inputs.poll(takes) else { break };
                self.handle(event)?;
            }
            self.turn(clock::now())?;
            if let Some(code) = self.ending {
                return Ok(code);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let gateway = self.edges.gateway.deadline();
        let deadlines = [self.sessions.deadline(), gateway, self.silent_customers.deadline()];
        deadlines.into_iter().flatten().min()
    }

    fn handle(&mut self, event: Event<bot::Answer>) -> Result<(), Stop> {
        let now = clock::now();
        match event {
            Event::Net(event) if self.edges.browsers.is_about(&event) => {
                self.browser(event, now)?;
            }
            Event::Net(event) => self.net(event, now),
            Event::Answer(answer) => {
                if let Some(text) = self.edges.asker.answered(answer, &mut self.sessions, now) {
                    self.edges.seat.tell(Report::Notice { text });
                }
            }
            Event::Signal(SIGHUP) if self.certificate.is_some() => self.renew_certificate(),
            Event::Signal(signal) => self.leave(signals::exit_code(signal)),
            Event::Screen(term::Event::Shown(_)) | Event::Due => {}
            Event::Screen(_) | Event::Typed(_) => {}
        }
        Ok(())
    }

    /// Something happened to a connection to the desk, or to the socket thread.
    fn net(&mut self, event: net::Event, now: Now) {
        let Edges { peers, desk, keeper, .. } = &mut self.edges;
        let (sessions, journal) = (&mut self.sessions, &keeper.journal);
        match event {
            net::Event::Connected { conn, peer, key } => {
                if let Some(text) = desk.connected((conn, peer, key), peers, sessions, journal, now)
                {
                    self.edges.seat.tell(Report::Notice { text });
                }
            }
            net::Event::Received { conn, bytes } => {
                if let Some(text) = desk.received((conn, bytes), peers, sessions, now) {
                    self.edges.seat.tell(Report::Notice { text });
                }
            }
            net::Event::Closed { conn, why } => desk.closed(conn, &why, peers, sessions, now),
            net::Event::Accepted { .. } => {}
            net::Event::Trouble { what } => self.edges.seat.tell(Report::Error { text: what }),
            net::Event::Stranger { what } => self.edges.seat.tell(Report::Notice { text: what }),
        }
    }

    fn turn(&mut self, now: Now) -> Result<(), Stop> {
        self.edges.gateway.tick(now);
        self.tell_presences(now);
        self.forget_silent(now)?;
        turn(&mut self.sessions, &mut self.edges, now)?;
        self.edges.made.clear();
        for id in self.sessions.looked_at() {
            if let Some(session) = self.sessions.get(*id) {
                self.edges.gateway.changed(&Present::of(session), *id, now);
            }
        }
        for id in self.sessions.left() {
            // Sessions of customers who have said nothing stay marked, so that a restart finds and
            // forgets them.
            if !self.silent_customers.contains(*id) {
                self.edges.records.push((*id, Record::Resting));
            }
            if let Some(customer) = self.edges.gateway.customer(*id) {
                self.edges.gateway.forget(customer);
            }
        }
        let outputs = self.edges.gateway.take_output(now);
        for output in outputs.iter().filter(|output| output.ends) {
            self.stream_ended(output.customer);
        }
        self.edges.write_streams(outputs);
        self.edges.write_answers();
        self.edges.peers.flush();
        Ok(())
    }

    /// Tells the desk about each customer who has gone or is back.
    fn tell_presences(&mut self, now: Now) {
        for (conversation, is_here) in self.edges.gateway.take_presences() {
            if let Some(session) = self.sessions.input(conversation) {
                session.set_here(is_here, now);
            } else if !is_here
                && self.silent_customers.session(conversation).is_none()
                && let Some(customer) = self.edges.gateway.customer(conversation)
            {
                // The customer's session is at rest, and no page is open.
                self.edges.gateway.forget(customer);
            }
        }
    }

    /// Forgets customers who have said nothing for too long.
    fn forget_silent(&mut self, now: Now) -> Result<(), Stop> {
        let gateway = &self.edges.gateway;
        let forgotten =
            self.silent_customers.take_forgotten(now, |customer| gateway.is_watched(customer));
        let mut records = Vec::new();
        for Forgotten { customer, conversation, is_journaled } in forgotten {
            self.edges.gateway.forget(customer);
            if is_journaled {
                self.sessions.remove(conversation);
                records.push((conversation, Record::Forgotten));
            }
        }
        if !records.is_empty() {
            self.edges.keeper.commit(records, self.edges.seat.screen())?;
        }
        Ok(())
    }

    /// Reads the files of the certificate again, for new connections. If they cannot be used, the
    /// former certificate stays.
    fn renew_certificate(&mut self) {
        let Some(certificate) = &self.certificate else { return };
        let report = match certificate.identity().and_then(|identity| identity.security()) {
            Ok(security) => {
                self.edges
                    .peers
                    .net()
                    .renew(self.listen, browsers::settings(security, self.are_proxied));
                let text = "the certificate was read again; new connections get it".to_owned();
                Report::Notice { text }
            }
            Err(why) => {
                let text = format!("the certificate before stays in use: {why}");
                Report::Error { text }
            }
        };
        self.edges.seat.tell(report);
    }

    /// Tells every stream and every connected desk that the gateway is ending.
    fn leave(&mut self, code: u8) {
        self.edges.gateway.leave(RETRY_SECONDS);
        self.sessions.leave();
        self.ending = Some(code);
    }
}
