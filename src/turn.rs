//! What joins the pure rooms and the edges, for every mode.

pub mod keeper;
pub mod peers;
