//! After a handback the bot gives, once, the same answers as without a handoff.
//!
//! Tests every way to hand over, with every kind of talk and both ways back, before every kind of
//! line. Rasa's trackers are in memory and in SQL, because Rasa restores the two differently.

use crate::support::rasa::{GREETING, Rasa, Stage};

/// The lines before the handoff and the lines after it, each with the bot's answer.
struct Talk {
    name: &'static str,
    before: &'static [(&'static str, &'static str)],
    after: &'static [(&'static str, &'static str)],
}

const SORRY: &str = "Sorry, I did not understand that.";

const TALKS: [Talk; 4] = [
    Talk {
        name: "a line with a rule",
        before: &[("hello", GREETING)],
        after: &[("who are you", "I am an example bot."), ("bye", "Goodbye!")],
    },
    Talk {
        name: "a line without a rule",
        before: &[("hello", GREETING)],
        after: &[("what is the weather like", SORRY), ("will it rain", SORRY), ("bye", "Goodbye!")],
    },
    Talk {
        name: "a form under way",
        before: &[("place an order", "Which size?")],
        after: &[("42", "Ordered in size 42."), ("bye", "Goodbye!")],
    },
    Talk {
        name: "a story under way",
        before: &[("tell me a joke", "Knock, knock.")],
        after: &[("who is there", "Boo."), ("bye", "Goodbye!")],
    },
];

/// The lines that people type during a handoff, each with its speaker.
type Said = &'static [(Speaker, &'static str)];

#[derive(Clone, Copy)]
enum Speaker {
    Customer,
    Agent,
}

const NOTHING: Said = &[];
const THE_AGENT_ALONE: Said = &[(Speaker::Agent, "Hello, it's Robin."), (Speaker::Agent, "Bye.")];
const BOTH: Said = &[
    (Speaker::Agent, "Hello, what is it?"),
    (Speaker::Customer, "My order is late."),
    (Speaker::Customer, "It has the number 17."),
    (Speaker::Agent, "It is on its way."),
    (Speaker::Customer, "thanks, yes please"),
];
/// The customer waits, and no agent has accepted.
const THE_CUSTOMER_ALONE: Said =
    &[(Speaker::Customer, "Is anybody there?"), (Speaker::Customer, "no thanks, then")];

/// Plays every talk with all lines that people can type meanwhile, and with both ways back.
#[track_caller]
fn every_talk_goes_on(rasa: fn() -> Rasa, trigger: &str) {
    for talk in &TALKS {
        for said in [NOTHING, THE_AGENT_ALONE, BOTH] {
            goes_on(rasa(), trigger, talk, said, hand_back);
        }
        for said in [NOTHING, THE_CUSTOMER_ALONE] {
            goes_on(rasa(), trigger, talk, said, give_up);
        }
    }
}

fn goes_on(rasa: Rasa, trigger: &str, talk: &Talk, said: Said, back: fn(&mut Stage, Said)) {
    let _case = Case(format!("'{trigger}', {} lines, then {}", said.len(), talk.name));
    let mut stage = Stage::new(rasa);
    for (line, answer) in talk.before {
        stage.ask(line, answer);
    }
    stage.user.say(trigger);
    stage.user.until_state("queued");
    stage.admin.until_state("queued");
    back(&mut stage, said);
    let from = stage.user.messages().len();
    for (line, answer) in talk.after {
        stage.ask(line, answer);
    }
    let pair = |author: &str, text: &str| (author.to_owned(), text.to_owned());
    let expected =
        talk.after.iter().flat_map(|(line, answer)| [pair("user", line), pair("bot", answer)]);
    assert_eq!(stage.user.messages().split_off(from), expected.collect::<Vec<_>>());
    let states = stage.user.events_of("state");
    assert_eq!(
        states.last().expect("there is a state")["state"],
        "bot",
        "the bot handed over by itself"
    );
}

fn hand_back(stage: &mut Stage, said: Said) {
    stage.admin.say("/accept");
    stage.user.until_state("active");
    stage.admin.until_state("active");
    say(stage, said);
    stage.hand_back();
}

fn give_up(stage: &mut Stage, said: Said) {
    say(stage, said);
    stage.user.say("/bot");
    assert_eq!(stage.user.until_state("bot")["reason"], "withdrawn");
}

fn say(stage: &mut Stage, said: Said) {
    for (speaker, line) in said {
        let (from, to) = match speaker {
            Speaker::Customer => (&mut stage.user, &mut stage.admin),
            Speaker::Agent => (&mut stage.admin, &mut stage.user),
        };
        from.say(line);
        to.until_text(line);
    }
}

/// Prints the case that failed.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the case that failed: {}", self.0);
        }
    }
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn the_bot_without_a_handoff_gives_the_answers_that_the_other_tests_expect() {
    for rasa in [Rasa::with_api, Rasa::with_token] {
        for talk in &TALKS {
            let mut stage = Stage::new(rasa());
            for (line, answer) in talk.before.iter().chain(talk.after) {
                stage.ask(line, answer);
            }
            let lines = talk.before.len() + talk.after.len();
            assert_eq!(stage.user.messages().len(), 2 * lines, "{}: one answer a line", talk.name);
        }
    }
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn after_a_text_that_hands_over_every_talk_goes_on_in_memory() {
    every_talk_goes_on(Rasa::with_api, "I want to talk to a human");
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn after_a_text_that_hands_over_every_talk_goes_on_in_sql() {
    every_talk_goes_on(Rasa::with_token, "I want to talk to a human");
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn after_a_payload_that_hands_over_every_talk_goes_on_in_memory() {
    every_talk_goes_on(Rasa::with_api, "payload handoff");
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn after_a_payload_that_hands_over_every_talk_goes_on_in_sql() {
    every_talk_goes_on(Rasa::with_token, "payload handoff");
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn after_an_action_that_pauses_every_talk_goes_on_in_memory() {
    every_talk_goes_on(Rasa::with_api, "action handoff");
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn after_an_action_that_pauses_every_talk_goes_on_in_sql() {
    every_talk_goes_on(Rasa::with_token, "action handoff");
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn after_slash_human_every_talk_goes_on_in_memory() {
    every_talk_goes_on(Rasa::with_api, "/human");
}

#[test]
#[ignore = "needs a real Rasa: scripts/test starts one"]
fn after_slash_human_every_talk_goes_on_in_sql() {
    every_talk_goes_on(Rasa::with_token, "/human");
}
