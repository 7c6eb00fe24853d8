//! Fuzzes what `properties::archives` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::archives::check(input));
