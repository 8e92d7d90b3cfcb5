//! What a browser's bytes become: see fuzz/src/http.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::http(data));
