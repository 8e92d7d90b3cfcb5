//! Several customers at one desk.

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::{Raw, entry, frame, hello, said};
use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

/// A customer who asked for a person and has this position.
fn queued(admin: &str, bot: &FakeBot, name: &str, position: u32) -> Handoff {
    let mut user = Handoff::user(admin, bot.url(), &["--name", name]);
    user.say("human");
    user.until(|event| event["position"] == position);
    user
}

fn bot() -> FakeBot {
    FakeBot::saying(|_| text("Human Handoff"))
}

/// The texts that a customer got from an agent.
fn heard(user: &Handoff) -> Vec<String> {
    let told = user.messages().into_iter().filter(|(author, _)| author == "admin");
    told.map(|(_, text)| text).collect()
}

#[test]
fn the_first_customer_is_accepted_first_and_all_see_their_positions() {
    let (bot, mut admin) = (bot(), Handoff::admin(&[]));
    let address = admin.address();
    let mut ann = queued(&address, &bot, "Ann", 1);
    let mut bob = queued(&address, &bot, "Bob", 2);
    let mut cy = queued(&address, &bot, "Cy", 3);
    admin.say("/accept");
    ann.until_state("active");
    bob.until(|event| event["position"] == 1);
    cy.until(|event| event["position"] == 2);
    admin.say("for Ann");
    ann.until_text("for Ann");
    // Cy is accepted by number, before Bob. Bob keeps his position.
    admin.say("/accept 3");
    cy.until_state("active");
    admin.say("for Cy");
    cy.until_text("for Cy");
    admin.say("/accept");
    bob.until_state("active");
    admin.say("for Bob");
    bob.until_text("for Bob");
    for (to, who) in [(1, &mut ann), (2, &mut bob), (3, &mut cy)] {
        admin.say(&format!("/switch {to}"));
        admin.say(&format!("switched to {to}"));
        who.until_text(&format!("switched to {to}"));
    }
    for (text, who) in [("next is 1", &mut ann), ("next is 2", &mut bob), ("next is 3", &mut cy)] {
        admin.say("/next");
        admin.say(text);
        who.until_text(text);
    }
    assert_eq!(heard(&ann), ["for Ann", "switched to 1", "next is 1"]);
    assert_eq!(heard(&bob), ["for Bob", "switched to 2", "next is 2"]);
    assert_eq!(heard(&cy), ["for Cy", "switched to 3", "next is 3"]);
    let places = bob
        .events_of("state")
        .iter()
        .filter_map(|event| event["position"].as_u64())
        .collect::<Vec<_>>();
    assert_eq!(places, [2, 1], "each new position is reported");
}

#[test]
fn no_customer_gets_anothers_line_and_the_desk_tells_customers_apart() {
    let (bot, mut admin) = (bot(), Handoff::admin(&["--auto-accept"]));
    let address = admin.address();
    let start = |name: &str| Handoff::user(&address, bot.url(), &["--name", name]);
    let mut users = [start("Ann"), start("Bob")];
    for user in &mut users {
        user.say("human");
        user.until_state("active");
    }
    for round in 0..20 {
        for (user, name) in users.iter_mut().zip(["Ann", "Bob"]) {
            user.say(&format!("{name} {round}"));
        }
    }
    for (user, name) in users.iter_mut().zip(["Ann", "Bob"]) {
        let last = format!("{name} 19");
        user.until_text(&last);
        let seen = |admin: &Handoff| admin.messages().iter().any(|(_, text)| *text == last);
        while !seen(&admin) {
            admin.until_event("message");
        }
    }
    let events = admin.events_of("message");
    for user in &users {
        let id = user.events_of("state")[0]["conversation"].clone();
        let of = |events: &[Value]| -> Vec<Value> {
            events
                .iter()
                .filter(|event| event["conversation"] == id)
                .map(|event| event["text"].clone())
                .collect()
        };
        assert_eq!(
            of(&events),
            of(&user.events_of("message")),
            "the conversation is not complete and in order"
        );
        let of_this = |event: &&Value| event["conversation"] == id;
        let states = admin.events_of("state");
        let state = states.iter().find(of_this).expect("the desk has printed a state");
        assert!(state["n"].is_number(), "{state}");
        assert!(events.iter().filter(of_this).all(|event| event["n"] == state["n"]));
        assert_eq!(user.events_of("message").len(), 21, "a customer got a line of the other one");
        let has_number = |event: &Value| event.get("n").is_some();
        assert!(!user.events_of("message").iter().any(has_number), "a customer has no number");
    }
}

#[test]
fn the_bot_gets_another_sender_id_for_each_customer() {
    let (bot, mut admin) = (FakeBot::saying(text), Handoff::admin(&[]));
    let mut senders = Vec::new();
    for _ in 0..3 {
        let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
        user.script("one\ntwo\n");
        assert_eq!(user.exit_code(), 0);
        let asked = bot.asked();
        let [.., one, two] = &asked[..] else { panic!("two requests are there: {asked:?}") };
        assert_eq!(one.sender(), two.sender(), "a conversation has two sender ids");
        senders.push(one.sender());
    }
    let safe =
        |sender: &String| sender.len() >= 16 && sender.bytes().all(|b| b.is_ascii_alphanumeric());
    assert!(senders.iter().all(safe), "{senders:?}");
    senders.sort();
    senders.dedup();
    assert_eq!(senders.len(), 3, "two customers share a sender id");
}

