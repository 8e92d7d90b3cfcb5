//! How connections and the socket thread end.

use super::*;

#[test]
fn a_close_sends_what_is_queued_although_the_peer_has_sent_unread_bytes() {
    let (desk, conn, mut peer) = raw_peer(patient());
    let data = pattern(PLENTY);
    desk.net.send(conn, data.clone());
    desk.close(conn);
    // The first byte shows that the close is under way and flushes.
    let mut all = vec![0; 1];
    peer.read_exact(&mut all).unwrap();
    peer.write_all(&pattern(300_000)).unwrap();
    peer.read_to_end(&mut all).unwrap();
    assert!(all == data, "{} of {} bytes", all.len(), data.len());
    drop(peer);
    assert!(matches!(desk.closed(conn), Closed::ByUs));
}

#[test]
fn both_ends_closing_at_once_both_end_as_closed_by_us() {
    // Without room in the channel the desk cannot read to the end before it closes.
    let (desk, user) = (End::with_room(patient(), 1), End::new(patient()));
    let there = user.dial(desk.listen());
    user.connected(there);
    user.send(there, FIRST);
    let here = desk.met();
    user.net.send(there, pattern(PLENTY));
    user.close(there);
    desk.received(here, 1);
    desk.close(here);
    let (_, why) = desk.rest(here);
    assert!(matches!(why, Closed::ByUs), "{why:?}");
    assert!(matches!(user.closed(there), Closed::ByUs));
}

#[test]
fn a_peer_that_has_ended_still_gets_what_a_close_flushes() {
    let (desk, conn, mut peer) = raw_peer(patient());
    let data = pattern(PLENTY);
    desk.net.send(conn, data.clone());
    desk.close(conn);
    // Reading begins here, so that it happens while the close flushes and not before the close.
    let mut all = vec![0; 1];
    peer.read_exact(&mut all).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    peer.read_to_end(&mut all).unwrap();
    assert!(all == data, "{} of {} bytes", all.len(), data.len());
    assert!(matches!(desk.closed(conn), Closed::ByUs));
}

#[test]
fn a_close_delivers_everything_and_the_peer_sees_a_clean_end() {
    hands_over_all(pair(patient()));
}

#[test]
fn a_close_waits_for_the_peers_end_no_longer_than_the_linger() {
    let mut setup = patient();
    setup.limits.linger = Duration::from_millis(200);
    let (desk, conn, mut peer) = raw_peer(setup);
    let since = Instant::now();
    desk.close(conn);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    peer.write_all(b"still here").unwrap();
    assert!(matches!(desk.closed(conn), Closed::ByUs));
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_peer_that_vanishes_is_reported_once() {
    let (desk, here, user, _) = pair(patient());
    drop(user);
    assert!(!matches!(desk.closed(here), Closed::ByUs));
    // A send to the closed connection does nothing: the next event belongs to another connection.
    desk.send(here, "anyone?");
    desk.close(here);
    let nobody = desk.dial("nowhere");
    desk.closed(nobody);
}

#[test]
fn finish_delivers_what_is_queued_and_ends_the_thread() {
    let (desk, here, user, there) = pair(patient());
    let data = pattern(PLENTY);
    desk.net.send(here, data.clone());
    let reader = thread::spawn(move || user.rest(there));
    desk.net.finish(PATIENCE);
    let (bytes, why) = reader.join().unwrap();
    assert!(bytes == data && matches!(why, Closed::ByPeer), "{why:?}");
    let last = desk.events.try_recv();
    assert!(matches!(last, Ok(Event::Closed { why: Closed::ByUs, .. })), "{last:?}");
    let ended = desk.events.recv_timeout(PATIENCE);
    assert_eq!(ended.unwrap_err(), crossbeam_channel::RecvTimeoutError::Disconnected);
}

#[test]
fn finish_delivers_although_nobody_reads_the_full_channel() {
    let desk = End::with_room(patient(), 1);
    let (conn, mut peer) = raw(&desk, desk.listen());
    peer.write_all(&pattern(200_000)).unwrap();
    let data = pattern(PLENTY);
    desk.net.send(conn, data.clone());
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).map(|_| all)
    });
    let since = Instant::now();
    desk.net.finish(PATIENCE);
    assert!(since.elapsed() < PATIENCE / 2);
    assert!(reader.join().unwrap().unwrap() == data);
}

#[test]
fn finish_waits_no_longer_than_its_limit_for_a_peer_that_does_not_read() {
    let desk = End::new(patient());
    let (conn, _unread) = raw(&desk, desk.listen());
    desk.send(conn, pattern(PLENTY));
    let since = Instant::now();
    desk.net.finish(Duration::from_millis(300));
    // The thread must have ended, too. The handle alone would not have waited longer anyway.
    while desk.events.recv_timeout(PATIENCE).is_ok() {}
    let took = since.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn the_thread_ends_when_the_loop_is_gone() {
    let End { net, events, settings } = End::new(patient());
    let address = net.listen("127.0.0.1:0", settings).unwrap();
    net.flush();
    drop(events);
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(FIRST).unwrap();
    let ended = net.thread_end.recv_timeout(PATIENCE);
    assert_eq!(ended.unwrap_err(), crossbeam_channel::RecvTimeoutError::Disconnected);
    assert!(!matches!(peer.read(&mut [0]), Ok(1..)));
}

#[test]
fn every_reason_is_a_sentence() {
    let broken = io::Error::from_raw_os_error(104);
    let reasons = [
        Closed::ByUs,
        Closed::ByPeer,
        Closed::Dial("cannot reach desk.example:5000: connection refused".into()),
        Closed::Silent,
        Closed::Stalled,
        Closed::Deadline("hello"),
        Closed::Overflow,
        Closed::Crowded,
        Closed::Broken(broken),
    ];
    for reason in reasons {
        let text = reason.to_string();
        assert!(text.starts_with(char::is_lowercase), "{text}");
        assert!(!text.ends_with('.') && !text.contains("os error"), "{text}");
    }
}
