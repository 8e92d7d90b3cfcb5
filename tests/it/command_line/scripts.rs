//! Both modes in scripts: what a line waits for, when the program ends, and its exit code.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::raw::{Raw, entry};
use crate::support::run::Handoff;
use crate::support::setup::Setup;

fn bot() -> FakeBot {
    FakeBot::saying(|said| text(if said.contains("human") { "Human Handoff" } else { "bot here" }))
}

#[test]
fn input_left_after_the_conversation_was_closed_is_undelivered() {
    let bot = bot();
    let mut admin = Handoff::admin(&[]);
    admin.script("/accept\nbye\n/close\n");
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.script("human\n/wait\n/wait\ntoo late\n");
    assert_eq!((user.exit_code(), admin.exit_code()), (1, 0));
    let errors = user.events_of("error");
    assert!(errors.len() == 1 && errors[0]["text"].to_string().contains("too late"), "{errors:?}");
    assert!(!admin.messages().iter().any(|(_, text)| text == "too late"));
}

#[test]
fn a_wait_that_times_out_is_an_error() {
    let bot = bot();
    let mut admin = Handoff::admin(&[]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.script("human\n/wait 1\nnever said\n");
    user.until_told("error", "nobody answered within 1 s");
    assert_eq!(user.exit_code(), 1);
    assert!(!user.messages().iter().any(|(_, text)| text == "never said"));
    admin.until(|event| event["link"] == "lost");
}

/// The errors of a script that failed at a `/wait 1`.
fn errors_after_the_wait(script: &mut Handoff) -> Vec<Value> {
    script.until_told("error", "nobody answered within 1 s");
    assert_eq!(script.exit_code(), 1, "the script failed");
    let errors = script.events_of("error");
    let is_wait = |error: &Value| error["text"] == "nobody answered within 1 s";
    errors.into_iter().skip_while(|error| !is_wait(error)).skip(1).collect()
}

#[test]
fn a_script_that_fails_at_a_wait_says_which_lines_it_did_not_send() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let wait = "/wait 1\nmy order\nsecond\n\n/close\n";
    let mut ann = setup.queued("Ann");
    let mut bob = setup.user(&[]);
    bob.script(&format!("hi\n/human\n{wait}"));
    let unsent = "3 lines were not sent, from 'my order' on";
    let errors = errors_after_the_wait(&mut bob);
    assert!(errors.len() == 1 && errors[0]["text"] == unsent, "{errors:?}");
    let mut kim = setup.agent("kim", &[]);
    kim.script(&format!("/accept Ann\nhello\n{wait}"));
    let errors = errors_after_the_wait(&mut kim);
    assert!(errors.len() == 1 && errors[0]["text"] == unsent, "{errors:?}");
    ann.until_text("hello");
    let mut dan = setup.queued("Dan");
    desk.script("/accept Dan\nhello\n/wait 1\nmy order is late\n");
    let errors = errors_after_the_wait(&mut desk);
    assert!(
        errors.iter().any(|error| error["text"] == "1 line was not sent: 'my order is late'"),
        "{errors:?}"
    );
    dan.until_text("hello");
    for customer in [&mut ann, &mut dan] {
        customer.until(|event| event["link"] == "lost");
        let texts: Vec<_> = customer.messages().into_iter().map(|(_, text)| text).collect();
        assert!(texts.last().is_some_and(|text| text == "hello"), "{texts:?}");
    }
}

