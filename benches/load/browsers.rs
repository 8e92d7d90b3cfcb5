//! The gateway: what customers in their browsers cost, beside a bare server of events (`sse`) and,
//! if they are there, node and nginx. All customers are in this process.
//!
//! The bot takes questions and never answers, so that a line costs what the line costs; where
//! answers count, it is the built-in one.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use serde_json::{Value, json};

use crate::archive;
use crate::broken::{Broken, broken};
use crate::customers::TEXT;
use crate::durable::Folder;
use crate::extent::Extent;
use crate::measures::{on_one_cpu, starts};
use crate::nginx;
use crate::server::{Server, What};
use crate::stream::Stream;
use crate::table::{Row, Sample};

/// The customers of the flood: each has one line in flight.
const IN_FLIGHT: usize = 100;
/// The fewest and the most customers of the slope.
const FEW: usize = 1_000;
const MANY: usize = 9_000;

/// A bot that takes every question and answers none.
fn silent_bot() -> Result<String, Broken> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || listener.incoming().flatten().collect::<Vec<_>>());
    Ok(url)
}

/// A connection of a browser.
struct Browser {
    stream: Stream,
    unread: Vec<u8>,
}

/// A customer, with a connection for requests and one for the stream.
struct Customer {
    asks: Browser,
    token: String,
    conversation: String,
    said: usize,
}

impl Browser {
    fn open(server: &Server) -> Result<Browser, Broken> {
        Ok(Browser { stream: Stream::open(server)?, unread: Vec::new() })
    }

    /// Sends a request.
    fn ask(&mut self, request: &[u8]) -> Result<(), Broken> {
        Ok(self.stream.write_all(request)?)
    }

    /// Reads once. False if nothing is there.
    fn read(&mut self) -> Result<bool, Broken> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(broken("the gateway hung up").into()),
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the next whole answer out of what was read: its status and body.
    fn answer(&mut self) -> Option<(u16, Vec<u8>)> {
        let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.unread[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split('\r').next().and_then(|it| it.parse().ok()).unwrap_or(0));
        let whole = end + length;
        (self.unread.len() >= whole).then(|| {
            let body = self.unread[end..whole].to_vec();
            self.unread.drain(..whole);
            (status, body)
        })
    }

    /// Reads until an answer is there.
    fn wait(&mut self) -> Result<(u16, Vec<u8>), Broken> {
        loop {
            if let Some(answer) = self.answer() {
                return Ok(answer);
            }
            self.read()?;
        }
    }

    /// Reads until this text came, and drops everything.
    fn until(&mut self, text: &[u8]) -> Result<(), Broken> {
        while !self.unread.windows(text.len()).any(|it| it == text) {
            self.read()?;
        }
        self.unread.clear();
        Ok(())
    }
}

