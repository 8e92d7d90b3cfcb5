//! What is shown of a peer's text: see fuzz/src/text.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::text(data));
