//! Lengths of time and sizes, as people write them: `1h30m`, `300ms`, `512MiB`.

use std::time::Duration;

/// Units of time in falling order, in milliseconds.
const TIMES: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// Units of size in bytes.
const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// A length of time as people write it: numbers with units, the larger first; none where it is
/// something else.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = TIMES;
    let mut total_ms = 0_u64;
    while !rest.is_empty() {
        let (number, behind) = digits(rest)?;
        let end = behind.find(|it: char| it.is_ascii_digit()).unwrap_or(behind.len());
        let at = units.iter().position(|(unit, _)| *unit == &behind[..end])?;
        total_ms = total_ms.checked_add(number.checked_mul(units[at].1)?)?;
        units = &units[at + 1..];
        rest = &behind[end..];
    }
    (!text.is_empty()).then(|| Duration::from_millis(total_ms))
}

/// A size in bytes as people write it: one number and its unit; none where it is something else.
pub fn size(text: &str) -> Option<u64> {
    let (number, unit) = digits(text)?;
    let (_, factor) = SIZES.iter().find(|(it, _)| *it == unit)?;
    number.checked_mul(*factor)
}

fn digits(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// A length of time as it would be written.
pub fn duration_text(duration: Duration) -> String {
    let mut left_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in TIMES {
        if left_ms >= *factor {
            text += &format!("{}{unit}", left_ms / factor);
            left_ms %= factor;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A size as it would be written: by the unit of which it has the fewest, `2GB` and not `1953125KiB`.
pub fn size_text(bytes: u64) -> String {
    let fits = |(_, factor): &&(&str, u64)| bytes >= *factor && bytes.is_multiple_of(*factor);
    let largest = SIZES.iter().filter(fits).max_by_key(|(_, factor)| *factor);
    let (unit, factor) = largest.unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_units_the_larger_first() {
        let read = |text| duration(text).map(|it| it.as_millis());
        assert_eq!(read("30s"), Some(30_000));
        assert_eq!(read("1h30m"), Some(5_400_000));
        assert_eq!(read("300ms"), Some(300));
        assert_eq!(read("1s500ms"), Some(1_500));
        assert_eq!(read("2d"), Some(172_800_000));
        for wrong in ["", "30", "s", "30 s", "30m1h", "1m1m", "1.5h", "-1s", "99999999999999999d"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        for text in ["1h30m", "300ms", "2d", "1s500ms", "0s"] {
            assert_eq!(duration_text(duration(text).expect("a time")), text);
        }
    }

    #[test]
    fn sizes_are_one_number_and_its_unit() {
        assert_eq!(size("512MiB"), Some(536_870_912));
        assert_eq!(size("1GB"), Some(1_000_000_000));
        for wrong in ["", "1", "1 GB", "1gb", "1.5GB", "99999999999999999999B", "9999999999999GiB"]
        {
            assert_eq!(size(wrong), None, "{wrong}");
        }
        for text in ["512MiB", "1GB", "2GB", "500MB", "64KiB", "0B", "1023B"] {
            assert_eq!(size_text(size(text).expect("a size")), text);
        }
    }
}
