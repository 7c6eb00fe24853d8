//! Fuzzes what `properties::sign_in` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::sign_in::check(input));
