//! Calls agents who are not in front of the desk: with the operator's command, and with a POST to a
//! URL. Each has its own thread, so that it delays neither the desk nor the other.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::json;

use crate::core::report::{Alert, listed};

/// How long a command or a request may take.
const WITHIN: Duration = Duration::from_secs(10);
/// The pauses before a request is sent again.
const RETRIES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];

/// The targets of calls besides the terminal.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// A command for the shell. Its environment says what happened.
    pub command: Option<String>,
    /// A URL that takes a POST of JSON with a `text`, as the hooks of Slack and Mattermost do.
    pub url: Option<String>,
}

/// The threads that make the calls.
pub struct Notifier(Vec<Sender<Alert>>);

impl Notifier {
    /// Starts a thread for each target. A failure is sent to `faults` as a sentence; further
    /// failures are not, until a call works again.
    pub fn start<F: From<String> + Send + 'static>(
        targets: Targets,
        faults: &Sender<F>,
    ) -> Notifier {
        let command = targets
            .command
            .map(|command| start("notify-command", faults, move |alert| run(&command, alert)));
        let url =
            targets.url.map(|url| start("notify-url", faults, move |alert| post(&url, alert)));
        Notifier(command.into_iter().chain(url).collect())
    }

    /// Queues a call, unless a call waits already.
    pub fn call(&self, alert: &Alert) {
        self.0.iter().for_each(|calls| _ = calls.try_send(alert.clone()));
    }
}

fn start<F: From<String> + Send + 'static>(
    name: &'static str,
    faults: &Sender<F>,
    call: impl Fn(&Alert) -> Result<(), String> + Send + 'static,
) -> Sender<Alert> {
    let (calls, alerts): (_, Receiver<Alert>) = bounded(1);
    let faults = faults.clone();
    let mut works = true;
    let repeat = move || {
        for alert in alerts {
            let result = call(&alert);
            if let Err(why) = &result
                && works
            {
                let _ = faults
                    .send(format!("--{name}: {why} (shown once until it works again)").into());
            }
            works = result.is_ok();
        }
    };
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(repeat) {
        log::error!("cannot start the thread of --{name}: {error}");
    }
    calls
}

/// Runs the command. Its environment has numbers, checked names of departments and languages, and a
/// sentence of ours, but never a customer's text.
fn run(command: &str, alert: &Alert) -> Result<(), String> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .env("HANDOFF_TEXT", alert.to_string())
        .env("HANDOFF_WAITING", alert.waiting.to_string())
        .env("HANDOFF_WAITED", alert.waited.as_secs().to_string())
        .env("HANDOFF_UNREAD", alert.unread.to_string())
        .env("HANDOFF_DEPARTMENTS", listed(&alert.departments))
        .env("HANDOFF_LANGUAGES", listed(&alert.languages))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start '{command}': {error}"))?;
    let until = Instant::now() + WITHIN;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("'{command}' failed: {status}")),
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(50)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("'{command}' took more than {} s", WITHIN.as_secs()));
            }
            Err(error) => return Err(format!("'{command}': {error}")),
        }
    }
}

/// Sends the call by a POST. Tries again if that fails.
fn post(url: &str, alert: &Alert) -> Result<(), String> {
    let body = json!({
        "text": alert.to_string(),
        "waiting": alert.waiting,
        "waited": alert.waited.as_secs(),
        "unread": alert.unread,
        "departments": alert.departments,
        "languages": alert.languages,
    });
    let send = || {
        let request = ureq::post(url).config().timeout_global(Some(WITHIN)).build();
        request.content_type("application/json").send(body.to_string()).map(drop)
    };
    let mut result = send();
    for wait in RETRIES {
        if result.is_ok() {
            break;
        }
        thread::sleep(wait);
        result = send();
    }
    result.map_err(|error| format!("{url}: {error}"))
}
