//! Fuzzes what `properties::paged` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::paged::check(input));
