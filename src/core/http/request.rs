//! A request: its head, read and checked, and its body.

use std::ops::Range;

use super::{HEADERS_MAX, REQUEST_LINE_MAX, Refusal};

/// The methods that a server must tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`: like GET, without the body.
    Head,
    /// `POST`.
    Post,
    /// `OPTIONS`.
    Options,
    /// Another method of RFC 9110: no path of ours allows it.
    Other,
}

/// A request.
#[derive(Debug, PartialEq)]
pub struct Request {
    head: Head,
    body: Vec<u8>,
}

/// The head of a request. Its parts are ranges of its bytes.
#[derive(Debug, PartialEq)]
pub(super) struct Head {
    bytes: Vec<u8>,
    method: Method,
    path: Range<usize>,
    query: Range<usize>,
    /// The host in the target, if the target is absolute (RFC 9112, 3.2.2).
    target_host: Option<Range<usize>>,
    is_http_11: bool,
    headers: Vec<(Range<usize>, Range<usize>)>,
}

impl Request {
    pub(super) fn new(head: Head, body: Vec<u8>) -> Request {
        Request { head, body }
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.head.method
    }

    /// The path of the target, as it was sent; `*` in `OPTIONS *`. An absolute target without a
    /// path means `/` (RFC 9110, 4.2.3).
    pub fn path(&self) -> &str {
        match self.head.text(&self.head.path) {
            "" => "/",
            path => path,
        }
    }

    /// The query of the target, without its `?`.
    pub fn query(&self) -> &str {
        self.head.text(&self.head.query)
    }

