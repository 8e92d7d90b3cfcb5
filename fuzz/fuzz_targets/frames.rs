//! The target for the bytes of a peer: see fuzz/src/frames.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::frames(data));
