//! Fuzzes what `properties::matchers` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::matchers::check(input));
