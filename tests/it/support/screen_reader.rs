//! A blind person at a terminal: the screen reader yasr runs `handoff`, and speaks to the test what
//! it would speak to a synthesizer.
//!
//! yasr has Debian's settings, except that its synthesizer is an Emacspeak server at a port of the
//! test. Such a server gets `q {TEXT}` for each text that it is to speak.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use crate::support::home::Home;
use crate::support::machine::{can, under};
use crate::support::run::WITHIN;
use crate::support::terminal::Terminal;

/// The settings of Debian's package.
const SETTINGS: &str = "/etc/yasr/yasr.conf";

/// A shell's line that runs the program. yasr leaves the master side of its terminal open in the
/// program, at descriptor 3: then the terminal would not hang up when yasr ends, and the program
/// would stay.
const CLOSES_MASTER: &str = r#"exec "$0" "$@" 3<&-"#;

/// A program whose terminal a screen reader reads.
pub struct Heard {
    pub terminal: Terminal,
    speech: Receiver<String>,
    /// All that was spoken so far.
    pub spoken: Vec<String>,
    /// How many of `spoken` [`hears`](Heard::hears) has passed.
    passed: usize,
    _settings: Home,
}

impl Heard {
    /// Starts `handoff` under the screen reader. `None` if there is no screen reader here; this
    /// prints that the test is skipped.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Option<Heard> {
        if !can(&["yasr", "-C", "/dev/null", "--", "true"]) {
            return None;
        }
        let synthesizer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let settings = Home::new();
        let file = settings.0.join("yasr.conf");
        let address = synthesizer.local_addr().expect("it listens").to_string();
        fs::write(&file, settings_for(&address)).expect("a folder of the test's own");
        let (sender, speech) = channel();
        thread::spawn(move || listen(&synthesizer, &sender));
        let file = file.to_str().expect("cargo's folders have UTF-8 names");
        let reader = ["yasr", "-C", file, "--", "/bin/sh", "-c", CLOSES_MASTER];
        let terminal = Terminal::start_with(arguments, under(&reader));
        Some(Heard { terminal, speech, spoken: Vec::new(), passed: 0, _settings: settings })
    }

    /// Types a line as a person does: each key after the terminal has echoed the one before. Until
    /// the end of the line the program must have nothing to say.
    #[track_caller]
    pub fn types(&mut self, line: &str) {
        for (at, key) in line.char_indices() {
            self.terminal.press(&key.to_string());
            self.terminal.last_row(&line[..at + key.len_utf8()]);
        }
        self.terminal.press("\r");
    }

    /// Waits until the screen reader speaks this, after what it spoke before.
    #[track_caller]
    pub fn hears(&mut self, text: &str) {
        let end = Instant::now() + WITHIN;
        loop {
            let rest = &self.spoken[self.passed..];
            if let Some(at) = rest.iter().position(|spoken| spoken == text) {
                self.passed += at + 1;
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            let Ok(more) = self.speech.recv_timeout(left) else {
                panic!("'{text}' was not spoken; all that was: {:#?}", self.spoken)
            };
            self.spoken.push(more);
        }
    }
}

/// Debian's settings, with the synthesizer at this address.
fn settings_for(address: &str) -> String {
    let settings = fs::read_to_string(Path::new(SETTINGS)).expect("yasr has its settings there");
    let ours = format!("synthesizer=emacspeak server\nsynthesizer port={address}");
    let lines = settings.lines().filter(|line| !line.starts_with("synthesizer"));
    let lines = lines.map(|line| match line {
        "[options]" => format!("{line}\n{ours}\n"),
        line => format!("{line}\n"),
    });
    lines.collect()
}

/// Sends the test what the screen reader gives to its synthesizer to speak, without the blanks
/// around it. The screen reader speaks braces by their names, so a brace ends a text.
fn listen(synthesizer: &TcpListener, speech: &Sender<String>) {
    let Ok((mut reader, _)) = synthesizer.accept() else { return };
    let (mut left, mut bytes) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = reader.read(&mut bytes) {
        left.extend_from_slice(&bytes[..length]);
        while let Some(end) = left.iter().position(|byte| *byte == b'}') {
            let command: Vec<u8> = left.drain(..=end).collect();
            let command = String::from_utf8_lossy(&command[..end]).into_owned();
            if let Some((_, text)) = command.split_once("q {") {
                // The test may have ended.
                let _ = speech.send(text.trim().to_owned());
            }
        }
    }
}
