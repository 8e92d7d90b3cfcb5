//! The measures with journals on the disk, beside the disk and SQLite alone.
//!
//! Journals are under `target/tmp`, or in the folder that the variable `BENCH_STATE` names, because
//! file systems differ.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rusqlite::{Connection, params};
use rustix::process::{Pid, Signal, kill_process};

use crate::broken::{Broken, broken};
use crate::customers::{self, Customer};
use crate::extent::Extent;
use crate::server::{self, Server, What};
use crate::table::{Row, Sample};

/// A folder for journals. It is removed when this value is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Folder, Broken> {
        let base = env::var_os("BENCH_STATE")
            .map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("the system has random bytes");
        let folder = base.join(format!("handoff-bench-{:016x}", u64::from_ne_bytes(random)));
        fs::create_dir_all(&folder)?;
        Ok(Folder(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The journal of the desk whose state is in this folder.
    fn journal(&self) -> PathBuf {
        self.0.join("admin/default/journal.sqlite")
    }

    /// The file system of this folder.
    pub(crate) fn file_system(&self) -> String {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let holds = |fields: &Vec<&str>| fields.len() > 2 && self.0.starts_with(fields[1]);
        let mount = fields.filter(holds).max_by_key(|fields| fields[1].len());
        mount.map_or_else(|| "?".into(), |fields| format!("{} on {}", fields[2], fields[0]))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Opens SQLite with the settings of a journal.
fn open(file: &Path) -> Result<Connection, Broken> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

/// The time from the customer's stdin to the agent's stdout and back. This process drives two real
/// processes through pipes.
pub(crate) fn round_trips(extent: &Extent) -> Result<Vec<Row>, Broken> {
    const COMMITS: f64 = 4.0;
    let folder = Folder::new()?;
    let alone = open(&folder.path().join("alone.sqlite"))?;
    alone.execute_batch("CREATE TABLE line (key INTEGER PRIMARY KEY, body TEXT)")?;
    let (mut light, mut durable) = (Pair::start(None)?, Pair::start(Some(folder.path()))?);
    let [mut commits, mut lights, mut durables, mut shares] = [(); 4].map(|()| Sample::default());
    for _ in 0..extent.rounds {
        let [mut commit, mut memory, mut disk] = [(); 3].map(|()| Sample::default());
        // In short turns, so that other work of the machine disturbs all three.
        for _ in 0..10 {
            for _ in 0..extent.trips / 150 {
                let since = Instant::now();
                alone
                    .prepare_cached("INSERT INTO line (body) VALUES (?)")?
                    .execute([customers::TEXT])?;
                commit.add(since.elapsed().as_secs_f64() * 1e3);
            }
            light.trips(extent.trips / 150, &mut memory)?;
            durable.trips(extent.trips / 150, &mut disk)?;
        }
        commits.add(commit.median());
        lights.add(memory.median());
        durables.add(disk.median());
        shares.add(disk.median() / (COMMITS * commit.median() + 1.5 * memory.median()));
    }
    Ok(vec![Row {
        measure: "durable: user -> admin -> user, p50, of 4 commits + 1.5 x ephemeral".into(),
        goal: "<= 1.00 x".into(),
        measured: format!("{:.2} x ({})", shares.median(), shares.spread(2)),
        scale: format!(
            "{:.2} ms; commit {:.2} ms, ephemeral {:.2} ms; {}",
            durables.median(),
            commits.median(),
            lights.median(),
            folder.file_system()
        ),
        reached: Some(shares.median() <= 1.0),
    }])
}

/// A customer's side and a desk in conversation.
struct Pair {
    user: Talker,
    admin: Talker,
    trips: u64,
}

impl Pair {
    fn start(state: Option<&Path>) -> Result<Pair, Broken> {
        let plaintext =
            ["--json", "--plaintext", "loopback", "--auto-accept", "--listen", "127.0.0.1:0"];
        let mut admin = Talker::start("admin", &[&plaintext[..], &server::ROOM].concat(), state)?;
        let address = server::address(&admin.wait("\"ready\"")?)?.to_string();
        // No bot is at this address: the customer asks for an agent at once.
        let bot = "http://127.0.0.1:9";
        let call = ["--json", "--plaintext", "loopback", "--admin", &address, "--bot", bot];
        let mut user = Talker::start("user", &call, state)?;
        user.say("/human")?;
        user.wait("\"active\"")?;
        admin.wait("\"active\"")?;
        Ok(Pair { user, admin, trips: 0 })
    }

    /// Measures round trips, in milliseconds.
    fn trips(&mut self, count: usize, times: &mut Sample) -> Result<(), Broken> {
        for _ in 0..count {
            self.trips += 1;
            let (there, back) = (
                format!("there {} {}", self.trips, customers::TEXT),
                format!("back {}", self.trips),
            );
            let since = Instant::now();
            self.user.say(&there)?;
            self.admin.wait(&there)?;
            self.admin.say(&back)?;
            self.user.wait(&back)?;
            times.add(since.elapsed().as_secs_f64() * 1e3);
        }
        Ok(())
    }
}

/// A process with pipes for stdin and stdout. It is killed when this value is dropped.
struct Talker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talker {
    fn start(mode: &str, arguments: &[&str], state: Option<&Path>) -> Result<Talker, Broken> {
        let mut command = server::handoff(mode, state);
        let mut child =
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().expect("piped above");
        let output = BufReader::new(child.stdout.take().expect("piped above"));
        Ok(Talker { child, input, output })
    }

    fn say(&mut self, line: &str) -> Result<(), Broken> {
        Ok(self.input.write_all(format!("{line}\n").as_bytes())?)
    }

    /// Reads lines until one contains `part`.
    fn wait(&mut self, part: &str) -> Result<String, Broken> {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                return Err(broken(format!("it ended before it said {part}")).into());
            }
        }
        Ok(line)
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The flood into a journal: the time until all entries are acked, divided by the time of SQLite
/// alone for the same rows in the same batches.
pub(crate) fn flood(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let [mut ratios, mut times, mut alones, mut sizes, mut spent] =
        [(); 5].map(|()| Sample::default());
    for _ in 0..extent.rounds.div_ceil(2) {
        let folder = Folder::new()?;
        let desk = Server::start_in(What::Plain, Some(folder.path()))?;
        let (cpu, took) = customers::flood(&desk, extent.entries)?;
        drop(desk);
        let copy = Copy::read(&folder.journal())?;
        let alone = copy.write(&folder.path().join("alone.sqlite"))?;
        ratios.add(took / alone);
        times.add(took);
        alones.add(alone);
        spent.add(cpu);
        sizes.add(copy.rows.len() as f64 / copy.batches.len() as f64);
    }
    let mut rows = vec![Row {
        measure: format!(
            "durable: {} entries of 100 customers x 16 acked, of SQLite alone",
            extent.entries
        ),
        goal: "<= 2.00 x".into(),
        measured: format!("{:.2} x ({})", ratios.median(), ratios.spread(2)),
        scale: format!(
            "{:.2} s, {:.2} s of CPU; SQLite {:.2} s; {:.0} entries a batch",
            times.median(),
            spent.median(),
            alones.median(),
            sizes.median()
        ),
        reached: Some(ratios.median() <= 2.0),
    }];
    rows.extend(syncs()?);
    Ok(rows)
}

/// The rows of a flood, as a desk journaled them.
struct Copy {
    schema: Vec<String>,
    /// Earlier rows to which the rows of the flood refer: conversations and peers.
    conversations: Vec<(i64, Vec<u8>, Vec<u8>)>,
    peers: Vec<(i64, i64)>,
    rows: Vec<Entry>,
    /// The number of rows in each batch: they have the same time `stored`.
    batches: Vec<usize>,
}

struct Entry {
    conversation: i64,
    origin: i64,
    number: i64,
    at: i64,
    stored: i64,
    body: String,
}

impl Copy {
    fn read(file: &Path) -> Result<Copy, Broken> {
        let journal = open(file)?;
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE \
                   'sqlite_%' ORDER BY rowid";
        let schema =
            journal.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let sql = "SELECT key, id, secret FROM conversation ORDER BY key";
        let conversations = journal
            .prepare(sql)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let sql = "SELECT key, conversation FROM peer ORDER BY key";
        let peers = journal
            .prepare(sql)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let sql = "SELECT conversation, origin, number, at, stored, body FROM entry \
                   WHERE NOT control ORDER BY entry.key";
        let entry = |row: &rusqlite::Row<'_>| {
            Ok(Entry {
                conversation: row.get(0)?,
                origin: row.get(1)?,
                number: row.get(2)?,
                at: row.get(3)?,
                stored: row.get(4)?,
                body: row.get(5)?,
            })
        };
        let rows: Vec<Entry> =
            journal.prepare(sql)?.query_map([], entry)?.collect::<Result<_, _>>()?;
        let batches =
            rows.chunk_by(|one, next| one.stored == next.stored).map(<[Entry]>::len).collect();
        Ok(Copy { schema, conversations, peers, rows, batches })
    }

    /// Writes the rows into a new database. Returns the seconds for the rows of the flood.
    fn write(&self, file: &Path) -> Result<f64, Broken> {
        let alone = open(file)?;
        self.schema.iter().try_for_each(|sql| alone.execute_batch(sql))?;
        alone.execute_batch("BEGIN")?;
        for values in &self.conversations {
            alone.execute(
                "INSERT INTO conversation (key, id, secret) VALUES (?, ?, ?)",
                values.clone(),
            )?;
        }
        for values in &self.peers {
            alone.execute("INSERT INTO peer (key, conversation) VALUES (?, ?)", *values)?;
        }
        alone.execute_batch("COMMIT")?;
        let sql = "INSERT INTO entry (conversation, origin, number, at, stored, control, body) \
                   VALUES (?, ?, ?, ?, ?, 0, ?)";
        let mut insert = alone.prepare(sql)?;
        let mut rows = self.rows.iter();
        let since = Instant::now();
        for size in &self.batches {
            alone.execute_batch("BEGIN IMMEDIATE")?;
            for row in rows.by_ref().take(*size) {
                insert.execute(params![
                    row.conversation,
                    row.origin,
                    row.number,
                    row.at,
                    row.stored,
                    row.body
                ])?;
            }
            alone.execute_batch("COMMIT")?;
        }
        Ok(since.elapsed().as_secs_f64())
    }
}

/// The number of syncs for each entry, counted by strace: in a flood, and with one entry at a time.
fn syncs() -> Result<Option<Row>, Broken> {
    const FLOOD: usize = 20_000;
    const REST: usize = 200;
    let folder = Folder::new()?;
    let desk = Server::start_in(What::Plain, Some(folder.path()))?;
    let mut customer = Customer::queued(&desk)?;
    let log = folder.path().join("strace");
    let Some(strace) = Strace::attach(&desk, &log) else { return Ok(None) };
    customer.trips(REST, Duration::ZERO, true, &mut Sample::default())?;
    let rest = strace.count()?;
    let Some(strace) = Strace::attach(&desk, &log) else { return Ok(None) };
    customers::flood(&desk, FLOOD)?;
    // The hundred customers connect one after the other, with a sync each, before the flood.
    let flood = strace.count()?.saturating_sub(100);
    Ok(Some(Row {
        measure: "durable: syncs an entry, in that flood and one at a time (strace)".into(),
        goal: "far < 1; one".into(),
        measured: format!("{:.4}; {:.2}", flood as f64 / FLOOD as f64, rest as f64 / REST as f64),
        scale: format!("{flood} for {FLOOD} entries, {rest} for {REST}, checkpoints and all"),
        reached: Some(flood * 10 < FLOOD && rest * 10 < REST * 11),
    }))
}

struct Strace {
    child: Child,
    log: PathBuf,
}

impl Strace {
    /// Attaches strace to a desk; `None` if strace cannot be started.
    fn attach(desk: &Server, log: &Path) -> Option<Strace> {
        let pid = desk.pid().to_string();
        let mut command = Command::new("strace");
        command.args(["-f", "-q", "-e", "trace=fdatasync,fsync", "-p", &pid, "-o"]).arg(log);
        let mut child = command.stderr(Stdio::null()).spawn().ok()?;
        let status = format!("/proc/{pid}/status");
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(20));
            if !fs::read_to_string(&status).ok()?.contains("TracerPid:\t0\n") {
                // strace attaches to the other threads right after the first.
                thread::sleep(Duration::from_millis(100));
                return Some(Strace { child, log: log.to_owned() });
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }

    fn count(mut self) -> Result<usize, Broken> {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            kill_process(pid, Signal::INT)?;
        }
        self.child.wait()?;
        Ok(fs::read_to_string(&self.log)?.lines().filter(|line| line.contains("sync(")).count())
    }
}

/// A desk's start with a new journal, with an empty one, and with one in which ten thousand
/// customers wait.
pub(crate) fn start(extent: &Extent, many: Option<&Folder>) -> Result<Vec<Row>, Broken> {
    let folder = Folder::new()?;
    let mut rows = Vec::new();
    let mut measure =
        |what: &str, folder: &dyn Fn() -> Result<Folder, Broken>| -> Result<(), Broken> {
            let [mut took, mut served, mut rss] = [(); 3].map(|()| Sample::default());
            for _ in 0..extent.starts {
                let folder = folder()?;
                let since = Instant::now();
                let desk = Server::start_in(What::Tls, Some(folder.path()))?;
                took.add(desk.took.as_secs_f64() * 1e3);
                customers::connects(&desk, 1)?;
                served.add(since.elapsed().as_secs_f64() * 1e3);
                rss.add(desk.status()?.rss as f64 / f64::from(1 << 20));
                drop(desk);
                // The folder is the caller's, for the next start: it must not be removed.
                if what != "a new journal" {
                    std::mem::forget(folder);
                }
            }
            rows.push(Row {
                measure: format!("durable: start to listening, {what}"),
                goal: String::new(),
                measured: format!("{:.1} ms ({})", took.median(), took.spread(1)),
                scale: format!(
                    "first hello answered at {:.1} ms; RSS then {:.1} MiB",
                    served.median(),
                    rss.median()
                ),
                reached: None,
            });
            Ok(())
        };
    measure("a new journal", &Folder::new)?;
    measure("an empty journal", &|| Ok(Folder(folder.0.clone())))?;
    if let Some(many) = many {
        measure("10,000 who wait in the journal", &|| Ok(Folder(many.0.clone())))?;
    }
    Ok(rows)
}
