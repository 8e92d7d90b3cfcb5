//! Attackers who listen on the line, change what it carries, or answer in the desk's place: they
//! learn nothing, the customer's side refuses them, and the customer reads the reason.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};

use handoff::edge::tls::Security;

use crate::support::authority::Authority;
use crate::support::fake_bot::{FakeBot, text};
use crate::support::raw::Raw;
use crate::support::run::{Handoff, WITHIN};
use crate::support::setup::Setup;
use crate::support::terminal::typed_user;

/// A proxy that records all bytes in both directions.
struct Tap {
    address: String,
    /// The bytes from the customer's side and those from the desk.
    heard: [Arc<Mutex<Vec<u8>>>; 2],
}

impl Tap {
    /// Starts the proxy in front of a desk. It keeps the bytes of the latest connection only.
    fn on(desk: &str) -> Tap {
        let (listener, heard) = (listen(), <[Arc<Mutex<Vec<u8>>>; 2]>::default());
        let address = address(&listener);
        let (desk, ears) = (desk.to_owned(), heard.clone());
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&desk) else { return };
                let copies = (
                    near.try_clone().expect("a descriptor"),
                    far.try_clone().expect("a descriptor"),
                );
                let [of_user, of_desk] = ears.clone();
                for ear in [&of_user, &of_desk] {
                    ear.lock().expect("nobody panics").clear();
                }
                thread::spawn(move || pass_on(near, far, &of_user));
                thread::spawn(move || pass_on(copies.1, copies.0, &of_desk));
            }
        });
        Tap { address, heard }
    }

    fn heard(&self) -> [Vec<u8>; 2] {
        self.heard.each_ref().map(|ear| ear.lock().expect("nobody panics").clone())
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, heard: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        heard.lock().expect("nobody panics").extend(&bytes[..length]);
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("loopback has a free port")
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().expect("a listener has an address").to_string()
}

fn handing_over() -> FakeBot {
    FakeBot::saying(|_| text("Human Handoff"))
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

/// The fingerprint in the only line of `known_desks`.
fn pinned(setup: &Setup) -> String {
    let known =
        fs::read_to_string(Path::new(setup.state()).join("known_desks")).expect("a desk was met");
    known.trim().rsplit(' ').next().expect("a fingerprint").to_owned()
}

#[test]
fn the_first_contact_pins_the_desks_key_without_a_question() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let fingerprint = admin.events()[0]["fingerprint"].as_str().expect("ready has it").to_owned();
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_told(
        "notice",
        &format!("first contact with the desk at {}: its key {fingerprint}", setup.desk),
    );
    user.until_state("active");
    user.signal(rustix::process::Signal::TERM);
    user.exit_code();
    assert_eq!(pinned(&setup), fingerprint);
    // A desk that lost its journal still has its key.
    admin.kill();
    setup.forget("admin");
    let mut admin = setup.admin(&[]);
    assert_eq!(admin.events()[0]["fingerprint"], *fingerprint);
    let mut user = setup.user(&[]);
    user.until_state("queued");
    admin.until_state("queued");
    assert!(
        !user
            .events_of("notice")
            .iter()
            .any(|event| event["text"].to_string().contains("first contact"))
    );
}

#[test]
fn recorded_bytes_reveal_nothing_and_a_replay_of_them_has_no_effect() {
    let bot = handing_over();
    let mut admin = Handoff::admin(&["--auto-accept", "--name", "Robin-the-agent"]);
    let desk = admin.address();
    let tap = Tap::on(&desk);
    let mut user = Handoff::user(&tap.address, bot.url(), &["--name", "Ann-the-customer"]);
    user.until_told("notice", "first contact");
    user.say("my card is 4000-1234");
    user.until_state("active");
    admin.say("and the code is 321");
    user.until_text("and the code is 321");
    let id = user.events_of("state")[0]["conversation"].as_str().expect("an id").to_owned();
    user.say("/end");
    user.close_stdin();
    assert_eq!(user.exit_code(), 0);
    admin.until_state("closed");
    let [of_user, of_desk] = tap.heard();
    for secret in [
        "4000-1234",
        "321",
        "Ann-the-customer",
        "Robin-the-agent",
        &id,
        "hello",
        "welcome",
        "message",
    ] {
        assert!(
            !contains(&of_user, secret) && !contains(&of_desk, secret),
            "'{secret}' can be read on the line"
        );
    }
    // The desk refuses a replay of the customer's bytes.
    let told = admin.events().len();
    let mut again = TcpStream::connect(&desk).expect("the desk listens");
    again.set_read_timeout(Some(WITHIN)).expect("the socket takes options");
    let _ = again.write_all(&of_user);
    let mut answer = Vec::new();
    let _ = again.read_to_end(&mut answer);
    assert!(!contains(&answer, "welcome"));
    admin.say("/list");
    admin.until_told("notice", "nobody is talking, nobody is waiting");
    assert_eq!(admin.events().len(), told + 1, "the desk reported the replay");
    // The customer's side refuses a replay of the desk's bytes.
    let listener = listen();
    let mut user = Handoff::user(&address(&listener), bot.url(), &[]);
    drop(listener.accept().expect("the customer's side probes"));
    user.say("is anybody there?");
    let (mut victim, _) = listener.accept().expect("the customer dials");
    victim.write_all(&of_desk).expect("the customer reads");
    user.until(|event| event["link"] == "lost" && event["why"].to_string().contains("TLS failed"));
    assert!(user.events_of("message").iter().all(|event| event["author"] == "user"));
}

