//! Departments, on virtual time: which agents are called for a customer, who gets the customer, and
//! what happens while no agent of the department is here.

use std::time::Duration;

use super::{after, dials, id, now, positions, reports, settle};
use crate::core::agent::{Agent, Agents};
use crate::core::clock::Now;
use crate::core::department::Department;
use crate::core::desk::{Act, AgentId, Assign, Desk, Errand, Options, SeatId, UNATTENDED_FOR};
use crate::core::outcome::Side;
use crate::core::record::Ending;
use crate::core::report::{AgentRefusal, Alert, Report};
use crate::edge::journal::Journal;
use crate::wire::{Asked, Body, Conn, DeskId, Entry, Message, Number, Request, SecretHash};

fn agents(all: &[(&str, &[&str])]) -> Agents {
    let mut agents = Agents::default();
    for (name, departments) in all {
        let (name, shown_as) = ((*name).to_owned(), (*name).to_owned());
        let departments = departments.iter().map(|name| Department::new(name).expect("a name"));
        let (departments, codes) = (departments.collect(), vec![SecretHash::new([0; 32])]);
        agents.add(Agent { name, shown_as, lead: false, departments, codes }).expect("a name");
    }
    agents
}

fn options() -> Options {
    let agents = agents(&[("robin", &["returns"]), ("al", &["billing", "orders"])]);
    Options { agents, has_terminal: false, ..Options::default() }
}

/// A desk where robin serves returns, and al serves billing and orders. Both are here.
fn team() -> (Desk, SeatId, SeatId) {
    let mut desk = Desk::new(DeskId::new([1; 16]), options(), now());
    let [robin, al] = ["robin", "al"].map(|name| desk.sign_in(name).expect("an agent"));
    (desk, robin, al)
}

fn says(desk: &mut Desk, n: u8, number: Number, body: Body, now: Now) {
    desk.received(Conn(n.into()), Message::Entry(Entry { number, at: 0, body }), now);
}

/// Customer `n` asks for an agent of this department (`""`: of none), and the desk takes its turn.
fn asks(desk: &mut Desk, n: u8, department: &str, now: Now) {
    dials(desk, n, n.into(), n, now);
    let department = (!department.is_empty()).then(|| department.into());
    says(desk, n, 1, Body::Requested(Request { department, ..Request::default() }), now);
    desk.tick(now);
}

fn seconds(seconds: u64) -> Now {
    after(Duration::from_secs(seconds))
}

/// The agents whom the desk calls at this time, and why.
fn rung(desk: &mut Desk, now: Now) -> Vec<(AgentId, Alert)> {
    desk.tick(now);
    let acts = desk.outcome().acts.into_iter();
    let ring = |act| match act {
        Act::Errand(Errand::Ring(agent, alert)) => Some((agent, alert)),
        _ => None,
    };
    acts.filter_map(ring).collect()
}

/// The sentences that agents must not miss, each with its agent.
fn calls(desk: &mut Desk) -> Vec<String> {
    let text = |report: &Report| match report {
        Report::Call { text } => Some(text.to_string()),
        _ => None,
    };
    reports(&desk.outcome().acts).filter_map(text).collect()
}

fn of(seat: SeatId, desk: &Desk) -> AgentId {
    desk.agent_at(seat).expect("a seat")
}

#[test]
fn a_customer_who_is_back_for_another_department_calls_its_agents_and_not_their_former_agent() {
    let (mut desk, robin, al) = team();
    asks(&mut desk, 1, "", now());
    desk.accept(robin, Some(1), now()).expect("the customer is for all");
    let ours = |number| Asked { desk: DeskId::new([1; 16]), number };
    says(&mut desk, 1, 2, Body::Accepted { of: ours(1) }, now());
    desk.say(robin, "here you are", now()).expect("it is theirs");
    desk.end(robin, None, Ending::HandBack, None, now()).expect("it is theirs");
    says(&mut desk, 1, 3, Body::HandedBack { of: ours(3) }, now());
    rung(&mut desk, seconds(20));
    let department = Some("billing".into());
    let request = Request { department, ..Request::default() };
    says(&mut desk, 1, 4, Body::Requested(request), seconds(20));
    let called: Vec<_> = rung(&mut desk, seconds(21)).into_iter().map(|(agent, _)| agent).collect();
    assert_eq!(called, [of(al, &desk)]);
}

