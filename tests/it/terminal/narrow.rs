//! The prompt in a window of 30 columns.

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::terminal::Terminal;

#[test]
fn the_demo_breaks_its_first_lines_between_words() {
    let mut demo = Terminal::sized(&["demo"], 40);
    demo.prompts("bot> ");
    let seen = [demo.scrollback(), demo.rows()].concat();
    let rows: Vec<&str> = seen.iter().map(|row| row.trim_end()).collect();
    let expected = [
        "This is handoff's demo: a bot, a desk",
        "and you, all on this machine.",
        "Chat with the bot ('hello', 'buttons',",
        "'a picture').",
        "Then say: I want to talk to a human",
        "/help shows the commands, Ctrl-D",
        "leaves.",
        "Another customer, from another",
        "terminal:",
    ];
    assert!(rows.starts_with(&expected), "{rows:#?}");
    // A demo that is killed would leave its bot and its desk behind.
    demo.press("\x04");
    assert_eq!(demo.program.exit_code(), 0);
}

#[test]
fn a_prompt_in_thirty_columns_keeps_the_check_mark_and_the_counts_at_both_ends() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let address = nobody_at();
    let name = "Maximilian Featherstone";
    let mut desk = Terminal::sized(&["admin", "--listen", &address, "--name", name], 30);
    desk.sees("listening on");
    let user = |name: &str, columns| {
        let arguments = ["user", "--admin", &address, "--bot", bot.url(), "--name", name];
        let mut user = Terminal::sized(&arguments, columns);
        user.prompts("bot> ");
        user.press("human\r");
        user
    };
    let mut max = user(name, 30);
    desk.prompts("nobody · 1w> ");
    desk.press("/accept\r");
    desk.last_row("#1 Maximilian …> ");
    max.last_row("agent Maximili…> ");
    desk.press("hello\r");
    max.sees("hello");
    // The customer's terminal has shown the line.
    desk.last_row("#1 Maximili… ✓✓> ");
    let _bob = user("Bob", 30);
    desk.last_row("#1 Max… · 1w ✓✓> ");
    desk.press("a line that has more than one row\r");
    desk.last_row("#1 Max… · 1w ✓✓> ");
    max.press("yes\r");
    max.last_row("agent Maxim… ✓✓> ");
}
