//! Fuzzes what `properties::settings` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::settings::check(input));
