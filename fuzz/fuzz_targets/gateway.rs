//! Customers' browsers and a gateway: see fuzz/src/gateway.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handoff_fuzz::gateway(data));
