//! Started again: what each end remembers, and what it makes of an other end that remembers
//! something else.

mod bot;
mod damaged;
mod desk;
mod lost;
mod marks;
mod profile;
mod two;
mod user;
