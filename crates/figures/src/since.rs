//! `90d`, `12w`, `48h`, or a day: from when on, and until when.

use event::Timestamp;
use views::Window;

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Nobody asks for more, and a wrong number would draw thousands of weeks.
const DAYS_MAX: u64 = 3660;

/// How far back is looked where nobody says.
const SPAN_MS: u64 = 90 * DAY_MS;

/// Why what somebody says is no time to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWindow {
    /// From when on is no time, or none of the last ten years.
    #[error("from when on is no time of the last ten years")]
    Since,
    /// Until when is no time, or none of the last ten years up to today.
    #[error("until when is no time of the last ten years up to today")]
    Until,
    /// It ends before it begins.
    #[error("it ends before it begins")]
    Backwards,
}

/// The time that somebody asks about, each end as so many hours, days or weeks before now, or as a day. A day as the end
/// is in it, today as far as it is over. Where nobody says when it begins: 90 days before its end.
///
/// # Errors
/// When it is none.
pub fn window(first: Option<&str>, last: Option<&str>, now: Timestamp) -> Result<Window, NoWindow> {
    let until = match last {
        Some(text) => until(text, now).ok_or(NoWindow::Until)?,
        None => now,
    };
    let since = match first {
        Some(text) => since(text, now).ok_or(NoWindow::Since)?,
        None => Timestamp(until.0.saturating_sub(SPAN_MS)),
    };
    if since < until { Ok(Window { since, until }) } else { Err(NoWindow::Backwards) }
}

fn until(text: &str, now: Timestamp) -> Option<Timestamp> {
    let found = since(text, now)?;
    Some(match day(text) {
        Some(begin) => Timestamp(begin.0 + DAY_MS).min(now),
        None => found,
    })
}

/// From when on, as people say it: so many hours, days or weeks before now, or a day such as
/// 2026-03-01, from its beginning in UTC. None where it is neither, or longer ago than ten years.
fn since(text: &str, now: Timestamp) -> Option<Timestamp> {
    let earliest = Timestamp(now.0.saturating_sub(DAYS_MAX * DAY_MS));
    let found = match text.split_at_checked(text.len().checked_sub(1)?) {
        Some((number, unit @ ("h" | "d" | "w"))) if is_number(number) => {
            let unit = match unit {
                "h" => HOUR_MS,
                "d" => DAY_MS,
                _ => 7 * DAY_MS,
            };
            let length = number.parse::<u64>().ok()?.checked_mul(unit)?;
            Timestamp(now.0.checked_sub(length)?)
        }
        _ => day(text)?,
    };
    (earliest <= found && found < now).then_some(found)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn day(text: &str) -> Option<Timestamp> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    if (year.len(), month.len(), day.len()) != (4, 2, 2) || !parts.iter().all(|it| is_number(it)) {
        return None;
    }
    let (year, month, day): (u64, u64, u64) =
        (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, 28 + u64::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if year < 1970 || !(1..=length).contains(&day) {
        return None;
    }
    let before = |year: u64| (year / 4) - (year / 100) + (year / 400);
    let years = (year - 1970) * 365 + before(year - 1) - before(1969);
    let months: u64 = lengths[..usize::try_from(month).ok()? - 1].iter().sum();
    Some(Timestamp((years + months + day - 1) * DAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_or_a_day() {
        let now = Timestamp(1_772_366_399_000);
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(since(text, now).map(|it| it.0), expect, "{text}");
        };
        check("1d", Some(now.0 - DAY_MS));
        check("2w", Some(now.0 - 14 * DAY_MS));
        check("48h", Some(now.0 - 2 * DAY_MS));
        check("2026-03-01", Some(1_772_323_200_000));
        check("2024-02-29", Some(1_709_164_800_000));
        check("2020-12-31", Some(1_609_372_800_000));
        for wrong in [
            "",
            "d",
            "x",
            "-1d",
            "+1d",
            "1",
            "1m",
            "0d",
            "99999999999999999999d",
            "2026-3-1",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "2026-01-00",
            "1969-12-31",
            "2027-01-01",
            "2001-01-01",
            "9999d",
            "ä",
            "1ä",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_day_that_it_ends_with_is_in_it() {
        let now = Timestamp(1_772_366_399_000);
        let check = |ends: (Option<&str>, Option<&str>), expect: Result<(u64, u64), NoWindow>| {
            let found = window(ends.0, ends.1, now).map(|it| (it.since.0, it.until.0));
            assert_eq!(found, expect, "{ends:?}");
        };
        let (day, now) = (1_772_323_200_000, now.0);
        check((None, None), Ok((now - 90 * DAY_MS, now)));
        check((Some("30d"), Some("1w")), Ok((now - 30 * DAY_MS, now - 7 * DAY_MS)));
        check((None, Some("1w")), Ok((now - 97 * DAY_MS, now - 7 * DAY_MS)));
        check((Some("2026-02-28"), Some("2026-02-28")), Ok((day - DAY_MS, day)));
        check((None, Some("2026-02-28")), Ok((day - 90 * DAY_MS, day)));
        // Today, which goes on.
        check((Some("2026-03-01"), Some("2026-03-01")), Ok((day, now)));
        check((None, Some("2026-03-02")), Err(NoWindow::Until));
        check((Some("1w"), Some("soon")), Err(NoWindow::Until));
        check((Some("2026-03-02"), Some("1w")), Err(NoWindow::Since));
        check((Some("1w"), Some("1w")), Err(NoWindow::Backwards));
        check((Some("1w"), Some("2026-01-31")), Err(NoWindow::Backwards));
    }
}