#[test]
fn a_desk_with_another_key_receives_nothing_and_a_script_ends_with_advice() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_state("active");
    user.kill();
    admin.kill();
    let impostor = TcpListener::bind(&setup.desk).expect("the desk is gone");
    let mut user = setup.user(&[]);
    let mut heard = Raw::accept_next(&impostor);
    heard.hung_up();
    assert!(heard.read.is_empty(), "not even the hello: {:?}", heard.read);
    let why = user.until_told("error", "its key is SHA256:")["text"].to_string();
    let known = format!("it was {} before", pinned(&setup));
    for part in [&known, "remove line 1 of", "known_desks", "somebody else answers in its place"] {
        assert!(why.contains(part), "{why} lacks {part}");
    }
    assert_eq!(user.exit_code(), 1);
    // The advice of the message works.
    drop(impostor);
    fs::remove_file(Path::new(setup.state()).join("known_desks")).expect("it is there");
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    user.until_told("notice", "first contact");
    admin.until_state("active");
}

#[test]
fn a_person_at_a_terminal_reads_of_another_key_and_goes_back_to_the_bot() {
    let (bot, impostor) = (handing_over(), listen());
    let wrong = format!("SHA256:{}", "A".repeat(43));
    let (mut user, mut keyboard) =
        typed_user(&address(&impostor), bot.url(), &["--fingerprint", &wrong]);
    Raw::accept_next(&impostor).hung_up();
    user.until_err(|line| line.contains(&format!("--fingerprint asks for {wrong}")));
    keyboard.type_line("a human");
    let mut heard = Raw::accept_next(&impostor);
    heard.hung_up();
    assert!(heard.read.is_empty());
    user.until_err(|line| line.contains("cannot prove to be customer care"));
    // The customer can try again without going back to the bot.
    keyboard.type_line("/human");
    let mut heard = Raw::accept_next(&impostor);
    heard.hung_up();
    assert!(heard.read.is_empty());
    keyboard.type_line("/bot");
    user.until_err(|line| line.ends_with("back with the bot"));
    assert!(
        !user.stderr().iter().any(|line| line.contains("trying again")),
        "the customer's side dialled again by itself"
    );
}

#[test]
fn a_desk_with_a_new_key_warns_that_customers_will_refuse_it() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    assert!(
        !admin
            .events_of("notice")
            .iter()
            .any(|event| event["text"].to_string().contains("new key"))
    );
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_state("active");
    user.kill();
    admin.kill();
    fs::remove_dir_all(Path::new(setup.state()).join("keys")).expect("the key is there");
    let mut admin = setup.admin(&[]);
    admin.until_told(
        "notice",
        "this desk has a new key: customers who knew the old one will refuse it",
    );
    // The desk learns that a customer's side refused its certificate in the handshake. Here the
    // certificate has the wrong name.
    let authority = Authority::new();
    let [certificate, key] = authority.vouch_for("elsewhere");
    let mut admin = Handoff::admin(&["--tls-cert", &certificate, "--tls-key", &key]);
    let mut user =
        Handoff::user(&admin.address(), setup.bot.url(), &["--ca", &authority.file("ca.pem")]);
    user.say("a human");
    user.until_told("error", "it is for another name than the one that was dialled");
    admin.until_told("notice", "refuses this side's certificate");
}

#[test]
fn a_copied_certificate_without_its_key_is_refused() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_state("active");
    let copied = Raw::welcomed(&setup.desk, "c0", 0).certificate();
    user.kill();
    admin.kill();
    let impostor = TcpListener::bind(&setup.desk).expect("the desk is gone");
    let mut user = setup.user(&[]);
    let own = KeyPair::generate().expect("a key");
    let own = rustls::crypto::ring::sign::any_supported_type(
        &PrivateKeyDer::try_from(own.serialize_der()).expect("DER"),
    );
    let shown = CertifiedKey::new(vec![copied], own.expect("a signing key"));
    let config = server(&[&TLS13]).with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    let mut heard = Raw::accept_as(&impostor, &Security::Listener(Arc::new(config)));
    heard.hung_up();
    assert!(heard.read.is_empty());
    user.until_told("error", "its certificate is a copy or a forgery: a signature is wrong");
    assert_eq!(user.exit_code(), 1);
}

#[test]
fn a_desk_with_tls_1_2_is_refused() {
    let (bot, listener) = (handing_over(), listen());
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("DER");
    let config = server(&[&TLS12])
        .with_single_cert(vec![own.cert.der().clone()], key)
        .expect("they belong together");
    let mut user = Handoff::user(&address(&listener), bot.url(), &[]);
    drop(listener.accept().expect("the customer's side probes"));
    user.say("a human");
    let mut heard = Raw::accept_as(&listener, &Security::Listener(Arc::new(config)));
    heard.hung_up();
    assert!(heard.read.is_empty());
    user.until(|event| event["link"] == "lost" && event["why"].to_string().contains("TLS"));
}

