//! Several agents at one desk, each at a terminal of their own: which agent has which customer, and
//! how agents come and go.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

/// Fits an event of a state in which this agent has the customer.
pub(super) fn has(agent: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "state" && event["agent"] == agent
}

/// Fits an event of a transfer with this outcome.
pub(super) fn transfer(outcome: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "transfer" && event["outcome"] == outcome
}

/// Fits an event of an agent's presence.
fn is(agent: &str, presence: &str) -> impl Fn(&Value) -> bool {
    move |event| event["agent"] == agent && event["presence"] == presence
}

/// A desk where robin has Cleo, and al is there, too.
pub(super) fn robin_has_cleo(setup: &Setup, more: &[&str]) -> (Handoff, [Handoff; 2], Handoff) {
    let desk = setup.admin(more);
    let mut robin = setup.agent("robin", &["--shown-as", "Robin R."]);
    let mut al = setup.agent("al", &[]);
    let mut cleo = setup.queued("Cleo");
    robin.say("/accept 1");
    robin.until(has("robin"));
    al.until(has("robin"));
    cleo.until(|event| event["admin"] == "Robin R.");
    (desk, [robin, al], cleo)
}

#[test]
fn when_two_agents_accept_a_customer_one_gets_them_and_the_other_reads_who_has_them() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let mut robin = setup.agent("robin", &[]);
    let mut al = setup.agent("al", &[]);
    let mut cleo = setup.queued("Cleo");
    robin.until_state("queued");
    al.until_state("queued");
    robin.say("/accept 1");
    al.say("/accept 1");
    let active = cleo.until_state("active");
    let (mut winner, mut other, name) = match active["admin"].as_str() {
        Some("robin") => (robin, al, "robin"),
        _ => (al, robin, "al"),
    };
    other.until_told("error", &format!("{name} has #1 Cleo"));
    other.say("whose is this?");
    winner.until(has(name));
    winner.say("yours truly");
    cleo.until_text("yours truly");
    cleo.say("thanks");
    winner.until_text("thanks");
    // The other agent's line waits until that agent has a customer.
    assert!(!cleo.messages().iter().any(|(_, text)| text == "whose is this?"));
    assert!(!other.messages().iter().any(|(_, text)| text == "thanks"));
}

#[test]
fn an_agent_who_accepts_an_offered_customer_sees_all_that_was_said() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    robin.say("let me ask");
    cleo.until_text("let me ask");
    robin.say("/transfer AL a refund, please");
    let offer = al.until(transfer("offered"));
    assert_eq!([&offer["from"], &offer["agent"]], ["robin", "al"]);
    assert_eq!(offer["note"], "a refund, please");
    robin.say("one moment");
    cleo.until_text("one moment");
    al.say("/accept 1");
    robin.until(transfer("accepted"));
    let joined = cleo.until(|event| event["admin"] == "al");
    assert_eq!(joined["state"], "active");
    al.say("hello from al");
    cleo.until_text("hello from al");
    cleo.say("hi al");
    al.until_text("hi al");
    al.say("/history");
    al.until_text("one moment");
    let is_note = |event: &Value| event.to_string().contains("a refund");
    assert!(!cleo.events().iter().any(is_note), "a note is for agents alone");
    assert!(!robin.messages().iter().any(|(_, text)| text == "hi al"));
}

#[test]
fn a_declined_customer_stays_with_their_agent_and_an_away_agent_gets_no_offer() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    robin.say("/transfer al yours?");
    al.until(transfer("offered"));
    al.say("/decline 1");
    robin.until(transfer("declined"));
    al.say("/away at lunch");
    assert_eq!(robin.until(is("al", "away"))["why"], "at lunch");
    robin.say("/transfer al again");
    robin.until_told("error", "al is not here; here are: desk, robin");
    robin.say("/transfer bo");
    robin.until_told("error", "there is no agent 'bo'");
    robin.say("still yours");
    cleo.until_text("still yours");
}

#[test]
fn a_customer_who_is_given_back_to_the_queue_is_first_in_it() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    let mut dan = setup.queued("Dan");
    al.until(|event| event["customer"] == "Dan");
    robin.say("/transfer queue");
    let waiting = al.until(|event| event["customer"] == "Cleo" && event["state"] == "queued");
    assert_eq!(waiting["position"], 1);
    cleo.until_told("notice", "nobody is with you for the moment");
    cleo.until(|event| event["state"] == "queued" && event["position"] == 1);
    cleo.say("anybody?");
    dan.until(|event| event["position"] == 2);
    al.say("/accept");
    cleo.until(|event| event["admin"] == "al");
    al.say("here I am");
    cleo.until_text("here I am");
}

