//! A process under load, the desk or the echo, and its cost as the system reports it.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use handoff::edge::tls::{KnownDesks, Security, Trust};

use crate::broken::{Broken, broken};

/// The time for a desk to listen. A desk that takes longer is broken.
const START_WITHIN: Duration = Duration::from_secs(10);

/// Limits for ten thousand fast customers from one address. The defaults of a desk are lower.
pub(crate) const ROOM: [&str; 8] = [
    "--connections",
    "12000",
    "--customers",
    "11000",
    "--per-address",
    "11000",
    "--rate",
    "1000000000",
];

/// A kind of process. Desks speak plaintext, as the echo does, unless their kind has TLS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// The bare epoll echo: no desk can be faster.
    Echo,
    /// The echo with two thread wakes.
    Wakes,
    /// A desk without `--json`. It does not print the messages of queued customers. Its stdout is
    /// /dev/null.
    Plain,
    /// Like `Plain`, over TLS.
    Tls,
    /// A desk that prints everything as JSON to /dev/null, so that no reader costs CPU.
    Json,
    /// The bare server of events: no gateway can be faster.
    Sse,
    /// The same in node.
    Node,
    /// The same in nginx with nchan.
    Nginx,
    /// The built-in bot.
    Bot,
    /// A gateway. Its stdout is /dev/null.
    Web,
    /// Like `Json`, over TLS. This process reads its stdout, to see the time of its `ready`.
    Read,
    /// A desk like `Tls` at which nobody types: its agents are at terminals elsewhere.
    Team,
}

impl What {
    pub(crate) fn name(self) -> &'static str {
        match self {
            What::Echo => "echo",
            What::Wakes => "echo with two thread wakes",
            What::Plain => "plain",
            What::Tls => "plain, TLS",
            What::Team => "a team's",
            What::Json | What::Read => "--json",
            What::Web => "gateway",
            What::Sse => "bare server of events",
            What::Node => "node",
            What::Nginx => "nginx",
            What::Bot => "bot",
        }
    }
}

/// A process that listens. It is killed when this value is dropped.
pub(crate) struct Server {
    child: Child,
    /// The process's stdin stays open, because a desk leaves at the end of its input.
    _input: ChildStdin,
    pub(crate) what: What,
    pub(crate) address: SocketAddr,
    /// The security with which customers connect.
    pub(crate) security: Security,
    /// The time from the start of the process until its address was known.
    pub(crate) took: Duration,
}

/// Figures of `/proc/PID/status`.
pub(crate) struct Status {
    /// The resident memory, in bytes.
    pub(crate) rss: u64,
    pub(crate) threads: u64,
}

impl Server {
    /// A desk without a journal, or an echo.
    pub(crate) fn start(what: What) -> Result<Server, Broken> {
        Server::start_in(what, None)
    }

    /// A desk with its journal in that folder.
    pub(crate) fn start_in(what: What, state: Option<&Path>) -> Result<Server, Broken> {
        let mut command = match what {
            What::Echo | What::Wakes | What::Sse => Command::new(env::current_exe()?),
            What::Node => Command::new("node"),
            What::Bot => program("bot"),
            _ => handoff("admin", state),
        };
        match what {
            What::Echo => command.arg("echo").stdout(Stdio::piped()),
            What::Wakes => command.arg("wakes").stdout(Stdio::piped()),
            What::Sse => command.arg("sse").stdout(Stdio::piped()),
            What::Node => command.arg("benches/load/peer.mjs").stdout(Stdio::piped()),
            What::Bot => command.args(["--listen", "127.0.0.1:0", "--json"]).stdout(Stdio::piped()),
            What::Plain | What::Tls => {
                command.arg("--plain").stdout(Stdio::null()).stderr(Stdio::piped())
            }
            What::Team => command
                .args(["--plain", "--no-terminal"])
                .stdout(Stdio::null())
                .stderr(Stdio::piped()),
            What::Json => command.arg("--json").stdout(Stdio::null()),
            What::Read | What::Web | What::Nginx => command.arg("--json").stdout(Stdio::piped()),
        };
        let is_tls = matches!(what, What::Tls | What::Read | What::Team);
        if is_tls || matches!(what, What::Plain | What::Json) {
            command.args(["--listen", "127.0.0.1:0"]).args(ROOM);
            command.args(if is_tls { [].as_slice() } else { &["--plaintext", "loopback"] });
        }
        let security = if is_tls { customers_tls()? } else { Security::Plaintext };
        Server::launch(what, command, security)
    }

    /// A gateway with this bot, and with its journal in that folder or without one. Nobody is at
    /// its desk.
    pub(crate) fn gateway(bot: &str, state: Option<&Path>) -> Result<Server, Broken> {
        Server::gateway_with(bot, "127.0.0.1:1", state, None)
    }

