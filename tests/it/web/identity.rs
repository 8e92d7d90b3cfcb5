//! Customers whose identity the shop's backend has signed: at the API, after a restart, and with
//! the samples in the documents.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::web::{Answer, Customer, gateway};

use super::trusted::token_file;

/// The samples in docs/identity, each with its interpreter.
const SAMPLES: [(&str, &str); 5] = [
    ("python3", "sign.py"),
    ("node", "sign.mjs"),
    ("php", "sign.php"),
    ("ruby", "sign.rb"),
    ("java", "Sign.java"),
];

fn key_file(setup: &Setup, name: &str) -> PathBuf {
    let file = Path::new(setup.state()).join(name);
    fs::write(&file, format!("{}\n", name.repeat(32))).expect("the folder is ours");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("the file is ours");
    file
}

/// The identity that a sample signs; `None` if its interpreter is missing.
fn sign((program, sample): (&str, &str), key: &Path, user: &str) -> Option<String> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/identity").join(sample);
    let output = Command::new(program).arg(sample).arg(key).arg(user).output().ok()?;
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("a text").trim().to_owned())
}

fn identify(customer: &Customer, identity: &str) -> Answer {
    customer.post_body("identify", &json!({ "identity": identity }).to_string())
}

/// The identity of the next customer at the desk.
fn identity_at(desk: &mut Handoff) -> Value {
    desk.until(|event| event["event"] == "page")["identity"].clone()
}

#[test]
fn each_sample_of_the_documents_signs_a_valid_identity() {
    let setup = Setup::new();
    let key = key_file(&setup, "k");
    let token = token_file(&setup, "token", &"t".repeat(32));
    let mut admin = setup.admin(&["--trust-gateway", &token]);
    let keys = ["--identity-keys", key.to_str().expect("a text"), "--gateway-token", &token];
    let (_gateway, address) = gateway(&setup, "127.0.0.1:0", &keys);
    for sample in SAMPLES {
        let Some(identity) = sign(sample, &key, &format!("by-{}", sample.0)) else {
            eprintln!("skipped: {} is missing", sample.0);
            continue;
        };
        let customer = Customer::begin(&address);
        assert_eq!(identify(&customer, &identity).status, 200, "{sample:?}");
        customer.post("human", "a", json!({}));
        let wanted =
            json!({ "user": format!("by-{}", sample.0), "attributes": { "plan": "gold" } });
        assert_eq!(identity_at(&mut admin), wanted);
    }
}

#[test]
fn a_key_may_be_changed_and_an_identity_lasts_over_a_restart() {
    let setup = Setup::new();
    let (old, new) = (key_file(&setup, "o"), key_file(&setup, "n"));
    let token = token_file(&setup, "token", &"t".repeat(32));
    let mut admin = setup.admin(&["--trust-gateway", &token]);
    let [older, newer] = [&old, &new].map(|file| file.to_str().expect("a text"));
    let trusted = ["--gateway-token", &*token];
    let both = [&["--identity-keys", newer, "--identity-keys", older], &trusted[..]].concat();
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &both);
    let customer = Customer::begin(&address);
    for key in [&old, &new] {
        let identity = sign(SAMPLES[0], key, "ann").expect("python3 is there");
        assert_eq!(identify(&customer, &identity).status, 200);
    }
    customer.say("a", "hello");
    process.kill();
    let alone = [&["--identity-keys", newer], &trusted[..]].concat();
    let (_process, _) = gateway(&setup, &address, &alone);
    let retired = sign(SAMPLES[0], &old, "ann").expect("as before");
    let refused = identify(&customer, &retired);
    assert_eq!((refused.status, &refused.body["error"]), (403, &json!("identity")));
    customer.post("human", "b", json!({}));
    customer.post_body("page", "{}");
    assert_eq!(identity_at(&mut admin)["user"], "ann");
}

#[test]
fn customers_with_the_same_identity_are_one_customer() {
    let setup = Setup::new();
    let key = key_file(&setup, "k");
    let keys = ["--identity-keys", key.to_str().expect("a text")];
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &keys);
    let sign = |user| sign(SAMPLES[0], &key, user).expect("python3 is there");
    let (first, second) = (Customer::begin(&address), Customer::begin(&address));
    first.say("a", "from the desktop");
    second.say("a", "from the phone");
    assert_eq!(identify(&first, &sign("ann")).status, 200);
    let mut stream = second.stream(None);
    stream.until_text("from the phone");
    let joined = identify(&second, &sign("ann"));
    // The older of two conversations with the bot goes on.
    let older = (200, first.conversation.as_str());
    assert_eq!((joined.status, joined.body["conversation"].as_str().expect("an id")), older);
    stream.until(|event| event["event"] == "bye");
    let texts = |customer: &Customer| -> Vec<String> {
        let mut stream = customer.stream(stream.last.as_deref());
        stream.until(|event| event["event"] == "reset");
        stream.until_texts(&["from the desktop", "from the phone"]);
        stream.messages().into_iter().filter(|(by, _)| by == "user").map(|(_, it)| it).collect()
    };
    assert_eq!(texts(&second), ["from the phone", "from the desktop"]);
    let replaced = identify(&second, &sign("bob"));
    let bob = second.with_token(replaced.body["token"].as_str().expect("a token of his own"));
    assert_eq!((replaced.status, second.get("/api/entries?before=9", &[]).status), (201, 401));
    assert_eq!(bob.get("/api/entries?before=9", &[]).body["events"], json!([]));
    process.kill();
    let (_process, _) = gateway(&setup, &address, &keys);
    assert_eq!(texts(&first), ["from the phone", "from the desktop"]);
    assert_eq!(first.post_body("logout", "{}").status, 204);
    assert_eq!(first.get("/api/entries?before=9", &[]).status, 401);
    assert_eq!(bob.get("/api/entries?before=9", &[]).status, 200);
}

