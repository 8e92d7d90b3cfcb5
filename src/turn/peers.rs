//! Connections that speak the wire: turns `net`'s bytes into `wire`'s messages, and messages into
//! bytes.

use std::time::{Duration, Instant};

use crate::edge::failpoint;
use crate::edge::tls::{self, Security};
use crate::net::{Dialect, HELLO_WITHIN, Keepalive, Net, OUTBOUND_MAX, Settings};
use crate::wire::{self, Code, Conn, Decoder, IdMap, Message, WireError};

use rate::{Bulk, Rate};

pub mod rate;

/// How long a peer may take for one frame, from its first byte on.
pub const FRAME_WITHIN: Duration = Duration::from_secs(10);

/// A ping is sent when nothing else was sent for this long.
const PING_AFTER: Duration = Duration::from_secs(10);
/// A peer that sends nothing for this long counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(25);

/// The connections of one process, and its socket thread.
pub struct Peers {
    net: Net,
    streams: IdMap<Conn, Stream>,
    /// The rate of each connection in frames a second, and the budget that all share. `None` on the
    /// customer's side, which need not limit the desk that it chose.
    rate: Option<(u32, Bulk)>,
}

struct Stream {
    decoder: Decoder,
    rate: Option<Rate>,
    /// The hello was accepted. Before that, the deadline of the hello counts.
    welcomed: bool,
    /// A frame has begun and is not whole: its deadline runs.
    partial: bool,
}

impl Peers {
    /// Takes over the socket thread. With a `rate`, each connection may bring that many frames a
    /// second; see [`rate`].
    pub fn new(net: Net, rate: Option<u32>) -> Peers {
        Peers {
            net,
            streams: IdMap::default(),
            rate: rate.map(|rate| (rate, Bulk::new(rate, Instant::now()))),
        }
    }

    /// The settings of connections that speak the wire with this security.
    pub fn settings(security: Security) -> Settings {
        let dialect = Peers::dialect(Peers::refusal(&security));
        Settings::new(security, [dialect])
    }

    /// The text for a peer that speaks TLS where this desk does not, or the other way round.
    pub fn refusal(security: &Security) -> &'static str {
        match security {
            Security::Plaintext => {
                "this desk speaks plaintext; give --plaintext anywhere too, if a tunnel leads to it"
            }
            _ => "this desk speaks TLS; drop --plaintext",
        }
    }

    /// The wire, as the socket thread knows it. `refusal` is the text of the `bye` for a peer that
    /// speaks plaintext to TLS, or TLS to plaintext.
    pub fn dialect(refusal: &str) -> Dialect {
        Dialect {
            name: tls::PROTOCOL,
            is_default: false,
            // A frame begins with the first byte of its length, and no frame is 16 MiB long.
            first_bytes: &[0],
            keepalive: Keepalive {
                bytes: wire::frame(&Message::Ping {}),
                after: PING_AFTER,
                dead: DEAD_AFTER,
            },
            refusal: wire::frame(&Message::Bye { code: Code::Tls, text: refusal.to_owned() }),
            hello_within: HELLO_WITHIN,
            outbound_max: OUTBOUND_MAX,
            strangers: None,
        }
    }

    /// The socket thread, to listen and dial.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// A connection is open.
    pub fn opened(&mut self, conn: Conn, now: Instant) {
        let rate = self.rate.as_ref().map(|(rate, _)| Rate::new(*rate, now));
        self.streams.insert(
            conn,
            Stream { decoder: Decoder::default(), rate, welcomed: false, partial: false },
        );
    }

    /// A connection is gone.
    pub fn gone(&mut self, conn: Conn) {
        self.streams.remove(&conn);
    }

    /// Bytes came: `each` gets every whole message, and at most one error, last. The connection is
    /// read again at once, or after a rest if it is over its rate.
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
                    // Frames after the desk's welcome may be long, and may have come already.
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
        let rest = own.max(
            self.rate.as_mut().map_or(Duration::ZERO, |(_, bulk)| bulk.queue(length, frames, now)),
        );
        // This comes before the frame's deadline is set, so that the time until now does not count.
        self.net.read_on(conn, rest);
        let partial = stream.decoder.is_partial();
        // Each frame has its own time, also a frame that begins right after another.
        if stream.welcomed && (partial != stream.partial || partial && whole) {
            stream.partial = partial;
            self.net.expect(conn, partial.then_some(FRAME_WITHIN), "whole frame");
        }
    }

    /// The hello was accepted: the connection is no stranger any more, and its frames may be
    /// longer.
    pub fn welcomed(&mut self, conn: Conn) {
        if let Some(stream) = self.streams.get_mut(&conn) {
            stream.welcomed = true;
            stream.decoder.accept();
            self.net.admit(conn);
            self.net.expect(conn, None, "");
        }
    }

    /// Sends a message; it leaves at the next flush of the socket thread. Returns its size in
    /// bytes.
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

    /// Hands what was sent since the last flush to the socket thread.
    pub fn flush(&self) {
        self.net.flush();
    }

    /// Closes a connection after everything that was sent has left. Bytes that still come are
    /// dropped.
    pub fn close(&mut self, conn: Conn) {
        self.streams.remove(&conn);
        self.net.close(conn);
    }

    /// Drops a connection at once. Bytes on their way are lost.
    pub fn abort(&mut self, conn: Conn) {
        self.streams.remove(&conn);
        self.net.abort(conn);
    }

    /// Closes all connections in the same way, within this time.
    pub fn finish(self, within: Duration) {
        self.net.finish(within);
    }
}
