//! Who was not let in, and who is not read for now.

use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::super::strangers;
use super::*;

/// A connection from 127.0.0.`host` that says nothing.
fn silent(host: u8, to: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 0)).unwrap();
    connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One that says its first byte.
fn speaks(host: u8, to: SocketAddr) -> TcpStream {
    let mut stream = silent(host, to);
    stream.write_all(FIRST).unwrap();
    stream
}

/// Waits until the other end hung up.
#[track_caller]
fn hung_up(stream: &mut TcpStream) {
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("not hung up: {other:?}"),
    }
}

impl End {
    /// Lets it in, and waits until that is done.
    fn let_in(&self, conn: Conn, peer: &mut TcpStream) {
        self.net.admit(conn);
        self.send(conn, "in");
        peer.read_exact(&mut [0; 2]).unwrap();
    }
}

#[test]
fn one_more_stranger_of_an_address_is_closed_at_once_and_others_get_in() {
    let desk = End::new(Setup { strangers_per_address: 2, ..patient() });
    let address = desk.listen();
    let (first, mut live) = raw(&desk, address);
    desk.let_in(first, &mut live);
    let (gone, goes) = raw(&desk, address);
    let _stays = silent(1, address);
    hung_up(&mut silent(1, address));
    let _elsewhere = speaks(2, address);
    desk.met();
    drop(goes);
    desk.closed(gone);
    raw(&desk, address);
}

#[test]
fn the_oldest_stranger_makes_room_and_who_was_let_in_stays() {
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
    // Nothing is told of its end, as nothing was of its beginning.
    let _fourth = speaks(1, address);
    desk.met();
    hung_up(&mut unknown);
    peer.write_all(b"still here").unwrap();
    assert_eq!(desk.received(live, 10), b"still here");
}

#[test]
fn a_crowd_of_one_address_drives_out_its_own_and_not_who_came_before_it() {
    let desk = End::new(Setup { strangers: 3, ..patient() });
    let address = desk.listen();
    let (conn, mut slow) = raw(&desk, address);
    let mut crowd: Vec<TcpStream> = (0..20).map(|_| silent(2, address)).collect();
    crowd[..18].iter_mut().for_each(hung_up);
    desk.let_in(conn, &mut slow);
}

