//! From one agent to another: the author of each line, and the fate of an offer when the desk dies.

use rusqlite::Connection;
use serde_json::Value;

use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

use super::team::{has, robin_has_cleo, transfer};

#[test]
fn agents_see_who_wrote_each_line_even_under_a_shared_name_and_customers_do_not() {
    let setup = Setup::new();
    let mut desk = setup.desk_in_a_window(150, &[]);
    let mut robin = setup.agent("robin", &["--shown-as", "Support"]);
    let mut kim = setup.agent("kim", &["--shown-as", "Support"]);
    let mut cleo = setup.queued("Cleo");
    robin.say("/accept 1");
    robin.until(has("robin"));
    desk.sees("robin has #1 Cleo");
    desk.press("/watch 1\r");
    desk.sees("you watch #1 Cleo");
    robin.say("one moment");
    let by = |agent: &Handoff, text: &str| {
        let event = agent.events().into_iter().find(|event| event["text"] == text);
        event.map(|event| (event["name"].clone(), event["agent"].clone()))
    };
    robin.until_text("one moment");
    assert_eq!(by(&robin, "one moment"), Some(("Support".into(), "robin".into())));
    desk.sees("admin Support (robin): one moment");
    robin.say("/transfer kim");
    kim.until(transfer("offered"));
    kim.say("/accept 1");
    kim.until(has("kim"));
    kim.say("here I am");
    desk.sees("admin Support (kim): here I am");
    kim.say("/history 1");
    kim.until_text("one moment");
    assert_eq!(by(&kim, "one moment"), Some(("Support".into(), "robin".into())));
    assert_eq!(by(&kim, "here I am"), Some(("Support".into(), "kim".into())));
    cleo.until_text("here I am");
    let is_named = |event: &Value| {
        let event = event.to_string();
        event.contains("robin") || event.contains("kim") || event.contains("\"agent\"")
    };
    assert_eq!(cleo.events().into_iter().find(is_named), None);
    let customers = setup.profile("user").with_file_name("Cleo").join("journal.sqlite");
    let journal = Connection::open(customers).expect("it is a journal");
    let count = "SELECT count(*) FROM entry WHERE agent IS NOT NULL OR body LIKE '%robin%'";
    assert_eq!(journal.query_row(count, [], |row| row.get(0)), Ok(0));
}

#[test]
fn a_program_gets_once_what_a_customer_said_to_the_agent_before_it() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    cleo.say("line a");
    cleo.say("line b");
    robin.until_text("line b");
    robin.say("/transfer al");
    al.until(transfer("offered"));
    al.say("/accept 1");
    al.until(has("al"));
    cleo.say("line c");
    al.until_text("line c");
    let said = |event: &&Value| event["text"].as_str().is_some_and(|it| it.starts_with("line "));
    let said: Vec<_> = al.events().into_iter().filter(|event| said(&event)).collect();
    let texts: Vec<_> = said.iter().map(|event| event["text"].as_str()).collect();
    assert_eq!(texts, [Some("line a"), Some("line b"), Some("line c")]);
    assert!(said.iter().all(|event| event["history"].is_null()), "they are owed an answer");
}

