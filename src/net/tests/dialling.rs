//! Resolving, connecting and listening.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::super::dial;
use super::*;

#[test]
fn a_refused_dial_says_who_refused() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let user = End::new(patient());
    let conn = user.dial(address);
    let why = user.closed(conn).to_string();
    assert_eq!(why, format!("cannot reach {address}: connection refused"));
}

#[test]
fn a_dial_without_a_port_says_what_an_address_is() {
    let user = End::new(patient());
    let conn = user.dial("desk.example");
    let why = user.closed(conn).to_string();
    assert_eq!(why, "cannot dial desk.example: an address is HOST:PORT");
}

#[test]
fn an_unknown_name_is_named() {
    let mut setup = patient();
    setup.limits.resolve = |_| {
        let text = "failed to lookup address information: Name or service not known";
        Err(io::Error::other(text))
    };
    let user = End::new(setup);
    let conn = user.dial("desk.example:5000");
    let why = user.closed(conn).to_string();
    assert_eq!(why, "cannot find desk.example: name or service not known");
}

#[test]
fn a_name_without_addresses_is_not_found() {
    let mut setup = patient();
    setup.limits.resolve = |_| Ok(Vec::new());
    let user = End::new(setup);
    let conn = user.dial("desk.example:5000");
    let why = user.closed(conn).to_string();
    assert_eq!(why, "cannot find desk.example: it has no address");
}

#[test]
fn the_second_address_is_dialled_when_the_first_refuses() {
    // As localhost does: ::1 first, where nobody listens.
    let mut setup = patient();
    setup.limits.resolve = |address| {
        let second: SocketAddr = address.parse().expect("an address");
        Ok(vec![SocketAddr::new([127, 0, 0, 9].into(), second.port()), second])
    };
    let desk = End::new(patient());
    let user = End::new(setup.clone());
    let address = desk.listen();
    let conn = user.dial(address);
    match user.next() {
        Event::Connected { conn: to, peer, key: None } => assert_eq!((to, peer), (conn, address)),
        other => panic!("{other:?}"),
    }
    user.send(conn, FIRST);
    desk.met();
    desk.net.finish(PATIENCE);
    assert!(matches!(user.closed(conn), Closed::ByPeer));
    let conn = user.dial(address);
    let why = user.closed(conn).to_string();
    let port = address.port();
    let each =
        format!("(127.0.0.9:{port}: connection refused; 127.0.0.1:{port}: connection refused)");
    assert_eq!(why, format!("cannot reach {address} {each}"));
}

#[test]
fn localhost_is_reached_whichever_of_its_addresses_listens() {
    let desk = End::new(patient());
    let user = End::new(patient());
    let port = desk.listen().port();
    let conn = user.dial(format!("localhost:{port}"));
    user.connected(conn);
}

static HANGING: AtomicBool = AtomicBool::new(true);

#[test]
fn dials_go_on_after_resolvers_that_hang_are_abandoned() {
    let mut setup = patient();
    setup.limits.resolve_within = Duration::from_millis(300);
    setup.limits.resolve = |address| {
        while address.starts_with("hangs") && HANGING.load(Ordering::Relaxed) {
            thread::yield_now();
            thread::park_timeout(Duration::from_millis(10));
        }
        resolve_plainly(address)
    };
    let desk = End::new(patient());
    let user = End::new(setup);
    let address = desk.listen();
    let hanging: Vec<Conn> =
        (0..dial::DIALERS).map(|_| user.net.dial("hangs:1", user.settings.clone())).collect();
    // All dialer threads are taken: this dial waits until the first resolver is abandoned.
    let conn = user.dial(address);
    for _ in &hanging {
        match user.next() {
            Event::Closed { conn, why } => {
                assert!(hanging.contains(&conn));
                assert_eq!(why.to_string(), "cannot find hangs: no answer within 0.3 s");
            }
            other => panic!("{other:?}"),
        }
    }
    user.connected(conn);
    // Their answers come too late and change nothing.
    HANGING.store(false, Ordering::Relaxed);
    user.close(conn);
    assert!(matches!(user.closed(conn), Closed::ByUs));
}

fn resolve_plainly(address: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(address.parse().into_iter().collect())
}

#[test]
fn a_dial_that_is_closed_before_it_connects_ends_as_closed_by_us() {
    let (desk, user) = (End::new(patient()), End::new(patient()));
    let address = desk.listen();
    let conn = user.net.dial(&address.to_string(), user.settings.clone());
    user.close(conn);
    assert!(matches!(user.closed(conn), Closed::ByUs));
    let next = user.dial(address);
    user.connected(next);
}

#[test]
fn a_taken_port_is_named() {
    let (desk, second) = (End::new(patient()), End::new(patient()));
    let address = desk.listen();
    let error = second.net.listen(&address.to_string(), second.settings.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let sentence = error.to_string();
    assert_eq!(sentence, format!("cannot listen on {address}: address already in use"));
}
