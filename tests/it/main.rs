//! What a user would notice, on real processes; and both pure ends against a hostile world.

mod model;
