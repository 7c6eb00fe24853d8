//! Fuzzes what `properties::events` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::events::check(input));
