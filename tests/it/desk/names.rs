//! A name works wherever a command takes a customer's number.

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

fn bot() -> FakeBot {
    FakeBot::saying(|_| text("Human Handoff"))
}

/// A customer in the queue; `None` gives no name.
fn waiting(address: &str, bot: &FakeBot, name: Option<&str>) -> Handoff {
    let mut user =
        Handoff::user(address, bot.url(), &name.map_or(vec![], |name| vec!["--name", name]));
    user.say("human");
    user.until(|event| event["position"].is_number());
    user
}

#[test]
fn a_name_or_the_beginning_of_one_works_wherever_a_number_does() {
    let (bot, address) = (bot(), nobody_at());
    let mut desk = Terminal::start(&["admin", "--listen", &address]);
    desk.sees("listening on");
    let mut bo = waiting(&address, &bot, Some("Bo"));
    let mut mary = waiting(&address, &bot, Some("Mary Ann"));
    let mut cleo = waiting(&address, &bot, Some("Cléo"));
    desk.press("/accept cLÉ\r");
    cleo.until_state("active");
    desk.last_row("#3 Cléo · 2 waiting> ");
    desk.press("/accept mary a\r");
    mary.until_state("active");
    desk.press("/accept Bo\r");
    bo.until_state("active");
    desk.last_row("#1 Bo> ");
    desk.press("/switch Mary Ann\r");
    desk.last_row("#2 Mary Ann> ");
    desk.press("for Mary\r");
    mary.until_text("for Mary");
    desk.press("/history bo\r");
    desk.sees("── earlier, #1,");
    desk.press("/switch Cl\r/close\r");
    cleo.until_state("closed");
    desk.sees("#3 Cléo: closed (by an agent)");
    // A customer who has left can still be found by name.
    cleo.close_stdin();
    cleo.exit_code();
    desk.press("\x0c/history cléo\r");
    desk.sees("── earlier, #3,");
    for (line, why) in [
        ("/accept Dora", "nobody here is called 'Dora'; /list shows who is here"),
        ("/switch Cl", "nobody here is called 'Cl'"),
        ("/history Dora", "nobody here is called 'Dora'"),
        ("/accept Mary", "you have #2 Mary Ann already"),
        ("/switch", "/switch takes a customer's number or name"),
    ] {
        desk.press(&format!("{line}\r"));
        desk.sees(why);
    }
}

#[test]
fn an_ambiguous_name_lists_all_matches_and_accepts_nobody() {
    let (bot, address) = (bot(), nobody_at());
    let mut desk = Terminal::start(&["admin", "--listen", &address]);
    desk.sees("listening on");
    let mut users = ["Anna", "Ann", "Ann"].map(|name| waiting(&address, &bot, Some(name)));
    desk.press("\x0c/accept An\r");
    let seen = desk.sees("that fits several of them; give more of the name, or the number");
    assert!(seen.contains("-- #1 Anna\n-- #2 Ann\n-- #3 Ann\n"), "{seen}");
    // Customers with exactly this name come before customers whose name begins with it.
    desk.press("/accept ann\r");
    desk.sees("> /accept ann\n-- #2 Ann\n-- #3 Ann\n!! that fits several of them");
    desk.last_row("nobody · 3 waiting> ");
    desk.press("/accept 3\r");
    users[2].until_state("active");
    desk.last_row("#3 Ann · 2 waiting> ");
    // Two customers have this name, but only one of them waits, so only that one can be accepted.
    desk.press("/accept ann\r");
    users[1].until_state("active");
    desk.press("/accept anna\r");
    users[0].until_state("active");
}

#[test]
fn an_unnamed_customer_has_a_name_of_the_desks_and_a_number_wins_over_a_name() {
    let (bot, address) = (bot(), nobody_at());
    let mut desk = Terminal::start(&["admin", "--listen", &address]);
    desk.sees("listening on");
    let mut unnamed = waiting(&address, &bot, None);
    let mut two = waiting(&address, &bot, Some("1"));
    let mut seven = waiting(&address, &bot, Some("77"));
    let seen = desk.sees("Hey! Customer ");
    let called = seen
        .split("Hey! ")
        .nth(1)
        .and_then(|rest| rest.split(" wants").next())
        .expect("the call names the customer");
    desk.press(&format!("/accept {}\r", called.to_uppercase()));
    unnamed.until_state("active");
    desk.last_row(&format!("#1 {called} · 2 waiting> "));
    desk.press("/accept 1\r");
    desk.sees(&format!("you have #1 {called} already"));
    desk.press("/accept 7\r");
    desk.sees("there is no conversation 7");
    desk.press("/accept 77\r");
    seven.until_state("active");
    desk.press("/accept 2\r");
    two.until_state("active");
}

#[test]
fn a_script_waits_for_the_customer_it_names() {
    let bot = bot();
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    // In a script a number never means a name: a stranger may choose any name.
    let _three = waiting(&address, &bot, Some("3"));
    admin.script("/accept cleo\nhello Cleo\n/close\n/accept 3\nhello third\n/close\n");
    let mut cleo = Handoff::user(&address, bot.url(), &["--name", "Cleo"]);
    cleo.say("human");
    cleo.until_text("hello Cleo");
    let mut third = Handoff::user(&address, bot.url(), &[]);
    third.say("human");
    third.until_text("hello third");
    assert_eq!(admin.exit_code(), 0);
    // An ambiguous name is an error of the script, which goes on with its next line.
    let mut admin = Handoff::admin(&[]);
    let address = admin.address();
    let mut users = ["Bo", "Bob"].map(|name| waiting(&address, &bot, Some(name)));
    admin.script("/accept b\n/accept bo\n/close\n");
    admin.until_told("notice", "#1 Bo");
    admin.until_told("notice", "#2 Bob");
    admin.until_told("error", "that fits several of them");
    users[0].until_state("closed");
    assert_eq!(admin.exit_code(), 1, "an ambiguous name is an error of the script");
}

#[test]
fn a_history_by_name_is_found_after_a_restart() {
    let setup = Setup::new();
    let (mut admin, mut user) = setup.talking();
    user.say("/end");
    admin.until_state("closed");
    admin.kill();
    let mut admin = setup.admin(&[]);
    admin.say("/history customer");
    let again = admin.until_text("a human");
    assert_eq!(again["history"], true);
}
