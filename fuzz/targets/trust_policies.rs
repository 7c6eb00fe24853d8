//! Fuzzes what `properties::trust_policies` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::trust_policies::check(input));
