//! Lengths of time as people say them.

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// `340 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`
pub fn length(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The same; from two days on in days, `3.5 days`: of figures, where hours are too fine.
pub fn length_in_days(ms: u64) -> String {
    if ms >= 2 * DAY_MS {
        return format!("{:.1} days", ms as f64 / DAY_MS as f64);
    }
    length(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        let check = |ms: u64, expect: &str| assert_eq!(length(ms), expect);
        check(0, "0 ms");
        check(340, "340 ms");
        check(4_290, "4.2 s");
        check(185_000, "3 min 05 s");
        check(7_800_000, "2 h 10 min");
        check(3 * DAY_MS, "72 h 00 min");
        assert_eq!(length_in_days(47 * 3_600_000), "47 h 00 min");
        assert_eq!(length_in_days(84 * 3_600_000), "3.5 days");
    }
}
