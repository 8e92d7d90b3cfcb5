//! What an agent can do with a customer who still waits: close, hand back or offer them by number.

use std::time::Duration;

use super::team::{options, outcomes, takes, team};
use super::undo::news;
use super::{after, greets, hello, id, joins, now, reports, says, sent};
use crate::core::clock::Now;
use crate::core::desk::{
    AGENT_GRACE, Act, Desk, Errand, OFFERED_FOR, Options, SeatId, UNDO_WITHIN,
};
use crate::core::outcome::Side;
use crate::core::record::Ending;
use crate::core::report::{AgentRefusal, EndingOutcome, Report, TransferOutcome};
use crate::wire::{
    Asked, Author, Body, Conn, DeskId, EndReason, Entry, Hello, Message, Number, REQUEUE, Request,
    Said,
};

/// A call is due after this time.
const GATHERED: Duration = Duration::from_secs(1);

fn ours(number: Number) -> Asked {
    Asked { desk: DeskId::new([1; 16]), number }
}

#[test]
fn a_customer_who_waits_is_closed_or_handed_back_by_number_and_no_agent_has_them() {
    for ending in [Ending::Close, Ending::HandBack] {
        let (mut desk, [robin, al, _]) = team();
        joins(&mut desk, 1);
        desk.outcome();
        assert_eq!(desk.end_soon(robin, Some(1), ending, None, now()), Ok(()));
        assert_eq!(news(&mut desk), (vec![EndingOutcome::Begun], vec![]), "it can be undone");
        desk.tick(after(UNDO_WITHIN));
        let accept = Body::Accept { request: 1, name: None };
        assert_eq!(news(&mut desk), (vec![], vec![accept]));
        let being = AgentRefusal::BeingAccepted("#1 Customer 0101".into());
        assert_eq!(desk.end(al, Some(1), ending, None, now()), Err(being));
        says(&mut desk, 1, 2, Body::Accepted { of: ours(1) });
        assert!(!desk.is_talking(robin) && !desk.is_talking(al));
        let (asked, answer) = match ending {
            Ending::Close => (
                Body::Close { request: 1 },
                Body::Closed { of: Some(ours(2)), reason: EndReason::AdminClosed },
            ),
            Ending::HandBack => (Body::HandBack { request: 1 }, Body::HandedBack { of: ours(2) }),
        };
        assert_eq!(news(&mut desk), (vec![], vec![asked]));
        says(&mut desk, 1, 3, answer);
        assert!(desk.waiting().is_empty());
        assert_eq!(desk.note(al, Some(1), "spam"), Err(AgentRefusal::HasEnded(1)));
    }
}

#[test]
fn accepting_writing_to_or_undo_keeps_a_waiting_customer_whose_end_is_planned() {
    let (mut desk, [robin, al, _]) = team();
    let soon = |desk: &mut Desk| {
        desk.end_soon(robin, Some(1), Ending::Close, None, now()).expect("customer 1 waits");
        assert_eq!(news(desk).0, [EndingOutcome::Begun]);
    };
    joins(&mut desk, 1);
    desk.outcome();
    soon(&mut desk);
    assert_eq!(desk.accept(al, None, now()), Err(AgentRefusal::NobodyWaitingIsConnected));
    assert_eq!(desk.undo(al, now()), Err(AgentRefusal::NothingToUndo));
    desk.tick(after(GATHERED));
    desk.outcome();
    assert_eq!(desk.undo(robin, after(GATHERED)), Ok(()));
    assert_eq!(news(&mut desk).0, [EndingOutcome::Undone]);
    // While the conversation was ending, nobody was called.
    desk.tick(after(GATHERED * 2));
    let acts = desk.outcome().acts;
    assert!(acts.iter().any(|act| matches!(act, Act::Errand(Errand::Ring(..)))), "{acts:?}");
    soon(&mut desk);
    says(&mut desk, 1, 2, Body::Message(Said::text(Author::User, "are you there?")));
    assert_eq!(news(&mut desk).0, [EndingOutcome::CustomerWrote]);
    soon(&mut desk);
    assert_eq!(desk.accept(al, Some(1), now()), Ok(id(1)));
    assert_eq!(news(&mut desk).0, [EndingOutcome::Reassigned]);
    desk.tick(after(UNDO_WITHIN));
    says(&mut desk, 1, 3, Body::Accepted { of: ours(1) });
    assert!(desk.is_own(al, id(1)));
}

#[test]
fn a_customer_who_is_kept_while_they_are_accepted_waits_again() {
    let (mut desk, [robin, al, _]) = team();
    joins(&mut desk, 1);
    desk.end(robin, Some(1), Ending::Close, None, now()).expect("customer 1 waits");
    says(&mut desk, 1, 2, Body::Message(Said::text(Author::User, "are you there?")));
    says(&mut desk, 1, 3, Body::Accepted { of: ours(1) });
    assert_eq!(desk.waiting(), ["#1 Customer 0101"]);
    assert_eq!(desk.accept(al, None, now()), Ok(id(1)));
}

