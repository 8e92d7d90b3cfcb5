//! The pure rooms: no socket, no file, no thread, no screen. Time is an argument.
//!
//! A room of this floor imports only [`crate::wire`] and other rooms of this floor.

pub mod agent;
pub mod backoff;
pub mod canned;
pub mod chance;
pub mod clock;
pub mod command;
pub mod complete;
pub mod customer;
pub mod delivery;
pub mod department;
pub mod desk;
pub mod dialling;
pub mod gateway;
pub mod hash;
pub mod health;
pub mod http;
pub mod identity;
pub mod idle;
pub mod outcome;
pub mod owed;
pub mod record;
pub mod reply;
pub mod report;
pub mod script;
pub mod session;
pub mod sessions;
pub mod text;
pub mod typing;
