//! HTTP/1.1 on one connection, the server's half, without I/O: bytes in, requests out; answers in,
//! bytes out. Rules: RFC 9112, and RFC 9110 for the meaning of fields.
//!
//! ```text
//!           a request is whole             respond
//! Reading ───────────────────▶ Answering ───────────▶ Reading, or Over
//!                                  │ begin_stream
//!                                  └───────────▶ Streaming ──end_stream──▶ Reading, or Over
//! ```
//!
//! Requests may be pipelined (RFC 9112, 9.3.2): the next one comes out once the former one is
//! answered. Bytes that cannot be understood are a [`Refusal`]: the caller answers with its status
//! and closes, because nobody knows where the next request begins. The caller keeps the deadlines;
//! [`Connection::waiting`] says for what.
//!
//! ```
//! use handoff::core::http::{Connection, Method, Waiting};
//!
//! let mut connection = Connection::default();
//! connection.receive(b"GET /chat?x=1 HTTP/1.1\r\nHost: chat.exam");
//! assert_eq!(connection.next_request(), Ok(None));
//! assert_eq!(connection.waiting(), Waiting::Head);
//!
//! // The rest of the head, and a second request behind it.
//! connection.receive(b"ple\r\n\r\nGET /api/stream HTTP/1.1\r\nHost: chat.example\r\n\r\n");
//! let request = connection.next_request().unwrap().unwrap();
//! assert_eq!((request.method(), request.path()), (Method::Get, "/chat"));
//! assert_eq!((request.query(), request.host()), ("x=1", Some("chat.example")));
//! assert_eq!(connection.next_request(), Ok(None), "one answer after the other");
//!
//! let mut out = Vec::new();
//! connection.respond(200, &[("Content-Type", "text/plain")], b"hello", &mut out);
//! assert!(out.ends_with(b"Content-Length: 5\r\n\r\nhello"));
//!
//! // A stream has no length: it is written in chunks.
//! connection.next_request().unwrap().unwrap();
//! out.clear();
//! connection.begin_stream(200, &[("Content-Type", "text/event-stream")], &mut out);
//! connection.stream(b"data: 1\n\n", &mut out);
//! assert!(out.ends_with(b"9\r\ndata: 1\n\n\r\n"));
//! ```

use std::io::Write;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::wire::Millis;

pub use cookie::{SameSite, cookies, set_cookie};
pub use forwarded::customer_address;
pub use request::{Method, Request};

use body::Body;
use request::Head;

mod body;
mod cookie;
mod forwarded;
mod request;
#[cfg(test)]
mod tests;

/// The most bytes of a head: the request line and the headers.
pub const HEAD_MAX: usize = 16 << 10;
/// The most bytes of a request line.
pub const REQUEST_LINE_MAX: usize = 8 << 10;
/// The most headers.
pub const HEADERS_MAX: usize = 64;
/// The most bytes of a body.
pub const BODY_MAX: usize = 64 << 10;

/// Why a request cannot be taken: the status to answer with. Then the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub u16);

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The first byte of a request.
    Request,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
    /// The caller's answer, or the rest of it.
    Answer,
}

/// One connection.
#[derive(Debug, Default)]
pub struct Connection {
    /// Bytes that came and are not part of a returned request.
    buffer: Vec<u8>,
    /// How many bytes of the buffer were searched for the end of a head in vain.
    searched: usize,
    state: State,
    /// Whether the caller must write `100 Continue` before its next answer.
    interim: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Body(Box<(Head, Body)>),
    Answering(Answering),
    /// `is_chunked` says whether a last chunk ends the stream (RFC 9112, 7.1), or the connection's
    /// end.
    Streaming {
        is_chunked: bool,
        is_last: bool,
    },
    Over,
}

/// What an answer depends on in its request.
#[derive(Clone, Copy, Debug)]
struct Answering {
    is_http_11: bool,
    is_head: bool,
    is_last: bool,
}

impl Connection {
    /// Takes bytes that came. Returns false if they are more than a client may send before it has
    /// its answer. Then the connection must be closed.
    pub fn receive(&mut self, bytes: &[u8]) -> bool {
        if matches!(self.state, State::Over) {
            return true;
        }
        self.buffer.extend_from_slice(bytes);
        let waits = matches!(self.state, State::Answering(_) | State::Streaming { .. });
        !waits || self.buffer.len() <= HEAD_MAX + BODY_MAX
    }

    /// The next request, when it is whole and the former one is answered.
    ///
    /// # Errors
    /// When the bytes are no request that can be taken.
    pub fn next_request(&mut self) -> Result<Option<Request>, Refusal> {
        let next = self.take_next();
        if next.is_err() {
            self.state =
                State::Answering(Answering { is_http_11: true, is_head: false, is_last: true });
            self.buffer = Vec::new();
        }
        next
    }

