//! The queue, and who may say what a customer decided.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::room::{RETRY_FIRST, RETRY_SPREAD};
use super::*;
use crate::core::delivery::LIFETIME;
use crate::core::outcome::{Fact, Passage};
use crate::core::record::Story;
use crate::core::report::{AgentRefusal, Choice, Link};
use crate::edge::journal::Journal;
use crate::wire::{Asked, Body, Button, EndReason, Hello, Said, Secret, VERSION};

fn now() -> Now {
    after(Duration::ZERO)
}

fn after(time: Duration) -> Now {
    // One start for all of a test's moments.
    thread_local!(static START: Instant = Instant::now());
    Now { clock: START.with(|start| *start) + time, wall: 0 }
}

fn id(n: u8) -> ConversationId {
    ConversationId::new([n; 16])
}

fn desk() -> Desk {
    Desk::new(DeskId::new([1; 16]), Options::default(), now())
}

fn hello(n: u8) -> Hello {
    Hello {
        version: VERSION,
        conversation: id(n),
        secret: Secret::new([n; 32]),
        name: None,
        received: Default::default(),
        newest: 1,
        features: Vec::new(),
    }
}

/// Customer `n` connects from the address of that number, and says hello.
fn dials(desk: &mut Desk, n: u8, conn: u64, address: u8, now: Now) {
    greets(desk, hello(n), conn, address, now);
}

fn greets(desk: &mut Desk, hello: Hello, conn: u64, address: u8, now: Now) {
    desk.opened(Conn(conn), IpAddr::from(Ipv4Addr::new(192, 0, 2, address)).into());
    desk.received(Conn(conn), Message::Hello(hello), now);
}

/// A customer connects as connection `n` and asks for a person.
fn joins(desk: &mut Desk, n: u8) {
    dials(desk, n, n.into(), n, now());
    says(desk, n, 1, Body::Requested { reason: None });
}

/// A desk with room for so many, and so many from one address.
fn small(customers: usize, customers_per_address: usize) -> Desk {
    let options = Options { customers, customers_per_address, ..Options::default() };
    Desk::new(DeskId::new([1; 16]), options, now())
}

/// When this connection shall come back, if it was told so since the last call; and that it was
/// then closed.
fn busy(desk: &mut Desk, conn: u64) -> Option<u32> {
    let acts = desk.outcome().acts;
    let retry = sent(&acts).find_map(|(to, message)| match message {
        Message::Busy { retry } if to.0 == conn => Some(*retry),
        _ => None,
    })?;
    let conn = Conn(conn);
    assert!(acts.contains(&Act::Close(conn)) && !acts.contains(&Act::Admit(conn)));
    Some(retry)
}

fn says(desk: &mut Desk, n: u8, number: Number, body: Body) {
    desk.received(Conn(n.into()), Message::Entry(Entry { number, at: 0, body }), now());
}

/// The places in the queue that were told since the last call: connection and place.
fn places(desk: &mut Desk) -> Vec<(u64, u32)> {
    let place = |(conn, message): (Conn, &Message)| match message {
        Message::Position { position } => Some((conn.0, *position)),
        _ => None,
    };
    sent(&desk.outcome().acts).filter_map(place).collect()
}

/// The messages without a number that are to be sent, each with its connection.
fn sent(acts: &[Act]) -> impl Iterator<Item = (Conn, &Message)> {
    acts.iter().filter_map(|act| match act {
        Act::Send(conn, message) => Some((*conn, message)),
        _ => None,
    })
}

/// The reports that are to be told.
fn reports(acts: &[Act]) -> impl Iterator<Item = &Report> {
    acts.iter().filter_map(|act| match act {
        Act::Tell(Fact::Report(_, report)) => Some(report),
        _ => None,
    })
}

/// The code of the goodbye that a connection was told since the last call.
fn bye(desk: &mut Desk, n: u8) -> Option<Code> {
    sent(&desk.outcome().acts).find_map(|(conn, message)| match message {
        Message::Bye { code, .. } if conn.0 == u64::from(n) => Some(*code),
        _ => None,
    })
}

#[test]
fn who_waits_behind_moves_up_and_is_told() {
    let mut desk = desk();
    (1..=3).for_each(|n| joins(&mut desk, n));
    assert_eq!(places(&mut desk), [(1, 1), (2, 2), (3, 3)]);
    says(&mut desk, 1, 2, Body::Withdrawn {});
    desk.tick(now());
    assert_eq!(places(&mut desk), [(2, 1), (3, 2)]);
}