#[test]
fn a_customer_who_waits_is_offered_to_an_agent_and_any_agent_may_have_them() {
    let (mut desk, [robin, al, kim]) = team();
    let offer = |desk: &mut Desk| {
        desk.transfer(robin, Some(1), "al", Some("yours?"), now()).expect("al is here");
        assert_eq!(outcomes(desk), [TransferOutcome::Offered]);
    };
    joins(&mut desk, 1);
    offer(&mut desk);
    assert!(desk.list(al, now())[0].to_string().contains("(offered to you)"));
    assert_eq!(desk.decline(al, 1), Ok(()));
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Declined]);
    offer(&mut desk);
    desk.tick(after(OFFERED_FOR));
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Late]);
    assert_eq!(desk.waiting().len(), 1, "the customer still waits");
    offer(&mut desk);
    desk.accept(kim, Some(1), now()).expect("kim is quicker");
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Void]);
    joins(&mut desk, 2);
    desk.transfer(robin, Some(2), "al", None, now()).expect("al is here");
    desk.accept(al, Some(2), now()).expect("it is offered");
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Offered, TransferOutcome::Accepted]);
    let who = || "#3 Customer 0303".to_owned();
    joins(&mut desk, 3);
    let queue = desk.transfer(robin, Some(3), "queue", None, now());
    assert_eq!(queue, Err(AgentRefusal::NotYours(who())), "they wait already");
    assert_eq!(desk.transfer(robin, Some(3), "robin", None, now()), Err(AgentRefusal::ToYourself));
}

#[test]
fn a_note_is_kept_in_any_conversation_and_only_its_agent_passes_it_on_or_ends_it() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    desk.outcome();
    assert_eq!(desk.note(al, Some(1), "called by phone"), Ok(()));
    let notes =
        reports(&desk.outcome().acts).filter(|it| matches!(it, Report::Note { .. })).count();
    assert_eq!(notes, 1);
    let taken = AgentRefusal::Taken { who: "#1 Customer 0101".into(), agent: "robin".into() };
    assert_eq!(desk.end(al, Some(1), Ending::Close, None, now()), Err(taken.clone()));
    assert_eq!(desk.transfer(al, Some(1), "kim", None, now()), Err(taken));
    assert_eq!(desk.note(al, Some(7), "x"), Err(AgentRefusal::NoSuch(7)));
}

/// What customer `n` was sent of the queue since the last call: the position, and whether all
/// agents are away or gone.
fn places(desk: &mut Desk, n: u8) -> Vec<(u32, Option<bool>)> {
    let acts = desk.outcome().acts;
    let place = |(conn, message): (Conn, &Message)| match message {
        Message::Position { position, unattended } if conn == Conn(n.into()) => {
            Some((*position, *unattended))
        }
        _ => None,
    };
    sent(&acts).filter_map(place).collect()
}

#[test]
fn customers_hear_once_that_all_agents_are_away_and_once_that_one_is_here_again() {
    let (mut desk, [robin, al, kim]) = team();
    joins(&mut desk, 1);
    assert_eq!(places(&mut desk, 1), [(1, Some(false))]);
    let passes = |desk: &mut Desk, seconds| {
        desk.tick(after(Duration::from_secs(seconds)));
        places(desk, 1)
    };
    for seat in [robin, al, SeatId::TERMINAL] {
        desk.set_away(seat, Some("at lunch"), after(Duration::from_secs(2)));
    }
    assert_eq!(passes(&mut desk, 2), [], "kim is here");
    // Kim's terminal may be back at once.
    desk.sign_out(kim, after(Duration::from_secs(3)));
    assert_eq!(passes(&mut desk, 3), []);
    let gone = 3 + AGENT_GRACE.as_secs();
    assert_eq!(passes(&mut desk, gone), [(1, Some(true))]);
    desk.set_away(robin, Some("at lunch, still"), after(Duration::from_secs(gone + 2)));
    assert_eq!(passes(&mut desk, gone + 2), []);
    joins(&mut desk, 2);
    assert_eq!(places(&mut desk, 2), [(2, Some(true))], "also who comes now");
    desk.set_away(al, None, after(Duration::from_secs(gone + 4)));
    desk.tick(after(Duration::from_secs(gone + 4)));
    assert_eq!(places(&mut desk, 2), [(2, Some(false))]);
}

#[test]
fn a_desk_that_was_just_started_says_that_agents_are_here_or_away_once_it_knows() {
    let comes_at = |seconds: Option<u64>| {
        let options = Options { has_terminal: false, ..options(&["robin"]) };
        let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
        joins(&mut desk, 1);
        let mut heard = places(&mut desk, 1);
        for second in 0..=AGENT_GRACE.as_secs() {
            if seconds == Some(second) {
                desk.sign_in("robin").expect("an agent");
            }
            desk.tick(after(Duration::from_secs(second)));
            heard.extend(places(&mut desk, 1));
        }
        heard
    };
    assert_eq!(comes_at(Some(5)), [(1, None), (1, Some(false))]);
    assert_eq!(comes_at(None), [(1, None), (1, Some(true))]);
}

#[test]
fn the_prompt_says_how_long_the_customer_waits_who_came_first_also_behind_one_given_back() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    let features = vec![REQUEUE.to_owned()];
    greets(&mut desk, Hello { features, newest: 2, ..hello(1) }, 9, 1, now());
    joins(&mut desk, 2);
    let later = Now { wall: 100_000, ..now() };
    desk.transfer(robin, None, "queue", None, later).expect("robin has the customer");
    let again = Body::Requested(Request { of: Some(ours(2)), ..Request::default() });
    let again = Message::Entry(Entry { number: 3, at: 0, body: again });
    desk.received(Conn(9), again, later);
    assert_eq!(desk.waiting(), ["#1 Customer 0101", "#2 Customer 0202"]);
    assert_eq!(desk.prompt(al, later).to_string(), "nobody · 2 waiting (1:40)");
}
