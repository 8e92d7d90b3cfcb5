use super::{Arrival, Fork, Receiving, Sending, WINDOW_BYTES, WINDOW_ENTRIES};

#[test]
fn an_entry_is_taken_once_and_in_order() {
    let mut receiving = Receiving::default();
    assert_eq!(receiving.take(2), Arrival::Gap);
    assert_eq!(receiving.take(1), Arrival::New);
    assert_eq!(receiving.take(1), Arrival::Again);
    assert_eq!(receiving.take(2), Arrival::New);
    assert_eq!(receiving.take(0), Arrival::Again);
    assert_eq!(receiving.last, 2);
}

#[test]
fn an_entry_without_an_ack_is_sent_again_on_the_next_connection() {
    let mut sending = Sending::default();
    for number in 1..=3 {
        assert_eq!(sending.due(3), Some(number));
        sending.sent(100);
    }
    assert_eq!(sending.due(3), None);
    assert_eq!(sending.ack(1), Ok(true));
    assert_eq!(sending.ack(1), Ok(false));
    assert_eq!(sending.resume(1, 3), Ok(()));
    assert_eq!(sending.due(3), Some(2));
}

#[test]
fn a_peer_that_lost_entries_gets_them_again_and_one_that_claims_too_many_is_refused() {
    let mut sending = Sending::default();
    sending.resume(5, 5).unwrap();
    assert_eq!(sending.resume(2, 5), Ok(()));
    assert_eq!(sending.due(5), Some(3));
    assert_eq!(sending.resume(6, 5), Err(Fork));
    assert_eq!(sending.ack(4), Err(Fork));
}

#[test]
fn the_window_bounds_entries_and_bytes_but_never_blocks_one_large_entry() {
    let mut sending = Sending::default();
    for _ in 0..WINDOW_ENTRIES {
        sending.sent(10);
    }
    assert_eq!(sending.due(1000), None);
    sending.ack(1).unwrap();
    assert_eq!(sending.due(1000), Some(257));

    let mut sending = Sending::default();
    sending.sent(2 * WINDOW_BYTES);
    assert_eq!(sending.due(1000), None);
    sending.ack(1).unwrap();
    assert_eq!(sending.due(1000), Some(2));
}
