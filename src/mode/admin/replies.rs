//! The agent's canned replies: read from a file at the start, and again when it has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::core::canned::Replies;

/// The file, and the replies that were in it when it was read last.
pub(super) struct CannedReplies {
    file: PathBuf,
    changed: Option<SystemTime>,
    replies: Replies,
}

impl CannedReplies {
    /// Reads the file.
    ///
    /// # Errors
    /// One sentence with the file's name, when the file cannot be read or is wrong.
    pub(super) fn read(file: PathBuf) -> Result<CannedReplies, String> {
        let (changed, replies) = (changed(&file), read(&file)?);
        Ok(CannedReplies { file, changed, replies })
    }

    /// Reads the file again if it has changed.
    ///
    /// # Errors
    /// One sentence, when the file is wrong now. Then the former replies stay.
    pub(super) fn refresh(&mut self) -> Result<(), String> {
        let now = changed(&self.file);
        if now != self.changed {
            self.changed = now;
            self.replies =
                read(&self.file).map_err(|why| format!("{why}; the former replies stay"))?;
        }
        Ok(())
    }

    /// The names and texts, in the order of the file.
    pub(super) fn replies(&self) -> &Replies {
        &self.replies
    }
}

fn read(file: &Path) -> Result<Replies, String> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| format!("cannot read --replies {name}: {error}"))?;
    Replies::parse(&text).map_err(|wrong| format!("--replies {name}, {wrong}"))
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|about| about.modified()).ok()
}
