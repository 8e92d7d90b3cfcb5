//! The target for typed lines: see fuzz/src/command.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::command(data));
