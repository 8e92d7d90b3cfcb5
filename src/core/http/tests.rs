//! Requests in one piece and in any two pieces, and answers of each form.

use std::net::IpAddr;

use super::{
    BODY_MAX, Connection, HEAD_MAX, HEADERS_MAX, Method, REQUEST_LINE_MAX, Refusal, Request,
    SameSite, Waiting, cookies, customer_address, date, set_cookie,
};

mod table;

/// The requests and the refusal that these bytes make. Each request is answered at once.
fn read(pieces: &[&[u8]]) -> (Vec<Request>, Option<Refusal>) {
    let (mut connection, mut requests) = (Connection::default(), Vec::new());
    for piece in pieces {
        assert!(connection.receive(piece));
        loop {
            match connection.next_request() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(refusal) => return (requests, Some(refusal)),
            }
            connection.respond(204, &[], b"", &mut Vec::new());
        }
    }
    (requests, None)
}

fn one(bytes: &[u8]) -> Request {
    let (mut requests, refusal) = read(&[bytes]);
    assert_eq!((requests.len(), refusal), (1, None));
    requests.remove(0)
}

/// The answer to this request.
fn answer(request: &[u8], respond: impl Fn(&mut Connection, &mut Vec<u8>)) -> (String, bool) {
    let (mut connection, mut out) = (Connection::default(), Vec::new());
    connection.receive(request);
    connection.next_request().unwrap().unwrap();
    respond(&mut connection, &mut out);
    (String::from_utf8(out).unwrap(), connection.is_over())
}