#[test]
fn the_list_shows_who_talks_and_who_waits() {
    let (bot, mut admin) = (bot(), Handoff::admin(&[]));
    let address = admin.address();
    admin.say("/list");
    admin.until_told("notice", "nobody is talking, nobody is waiting");
    let _ann = queued(&address, &bot, "Ann", 1);
    let _bob = queued(&address, &bot, "Bob", 2);
    admin.say("/accept");
    admin.until_state("active");
    admin.say("/list");
    admin.until_told("notice", "#2 Bob  waits 0:0");
    admin.until_told("notice", "#1 Ann (gets your lines)");
}

#[test]
fn a_line_of_another_conversation_is_marked_with_its_number() {
    let (bot, mut admin) = (bot(), Handoff::plain_admin(&[]));
    let address = admin.address();
    let mut ann = queued(&address, &bot, "Ann", 1);
    let mut bob = queued(&address, &bot, "Bob", 2);
    admin.say("/accept");
    ann.until_state("active");
    admin.say("/accept");
    bob.until_state("active");
    ann.say("still there?");
    admin.until_out(|line| line == "#1 user Ann: still there?");
    bob.say("hello");
    admin.until_out(|line| line == "#2 user Bob: hello");
    for called in ["Hey! Ann wants to talk to you", "Hey! Bob wants to talk to you"] {
        admin.until_err(|line| line.contains(called));
        assert_eq!(admin.stderr().iter().filter(|line| line.contains(called)).count(), 1);
    }
}

#[test]
fn a_customer_who_gives_up_leaves_the_queue_and_the_next_moves_up() {
    let (bot, mut admin) = (bot(), Handoff::admin(&[]));
    let address = admin.address();
    let mut ann = queued(&address, &bot, "Ann", 1);
    let mut bob = queued(&address, &bot, "Bob", 2);
    ann.say("/bot");
    assert_eq!(ann.until_state("bot")["reason"], "withdrawn");
    bob.until(|event| event["position"] == 1);
    admin.until(|event| event["reason"] == "withdrawn");
    admin.say("/accept");
    bob.until_state("active");
}