#[test]
fn who_comes_and_goes_all_the_time_has_the_others_told_once_a_second() {
    let mut desk = desk();
    (1..=3).for_each(|n| joins(&mut desk, n));
    places(&mut desk);
    let (start, mut told) = (now(), Vec::new());
    for number in 1..=500 {
        says(&mut desk, 1, 2 * number, Body::Withdrawn {});
        says(&mut desk, 1, 2 * number + 1, Body::Requested { reason: None });
        desk.tick(start);
        told.extend(places(&mut desk).into_iter().filter(|(conn, _)| *conn != 1));
    }
    assert_eq!(told, [(2, 1), (3, 2)]);
    says(&mut desk, 2, 2, Body::Withdrawn {});
    assert_eq!(desk.deadline(), start.clock + PLACES_TOLD);
    desk.tick(after(PLACES_TOLD));
    assert_eq!(places(&mut desk), [(3, 1), (1, 2)], "nobody is left with a place that is not so");
}

#[test]
fn whose_link_comes_and_goes_all_the_time_is_told_of_now_and_then_and_at_last_as_it_is() {
    let mut desk = desk();
    joins(&mut desk, 1);
    let told = |desk: &mut Desk, now: Now| {
        desk.tick(now);
        let link = |report: &Report| match report {
            Report::Link { link, .. } => Some(*link),
            _ => None,
        };
        reports(&desk.outcome().acts).filter_map(link).collect::<Vec<_>>()
    };
    let start = now();
    assert_eq!(told(&mut desk, start), [Link::Connected]);
    let mut all = Vec::new();
    for conn in 1..=300 {
        desk.disconnected(Conn(conn), "cut");
        all.extend(told(&mut desk, start));
        dials(&mut desk, 1, conn + 1, 1, start);
        all.extend(told(&mut desk, start));
    }
    assert_eq!(all.len(), 9, "{all:?}");
    desk.disconnected(Conn(301), "cut");
    assert_eq!(told(&mut desk, start), [], "it was lost when it was told of last");
    dials(&mut desk, 1, 400, 1, start);
    assert_eq!(told(&mut desk, start), []);
    let later = after(Duration::from_secs(60));
    assert_eq!(desk.deadline(), later.clock);
    assert_eq!(told(&mut desk, later), [Link::Connected]);
    assert_eq!(desk.flapped.deadline(), None);
}

#[test]
fn accept_passes_over_whose_line_is_down_and_takes_a_number_all_the_same() {
    let mut desk = desk();
    (1..=3).for_each(|n| joins(&mut desk, n));
    desk.disconnected(Conn(1), "cut");
    desk.accept(None, now()).unwrap();
    desk.outcome();
    says(&mut desk, 2, 2, Body::Accepted { of: Asked { desk: DeskId::new([1; 16]), number: 1 } });
    assert_eq!(desk.prompt(), "#2 Customer 0202");
    desk.accept(Some(1), now()).unwrap();
    assert!(matches!(desk.accept(Some(1), now()), Err(AgentRefusal::BeingAccepted(_))));
    assert_eq!(desk.accept(Some(9), now()), Err(AgentRefusal::NoSuch(9)));
}

#[test]
fn an_answer_to_nothing_we_asked_is_made_up() {
    let of = Asked { desk: DeskId::new([1; 16]), number: 1 };
    for body in [
        Body::Accepted { of },
        Body::HandedBack { of },
        Body::Closed { of: Some(of), reason: EndReason::AdminClosed },
    ] {
        let mut desk = desk();
        joins(&mut desk, 1);
        desk.outcome();
        says(&mut desk, 1, 2, body);
        assert_eq!(bye(&mut desk, 1), Some(Code::Protocol));
        assert!(!desk.is_talking());
    }
    // An answer of another kind than the question is made up too.
    let mut desk = desk();
    joins(&mut desk, 1);
    desk.accept(None, now()).unwrap();
    desk.outcome();
    says(&mut desk, 1, 2, Body::HandedBack { of });
    assert_eq!(bye(&mut desk, 1), Some(Code::Protocol));
}

