//! Fuzzes what `properties::versions` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::versions::check(input));
