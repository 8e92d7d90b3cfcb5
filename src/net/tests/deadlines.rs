//! Peers that are late, silent, or do not read.

use super::*;

#[test]
fn a_connection_without_a_hello_is_closed_and_one_with_it_stays() {
    let mut setup = patient();
    setup.dialect.hello_within = Duration::from_millis(200);
    let desk = End::new(setup);
    let address = desk.listen();
    let (late, _peer) = raw(&desk, address);
    let mut silent = TcpStream::connect(address).unwrap();
    let (greeted, mut peer) = raw(&desk, address);
    desk.net.expect(greeted, None, "hello");
    desk.net.flush();
    let why = desk.closed(late);
    assert_eq!(why.to_string(), "the other side sent no hello in time");
    // This peer sent nothing at all, so the loop has no event about it.
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(!matches!(silent.read(&mut [0]), Ok(1..)));
    peer.write_all(b"x").unwrap();
    assert_eq!(desk.received(greeted, 1), b"x");
    desk.net.expect(greeted, Some(Duration::ZERO), "whole frame");
    desk.net.flush();
    assert!(matches!(desk.closed(greeted), Closed::Deadline("whole frame")));
}

#[test]
fn signs_of_life_keep_an_idle_connection_open_and_wake_no_loop() {
    let mut setup = patient();
    setup.dialect.keepalive.after = Duration::from_millis(100);
    setup.dialect.keepalive.dead = Duration::from_millis(600);
    let (desk, here, user, there) = pair(setup);
    desk.net.admit(here);
    desk.send(here, "begins");
    assert_eq!(user.received(there, 6), b"begins");
    desk.silent_for(Duration::from_secs(1));
    user.silent_for(Duration::ZERO);
    desk.send(here, "goes on");
    assert_eq!(user.received(there, 7), b"goes on");
}

#[test]
fn a_sign_of_life_is_returned_by_a_side_that_would_have_to_send_one_soon() {
    let mut setup = patient();
    let after = Duration::from_secs(2);
    setup.dialect.keepalive.after = after;
    let (desk, conn, mut peer) = raw_peer(setup);
    desk.net.admit(conn);
    let begun = Instant::now();
    desk.send(conn, "begins");
    peer.read_exact(&mut [0; 6]).unwrap();
    desk.silent_for(after / 2);
    peer.write_all(PING).unwrap();
    let mut returned = [0; PING.len()];
    peer.read_exact(&mut returned).unwrap();
    assert_eq!(returned, PING);
    assert!(begun.elapsed() < after, "it came at its own time: {:?}", begun.elapsed());
}

#[test]
fn signs_of_life_reach_the_loop_if_they_come_too_often_or_with_other_bytes() {
    let mut setup = patient();
    setup.dialect.keepalive.after = Duration::from_secs(60);
    let (desk, conn, mut peer) = raw_peer(setup);
    desk.net.admit(conn);
    desk.send(conn, "begins");
    peer.read_exact(&mut [0; 6]).unwrap();
    peer.write_all(PING).unwrap();
    desk.silent_for(Duration::from_millis(100));
    peer.write_all(PING).unwrap();
    assert_eq!(desk.received(conn, PING.len()), PING);
    peer.write_all(&[PING, b"more"].concat()).unwrap();
    assert_eq!(desk.received(conn, 8), b"pingmore");
}

#[test]
fn no_sign_of_life_is_sent_before_the_loop_has_sent_something() {
    let mut setup = patient();
    setup.dialect.keepalive.after = Duration::ZERO;
    let (desk, user) = (End::new(patient()), End::new(setup));
    let there = user.dial(desk.listen());
    user.connected(there);
    desk.silent_for(Duration::from_millis(100));
    user.send(there, FIRST);
    let here = desk.accepted();
    assert!(desk.received(here, FIRST.len() + PING.len()).starts_with(&[FIRST, PING].concat()));
}

