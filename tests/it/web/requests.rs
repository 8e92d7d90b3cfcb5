//! The same requests, sent to the gateway and to nginx. The gateway takes nothing that nginx
//! refuses, except for a short list.

use std::io::{Read, Write};
use std::net::TcpStream;

use handoff::core::http::{BODY_MAX, HEAD_MAX};

use super::proxied::Nginx;
use crate::support::machine::can;
use crate::support::run::WITHIN;
use crate::support::setup::Setup;
use crate::support::web::gateway;

#[path = "../../../src/core/http/tests/table.rs"]
mod table;

/// Requests that nginx refuses and the gateway takes, with the reason.
const TAKEN: [(&[u8], &str); 2] = [
    (b"OPTIONS * ", "RFC 9110, 9.3.7 asks the server as a whole, and nginx has no answer"),
    (b"GET /%00 ", "nginx decodes paths; to the gateway this is one that does not exist"),
];

/// The status of the answer to these bytes; 0 if the connection ends without an answer.
fn status(address: &str, request: &[u8]) -> u16 {
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(WITHIN)).expect("it is a socket");
    // A server that refuses a long request may close before it has read all.
    let _ = socket.write_all(request);
    let (mut answer, mut piece) = (String::new(), [0; 4096]);
    loop {
        if let Some((head, rest)) = answer.split_once("\r\n\r\n") {
            match head.split(' ').nth(1).map(str::parse) {
                Some(Ok(100)) => answer = rest.to_owned(),
                Some(Ok(status)) => return status,
                _ => panic!("no answer: {answer}"),
            }
        } else {
            match socket.read(&mut piece) {
                Ok(0) | Err(_) => return 0,
                Ok(length) => answer.push_str(&String::from_utf8_lossy(&piece[..length])),
            }
        }
    }
}

/// Whether a status says that the request itself is malformed.
fn is_refusal(status: u16) -> bool {
    matches!(status, 0 | 400 | 408 | 413 | 414 | 417 | 431 | 501 | 505)
}

#[test]
fn the_gateway_refuses_what_nginx_refuses() {
    if !can(&["nginx", "-v"]) {
        return;
    }
    let setup = Setup::new();
    let (_gateway, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let behind = Nginx::before("127.0.0.1:1", "return 204;");
    // nginx reads whole bodies before it passes a request on.
    let nginx = Nginx::before(&behind.address, "client_max_body_size 64k;");
    let mut both = 0;
    for (request, wanted) in table::requests(HEAD_MAX, BODY_MAX) {
        // The request is not complete, so neither server answers.
        if wanted == 0 {
            continue;
        }
        let shown = request[..request.len().min(200)].escape_ascii();
        let (ours, theirs) = (status(&address, &request), status(&nginx.address, &request));
        match wanted {
            200 => assert!(!is_refusal(ours), "{ours}: {shown}"),
            refused => assert_eq!(ours, refused, "{shown}"),
        }
        let is_known = TAKEN.iter().any(|(begin, _)| request.starts_with(begin));
        let is_laxer = is_refusal(theirs) && !is_refusal(ours);
        assert_eq!(is_laxer, is_known, "nginx answers {theirs}, the gateway {ours}: {shown}");
        both += 1;
    }
    assert!(both >= 60, "only {both} requests were compared");
}
