//! The surroundings of a process under test: a fresh folder and an empty environment.

use std::net::{IpAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// `handoff` without this machine's environment.
pub fn command(home: &Home, arguments: &[&str]) -> Command {
    command_of(Path::new(env!("CARGO_BIN_EXE_handoff")), home, arguments)
}

/// Another build of `handoff`, without this machine's environment.
pub fn command_of(program: &Path, home: &Home, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for name in
        ["HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"]
    {
        command.env(name, &home.0);
    }
    command
        .current_dir(&home.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A fresh folder. It is removed when this value is dropped, unless the test failed.
pub struct Home(pub PathBuf);

impl Home {
    /// Makes a fresh folder.
    pub fn new() -> Home {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("cargo made its folder for temporary files");
        Home(path)
    }

    /// All files in the folder.
    pub fn files(&self) -> Vec<PathBuf> {
        files_in(&self.0)
    }

    /// The processes whose environment has this folder as HOME.
    pub fn inhabitants(&self) -> Vec<u32> {
        let home = format!("HOME={}", self.0.display()).into_bytes();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let lives_here = |id: &u32| {
            let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == home)
        };
        ids.filter(lives_here).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// All files in a folder and in the folders within.
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path())
            } else {
                files.push(entry.path())
            }
        }
    }
    files
}

/// An address on which no program listens. No other test and no other program gets it, because only
/// this function uses its loopback network.
pub fn nobody_at() -> String {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let (network, given) = (std::process::id() % 250, GIVEN.fetch_add(1, Ordering::Relaxed));
    let host = format!("127.{}.{}.{}", 2 + network, given / 254, 1 + given % 254);
    let free = TcpListener::bind((host.as_str(), 0)).expect("all of 127/8 is loopback");
    free.local_addr().expect("a listener has an address").to_string()
}

/// An address at which other machines can reach this machine, if there is one. The search sends
/// nothing.
pub fn reachable_at() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.77:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}
