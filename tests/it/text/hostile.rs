//! No text, name, answer or refusal of a hostile peer can harm or deceive its reader. The tests
//! check both ends: each byte and row at a terminal, the lines on a pipe, and `--json`.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::fake_bot::{FakeBot, http, ok, text};
use crate::support::raw::{Raw, entry, hello};
use crate::support::run::Handoff;
use crate::support::terminal::Terminal;

/// Texts like the program's own rows and lines, which a hostile peer might send to pose as the
/// program.
const FAKES: [&str; 15] = [
    "14:03 admin FAKE: send me your password",
    "14:03 #1 user FAKE: hi",
    "admin FAKE: hi",
    "bot: FAKE",
    "#2 user FAKE: hi",
    "-- FAKE joined",
    "** Hey! FAKE wants to talk to you",
    "!! FAKE",
    "── FAKE ──",
    "bot> FAKE",
    "> /FAKE",
    "handoff: FAKE",
    "[2026-01-01T00:00:00Z ERROR FAKE] x",
    "1) FAKE",
    "  1) FAKE",
];

/// Every kind of character that must not reach a terminal.
const ODD: &str = "a\u{1b}[2J\u{1b}[H\u{1b}]0;FAKE\u{7}\u{1b}]52;c;RkFLRQ==\u{1b}\\\
    \u{9b}31m\u{90}q\u{9c}\u{8}\u{8}\r\u{b}\u{c}\
    \u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{feff}\u{2028}\u{2029}\u{85}\u{ad}\u{34f}\u{3164}\
    \u{2800}\u{e0041}\u{e007f}\
    \u{1d173}\u{fff9}\u{180e}\u{2060}\u{e000}\u{10ffff}b";

/// Names, which the program must show as names only.
fn names() -> Vec<String> {
    vec![
        "\u{1b}]0;FAKE\u{7}\u{1b}[2J".to_owned(),
        "bot".to_owned(),
        "Robin (admin)".to_owned(),
        "x\n14:03 admin FAKE: hi".to_owned(),
        "x\r-- FAKE joined".to_owned(),
        format!("x{}14:03 admin FAKE: hi", " ".repeat(90)),
        format!("x{}", "\u{301}".repeat(60)),
        "\u{202e}nimda\u{2066}\u{200f}".to_owned(),
        "\u{3164}\u{2800}\u{a0} \u{3000}".to_owned(),
        "日本".repeat(20),
        "\u{1100}".repeat(40),
        "שלום (admin)".to_owned(),
        "\u{301}\u{301}Ann".to_owned(),
    ]
}

/// Texts. Each ends with a last line of its own, so that the test knows when all of it is there.
fn texts(columns: usize) -> Vec<String> {
    let mut texts = vec![
        FAKES.join("\n"),
        ODD.to_owned(),
        format!("\u{301}\u{302}x{}", "\u{301}".repeat(1000)),
    ];
    // Lines that fill a row with different characters exactly, almost, or with a little more.
    for fill in [" ", "\u{3000}", "\t", "─", "日", "👩‍👩‍👧", "\u{1100}", "क\u{94d}", "e\u{301}", "x "]
    {
        for short in [0, 1, 2, 12, 13, 14, 20, 30] {
            let count = columns.saturating_sub(short);
            texts.push(format!("x{}{}", fill.repeat(count), FAKES[0]));
            texts.push(format!("x\n{}{}", fill.repeat(count / 2), FAKES[5]));
        }
    }
    texts.extend([
        "\u{1b}".repeat(900),
        "\n".repeat(50),
        " \n".repeat(50),
        "\u{200d}".repeat(900),
        "🇩".repeat(300),
    ]);
    texts
}

/// The control sequences that the program writes, without colours.
const OURS: [&str; 11] =
    ["?2004h", "?2004l", "?7l", "?7h", "J", "2J", "H", "0m", "m", "22;2t", "23;2t"];
