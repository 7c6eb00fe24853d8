//! How fast plain lines are told from commands:
//! `cargo run --release -p commands --example throughput`.

#![expect(clippy::disallowed_types, reason = "a measurement needs a clock")]
#![expect(clippy::print_stdout, reason = "its numbers are for a person at a terminal")]

use std::hint::black_box;
use std::time::Instant;

use commands::workflow_command::{CommandState, Effect, may_hold_command};

/// Bytes for each measurement.
const TOTAL: usize = 1 << 28;

/// What a pipe holds.
const CHUNK: usize = 1 << 16;

fn main() {
    for length in [20, 80, 10_000_000] {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut log: Vec<u8> = (0..20_000_000)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // All that can be printed, so that `#` and `:` occur.
                b' ' + ((state >> 20) % 95) as u8
            })
            .collect();
        for at in (length..log.len()).step_by(length + 1) {
            log[at] = b'\n';
        }
        let rounds = TOTAL / log.len();
        let begin = Instant::now();
        let mut blocks = 0;
        for _ in 0..rounds {
            blocks += log.chunks(CHUNK).filter(|block| may_hold_command(block)).count();
        }
        let by_block = speed(rounds * log.len(), begin);
        let begin = Instant::now();
        let mut state = CommandState::new();
        for _ in 0..rounds {
            for line in log.split(|&byte| byte == b'\n') {
                assert!(matches!(black_box(state.handle(line)).effect, Effect::Text(_)));
            }
        }
        let by_line = speed(rounds * log.len(), begin);
        let begin = Instant::now();
        for _ in 0..rounds {
            for line in log.split(|&byte| byte == b'\n') {
                black_box(line);
            }
        }
        let splitting = speed(rounds * log.len(), begin);
        println!(
            "lines of {length}: {by_block} asking blocks ({blocks} may hold a command), {by_line} \
             by line, of which splitting {splitting}"
        );
    }
}

fn speed(bytes: usize, begin: Instant) -> String {
    format!("{:.0} MB/s", bytes as f64 / begin.elapsed().as_secs_f64() / 1e6)
}
