//! Hands a Rasa chat over to a human: one binary, peer to peer.
//!
//! # The map of this house
//!
//! Pure rooms know no socket, file, thread, clock or screen: [`wire`] (frames and messages),
//! [`delivery`] (numbering and acks), [`session`] (the user's side), [`desk`] (the admin's side),
//! [`reply`] (what a bot said), [`command`] (what a typed line means), [`script`] (when it is due),
//! [`record`] (what is journaled), [`report`] (what is told), [`text`] (safe text).
//!
//! Edges hold one family of system calls each: [`net`] (sockets), [`tls`] (keys and pins), [`bot`]
//! (HTTP to Rasa), [`journal`] (SQLite), [`term`] (stdin and the screen), [`clock`], [`signals`],
//! [`secret`] (secrets from files). [`failpoint`] is for tests. [`peers`] joins `net` and `wire`,
//! [`keeper`] waits for the journal.
//!
//! Modes are the loops: [`user`], [`admin`], [`demo`]. [`args`] reads the command line.
//!
//! A message from user to admin is one straight line: stdin thread → `session` → `journal` →
//! `wire::encode` → `net` ⇒ `net` → `wire::Decoder` → `desk` → `journal` → screen, and the ack goes
//! back.
//!
//! # Log levels (`RUST_LOG`)
//!
//! `error`: a fault the program lives with. `info`: what was discarded or refused, and why.
//! `debug`: connections coming and going. No text of a message at any of these. Of the libraries
//! only what is `warn` or worse is printed: their finer levels tell whole requests, and a bot's
//! token is part of one.

pub mod admin;
pub mod args;
pub mod bot;
pub mod clock;
pub mod command;
pub mod delivery;
pub mod demo;
pub mod desk;
pub mod failpoint;
pub mod journal;
pub mod keeper;
pub mod net;
pub mod peers;
pub mod record;
pub mod reply;
pub mod report;
pub mod script;
pub mod secret;
pub mod session;
pub mod signals;
pub mod term;
pub mod text;
pub mod tls;
pub mod user;
pub mod wire;
