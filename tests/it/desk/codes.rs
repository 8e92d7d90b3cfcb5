//! An agent's code and secret: forged, guessed, used again, or searched for by another account of
//! the machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::home::files_in;
use crate::support::raw::Raw;
use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

/// The credentials that an agent's terminal keeps, in hexadecimal digits.
struct Kept {
    folder: PathBuf,
    code: String,
    secret: String,
    seat: String,
}

/// The credentials that the terminal of this agent keeps.
fn kept(setup: &Setup, agent: &str) -> Kept {
    let folder = Path::new(setup.state()).join("attach").join(agent);
    let folder = folder.join(setup.desk.replace(':', "_"));
    let file = Connection::open(folder.join("terminal.sqlite")).expect("it is a journal");
    let sql = "SELECT lower(hex(code)), lower(hex(secret)), lower(hex(seat)) FROM terminal";
    let read = file.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (code, secret, seat) = read.expect("the terminal has a code");
    Kept { folder, code, secret, seat }
}

fn sign_in(code: &str, secret: &str, seat: &str) -> Value {
    let who = json!({"seat": seat, "secret": secret, "code": code});
    let mut sign_in = json!({"is_person": false, "has_prompt": false, "is_json": true});
    let fields = sign_in.as_object_mut().expect("it is one");
    fields.extend(who.as_object().expect("it is one").clone());
    json!({ "sign_in": sign_in })
}

/// The desk's answer to this sign-in, before it closes the connection.
#[track_caller]
fn refused(setup: &Setup, sign_in: &Value) -> String {
    let mut thief = Raw::terminal(&setup.desk);
    thief.say(sign_in);
    // A connection has one attempt: the desk does not read a second sign-in.
    thief.say(sign_in);
    let (code, text) = thief.bye();
    assert_eq!(code, "secret", "{text}");
    assert_eq!(thief.read.len(), 1, "{:?}", thief.read);
    text
}

#[test]
fn a_forged_or_guessed_secret_is_refused_and_the_right_agent_notices_nothing() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let mut robin = setup.agent("robin", &[]);
    let Kept { code, secret, seat, .. } = kept(&setup, "robin");
    let other = "1b".repeat(32);
    for sign_in in [sign_in(&code, &other, &seat), sign_in(&code, &other, &"2c".repeat(16))] {
        assert!(refused(&setup, &sign_in).contains("this code has been used"));
    }
    for guess in [sign_in(&other, &secret, &seat), sign_in(&secret, &code, &seat)] {
        assert!(refused(&setup, &guess).contains("does not know the code"));
    }
    let mut cleo = setup.queued("Cleo");
    robin.say("/accept 1");
    robin.say("it is me");
    cleo.until_text("it is me");
    assert!(!robin.events().iter().any(|event| event.to_string().contains("not attached")));
}

#[test]
fn many_guesses_of_codes_at_once_keep_no_agent_out() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let code = setup.add_agent("robin", &[]);
    let mut first: Vec<Raw> = (0..8).map(|_| Raw::terminal(&setup.desk)).collect();
    // A ping after each handshake makes sure that the desk counts the connection.
    first.iter_mut().for_each(|guess| guess.say(&json!({"ping": {}})));
    let mut ninth = Raw::terminal(&setup.desk);
    ninth.say(&sign_in(&"1b".repeat(32), &"2c".repeat(32), &"3d".repeat(16)));
    assert_eq!(ninth.bye().0, "secret");
    // An address may have 8 such connections, and the oldest makes room.
    let mut robin = setup.attach("robin", Some(&code), &[]);
    robin.until_told("notice", "as robin");
    let since = Instant::now();
    first[..2].iter_mut().for_each(Raw::hung_up);
    assert!(since.elapsed() < Duration::from_secs(1), "these two made room, before their 5 s");
    first[2..].iter_mut().for_each(Raw::hung_up);
}

#[test]
fn an_unused_code_is_void_after_its_agent_is_revoked() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let unused = setup.add_agent("robin", &[]);
    let mut revoke = Handoff::start(&["agent", "revoke", "robin", "--state", setup.state()]);
    assert_eq!(revoke.exit_code(), 0);
    setup.add_agent("robin", &[]);
    let mut thief = setup.attach("thief", Some(&unused), &[]);
    thief.until_told("error", "does not know the code");
    assert_eq!(thief.exit_code(), 1);
}