#[test]
fn a_key_that_cannot_be_used_is_refused_in_one_line() {
    let setup = Setup::new();
    let (short, open) = (key_file(&setup, "s"), key_file(&setup, "p"));
    fs::write(&short, "too short\n").expect("the file is ours");
    fs::set_permissions(&open, Permissions::from_mode(0o644)).expect("the file is ours");
    for (file, why) in [(&short, "32 bytes or more"), (&open, "chmod 600")] {
        let file = file.to_str().expect("a text");
        let fixed = ["web", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:1"];
        let mut process = Handoff::start(&[&fixed[..], &["--identity-keys", file]].concat());
        assert_eq!(process.exit_code(), 1);
        let said = process.stderr();
        assert!(said.len() == 1 && said[0].contains(why), "{said:?}");
    }
}

#[test]
fn a_journal_from_before_identities_is_migrated_and_loses_nobody() {
    let setup = Setup::new();
    let key = key_file(&setup, "k");
    let keys = ["--identity-keys", key.to_str().expect("a text")];
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &keys);
    let customer = Customer::begin(&address);
    customer.say("a", "from before");
    process.kill();
    // The schema before this one.
    let former = "DROP INDEX customer_identity; ALTER TABLE customer DROP COLUMN identity;
                  ALTER TABLE customer DROP COLUMN joins;
                  ALTER TABLE customer DROP COLUMN name; ALTER TABLE customer DROP COLUMN email;
                  ALTER TABLE customer DROP COLUMN agreed;
                  ALTER TABLE conversation DROP COLUMN place;
                  ALTER TABLE conversation DROP COLUMN owner;
                  ALTER TABLE conversation DROP COLUMN former;
                  ALTER TABLE conversation DROP COLUMN ending;
                  ALTER TABLE conversation DROP COLUMN tags;
                  ALTER TABLE conversation DROP COLUMN on_hold;
                  DROP TABLE enrolled; DROP TABLE seat; DROP TABLE unsent;
                  DROP TABLE block; ALTER TABLE entry DROP COLUMN agent;
                  ALTER TABLE conversation DROP COLUMN offered_by;
                  ALTER TABLE conversation DROP COLUMN offered_to;
                  ALTER TABLE conversation DROP COLUMN email;
                  ALTER TABLE conversation DROP COLUMN identity;
                  ALTER TABLE conversation DROP COLUMN turned_away;
                  ALTER TABLE conversation DROP COLUMN department; PRAGMA user_version = 3;";
    setup.journal("web").execute_batch(former).expect("it is SQL");
    let (_process, _) = gateway(&setup, &address, &keys);
    customer.stream(None).until_text("from before");
    let identity = sign(SAMPLES[0], &key, "ann").expect("python3 is there");
    assert_eq!(identify(&customer, &identity).status, 200);
}

#[test]
fn an_agent_finds_a_customer_by_email_or_identity_also_after_the_end_and_a_restart() {
    let setup = Setup::new();
    let key = key_file(&setup, "k");
    let token = token_file(&setup, "token", &"t".repeat(32));
    let trust = ["--trust-gateway", &*token];
    let mut admin = setup.admin(&trust);
    let keys = ["--identity-keys", key.to_str().expect("a text"), "--gateway-token", &token];
    let (_gateway, address) = gateway(&setup, "127.0.0.1:0", &keys);
    let bo = Customer::begin(&address);
    let about = json!({ "name": "Bo", "email": "bo@example.com" }).to_string();
    assert_eq!(bo.post_body("about", &about).status, 204);
    let ann = Customer::begin(&address);
    let identity = sign(SAMPLES[0], &key, "shop-4711").expect("python3 is there");
    assert_eq!(identify(&ann, &identity).status, 200);
    for (n, customer) in [(1, &bo), (2, &ann)] {
        customer.post("human", "a", json!({}));
        admin.until(|event| event["event"] == "state" && event["n"] == n);
        admin.until_event("page");
    }
    let finds = |admin: &mut Handoff| {
        admin.say("/find Bo@Example.com");
        let found = admin.until_told("notice", "gave bo@example.com");
        assert_eq!((&found["n"], &found["email"]), (&json!(1), &json!("bo@example.com")));
        admin.say("/find shop-4711");
        let found = admin.until_told("notice", "verified: shop-4711, plan: gold");
        assert_eq!((&found["n"], &found["identity"]["user"]), (&json!(2), &json!("shop-4711")));
    };
    finds(&mut admin);
    for n in [1, 2] {
        admin.say(&format!("/accept {n}"));
        admin.until_state("active");
        admin.say("/close");
        admin.until_state("closed");
    }
    finds(&mut admin);
    admin.kill();
    finds(&mut setup.admin(&trust));
}
