//! Fuzzes what `properties::runner_frames` promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::runner_frames::check(input));