#[test]
fn each_request_of_the_table_has_its_status() {
    for (bytes, wanted) in table::requests(HEAD_MAX, BODY_MAX) {
        let (requests, refusal) = read(&[&bytes]);
        let status = refusal.map_or(if requests.is_empty() { 0 } else { 200 }, |it| it.0);
        assert_eq!(status, wanted, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_request_in_two_pieces_is_the_same_request() {
    for (bytes, _) in
        table::requests(HEAD_MAX, BODY_MAX).into_iter().filter(|(bytes, _)| bytes.len() < 1_000)
    {
        let whole = read(&[&bytes]);
        for at in 0..=bytes.len() {
            let torn = read(&[&bytes[..at], &bytes[at..]]);
            assert_eq!(torn, whole, "torn at {at}: {}", bytes.escape_ascii());
        }
        let each: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&each), whole, "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_parts_of_a_request_are_as_they_were_sent() {
    let request = one(
        b"POST /api/say?a=1&b=%20 HTTP/1.1\r\nhost: chat.example\r\nX-One: 1\r\nx-one:  2 \r\n\
          Content-Length: 4\r\n\r\nbody",
    );
    assert_eq!((request.method(), request.path()), (Method::Post, "/api/say"));
    assert_eq!((request.query_value("b"), request.query_value("c")), (Some("%20"), None));
    assert_eq!(request.headers("x-one").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((request.header("host"), request.body()), (Some("chat.example"), &b"body"[..]));
}

#[test]
fn the_host_of_an_absolute_target_counts() {
    let request = one(b"GET http://a.example/x?y HTTP/1.1\r\nHost: b.example\r\n\r\n");
    assert_eq!((request.host(), request.header("host")), (Some("a.example"), Some("b.example")));
    assert_eq!((request.path(), request.query()), ("/x", "y"));
    let request = one(b"GET http://a.example?x/y HTTP/1.1\r\nHost: b.example\r\n\r\n");
    assert_eq!((request.path(), request.query()), ("/", "x/y"));
    assert_eq!(request.host(), Some("a.example"));
}

#[test]
fn a_chunked_body_is_joined_from_its_chunks() {
    let request = one(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n\
          3\r\nabc\r\nA;name=\"value\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n");
    assert_eq!(request.body(), b"abc0123456789");
}

#[test]
fn pipelined_requests_come_out_one_after_each_answer() {
    let mut connection = Connection::default();
    let first = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    connection.receive(&[&first[..], b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
    assert_eq!(connection.next_request().unwrap().unwrap().path(), "/1");
    assert_eq!((connection.next_request(), connection.waiting()), (Ok(None), Waiting::Answer));
    connection.respond(200, &[], b"", &mut Vec::new());
    assert_eq!(connection.next_request().unwrap().unwrap().path(), "/2");
    connection.respond(200, &[], b"", &mut Vec::new());
    assert_eq!((connection.next_request(), connection.waiting()), (Ok(None), Waiting::Request));
}

#[test]
fn a_client_that_sends_too_much_before_its_answer_is_stopped() {
    let mut connection = Connection::default();
    connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.next_request().unwrap().unwrap();
    assert!(connection.receive(&vec![b'x'; HEAD_MAX + BODY_MAX]));
    assert!(!connection.receive(b"x"));
}

#[test]
fn a_client_that_waits_to_send_its_body_is_told_to_send_it() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    let (mut connection, mut out) = (Connection::default(), Vec::new());
    connection.receive(head);
    assert_eq!((connection.next_request(), connection.waiting()), (Ok(None), Waiting::Body));
    connection.write_interim(&mut out);
    connection.write_interim(&mut out);
    assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n", "once");
    connection.receive(b"x");
    assert_eq!(connection.next_request().unwrap().unwrap().body(), b"x");
    // A client that sends its body at once gets no such answer.
    connection.respond(200, &[], b"", &mut Vec::new());
    connection.receive(&[&head[..], b"x"].concat());
    assert!(connection.next_request().unwrap().is_some());
    let mut out = Vec::new();
    connection.write_interim(&mut out);
    assert_eq!(out, b"");
}

#[test]
fn an_answer_has_a_length_and_says_whether_the_connection_goes_on() {
    let respond = |connection: &mut Connection, out: &mut Vec<u8>| {
        connection.respond(200, &[("X", "y"), ("Bad", "a\r\nb")], b"hi", out);
    };
    let get = "Content-Length: 2\r\n\r\nhi";
    for (request, wanted, is_over) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", format!("HTTP/1.1 200 OK\r\nX: y\r\n{get}"), false),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
            format!("HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n{get}"),
            true,
        ),
        (
            "GET / HTTP/1.0\r\n\r\n",
            format!("HTTP/1.0 200 OK\r\nX: y\r\nConnection: close\r\n{get}"),
            true,
        ),
        (
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            format!("HTTP/1.0 200 OK\r\nX: y\r\nConnection: keep-alive\r\n{get}"),
            false,
        ),
        (
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\n".to_owned(),
            false,
        ),
    ] {
        assert_eq!(answer(request.as_bytes(), respond), (wanted, is_over), "{request}");
    }
    let none = |connection: &mut Connection, out: &mut Vec<u8>| {
        connection.respond(304, &[], b"never", out);
    };
    let (text, _) = answer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", none);
    assert_eq!(text, "HTTP/1.1 304 Not Modified\r\n\r\n");
}

#[test]
fn a_stream_is_chunked_or_ends_with_the_connection() {
    let stream = |connection: &mut Connection, out: &mut Vec<u8>| {
        connection.begin_stream(200, &[], out);
        connection.stream(b"", out);
        connection.stream(b"one", out);
        connection.end_stream(out);
    };
    let (text, is_over) = answer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", stream);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n";
    assert_eq!((&*text, is_over), (chunked, false));
    let (text, is_over) = answer(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", stream);
    assert_eq!((&*text, is_over), ("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\none", true));
    let (text, is_over) = answer(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", stream);
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!((&*text, is_over), (head, false));
}

#[test]
fn a_refused_request_is_answered_and_ends_the_connection() {
    let (mut connection, mut out) = (Connection::default(), Vec::new());
    connection.receive(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.next_request(), Err(Refusal(400)));
    connection.respond(400, &[], b"", &mut out);
    assert!(out.starts_with(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"));
    assert!(connection.is_over());
    assert!(connection.receive(b"more") && connection.next_request() == Ok(None));
}

#[test]
fn every_value_of_a_cookie_is_found_and_no_other() {
    let headers = ["a=1; handoff=x; handoffs=2", "handoff=\"y\";b", "xhandoff=3"];
    let found: Vec<_> = cookies(headers.into_iter(), "handoff").collect();
    assert_eq!(found, ["x", "y"]);
    assert_eq!(
        set_cookie("__Host-handoff", "t", 60, true, SameSite::Lax),
        "__Host-handoff=t; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
    );
    assert_eq!(
        set_cookie("handoff", "t", 0, true, SameSite::NonePartitioned),
        "handoff=t; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None; Partitioned"
    );
}

#[test]
fn behind_trusted_proxies_the_customer_is_the_last_other_address() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
    let find = |peer: &str, headers: &[&str]| {
        customer_address(ip(peer), &trusted, headers.iter().copied()).to_string()
    };
    assert_eq!(
        find("192.0.2.1", &["198.51.100.1"]),
        "192.0.2.1",
        "the header of an untrusted peer does not count"
    );
    assert_eq!(find("10.0.0.1", &[]), "10.0.0.1");
    assert_eq!(find("10.0.0.1", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
    assert_eq!(find("10.0.0.1", &["198.51.100.1", "10.0.0.2"]), "198.51.100.1");
    assert_eq!(find("10.0.0.1", &["198.51.100.1:8080"]), "198.51.100.1");
    assert_eq!(find("10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
    assert_eq!(find("::ffff:10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
    assert_eq!(find("10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1", "garbage ends the search");
    assert_eq!(find("10.0.0.1", &["10.0.0.2, 10.0.0.1"]), "10.0.0.2");
}

#[test]
fn each_limit_is_exact() {
    let line = |length: usize| {
        let path = "x".repeat(length - "GET / HTTP/1.1".len());
        format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
    };
    assert_eq!(read(&[&line(REQUEST_LINE_MAX)]).1, None);
    assert_eq!(read(&[&line(REQUEST_LINE_MAX + 1)]).1, Some(Refusal(414)));
    let many = |count: usize| {
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(count - 1)).into_bytes()
    };
    assert_eq!(read(&[&many(HEADERS_MAX)]).1, None);
    assert_eq!(read(&[&many(HEADERS_MAX + 1)]).1, Some(Refusal(431)));
}

#[test]
fn a_date_has_the_form_of_the_standard() {
    // RFC 9110, 5.6.7.
    assert_eq!(date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
}