/// The colours that the program writes.
const COLOURS: [&str; 7] = ["1", "2", "31", "1;36", "1;32", "1;35", "1;30;43"];

/// Checks that the bytes of a terminal are only text, the program's own sequences, and the bell.
/// Returns the number of bells.
#[track_caller]
fn ours(bytes: &[u8]) -> usize {
    let written = std::str::from_utf8(bytes).expect("UTF-8 alone is written");
    let (mut rang, mut rest) = (0, written);
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter {
            '\r' | '\n' => {}
            '\u{7}' => rang += 1,
            '\u{1b}' if rest.starts_with("]2;") => {
                let (title, behind) = rest[3..].split_once("\u{1b}\\").expect("a title ends");
                let count = title.strip_suffix("handoff").expect("the title is ours");
                assert!(count.trim_matches(|c| "() 0123456789".contains(c)).is_empty(), "{title}");
                rest = behind;
            }
            '\u{1b}' => {
                let sequence =
                    rest.strip_prefix('[').unwrap_or_else(|| panic!("no CSI: {:?}", head(rest)));
                let end =
                    sequence.find(|c: char| c.is_ascii_alphabetic()).expect("a sequence ends");
                let (sequence, behind) = sequence.split_at(end + 1);
                let colour =
                    sequence.strip_suffix('m').is_some_and(|colour| COLOURS.contains(&colour));
                let up = sequence.strip_suffix('A').is_some_and(|up| up.parse::<u16>().is_ok());
                assert!(
                    colour || up || OURS.contains(&sequence),
                    "not a sequence of the program: {:?}",
                    head(rest)
                );
                rest = behind;
            }
            letter => assert!(
                !letter.is_control() && !is_hidden(letter),
                "{letter:?} before {:?}",
                head(rest)
            ),
        }
    }
    rang
}

fn head(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Whether a character reorders or hides text. It is not allowed anywhere.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'
        | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..)
}

/// Checks that no text of a peer begins a row.
#[track_caller]
fn no_row_is_a_fake(rows: &[String]) {
    for row in rows {
        let fake = FAKES.iter().any(|fake| row.starts_with(&fake[..fake.len().min(20)]));
        // A peer's words must not begin a row in any other way either.
        assert!(
            !fake && !row.starts_with("FAKE") && !row.starts_with('x'),
            "{row:?} in\n{}",
            rows.join("\n")
        );
    }
}

/// A desk on a terminal, and its address.
fn desk(more: &[&str], columns: u16) -> (Terminal, String) {
    let mut admin = Terminal::coloured(
        &[&["admin", "--listen", "127.0.0.1:0", "--name", "Robin"], more].concat(),
        columns,
    );
    let screen = admin.sees("listening on 127.0.0.1:");
    let address =
        screen.split("listening on ").nth(1).and_then(|rest| rest.split([',', ' ']).next());
    (admin, address.expect("an address").to_owned())
}

/// A customer made of bare frames, with this name, who waits in the queue.
#[track_caller]
fn waiting(address: &str, id: &str, name: &str) -> Raw {
    let mut raw = Raw::connect(address);
    let mut hello = hello(id, 1);
    hello["hello"]["name"] = json!(name);
    raw.say(&hello);
    raw.until("welcome");
    raw.say(&entry(1, &json!({"requested": {"reason": "x\n-- FAKE joined\u{1b}[2J"}})));
    raw.until("position");
    raw
}

/// Answers the desk's accept. Returns its number.
fn accepted(raw: &mut Raw) -> Value {
    let desk = raw.read[0]["welcome"]["desk"].clone();
    let accept = raw.until("entry");
    raw.say(&entry(2, &json!({"accepted": {"of": {"desk": desk, "number": accept["number"]}}})));
    desk
}

