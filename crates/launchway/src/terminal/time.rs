//! Durations as people say them.

use event::Timestamp;

/// `340 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`
pub(crate) fn duration(from: Timestamp, to: Timestamp) -> String {
    let ms = to.0.saturating_sub(from.0);
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `2026-03-01 12:00`, in the person's time zone.
pub(crate) fn moment(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    let Ok(moment) = jiff::Timestamp::from_millisecond(ms) else {
        return String::new();
    };
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// `2026-03-01T11:00:00Z`
pub(crate) fn iso(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |it| it.to_string())
}

/// Now.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let check = |ms: u64, expect: &str| {
            assert_eq!(duration(Timestamp(1000), Timestamp(1000 + ms)), expect);
        };
        check(0, "0 ms");
        check(340, "340 ms");
        check(4_290, "4.2 s");
        check(185_000, "3 min 05 s");
        check(7_800_000, "2 h 10 min");
    }
}
