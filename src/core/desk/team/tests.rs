use std::time::{Duration, Instant};

use super::{AgentId, SeatId, Team};
use crate::core::agent::{Agent, Agents};
use crate::core::clock::Now;
use crate::core::desk::Options;
use crate::core::report::Presence;
use crate::wire::{ConversationId, SecretHash};

fn id(n: u8) -> ConversationId {
    ConversationId::new([n; 16])
}

fn now() -> Now {
    Now { clock: Instant::now(), wall: 0 }
}

fn agents(names: &[&str]) -> Agents {
    let mut agents = Agents::default();
    for name in names {
        let (name, shown_as) = ((*name).to_owned(), (*name).to_owned());
        let codes = vec![SecretHash::new([0; 32])];
        agents.add(Agent { name, shown_as, lead: false, departments: vec![], codes }).unwrap();
    }
    agents
}

#[test]
fn the_focus_stays_with_a_customer_until_the_agent_asks_for_another_or_the_customer_goes() {
    let mut team = Team::new(&Options::default(), now());
    let (agent, seat) = (AgentId::TERMINAL, SeatId::TERMINAL);
    assert_eq!(team.gain(agent, id(1), None, |_| true), [seat]);
    assert_eq!(team.gain(agent, id(2), None, |_| false), [], "the desk accepted by itself");
    assert_eq!(team.focus(seat), Some(id(1)));
    assert_eq!(team.gain(agent, id(3), Some(seat), |_| false), [seat]);
    team.lose(id(1));
    assert_eq!(team.focus(seat), Some(id(3)), "another customer's end moves no focus");
    team.lose(id(3));
    assert_eq!(team.focus(seat), None);
}

#[test]
fn lines_are_unread_until_the_agent_goes_there_at_any_seat_or_the_customer_goes() {
    let start = now();
    let mut team = Team::new(&Options { agents: agents(&["robin"]), ..Default::default() }, start);
    let robin = team.find("Robin").unwrap();
    let (here, there) = (team.sit_down(robin), team.sit_down(robin));
    team.go_to(here, id(1));
    assert_eq!([1, 2, 3].map(|n| team.note_unread(robin, id(n), 2, start)), [false, true, true]);
    assert_eq!((team.member(robin).unread(), team.unread()), (4, 4));
    team.go_to(there, id(2));
    assert_eq!(team.unread(), 2);
    team.lose(id(3));
    assert_eq!(team.unread(), 0);
    team.note_act(here, start);
    let later = Now { clock: start.clock + Duration::from_secs(60), ..start };
    assert!(team.note_unread(robin, id(1), 1, later), "the agent may not be looking");
    team.note_act(here, later);
    assert_eq!(team.unread(), 0);
}

#[test]
fn an_agent_is_gone_when_the_last_seat_has_been_away_for_the_grace() {
    let start = now();
    let options = Options { agents: agents(&["robin"]), ..Options::default() };
    let mut team = Team::new(&options, start);
    let robin = team.find("robin").unwrap();
    let (one, other) = (team.sit_down(robin), team.sit_down(robin));
    team.stand_up(one, start);
    assert_eq!(team.member(robin).presence(), Presence::Here);
    team.stand_up(other, start);
    assert_eq!(team.member(robin).presence(), Presence::Missed);
    let later = Now { clock: start.clock + options.agent_grace, ..start };
    assert_eq!(team.take_gone(start), []);
    assert_eq!((team.take_gone(later), team.take_gone(later)), (vec![robin], vec![]));
    assert_eq!(team.member(robin).presence(), Presence::Gone);
    team.sit_down(robin);
    assert_eq!(team.member(robin).presence(), Presence::Here);
}

#[test]
fn an_agent_who_is_not_in_the_file_any_more_is_revoked_with_their_seats() {
    let options = Options { agents: agents(&["robin", "al"]), ..Options::default() };
    let mut team = Team::new(&options, now());
    let robin = team.find("robin").unwrap();
    let seat = team.sit_down(robin);
    let revoked = team.update(&agents(&["al", "bo"]), Duration::ZERO, now());
    assert_eq!(revoked, [(robin, vec![seat])]);
    assert!(team.find("robin").is_none() && team.find("bo").is_some());
    assert_eq!(team.update(&agents(&["al", "bo"]), Duration::ZERO, now()), []);
}