    /// A gateway with this desk, and with HTTPS if it has a certificate: the files of the
    /// certificate and of its key.
    pub(crate) fn gateway_with(
        bot: &str,
        desk: &str,
        state: Option<&Path>,
        certificate: Option<[&Path; 2]>,
    ) -> Result<Server, Broken> {
        let mut command = handoff("web", state);
        command.args(["--listen", "127.0.0.1:0", "--admin", desk, "--bot", bot]);
        command.args(["--customers", "11000", "--per-address", "11000", "--rate", "1000000"]);
        let mut security = Security::Plaintext;
        if let Some([certificate, key]) = certificate {
            command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
            security = customers_tls()?.speaking(vec![b"http/1.1".to_vec()]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Server::launch(What::Web, command, security)
    }

    /// Waits until a process listens at this address.
    pub(crate) fn listening_at(
        what: What,
        mut command: Command,
        address: SocketAddr,
    ) -> Result<Server, Broken> {
        let since = Instant::now();
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let input = child.stdin.take().expect("piped above");
        while TcpStream::connect(address).is_err() {
            if since.elapsed() > START_WITHIN {
                let _ = child.kill();
                return Err(broken(format!("{} does not listen", what.name())).into());
            }
            thread::yield_now();
        }
        let (security, took) = (Security::Plaintext, since.elapsed());
        Ok(Server { child, _input: input, what, address, security, took })
    }

    fn launch(what: What, mut command: Command, security: Security) -> Result<Server, Broken> {
        let since = Instant::now();
        let mut child = command.env_remove("RUST_LOG").stdin(Stdio::piped()).spawn()?;
        let input = child.stdin.take().expect("piped above");
        let address = match (child.stdout.take(), child.stderr.take()) {
            (Some(stdout), _) => said(stdout)?,
            (_, Some(stderr)) => said(stderr)?,
            _ => listening(child.id())?,
        };
        Ok(Server { child, _input: input, what, address, security, took: since.elapsed() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The user and system time so far, in seconds.
    pub(crate) fn cpu(&self) -> Result<f64, Broken> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold anything. After it utime is the 12th field and stime the
        // 13th.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<u64>().ok());
        let (user, system) =
            ticks(11).zip(ticks(12)).ok_or_else(|| broken("/proc/PID/stat is not as expected"))?;
        Ok((user + system) as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    pub(crate) fn status(&self) -> Result<Status, Broken> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
                .ok_or_else(|| broken(format!("no {name} in /proc/PID/status")))
        };
        Ok(Status { rss: field("VmRSS:")? * 1024, threads: field("Threads:")? })
    }
}

/// TLS of a customer's side that trusts a desk at the first contact.
pub(crate) fn customers_tls() -> Result<Security, Broken> {
    Ok(Trust::FirstContact(KnownDesks::new(None)).security()?)
}

/// The program in one of its modes, with a journal or without. The variable `HANDOFF` names another
/// build to measure.
pub(crate) fn handoff(mode: &str, state: Option<&Path>) -> Command {
    let mut command = program(mode);
    match state {
        Some(state) => command.arg("--state").arg(state),
        None => command.arg("--ephemeral"),
    };
    command
}

/// The program in one of its modes.
pub(crate) fn program(mode: &str) -> Command {
    let program = env::var_os("HANDOFF").unwrap_or_else(|| env!("CARGO_BIN_EXE_handoff").into());
    let mut command = Command::new(program);
    command.arg(mode);
    command
}

/// The CPU time of all threads of a process so far, in seconds. It is exact where `/proc/PID/stat`
/// counts ticks, and misses threads that have ended.
pub(crate) fn cpu_of(pid: u32) -> Result<f64, Broken> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = fs::read_to_string(task?.path().join("schedstat"))?;
        let spent = stat.split_whitespace().next().and_then(|it| it.parse::<u64>().ok());
        nanos += spent.ok_or_else(|| broken("/proc/PID/task/TID/schedstat is not as expected"))?;
    }
    Ok(nanos as f64 / 1e9)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The `127.0.0.1:PORT` in the first line of output. A thread reads and drops the rest.
fn said(output: impl Read + Send + 'static) -> Result<SocketAddr, Broken> {
    let mut output = BufReader::with_capacity(1 << 16, output);
    let mut line = String::new();
    output.read_line(&mut line)?;
    thread::spawn(move || io::copy(&mut output, &mut io::sink()));
    address(&line)
}

/// The `127.0.0.1:PORT` in a line.
pub(crate) fn address(line: &str) -> Result<SocketAddr, Broken> {
    let host = "127.0.0.1:";
    let port = line
        .find(host)
        .and_then(|at| line[at + host.len()..].split(|it: char| !it.is_ascii_digit()).next());
    let port = port
        .and_then(|port| port.parse().ok())
        .ok_or_else(|| broken(format!("no address in: {line}")))?;
    Ok(SocketAddr::new([127, 0, 0, 1].into(), port))
}

/// The address on which a process listens, from the system's table of sockets.
fn listening(pid: u32) -> Result<SocketAddr, Broken> {
    let until = Instant::now() + START_WITHIN;
    while Instant::now() < until {
        let mut own = Vec::new();
        for descriptor in fs::read_dir(format!("/proc/{pid}/fd"))? {
            let link = fs::read_link(descriptor?.path()).unwrap_or_default();
            own.extend(
                link.to_str()
                    .and_then(|it| it.strip_prefix("socket:[")?.strip_suffix(']'))
                    .map(str::to_owned),
            );
        }
        for line in fs::read_to_string("/proc/net/tcp")?.lines() {
            // The 2nd field is the address, the 4th the state (0A listens), the 10th the inode.
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(3) == Some(&"0A")
                && fields.get(9).is_some_and(|inode| own.iter().any(|it| it == inode))
            {
                let port =
                    fields[1].rsplit(':').next().and_then(|it| u16::from_str_radix(it, 16).ok());
                return Ok(SocketAddr::new(
                    [127, 0, 0, 1].into(),
                    port.ok_or_else(|| broken("no port"))?,
                ));
            }
        }
        thread::yield_now();
    }
    Err(broken("the desk does not listen").into())
}