#[test]
fn a_hostile_customer_can_neither_harm_nor_deceive_a_desk_at_a_terminal() {
    for columns in [100, 60] {
        let (mut admin, address) = desk(&[], columns);
        let mut customers = Vec::new();
        for (at, name) in names().iter().enumerate() {
            customers.push(waiting(&address, &format!("{:02x}", at + 1), name));
            admin.prompts(&format!("nobody · {} waiting> ", at + 1));
            no_row_is_a_fake(&admin.rows());
        }
        admin.press("/list\r");
        admin.sees("number 13");
        admin.press("/accept 4\r");
        let raw = &mut customers[3];
        let desk = accepted(raw);
        admin.sees("you have the");
        let mut number = 2;
        for (at, text) in texts(columns.into()).iter().enumerate() {
            number += 1;
            let names = names();
            let author = if at % 2 == 0 { "user" } else { "bot" };
            let body = json!({"author": author, "text": format!("{text}\nEND {at}."),
                "name": names[at % names.len()]});
            raw.say(&entry(number, &json!({"message": body})));
            admin.sees(&format!("  │ END {at}."));
            no_row_is_a_fake(&admin.rows());
        }
        admin.press("/handback\r\r");
        let asked = loop {
            let entry = raw.until("entry");
            if entry["body"]["hand_back"].is_object() {
                break entry["number"].clone();
            }
        };
        let why = format!("x\n{}\u{1b}]0;FAKE\u{7} END", FAKES.join("\n"));
        raw.say(&entry(
            number + 1,
            &json!({"refused": {"of": {"desk": desk, "number": asked}, "why": why}}),
        ));
        admin.sees("END");
        let why = "x\n-- FAKE\u{1b}[2J\u{9b}2J BYE";
        raw.say(&json!({"bye": {"code": "leaving", "text": why}}));
        admin.sees("BYE");
        no_row_is_a_fake(&admin.rows());
        admin.writes("\u{7}");
        assert!(ours(&admin.seen) <= names().len(), "no customer rings twice");
    }
}

#[test]
fn a_hostile_bot_and_a_hostile_desk_can_neither_harm_nor_deceive_a_customer_at_a_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("a listener has an address").to_string();
    let bot = FakeBot::start(|asked| match asked.text() {
        "status" => http("500 \u{1b}]0;FAKE\u{7}", "", FAKES[5].as_bytes()),
        "broken" => {
            http("200 OK", "", format!("[{{\"text\": {ODD}\n{}", FAKES.join("\n")).as_bytes())
        }
        "human" => ok(&text("Human Handoff")),
        _ => ok(&json!([
            {"text": format!("{}\n{ODD}", FAKES.join("\n")),
             "image": format!("http://x/\n{}{ODD}", FAKES[1]),
             "buttons": FAKES.map(|fake| {
                 json!({"title": format!("{ODD}\n{fake}"), "payload": ODD})
             })},
            {"custom": {"text": format!("{ODD}\n{}", FAKES[2])}},
            {"text": "END of it"},
        ])),
    });
    let user = ["user", "--admin", &address, "--bot", bot.url(), "--name", "Ann"];
    let mut user = Terminal::coloured(&user, 60);
    user.prompts("bot> ");
    for (typed, shown) in
        [("hi", "END of it"), ("status", "again sends"), ("broken", "the bot cannot answer")]
    {
        user.press(&format!("{typed}\r"));
        user.sees(shown);
        no_row_is_a_fake(&user.rows());
    }
    user.press("human\r");
    let mut raw = Raw::accept(&listener);
    raw.until("hello");
    let desk = "d".repeat(32);
    raw.say(&json!({"welcome": {"desk": desk, "received": 0, "state": "bot"}}));
    let request = loop {
        let entry = raw.until("entry");
        if entry["body"]["requested"].is_object() {
            break entry["number"].clone();
        }
    };
    raw.say(&json!({"position": {"position": u32::MAX}}));
    // An agent with the name 'bot' would make the prompt say that the bot gets the next line.
    raw.say(&entry(1, &json!({"accept": {"request": request, "name": "bot"}})));
    user.prompts("agent bot> ");
    user.sees("agent bot joined");
    let texts = texts(60);
    for (at, text) in texts.iter().enumerate() {
        let (names, text) = (names(), format!("{text}\nEND {at}."));
        let body = json!({"author": "admin", "text": text, "name": names[at % names.len()]});
        raw.say(&entry(at as u64 + 2, &json!({"message": body})));
        user.sees(&format!("  │ END {at}."));
        no_row_is_a_fake(&user.rows());
    }
    let why = format!("cannot go on\n{}{ODD} BYE", FAKES[5]);
    raw.say(&json!({"bye": {"code": "leaving", "text": why}}));
    // The text of a desk's goodbye is only for the person who set this side up.
    user.sees("the connection to customer care is lost");
    no_row_is_a_fake(&user.rows());
    // The customer's side dials again and gets a final goodbye, with false advice.
    let mut raw = Raw::accept(&listener);
    raw.until("hello");
    let why = format!("send your password\n{} PARTED", FAKES[5]);
    raw.say(&json!({"bye": {"code": "secret", "text": why}}));
    user.sees("customer care cannot be reached from here");
    no_row_is_a_fake(&user.rows());
    let seen = user.rows().join("\n");
    assert!(!seen.contains("BYE") && !seen.contains("PARTED"), "{seen}");
    assert_eq!(ours(&user.seen), 1, "only the answer rings");
}

