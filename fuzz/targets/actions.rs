//! Fuzzes what `properties::actions` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::actions::check(input));
