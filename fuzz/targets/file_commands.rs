//! Fuzzes what `properties/file_commands.rs` says.

#![no_main]

#[path = "../properties/file_commands.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
