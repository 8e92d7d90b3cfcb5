//! How many customers find a slot, in all and from one address.

use std::net::IpAddr;

use super::{after, busy, dials, joins, now, says, small};
use crate::core::desk::capacity::{RETRY_FIRST, RETRY_SPREAD};
use crate::core::idle::LIFETIME;
use crate::core::outcome::Side;
use crate::wire::{Address, Body, Conn, EndReason, Request};

#[test]
fn a_full_desk_takes_no_new_customer_until_one_is_gone() {
    let mut desk = small(2, 9);
    (1..=3).for_each(|n| dials(&mut desk, n, n.into(), n, now()));
    assert!(busy(&mut desk, 3).is_some());
    // A customer who waits keeps the slot, connected or not.
    says(&mut desk, 1, 1, Body::Requested(Request::default()));
    desk.disconnected(Conn(1), "cut");
    dials(&mut desk, 3, 4, 3, now());
    assert!(busy(&mut desk, 4).is_some());
    dials(&mut desk, 1, 5, 1, now());
    assert!(busy(&mut desk, 5).is_none(), "a customer who waits is let in again");
    // A customer who is connected has a slot; one who neither waits nor is connected has none.
    desk.disconnected(Conn(2), "gone");
    dials(&mut desk, 3, 6, 3, now());
    assert!(busy(&mut desk, 6).is_none());
}

#[test]
fn a_slot_is_free_again_however_a_conversation_ends() {
    let closed = Body::Closed { of: None, reason: EndReason::UserEnded };
    for end in [Some(Body::Withdrawn {}), Some(closed), None] {
        let mut desk = small(1, 9);
        joins(&mut desk, 1);
        if let Some(end) = end {
            says(&mut desk, 1, 2, end);
            dials(&mut desk, 2, 9, 2, now());
            assert!(busy(&mut desk, 9).is_some(), "a customer who is connected has a slot");
            desk.disconnected(Conn(1), "bye");
        } else {
            desk.disconnected(Conn(1), "cut");
            desk.tick(after(LIFETIME));
        }
        assert!(desk.capacity.is_empty());
        joins(&mut desk, 2);
        assert_eq!(desk.waiting(), ["#2 Customer 0202"]);
    }
}

#[test]
fn the_slots_of_one_address_are_counted_wherever_its_customers_go() {
    let mut desk = small(9, 1);
    dials(&mut desk, 1, 1, 77, now());
    dials(&mut desk, 2, 2, 77, now());
    assert!(busy(&mut desk, 2).is_some());
    dials(&mut desk, 2, 3, 78, now());
    assert!(busy(&mut desk, 3).is_none(), "another address has slots of its own");
    // The first goes on from elsewhere, and leaves its share there.
    dials(&mut desk, 1, 4, 79, now());
    dials(&mut desk, 3, 5, 77, now());
    assert!(busy(&mut desk, 5).is_none());
    (1..=5).for_each(|conn| desk.disconnected(Conn(conn), "gone"));
    assert!(desk.capacity.is_empty());
}

#[test]
fn customers_who_find_no_slot_are_asked_back_at_different_times() {
    let mut desk = small(0, 9);
    let mut retries: Vec<u32> = (1..=25)
        .map(|n| {
            dials(&mut desk, n, n.into(), n, now());
            busy(&mut desk, n.into()).expect("no slot is free")
        })
        .collect();
    retries.sort_unstable();
    assert_eq!(retries, (RETRY_FIRST..RETRY_FIRST + RETRY_SPREAD).collect::<Vec<_>>());
}

#[test]
fn a_network_of_ipv6_is_one_address_and_ipv4_is_itself_however_it_is_written() {
    let address = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
    assert_eq!(address("2001:db8:1:2::3"), address("2001:db8:1:2:ffff::4"));
    assert_ne!(address("2001:db8:1:2::3"), address("2001:db8:1:3::3"));
    assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
}