#[test]
fn a_customer_calls_the_agents_of_their_department_and_one_without_a_department_calls_all() {
    let (mut desk, robin, al) = team();
    asks(&mut desk, 1, "RETURNS", now());
    assert_eq!(calls(&mut desk), ["Hey! Customer 0101 wants to talk to you"]);
    let [(agent, alert)] = &rung(&mut desk, seconds(1))[..] else { panic!("one is called") };
    assert_eq!(*agent, of(robin, &desk));
    assert_eq!(alert.to_string(), "1 customer is waiting (0:00) for RETURNS");
    assert_eq!((desk.attention_at(robin), desk.attention_at(al)), (1, 0));
    let waiting = [robin, al].map(|seat| desk.prompt(seat, now()).customers.waiting);
    assert_eq!(waiting, [1, 0]);
    asks(&mut desk, 2, "", seconds(20));
    let called: Vec<_> = rung(&mut desk, seconds(21)).into_iter().map(|(agent, _)| agent).collect();
    assert_eq!(called, [of(robin, &desk), of(al, &desk)]);
    assert_eq!((desk.attention_at(robin), desk.attention_at(al)), (2, 1));
    // Each agent's list has both customers.
    for seat in [robin, al] {
        let rows: Vec<String> = desk.list(seat, now()).iter().map(ToString::to_string).collect();
        assert_eq!(rows[0], "#1 Customer 0101 (RETURNS)  waits 0:00, number 1 in the queue");
        assert_eq!(rows[1], "#2 Customer 0202  waits 0:00, number 1 in the queue");
    }
}

#[test]
fn accept_without_a_number_takes_a_customer_of_the_agent_and_with_a_number_any_customer() {
    let (mut desk, _, al) = team();
    asks(&mut desk, 1, "returns", now());
    assert_eq!(desk.accept(al, None, now()), Err(AgentRefusal::NobodyWaitsForYou { others: 1 }));
    asks(&mut desk, 2, "orders", now());
    asks(&mut desk, 3, "", now());
    assert_eq!(desk.accept(al, None, now()), Ok(id(2)));
    assert_eq!(desk.accept(al, None, now()), Ok(id(3)));
    assert_eq!(desk.accept(al, Some(1), now()), Ok(id(1)));
}

#[test]
fn a_position_counts_only_customers_who_wait_for_the_same_agents() {
    let (mut desk, _, al) = team();
    let journal = &mut Journal::in_memory();
    for (n, department) in [(1, "returns"), (2, "billing"), (3, ""), (4, "orders"), (5, "Returns")]
    {
        asks(&mut desk, n, department, now());
    }
    // Billing and orders have the same agent.
    let all = [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)];
    assert_eq!(positions(&mut desk), all);
    desk.accept(al, Some(2), now()).expect("the customer waits");
    says(
        &mut desk,
        2,
        2,
        Body::Accepted { of: Asked { desk: DeskId::new([1; 16]), number: 1 } },
        now(),
    );
    desk.tick(seconds(2));
    assert_eq!(positions(&mut desk), [(4, 1)], "the others stand where they stood");
    // After a restart.
    let (mut desk, ..) = team();
    for (n, department) in [(1, "returns"), (2, "billing"), (3, ""), (4, "orders"), (5, "Returns")]
    {
        asks(&mut desk, n, department, now());
    }
    settle(&mut desk, journal);
    let restart = journal.restart().expect("it is in memory");
    let mut desk = Desk::restore(DeskId::new([1; 16]), options(), &restart, now());
    for (n, _) in all {
        dials(&mut desk, n as u8, n, n as u8, now());
    }
    assert_eq!(positions(&mut desk), all);
}

#[test]
fn a_department_without_an_agent_here_calls_all_agents_after_a_minute_and_says_why() {
    let (mut desk, robin, al) = team();
    desk.set_away(robin, Some("lunch"), now());
    asks(&mut desk, 1, "returns", now());
    assert_eq!(rung(&mut desk, seconds(1)), [], "robin is away, and al serves another department");
    assert_eq!(rung(&mut desk, seconds(59)), []);
    assert!(desk.deadline() <= seconds(60).clock);
    let called = rung(&mut desk, seconds(60));
    assert_eq!(called, [], "customers who come at the same time share the call");
    let called = rung(&mut desk, seconds(61));
    let alert = "nobody of returns is here, 1 customer is waiting (0:00) for returns";
    assert_eq!(
        called.iter().map(|(agent, alert)| (*agent, alert.to_string())).collect::<Vec<_>>(),
        [(of(al, &desk), alert.to_owned())]
    );
    let row = desk.list(al, now())[0].to_string();
    assert!(row.ends_with("number 1 in the queue (nobody of returns is here)"), "{row}");
    // A customer who comes meanwhile calls all agents at once. Once robin is back, only robin
    // serves the department again.
    asks(&mut desk, 2, "returns", seconds(70));
    assert_eq!(
        calls(&mut desk),
        ["Hey! Customer 0202 wants to talk to you: nobody of returns is here"]
    );
    assert_eq!(desk.attention_at(al), 2);
    desk.set_away(robin, None, seconds(71));
    desk.tick(seconds(71));
    assert_eq!((desk.attention_at(robin), desk.attention_at(al)), (2, 0));
    let row = desk.list(al, now())[0].to_string();
    assert!(row.ends_with("number 1 in the queue"), "{row}");
}

