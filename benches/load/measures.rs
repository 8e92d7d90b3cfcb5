//! The measures without a journal on the disk, and their goals.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::archive;
use crate::bot;
use crate::broken::Broken;
use crate::browsers;
use crate::crowd;
use crate::customers::{self, Customer};
use crate::durable::{self, Folder};
use crate::echo;
use crate::extent::{Extent, FULL, QUICK};
use crate::server::{Server, What};
use crate::sse;
use crate::stream::{self, Stream};
use crate::table::{self, Row, Sample};
use crate::team;
use crate::turns;

/// Measures what the arguments name, and prints the table.
pub(crate) fn run() -> Result<(), Broken> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|it| it == "echo") {
        return Ok(echo::run()?);
    }
    if arguments.iter().any(|it| it == "wakes") {
        return Ok(echo::run_with_wakes()?);
    }
    if arguments.iter().any(|it| it == "sse") {
        return Ok(sse::run()?);
    }
    // `cargo test --all-targets` starts this program without `--bench`.
    if !arguments.iter().any(|it| it == "--bench") {
        println!("scripts/bench starts this");
        return Ok(());
    }
    // `scripts/bench trips` measures only the trips, and so on.
    let only = |name: &str| {
        let named: Vec<_> = arguments.iter().filter(|it| !it.starts_with('-')).collect();
        named.is_empty() || named.iter().any(|it| *it == name)
    };
    let extent = if arguments.iter().any(|it| it == "--quick") { QUICK } else { FULL };
    let mut rows = Vec::new();
    if only("trips") {
        rows.extend(trips(&extent)?);
    }
    if only("flood") {
        rows.extend(flood(&extent)?);
    }
    if only("connects") {
        rows.push(connects(&extent)?);
        rows.push(handshakes(&extent)?);
    }
    if only("queue") {
        rows.extend(queue(&extent)?);
    }
    if only("strangers") {
        rows.extend(strangers(&extent)?);
    }
    if only("start") {
        rows.extend(start(&extent)?);
    }
    if only("turns") {
        rows.extend(turns::measure(&extent));
    }
    if only("team") {
        rows.extend(team::measure(&extent)?);
    }
    if only("bot") {
        rows.extend(bot::measure(&extent)?);
    }
    if only("web-trips") {
        rows.extend(browsers::trips(&extent)?);
    }
    if only("web-flood") {
        rows.push(browsers::flood(&extent)?);
    }
    if only("web-streams") {
        rows.push(browsers::opens(&extent)?);
        rows.extend(crowd::slopes(&extent)?);
    }
    if only("web-tls") {
        rows.extend(crowd::slopes_with_tls(&extent)?);
    }
    if only("web-files") {
        rows.extend(browsers::files(&extent)?);
    }
    if only("web-start") {
        rows.extend(browsers::start(&extent)?);
    }
    if only("durable-trips") {
        rows.extend(durable::round_trips(&extent)?);
    }
    if only("durable-flood") {
        rows.extend(durable::flood(&extent)?);
    }
    let mut many = None;
    if only("durable-queue") {
        let (row, folder) = durable_queue(&extent)?;
        rows.push(row);
        many = folder;
    }
    if only("durable-start") || many.is_some() {
        rows.extend(durable::start(&extent, many.as_ref())?);
    }
    if only("durable-archive") {
        rows.extend(archive::desk(&extent)?);
    }
    table::print(&rows);
    Ok(())
}

/// The time from an entry to its ack, one entry at a time: the median of a round, divided by the
/// echo's median for the same bytes.
///
/// It is measured three times. With all processes on one CPU only their work counts. With free
/// placement the wake of a sleeping CPU counts, too: on a virtual machine it costs more than all of
/// the work, and the echo needs no such wake. With a pause before each entry all threads sleep when
/// it comes.
fn trips(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let (trips, no_pause) = (extent.trips, Duration::ZERO);
    let alone = || trips_placed(extent.rounds, trips, no_pause, "one at a time", "one CPU");
    let mut rows = on_one_cpu(alone)?;
    rows.extend(trips_placed(extent.rounds, trips, no_pause, "one at a time", "free")?);
    rows.extend(trips_placed(extent.rounds, extent.paused_trips, PAUSE, "one every 4 ms", "free")?);
    Ok(rows)
}

