//! Ctrl-R at the terminals of a customer, of the desk, and of an attached agent.

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_G: &str = "\x07";
const CTRL_R: &str = "\x12";
const ESCAPE: &str = "\x1b";
const RIGHT: &str = "\x1b[C";
const DOWN: &str = "\x1b[B";

/// A customer who talks to the bot, without a journal.
fn customer(bot: &FakeBot) -> Terminal {
    let arguments = ["user", "--admin", &nobody_at(), "--bot", bot.url(), "--ephemeral"];
    let mut user = Terminal::start(&arguments);
    user.prompts("bot> ");
    user
}

#[test]
fn a_customer_finds_an_earlier_line_and_sends_it_with_the_second_enter() {
    let bot = FakeBot::saying(|said| text(&format!("I heard: {said}")));
    let mut user = customer(&bot);
    for line in ["where is my parcel?", "the parcel is late", "thanks"] {
        user.press(&format!("{line}\r"));
        user.sees(&format!("I heard: {line}"));
    }
    user.press("half a li");
    user.last_row("bot> half a li");
    user.press(CTRL_R);
    user.last_row("search ''> half a li");
    user.press("parc");
    user.last_row("search 'parc'> the parcel is late");
    user.press(CTRL_R);
    user.last_row("search 'parc'> where is my parcel?");
    user.press(CTRL_R);
    user.last_row("not found 'parc'> where is my parcel?");
    user.press("\r");
    user.last_row("bot> where is my parcel?");
    // Enter has only taken the line: it can be changed, and the draft from before is not lost.
    user.press("\x05 Tell me.");
    user.last_row("bot> where is my parcel? Tell me.");
    assert_eq!(bot.texts().len(), 3, "Ctrl-R sent a line: {:?}", bot.texts());
    user.press(&format!("{DOWN}{DOWN}{DOWN}"));
    user.last_row("bot> half a li");
    user.press(&format!("{CTRL_R}my parcel{RIGHT}"));
    user.last_row("bot> where is my parcel?");
    user.press("\x05 Please.\r");
    user.sees("I heard: where is my parcel? Please.");
    assert_eq!(bot.texts()[3..], ["where is my parcel? Please."]);
}

#[test]
fn a_search_that_is_given_up_brings_the_draft_back_and_sends_nothing() {
    let bot = FakeBot::saying(|said| text(&format!("I heard: {said}")));
    let mut user = customer(&bot);
    user.press("where is my parcel?\r");
    user.sees("I heard: where is my parcel?");
    for (draft, stop) in
        [("half", ESCAPE), ("half", CTRL_G), ("half", CTRL_C), ("", CTRL_C), ("", ESCAPE)]
    {
        user.press(&format!("{draft}{CTRL_R}is"));
        user.last_row("search 'is'> where is my parcel?");
        user.press(stop);
        user.last_row(&format!("bot> {draft}"));
        user.press("\x15");
        user.last_row("bot> ");
    }
    // Ctrl-D in a search takes the line. It ends the program only outside of a search.
    user.press(&format!("{CTRL_R}no such{CTRL_D}"));
    user.last_row("bot> ");
    user.press(&format!("{CTRL_R}parcel{CTRL_D}"));
    user.last_row("bot> where is my parcel?");
    assert_eq!(bot.texts(), ["where is my parcel?"]);
}

#[test]
fn an_agent_finds_commands_and_lines_at_the_desk_and_at_an_attached_terminal() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&[]);
    let mut robin = setup.agent_at_a_terminal("robin", 100);
    for agent in [&mut desk, &mut robin] {
        agent.press("/history 77\r");
        agent.sees("there is no conversation 77");
        agent.press("hello?\r");
        agent.sees("you are talking to nobody");
        agent.press(&format!("{CTRL_R}hist"));
        agent.last_row("search 'hist'> /history 77");
        agent.press("\r\x05\x7f8");
        agent.last_row("nobody> /history 78");
        agent.press("\r");
        agent.sees("there is no conversation 78");
        // A refused line is found, too.
        agent.press(&format!("{CTRL_R}ell\r"));
        agent.last_row("nobody> hello?");
    }
}
