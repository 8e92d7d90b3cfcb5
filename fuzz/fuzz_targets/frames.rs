//! What a peer's bytes become: see fuzz/src/frames.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::frames(data));
