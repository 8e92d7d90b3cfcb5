//! The binary of release 0.1.0, and the files that it left for the tests.

use std::path::PathBuf;

use serde_json::json;

use crate::support::fake_bot::FakeBot;

/// The 0.1.0 binary that `scripts/compat` built.
pub fn old() -> PathBuf {
    let old = std::env::var_os("HANDOFF_OLD")
        .expect("scripts/compat names a 0.1.0 binary in HANDOFF_OLD");
    PathBuf::from(old)
}

/// The folder of the files that 0.1.0 left for the tests.
pub fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0.1.0")
}

/// The customers, named by the state of their conversation when 0.1.0 ends. The desk numbers them
/// in this order, without `open`, who never asked for an agent.
pub const NAMES: [&str; 6] = ["queued", "active", "back", "closed", "open", "pending"];

/// A bot that offers a menu at 'menu', hands over at 'human', and repeats any other text.
pub fn menu_bot() -> FakeBot {
    FakeBot::saying(|said| match said {
        "menu" => json!([{"text": "Which one?", "buttons": [
            {"title": "The red one", "payload": "/pick{\"colour\":\"red\"}"},
            {"title": "The blue one", "payload": "/pick{\"colour\":\"blue\"}"},
        ]}]),
        said if said.contains("human") => {
            json!([{"text": "One moment."}, {"text": "Human Handoff"}])
        }
        said => json!([{"text": format!("heard {said}")}]),
    })
}
