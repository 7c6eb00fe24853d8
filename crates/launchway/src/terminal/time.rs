//! Durations as people say them.

use event::Timestamp;

/// From one moment to another.
pub(crate) fn duration(from: Timestamp, to: Timestamp) -> String {
    views::length(to.0.saturating_sub(from.0))
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
