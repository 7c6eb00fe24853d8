//! Fuzzes what `properties::dotenv` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::dotenv::check(input));
