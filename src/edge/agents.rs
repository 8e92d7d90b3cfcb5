//! The file of a desk's agents. `handoff agent add` and `handoff agent revoke` write it, and the
//! running desk reads it again.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::core::agent::Agents;

/// The file, and the agents that were in it when it was read last.
pub struct AgentsFile {
    path: PathBuf,
    /// The file's inode and time of change, which differ for every new file.
    seen: Option<(u64, i64, i64)>,
    agents: Agents,
}

impl AgentsFile {
    /// The path of the file for the desk with this profile.
    pub fn path(state: &Path, profile: &str) -> PathBuf {
        state.join("keys").join(format!("{profile}.agents.json"))
    }

    /// Reads the file. If there is none, there are no agents.
    ///
    /// # Errors
    /// One line: what is wrong with the file.
    pub fn open(path: PathBuf) -> Result<AgentsFile, String> {
        let (seen, agents) = (seen(&path), read(&path)?);
        Ok(AgentsFile { path, seen, agents })
    }

    /// The agents, as they were when the file was read last.
    pub fn agents(&self) -> &Agents {
        &self.agents
    }

    /// Reads the file again if it has been replaced. Returns whether it has.
    ///
    /// # Errors
    /// One line, when the file cannot be read now. Then the agents stay as they are.
    pub fn refresh(&mut self) -> Result<bool, String> {
        let now = seen(&self.path);
        if now == self.seen {
            return Ok(false);
        }
        self.seen = now;
        self.agents = read(&self.path)?;
        Ok(true)
    }

    /// Changes the agents in the file in one step: no reader finds half a change.
    ///
    /// # Errors
    /// One line, when the change is refused, or the file cannot be read or written.
    pub fn change(
        path: &Path,
        change: impl FnOnce(&mut Agents) -> Result<(), String>,
    ) -> Result<(), String> {
        let failed = |error| format!("cannot write {}: {error}", path.display());
        let folder = make_folder(path).map_err(failed)?;
        let lock = path.with_extension("lock");
        let lock = options().open(&lock).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut agents = read(path)?;
        change(&mut agents)?;
        let part = path.with_extension("part");
        let mut file = options().open(&part).map_err(failed)?;
        file.set_len(0).map_err(failed)?;
        file.write_all(agents.text().as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&part, path).map_err(failed)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// Keeps the fingerprint of the key of the desk with this profile, for the codes of its agents.
///
/// # Errors
/// One line, when the fingerprint cannot be kept.
pub fn keep_desk_key(state: &Path, profile: &str, fingerprint: &str) -> Result<(), String> {
    let path = desk_key(state, profile);
    let failed = |error| format!("cannot write {}: {error}", path.display());
    make_folder(&path).map_err(failed)?;
    let part = path.with_extension("part");
    let mut file = options().open(&part).map_err(failed)?;
    file.set_len(0).map_err(failed)?;
    file.write_all(fingerprint.as_bytes()).map_err(failed)?;
    fs::rename(&part, &path).map_err(failed)
}

/// The fingerprint of the key that the desk with this profile used last, if it has ever run.
///
/// # Errors
/// One line, when the fingerprint cannot be read.
pub fn kept_desk_key(state: &Path, profile: &str) -> Result<Option<String>, String> {
    let path = desk_key(state, profile);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

fn desk_key(state: &Path, profile: &str) -> PathBuf {
    state.join("keys").join(format!("{profile}.shown"))
}

/// Makes the folder of a file. Only its owner can open the folder.
fn make_folder(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    Ok(folder)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options
}

fn read(path: &Path) -> Result<Agents, String> {
    let name = path.display();
    match fs::read_to_string(path) {
        Ok(text) => Agents::parse(&text).map_err(|why| format!("{name} has no agents: {why}")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Agents::default()),
        Err(error) => Err(format!("cannot read {name}: {error}")),
    }
}

fn seen(path: &Path) -> Option<(u64, i64, i64)> {
    let about = fs::metadata(path).ok()?;
    Some((about.ino(), about.mtime(), about.mtime_nsec()))
}
