//! Fuzzes what `properties::approvals` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::approvals::check(input));
