//! The gateway by itself: which events a stream gets, and when it ends.

use std::time::{Duration, Instant};

use super::{
    ANSWERED_WITHIN, BEHIND_MAX, BURST_SECONDS, EventId, GONE_AFTER, Gateway, HELD_FOR, LATEST,
    Limits, Output, PING_EVERY, Present, Reader, STREAMS_MAX,
};
use crate::core::clock::Now;
use crate::core::customer::{Belongings, CustomerId, Token, TokenHash};
use crate::core::record::{Line, Offset, What};
use crate::core::session::{Fresh, Session};
use crate::wire::{Author, Body, Conn, ConversationId, Entry, Said, Secret};

const LIMITS: Limits = Limits { customers: 10, per_address: 60, rate: 5, asks_to_agree: false };
const ANN: CustomerId = CustomerId::new([1; 16]);
const FORMER: ConversationId = ConversationId::new([2; 16]);
const PRESENT: ConversationId = ConversationId::new([3; 16]);

fn now() -> Now {
    thread_local!(static START: Instant = Instant::now());
    Now { clock: START.with(|start| *start), wall: 0 }
}

fn after(time: Duration) -> Now {
    Now { clock: now().clock + time, ..now() }
}

/// A gateway with one customer, who has `former` entries in a former conversation and `present`
/// entries in the present one.
fn gateway(former: u64, present: u64) -> Gateway {
    let mut gateway = Gateway::new(7, LIMITS);
    let conversations = vec![(FORMER, former), (PRESENT, present)];
    gateway.insert(ANN, Belongings { conversations, ..Belongings::default() }, now());
    gateway
}

fn token() -> TokenHash {
    Token::new([4; 16]).hash()
}

fn session() -> Session {
    let fresh = Fresh { id: PRESENT, secret: Secret::new([9; 32]), seed: 1 };
    Session::new(fresh, None, "desk:1".to_owned(), now())
}

/// Opens a stream of a page that has all events. The page of a held request also has the present
/// state.
fn open(gateway: &mut Gateway, conn: u64, reader: Reader) {
    let (session, count) = (session(), gateway.replay(ANN, None));
    let last = count.first - 1 + count.parts.len() as u64;
    let replay = gateway.replay(ANN, Some(EventId { epoch: 7, number: last }));
    let present = Present::of(&session);
    let tag = present.tag();
    gateway.open(Conn(conn), (ANN, token()), reader, (&replay, &[]), (&present, tag), now());
}

fn line(number: u64) -> Line {
    let body = Body::Message(Said::text(Author::User, "hello"));
    Line {
        offset: Offset(number),
        own: true,
        agent: None,
        what: What::Entry(None, Entry { number, at: 0, body }),
    }
}

/// The bytes that were written to each connection, and whether its stream ended.
fn written(gateway: &mut Gateway) -> Vec<(u64, String, bool)> {
    let text = |Output { conn, bytes, ends, .. }| {
        (conn.0, String::from_utf8(bytes).expect("a text"), ends)
    };
    gateway.take_output(now()).into_iter().map(text).collect()
}

#[test]
fn a_stream_goes_on_after_a_known_id_and_begins_anew_after_any_other() {
    let gateway = gateway(10, 700);
    let behind = |number| gateway.replay(ANN, Some(EventId { epoch: 7, number }));
    assert_eq!((behind(710).is_reset, behind(710).parts), (false, vec![]));
    assert_eq!((behind(709).first, behind(709).parts), (710, vec![(PRESENT, 699)]));
    let last = 710 - BEHIND_MAX;
    assert_eq!((behind(last).is_reset, behind(last).parts), (false, vec![(PRESENT, 200)]));
    let anew = gateway.replay(ANN, None);
    assert_eq!((anew.is_reset, anew.first), (true, 711 - LATEST));
    assert_eq!(anew.parts, [(PRESENT, 600)]);
    for unknown in [behind(last - 1), behind(711)] {
        assert_eq!(unknown, anew);
    }
    assert_eq!(gateway.replay(ANN, Some(EventId { epoch: 8, number: 710 })), anew);
}

