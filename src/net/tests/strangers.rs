//! Strangers, which the loop has not admitted: how many there may be, and which of them makes room.

use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::super::strangers;
use super::*;

/// A connection from 127.0.0.`host` that sends nothing.
fn silent(host: u8, to: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 0)).unwrap();
    connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection from 127.0.0.`host` that sends its first byte.
fn speaks(host: u8, to: SocketAddr) -> TcpStream {
    let mut stream = silent(host, to);
    stream.write_all(FIRST).unwrap();
    stream
}

/// Waits until the other side closes the connection.
#[track_caller]
fn hung_up(stream: &mut TcpStream) {
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn a_full_address_whose_strangers_have_all_spoken_gets_no_more_and_others_do() {
    let desk = End::new(Setup { strangers_per_address: 2, ..patient() });
    let address = desk.listen();
    let (first, mut live) = raw(&desk, address);
    desk.let_in(first, &mut live);
    let (gone, goes) = raw(&desk, address);
    let (_, _stays) = raw(&desk, address);
    hung_up(&mut silent(1, address));
    let _elsewhere = speaks(2, address);
    desk.met();
    drop(goes);
    desk.closed(gone);
    raw(&desk, address);
}

#[test]
fn a_silent_stranger_of_a_full_address_makes_room_for_the_next() {
    let desk = End::new(Setup { strangers_per_address: 8, ..patient() });
    let address = desk.listen();
    let mut crowd: Vec<TcpStream> = (0..600).map(|_| silent(1, address)).collect();
    crowd[..592].iter_mut().for_each(hung_up);
    let (conn, mut earnest) = raw(&desk, address);
    desk.let_in(conn, &mut earnest);
}

#[test]
fn the_oldest_stranger_makes_room_and_an_admitted_connection_stays() {
    let desk = End::new(Setup { strangers: 2, ..patient() });
    let address = desk.listen();
    let (live, mut peer) = raw(&desk, address);
    desk.let_in(live, &mut peer);
    let (oldest, mut known) = raw(&desk, address);
    let mut unknown = silent(1, address);
    let _third = speaks(1, address);
    assert!(matches!(desk.closed(oldest), Closed::Crowded));
    desk.met();
    hung_up(&mut known);
    // The loop has no event of its end, as it had none of its beginning.
    let _fourth = speaks(1, address);
    desk.met();
    hung_up(&mut unknown);
    peer.write_all(b"still here").unwrap();
    assert_eq!(desk.received(live, 10), b"still here");
}

#[test]
fn a_crowd_from_one_address_closes_its_own_connections_and_no_earlier_ones() {
    let desk = End::new(Setup { strangers: 3, ..patient() });
    let address = desk.listen();
    let (conn, mut slow) = raw(&desk, address);
    let mut crowd: Vec<TcpStream> = (0..20).map(|_| silent(2, address)).collect();
    crowd[..18].iter_mut().for_each(hung_up);
    desk.let_in(conn, &mut slow);
}

#[test]
fn without_room_for_connections_a_stranger_goes_and_no_admitted_connection() {
    let desk = End::new(patient());
    assert_eq!(desk.net.at_most(2), 2);
    let address = desk.listen();
    let (live, mut peer) = raw(&desk, address);
    desk.let_in(live, &mut peer);
    let mut stranger = silent(1, address);
    let mut second = speaks(1, address);
    hung_up(&mut stranger);
    let conn = desk.met();
    desk.let_in(conn, &mut second);
    hung_up(&mut silent(1, address));
    for (conn, peer) in [(live, &mut peer), (conn, &mut second)] {
        peer.write_all(b"in").unwrap();
        assert_eq!(desk.received(conn, 2), b"in");
    }
}

#[test]
fn each_stranger_has_a_turn_however_many_are_ready() {
    let order = |served| {
        let mut ready = [5, 2, 9, 7];
        strangers::in_turns(&mut ready, |key| *key, served);
        ready
    };
    assert_eq!(order(0), [2, 5, 7, 9]);
    assert_eq!(order(5), [7, 9, 2, 5]);
    assert_eq!(order(6), [7, 9, 2, 5]);
    assert_eq!(order(9), [2, 5, 7, 9]);
}

#[test]
fn crowds_from_several_addresses_close_only_their_own_connections() {
    let desk = End::new(Setup { strangers: 6, strangers_per_address: 4, ..patient() });
    let address = desk.listen();
    let mut slow = silent(9, address);
    let mut crowd = Vec::new();
    for n in 0..30 {
        crowd.push(speaks(1 + n % 3, address));
        while !matches!(desk.next(), Event::Received { .. }) {}
    }
    slow.write_all(b"at last").unwrap();
    while !matches!(desk.next(), Event::Received { bytes, .. } if bytes == b"at last") {}
}
