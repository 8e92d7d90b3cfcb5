//! The part of HTTP/1.1 that the demo's servers need: one request per connection, with a body of
//! known length.
//!
//! `httparse` reads the head; limits and deadlines are here. Each limit is checked before memory is
//! taken, and a slow peer keeps its worker no longer than the deadline.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The most bytes of a request's head.
const HEAD_MAX: usize = 16 * 1024;
/// The most headers of a request.
const HEADERS_MAX: usize = 64;
/// The most bytes of a request's body.
const BODY_MAX: usize = 1024 * 1024;
/// The time for a whole request.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
/// The time for each write of an answer.
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// The time for which the rest of a refused request is read and dropped.
const DRAIN_WITHIN: Duration = Duration::from_secs(1);

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// The path, as it was sent.
    pub(super) path: String,
    /// The part after the `?`; empty if there is none.
    pub(super) query: String,
    pub(super) body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(text: &str) -> Answer {
        Answer { status: 200, kind: "text/plain; charset=utf-8", body: text.into() }
    }

    pub(super) fn html(text: &str) -> Answer {
        Answer { kind: "text/html; charset=utf-8", ..Answer::text(text) }
    }

    pub(super) fn json(value: &Value) -> Answer {
        Answer { status: 200, kind: "application/json", body: value.to_string().into() }
    }

    pub(super) fn fault(status: u16, why: &str) -> Answer {
        let value = json!({ "description": reason(status), "status": status, "message": why });
        Answer { status, ..Answer::json(&value) }
    }
}

/// Reads one request, answers it and closes the connection. An error only ends the connection.
pub(super) fn exchange(mut stream: TcpStream, answer: impl FnOnce(Asked) -> Answer) {
    let _ = stream.set_write_timeout(Some(WRITE_WITHIN));
    let _ = match read(&mut stream, Instant::now() + REQUEST_WITHIN) {
        Ok(asked) => {
            let without_body = asked.method == "HEAD";
            write(&mut stream, &answer(asked), without_body)
        }
        Err(Unread::Gone) => Ok(()),
        Err(Unread::Refused(status, why)) => {
            write(&mut stream, &Answer::fault(status, why), false).and_then(|()| drain(&mut stream))
        }
    };
}

/// Why there is no request.
enum Unread {
    /// The peer left, or took too long.
    Gone,
    /// The request is over a limit, or is not HTTP.
    Refused(u16, &'static str),
}

impl From<io::Error> for Unread {
    fn from(_: io::Error) -> Unread {
        Unread::Gone
    }
}

fn read(stream: &mut TcpStream, until: Instant) -> Result<Asked, Unread> {
    let mut bytes = Vec::new();
    let (mut asked, head, length, expects) = loop {
        more(stream, &mut bytes, until)?;
        if let Some(parsed) = parse(&bytes)? {
            break parsed;
        }
        if bytes.len() > HEAD_MAX {
            return Err(Unread::Refused(431, "the head is too long"));
        }
    };
    if expects && bytes.len() < head + length {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    while bytes.len() < head + length {
        more(stream, &mut bytes, until)?;
    }
    asked.body = bytes[head..head + length].to_vec();
    Ok(asked)
}

/// Reads once, and appends the bytes.
fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>, until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    let mut chunk = [0; 8192];
    match stream.read(&mut chunk)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => {
            bytes.extend_from_slice(&chunk[..count]);
            Ok(())
        }
    }
}

/// The request without its body, the lengths of head and body, and whether the peer waits for a
/// `100 Continue`; `None` when the head is not whole.
fn parse(bytes: &[u8]) -> Result<Option<(Asked, usize, usize, bool)>, Unread> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Unread::Refused(431, "the head has too many lines"));
        }
        Err(_) => return Err(Unread::Refused(400, "this is not HTTP/1.1")),
    };
    let values = |name: &'static str| {
        request
            .headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    if values("transfer-encoding").next().is_some() {
        return Err(Unread::Refused(411, "a body needs its Content-Length here"));
    }
    let mut length = 0;
    for value in values("content-length") {
        let value = std::str::from_utf8(value)
            .ok()
            .filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
        // A number with too many digits for a usize is over the limit, too.
        length = match value {
            Some(value) if !value.is_empty() => value.parse().unwrap_or(usize::MAX),
            _ => return Err(Unread::Refused(400, "the Content-Length is not a number")),
        };
        if length > BODY_MAX {
            return Err(Unread::Refused(413, "the body is over 1 MiB"));
        }
    }
    let expects = values("expect").next().is_some();
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method = request.method.unwrap_or_default().to_owned();
    let asked = Asked { method, path: path.to_owned(), query: query.to_owned(), body: Vec::new() };
    Ok(Some((asked, head, length, expects)))
}

fn write(stream: &mut TcpStream, answer: &Answer, without_body: bool) -> io::Result<()> {
    let Answer { status, kind, body } = answer;
    let mut bytes = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        reason(*status),
        body.len()
    )
    .into_bytes();
    if !without_body {
        bytes.extend_from_slice(body);
    }
    stream.write_all(&bytes)?;
    stream.shutdown(Shutdown::Write)
}

/// Reads and drops the rest of a request. Without this, the close would reset the connection, and
/// the peer could lose the answer.
fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let until = Instant::now() + DRAIN_WITHIN;
    let mut bytes = Vec::new();
    loop {
        more(stream, &mut bytes, until)?;
        bytes.clear();
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Payload Too Large",
        431 => "Request Header Fields Too Large",
        _ => "Internal Server Error",
    }
}
