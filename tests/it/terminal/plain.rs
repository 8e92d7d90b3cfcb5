//! `--plain`, line by line, as a screen reader reads it: each line is written once, names its
//! speaker, and has no control character.

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

/// All output as lines, including the typed text, which the terminal echoes.
#[track_caller]
fn spoken(end: &Terminal) -> Vec<String> {
    let seen = String::from_utf8(end.seen.clone()).expect("a screen reader gets text");
    let text = seen.replace("\r\n", "\n");
    let odd = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(odd, None, "a control character in {text:?}");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_screen_reader_reads_a_whole_handoff_line_by_line_at_both_ends() {
    let bot = FakeBot::saying(|said| {
        text(if said == "human" { "Human Handoff" } else { "Ask me anything." })
    });
    let address = nobody_at();
    let mut desk = Terminal::start(&["admin", "--listen", &address, "--name", "Robin", "--plain"]);
    desk.sees("listening on");
    let user = ["user", "--admin", &address, "--bot", bot.url(), "--name", "Ann", "--plain"];
    let mut ann = Terminal::start(&user);
    ann.sees("your lines go to the bot");
    ann.press("hi\r");
    ann.sees("bot: Ask me anything.");
    ann.press("human\r");
    ann.sees("you are number 1 in the queue");
    desk.sees("handoff: 1 waiting");
    desk.press("/accept\r");
    desk.sees("your lines go to #1 Ann");
    ann.sees("agent Robin joined");
    desk.press("Hello Ann\r");
    desk.sees("your last line was seen");
    ann.press("my parcel is lost\r");
    ann.sees("your last line was seen");
    desk.sees("#1 user Ann: my parcel is lost");
    desk.press("/handback\r");
    ann.sees("the bot does not know what was said without it");
    desk.sees("#1 Ann is back with the bot");
    let marks = |line: &String| line.contains("your last line");
    let without_marks = |end: &Terminal| {
        // How many "delivered" lines come before a "seen" depends on the moment.
        spoken(end).into_iter().filter(|line| !marks(line)).collect::<Vec<_>>()
    };
    assert_eq!(
        without_marks(&ann),
        [
            "handoff: your lines go to the bot",
            "hi",
            "user Ann: hi",
            "bot: Ask me anything.",
            "human",
            "user Ann: human",
            "handoff: you asked for a person; one moment, please",
            "handoff: you are number 1 in the queue",
            "handoff: agent Robin joined",
            "agent Robin: Hello Ann",
            "my parcel is lost",
            "user Ann: my parcel is lost",
            "handoff: the agent handed you back to the bot",
            "handoff: the bot does not know what was said without it",
        ]
    );
    let lines = without_marks(&desk);
    let expected = [
        "handoff: Hey! Ann wants to talk to you",
        "handoff: 1 waiting",
        "/accept",
        "#1 bot: Ask me anything.",
        "#1 user Ann: human",
        "handoff: your lines go to #1 Ann; nobody is waiting",
        "Hello Ann",
        "#1 admin Robin: Hello Ann",
        "#1 user Ann: my parcel is lost",
        "/handback",
        "handoff: #1 Ann is back with the bot",
    ];
    let mut rest = lines.iter();
    for line in expected {
        assert!(rest.any(|read| read == line), "no '{line}', in this order, in {lines:#?}");
    }
    // Each line that was not typed begins with its speaker.
    let is_named =
        |line: &str| ["handoff: ", "#1 ", "  more: "].iter().any(|mark| line.starts_with(mark));
    let typed = ["/accept", "Hello Ann", "/handback"];
    let unnamed: Vec<_> =
        lines.iter().filter(|line| !is_named(line) && !typed.contains(&line.as_str())).collect();
    assert_eq!(unnamed, [] as [&String; 0]);
}

#[test]
fn a_call_that_is_repeated_is_a_line_because_there_is_no_bell() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&["--plain", "--notify-every", "1"]);
    let _cleo = setup.queued("Cleo");
    desk.writes("handoff: 1 waiting");
    desk.writes("handoff: 1 customer is waiting (0:0");
    desk.writes("handoff: 1 customer is waiting (0:0");
    desk.press("/accept\r");
    desk.sees("nobody is waiting");
    spoken(&desk);
}

#[test]
fn an_agent_who_goes_to_the_customer_they_have_hears_who_that_is() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&["--plain"]);
    let _cleo = setup.queued("Cleo");
    desk.writes("handoff: 1 waiting");
    desk.press("/accept\r");
    desk.writes("handoff: your lines go to #1 Cleo; nobody is waiting");
    desk.press("/switch 1\r");
    desk.writes("handoff: your lines go to #1 Cleo\r\n#1 user Cleo: a human\r\n");
}

#[test]
fn a_customer_at_a_plain_terminal_is_told_where_they_are_when_they_come_back() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let mut arguments = setup.user_arguments(&["--plain"]);
    arguments.retain(|argument| *argument != "--json");
    let mut first = Terminal::start(&arguments);
    first.sees("your lines go to the bot");
    first.press("a human\r");
    first.sees("you are number 1 in the queue");
    first.program.kill();
    let mut again = Terminal::start(&arguments);
    again.sees("you are number 1 in the queue");
    let told = spoken(&again);
    assert!(!told.contains(&"handoff: your lines go to the bot".to_owned()), "{told:#?}");
}
