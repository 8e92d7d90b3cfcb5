//! Connections that speak the wire: `net`'s bytes through `wire`'s decoder, and messages back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::failpoint;
use crate::net::{Keepalive, Net, Settings};
use crate::tls::Security;
use crate::wire::{self, Code, Conn, Decoder, Message, WireError};

use rate::{Bulk, Rate};

pub mod rate;

/// How long a frame that began may take to be whole.
pub const FRAME_WITHIN: Duration = Duration::from_secs(10);

/// A sign of life is sent after this long without anything else.
const PING_AFTER: Duration = Duration::from_secs(10);
/// A peer without a sign of life for this long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(25);

/// The connections of one process and the socket thread behind them.
pub struct Peers {
    net: Net,
    streams: HashMap<Conn, Stream>,
    /// Frames a second that each may bring, and what all may; `None` where the other side is one that was chosen.
    rate: Option<(u32, Bulk)>,
}

struct Stream {
    decoder: Decoder,
    rate: Option<Rate>,
    /// The hello was accepted; before that the hello's own deadline counts.
    welcomed: bool,
    /// A frame has begun, and its deadline runs.
    partial: bool,
}

impl Peers {
    /// Takes over the socket thread. With a `rate`, each peer may bring so many entries a second; see [`rate`].
    pub fn new(net: Net, rate: Option<u32>) -> Peers {
        Peers { net, streams: HashMap::new(), rate: rate.map(|rate| (rate, Bulk::new(rate, Instant::now()))) }
    }

    /// How the socket thread keeps connections alive, knows dead ones, and what it says to who speaks something else.
    pub fn settings(security: Security) -> Settings {
        let frame = |message: &Message| {
            let mut bytes = Vec::new();
            wire::encode(message, &mut bytes);
            bytes
        };
        let text = match security {
            Security::Plaintext => "this desk speaks plaintext; give --plaintext anywhere too, if a tunnel leads to it",
            _ => "this desk speaks TLS; leave --plaintext away",
        };
        let refusal = frame(&Message::Bye { code: Code::Tls, text: text.to_owned() });
        let keepalive = Keepalive { bytes: frame(&Message::Ping {}), after: PING_AFTER, dead: DEAD_AFTER };
        Settings { keepalive, security, refusal }
    }

    /// The socket thread, to listen and dial.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// A connection stands.
    pub fn opened(&mut self, conn: Conn, now: Instant) {
        let rate = self.rate.as_ref().map(|(rate, _)| Rate::new(*rate, now));
        self.streams.insert(conn, Stream { decoder: Decoder::default(), rate, welcomed: false, partial: false });
    }

    /// A connection is gone.
    pub fn gone(&mut self, conn: Conn) {
        self.streams.remove(&conn);
    }

    /// Bytes came: `each` gets every whole message, and at most one error, last. More are read at once, or when who
    /// brought too many frames has rested.
    pub fn received(
        &mut self,
        conn: Conn,
        bytes: Vec<u8>,
        now: Instant,
        mut each: impl FnMut(Result<Message, WireError>),
    ) {
        let Some(stream) = self.streams.get_mut(&conn) else { return };
        let length = bytes.len();
        stream.rate.iter_mut().for_each(|rate| rate.read(length));
        stream.decoder.push(bytes);
        let mut whole = false;
        loop {
            match stream.decoder.message() {
                Ok(Some(message)) => {
                    // What follows the desk's welcome may be long, and may be here already.
                    if matches!(message, Message::Welcome(_)) {
                        stream.decoder.accept();
                    }
                    stream.rate.iter_mut().for_each(|rate| rate.note(&message));
                    whole = true;
                    each(Ok(message));
                }
                Ok(None) => break,
                Err(error) => {
                    self.streams.remove(&conn);
                    return each(Err(error));
                }
            }
        }
        let frames = stream.decoder.frames();
        let own = stream.rate.as_mut().map_or(Duration::ZERO, |rate| rate.pay(frames, now));
        let rest = own.max(self.rate.as_mut().map_or(Duration::ZERO, |(_, bulk)| bulk.queue(length, frames, now)));
        // Before the deadline of a frame that began: what was waited for so far is none of its time.
        self.net.read_on(conn, rest);
        let partial = stream.decoder.is_partial();
        // Each frame that begins has its own time, also right behind another.
        if stream.welcomed && (partial != stream.partial || partial && whole) {
            stream.partial = partial;
            self.net.expect(conn, partial.then_some(FRAME_WITHIN), "whole frame");
        }
    }

    /// The hello was accepted: its deadline is met, it is no stranger's any more, and frames may be longer.
    pub fn welcomed(&mut self, conn: Conn) {
        if let Some(stream) = self.streams.get_mut(&conn) {
            stream.welcomed = true;
            stream.decoder.accept();
            self.net.admit(conn);
            self.net.expect(conn, None, "");
        }
    }

    /// Sends a message; it leaves at the next flush of the socket thread. Returns its size in bytes.
    pub fn send(&self, conn: Conn, message: &Message) -> usize {
        let is_ack = matches!(message, Message::Ack { .. });
        failpoint::hit(if is_ack { "before-ack" } else { "before-queue" });
        let mut bytes = Vec::with_capacity(64);
        wire::encode(message, &mut bytes);
        let size = bytes.len();
        self.net.send(conn, bytes);
        failpoint::hit(if is_ack { "after-ack" } else { "after-queue" });
        size
    }

    /// What was sent since the last flush leaves.
    pub fn flush(&self) {
        self.net.flush();
    }

    /// Closes a connection once everything sent has left; what still comes is not read.
    pub fn close(&mut self, conn: Conn) {
        self.streams.remove(&conn);
        self.net.close(conn);
    }

    /// Drops a connection at once, whatever is on its way.
    pub fn abort(&mut self, conn: Conn) {
        self.streams.remove(&conn);
        self.net.abort(conn);
    }

    /// Closes all connections in order.
    pub fn finish(self, within: Duration) {
        self.net.finish(within);
    }
}
