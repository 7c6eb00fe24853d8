//! Fuzzes what `properties/masks.rs` says.

#![no_main]

#[path = "../properties/masks.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