/// The bytes of a POST.
fn post(server: &Server, name: &str, token: &str, body: &Value) -> Vec<u8> {
    let (host, body) = (server.address, body.to_string());
    let length = body.len();
    format!(
        "POST /api/{name} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Customer {
    fn begin(server: &Server) -> Result<Customer, Broken> {
        let mut asks = Browser::open(server)?;
        asks.ask(&post(server, "begin", "", &json!({})))?;
        let (_, body) = asks.wait()?;
        let body: Value = serde_json::from_slice(&body)?;
        let field = |name: &str| {
            body[name].as_str().map(str::to_owned).ok_or_else(|| broken(format!("no {name}")))
        };
        Ok(Customer { token: field("token")?, conversation: field("conversation")?, asks, said: 0 })
    }

    /// The bytes of the next line, and the text by which its event is known.
    fn line(&mut self, server: &Server) -> (Vec<u8>, String) {
        self.said += 1;
        let text = format!("line {} {TEXT}", self.said);
        let id = self.said.to_string();
        let body = json!({ "id": id, "conversation": self.conversation, "text": text });
        (post(server, "say", &self.token, &body), text)
    }

    /// Says a line and waits for the answer.
    fn say(&mut self, server: &Server) -> Result<(), Broken> {
        let (request, _) = self.line(server);
        self.asks.ask(&request)?;
        match self.asks.wait()? {
            (202, _) => Ok(()),
            (status, _) => Err(broken(format!("a line got {status}")).into()),
        }
    }

    /// Opens a stream. The caller reads it.
    fn stream(&self, server: &Server) -> Result<Browser, Broken> {
        open_stream(server, &self.token)
    }
}

/// Opens the stream of the customer with this token. The caller reads it.
fn open_stream(server: &Server, token: &str) -> Result<Browser, Broken> {
    let mut stream = Browser::open(server)?;
    let host = server.address;
    let request = format!(
        "GET /api/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Accept: text/event-stream\r\n\r\n"
    );
    stream.ask(request.as_bytes())?;
    Ok(stream)
}

/// A server under load, as a row names it.
type Kind = (&'static str, Server);

/// The bare server, nginx and node if they are there, and the gateway: without a journal, and with
/// one in this folder.
fn kinds(bot: &str, folder: &Folder) -> Result<Vec<Kind>, Broken> {
    let mut kinds = vec![("bare", Server::start(What::Sse)?)];
    if nginx::is_here() {
        kinds.push(("nginx", nginx::start(folder)?));
    } else {
        println!("nginx and libnginx-mod-nchan are not here: their rows are missing");
    }
    let node = Command::new("node").arg("--version").output().is_ok();
    if node {
        kinds.push(("node", Server::start(What::Node)?));
    } else {
        println!("node is not here: its rows are missing");
    }
    kinds.push(("ephemeral", Server::gateway(bot, None)?));
    kinds.push(("journaled", Server::gateway(bot, Some(folder.path()))?));
    Ok(kinds)
}

/// The time from a POST to its event on the stream, one after the other, with all processes on one
/// CPU: the median of a round, divided by the bare server's.
pub(crate) fn trips(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let (bot, folder) = (silent_bot()?, Folder::new()?);
    on_one_cpu(|| {
        let kinds = kinds(&bot, &folder)?;
        let mut times: Vec<_> = kinds.iter().map(|_| Sample::default()).collect();
        let mut ratios: Vec<_> = kinds.iter().map(|_| Sample::default()).collect();
        for round in 0..extent.rounds {
            let mut trips: Vec<_> = kinds.iter().map(|_| Sample::default()).collect();
            // In each round others talk: nobody says thousands of lines.
            let mut ends = Vec::new();
            for (_, server) in &kinds {
                let customer = Customer::begin(server)?;
                let mut stream = customer.stream(server)?;
                stream.until(b"\n")?;
                ends.push((customer, stream));
            }
            for turn in 0..5 * kinds.len() {
                let at = (turn + round) % kinds.len();
                let (customer, stream) = &mut ends[at];
                for _ in 0..extent.trips / 15 {
                    let (request, text) = customer.line(&kinds[at].1);
                    let since = Instant::now();
                    customer.asks.ask(&request)?;
                    stream.until(text.as_bytes())?;
                    trips[at].add(since.elapsed().as_secs_f64());
                    customer.asks.wait()?;
                }
            }
            for at in 0..kinds.len() {
                times[at].add(trips[at].median() * 1e6);
                ratios[at].add(trips[at].median() / trips[0].median());
            }
        }
        let row = |at: usize| Row {
            measure: format!("POST to its event, p50, one CPU ({})", kinds[at].0),
            goal: if kinds[at].0 == "ephemeral" { "<= 1.70 x bare".into() } else { String::new() },
            measured: format!("{:.2} x ({})", ratios[at].median(), ratios[at].spread(2)),
            scale: format!("{:.1} us; bare {:.1} us", times[at].median(), times[0].median()),
            reached: (kinds[at].0 == "ephemeral").then(|| ratios[at].median() <= 1.7),
        };
        Ok((1..kinds.len()).map(row).collect())
    })
}

/// A hundred customers with a line in flight each: the server's CPU time for a million deliveries.
pub(crate) fn flood(extent: &Extent) -> Result<Row, Broken> {
    let (bot, folder) = (silent_bot()?, Folder::new()?);
    let mut names = Vec::new();
    let mut cpu: Vec<Sample> = Vec::new();
    for _ in 0..extent.rounds.div_ceil(2) {
        for (at, (name, server)) in kinds(&bot, &folder)?.into_iter().enumerate() {
            if at == names.len() {
                names.push(name);
                cpu.push(Sample::default());
            }
            cpu[at].add(flooded(&server, extent.entries / 10)? * 1e6);
        }
    }
    let at = names.iter().position(|name| *name == "ephemeral").expect("it is always there");
    let others: Vec<_> =
        names.iter().zip(&cpu).map(|(name, cpu)| format!("{name} {:.1} s", cpu.median())).collect();
    let ratio = cpu[at].median() / cpu[0].median();
    Ok(Row {
        measure: "100 posts in flight: CPU a million deliveries (ephemeral)".into(),
        goal: "<= 1.60 x bare".into(),
        measured: format!("{ratio:.2} x"),
        scale: others.join(", "),
        reached: Some(ratio <= 1.6),
    })
}

/// The server's CPU seconds for each of `lines` deliveries.
fn flooded(server: &Server, lines: usize) -> Result<f64, Broken> {
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    let mut customers = Vec::new();
    for at in 0..IN_FLIGHT {
        let customer = Customer::begin(server)?;
        let mut stream = customer.stream(server)?;
        stream.until(b"\n")?;
        for (of, key) in [(&customer.asks, 2 * at), (&stream, 2 * at + 1)] {
            let socket = of.stream.socket();
            socket.set_nonblocking(true)?;
            epoll::add(&poller, socket, EventData::new_u64(key as u64), EventFlags::IN)?;
        }
        customers.push((customer, stream, VecDeque::new()));
    }
    let begin = |(customer, _, waiting): &mut (Customer, Browser, VecDeque<String>)| {
        let (request, text) = customer.line(server);
        waiting.push_back(text);
        customer.asks.ask(&request)
    };
    let before = server.cpu()?;
    for customer in &mut customers {
        begin(customer)?;
    }
    let (mut done, mut ready) = (0, Vec::with_capacity(256));
    while done < lines {
        ready.clear();
        epoll::wait(&poller, spare_capacity(&mut ready), None)?;
        for event in &ready {
            let key = event.data.u64() as usize;
            let (customer, stream, waiting) = &mut customers[key / 2];
            while match key % 2 {
                0 => customer.asks.read()?,
                _ => stream.read()?,
            } {}
            let text = waiting.front().map(String::as_bytes).unwrap_or_default();
            let is_there = !text.is_empty()
                && stream.unread.windows(text.len()).any(|it| it == text)
                && customer.asks.answer().is_some();
            if is_there {
                stream.unread.clear();
                waiting.pop_front();
                done += 1;
                begin(&mut customers[key / 2])?;
            }
        }
    }
    Ok((server.cpu()? - before) / done as f64)
}

/// A stream of a customer with ten entries opens, is read to its last entry, and is closed.
pub(crate) fn opens(extent: &Extent) -> Result<Row, Broken> {
    let (bot, folder) = (Server::start(What::Bot)?, Folder::new()?);
    let server = Server::gateway(&format!("http://{}", bot.address), Some(folder.path()))?;
    let mut customer = Customer::begin(&server)?;
    let mut stream = customer.stream(&server)?;
    for _ in 0..5 {
        customer.say(&server)?;
        stream.until(br#""author":"bot""#)?;
    }
    let last = br#""number":10"#;
    let (mut spent, mut rates) = (Sample::default(), Sample::default());
    for _ in 0..extent.rounds {
        let (before, since) = (server.cpu()?, Instant::now());
        for _ in 0..extent.connects {
            customer.stream(&server)?.until(last)?;
        }
        let count = extent.connects as f64;
        spent.add((server.cpu()? - before) / count * 1e6);
        rates.add(count / since.elapsed().as_secs_f64());
    }
    Ok(Row {
        measure: "a new stream of a known customer, with ten entries: CPU".into(),
        goal: "<= 90 us".into(),
        measured: format!("{:.0} us ({})", spent.median(), spent.spread(0)),
        scale: format!("{:.0}/s, one after the other", rates.median()),
        reached: Some(spent.median() <= 90.0),
    })
}

/// The memory of one more customer with an open stream, a live session and ten entries, and the work
/// for many idle streams.
pub(crate) fn slopes(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let bot = Server::start(What::Bot)?;
    let url = format!("http://{}", bot.address);
    let mut rows = Vec::new();
    for (kind, goal) in [("journaled", 3.0), ("ephemeral", 6.5)] {
        let (mut slopes, mut idle, mut threads) = (Sample::default(), Sample::default(), (0, 0));
        let mut back = Sample::default();
        for _ in 0..extent.queues {
            let folder = Folder::new()?;
            let state = (kind == "journaled").then(|| folder.path());
            let server = Server::gateway(&url, state)?;
            let mut streams = Vec::new();
            grow(&server, &mut streams, FEW)?;
            let few = server.status()?;
            grow(&server, &mut streams, MANY)?;
            let many = server.status()?;
            slopes.add((many.rss as f64 - few.rss as f64) / (MANY - FEW) as f64 / 1024.0);
            threads = (few.threads, many.threads);
            idle.add(idled(&server, &mut streams)?);
            back.add(come_back(&server, streams)?);
        }
        rows.push(Row {
            measure: format!(
                "a customer with a stream and ten entries: RSS, {FEW} to {MANY} ({kind})"
            ),
            goal: format!("<= {goal:.1} KiB"),
            measured: format!("{:.1} KiB ({})", slopes.median(), slopes.spread(1)),
            scale: format!("{} and {} threads", threads.0, threads.1),
            reached: Some(slopes.median() <= goal),
        });
        rows.push(Row {
            measure: format!("{MANY} idle streams with heartbeats and answers ({kind})"),
            goal: "<= 3.0 % of a CPU".into(),
            measured: format!("{:.1} % ({})", idle.median(), idle.spread(1)),
            scale: String::new(),
            reached: Some(idle.median() <= 3.0),
        });
        rows.push(Row {
            measure: format!("{MANY} streams are cut at once: until all are back ({kind})"),
            goal: "<= 30 s".into(),
            measured: format!("{:.1} s ({})", back.median(), back.spread(1)),
            scale: String::new(),
            reached: Some(back.median() <= 30.0),
        });
    }
    Ok(rows)
}

/// All streams end at once, and all customers come back as pages do: within a second at first, and
/// after a failure within twice the time. Returns the seconds until each of them has their ten
/// entries again.
fn come_back(server: &Server, streams: Vec<(Browser, String)>) -> Result<f64, Broken> {
    let mut left: Vec<String> = streams.into_iter().map(|(_, token)| token).collect();
    let (since, mut within, mut back) = (Instant::now(), 1.0, Vec::new());
    while !left.is_empty() {
        let (round, mut opened) = (Instant::now(), Vec::new());
        for (at, token) in left.iter().enumerate() {
            let due = Duration::from_secs_f64(within * at as f64 / left.len() as f64);
            thread::sleep(due.saturating_sub(round.elapsed()));
            opened.push(open_stream(server, token));
        }
        let mut failed = Vec::new();
        for (stream, token) in opened.into_iter().zip(left) {
            let open = || {
                let mut stream = stream?;
                stream.until(br#""number":10"#)?;
                back.push(stream);
                Ok::<_, Broken>(())
            };
            if open().is_err() {
                failed.push(token);
            }
        }
        (left, within) = (failed, within * 2.0);
    }
    Ok(since.elapsed().as_secs_f64())
}

/// What HTTPS adds to a customer, and what one costs who waits at a desk, both with a journal.
pub(crate) fn slopes_with_tls(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let bot = Server::start(What::Bot)?;
    let url = format!("http://{}", bot.address);
    let slope = |server: &Server, is_queued: bool| {
        let mut streams = Vec::new();
        grow_to(server, &mut streams, FEW, is_queued)?;
        let few = server.status()?.rss;
        grow_to(server, &mut streams, MANY, is_queued)?;
        let many = server.status()?.rss;
        Ok::<_, Broken>((many as f64 - few as f64) / (MANY - FEW) as f64 / 1024.0)
    };
    let (mut more, mut queued) = (Sample::default(), Sample::default());
    for _ in 0..extent.queues {
        let (folder, other, third) = (Folder::new()?, Folder::new()?, Folder::new()?);
        let [certificate, key] = certificate(&folder)?;
        let plain = slope(&Server::gateway(&url, Some(other.path()))?, false)?;
        let certificate = Some([certificate.as_path(), key.as_path()]);
        let https = Server::gateway_with(&url, "127.0.0.1:1", Some(folder.path()), certificate)?;
        more.add(slope(&https, false)? - plain);
        let desk = Server::start(What::Tls)?;
        let desk = desk.address.to_string();
        queued.add(slope(&Server::gateway_with(&url, &desk, Some(third.path()), None)?, true)?);
    }
    let row = |measure: &str, sample: &Sample, goal: f64| Row {
        measure: measure.to_owned(),
        goal: format!("<= {goal:.1} KiB"),
        measured: format!("{:.1} KiB ({})", sample.median(), sample.spread(1)),
        scale: String::new(),
        reached: Some(sample.median() <= goal),
    };
    Ok(vec![
        row("the same over HTTPS: more", &more, 8.0),
        row("a customer who waits at a desk, over TLS: RSS (journaled)", &queued, 12.0),
    ])
}

/// The files of a certificate for this machine, and of its key.
fn certificate(folder: &Folder) -> Result<[PathBuf; 2], Broken> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let made = made.map_err(|error| broken(error.to_string()))?;
    let files = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    fs::write(&files[0], made.cert.pem())?;
    fs::write(&files[1], made.signing_key.serialize_pem())?;
    fs::set_permissions(&files[1], fs::Permissions::from_mode(0o600))?;
    Ok(files)
}

/// The largest file of the page, over kept connections: the server's CPU time, beside nginx.
pub(crate) fn files(extent: &Extent) -> Result<Vec<Row>, Broken> {
    if !nginx::is_here() {
        println!("nginx is not here: its rows are missing");
        return Ok(Vec::new());
    }
    let (bot, folder) = (silent_bot()?, Folder::new()?);
    let gateway = Server::gateway(&bot, None)?;
    let page = String::from_utf8(fetch(&mut Browser::open(&gateway)?, &gateway, "/chat")?)?;
    let version = page.split("assets/").nth(1).and_then(|rest| rest.split('/').next());
    let version = version.ok_or_else(|| broken("the page names no files"))?;
    let path = format!("/assets/{version}/chat.js");
    let file = fetch(&mut Browser::open(&gateway)?, &gateway, &path)?;
    fs::create_dir_all(folder.path().join(format!("assets/{version}")))?;
    fs::write(folder.path().join(&path[1..]), &file)?;
    let nginx = nginx::start(&folder)?;
    let (mut ratios, mut times) = (Sample::default(), [Sample::default(), Sample::default()]);
    for _ in 0..extent.rounds {
        let mut spent = [0.0; 2];
        for (at, server) in [&nginx, &gateway].into_iter().enumerate() {
            let mut browser = Browser::open(server)?;
            let before = server.cpu()?;
            for _ in 0..FILES {
                fetch(&mut browser, server, &path)?;
            }
            spent[at] = (server.cpu()? - before) / FILES as f64 * 1e6;
            times[at].add(spent[at]);
        }
        ratios.add(spent[0] / spent[1]);
    }
    Ok(vec![Row {
        measure: format!(
            "a file of {} KB, kept connection: CPU of nginx, of ours",
            file.len() / 1000
        ),
        goal: ">= 1.20 x".into(),
        measured: format!("{:.2} x ({})", ratios.median(), ratios.spread(2)),
        scale: format!("{:.1} us; nginx {:.1} us", times[1].median(), times[0].median()),
        reached: Some(ratios.median() >= 1.2),
    }])
}

/// The files that are fetched in a round.
const FILES: usize = 20_000;

/// Gets a file whole.
fn fetch(browser: &mut Browser, server: &Server, path: &str) -> Result<Vec<u8>, Broken> {
    browser.ask(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).as_bytes())?;
    match browser.wait()? {
        (200, body) => Ok(body),
        (status, _) => Err(broken(format!("{path} got {status}")).into()),
    }
}

/// Adds customers until there are `count`. Their streams are read by `idled`.
fn grow(server: &Server, streams: &mut Vec<(Browser, String)>, count: usize) -> Result<(), Broken> {
    grow_to(server, streams, count, false)
}

/// Like `grow`; with `is_queued` all of them wait at the desk then.
fn grow_to(
    server: &Server,
    streams: &mut Vec<(Browser, String)>,
    count: usize,
    is_queued: bool,
) -> Result<(), Broken> {
    while streams.len() < count {
        let mut customer = Customer::begin(server)?;
        let mut stream = customer.stream(server)?;
        for _ in 0..5 {
            customer.say(server)?;
            stream.until(br#""author":"bot""#)?;
        }
        if is_queued {
            let body = json!({ "id": "human", "conversation": customer.conversation });
            customer.asks.ask(&post(server, "human", &customer.token, &body))?;
            stream.until(br#""position""#)?;
        }
        streams.push((stream, customer.token));
    }
    Ok(())
}

/// How long streams are watched while nothing is said: two heartbeats.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// Reads all streams and answers every second heartbeat, as pages do. Returns the share of a CPU, in
/// per cent, that the server takes.
fn idled(server: &Server, streams: &mut [(Browser, String)]) -> Result<f64, Broken> {
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    for (at, (stream, _)) in streams.iter().enumerate() {
        let socket = stream.stream.socket();
        socket.set_nonblocking(true)?;
        epoll::add(&poller, socket, EventData::new_u64(at as u64), EventFlags::IN)?;
    }
    let mut asks = Browser::open(server)?;
    let (before, since, mut pings) = (server.cpu()?, Instant::now(), 0);
    let mut ready = Vec::with_capacity(256);
    while since.elapsed() < IDLE_FOR {
        ready.clear();
        let second = Duration::from_secs(1).try_into().ok();
        epoll::wait(&poller, spare_capacity(&mut ready), second.as_ref())?;
        for event in &ready {
            let (stream, token) = &mut streams[event.data.u64() as usize];
            while stream.read()? {}
            let text = String::from_utf8_lossy(&stream.unread).into_owned();
            stream.unread.clear();
            let ping = text.split("event: ping\ndata: ").nth(1);
            let Some(data) = ping.and_then(|rest| rest.split('\n').next()) else { continue };
            pings += 1;
            if pings % 2 == 1 {
                let ping: Value = serde_json::from_str(data)?;
                let here = post(server, "here", token, &json!({ "stream": ping["stream"] }));
                asks.ask(&here)?;
                asks.wait()?;
            }
        }
    }
    if pings < streams.len() {
        return Err(broken(format!("{pings} heartbeats of {} streams", streams.len())).into());
    }
    Ok((server.cpu()? - before) / since.elapsed().as_secs_f64() * 100.0)
}

/// The start of a gateway with its journal, and the size of the program.
pub(crate) fn start(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let (bot, folder) = (silent_bot()?, Folder::new()?);
    let gateway = || Server::gateway(&bot, Some(folder.path()));
    let mut rows = starts(extent, ("gateway: ", 8.0), gateway)?;
    rows.extend(archive::gateway(extent, &bot)?);
    rows.push(size()?);
    Ok(rows)
}

/// The size of the program without its symbols.
fn size() -> Result<Row, Broken> {
    let folder = Folder::new()?;
    let stripped = folder.path().join("stripped");
    let program = env::var("HANDOFF").unwrap_or_else(|_| env!("CARGO_BIN_EXE_handoff").into());
    let done = Command::new("strip").arg("-o").args([&stripped, Path::new(&program)]).status()?;
    let bytes = if done.success() { fs::metadata(&stripped)?.len() } else { 0 };
    let size = bytes as f64 / 1e6;
    Ok(Row {
        measure: "the program, stripped".into(),
        goal: "<= 8.0 MB".into(),
        measured: format!("{size:.1} MB"),
        scale: String::new(),
        reached: Some(bytes > 0 && size <= 8.0),
    })
}
