//! Fuzzes what `properties::reports` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::reports::check(input));
