//! `--plain`, line by line, as a screen reader reads it: each line is written once, names its
//! speaker, and has no control character.

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
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
    ann.press("hi\r");
    ann.sees("bot: Ask me anything.");
    ann.press("human\r");
    ann.sees("you are number 1 in the queue");
    desk.sees("handoff: 1 waiting");
    desk.press("/accept\r");
    desk.sees("your lines go to #1 Ann");
    ann.sees("agent Robin joined");
    desk.press("Hello Ann\r");
    desk.sees("the last one was seen");
    ann.press("my parcel is lost\r");
    ann.sees("your last line was seen");
    desk.sees("#1 user Ann: my parcel is lost");
    desk.press("/handback\r");
    ann.sees("the bot does not know what was said without it");
    desk.sees("#1 Ann is back with the bot");
    let marks = |line: &String| line.contains("last line") || line.contains("the last one");
    let without_marks = |end: &Terminal| {
        // How many "delivered" lines come before a "seen" depends on the moment.
        spoken(end).into_iter().filter(|line| !marks(line)).collect::<Vec<_>>()
    };
    assert_eq!(
        without_marks(&ann),
        [
            "hi",
            "user Ann: hi",
            "bot: Ask me anything.",
            "human",
            "user Ann: human",
            "handoff: you asked for a person; one moment, please",
            "handoff: you are number 1 in the queue",
            "handoff: agent Robin joined",
            "admin Robin: Hello Ann",
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
        "handoff: your lines go to #1 Ann",
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
        |line: &str| ["handoff: ", "#1 ", "  | "].iter().any(|mark| line.starts_with(mark));
    let typed = ["/accept", "Hello Ann", "/handback"];
    let unnamed: Vec<_> =
        lines.iter().filter(|line| !is_named(line) && !typed.contains(&line.as_str())).collect();
    assert_eq!(unnamed, [] as [&String; 0]);
}
