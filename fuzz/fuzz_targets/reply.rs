//! The target for the answers of a bot: see fuzz/src/reply.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::reply(data));
