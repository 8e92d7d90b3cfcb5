//! A bot behind https, under an authority of the test's own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::authority::Authority;
use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::run::Handoff;

/// Starts an https proxy in front of a bot. Returns the proxy's port.
fn front(bot: &FakeBot, [certificate, key]: &[String; 2]) -> u16 {
    let certificate = CertificateDer::from_pem_file(Path::new(certificate)).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(Path::new(key)).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config =
        config.expect("versions").with_no_client_auth().with_single_cert(vec![certificate], key);
    let config = Arc::new(config.expect("they belong together"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = listener.local_addr().expect("a listener has an address").port();
    let behind = bot.url().trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let near = StreamOwned::new(
                ServerConnection::new(config.clone()).expect("a connection"),
                near,
            );
            let far = TcpStream::connect(&behind).expect("the bot listens");
            thread::spawn(move || pass_on(near, far));
        }
    });
    port
}

/// One request and its answer. A customer's side that does not trust us closes the
/// connection before it sends anything.
fn pass_on(mut near: StreamOwned<ServerConnection, TcpStream>, mut far: TcpStream) {
    let (mut request, mut bytes) = (Vec::new(), [0; 4096]);
    while !is_whole(&request) {
        match near.read(&mut bytes) {
            Ok(length @ 1..) => request.extend(&bytes[..length]),
            _ => return,
        }
    }
    let mut answer = Vec::new();
    let passed = far.write_all(&request).and_then(|()| far.read_to_end(&mut answer));
    passed.and_then(|_| near.write_all(&answer)).expect("the customer waits for the answer");
    near.conn.send_close_notify();
    let _ = near.flush();
}

fn is_whole(request: &[u8]) -> bool {
    let request = String::from_utf8_lossy(request);
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().filter_map(|line| line.split_once(": "));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.filter_map(|(_, length)| length.parse().ok()).all(|length: usize| body.len() >= length)
}

#[test]
fn a_bot_with_a_private_authority_needs_bot_ca() {
    let (authority, other) = (Authority::new(), Authority::new());
    let bot = FakeBot::saying(|_| text("bot here"));
    let url = format!("https://localhost:{}", front(&bot, &authority.vouch_for("localhost")));
    let mut user = Handoff::user(&nobody_at(), &url, &["--bot-ca", &authority.file("ca.pem")]);
    user.script("hi\n");
    assert_eq!(user.exit_code(), 0);
    assert!(user.messages().contains(&("bot".to_owned(), "bot here".to_owned())));
    for more in
        [&[][..], &["--bot-ca", &other.file("ca.pem")], &["--ca", &authority.file("ca.pem")]]
    {
        let mut user = Handoff::user(&nobody_at(), &url, more);
        user.script("hi\n");
        assert_eq!(user.exit_code(), 1, "{more:?}");
        let error = user.until_told("error", "cannot talk TLS with the bot at https://localhost");
        assert!(error["text"].to_string().contains("--bot-ca FILE"), "{error}");
    }
    assert_eq!(bot.texts(), ["hi"], "a bot with an untrusted certificate got a message");
}

#[test]
fn a_certificate_for_another_name_of_the_bot_is_refused() {
    let authority = Authority::new();
    let bot = FakeBot::saying(|_| text("bot here"));
    let url = format!("https://localhost:{}", front(&bot, &authority.vouch_for("elsewhere")));
    let mut user = Handoff::user(&nobody_at(), &url, &["--bot-ca", &authority.file("ca.pem")]);
    user.script("hi\n");
    let error = user.until_told("error", "cannot talk TLS with the bot at https://localhost");
    assert!(
        !error["text"].to_string().contains("--bot-ca"),
        "the authority is right, so the error must not advise another one: {error}"
    );
    assert_eq!(bot.texts(), [] as [String; 0]);
}

#[test]
fn a_bot_ca_file_without_an_authority_causes_one_line() {
    let authority = Authority::new();
    let [_, key] = authority.vouch_for("localhost");
    let missing = authority.file("missing.pem");
    let cases = [
        (&missing, format!("cannot read --bot-ca {missing}: ")),
        (&key, format!("--bot-ca {key}: there is no authority's certificate")),
    ];
    for (file, line) in cases {
        let arguments =
            ["user", "--admin", &nobody_at(), "--bot", "https://localhost:5005", "--bot-ca", file];
        let mut user = Handoff::start(&arguments);
        assert_eq!((user.exit_code(), user.stdout()), (1, Vec::new()));
        let errors = user.stderr();
        assert!(
            errors.len() == 1 && errors[0].starts_with(&format!("handoff: {line}")),
            "{errors:?}"
        );
    }
}

#[test]
fn a_bot_ca_for_a_bot_without_tls_is_a_usage_error() {
    let mut user = Handoff::start(&["user", "--admin", "desk:1", "--bot-ca", "system"]);
    assert_eq!(user.exit_code(), 2);
    let errors = user.stderr();
    assert!(
        errors.len() == 1 && errors[0].contains("--bot-ca is for a bot at an https:// URL"),
        "{errors:?}"
    );
}
