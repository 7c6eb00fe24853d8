//! Fuzzes what `properties::summaries` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::summaries::check(input));