    /// A value of the query, as it was sent. The values of this program need no decoding.
    pub fn query_value(&self, name: &str) -> Option<&str> {
        let pairs = self.query().split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(of, _)| *of == name).map(|(_, value)| value).next()
    }

    /// The host that the request is for: from an absolute target, or else from `Host`.
    pub fn host(&self) -> Option<&str> {
        match &self.head.target_host {
            Some(host) => Some(self.head.text(host)),
            None => self.header("host"),
        }
    }

    /// The value of a header that may come once. `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.values(name).next()
    }

    /// All values of a header.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.head.values(name)
    }

    /// The body; empty if there is none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl Head {
    /// Reads a whole head.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Head, Refusal> {
        let line_end = bytes.iter().position(|byte| *byte == b'\r').unwrap_or(bytes.len());
        if line_end > REQUEST_LINE_MAX {
            return Err(Refusal(414));
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        let place = |part: &[u8]| {
            let from = part.as_ptr() as usize - bytes.as_ptr() as usize;
            from..from + part.len()
        };
        match parsed.parse(&bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Refusal(431)),
            Err(httparse::Error::Version) if names_version(&bytes[..line_end]) => {
                return Err(Refusal(505));
            }
            _ => return Err(Refusal(400)),
        }
        let method = match parsed.method.unwrap_or_default() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "OPTIONS" => Method::Options,
            "PUT" | "DELETE" | "PATCH" | "TRACE" | "CONNECT" => Method::Other,
            _ => return Err(Refusal(501)),
        };
        let target = place(parsed.path.unwrap_or_default().as_bytes());
        let is_http_11 = parsed.version == Some(1);
        let headers: Vec<_> = parsed
            .headers
            .iter()
            .map(|header| (place(header.name.as_bytes()), place(header.value)))
            .collect();
        let mut head =
            Head { bytes, method, path: 0..0, query: 0..0, target_host: None, is_http_11, headers };
        head.split_target(target)?;
        head.check_host()?;
        Ok(head)
    }

    /// Splits the target into host, path and query (RFC 9112, 3.2).
    fn split_target(&mut self, target: Range<usize>) -> Result<(), Refusal> {
        let text = self.text(&target);
        // RFC 9112, 3.2: a target has neither a fragment nor letters beyond ASCII.
        if text.is_empty() || !text.is_ascii() || text.contains('#') {
            return Err(Refusal(400));
        }
        let path_at = if text.starts_with('/') || text == "*" && self.method == Method::Options {
            0
        } else {
            // The absolute form. The authority form is for CONNECT, which is for proxies.
            let scheme = ["http://", "https://"].into_iter().find(|it| text.starts_with(it));
            let host_at = scheme.ok_or(Refusal(400))?.len();
            // RFC 3986, 3.2: the authority ends where the path, the query or the target's end
            // begins.
            let host = text[host_at..].find(['/', '?']).map_or(text.len(), |at| host_at + at);
            if host == host_at || text[host_at..host].contains('@') {
                return Err(Refusal(400));
            }
            self.target_host = Some(target.start + host_at..target.start + host);
            host
        };
        let text = self.text(&target);
        let query_at = text.find('?').unwrap_or(text.len());
        let length = text.len();
        self.path = target.start + path_at..target.start + query_at;
        self.query = target.start + (query_at + 1).min(length)..target.end;
        Ok(())
    }

    /// RFC 9112, 3.2: HTTP/1.1 has exactly one `Host`.
    fn check_host(&self) -> Result<(), Refusal> {
        let mut hosts = self.values("host");
        match (hosts.next(), hosts.next()) {
            (_, Some(_)) => Err(Refusal(400)),
            (None, None) if self.is_http_11 => Err(Refusal(400)),
            (Some(host), None) if host.is_empty() || host.contains([',', ' ', '@', '/']) => {
                Err(Refusal(400))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn method(&self) -> Method {
        self.method
    }

    pub(super) fn is_http_11(&self) -> bool {
        self.is_http_11
    }

    /// RFC 9112, 9.3: whether the connection goes on after the answer.
    pub(super) fn keeps_alive(&self) -> bool {
        let mut options = self.values("connection").flat_map(|value| value.split(','));
        let has = |option: &str, wanted: &str| option.trim().eq_ignore_ascii_case(wanted);
        match self.is_http_11 {
            true => !options.any(|option| has(option, "close")),
            false => options.any(|option| has(option, "keep-alive")),
        }
    }

    /// Whether the client waits for `100 Continue` (RFC 9110, 10.1.1).
    pub(super) fn expects_continue(&self) -> Result<bool, Refusal> {
        match self.values("expect").next() {
            None => Ok(false),
            // A client of HTTP/1.0 cannot wait for it.
            Some(expected) if expected.eq_ignore_ascii_case("100-continue") => Ok(self.is_http_11),
            Some(_) => Err(Refusal(417)),
        }
    }

    /// The values of a header. A value that is not UTF-8 is skipped.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_it = move |(of, _): &&(Range<usize>, Range<usize>)| {
            self.bytes[of.clone()].eq_ignore_ascii_case(name.as_bytes())
        };
        let values = self.headers.iter().filter(is_it).map(|(_, value)| value);
        values.filter_map(|value| std::str::from_utf8(&self.bytes[value.clone()]).ok())
    }

    fn text(&self, part: &Range<usize>) -> &str {
        std::str::from_utf8(&self.bytes[part.clone()]).unwrap_or_default()
    }
}

/// Whether a request line has an HTTP version at its end.
fn names_version(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    words.next().is_some_and(|version| version.starts_with(b"HTTP/")) && words.next().is_none()
}

/// Checks the bytes of a head as they come, from `from` on: a line ends with CR and LF together,
/// and not with one of them (RFC 9112, 2.2), and no byte is a control.
pub(super) fn check_bytes(bytes: &[u8], from: usize) -> Result<(), Refusal> {
    let end =
        bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    for at in from.min(end)..end {
        let (byte, before) = (bytes[at], at.checked_sub(1).map(|at| bytes[at]));
        let is_wrong = match byte {
            b'\n' => before != Some(b'\r'),
            _ if before == Some(b'\r') => true,
            b'\r' | b'\t' => false,
            _ => byte.is_ascii_control(),
        };
        if is_wrong {
            return Err(Refusal(400));
        }
    }
    Ok(())
}
