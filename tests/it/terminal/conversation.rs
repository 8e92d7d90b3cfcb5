//! People at terminals, at both ends.

use rustix::process::Signal;

use crate::support::fake_bot::{FakeBot, text};
use crate::support::run::Handoff;
use crate::support::terminal::{Terminal, typed_user};

#[test]
fn a_whole_handoff_between_two_people_at_terminals() {
    let mut bot = Handoff::bot();
    let mut admin = Terminal::start(&["admin", "--listen", "127.0.0.1:0", "--name", "Robin"]);
    let screen = admin.sees("listening on 127.0.0.1:");
    let address =
        screen.split("listening on ").nth(1).and_then(|rest| rest.split([',', ' ']).next());
    let address = address.expect("an address").to_owned();
    let url = bot.url();
    let user =
        |name: &str| Terminal::start(&["user", "--admin", &address, "--bot", &url, "--name", name]);
    let (mut ann, mut bob) = (user("Ann"), user("Bob"));
    ann.prompts("bot> ");
    ann.press("hi\r");
    ann.sees("bot: Hello! I am the demo bot.");
    ann.press("a human, please\r");
    ann.sees("you are number 1 in the queue");
    ann.prompts("waiting> ");
    admin.sees("Hey! Ann wants to talk to you");
    bob.press("a human, too\r");
    bob.sees("you are number 2 in the queue");
    admin.sees("Hey! Bob wants to talk to you");
    admin.prompts("nobody · 2 waiting> ");
    admin.press("/accept\r");
    admin.prompts("#1 Ann · 1 waiting> ");
    admin.sees("user Ann: a human, please");
    ann.sees("Robin joined");
    ann.prompts("Robin> ");
    admin.press("/accept\r");
    admin.prompts("#2 Bob> ");
    // A message of the other conversation comes while a line is being typed.
    admin.press("for Bob, half ty");
    admin.prompts("#2 Bob> for Bob, half ty");
    ann.press("日本語 👍 שלום\r");
    admin.sees("[#1] user Ann: 日本語 👍 שלום");
    admin.prompts("#2 Bob · 1 unread> for Bob, half ty");
    admin.press("ped\r");
    bob.sees("agent Robin: for Bob, half typed");
    admin.press("/switch 1\r");
    admin.prompts("#1 Ann> ");
    admin.press("/handback all well\r\r");
    ann.sees("the agent handed you back to the bot");
    ann.prompts("bot> ");
    bob.press("/end\r");
    bob.sees("you ended the conversation");
    bob.prompts("closed> ");
    admin.sees("#2 Bob: closed (by the customer)");
    admin.prompts("nobody> ");
    for end in [&mut ann, &mut bob, &mut admin] {
        end.press("/quit\r");
        assert_eq!(end.program.exit_code(), 0);
        assert!(end.is_cooked(), "the terminal was not restored");
    }
}

#[test]
fn each_of_two_people_sees_in_the_prompt_that_the_other_is_typing() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut admin = Terminal::start(&["admin", "--listen", "127.0.0.1:0", "--name", "Robin"]);
    let screen = admin.sees("listening on 127.0.0.1:");
    let address = screen.split("listening on ").nth(1).and_then(|rest| rest.split(',').next());
    let address = address.expect("an address").to_owned();
    let mut user =
        Terminal::start(&["user", "--admin", &address, "--bot", bot.url(), "--name", "Ann"]);
    user.prompts("bot> ");
    user.press("human\r");
    admin.sees("Hey! Ann wants to talk to you");
    admin.press("/accept\r");
    admin.prompts("#1 Ann> ");
    user.prompts("\nagent Robin> ");
    user.press("my par");
    admin.prompts("typing, #1 Ann> ");
    user.press("cel is lost\r");
    admin.sees("user Ann: my parcel is lost");
    admin.prompts("\n#1 Ann> ");
    admin.press("One mo");
    user.prompts("\ntyping, agent Robin ✓✓> ");
    admin.press("ment\r");
    user.sees("agent Robin: One moment");
    user.prompts("\nagent Robin ✓✓> ");
}

#[test]
fn a_pasted_block_of_fifty_lines_is_one_message_at_the_other_end() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Terminal::start(&["user", "--admin", &admin.address(), "--bot", bot.url()]);
    user.prompts("bot> ");
    user.press("human\r");
    user.sees("an agent joined");
    let block: Vec<String> = (1..=50).map(|line| format!("line {line} — 日本 👍")).collect();
    user.press(&format!("\x1b[200~{}\x1b[201~", block.join("\r")));
    user.sees("line 50");
    user.press("\r");
    admin.until_text(&block.join("\n"));
    assert_eq!(admin.messages().len(), 2);
    // In the other direction: a script cannot type a message with a line end, but its output shows
    // all line ends.
    let mut plain = Handoff::plain_admin(&["--auto-accept"]);
    let mut user = Terminal::start(&["user", "--admin", &plain.address(), "--bot", bot.url()]);
    user.press("human\r");
    user.sees("an agent joined");
    user.press("\x1b[200~one\radmin: I am no agent\x1b[201~");
    user.sees("I am no agent");
    user.press("\r");
    plain.until_out(|line| line == "#1 user: one");
    plain.until_out(|line| line == "  | admin: I am no agent");
}