/// Measures with this thread, and every process that it starts, on one CPU.
pub(crate) fn on_one_cpu<T>(measure: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    let everywhere = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).rev().find(|cpu| everywhere.is_set(*cpu)).unwrap_or(0));
    sched_setaffinity(None, &one)?;
    let measured = measure();
    sched_setaffinity(None, &everywhere)?;
    measured
}

/// The pause before an entry, after which all threads sleep.
const PAUSE: Duration = Duration::from_millis(4);

fn trips_placed(
    rounds: usize,
    count: usize,
    pause: Duration,
    pace: &str,
    placed: &str,
) -> Result<Vec<Row>, Broken> {
    let kinds = [What::Echo, What::Wakes, What::Plain, What::Json, What::Tls];
    const PLAIN: usize = 2;
    const TLS: usize = 4;
    let mut servers = Vec::new();
    for kind in kinds {
        let server = Server::start(kind)?;
        let is_echo = matches!(kind, What::Echo | What::Wakes);
        let customer = if is_echo { Customer::open(&server)? } else { Customer::queued(&server)? };
        servers.push((server, customer));
    }
    let mut times = kinds.map(|_| Sample::default());
    let mut ratios = kinds.map(|_| Sample::default());
    let mut over_plain = Sample::default();
    for round in 0..rounds {
        let mut trips = kinds.map(|_| Sample::default());
        // Each kind has ten short turns, and another kind is first in each round: so other work of
        // the machine disturbs all kinds.
        for turn in 0..10 * kinds.len() {
            let at = (turn + round) % kinds.len();
            servers[at].1.trips(count / 10, pause, at > 1, &mut trips[at])?;
        }
        for at in 0..kinds.len() {
            times[at].add(trips[at].median() * 1e6);
            ratios[at].add(trips[at].median() / trips[0].median());
        }
        over_plain.add(trips[TLS].median() / trips[PLAIN].median());
    }
    let row = |at: usize| Row {
        measure: format!("entry to ack, p50, {pace} ({}, {placed})", kinds[at].name()),
        goal: if at > 1 { "<= 2.50 x echo".into() } else { String::new() },
        measured: format!("{:.2} x ({})", ratios[at].median(), ratios[at].spread(2)),
        scale: format!("{:.1} us; echo {:.1} us", times[at].median(), times[0].median()),
        reached: (at > 1).then(|| ratios[at].median() <= 2.5),
    };
    let over_tls = Row {
        measure: format!("entry to ack, p50, {pace} ({}, {placed})", kinds[TLS].name()),
        goal: "<= 1.30 x plaintext".into(),
        measured: format!("{:.2} x ({})", over_plain.median(), over_plain.spread(2)),
        scale: format!("{:.1} us; plaintext {:.1} us", times[TLS].median(), times[PLAIN].median()),
        reached: Some(over_plain.median() <= 1.3),
    };
    Ok(vec![row(1), row(2), row(3), over_tls])
}

/// A hundred customers with sixteen entries in flight each: the server's CPU time for a million
/// entries.
fn flood(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let kinds = [What::Echo, What::Plain, What::Json, What::Tls];
    let mut cpu = kinds.map(|_| Sample::default());
    let mut rate = kinds.map(|_| Sample::default());
    for round in 0..extent.rounds.div_ceil(2) {
        for at in 0..kinds.len() {
            let at = (at + round) % kinds.len();
            let server = Server::start(kinds[at])?;
            let (spent, took) = customers::flood(&server, extent.entries)?;
            cpu[at].add(spent * 1e6 / extent.entries as f64);
            rate[at].add(extent.entries as f64 / took);
        }
    }
    let goal = |at: usize| kinds[at] != What::Tls;
    let row = |at: usize| Row {
        measure: format!(
            "100 customers x 16 in flight: CPU a million entries ({})",
            kinds[at].name()
        ),
        goal: if goal(at) { "<= 2.00 s".into() } else { String::new() },
        measured: format!("{:.2} s ({})", cpu[at].median(), cpu[at].spread(2)),
        scale: format!("{:.0}k entries/s; echo {:.2} s", rate[at].median() / 1e3, cpu[0].median()),
        reached: goal(at).then(|| cpu[at].median() <= 2.0),
    };
    Ok(vec![row(1), row(2), row(3)])
}