#[test]
fn all_agents_read_once_that_a_department_has_no_agent_here_and_how_many_customers_wait() {
    let (mut desk, robin, _) = team();
    desk.set_away(robin, Some(""), now());
    (1..=3).for_each(|n| asks(&mut desk, n, "returns", now()));
    desk.tick(now());
    desk.outcome();
    desk.tick(seconds(60));
    assert_eq!(
        calls(&mut desk),
        ["Hey! Customer 0101 and 2 others want to talk to you: nobody of returns is here"]
    );
    desk.tick(seconds(130));
    assert_eq!(calls(&mut desk), [""; 0]);
}

#[test]
fn customers_of_a_department_that_nobody_serves_are_for_all_agents_after_a_minute() {
    let (mut desk, _, al) = team();
    asks(&mut desk, 1, "gardening", now());
    assert_eq!(rung(&mut desk, seconds(1)), []);
    desk.outcome();
    desk.tick(seconds(60));
    assert_eq!(
        calls(&mut desk),
        ["Hey! Customer 0101 wants to talk to you: nobody serves gardening"]
    );
    assert_eq!(rung(&mut desk, seconds(61)).len(), 2);
    assert_eq!(desk.accept(al, None, seconds(62)), Ok(id(1)));
}

#[test]
fn the_minute_starts_again_when_the_customer_goes_or_an_agent_of_the_department_comes() {
    let (mut desk, robin, al) = team();
    desk.set_away(robin, Some(""), now());
    asks(&mut desk, 1, "returns", now());
    desk.tick(now());
    // The customer goes.
    says(&mut desk, 1, 2, Body::Withdrawn {}, seconds(50));
    desk.tick(seconds(50));
    asks(&mut desk, 2, "returns", seconds(51));
    desk.tick(seconds(51));
    desk.tick(seconds(110));
    assert_eq!(desk.attention_at(al), 0);
    // An agent of the department comes, and goes.
    desk.set_away(robin, None, seconds(110));
    desk.tick(seconds(110));
    desk.set_away(robin, Some(""), seconds(111));
    desk.tick(seconds(111));
    desk.tick(seconds(170));
    assert_eq!(desk.attention_at(al), 0);
    desk.tick(seconds(171));
    assert_eq!(desk.attention_at(al), 1);
    // No agent at all is here: the desk waits until one comes.
    let (mut desk, robin, al) = team();
    [robin, al].into_iter().for_each(|seat| desk.set_away(seat, Some(""), now()));
    asks(&mut desk, 1, "returns", now());
    desk.tick(now());
    desk.tick(seconds(100));
    assert!(desk.deadline() > seconds(100).clock);
    desk.set_away(al, None, seconds(200));
    desk.tick(seconds(200));
    assert_eq!(desk.attention_at(al), 1);
}

#[test]
fn a_desk_that_assigns_keeps_to_departments_until_nobody_has_been_here_for_a_minute() {
    let agents = agents(&[("robin", &["returns"]), ("al", &["billing"])]);
    let options = Options { agents, assign: Assign::LongestIdle, max_active: 2, ..options() };
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let [robin, _] = ["robin", "al"].map(|name| desk.sign_in(name).expect("an agent"));
    for (n, department) in [(1, "billing"), (2, "returns"), (3, "returns"), (4, "returns"), (5, "")]
    {
        asks(&mut desk, n, department, now());
    }
    desk.tick(now());
    let owners = |desk: &Desk| [1, 2, 3, 4, 5].map(|n| desk.owner_name(id(n)).unwrap_or_default());
    assert_eq!(owners(&desk), ["al", "robin", "robin", "", "al"], "robin has as many as one may");
    // No agent of the department has room, and robin is here.
    desk.tick(after(UNATTENDED_FOR * 2));
    assert_eq!(owners(&desk)[3], "");
    desk.set_away(robin, Some(""), seconds(200));
    says(&mut desk, 1, 2, Body::Withdrawn {}, seconds(200));
    desk.tick(seconds(200));
    desk.tick(seconds(259));
    assert_eq!(owners(&desk)[3], "");
    desk.tick(seconds(260));
    assert_eq!(owners(&desk)[3], "al");
}