#[test]
fn a_desk_in_plaintext_receives_nothing_but_a_clienthello() {
    let (bot, listener) = (handing_over(), listen());
    let mut user = Handoff::user(&address(&listener), bot.url(), &[]);
    drop(listener.accept().expect("the customer's side probes"));
    user.say("a human");
    let (mut desk, _) = listener.accept().expect("the customer dials");
    let welcome =
        r#"{"welcome":{"desk":"11111111111111111111111111111111","received":0,"state":"bot"}}"#;
    desk.write_all(&crate::support::raw::framed(welcome.as_bytes())).expect("the customer reads");
    let mut heard = Vec::new();
    let _ = desk.read_to_end(&mut heard);
    assert!(
        heard.starts_with(&[22, 3]) && !contains(&heard, "hello"),
        "a ClientHello and nothing else"
    );
    user.until_told(
        "error",
        "the other side speaks plaintext, and this side TLS; give --plaintext anywhere here too",
    );
    assert_eq!(user.exit_code(), 1);
}

#[test]
fn each_end_reports_that_the_other_speaks_another_protocol() {
    let bot = handing_over();
    let plain = ["--plaintext", "loopback"];
    let cases: [(&[&str], &[&str], &str, &str); 2] = [
        (
            &[],
            &plain,
            "this desk speaks TLS; drop --plaintext",
            "the other side speaks plaintext, and this side TLS",
        ),
        (
            &plain,
            &[],
            "the other side speaks plaintext",
            "the other side speaks TLS, and this side plaintext",
        ),
    ];
    for (desk, customer, told_user, told_admin) in cases {
        let mut admin = Handoff::admin(desk);
        for _ in 0..2 {
            let mut user = Handoff::user(&admin.address(), bot.url(), customer);
            user.say("a human");
            user.until_told("error", told_user);
            assert_eq!(user.exit_code(), 1);
        }
        admin.until_told("notice", told_admin);
        admin.say("/list");
        admin.until_told("notice", "nobody is waiting");
        assert_eq!(admin.events_of("notice").len(), 2, "a stranger causes one notice");
        admin.close_stdin();
        assert!(admin.events_of("error").is_empty(), "a stranger made a script fail");
    }
}

#[test]
fn plaintext_to_other_machines_needs_its_own_option() {
    let mut refused = Handoff::admin(&["--plaintext", "loopback", "--listen", "0.0.0.0:0"]);
    assert_eq!(
        refused.exit_code(),
        2,
        "an option given twice is a usage error: {:?}",
        refused.stderr()
    );
    let mut refused =
        Handoff::start(&["admin", "--listen", "0.0.0.0:0", "--plaintext", "loopback"]);
    refused.until_err(|line| {
        line.contains("for this machine only") && line.contains("--plaintext anywhere")
    });
    assert_eq!(refused.exit_code(), 1);
    let mut open = Handoff::start(&["admin", "--listen", "0.0.0.0:0", "--plaintext", "anywhere"]);
    open.until_err(|line| line.contains("are not encrypted"));
    let mut usual = Handoff::start(&["admin", "--listen", "0.0.0.0:0"]);
    usual
        .until_err(|line| line.contains("listening on 0.0.0.0:") && line.contains(", key SHA256:"));
    usual.close_stdin();
    assert!(!usual.stderr().iter().any(|line| line.contains("not encrypted")));
}

#[test]
fn the_hash_of_a_secret_does_not_open_the_conversation() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let mut user = setup.user(&[]);
    user.say("a human");
    user.until_state("active");
    let id = user.events_of("state")[0]["conversation"].as_str().expect("an id").to_owned();
    let files: Vec<PathBuf> =
        fs::read_dir(setup.profile("admin")).unwrap().flatten().map(|entry| entry.path()).collect();
    let (secret, hash) = secrets(&setup);
    for file in files {
        let kept = fs::read(&file).expect("a file of the test's own");
        assert!(
            !kept.windows(32).any(|window| window == secret),
            "{} has the secret itself",
            file.display()
        );
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for stolen in [hex(&hash), "0".repeat(64)] {
        let mut thief = Raw::connect(&setup.desk);
        let hello =
            serde_json::json!({"version": 1, "conversation": id, "secret": stolen, "newest": 9});
        thief.say(&serde_json::json!({"hello": hello}));
        assert_eq!(thief.bye().0, "secret");
    }
    user.say("still me");
    admin.until_text("still me");
}

/// The conversation's secret in the customer's journal, and its hash in the desk's.
fn secrets(setup: &Setup) -> (Vec<u8>, Vec<u8>) {
    let of = |mode| {
        let journal = setup.journal(mode);
        journal
            .query_row("SELECT secret FROM conversation", [], |row| row.get(0))
            .expect("one conversation")
    };
    (of("user"), of("admin"))
}

fn server(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions);
    config.expect("the provider has them").with_no_client_auth()
}
