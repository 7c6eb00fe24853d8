//! The five fields of a schedule, as far as they can be checked without a clock (conformance 25).

use std::fmt;

/// A field of a schedule: its name, its bounds and the names that stand for numbers.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, names: &[] },
    Field { name: "hour", first: 0, last: 23, names: &[] },
    Field { name: "day of month", first: 1, last: 31, names: &[] },
    Field { name: "month", first: 1, last: 12, names: MONTHS },
    Field { name: "day of week", first: 0, last: 6, names: DAYS },
];

/// GitHub starts a schedule at most this often.
const INTERVAL_MINUTES_MIN: u32 = 5;

/// What is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CronError {
    /// Not five fields.
    #[error("a schedule has five fields (minute, hour, day of month, month, day of week), not {0}")]
    FieldCount(usize),
    /// `@daily` and its like.
    #[error("`{0}` is not a schedule here; write the five fields out")]
    Nickname(String),
    /// A field that cannot be read.
    #[error("`{text}` is not a {field}: {why}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Its text, or the part of it.
        text: String,
        /// What was expected.
        why: Why,
    },
}

/// Why a field cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Neither number nor name.
    NotANumber,
    /// Outside of the bounds.
    Bounds(u32, u32),
    /// A range that runs backwards.
    Backwards,
    /// A step of nothing.
    Step,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NotANumber => f.write_str("expected a number, a name, `*`, a range or a list"),
            Why::Bounds(first, last) => write!(f, "it runs from {first} to {last}"),
            Why::Backwards => f.write_str("the range runs backwards"),
            Why::Step => f.write_str("a step is at least 1"),
        }
    }
}

/// A schedule that reads well. `often` holds the smallest distance in minutes where it is below the
/// five minutes that GitHub keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Minutes between two starts, where GitHub would not start it that often.
    pub(crate) often: Option<u32>,
}

/// A minute, as calendars have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// 0 to 59
    pub minute: u32,
    /// 0 to 23
    pub hour: u32,
    /// 1 to 31
    pub day: u32,
    /// 1 to 12
    pub month: u32,
    /// 0 is Sunday.
    pub weekday: u32,
}

/// Whether a schedule is due at a minute; never where it cannot be read. Where both the day of the
/// month and that of the week are named, either is enough, as POSIX has it.
pub fn is_due(cron: &str, at: Calendar) -> bool {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [_, _, day, _, weekday] = fields[..] else { return false };
    let wanted = [at.minute, at.hour, at.day, at.month, at.weekday];
    let mut fits = [false; 5];
    for (index, (field, text)) in FIELDS.iter().zip(&fields).enumerate() {
        let Ok(values) = field_values(field, text) else { return false };
        fits[index] = values.get(wanted[index] as usize).is_some_and(|it| *it);
    }
    let [minute, hour, of_month, month, of_week] = fits;
    let is_named = |text: &str| !text.starts_with('*');
    let is_day =
        if is_named(day) && is_named(weekday) { of_month || of_week } else { of_month && of_week };
    minute && hour && month && is_day
}

/// Checks the text of a `cron`.
pub(crate) fn check(text: &str) -> Result<Checked, CronError> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if let Some(first) = fields.first().filter(|first| first.starts_with('@')) {
        return Err(CronError::Nickname((*first).to_owned()));
    }
    if fields.len() != FIELDS.len() {
        return Err(CronError::FieldCount(fields.len()));
    }
    let mut sets = Vec::with_capacity(FIELDS.len());
    for (field, text) in FIELDS.iter().zip(&fields) {
        sets.push(field_values(field, text)?);
    }
    Ok(Checked { often: smallest_distance(&sets[0], &sets[1]) })
}

/// Which values a field takes, indexed by value.
fn field_values(field: &Field, text: &str) -> Result<Vec<bool>, CronError> {
    let mut values = vec![false; field.last as usize + 1];
    for part in text.split(',') {
        let fail = |why| CronError::Field { field: field.name, text: part.to_owned(), why };
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let step = parse_number(step).ok_or_else(|| fail(Why::NotANumber))?;
                if step == 0 {
                    return Err(fail(Why::Step));
                }
                (range, Some(step))
            }
            None => (part, None),
        };
        let (first, last) = if range == "*" {
            (field.first, field.last)
        } else if let Some((first, last)) = range.split_once('-') {
            (value(field, first).map_err(fail)?, value(field, last).map_err(fail)?)
        } else {
            let single = value(field, range).map_err(fail)?;
            // `20/15` runs on to the end of the field.
            (single, if step.is_some() { field.last } else { single })
        };
        if first > last {
            return Err(fail(Why::Backwards));
        }
        for taken in (first..=last).step_by(step.unwrap_or(1) as usize) {
            values[taken as usize] = true;
        }
    }
    Ok(values)
}

fn value(field: &Field, text: &str) -> Result<u32, Why> {
    let named = field.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    if let Some(position) = named {
        return Ok(field.first + u32::try_from(position).unwrap_or(0));
    }
    let number = parse_number(text).ok_or(Why::NotANumber)?;
    if (field.first..=field.last).contains(&number) {
        Ok(number)
    } else {
        Err(Why::Bounds(field.first, field.last))
    }
}

fn parse_number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn smallest_distance(minutes: &[bool], hours: &[bool]) -> Option<u32> {
    let mut starts = (0_u32..24 * 60)
        .filter(|at| hours[*at as usize / 60] && minutes[*at as usize % 60])
        .peekable();
    let first = *starts.peek()?;
    let mut smallest = u32::MAX;
    let mut before = None;
    for start in starts.chain([first + 24 * 60]) {
        if let Some(before) = before {
            smallest = smallest.min(start - before);
        }
        before = Some(start);
    }
    (smallest < INTERVAL_MINUTES_MIN).then_some(smallest)
}

#[cfg(test)]
mod due {
    use super::{Calendar, is_due};

    // proves: conformance 25
    #[test]
    fn a_minute_is_due_where_every_field_takes_it() {
        // A Saturday.
        let at = Calendar { minute: 30, hour: 5, day: 21, month: 11, weekday: 6 };
        for (cron, expect) in [
            ("30 5 * * *", true),
            ("*/15 5-6 * NOV *", true),
            ("30 5 21 * *", true),
            ("30 5 * * SAT", true),
            ("30 5 * * 0-5", false),
            ("31 5 * * *", false),
            // Either day is enough where both are named.
            ("30 5 1 * SAT", true),
            ("30 5 21 * MON", true),
            ("30 5 1 * MON", false),
            ("30 5 */2 * SAT", true),
            ("30 5 */2 * MON", false),
            ("30 5 * *", false),
            ("@daily", false),
            ("61 5 * * *", false),
        ] {
            assert_eq!(is_due(cron, at), expect, "{cron}");
        }
    }
}
