//! What a user would notice, on real processes; and both pure ends against a hostile world.

#![allow(clippy::print_stderr, reason = "a failing test says how to replay it")]
#![allow(unreachable_pub, reason = "nothing is reachable from outside a test")]

// What tests are made with.
mod chat;
mod fake_bot;
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;
mod home;
mod house;
mod kept;
mod lines;
mod proxy;
mod raw;
mod run;
mod terminal;

// The tests.
mod attack;
mod bot;
mod bot_tls;
mod certificates;
mod compat;
mod corpus;
mod demo;
mod evil_desk;
mod faults;
mod floors;
mod flow;
mod handback;
mod handoff;
mod hostile;
mod json;
mod keys;
mod kill;
mod link;
mod many;
mod menus;
mod model;
mod names;
mod order;
#[cfg(feature = "failpoints")]
mod power;
mod probe;
mod protocol;
mod rasa;
mod restart;
mod resumed;
mod rules;
mod scripts;
mod secrets;
mod security;
mod service;
mod start_over;
mod states;
mod strangers;
mod supply;
mod text;
mod tls;
mod typed;
mod untold;
mod usage;
mod wire;
mod wrong_desk;
