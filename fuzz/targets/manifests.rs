//! Fuzzes what `properties::manifests` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::manifests::check(input));
