//! Fuzzes what `properties::workflows` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::workflows::check(input));