#[test]
fn a_customer_away_for_a_day_is_given_up_and_is_back_in_the_queue_when_they_come_back() {
    let mut desk = desk();
    joins(&mut desk, 1);
    desk.disconnected(Conn(1), "cut");
    desk.tick(after(LIFETIME - IDLE_NOTED));
    assert_eq!(desk.waiting(), ["#1 Customer 0101"]);
    desk.tick(after(LIFETIME));
    assert_eq!(desk.waiting(), [] as [&str; 0]);
    dials(&mut desk, 1, 2, 1, after(LIFETIME));
    assert_eq!(desk.waiting(), ["#1 Customer 0101"]);
}

#[test]
fn a_line_for_nobody_is_refused_with_what_to_do() {
    let mut desk = desk();
    assert_eq!(desk.say("hello?", now()), Err(AgentRefusal::NoFocus(Choice::Nobody)));
    joins(&mut desk, 1);
    assert_eq!(desk.say("hello?", now()), Err(AgentRefusal::NoFocus(Choice::Accept)));
}

/// What a desk's outputs would have journaled of conversation `n`, as a restart finds it.
fn story(journal: &Journal, n: u8) -> Story {
    journal.story(id(n)).unwrap().expect("it was begun")
}

/// Commits what is to be, and forgets who left.
fn settle(desk: &mut Desk, journal: &mut Journal) {
    journal.commit(desk.outcome().records).unwrap();
    while let Some(due) = desk.due() {
        if let Due::Entry { conversation, .. } = due {
            desk.sent(conversation, 100);
        }
    }
    desk.rest();
}

#[test]
fn strangers_who_begin_and_end_conversations_all_day_leave_nothing_in_memory() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    desk.options.auto_accept = true;
    for n in 1..=200 {
        joins(&mut desk, n);
        says(&mut desk, n, 2, Body::Closed { of: None, reason: EndReason::UserEnded });
        desk.disconnected(Conn(n.into()), "gone");
        // With another's secret: known again for as long as it takes to turn it away.
        settle(&mut desk, &mut journal);
        assert!(!desk.knows(id(n)));
        desk.recall(&story(&journal, n), now());
        let mut hello = hello(n);
        hello.secret = Secret::new([n + 1; 32]);
        greets(&mut desk, hello, 1000 + u64::from(n), n, now());
        settle(&mut desk, &mut journal);
    }
    assert!(desk.conversations.is_empty() && desk.connections.is_empty());
    assert!(desk.queue.is_empty() && desk.touched.is_empty() && desk.leaving.is_empty());
}

#[test]
fn who_left_and_is_back_has_the_same_number_and_goes_on_where_it_was() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    (1..=2).for_each(|n| joins(&mut desk, n));
    says(&mut desk, 1, 2, Body::Withdrawn {});
    desk.disconnected(Conn(1), "gone");
    settle(&mut desk, &mut journal);
    assert!(!desk.knows(id(1)) && desk.knows(id(2)));
    assert_eq!(desk.accept(Some(1), now()).unwrap_err(), AgentRefusal::HasEnded(1));
    assert_eq!(journal.conversation(1).unwrap(), Some(id(1)));
    joins(&mut desk, 3);
    desk.recall(&story(&journal, 1), now());
    dials(&mut desk, 1, 4, 1, now());
    let outcome = desk.outcome();
    let mut messages = sent(&outcome.acts);
    assert!(messages.any(|(_, m)| matches!(m, Message::Welcome(welcome) if welcome.received == 2)));
    desk.received(
        Conn(4),
        Message::Entry(Entry { number: 3, at: 0, body: Body::Requested { reason: None } }),
        now(),
    );
    assert_eq!(desk.waiting(), ["#2 Customer 0202", "#3 Customer 0303", "#1 Customer 0101"]);
}

#[test]
fn who_leaves_within_a_backlog_that_never_ended_takes_no_desk_along() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    // The desk was set back: its entry 1, an accept, is held by the customer only.
    let received = [(DeskId::new([1; 16]), 1)].into();
    let announced = Hello { newest: 99, received, ..hello(1) };
    greets(&mut desk, announced, 1, 1, now());
    says(&mut desk, 1, 1, Body::Requested { reason: None });
    let ours = |number| Asked { desk: DeskId::new([1; 16]), number };
    let other = Asked { desk: DeskId::new([2; 16]), number: 1 };
    says(&mut desk, 1, 2, Body::Accepted { of: ours(1) });
    let _ = desk.switch_to_next();
    says(&mut desk, 1, 3, Body::Accepted { of: other });
    desk.disconnected(Conn(1), "gone");
    settle(&mut desk, &mut journal);
    assert!(!desk.knows(id(1)));
    assert!(matches!(desk.say("who is there?", now()), Err(AgentRefusal::NoFocus(_))));
    assert_eq!((desk.prompt(), desk.focus()), ("nobody".to_owned(), None));
}

