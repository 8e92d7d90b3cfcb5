//! The keys Up, Ctrl-U, Ctrl-C and Ctrl-Z at a terminal; and the texts of the prompt and of
//! refusals.

use rustix::process::Signal;

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::run::Handoff;
use crate::support::terminal::{Terminal, typed_user};

const UP: &str = "\x1b[A";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_U: &str = "\x15";
const CTRL_Z: &str = "\x1a";

fn bot() -> FakeBot {
    FakeBot::saying(|said| text(if said.contains("human") { "Human Handoff" } else { "bot here" }))
}

/// A block as a terminal pastes it.
fn pasted(block: &str) -> String {
    format!("\x1b[200~{}\x1b[201~", block.replace('\n', "\r"))
}

/// A desk at a terminal, and its address.
fn desk(more: &[&str]) -> (Terminal, String) {
    let address = nobody_at();
    let mut desk =
        Terminal::start(&[&["admin", "--listen", &address, "--name", "Robin"], more].concat());
    desk.sees("listening on");
    (desk, address)
}

fn customer(address: &str, bot: &FakeBot, name: &str) -> Terminal {
    let mut user =
        Terminal::start(&["user", "--admin", address, "--bot", bot.url(), "--name", name]);
    user.prompts("bot> ");
    user
}

/// A desk and a customer who talk, both at terminals.
fn talking(bot: &FakeBot) -> (Terminal, Terminal, String) {
    let (mut desk, address) = desk(&["--auto-accept"]);
    let mut user = customer(&address, bot, "Ann");
    user.press("a human\r");
    user.last_row("agent Robin> ");
    desk.last_row("#1 Ann> ");
    (desk, user, address)
}

#[test]
fn a_refused_line_leaves_the_input_empty_and_comes_back_with_the_up_key() {
    let (mut desk, _) = desk(&[]);
    desk.press(&pasted("one\ntwo\nthree"));
    desk.prompts("│ three");
    desk.press("\r");
    desk.sees(
        "you are talking to nobody; nobody is waiting for you (not sent; the Up key brings your line back)",
    );
    desk.last_row("nobody> ");
    // The next line is a command of its own, not the end of the refused block.
    desk.press("/list\r");
    desk.sees("nobody is talking, nobody is waiting");
    desk.press(&format!("{UP}{UP}"));
    desk.prompts("nobody> one\n      │ two\n      │ three");
    desk.press(CTRL_U);
    desk.last_row("nobody> ");
    desk.press("/quit\r");
    assert_eq!(desk.program.exit_code(), 0);
}

#[test]
fn a_line_typed_in_a_closed_conversation_is_sent_in_the_next_one() {
    let bot = bot();
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = customer(&admin.address(), &bot, "Ann");
    user.press("a human\r");
    admin.until_state("active");
    user.last_row("agent> ");
    admin.say("goodbye");
    admin.say("/close");
    let closed = admin.until_state("closed");
    user.last_row("closed> ");
    user.press("hello again\r");
    user.sees("the last conversation is closed; this begins a new one");
    user.sees("bot: bot here");
    user.last_row("bot> ");
    assert_eq!(bot.texts(), ["a human", "hello again"]);
    let asked = bot.asked();
    assert_ne!(asked[0].sender(), asked[1].sender(), "the bot got the same sender id again");
    // A request for a person begins a new conversation, too.
    user.press("/end\r");
    user.last_row("closed> ");
    user.press("/human\r");
    let anew = admin.until_state("active");
    assert_ne!(anew["conversation"], closed["conversation"]);
    user.last_row("agent> ");
    // The same at a terminal that edits lines itself.
    let (mut plain, mut keyboard) = typed_user(&admin.address(), bot.url(), &[]);
    keyboard.type_line("/end");
    plain.until_err(|line| line.contains("you ended the conversation"));
    keyboard.type_line("hello");
    plain.until_err(|line| line.contains("this begins a new one"));
    plain.until_out(|line| line == "bot: bot here");
}

#[test]
fn a_window_of_any_size_shows_that_a_line_is_too_long() {
    for (columns, rows) in [(80, 24), (40, 10), (24, 6)] {
        let mut user = customer(&nobody_at(), &bot(), "Ann");
        user.resize(columns, rows);
        user.press(&pasted(&"0123456789".repeat(1024)));
        user.prompts("56789");
        user.press("\r");
        user.last_row("bot> ");
        let seen = user.rows().join("").replace("  │ ", "").replace("  ", " ");
        assert!(seen.contains("this line has 10240 bytes"), "{columns}x{rows}: {:?}", user.rows());
        user.press(&format!("{UP}{}{UP}", CTRL_U));
        user.prompts("56789");
    }
}

