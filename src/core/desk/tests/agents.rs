//! Agents come and go: what happens to their customers, and who learns of it.

use std::time::Duration;

use super::team::{options, ours, outcomes, takes, team};
use super::{after, id, joins, now, positions, reports, says};
use crate::core::desk::{
    Act, COUNTED_WITHOUT_LINK, Desk, Errand, OFFERED_FOR, Options, POSITION_PERIOD,
};
use crate::core::outcome::Side;
use crate::core::report::{Presence, Report, TransferOutcome};
use crate::wire::{Author, Body, Conn, DeskId, EndReason, Said};

#[test]
fn customers_of_an_agent_who_is_gone_wait_before_all_others_and_are_taken_without_a_control() {
    let (mut desk, [robin, al, _]) = team();
    takes(&mut desk, robin, 1);
    takes(&mut desk, robin, 2);
    joins(&mut desk, 3);
    says(&mut desk, 2, 3, Body::Message(Said::text(Author::User, "hello?")));
    desk.sign_out(robin, now());
    desk.outcome();
    desk.tick(after(desk.options.agent_grace));
    assert_eq!(desk.waiting(), ["#1 Customer 0101", "#2 Customer 0202", "#3 Customer 0303"]);
    let outcome = desk.outcome();
    let is_gone = |report: &Report| match report {
        Report::Agent { agent, presence, .. } => agent == "robin" && *presence == Presence::Gone,
        _ => false,
    };
    assert!(reports(&outcome.acts).any(is_gone));
    assert_eq!(desk.accept(al, None, now()), Ok(id(1)));
    assert_eq!(desk.accept(al, Some(2), now()), Ok(id(2)));
    assert!(desk.is_own(al, id(1)) && desk.is_own(al, id(2)));
    let unanswered = desk.list(al, now())[0].to_string();
    assert!(unanswered.contains("1 new"), "the next agent reads the unanswered line: {unanswered}");
    assert_eq!(desk.say(al, "hello", now()), Ok(()));
}

#[test]
fn a_customer_who_hung_up_on_an_agent_who_is_gone_does_not_count_in_the_queue() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    desk.disconnected(Conn(1), "cut");
    desk.sign_out(robin, now());
    desk.tick(now());
    joins(&mut desk, 2);
    desk.tick(after(desk.options.agent_grace));
    assert_eq!(desk.waiting(), ["#1 Customer 0101", "#2 Customer 0202"]);
    desk.tick(after(desk.options.agent_grace + POSITION_PERIOD));
    assert_eq!(positions(&mut desk).last(), Some(&(2, 1)));
}

#[test]
fn a_customer_who_hung_up_long_ago_never_counts_when_their_agent_gives_them_back() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    desk.disconnected(Conn(1), "cut");
    desk.tick(now());
    let later = after(COUNTED_WITHOUT_LINK);
    assert_eq!(desk.transfer(robin, None, "queue", Some("please"), later), Ok(()));
    joins(&mut desk, 2);
    assert_eq!(positions(&mut desk).last(), Some(&(2, 1)));
}

#[test]
fn agents_read_once_that_no_agent_is_here_and_again_when_the_last_one_leaves_again() {
    let options = Options { has_terminal: false, ..options(&["robin", "al"]) };
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let [robin, al] = ["robin", "al"].map(|name| desk.sign_in(name).expect("an agent"));
    let told = |desk: &mut Desk, now| {
        desk.tick(now);
        let acts = desk.outcome().acts;
        let is_news = |report: &&Report| match report {
            Report::News { text } => text.to_string().contains("no agent is here"),
            _ => false,
        };
        let call = |act: &Act| match act {
            Act::Errand(Errand::Notify(alert)) => Some(alert.to_string()),
            _ => None,
        };
        (reports(&acts).filter(is_news).count(), acts.iter().find_map(call))
    };
    desk.set_away(robin, Some(""), now());
    assert_eq!(told(&mut desk, now()), (0, None));
    desk.sign_out(al, now());
    assert_eq!(told(&mut desk, now()).0, 1);
    let call = told(&mut desk, after(Duration::from_secs(1))).1;
    assert_eq!(call.as_deref(), Some("no agent is here"));
    desk.set_away(robin, Some("still"), now());
    assert_eq!(told(&mut desk, after(Duration::from_secs(2))).0, 0);
    desk.set_away(robin, None, now());
    desk.set_away(robin, Some(""), now());
    assert_eq!(told(&mut desk, after(Duration::from_secs(3))).0, 1);
}

#[test]
fn an_accept_of_an_agent_who_left_meanwhile_brings_the_customer_to_the_queue() {
    let (mut desk, [robin, al, _]) = team();
    joins(&mut desk, 1);
    desk.accept(robin, Some(1), now()).expect("the customer waits");
    let ended = desk.set_agents(&options(&["al"]).agents, now());
    assert!(ended.contains(&robin));
    says(&mut desk, 1, 2, Body::Accepted { of: ours(1) });
    assert_eq!(desk.waiting(), ["#1 Customer 0101"]);
    assert_eq!(desk.accept(al, None, now()), Ok(id(1)));
    assert!(desk.is_own(al, id(1)));
    desk.disconnected(Conn(1), "gone");
    assert_eq!(desk.transfer(al, None, "queue", None, now()), Ok(()), "also without a connection");
    assert_eq!(desk.waiting(), ["#1 Customer 0101"]);
}