#[test]
fn ctrl_c_ends_the_program_with_130_and_restores_the_terminal() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut user = Terminal::start(&["user", "--admin", &admin.address(), "--bot", bot.url()]);
    user.prompts("bot> ");
    assert!(!user.is_cooked());
    user.press("human\r");
    user.sees("an agent joined");
    user.press("\x03");
    user.sees("you are talking to an agent; Ctrl-C again leaves the program");
    user.press("\x03");
    assert_eq!(user.program.exit_code(), 130);
    assert!(user.is_cooked());
    let lost = admin.until(|event| event["link"] == "lost");
    assert!(
        lost["why"].to_string().contains("ending"),
        "the connection was lost before the goodbye: {lost}"
    );
}

#[test]
fn bot_and_desk_get_another_id_after_new() {
    let bot =
        FakeBot::saying(|said| text(if said == "human" { "Human Handoff" } else { "bot here" }));
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let (mut user, mut keyboard) = typed_user(&admin.address(), bot.url(), &[]);
    keyboard.type_line("human");
    admin.until_state("active");
    keyboard.type_line("/new");
    let closed = admin.until_state("closed");
    assert_eq!(closed["reason"], "user_ended");
    user.until_err(|line| line.contains("you ended the conversation"));
    keyboard.type_line("hello again");
    user.until_out(|line| line == "bot: bot here");
    keyboard.type_line("human");
    let anew = admin.until_state("active");
    assert_ne!(anew["conversation"], closed["conversation"]);
    let asked = bot.asked();
    assert_ne!(asked[0].sender(), asked[1].sender(), "the bot got the same sender id again");
    let anew: Vec<_> = admin
        .events_of("message")
        .into_iter()
        .filter(|e| e["conversation"] == anew["conversation"])
        .collect();
    assert_eq!(anew.len(), 3, "the transcript must have only the new conversation's messages");
}

#[test]
fn an_invalid_command_prints_the_reason_and_loses_nothing() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let (mut user, mut keyboard) = typed_user(&admin.address(), bot.url(), &[]);
    for (line, part) in [
        ("/bot", "you are with the bot already"),
        ("/wait", "/wait is for scripts"),
        ("/hunan", "there is no command /hunan"),
        ("/end now", "/end stands alone"),
    ] {
        keyboard.type_line(line);
        user.until_err(|told| told.contains(part));
    }
    keyboard.type_line("/human");
    admin.until_state("active");
    keyboard.type_line("/human");
    user.until_err(|told| told.contains("already"));
    keyboard.type_line("/bot");
    user.until_err(|told| told.contains("/end ends the conversation"));
    keyboard.type_line("/history");
    keyboard.type_line("said");
    admin.until_text("said");
    keyboard.type_line("/end");
    user.until_err(|told| told.contains("you ended the conversation"));
    keyboard.type_line("/bot");
    user.until_err(|told| told.contains("the conversation is closed; /new starts another"));
    keyboard.type_line("/quit");
    assert_eq!(user.exit_code(), 0);
    assert_eq!(bot.texts(), [] as [String; 0], "no command reached the bot");
}

#[test]
fn a_person_plays_the_customer_in_the_demo_on_a_terminal_and_ends_it() {
    let mut demo = Terminal::start(&["demo"]);
    demo.sees("Another customer, from another terminal:");
    demo.prompts("bot> ");
    demo.press("I want to talk to a human\r");
    demo.sees("Robin joined");
    demo.sees("I have read what you told the bot.");
    demo.press("back to the bot\r");
    demo.sees("the agent handed you back to the bot");
    demo.press("what do you remember?\r");
    demo.sees("you said \"back to the bot\"");
    demo.press("\x04");
    assert_eq!(demo.program.exit_code(), 0);
    assert!(demo.is_cooked());
    assert_eq!(demo.program.still_here(), [] as [u32; 0], "a process stays");
}

#[test]
fn a_demo_that_a_signal_ends_leaves_no_process_and_restores_the_terminal() {
    let mut demo = Terminal::start(&["demo"]);
    demo.prompts("bot> ");
    demo.program.signal(Signal::TERM);
    assert_eq!(demo.program.exit_code(), 143);
    assert!(demo.is_cooked());
    assert_eq!(demo.program.still_here(), [] as [u32; 0], "a process stays");
}

#[test]
fn nobody_types_any_more_once_their_line_has_come_also_if_all_keys_come_at_once() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut desk = Handoff::admin(&["--auto-accept", "--name", "Robin"]);
    let address = desk.address();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let arguments = ["user", "--admin", &address, "--bot", bot.url(), "--ephemeral"];
        let mut customer = Terminal::start(&[&arguments[..], &["--name", name]].concat());
        customer.press("hi\r");
        customer.prompts("Robin> ");
        customer.press("my parcel is lost\r");
        let is_line = |event: &serde_json::Value| event["text"] == "my parcel is lost";
        let first = desk.until(|event| event["event"] == "typing" || is_line(event));
        assert_eq!(first["event"], "typing", "of customer {name}");
        desk.until(is_line);
    }
}