#[test]
fn where_there_is_no_room_at_all_a_stranger_goes_and_nobody_who_was_let_in() {
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
fn what_came_is_with_the_loop_before_more_is_read() {
    let (desk, conn, mut peer) = raw_peer(patient());
    desk.let_in(conn, &mut peer);
    peer.write_all(b"one").unwrap();
    assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
    peer.write_all(b"two").unwrap();
    desk.silent_for(Duration::from_millis(300));
    desk.read_on(conn, Duration::ZERO);
    assert_eq!(desk.received(conn, 3), b"two");
}

#[test]
fn who_is_not_read_is_neither_silent_nor_late_and_then_has_the_time_it_had() {
    for is_frame in [false, true] {
        let mut setup = patient();
        if !is_frame {
            setup.keepalive.dead = Duration::from_millis(400);
        }
        let (desk, conn, mut peer) = raw_peer(setup);
        desk.let_in(conn, &mut peer);
        peer.write_all(b"one").unwrap();
        assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
        desk.net.expect(conn, is_frame.then_some(Duration::from_millis(400)), "whole frame");
        desk.net.flush();
        desk.silent_for(Duration::from_millis(700));
        let since = Instant::now();
        desk.read_on(conn, Duration::ZERO);
        let why = desk.closed(conn);
        assert!(matches!(why, Closed::Deadline(_) | Closed::Silent), "{why:?}");
        assert!(
            since.elapsed() > Duration::from_millis(300),
            "{why:?} after {:?}",
            since.elapsed()
        );
    }
}

#[test]
fn who_rests_is_read_later_and_is_neither_silent_nor_late_meanwhile() {
    let mut setup = patient();
    setup.keepalive.dead = Duration::from_millis(300);
    let (desk, conn, mut peer) = raw_peer(setup);
    desk.let_in(conn, &mut peer);
    peer.write_all(b"one").unwrap();
    assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
    let since = Instant::now();
    desk.read_on(conn, Duration::from_millis(900));
    desk.net.expect(conn, Some(Duration::from_millis(300)), "whole frame");
    desk.net.flush();
    peer.write_all(b"two").unwrap();
    // It still gets what is for it.
    desk.send(conn, "for you");
    peer.read_exact(&mut [0; 7]).unwrap();
    assert_eq!(desk.received(conn, 3), b"two");
    let rested = since.elapsed();
    assert!(rested >= Duration::from_millis(900), "{rested:?}");
}

#[test]
fn a_rest_ends_when_it_is_over_and_not_when_deadlines_are_looked_at() {
    let (desk, conn, mut peer) = raw_peer(Setup { tick: PATIENCE, ..patient() });
    desk.let_in(conn, &mut peer);
    peer.write_all(b"one").unwrap();
    assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
    peer.write_all(b"two").unwrap();
    let since = Instant::now();
    desk.read_on(conn, Duration::from_millis(200));
    assert_eq!(desk.received(conn, 3), b"two");
    assert!(since.elapsed() < PATIENCE / 2, "{:?}", since.elapsed());
}

#[test]
fn a_stranger_who_is_not_read_is_late_all_the_same() {
    let setup = Setup { hello_within: Duration::from_millis(500), ..patient() };
    let desk = End::new(setup);
    let address = desk.listen();
    let (resting, _peer) = raw(&desk, address);
    let (unanswered, mut peer) = raw(&desk, address);
    peer.write_all(b"more").unwrap();
    assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
    desk.read_on(unanswered, Duration::from_secs(3600));
    for _ in [resting, unanswered] {
        assert!(matches!(desk.next(), Event::Closed { why: Closed::Deadline("hello"), .. }));
    }
}

#[test]
fn a_close_during_a_rest_delivers_takes_what_comes_and_ends_like_any() {
    let (desk, conn, mut peer) = raw_peer(patient());
    desk.let_in(conn, &mut peer);
    peer.write_all(b"one").unwrap();
    assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
    let flood = thread::spawn(move || {
        peer.write_all(&pattern(PLENTY)).unwrap();
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    });
    desk.read_on(conn, Duration::from_secs(3600));
    desk.silent_for(Duration::from_millis(100));
    desk.net.send(conn, b"goodbye".to_vec());
    let since = Instant::now();
    desk.close(conn);
    assert!(matches!(desk.closed(conn), Closed::ByUs));
    assert!(since.elapsed() < LINGER, "its end was heard: {:?}", since.elapsed());
    assert_eq!(flood.join().unwrap(), b"goodbye");
}

#[test]
fn finish_ends_who_rests() {
    let (desk, conn, mut peer) = raw_peer(patient());
    desk.let_in(conn, &mut peer);
    peer.write_all(b"one").unwrap();
    assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
    desk.read_on(conn, Duration::from_secs(3600));
    desk.net.send(conn, b"goodbye".to_vec());
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).map(|_| all)
    });
    let since = Instant::now();
    desk.net.finish(PATIENCE);
    assert!(since.elapsed() < LINGER, "{:?}", since.elapsed());
    assert_eq!(reader.join().unwrap().unwrap(), b"goodbye");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_spins_while_somebody_rests_however_loud_and_a_peer_that_broke_off_is_gone() {
    if !alone(
        "strangers::nothing_spins_while_somebody_rests_however_loud_and_a_peer_that_broke_off_is_gone",
        "",
    ) {
        return;
    }
    let desk = End::new(Setup { tick: TICK, ..patient() });
    let address = desk.listen();
    let mut peers: Vec<(Conn, TcpStream)> = (0..3).map(|_| raw(&desk, address)).collect();
    for (conn, peer) in &mut peers {
        desk.let_in(*conn, peer);
        peer.write_all(&pattern(100_000)).unwrap();
        assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
    }
    // One of the others rests; the last one waits for the loop to answer.
    let (broken, breaks) = peers.remove(0);
    for conn in [broken, peers[0].0] {
        desk.read_on(conn, Duration::from_secs(3600));
    }
    // Bytes it never read make its end a reset.
    desk.send(broken, "unread");
    breaks.peek(&mut [0]).unwrap();
    let before = busy("net");
    drop(breaks);
    assert!(matches!(desk.closed(broken), Closed::Broken(_)));
    desk.silent_for(Duration::from_secs(2));
    let spent = busy("net") - before;
    assert!(spent < Duration::from_millis(20), "{spent:?} in 2 s");
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
fn who_comes_in_numbers_from_several_addresses_drives_out_their_own_alone() {
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