#[test]
fn events_of_former_conversations_come_before_those_of_the_present_one() {
    let gateway = gateway(10, 5);
    let all = gateway.replay(ANN, None);
    assert_eq!((all.first, all.parts), (1, vec![(FORMER, 0), (PRESENT, 0)]));
    let page = gateway.page(ANN, 13);
    assert_eq!((page.first, page.parts), (1, vec![(FORMER, 0), (PRESENT, 0)]));
    let gateway = self::gateway(300, 5);
    assert_eq!(gateway.page(ANN, 206).parts, [(FORMER, 105), (PRESENT, 0)]);
}

#[test]
fn every_stream_gets_an_entry_with_its_number() {
    let mut gateway = gateway(10, 0);
    open(&mut gateway, 1, Reader::Events);
    open(&mut gateway, 2, Reader::Held);
    written(&mut gateway);
    gateway.committed(PRESENT, &line(1), Some("post"), |_| None);
    let told = written(&mut gateway);
    assert!(told[0].1.starts_with("id: 00000007-11\nevent: message\ndata: {") && !told[0].2);
    assert!(told[0].1.contains(r#""post":"post""#) && told[0].1.ends_with("}\n\n"));
    assert!(told[1].1.starts_with(r#"{"events":[{"id":"00000007-11","event":"message""#));
    assert!(told[1].2, "a held request is answered once");
    gateway.committed(PRESENT, &line(2), None, |_| None);
    assert_eq!(written(&mut gateway).len(), 1);
}

#[test]
fn a_stream_gets_each_present_state_once() {
    let mut gateway = gateway(0, 0);
    let mut session = session();
    gateway.open(
        Conn(1),
        (ANN, token()),
        Reader::Events,
        (&gateway.replay(ANN, None), &[]),
        (&Present::of(&session), 0),
        now(),
    );
    let opening = &written(&mut gateway)[0].1;
    assert!(opening.starts_with("event: now\n") && opening.contains("event: reset\n"));
    gateway.changed(&Present::of(&session), PRESENT, now());
    assert_eq!(written(&mut gateway), []);
    session.ask_for_human(now()).unwrap();
    gateway.changed(&Present::of(&session), PRESENT, now());
    assert!(written(&mut gateway)[0].1.contains(r#""state":"queued""#));
    gateway.changed(&Present::of(&session), PRESENT, now());
    assert_eq!(written(&mut gateway), []);
}

#[test]
fn one_stream_too_many_gets_the_reason_and_ends() {
    let mut gateway = gateway(0, 0);
    let most = STREAMS_MAX as u64;
    (1..=most).for_each(|conn| open(&mut gateway, conn, Reader::Events));
    written(&mut gateway);
    open(&mut gateway, most + 1, Reader::Events);
    let told = written(&mut gateway);
    assert_eq!((told.len(), told[0].0, told[0].2), (1, most + 1, true));
    assert!(told[0].1.starts_with("event: full\n"));
    // When one of them is gone, there is room again.
    assert_eq!(gateway.closed(Conn(1), now()), Some(ANN));
    open(&mut gateway, most + 2, Reader::Events);
    assert!(!written(&mut gateway)[0].2);
}

#[test]
fn a_stream_ends_if_its_page_stops_answering_pings_but_not_if_it_never_answered() {
    let mut gateway = gateway(0, 0);
    open(&mut gateway, 1, Reader::Events);
    open(&mut gateway, 2, Reader::Events);
    let opening = written(&mut gateway);
    let id = opening[0].1.split(r#""stream":""#).nth(1).and_then(|it| it.split('"').next());
    gateway.tick(after(PING_EVERY));
    assert!(written(&mut gateway).iter().all(|(_, text, _)| text.starts_with("event: ping\n")));
    assert!(gateway.here(ANN, id.unwrap(), after(PING_EVERY)));
    assert!(!gateway.here(ANN, "another", after(PING_EVERY)));
    let last = PING_EVERY + ANSWERED_WITHIN;
    (2..=4).for_each(|n| gateway.tick(after(PING_EVERY * n)));
    let ended: Vec<_> =
        written(&mut gateway).into_iter().map(|(conn, _, ends)| (conn, ends)).collect();
    assert!(last == PING_EVERY * 4 && ended.contains(&(1, true)) && !ended.contains(&(2, true)));
}

#[test]
fn a_held_request_is_answered_when_its_time_is_over() {
    let mut gateway = gateway(0, 0);
    open(&mut gateway, 1, Reader::Held);
    assert_eq!(written(&mut gateway), []);
    assert_eq!(gateway.deadline(), Some(after(HELD_FOR).clock));
    gateway.tick(after(HELD_FOR));
    assert_eq!(written(&mut gateway), [(1, r#"{"events":[]}"#.to_owned(), true)]);
    assert!(!gateway.is_watched(ANN));
    assert_eq!(gateway.deadline(), Some(after(GONE_AFTER).clock), "the next one is to come");
}

#[test]
fn a_customer_without_a_stream_leaves_nothing_in_memory() {
    let mut gateway = gateway(1, 1);
    let token = Token::new([4; 16]);
    gateway.name(token.hash(), ANN);
    open(&mut gateway, 1, Reader::Events);
    gateway.forget(ANN);
    assert!(gateway.knows(ANN), "a stream is open");
    gateway.closed(Conn(1), now());
    gateway.forget(ANN);
    assert!(!gateway.knows(ANN) && gateway.named(token.hash()).is_none());
    assert!(gateway.deadline().is_none() && gateway.take_presences().is_empty());
    assert!(gateway.customer(PRESENT).is_none() && gateway.customers.is_empty());
}

#[test]
fn requests_beyond_the_rate_wait_for_their_time() {
    let mut gateway = gateway(0, 0);
    assert!((0..LIMITS.rate * BURST_SECONDS).all(|_| gateway.pay(ANN, now())));
    assert!(!gateway.pay(ANN, now()));
    assert!(gateway.pay(ANN, after(Duration::from_millis(200))));
    assert!(!gateway.pay(ANN, after(Duration::from_millis(200))));
    let address = std::net::IpAddr::from([192, 0, 2, 1]).into();
    let other = std::net::IpAddr::from([192, 0, 2, 2]).into();
    assert!((0..LIMITS.per_address).all(|_| gateway.admits(address, now())));
    assert!(!gateway.admits(address, now()));
    assert!(gateway.admits(other, now()) && gateway.admits(address, after(Duration::from_secs(3))));
}

#[test]
fn a_full_gateway_takes_a_new_customer_once_another_has_left() {
    let mut gateway = Gateway::new(7, Limits { customers: 1, ..LIMITS });
    let address = std::net::IpAddr::from([192, 0, 2, 1]).into();
    assert!(gateway.admits(address, now()));
    let belongings = Belongings { conversations: vec![(PRESENT, 0)], ..Belongings::default() };
    gateway.insert(ANN, belongings, now());
    assert!(!gateway.admits(address, now()));
    gateway.forget(ANN);
    assert!(gateway.admits(address, now()));
}

#[test]
fn an_event_id_is_read_as_it_was_written() {
    assert_eq!(EventId::parse("0badcafe-17"), Some(EventId { epoch: 0x0bad_cafe, number: 17 }));
    for wrong in ["", "-", "0badcafe", "0badcafe-", "badcafe-1", "0badcafe-+1", "0badcafe--1"] {
        assert_eq!(EventId::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_withdrawn_token_ends_only_its_own_streams_and_names_nobody() {
    let mut gateway = gateway(1, 1);
    let other = Token::new([5; 16]).hash();
    for (conn, token) in [(1, token()), (2, other)] {
        gateway.name(token, ANN);
        let (session, replay) = (session(), gateway.replay(ANN, None));
        let told = (&Present::of(&session), 0);
        gateway.open(Conn(conn), (ANN, token), Reader::Events, (&replay, &[]), told, now());
    }
    written(&mut gateway);
    gateway.withdraw(token());
    let ended = written(&mut gateway);
    assert!(matches!(&*ended, [(1, text, true)] if text.contains("event: bye")), "{ended:?}");
    assert_eq!((gateway.named(token()), gateway.named(other)), (None, Some(ANN)));
}

#[test]
fn the_streams_of_joined_customers_begin_anew() {
    let mut gateway = gateway(1, 1);
    let known = EventId { epoch: 7, number: 2 };
    assert!(!gateway.replay(ANN, Some(known)).is_reset);
    open(&mut gateway, 1, Reader::Events);
    written(&mut gateway);
    gateway.renew(ANN);
    assert!(matches!(&*written(&mut gateway), [(1, _, true)]));
    assert!(!gateway.knows(ANN));
    let conversations = vec![(FORMER, 1), (PRESENT, 1)];
    let joined = Belongings { conversations, joins: 1, ..Belongings::default() };
    gateway.insert(ANN, joined, now());
    assert!(gateway.replay(ANN, Some(known)).is_reset);
}

fn seconds(seconds: u64) -> Now {
    after(Duration::from_secs(seconds))
}

/// A gateway whose customer has this many streams, and whose sessions know that the customer is
/// there.
fn watched(streams: u64) -> Gateway {
    let mut gateway = gateway(0, 0);
    (1..=streams).for_each(|conn| open(&mut gateway, conn, Reader::Events));
    assert_eq!(gateway.take_presences(), [(PRESENT, true)]);
    gateway
}

#[test]
fn a_customer_has_gone_when_no_tab_had_a_stream_for_fifteen_seconds_and_is_back_with_the_next() {
    let mut gateway = watched(2);
    gateway.closed(Conn(1), seconds(1));
    gateway.tick(seconds(20));
    assert_eq!(gateway.take_presences(), [], "the other tab is open");
    gateway.closed(Conn(2), seconds(20));
    gateway.tick(seconds(34));
    assert_eq!(gateway.take_presences(), []);
    assert_eq!(gateway.deadline(), Some(seconds(35).clock));
    gateway.tick(seconds(35));
    assert_eq!(gateway.take_presences(), [(PRESENT, false)]);
    assert_eq!(gateway.deadline(), None, "a customer who has gone costs nothing");
    open(&mut gateway, 3, Reader::Events);
    assert_eq!(gateway.take_presences(), [(PRESENT, true)]);
}

#[test]
fn a_customer_is_not_away_between_two_pages_or_two_held_requests() {
    for reader in [Reader::Events, Reader::Held] {
        let mut gateway = watched(1);
        for conn in 1..10 {
            gateway.closed(Conn(conn), seconds(conn * 14));
            gateway.tick(seconds(conn * 14 + 13));
            open(&mut gateway, conn + 1, reader);
        }
        assert_eq!(gateway.take_presences(), [], "{reader:?}");
    }
}

#[test]
fn a_customer_without_a_stream_is_there_for_fifteen_seconds_after_each_request() {
    let mut gateway = watched(0);
    let mut news_after = |request: Option<u64>, tick: u64| {
        request.iter().for_each(|at| gateway.note_request(ANN, seconds(*at)));
        gateway.tick(seconds(tick));
        gateway.take_presences()
    };
    assert_eq!(news_after(Some(10), 24), []);
    assert_eq!(news_after(Some(24), 38), []);
    assert_eq!(news_after(None, 39), [(PRESENT, false)]);
    assert_eq!(news_after(Some(50), 64), [(PRESENT, true)]);
    assert_eq!(news_after(None, 65), [(PRESENT, false)]);
    let mut gateway = watched(1);
    gateway.note_request(ANN, now());
    gateway.tick(seconds(60));
    assert_eq!(gateway.take_presences(), [], "a stream is open");
}

#[test]
fn only_the_present_conversation_learns_that_the_customer_has_gone() {
    let mut gateway = watched(1);
    let another = ConversationId::new([5; 16]);
    gateway.begin(ANN, another);
    gateway.closed(Conn(1), now());
    gateway.tick(seconds(15));
    assert_eq!(gateway.take_presences(), [(another, false)]);
}

#[test]
fn a_session_learns_that_its_customer_is_there_when_they_come_into_memory_again() {
    let mut gateway = watched(0);
    gateway.tick(seconds(15));
    assert_eq!(gateway.take_presences(), [(PRESENT, false)]);
    gateway.renew(ANN);
    let belongings = Belongings { conversations: vec![(PRESENT, 0)], ..Belongings::default() };
    gateway.insert(ANN, belongings, seconds(20));
    assert_eq!(gateway.take_presences(), [(PRESENT, true)]);
    gateway.tick(seconds(35));
    assert_eq!(gateway.take_presences(), [(PRESENT, false)]);
}
