//! Connections that are not read for a while, because the loop has not answered yet or lets them
//! rest.

use super::*;

#[test]
fn a_connection_is_read_again_only_when_the_loop_is_done_with_its_last_bytes() {
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
fn a_peer_that_is_not_read_is_neither_silent_nor_late_and_keeps_its_remaining_time() {
    for is_frame in [false, true] {
        let mut setup = patient();
        if !is_frame {
            setup.dialect.keepalive.dead = Duration::from_millis(400);
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
fn a_connection_at_rest_is_read_later_and_is_neither_silent_nor_late_meanwhile() {
    let mut setup = patient();
    setup.dialect.keepalive.dead = Duration::from_millis(300);
    let (desk, conn, mut peer) = raw_peer(setup);
    desk.let_in(conn, &mut peer);
    peer.write_all(b"one").unwrap();
    assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
    let since = Instant::now();
    desk.read_on(conn, Duration::from_millis(900));
    desk.net.expect(conn, Some(Duration::from_millis(300)), "whole frame");
    desk.net.flush();
    peer.write_all(b"two").unwrap();
    // A connection at rest is still written to.
    desk.send(conn, "for you");
    peer.read_exact(&mut [0; 7]).unwrap();
    assert_eq!(desk.received(conn, 3), b"two");
    let rested = since.elapsed();
    assert!(rested >= Duration::from_millis(900), "{rested:?}");
}

#[test]
fn a_rest_ends_at_its_time_and_not_at_the_next_check_of_deadlines() {
    let mut setup = patient();
    setup.limits.tick = PATIENCE;
    let (desk, conn, mut peer) = raw_peer(setup);
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
fn a_stranger_that_is_not_read_is_late_all_the_same() {
    let mut setup = patient();
    setup.dialect.hello_within = Duration::from_millis(500);
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
fn a_close_during_a_rest_delivers_and_ends_as_usual() {
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
    assert!(since.elapsed() < LINGER, "the peer's end was noticed: {:?}", since.elapsed());
    assert_eq!(flood.join().unwrap(), b"goodbye");
}

#[test]
fn finish_ends_connections_at_rest() {
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

#[test]
fn nothing_spins_while_loud_connections_rest_and_a_broken_one_is_closed() {
    if !alone("pauses::nothing_spins_while_loud_connections_rest_and_a_broken_one_is_closed", "") {
        return;
    }
    let mut setup = patient();
    setup.limits.tick = TICK;
    let desk = End::new(setup);
    let address = desk.listen();
    let mut peers: Vec<(Conn, TcpStream)> = (0..3).map(|_| raw(&desk, address)).collect();
    for (conn, peer) in &mut peers {
        desk.let_in(*conn, peer);
        peer.write_all(&pattern(100_000)).unwrap();
        assert!(matches!(desk.next_unanswered(), Event::Received { .. }));
    }
    // One of the other connections rests; the last one waits until the loop answers.
    let (broken, breaks) = peers.remove(0);
    for conn in [broken, peers[0].0] {
        desk.read_on(conn, Duration::from_secs(3600));
    }
    // Bytes that the peer never read make its end a reset.
    desk.send(broken, "unread");
    breaks.peek(&mut [0]).unwrap();
    let before = busy("net");
    drop(breaks);
    assert!(matches!(desk.closed(broken), Closed::Broken(_)));
    desk.silent_for(Duration::from_secs(2));
    let spent = busy("net") - before;
    assert!(spent < Duration::from_millis(20), "{spent:?} in 2 s");
}
