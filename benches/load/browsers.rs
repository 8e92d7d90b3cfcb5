//! The gateway: what customers in their browsers cost, beside a bare server of events (`sse`) and,
//! if they are there, node and nginx. All customers are in this process.
//!
//! Most measures have a bot that takes questions and never answers, so that only the line itself
//! costs something. Measures of answers have the built-in bot.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::archive;
use crate::broken::{Broken, broken};
use crate::browser::{Browser, Customer};
use crate::durable::Folder;
use crate::extent::Extent;
use crate::measures::{on_one_cpu, starts};
use crate::nginx;
use crate::server::{Server, What};
use crate::table::{Row, Sample};

/// The number of customers in the flood. Each has one line in flight.
const IN_FLIGHT: usize = 100;

/// A bot that takes every question and answers none.
fn silent_bot() -> Result<String, Broken> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || listener.incoming().flatten().collect::<Vec<_>>());
    Ok(url)
}

/// A server under load, and its name in the table.
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
            // Each round has other customers, because nobody says thousands of lines.
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

/// A hundred customers with one line in flight each: the server's CPU time for a million
/// deliveries.
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

/// The number of files that are fetched in a round.
const FILES: usize = 20_000;

/// Gets a file whole.
fn fetch(browser: &mut Browser, server: &Server, path: &str) -> Result<Vec<u8>, Broken> {
    browser.ask(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).as_bytes())?;
    match browser.wait()? {
        (200, body) => Ok(body),
        (status, _) => Err(broken(format!("{path} got {status}")).into()),
    }
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
