//! The gateway with many customers: the memory of one more, the work while they are idle, and the
//! time in which they come back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use serde_json::{Value, json};

use crate::broken::{Broken, broken};
use crate::browser::{Browser, Customer, open_stream, post};
use crate::durable::Folder;
use crate::extent::Extent;
use crate::server::{Server, What};
use crate::table::{Row, Sample};

/// The lower and the higher number of customers that are compared.
const FEW: usize = 1_000;
const MANY: usize = 9_000;

/// The memory of one more customer with an open stream, a live session and ten entries, and the
/// work for many idle streams.
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

/// The memory that HTTPS adds to a customer, and the memory of a customer who waits at a desk, both
/// with a journal.
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

/// Adds customers until there are `count`. Their streams are read by `idled`.
fn grow(server: &Server, streams: &mut Vec<(Browser, String)>, count: usize) -> Result<(), Broken> {
    grow_to(server, streams, count, false)
}

/// Like `grow`. With `is_queued` all of them wait at the desk.
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

/// Reads all streams and answers every second heartbeat, as pages do. Returns the share of a CPU,
/// in per cent, that the server takes.
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
