//! What a typed line means: see fuzz/src/command.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::command(data));
