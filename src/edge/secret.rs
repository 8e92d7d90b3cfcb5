//! Reads a secret from a file that no other user can read. The file has one line.
//!
//! All users of a machine can read a command line, so no option takes a secret itself. This room
//! does not know what a secret is for.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The most bytes of a secret's file. A larger file is not read into memory.
const FILE_MAX: u64 = 16 * 1024;

/// The secret in a file, without the end of its line. `what` is the secret's name in errors.
///
/// # Errors
/// One line: what is wrong with the file, and what to do. It never repeats a part of the content.
pub fn read(what: &str, path: &Path) -> Result<String, String> {
    let file = path.display();
    let failed = |e: std::io::Error| format!("cannot read {what} from {file}: {e}");
    let open = File::open(path).map_err(failed)?;
    // This checks the open file, because another file may be put at its path meanwhile.
    let metadata = open.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(format!("cannot read {what} from {file}: it is a folder"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(format!("{what} is open to other users; run: chmod 600 {file}"));
    }
    let mut bytes = Vec::new();
    open.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("cannot read {what} from {file}: it is not text"))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() {
        return Err(format!("{what} is missing: {file} is empty"));
    }
    if line.contains(['\r', '\n']) || line.len() as u64 > FILE_MAX {
        return Err(format!("{what} must be one line and nothing else: {file} has more"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    /// A file for one test. It is removed when this value is dropped.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, content: &[u8], mode: u32) -> Scratch {
            let path =
                std::env::temp_dir().join(format!("handoff-secret-{}-{name}", std::process::id()));
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Scratch(path)
        }

        fn read(&self) -> Result<String, String> {
            read("the token", &self.0)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_secret_is_its_line_without_the_end() {
        for (name, content) in [
            ("bare", "s3 cret"),
            ("unix", "s3 cret\n"),
            ("dos", "s3 cret\r\n"),
            ("more", "s3 cret\n\n"),
        ] {
            assert_eq!(
                Scratch::new(name, content.as_bytes(), 0o600).read(),
                Ok("s3 cret".to_owned()),
                "{name}"
            );
        }
        assert!(Scratch::new("kept", b"s3cret", 0o400).read().is_ok());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_what_to_run() {
        for mode in [0o644, 0o640, 0o604, 0o620, 0o601, 0o777] {
            let file = Scratch::new(&format!("{mode:o}"), b"s3cret\n", mode);
            let wanted =
                format!("the token is open to other users; run: chmod 600 {}", file.0.display());
            assert_eq!(file.read(), Err(wanted), "{mode:o}");
        }
    }

    #[test]
    fn a_file_with_more_than_one_line_is_refused_and_its_content_not_shown() {
        let wrong: [(&str, &[u8], &str); 6] = [
            ("empty", b"", "is empty"),
            ("blank", b" \n\n", "is empty"),
            ("two", b"s3cret\ns3cret\n", "must be one line"),
            ("mac", b"s3cret\rs3cret", "must be one line"),
            ("long", &[b's'; FILE_MAX as usize + 1], "must be one line"),
            ("bytes", b"s3cret\xff", "is not text"),
        ];
        for (name, content, part) in wrong {
            let line = Scratch::new(name, content, 0o600).read().unwrap_err();
            assert!(
                line.contains(part) && line.contains(name) && !line.contains('\n'),
                "{name}: {line}"
            );
            assert!(!line.contains("s3cret"), "{line}");
        }
    }

    #[test]
    fn a_missing_file_and_a_folder_are_named() {
        let line = read("the token", Path::new("/no/such/file")).unwrap_err();
        assert_eq!(
            line,
            "cannot read the token from /no/such/file: No such file or directory (os error 2)"
        );
        assert!(read("the token", Path::new("/")).unwrap_err().ends_with("it is a folder"));
    }
}