#[test]
fn a_desk_greets_only_with_the_option_and_a_greeting_ends_no_wait() {
    let bot = bot();
    let mut admin = Handoff::admin(&["--auto-accept", "--greeting", "Welcome to the desk"]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.script("human\n/wait\nafter the wait\n");
    user.until_text("Welcome to the desk");
    // If the greeting had ended the wait, the next line would come before this one.
    admin.until_text("Welcome to the desk");
    admin.say("typed");
    admin.until_text("after the wait");
    let said = admin.messages().into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!(said, ["human", "Welcome to the desk", "typed", "after the wait"]);
    let mut silent = Handoff::admin(&["--auto-accept"]);
    let mut user = Handoff::user(&silent.address(), bot.url(), &[]);
    user.say("human");
    user.until_state("active");
    user.say("anybody?");
    silent.until_text("anybody?");
    assert_eq!(heard(&user), [] as [String; 0], "a desk without the option greeted");
}

#[test]
fn auto_accept_never_takes_the_focus_from_a_live_conversation() {
    let (bot, mut admin) = (bot(), Handoff::admin(&["--auto-accept", "--name", "Robin"]));
    let address = admin.address();
    let start = |name: &str| {
        let mut user = Handoff::user(&address, bot.url(), &["--name", name]);
        user.say("human");
        assert_eq!(user.until_state("active")["admin"], "Robin");
        user
    };
    let mut ann = start("Ann");
    admin.until_state("active");
    let mut bob = start("Bob");
    admin.until_state("active");
    admin.say("for Ann still");
    ann.until_text("for Ann still");
    admin.say("/switch 2");
    admin.say("for Bob");
    bob.until_text("for Bob");
    assert_eq!(
        (heard(&ann), heard(&bob)),
        (vec!["for Ann still".to_owned()], vec!["for Bob".to_owned()])
    );
}

#[test]
fn a_last_line_that_comes_together_with_the_end_is_shown_to_a_person() {
    let mut admin = Handoff::plain_admin(&["--auto-accept"]);
    let mut customer = Raw::connect(&admin.address());
    customer.say(&hello("a1", 1));
    let desk = customer.until("welcome")["desk"].clone();
    customer.say(&entry(1, &json!({"requested": {}})));
    let accept = customer.until("entry")["number"].clone();
    customer.say(&entry(2, &json!({"accepted": {"of": {"desk": desk, "number": accept}}})));
    admin.until_err(|line| line.contains("you have the conversation"));
    let last = entry(3, &said("user", "thank you, bye"));
    let end = entry(4, &json!({"closed": {"reason": "user_ended"}}));
    customer.send(&[frame(&last), frame(&end)].concat());
    admin.until_err(|line| line.contains("closed"));
    customer.until("ack");
    admin.until_out(|line| line.ends_with("thank you, bye"));
}

#[test]
fn a_customer_who_comes_back_has_the_same_number_and_history() {
    for more in [&["--ephemeral"][..], &[]] {
        let mut admin = Handoff::plain_admin(more);
        let desk = admin.address();
        let mut first = Raw::welcomed(&desk, "a1", 3);
        first.say(&entry(1, &said("user", "what the first one said")));
        first.say(&entry(2, &json!({"requested": {}})));
        first.say(&entry(3, &json!({"withdrawn": {}})));
        while first.until("ack")["number"] != 3 {}
        drop(first);
        let mut second = Raw::welcomed(&desk, "b2", 1);
        second.say(&entry(1, &json!({"requested": {}})));
        second.until("position");
        // A stranger says hello with this customer's id and a wrong secret.
        let mut stranger = Raw::connect(&desk);
        let mut other = hello("a1", 3);
        other["hello"]["secret"] = "c3".repeat(32).into();
        stranger.say(&other);
        assert_eq!(stranger.bye().0, "secret");
        admin.say("/history 1");
        admin.until_out(|line| line.contains("#1") && line.ends_with("what the first one said"));
        admin.say("/history 3");
        admin.until_err(|line| line.contains("there is no conversation 3"));
        admin.say("/accept 1");
        let mut first = Raw::connect(&desk);
        first.say(&hello("a1", 4));
        assert_eq!(first.until("welcome")["received"], 3, "the desk must know all three entries");
        first.say(&entry(4, &json!({"requested": {}})));
        assert_eq!(first.until("entry")["body"]["accept"]["request"], 4);
    }
}

#[test]
fn a_customer_who_waits_reads_that_nobody_is_here_and_that_somebody_is_again() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut robin = setup.agent("robin", &[]);
    let mut cleo = setup.queued("Cleo");
    desk.say("/away");
    robin.until(|event| event["agent"] == "desk" && event["presence"] == "away");
    robin.say("/away SECRET");
    let hears = |attended: bool| move |event: &Value| event["attended"] == attended;
    assert_eq!(cleo.until(hears(false))["position"], 1);
    let mut arguments = setup.user_arguments(&["--profile", "Dan", "--name", "Dan"]);
    arguments.retain(|argument| *argument != "--json");
    let mut dan = Terminal::start(&arguments);
    dan.press("a human, please\r");
    dan.sees("nobody is here at the moment; you stay number 2 in the queue");
    robin.say("/here");
    cleo.until(hears(true));
    dan.sees("somebody is here again; you are number 2 in the queue");
    assert!(!cleo.events().iter().any(|event| event.to_string().contains("SECRET")));
    let heard = cleo.events().iter().filter(|event| hears(false)(event)).count();
    assert_eq!(heard, 1);
}

#[test]
fn after_a_restart_agents_who_were_away_still_are_and_customers_hear_nothing_new() {
    let setup = Setup::new();
    let mut desk = setup.admin(&["--no-terminal"]);
    let mut robin = setup.agent("robin", &[]);
    let mut cleo = setup.queued("Cleo");
    let is_away = |event: &Value| event["presence"] == "away" && event["why"] == "at lunch";
    let hears = |attended: bool| move |event: &Value| event["attended"] == attended;
    robin.say("/away at lunch");
    robin.until(is_away);
    cleo.until(hears(false));
    desk.kill();
    let _desk = setup.admin(&["--no-terminal"]);
    robin.until_told("notice", "attached to");
    robin.until(is_away);
    cleo.until(|event| event["link"] == "connected");
    cleo.until(|event| event["position"] == 1);
    robin.say("/here");
    cleo.until(hears(true));
    let heard = |attended| cleo.events().iter().filter(|event| hears(attended)(event)).count();
    assert_eq!([heard(false), heard(true)], [1, 1]);
}

#[test]
fn a_customer_whose_agent_gave_them_back_reads_that_they_are_in_the_queue_again() {
    let setup = Setup::new();
    let _desk = setup.admin(&["--no-terminal", "--agent-grace", "1"]);
    let mut robin = setup.agent("robin", &[]);
    let mut arguments = setup.user_arguments(&["--name", "Cleo"]);
    arguments.retain(|argument| *argument != "--json");
    let mut cleo = Terminal::start(&arguments);
    cleo.press("a human, please\r");
    cleo.sees("you asked for a person; one moment, please");
    robin.until_state("queued");
    robin.say("/accept 1");
    cleo.sees("agent robin joined");
    robin.say("/transfer queue");
    cleo.sees("nobody is with you for the moment");
    cleo.sees("you are in the queue again; one moment, please");
    cleo.sees("you are number 1 in the queue");
    let mut al = setup.agent("al", &[]);
    al.say("/accept 1");
    cleo.sees("agent al joined");
    al.kill();
    let again = |row: &&String| row.contains("you are in the queue again");
    cleo.until_rows(|rows| rows.iter().filter(again).count() == 2, "the customer waits again");
    let seen = [cleo.scrollback(), cleo.rows()].concat().join("\n");
    assert_eq!(seen.matches("you asked for a person").count(), 1, "{seen}");
}
