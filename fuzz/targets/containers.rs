//! Fuzzes what `properties::containers` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::containers::check(input));
