//! two
