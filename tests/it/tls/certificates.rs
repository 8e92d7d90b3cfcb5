//! A program reports a wrong certificate when it starts, and not only at the first handoff.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

use rcgen::date_time_ymd;

use crate::support::authority::Authority;
use crate::support::fake_bot::{FakeBot, text};
use crate::support::run::Handoff;

const DAY: u64 = 24 * 60 * 60;

/// Starts a desk whose certificate is valid between these days, counted from today. Returns its
/// only notice, if there is one.
#[track_caller]
fn told_of(from: i64, to: i64) -> Option<String> {
    let today = UNIX_EPOCH.elapsed().expect("after 1970").as_secs() / DAY;
    let at = |days: i64| {
        date_time_ymd(1970, 1, 1) + Duration::from_secs(today.saturating_add_signed(days) * DAY)
    };
    let authority = Authority::new();
    let [certificate, key] = authority.vouch("localhost", |params| {
        (params.not_before, params.not_after) = (at(from), at(to));
    });
    let mut admin = Handoff::admin(&["--tls-cert", &certificate, "--tls-key", &key]);
    admin.say("/list");
    admin.until_told("notice", "nobody is waiting");
    let mut told = admin.events_of("notice");
    told.pop();
    assert!(told.len() <= 1, "{told:?}");
    told.pop().map(|notice| notice["text"].as_str().expect("a notice has a text").to_owned())
}

#[test]
fn a_desk_says_at_its_start_that_its_certificate_has_expired_or_is_not_valid_yet_or_soon_expires() {
    let expired = told_of(-400, -2).expect("it has expired");
    assert!(expired.starts_with("the certificate of --tls-cert expired on 2"), "{expired}");
    assert!(
        expired.ends_with("00:00 UTC; customers who check it with --ca refuse this desk"),
        "{expired}"
    );
    let early = told_of(2, 400).expect("it is not valid yet");
    assert!(early.contains(" is not valid before 2") && early.contains("until then"), "{early}");
    let soon = told_of(-400, 7).expect("it expires soon");
    assert!(
        soon.contains(" expires on 2") && soon.ends_with("renew it, and start the desk again"),
        "{soon}"
    );
    assert_eq!(told_of(-2, 60), None, "a good certificate causes no notice");
}

