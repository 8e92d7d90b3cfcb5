//! What a user would notice, on real processes; and both pure ends against a hostile world.

#![allow(clippy::print_stderr, reason = "a failing test says how to replay it")]

mod model;
