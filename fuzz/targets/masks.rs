//! Fuzzes what `properties::masks` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::masks::check(input));