#[test]
#[cfg(target_os = "linux")]
fn codes_and_secrets_are_in_no_process_list_and_only_in_files_that_their_owner_can_read() {
    let setup = Setup::new();
    let desk = setup.admin(&[]);
    let file = setup.add_agent("robin", &[]);
    let text = fs::read_to_string(&file).expect("the code");
    let mut robin = setup.attach("robin", Some(&file), &[]);
    robin.until_told("notice", "as robin");
    let Kept { folder, code, secret, .. } = kept(&setup, "robin");
    let secrets = [text.as_str(), &text[43..], &code, &secret];
    for process in [&desk, &robin] {
        for list in ["cmdline", "environ"] {
            let shown = format!("/proc/{}/{list}", process.pid().as_raw_nonzero());
            let shown = String::from_utf8_lossy(&fs::read(shown).expect("it runs")).to_lowercase();
            assert!(shown.contains("handoff") || list == "environ", "{shown}");
            assert!(!secrets.iter().any(|it| shown.contains(&it.to_lowercase())), "{shown}");
        }
    }
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files = files_in(&folder);
    assert!(files.len() > 1, "{files:?}");
    files.iter().for_each(|file| assert_eq!(mode(file), 0o600, "{}", file.display()));
    // The desk keeps only hashes.
    for kept in [Path::new(setup.state()).join("keys"), setup.profile("admin")] {
        for file in files_in(&kept) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
            let bytes = fs::read(&file).expect("it is ours");
            for secret in secrets.iter().take(2) {
                let at = bytes.windows(secret.len()).position(|part| part == secret.as_bytes());
                assert_eq!(at, None, "{}", file.display());
            }
            for hex in [&code, &secret] {
                let raw: Vec<u8> = (0..hex.len() / 2)
                    .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
                    .collect();
                let at = bytes.windows(raw.len()).position(|part| part == raw);
                assert_eq!(at, None, "{}", file.display());
            }
        }
    }
}

#[test]
fn a_file_with_a_code_that_others_can_read_is_refused() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let code = setup.add_agent("robin", &[]);
    fs::set_permissions(&code, Permissions::from_mode(0o640)).expect("it is ours");
    let mut robin = setup.attach("robin", Some(&code), &[]);
    assert_eq!(robin.exit_code(), 1);
    let why = robin.stderr().join("\n");
    assert!(why.contains("is open to other users; run: chmod 600"), "{why}");
}

/// A new code for an agent.
fn new_code(setup: &Setup, agent: &str) -> String {
    fs::read_to_string(setup.add_agent(agent, &[])).expect("the code")
}

/// The desk dies, and the terminal, which now has this prompt, keeps the line for it.
#[track_caller]
fn types_without(desk: &mut Handoff, terminal: &mut Terminal, prompt: &str, line: &str) {
    desk.kill();
    terminal.prompts(prompt);
    terminal.press(&format!("{line}\r"));
    terminal.sees(&format!("kept, and sent when the desk is back: {line}"));
}

fn revoke(setup: &Setup, agent: &str) {
    let mut revoke = Handoff::start(&["agent", "revoke", agent, "--state", setup.state()]);
    assert_eq!(revoke.exit_code(), 0);
}

#[test]
fn an_agent_who_is_added_again_enters_the_new_code_and_keeps_unsent_lines() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut robin = setup.agent_at_a_terminal("robin", 120);
    let mut bob = setup.queued("Bob");
    robin.sees("Hey! Bob wants to talk to you");
    types_without(&mut desk, &mut robin, "not attached> ", "/accept 1");
    robin.program.kill();
    revoke(&setup, "robin");
    let code = new_code(&setup, "robin");
    let _desk = setup.admin(&[]);
    // A script is not asked for another code: it ends.
    let mut script = setup.attach("robin", None, &[]);
    let why = script.until_told("error", "does not know the code");
    assert!(why["text"].as_str().is_some_and(|text| text.contains("--code-file FILE")), "{why}");
    assert_eq!(script.exit_code(), 1);
    let attach = ["attach", "--desk", &setup.desk, "--state", setup.state(), "--profile", "robin"];
    let mut robin = Terminal::start(&attach);
    robin.sees("does not know the code");
    robin.prompts("new code> ");
    robin.press("nonsense\r");
    robin.sees("this is no code of an agent");
    let other = Setup::new();
    robin.press(&format!("{}\r", new_code(&other, "robin")));
    robin.sees("this code is for another desk");
    robin.press(&format!("{code}\r"));
    robin.sees("attached to");
    robin.prompts("#1 Bob> ");
    robin.press("here I am\r");
    bob.until_text("here I am");
    assert!(!robin.rows().join("").contains(&code), "{:?}", robin.rows());
}

#[test]
fn an_agents_unsent_line_is_not_sent_by_the_next_agent_at_the_same_terminal() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut robin = setup.agent_at_a_terminal("robin", 120);
    let mut bob = setup.queued("Bob");
    robin.press("/accept 1\r");
    robin.prompts("#1 Bob> ");
    types_without(&mut desk, &mut robin, "not attached, #1 Bob> ", "it is robin");
    robin.program.kill();
    revoke(&setup, "robin");
    let (al, phone) = (new_code(&setup, "al"), setup.add_agent("al", &[]));
    let _desk = setup.admin(&[]);
    let mut phone = setup.attach("phone", Some(&phone), &[]);
    phone.until_told("notice", "as al");
    phone.say("/accept 1");
    phone.until_state("active");
    let attach = ["attach", "--desk", &setup.desk, "--state", setup.state(), "--profile", "robin"];
    let mut terminal = Terminal::start(&attach);
    terminal.prompts("new code> ");
    terminal.press(&format!("{al}\r"));
    terminal.sees("not sent, another agent typed it");
    terminal.prompts("#1 Bob> ");
    terminal.press("it is al\r");
    bob.until_text("it is al");
    assert!(!bob.messages().iter().any(|(_, text)| text == "it is robin"));
}