#[test]
fn a_silent_peer_is_closed() {
    let mut setup = patient();
    setup.dialect.keepalive.dead = Duration::from_millis(300);
    let (desk, conn, mut peer) = raw_peer(setup);
    let since = Instant::now();
    for byte in 0..3 {
        peer.write_all(&[byte]).unwrap();
        assert_eq!(desk.received(conn, 1), [byte]);
    }
    assert!(matches!(desk.closed(conn), Closed::Silent));
    assert!(since.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_peer_is_not_late_while_a_full_channel_leaves_its_bytes_unread() {
    let mut setup = patient();
    setup.dialect.keepalive.dead = Duration::from_millis(500);
    setup.dialect.hello_within = Duration::from_millis(500);
    let desk = End::with_room(setup, 1);
    let address = desk.listen();
    let (flooding, mut flood) = raw(&desk, address);
    let (other, mut peer) = raw(&desk, address);
    desk.net.expect(flooding, None, "hello");
    desk.net.flush();
    flood.write_all(&pattern(400_000)).unwrap();
    peer.write_all(b"hello").unwrap();
    // The loop takes no event for longer than both deadlines; the thread waits at the full channel.
    let (_never, nothing) = bounded::<()>(0);
    assert!(nothing.recv_timeout(Duration::from_secs(1)).is_err());
    let (mut flooded, mut heard) = (0, 0);
    while flooded < 400_000 || heard < 5 {
        match desk.next() {
            Event::Received { conn, bytes } if conn == flooding => flooded += bytes.len(),
            Event::Received { conn, bytes } if conn == other => {
                heard += bytes.len();
                desk.net.expect(other, None, "hello");
                desk.send(other, "welcome");
            }
            unexpected => panic!("{unexpected:?}"),
        }
    }
    peer.read_exact(&mut [0; 7]).unwrap();
}

#[test]
fn a_stalled_reader_is_closed_and_another_peer_does_not_notice() {
    let mut setup = patient();
    setup.limits.stalled_after = Duration::from_millis(700);
    let desk = End::new(setup);
    let address = desk.listen();
    let (stalled, _unread) = raw(&desk, address);
    let (live, mut peer) = raw(&desk, address);
    peer.set_nodelay(true).unwrap();
    desk.send(stalled, pattern(PLENTY));
    let echo = thread::spawn(move || {
        loop {
            match desk.next() {
                Event::Received { conn, bytes } => desk.send(conn, bytes),
                Event::Closed { conn, why } => return (desk, conn, why),
                other => panic!("{other:?}"),
            }
        }
    });
    let mut trips = Vec::new();
    let start = Instant::now();
    while !echo.is_finished() {
        assert!(start.elapsed() < PATIENCE, "nobody was closed");
        let since = Instant::now();
        peer.write_all(b"x").unwrap();
        // The echo ends when the stalled peer is closed; then nobody answers.
        peer.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        match peer.read(&mut [0]) {
            Ok(_) => trips.push(since.elapsed()),
            Err(error) if echo.is_finished() => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            Err(error) => panic!("{error}"),
        }
    }
    let (_desk, conn, why) = echo.join().unwrap();
    assert!(conn == stalled && conn != live && matches!(why, Closed::Stalled), "{why:?}");
    trips.sort();
    let p99 = trips[trips.len() * 99 / 100];
    assert!(p99 < Duration::from_millis(50), "{p99:?} of {}", trips.len());
}

#[test]
fn too_many_waiting_bytes_for_one_peer_close_only_its_connection() {
    let mut setup = patient();
    setup.dialect.outbound_max = OUTBOUND_MAX;
    let desk = End::new(setup);
    let address = desk.listen();
    let (full, _unread) = raw(&desk, address);
    let (live, mut peer) = raw(&desk, address);
    // The kernel takes some of them. It is certain that one of these is too much.
    for _ in 0..20 {
        desk.net.send(full, pattern(1 << 20));
    }
    desk.net.send(live, b"alive".to_vec());
    desk.net.flush();
    assert!(matches!(desk.closed(full), Closed::Overflow));
    let mut bytes = [0; 5];
    peer.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"alive");
}
