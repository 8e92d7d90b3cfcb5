//! What a desk and a user's side do with whatever the other sends: see fuzz/src/ends.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::ends(data));
