//! Sizes as docker prints them.

/// `512 bytes`, `3.4 KB`, `487.2 MB`, `1.32 GB`: a MB is a million bytes. Cut, not rounded: what is said to be 500.0 MB
/// is not less.
pub fn decimal_size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} KB", tenths(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", tenths(1_000_000)),
        _ => {
            let (whole, rest) = (bytes / 1_000_000_000, bytes % 1_000_000_000);
            format!("{whole}.{:02} GB", rest / 10_000_000)
        }
    }
}

/// `+12.4 MB`, `-3.4 KB`; nothing where it is the same.
pub fn size_change(now: u64, before: u64) -> Option<String> {
    let sign = if now > before { '+' } else { '-' };
    (now != before).then(|| format!("{sign}{}", decimal_size(now.abs_diff(before))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mb_is_a_million_bytes() {
        let check = |bytes: u64, expect: &str| assert_eq!(decimal_size(bytes), expect);
        check(0, "0 bytes");
        check(999, "999 bytes");
        check(1_000, "1.0 KB");
        check(1_982_256, "1.9 MB");
        check(499_999_999, "499.9 MB");
        check(500_000_000, "500.0 MB");
        check(1_329_999_999, "1.32 GB");
        check(u64::MAX, "18446744073.70 GB");
        assert_eq!(size_change(5_200_000, 5_000_000).as_deref(), Some("+200.0 KB"));
        assert_eq!(size_change(5_000_000, 5_200_000).as_deref(), Some("-200.0 KB"));
        assert_eq!(size_change(5, 5), None);
    }
}
