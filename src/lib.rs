//! The map of this house.
pub mod clock;
pub mod command;
pub mod delivery;
pub mod desk;
pub mod journal;
pub mod reply;
pub mod report;
pub mod script;
pub mod session;
pub mod text;
pub mod wire;
