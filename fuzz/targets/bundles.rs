//! Fuzzes what `properties::bundles` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::bundles::check(input));
