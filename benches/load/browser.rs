//! A browser and the customer in it: their connections and their requests.

use std::io::{ErrorKind, Read, Write};

use serde_json::{Value, json};

use crate::broken::{Broken, broken};
use crate::customers::TEXT;
use crate::server::Server;
use crate::stream::Stream;

/// A connection of a browser.
pub(crate) struct Browser {
    pub(crate) stream: Stream,
    pub(crate) unread: Vec<u8>,
}

/// A customer, with a connection for requests and one for the stream.
pub(crate) struct Customer {
    pub(crate) asks: Browser,
    pub(crate) token: String,
    pub(crate) conversation: String,
    said: usize,
}

impl Browser {
    pub(crate) fn open(server: &Server) -> Result<Browser, Broken> {
        Ok(Browser { stream: Stream::open(server)?, unread: Vec::new() })
    }

    /// Sends a request.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<(), Broken> {
        Ok(self.stream.write_all(request)?)
    }

    /// Reads once. False if nothing is there.
    pub(crate) fn read(&mut self) -> Result<bool, Broken> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(broken("the gateway hung up").into()),
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the next whole answer out of what was read: its status and body.
    pub(crate) fn answer(&mut self) -> Option<(u16, Vec<u8>)> {
        let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.unread[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split('\r').next().and_then(|it| it.parse().ok()).unwrap_or(0));
        let whole = end + length;
        (self.unread.len() >= whole).then(|| {
            let body = self.unread[end..whole].to_vec();
            self.unread.drain(..whole);
            (status, body)
        })
    }

    /// Reads until an answer is there.
    pub(crate) fn wait(&mut self) -> Result<(u16, Vec<u8>), Broken> {
        loop {
            if let Some(answer) = self.answer() {
                return Ok(answer);
            }
            self.read()?;
        }
    }

    /// Reads until this text came, and drops everything.
    pub(crate) fn until(&mut self, text: &[u8]) -> Result<(), Broken> {
        while !self.unread.windows(text.len()).any(|it| it == text) {
            self.read()?;
        }
        self.unread.clear();
        Ok(())
    }
}

/// The bytes of a POST.
pub(crate) fn post(server: &Server, name: &str, token: &str, body: &Value) -> Vec<u8> {
    let (host, body) = (server.address, body.to_string());
    let length = body.len();
    format!(
        "POST /api/{name} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Customer {
    pub(crate) fn begin(server: &Server) -> Result<Customer, Broken> {
        let mut asks = Browser::open(server)?;
        asks.ask(&post(server, "begin", "", &json!({})))?;
        let (_, body) = asks.wait()?;
        let body: Value = serde_json::from_slice(&body)?;
        let field = |name: &str| {
            body[name].as_str().map(str::to_owned).ok_or_else(|| broken(format!("no {name}")))
        };
        Ok(Customer { token: field("token")?, conversation: field("conversation")?, asks, said: 0 })
    }

    /// The bytes of the next line, and the text by which its event is known.
    pub(crate) fn line(&mut self, server: &Server) -> (Vec<u8>, String) {
        self.said += 1;
        let text = format!("line {} {TEXT}", self.said);
        let id = self.said.to_string();
        let body = json!({ "id": id, "conversation": self.conversation, "text": text });
        (post(server, "say", &self.token, &body), text)
    }

    /// Says a line and waits for the answer.
    pub(crate) fn say(&mut self, server: &Server) -> Result<(), Broken> {
        let (request, _) = self.line(server);
        self.asks.ask(&request)?;
        match self.asks.wait()? {
            (202, _) => Ok(()),
            (status, _) => Err(broken(format!("a line got {status}")).into()),
        }
    }

    /// Opens a stream. The caller reads it.
    pub(crate) fn stream(&self, server: &Server) -> Result<Browser, Broken> {
        open_stream(server, &self.token)
    }
}

/// Opens the stream of the customer with this token. The caller reads it.
pub(crate) fn open_stream(server: &Server, token: &str) -> Result<Browser, Broken> {
    let mut stream = Browser::open(server)?;
    let host = server.address;
    let request = format!(
        "GET /api/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Accept: text/event-stream\r\n\r\n"
    );
    stream.ask(request.as_bytes())?;
    Ok(stream)
}
