//! Fuzzes what `properties::templates` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::templates::check(input));