#[test]
fn a_changed_file_of_agents_moves_waiting_customers_to_their_groups_and_the_minute_goes_on() {
    let (mut desk, robin, al) = team();
    desk.set_away(robin, Some(""), now());
    asks(&mut desk, 1, "returns", now());
    asks(&mut desk, 2, "billing", now());
    desk.tick(now());
    desk.set_agents(&agents(&[("robin", &["returns"]), ("al", &["orders"])]), seconds(30));
    desk.tick(seconds(30));
    assert_eq!(desk.attention_at(al), 0, "billing is nobody's");
    desk.tick(seconds(60));
    assert_eq!(desk.attention_at(al), 1, "returns has waited for a minute");
    desk.tick(seconds(90));
    assert_eq!(desk.attention_at(al), 2);
    // An agent without departments serves all customers.
    desk.set_agents(&agents(&[("robin", &[]), ("al", &[])]), seconds(91));
    desk.tick(seconds(91));
    positions(&mut desk);
    desk.tick(seconds(93));
    assert_eq!((desk.attention_at(robin), desk.attention_at(al)), (2, 2));
    let row = desk.list(al, now())[1].to_string();
    assert!(row.ends_with("number 2 in the queue"), "{row}");
}

#[test]
fn a_text_that_is_no_department_calls_all_agents() {
    let (mut desk, ..) = team();
    let text = "returns\u{1b}]0;pwned\u{7}, $(reboot) <!channel>";
    asks(&mut desk, 1, text, now());
    let called = rung(&mut desk, seconds(1));
    assert_eq!(called.len(), 2);
    assert!(called.iter().all(|(_, alert)| alert.departments.is_empty()));
}

#[test]
fn an_agent_who_is_away_while_somebody_begins_to_wait_is_called_when_they_are_back() {
    let (mut desk, robin, al) = team();
    desk.set_away(al, Some("lunch"), now());
    asks(&mut desk, 1, "", now());
    let called: Vec<_> = rung(&mut desk, seconds(1)).into_iter().map(|(agent, _)| agent).collect();
    assert_eq!(called, [of(robin, &desk)]);
    desk.set_away(al, None, seconds(5));
    let called = rung(&mut desk, seconds(62));
    assert!(called.iter().any(|(agent, _)| *agent == of(al, &desk)), "{called:?}");
}

#[test]
fn an_accept_that_the_customers_side_refuses_calls_the_agents_again() {
    let (mut desk, robin, _) = team();
    asks(&mut desk, 1, "returns", now());
    desk.accept(robin, None, now()).expect("the customer waits");
    assert_eq!(rung(&mut desk, seconds(1)), [], "robin accepts the customer");
    let of = Asked { desk: DeskId::new([1; 16]), number: 1 };
    let why = "the customer is waiting again".to_owned();
    says(&mut desk, 1, 2, Body::Refused { of, why }, seconds(2));
    let called: Vec<_> = rung(&mut desk, seconds(3)).into_iter().map(|(agent, _)| agent).collect();
    assert_eq!(called, [desk.agent_at(robin).expect("a seat")]);
}

#[test]
fn a_department_whose_name_begins_with_an_agents_name_is_meant_when_it_is_written_out() {
    let all = [("robin", &["returns"][..]), ("billing", &["Billing & Refunds"]), ("al", &["al"])];
    let options = Options { agents: agents(&all), has_terminal: false, ..Options::default() };
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let [robin, ..] = ["robin", "billing", "al"].map(|name| desk.sign_in(name).expect("an agent"));
    for n in [1, 2] {
        asks(&mut desk, n, "returns", now());
        desk.accept(robin, Some(n.into()), now()).expect("the customer waits");
        let of = Asked { desk: DeskId::new([1; 16]), number: 1 };
        says(&mut desk, n, 2, Body::Accepted { of }, now());
    }
    let sent = desk.transfer(robin, Some(1), "billing", Some("& refunds a parcel is lost"), now());
    assert_eq!((sent, desk.waiting().len()), (Ok(()), 1), "to the department");
    let offered = desk.transfer(robin, Some(2), "al", Some("please"), now());
    assert_eq!((offered, desk.waiting().len()), (Ok(()), 1), "to the agent of that name");
}

#[test]
fn a_customer_who_waits_for_the_wrong_department_is_sent_to_another_without_being_accepted() {
    let (mut desk, robin, al) = team();
    asks(&mut desk, 1, "returns", now());
    assert_eq!(rung(&mut desk, seconds(1)).len(), 1, "robin is called");
    assert_eq!(desk.transfer(robin, Some(1), "billing", None, seconds(2)), Ok(()));
    let called: Vec<_> = rung(&mut desk, seconds(3)).into_iter().map(|(agent, _)| agent).collect();
    assert_eq!(called, [of(al, &desk)]);
    assert_eq!(desk.accept(al, None, seconds(4)), Ok(id(1)));
    asks(&mut desk, 2, "returns", seconds(5));
    let to_queue = desk.transfer(robin, Some(2), "queue", None, seconds(6));
    assert!(matches!(to_queue, Err(AgentRefusal::NotYours(_))), "the customer waits already");
}