#[test]
fn who_left_before_a_typed_line_was_delivered_stays_until_it_is() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    joins(&mut desk, 1);
    desk.accept(None, now()).unwrap();
    let of = Asked { desk: DeskId::new([1; 16]), number: 1 };
    says(&mut desk, 1, 2, Body::Accepted { of });
    desk.say("wait!", now()).unwrap();
    says(&mut desk, 1, 3, Body::Closed { of: None, reason: EndReason::UserEnded });
    desk.disconnected(Conn(1), "gone");
    settle(&mut desk, &mut journal);
    assert_eq!(desk.undelivered(), [(id(1), 1..=2)], "it is told at the end, if it comes to that");
    let back = Hello { received: [(DeskId::new([1; 16]), 2)].into(), ..hello(1) };
    greets(&mut desk, back, 2, 1, now());
    desk.disconnected(Conn(2), "gone");
    settle(&mut desk, &mut journal);
    assert!(!desk.knows(id(1)));
}

#[test]
fn a_stranger_who_says_nothing_leaves_nothing() {
    let mut desk = desk();
    dials(&mut desk, 1, 1, 1, now());
    desk.disconnected(Conn(1), "gone");
    assert!(desk.conversations.is_empty() && desk.connections.is_empty() && desk.room.is_empty());
}

#[test]
fn a_full_desk_takes_nobody_new_until_somebody_is_gone() {
    let mut desk = small(2, 9);
    (1..=3).for_each(|n| dials(&mut desk, n, n.into(), n, now()));
    assert!(busy(&mut desk, 3).is_some());
    // Who waits keeps the place, connected or not.
    says(&mut desk, 1, 1, Body::Requested { reason: None });
    desk.disconnected(Conn(1), "cut");
    dials(&mut desk, 3, 4, 3, now());
    assert!(busy(&mut desk, 4).is_some());
    dials(&mut desk, 1, 5, 1, now());
    assert!(busy(&mut desk, 5).is_none(), "who waits is let in again");
    // Who is connected has a place, and who has neither gives it back.
    desk.disconnected(Conn(2), "gone");
    dials(&mut desk, 3, 6, 3, now());
    assert!(busy(&mut desk, 6).is_none());
}

#[test]
fn a_place_is_free_again_however_a_conversation_ends() {
    let closed = Body::Closed { of: None, reason: EndReason::UserEnded };
    for end in [Some(Body::Withdrawn {}), Some(closed), None] {
        let mut desk = small(1, 9);
        joins(&mut desk, 1);
        if let Some(end) = end {
            says(&mut desk, 1, 2, end);
            dials(&mut desk, 2, 9, 2, now());
            assert!(busy(&mut desk, 9).is_some(), "who is connected has a place");
            desk.disconnected(Conn(1), "bye");
        } else {
            desk.disconnected(Conn(1), "cut");
            desk.tick(after(LIFETIME));
        }
        assert!(desk.room.is_empty());
        joins(&mut desk, 2);
        assert_eq!(desk.waiting(), ["#2 Customer 0202"]);
    }
}

#[test]
fn one_address_has_its_share_wherever_its_customers_go() {
    let mut desk = small(9, 1);
    dials(&mut desk, 1, 1, 77, now());
    dials(&mut desk, 2, 2, 77, now());
    assert!(busy(&mut desk, 2).is_some());
    dials(&mut desk, 2, 3, 78, now());
    assert!(busy(&mut desk, 3).is_none(), "another address has its own");
    // The first goes on from elsewhere, and leaves its share there.
    dials(&mut desk, 1, 4, 79, now());
    dials(&mut desk, 3, 5, 77, now());
    assert!(busy(&mut desk, 5).is_none());
    (1..=5).for_each(|conn| desk.disconnected(Conn(conn), "gone"));
    assert!(desk.room.is_empty());
}

