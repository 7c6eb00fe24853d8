//! The response-time budget: so many requests, one after the other; of 20 answers 19 come within the
//! time, and no larger share than that fails.
//!
//! It ends as soon as the answer is certain: where too many were slow or failed already, the rest is
//! not asked.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::request::Asker;

/// Requests of one look. A share of one percent is one of them.
pub const BUDGET_REQUESTS: u32 = 100;
/// Of a hundred answers, so many may be slow: of 20, 19 come within the time.
const SLOW_PERCENT: u32 = 5;
/// An answer that takes longer is none, where the budget says no time.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A slow answer is waited for at least so long: how slow it is, is worth knowing.
const SLOW_WITHIN_MIN: Duration = Duration::from_secs(5);

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) p95: Option<Duration>,
    pub(crate) errors_percent: Option<u32>,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    times: Vec<Duration>,
    errors: u32,
    /// The slowest answer, and the last that failed, in words.
    slowest: Option<(Duration, String)>,
    failed: Option<String>,
}

/// What a look says.
pub(crate) enum Said {
    /// How far it is.
    Seen(String),
    /// It is over: kept, or what was too much.
    Over(Measured, Result<(), String>),
}

/// The longest that one answer is waited for.
pub(crate) fn answer_within(p95: Option<Duration>) -> Duration {
    p95.map_or(ANSWER_WITHIN, |it| (it * 2).max(SLOW_WITHIN_MIN))
}

/// How long a look may take at the most.
pub fn budget_within(p95: Option<Duration>) -> Duration {
    let usual = p95.unwrap_or(ANSWER_WITHIN);
    usual * BUDGET_REQUESTS + answer_within(p95) * (SLOW_PERCENT + 1)
}

/// Asks on a thread of its own, one path after the other.
pub(crate) fn look(asker: &Asker, urls: Vec<String>, budget: Budget) -> Receiver<Said> {
    let (sender, receiver) = channel();
    let asker = asker.clone();
    std::thread::spawn(move || measure(&asker, &urls, budget, &sender));
    receiver
}

fn measure(asker: &Asker, urls: &[String], budget: Budget, sender: &Sender<Said>) {
    let timeout = answer_within(budget.p95);
    let mut measured = Measured::default();
    for (url, _) in urls.iter().cycle().zip(0..BUDGET_REQUESTS) {
        match asker.get(url, timeout) {
            Ok(got) => measured.add(got.took, (got.status >= 500).then(|| got.words()), &got.url),
            Err(error) => measured.add(timeout, Some(error), url),
        }
        if let Some(fault) = measured.fault(budget) {
            let _ = sender.send(Said::Over(measured, Err(fault)));
            return;
        }
        let count = measured.times.len();
        let seen = format!("{count} of {BUDGET_REQUESTS} answers, {}", measured.words());
        if sender.send(Said::Seen(seen)).is_err() {
            return;
        }
    }
    let _ = sender.send(Said::Over(measured, Ok(())));
}

impl Measured {
    fn add(&mut self, took: Duration, failed: Option<String>, url: &str) {
        if self.slowest.as_ref().is_none_or(|it| it.0 < took) {
            self.slowest = Some((took, url.to_owned()));
        }
        self.times.push(took);
        if failed.is_some() {
            self.errors += 1;
            self.failed = failed;
        }
    }

    /// Of 20, the slowest but one; of fewer, the slowest.
    pub(crate) fn p95(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        let rank = (times.len() * 95).div_ceil(100).max(1);
        times.get(rank - 1).copied().unwrap_or_default()
    }

    pub(crate) fn requests(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn errors(&self) -> u32 {
        self.errors
    }

    fn words(&self) -> String {
        let failed =
            if self.errors == 0 { String::new() } else { format!(", {} failed", self.errors) };
        format!("p95 {} ms{failed}", self.p95().as_millis())
    }

    /// What is too much already, whatever comes; none where it may still be kept.
    fn fault(&self, budget: Budget) -> Option<String> {
        let more_than = |count: usize, percent: u32| {
            u32::try_from(count).unwrap_or(u32::MAX) > BUDGET_REQUESTS * percent / 100
        };
        if let Some(percent) = budget.errors_percent
            && more_than(usize::try_from(self.errors).unwrap_or(usize::MAX), percent)
        {
            let (errors, of) = (self.errors, self.times.len());
            let last = self.failed.as_deref().unwrap_or_default();
            return Some(format!("{errors} of {of} answers failed, the last: {last}"));
        }
        let wanted = budget.p95?;
        let slow = self.times.iter().filter(|it| **it > wanted).count();
        if !more_than(slow, SLOW_PERCENT) {
            return None;
        }
        let (of, ms) = (self.times.len(), wanted.as_millis());
        let (took, url) = self.slowest.as_ref().expect("one was slow");
        let took = took.as_millis();
        Some(format!(
            "{slow} of {of} answers took more than {ms} ms, the slowest {took} ms: GET {url}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(times: &[u64], errors: u32) -> Measured {
        let mut measured = Measured::default();
        for (at, ms) in (0_u32..).zip(times) {
            let failed = (at < errors).then(|| "GET /: 500".to_owned());
            measured.add(Duration::from_millis(*ms), failed, "/");
        }
        measured
    }

    #[test]
    fn of_twenty_answers_nineteen_count() {
        let times: Vec<u64> = (1..=20).collect();
        assert_eq!(measured(&times, 0).p95(), Duration::from_millis(19));
        assert_eq!(measured(&[7], 0).p95(), Duration::from_millis(7));
        assert_eq!(Measured::default().p95(), Duration::ZERO);
    }

    #[test]
    fn it_is_over_when_it_cannot_be_kept_any_more() {
        let p95 = |ms| Budget { p95: Some(Duration::from_millis(ms)), errors_percent: None };
        let slow = |count: usize| [vec![1; 10], vec![90; count]].concat();
        assert_eq!(measured(&slow(5), 0).fault(p95(50)), None);
        assert_eq!(
            measured(&slow(6), 0).fault(p95(50)).as_deref(),
            Some("6 of 16 answers took more than 50 ms, the slowest 90 ms: GET /")
        );
        let errors = |percent| Budget { p95: None, errors_percent: Some(percent) };
        assert_eq!(measured(&[1, 1], 1).fault(errors(1)), None);
        assert_eq!(
            measured(&[1, 1], 2).fault(errors(1)).as_deref(),
            Some("2 of 2 answers failed, the last: GET /: 500")
        );
        assert_eq!(measured(&[1; 100], 100).fault(errors(100)), None);
    }
}
