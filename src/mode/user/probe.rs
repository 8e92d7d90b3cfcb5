//! One look at the desk when the customer's side starts.
//!
//! Otherwise a wrong `--fingerprint` or `--ca` would be found only at the first handoff. So the
//! customer's side opens one connection and closes it again: a TLS handshake without a hello, which
//! the desk does not report. A wrong key causes a notice; a first contact pins the key; a desk that
//! is down is not reported. Nothing waits for the probe, and a dial for a conversation ends it,
//! because that dial finds and reports the same.

use super::world::Edges;
use crate::core::clock::Now;
use crate::core::session::WELCOME_WITHIN;
use crate::mode::around::desk::other_side_is_plaintext;
use crate::net::{Closed, Event};
use crate::wire::{Code, Conn, Message};

/// The probe of this process.
#[derive(Default)]
pub(super) struct Probe {
    /// The probe's connection, after it was dialled.
    conn: Option<Conn>,
    /// The probe has its result, or is not needed: it reports nothing more.
    over: bool,
}

impl Probe {
    /// Whether this event is about the probe's connection.
    pub(super) fn is_about(&self, event: &Event) -> bool {
        match event {
            Event::Connected { conn, .. }
            | Event::Received { conn, .. }
            | Event::Closed { conn, .. } => self.conn == Some(*conn),
            Event::Accepted { .. } | Event::Trouble { .. } | Event::Stranger { .. } => false,
        }
    }
}

impl Edges {
    /// Starts the probe, unless a conversation has dialled the desk already.
    pub(super) fn start_probe(&mut self) {
        if !self.probe.over {
            self.probe.conn =
                Some(self.peers.net().dial(&self.desk.address, self.desk.settings.clone()));
            self.peers.flush();
        }
    }

    /// Drops the probe at once, because a conversation dials or the program ends.
    pub(super) fn drop_probe(&mut self) {
        self.probe.over = true;
        if let Some(conn) = self.probe.conn {
            self.peers.abort(conn);
        }
    }

    /// Something happened to the probe's connection.
    pub(super) fn probed(&mut self, event: Event, now: Now) {
        if self.probe.over {
            return;
        }
        match event {
            Event::Connected { conn, peer, key } => {
                match self.desk.trust.judge(&self.desk.address, peer, key) {
                    // A desk that speaks TLS sends nothing to a plaintext customer until it gets a
                    // byte. To a goodbye it answers that it speaks TLS; a desk that speaks
                    // plaintext closes the connection.
                    Ok(_) if key.is_none() => {
                        self.peers.opened(conn, now.clock);
                        self.peers.net().expect(conn, Some(WELCOME_WITHIN), "answer");
                        self.peers
                            .send(conn, &Message::Bye { code: Code::Leaving, text: String::new() });
                    }
                    Ok(news) => {
                        news.iter().for_each(|news| self.tell_operator(news));
                        self.peers.close(conn);
                    }
                    Err(why) => {
                        self.warn_of_desk(&why);
                        self.peers.close(conn);
                    }
                }
            }
            Event::Received { conn, bytes } => {
                let mut speaks_tls = false;
                self.peers.received(conn, bytes, now.clock, |message| {
                    speaks_tls |= matches!(message, Ok(Message::Bye { code: Code::Tls, .. }));
                });
                if speaks_tls {
                    self.warn_of_desk(&format!("{}; drop --plaintext", Closed::Encrypted));
                    self.drop_probe();
                }
            }
            Event::Closed { conn, why } => {
                self.peers.gone(conn);
                self.probe.over = true;
                match why {
                    Closed::Plaintext => self.warn_of_desk(&other_side_is_plaintext()),
                    Closed::Encrypted
                    | Closed::Tls(_)
                    | Closed::Refused(_)
                    | Closed::Distrusted(_) => {
                        self.warn_of_desk(&why.to_string());
                    }
                    // The desk is down, or too busy for now: a handoff will dial until it answers.
                    _ => {}
                }
            }
            Event::Accepted { .. } | Event::Trouble { .. } | Event::Stranger { .. } => {}
        }
    }

    fn warn_of_desk(&self, why: &str) {
        self.seat
            .notice(&format!("a handoff to the desk at {} would fail: {why}", self.desk.address));
    }
}
