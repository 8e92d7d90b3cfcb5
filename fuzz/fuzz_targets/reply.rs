//! What a bot's answer becomes: see fuzz/src/reply.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::reply(data));
