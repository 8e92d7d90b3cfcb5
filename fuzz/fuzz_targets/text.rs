//! The target for the texts of a peer: see fuzz/src/text.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::text(data));