#[test]
fn ctrl_c_clears_the_line_then_names_open_conversations_then_ends_the_program() {
    let bot = bot();
    let (mut desk, mut user, _) = talking(&bot);
    for (end, prompt, open) in [
        (&mut user, "agent Robin", "you are talking to an agent; Ctrl-C again leaves the program"),
        (&mut desk, "#1 Ann", "1 customer is talking to you; Ctrl-C again ends the desk"),
    ] {
        end.press("half a line");
        end.prompts("> half a line");
        end.press(CTRL_C);
        end.prompts(&format!("{prompt}> "));
        end.press(CTRL_C);
        end.sees(open);
        // Any other key withdraws the question, so the next Ctrl-C asks again. The cleared line is
        // not lost.
        end.press(&format!("{UP}{CTRL_U}\x0c{CTRL_C}"));
        end.sees(open);
        end.press(UP);
        end.prompts("> half a line");
        end.press(CTRL_U);
        end.prompts(&format!("{prompt}> "));
        end.press(&format!("{CTRL_C}{CTRL_C}"));
        assert_eq!(end.program.exit_code(), 130);
        assert!(end.is_cooked(), "the terminal was not restored");
    }
}

#[test]
fn ctrl_d_asks_before_it_ends_a_desk_whose_agent_has_a_customer() {
    let bot = bot();
    let (mut desk, _user, _) = talking(&bot);
    desk.press(CTRL_D);
    desk.sees("1 customer is talking to you; /quit again ends the desk");
    // Any other line withdraws the question.
    desk.press("Hello\r");
    desk.sees("admin Robin: Hello");
    desk.press(&format!("\x0c{CTRL_D}"));
    desk.sees("1 customer is talking to you; /quit again ends the desk");
    desk.press(CTRL_D);
    assert_eq!(desk.program.exit_code(), 0);
}

#[test]
fn ctrl_c_on_an_empty_line_ends_the_program_at_once_if_no_conversation_is_open() {
    let (mut desk, address) = desk(&[]);
    let mut user = customer(&address, &bot(), "Ann");
    for end in [&mut user, &mut desk] {
        end.press("half");
        end.prompts("> half");
        end.press(CTRL_C);
        end.prompts("> ");
        end.press(CTRL_C);
        assert_eq!(end.program.exit_code(), 130);
    }
}

#[test]
fn ctrl_c_asks_a_waiting_customer_before_it_ends_the_program() {
    let bot = bot();
    let (mut desk, address) = desk(&[]);
    let mut user = customer(&address, &bot, "Ann");
    user.press("a human\r");
    user.last_row("waiting> ");
    user.press(CTRL_C);
    user.sees("you are waiting for a person; Ctrl-C again leaves the program");
    desk.last_row("nobody · 1 waiting> ");
    desk.press(CTRL_C);
    desk.sees("1 customer is waiting; Ctrl-C again ends the desk");
    desk.press("/accept\r");
    desk.last_row("#1 Ann> ");
    user.last_row("agent Robin> ");
}

#[test]
fn a_desk_refuses_ctrl_z_with_a_reason_and_goes_on() {
    let bot = bot();
    let (mut desk, mut user, address) = talking(&bot);
    desk.press(&format!("to Ann{CTRL_Z}"));
    desk.sees("a desk cannot be suspended, its customers would lose it; /quit ends it");
    desk.last_row("#1 Ann> to Ann");
    desk.press("\r/list\r");
    user.sees("agent Robin: to Ann");
    desk.sees("#1 Ann (gets your lines)");
    desk.program.signal(Signal::TSTP);
    desk.press("\x0c");
    desk.sees("a desk cannot be suspended");
    // With `--plain` the terminal itself turns Ctrl-Z into the signal.
    let mut plain = Terminal::start(&["admin", "--listen", "127.0.0.1:0", "--plain"]);
    plain.sees("listening on");
    plain.program.signal(Signal::TSTP);
    plain.sees("handoff: a desk cannot be suspended");
    plain.press("/quit\r");
    assert_eq!(plain.program.exit_code(), 0);
    drop(address);
}

#[test]
fn a_customer_suspends_with_ctrl_z_and_comes_back_with_the_line_in_a_window_of_another_size() {
    let bot = bot();
    let (mut desk, mut user, _) = talking(&bot);
    user.press("half 日本 👍 ty");
    user.last_row("agent Robin> half 日本 👍 ty");
    for keys in [true, false] {
        if keys {
            user.press(CTRL_Z);
        } else {
            user.program.signal(Signal::TSTP);
        }
        user.stops();
        assert!(user.is_cooked(), "the shell did not get the terminal back");
        user.pastes_marked(false);
        user.resize(if keys { 30 } else { 60 }, 20);
        user.program.signal(Signal::CONT);
        user.last_row("agent Robin> half 日本 👍 ty");
        assert!(!user.is_cooked(), "the program did not take the terminal back");
        user.pastes_marked(true);
    }
    user.press("ped\r");
    desk.sees("user Ann: half 日本 👍 typed");
    user.sees("user Ann: half 日本 👍 typed");
}