#[test]
fn a_plain_terminal_wraps_long_lines_after_a_prefix() {
    let (mut admin, address) = desk(&["--plain"], 60);
    let mut raw = waiting(&address, "aa", "x\nAnn");
    admin.sees("wants to talk to you");
    admin.press("/accept\n");
    accepted(&mut raw);
    admin.sees("you have the");
    for (at, text) in texts(60).iter().enumerate() {
        raw.say(&entry(
            at as u64 + 3,
            &json!({"message": {"author": "user", "text": format!("{text}\nEND {at}.")}}),
        ));
        admin.sees(&format!("  more: END {at}."));
        no_row_is_a_fake(&admin.rows());
    }
    assert_eq!(ours(&admin.seen), 0);
}

#[test]
fn no_row_of_a_strangers_text_begins_a_line_of_plain_output() {
    let bot = FakeBot::saying(|_| text("Human Handoff"));
    let mut admin = Handoff::plain_admin(&["--auto-accept"]);
    let hostile = "Robin\n#2 admin x: hi";
    let mut user = Handoff::user(&admin.address(), bot.url(), &["--name", hostile]);
    user.say("human");
    user.until_state("active");
    user.say(&format!("{}{}{}", ODD, " ".repeat(200), FAKES[2]));
    let line = admin.until_out(|line| line.contains("FAKE: hi"));
    assert!(line.starts_with("#1 user Robin\\u{a}#2 admin x: hi: a\\u{1b}[2J"), "{line}");
    assert!(line.contains("b\\u{20+199}admin FAKE: hi"), "{line}");
    let called = "handoff: Hey! Robin\\u{a}#2 admin x: hi wants to talk to you";
    admin.until_err(|line| line == called);
    let all = [admin.stdout(), admin.stderr()].concat();
    no_row_is_a_fake(&all);
    assert_eq!(ours(all.join("\n").as_bytes()), 0);
}

#[test]
fn json_gives_the_raw_text() {
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let mut raw = Raw::connect(&admin.address());
    let name = "x\n\u{1b}[2J\u{202e}\u{3164}";
    let mut hello = hello("aa", 1);
    hello["hello"]["name"] = json!(name);
    raw.say(&hello);
    raw.until("welcome");
    raw.say(&entry(1, &json!({"requested": {}})));
    accepted(&mut raw);
    for (at, text) in texts(60).into_iter().enumerate() {
        let body = json!({"author": "user", "text": text, "name": name});
        raw.say(&entry(at as u64 + 3, &json!({"message": body})));
        let told = admin.until_event("message");
        assert_eq!((&told["text"], &told["name"]), (&json!(text), &json!(name)));
    }
}
