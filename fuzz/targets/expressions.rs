//! Fuzzes what `properties::expressions` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::expressions::check(input));
