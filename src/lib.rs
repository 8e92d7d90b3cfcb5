//! Hands a Rasa chat over to a human: one binary, peer to peer.
//!
//! # The modules
//!
//! From the ground up:
//!
//! - [`wire`]: the messages between a customer's side and a desk.
//! - [`core`]: the rules. They are pure: no socket, file, thread or screen.
//! - [`net`] (sockets), [`bot`] (HTTP to Rasa) and [`edge`] (journal, terminal, keys, signals):
//!   each has one family of system calls.
//! - [`turn`]: joins the rules and the edges.
//! - [`mode`]: the programs, such as `handoff user`, `handoff web` and `handoff admin`.
//!
//! Each of these floors imports the floors above it in this list, and never one below it.
//! docs/ARCHITECTURE.md describes every room (module) of a floor, and has a glossary.
//!
//! # Log levels (`RUST_LOG`)
//!
//! `error`: a fault that the program survives. `info`: what was discarded or refused, and why.
//! Where a customer at a terminal reads plain words, the technical cause is here, too. `debug`:
//! connections that come and go. No level prints the text of a message. Libraries print only `warn`
//! and `error`: their finer levels print whole requests, and a request may have the bot's token.

pub mod bot;
pub mod core;
pub mod edge;
pub mod mode;
pub mod net;
pub mod page;
pub mod turn;
pub mod wire;