#[test]
fn a_desk_says_at_its_start_that_a_certificate_further_up_in_its_chain_has_expired() {
    let authority = Authority::new();
    let [certificate, key] = authority.vouch_for("localhost");
    let [old, _] = authority.vouch("old", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let chain =
        [&certificate, &old].map(|file| std::fs::read_to_string(file).expect("it was written"));
    std::fs::write(&certificate, chain.concat()).expect("a file of the test's own");
    let mut admin = Handoff::admin(&["--tls-cert", &certificate, "--tls-key", &key]);
    admin.until_told(
        "notice",
        "the certificate number 2 of --tls-cert expired on 2020-01-01 00:00 UTC",
    );
}

#[test]
fn a_customer_learns_at_the_start_that_a_check_with_their_authority_fails() {
    let bot = FakeBot::saying(|_| text("bot here"));
    let (authority, other) = (Authority::new(), Authority::new());
    let good = authority.vouch_for("localhost");
    let old = authority.vouch("old", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let cases = [
        (&good, &other, "its certificate is a copy or a forgery: a signature is wrong"),
        (&old, &authority, "it has expired"),
    ];
    for ([certificate, key], trusted, part) in cases {
        let mut admin = Handoff::admin(&["--tls-cert", certificate, "--tls-key", key]);
        let desk = admin.address().replace("127.0.0.1", "localhost");
        let mut user = Handoff::user(&desk, bot.url(), &["--ca", &trusted.file("ca.pem")]);
        let told = user.until_event("notice")["text"].to_string();
        assert!(
            told.contains("a handoff to the desk at localhost:") && told.contains(part),
            "{told}"
        );
        user.script("hi\n");
        assert_eq!(user.exit_code(), 0);
        assert!(user.events_of("link").is_empty());
    }
}

#[test]
fn a_certificate_is_valid_only_for_the_name_that_was_dialled() {
    let (bot, authority, other) =
        (FakeBot::saying(|_| text("Human Handoff")), Authority::new(), Authority::new());
    let [certificate, key] = authority.vouch_for("localhost");
    let mut admin =
        Handoff::admin(&["--auto-accept", "--tls-cert", &certificate, "--tls-key", &key]);
    let port = admin.address().rsplit(':').next().expect("a port").to_owned();
    let customer = |host: &str, ca: &str| {
        let mut user = Handoff::user(&format!("{host}:{port}"), bot.url(), &["--ca", ca]);
        user.say("a human");
        user
    };
    let mut user = customer("localhost", &authority.file("ca.pem"));
    user.until_state("active");
    assert!(
        !user
            .events_of("notice")
            .iter()
            .any(|event| event["text"].to_string().contains("first contact"))
    );
    for (host, ca) in [("127.0.0.1", authority.file("ca.pem")), ("localhost", other.file("ca.pem"))]
    {
        let mut user = customer(host, &ca);
        user.until_told("error", "its certificate is ");
        assert_eq!(user.exit_code(), 1);
    }
    // The environment says where the system's authorities are.
    let arguments = [
        "user",
        "--admin",
        &format!("localhost:{port}"),
        "--bot",
        bot.url(),
        "--json",
        "--ca",
        "system",
    ];
    let mut user = Handoff::start_with(&arguments, |command| {
        _ = command.env("SSL_CERT_FILE", authority.file("ca.pem"))
    });
    user.say("a human");
    user.until_state("active");
    // With a fingerprint the authority does not matter.
    let fingerprint = admin.events()[0]["fingerprint"].as_str().expect("ready has it").to_owned();
    let mut user = Handoff::user(&admin.address(), bot.url(), &["--fingerprint", &fingerprint]);
    user.say("a human");
    user.until_state("active");
}

#[test]
fn an_unusable_certificate_or_key_causes_one_line() {
    let authority = Authority::new();
    let ([certificate, key], [_, other]) =
        (authority.vouch_for("localhost"), authority.vouch_for("elsewhere"));
    let loose = authority.file("loose.key");
    fs::copy(&key, &loose).expect("a file of the test's own");
    fs::set_permissions(&loose, Permissions::from_mode(0o640)).expect("the file is ours");
    fs::copy(&key, authority.file("empty.key")).expect("a file of the test's own");
    fs::write(authority.file("empty.key"), "").expect("the file is ours");
    let missing = authority.file("missing.pem");
    let cases = [
        (
            [&certificate, &other],
            "the key of --tls-key is not the one of the certificate of --tls-cert".to_owned(),
        ),
        ([&certificate, &loose], format!("run: chmod 600 {loose}")),
        (
            [&certificate, &authority.file("empty.key")],
            "no unencrypted private key in PEM".to_owned(),
        ),
        ([&key, &key], "holds no certificate in PEM".to_owned()),
        ([&missing, &key], "missing.pem".to_owned()),
    ];
    for ([certificate, key], part) in cases {
        let mut admin = Handoff::plain_admin(&["--tls-cert", certificate, "--tls-key", key]);
        assert_eq!(admin.exit_code(), 1);
        let [line] = &admin.stderr()[..] else {
            panic!("one line is expected: {:?}", admin.stderr())
        };
        assert!(line.contains(&part), "{line} lacks {part}");
    }
    for ca in [&key, &missing] {
        let mut user = Handoff::plain_user("localhost:1", "http://localhost:1", &["--ca", ca]);
        assert_eq!(user.exit_code(), 1);
        assert!(user.stderr()[0].contains(ca.as_str()), "{:?}", user.stderr());
    }
}