/// Connect, hello, welcome and close, 64 at the same time: how many per second, divided by the
/// echo's rate.
fn connects(extent: &Extent) -> Result<Row, Broken> {
    let (echo, desk) = (Server::start(What::Echo)?, Server::start(What::Plain)?);
    let (mut echoed, mut welcomed, mut ratios) =
        (Sample::default(), Sample::default(), Sample::default());
    for _ in 0..extent.rounds {
        let limit = customers::connects(&echo, extent.connects)?;
        let rate = customers::connects(&desk, extent.connects)?;
        echoed.add(limit);
        welcomed.add(rate);
        ratios.add(rate / limit);
    }
    Ok(Row {
        measure: "connect, hello, welcome a second, 64 at once".into(),
        goal: ">= 0.60 x echo".into(),
        measured: format!("{:.2} x ({})", ratios.median(), ratios.spread(2)),
        scale: format!("{:.0}/s; echo {:.0}/s", welcomed.median(), echoed.median()),
        reached: Some(ratios.median() >= 0.6),
    })
}

/// The same over TLS, with a full handshake for each: the CPU time that cannot be saved, divided by
/// the desk's CPU time.
///
/// The time that cannot be saved is the time of rustls for the server's half of a handshake
/// (measured in memory, with the real configurations of both sides) and the time of an echo for a
/// connection (the work on sockets). The table shows the rates, but does not compare them: the
/// client's half, which this process does on another CPU, is slower than the desk.
fn handshakes(extent: &Extent) -> Result<Row, Broken> {
    let (echo, desk) = (Server::start(What::Echo)?, Server::start(What::Tls)?);
    let [mut ratios, mut rates, mut spent, mut echoed, mut halves, mut wholes] =
        [(); 6].map(|()| Sample::default());
    for _ in 0..extent.rounds {
        let (echo, _) = connects_spent(&echo, extent)?;
        let alone = stream::alone(extent.connects)?;
        let (each, rate) = connects_spent(&desk, extent)?;
        ratios.add((alone.server + echo) / each);
        rates.add(rate);
        spent.add(each * 1e6);
        echoed.add(echo * 1e6);
        halves.add(alone.server * 1e6);
        wholes.add(1.0 / (alone.client + alone.server));
    }
    Ok(Row {
        measure:
            "the same over TLS: CPU of rustls' half alone and an echo's connection, of the desk's"
                .into(),
        goal: ">= 0.60 x".into(),
        measured: format!("{:.2} x ({})", ratios.median(), ratios.spread(2)),
        scale: format!(
            "{:.0} us; rustls {:.0} us, echo {:.0} us; {:.0}/s; rustls alone, both halves on one \
             CPU, {:.0}/s",
            spent.median(),
            halves.median(),
            echoed.median(),
            rates.median(),
            wholes.median()
        ),
        reached: Some(ratios.median() >= 0.6),
    })
}

/// The server's CPU seconds for each connection, and the connections per second.
fn connects_spent(server: &Server, extent: &Extent) -> Result<(f64, f64), Broken> {
    let before = server.cpu()?;
    let rate = customers::connects(server, extent.connects)?;
    Ok(((server.cpu()? - before) / extent.connects as f64, rate))
}

/// The lower and the higher number of idle queued conversations.
const FEW: usize = 1_000;
const MANY: usize = 10_000;

/// The cost of idle queued conversations.
#[derive(Default)]
struct Waiting {
    slopes: Sample,
    sizes: Sample,
    spent: Sample,
    threads: (u64, u64),
}

impl Waiting {
    /// Measures the cost of one more idle queued conversation with a transcript of ten entries.
    fn measure(&mut self, what: What, state: Option<&Path>) -> Result<(), Broken> {
        let desk = Server::start_in(what, state)?;
        let mut waiting = customers::Queue::new(&desk)?;
        waiting.grow(FEW)?;
        let few = desk.status()?;
        waiting.grow(MANY)?;
        let many = desk.status()?;
        self.slopes.add((many.rss as f64 - few.rss as f64) / (MANY - FEW) as f64 / 1024.0);
        self.sizes.add(many.rss as f64 / f64::from(1 << 20));
        self.spent.add(desk.cpu()?);
        self.threads = (few.threads, many.threads);
        Ok(())
    }

