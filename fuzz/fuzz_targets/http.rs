//! Parses a browser's bytes as HTTP requests: see fuzz/src/http.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::http(data));