#[test]
fn a_script_whose_desk_is_given_up_says_which_lines_it_did_not_send() {
    let setup = Setup::new();
    let _desk = setup.admin(&["--no-terminal"]);
    let unsent = "2 lines were not sent, from 'my order' on";
    let another = ["--fingerprint", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
    let mut bob = setup.user(&another);
    bob.script("/human\n/wait\nmy order\nsecond\n");
    bob.until_told("error", "not connected to");
    bob.until_told("error", unsent);
    assert_eq!(bob.exit_code(), 1);
    let mut kim = setup.agent("kim", &[]);
    let _ann = setup.queued("Ann");
    kim.say("/accept Ann\n/wait");
    kim.until_state("active");
    kim.script("my order\nsecond\n");
    let state = ["--state", setup.state()];
    let revoke = [&["agent", "revoke", "kim"][..], &state].concat();
    assert_eq!(Handoff::start(&revoke).exit_code(), 0);
    kim.until_told("error", unsent);
    assert_eq!(kim.exit_code(), 1);
}

#[test]
fn a_script_that_fails_at_a_wait_does_not_wait_for_the_end_of_its_input() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut bob = setup.user(&[]);
    bob.say("/human\n/wait 1");
    let errors = errors_after_the_wait(&mut bob);
    let text = "the script has ended; a line that still comes is not sent";
    assert!(errors.len() == 1 && errors[0]["text"] == text, "{errors:?}");
    let mut kim = setup.agent("kim", &[]);
    kim.say("/accept Bob\n/wait 1\nfirst\nsecond");
    let _bob = setup.queued("Bob");
    let errors = errors_after_the_wait(&mut kim);
    let text = "the script has ended; nothing is sent from 'first' on (2 lines so far)";
    assert!(errors.len() == 1 && errors[0]["text"] == text, "{errors:?}");
    desk.close_stdin();
}

#[test]
fn a_wait_ends_when_no_answer_is_due_and_when_the_state_changes() {
    let bot = bot();
    let mut user = Handoff::user(&nobody_at(), bot.url(), &[]);
    user.script("/wait\nhi\n/wait\n/wait 0\nhi again\n");
    assert_eq!(user.exit_code(), 0, "the bot is the owner and has answered, so nothing is open");
    let mut admin = Handoff::admin(&[]);
    admin.script("/wait\n/accept\n/handback\n/accept\n/wait\n/close\n");
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.script("human\n/wait\nhuman, please\nthis is for you\n/wait\n");
    assert_eq!(
        (user.exit_code(), admin.exit_code()),
        (0, 0),
        "a handback or a close did not end the wait"
    );
    assert_eq!(bot.texts(), ["hi", "hi again", "human", "human, please"]);
}

#[test]
fn a_customers_side_in_the_queue_stays_after_its_input_but_no_longer_than_it_lingers() {
    let bot = bot();
    let admin = &mut Handoff::admin(&[]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &["--linger", "1"]);
    user.script("human\n");
    assert_eq!(user.exit_code(), 0);
    // The customer may come back and keeps the position, but an accept passes over them.
    let lost = admin.until(|event| event["link"] == "lost");
    assert!(lost["why"].to_string().contains("ending"), "{lost}");
    let mut patient = Handoff::user(&admin.address(), bot.url(), &[]);
    patient.script("human\n");
    patient.until(|event| event["position"] == 2);
    admin.script("/accept\nI took my time\n/close\n");
    patient.until_text("I took my time");
    assert_eq!(patient.exit_code(), 0);
}

#[test]
fn lines_that_reached_no_desk_are_reported_as_undelivered() {
    let bot = bot();
    let mut user = Handoff::user(&nobody_at(), bot.url(), &["--linger", "0"]);
    user.script("human\nmy order is late\n");
    assert_eq!(user.exit_code(), 1);
    let errors = user.events_of("error");
    assert!(
        errors.iter().any(|e| e["text"]
            .to_string()
            .contains("not delivered yet, kept for the next start: my order is late")),
        "{errors:?}"
    );
    assert!(
        !errors.iter().any(|e| e["text"].to_string().contains("human")),
        "a line for the bot was reported as undelivered"
    );
}

#[test]
fn a_desk_ends_after_its_input_and_names_customers_who_still_wait() {
    let bot = bot();
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    let mut ann = Handoff::user(&address, bot.url(), &["--name", "Ann"]);
    ann.say("human");
    ann.until(|event| event["position"] == 1);
    let mut bob = Handoff::user(&address, bot.url(), &["--name", "Bob"]);
    bob.say("human");
    bob.until(|event| event["position"] == 2);
    admin.script("/accept\nhello\n/close\n");
    assert_eq!(admin.exit_code(), 0);
    admin.until_told("notice", "#2 Bob is still waiting");
    assert_eq!(ann.until_state("closed")["reason"], "admin_closed");
    let lost = bob.until(|event| event["link"] == "lost");
    assert!(lost["why"].to_string().contains("the desk is closing"), "{lost}");
    bob.until_told("notice", "keeps trying");
}

