//! The folder of a journal. Each profile has one, which only its owner can open and only one
//! process at a time can use.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Journal;

/// Which journal to use.
#[derive(Clone, Debug)]
pub struct Place {
    /// The state folder; `None`: that of the platform.
    pub state: Option<PathBuf>,
    /// `user` or `admin`.
    pub mode: &'static str,
    /// The profile: the name of the journal among those of the mode.
    pub profile: String,
    /// Whether the journal is only in memory.
    pub ephemeral: bool,
}

/// A profile in use. It is locked as long as this value lives.
pub struct Profile {
    /// The profile's journal.
    pub journal: Journal,
    #[expect(dead_code, reason = "the lock is held by holding the file")]
    lock: Option<File>,
}

impl Place {
    /// Opens the journal, and locks it for this process.
    ///
    /// # Errors
    /// One line: what prevents it, and what to do.
    pub fn open(&self) -> Result<Profile, String> {
        let Some(base) = self.folder()? else {
            return Ok(Profile { journal: Journal::in_memory(), lock: None });
        };
        let folder = base.join(self.mode).join(&self.profile);
        let failed = |what: &str, path: &Path, e: std::io::Error| {
            format!("cannot {what} {}: {e}", path.display())
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|e| failed("make the folder", &folder, e))?;
        refuse_open_to_others(&folder)?;
        let file = folder.join("lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(&file).map_err(|e| failed("open", &file, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.in_use(&folder)),
            Err(TryLockError::Error(e)) => return Err(failed("lock", &file, e)),
        }
        let file = folder.join("journal.sqlite");
        // SQLite would make the file readable to everybody. The files that SQLite adds beside it
        // get the same mode.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&file)
            .map_err(|e| failed("open", &file, e))?;
        let journal = Journal::open(&file)?;
        Ok(Profile { journal, lock: Some(lock) })
    }

    /// The state folder, for files besides the journal; `None` if nothing is kept.
    ///
    /// # Errors
    /// When the environment does not say where the folder is.
    pub fn folder(&self) -> Result<Option<PathBuf>, String> {
        match &self.state {
            _ if self.ephemeral => Ok(None),
            Some(state) => Ok(Some(state.clone())),
            None => platform_state().map(Some),
        }
    }

    fn in_use(&self, folder: &Path) -> String {
        format!(
            "another 'handoff {mode}' is using {folder}; end it, or take another profile with \
             --profile NAME",
            mode = self.mode,
            folder = folder.display()
        )
    }
}

/// Refuses a folder that other users can open: they could read what customers say.
fn refuse_open_to_others(folder: &Path) -> Result<(), String> {
    let metadata =
        folder.metadata().map_err(|e| format!("cannot look at {}: {e}", folder.display()))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(format!("{0} is open to other users; run: chmod 700 {0}", folder.display()));
    }
    Ok(())
}

/// The XDG state folder; on macOS the platform's folder for this purpose.
fn platform_state() -> Result<PathBuf, String> {
    let set =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || {
        set("HOME").ok_or(
            "HOME is not set; say where to keep the journal with --state DIR, or --ephemeral",
        )
    };
    if cfg!(target_os = "macos") {
        return Ok(home()?.join("Library/Application Support/handoff"));
    }
    match set("XDG_STATE_HOME") {
        Some(state) => Ok(state.join("handoff")),
        None => Ok(home()?.join(".local/state/handoff")),
    }
}