#[test]
fn other_agents_see_how_many_lines_a_colleague_has_not_answered_but_not_the_lines() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    for (line, answer) in [("one?", "one"), ("two?", "two")] {
        cleo.say(line);
        robin.until_text(line);
        robin.say(answer);
        cleo.until_text(answer);
    }
    robin.until(|event| event["event"] == "delivered" && event["number"] == 3);
    robin.say("/close");
    al.until_state("closed");
    let events = al.events();
    let while_robin_has_her = || {
        let since = events.iter().skip_while(|event| !has("robin")(event));
        since.take_while(|event| event["state"] != "closed")
    };
    let counts = while_robin_has_her().filter(|event| event["event"] == "unanswered");
    let counts: Vec<_> = counts.map(|event| event["lines"].as_u64()).collect();
    assert_eq!(counts, [1, 0, 1, 0].map(Some), "each is told before the end");
    // The close has the number 4. It may be delivered when no agent has the customer any more.
    let is_talk = |event: &&Value| {
        let names = ["message", "delivered", "seen", "typing"];
        names.iter().any(|name| event["event"] == *name) && event["number"] != 4
    };
    assert_eq!(while_robin_has_her().find(is_talk), None);
}

#[test]
fn a_lead_takes_a_customer_over_and_others_may_not() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    let mut kim = setup.agent("kim", &["--lead"]);
    al.say("/take 1 I know her");
    al.until_told("error", "only a lead may do that: desk, kim");
    kim.say("/watch 1");
    kim.until_told("notice", "you watch #1 Cleo");
    cleo.say("is this slow?");
    kim.until_text("is this slow?");
    kim.say("/take 1 she waits too long");
    assert_eq!(robin.until(transfer("taken_over"))["note"], "she waits too long");
    cleo.until(|event| event["admin"] == "kim");
    kim.say("at once");
    cleo.until_text("at once");
}

#[test]
fn a_revoked_agent_is_out_within_a_second_and_their_customer_is_in_the_queue() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    let mut revoke = Handoff::start(&["agent", "revoke", "Robin", "--state", setup.state()]);
    assert_eq!(revoke.exit_code(), 0);
    robin.until_told("error", "you are no agent of this desk any more");
    assert_eq!(robin.exit_code(), 1);
    let revoked = al.until(is("robin", "revoked"));
    let by = revoked["why"].as_str().expect("a text");
    assert!(by.starts_with("by ") && by.len() > 3, "{by}");
    al.say("/accept 1");
    cleo.until(|event| event["admin"] == "al");
    let mut again = setup.attach("robin", None, &[]);
    again.until_told("error", "does not know the code");
    assert_eq!(again.exit_code(), 1);
}

#[test]
fn an_agent_without_a_terminal_for_the_grace_loses_their_customers_to_the_queue() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &["--agent-grace", "1"]);
    robin.kill();
    al.until(is("robin", "gone"));
    al.say("/accept 1");
    cleo.until(|event| event["admin"] == "al");
}

#[test]
fn a_program_with_two_customers_sends_each_line_to_the_customer_it_names() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let (mut ann, mut bob) = (setup.queued("Ann"), setup.queued("Bob"));
    for (line, customer) in [("/accept 1", &mut ann), ("/accept 2", &mut bob)] {
        desk.say(line);
        customer.until_state("active");
    }
    desk.say("/say #1 for Ann");
    ann.until_text("for Ann");
    bob.say("/end");
    bob.until_state("closed");
    desk.until(|event| event["n"] == 2 && event["state"] == "closed");
    // No customer has the focus, and only a later line of this script could change that.
    desk.say("for Bob");
    desk.until_told("error", "not delivered, no customer gets your lines: for Bob");
    desk.say("/say #2 for Bob, too");
    desk.until_told("error", "conversation 2 has ended");
    desk.say("/switch 1");
    desk.say("for Ann again");
    ann.until_text("for Ann again");
    assert!(!ann.messages().iter().any(|(_, text)| text.contains("Bob")));
}

