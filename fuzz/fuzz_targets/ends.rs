//! The target for messages to a desk or to a customer's side: see `ends` in fuzz/src/lib.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::ends(data));
