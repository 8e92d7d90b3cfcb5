//! Connections over TLS, and peers that speak no TLS or fail the handshake.

use super::*;
use crate::edge::tls::{Identity, KnownDesks, Trust};

fn desk() -> Setup {
    let mut setup = patient();
    setup.security = Identity::fresh().and_then(Identity::security).unwrap();
    setup
}

fn user() -> Setup {
    let mut setup = patient();
    setup.security = Trust::FirstContact(KnownDesks::new(None)).security().unwrap();
    setup
}

/// The first bytes of a customer's side.
fn client_hello() -> Vec<u8> {
    let mut tls = user().security.connection("desk:1").unwrap().unwrap();
    let mut bytes = Vec::new();
    tls.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn ten_megabytes_both_ways_over_tls_under_backpressure_are_intact() {
    echo(10 << 20, join(End::with_room(desk(), 2), End::with_room(user(), 2)));
}

#[test]
fn a_close_over_tls_delivers_everything_and_the_peer_sees_a_clean_end() {
    hands_over_all(join(End::new(desk()), End::new(user())));
}

#[test]
fn a_late_handshake_is_closed_and_the_loop_has_no_event_of_it() {
    let mut setup = desk();
    setup.limits.handshake_within = Duration::from_millis(200);
    let desk = End::new(setup);
    let address = desk.listen();
    let hello = client_hello();
    for length in [0, 1, hello.len() - 1, hello.len()] {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer.write_all(&hello[..length]).unwrap();
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).unwrap();
        assert_eq!(
            answer.is_empty(),
            length < hello.len(),
            "a whole hello is answered, half of one is not"
        );
    }
    assert!(desk.events.is_empty(), "{:?}", desk.events.try_recv());
}

#[test]
fn garbage_of_every_length_up_to_sixty_four_ends_its_connection_alone() {
    let (desk, here, user, there) = join(End::new(desk()), End::new(user()));
    let address = desk.listen();
    let garbage = pattern(64);
    for length in 1..=64 {
        // In one of the two rounds the garbage begins with TLS's first byte, so that rustls reads
        // it.
        for first in [22, garbage[0] | 1] {
            let mut peer = TcpStream::connect(address).unwrap();
            peer.set_read_timeout(Some(PATIENCE)).unwrap();
            peer.write_all(&[&[first], &garbage[1..length]].concat()).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            let _ = peer.read_to_end(&mut answer);
            assert!(answer.len() < 64, "an alert at most: {answer:?}");
        }
    }
    assert!(desk.events.is_empty(), "{:?}", desk.events.try_recv());
    user.send(there, "well?");
    assert_eq!(desk.received(here, 5), b"well?");
}

#[test]
fn a_peer_whose_tls_names_another_protocol_is_closed_and_the_loop_has_no_event_of_it() {
    let (user, mut other_desk) = (End::new(user()), End::new(desk()));
    other_desk.settings.security = desk().security.speaking(Vec::new());
    let there = user.dial(other_desk.listen());
    assert!(matches!(user.closed(there), Closed::Distrusted(_)));
    assert!(other_desk.events.is_empty(), "{:?}", other_desk.events.try_recv());

    let desk = End::new(desk());
    let mut socket = TcpStream::connect(desk.listen()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let other_user = user.settings.security.speaking(Vec::new());
    let mut tls = other_user.connection("desk:1").unwrap().unwrap();
    tls.writer().write_all(FIRST).unwrap();
    while tls.wants_write() || tls.is_handshaking() {
        tls.complete_io(&mut socket).unwrap();
    }
    let _ = socket.read_to_end(&mut Vec::new());
    assert!(desk.events.is_empty(), "{:?}", desk.events.try_recv());
}

#[test]
fn a_peer_in_plaintext_is_told_so_and_the_loop_has_one_event_of_it() {
    let desk = End::new(desk());
    let address = desk.listen();
    for _ in 0..3 {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.write_all(&[0, 0, 0, 9]).unwrap();
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, REFUSAL);
    }
    match desk.next() {
        Event::Stranger { what } => {
            assert!(what.contains("127.0.0.1") && what.contains("plaintext"), "{what}")
        }
        other => panic!("{other:?}"),
    }
    assert!(desk.events.is_empty(), "{:?}", desk.events.try_recv());
}