#[test]
fn a_code_works_once_and_only_at_the_desk_that_it_is_for() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let code = setup.add_agent("robin", &[]);
    let mut robin = setup.attach("robin", Some(&code), &[]);
    robin.until_told("notice", "as robin");
    let mut thief = setup.attach("thief", Some(&code), &[]);
    thief.until_told("error", "this code has been used");
    assert_eq!(thief.exit_code(), 1);
    // Another terminal of the same agent needs a code of its own.
    let second = setup.add_agent("robin", &[]);
    let mut laptop = setup.attach("laptop", Some(&second), &[]);
    laptop.until_told("notice", "as robin");
    let other = Setup::new();
    let _impostor = other.admin(&[]);
    let third = setup.add_agent("al", &[]);
    let mut al = other.attach("al", Some(&third), &[]);
    al.until_told("error", "is not the desk that the code is for");
    assert_eq!(al.exit_code(), 1);
    // The attempt at the wrong desk has not used the code up.
    let mut al = setup.attach("al", Some(&third), &[]);
    al.until_told("notice", "as al");
    robin.say("/agents");
    robin.until_told("notice", "al  here, 0 customers");
}

#[test]
fn an_attached_script_ends_with_its_last_customer_and_the_desk_waits_for_it() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut robin = setup.agent("robin", &[]);
    let mut cleo = setup.queued("Cleo");
    robin.script("/accept\nhello\n/wait\n/close\n");
    cleo.until_text("hello");
    cleo.say("bye");
    cleo.until_state("closed");
    assert_eq!(robin.exit_code(), 0);
    desk.signal(Signal::TERM);
    assert_eq!(desk.exit_code(), 143);
}

#[test]
fn no_agent_has_more_customers_than_the_desk_allows() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], _cleo) = robin_has_cleo(&setup, &["--max-active", "1"]);
    let mut dan = setup.queued("Dan");
    robin.say("/switch 1");
    robin.say("/accept 2");
    al.say("/accept 2");
    dan.until(|event| event["admin"] == "al");
    robin.say("/transfer al");
    robin.until_told("error", "al has 1 customer, and --max-active allows no more");
}

#[test]
fn a_stranger_without_a_code_gets_nothing_and_keeps_nobody_out() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let code = setup.add_agent("robin", &[]);
    let real = fs::read_to_string(&code).expect("the code");
    // A code with the desk's real key and a guessed secret.
    let guess = Path::new(&code).with_extension("guess");
    fs::write(&guess, [&real[..43], &"A".repeat(43)].concat()).expect("it can be written");
    fs::set_permissions(&guess, Permissions::from_mode(0o600)).expect("it is ours");
    let mut thief = setup.attach("thief", guess.to_str(), &[]);
    thief.until_told("error", "does not know the code");
    assert_eq!(thief.exit_code(), 1);
    let _silent: Vec<TcpStream> =
        (0..600).map(|_| TcpStream::connect(&setup.desk).expect("the desk listens")).collect();
    let mut robin = setup.attach("robin", Some(&code), &[]);
    robin.until_told("notice", "as robin");
}

#[test]
fn notes_and_transfer_texts_never_leave_the_desk() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    robin.say("/note SECRET-1");
    robin.until(|event| event["event"] == "note");
    robin.say("/transfer al SECRET-2");
    al.until(transfer("offered"));
    al.say("/accept 1");
    al.until(has("al"));
    al.say("/away SECRET-3");
    robin.until(is("al", "away"));
    al.say("/close SECRET-4");
    cleo.until_state("closed");
    al.say("/history 1");
    for note in ["robin: SECRET-1", "robin: SECRET-2", "al: SECRET-4"] {
        al.until_told("note", note);
    }
    let customers = setup.profile("user").with_file_name("Cleo").join("journal.sqlite");
    let journal = Connection::open(customers).expect("it is a journal");
    let count = "SELECT count(*) FROM entry WHERE body LIKE '%SECRET%' OR body LIKE '%robin\"%'";
    assert_eq!(journal.query_row(count, [], |row| row.get(0)), Ok(0));
    assert!(!cleo.events().iter().any(|event| event.to_string().contains("SECRET")));
    assert!(!setup.bot.texts().iter().any(|text| text.contains("SECRET")));
}

