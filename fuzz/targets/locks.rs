//! Fuzzes what `properties::locks` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::locks::check(input));
