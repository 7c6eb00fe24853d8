//! Small words for people.

use std::fmt::Write as _;

use mask::MaskedText;

/// Our own words, and AWS's descriptions of what has names only.
pub(crate) fn text(said: impl Into<String>) -> MaskedText {
    MaskedText::without_secrets(said.into())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A size for people: two digits are enough.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KB", "MB", "GB", "TB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && size < 10.0);
    format!("{size:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let shown = [0, 999, 1000, 12_345_678, 999_999_999_999].map(size);
        assert_eq!(shown, ["0 bytes", "999 bytes", "1.0 KB", "12 MB", "1000 GB"]);
    }
}