#[test]
fn an_offer_ends_when_the_desk_dies_and_both_agents_and_the_history_say_so() {
    let setup = Setup::new();
    let (mut desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    robin.say("/transfer al a refund, please");
    al.until(transfer("offered"));
    desk.kill();
    desk = setup.admin(&[]);
    for agent in [&mut robin, &mut al] {
        let void = agent.until(transfer("void"));
        assert_eq!([&void["from"], &void["agent"]], ["robin", "al"]);
    }
    al.say("/accept 1");
    al.until_told("error", "robin has #1 Cleo");
    robin.say("/history");
    robin.until_told("note", "not transferred to al: the desk ended before that; robin has");
    robin.say("still with me");
    cleo.until_text("still with me");
    // The next restart finds no offer.
    desk.kill();
    let _desk = setup.admin(&[]);
    for agent in [&mut robin, &mut al] {
        agent.say("/agents");
        agent.until_told("notice", "desk, lead  here, ");
        let void = agent.events().into_iter().filter(|event| transfer("void")(event));
        assert_eq!(void.count(), 1);
    }
}

#[test]
fn a_desk_that_died_during_an_offer_says_so_at_its_own_terminal() {
    let setup = Setup::new();
    let mut desk = setup.desk_in_a_window(150, &[]);
    let mut al = setup.agent("al", &[]);
    let _cleo = setup.queued("Cleo");
    desk.sees("Hey! Cleo wants to talk to you");
    desk.press("/accept\r");
    desk.last_row("#1 Cleo> ");
    desk.press("/transfer al\r");
    al.until(transfer("offered"));
    desk.program.kill();
    let mut desk = setup.desk_in_a_window(150, &[]);
    desk.sees("note: not transferred to al: the desk ended before that; desk has the customer");
    desk.sees("the offer of #1 Cleo to al is over");
    al.until(transfer("void"));
}

#[test]
fn an_agent_who_was_away_when_the_desk_died_twice_reads_once_that_an_offer_is_over() {
    let setup = Setup::new();
    let (mut desk, [mut robin, mut al], _cleo) = robin_has_cleo(&setup, &[]);
    robin.say("/transfer al a refund, please");
    al.until(transfer("offered"));
    al.kill();
    for _ in 0..2 {
        desk.kill();
        desk = setup.admin(&[]);
        robin.until_told("notice", "attached to");
        robin.say("/agents");
        robin.until_told("notice", "desk, lead  here, ");
    }
    let mut al = setup.attach("al", None, &[]);
    al.until(transfer("void"));
    al.say("/agents");
    al.until_told("notice", "desk, lead  here, ");
    desk.kill();
    let _desk = setup.admin(&[]);
    for agent in [&mut robin, &mut al] {
        agent.until_told("notice", "attached to");
        agent.say("/agents");
        agent.until_told("notice", "desk, lead  here, ");
        let void = agent.events().into_iter().filter(|event| transfer("void")(event));
        assert_eq!(void.count(), 1, "{:?}", agent.events());
    }
    robin.say("/history 1");
    robin.until_told("note", "not transferred to al");
    robin.say("/agents");
    robin.until_told("notice", "desk, lead  here, ");
    let is_note = |event: &Value| {
        event["text"].as_str().is_some_and(|text| text.starts_with("not transferred"))
    };
    let notes = robin.events().into_iter().filter(is_note).count();
    assert_eq!(notes, 1);
}

#[test]
fn a_lead_goes_on_watching_when_the_desk_is_back() {
    let setup = Setup::new();
    let (mut desk, [mut robin, _al], mut cleo) = robin_has_cleo(&setup, &[]);
    let mut bo = setup.queued("Bo");
    robin.say("/accept 2");
    bo.until_state("active");
    let code = setup.add_agent("kim", &["--lead"]);
    let mut kim = setup.attach("kim", Some(&code), &[]);
    let arguments = ["attach", "--desk", &setup.desk, "--state", setup.state(), "--profile", "pat"];
    let code = setup.add_agent("pat", &["--lead"]);
    let mut pat = Terminal::sized(&[&arguments[..], &["--code-file", &code]].concat(), 120);
    pat.sees("attached to");
    for number in [1, 2] {
        kim.say(&format!("/watch {number}"));
        pat.press(&format!("/watch {number}\r"));
    }
    kim.until_told("notice", "you watch #2 Bo");
    pat.sees("you watch #2 Bo");
    desk.kill();
    bo.say("/end");
    bo.until_state("closed");
    desk = setup.admin(&[]);
    kim.until_told("notice", "you still watch #1 Cleo");
    pat.sees("you still watch #1 Cleo");
    robin.until_told("notice", "attached to");
    robin.say("/say #1 are you still there?");
    cleo.until_text("are you still there?");
    kim.until_text("are you still there?");
    pat.sees("are you still there?");
    cleo.say("yes");
    kim.until_text("yes");
    pat.sees("user Cleo: yes");
    kim.say("/watch 1");
    kim.until_told("notice", "you do not watch #1 Cleo any more");
    // A conversation that kim stopped watching is not watched after the next restart either.
    desk.kill();
    let _desk = setup.admin(&[]);
    pat.until_rows(
        |rows| rows.iter().filter(|row| row.contains("you still watch #1 Cleo")).count() == 2,
        "it is still watched",
    );
    kim.say("/agents");
    kim.until_told("notice", "pat, lead  here");
    let is_on = |event: &Value| {
        event["text"].as_str().is_some_and(|text| text.starts_with("you still watch #1"))
    };
    assert_eq!(kim.events().into_iter().filter(is_on).count(), 1);
}
