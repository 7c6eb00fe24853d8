//! Fuzzes what `properties/workflow_commands.rs` says.

#![no_main]

#[path = "../properties/workflow_commands.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| property::check(input));
