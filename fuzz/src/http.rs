//! For any bytes of a browser: the requests do not depend on the pieces in which the bytes come,
//! nothing panics, and the memory is bounded.

use handoff::core::gateway::{Call, EventId};
use handoff::core::http::{BODY_MAX, Connection, HEAD_MAX, Refusal, cookies};
use handoff::core::identity::Keys;

/// The first byte says how long the pieces are.
pub fn http(data: &[u8]) {
    let Some((length, data)) = data.split_first() else { return };
    let whole = read([data].into_iter());
    assert_eq!(read(data.chunks(usize::from(*length).max(1))), whole, "in other pieces");
    let (requests, _) = whole;
    for (_, query, body, cookie) in &requests {
        assert!(body.len() <= BODY_MAX && query.len() <= HEAD_MAX);
        let _ = EventId::parse(query);
        let _ = cookies([cookie.as_str()].into_iter(), "handoff").count();
        let names =
            ["begin", "page", "say", "choose", "human", "seen", "typing", "here", "identify"];
        for name in names {
            let _ = Call::read(&format!("/api/{name}"), body);
        }
        let keys = Keys::new(&["a key of the shop".to_owned()]);
        assert!(keys.verify(query, 0).is_err(), "nobody signed it");
    }
}

/// Path, query, body and cookie of a request.
type Parts = (String, String, Vec<u8>, String);

/// The requests in these pieces, each answered at once, and the refusal that ends them.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Parts>, Option<Refusal>) {
    let (mut connection, mut requests) = (Connection::default(), Vec::new());
    for piece in pieces {
        assert!(connection.receive(piece), "nothing is refused while no answer is due");
        loop {
            let mut out = Vec::new();
            connection.write_interim(&mut out);
            match connection.next_request() {
                Ok(Some(request)) => {
                    let cookie = request.header("cookie").unwrap_or_default().to_owned();
                    let (path, query) = (request.path().to_owned(), request.query().to_owned());
                    requests.push((path, query, request.body().to_vec(), cookie));
                }
                Ok(None) => break,
                Err(refusal) => return (requests, Some(refusal)),
            }
            connection.respond(200, &[], b"ok", &mut out);
            assert!(out.windows(4).any(|four| four == b"\r\n\r\n"), "an answer has a head");
        }
    }
    (requests, None)
}