#[test]
fn a_seat_that_comes_back_learns_for_each_customer_how_many_lines_have_no_answer_even_0() {
    let (mut desk, [robin, ..]) = team();
    takes(&mut desk, robin, 1);
    says(&mut desk, 1, 3, Body::Message(Said::text(Author::User, "hello?")));
    let owed = |desk: &Desk| {
        let lines = desk.states().into_iter().filter_map(|(_, report)| match report {
            Report::Unanswered { lines, .. } => Some(lines),
            _ => None,
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(owed(&desk), [1]);
    desk.say(robin, "here I am", now()).expect("robin has the customer");
    assert_eq!(owed(&desk), [0], "it may have heard of the line, and not of the answer");
}

#[test]
fn an_offer_of_an_agent_who_is_gone_is_void_and_not_accepted() {
    let options = Options { agent_grace: OFFERED_FOR / 2, ..options(&["robin", "al"]) };
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let [robin, _] = ["robin", "al"].map(|name| desk.sign_in(name).expect("an agent"));
    takes(&mut desk, robin, 1);
    desk.transfer(robin, None, "al", None, now()).expect("al is here");
    desk.sign_out(robin, now());
    desk.tick(after(OFFERED_FOR / 2));
    assert_eq!(outcomes(&mut desk), [TransferOutcome::Offered, TransferOutcome::Void]);
}

#[test]
fn an_agent_who_is_back_reads_which_customers_they_have_no_more() {
    let (mut desk, [robin, al, kim]) = team();
    (1..=5).for_each(|n| takes(&mut desk, robin, n));
    desk.sign_out(robin, now());
    desk.take_over(kim, 2, "robin is away", now()).expect("a lead may");
    says(&mut desk, 3, 3, Body::Closed { of: None, reason: EndReason::UserEnded });
    let tells_at_return = |desk: &mut Desk, is_shown: bool| {
        desk.outcome();
        let robin = desk.sign_in("robin").expect("an agent");
        desk.tell_arrival(robin);
        let acts = desk.outcome().acts;
        if is_shown {
            desk.arrival_shown(robin);
        }
        desk.sign_out(robin, now());
        let news = reports(&acts).filter_map(|report| match report {
            Report::News { text } => Some(text.to_string()),
            _ => None,
        });
        news.collect::<Vec<_>>()
    };
    let has_lost =
        |n: u8, how: &str| format!("#{n} Customer 0{n}0{n} is not yours any more: {how}");
    let expected = [has_lost(2, "kim has them"), has_lost(3, "the conversation has ended")];
    assert_eq!(tells_at_return(&mut desk, false), expected);
    assert_eq!(tells_at_return(&mut desk, true), expected, "the first time no screen showed it");
    desk.tick(after(desk.options.agent_grace));
    desk.accept(al, Some(4), now()).expect("they wait");
    let again = "they wait again";
    let expected = [has_lost(1, again), has_lost(4, "al has them"), has_lost(5, again)];
    assert_eq!(tells_at_return(&mut desk, true), expected);
    assert!(tells_at_return(&mut desk, true).is_empty(), "each is told once");
}

#[test]
fn only_an_agent_who_was_here_or_has_customers_is_reported_as_gone() {
    let options = Options { has_terminal: false, ..options(&["robin", "al"]) };
    let mut desk = Desk::new(DeskId::new([1; 16]), options, now());
    let robin = desk.sign_in("robin").expect("an agent");
    desk.outcome();
    desk.sign_out(robin, now());
    desk.tick(after(desk.options.agent_grace));
    let acts = desk.outcome().acts;
    let gone = reports(&acts).filter_map(|report| match report {
        Report::Agent { agent, presence: Presence::Gone, .. } => Some(&**agent),
        _ => None,
    });
    assert_eq!(gone.collect::<Vec<_>>(), ["robin"]);
}

#[test]
fn an_agent_who_is_revoked_and_added_again_is_not_reported_as_gone() {
    let (mut desk, [robin, ..]) = team();
    desk.set_agents(&options(&["kim", "al"]).agents, now());
    let agents = options(&["robin", "kim", "al"]).agents;
    desk.set_agents(&agents, now());
    assert!(desk.agent_at(robin).is_none(), "the terminal is gone");
    desk.sign_in("robin").expect("an agent again");
    desk.outcome();
    desk.tick(after(desk.options.agent_grace));
    let acts = desk.outcome().acts;
    let is_gone = |it: &Report| matches!(it, Report::Agent { presence: Presence::Gone, .. });
    assert!(!reports(&acts).any(is_gone));
}
