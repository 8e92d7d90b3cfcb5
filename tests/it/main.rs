//! Tests on real processes, of everything that a user can notice; and tests of both pure ends
//! against hostile peers.
//!
//! This file is the map: one folder for the helpers, and one for each subject.

#![allow(clippy::print_stderr, reason = "a failing test says how to replay it")]
#![allow(unreachable_pub, reason = "nothing is reachable from outside a test")]

/// The properties of the fuzz targets, for `proofs::corpus`, and the simulated disk, for
/// `proofs::model`.
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

/// The helpers of the tests: processes, terminals, bots, bare frames, journals. No test is here.
mod support {
    pub mod attack;
    pub mod authority;
    pub mod chat;
    pub mod fake_bot;
    pub mod home;
    pub mod kept;
    pub mod lines;
    pub mod machine;
    pub mod proxy;
    pub mod rasa;
    pub mod raw;
    pub mod release;
    pub mod run;
    pub mod screen_reader;
    pub mod session;
    pub mod setup;
    pub mod terminal;
    pub mod unit;
    pub mod web;
}

/// A conversation goes from the bot to an agent, and back.
mod handoff {
    mod begin;
    mod handback;
}

/// What a bot may send, how the customer answers it, and every way in which a bot can fail.
mod bot {
    mod answers;
    mod https;
    mod menus;
    mod missed_turns;
}

/// The desk: its queue, its customers, and its life as a service.
mod desk {
    mod agents;
    mod alerts;
    mod attached;
    mod codes;
    mod customers;
    mod departments;
    mod killed;
    mod looked_up;
    mod names;
    mod others_customers;
    mod owed;
    mod service;
    mod team;
    mod tools;
    mod transfer;
}

/// The rules of docs/PROTOCOL.md, and what each end does with a peer that breaks them.
mod wire {
    mod document;
    mod frames;
    mod rules;
    mod states;
    mod wrong_desk;
}

/// The connection between customer and desk: missing at first, lost, restored.
mod link {
    mod broken;
    mod crowd;
    mod resumed;
}

/// The gateway: customers in their browsers.
mod web {
    mod attack;
    mod document;
    mod handoff;
    mod identity;
    mod killed;
    mod origins;
    mod posts;
    mod presence;
    mod proxied;
    mod requests;
    mod service;
    mod streams;
    mod trusted;
}

/// Keys and certificates: which desk a customer's side trusts.
mod tls {
    mod certificates;
    mod desk_key;
    mod probe;
}

/// People at terminals.
mod terminal {
    mod beside;
    mod conversation;
    mod keys;
    mod narrow;
    mod plain;
    mod screen_reader;
    mod search;
    mod shop;
}

/// Texts that people type, and how the other side shows them safely.
mod text {
    mod hostile;
    mod typed;
}

/// The command line: options, pipes, exit codes, `--json`, the demo, and where secrets may be.
mod command_line {
    mod demo;
    mod json;
    mod output;
    mod scripts;
    mod secrets;
    mod usage;
}

/// A program is started again: what it restores, and what it does when the other end's journal
/// differs.
mod restart {
    mod bot;
    mod damaged;
    mod desk;
    mod lost;
    mod marks;
    mod profile;
    mod start_over;
    mod two;
    mod user;
}

/// The limits on what strangers can do to a desk, and a hostile desk to a customer.
mod strangers {
    mod attack;
    mod evil_desk;
    mod limits;
}

/// Faults of the machine, the disk and the line, on real processes. A test that needs root or a
/// missing tool is skipped and says so.
mod faults {
    mod disk;
    mod line;
    mod many;
    mod output;
    mod signals;
    mod system;
}

/// The proofs of docs/RELIABILITY.md: random histories from a seed, the fuzz corpus, the order of
/// syncs, kills and power cuts.
mod proofs {
    #[cfg(feature = "acts-first")]
    mod acts_first;
    mod corpus;
    mod kill;
    mod model;
    mod order;
    #[cfg(feature = "failpoints")]
    mod power;
    mod team;
}

/// Release 0.1.0 and this build: each talks to the other, and this build goes on with the journals
/// and the recorded sessions that 0.1.0 left (`tests/fixtures/0.1.0`).
///
/// Tests that need a 0.1.0 binary are ignored: `scripts/compat` builds one and runs them.
mod compat {
    mod journals;
    mod make;
    mod sessions;
    mod together;
}

/// A real Rasa. These tests are ignored: `scripts/test` starts the servers and runs them.
mod rasa;

/// The project itself: its layers, its dependencies, the claims of its documents.
mod project {
    mod floors;
    mod security;
    mod supply;
}
