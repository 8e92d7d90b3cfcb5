//! What connections cost: processor time, descriptors, memory.

use super::*;

#[test]
fn nothing_spins_when_peers_vanish_or_idle() {
    if !alone("cost::nothing_spins_when_peers_vanish_or_idle", "") {
        return;
    }
    let mut setup = patient();
    setup.limits.tick = TICK;
    let desk = End::new(setup);
    let address = desk.listen();
    let (ended, vanished) = raw(&desk, address);
    let (idle, _still_here) = raw(&desk, address);
    let (half, mut peer) = raw(&desk, address);
    drop(vanished);
    desk.closed(ended);
    // A close that flushes to a peer that has ended and does not read: the socket stays readable.
    desk.net.send(half, pattern(PLENTY));
    desk.close(half);
    peer.read_exact(&mut [0]).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    // A connection that was blocked and is not any more: its socket is writable all the time.
    let (drained, mut reader) = raw(&desk, address);
    desk.send(drained, pattern(PLENTY));
    reader.read_exact(&mut vec![0; PLENTY]).unwrap();
    let before = busy("net");
    let waited = desk.events.recv_timeout(Duration::from_secs(2));
    assert!(waited.is_err(), "{waited:?}");
    let spent = busy("net") - before;
    assert!(spent < Duration::from_millis(20), "{spent:?} in 2 s");
    desk.close(idle);
}

#[test]
fn a_listener_without_descriptors_pauses_says_so_once_and_goes_on() {
    if !alone(
        "cost::a_listener_without_descriptors_pauses_says_so_once_and_goes_on",
        "ulimit -n 64;",
    ) {
        return;
    }
    let mut setup = patient();
    setup.limits.accept_pause = Duration::from_millis(100);
    let desk = End::new(setup);
    let address = desk.listen();
    let (live, mut peer) = raw(&desk, address);
    // std and /proc/self need a descriptor now and then, so they are used before descriptors run
    // out.
    let before = busy("net");
    let mut hoard = Vec::new();
    let error = loop {
        match std::fs::File::open("/dev/null") {
            Ok(file) => hoard.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(24));
    hoard.pop();
    let mut waiting = TcpStream::connect(address).unwrap();
    let said = desk.trouble();
    assert!(said.contains("too many open files"), "{said}");
    let silence = desk.events.recv_timeout(Duration::from_secs(1));
    assert!(silence.is_err(), "{silence:?}");
    peer.write_all(b"live").unwrap();
    assert_eq!(desk.received(live, 4), b"live");
    drop(hoard);
    let spent = busy("net") - before;
    assert!(spent < Duration::from_millis(50), "{spent:?} in 1 s");
    let said = desk.trouble();
    assert!(said.contains("again"), "{said}");
    waiting.write_all(FIRST).unwrap();
    desk.met();
}

#[test]
fn a_thousand_connections_leave_no_open_descriptor() {
    if !alone("cost::a_thousand_connections_leave_no_open_descriptor", "") {
        return;
    }
    let before = descriptors();
    let desk = End::new(patient());
    let user = End::new(patient());
    let address = desk.listen();
    for round in 0..17 {
        let there: Vec<Conn> =
            (0..60).map(|_| user.net.dial(&address.to_string(), user.settings.clone())).collect();
        user.net.flush();
        for _ in &there {
            match user.next() {
                Event::Connected { conn, .. } => user.net.send(conn, FIRST.to_vec()),
                other => panic!("{other:?}"),
            }
        }
        user.net.flush();
        let here: Vec<Conn> = there.iter().map(|_| desk.met()).collect();
        here.iter().for_each(|conn| desk.net.admit(*conn));
        // The two sides close in turn; `finish` closes the last few.
        let (closing, conns) = [(&user, &there), (&desk, &here)][round % 2];
        conns[..56].iter().for_each(|conn| closing.net.close(*conn));
        closing.net.flush();
        for end in [&desk, &user] {
            for _ in 0..56 {
                assert!(matches!(end.next(), Event::Closed { .. }));
            }
        }
    }
    user.net.finish(PATIENCE);
    desk.net.finish(PATIENCE);
    drop((user.events, desk.events));
    assert_eq!(descriptors(), before);
}

#[test]
fn an_idle_connection_is_small() {
    let size = size_of::<connection::Connection>() + size_of::<std::sync::Mutex<writer::Writer>>();
    assert!(size <= 264, "{size}");
}