    fn take_next(&mut self) -> Result<Option<Request>, Refusal> {
        if let State::Head = self.state {
            let Some(head) = self.take_head()? else { return Ok(None) };
            let body = Body::of(&head)?;
            // RFC 9110, 10.1.1: the client waits until the server wants the body.
            self.interim = head.expects_continue()? && !body.is_empty() && self.buffer.is_empty();
            self.state = State::Body(Box::new((head, body)));
        }
        let State::Body(both) = &mut self.state else { return Ok(None) };
        if !both.1.take(&mut self.buffer)? {
            return Ok(None);
        }
        let State::Body(both) = std::mem::take(&mut self.state) else { return Ok(None) };
        let (head, body) = *both;
        self.interim = false;
        self.state = State::Answering(Answering {
            is_http_11: head.is_http_11(),
            is_head: head.method() == Method::Head,
            is_last: !head.keeps_alive(),
        });
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
        Ok(Some(Request::new(head, body.into_bytes())))
    }

    /// Takes the next head out of the buffer, if it is whole.
    fn take_head(&mut self) -> Result<Option<Head>, Refusal> {
        // RFC 9112, 2.2: an empty line before a request is skipped.
        let empty = self.buffer.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count() * 2;
        self.buffer.drain(..empty);
        self.searched = self.searched.saturating_sub(empty);
        request::check_bytes(&self.buffer, self.searched)?;
        let from = self.searched.saturating_sub(3);
        let end = self.buffer[from..].windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end.map(|at| from + at + 4) else {
            self.searched = self.buffer.len();
            if self.buffer.len() > HEAD_MAX {
                return Err(Refusal(431));
            }
            return Ok(None);
        };
        if end > HEAD_MAX {
            return Err(Refusal(431));
        }
        self.searched = 0;
        let rest = self.buffer.split_off(end);
        Head::read(std::mem::replace(&mut self.buffer, rest)).map(Some)
    }

    /// What the connection waits for.
    pub fn waiting(&self) -> Waiting {
        match self.state {
            State::Head if self.buffer.is_empty() => Waiting::Request,
            State::Head => Waiting::Head,
            State::Body(_) => Waiting::Body,
            State::Answering(_) | State::Streaming { .. } | State::Over => Waiting::Answer,
        }
    }

    /// Writes `100 Continue`, if the client waits for it.
    pub fn write_interim(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.interim) {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Answers the request that was returned last. `headers` are this program's own: a value with a
    /// line break would be a bug, and is left out.
    pub fn respond(
        &mut self,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
        out: &mut Vec<u8>,
    ) {
        let State::Answering(answering) = self.state else { return };
        write_head(status, headers, answering, out);
        // RFC 9110, 8.6: answers with these statuses have no body and no length.
        if !matches!(status, 204 | 304) {
            // A write to a Vec cannot fail.
            let _ = write!(out, "Content-Length: {}\r\n", body.len());
        }
        out.extend_from_slice(b"\r\n");
        if !answering.is_head && !matches!(status, 204 | 304) {
            out.extend_from_slice(body);
        }
        self.finish(answering.is_last);
    }

    /// Begins an answer whose length is not known. In HTTP/1.0 it ends with the connection.
    pub fn begin_stream(&mut self, status: u16, headers: &[(&str, &str)], out: &mut Vec<u8>) {
        let State::Answering(answering) = self.state else { return };
        let is_chunked = answering.is_http_11;
        let is_last = answering.is_last || !is_chunked;
        write_head(status, headers, Answering { is_last, ..answering }, out);
        if is_chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        out.extend_from_slice(b"\r\n");
        match answering.is_head {
            true => self.finish(is_last),
            false => self.state = State::Streaming { is_chunked, is_last },
        }
    }

    /// Writes a piece of the stream.
    pub fn stream(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let State::Streaming { is_chunked, .. } = self.state else { return };
        // An empty chunk would end the stream.
        if is_chunked && !bytes.is_empty() {
            let _ = write!(out, "{:x}\r\n", bytes.len());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(bytes);
        }
    }

    /// Ends the stream.
    pub fn end_stream(&mut self, out: &mut Vec<u8>) {
        let State::Streaming { is_chunked, is_last } = self.state else { return };
        if is_chunked {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        self.finish(is_last);
    }

    /// Whether the last answer is written: the connection must be closed.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn finish(&mut self, is_last: bool) {
        self.state = if is_last { State::Over } else { State::Head };
    }
}

fn write_head(status: u16, headers: &[(&str, &str)], answering: Answering, out: &mut Vec<u8>) {
    let version = if answering.is_http_11 { "1.1" } else { "1.0" };
    let _ = write!(out, "HTTP/{version} {status} {}\r\n", reason(status));
    for (name, value) in headers {
        if !value.contains(['\r', '\n', '\0']) {
            let _ = write!(out, "{name}: {value}\r\n");
        }
    }
    // RFC 9112, 9.3: HTTP/1.1 keeps the connection unless told otherwise, HTTP/1.0 closes it.
    match (answering.is_last, answering.is_http_11) {
        (true, _) => out.extend_from_slice(b"Connection: close\r\n"),
        (false, false) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (false, true) => {}
    }
}

/// The value of an answer's header `Date` (RFC 9110, 6.6.1).
pub fn date(at: Millis) -> String {
    let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    let printer = DateTimePrinter::new();
    printer.timestamp_to_rfc9110_string(&at.unwrap_or_default()).unwrap_or_default()
}

/// The reason phrase of a status (RFC 9110, 15). Programs ignore it.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}
