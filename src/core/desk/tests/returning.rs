//! Customers who are back, and the agents whom the desk calls for them, on virtual time.

use std::time::Duration;

use super::team::{options, takes, team};
use super::{after, dials, id, now, says};
use crate::core::desk::{
    Act, AgentId, Assign, CALLED_ALONE_FOR, Desk, Errand, Former, Options, SeatId,
};
use crate::core::outcome::Side;
use crate::core::record::{Ending, Owner};
use crate::wire::{Asked, Body, DeskId, Number, Request};

fn ours(number: Number) -> Asked {
    Asked { desk: DeskId::new([1; 16]), number }
}

/// The agents whom the desk calls at this time.
fn rung(desk: &mut Desk, at: Duration) -> Vec<AgentId> {
    desk.tick(after(at));
    let acts = desk.outcome().acts;
    let rings = acts.iter().filter_map(|act| match act {
        Act::Errand(Errand::Ring(agent, _)) => Some(*agent),
        _ => None,
    });
    rings.collect()
}

/// Customer 1 had the agent at this seat, who wrote to them, and asks for a person again.
fn comes_back(desk: &mut Desk, seat: SeatId) {
    takes(desk, seat, 1);
    desk.say(seat, "here you are", now()).expect("it is theirs");
    desk.end(seat, None, Ending::HandBack, None, now()).expect("it is theirs");
    says(desk, 1, 3, Body::HandedBack { of: ours(3) });
    // No customer needs an agent now.
    rung(desk, SOON);
    says(desk, 1, 4, Body::Requested(Request::default()));
}

const SOON: Duration = Duration::from_secs(1);

#[test]
fn a_customer_who_is_back_calls_the_agent_who_had_them_alone_for_30_seconds() {
    let (mut desk, [robin, al, _]) = team();
    comes_back(&mut desk, robin);
    let own = desk.agent_at(robin).expect("a seat has an agent");
    assert_eq!(rung(&mut desk, SOON), [own]);
    assert!(desk.deadline() <= after(CALLED_ALONE_FOR).clock);
    rung(&mut desk, CALLED_ALONE_FOR);
    let others = rung(&mut desk, CALLED_ALONE_FOR + SOON);
    assert!(others.contains(&desk.agent_at(al).expect("a seat has an agent")), "{others:?}");
}

#[test]
fn the_other_agents_are_called_when_that_agent_leaves_but_not_for_accepted_customers() {
    let (mut desk, [robin, al, _]) = team();
    comes_back(&mut desk, robin);
    desk.set_away(robin, Some(""), now());
    let al = (al, desk.agent_at(al).expect("a seat has an agent"));
    rung(&mut desk, Duration::ZERO);
    assert!(rung(&mut desk, SOON).contains(&al.1));
    let (mut desk, [robin, ..]) = team();
    comes_back(&mut desk, robin);
    assert_eq!(desk.accept(al.0, Some(1), now()), Ok(id(1)), "anybody may");
    says(&mut desk, 1, 5, Body::Accepted { of: ours(4) });
    rung(&mut desk, CALLED_ALONE_FOR);
    assert!(!rung(&mut desk, CALLED_ALONE_FOR + SOON).contains(&al.1));
}

#[test]
fn the_next_conversation_of_a_customer_calls_or_is_assigned_to_the_former_agent() {
    for assign in [Assign::Pull, Assign::LongestIdle] {
        let options = Options { assign, ..options(&["robin", "al", "kim"]) };
        let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
        let [_, al] = ["robin", "al"].map(|name| desk.sign_in(name).expect("an agent"));
        dials(&mut desk, 2, 2, 2, now());
        let agent = Some(Owner::Agent("al".into()));
        desk.has_returned(id(2), Former { agent, ..Former::at(1) });
        says(&mut desk, 2, 1, Body::Requested(Request::default()));
        let who = desk.agent_at(al).expect("a seat has an agent");
        match assign {
            Assign::Pull => assert_eq!(rung(&mut desk, SOON), [who]),
            Assign::LongestIdle => {
                desk.tick(after(SOON));
                assert_eq!(desk.owner_name(id(2)).as_deref(), Some("al"));
            }
        }
    }
}
