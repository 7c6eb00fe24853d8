//! LCOV's tracefiles, as lcov, c8, nyc and cargo-llvm-cov write them.

use crate::cobertura::plain;
use crate::coverage::{Coverage, Lines};
use crate::name;

/// Whether a text begins as one does.
pub(crate) fn is_one(text: &str) -> bool {
    text.starts_with("TN:") || text.starts_with("SF:")
}

pub(crate) fn read(text: &str) -> Coverage {
    let mut lines = Lines::default();
    let mut file: Option<String> = None;
    let mut is_ended = true;
    for line in text.split('\n').map(str::trim_end) {
        if let Some(path) = line.strip_prefix("SF:") {
            let path = name(plain(path));
            lines.file(&path);
            (file, is_ended) = (Some(path), false);
        } else if line == "end_of_record" {
            (file, is_ended) = (None, true);
        } else if let (Some(told), Some(file)) = (line.strip_prefix("DA:"), &file) {
            let mut parts = told.split(',');
            let number = parts.next().and_then(|it| it.parse().ok());
            let hits = parts.next().map(|it| it != "0" && !it.starts_with('-') && !it.is_empty());
            if let (Some(number), Some(has_run)) = (number, hits) {
                lines.line(file, number, has_run);
            }
        }
    }
    lines.is_cut |= !is_ended;
    lines.done()
}
