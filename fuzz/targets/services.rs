//! Fuzzes what `properties::services` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::services::check(input));
