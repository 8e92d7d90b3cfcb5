//! Hands a Rasa chat over to a human: one binary, peer to peer.
//!
//! # The map of this house
//!
//! From the ground up:
//!
//! - [`wire`]: what crosses the network between a customer's side and a desk.
//! - [`core`]: the rules, pure. They know no socket, file, thread or screen.
//! - [`net`] (sockets), [`bot`] (HTTP to Rasa) and [`edge`] (journal, terminal, keys, signals): each
//!   holds one family of system calls.
//! - [`turn`]: joins the rules and the edges.
//! - [`mode`]: the programs, `handoff user`, `handoff admin`, `handoff bot` and `handoff demo`.
//!
//! Each floor imports the floors above it in this list, and never one below.
//!
//! # Log levels (`RUST_LOG`)
//!
//! `error`: a fault that the program survives. `info`: what was discarded or refused, and why.
//! `debug`: connections that come and go. No level prints the text of a message. Of the libraries
//! only `warn` and `error` are printed: their finer levels print whole requests, and a request may
//! hold the bot's token.

pub mod bot;
pub mod core;
pub mod edge;
pub mod mode;
pub mod net;
pub mod turn;
pub mod wire;