    fn row(&self, kind: &str, goal: f64) -> Row {
        Row {
            measure: format!(
                "{kind}an idle queued conversation of 10 entries: RSS, 1,000 to 10,000"
            ),
            goal: format!("<= {goal:.1} KiB"),
            measured: format!("{:.1} KiB ({})", self.slopes.median(), self.slopes.spread(1)),
            scale: format!(
                "{:.0} MiB at 10,000; {:.2} s of CPU until there",
                self.sizes.median(),
                self.spent.median()
            ),
            reached: Some(self.slopes.median() <= goal),
        }
    }
}

fn queue(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let [mut waiting, mut over_tls] = [(); 2].map(|()| Waiting::default());
    for _ in 0..extent.queues {
        waiting.measure(What::Plain, None)?;
        over_tls.measure(What::Tls, None)?;
    }
    let threads = waiting.threads;
    Ok(vec![
        waiting.row("", 3.0),
        over_tls.row("TLS: ", 16.0),
        Row {
            measure: "threads at 1,000 and at 10,000 of them".into(),
            goal: "the same".into(),
            measured: format!("{} and {}", threads.0, threads.1),
            scale: String::new(),
            reached: Some(threads.0 == threads.1),
        },
    ])
}

/// Like [`queue`], with a journal. Returns the journal's folder, for the measure of a desk's start.
fn durable_queue(extent: &Extent) -> Result<(Row, Option<Folder>), Broken> {
    let (mut waiting, mut last) = (Waiting::default(), None);
    for _ in 0..extent.queues {
        let folder = last.insert(Folder::new()?);
        waiting.measure(What::Plain, Some(folder.path()))?;
    }
    Ok((waiting.row("durable: ", 3.0), last))
}

/// Connections over TLS before their hello: the cost of one more.
fn strangers(extent: &Extent) -> Result<Vec<Row>, Broken> {
    // The higher number is below the desk's limit on strangers.
    const FEW: usize = 64;
    const MANY: usize = 448;
    let measure = |what: &str, begin: fn(&mut Stream) -> io::Result<()>| -> Result<Row, Broken> {
        let mut slopes = Sample::default();
        for _ in 0..extent.rounds {
            let desk = Server::start(What::Tls)?;
            let mut strangers = customers::Strangers::new(&desk, begin)?;
            strangers.grow(FEW)?;
            let few = desk.status()?.rss;
            strangers.grow(MANY)?;
            slopes.add((desk.status()?.rss as f64 - few as f64) / (MANY - FEW) as f64 / 1024.0);
        }
        Ok(Row {
            measure: format!("a connection {what}, no hello: RSS, {FEW} to {MANY}"),
            goal: "<= 24.0 KiB".into(),
            measured: format!("{:.1} KiB ({})", slopes.median(), slopes.spread(1)),
            scale: String::new(),
            reached: Some(slopes.median() <= 24.0),
        })
    };
    Ok(vec![
        measure("with TLS agreed on", Stream::agree)?,
        measure("half way into TLS's first message", Stream::begin)?,
    ])
}

/// The start of a desk, beside that of the echo.
fn start(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let mut echo = Sample::default();
    for _ in 0..extent.starts {
        echo.add(Server::start(What::Echo)?.took.as_secs_f64() * 1e3);
    }
    let mut rows = starts(extent, ("", 5.0), || Server::start(What::Read))?;
    rows[0].scale = format!("echo {:.1} ms", echo.median());
    Ok(rows)
}

/// The time from the start of a process to the line with its address, and its memory then. Each row
/// begins with `of`, and `goal` is in milliseconds.
pub(crate) fn starts(
    extent: &Extent,
    (of, goal): (&str, f64),
    server: impl Fn() -> Result<Server, Broken>,
) -> Result<Vec<Row>, Broken> {
    let (mut took, mut rss) = (Sample::default(), Sample::default());
    for _ in 0..extent.starts {
        let started = server()?;
        took.add(started.took.as_secs_f64() * 1e3);
        rss.add(started.status()?.rss as f64 / f64::from(1 << 20));
    }
    let row = |measure: &str, unit: &str, goal: f64, sample: &Sample| Row {
        measure: format!("{of}{measure}"),
        goal: format!("<= {goal:.1} {unit}"),
        measured: format!("{:.1} {unit} ({})", sample.median(), sample.spread(1)),
        scale: String::new(),
        reached: Some(sample.median() <= goal),
    };
    Ok(vec![row("start to listening", "ms", goal, &took), row("RSS then", "MiB", 8.0, &rss)])
}
