//! The programs: one room for each mode, and the command line that chooses one of them.

pub mod admin;
pub mod args;
pub mod demo;
pub mod user;
