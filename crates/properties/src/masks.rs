//! Masking, whatever the secrets and the log are.

use mask::{Masker, StreamMasker};

/// Secrets in one input; each more makes the fuzzer slower, none finds more.
const SECRETS: usize = 8;

/// An input is a chunk length, then secrets, each ended by a zero byte, then a log.
pub fn check(input: &[u8]) {
    let Some((&chunk, rest)) = input.split_first() else { return };
    let mut parts: Vec<&[u8]> = rest.split(|&byte| byte == 0).take(SECRETS + 1).collect();
    let log = parts.pop().unwrap_or_default();
    let mut masker = Masker::new();
    let mut secrets = Vec::new();
    for part in parts {
        let secret = String::from_utf8_lossy(part);
        masker.add(&secret);
        secrets.push(secret.trim().to_owned());
    }

    let mut by_line = Vec::new();
    for line in log.split_inclusive(|&byte| byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        masker.mask_bytes(text, &mut by_line);
        by_line.extend_from_slice(&line[text.len()..]);
    }
    let mut by_chunk = Vec::new();
    let mut stream = StreamMasker::new();
    for piece in log.chunks(usize::from(chunk).max(1)) {
        stream.push(&masker, piece, &mut by_chunk);
    }
    stream.finish(&masker, &mut by_chunk);
    assert_eq!(by_line, by_chunk, "a stream is masked as its lines are");

    let text = String::from_utf8_lossy(log);
    let masked = masker.mask(&text);
    for secret in secrets.iter().filter(|it| !it.is_empty()) {
        if text.contains(secret.as_str()) {
            assert!(masker.hides(&text), "a secret drops the output it is in");
        }
        if !secret.contains('*') {
            assert!(!masked.as_str().contains(secret.as_str()), "a secret is hidden");
        }
    }
    if masker.hides(&text) {
        assert!(masked.as_str().contains("***"), "what is found is masked");
    }
}