#[test]
fn who_is_turned_away_comes_back_at_another_time_than_others() {
    let mut desk = small(0, 9);
    let mut retries: Vec<u32> = (1..=25)
        .map(|n| {
            dials(&mut desk, n, n.into(), n, now());
            busy(&mut desk, n.into()).expect("there is no room at all")
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

#[test]
fn an_answer_to_what_a_lost_entry_asked_leaves_open_what_was_asked_since() {
    let mut desk = desk();
    let ours = |number| Asked { desk: DeskId::new([1; 16]), number };
    greets(
        &mut desk,
        Hello { received: [(ours(0).desk, 4)].into(), newest: 2, ..hello(1) },
        1,
        1,
        now(),
    );
    says(&mut desk, 1, 1, Body::Requested { reason: None });
    says(&mut desk, 1, 2, Body::Message(Said::text(Author::User, "hello?")));
    desk.accept(None, now()).unwrap();
    says(&mut desk, 1, 3, Body::Accepted { of: ours(3) });
    assert!(desk.is_talking() && desk.is_asking());
    desk.outcome();
    says(
        &mut desk,
        1,
        4,
        Body::Refused { of: ours(5), why: "another agent has the customer".to_owned() },
    );
    let is_told = |report: &Report| match report {
        Report::News { text } => text.to_string().contains("another agent"),
        _ => false,
    };
    assert!(reports(&desk.outcome().acts).any(is_told));
    assert!(desk.is_talking() && !desk.is_asking());
}

/// Customer `n` waits, comes back as connection `conn` with a backlog that has no end, and
/// withdraws in it.
fn withdraws_in_a_backlog_without_end(desk: &mut Desk, n: u8, conn: u64) {
    joins(desk, n);
    greets(desk, Hello { newest: Number::MAX, ..hello(n) }, conn, n, now());
    let withdrawn = Entry { number: 2, at: 0, body: Body::Withdrawn {} };
    desk.received(Conn(conn), Message::Entry(withdrawn), now());
}

#[test]
fn who_withdrew_in_a_backlog_without_end_is_passed_over() {
    let mut desk = desk();
    withdraws_in_a_backlog_without_end(&mut desk, 1, 101);
    joins(&mut desk, 2);
    assert_eq!(desk.accept(None, now()), Ok(id(2)));
}

#[test]
fn who_withdrew_in_a_backlog_that_broke_off_keeps_the_place_in_the_room_as_in_the_queue() {
    let mut desk = small(1, 9);
    withdraws_in_a_backlog_without_end(&mut desk, 1, 101);
    desk.disconnected(Conn(101), "cut");
    dials(&mut desk, 2, 2, 2, now());
    assert_eq!((busy(&mut desk, 2).is_some(), desk.waiting().len()), (true, 1));
    desk.tick(after(LIFETIME));
    desk.rest();
    assert!(desk.room.is_empty() && desk.queue.is_empty() && desk.conversations.is_empty());
}

#[test]
fn a_crowd_that_asked_and_hung_up_does_not_count_after_a_minute_and_who_is_back_has_the_old_place()
{
    let mut desk = Desk::new(
        DeskId::new([1; 16]),
        Options { customers_per_address: 250, ..Options::default() },
        now(),
    );
    let start = now();
    for n in 1..=200 {
        dials(&mut desk, n, n.into(), 77, start);
        says(&mut desk, n, 1, Body::Requested { reason: None });
    }
    (2..=200).for_each(|n| desk.disconnected(Conn(n), "gone"));
    desk.tick(start);
    joins(&mut desk, 201);
    desk.tick(start);
    assert_eq!(places(&mut desk).last(), Some(&(201, 201)), "a short cut moves nobody");
    assert_eq!(desk.deadline(), start.clock + COUNTED_WITHOUT_LINK, "the desk wakes up for that");
    let later = after(COUNTED_WITHOUT_LINK);
    desk.tick(later);
    assert_eq!(places(&mut desk), [(201, 2)]);
    joins(&mut desk, 202);
    assert_eq!(places(&mut desk), [(202, 3)]);
    let listed = desk.list();
    assert_eq!(listed.len(), 202);
    assert_eq!(listed[0], "#1 Customer 0101 is waiting, number 1 in the queue");
    assert!(listed[1].contains("#2 Customer 0202 is waiting, not connected"), "{}", listed[1]);
    assert_eq!(listed[200], "#201 Customer c9c9 is waiting, number 2 in the queue");
    assert_eq!(desk.accept(Some(3), later), Ok(id(3)), "the agent can take them all the same");
    // One is back, and the others are told.
    dials(&mut desk, 2, 1002, 77, later);
    desk.tick(after(COUNTED_WITHOUT_LINK + PLACES_TOLD));
    assert_eq!(places(&mut desk), [(1002, 2), (201, 3), (202, 4)]);
    says(&mut desk, 1, 2, Body::Withdrawn {});
    desk.tick(after(COUNTED_WITHOUT_LINK + 2 * PLACES_TOLD));
    assert_eq!(places(&mut desk), [(1002, 1), (201, 2), (202, 3)]);
}

#[test]
fn after_a_restart_who_does_not_come_back_counts_for_a_minute() {
    let (mut desk, mut journal) = (desk(), Journal::in_memory());
    (1..=2).for_each(|n| joins(&mut desk, n));
    settle(&mut desk, &mut journal);
    let restart = journal.restart().unwrap();
    let mut desk = Desk::restore(DeskId::new([1; 16]), Options::default(), &restart, now());
    dials(&mut desk, 2, 12, 2, now());
    desk.tick(now());
    assert_eq!(places(&mut desk), [(12, 2)]);
    desk.tick(after(COUNTED_WITHOUT_LINK));
    assert_eq!(places(&mut desk), [(12, 1)]);
    // Whose connection comes and goes counts on.
    desk.disconnected(Conn(12), "cut");
    desk.tick(after(COUNTED_WITHOUT_LINK));
    dials(&mut desk, 2, 13, 2, after(COUNTED_WITHOUT_LINK));
    assert_eq!(desk.deadline(), now().clock + IDLE_NOTED);
    assert!(!desk.queue.counts(id(1)) && desk.queue.deadline().is_none());
    dials(&mut desk, 1, 11, 1, after(2 * COUNTED_WITHOUT_LINK));
    assert!(places(&mut desk).contains(&(11, 1)));
}

#[test]
fn an_answer_that_names_no_entry_of_the_desks_is_refused() {
    let mut desk = desk();
    for (n, body) in (1..).zip([
        Body::Accepted { of: Asked { desk: DeskId::new([1; 16]), number: 0 } },
        Body::HandedBack { of: Asked { desk: DeskId::new([1; 16]), number: 0 } },
        Body::Closed {
            of: Some(Asked { desk: DeskId::new([1; 16]), number: 0 }),
            reason: EndReason::AdminClosed,
        },
    ]) {
        joins(&mut desk, n);
        desk.outcome();
        says(&mut desk, n, 2, body);
        assert_eq!(bye(&mut desk, n), Some(Code::Protocol));
    }
}

#[test]
fn what_waits_for_the_state_of_a_backlog_is_bounded_in_bytes_of_every_part() {
    let url = Some("u".repeat(2048).into_boxed_str());
    let link = Button { url, ..Button::default() };
    let messages = [
        Said::text(Author::User, &"x".repeat(8 << 10)),
        Said { buttons: vec![link; 29], ..Said::text(Author::User, "") },
        Said { buttons: vec![Button::default(); 32], ..Said::text(Author::User, "") },
        Said { name: Some("n".repeat(128).into()), ..Said::text(Author::User, "") },
    ];
    for message in messages {
        let mut desk = desk();
        greets(&mut desk, Hello { newest: 1_900, ..hello(1) }, 1, 1, now());
        says(&mut desk, 1, 1, Body::Requested { reason: None });
        let (mut flushes, mut told) = (0, 0);
        for number in 2..=1_900 {
            says(&mut desk, 1, number, Body::Message(message.clone()));
            for act in desk.outcome().acts {
                if let Act::Tell(Fact::Said(Passage { numbers, .. })) = act
                    && numbers.start() < numbers.end()
                {
                    flushes += 1;
                    told = (numbers.end() - numbers.start() + 1) as usize;
                }
            }
        }
        // By what crosses the wire, not by the count that is tested.
        let encoded = serde_json::to_string(&message).expect("a message is JSON").len();
        let most = UNTOLD_BYTES_MAX as usize + encoded;
        assert!(told * encoded <= most, "{told} messages of {encoded} bytes in one turn");
        assert_eq!(flushes, 1, "what follows is told as it comes");
    }
}
