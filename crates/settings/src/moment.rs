//! Times with their zone, times of day, and names of time zones.
//!
//! Which hour it is where is a question for whoever has a clock and the zones' history; here is
//! only said whether a time is well written, and which of two comes first.

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// An instant: seconds since 1970 in UTC.
pub(crate) fn parse(text: &str) -> Result<i64, &'static str> {
    let (date, rest) = text.split_once('T').ok_or("date and time are parted by `T`")?;
    let zone_at = rest.find(['Z', '+', '-']).ok_or("the zone is missing: `Z` or `+01:00`")?;
    let (time, zone) = rest.split_at(zone_at);
    let offset_s =
        if zone == "Z" { 0 } else { offset(zone).ok_or("the zone is `Z` or `+01:00`")? };
    let day = day(date).ok_or("there is no such day")?;
    let seconds = seconds(time).ok_or("there is no such time of day")?;
    Ok(day * DAY_S + seconds - offset_s)
}

/// Minutes since midnight, up to 24:00.
pub(crate) fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= 24 * 60).then(|| u16::try_from(total).ok()).flatten()
}

/// `UTC`, an offset, or a name as the zone database has them. Whether it is in there is seen later.
pub(crate) fn zone(text: &str) -> Result<(), &'static str> {
    let is_part = |it: &str| {
        !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric() || "_+-".contains(it))
    };
    let mut parts = text.split('/');
    let area = parts.next().unwrap_or_default();
    let named = is_part(area)
        && area.chars().all(|it| it.is_ascii_alphabetic() || it == '_')
        && text.contains('/')
        && parts.all(is_part);
    let ok = text == "UTC" || offset(text).is_some() || named;
    ok.then_some(()).ok_or("it is no name like Europe/Berlin, no offset like +01:00, and not UTC")
}

/// `+01:00` in seconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn seconds(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let hours = number(parts.next()?, 2)?;
    let minutes = number(parts.next()?, 2)?;
    let seconds = parts.next().map_or(Some(0), |it| number(it, 2))?;
    let there = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none();
    there.then_some(hours * 3600 + minutes * 60 + seconds)
}

/// Days since 1970-01-01 of a date in the Gregorian calendar.
fn day(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let at = usize::try_from(month).ok()?.checked_sub(1)?;
    if parts.next().is_some() || !(1..=*lengths.get(at)?).contains(&day) {
        return None;
    }
    // Years before this one, with their leap days, from year 0 on; 1970 begins at day 719,528.
    let years = year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    Some(years + lengths[..at].iter().sum::<i64>() + day - 1 - 719_528)
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = text.len() == digits && text.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_its_zone() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(parse("2000-02-29T12:00Z"), Ok(951_825_600));
        assert_eq!(parse("2026-12-24T18:00:00+01:00"), Ok(1_798_131_600));
        assert_eq!(parse("1969-12-31T23:59:59Z"), Ok(-1));
        for wrong in [
            "2026-12-24",
            "2026-12-24T18:00",
            "2026-02-29T00:00Z",
            "2026-13-01T00:00Z",
            "2026-12-24T25:00Z",
            "2026-12-24T18:00+1:00",
            "2026-12-24 18:00Z",
            "26-12-24T18:00Z",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_of_day_and_zones() {
        assert_eq!(clock("09:30"), Some(570));
        assert_eq!(clock("24:00"), Some(1440));
        for wrong in ["9:30", "24:01", "12:60", "12", ""] {
            assert_eq!(clock(wrong), None, "{wrong}");
        }
        for good in ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "-03:30", "Etc/GMT+5"] {
            assert_eq!(zone(good), Ok(()), "{good}");
        }
        for wrong in ["CET", "Europe/", "+1", "+25:00", "/x", "a b/c"] {
            assert!(zone(wrong).is_err(), "{wrong}");
        }
    }
}
