//! A customer's side that was killed or ended, and is started again.

use rustix::process::Signal;

use crate::support::fake_bot::{FakeBot, text};
use crate::support::run::Handoff;
use crate::support::setup::{Setup, conversation, said, same_story, told, told_again};
use crate::support::terminal::Terminal;

const GOES_ON: &str = "this conversation goes on where it was";

#[test]
fn a_customers_side_killed_while_talking_to_the_bot_continues_there() {
    let setup = Setup::new();
    let mut user = setup.user(&[]);
    for line in ["hi", "there"] {
        user.say(line);
        user.until_text(&format!("heard {line}"));
    }
    let (before, id) = (user.messages(), conversation(&user));
    user.kill();
    let mut user = setup.user(&[]);
    user.until_told("notice", GOES_ON);
    user.until_state("bot");
    assert_eq!(told_again(&user, &id), before, "the messages are not there once each and in order");
    user.say("again");
    user.until_text("heard again");
    let senders: Vec<String> = setup.bot.asked().iter().map(|asked| asked.sender()).collect();
    assert!(
        senders.iter().all(|sender| *sender == senders[0]),
        "the bot saw more than one conversation: {senders:?}"
    );
    assert_eq!(setup.bot.texts(), ["hi", "there", "again"]);
    assert_eq!(told(&user, &id).len(), 6);
}

#[test]
fn a_customers_side_killed_in_the_queue_continues_there() {
    let setup = Setup::new();
    let mut admin = setup.admin(&[]);
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until(|event| event["position"] == 1);
    user.say("my order is late");
    user.until_text("my order is late");
    admin.until_text("my order is late");
    let (before, id) = (user.messages(), conversation(&user));
    user.kill();
    admin.until(|event| event["link"] == "lost");
    let mut user = setup.user(&[]);
    user.until_told("notice", GOES_ON);
    user.until(|event| event["position"] == 1);
    assert_eq!(told_again(&user, &id), before);
    admin.say("/accept");
    user.until_state("active");
    admin.say("hello");
    user.until_text("hello");
    admin.until_text("hello");
    same_story(&mut admin, &mut user, &id);
    assert_eq!(setup.bot.texts(), ["a human"]);
}

#[test]
fn a_customers_side_killed_while_talking_continues_the_talk() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept", "--name", "Robin"]);
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_state("active");
    user.say("one");
    admin.until_text("one");
    admin.say("two");
    user.until_text("two");
    admin.until_text("two");
    let (before, id) = (user.messages(), conversation(&user));
    user.kill();
    admin.until(|event| event["link"] == "lost");
    admin.say("said while you were away");
    let mut user = setup.user(&[]);
    user.until_told("notice", GOES_ON);
    assert_eq!(user.until_state("active")["admin"], "Robin");
    assert_eq!(told_again(&user, &id), before);
    user.until_text("said while you were away");
    user.say("three");
    admin.until_text("three");
    same_story(&mut admin, &mut user, &id);
    assert_eq!(setup.bot.texts(), ["a human"]);
}

#[test]
fn new_as_an_option_or_a_command_begins_a_new_conversation() {
    let setup = Setup::new();
    let mut user = setup.user(&[]);
    user.say("hi");
    user.until_text("heard hi");
    let first = conversation(&user);
    user.kill();
    let mut user = setup.user(&["--new"]);
    // The old conversation ends first, so that it does not wait at a desk.
    assert_eq!(user.until_state("closed")["conversation"], first);
    let begun = user.until(|event| event["state"] == "bot" && event["conversation"] != first);
    let second = begun["conversation"].clone();
    assert_eq!(user.messages(), []);
    user.say("two");
    user.until_text("heard two");
    user.say("/new");
    assert_eq!(user.until_state("closed")["conversation"], second);
    let third = user.until_state("bot")["conversation"].clone();
    assert_ne!(third, second);
    user.say("three");
    user.until_text("heard three");
    user.kill();
    let mut user = setup.user(&[]);
    user.until_told("notice", GOES_ON);
    user.until_state("bot");
    assert_eq!(told_again(&user, &third), said(&[("user", "three"), ("bot", "heard three")]));
    assert_eq!(user.messages().len(), 2, "only messages of the latest conversation are printed");
}

#[test]
fn a_restarted_desk_shows_the_customers_latest_name() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&["--name", "Ann"]);
    user.say("a human");
    user.until_state("active");
    user.kill();
    let mut user = setup.user(&["--name", "Anna"]);
    user.say("one");
    assert_eq!(admin.until_text("one")["name"], "Anna");
    user.kill();
    admin.kill();
    let arguments = setup.admin_arguments(&[]);
    let arguments: Vec<&str> = arguments.into_iter().filter(|word| *word != "--json").collect();
    let mut admin = Handoff::start(&arguments);
    admin.until_err(|line| line.contains("#1 Anna"));
    // Without --name the customer keeps the last name.
    let mut user = setup.user(&[]);
    user.say("two");
    assert_eq!(user.until_text("two")["name"], "Anna");
}

#[test]
fn a_restart_does_not_continue_a_closed_conversation() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    admin.say("/close");
    let first = user.until_state("closed")["conversation"].clone();
    admin.until_state("closed");
    user.close_stdin();
    assert_eq!(user.exit_code(), 0);
    let mut user = setup.user(&[]);
    assert_ne!(user.until_state("bot")["conversation"], first);
    user.say("hi");
    user.until_text("heard hi");
    assert_eq!(user.messages().len(), 2);
    assert!(user.events_of("notice").is_empty(), "a conversation was continued");
}

#[test]
fn a_restart_at_a_terminal_shows_the_last_lines_and_that_the_conversation_continues() {
    let setup = Setup::with(FakeBot::saying(|said| text(&format!("re {said}"))));
    let arguments =
        ["user", "--admin", &setup.desk, "--bot", setup.bot.url(), "--state", setup.state()];
    let mut user = Terminal::start(&arguments);
    user.prompts("bot> ");
    for line in 1..=15 {
        user.press(&format!("line {line}\r"));
        user.sees(&format!("re line {line}"));
    }
    user.program.signal(Signal::KILL);
    user.program.exit_code();
    let mut user = Terminal::start(&arguments);
    let seen = user.sees(GOES_ON);
    let lines: Vec<&str> =
        seen.lines().map(str::trim).filter(|line| line.contains("line ")).collect();
    let expected: Vec<String> =
        (6..=15).flat_map(|n| [format!("line {n}"), format!("re line {n}")]).collect();
    assert_eq!(lines.len(), expected.len(), "{seen}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.ends_with(expected.as_str()), "{seen}");
    }
    user.prompts("bot> ");
}
