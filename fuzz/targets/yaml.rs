//! Fuzzes what `properties::yaml` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::yaml::check(input));
