//! Fuzzes what `properties::file_commands` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::file_commands::check(input));
