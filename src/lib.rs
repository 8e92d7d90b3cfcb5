//! The map of this house.
pub mod report;
pub mod text;
pub mod wire;
