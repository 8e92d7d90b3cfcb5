//! Listeners and dials of one process with different security and different protocols.

use super::*;
use crate::edge::tls::Security;
use crate::edge::tls::{Identity, KnownDesks, Trust};

fn desk_tls() -> Security {
    Identity::fresh().and_then(Identity::security).unwrap()
}

fn user_tls() -> Security {
    Trust::FirstContact(KnownDesks::new(None)).security().unwrap()
}

/// The next accepted connection, and the name of its dialect.
#[track_caller]
fn accepted_as(end: &End) -> (Conn, &'static str) {
    match end.next() {
        Event::Accepted { conn, dialect, .. } => (conn, dialect),
        other => panic!("not accepted: {other:?}"),
    }
}

/// What a plain socket that sends `bytes` gets, until the other side ends.
fn answer(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn two_listeners_of_one_process_have_their_own_security_and_refusal() {
    let setup = patient();
    let end = End::new(setup.clone());
    let encrypted = Settings::new(desk_tls(), [setup.dialect("handoff/1")]);
    let refusal = b"give no TLS".to_vec();
    let plain = Dialect { first_bytes: b"G", refusal, ..setup.dialect("line/1") };
    let plain = Settings::new(Security::Plaintext, [plain]);
    let encrypted_at = end.net.listen("127.0.0.1:0", encrypted).unwrap();
    let plain_at = end.net.listen("127.0.0.1:0", plain).unwrap();
    end.net.flush();

    // The same net dials its own listener over TLS, and another process comes in plaintext.
    let tls = Settings::new(user_tls(), [setup.dialect("handoff/1")]);
    let dialled = end.net.dial(&encrypted_at.to_string(), tls);
    end.net.flush();
    end.connected(dialled);
    end.send(dialled, FIRST);
    let (conn, dialect) = accepted_as(&end);
    assert_eq!((dialect, end.received(conn, 1)), ("handoff/1", FIRST.to_vec()));
    let mut peer = TcpStream::connect(plain_at).unwrap();
    peer.write_all(b"G").unwrap();
    let (conn, dialect) = accepted_as(&end);
    assert_eq!((dialect, end.received(conn, 1)), ("line/1", b"G".to_vec()));

    assert_eq!(answer(encrypted_at, &[0, 0, 0, 9]), REFUSAL);
    assert_eq!(answer(plain_at, &[22, 3, 1]), b"give no TLS");
}

#[test]
fn a_tls_listener_offers_two_dialects_and_keeps_each_connection_alive_in_its_own() {
    let often = |bytes: &[u8]| {
        let hour = Duration::from_secs(3600);
        Keepalive { bytes: bytes.to_vec(), after: Duration::from_millis(50), dead: hour }
    };
    let setup = patient();
    let dialect = |name, ping| Dialect { keepalive: often(ping), ..setup.dialect(name) };
    let (desk, user) = (End::new(setup.clone()), End::new(setup.clone()));
    let both = [dialect("handoff/1", b"frame"), dialect("handoff-agent/1", b"agent")];
    let address = desk.net.listen("127.0.0.1:0", Settings::new(desk_tls(), both)).unwrap();
    desk.net.flush();
    for (name, ping) in [("handoff-agent/1", b"agent"), ("handoff/1", b"frame")] {
        let settings = Settings::new(user_tls(), [setup.dialect(name)]);
        let there = user.net.dial(&address.to_string(), settings);
        user.net.flush();
        user.connected(there);
        user.send(there, FIRST);
        let (here, spoken) = accepted_as(&desk);
        assert_eq!((spoken, desk.received(here, 1)), (name, FIRST.to_vec()));
        // The loop sends something, so that signs of life begin.
        desk.send(here, FIRST);
        let heard = user.received(there, 6);
        assert!(heard.starts_with(&[FIRST, ping].concat()), "{heard:?}");
        desk.close(here);
        user.rest(there);
        desk.rest(here);
    }
}

#[test]
fn strangers_at_one_listener_take_no_room_at_another() {
    let setup = patient();
    let end = End::new(setup.clone());
    let settings = Settings::new(Security::Plaintext, [setup.dialect("handoff/1")]);
    let narrow = Settings { strangers: 1, ..settings.clone() };
    let narrow_at = end.net.listen("127.0.0.1:0", narrow).unwrap();
    let wide_at = end.net.listen("127.0.0.1:0", settings).unwrap();
    end.net.flush();
    let (waits, _peer) = raw(&end, wide_at);
    let (first, _first) = raw(&end, narrow_at);
    let (_second, _kept) = raw_behind(&end, narrow_at, first);
    let mut others = TcpStream::connect(wide_at).unwrap();
    others.write_all(FIRST).unwrap();
    assert_ne!(end.met(), waits, "the stranger at the other listener is still there");
}

/// Connects one more stranger to a listener that has room for one, and waits until `first` is
/// closed for it.
#[track_caller]
fn raw_behind(end: &End, address: SocketAddr, first: Conn) -> (Conn, TcpStream) {
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(FIRST).unwrap();
    assert!(matches!(end.closed(first), Closed::Crowded));
    (end.met(), peer)
}
