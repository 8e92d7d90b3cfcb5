//! The body of a request: with a length, or in chunks.

use super::request::Head;
use super::{BODY_MAX, Refusal};

/// The most bytes of a line between chunks, and of all trailers.
const LINE_MAX: usize = 1 << 10;

/// A body that is coming in.
#[derive(Debug)]
pub(super) struct Body {
    bytes: Vec<u8>,
    framing: Framing,
}

#[derive(Debug)]
enum Framing {
    /// This many bytes are missing.
    Length(usize),
    /// The line with the size of the next chunk is missing.
    ChunkSize,
    /// This many bytes of the chunk are missing, and the line end after it.
    Chunk(usize),
    /// The rest of the trailers is missing. This many bytes of them came.
    Trailers(usize),
    Whole,
}

impl Body {
    /// The body that follows this head (RFC 9112, 6).
    pub(super) fn of(head: &Head) -> Result<Body, Refusal> {
        let mut codings = head.values("transfer-encoding");
        let mut lengths = head.values("content-length");
        let framing = match (codings.next(), lengths.next()) {
            // RFC 9112, 6.1: attackers smuggle requests by giving both, or a coding in HTTP/1.0.
            (Some(_), Some(_)) => return Err(Refusal(400)),
            (Some(_), None) if !head.is_http_11() => return Err(Refusal(400)),
            (Some(coding), None) => {
                if codings.next().is_some() || !coding.trim().eq_ignore_ascii_case("chunked") {
                    return Err(Refusal(501));
                }
                Framing::ChunkSize
            }
            (None, Some(length)) => {
                let is_number = !length.is_empty() && length.bytes().all(|it| it.is_ascii_digit());
                // RFC 9112, 6.3: a list, or two lengths, cannot be trusted.
                if !is_number || lengths.next().is_some() {
                    return Err(Refusal(400));
                }
                match length.parse() {
                    Ok(0) => Framing::Whole,
                    Ok(length) if length <= BODY_MAX => Framing::Length(length),
                    _ => return Err(Refusal(413)),
                }
            }
            (None, None) => Framing::Whole,
        };
        Ok(Body { bytes: Vec::new(), framing })
    }

    /// Whether no byte of a body follows.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.framing, Framing::Whole)
    }

    /// Takes the body's bytes out of the buffer. True when the body is whole.
    pub(super) fn take(&mut self, buffer: &mut Vec<u8>) -> Result<bool, Refusal> {
        let mut at = 0;
        let whole = loop {
            let rest = &buffer[at..];
            match &mut self.framing {
                Framing::Whole => break true,
                Framing::Length(missing) => {
                    let count = rest.len().min(*missing);
                    self.bytes.extend_from_slice(&rest[..count]);
                    at += count;
                    *missing -= count;
                    if *missing > 0 {
                        break false;
                    }
                    self.framing = Framing::Whole;
                }
                Framing::ChunkSize => {
                    let Some(line) = line(rest)? else { break false };
                    let size = chunk_size(line)?;
                    at += line.len() + 2;
                    if self.bytes.len() + size > BODY_MAX {
                        return Err(Refusal(413));
                    }
                    self.framing =
                        if size == 0 { Framing::Trailers(0) } else { Framing::Chunk(size) };
                }
                Framing::Chunk(missing) => {
                    let count = rest.len().min(*missing);
                    self.bytes.extend_from_slice(&rest[..count]);
                    at += count;
                    *missing -= count;
                    if *missing > 0 {
                        break false;
                    }
                    match buffer[at..] {
                        [b'\r', b'\n', ..] => at += 2,
                        [] | [b'\r'] => break false,
                        _ => return Err(Refusal(400)),
                    }
                    self.framing = Framing::ChunkSize;
                }
                Framing::Trailers(count) => {
                    let Some(line) = line(rest)? else { break false };
                    at += line.len() + 2;
                    *count += line.len();
                    if line.is_empty() {
                        self.framing = Framing::Whole;
                    } else if *count > LINE_MAX {
                        return Err(Refusal(431));
                    }
                }
            }
        };
        buffer.drain(..at);
        Ok(whole)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The first line, without its end, if it is whole.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    match bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        Some(at) if at > LINE_MAX => Err(Refusal(400)),
        Some(at) => match bytes[at..] {
            [b'\r', b'\n', ..] => Ok(Some(&bytes[..at])),
            [b'\r'] => Ok(None),
            _ => Err(Refusal(400)),
        },
        None if bytes.len() > LINE_MAX => Err(Refusal(400)),
        None => Ok(None),
    }
}

/// The size in a chunk's first line: hexadecimal digits, and extensions, which are skipped (RFC
/// 9112, 7.1).
fn chunk_size(line: &[u8]) -> Result<usize, Refusal> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let is_number = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_number).ok_or(Refusal(400))?;
    usize::from_str_radix(text, 16).map_err(|_| Refusal(400))
}
