//! Fuzzes what `properties::workflow_commands` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::workflow_commands::check(input));
