//! Fuzzes what `properties::webhooks` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::webhooks::check(input));
