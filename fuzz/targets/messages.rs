//! Fuzzes what `properties::messages` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::messages::check(input));
