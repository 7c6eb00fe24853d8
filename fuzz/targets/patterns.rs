//! Fuzzes what `properties::patterns` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::patterns::check(input));