#[test]
fn an_unknown_command_is_sent_to_nobody() {
    let bot = bot();
    let mut user = Handoff::user(&nobody_at(), bot.url(), &[]);
    user.script("/hunan\nhi\n");
    assert_eq!(user.exit_code(), 1);
    user.until_told("error", "there is no command /hunan");
    assert_eq!(bot.texts(), ["hi"], "the script goes on");
    let mut admin = Handoff::admin(&[]);
    let mut user = Handoff::user(&admin.address(), bot.url(), &[]);
    user.script("human\n");
    admin.script("/accept\n/clsoe\n/close\n");
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 1));
    assert!(user.messages().iter().all(|(author, _)| author == "user"));
}

#[test]
fn a_script_may_begin_with_a_byte_order_mark_at_both_ends() {
    let bot = bot();
    for json in [&["--json"][..], &[]] {
        let mut admin = Handoff::start(&[&["admin", "--listen", "127.0.0.1:0"], json].concat());
        let address = admin.address();
        let mut user =
            Handoff::start(&[&["user", "--admin", &address, "--bot", bot.url()], json].concat());
        admin.script("\u{feff}/accept\r\nhello\r\n/close\r\n");
        user.script("\u{feff}/human\n");
        assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
        assert!(user.stdout().iter().any(|line| line.contains("hello")), "{:?}", user.stdout());
        assert_eq!(bot.texts(), [] as [String; 0], "the bot got the command");
    }
}

#[test]
fn an_accept_of_a_customer_who_left_goes_to_the_next_customer() {
    let bot = bot();
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    // Ann gives up in the moment in which she is accepted. Both entries are on their way at once.
    let mut ann = Raw::welcomed(&address, "a1", 1);
    ann.say(&entry(1, &json!({"requested": {}})));
    ann.until("position");
    let mut bob = Handoff::user(&address, bot.url(), &["--name", "Bob"]);
    bob.say("human");
    bob.until(|event| event["position"] == 2);
    admin.script("/accept\nfor whoever is here\n/close\n");
    let accept = ann.until("entry");
    assert_eq!(accept["body"], json!({"accept": {"request": 1}}));
    let desk = ann.read[0]["welcome"]["desk"].clone();
    ann.say(&entry(2, &json!({"withdrawn": {}})));
    ann.say(&entry(
        3,
        &json!({"refused": {"of": {"desk": desk, "number": 1}, "why": "the customer gave up"}}),
    ));
    ann.say(&json!({"ack": {"number": 1}}));
    bob.until_text("for whoever is here");
    bob.close_stdin();
    assert_eq!((bob.exit_code(), admin.exit_code()), (0, 0));
}

#[test]
fn a_program_ends_without_an_error_when_its_reader_goes_away() {
    let bot = bot();
    for json in [&["--json"][..], &[]] {
        let address = nobody_at();
        let arguments = [&["user", "--admin", &address, "--bot", bot.url()], json].concat();
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut user = Handoff::start_with(&arguments, |command| {
            command.stdout(Stdio::from(writer));
        });
        user.say("one");
        let mut reader = BufReader::new(reader);
        let mut first = String::new();
        reader.read_line(&mut first).expect("the first line is there");
        assert!(first.contains(if json.is_empty() { "one" } else { "ready" }), "{first}");
        drop(reader);
        user.say("two");
        assert_eq!(user.exit_code(), 0, "a closed pipe was treated as a failure");
        let panicked = user
            .stderr()
            .into_iter()
            .filter(|line| line.contains("panic") || line.contains("pipe"));
        assert_eq!(panicked.count(), 0);
    }
}

#[test]
fn signals_end_both_modes_with_their_codes_and_leave_nothing_behind() {
    let bot = bot();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut admin = Handoff::admin(&["--auto-accept", "--ephemeral"]);
        let mut user = Handoff::user(&admin.address(), bot.url(), &["--ephemeral"]);
        user.say("human");
        user.until_state("active");
        user.signal(signal);
        assert_eq!(user.exit_code(), code);
        // A conversation without a journal cannot continue, so it ends with its program.
        assert_eq!(admin.until_state("closed")["reason"], "user_ended");
        admin.signal(signal);
        assert_eq!(admin.exit_code(), code);
        for end in [&user, &admin] {
            assert_eq!(end.home_files(), [] as [std::path::PathBuf; 0]);
            assert_eq!(end.still_here(), [] as [u32; 0], "a process stays");
        }
    }
}