#[test]
fn a_customer_who_was_stopped_without_warning_takes_the_terminal_again() {
    let bot = bot();
    let (mut desk, mut user, _) = talking(&bot);
    user.press("half");
    user.last_row("agent Robin> half");
    user.program.signal(Signal::STOP);
    user.stops();
    // A shell may set other modes meanwhile.
    user.cook();
    user.program.signal(Signal::CONT);
    user.last_row("agent Robin> half");
    user.press(" a line\r");
    desk.sees("user Ann: half a line");
    assert!(!user.is_cooked());
}

#[test]
fn both_prompts_show_that_the_connection_is_lost() {
    let bot = bot();
    let (mut desk, mut user, address) = talking(&bot);
    desk.program.kill();
    user.last_row("offline, agent Robin> ");
    let mut waiting = customer(&address, &bot, "Bob");
    waiting.press("a human\r");
    waiting.last_row("offline, waiting> ");
    let (mut desk, mut user, _) = talking(&bot);
    user.program.kill();
    desk.last_row("offline, #1 Ann> ");
}

#[test]
fn both_prompts_are_restored_with_the_connection() {
    let bot = bot();
    let setup = crate::support::setup::Setup::with(bot);
    let arguments = [
        "admin",
        "--listen",
        &setup.desk,
        "--name",
        "Robin",
        "--auto-accept",
        "--state",
        setup.state(),
    ];
    let user = [
        "user",
        "--admin",
        &setup.desk,
        "--bot",
        setup.bot.url(),
        "--name",
        "Ann",
        "--state",
        setup.state(),
    ];
    let mut desk = Terminal::start(&arguments);
    desk.sees("listening on");
    let mut customer = Terminal::start(&user);
    customer.press("a human\r");
    customer.last_row("agent Robin> ");
    desk.program.kill();
    customer.last_row("offline, agent Robin> ");
    let mut desk = Terminal::start(&arguments);
    customer.last_row("agent Robin> ");
    desk.last_row("#1 Ann> ");
    customer.program.kill();
    desk.last_row("offline, #1 Ann> ");
    let mut customer = Terminal::start(&user);
    customer.last_row("agent Robin> ");
    desk.last_row("#1 Ann> ");
}

#[test]
fn a_desk_without_a_terminal_names_the_addressee_after_a_restart() {
    let setup = crate::support::setup::Setup::with(bot());
    let arguments = ["admin", "--listen", &setup.desk, "--auto-accept", "--state", setup.state()];
    let mut admin = Handoff::start(&arguments);
    admin.address();
    let mut user = Handoff::user(&setup.desk, setup.bot.url(), &["--name", "Ann"]);
    user.say("human");
    user.until_state("active");
    admin.until_err(|line| line.contains("you have the conversation"));
    admin.kill();
    let mut admin = Handoff::start(&arguments);
    admin.until_err(|line| line == "handoff: #1 Ann gets your lines");
}

#[test]
fn a_desk_without_a_terminal_names_the_addressee_of_the_next_line() {
    let bot = bot();
    for json in [&["--json"][..], &[]] {
        let mut admin = Handoff::start(
            &[&["admin", "--listen", "127.0.0.1:0", "--auto-accept"], json].concat(),
        );
        let address = admin.address();
        let told = |admin: &mut Handoff, line: &str| match json.is_empty() {
            true => _ = admin.until_err(|told| told == format!("handoff: {line}")),
            false => _ = admin.until_told("notice", line),
        };
        let mut users = Vec::new();
        for name in ["Ann", "Bob"] {
            let mut user = Handoff::user(&address, bot.url(), &["--name", name]);
            user.say("human");
            match json.is_empty() {
                true => {
                    _ = admin.until_err(|told| {
                        told.contains(&format!("{name}: you have the conversation"))
                    })
                }
                false => _ = admin.until_state("active"),
            }
            users.push(user);
        }
        admin.say("/switch 1");
        told(&mut admin, "#1 Ann gets your lines");
        admin.say("/next");
        told(&mut admin, "#2 Bob gets your lines");
        admin.say("/switch #1");
        told(&mut admin, "#1 Ann gets your lines");
    }
}

#[test]
fn a_full_desk_makes_the_customers_side_print_that_it_is_full() {
    let bot = bot();
    let mut admin = Handoff::admin(&["--customers", "1"]);
    let address = admin.address();
    let mut first = Handoff::user(&address, bot.url(), &[]);
    first.say("human");
    first.until(|event| event["position"] == 1);
    let mut user = customer(&address, &bot, "Bob");
    user.press("a human\r");
    user.last_row("busy, waiting> ");
}