#[test]
fn lines_and_notes_of_any_conversation_are_found_also_after_its_end() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    cleo.say("where is Parcel 4711?");
    robin.until_text("where is Parcel 4711?");
    robin.say("/close sent it again");
    cleo.until_state("closed");
    al.say("/find PARCEL 4711");
    let found = al.until_told("notice", "where is Parcel 4711?");
    assert!(found["text"].as_str().is_some_and(|text| text.starts_with("#1 Cleo  20")), "{found}");
    al.say("/find sent again");
    al.until_told("notice", "note: robin: sent it again");
    al.say("/find cleo");
    al.until_told("notice", "#1 Cleo");
    al.say("/find nobody said this");
    al.until_told("notice", "nothing was found");
    al.say("/list ended");
    al.until(|event| event["text"].as_str().is_some_and(|text| text.starts_with("#1 Cleo  20")));
}

#[test]
fn tab_completes_commands_customers_and_agents_also_at_an_attached_terminal() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let _al = setup.agent("al", &[]);
    let _cleo = setup.queued("Cleo");
    let code = setup.add_agent("robin", &[]);
    let arguments =
        ["attach", "--desk", &setup.desk, "--state", setup.state(), "--code-file", &code];
    let mut robin = Terminal::start(&arguments);
    robin.sees("#1 Cleo is waiting");
    robin.press("/acc\t");
    robin.prompts("> /accept ");
    robin.press("cl\t");
    robin.prompts("> /accept cleo");
    robin.press("\r");
    robin.prompts("#1 Cleo> ");
    robin.press("/tr\t");
    robin.prompts("> /transfer ");
    robin.press("a\t");
    robin.prompts("> /transfer al");
    // If several commands fit, they are listed.
    robin.press("\x15/h\t");
    robin.sees("handback  help  here  history");
    robin.prompts("> /h");
}

#[test]
fn a_plain_terminal_prints_the_content_of_the_prompt_as_lines() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let code = setup.add_agent("robin", &[]);
    let arguments = [
        "attach",
        "--desk",
        &setup.desk,
        "--state",
        setup.state(),
        "--code-file",
        &code,
        "--plain",
    ];
    let mut robin = Terminal::start(&arguments);
    robin.sees("attached to");
    let mut cleo = setup.queued("Cleo");
    robin.sees("handoff: 1 waiting");
    robin.press("/accept\n");
    robin.sees("handoff: your lines go to #1 Cleo");
    robin.press("hello\n");
    cleo.until_text("hello");
    // The rest is 'is delivered' or 'was seen'.
    robin.writes("handoff: your last line ");
    let _dan = setup.queued("Dan");
    robin.writes("handoff: 1 waiting");
}

#[test]
fn only_the_same_customer_is_recognized_by_their_former_conversation() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    cleo.say("the first time");
    robin.until_text("the first time");
    robin.say("/close knows the number");
    cleo.until_state("closed");
    drop(cleo);
    // The same customer comes back, and then another customer with the same name.
    let mut cleo = setup.user(&["--profile", "Cleo", "--name", "Cleo"]);
    cleo.say("a human");
    assert_eq!(al.until(|event| event["event"] == "state" && event["n"] == 2)["former"], 1);
    let mut other = setup.user(&["--profile", "other", "--name", "Cleo"]);
    other.say("a human");
    assert_eq!(
        al.until(|event| event["event"] == "state" && event["n"] == 3)["former"],
        Value::Null
    );
    al.say("/accept 2");
    al.until(has("al"));
    al.say("/history");
    al.until_told("note", "robin: knows the number");
    let is_there = |text: &str| al.messages().iter().any(|(_, said)| said == text);
    assert!(is_there("the first time"));
}

#[test]
fn an_agent_reads_when_a_returning_customer_left_and_the_last_note() {
    let setup = Setup::new();
    let mut desk = setup.desk_in_a_window(150, &[]);
    let mut cleo = setup.queued("Cleo");
    desk.sees("Hey! Cleo wants to talk to you");
    desk.press("/accept\r");
    cleo.until_state("active");
    desk.last_row("#1 Cleo> ");
    desk.press("/close wants a refund\r\r");
    desk.sees("#1 Cleo: closed");
    drop(cleo);
    desk.press("/note #1 the refund is paid\r");
    desk.sees("noted in #1, which has ended");
    let _cleo = setup.queued("Cleo");
    desk.sees("back after less than a minute; had #1, note: the refund is paid");
}
