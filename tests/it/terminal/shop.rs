//! A customer at a terminal reads the words of a shop, also when something fails.

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

/// Words that a customer of a shop does not know.
const TECHNICAL: [&str; 8] =
    ["Rasa", "http", "127.", "SHA256", "desk", "handoff", "connection refused", "TLS"];

#[track_caller]
fn assert_plain_words(customer: &Terminal) {
    let seen = customer.rows().join("\n");
    for word in TECHNICAL {
        assert!(!seen.contains(word), "'{word}' is on the screen:\n{seen}");
    }
}

#[test]
fn a_customer_whose_bot_and_desk_are_away_reads_no_technical_word() {
    let setup = Setup::with(FakeBot::saying(|_| text("Human Handoff")));
    let bot = format!("http://{}", nobody_at());
    let state = ["--state", setup.state(), "--name", "Ann"];
    let arguments = [&["user", "--admin", &setup.desk, "--bot", &bot], &state[..]].concat();
    let mut ann = Terminal::start(&arguments);
    ann.prompts("bot> ");
    ann.press("hi\r");
    ann.sees("the bot cannot answer at the moment; /again sends your line again");
    ann.press("/human\r");
    ann.sees("you asked for a person; one moment, please");
    ann.sees("customer care is not available at the moment; trying again");
    ann.sees("while you wait, /bot goes back to the bot");
    ann.last_row("offline, waiting> ");
    let mut desk = setup.admin(&["--auto-accept"]);
    ann.sees("connected again");
    ann.sees("an agent joined");
    ann.last_row("agent> ");
    desk.kill();
    ann.sees("the connection to customer care is lost; trying again");
    ann.last_row("offline, agent> ");
    assert_plain_words(&ann);
    ann.press("\x04");
    ann.sees("this conversation goes on at the next start");
    assert_plain_words(&ann);
}

#[test]
fn a_customer_who_leaves_with_ctrl_d_reads_that_the_conversation_goes_on_and_it_does() {
    let setup = Setup::with(FakeBot::saying(|_| text("Human Handoff")));
    let mut desk = setup.admin(&["--auto-accept"]);
    let state = ["--state", setup.state(), "--name", "Ann"];
    let arguments =
        [&["user", "--admin", &setup.desk, "--bot", setup.bot.url()], &state[..]].concat();
    let mut ann = Terminal::start(&arguments);
    ann.press("human\r");
    ann.last_row("agent> ");
    ann.press("\x04");
    ann.sees("this conversation goes on at the next start");
    assert_eq!(ann.program.exit_code(), 0);
    let mut ann = Terminal::start(&arguments);
    ann.sees("this conversation goes on where it was");
    ann.last_row("agent> ");
    ann.press("I am back\r");
    desk.until_text("I am back");
    assert_plain_words(&ann);
}
