//! The built-in bot. It imitates Rasa's REST channel, and the pause and resume of Rasa's API, so
//! that `handoff bot` and `handoff demo` need nothing else installed.
//!
//! It answers `crate::bot` as Rasa 3.6 was recorded to answer, also for odd input. `memory`
//! holds the conversations, `talk` chooses the answers. It is only for demos: it
//! forgets everything when it ends, and it has no token.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{self, Answer, Asked};
use memory::Memory;

mod memory;
mod talk;

/// The most connections served at once; further ones wait in the system's queue.
const WORKERS: usize = 16;

/// Serves until the process ends. Calls `ready` with the address, in which port 0 is replaced by
/// the real port.
///
/// # Errors
/// One line, when it cannot listen.
pub fn serve(listen: &str, ready: impl FnOnce(SocketAddr)) -> Result<(), String> {
    ready(start(listen)?);
    loop {
        thread::park();
    }
}

/// Serves in background threads until the process ends. Returns the address, with the real port.
///
/// # Errors
/// One line, when it cannot listen.
pub fn start(listen: &str) -> Result<SocketAddr, String> {
    let cannot = |error: io::Error| format!("the demo bot cannot listen on {listen}: {error}");
    let listener = TcpListener::bind(listen).map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let (listener, memory) = (Arc::new(listener), Arc::new(Mutex::new(Memory::default())));
    for _ in 0..WORKERS {
        let (listener, memory) = (listener.clone(), memory.clone());
        let work = move || work(&listener, &memory);
        thread::Builder::new().name("demo-bot".into()).spawn(work).map_err(cannot)?;
    }
    Ok(address)
}

/// All workers wait on the one listener: the system hands each connection to one of them.
fn work(listener: &TcpListener, memory: &Mutex<Memory>) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => http::exchange(stream, |asked| route(&asked, memory)),
            // Most often no descriptors are left: tries again a moment later.
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn route(asked: &Asked, memory: &Mutex<Memory>) -> Answer {
    let conversation = asked.path.strip_prefix("/conversations/");
    let tracker =
        conversation.and_then(|rest| rest.strip_suffix("/tracker")).filter(|id| is_id(id));
    let events =
        conversation.and_then(|rest| rest.strip_suffix("/tracker/events")).filter(|id| is_id(id));
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/") => Answer::text("Hello from the handoff demo bot"),
        ("GET", "/webhooks/rest/") => Answer::json(&json!({ "status": "ok" })),
        ("POST", "/webhooks/rest/webhook") => webhook(&asked.body, memory),
        ("GET", _) if tracker.is_some() => tracked(tracker.unwrap_or_default(), asked, memory),
        ("POST", _) if events.is_some() => told(events.unwrap_or_default(), asked, memory),
        (_, "/" | "/webhooks/rest/" | "/webhooks/rest/webhook") => {
            Answer::fault(405, "another method is due here")
        }
        _ if tracker.or(events).is_some() => Answer::fault(405, "another method is due here"),
        _ => Answer::fault(404, "nothing is here"),
    }
}

/// Whether Rasa takes this as an id: any characters but a slash, and no percent-decoding.
fn is_id(id: &str) -> bool {
    !id.is_empty() && !id.contains('/')
}

/// Answers a message, and odd input as Rasa does: without a message there is no answer, and without
/// a sender the sender is `default`.
fn webhook(body: &[u8], memory: &Mutex<Memory>) -> Answer {
    // Rasa's own code fails at an empty body, and at JSON that is no object.
    if body.is_empty() {
        return Answer::fault(500, "the server encountered an internal error");
    }
    let asked = match serde_json::from_slice(body) {
        Ok(Value::Object(asked)) => asked,
        Ok(_) => return Answer::fault(500, "the server encountered an internal error"),
        Err(_) => return Answer::fault(400, "Failed when parsing body as json"),
    };
    let sender = match asked.get("sender") {
        Some(Value::String(sender)) if !sender.is_empty() => sender.clone(),
        Some(Value::Number(sender)) => sender.to_string(),
        _ => "default".to_owned(),
    };
    let Some(text) = asked.get("message").and_then(Value::as_str) else {
        return Answer::json(&json!([]));
    };
    let heard = lock(memory).hear(&sender, text);
    thread::sleep(heard.after);
    Answer::json(&Value::from(heard.items))
}

fn tracked(id: &str, asked: &Asked, memory: &Mutex<Memory>) -> Answer {
    Answer::json(&lock(memory).tracker(id, wants_events(asked)))
}

fn told(id: &str, asked: &Asked, memory: &Mutex<Memory>) -> Answer {
    let Ok(events) = serde_json::from_slice(&asked.body) else {
        return Answer::fault(400, "Failed when parsing body as json");
    };
    let mut memory = lock(memory);
    match memory.tell(id, events) {
        Ok(()) => Answer::json(&memory.tracker(id, wants_events(asked))),
        Err((status, why)) => Answer::fault(status, why),
    }
}

fn wants_events(asked: &Asked) -> bool {
    !asked.query.split('&').any(|pair| pair == "include_events=NONE")
}

/// Locks the memory, also after a worker has panicked: at worst one conversation lacks an event.
fn lock(memory: &Mutex<Memory>) -> std::sync::MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
