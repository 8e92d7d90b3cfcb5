//! Where a secret may be: in a file that only its owner can read or in the environment, never in a
//! command line.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::support::fake_bot::{Asked, FakeBot, ok, text};
use crate::support::home::reachable_at;
use crate::support::run::Handoff;
use crate::support::setup::Setup;

const TOKEN: &str = "t0k3n-of-the-bot";

fn write(file: &Path, content: &str, mode: u32) {
    fs::write(file, content).expect("a file of the test's own");
    fs::set_permissions(file, Permissions::from_mode(mode)).expect("the file is ours");
}

/// A bot that hands over at 'human' and has an API without a token.
fn bot(ip: IpAddr) -> FakeBot {
    FakeBot::at(ip, |asked| match asked.is_message() {
        true => ok(&text(if asked.text() == "human" { "Human Handoff" } else { "bot here" })),
        false => ok(&json!({"paused": false})),
    })
}

/// Hands over and back, twice. Returns the customer's notices about the bot and every request that
/// the bot got.
fn warnings(ip: IpAddr, token: Option<&str>) -> (Vec<String>, Vec<Asked>) {
    let bot = bot(ip);
    let mut admin = Handoff::admin(&["--auto-accept"]);
    let arguments = ["user", "--admin", &admin.address(), "--bot", bot.url(), "--json"];
    let mut user = Handoff::start_with(&arguments, |command| {
        token.map(|token| command.env("HANDOFF_BOT_TOKEN", token));
    });
    for _ in 0..2 {
        user.say("human");
        user.until_state("active");
        admin.until_state("active");
        admin.say("/handback");
        user.until(|event| event["reason"] == "handed_back");
    }
    let notices = user
        .events_of("notice")
        .into_iter()
        .map(|event| event["text"].as_str().unwrap_or_default().to_owned());
    (notices.filter(|text| text.contains("token")).collect(), bot.asked())
}

#[test]
fn an_open_api_of_the_bot_causes_one_warning_and_no_extra_request() {
    let Some(ip) = reachable_at() else { return };
    let (told, asked) = warnings(ip, None);
    let [told] = &told[..] else { panic!("one notice: {told:?}") };
    for part in [
        "asks for no token",
        &ip.to_string(),
        "read and change every conversation",
        "--auth-token",
        "--bot-token-file",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let messages: Vec<bool> = asked.iter().map(Asked::is_message).collect();
    assert_eq!(messages, [true, false, true, false], "two lines and two handbacks");
    assert_eq!(
        warnings(Ipv4Addr::LOCALHOST.into(), None).0,
        [] as [String; 0],
        "a bot that only this machine can reach causes no warning"
    );
}

#[test]
fn a_warning_comes_before_a_token_leaves_the_machine_unencrypted() {
    let Some(ip) = reachable_at() else { return };
    let (told, _) = warnings(ip, Some(TOKEN));
    let [told] = &told[..] else { panic!("one notice: {told:?}") };
    assert!(
        told.contains("goes unencrypted to") && told.contains("https://") && !told.contains(TOKEN),
        "{told}"
    );
    assert_eq!(warnings(Ipv4Addr::LOCALHOST.into(), Some(TOKEN)).0, [] as [String; 0]);
}

/// The command line of a process, which every user of the machine can read.
fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
}

/// Checks that no part is long and random enough to be a secret or a key.
#[track_caller]
fn is_public(line: &str, secrets: &[&str]) {
    let line = line.to_lowercase();
    assert!(!secrets.iter().any(|secret| line.contains(&secret.to_lowercase())), "{line}");
    let random = |word: &str| word.len() >= 32 && word.bytes().any(|byte| byte.is_ascii_digit());
    let word = line
        .split(|letter: char| !letter.is_ascii_alphanumeric() && !"+=".contains(letter))
        .find(|w| random(w));
    assert_eq!(word, None, "{line}");
}

#[test]
#[cfg(target_os = "linux")]
fn no_command_line_shows_a_token_a_conversations_secret_or_a_key() {
    let setup = Setup::with(bot(Ipv4Addr::LOCALHOST.into()));
    let token = Path::new(setup.state()).join("token");
    write(&token, &format!("{TOKEN}\n"), 0o600);
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&["--bot-token-file", token.to_str().expect("UTF-8")]);
    user.say("human");
    user.until_state("active");
    admin.until_state("active");
    let secret: String = setup
        .journal("user")
        .query_row("SELECT hex(secret) FROM conversation", [], |row| row.get(0))
        .unwrap();
    let key = fs::read_to_string(Path::new(setup.state()).join("keys/default.pem"))
        .expect("the desk made one");
    let key: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
    for end in [&admin, &user] {
        let line = command_line(end.pid().as_raw_nonzero().get().cast_unsigned());
        assert!(line.contains("--state"), "{line}");
        is_public(&line, &[&[TOKEN, &secret], &key[..]].concat());
    }
    admin.say("/handback");
    user.until_state("bot");
    assert!(
        setup.bot.asked().iter().any(|asked| asked.query.contains(TOKEN)),
        "the token was used"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn no_command_line_of_the_demos_children_shows_a_secret() {
    let mut demo = Handoff::start_with(&["demo", "--script"], |command| {
        _ = command.env("HANDOFF_BOT_TOKEN", TOKEN)
    });
    demo.until_out(|line| line.contains("customer"));
    let lines: Vec<String> = demo.still_here().into_iter().map(command_line).collect();
    let modes: BTreeSet<&str> = lines.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(modes, BTreeSet::from(["admin", "bot", "demo", "user"]), "{lines:?}");
    lines.iter().for_each(|line| is_public(line, &[TOKEN]));
    assert_eq!(demo.exit_code(), 0);
}

#[test]
fn a_readable_or_invalid_token_file_is_refused_before_anything_starts() {
    let setup = Setup::new();
    let file = Path::new(setup.state()).join("token");
    let name = file.to_str().expect("UTF-8");
    let loose = format!("the bot's token is open to other users; run: chmod 600 {name}");
    let empty = format!("the bot's token is missing: {name} is empty");
    let more = format!("the bot's token must be one line and nothing else: {name} has more");
    for (content, mode, line) in
        [(TOKEN, 0o640, loose), ("\n", 0o600, empty), ("one\ntwo\n", 0o600, more)]
    {
        write(&file, content, mode);
        let mut user = setup.user(&["--bot-token-file", name]);
        assert_eq!((user.exit_code(), user.stdout()), (1, Vec::new()));
        assert_eq!(user.stderr(), [format!("handoff: {line}")]);
    }
}
