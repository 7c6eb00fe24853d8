//! Fuzzes what `properties/matchers.rs` says.

#![no_main]

#[path = "../properties/matchers.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
