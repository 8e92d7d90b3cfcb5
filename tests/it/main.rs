//! What a user would notice, on real processes; and both pure ends against a hostile world.

#![allow(clippy::print_stderr, reason = "a failing test says how to replay it")]
#![allow(unreachable_pub, reason = "nothing is reachable from outside a test")]

mod handoff;
mod home;
mod lines;
mod model;
mod rasa;
mod raw;
mod run;
