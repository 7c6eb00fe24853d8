//! How fast lines are masked: `cargo run --release -p mask --example throughput`.
//!
//! Lines of 20, 80 and 10,000,000 bytes that hold no secret, with 0 and with 50 secrets; line by
//! line, and as a stream of chunks as a pipe gives them.

#![expect(clippy::disallowed_types, reason = "a measurement needs a clock")]
#![expect(clippy::print_stdout, reason = "its numbers are for a person at a terminal")]

use std::hint::black_box;
use std::time::Instant;

use mask::{Masker, StreamMasker};

/// Bytes for each measurement.
const TOTAL: usize = 1 << 28;

/// What a pipe holds.
const CHUNK: usize = 1 << 16;

fn main() {
    let mut number = numbers();
    let mut letters = |length: usize| -> Vec<u8> {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..length).map(|_| DIGITS[number() & 63]).collect()
    };
    let mut fifty = Masker::new();
    for at in 0..50 {
        let secret = letters(16 + at);
        fifty.add(std::str::from_utf8(&secret).expect("letters"));
    }
    for (name, masker) in [("0 secrets", Masker::new()), ("50 secrets", fifty)] {
        let begin = Instant::now();
        masker.hides("prepare");
        println!("{name}: prepared in {:?}", begin.elapsed());
        for length in [20, 80, 10_000_000] {
            let mut log = letters(20_000_000);
            for at in (length..log.len()).step_by(length + 1) {
                log[at] = b'\n';
            }
            let rounds = TOTAL / log.len();
            let mut out = Vec::with_capacity(log.len() + CHUNK);
            let begin = Instant::now();
            for _ in 0..rounds {
                out.clear();
                for line in log.split_inclusive(|&byte| byte == b'\n') {
                    masker.mask_bytes(line, &mut out);
                }
            }
            let by_line = speed(rounds * log.len(), begin);
            let begin = Instant::now();
            let mut stream = StreamMasker::new();
            for _ in 0..rounds {
                for chunk in log.chunks(CHUNK) {
                    out.clear();
                    stream.push(&masker, chunk, &mut out);
                    black_box(&out);
                }
            }
            let by_chunk = speed(rounds * log.len(), begin);
            println!("{name}, lines of {length}: {by_line} by line, {by_chunk} by chunk");
        }
    }
}

fn speed(bytes: usize, begin: Instant) -> String {
    format!("{:.0} MB/s", bytes as f64 / begin.elapsed().as_secs_f64() / 1e6)
}

fn numbers() -> impl FnMut() -> usize {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize
    }
}
