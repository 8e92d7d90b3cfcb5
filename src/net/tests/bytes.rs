//! All that is sent arrives, in order, also under backpressure.

use super::*;

#[test]
fn bytes_go_there_and_back() {
    let (desk, here, user, there) = pair(patient());
    user.send(there, "hello");
    let bytes = desk.received(here, 5);
    desk.send(here, bytes);
    assert_eq!(user.received(there, 5), b"hello");
}

#[test]
fn a_batch_leaves_in_one_write() {
    let (desk, conn, mut peer) = raw_peer(patient());
    for _ in 0..100 {
        desk.net.send(conn, b"0123456789".to_vec());
    }
    desk.net.flush();
    let mut bytes = [0; 2000];
    assert_eq!(peer.read(&mut bytes).unwrap(), 1000);
}

#[test]
fn a_lone_answer_leaves_while_the_socket_thread_waits_for_the_loop() {
    let desk = End::with_room(patient(), 1);
    let address = desk.listen();
    let (conn, mut peer) = raw(&desk, address);
    let mut stoppers = [raw(&desk, address), raw(&desk, address)];
    for (_, stopper) in &mut stoppers {
        stopper.write_all(b"stop").unwrap();
    }
    while !desk.events.is_full() {
        thread::yield_now();
    }
    desk.send(conn, "answer");
    let mut answer = [0; 6];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
}

#[test]
fn fifty_megabytes_both_ways_under_backpressure_are_intact() {
    // A channel of 2 is full most of the time: net blocks on it again and again.
    echo(50 << 20, join(End::with_room(patient(), 2), End::with_room(patient(), 2)));
}

#[test]
fn the_last_bytes_of_a_peer_are_read_although_writing_to_it_fails() {
    // The channel has room for one event, and is full: the thread waits with the next event in
    // hand.
    let desk = End::with_room(patient(), 1);
    let address = desk.listen();
    let (conn, mut peer) = raw(&desk, address);
    let mut stoppers = [raw(&desk, address), raw(&desk, address), raw(&desk, address)];
    desk.send(conn, "unread, so that the peer's end is a reset");
    let mut one = [0];
    peer.read_exact(&mut one).unwrap();
    for (_, stopper) in &mut stoppers {
        stopper.write_all(b"stop").unwrap();
    }
    peer.write_all(b"bye").unwrap();
    drop(peer);
    desk.send(conn, "too late");
    let mut words = Vec::new();
    let mut stopped = 0;
    let why = loop {
        match desk.next() {
            Event::Received { conn: from, bytes } if from == conn => words.extend(bytes),
            Event::Received { bytes, .. } => stopped += bytes.len(),
            Event::Closed { conn: from, why } if from == conn => break why,
            unexpected => panic!("{unexpected:?}"),
        }
    };
    assert_eq!(words, b"bye", "after {stopped} bytes in the other direction: {why}");
    assert!(matches!(why, Closed::Broken(_)), "{why:?}");
}
